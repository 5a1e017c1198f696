"""More time, or none needed: decided by somebody who is not in charge of the case."""

from datetime import date, datetime
from uuid import UUID

from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, current_time
from chassis.errors import FORBIDDEN, Problem
from contracts.cases import DeadlineExtended, DeadlineWaived
from contracts.programmes import END_OF_DAY
from services.cases.casework.access import load_members, require_worker
from services.cases.casework.deadlines import rules, service
from services.cases.casework.deadlines.queries import load_deadline
from services.cases.codes import DecisionReason
from services.cases.models import CaseFile, Deadline
from services.cases.programmes import zone_of
from services.cases.states.casework import DEADLINE, DeadlineAction


async def _require_decider(
    session: Session, caller: Caller, deadline_id: UUID, precondition: Precondition
) -> tuple[CaseFile, Deadline]:
    """Lock a deadline and its case for somebody who is not, and was not, in charge of the case.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    deadline = await load_deadline(session, caller, deadline_id)
    if deadline.case_id is None:
        raise Problem(FORBIDDEN, "what a programme says of silence on a referral is not put off")
    case, _ = await require_worker(session, caller, deadline.case_id)
    await session.refresh(deadline, with_for_update=True)
    # Its ETag is of both: the office and the assignee in the answer are the case's.
    precondition.check(deadline.version + case.version)
    in_charge = case.focal_points if case.focal_point else ()
    rules.check_second_person(caller.require_person(), in_charge)
    return case, deadline


async def extend(
    session: Session,
    caller: Caller,
    deadline_id: UUID,
    precondition: Precondition,
    *,
    until: date,
    reason: DecisionReason,
    comment: str,
) -> Deadline:
    """Give more time.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 422, 428.
    """
    case, deadline = await _require_decider(session, caller, deadline_id, precondition)
    DEADLINE.check(deadline.state, DeadlineAction.EXTEND)
    zone = zone_of(case.programme, case.programme_version, case.country_of_return)
    today = (await current_time(session)).astimezone(zone).date()
    previous_due_at = deadline.due_at
    days = rules.extension(until, previous_due_at.astimezone(zone).date(), today)
    await DEADLINE.move(
        session,
        caller,
        deadline,
        DeadlineAction.EXTEND,
        details={"reason": reason, "until": until.isoformat()},
        due_at=datetime.combine(until, END_OF_DAY, zone),
        shifted_days=deadline.shifted_days + days,
        decision_reason=reason,
        decision_comment=comment or None,
        decided_by=caller.require_person(),
    )
    await service.run_clock(session, deadline)
    members = (await load_members(session, [case.id]))[case.id]
    service.publish_for_members(
        session,
        DeadlineExtended,
        deadline,
        case,
        members,
        previous_due_at=service.in_zone_of(case, previous_due_at),
    )
    return deadline


async def waive(
    session: Session,
    caller: Caller,
    deadline_id: UUID,
    precondition: Precondition,
    *,
    reason: DecisionReason,
    comment: str,
) -> Deadline:
    """Decide that it need not be kept.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    case, deadline = await _require_decider(session, caller, deadline_id, precondition)
    await DEADLINE.move(
        session,
        caller,
        deadline,
        DeadlineAction.WAIVE,
        details={"reason": reason},
        decision_reason=reason,
        decision_comment=comment or None,
        decided_by=caller.require_person(),
    )
    await service.run_clock(session, deadline)
    members = (await load_members(session, [case.id]))[case.id]
    service.publish_for_members(session, DeadlineWaived, deadline, case, members)
    return deadline
