"""Statements matched to payments, line by line; the same entry is booked once, however often it is
imported.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, or_, select, true

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import NOT_FOUND, FieldError, Problem, invalid
from chassis.ids import new_id
from contracts.grants import Question
from services.grants.books import ledger
from services.grants.models import Budget, Grant, Payment, StatementFile, StatementLine
from services.grants.payments.payments import outcomes as payments
from services.grants.payments.statements.rules import Entry
from services.grants.states import PaymentState

BY_BANK = (Question.PAID_AFTER_FAILURE, Question.PAID_TWICE)
NOT_SENT = (PaymentState.FAILED, PaymentState.REVERSED)
"""Payments of which the bank should have nothing to say any more."""
SETTLED = "is_settled"
log = structlog.get_logger("homeward.grants")

Outcome = tuple[str, str | None]
"""`matched`, `mismatched`, `unknown` or `reversed`, and a code for why."""


def seen_by(caller: Caller) -> ColumnElement[bool]:
    """Statements of the caller's organisation."""
    return true() if caller.is_internal else col(StatementFile.organisation) == caller.organisation


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


async def lines_of(
    session: Session, statement_ids: Sequence[UUID], first: int | None = None
) -> Sequence[StatementLine]:
    """The lines of statements, in order; all of them, or the first of each."""
    query = select(StatementLine).where(col(StatementLine.statement_id).in_(statement_ids))
    if first is not None:
        place = func.row_number().over(
            partition_by=col(StatementLine.statement_id), order_by=col(StatementLine.line)
        )
        numbered = query.with_only_columns(col(StatementLine.id), place.label("place")).subquery()
        query = query.where(
            col(StatementLine.id).in_(select(numbered.c.id).where(numbered.c.place <= first))
        )
    rows = await session.scalars(
        query.order_by(
            col(StatementLine.statement_id), col(StatementLine.line), col(StatementLine.id)
        )
    )
    return rows.all()


async def take_in(
    session: Session, caller: Caller, entries: Sequence[Entry]
) -> list[StatementFile]:
    """Match the entries of a file and book what they say: all of it, or nothing.

    Raises:
        Problem: 422.
    """
    if not entries:
        raise invalid(FieldError(pointer="", code="empty", detail="at least one entry"))
    files = {
        each: await _file(session, caller, *each)
        for each in sorted({entry.of for entry in entries})
    }
    lines = await lines_of(session, [file.id for file in files.values()])
    said = {(line.statement_id, line.key, line.direction) for line in lines}
    known = {(line.statement_id, line.key, _content(line)) for line in lines}
    new = [e for e in entries if (files[e.of].id, e.key, e.content) not in known]
    found = await _payments(session, caller, {entry.reference for entry in new})
    for entry in new:
        file, key = files[entry.of], entry.key
        if (file.id, key, entry.content) in known:
            raise invalid(FieldError(pointer="", code="entry_twice", detail="each entry once"))
        known.add((file.id, key, entry.content))
        pair = found.get(entry.reference)
        differs = (file.id, key, entry.direction) in said
        outcome, why = (
            ("mismatched", "differs_from_before")
            if differs
            else await _match(session, caller, entry, pair)
        )
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


def _content(line: StatementLine) -> tuple[date, str, Decimal, str]:
    """What a line says; see `Entry.content`."""
    return line.booked_on, line.direction, line.amount, line.reference


async def _file(
    session: Session, caller: Caller, account: str, year: int, number: str, currency: str
) -> StatementFile:
    await session.execute(
        insert(StatementFile)
        .values(
            id=new_id(),
            version=1,
            organisation=caller.organisation,
            account=account,
            year=year,
            number=number,
            currency=currency,
        )
        .on_conflict_do_nothing()
    )
    rows = await session.scalars(
        select(StatementFile)
        .where(StatementFile.organisation == caller.organisation)
        .where(
            StatementFile.account == account,
            StatementFile.year == year,
            StatementFile.number == number,
        )
        .with_for_update()
    )
    return rows.one()


async def _payments(
    session: Session, caller: Caller, references: set[str]
) -> dict[str, tuple[Grant, Payment]]:
    """The payments that the references name, locked: grants, payments, budgets, each in the order
    of their ids.
    """
    fresh = {"populate_existing": True}
    ids = (
        await session.execute(
            select(Payment.grant_id, Payment.id, Payment.budget_id)
            .join(Grant, col(Grant.id) == Payment.grant_id)
            .join(Budget, col(Budget.id) == Payment.budget_id)
            .where(col(Payment.reference).in_(references))
            .where(
                or_(
                    Grant.implementer == caller.organisation,
                    Budget.organisation == caller.organisation,
                )
            )
        )
    ).all()
    for_grants = (
        select(Grant)
        .where(col(Grant.id).in_({row.grant_id for row in ids}))
        .order_by(col(Grant.id))
    )
    grants = {
        grant.id: grant
        for grant in await session.scalars(for_grants.with_for_update(), execution_options=fresh)
    }
    for_payments = (
        select(Payment)
        .where(col(Payment.id).in_({row.id for row in ids}))
        .order_by(col(Payment.id))
    )
    found = (await session.scalars(for_payments.with_for_update(), execution_options=fresh)).all()
    for budget_id in sorted({row.budget_id for row in ids}):
        await ledger.lock_budget(session, budget_id)
    return {payment.reference: (grants[payment.grant_id], payment) for payment in found}


async def _match(
    session: Session, caller: Caller, entry: Entry, pair: tuple[Grant, Payment] | None
) -> Outcome:
    if pair is None:
        return "unknown", "no_payment"
    grant, payment = pair
    if payment.payout_currency != entry.currency or payment.payout != entry.amount:
        if entry.direction == "debit" and payment.state in NOT_SENT:
            await _ask(session, grant, payment, Question.PAID_AFTER_FAILURE)
        return "mismatched", "amount_differs"
    before = await session.scalar(
        select(col(StatementLine.id))
        .where(
            col(StatementLine.payment_id) == payment.id,
            col(StatementLine.direction) == entry.direction,
        )
        .where(
            col(StatementLine.outcome).in_(("matched", "reversed")),
            col(StatementLine.why).is_distinct_from(SETTLED),
        )
        .limit(1)
    )
    if entry.direction == "credit":
        return await _came_back(session, caller, grant, payment, again=before is not None)
    if before is not None:
        await _ask(session, grant, payment, Question.PAID_TWICE)
        return "mismatched", "paid_twice"
    if payment.state in NOT_SENT and not await payments.resurrect_failed_payment(
        session, caller, grant, payment
    ):
        await _ask(session, grant, payment, Question.PAID_AFTER_FAILURE)
        return "mismatched", f"is_{payment.state}"
    if payment.state == PaymentState.RELEASED:
        await payments.confirm(
            session, caller, grant, payment, confirmed_on=entry.booked_on, receipt=None
        )
    elif payment.state != PaymentState.CONFIRMED:
        return "mismatched", f"is_{payment.state}"
    return "matched", None


async def _came_back(
    session: Session, caller: Caller, grant: Grant, payment: Payment, *, again: bool
) -> Outcome:
    """The bank took a payment back: what it should not have paid, or what it should have."""
    if payment.questioned in BY_BANK:
        await payments.question(session, grant, payment, None)
        return "reversed", SETTLED
    if again:
        return "mismatched", "returned_twice"
    if payment.state != PaymentState.CONFIRMED:
        return "mismatched", f"is_{payment.state}"
    if payment.recovered:
        return "mismatched", "is_recovered"
    await payments.reverse(session, caller, grant, payment, "returned_by_bank", by_bank=True)
    return "reversed", None


async def _ask(session: Session, grant: Grant, payment: Payment, why: Question) -> None:
    """Money left the bank that the books do not have: people must see it."""
    log.warning("a bank paid what it should not have", payment=str(payment.id), why=why.value)
    await payments.question(session, grant, payment, why)
