"""Households that change: split, left, headed by another; children who come of age."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Date, func, text
from sqlalchemy import case as sql_case
from sqlmodel import cast, col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.consequences import Consequences
from chassis.db import Session, current_time
from chassis.errors import FORBIDDEN, FieldError, Problem, invalid, or_404, state_conflict
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import HouseholdChange, HouseholdChanged
from contracts.codes import CaseState, Member
from participation.access import visible
from services.cases.access.cases import ONLY_WORKERS, works_on
from services.cases.models import CaseFile, CaseMember, Household, HouseholdMember, Returnee
from services.cases.people.ages import ADULT_AT
from services.cases.people.households import rules
from services.cases.people.households.schemas import LeaveReason, SplitReason
from services.cases.records import today_of

AT_ONCE = 500
PRINCIPAL = "principal"

HOUSEHOLD_SPLIT: Consequences[Session, CaseFile, Household, Household, Mapping[UUID, Member]] = (
    Consequences("a household is split")
)
"""Of each open case of the household: those who go, by their new places, are followed elsewhere."""
MEMBER_LEFT: Consequences[Session, CaseFile, UUID] = Consequences("somebody leaves a case for good")


async def _lock_to_change(
    session: Session, caller: Caller, household_id: UUID, precondition: Precondition
) -> tuple[Household, dict[UUID, HouseholdMember], list[CaseFile]]:
    """Lock a household with its present members and their open cases: cases first, as everywhere.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    visible_member = select(HouseholdMember.returnee_id).where(
        HouseholdMember.household_id == household_id,
        visible(col(HouseholdMember.returnee_id), caller),
    )
    or_404(await session.scalar(visible_member.limit(1)))
    cases = list(
        await session.scalars(
            select(CaseFile)
            .where(CaseFile.household_id == household_id, CaseFile.state != CaseState.CLOSED)
            .order_by(col(CaseFile.id))
            .with_for_update()
        )
    )
    if not cases:
        raise state_conflict(CaseState.CLOSED, [], "change the household")
    for case in cases:
        if not await session.scalar(select(works_on(caller, case.id))):
            raise Problem(FORBIDDEN, ONLY_WORKERS)
    household = await session.get_one(Household, household_id, with_for_update=True)
    precondition.check(household.version)
    rows = await session.scalars(
        select(HouseholdMember)
        .where(HouseholdMember.household_id == household_id, col(HouseholdMember.until).is_(None))
        .order_by(col(HouseholdMember.returnee_id))
    )
    return household, {row.returnee_id: row for row in rows}, cases


def _head(members: Iterable[HouseholdMember]) -> UUID | None:
    return next((row.returnee_id for row in members if row.member is Member.PRINCIPAL), None)


def _places(members: Mapping[UUID, HouseholdMember]) -> dict[UUID, Member]:
    return {returnee_id: row.member for returnee_id, row in members.items()}


def publish_household_change(
    session: Session,
    case: CaseFile,
    returnee_id: UUID,
    household_id: UUID,
    change: HouseholdChange,
    member: Member,
) -> None:
    """Publish what changed for a member of a household, with the case that they are in."""
    publish(
        session,
        HouseholdChanged(
            returnee_id=returnee_id,
            case_id=case.id,
            referral_id=case.referral_id,
            household_id=household_id,
            programme=case.programme,
            change=change,
            member=member,
        ),
    )


async def _put_at_head(
    session: Session, household: Household, row: HouseholdMember, cases: Iterable[CaseFile]
) -> None:
    """Make a member the head, in the household and in its cases."""
    row.member, row.relationship = Member.PRINCIPAL, PRINCIPAL
    changed = HouseholdChange.MEMBER_CHANGED
    for case in cases:
        member = await session.get(CaseMember, (case.id, row.returnee_id))
        if member is not None:
            member.member = Member.PRINCIPAL
            publish_household_change(
                session, case, row.returnee_id, household.id, changed, row.member
            )


async def split(
    session: Session,
    caller: Caller,
    household_id: UUID,
    precondition: Precondition,
    *,
    going: Sequence[UUID],
    principal: UUID,
    successor: UUID | None,
    reason: SplitReason,
) -> tuple[Household, Household]:
    """Make two households of one. Who goes is followed in a case of their own, with the deadlines
    as they stand.

    What was granted before stays where it was granted: on the plan of the case that they come from.

    Args:
        session: The session.
        caller: Must work on every open case of the household.
        household_id: The household.
        precondition: What the caller has seen of it.
        going: Who forms the new household.
        principal: Its head, one of them.
        successor: The head of those who stay, where the head is among those who go.
        reason: Why.

    Returns:
        The household, and the new one.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    household, members, cases = await _lock_to_change(session, caller, household_id, precondition)
    head = _head(members.values())
    if errors := rules.split_errors(going, principal, successor, _places(members), head):
        raise invalid(*errors)
    other = Household(id=new_id())
    session.add(other)
    household.changed()
    places = await _move_to(
        session, other, [members[person] for person in sorted(going)], principal
    )
    if successor is not None:
        await _put_at_head(session, household, members[successor], cases)
    for case in cases:
        await HOUSEHOLD_SPLIT(session, case, household, other, places)
    details = {"reason": reason, "new": str(other.id), "members": [str(i) for i in sorted(going)]}
    audit.record(session, caller, "split", "household", household_id, details)
    await session.flush()
    return household, other


async def _move_to(
    session: Session, other: Household, going: Sequence[HouseholdMember], principal: UUID
) -> dict[UUID, Member]:
    """Let members be in another household from now on; their places in it."""
    at = await current_time(session)
    places: dict[UUID, Member] = {}
    for row in going:
        place, relationship = row.member, row.relationship
        if row.returnee_id == principal:
            place, relationship = Member.PRINCIPAL, PRINCIPAL
        elif place is Member.PRINCIPAL:
            place = Member.ADULT
        places[row.returnee_id] = place
        row.until = at
        await session.flush()
        session.add(
            HouseholdMember(
                household_id=other.id,
                returnee_id=row.returnee_id,
                relationship=relationship,
                member=place,
            )
        )
    await session.flush()
    return places


async def leave(
    session: Session,
    caller: Caller,
    household_id: UUID,
    precondition: Precondition,
    *,
    returnee_id: UUID,
    on: date,
    reason: LeaveReason,
    successor: UUID | None,
) -> Household:
    """Note that somebody left a household or died; where it was the head, another takes their
    place.

    What was done for them stays in the case, which goes on for the others.

    Args:
        session: The session.
        caller: Must work on every open case of the household.
        household_id: The household.
        precondition: What the caller has seen of it.
        returnee_id: Who left or died.
        on: The day.
        reason: Why.
        successor: The head of those who stay, where it was the head.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    household, members, cases = await _lock_to_change(session, caller, household_id, precondition)
    head = _head(members.values())
    errors = rules.leave_errors(returnee_id, successor, _places(members), head)
    if on > await today_of(session, cases[0]):
        errors.append(FieldError(pointer="/on", code="date_ahead", detail="today or a day before"))
    if errors:
        raise invalid(*errors)
    row = members[returnee_id]
    row.until = await current_time(session)
    household.changed()
    for case in cases:
        member = await session.get(CaseMember, (case.id, returnee_id))
        if member is not None:
            member.left_on = on
            case.changed()
            await MEMBER_LEFT(session, case, returnee_id)
            left = HouseholdChange.LEFT
            publish_household_change(session, case, returnee_id, household_id, left, row.member)
    if successor is not None:
        await _put_at_head(session, household, members[successor], cases)
    details = {"returnee": str(returnee_id), "reason": reason}
    audit.record(session, caller, "leave", "household", household_id, details)
    await session.flush()
    return household


async def come_of_age(session: Session) -> int:
    """Let children who have turned 18 be adults, in their household and their open case; how many.

    Where only the month or the year of birth is known, they are children until it is certain that
    they are not.
    """
    certain_day = sql_case(
        (col(Returnee.birth_precision) == "day", cast(col(Returnee.birth_date), Date)),
        (
            col(Returnee.birth_precision) == "month",
            _after(func.date_trunc("month", col(Returnee.birth_date)), "1 month"),
        ),
        else_=_after(func.date_trunc("year", col(Returnee.birth_date)), "1 year"),
    )
    today = (await current_time(session)).date()
    rows = await session.scalars(
        select(HouseholdMember)
        .join(Returnee, col(Returnee.id) == HouseholdMember.returnee_id)
        .where(
            HouseholdMember.member == Member.CHILD,
            col(HouseholdMember.until).is_(None),
            certain_day <= rules.years_before(today, ADULT_AT),
        )
        .order_by(col(HouseholdMember.returnee_id))
        .limit(AT_ONCE)
        .with_for_update(of=HouseholdMember, skip_locked=True)
    )
    grown = list(rows)
    for row in grown:
        row.member = Member.ADULT
        await _come_of_age_in_case(session, row)
    await session.flush()
    return len(grown)


async def _come_of_age_in_case(session: Session, row: HouseholdMember) -> None:
    """Let somebody be an adult in their open case, and publish it; their last one is only told."""
    case = await session.scalar(
        select(CaseFile)
        .join(CaseMember, col(CaseMember.case_id) == CaseFile.id)
        .where(col(CaseMember.returnee_id) == row.returnee_id)
        .order_by((col(CaseFile.state) == CaseState.CLOSED), col(CaseFile.id).desc())
        .limit(1)
    )
    if case is None:
        return
    if case.state is not CaseState.CLOSED:
        member = await session.get_one(CaseMember, (case.id, row.returnee_id))
        member.member = Member.ADULT
    changed = HouseholdChange.MEMBER_CHANGED
    publish_household_change(session, case, row.returnee_id, row.household_id, changed, row.member)


def _after(moment: Any, interval: str) -> Any:
    return cast(moment + text(f"interval '{interval}'"), Date)
