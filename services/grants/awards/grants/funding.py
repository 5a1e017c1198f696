"""From which budget a grant is paid: open today, with every donor paying, and enough in it."""

from contextlib import suppress
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlmodel import col, select

from chassis.db import Session, savepoint
from chassis.errors import Problem
from services.grants.awards.grants.loading import local_today
from services.grants.books import ledger
from services.grants.books.ledger import Cause
from services.grants.codes import Account, Movement
from services.grants.models import Budget, Grant


async def open_budgets(
    session: Session, programme: str, organisation: str, currency: str
) -> list[Budget]:
    """The budgets that an organisation may grant from today, the one that ends first before the
    others.
    """
    day = await local_today(session, programme, organisation)
    query = (
        select(Budget)
        .where(Budget.programme == programme, Budget.organisation == organisation)
        .where(Budget.currency == currency, Budget.starts_on <= day, Budget.ends_on >= day)
        .order_by(col(Budget.ends_on), col(Budget.id))
    )
    return [budget for budget in await session.scalars(query) if ledger.pays_on(budget, day)]


async def check_budget_open(
    session: Session, grant: Grant, budget_id: UUID, on: date | None = None
) -> None:
    """Refuse that money is committed, leaves or arrives before or after its budget, or when one of
    its donors does not pay.

    Args:
        session: The session.
        grant: What it is for.
        budget_id: Which bears it.
        on: The day; None for today.

    Raises:
        Problem: 409 `budget-closed`.
    """
    budget = await session.get_one(Budget, budget_id)
    day = on or await local_today(session, grant.programme, grant.implementer)
    if not ledger.pays_on(budget, day):
        raise Problem(ledger.BUDGET_CLOSED)


async def lock_budget_with(
    session: Session,
    *,
    programme: str,
    organisation: str,
    amount: Decimal,
    currency: str,
    budget_id: UUID | None,
) -> Budget:
    """The first open budget that has enough, locked; the last one where none has, which then says
    what is left.

    Args:
        session: The session.
        programme: Whose budgets.
        organisation: Who grants from them.
        amount: How much it takes.
        currency: Of the amount.
        budget_id: The one that is asked for; None: whichever.

    Raises:
        Problem: 409 `budget-exhausted`, none is open.
    """
    budgets = await open_budgets(session, programme, organisation, currency)
    fitting = [budget for budget in budgets if budget_id in {None, budget.id}]
    if not fitting:
        raise Problem(
            ledger.BUDGET_EXHAUSTED,
            "no budget of the programme is open for this organisation today",
        )
    for budget in fitting[:-1]:
        if await ledger.available(session, budget.id) >= amount:
            with suppress(_GrantedToOthers):
                async with savepoint(session):  # which gives the lock back where others were faster
                    locked = await ledger.lock_budget(session, budget.id)
                    if await ledger.available(session, budget.id) < amount:
                        raise _GrantedToOthers
                return locked
    return await ledger.lock_budget(session, fitting[-1].id)


class _GrantedToOthers(Exception):  # noqa: N818 - it is caught where it is raised
    """Others were granted what a budget had left."""


async def give_back(session: Session, grant: Grant, actor: UUID | None) -> None:
    """Make what the grant holds and has not spent available again."""
    if grant.budget_id is None:
        return
    held = await ledger.of_grant(session, grant.id)
    budget = await ledger.lock_budget(session, grant.budget_id)
    cause = Cause(actor, grant.id)
    await ledger.move(session, budget, Movement.RELEASE, held[Account.RESERVED], cause)
    await ledger.move(session, budget, Movement.GIVE_BACK, held[Account.COMMITTED], cause)
