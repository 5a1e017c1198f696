"""A case that goes to another partner takes its commitments along: from the one's budget to the
other's.

What was paid stays in the books of the budget that paid it. Money that is on its way arrives first,
and where the new partner has no budget with enough in it, the old one bears the grant until there
is one: a job looks again.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlmodel import select

from chassis import audit, jobs
from chassis.db import Session, now
from chassis.jobs import JobKind, Payload
from services.grants import people
from services.grants.awards.grants import service as grants
from services.grants.awards.grants.rules import TRANSITIONS, UNDECIDED, GrantState
from services.grants.books import ledger
from services.grants.books.ledger import Account, Cause, Movement
from services.grants.models import Budget, Grant
from services.grants.payments.payments import service as payments
from services.grants.payments.payments.rules import PaymentState

MOVE = "grants.commitments.move"
AGAIN = timedelta(hours=1)


async def hand_over(session: Session, grant: Grant, implementer: str) -> None:
    """Give a locked grant to another partner. Payments that nobody released to the payees of the
    one before are off.
    """
    grant.implementer = implementer
    grant.changed()
    for payment in await grants.payments_on_their_way(session, grant.id):
        if payment.state == PaymentState.SCHEDULED and payment.payee_id is not None:
            await payments.fail(session, people.SYSTEM, grant, payment, "cancelled")
    await session.flush()
    audit.record(
        session, people.SYSTEM, "hand-over", "grant", grant.id, {"implementer": implementer}
    )
    await move(session, grant)


async def move(session: Session, grant: Grant) -> None:
    """Move what a locked grant holds to a budget of its partner, now or later; to where it is, it
    moves no more.
    """
    if not TRANSITIONS[GrantState(grant.state)] or grant.budget_id is None:
        return
    old = await session.get_one(Budget, grant.budget_id)
    if old.organisation == grant.implementer:
        return
    on_their_way = await grants.payments_on_their_way(session, grant.id)
    held = await ledger.of_grant(session, grant.id)
    undecided = grant.state in UNDECIDED
    amount = held[Account.RESERVED if undecided else Account.COMMITTED]
    if not amount:  # all of it was paid: it stays where it was paid from
        return
    open_now = await grants.open_budgets(
        session, grant.programme, grant.implementer, grant.currency
    )
    for each in sorted({old.id, *(budget.id for budget in open_now)}):
        await ledger.lock(session, each)
    enough = [budget for budget in open_now if await ledger.available(session, budget.id) >= amount]
    if not enough or any(payment.state == PaymentState.RELEASED for payment in on_their_way):
        later = (await session.execute(select(now() + AGAIN))).scalar_one()
        await jobs.schedule(
            session, MOVE, {"grant_id": str(grant.id)}, due_at=later, key=str(grant.id)
        )
        return
    new, cause = enough[0], Cause(people.SYSTEM_ACTOR, grant.id)
    await ledger.move(
        session, old, Movement.RELEASE if undecided else Movement.GIVE_BACK, amount, cause
    )
    await ledger.move(session, new, Movement.RESERVE, amount, cause)
    if not undecided:
        await ledger.move(session, new, Movement.COMMIT, amount, cause)
    grant.budget_id = new.id
    grant.changed()
    for payment in on_their_way:
        payment.budget_id = new.id
        payment.changed()
    await session.flush()
    audit.record(
        session, people.SYSTEM, "move", "grant", grant.id, {"from": str(old.id), "to": str(new.id)}
    )


async def _move(session: Session, payload: Payload, _: Any) -> None:
    await move(
        session, await session.get_one(Grant, UUID(payload["grant_id"]), with_for_update=True)
    )


JOB = JobKind(MOVE, _move)
