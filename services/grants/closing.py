"""The end of what is not needed any more: closed where something was paid, cancelled where nothing
was.

Money that is on its way is waited for: a job looks again until it has arrived or come back. That
holds also where the person was erased meanwhile: what left is never written off by an erasure. A
statement accounts for it, or who sent it does (`GET /v1/payments?erased=true`), as cash has no
statement, and a bank may refuse without a word in one.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from chassis import jobs
from chassis.db import Session, now
from chassis.jobs import JobKind, Payload
from contracts.codes import CaseState
from contracts.grants import GrantReason
from services.grants import people
from services.grants.awards.grants.decisions import cancel_locked, close_locked
from services.grants.awards.grants.loading import lock_payments_on_their_way, participant_of
from services.grants.awards.grants.rules import MACHINE, Action
from services.grants.codes import GrantSource
from services.grants.models import Grant, Payment
from services.grants.payments.payments import outcomes
from services.grants.states import SPENT, PaymentState

END = "grants.grant.end"
AGAIN = timedelta(hours=1)


async def close_or_cancel(
    session: Session, grant: Grant, reason: GrantReason, *, desk: bool = False
) -> None:
    """End a locked grant, now or when nothing of it is on its way any more.

    Args:
        session: The session.
        grant: The grant.
        reason: Why.
        desk: Whether released cash that waits at the desk is taken back.
    """
    if grant.state.is_over:
        return
    for payment in await lock_payments_on_their_way(session, grant.id):
        waits_at_desk = grant.source is GrantSource.TRAVEL and payment.float_id is not None
        if payment.state is PaymentState.SCHEDULED or (desk and waits_at_desk):
            await outcomes.fail(session, people.SYSTEM, grant, payment, outcomes.CANCELLED)
    if await lock_payments_on_their_way(session, grant.id):
        later = (await session.execute(select(now() + AGAIN))).scalar_one()
        payload = {"grant_id": str(grant.id), "reason": reason.value}
        await jobs.schedule(session, END, payload, due_at=later, key=str(grant.id))
        return
    spent = await session.scalar(
        select(col(Payment.id))
        .where(col(Payment.grant_id) == grant.id, col(Payment.state).in_(SPENT))
        .limit(1)
    )
    can_be_cancelled = Action.CANCEL in MACHINE.table[grant.state]
    if spent is None and can_be_cancelled:
        await cancel_locked(session, people.SYSTEM, grant, reason)
    else:
        await close_locked(session, people.SYSTEM, grant)


async def _end(session: Session, payload: Payload, _: Any) -> None:
    grant = await session.get_one(Grant, UUID(payload["grant_id"]), with_for_update=True)
    person = await participant_of(session, grant)
    # A case that was taken up again keeps what it has.
    if person is None or person.case_state is CaseState.CLOSED:
        await close_or_cancel(session, grant, GrantReason(payload["reason"]))


JOB = JobKind(END, _end)
