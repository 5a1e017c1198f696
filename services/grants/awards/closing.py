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
from services.grants.awards.grants import service as grants
from services.grants.awards.grants.rules import TRANSITIONS, Action, GrantState
from services.grants.models import Grant, Participant, Payment
from services.grants.payments.payments import service as payments
from services.grants.payments.payments.rules import PaymentState

END = "grants.grant.end"
AGAIN = timedelta(hours=1)


async def wind_up(
    session: Session, grant: Grant, reason: GrantReason, *, desk: bool = False
) -> None:
    """End a locked grant, now or when nothing of it is on its way any more.

    Args:
        session: The session.
        grant: The grant.
        reason: Why.
        desk: Whether released cash that waits at the desk is taken back.
    """
    if not TRANSITIONS[GrantState(grant.state)]:
        return
    for payment in await grants.payments_on_their_way(session, grant.id):
        waits_at_the_desk = grant.source == "travel" and payment.float_id is not None
        if payment.state == PaymentState.SCHEDULED or (desk and waits_at_the_desk):
            await payments.fail(session, people.SYSTEM, grant, payment, "cancelled")
    if await grants.payments_on_their_way(session, grant.id):
        later = (await session.execute(select(now() + AGAIN))).scalar_one()
        payload = {"grant_id": str(grant.id), "reason": reason.value}
        await jobs.schedule(session, END, payload, due_at=later, key=str(grant.id))
        return
    spent = await session.scalar(
        select(col(Payment.id))
        .where(
            col(Payment.grant_id) == grant.id, col(Payment.state).in_(("confirmed", "recovered"))
        )
        .limit(1)
    )
    delivered = Action.CANCEL not in TRANSITIONS[GrantState(grant.state)]
    if spent is not None or delivered:
        await grants.finish(session, people.SYSTEM, grant)
    else:
        await grants.end(session, people.SYSTEM, grant, (), reason)


async def _end(session: Session, payload: Payload, _: Any) -> None:
    grant = await session.get_one(Grant, UUID(payload["grant_id"]), with_for_update=True)
    who = (
        await session.get(Participant, (grant.case_id, grant.returnee_id))
        if grant.returnee_id
        else None
    )
    if (
        who is None or who.state == CaseState.CLOSED
    ):  # a case that was taken up again keeps what it has
        await wind_up(session, grant, GrantReason(payload["reason"]))


JOB = JobKind(END, _end)
