"""Budgets: set up by the programme's office, granted from by an implementing organisation."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select
from sqlmodel import col, false, or_, select, true

from chassis import audit
from chassis.auth import Caller, OrganisationKind
from chassis.db import Session
from chassis.errors import CONFLICT, FORBIDDEN, FOUR_EYES, NOT_FOUND, FieldError, Problem, invalid
from chassis.ids import new_id
from contracts.codes import Money
from contracts.currencies import is_exact, split, unit
from services.grants import people
from services.grants.books import ledger
from services.grants.books.budgets.schemas import BudgetIn, BudgetOut, PostingOut, SourceOut
from services.grants.books.ledger import Account, Cause, Movement
from services.grants.models import Budget, JournalEntry, Posting
from services.grants.programmes.data import programmes
from services.grants.schemas import money


def seen_by(caller: Caller) -> ColumnElement[bool]:
    """Budgets of the programmes that an office runs, and those that an organisation grants from."""
    if caller.is_internal:
        return true()
    mine: ColumnElement[bool] = (
        col(Budget.organisation) == caller.organisation
        if caller.kind is OrganisationKind.PARTNER
        else false()
    )
    if caller.kind is OrganisationKind.PROGRAMME_OFFICE and caller.programmes:
        mine = or_(mine, col(Budget.programme).in_(caller.programmes))
    return mine


async def find(session: Session, budget_id: UUID, caller: Caller) -> Budget:
    """A budget that the caller may know of.

    Raises:
        Problem: 404.
    """
    budget: Budget | None = await session.scalar(
        select(Budget).where(Budget.id == budget_id, seen_by(caller))
    )
    if budget is None:
        raise Problem(NOT_FOUND)
    return budget


async def set_up(session: Session, body: BudgetIn, caller: Caller) -> Budget:
    """Set up a budget; its first entry says where the money comes from.

    Raises:
        Problem: 403 for who does not run the programme, 409, 422.
    """
    programme = programmes().get(body.programme)
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
    if body.id is not None:
        there = await session.get(Budget, body.id)
        if there is not None:
            same = (there.programme, there.organisation, there.amount) == (
                body.programme,
                body.organisation,
                body.amount.amount,
            )
            if not same or there.currency != body.amount.currency:
                raise Problem(CONFLICT, "the id is taken by something else")
            return there
    implementers = {
        slug
        for rules in programme.versions
        for place in rules.countries_of_return.values()
        for slug in place.implementers
    }
    if body.organisation not in implementers:
        raise invalid(
            FieldError(
                pointer="/organisation",
                code="no_implementer",
                detail="an implementer of the programme",
            )
        )
    if not is_exact(body.low_at, body.amount.currency):
        raise invalid(
            FieldError(
                pointer="/low_at", code="too_fine", detail="no more decimals than the currency has"
            )
        )
    budget = Budget(
        id=body.id or new_id(),
        programme=body.programme,
        organisation=body.organisation,
        currency=body.amount.currency,
        amount=body.amount.amount,
        starts_on=body.starts_on,
        ends_on=body.ends_on,
        low_at=body.low_at,
        sources=[source.model_dump(mode="json", by_alias=True) for source in body.sources],
    )
    session.add(budget)
    await session.flush()
    actor = people.actor(caller.person) if caller.person else None
    await ledger.move(session, budget, Movement.FUND, budget.amount, Cause(actor))
    audit.record(session, caller, "set-up", "budget", budget.id)
    return budget


async def reuse(session: Session, budget_id: UUID, amount: Money, caller: Caller) -> Budget:
    """Make available again what was recovered, as somebody of the programme's office who did not
    recover it.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 422, no more was recovered.
    """
    budget = await ledger.lock(session, (await find(session, budget_id, caller)).id)
    if (
        budget.programme not in caller.programmes
        or caller.kind is not OrganisationKind.PROGRAMME_OFFICE
    ):
        raise Problem(FORBIDDEN, "the programme's office decides on what was recovered")
    actor = people.actor(caller.require_person())
    theirs = select(JournalEntry.id).where(
        JournalEntry.budget_id == budget.id,
        JournalEntry.kind == Movement.RECOVER,
        JournalEntry.actor == actor,
    )
    if await session.scalar(theirs.limit(1)) is not None:
        raise Problem(FOUR_EYES, "who recovered money does not make it available")
    left = (await ledger.balances(session, [budget.id]))[budget.id][Account.RECOVERED]
    if amount.currency != budget.currency or amount.amount > left:
        detail = f"at most what was recovered, in {budget.currency}"
        raise invalid(FieldError(pointer="/amount", code="not_recovered", detail=detail))
    await ledger.move(session, budget, Movement.REUSE, amount.amount, Cause(actor))
    audit.record(session, caller, "reuse", "budget", budget.id)
    return budget


async def answer(session: Session, budgets: Sequence[Budget]) -> list[BudgetOut]:
    """Budgets with what is in each of their accounts."""
    sums = await ledger.balances(session, [budget.id for budget in budgets])
    return [_out(budget, sums[budget.id]) for budget in budgets]


def _out(budget: Budget, sums: dict[Account, Decimal]) -> BudgetOut:
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


def postings(
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


async def shown(session: Session, budget: Budget, rows: Sequence[Posting]) -> list[PostingOut]:
    """Postings as they are answered."""
    found = await session.scalars(
        select(JournalEntry).where(col(JournalEntry.id).in_({row.entry_id for row in rows}))
    )
    entries = {entry.id: entry for entry in found}
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
