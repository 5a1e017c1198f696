"""Households that change: split, left, headed by another; children who come of age."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Date, func, text
from sqlalchemy import case as sql_case
from sqlmodel import cast, col, select, update

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, current_time, now
from chassis.errors import FORBIDDEN, NOT_FOUND, FieldError, Problem, invalid, state_conflict
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import (
    CaseOpened,
    CaseProgressed,
    CaseSuspended,
    HouseholdChange,
    HouseholdChanged,
)
from contracts.codes import CaseState, Member
from participation.access import visible
from services.cases.casework.access import ONLY_WORKERS, load_members, works_on
from services.cases.casework.cases.service import follow_plan_lines
from services.cases.casework.deadlines import service as deadlines
from services.cases.casework.records import event_ids, today_of
from services.cases.follow_up.visits import service as visits
from services.cases.models import (
    CaseFile,
    CaseMember,
    ContactAttempt,
    Household,
    HouseholdMember,
    Returnee,
    Screening,
    ServiceReferral,
    Survey,
    Visit,
)
from services.cases.people.households import rules
from services.cases.people.households.schemas import LeaveIn, SplitIn
from services.cases.people.returnees.ages import ADULT_AT
from services.cases.people.rights import restricted

AT_ONCE = 500
OF_A_PERSON = (Screening, ContactAttempt, Visit, Survey, ServiceReferral)
"""What is about one person of a case and goes with them when their household splits."""


async def _to_change(
    session: Session, household_id: UUID, caller: Caller, precondition: Precondition
) -> tuple[Household, dict[UUID, HouseholdMember], list[CaseFile]]:
    """A household with its present members and their open cases, all locked: cases first, as
    everywhere.

    Raises:
        Problem: 404, 403, 412, 428.
    """
    seen = select(HouseholdMember.returnee_id).where(
        HouseholdMember.household_id == household_id,
        visible(col(HouseholdMember.returnee_id), caller),
    )
    if await session.scalar(seen.limit(1)) is None:
        raise Problem(NOT_FOUND)
    statement = select(CaseFile).where(
        CaseFile.household_id == household_id, CaseFile.state != CaseState.CLOSED
    )
    files = list(await session.scalars(statement.order_by(col(CaseFile.id)).with_for_update()))
    if not files:
        raise state_conflict(CaseState.CLOSED, [], "change the household")
    for file in files:
        if not await session.scalar(select(works_on(caller, file.id))):
            raise Problem(FORBIDDEN, ONLY_WORKERS)
    household = await session.get_one(Household, household_id, with_for_update=True)
    precondition.check(household.version)
    rows = await session.scalars(
        select(HouseholdMember)
        .where(HouseholdMember.household_id == household_id, col(HouseholdMember.until).is_(None))
        .order_by(col(HouseholdMember.returnee_id))
    )
    return household, {row.returnee_id: row for row in rows}, files


def _head(members: Iterable[HouseholdMember]) -> UUID | None:
    return next((row.returnee_id for row in members if row.member == Member.PRINCIPAL), None)


def _places(members: Mapping[UUID, HouseholdMember]) -> dict[UUID, str]:
    return {returnee_id: row.member for returnee_id, row in members.items()}


def _tell(
    session: Session,
    file: CaseFile,
    returnee_id: UUID,
    household_id: UUID,
    change: HouseholdChange,
    member: str,
) -> None:
    publish(
        session,
        HouseholdChanged(
            returnee_id=returnee_id,
            case_id=file.id,
            referral_id=file.referral_id,
            household_id=household_id,
            programme=file.programme,
            change=change,
            member=Member(member),
        ),
    )


async def _put_at_head(
    session: Session, household: Household, row: HouseholdMember, files: Iterable[CaseFile]
) -> None:
    """Make a member the head, in the household and in its cases."""
    row.member, row.relationship = Member.PRINCIPAL, "principal"
    for file in files:
        member = await session.get(CaseMember, (file.id, row.returnee_id))
        if member is not None:
            member.member = Member.PRINCIPAL
            _tell(
                session,
                file,
                row.returnee_id,
                household.id,
                HouseholdChange.MEMBER_CHANGED,
                row.member,
            )


async def split(
    session: Session, household_id: UUID, body: SplitIn, caller: Caller, precondition: Precondition
) -> tuple[Household, Household]:
    """Make two households of one. Who goes is followed in a case of their own, with the deadlines
    as they stand.

    What was granted before stays where it was granted: on the plan of the case that they come from.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    household, members, files = await _to_change(session, household_id, caller, precondition)
    if errors := rules.split_errors(body, _places(members), _head(members.values())):
        raise invalid(*errors)
    other = Household(id=new_id())
    session.add(other)
    household.changed()
    going = sorted(body.members)
    places: dict[UUID, str] = {}
    for returnee_id in going:
        row = members[returnee_id]
        place, relationship = (
            (Member.PRINCIPAL, "principal")
            if returnee_id == body.principal
            else (row.member, row.relationship)
        )
        if place == Member.PRINCIPAL and returnee_id != body.principal:
            place = Member.ADULT
        places[returnee_id] = place
        row.until = now()
        await session.flush()
        session.add(
            HouseholdMember(
                household_id=other.id,
                returnee_id=returnee_id,
                relationship=relationship,
                member=place,
            )
        )
    await session.flush()
    if body.successor is not None:
        await _put_at_head(session, household, members[body.successor], files)
    for file in files:
        await _split_case(session, file, household, other, places)
    audit.record(
        session,
        caller,
        "split",
        "household",
        household_id,
        {"reason": body.reason, "new": str(other.id), "members": [str(i) for i in going]},
    )
    await session.flush()
    return household, other


async def _split_case(
    session: Session,
    file: CaseFile,
    household: Household,
    other: Household,
    places: dict[UUID, str],
) -> None:
    """Open a case of their own for those of a case who go."""
    members = (await load_members(session, [file.id]))[file.id]
    going = [member for member in members if member.returnee_id in places]
    if not going:
        return
    for member in going:
        _tell(session, file, member.returnee_id, household.id, HouseholdChange.LEFT, member.member)
    if len(going) == len([member for member in members if member.left_on is None]):
        file.household_id = other.id  # everybody of this case goes: the case goes with them
        file.changed()
        for member in going:
            member.member = places[member.returnee_id]
            _tell(
                session, file, member.returnee_id, other.id, HouseholdChange.JOINED, member.member
            )
        return
    file.changed()
    copied = {
        column.key: getattr(file, column.key)
        for column in CaseFile.__table__.columns
        if column.key
        not in {
            "id",
            "version",
            "created_at",
            "updated_at",
            "referral_id",
            "household_id",
            "split_from",
        }
    }
    theirs = CaseFile(id=new_id(), household_id=other.id, split_from=file.id, **copied)
    session.add(theirs)
    await session.flush()
    rows = []
    for member in going:
        rows.append(
            CaseMember(
                case_id=theirs.id,
                returnee_id=member.returnee_id,
                member=places[member.returnee_id],
                arrival_id=member.arrival_id,
                arrival_state=member.arrival_state,
                arrived_on=member.arrived_on,
            )
        )
        await session.delete(member)
    session.add_all(rows)
    await session.flush()
    await _take_along(session, file.id, theirs.id, [row.returnee_id for row in rows])
    for row in rows:
        ids = event_ids(theirs, row)
        publish(
            session,
            CaseOpened(
                **ids,
                programme_version=theirs.programme_version,
                return_kind=theirs.return_kind,
                member=row.member,
                referrer=theirs.referrer,
                implementer=theirs.implementer,
                office=theirs.programme_office,
                state=theirs.state,
                needs_priority=theirs.needs_priority,
                arrived_on=row.arrived_on,
            ),
        )
        # A projection begins every case before departure; this one goes on from where the other
        # stands.
        if theirs.state == CaseState.SUSPENDED:
            publish(
                session,
                CaseSuspended(
                    **ids, previous_state=theirs.suspended_from, since=theirs.suspended_on
                ),
            )
        elif theirs.state != CaseState.PRE_DEPARTURE:
            publish(
                session,
                CaseProgressed(**ids, previous_state=CaseState.PRE_DEPARTURE, state=theirs.state),
            )
        _tell(session, theirs, row.returnee_id, other.id, HouseholdChange.JOINED, row.member)
        await restricted.tell_again(session, row.returnee_id)
    await deadlines.copy(session, file, theirs, rows)
    await follow_plan_lines(session, theirs, rows)


async def _take_along(
    session: Session, before: UUID, after: UUID, people: Collection[UUID]
) -> None:
    """Let what is about the people who go be in their own case."""
    theirs = select(Visit.id).where(Visit.case_id == before, col(Visit.returnee_id).in_(people))
    await deadlines.move_visits(session, list(await session.scalars(theirs)), after)
    for model in OF_A_PERSON:
        await session.execute(
            update(model)
            .where(model.case_id == before, model.returnee_id.in_(people))
            .values(case_id=after)
        )


async def leave(
    session: Session, household_id: UUID, body: LeaveIn, caller: Caller, precondition: Precondition
) -> Household:
    """Note that somebody left a household or died; where it was the head, another takes their
    place.

    What was done for them stays in the case, which goes on for the others.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    household, members, files = await _to_change(session, household_id, caller, precondition)
    errors = []
    if body.returnee_id not in members:
        right = "a present member of the household"
        errors.append(FieldError(pointer="/returnee_id", code="not_in_household", detail=right))
    if body.on > await today_of(session, files[0]):
        errors.append(FieldError(pointer="/on", code="date_ahead", detail="today or a day before"))
    staying = {
        returnee_id: place
        for returnee_id, place in _places(members).items()
        if returnee_id != body.returnee_id
    }
    if body.returnee_id in members and not staying:
        right = "somebody who leaves others behind; where nobody is left, close the case"
        errors.append(FieldError(pointer="/returnee_id", code="last_member", detail=right))
    else:
        head = _head(members.values())
        gone = body.returnee_id if head == body.returnee_id else None
        errors += rules.successor_errors(gone, body.successor, staying)
    if errors:
        raise invalid(*errors)
    row = members[body.returnee_id]
    row.until = now()
    household.changed()
    for file in files:
        member = await session.get(CaseMember, (file.id, body.returnee_id))
        if member is not None:
            member.left_on = body.on
            file.changed()
            await visits.call_off_with(session, file, body.returnee_id)
            _tell(session, file, body.returnee_id, household_id, HouseholdChange.LEFT, row.member)
    if body.successor is not None:
        await _put_at_head(session, household, members[body.successor], files)
    audit.record(
        session,
        caller,
        "leave",
        "household",
        household_id,
        {"returnee": str(body.returnee_id), "reason": body.reason},
    )
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
        else_=_after(func.date_trunc("year", Returnee.birth_date), "1 year"),
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
        file = await session.scalar(
            select(CaseFile)
            .join(CaseMember, col(CaseMember.case_id) == CaseFile.id)
            .where(col(CaseMember.returnee_id) == row.returnee_id)
            .order_by((col(CaseFile.state) == CaseState.CLOSED), col(CaseFile.id).desc())
            .limit(1)
        )
        if file is None:
            continue
        if file.state != CaseState.CLOSED:
            member = await session.get_one(CaseMember, (file.id, row.returnee_id))
            member.member = Member.ADULT
        _tell(
            session,
            file,
            row.returnee_id,
            row.household_id,
            HouseholdChange.MEMBER_CHANGED,
            row.member,
        )
    await session.flush()
    return len(grown)


def _after(moment: Any, interval: str) -> Any:
    return cast(moment + text(f"interval '{interval}'"), Date)
