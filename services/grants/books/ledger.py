"""The books: double entry, append-only.

A budget's money is always in exactly one of its accounts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, text
from sqlmodel import col, select

from chassis.db import Session
from chassis.errors import Problem, ProblemType
from chassis.ids import new_id
from chassis.loading import FRESH
from chassis.outbox import publish
from contracts.grants import BudgetLow
from services.grants.codes import Account, Movement
from services.grants.models import Budget, BudgetAccount, Posting
from services.grants.schemas import money

BUDGET_EXHAUSTED = ProblemType(
    "budget-exhausted",
    409,
    "The budget does not have as much left",
    "`left` is what is available in the budget now. Ask its office for more, or request less.",
)


BUDGET_CLOSED = ProblemType(
    "budget-closed",
    409,
    "The budget does not pay today",
    "The day is outside the budget's period, or one of its donors does not pay for it.",
)


FROM_TO: Mapping[Movement, tuple[Account, Account]] = {
    Movement.FUND: (Account.FUNDS, Account.AVAILABLE),
    Movement.RESERVE: (Account.AVAILABLE, Account.RESERVED),
    Movement.RELEASE: (Account.RESERVED, Account.AVAILABLE),
    Movement.COMMIT: (Account.RESERVED, Account.COMMITTED),
    Movement.GIVE_BACK: (Account.COMMITTED, Account.AVAILABLE),
    Movement.PAY: (Account.COMMITTED, Account.PAID),
    Movement.REVERSE: (Account.PAID, Account.COMMITTED),
    Movement.RECOVER: (Account.PAID, Account.RECOVERED),
    Movement.REUSE: (Account.RECOVERED, Account.AVAILABLE),
}


ENTRY = text("""
    WITH entry AS (
        INSERT INTO journal_entry (id, budget_id, kind, grant_id, payment_id, actor)
        VALUES (:id, :budget_id, :kind, :grant_id, :payment_id, :actor)
        RETURNING id, budget_id, grant_id
    )
    INSERT INTO posting (entry_id, budget_id, grant_id, account, amount)
    SELECT entry.id, entry.budget_id, entry.grant_id, side.account, side.amount
    FROM entry, (VALUES (1, CAST(:source AS text), -CAST(:amount AS numeric)),
                        (2, CAST(:target AS text), CAST(:amount AS numeric)))
                AS side (n, account, amount)
    ORDER BY side.n
""")
"""An entry with both of its sides, in one statement."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What a movement is for, and who made it."""

    actor: UUID | None = None
    grant_id: UUID | None = None
    payment_id: UUID | None = None


async def lock_budget(session: Session, budget_id: UUID) -> Budget:
    """The budget, locked: the last lock of every command, so that nobody waits in a circle."""
    return (
        await session.scalars(
            select(Budget).where(Budget.id == budget_id).with_for_update(),
            execution_options=FRESH,
        )
    ).one()


def pays_on(budget: Budget, day: date) -> bool:
    """Whether a day is in a budget's period, and in that of every donor of it."""
    return budget.starts_on <= day <= budget.ends_on and all(
        date.fromisoformat(source["from"]) <= day <= date.fromisoformat(source["until"])
        for source in budget.sources
    )


async def balances(
    session: Session, budget_ids: Sequence[UUID]
) -> dict[UUID, dict[Account, Decimal]]:
    """What is in each account of budgets: the sums of their postings."""
    sums = {budget_id: dict.fromkeys(Account, Decimal(0)) for budget_id in budget_ids}
    rows = await session.execute(
        select(Posting.budget_id, col(Posting.account), func.sum(Posting.amount))
        .where(col(Posting.budget_id).in_(budget_ids))
        .group_by(col(Posting.budget_id), Posting.account)
    )
    for budget_id, account, amount in rows:
        sums[budget_id][account] = amount
    return sums


async def available(session: Session, budget_id: UUID) -> Decimal:
    """What can still be granted, as of now."""
    balance = await session.scalar(
        select(col(BudgetAccount.balance)).where(
            col(BudgetAccount.budget_id) == budget_id,
            col(BudgetAccount.account) == Account.AVAILABLE,
        )
    )
    return balance or Decimal(0)


async def move(
    session: Session, budget: Budget, movement: Movement, amount: Decimal, cause: Cause
) -> None:
    """Write one entry with its two sides. The budget is locked.

    Args:
        session: The session.
        budget: The locked budget.
        movement: Why, which says from where to where.
        amount: In the budget's currency; nothing is written for nothing.
        cause: What for, and by whom.

    Raises:
        Problem: 409 `budget-exhausted`, with what is left.
    """
    if not amount:
        return
    source, target = FROM_TO[movement]
    if source is Account.AVAILABLE:
        left = await available(session, budget.id)
        if left < amount:
            raise Problem(
                BUDGET_EXHAUSTED, left=money(left, budget.currency).model_dump(mode="json")
            )
        if left - amount < budget.low_at and not budget.low_told:
            budget.low_told = True
            publish(
                session,
                BudgetLow(
                    budget_id=budget.id, programme=budget.programme, currency=budget.currency
                ),
            )
    await session.flush()
    await session.execute(
        ENTRY,
        {
            "id": new_id(),
            "budget_id": budget.id,
            "kind": movement,
            "grant_id": cause.grant_id,
            "payment_id": cause.payment_id,
            "actor": cause.actor,
            "source": source,
            "target": target,
            "amount": amount,
        },
    )


async def of_grant(session: Session, grant_id: UUID) -> dict[Account, Decimal]:
    """What is in each account for one grant."""
    rows = await session.execute(
        select(col(Posting.account), func.sum(Posting.amount))
        .where(Posting.grant_id == grant_id)
        .group_by(Posting.account)
    )
    sums = dict.fromkeys(Account, Decimal(0))
    for account, amount in rows:
        sums[account] = amount
    return sums
