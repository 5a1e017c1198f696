"""Cases: opened by acceptance, moved by arrivals and plans, assigned, closed and reopened."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, or_, select, true

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    FieldError,
    Problem,
    invalid,
    state_conflict,
)
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import (
    CaseAssigned,
    CaseClosed,
    CaseOpened,
    CaseProgressed,
    CaseReopened,
    CaseResumed,
    CaseSuspended,
)
from contracts.codes import CaseState, ClosureReason, Member, actor_id
from participation import aliases
from participation.access import Role, holds, visible
from services.cases.casework.cases import rules
from services.cases.casework.cases.schemas import AssignIn, CloseIn, ReopenIn, ResumeIn, SuspendIn
from services.cases.casework.deadlines import service as deadlines
from services.cases.casework.deadlines.rules import WINDOWS
from services.cases.casework.deadlines.schemas import DeadlineState
from services.cases.casework.plans.schemas import LineStatus, PlanState
from services.cases.models import (
    CaseFile,
    CaseMember,
    Deadline,
    Plan,
    PlanLine,
    PlanLineStatus,
    Resource,
    Returnee,
)
from services.cases.people.returnees.service import has_open_case
from services.cases.people.rights import restricted
from services.cases.programmes import zone_of

Kept = TypeVar("Kept", bound=Resource)

WORKERS = frozenset({Role.PARTNER, Role.PROGRAMME})
WORK = "the implementing organisation and the programme office work on cases"
SETTLED_LATER = frozenset({"state", "clock_suspect"})
"""What is not compared when something is sent again: it may have moved on, and the clock has."""
AHEAD = timedelta(minutes=5)
"""How far a device's clock may be ahead before its claim is flagged."""


def ids_of(case: CaseFile, member: CaseMember) -> dict[str, Any]:
    """The ids that relate a fact about a member of a case."""
    return {
        "returnee_id": member.returnee_id,
        "case_id": case.id,
        "referral_id": case.referral_id,
        "household_id": case.household_id,
        "programme": case.programme,
    }


def seen_by(caller: Caller) -> ColumnElement[bool]:
    """Cases of which the caller takes part in a member's return, and is kept from nobody in them."""
    part = exists(
        select(1).where(
            CaseMember.case_id == CaseFile.id, visible(col(CaseMember.returnee_id), caller)
        )
    )
    return part & ~restricted.hides_case(CaseFile.id, caller)


async def members_of(session: Session, case_ids: Iterable[UUID]) -> dict[UUID, list[CaseMember]]:
    """The members of cases, each list in the order of their ids."""
    found: dict[UUID, list[CaseMember]] = {case_id: [] for case_id in case_ids}
    rows = await session.scalars(
        select(CaseMember)
        .where(col(CaseMember.case_id).in_(found))
        .order_by(col(CaseMember.returnee_id))
    )
    for row in rows:
        found[row.case_id].append(row)
    return found


async def members_shown(
    session: Session, case_ids: Iterable[UUID], worked_on: Collection[UUID], caller: Caller
) -> dict[UUID, list[CaseMember]]:
    """The same as the caller may know of them.

    Args:
        session: The session.
        case_ids: The cases.
        worked_on: Those of them that the caller works on, and knows everybody of.
        caller: Who asks: of the other cases it knows those in whose return it takes part.
    """
    members = await members_of(session, case_ids)
    of_others = {
        row.returnee_id
        for case_id, rows in members.items()
        if case_id not in worked_on
        for row in rows
    }
    if not of_others:
        return members
    seen = select(Returnee.id).where(
        col(Returnee.id).in_(of_others), visible(col(Returnee.id), caller)
    )
    known = set(await session.scalars(seen))
    return {
        case_id: [row for row in rows if case_id in worked_on or row.returnee_id in known]
        for case_id, rows in members.items()
    }


async def find(session: Session, case_id: UUID, caller: Caller, *, lock: bool = False) -> CaseFile:
    """A case that the caller may know of.

    Raises:
        Problem: 404.
    """
    statement = select(CaseFile).where(CaseFile.id == case_id, seen_by(caller))
    if lock:
        statement = statement.with_for_update(of=CaseFile)
    case: CaseFile | None = await session.scalar(statement)
    if case is None:
        raise Problem(NOT_FOUND)
    return case


async def to_read(session: Session, case_id: UUID, caller: Caller) -> CaseFile:
    """A case, for those who implement it and for the programme office: what is only for who works
    on it.

    Raises:
        Problem: 404, or 403 for who only referred the people in it.
    """
    case = await find(session, case_id, caller)
    if not await session.scalar(select(worked_on(case_id, caller))):
        raise Problem(FORBIDDEN, WORK)
    return case


def worked_on(case_id: Any, caller: Caller) -> ColumnElement[bool]:
    """Whether the caller implements this case, not only another of the same people, or is its
    programme office.
    """
    if caller.is_internal:
        return true()
    case, of_case = aliased(CaseFile), CaseMember.returnee_id
    return exists(
        select(1)
        .join_from(case, CaseMember, col(CaseMember.case_id) == case.id)
        .where(
            case.id == case_id,
            (case.implementer == caller.organisation) & holds(of_case, {Role.PARTNER}, caller)
            | case.programme.in_(caller.programmes) & holds(of_case, {Role.PROGRAMME}, caller),
            ~restricted.hides_case(case.id, caller),
        )
    )


async def those_worked_on(session: Session, case_ids: Iterable[UUID], caller: Caller) -> set[UUID]:
    """Those of some cases that the caller implements, or is the programme office of."""
    ids = select(CaseFile.id).where(
        col(CaseFile.id).in_(list(case_ids)), worked_on(CaseFile.id, caller)
    )
    return set(await session.scalars(ids))


async def of_referral(
    session: Session, referral_id: UUID, *, lock: bool = False
) -> dict[UUID, CaseFile]:
    """The case that a referral opened and those that were split off it, by id, the oldest first."""
    return await _with_split_off(session, col(CaseFile.referral_id) == referral_id, lock=lock)


async def _with_split_off(
    session: Session, wanted: ColumnElement[bool], *, lock: bool = False
) -> dict[UUID, CaseFile]:
    found: dict[UUID, CaseFile] = {}
    while True:
        statement = select(CaseFile).where(wanted).order_by(col(CaseFile.id))
        newest = list(await session.scalars(statement.with_for_update() if lock else statement))
        if not newest:
            return found
        found |= {case.id: case for case in newest}
        wanted = col(CaseFile.split_from).in_([case.id for case in newest])


async def followed_in(session: Session, case: CaseFile, returnee_id: UUID) -> CaseFile:
    """The case in which somebody is followed now, locked: the one given, or the one that was split
    off it with them.
    """
    split_off = await _with_split_off(session, col(CaseFile.id) == case.id)
    theirs = select(CaseMember.case_id).where(
        col(CaseMember.case_id).in_(split_off), CaseMember.returnee_id == returnee_id
    )
    case_id = await session.scalar(theirs)
    if case_id is None or case_id == case.id:
        return case
    return await session.get_one(CaseFile, case_id, with_for_update=True)


async def of_id(session: Session, case_id: UUID) -> CaseFile:
    """A case, whoever asks: for what was found already to be theirs to see."""
    return await session.get_one(CaseFile, case_id)


def check_open(case: CaseFile, action: str) -> None:
    """Refuse to add to a closed case.

    Raises:
        Problem: 409.
    """
    if case.state == CaseState.CLOSED:
        raise state_conflict(case.state, rules.allowed(case.state), action)


async def load_member(
    session: Session, members: Iterable[CaseMember], returnee_id: UUID, pointer: str
) -> CaseMember:
    """Returns the member of a case that a body names, by any id of the person.

    Raises:
        Problem: 422, they are in another case.
    """
    by_id = {member.returnee_id: member for member in members}
    ids = await aliases.same_person(session, returnee_id)
    found = next((by_id[each] for each in (returnee_id, *ids) if each in by_id), None)
    if found is None:
        right = "a returnee of the case"
        raise invalid(FieldError(pointer=pointer, code="not_in_case", detail=right))
    return found


def check_present(member: CaseMember, pointer: str) -> None:
    """Returns 422 if the person died or left the household: nothing is planned with them."""
    if member.left_on is not None:
        right = "somebody who has not died or left the household"
        raise invalid(FieldError(pointer=pointer, code="left_household", detail=right))


async def take_down(session: Session, row: Kept) -> tuple[Kept, bool]:
    """Keep what a client sent under an id of its own choice; the same again is what is there
    already.

    Args:
        session: The session; what the row belongs to is locked.
        row: What was sent, not yet added.

    Returns:
        The row, and whether it is new.

    Raises:
        Problem: 409, the id is taken by something else.
    """
    if row.id is not None:
        there = await session.get(type(row), row.id)
        if there is not None:
            sent = {name: value for name, value in vars(row).items() if not name.startswith("_")}
            if any(
                getattr(there, name) != value
                for name, value in sent.items()
                if name not in SETTLED_LATER
            ):
                raise Problem(CONFLICT, "the id is taken by something else")
            return there, False
    else:
        row.id = new_id()
    session.add(row)
    await session.flush()
    await session.refresh(row)  # answered as it will be read, times in UTC
    return row, True


async def clock(session: Session) -> datetime:
    """The database's time."""
    moment: datetime = (await session.execute(select(now()))).scalar_one()
    return moment


async def today_of(session: Session, case: CaseFile) -> date:
    """The day in the country of return."""
    zone = zone_of(case.programme, case.programme_version, case.country_of_return)
    return (await clock(session)).astimezone(zone).date()


async def is_ahead(session: Session, claimed: datetime) -> bool:
    """Whether something is said to have happened in the future: taken down as claimed, and flagged."""
    return claimed > await clock(session) + AHEAD


async def to_work_on(
    session: Session, case_id: UUID, caller: Caller
) -> tuple[CaseFile, list[CaseMember]]:
    """A case, locked, for those who implement it and for the programme office.

    Raises:
        Problem: 404, or 403 for who only referred the people in it.
    """
    case = await find(session, case_id, caller, lock=True)
    if not await session.scalar(select(worked_on(case_id, caller))):
        raise Problem(FORBIDDEN, WORK)
    return case, (await members_of(session, [case_id]))[case_id]


async def open_case(
    session: Session,
    case: CaseFile,
    members: Sequence[tuple[UUID, Member]],
    needs_priority: str,
    arrived_on: date | None = None,
) -> list[CaseMember]:
    """Open a case for people who are already known.

    Args:
        session: The session.
        case: The case, not yet added.
        members: Its members and their places in the household.
        needs_priority: The coarse urgency of their needs.
        arrived_on: The day of their arrival, where it came before the case.
    """
    case.state, case.needs_priority = CaseState.PRE_DEPARTURE, needs_priority
    session.add(case)
    await session.flush()
    return await add_members(session, case, members, arrived_on)


async def add_members(
    session: Session,
    case: CaseFile,
    members: Sequence[tuple[UUID, Member]],
    arrived_on: date | None = None,
) -> list[CaseMember]:
    """Make people members of a case, and tell each of them that it is open.

    Args:
        session: The session.
        case: The case.
        members: Its new members and their places in the household.
        arrived_on: The day of their arrival, where it came before they were members; it is noted by
            `note_arrival`.
    """
    rows = [
        CaseMember(case_id=case.id, returnee_id=person, member=member)
        for person, member in sorted(members)
    ]
    session.add_all(rows)
    await session.flush()
    for row in rows:
        publish(
            session,
            CaseOpened(
                **ids_of(case, row),
                programme_version=case.programme_version,
                return_kind=case.return_kind,
                member=row.member,
                referrer=case.referrer,
                implementer=case.implementer,
                office=case.programme_office,
                state=case.state,
                needs_priority=case.needs_priority,
                arrived_on=arrived_on,
            ),
        )
    return rows


async def progress(
    session: Session, case: CaseFile, members: Iterable[CaseMember], state: CaseState
) -> None:
    """Move a case on and tell it of each member; nothing where it is there already."""
    if case.state == state:
        return
    previous, case.state = case.state, state
    case.changed()
    for member in members:
        publish(
            session, CaseProgressed(**ids_of(case, member), previous_state=previous, state=state)
        )
    await session.flush()


async def follow_lines(session: Session, case: CaseFile, members: Sequence[CaseMember]) -> None:
    """Move a case on, or back, as the lines in force say: of its plan, and its members' of the one
    it is split from.

    Args:
        session: The session.
        case: The case, locked.
        members: Its members.
    """
    own, origin = [Plan.case_id == case.id], case.split_from
    people = [member.returnee_id for member in members]
    while origin is not None:
        own.append(and_(col(Plan.case_id) == origin, col(PlanLine.beneficiary).in_(people)))
        origin = await session.scalar(select(CaseFile.split_from).where(CaseFile.id == origin))
    status = func.coalesce(PlanLineStatus.status, LineStatus.PLANNED)
    statuses = await session.scalars(
        select(status)
        .select_from(PlanLine)
        .join(Plan, col(Plan.id) == PlanLine.plan_id)
        .outerjoin(PlanLineStatus, col(PlanLineStatus.line_id) == PlanLine.line_id)
        .where(Plan.state == PlanState.APPROVED, or_(*own))
    )
    await progress(session, case, members, rules.on_lines(case.state, statuses.all()))


async def note_arrival(
    session: Session,
    case_id: UUID,
    returnee_id: UUID,
    *,
    arrival_id: UUID,
    state: str,
    arrived_on: date | None,
) -> bool:
    """Note what reception says of a member's arrival; the case and its deadlines follow.

    Args:
        session: The session.
        case_id: The case.
        returnee_id: The member.
        arrival_id: Reception's arrival.
        state: The arrival's state now.
        arrived_on: The day of arrival; None where the person has not arrived.

    Returns:
        False if the person is no member of such a case.
    """
    case = await session.scalar(select(CaseFile).where(CaseFile.id == case_id).with_for_update())
    if case is None:
        return False
    members = (await members_of(session, [case_id]))[case_id]
    member = next((each for each in members if each.returnee_id == returnee_id), None)
    if member is None:
        return False
    if member.arrived_on is not None and arrived_on is None and member.arrival_id != arrival_id:
        return True  # a journey of theirs that comes to nothing does not undo that they are here by another
    member.arrival_id, member.arrival_state, member.arrived_on = arrival_id, state, arrived_on
    case.changed()
    await session.flush()
    days = [each.arrived_on for each in members if each.arrived_on is not None]
    await progress(session, case, members, rules.on_arrivals(case.state, days))
    first = min(days, default=None)
    if case.arrived_on != first:
        case.arrived_on = first
        await session.flush()
        if case.state != CaseState.CLOSED:
            if first is None:
                await deadlines.settle(
                    session, DeadlineState.CANCELLED, case_id=case.id, kinds=deadlines.OF_A_RETURN
                )
            else:
                await deadlines.set_for_case(session, case, members, first)
    return True


def entrust(case: CaseFile, focal_point: str | None) -> None:
    """Put somebody of the implementing organisation in charge of a case, or nobody."""
    case.focal_point = focal_point
    person = f"{case.implementer}:{focal_point}"
    if focal_point is not None and person not in case.focal_points:
        case.focal_points = [*case.focal_points, person]


async def assign(session: Session, case_id: UUID, body: AssignIn, caller: Caller) -> CaseFile:
    """Give a case to a focal point.

    Raises:
        Problem: 404, 403, 409.
    """
    case, members = await to_work_on(session, case_id, caller)
    case.state = rules.after(case.state, "assign")
    entrust(case, body.focal_point)
    case.office = body.office or case.office
    case.changed()
    focal_point = actor_id(case.implementer, body.focal_point)
    for member in members:
        publish(session, CaseAssigned(**ids_of(case, member), focal_point=focal_point))
    audit.record(session, caller, "assign", "case", case.id, {"focal_point": str(focal_point)})
    await session.flush()
    return case


async def close(
    session: Session,
    case: CaseFile,
    members: Iterable[CaseMember],
    reason: ClosureReason,
    comment: str = "",
) -> None:
    """Close a locked case for a coded reason; its deadlines end.

    Raises:
        Problem: 409, it is closed already.
    """
    previous = case.state
    case.state = rules.after(case.state, "close")
    case.state_before, case.closure_reason, case.closure_comment = previous, reason, comment or None
    case.changed()
    for member in members:
        publish(session, CaseClosed(**ids_of(case, member), reason=reason, previous_state=previous))
    await deadlines.settle(session, DeadlineState.CANCELLED, case_id=case.id)


async def close_by(
    session: Session, case_id: UUID, body: CloseIn, caller: Caller, precondition: Precondition
) -> CaseFile:
    """Close a case, as a person decided.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    case, members = await to_work_on(session, case_id, caller)
    precondition.check(case.version)
    await close(session, case, members, body.reason, body.comment)
    audit.record(session, caller, "close", "case", case.id, {"reason": body.reason})
    return case


async def reopen(
    session: Session, case_id: UUID, body: ReopenIn, caller: Caller, precondition: Precondition
) -> CaseFile:
    """Take a closed case up again where it was, unless somebody in it has another open case: nobody
    has two.

    Nor where its implementing organisation is kept from somebody in it by now.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    case, members = await to_work_on(session, case_id, caller)
    precondition.check(case.version)
    reason = case.closure_reason
    reopened = rules.reopened(case.state, case.state_before)
    people = [member.returnee_id for member in members if member.left_on is None]
    # An acceptance that opens another one locks them too.
    await session.execute(
        select(Returnee.id)
        .where(col(Returnee.id).in_(people))
        .order_by(col(Returnee.id))
        .with_for_update()
    )
    for returnee_id in people:
        if await has_open_case(session, returnee_id):
            raise Problem(CONFLICT, "a person of this case is in another one that is open")
    await restricted.check(session, people, case.implementer)
    case.state = reopened
    case.state_before = case.closure_reason = case.closure_comment = None
    case.changed()
    # What arrived while it was closed counts from now on.
    days = [member.arrived_on for member in members if member.arrived_on is not None]
    case.state = rules.on_arrivals(case.state, days)
    for member in members:
        publish(session, CaseReopened(**ids_of(case, member), state=case.state))
    await session.flush()
    await deadlines.reopen(session, case)
    if days:
        await deadlines.set_for_case(session, case, members, min(days))
    await follow_lines(session, case, members)
    audit.record(
        session, caller, "reopen", "case", case.id, {"reason": body.reason, "closed_for": reason}
    )
    return case


async def suspend(
    session: Session, case_id: UUID, body: SuspendIn, caller: Caller, precondition: Precondition
) -> CaseFile:
    """Let a case rest: its clocks stand until it is resumed.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    case, members = await to_work_on(session, case_id, caller)
    precondition.check(case.version)
    previous, state = case.state, rules.after(case.state, "suspend")
    today = await today_of(session, case)
    since = body.since or today
    if since > today:
        raise invalid(
            FieldError(pointer="/since", code="date_ahead", detail="today or a day before")
        )
    case.state, case.suspended_from, case.suspended_on = state, previous, since
    case.suspension_reason, case.suspension_comment = body.reason, body.comment or None
    case.changed()
    for member in members:
        publish(
            session, CaseSuspended(**ids_of(case, member), previous_state=previous, since=since)
        )
    await deadlines.pause(session, case, since)
    audit.record(
        session,
        caller,
        "suspend",
        "case",
        case.id,
        {"reason": body.reason, "since": since.isoformat()},
    )
    return case


async def resume(
    session: Session, case_id: UUID, body: ResumeIn, caller: Caller, precondition: Precondition
) -> CaseFile:
    """Go on with a suspended case where it was; what was due is due as much later as the case
    rested.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    case, members = await to_work_on(session, case_id, caller)
    precondition.check(case.version)
    state = rules.resumed(case.state, case.suspended_from)
    today = await today_of(session, case)
    since, on = case.suspended_on or today, body.on or today
    if not since <= on <= today:
        right = "a day from the one on which the case was suspended to today"
        raise invalid(FieldError(pointer="/on", code="date_out_of_range", detail=right))
    # What arrived while it rested counts from now on.
    days = [member.arrived_on for member in members if member.arrived_on is not None]
    case.state = rules.on_arrivals(state, days)
    case.suspended_from = case.suspended_on = case.suspension_reason = case.suspension_comment = (
        None
    )
    case.changed()
    for member in members:
        publish(
            session,
            CaseResumed(**ids_of(case, member), state=case.state, rested_days=(on - since).days),
        )
    await session.flush()
    await deadlines.resume(session, case, members, on)
    await follow_lines(session, case, members)
    audit.record(
        session,
        caller,
        "resume",
        "case",
        case.id,
        {"since": since.isoformat(), "on": on.isoformat()},
    )
    return case


def listed(
    caller: Caller,
    filters: Mapping[str, Any],
    *,
    overdue: bool | None,
    updated_since: datetime | None,
) -> Any:
    """The statement of a list of cases; see `routes.cases`."""
    statement = select(CaseFile).where(seen_by(caller))
    for name, value in filters.items():
        if value is not None:
            statement = statement.where(getattr(CaseFile, name) == value)
    if overdue is not None:
        late = exists(
            select(1).where(
                Deadline.case_id == CaseFile.id,
                col(Deadline.state).in_([DeadlineState.OPEN, DeadlineState.MISSED]),
                col(Deadline.kind).not_in(sorted(WINDOWS)),
                Deadline.due_at < now(),
            )
        )
        statement = statement.where(late if overdue else ~late)
    if updated_since is not None:
        statement = statement.where(CaseFile.updated_at >= updated_since)
    return statement
