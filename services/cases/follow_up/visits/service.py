"""Monitoring visits: due by the programme's rule after a delivery or a payment, or as agreed; tried
until reached.
"""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import NOT_FOUND, FieldError, Problem, invalid
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import VisitRecorded, VisitScheduled
from contracts.codes import CaseState, DeadlineKind
from contracts.programmes import END_OF_DAY, Silence
from contracts.sourced import Unit
from services.cases.casework.cases import service as cases
from services.cases.casework.deadlines import service as deadlines
from services.cases.casework.deadlines.schemas import DeadlineState
from services.cases.casework.plans.service import line_of
from services.cases.documents.service import check_documents
from services.cases.follow_up.contact.schemas import Outcome
from services.cases.follow_up.contact.service import reached
from services.cases.follow_up.visits import rules
from services.cases.follow_up.visits.schemas import RecordIn, VisitIn, VisitState
from services.cases.models import CaseFile, CaseMember, Plan, PlanLine, Visit, VisitAttempt
from services.cases.programmes import rules_of, zone_of


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
    case, beneficiary = await line_of(session, line_id, returnee_id)
    case = await cases.followed_in(session, case, beneficiary)
    programme = rules_of(case.programme, case.programme_version)
    due_at = programme.due(cause, case.country_of_return, happened_on)
    there = await session.scalar(select(Visit.id).where(Visit.cause_id == cause_id))
    if due_at is None or there is not None or case.state == CaseState.CLOSED:
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
    """Have no visit paid after a payment that came back; one that was paid stays. For handlers."""
    visit = await session.scalar(select(Visit).where(Visit.cause_id == cause_id))
    if visit is None:
        return
    case = await session.scalar(
        select(CaseFile).where(CaseFile.id == visit.case_id).with_for_update()
    )
    assert case is not None
    await _call_off(session, case, visit)


async def call_off_with(session: Session, case: CaseFile, returnee_id: UUID) -> None:
    """Have no visit paid to somebody who died or left; `case` is locked."""
    visits = select(Visit).where(Visit.case_id == case.id, Visit.returnee_id == returnee_id)
    for visit in await session.scalars(visits.order_by(col(Visit.id))):
        await _call_off(session, case, visit)


async def _call_off(session: Session, case: CaseFile, visit: Visit) -> None:
    await session.refresh(visit, with_for_update=True)
    state = rules.called_off(visit.state)
    if state != visit.state:
        visit.state = state
        visit.changed()
        await deadlines.settle_visit(session, case, visit.id, DeadlineState.CANCELLED)


async def agree(session: Session, case_id: UUID, body: VisitIn, caller: Caller) -> Visit:
    """Schedule a visit that a case worker agreed.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    case, members = await cases.to_work_on(session, case_id, caller)
    cases.check_open(case, "schedule a visit")
    member = await cases.load_member(session, members, body.returnee_id, "/returnee_id")
    cases.check_present(member, "/returnee_id")
    today = await cases.today_of(session, case)
    if body.due_on < today:
        raise invalid(FieldError(pointer="/due_on", code="date_past", detail="today or later"))
    if body.line_id is not None and not await _is_of_case(session, case_id, body.line_id):
        raise invalid(
            FieldError(pointer="/line_id", code="unknown_line", detail="a line of the case's plan")
        )
    visit, is_new = await cases.take_down(
        session,
        Visit(
            id=body.id,
            case_id=case_id,
            returnee_id=member.returnee_id,
            line_id=body.line_id,
            cooperative_id=body.cooperative_id,
            cause=DeadlineKind.VISIT,
            state=VisitState.SCHEDULED,
            due_on=body.due_on,
        ),
    )
    if is_new:
        rule = {
            "length": max(1, (body.due_on - today).days),
            "unit": Unit.DAYS,
            "then": Silence.WARN,
            "source": "Agreed by the case worker.",
            "verified": True,
        }
        zone = zone_of(case.programme, case.programme_version, case.country_of_return)
        await _schedule(
            session, case, visit, datetime.combine(body.due_on, END_OF_DAY, zone), rule, today
        )
        audit.record(session, caller, "schedule-visit", "case", case_id, {"visit": str(visit.id)})
    return visit


async def _is_of_case(session: Session, case_id: UUID, line_id: UUID) -> bool:
    statement = select(PlanLine.id).join(Plan, col(Plan.id) == PlanLine.plan_id)
    found = await session.scalar(
        statement.where(Plan.case_id == case_id, PlanLine.line_id == line_id).limit(1)
    )
    return found is not None


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
    members = (await cases.members_of(session, [case.id]))[case.id]
    publish(session, VisitScheduled(**_facts(case, members, visit)))


def _facts(case: CaseFile, members: Iterable[CaseMember], visit: Visit) -> dict[str, object]:
    member = next(each for each in members if each.returnee_id == visit.returnee_id)
    return cases.ids_of(case, member) | {
        "visit_id": visit.id,
        "line_id": visit.line_id,
        "due_on": visit.due_on,
    }


async def find(session: Session, case_id: UUID, visit_id: UUID, caller: Caller) -> Visit:
    """A visit of a case, for who works on it.

    Raises:
        Problem: 404, 403.
    """
    await cases.to_read(session, case_id, caller)
    visit = await session.scalar(
        select(Visit).where(Visit.id == visit_id, Visit.case_id == case_id)
    )
    if visit is None:
        raise Problem(NOT_FOUND)
    return visit


async def record(
    session: Session,
    case_id: UUID,
    visit_id: UUID,
    body: RecordIn,
    caller: Caller,
    precondition: Precondition,
) -> Visit:
    """Take down how a visit went. Where nobody was reached it stays due, and is tried again.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    case, members = await cases.to_work_on(session, case_id, caller)
    cases.check_open(case, "record a visit")
    visit = await session.scalar(
        select(Visit).where(Visit.id == visit_id, Visit.case_id == case_id).with_for_update()
    )
    if visit is None:
        raise Problem(NOT_FOUND)
    precondition.check(visit.version)
    state = rules.after(visit.state, body.outcome)
    await check_documents(session, caller, {"/document_id": body.document_id})
    is_ahead = await cases.is_ahead(session, body.occurred_at)
    if body.finding is None:
        session.add(
            VisitAttempt(
                visit_id=visit.id,
                method=body.method,
                outcome=body.outcome,
                occurred_at=body.occurred_at,
                clock_suspect=is_ahead,
                tried_by=caller.person,
            )
        )
    else:
        visit.method, visit.occurred_at, visit.clock_suspect = (
            body.method,
            body.occurred_at,
            is_ahead,
        )
        visit.state, visit.finding = state, body.finding.model_dump(mode="json")
        visit.document_id, visit.visited_by, visit.organisation = (
            body.document_id,
            caller.person,
            caller.organisation,
        )
        await deadlines.settle_visit(session, case, visit.id, DeadlineState.MET)
        await reached(session, case)
    visit.changed()
    was_reached = body.outcome is Outcome.REACHED
    fact = VisitRecorded(**_facts(case, members, visit), method=body.method, reached=was_reached)
    publish(session, fact, occurred_at=body.occurred_at)
    audit.record(
        session,
        caller,
        "record-visit",
        "case",
        case_id,
        {"visit": str(visit.id), "outcome": body.outcome},
    )
    await session.flush()
    return visit


async def attempts_of(session: Session, visits: Iterable[Visit]) -> dict[UUID, list[VisitAttempt]]:
    """The attempts in vain of visits, oldest first."""
    found: dict[UUID, list[VisitAttempt]] = {visit.id: [] for visit in visits}
    rows = (
        select(VisitAttempt)
        .where(col(VisitAttempt.visit_id).in_(found))
        .order_by(col(VisitAttempt.recorded_at))
    )
    for row in await session.scalars(rows):
        found[row.visit_id].append(row)
    return found
