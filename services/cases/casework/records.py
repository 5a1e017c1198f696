"""What is common to everything that is taken down about the people of a case: of whom it may be,
under what id it is kept, on what day, and with which ids it is published.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from chassis.db import Session, current_time
from chassis.errors import FieldError, id_taken, invalid, state_conflict
from chassis.ids import new_id
from contracts.codes import CaseState
from participation import aliases
from services.cases.models import CaseFile, CaseMember, Resource
from services.cases.programmes import zone_of
from services.cases.states.casework import CASE

Record = TypeVar("Record", bound=Resource)

NOT_COMPARED = frozenset({"state", "clock_suspect"})
"""Of what is sent again: it may have moved on since, and the clock has."""
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a device's clock may be ahead before its claim is flagged."""


def event_ids(case: CaseFile, member: CaseMember) -> dict[str, Any]:
    """The ids that relate an event to a member of a case."""
    return {
        "returnee_id": member.returnee_id,
        "case_id": case.id,
        "referral_id": case.referral_id,
        "household_id": case.household_id,
        "programme": case.programme,
    }


def require_open(case: CaseFile, action: str) -> None:
    """Refuse to add to a closed case.

    Raises:
        Problem: 409.
    """
    if case.state is CaseState.CLOSED:
        raise state_conflict(case.state, CASE.allowed(case.state), action)


async def require_member(
    session: Session, members: Iterable[CaseMember], returnee_id: UUID, pointer: str
) -> CaseMember:
    """The member of a case that a body names, by any id of the person.

    Raises:
        Problem: 422, they are in another case.
    """
    by_id = {member.returnee_id: member for member in members}
    ids = await aliases.same_person(session, returnee_id)
    member = next((by_id[known] for known in (returnee_id, *ids) if known in by_id), None)
    if member is None:
        right = "a returnee of the case"
        raise invalid(FieldError(pointer=pointer, code="not_in_case", detail=right))
    return member


def require_present(member: CaseMember, pointer: str) -> None:
    """Refuse to plan anything with somebody who died or left the household.

    Raises:
        Problem: 422.
    """
    if member.left_on is not None:
        right = "somebody who has not died or left the household"
        raise invalid(FieldError(pointer=pointer, code="left_household", detail=right))


async def insert_once(session: Session, row: Record) -> tuple[Record, bool]:
    """Keep what a client sent under an id of its own choice; sent again, it is what was kept.

    Args:
        session: The session; what the row belongs to is locked.
        row: What was sent, not yet added.

    Returns:
        The row, and whether it is new.

    Raises:
        Problem: 409, the id is taken by something else.
    """
    if row.id is not None:
        existing = await session.get(type(row), row.id)
        if existing is not None:
            if not _says_the_same(existing, row):
                raise id_taken()
            return existing, False
    else:
        row.id = new_id()
    session.add(row)
    await session.flush()
    await session.refresh(row)  # answered as it will be read, times in UTC
    return row, True


def _says_the_same(existing: Resource, sent: Resource) -> bool:
    return all(
        getattr(existing, name) == value
        for name, value in vars(sent).items()
        if not name.startswith("_") and name not in NOT_COMPARED
    )


async def today_of(session: Session, case: CaseFile) -> date:
    """The day in the country of return."""
    zone = zone_of(case.programme, case.programme_version, case.country_of_return)
    return (await current_time(session)).astimezone(zone).date()


async def is_ahead(session: Session, claimed: datetime) -> bool:
    """Whether something is claimed for the future: it is taken down as claimed, and flagged."""
    return claimed > await current_time(session) + CLOCK_TOLERANCE
