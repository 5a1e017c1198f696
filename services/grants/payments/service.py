"""Payments: scheduled, released by a third person, confirmed with a receipt; reversed or recovered, never deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func, not_, or_, select, true
from sqlalchemy.exc import IntegrityError

from chassis import audit
from chassis.access import visible
from chassis.aliases import same_person
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import (
    CONFLICT,
    FORBIDDEN,
    FOUR_EYES,
    NOT_FOUND,
    PRECONDITION_FAILED,
    FieldError,
    Problem,
    invalid,
    state_conflict,
)
from chassis.ids import new_id
from chassis.outbox import publish
from contracts import grants as facts
from contracts.codes import GrantKind, Paper, PaymentMethod
from contracts.currencies import booked, paid_out, unit
from services.grants import papers, people
from services.grants.budgets import ledger
from services.grants.budgets.ledger import Cause, Movement
from services.grants.grants import rules as grant_rules
from services.grants.grants import service as grants
from services.grants.grants.rules import GrantState
from services.grants.models import Approval, CashFloat, Grant, Payee, Payment
from services.grants.payments import instalments, rules
from services.grants.payments.rules import Action, PaymentState
from services.grants.programmes.data import assistance
from services.grants.schemas import money

RESOURCE = "payment"
TO_AN_ACCOUNT = (PaymentMethod.BANK, PaymentMethod.MOBILE, PaymentMethod.SUPPLIER)
FINAL_OF_GRANT = (GrantState.CLOSED, GrantState.CANCELLED, GrantState.REJECTED)


@dataclass(frozen=True, slots=True)
class Order:
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


def listed(
    caller: Caller,
    *,
    programme: str | None,
    state: PaymentState | None,
    method: PaymentMethod | None,
    returnee_id: UUID | None,
    grant_id: UUID | None,
    budget_id: UUID | None,
    questioned: bool | None,
    erased: bool,
    updated_since: Any,
) -> Select[Any]:
    """Payments for people in whose return the caller takes part; or else those on their way to who was erased."""
    query: Select[Any] = select(Payment).where(of_nobody(caller) if erased else visible(Payment.returnee_id, caller))
    for column, value in (
        (Payment.state, state),
        (Payment.method, method),
        (Payment.returnee_id, returnee_id),
        (Payment.grant_id, grant_id),
        (Payment.budget_id, budget_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if programme is not None:
        query = query.where(Payment.grant_id.in_(select(Grant.id).where(Grant.programme == programme)))
    if questioned is not None:
        open_ = Payment.questioned.is_not(None) & Payment.state.in_((PaymentState.RELEASED, PaymentState.CONFIRMED))
        query = query.where(open_ if questioned else not_(open_))
    if updated_since is not None:
        query = query.where(Payment.updated_at >= updated_since)
    return query


def of_nobody(caller: Caller) -> ColumnElement[bool]:
    """Money that the caller's organisation sent to somebody who was erased since, until it has arrived or come back.

    Nobody takes part in that return any more, and yet it is accounted for: by a statement, or by who sent it.
    """
    sent = true() if caller.is_internal else Grant.implementer == caller.organisation
    return (
        Payment.returnee_id.is_(None)
        & (Payment.state == PaymentState.RELEASED)
        & exists(select(1).where(Grant.id == Payment.grant_id, sent).correlate(Payment))
    )


async def find(session: Session, payment_id: UUID, caller: Caller) -> Payment:
    """A payment that the caller may know of.

    Raises:
        Problem: 404.
    """
    payment: Payment | None = await session.scalar(
        select(Payment).where(Payment.id == payment_id, or_(visible(Payment.returnee_id, caller), of_nobody(caller)))
    )
    if payment is None:
        raise Problem(NOT_FOUND)
    return payment


async def locked(session: Session, payment_id: UUID, caller: Caller) -> tuple[Grant, Payment]:
    """A payment to work on and its grant, locked in that order.

    Raises:
        Problem: 404, or 403 for who only referred the person.
    """
    seen = or_(visible(Payment.returnee_id, caller), of_nobody(caller))
    found = await session.execute(
        _both(payment_id, people.works_for(Payment.returnee_id, caller)).where(seen),
        execution_options={"populate_existing": True},
    )
    row = found.one_or_none()
    if row is None:
        raise Problem(NOT_FOUND)
    grant, payment, works = row
    if not works:
        raise Problem(FORBIDDEN, people.WHO_WORKS)
    return grant, payment


async def lock(session: Session, payment_id: UUID) -> tuple[Grant, Payment]:
    """A payment and its grant, locked in that order."""
    found = await session.execute(_both(payment_id, true()), execution_options={"populate_existing": True})
    grant, payment, _ = found.one()
    return grant, payment


def _both(payment_id: UUID, also: ColumnElement[bool]) -> Select[Grant, Payment, bool]:
    """The rows are locked in the order in which they are named."""
    query = select(Grant, Payment, also).join(Payment, Payment.grant_id == Grant.id).where(Payment.id == payment_id)
    return query.with_for_update(of=(Grant, Payment))


async def schedule(session: Session, caller: Caller, grant_id: UUID, order: Order) -> Payment:
    """Prepare a payment within its grant, its instalment and, for cash, its package.

    Raises:
        Problem: 404, 403, 409 (also `grant-exceeded`, `ceiling-exceeded`, `programme-rule`), 422.
    """
    seen = await grants.find(session, grant_id, caller)
    if order.method is PaymentMethod.CASH:
        await grants.lock_people(session, seen.returnee_id)
    grant = await grants.locked(session, grant_id, caller)
    scheduler = people.actor(caller.require_person())
    grant_rules.after(grant.state, grant_rules.Action.PAY)
    allowed = assistance(grant.programme, grant.programme_version)
    if order.id is not None:
        there = await session.get(Payment, order.id)
        if there is not None:
            if (there.grant_id, there.method) != (grant.id, order.method):
                raise Problem(CONFLICT, "the id is taken by something else")
            return there
    if order.currency != grant.currency:
        raise invalid(FieldError(pointer="/amount/currency", code="currency", detail=f"the grant's: {grant.currency}"))
    amount, payout, rate = _amounts(order, allowed.cash_step(order.payout_currency))
    await instalments.check(session, grant, order.instalment, amount)
    if order.method is PaymentMethod.CASH:
        await _check_cash(session, grant, amount)
    payee = await _payee(session, grant, order)
    if payee is not None:
        await grants.check_quoted(session, grant, payee.id, amount)
    payment_id = order.id or new_id()
    payment = Payment(
        id=payment_id,
        grant_id=grant.id,
        budget_id=grant.budget_id,
        returnee_id=grant.returnee_id,
        reference=order.reference or grants.reference_of(payment_id),
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
        due_on=order.due_on,
        state=PaymentState.SCHEDULED,
        papers=_listed(order.papers),
        papers_there=[],
        papers_needed=sorted(allowed.papers.by_method.get(order.method, ())),
        scheduled_by=scheduler,
    )
    session.add(payment)
    try:
        await session.flush()
    except IntegrityError:
        raise Problem(CONFLICT, "the id or the reference is taken by another payment") from None
    await _cite(session, payment, order.papers)
    grants.publish_payment(session, grant, payment, facts.PaymentScheduled, due_on=order.due_on)
    audit.record(session, caller, "schedule", RESOURCE, payment.id)
    return payment


def _listed(cited: Sequence[tuple[Paper, UUID]]) -> list[dict[str, str]]:
    return [{"kind": kind.value, "document": str(document)} for kind, document in cited]


async def _cite(session: Session, payment: Payment, cited: Sequence[tuple[Paper, UUID]]) -> None:
    """Have cases asked for papers; those that it is known to have are there at once."""
    documents = [document for _, document in cited]
    if documents:
        await papers.cite(session, payment.grant_id, documents)
        there = await papers.proved(session, payment.grant_id, cited)
        payment.papers_there = sorted(there.union(payment.papers_there))


async def add_papers(
    session: Session, caller: Caller, payment_id: UUID, cited: Sequence[tuple[Paper, UUID]]
) -> Payment:
    """Add papers to a payment that waits for them.

    Raises:
        Problem: 404, 403, 409.
    """
    _, payment = await locked(session, payment_id, caller)
    if payment.state != PaymentState.SCHEDULED:
        raise state_conflict(payment.state, list(rules.TRANSITIONS[PaymentState(payment.state)]), "papers")
    new = [paper for paper in _listed(cited) if paper not in payment.papers]
    payment.papers = [*payment.papers, *new]
    await _cite(session, payment, cited)
    payment.changed()
    await session.flush()
    audit.record(session, caller, "papers", RESOURCE, payment.id)
    return payment


def _amounts(order: Order, step: Decimal | None) -> tuple[Decimal, Decimal, Decimal]:
    """What the budget bears, what is handed over, and the rate. Rounding never pays more than was asked for."""
    same = order.payout_currency == order.currency
    rate = Decimal(1) if same else order.rate
    if rate is None or (not same and (order.rate_on is None or order.rate_source is None)):
        raise invalid(FieldError(pointer="/rate", code="rate_missing", detail="the rate, its day and its source"))
    cash = step if order.method is PaymentMethod.CASH else None
    payout = paid_out(order.amount, rate, order.payout_currency, cash)
    amount = min(booked(payout, rate, order.currency), order.amount)
    if payout < unit(order.payout_currency) or amount <= 0:
        raise invalid(FieldError(pointer="/amount", code="too_small", detail="more than the smallest cash in use"))
    return amount, payout, rate


async def live(session: Session, grant_id: UUID) -> Decimal:
    """What is on its way or was spent of a grant."""
    query = select(func.coalesce(func.sum(Payment.amount), 0)).where(Payment.grant_id == grant_id, Payment.live)
    return Decimal((await session.execute(query)).scalar_one())


async def _check_cash(session: Session, grant: Grant, amount: Decimal) -> None:
    package = assistance(grant.programme, grant.programme_version).packages[grant.package]
    already = await in_cash(session, grant)
    grant_rules.check_cash(grant.package, package, GrantKind(grant.kind), already, amount, grant.currency)


async def in_cash(session: Session, grant: Grant) -> Decimal:
    """What the person of a grant was given of its package in cash, or is going to be."""
    ids = await same_person(session, grant.returnee_id) if grant.returnee_id else []
    query = (
        select(func.coalesce(func.sum(Payment.amount), 0))
        .join(Grant, Grant.id == Payment.grant_id)
        .where(Payment.returnee_id.in_(ids), Payment.method == PaymentMethod.CASH, Payment.live)
        .where(Grant.package == grant.package)
    )
    return Decimal((await session.execute(query)).scalar_one())


async def _payee(session: Session, grant: Grant, order: Order) -> Payee | None:
    if order.payee_id is None:
        if order.method is not PaymentMethod.CASH:
            raise invalid(FieldError(pointer="/payee_id", code="missing", detail="who is paid, unless it is cash"))
        return None
    return await _known_payee(session, grant, order.payee_id)


async def _known_payee(session: Session, grant: Grant, payee_id: UUID) -> Payee:
    payee: Payee | None = await session.scalar(
        select(Payee).where(Payee.id == payee_id, Payee.organisation == grant.implementer)
    )
    if payee is None:
        raise invalid(FieldError(pointer="/payee_id", code="unknown_payee", detail="a payee of the organisation"))
    return payee


async def release(
    session: Session, caller: Caller, payment_id: UUID, precondition: Precondition, float_id: UUID | None
) -> Payment:
    """A third person lets the money go.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409 (also `papers-missing`, `payee-not-verified`, `float-exhausted`),
            412, 428.
    """
    grant, payment = await locked(session, payment_id, caller)
    precondition.check(payment.version)
    return await let_go(session, caller, grant, payment, float_id)


async def release_many(session: Session, caller: Caller, wanted: list[tuple[UUID, int]]) -> list[Payment]:
    """A third person lets the money of several payments go: of all of them, or of none.

    Args:
        session: The session.
        caller: Who.
        wanted: Payments, each with the version that was seen.

    Raises:
        Problem: As `release`.
    """
    versions = dict(wanted)
    seen = await session.scalars(
        select(Payment.id)
        .where(Payment.id.in_(versions), visible(Payment.returnee_id, caller))
        .order_by(Payment.grant_id, Payment.id)
    )
    ids = seen.all()
    if len(ids) < len(versions):
        raise Problem(NOT_FOUND)
    released = []
    for payment_id in ids:
        grant, payment = await locked(session, payment_id, caller)
        if payment.version != versions[payment_id]:
            raise Problem(PRECONDITION_FAILED)
        released.append(await let_go(session, caller, grant, payment, None))
    return released


async def let_go(session: Session, caller: Caller, grant: Grant, payment: Payment, float_id: UUID | None) -> Payment:
    """Release a locked payment; see `release`."""
    state = rules.after(payment.state, Action.RELEASE)
    grant_rules.after(grant.state, grant_rules.Action.PAY)
    releaser = people.actor(caller.require_person())
    approvers = list(await session.scalars(select(Approval.actor).where(Approval.grant_id == grant.id)))
    rules.check_releaser(releaser, grant.preparers, approvers, payment.scheduled_by)
    if Paper.HANDOVER_CERTIFICATE in set(payment.papers_needed) - set(payment.papers_there):
        handed_over = await papers.handed_over(session, grant)
        there = {Paper.HANDOVER_CERTIFICATE.value} if handed_over is not None else set()
        payment.papers_there = sorted(there.union(payment.papers_there))
    rules.check_papers(payment.papers_needed, payment.papers_there)
    if grant.parts:
        rules.check_papers(*await papers.of_cooperative(session, grant.id))
    used_on = payment.due_on if payment.session is not None else await papers.handed_over(session, grant)
    await grants.check_used(session, grant, used_on or await grants.today(session))
    if payment.session is not None:
        rules.check_due(payment.due_on, await grants.today(session))
    if payment.method in TO_AN_ACCOUNT:
        payee = await _account(session, grant, payment)
        if payee is None or payee.state != "verified":
            raise Problem(rules.PAYEE_NOT_VERIFIED)
        payment.payee_id = payee.id
    if float_id is not None:
        await _draw(session, grant, payment, float_id)
    payment.state, payment.released_by, payment.released_at = state, releaser, now()
    payment.changed()
    await session.flush()
    grants.publish_payment(session, grant, payment, facts.PaymentReleased)
    audit.record(session, caller, "release", RESOURCE, payment.id)
    return payment


async def _account(session: Session, grant: Grant, payment: Payment) -> Payee | None:
    """Whose account it goes to: who was named, else the one that the person themselves has."""
    query = select(Payee).with_for_update(read=True)
    if payment.payee_id is not None:
        query = query.where(Payee.id == payment.payee_id)
    elif payment.returnee_id is not None and grant.kind != GrantKind.WAGE_SUBSIDY:
        ids = await same_person(session, payment.returnee_id)
        query = query.where(Payee.returnee_id.in_(ids), Payee.organisation == grant.implementer)
        query = query.where(Payee.kind == "returnee", Payee.state == "verified").order_by(Payee.id.desc()).limit(1)
    else:
        return None
    payee: Payee | None = await session.scalar(query, execution_options={"populate_existing": True})
    return payee


async def name_payee(
    session: Session, caller: Caller, payment_id: UUID, precondition: Precondition, payee_id: UUID
) -> Payment:
    """Say who is paid what was earned. Whoever says it had a part in it, and does not release it.

    Raises:
        Problem: 404; 403, also `four-eyes` where another person prepared it; 409, 412, 422, 428.
    """
    grant, payment = await locked(session, payment_id, caller)
    precondition.check(payment.version)
    rules.after(payment.state, Action.RELEASE)
    preparer = people.actor(caller.require_person())
    if payment.scheduled_by not in {people.SYSTEM_ACTOR, preparer}:
        raise Problem(FOUR_EYES, "who prepared the payment names the payee")
    payment.payee_id = (await _known_payee(session, grant, payee_id)).id
    payment.scheduled_by = preparer
    payment.changed()
    await session.flush()
    audit.record(session, caller, "name-payee", RESOURCE, payment.id)
    return payment


async def _draw(session: Session, grant: Grant, payment: Payment, float_id: UUID) -> None:
    cash: CashFloat | None = await session.scalar(
        select(CashFloat)
        .where(CashFloat.id == float_id, CashFloat.organisation == grant.implementer)
        .with_for_update(),
        execution_options={"populate_existing": True},
    )
    if cash is None or payment.method != PaymentMethod.CASH or cash.currency != payment.payout_currency:
        raise invalid(
            FieldError(pointer="/float_id", code="unsuitable_float", detail="an open float in the currency of the cash")
        )
    if cash.state != "open":
        raise state_conflict(cash.state, [], "draw")
    if cash.drawn + payment.payout > cash.amount:
        left = {"amount": format(cash.amount - cash.drawn, "f"), "currency": cash.currency}
        raise Problem(rules.FLOAT_EMPTY, left=left)
    cash.drawn += payment.payout
    cash.changed()
    payment.float_id = cash.id
    publish(
        session,
        facts.CashFloatDrawn(
            float_id=cash.id,
            organisation=cash.organisation,
            port_of_entry=cash.port_of_entry,
            amount=money(payment.payout, payment.payout_currency),
            payment_id=payment.id,
        ),
    )


async def _put_back(session: Session, payment: Payment) -> None:
    if payment.float_id is None:
        return
    cash = await session.scalars(
        select(CashFloat).where(CashFloat.id == payment.float_id).with_for_update(),
        execution_options={"populate_existing": True},
    )
    there = cash.one()
    if there.state != "open":
        raise state_conflict(there.state, [], "put the cash back")
    there.drawn -= payment.payout
    there.changed()


async def confirm(
    session: Session, caller: Caller, grant: Grant, payment: Payment, *, confirmed_on: date, receipt: UUID | None
) -> Payment:
    """Note that a locked payment was received; now it is spent.

    Raises:
        Problem: 409.
    """
    payment.state = rules.after(payment.state, Action.CONFIRM)
    payment.confirmed_on, payment.receipt = confirmed_on, receipt
    payment.changed()
    budget = await ledger.lock(session, payment.budget_id)
    actor = people.actor(caller.person) if caller.person else people.SYSTEM_ACTOR
    await ledger.move(session, budget, Movement.PAY, payment.amount, Cause(actor, grant.id, payment.id))
    await session.flush()
    grants.publish_payment(session, grant, payment, facts.PaymentConfirmed, confirmed_on=confirmed_on)
    audit.record(session, caller, "confirm", RESOURCE, payment.id)
    await instalments.schedule_next(session, grant)
    return payment


async def fail(session: Session, caller: Caller, grant: Grant, payment: Payment, reason: str) -> Payment:
    """Note that a locked payment reaches nobody; its amount is the grant's again.

    Raises:
        Problem: 409.
    """
    payment.state, payment.reason = rules.after(payment.state, Action.FAIL), reason
    payment.changed()
    await _put_back(session, payment)
    await session.flush()
    grants.publish_payment(session, grant, payment, facts.PaymentFailed)
    audit.record(session, caller, "fail", RESOURCE, payment.id, {"reason": reason})
    return payment


async def reverse(session: Session, caller: Caller, grant: Grant, payment: Payment, reason: str) -> Payment:
    """Book back a locked payment that came back; of a closed grant, or one that has moved, it is available again.

    Raises:
        Problem: 409.
    """
    payment.state, payment.reason = rules.after(payment.state, Action.REVERSE), reason
    payment.changed()
    await _put_back(session, payment)
    budget = await ledger.lock(session, payment.budget_id)
    actor = people.actor(caller.person) if caller.person else people.SYSTEM_ACTOR
    await ledger.move(session, budget, Movement.REVERSE, payment.amount, Cause(actor, grant.id, payment.id))
    if grant.state in FINAL_OF_GRANT or payment.budget_id != grant.budget_id:
        await ledger.move(session, budget, Movement.GIVE_BACK, payment.amount, Cause(actor, grant.id))
        grant.counted -= payment.amount
        if grant.state not in FINAL_OF_GRANT:  # it has moved to another budget, and is smaller by what came back here
            grant.amount -= payment.amount
        grant.changed()
    await session.flush()
    grants.publish_payment(session, grant, payment, facts.PaymentReversed)
    audit.record(session, caller, "reverse", RESOURCE, payment.id, {"reason": reason})
    return payment


async def recover(session: Session, caller: Caller, grant: Grant, payment: Payment, reason: str) -> Payment:
    """Book that what a locked payment paid was recovered. It is not granted again by itself.

    Raises:
        Problem: 409.
    """
    payment.state, payment.reason = rules.after(payment.state, Action.RECOVER), reason
    payment.changed()
    budget = await ledger.lock(session, payment.budget_id)
    actor = people.actor(caller.person) if caller.person else people.SYSTEM_ACTOR
    await ledger.move(session, budget, Movement.RECOVER, payment.amount, Cause(actor, grant.id, payment.id))
    await session.flush()
    grants.publish_payment(session, grant, payment, facts.PaymentRecovered)
    audit.record(session, caller, "recover", RESOURCE, payment.id, {"reason": reason})
    return payment
