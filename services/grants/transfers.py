"""A case that goes to another partner takes its commitments along: from the one's budget to the
other's.

What was paid stays in the books of the budget that paid it. Money that is on its way arrives first,
and where the new partner has no budget with enough in it, the old one bears the grant until there
is one: a job looks again.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlmodel import select

from chassis import audit, jobs
from chassis.db import Session, now
from chassis.jobs import JobKind, Payload
from services.grants import people
from services.grants.awards.grants.funding import open_budgets
from services.grants.awards.grants.loading import lock_payments_on_their_way
from services.grants.awards.grants.rules import MACHINE
from services.grants.books import ledger
from services.grants.books.ledger import Cause
from services.grants.codes import Account, Movement
from services.grants.models import Budget, Grant, Payment
from services.grants.payments.payments import outcomes
from services.grants.states import PaymentState

MOVE = "grants.commitments.move"
AGAIN = timedelta(hours=1)


async def hand_over(session: Session, grant: Grant, implementer: str) -> None:
    """Give a locked grant to another partner; what nobody released to payees of the one before is
    cancelled.
    """
    grant.implementer = implementer
    grant.changed()
    for payment in await lock_payments_on_their_way(session, grant.id):
        if payment.state is PaymentState.SCHEDULED and payment.payee_id is not None:
            await outcomes.fail(session, people.SYSTEM, grant, payment, outcomes.CANCELLED)
    await session.flush()
    details = {"implementer": implementer}
    audit.record(session, people.SYSTEM, "hand-over", MACHINE.resource, grant.id, details)
    await move_commitment(session, grant)


async def move_commitment(session: Session, grant: Grant) -> None:
    """Move what a locked grant holds to a budget of its partner, now or later; to where it is, it
    moves no more.
    """
    if grant.state.is_over or grant.budget_id is None:
        return
    old = await session.get_one(Budget, grant.budget_id)
    if old.organisation == grant.implementer:
        return
    on_their_way = await lock_payments_on_their_way(session, grant.id)
    held = await ledger.of_grant(session, grant.id)
    amount = held[Account.RESERVED if grant.state.is_undecided else Account.COMMITTED]
    if not amount:  # all of it was paid: it stays where it was paid from
        return
    budgets = await open_budgets(session, grant.programme, grant.implementer, grant.currency)
    for budget_id in sorted({old.id, *(budget.id for budget in budgets)}):
        await ledger.lock_budget(session, budget_id)
    enough = [budget for budget in budgets if await ledger.available(session, budget.id) >= amount]
    if enough and not any(payment.state is PaymentState.RELEASED for payment in on_their_way):
        await _move_to(session, grant, on_their_way, old, enough[0], amount)
        return
    later = (await session.execute(select(now() + AGAIN))).scalar_one()
    await jobs.schedule(session, MOVE, {"grant_id": str(grant.id)}, due_at=later, key=str(grant.id))


async def _move_to(
    session: Session,
    grant: Grant,
    on_their_way: Sequence[Payment],
    old: Budget,
    new: Budget,
    amount: Decimal,
) -> None:
    """Move what a locked grant holds from a locked budget to another one."""
    undecided, cause = grant.state.is_undecided, Cause(people.SYSTEM_ACTOR, grant.id)
    back = Movement.RELEASE if undecided else Movement.GIVE_BACK
    await ledger.move(session, old, back, amount, cause)
    await ledger.move(session, new, Movement.RESERVE, amount, cause)
    if not undecided:
        await ledger.move(session, new, Movement.COMMIT, amount, cause)
    grant.budget_id = new.id
    grant.changed()
    for payment in on_their_way:
        payment.budget_id = new.id
        payment.changed()
    await session.flush()
    details = {"from": str(old.id), "to": str(new.id)}
    audit.record(session, people.SYSTEM, "move", MACHINE.resource, grant.id, details)


async def _move(session: Session, payload: Payload, _: Any) -> None:
    grant_id = UUID(payload["grant_id"])
    await move_commitment(session, await session.get_one(Grant, grant_id, with_for_update=True))


JOB = JobKind(MOVE, _move)
