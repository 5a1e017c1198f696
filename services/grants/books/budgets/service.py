"""Budgets: set up by the programme's office, granted from by an implementing organisation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select
from sqlmodel import col, false, or_, select, true

from chassis import audit
from chassis.auth import Caller, OrganisationKind
from chassis.db import Session
from chassis.errors import FORBIDDEN, FOUR_EYES, FieldError, Problem, invalid
from chassis.ids import new_id
from chassis.loading import id_taken, load_or_404
from contracts.codes import Money
from contracts.currencies import is_exact, split, unit
from contracts.programmes import Programme
from services.grants import people
from services.grants.books import ledger
from services.grants.books.budgets.schemas import BudgetOut, PostingOut, SourceOut
from services.grants.books.ledger import Cause
from services.grants.codes import Account, Movement
from services.grants.models import Budget, JournalEntry, Posting
from services.grants.programmes.data import programmes
from services.grants.schemas import money


@dataclass(frozen=True, slots=True)
class NewBudget:
    """Money of a programme that an organisation is to grant from.

    Attributes:
        programme: Whose money.
        organisation: Who grants from it.
        amount: How much.
        starts_on: The first day on which it pays.
        ends_on: The last.
        low_at: What its office wants to be told of: that less is available.
        sources: Its donors, each with share and period.
        id: Chosen by the client, or None.
    """

    programme: str
    organisation: str
    amount: Money
    starts_on: date
    ends_on: date
    low_at: Decimal
    sources: Sequence[dict[str, Any]]
    id: UUID | None = None


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """Budgets of the programmes that an office runs, and those that an organisation grants from."""
    if caller.is_internal:
        return true()
    own: ColumnElement[bool] = (
        col(Budget.organisation) == caller.organisation
        if caller.kind is OrganisationKind.PARTNER
        else false()
    )
    if caller.kind is OrganisationKind.PROGRAMME_OFFICE and caller.programmes:
        own = or_(own, col(Budget.programme).in_(caller.programmes))
    return own


async def load_budget(session: Session, caller: Caller, budget_id: UUID) -> Budget:
    """A budget that the caller may know of.

    Raises:
        Problem: 404.
    """
    return await load_or_404(
        session, select(Budget).where(col(Budget.id) == budget_id, visible_to(caller))
    )


async def set_up(session: Session, caller: Caller, new: NewBudget) -> Budget:
    """Set up a budget; its first entry says where the money comes from.

    Raises:
        Problem: 403 if the caller does not run the programme, 409, 422.
    """
    programme = programmes().get(new.programme)
    if programme is None:
        raise invalid(
            FieldError(
                pointer="/programme", code="unknown_programme", detail="one of /v1/programmes"
            )
        )
    if (
        programme.id not in caller.programmes
        or caller.kind is not OrganisationKind.PROGRAMME_OFFICE
    ):
        raise Problem(FORBIDDEN, "the programme's office sets up its budgets")
    existing = await session.get(Budget, new.id) if new.id is not None else None
    if existing is not None:
        return _same_budget(existing, new)
    _check_new(new, programme)
    budget = Budget(
        id=new.id or new_id(),
        programme=new.programme,
        organisation=new.organisation,
        currency=new.amount.currency,
        amount=new.amount.amount,
        starts_on=new.starts_on,
        ends_on=new.ends_on,
        low_at=new.low_at,
        sources=list(new.sources),
    )
    session.add(budget)
    await session.flush()
    actor = people.actor(caller.person) if caller.person else None
    await ledger.move(session, budget, Movement.FUND, budget.amount, Cause(actor))
    audit.record(session, caller, "set-up", "budget", budget.id)
    return budget


def _same_budget(existing: Budget, new: NewBudget) -> Budget:
    """The budget that was set up before under the same id.

    Raises:
        Problem: 409, it is another one.
    """
    before = (existing.programme, existing.organisation, existing.amount, existing.currency)
    if before != (new.programme, new.organisation, new.amount.amount, new.amount.currency):
        raise id_taken()
    return existing


def _check_new(new: NewBudget, programme: Programme) -> None:
    """Refuse who does not implement the programme, and what is finer than the currency.

    Raises:
        Problem: 422.
    """
    implementers = {
        slug
        for rules in programme.versions
        for place in rules.countries_of_return.values()
        for slug in place.implementers
    }
    if new.organisation not in implementers:
        detail = "an implementer of the programme"
        raise invalid(FieldError(pointer="/organisation", code="no_implementer", detail=detail))
    if not is_exact(new.low_at, new.amount.currency):
        detail = "no more decimals than the currency has"
        raise invalid(FieldError(pointer="/low_at", code="too_fine", detail=detail))


async def reuse(session: Session, caller: Caller, budget_id: UUID, amount: Money) -> Budget:
    """Make available again what was recovered, as somebody of the programme's office who did not
    recover it.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 422, no more was recovered.
    """
    budget = await ledger.lock_budget(session, (await load_budget(session, caller, budget_id)).id)
    if (
        budget.programme not in caller.programmes
        or caller.kind is not OrganisationKind.PROGRAMME_OFFICE
    ):
        raise Problem(FORBIDDEN, "the programme's office decides on what was recovered")
    actor = people.actor(caller.require_person())
    own_recoveries = select(JournalEntry.id).where(
        JournalEntry.budget_id == budget.id,
        JournalEntry.kind == Movement.RECOVER,
        JournalEntry.actor == actor,
    )
    if await session.scalar(own_recoveries.limit(1)) is not None:
        raise Problem(FOUR_EYES, "who recovered money does not make it available")
    left = (await ledger.balances(session, [budget.id]))[budget.id][Account.RECOVERED]
    if amount.currency != budget.currency or amount.amount > left:
        detail = f"at most what was recovered, in {budget.currency}"
        raise invalid(FieldError(pointer="/amount", code="not_recovered", detail=detail))
    await ledger.move(session, budget, Movement.REUSE, amount.amount, Cause(actor))
    audit.record(session, caller, "reuse", "budget", budget.id)
    return budget


async def render_budgets(session: Session, budgets: Sequence[Budget]) -> list[BudgetOut]:
    """Budgets with what is in each of their accounts."""
    sums = await ledger.balances(session, [budget.id for budget in budgets])
    return [_render_budget(budget, sums[budget.id]) for budget in budgets]


def _render_budget(budget: Budget, sums: dict[Account, Decimal]) -> BudgetOut:
    shares = split(
        sums[Account.PAID], [Decimal(source["share"]) for source in budget.sources], budget.currency
    )

    def of(amount: Decimal) -> Money:
        return money(amount, budget.currency)

    return BudgetOut(
        id=budget.id,
        programme=budget.programme,
        organisation=budget.organisation,
        amount=of(budget.amount),
        starts_on=budget.starts_on,
        ends_on=budget.ends_on,
        low_at=of(budget.low_at),
        available=of(sums[Account.AVAILABLE]),
        reserved=of(sums[Account.RESERVED]),
        committed=of(sums[Account.COMMITTED]),
        paid=of(sums[Account.PAID]),
        recovered=of(sums[Account.RECOVERED]),
        sources=[
            SourceOut.model_validate(source | {"paid": of(paid)})
            for source, paid in zip(budget.sources, shares, strict=True)
        ],
        created_at=budget.created_at,
        updated_at=budget.updated_at,
    )


def select_postings(
    budget_id: UUID, *, account: Account | None, recorded_since: datetime | None
) -> Select[Any]:
    """The postings of a budget with the entries they are of."""
    query: Select[Any] = select(Posting).where(Posting.budget_id == budget_id)
    if account is not None:
        query = query.where(col(Posting.account) == account)
    if recorded_since is not None:
        query = query.where(
            col(Posting.entry_id).in_(
                select(col(JournalEntry.id)).where(col(JournalEntry.recorded_at) >= recorded_since)
            )
        )
    return query


async def render_postings(
    session: Session, budget: Budget, rows: Sequence[Posting]
) -> list[PostingOut]:
    """Postings as they are answered."""
    journal = await session.scalars(
        select(JournalEntry).where(col(JournalEntry.id).in_({row.entry_id for row in rows}))
    )
    entries = {entry.id: entry for entry in journal}
    return [
        PostingOut(
            id=row.id,
            entry_id=row.entry_id,
            kind=entries[row.entry_id].kind,
            account=row.account,
            amount=format(row.amount.quantize(unit(budget.currency)), "f"),
            currency=budget.currency,
            grant_id=row.grant_id,
            payment_id=entries[row.entry_id].payment_id,
            recorded_at=entries[row.entry_id].recorded_at,
        )
        for row in rows
    ]
