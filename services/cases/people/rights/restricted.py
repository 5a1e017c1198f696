"""Who is kept from whom: what stands in the way of letting an organisation know of somebody."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import aliased
from sqlmodel import col, false, or_, select

from chassis.auth import Caller
from chassis.db import Session, now
from chassis.errors import CONFLICT, Problem
from chassis.outbox import publish
from contracts.cases import ReturneeRestricted
from participation import aliases
from participation.access import Role, participation, visible
from services.cases.models import CaseMember, Restriction


async def kept_from(session: Session, returnee_ids: Iterable[UUID]) -> set[str]:
    """The organisations that may not know of one of some people, under any of their ids."""
    ids = await aliases.same_people(session, returnee_ids)
    standing = select(Restriction.organisation).where(
        col(Restriction.returnee_id).in_(ids), col(Restriction.lifted_at).is_(None)
    )
    return set(await session.scalars(standing))


async def check(session: Session, returnee_ids: Iterable[UUID], organisation: str) -> None:
    """Refuse to let an organisation know of people from one of whom it is kept.

    Raises:
        Problem: 409.
    """
    if organisation in await kept_from(session, returnee_ids):
        raise Problem(
            CONFLICT,
            "this organisation is kept from a person concerned; lift the restriction first",
        )


async def check_merge(session: Session, one: Sequence[UUID], other: Sequence[UUID]) -> None:
    """Refuse to make one person of two of whom an organisation knows the one and is kept from the
    other.

    Args:
        session: The session.
        one: Every id of the one.
        other: Every id of the other.

    Raises:
        Problem: 409.
    """
    for kept, known in ((one, other), (other, one)):
        if await kept_from(session, kept) & await _taking_part(session, known):
            right = "keep it from both, or lift the restriction"
            raise Problem(
                CONFLICT,
                f"an organisation is kept from one of them and knows of the other: {right}",
            )


async def _taking_part(session: Session, ids: Sequence[UUID]) -> set[str]:
    part = participation.c
    current = or_(part.until.is_(None), part.until > now())
    rows = select(part.organisation).where(
        part.subject_id.in_(ids), part.role != Role.PROGRAMME, current
    )
    return set(await session.scalars(rows))


def hides_case(case_id: Any, caller: Caller) -> ColumnElement[bool]:
    """Whether somebody is in a case from whom the caller's organisation is kept: it may not see it
    by the others.
    """
    if caller.is_internal:
        return false()
    member = aliased(CaseMember)
    return exists(
        select(1)
        .join_from(member, Restriction, col(Restriction.returnee_id) == member.returnee_id)
        .where(
            member.case_id == case_id,
            Restriction.organisation == caller.organisation,
            col(Restriction.lifted_at).is_(None),
            ~visible(col(member.returnee_id), caller),  # an office is in by its programme
        )
    )


def tell(session: Session, row: Restriction) -> None:
    """Publish that an organisation is kept from somebody, or is no more."""
    publish(
        session,
        ReturneeRestricted(
            returnee_id=row.returnee_id,
            organisation=row.organisation,
            roles=tuple(row.roles),
            restricted=row.lifted_at is None,
        ),
    )


async def tell_again(session: Session, returnee_id: UUID) -> None:
    """Publish who is kept from somebody, after a fact from which projections take that those take
    part.
    """
    rows = select(Restriction).where(
        Restriction.returnee_id == returnee_id, col(Restriction.lifted_at).is_(None)
    )
    for row in await session.scalars(rows.order_by(col(Restriction.id))):
        tell(session, row)
