"""Cases: opened by acceptance, moved by arrivals and by the lines of plans, assigned, listed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func
from sqlmodel import and_, col, or_, select

from chassis.auth import Caller
from chassis.db import Session, now
from chassis.outbox import publish
from contracts.cases import CaseAssigned, CaseOpened, CaseProgressed
from contracts.codes import ArrivalState, CaseState, Member, actor_id
from services.cases.casework.access import load_members, lock_case, require_worker, visible_to
from services.cases.casework.cases import rules
from services.cases.casework.deadlines import service as deadlines
from services.cases.casework.deadlines.rules import WINDOWS
from services.cases.casework.records import event_ids
from services.cases.models import CaseFile, CaseMember, Deadline, Plan, PlanLine, PlanLineStatus
from services.cases.states.casework import CASE, CaseAction, DeadlineState, LineStatus, PlanState


async def open_case(
    session: Session,
    case: CaseFile,
    members: Sequence[tuple[UUID, Member]],
    arrived_on: date | None = None,
) -> list[CaseMember]:
    """Open a case for people who are already known.

    Args:
        session: The session.
        case: The case, not yet added, before departure.
        members: Its members and their places in the household.
        arrived_on: The day of their arrival, where it came before the case.
    """
    session.add(case)
    await session.flush()
    return await add_members(session, case, members, arrived_on)


async def add_members(
    session: Session,
    case: CaseFile,
    members: Sequence[tuple[UUID, Member]],
    arrived_on: date | None = None,
) -> list[CaseMember]:
    """Make people members of a case, and publish for each of them that it is open.

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
        publish_opened(session, case, row, arrived_on)
    return rows


def publish_opened(
    session: Session, case: CaseFile, member: CaseMember, arrived_on: date | None
) -> None:
    """Publish for a member of a case that it is open."""
    publish(
        session,
        CaseOpened(
            **event_ids(case, member),
            programme_version=case.programme_version,
            return_kind=case.return_kind,
            member=member.member,
            referrer=case.referrer,
            implementer=case.implementer,
            office=case.programme_office,
            state=case.state,
            needs_priority=case.needs_priority,
            arrived_on=arrived_on,
        ),
    )


async def progress(
    session: Session, case: CaseFile, members: Iterable[CaseMember], state: CaseState
) -> None:
    """Move a case on or back, and publish it for each member, unless it is there already."""
    if case.state is state:
        return
    previous = CASE.apply(case, CaseAction.PROGRESS, to=state)
    for member in members:
        publish(
            session, CaseProgressed(**event_ids(case, member), previous_state=previous, state=state)
        )
    await session.flush()


async def follow_plan_lines(
    session: Session, case: CaseFile, members: Sequence[CaseMember]
) -> None:
    """Move a case on, or back, as the lines in force say: of its plan, and its members' of the one
    it is split from.

    Args:
        session: The session.
        case: The case, locked.
        members: Its members.
    """
    own: list[ColumnElement[bool]] = [col(Plan.case_id) == case.id]
    origin = case.split_from
    people = [member.returnee_id for member in members]
    while origin is not None:
        own.append(and_(col(Plan.case_id) == origin, col(PlanLine.beneficiary).in_(people)))
        origin = await session.scalar(select(CaseFile.split_from).where(CaseFile.id == origin))
    statuses = await session.scalars(
        select(func.coalesce(PlanLineStatus.status, LineStatus.PLANNED))
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
    state: ArrivalState,
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
    case = await lock_case(session, case_id)
    if case is None:
        return False
    members = (await load_members(session, [case_id]))[case_id]
    member = next((row for row in members if row.returnee_id == returnee_id), None)
    if member is None:
        return False
    # A journey of theirs that comes to nothing does not undo that they are here by another.
    if member.arrived_on is not None and arrived_on is None and member.arrival_id != arrival_id:
        return True
    member.arrival_id, member.arrival_state, member.arrived_on = arrival_id, state, arrived_on
    case.changed()
    await session.flush()
    days = arrival_days(members)
    await progress(session, case, members, rules.on_arrivals(case.state, days))
    await _begin_windows(session, case, members, min(days, default=None))
    return True


def arrival_days(members: Iterable[CaseMember]) -> list[date]:
    """The days on which members of a case arrived, of those who have."""
    return [member.arrived_on for member in members if member.arrived_on is not None]


async def _begin_windows(
    session: Session, case: CaseFile, members: Sequence[CaseMember], first: date | None
) -> None:
    """Begin, move or cancel what counts from the first arrival, where that is another day now."""
    if case.arrived_on == first:
        return
    case.arrived_on = first
    await session.flush()
    if case.state is CaseState.CLOSED:
        return
    if first is not None:
        await deadlines.set_for_case(session, case, members, first)
        return
    await deadlines.settle(
        session, DeadlineState.CANCELLED, case_id=case.id, kinds=deadlines.OF_A_RETURN
    )


def set_focal_point(case: CaseFile, focal_point: str | None) -> None:
    """Put somebody of the implementing organisation in charge of a case, or nobody."""
    case.focal_point = focal_point
    person = f"{case.implementer}:{focal_point}"
    if focal_point is not None and person not in case.focal_points:
        case.focal_points = [*case.focal_points, person]


async def assign(
    session: Session, caller: Caller, case_id: UUID, *, focal_point: str, office: str | None
) -> CaseFile:
    """Give a case to a focal point.

    Raises:
        Problem: 404, 403, 409.
    """
    case, members = await require_worker(session, caller, case_id)
    CASE.check(case.state, CaseAction.ASSIGN)
    set_focal_point(case, focal_point)
    actor = actor_id(case.implementer, focal_point)
    for member in members:
        publish(session, CaseAssigned(**event_ids(case, member), focal_point=actor))
    await CASE.move(
        session,
        caller,
        case,
        CaseAction.ASSIGN,
        details={"focal_point": str(actor)},
        office=office or case.office,
    )
    return case


def select_cases(
    caller: Caller,
    filters: Mapping[str, Any],
    *,
    overdue: bool | None,
    updated_since: datetime | None,
) -> Select[Any]:
    """Cases that the caller may know of.

    Args:
        caller: Who asks.
        filters: Values by column; None does not filter.
        overdue: Whether something is late in them.
        updated_since: Only those that changed since.
    """
    statement = select(CaseFile).where(visible_to(caller))
    for name, value in filters.items():
        if value is not None:
            statement = statement.where(getattr(CaseFile, name) == value)
    if overdue is not None:
        late = exists(
            select(1).where(
                Deadline.case_id == CaseFile.id,
                col(Deadline.state).in_(DeadlineState.LATE_ONCE_DUE),
                col(Deadline.kind).not_in(sorted(WINDOWS)),
                Deadline.due_at < now(),
            )
        )
        statement = statement.where(late if overdue else ~late)
    if updated_since is not None:
        statement = statement.where(CaseFile.updated_at >= updated_since)
    return statement
