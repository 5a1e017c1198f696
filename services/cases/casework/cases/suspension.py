"""Cases that rest for a time: their clocks stand until they are resumed where they were."""

from datetime import date
from uuid import UUID

from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import FieldError, invalid
from chassis.outbox import publish
from contracts.cases import CaseResumed, CaseSuspended
from services.cases.casework.access import require_worker
from services.cases.casework.cases import rules
from services.cases.casework.cases.service import arrival_days, follow_plan_lines
from services.cases.casework.deadlines import clocks
from services.cases.casework.records import event_ids, today_of
from services.cases.codes import SuspensionReason
from services.cases.models import CaseFile
from services.cases.states.casework import CASE, CaseAction


async def suspend(
    session: Session,
    caller: Caller,
    case_id: UUID,
    precondition: Precondition,
    *,
    reason: SuspensionReason,
    comment: str,
    since: date | None,
) -> CaseFile:
    """Let a case rest: its clocks stand until it is resumed.

    Args:
        session: The session.
        caller: Who decides.
        case_id: The case.
        precondition: What they have seen of it.
        reason: Why it rests.
        comment: In words.
        since: The first day on which the clocks stand; None means today.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    case, members = await require_worker(session, caller, case_id)
    precondition.check(case.version)
    CASE.check(case.state, CaseAction.SUSPEND)
    today = await today_of(session, case)
    since = since or today
    if since > today:
        raise invalid(
            FieldError(pointer="/since", code="date_ahead", detail="today or a day before")
        )
    previous = await CASE.move(
        session,
        caller,
        case,
        CaseAction.SUSPEND,
        details={"reason": reason, "since": since.isoformat()},
        suspended_from=case.state,
        suspended_on=since,
        suspension_reason=reason,
        suspension_comment=comment or None,
    )
    for member in members:
        ids = event_ids(case, member)
        publish(session, CaseSuspended(**ids, previous_state=previous, since=since))
    await clocks.pause(session, case, since)
    return case


async def resume(
    session: Session,
    caller: Caller,
    case_id: UUID,
    precondition: Precondition,
    *,
    on: date | None,
) -> CaseFile:
    """Go on with a suspended case where it was; what was due is due as much later as the case
    rested.

    Args:
        session: The session.
        caller: Who decides.
        case_id: The case.
        precondition: What they have seen of it.
        on: The first day on which the clocks run again; None means today.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    case, members = await require_worker(session, caller, case_id)
    precondition.check(case.version)
    CASE.check(case.state, CaseAction.RESUME)
    assert case.suspended_from is not None  # a CHECK says so
    today = await today_of(session, case)
    since, on = case.suspended_on or today, on or today
    if not since <= on <= today:
        right = "a day from the one on which the case was suspended to today"
        raise invalid(FieldError(pointer="/on", code="date_out_of_range", detail=right))
    await CASE.move(
        session,
        caller,
        case,
        CaseAction.RESUME,
        # What arrived while it rested counts from now on.
        to=rules.on_arrivals(case.suspended_from, arrival_days(members)),
        details={"since": since.isoformat(), "on": on.isoformat()},
        suspended_from=None,
        suspended_on=None,
        suspension_reason=None,
        suspension_comment=None,
    )
    rested_days = (on - since).days
    for member in members:
        ids = event_ids(case, member)
        publish(session, CaseResumed(**ids, state=case.state, rested_days=rested_days))
    await clocks.resume(session, case, members, on)
    await follow_plan_lines(session, case, members)
    return case
