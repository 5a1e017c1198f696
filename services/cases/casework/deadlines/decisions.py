"""More time, or none needed: decided by somebody who is not in charge of the case."""

from datetime import datetime
from uuid import UUID

from sqlmodel import select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import FORBIDDEN, Problem
from contracts.programmes import END_OF_DAY
from services.cases.casework.cases import service as cases
from services.cases.casework.deadlines import rules, service
from services.cases.casework.deadlines.schemas import ExtendIn, WaiveIn
from services.cases.models import CaseFile, Deadline
from services.cases.programmes import zone_of


async def _to_decide(
    session: Session, deadline_id: UUID, caller: Caller, precondition: Precondition
) -> tuple[CaseFile, Deadline, str]:
    """A deadline of a case, both locked, and who decides.

    Raises:
        Problem: 404, 403, 412, 428.
    """
    deadline = await service.find(session, deadline_id, caller)
    if deadline.case_id is None:
        raise Problem(FORBIDDEN, "what a programme says of silence on a referral is not put off")
    case, _ = await cases.to_work_on(session, deadline.case_id, caller)
    await session.refresh(deadline, with_for_update=True)
    precondition.check(deadline.version + case.version)
    person = caller.require_person()
    rules.check_second_person(person, case.focal_points if case.focal_point else ())
    return case, deadline, person


async def extend(
    session: Session, deadline_id: UUID, body: ExtendIn, caller: Caller, precondition: Precondition
) -> Deadline:
    """Give more time.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 422, 428.
    """
    case, deadline, person = await _to_decide(session, deadline_id, caller, precondition)
    state = rules.after(deadline.state, "extend")
    zone = zone_of(case.programme, case.programme_version, case.country_of_return)
    clock: datetime = (await session.execute(select(now()))).scalar_one()
    due_at = deadline.due_at
    days = rules.extension(
        body.until, due_at.astimezone(zone).date(), clock.astimezone(zone).date()
    )
    deadline.state = state
    service.shift(deadline, days)
    deadline.due_at = datetime.combine(body.until, END_OF_DAY, zone)
    await _decided(session, case, deadline, person, body, due_at)
    audit.record(
        session,
        caller,
        "extend",
        "deadline",
        deadline.id,
        {"reason": body.reason, "until": body.until.isoformat()},
    )
    return deadline


async def waive(
    session: Session, deadline_id: UUID, body: WaiveIn, caller: Caller, precondition: Precondition
) -> Deadline:
    """Decide that it need not be kept.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    case, deadline, person = await _to_decide(session, deadline_id, caller, precondition)
    deadline.state = rules.after(deadline.state, "waive")
    deadline.changed()
    await _decided(session, case, deadline, person, body, deadline.due_at)
    audit.record(session, caller, "waive", "deadline", deadline.id, {"reason": body.reason})
    return deadline


async def _decided(
    session: Session,
    case: CaseFile,
    deadline: Deadline,
    person: str,
    body: ExtendIn | WaiveIn,
    before: datetime,
) -> None:
    deadline.decision_reason, deadline.decision_comment = body.reason, body.comment or None
    deadline.decided_by = person
    await service.decided(session, case, deadline, before)
