"""Grants as a caller may know of them, and the locks under which they are worked on."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Select, func
from sqlmodel import cast, col, select

from chassis.auth import Caller
from chassis.db import Session, now
from chassis.errors import FORBIDDEN, NOT_FOUND, Problem
from chassis.loading import FRESH, load_or_404
from contracts.codes import HelpKind
from participation.access import visible
from participation.aliases import same_people
from services.grants import people
from services.grants.models import Grant, Participant, Payment
from services.grants.programmes.data import zone_of
from services.grants.states import ON_THEIR_WAY, GrantState


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """Whether the caller may know of a grant, in SQL."""
    return visible(col(Grant.returnee_id), caller)


def select_grants(
    caller: Caller,
    *,
    programme: str | None,
    state: GrantState | None,
    kind: HelpKind | None,
    returnee_ids: Sequence[UUID] | None,
    case_id: UUID | None,
    budget_id: UUID | None,
    unsettled: bool | None,
    updated_since: datetime | None,
) -> Select[Any]:
    """Grants of people in whose return the caller takes part."""
    query: Select[Any] = select(Grant).where(visible_to(caller))
    for column, value in (
        (Grant.programme, programme),
        (Grant.state, state),
        (Grant.kind, kind),
        (Grant.case_id, case_id),
        (Grant.budget_id, budget_id),
    ):
        if value is not None:
            query = query.where(col(column) == value)
    if returnee_ids is not None:
        query = query.where(col(Grant.returnee_id).in_(returnee_ids))
    if unsettled is not None:
        query = query.where((func.jsonb_array_length(Grant.unsettled) > 0) == unsettled)
    if updated_since is not None:
        query = query.where(col(Grant.updated_at) >= updated_since)
    return query


async def load_grant(session: Session, caller: Caller, grant_id: UUID) -> Grant:
    """A grant that the caller may know of.

    Raises:
        Problem: 404.
    """
    return await load_or_404(
        session, select(Grant).where(col(Grant.id) == grant_id, visible_to(caller))
    )


async def lock_grant(session: Session, caller: Caller, grant_id: UUID) -> Grant:
    """A grant to work on, locked.

    Raises:
        Problem: 404, or 403 if the caller only referred the person.
    """
    result = await session.execute(
        select(Grant, people.works_for(col(Grant.returnee_id), caller))
        .where(col(Grant.id) == grant_id, visible_to(caller))
        .with_for_update(of=Grant),
        execution_options=FRESH,
    )
    row = result.one_or_none()
    if row is None:
        raise Problem(NOT_FOUND)
    grant, works = row
    if not works:
        raise Problem(FORBIDDEN, people.WHO_WORKS)
    return grant


async def lock_grants(session: Session, *where: Any) -> Sequence[Grant]:
    """Some grants, locked in the order of their ids."""
    rows = await session.scalars(
        select(Grant).where(*where).order_by(col(Grant.id)).with_for_update(),
        execution_options=FRESH,
    )
    return rows.all()


async def lock_payments_on_their_way(session: Session, grant_id: UUID) -> Sequence[Payment]:
    """The payments of a locked grant that may still arrive, locked in the order of their ids."""
    rows = await session.scalars(
        select(Payment)
        .where(col(Payment.grant_id) == grant_id, col(Payment.state).in_(ON_THEIR_WAY))
        .order_by(col(Payment.id))
        .with_for_update(),
        execution_options=FRESH,
    )
    return rows.all()


async def lock_people(session: Session, *returnee_ids: UUID | None) -> None:
    """Lock people under all their ids, and all their households.

    What was merged or moved while this waited is locked too: it looks again until nothing is new.
    """
    locked: tuple[list[UUID], list[UUID]] = [], []
    while True:
        ids = sorted(
            await same_people(session, [person for person in returnee_ids if person is not None])
        )
        wanted = ids, await people.households(session, ids)
        if wanted == locked:
            return
        await people.lock(session, *wanted)
        locked = wanted


async def lock_everybody_of(session: Session, grant: Grant) -> None:
    """Lock all whom a grant is of, and their households."""
    parts = [UUID(part["returnee_id"]) for part in grant.parts if part["returnee_id"] is not None]
    await lock_people(session, grant.returnee_id, *parts)


async def local_today(session: Session, programme: str, implementer: str) -> date:
    """The day by the database's clock, where a partner assists: at 02:30 in Baghdad it is not
    yesterday any more.
    """
    local = func.timezone(zone_of(programme, implementer).key, now())
    return (await session.execute(select(cast(local, Date)))).scalar_one()


async def participant_of(session: Session, grant: Grant) -> Participant | None:
    """The person whom a grant is of, in their case; None after an erasure."""
    if grant.returnee_id is None:
        return None
    return await session.get(Participant, (grant.case_id, grant.returnee_id))
