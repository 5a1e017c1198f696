"""Payments are prepared: by a person, by the platform, and with the papers that they wait for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import CONFLICT, FOUR_EYES, FieldError, Problem, invalid, state_conflict
from chassis.ids import new_id
from chassis.loading import id_taken
from contracts import grants as events
from contracts.codes import Paper, PaymentMethod
from contracts.currencies import booked, paid_out, unit
from services.grants import people, supporting_documents
from services.grants.awards.grants import rules as grant_rules
from services.grants.awards.grants.loading import load_grant, lock_grant, lock_people
from services.grants.awards.grants.quotes import check_quoted
from services.grants.codes import PayeeKind
from services.grants.models import Grant, Payee, Payment
from services.grants.payees.service import require_payee
from services.grants.payments.payments import instalments, limits, rules
from services.grants.payments.payments.events import publish_payment_event
from services.grants.payments.payments.loading import load_payment, lock_payment
from services.grants.payments.payments.rules import MACHINE, Action
from services.grants.programmes.data import assistance
from services.grants.statement_files.references import default_reference
from services.grants.states import PaymentState


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """What is to be paid.

    Attributes:
        method: How.
        amount: In the budget's currency.
        currency: The budget's.
        payout_currency: What is handed over.
        rate: Units of the payout currency for one of the budget's; None where they are the same.
        rate_on: The day of the rate.
        rate_source: Who published it.
        payee_id: To whom; None for cash to the returnee.
        instalment: Which part of the grant, from 1.
        papers: Kinds and documents.
        due_on: When.
        id: Chosen by the client, or None.
        reference: Chosen by the payer, or None.
        reimbursement: Whether it gives the returnee back what they laid out.
    """

    method: PaymentMethod
    amount: Decimal
    currency: str
    payout_currency: str
    rate: Decimal | None
    rate_on: date | None
    rate_source: str | None
    payee_id: UUID | None
    instalment: int
    papers: tuple[tuple[Paper, UUID], ...]
    due_on: date | None
    id: UUID | None = None
    reference: str | None = None
    reimbursement: bool = False


async def schedule(
    session: Session, caller: Caller, grant_id: UUID, order: PaymentOrder
) -> Payment:
    """Prepare a payment within its grant, its instalment and, for cash, its package.

    Raises:
        Problem: 404, 403, 409 (also `grant-exceeded`, `ceiling-exceeded`, `programme-rule`), 422.
    """
    seen = await load_grant(session, caller, grant_id)
    await lock_people(session, seen.returnee_id)
    grant = await lock_grant(session, caller, grant_id)
    scheduler = people.actor(caller.require_person())
    await limits.check_sender(session, grant, scheduler)
    grant_rules.MACHINE.require(grant, grant_rules.Action.PAY)
    existing = await _load_scheduled(session, grant, order)
    if existing is not None:
        return existing
    if order.currency != grant.currency:
        detail = f"the grant's: {grant.currency}"
        raise invalid(FieldError(pointer="/amount/currency", code="currency", detail=detail))
    allowed = assistance(grant.programme, grant.programme_version)
    amount, payout, rate = _amounts(order, allowed.cash_step(order.payout_currency))
    await instalments.check_instalment(session, grant, order.instalment, amount)
    payee = await _payee_of(session, grant, order)
    payee_kind = payee.kind if payee else None
    if payee is not None:
        await check_quoted(session, grant, payee.id, amount)
    as_cash = await limits.counts_as_cash(
        session, grant, order.method, payee_kind, amount, reimbursement=order.reimbursement
    )
    payment_id = order.id or new_id()
    payment = Payment(
        id=payment_id,
        grant_id=grant.id,
        budget_id=grant.budget_id,
        returnee_id=grant.returnee_id,
        reference=order.reference or default_reference(payment_id),
        method=order.method,
        payee_id=payee.id if payee else None,
        instalment=order.instalment,
        amount=amount,
        currency=grant.currency,
        payout=payout,
        payout_currency=order.payout_currency,
        rate=rate,
        rate_on=order.rate_on,
        rate_source=order.rate_source,
        as_cash=as_cash,
        reimbursement=order.reimbursement,
        due_on=order.due_on,
        state=PaymentState.SCHEDULED,
        papers=_cited_papers(order.papers),
        papers_there=[],
        papers_needed=rules.papers_needed(
            allowed.papers, order.method, payee_kind, reimbursement=order.reimbursement
        ),
        scheduled_by=scheduler,
    )
    session.add(payment)
    try:
        await session.flush()
    except IntegrityError:
        raise Problem(CONFLICT, "the id or the reference is taken by another payment") from None
    await _cite(session, payment, order.papers)
    publish_payment_event(session, grant, payment, events.PaymentScheduled, due_on=order.due_on)
    audit.record(session, caller, "schedule", MACHINE.resource, payment.id)
    return payment


async def _load_scheduled(session: Session, grant: Grant, order: PaymentOrder) -> Payment | None:
    """Load the payment that was prepared before under the same id.

    Raises:
        Problem: 409, it is another one.
    """
    existing = await session.get(Payment, order.id) if order.id is not None else None
    if existing is not None and (existing.grant_id, existing.method) != (grant.id, order.method):
        raise id_taken()
    return existing


def _cited_papers(cited: Sequence[tuple[Paper, UUID]]) -> list[dict[str, str]]:
    return [{"kind": kind.value, "document": str(document)} for kind, document in cited]


async def _cite(session: Session, payment: Payment, cited: Sequence[tuple[Paper, UUID]]) -> None:
    """Have cases asked for papers; those that it is known to have are on file at once."""
    documents = [document for _, document in cited]
    if documents:
        await supporting_documents.cite(session, payment.grant_id, documents)
        proved = await supporting_documents.proved(session, payment.grant_id, cited)
        payment.papers_there = sorted(proved.union(payment.papers_there))


async def add_papers(
    session: Session, caller: Caller, payment_id: UUID, cited: Sequence[tuple[Paper, UUID]]
) -> Payment:
    """Add papers to a payment that waits for them.

    Raises:
        Problem: 404, 403, 409.
    """
    _, payment = await lock_payment(session, caller, payment_id)
    if payment.state is not PaymentState.SCHEDULED:
        raise state_conflict(payment.state, MACHINE.allowed(payment.state), "papers")
    new = [paper for paper in _cited_papers(cited) if paper not in payment.papers]
    payment.papers = [*payment.papers, *new]
    await _cite(session, payment, cited)
    payment.changed()
    await session.flush()
    audit.record(session, caller, "papers", MACHINE.resource, payment.id)
    return payment


def _amounts(order: PaymentOrder, step: Decimal | None) -> tuple[Decimal, Decimal, Decimal]:
    """What the budget bears, what is handed over, and the rate. Rounding never pays more than was
    asked for.
    """
    same = order.payout_currency == order.currency
    rate = Decimal(1) if same else order.rate
    if rate is None or (not same and (order.rate_on is None or order.rate_source is None)):
        detail = "the rate, its day and its source"
        raise invalid(FieldError(pointer="/rate", code="rate_missing", detail=detail))
    cash = step if order.method is PaymentMethod.CASH else None
    payout = paid_out(order.amount, rate, order.payout_currency, cash)
    amount = min(booked(payout, rate, order.currency), order.amount)
    if payout < unit(order.payout_currency) or amount <= 0:
        detail = "more than the smallest cash in use"
        raise invalid(FieldError(pointer="/amount", code="too_small", detail=detail))
    return amount, payout, rate


async def _payee_of(session: Session, grant: Grant, order: PaymentOrder) -> Payee | None:
    if order.payee_id is not None:
        return await require_payee(session, order.payee_id, grant.implementer)
    if order.method is not PaymentMethod.CASH:
        detail = "who is paid, unless it is cash"
        raise invalid(FieldError(pointer="/payee_id", code="missing", detail=detail))
    return None


async def name_payee(
    session: Session, caller: Caller, payment_id: UUID, precondition: Precondition, payee_id: UUID
) -> Payment:
    """Say who is paid what was earned. Whoever says it had a part in it, and does not release it.

    Raises:
        Problem: 404; 403, also `four-eyes` where another person prepared it; 409, 412, 422, 428.
    """
    seen = await load_payment(session, caller, payment_id)
    await lock_people(session, seen.returnee_id)
    grant, payment = await lock_payment(session, caller, payment_id)
    MACHINE.require(payment, Action.RELEASE, precondition)
    preparer = people.actor(caller.require_person())
    if payment.scheduled_by not in {people.SYSTEM_ACTOR, preparer}:
        raise Problem(FOUR_EYES, "who prepared the payment names the payee")
    await limits.check_sender(session, grant, preparer)
    payee = await require_payee(session, payee_id, grant.implementer)
    if payment.method is not PaymentMethod.CASH and not limits.is_allowance(grant, payment):
        await _pay_another(session, grant, payment, payee)
    payment.payee_id, payment.scheduled_by = payee.id, preparer
    payment.changed()
    await session.flush()
    audit.record(session, caller, "name-payee", MACHINE.resource, payment.id)
    return payment


async def _pay_another(session: Session, grant: Grant, payment: Payment, payee: Payee) -> None:
    """Let a payment count as cash, be a reimbursement and wait for papers as its new payee asks."""
    payment.as_cash = False
    payment.reimbursement = payment.reimbursement and payee.kind is PayeeKind.RETURNEE
    await session.flush()  # it does not count as cash against itself
    payment.as_cash = await limits.counts_as_cash(
        session,
        grant,
        payment.method,
        payee.kind,
        payment.amount,
        reimbursement=payment.reimbursement,
    )
    if payment.session is None:
        payment.papers_needed = rules.papers_needed(
            assistance(grant.programme, grant.programme_version).papers,
            payment.method,
            payee.kind,
            reimbursement=payment.reimbursement,
        )
