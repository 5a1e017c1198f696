"""Who may know of a case and who works on it; cases and members, loaded and locked for them."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import aliased
from sqlmodel import col, select, true

from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import FORBIDDEN, Problem, or_404
from participation.access import Role, holds, visible
from services.cases.models import CaseFile, CaseMember, Returnee
from services.cases.people.rights import restricted

WORKERS = frozenset({Role.PARTNER, Role.PROGRAMME})
ONLY_WORKERS = "the implementing organisation and the programme office work on cases"


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """Cases in which the caller takes part in somebody's return, and is kept from nobody."""
    takes_part = exists(
        select(1).where(
            CaseMember.case_id == CaseFile.id, visible(col(CaseMember.returnee_id), caller)
        )
    )
    return takes_part & ~restricted.hides_case(CaseFile.id, caller)


def works_on(caller: Caller, case_id: Any) -> ColumnElement[bool]:
    """Whether the caller implements this case, not only another of the same people, or is its
    programme office.
    """
    if caller.is_internal:
        return true()
    case, of_case = aliased(CaseFile), col(CaseMember.returnee_id)
    implements = (col(case.implementer) == caller.organisation) & holds(
        of_case, {Role.PARTNER}, caller
    )
    is_office = col(case.programme).in_(caller.programmes) & holds(
        of_case, {Role.PROGRAMME}, caller
    )
    return exists(
        select(1)
        .join_from(case, CaseMember, col(CaseMember.case_id) == case.id)
        .where(case.id == case_id, implements | is_office, ~restricted.hides_case(case.id, caller))
    )


async def ids_worked_on(session: Session, caller: Caller, case_ids: Iterable[UUID]) -> set[UUID]:
    """Those of some cases that the caller implements, or is the programme office of."""
    ids = select(CaseFile.id).where(
        col(CaseFile.id).in_(list(case_ids)), works_on(caller, CaseFile.id)
    )
    return set(await session.scalars(ids))


async def load_case(session: Session, caller: Caller, case_id: UUID) -> CaseFile:
    """Load a case that the caller may know of.

    Raises:
        Problem: 404.
    """
    case: CaseFile | None = await session.scalar(
        select(CaseFile).where(CaseFile.id == case_id, visible_to(caller))
    )
    return or_404(case)


async def require_reader(session: Session, caller: Caller, case_id: UUID) -> CaseFile:
    """Load a case to read in it what is only for those who work on it.

    Raises:
        Problem: 404; 403 if the caller only referred the people in it.
    """
    case = await load_case(session, caller, case_id)
    await _require_work(session, caller, case_id)
    return case


async def require_worker(
    session: Session, caller: Caller, case_id: UUID
) -> tuple[CaseFile, list[CaseMember]]:
    """Lock a case to work on it, with its members.

    Raises:
        Problem: 404; 403 if the caller only referred the people in it.
    """
    case: CaseFile | None = await session.scalar(
        select(CaseFile)
        .where(CaseFile.id == case_id, visible_to(caller))
        .with_for_update(of=CaseFile)
    )
    case = or_404(case)
    await _require_work(session, caller, case_id)
    return case, (await load_members(session, [case_id]))[case_id]


async def _require_work(session: Session, caller: Caller, case_id: UUID) -> None:
    if not await session.scalar(select(works_on(caller, case_id))):
        raise Problem(FORBIDDEN, ONLY_WORKERS)


async def lock_case(session: Session, case_id: UUID) -> CaseFile | None:
    """Lock a case for a reaction to an event, or for who was found to work on it by another way."""
    case: CaseFile | None = await session.scalar(
        select(CaseFile).where(CaseFile.id == case_id).with_for_update()
    )
    return case


async def load_members(session: Session, case_ids: Iterable[UUID]) -> dict[UUID, list[CaseMember]]:
    """Load the members of cases, each list in the order of their ids."""
    members: dict[UUID, list[CaseMember]] = {case_id: [] for case_id in case_ids}
    rows = await session.scalars(
        select(CaseMember)
        .where(col(CaseMember.case_id).in_(members))
        .order_by(col(CaseMember.returnee_id))
    )
    for row in rows:
        members[row.case_id].append(row)
    return members


async def load_visible_members(
    session: Session, caller: Caller, case_ids: Iterable[UUID], worked_on: Collection[UUID]
) -> dict[UUID, list[CaseMember]]:
    """Load the members of cases whom the caller may know of.

    Args:
        session: The session.
        caller: Who asks; of a case that it does not work on, it knows those in whose return it
            takes part.
        case_ids: The cases.
        worked_on: Those of them that the caller works on, and knows everybody of.
    """
    members = await load_members(session, case_ids)
    of_others = {
        row.returnee_id
        for case_id, rows in members.items()
        if case_id not in worked_on
        for row in rows
    }
    if not of_others:
        return members
    statement = select(Returnee.id).where(
        col(Returnee.id).in_(of_others), visible(col(Returnee.id), caller)
    )
    visible_ids = set(await session.scalars(statement))
    return {
        case_id: [row for row in rows if case_id in worked_on or row.returnee_id in visible_ids]
        for case_id, rows in members.items()
    }


async def load_cases_of_referral(
    session: Session, referral_id: UUID, *, lock: bool = False
) -> dict[UUID, CaseFile]:
    """Load the case that a referral opened and those that were split off it, by id, the oldest
    first.
    """
    return await _load_with_split_off(session, col(CaseFile.referral_id) == referral_id, lock=lock)


async def _load_with_split_off(
    session: Session, wanted: ColumnElement[bool], *, lock: bool = False
) -> dict[UUID, CaseFile]:
    cases: dict[UUID, CaseFile] = {}
    while True:
        statement = select(CaseFile).where(wanted).order_by(col(CaseFile.id))
        newest = list(await session.scalars(statement.with_for_update() if lock else statement))
        if not newest:
            return cases
        cases |= {case.id: case for case in newest}
        wanted = col(CaseFile.split_from).in_([case.id for case in newest])


async def lock_present_case(session: Session, case: CaseFile, returnee_id: UUID) -> CaseFile:
    """Lock the case in which somebody is followed now: the one given, or the one that was split off
    it with them.
    """
    split_off = await _load_with_split_off(session, col(CaseFile.id) == case.id)
    case_id = await session.scalar(
        select(CaseMember.case_id).where(
            col(CaseMember.case_id).in_(split_off), CaseMember.returnee_id == returnee_id
        )
    )
    if case_id is None or case_id == case.id:
        return case
    return await session.get_one(CaseFile, case_id, with_for_update=True)
