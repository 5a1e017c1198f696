"""Statements matched to payments, line by line; the same entry is booked once, however often it is imported."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.dialects.postgresql import insert

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import NOT_FOUND, FieldError, Problem, invalid
from chassis.ids import new_id
from services.grants.budgets import ledger
from services.grants.models import Budget, Grant, Payment, StatementFile, StatementLine
from services.grants.payments import service as payments
from services.grants.payments.rules import PaymentState
from services.grants.statements.rules import Entry

Outcome = tuple[str, str | None]
"""`matched`, `mismatched`, `unknown` or `reversed`, and a code for why."""


def seen_by(caller: Caller) -> ColumnElement[bool]:
    """Statements of the caller's organisation."""
    return true() if caller.is_internal else StatementFile.organisation == caller.organisation


async def find(session: Session, statement_id: UUID, caller: Caller) -> StatementFile:
    """A statement of the caller's organisation.

    Raises:
        Problem: 404.
    """
    found: StatementFile | None = await session.scalar(
        select(StatementFile).where(StatementFile.id == statement_id, seen_by(caller))
    )
    if found is None:
        raise Problem(NOT_FOUND)
    return found


async def lines_of(session: Session, statement_ids: Sequence[UUID]) -> Sequence[StatementLine]:
    """The lines of statements, in order."""
    rows = await session.scalars(
        select(StatementLine)
        .where(StatementLine.statement_id.in_(statement_ids))
        .order_by(StatementLine.statement_id, StatementLine.line)
    )
    return rows.all()


async def take_in(session: Session, caller: Caller, entries: Sequence[Entry]) -> list[StatementFile]:
    """Match the entries of a file and book what they say: all of it, or nothing.

    Raises:
        Problem: 422.
    """
    if not entries:
        raise invalid(FieldError(pointer="", code="empty", detail="at least one entry"))
    files = {}
    for account, number, currency in sorted({(e.account, e.statement, e.currency) for e in entries}):
        files[account, number] = await _file(session, caller, account, number, currency)
    known = {(line.statement_id, line.key) for line in await lines_of(session, [f.id for f in files.values()])}
    new = [e for e in entries if (files[e.account, e.statement].id, e.key) not in known]
    found = await _payments(session, caller, {entry.reference for entry in new})
    for entry in new:
        file, key = files[entry.account, entry.statement], entry.key
        if (file.id, key) in known:
            raise invalid(FieldError(pointer="", code="entry_twice", detail="each reference of the bank once"))
        known.add((file.id, key))
        pair = found.get(entry.reference)
        outcome, why = await _match(session, caller, entry, pair)
        line = StatementLine(
            statement_id=file.id,
            line=entry.line,
            key=key,
            booked_on=entry.booked_on,
            direction=entry.direction,
            amount=entry.amount,
            currency=entry.currency,
            reference=entry.reference,
            outcome=outcome,
            why=why,
            payment_id=pair[1].id if pair else None,
        )
        session.add(line)
        await session.flush()
    for file in files.values():
        audit.record(session, caller, "import", "statement", file.id)
    return list(files.values())


async def _file(session: Session, caller: Caller, account: str, number: str, currency: str) -> StatementFile:
    await session.execute(
        insert(StatementFile)
        .values(
            id=new_id(), version=1, organisation=caller.organisation, account=account, number=number, currency=currency
        )
        .on_conflict_do_nothing()
    )
    rows = await session.scalars(
        select(StatementFile)
        .where(StatementFile.organisation == caller.organisation)
        .where(StatementFile.account == account, StatementFile.number == number)
        .with_for_update()
    )
    return rows.one()


async def _payments(session: Session, caller: Caller, references: set[str]) -> dict[str, tuple[Grant, Payment]]:
    """The payments that the references name, locked: grants, payments, budgets, each in the order of their ids."""
    fresh = {"populate_existing": True}
    ids = (
        await session.execute(
            select(Payment.grant_id, Payment.id, Payment.budget_id)
            .join(Grant, Grant.id == Payment.grant_id)
            .join(Budget, Budget.id == Payment.budget_id)
            .where(Payment.reference.in_(references))
            .where(or_(Grant.implementer == caller.organisation, Budget.organisation == caller.organisation))
        )
    ).all()
    for_grants = select(Grant).where(Grant.id.in_({row.grant_id for row in ids})).order_by(Grant.id)
    grants = {grant.id: grant for grant in await session.scalars(for_grants.with_for_update(), execution_options=fresh)}
    for_payments = select(Payment).where(Payment.id.in_({row.id for row in ids})).order_by(Payment.id)
    found = (await session.scalars(for_payments.with_for_update(), execution_options=fresh)).all()
    for budget_id in sorted({row.budget_id for row in ids}):
        await ledger.lock(session, budget_id)
    return {payment.reference: (grants[payment.grant_id], payment) for payment in found}


async def _match(session: Session, caller: Caller, entry: Entry, pair: tuple[Grant, Payment] | None) -> Outcome:
    if pair is None:
        return "unknown", "no_payment"
    grant, payment = pair
    if payment.payout_currency != entry.currency or payment.payout != entry.amount:
        return "mismatched", "amount_differs"
    before = await session.scalar(
        select(StatementLine.id)
        .where(StatementLine.payment_id == payment.id, StatementLine.direction == entry.direction)
        .where(StatementLine.outcome.in_(("matched", "reversed")))
        .limit(1)
    )
    if before is not None:
        return "mismatched", "paid_twice" if entry.direction == "debit" else "returned_twice"
    if entry.direction == "credit":
        if payment.state != PaymentState.CONFIRMED:
            return "mismatched", f"is_{payment.state}"
        await payments.reverse(session, caller, grant, payment, "returned_by_bank")
        return "reversed", None
    if payment.state == PaymentState.RELEASED:
        await payments.confirm(session, caller, grant, payment, confirmed_on=entry.booked_on, receipt=None)
    elif payment.state != PaymentState.CONFIRMED:
        return "mismatched", f"is_{payment.state}"
    return "matched", None
