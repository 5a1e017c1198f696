"""Monitoring visits: due by the programme's rule after a delivery or a payment, or as agreed; tried
until reached.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import FieldError, invalid, or_404
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import VisitRecorded, VisitScheduled
from contracts.codes import CaseState, DeadlineKind
from contracts.programmes import END_OF_DAY, Silence
from contracts.sourced import Unit
from services.cases.casework.access import (
    load_members,
    lock_case,
    lock_present_case,
    require_reader,
    require_worker,
)
from services.cases.casework.deadlines import service as deadlines
from services.cases.casework.plans.progress import SYSTEM, lock_case_of_line
from services.cases.casework.records import (
    event_ids,
    insert_once,
    is_ahead,
    require_member,
    require_open,
    require_present,
    today_of,
)
from services.cases.documents.service import check_documents
from services.cases.follow_up.contact.service import end_wait_for_contact
from services.cases.follow_up.visits.schemas import RecordIn, VisitIn
from services.cases.models import CaseFile, CaseMember, Plan, PlanLine, Visit, VisitAttempt
from services.cases.programmes import rules_of, zone_of
from services.cases.states.casework import DeadlineAction
from services.cases.states.follow_up import VISIT, VisitAction, VisitCancellation, VisitState


async def schedule_after(
    session: Session,
    line_id: UUID,
    returnee_id: UUID,
    cause: DeadlineKind,
    cause_id: UUID,
    happened_on: date,
) -> Visit | None:
    """Have a visit paid after a delivery or a payment, where the programme asks for one; for
    handlers. Once for each.

    Args:
        session: The session.
        line_id: The plan line that was delivered or paid.
        returnee_id: To whom, as the other service knows them.
        cause: `visit_after_delivery` or `visit_after_payment`.
        cause_id: The delivery or payment.
        happened_on: Its day.

    Returns:
        The visit; None where the programme asks for none, where there is one already, where the
        case is closed, or where the person left it for good or died.

    Raises:
        WrongLine: There is no such line, or it is another person's.
    """
    case, beneficiary = await lock_case_of_line(session, line_id, returnee_id)
    case = await lock_present_case(session, case, beneficiary)
    programme = rules_of(case.programme, case.programme_version)
    due_at = programme.due(cause, case.country_of_return, happened_on)
    existing = await session.scalar(select(Visit.id).where(Visit.cause_id == cause_id))
    if due_at is None or existing is not None or case.state is CaseState.CLOSED:
        return None
    member = await session.get(CaseMember, (case.id, beneficiary))
    if member is not None and member.left_on is not None:
        return None
    visit = Visit(
        id=new_id(),
        case_id=case.id,
        returnee_id=beneficiary,
        line_id=line_id,
        cause=cause,
        cause_id=cause_id,
        state=VisitState.SCHEDULED,
        due_on=due_at.date(),
    )
    rule = programme.deadlines[cause].model_dump(mode="json")
    await _schedule(session, case, visit, due_at, rule, happened_on)
    return visit


async def call_off(session: Session, cause_id: UUID) -> None:
    """Call off the visit that would follow a payment which came back; one that was paid stays. For
    handlers.
    """
    visit = await session.scalar(select(Visit).where(Visit.cause_id == cause_id))
    if visit is None:
        return
    case = await lock_case(session, visit.case_id)
    assert case is not None
    await _call_off(session, case, visit)


async def call_off_with(session: Session, case: CaseFile, returnee_id: UUID) -> None:
    """Call off the visits to somebody who died or left the case, which is locked."""
    visits = select(Visit).where(Visit.case_id == case.id, Visit.returnee_id == returnee_id)
    for visit in await session.scalars(visits.order_by(col(Visit.id))):
        await _call_off(session, case, visit)


async def _call_off(session: Session, case: CaseFile, visit: Visit) -> None:
    await session.refresh(visit, with_for_update=True)
    undone = VisitCancellation.UNDONE
    if VisitAction.CALL_OFF in VISIT.table[visit.state] and visit.cancelled_for is not undone:
        await VISIT.move(session, SYSTEM, visit, VisitAction.CALL_OFF, cancelled_for=undone)
        await deadlines.settle_visit(session, case, visit.id, DeadlineAction.CANCEL)


async def close_with_case(session: Session, case: CaseFile) -> None:
    """Cancel the visits of a case that is closed, which is locked; their deadlines end with it."""
    for visit in await _lock_visits(session, case, VisitState.SCHEDULED):
        VISIT.apply(visit, VisitAction.CLOSE_WITH_CASE, cancelled_for=VisitCancellation.CASE_CLOSED)
    await session.flush()


async def reopen_with_case(session: Session, case: CaseFile) -> None:
    """Schedule the visits again that were cancelled when the case was closed."""
    for visit in await _lock_visits(session, case, VisitState.CANCELLED):
        if visit.cancelled_for is VisitCancellation.CASE_CLOSED:
            VISIT.apply(visit, VisitAction.REOPEN_WITH_CASE)
    await session.flush()


async def _lock_visits(session: Session, case: CaseFile, state: VisitState) -> list[Visit]:
    rows = await session.scalars(
        select(Visit)
        .where(Visit.case_id == case.id, Visit.state == state)
        .order_by(col(Visit.id))
        .with_for_update()
    )
    return list(rows)


async def agree(session: Session, caller: Caller, case_id: UUID, agreed: VisitIn) -> Visit:
    """Schedule a visit that a case worker agreed.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    case, members = await require_worker(session, caller, case_id)
    require_open(case, "schedule a visit")
    member = await require_member(session, members, agreed.returnee_id, "/returnee_id")
    require_present(member, "/returnee_id")
    today = await today_of(session, case)
    if agreed.due_on < today:
        raise invalid(FieldError(pointer="/due_on", code="date_past", detail="today or later"))
    if agreed.line_id is not None and not await _is_of_case(session, case_id, agreed.line_id):
        raise invalid(
            FieldError(pointer="/line_id", code="unknown_line", detail="a line of the case's plan")
        )
    visit, is_new = await insert_once(
        session,
        Visit(
            id=agreed.id,
            case_id=case_id,
            returnee_id=member.returnee_id,
            line_id=agreed.line_id,
            cooperative_id=agreed.cooperative_id,
            cause=DeadlineKind.VISIT,
            state=VisitState.SCHEDULED,
            due_on=agreed.due_on,
        ),
    )
    if is_new:
        rule = {
            "length": max(1, (agreed.due_on - today).days),
            "unit": Unit.DAYS,
            "then": Silence.WARN,
            "source": "Agreed by the case worker.",
            "verified": True,
        }
        zone = zone_of(case.programme, case.programme_version, case.country_of_return)
        due_at = datetime.combine(agreed.due_on, END_OF_DAY, zone)
        await _schedule(session, case, visit, due_at, rule, today)
        audit.record(session, caller, "schedule-visit", "case", case_id, {"visit": str(visit.id)})
    return visit


async def _is_of_case(session: Session, case_id: UUID, line_id: UUID) -> bool:
    line = await session.scalar(
        select(PlanLine.id)
        .join(Plan, col(Plan.id) == PlanLine.plan_id)
        .where(Plan.case_id == case_id, PlanLine.line_id == line_id)
        .limit(1)
    )
    return line is not None


async def _schedule(
    session: Session,
    case: CaseFile,
    visit: Visit,
    due_at: datetime,
    rule: dict[str, object],
    began: date,
) -> None:
    session.add(visit)
    await session.flush()
    await deadlines.set_for_visit(session, case, visit, due_at, rule, began)
    members = (await load_members(session, [case.id]))[case.id]
    publish(session, VisitScheduled(**_visit_ids(case, members, visit)))


def _visit_ids(case: CaseFile, members: Iterable[CaseMember], visit: Visit) -> dict[str, Any]:
    member = next(row for row in members if row.returnee_id == visit.returnee_id)
    return event_ids(case, member) | {
        "visit_id": visit.id,
        "line_id": visit.line_id,
        "due_on": visit.due_on,
    }


async def load_visit(session: Session, caller: Caller, case_id: UUID, visit_id: UUID) -> Visit:
    """Load a visit of a case, for those who work on it.

    Raises:
        Problem: 404, 403.
    """
    await require_reader(session, caller, case_id)
    visit: Visit | None = await session.scalar(
        select(Visit).where(Visit.id == visit_id, Visit.case_id == case_id)
    )
    return or_404(visit)


async def record(
    session: Session,
    caller: Caller,
    case_id: UUID,
    visit_id: UUID,
    precondition: Precondition,
    result: RecordIn,
) -> Visit:
    """Take down how a visit went. Where nobody was reached it stays due, and is tried again.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    case, members = await require_worker(session, caller, case_id)
    require_open(case, "record a visit")
    visit = or_404(
        await session.scalar(
            select(Visit).where(Visit.id == visit_id, Visit.case_id == case_id).with_for_update()
        )
    )
    precondition.check(visit.version)
    was_reached = result.finding is not None
    VISIT.check(visit.state, VisitAction.RECORD if was_reached else VisitAction.TRY)
    await check_documents(session, caller, {"/document_id": result.document_id})
    claims_future = await is_ahead(session, result.occurred_at)
    if result.finding is None:
        VISIT.apply(visit, VisitAction.TRY)
        session.add(
            VisitAttempt(
                visit_id=visit.id,
                method=result.method,
                outcome=result.outcome,
                occurred_at=result.occurred_at,
                clock_suspect=claims_future,
                tried_by=caller.person,
            )
        )
    else:
        VISIT.apply(
            visit,
            VisitAction.RECORD,
            finding=result.finding.model_dump(mode="json"),
            method=result.method,
            occurred_at=result.occurred_at,
            clock_suspect=claims_future,
            document_id=result.document_id,
            visited_by=caller.person,
            organisation=caller.organisation,
        )
        await deadlines.settle_visit(session, case, visit.id, DeadlineAction.MEET)
        await end_wait_for_contact(session, case)
    recorded = VisitRecorded(
        **_visit_ids(case, members, visit), method=result.method, reached=was_reached
    )
    publish(session, recorded, occurred_at=result.occurred_at)
    details = {"visit": str(visit.id), "outcome": result.outcome}
    audit.record(session, caller, "record-visit", "case", case_id, details)
    await session.flush()
    return visit


async def load_attempts(
    session: Session, visits: Iterable[Visit]
) -> dict[UUID, list[VisitAttempt]]:
    """Load the attempts in vain of visits, oldest first."""
    attempts: dict[UUID, list[VisitAttempt]] = {visit.id: [] for visit in visits}
    rows = (
        select(VisitAttempt)
        .where(col(VisitAttempt.visit_id).in_(attempts))
        .order_by(col(VisitAttempt.recorded_at))
    )
    for row in await session.scalars(rows):
        attempts[row.visit_id].append(row)
    return attempts
