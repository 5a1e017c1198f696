"""Cases that are closed, and reopened where they were."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.consequences import Consequences
from chassis.db import Session
from chassis.errors import CONFLICT, Problem
from chassis.outbox import publish
from contracts.cases import CaseClosed, CaseReopened
from contracts.codes import ClosureReason
from services.cases.casework.access import require_worker
from services.cases.casework.cases import rules
from services.cases.casework.cases.schemas import ReopenReason
from services.cases.casework.cases.service import arrival_days, follow_plan_lines
from services.cases.casework.deadlines import clocks
from services.cases.casework.deadlines import service as deadlines
from services.cases.casework.records import event_ids
from services.cases.models import CaseFile, CaseMember, Returnee
from services.cases.people.returnees.service import has_open_case
from services.cases.people.rights import restricted
from services.cases.states.casework import CASE, CaseAction, DeadlineState

CASE_CLOSED: Consequences[Session, CaseFile] = Consequences("a case is closed")
CASE_REOPENED: Consequences[Session, CaseFile] = Consequences("a case is reopened")


async def close_case(
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
    previous = CASE.apply(
        case,
        CaseAction.CLOSE,
        state_before=case.state,
        closure_reason=reason,
        closure_comment=comment or None,
    )
    for member in members:
        ids = event_ids(case, member)
        publish(session, CaseClosed(**ids, reason=reason, previous_state=previous))
    await deadlines.settle(session, DeadlineState.CANCELLED, case_id=case.id)
    await CASE_CLOSED(session, case)


async def close(
    session: Session,
    caller: Caller,
    case_id: UUID,
    precondition: Precondition,
    *,
    reason: ClosureReason,
    comment: str,
) -> CaseFile:
    """Close a case, as a person decided.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    case, members = await require_worker(session, caller, case_id)
    precondition.check(case.version)
    await close_case(session, case, members, reason, comment)
    audit.record(session, caller, CaseAction.CLOSE, CASE.resource, case.id, {"reason": reason})
    return case


async def reopen(
    session: Session,
    caller: Caller,
    case_id: UUID,
    precondition: Precondition,
    *,
    reason: ReopenReason,
) -> CaseFile:
    """Take a closed case up again where it was.

    Raises:
        Problem: 404, 403, 412, 428; 409, also where a person in it has another open case, as nobody
            has two, or where its implementing organisation is kept from one of them by now.
    """
    case, members = await require_worker(session, caller, case_id)
    precondition.check(case.version)
    CASE.check(case.state, CaseAction.REOPEN)
    await _require_no_open_case(session, case, members)
    assert case.state_before is not None  # since it was closed
    # What arrived while it was closed counts from now on.
    days = arrival_days(members)
    closed_for = case.closure_reason
    await CASE.move(
        session,
        caller,
        case,
        CaseAction.REOPEN,
        to=rules.on_arrivals(case.state_before, days),
        details={"reason": reason, "closed_for": closed_for},
    )
    for member in members:
        publish(session, CaseReopened(**event_ids(case, member), state=case.state))
    await CASE_REOPENED(session, case)
    await clocks.reopen(session, case, members)
    if days:
        await deadlines.set_for_case(session, case, members, min(days))
    await follow_plan_lines(session, case, members)
    return case


async def _require_no_open_case(
    session: Session, case: CaseFile, members: Sequence[CaseMember]
) -> None:
    """Refuse to reopen a case of somebody who is in another one, or whom its organisation may not
    know of.

    Raises:
        Problem: 409.
    """
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
