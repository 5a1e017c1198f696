"""Payments: scheduled, released by a third person, confirmed with a receipt; reversed or recovered,
never deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, not_, or_, select, true

from chassis import audit
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
from contracts.codes import HelpKind, Money, Paper, PaymentMethod
from contracts.currencies import booked, paid_out, unit
from participation.access import visible
from participation.aliases import same_person
from services.grants import people, supporting_documents
from services.grants.awards.grants import rules as grant_rules
from services.grants.awards.grants import service as grants
from services.grants.awards.grants.rules import GrantState
from services.grants.books import ledger
from services.grants.books.ledger import Cause, Movement
from services.grants.models import Approval, CashFloat, DeskReceipt, Grant, Payee, Payment
from services.grants.payments.days import check_received
from services.grants.payments.payments import instalments, rules
from services.grants.payments.payments.rules import Action, PaymentState
from services.grants.programmes.data import assistance, zone_of
from services.grants.schemas import money
from services.grants.statement_files.references import default_reference

RESOURCE = "payment"
TO_AN_ACCOUNT = (PaymentMethod.BANK, PaymentMethod.MOBILE, PaymentMethod.SUPPLIER)
OPEN = (PaymentState.SCHEDULED, PaymentState.RELEASED, PaymentState.CONFIRMED)
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
    """Payments for people in whose return the caller takes part; or else those on their way to who
    was erased.
    """
    query: Select[Any] = select(Payment).where(
        of_nobody(caller) if erased else visible(col(Payment.returnee_id), caller)
    )
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
        query = query.where(
            col(Payment.grant_id).in_(
                select(col(Grant.id)).where(col(Grant.programme) == programme)
            )
        )
    if questioned is not None:
        sent = col(Payment.state).in_((PaymentState.RELEASED, PaymentState.CONFIRMED))
        by_bank = col(Payment.questioned).is_not_distinct_from(facts.Question.PAID_AFTER_FAILURE)
        open_ = col(Payment.questioned).is_not(None) & (sent | by_bank)
        query = query.where(open_ if questioned else not_(open_))
    if updated_since is not None:
        query = query.where(Payment.updated_at >= updated_since)
    return query


def unmatched_receipts(caller: Caller) -> Select[Any]:
    """Pocket money that a desk handed over to people of the caller's, and that is the receipt of no
    payment.
    """
    answered = select(Payment.id).where(Payment.receipt == DeskReceipt.assistance_id)
    return select(DeskReceipt).where(
        visible(col(DeskReceipt.returnee_id), caller), not_(exists(answered))
    )


def of_nobody(caller: Caller) -> ColumnElement[bool]:
    """Money that the caller's organisation sent to somebody who was erased since, until it has
    arrived or come back.

    Nobody takes part in that return any more, and yet it is accounted for: by a statement, or by
    who sent it.
    """
    sent = true() if caller.is_internal else Grant.implementer == caller.organisation
    return (
        col(Payment.returnee_id).is_(None)
        & (col(Payment.state) == PaymentState.RELEASED)
        & exists(select(1).where(col(Grant.id) == Payment.grant_id, sent).correlate(Payment))
    )


async def find(session: Session, payment_id: UUID, caller: Caller) -> Payment:
    """A payment that the caller may know of.

    Raises:
        Problem: 404.
    """
    payment: Payment | None = await session.scalar(
        select(Payment).where(
            col(Payment.id) == payment_id,
            or_(visible(col(Payment.returnee_id), caller), of_nobody(caller)),
        )
    )
    if payment is None:
        raise Problem(NOT_FOUND)
    return payment


async def locked(session: Session, payment_id: UUID, caller: Caller) -> tuple[Grant, Payment]:
    """A payment to work on and its grant, locked in that order.

    Raises:
        Problem: 404, or 403 for who only referred the person.
    """
    seen = or_(visible(col(Payment.returnee_id), caller), of_nobody(caller))
    found = await session.execute(
        _both(payment_id, people.works_for(col(Payment.returnee_id), caller)).where(seen),
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
    found = await session.execute(
        _both(payment_id, true()), execution_options={"populate_existing": True}
    )
    grant, payment, _ = found.one()
    return grant, payment


def _both(payment_id: UUID, also: ColumnElement[bool]) -> Select[Grant, Payment, bool]:
    """The rows are locked in the order in which they are named."""
    query = (
        select(Grant, Payment, also)
        .join(Payment, col(Payment.grant_id) == Grant.id)
        .where(Payment.id == payment_id)
    )
    return query.with_for_update(of=(Grant, Payment))


async def schedule(session: Session, caller: Caller, grant_id: UUID, order: Order) -> Payment:
    """Prepare a payment within its grant, its instalment and, for cash, its package.

    Raises:
        Problem: 404, 403, 409 (also `grant-exceeded`, `ceiling-exceeded`, `programme-rule`), 422.
    """
    seen = await grants.find(session, grant_id, caller)
    await grants.lock_people(session, seen.returnee_id)
    grant = await grants.locked(session, grant_id, caller)
    scheduler = people.actor(caller.require_person())
    await _check_sends(session, grant, scheduler)
    grant_rules.after(grant.state, grant_rules.Action.PAY)
    allowed = assistance(grant.programme, grant.programme_version)
    if order.id is not None:
        there = await session.get(Payment, order.id)
        if there is not None:
            if (there.grant_id, there.method) != (grant.id, order.method):
                raise Problem(CONFLICT, "the id is taken by something else")
            return there
    if order.currency != grant.currency:
        raise invalid(
            FieldError(
                pointer="/amount/currency", code="currency", detail=f"the grant's: {grant.currency}"
            )
        )
    amount, payout, rate = _amounts(order, allowed.cash_step(order.payout_currency))
    await instalments.check(session, grant, order.instalment, amount)
    payee = await _payee(session, grant, order)
    kind = payee.kind if payee else None
    if payee is not None:
        await grants.check_quoted(session, grant, payee.id, amount)
    as_cash = await _in_hand(
        session, grant, order.method, kind, amount, reimbursement=order.reimbursement
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
        papers=_listed(order.papers),
        papers_there=[],
        papers_needed=rules.papers_needed(
            allowed.papers, order.method, kind, reimbursement=order.reimbursement
        ),
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
        await supporting_documents.cite(session, payment.grant_id, documents)
        there = await supporting_documents.proved(session, payment.grant_id, cited)
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
        raise state_conflict(
            payment.state, list(rules.TRANSITIONS[PaymentState(payment.state)]), "papers"
        )
    new = [paper for paper in _listed(cited) if paper not in payment.papers]
    payment.papers = [*payment.papers, *new]
    await _cite(session, payment, cited)
    payment.changed()
    await session.flush()
    audit.record(session, caller, "papers", RESOURCE, payment.id)
    return payment


def _amounts(order: Order, step: Decimal | None) -> tuple[Decimal, Decimal, Decimal]:
    """What the budget bears, what is handed over, and the rate. Rounding never pays more than was
    asked for.
    """
    same = order.payout_currency == order.currency
    rate = Decimal(1) if same else order.rate
    if rate is None or (not same and (order.rate_on is None or order.rate_source is None)):
        raise invalid(
            FieldError(
                pointer="/rate", code="rate_missing", detail="the rate, its day and its source"
            )
        )
    cash = step if order.method is PaymentMethod.CASH else None
    payout = paid_out(order.amount, rate, order.payout_currency, cash)
    amount = min(booked(payout, rate, order.currency), order.amount)
    if payout < unit(order.payout_currency) or amount <= 0:
        raise invalid(
            FieldError(
                pointer="/amount", code="too_small", detail="more than the smallest cash in use"
            )
        )
    return amount, payout, rate


async def live(session: Session, grant_id: UUID) -> Decimal:
    """What is on its way or was spent of a grant."""
    query = select(func.coalesce(func.sum(Payment.amount), 0)).where(
        Payment.grant_id == grant_id, Payment.live
    )
    return Decimal((await session.execute(query)).scalar_one())


async def _in_hand(
    session: Session,
    grant: Grant,
    method: str,
    payee_kind: str | None,
    amount: Decimal,
    *,
    reimbursement: bool,
) -> bool:
    """Whether the returnee gets money, which counts as cash; refused where the package gives none,
    or no more.

    Raises:
        Problem: 409 `programme-rule`, `ceiling-exceeded`; 422, what is no reimbursement.
    """
    to_them = rules.to_the_returnee(method, payee_kind)
    if reimbursement:
        if not to_them or method == PaymentMethod.CASH:
            detail = "only for what goes to the returnee's own account"
            raise invalid(
                FieldError(pointer="/reimbursement", code="no_reimbursement", detail=detail)
            )
        return False
    if to_them:
        package = assistance(grant.programme, grant.programme_version).packages[grant.package]
        already = await in_cash(session, grant)
        grant_rules.check_cash(
            grant.package, package, HelpKind(grant.kind), already, amount, grant.currency
        )
    return to_them


def _is_allowance(grant: Grant, payment: Payment) -> bool:
    """Whether attendance earned it: the programme itself says how an allowance reaches who
    attended.
    """
    return grant.kind == HelpKind.LIVING_ALLOWANCE and payment.session is not None


async def _check_sends(session: Session, grant: Grant, person: UUID) -> None:
    """Refuse that who said of money of a grant that it did not arrive or came back has a part in
    sending more of it.

    Raises:
        Problem: 403 `four-eyes`.
    """
    query = (
        select(Payment.id)
        .where(Payment.grant_id == grant.id, col(Payment.undone_by).contains([person]))
        .limit(1)
    )
    if person != people.SYSTEM_ACTOR and await session.scalar(query) is not None:
        raise Problem(FOUR_EYES, "who said that money is back does not send it again")


def _takes_back(caller: Caller, grant: Grant, payment: Payment) -> None:
    """Note who says that released money did not arrive, not whole, or came back.

    Raises:
        Problem: 403, without a person; `four-eyes`, they had it sent.
    """
    person = (
        people.SYSTEM_ACTOR if caller is people.SYSTEM else people.actor(caller.require_person())
    )
    if person != people.SYSTEM_ACTOR:
        rules.check_takes_back(person, grant.preparers, payment.scheduled_by, payment.released_by)
    payment.undone_by = [*payment.undone_by, person]


async def in_cash(session: Session, grant: Grant) -> Decimal:
    """What the person of a grant was given of its package in cash, or is going to be."""
    ids = await same_person(session, grant.returnee_id) if grant.returnee_id else []
    query = (
        select(func.coalesce(func.sum(Payment.amount), 0))
        .join(Grant, col(Grant.id) == Payment.grant_id)
        .where(col(Payment.returnee_id).in_(ids), Payment.as_cash, Payment.live)
        .where(Grant.package == grant.package)
    )
    return Decimal((await session.execute(query)).scalar_one())


async def _payee(session: Session, grant: Grant, order: Order) -> Payee | None:
    if order.payee_id is None:
        if order.method is not PaymentMethod.CASH:
            raise invalid(
                FieldError(
                    pointer="/payee_id", code="missing", detail="who is paid, unless it is cash"
                )
            )
        return None
    return await _known_payee(session, grant, order.payee_id)


async def _known_payee(session: Session, grant: Grant, payee_id: UUID) -> Payee:
    payee: Payee | None = await session.scalar(
        select(Payee).where(Payee.id == payee_id, Payee.organisation == grant.implementer)
    )
    if payee is None:
        raise invalid(
            FieldError(
                pointer="/payee_id", code="unknown_payee", detail="a payee of the organisation"
            )
        )
    return payee


async def release(
    session: Session,
    caller: Caller,
    payment_id: UUID,
    precondition: Precondition,
    float_id: UUID | None,
) -> Payment:
    """A third person lets the money go.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409 (also `papers-missing`, `payee-not-verified`,
            `float-exhausted`), 412, 428.
    """
    grant, payment = await locked(session, payment_id, caller)
    precondition.check(payment.version)
    return await let_go(session, caller, grant, payment, float_id)


async def release_many(
    session: Session, caller: Caller, wanted: list[tuple[UUID, int]], float_id: UUID | None
) -> list[Payment]:
    """A third person lets the money of several payments go: of all of them, or of none.

    Args:
        session: The session.
        caller: Who.
        wanted: Payments, each with the version that was seen.
        float_id: Where the cash among them comes from.

    Raises:
        Problem: As `release`.
    """
    versions = dict(wanted)
    seen = await session.scalars(
        select(Payment.id)
        .where(col(Payment.id).in_(versions), visible(col(Payment.returnee_id), caller))
        .order_by(col(Payment.grant_id), col(Payment.id))
    )
    ids = seen.all()
    if len(ids) < len(versions):
        raise Problem(NOT_FOUND)
    released = []
    for payment_id in ids:
        grant, payment = await locked(session, payment_id, caller)
        if payment.version != versions[payment_id]:
            raise Problem(PRECONDITION_FAILED)
        cash = float_id if payment.method == PaymentMethod.CASH else None
        released.append(await let_go(session, caller, grant, payment, cash))
    return released


async def let_go(
    session: Session, caller: Caller, grant: Grant, payment: Payment, float_id: UUID | None
) -> Payment:
    """Release a locked payment; see `release`."""
    state = rules.after(payment.state, Action.RELEASE)
    grant_rules.after(grant.state, grant_rules.Action.PAY)
    releaser = people.actor(caller.require_person())
    approvers = list(
        await session.scalars(select(Approval.actor).where(Approval.grant_id == grant.id))
    )
    rules.check_releaser(releaser, grant.preparers, approvers, payment.scheduled_by)
    await _check_sends(session, grant, releaser)
    await grants.check_open(session, grant, payment.budget_id)
    if Paper.HANDOVER_CERTIFICATE in set(payment.papers_needed) - set(payment.papers_there):
        handed_over = await supporting_documents.handed_over(session, grant)
        there = {Paper.HANDOVER_CERTIFICATE.value} if handed_over is not None else set()
        payment.papers_there = sorted(there.union(payment.papers_there))
    rules.check_papers(payment.papers_needed, payment.papers_there)
    if grant.parts:
        rules.check_papers(*await supporting_documents.of_cooperative(session, grant.id))
    used_on = (
        payment.due_on
        if payment.session is not None
        else await supporting_documents.handed_over(session, grant)
    )
    day = await grants.today(session, grant.programme, grant.implementer)
    await grants.check_used(session, grant, used_on or day)
    if payment.session is not None:
        rules.check_due(payment.due_on, day)
    if payment.method in TO_AN_ACCOUNT:
        payee = await _account(session, grant, payment)
        if payee is None or payee.state != "verified":
            raise Problem(rules.PAYEE_NOT_VERIFIED)
        if payee.kind == "returnee" and not (
            payment.as_cash or payment.reimbursement or _is_allowance(grant, payment)
        ):
            raise Problem(
                rules.PAYEE_NOT_VERIFIED, "name who is paid: this is not money for the returnee"
            )
        payment.payee_id = payee.id
    if float_id is not None:
        await _draw(session, grant, payment, float_id)
    elif payment.method == PaymentMethod.CASH:
        raise Problem(rules.FLOAT_MISSING)
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
    elif payment.returnee_id is not None and grant.kind != HelpKind.WAGE_SUBSIDY:
        ids = await same_person(session, payment.returnee_id)
        query = query.where(
            col(Payee.returnee_id).in_(ids), Payee.organisation == grant.implementer
        )
        query = (
            query.where(Payee.kind == "returnee", Payee.state == "verified")
            .order_by(col(Payee.id).desc())
            .limit(1)
        )
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
    seen = await find(session, payment_id, caller)
    await grants.lock_people(session, seen.returnee_id)
    grant, payment = await locked(session, payment_id, caller)
    precondition.check(payment.version)
    rules.after(payment.state, Action.RELEASE)
    preparer = people.actor(caller.require_person())
    if payment.scheduled_by not in {people.SYSTEM_ACTOR, preparer}:
        raise Problem(FOUR_EYES, "who prepared the payment names the payee")
    await _check_sends(session, grant, preparer)
    payee = await _known_payee(session, grant, payee_id)
    if payment.method != PaymentMethod.CASH and not _is_allowance(grant, payment):
        payment.as_cash, payment.reimbursement = (
            False,
            payment.reimbursement and payee.kind == "returnee",
        )
        await session.flush()  # it does not count as cash against itself
        payment.as_cash = await _in_hand(
            session,
            grant,
            payment.method,
            payee.kind,
            payment.amount,
            reimbursement=payment.reimbursement,
        )
        if payment.session is None:
            allowed = assistance(grant.programme, grant.programme_version)
            payment.papers_needed = rules.papers_needed(
                allowed.papers, payment.method, payee.kind, reimbursement=payment.reimbursement
            )
    payment.payee_id, payment.scheduled_by = payee.id, preparer
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
    if (
        cash is None
        or payment.method != PaymentMethod.CASH
        or cash.currency != payment.payout_currency
    ):
        raise invalid(
            FieldError(
                pointer="/float_id",
                code="unsuitable_float",
                detail="an open float in the currency of the cash",
            )
        )
    if cash.state != "open":
        raise state_conflict(cash.state, [], "draw")
    if cash.drawn + payment.payout > cash.amount:
        raise Problem(
            rules.FLOAT_EMPTY,
            left=money(cash.amount - cash.drawn, cash.currency).model_dump(mode="json"),
        )
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


async def _put_back(session: Session, payment: Payment, payout: Decimal) -> None:
    if payment.float_id is None:
        return
    cash = await session.scalars(
        select(CashFloat).where(CashFloat.id == payment.float_id).with_for_update(),
        execution_options={"populate_existing": True},
    )
    there = cash.one()
    if there.state != "open":
        raise state_conflict(there.state, [], "put the cash back")
    there.drawn -= payout
    there.changed()


async def confirm(
    session: Session,
    caller: Caller,
    grant: Grant,
    payment: Payment,
    *,
    confirmed_on: date,
    receipt: UUID | None,
    received: Money | None = None,
) -> Payment:
    """Note that a locked payment was received; now it is spent.

    Args:
        session: The session.
        caller: Who.
        grant: The locked grant.
        payment: The locked payment.
        confirmed_on: When.
        receipt: The document.
        received: What was received, where it was less; the rest is the grant's, and the float's,
            again.

    Raises:
        Problem: 409; 403 `four-eyes`; 422, also where it was not released yet on that day.
    """
    if caller is not people.SYSTEM:
        rules.check_confirms(people.actor(caller.require_person()), payment.released_by)
    if payment.released_at is not None:
        zone = zone_of(grant.programme, grant.implementer)
        check_received(confirmed_on, payment.released_at, zone)
    payment.state = rules.after(payment.state, Action.CONFIRM)
    payment.confirmed_on, payment.receipt = confirmed_on, receipt
    if received is not None:
        await _receive(session, caller, grant, payment, received)
    payment.changed()
    budget = await ledger.lock(session, payment.budget_id)
    actor = people.actor(caller.person) if caller.person else people.SYSTEM_ACTOR
    await ledger.move(
        session, budget, Movement.PAY, payment.amount, Cause(actor, grant.id, payment.id)
    )
    await session.flush()
    grants.publish_payment(
        session, grant, payment, facts.PaymentConfirmed, confirmed_on=confirmed_on
    )
    audit.record(session, caller, "confirm", RESOURCE, payment.id)
    await instalments.schedule_next(session, grant)
    return payment


async def _receive(
    session: Session, caller: Caller, grant: Grant, payment: Payment, received: Money
) -> None:
    """Make a payment what was received of it, which is never more than was released."""
    if received.currency != payment.payout_currency or received.amount > payment.payout:
        detail = f"at most what was released, in {payment.payout_currency}"
        raise invalid(FieldError(pointer="/amount", code="not_released", detail=detail))
    if received.amount == payment.payout:
        return
    amount = min(booked(received.amount, payment.rate, payment.currency), payment.amount)
    if amount <= 0:
        raise invalid(
            FieldError(
                pointer="/amount", code="too_small", detail="more than the budget's smallest unit"
            )
        )
    _takes_back(caller, grant, payment)
    await _put_back(session, payment, payment.payout - received.amount)
    payment.ordered, payment.payout, payment.amount = payment.payout, received.amount, amount


async def question(
    session: Session, grant: Grant, payment: Payment, why: facts.Question | None
) -> None:
    """Say that a locked payment is in question, or that it is not any more; people decide what
    follows.
    """
    payment.questioned = why
    payment.changed()
    await session.flush()
    if why is not None:
        grants.publish_payment(session, grant, payment, facts.PaymentQuestioned, why=why)
    else:
        grants.publish_payment(session, grant, payment, facts.PaymentUpheld)
    audit.record(session, people.SYSTEM, "question" if why else "uphold", RESOURCE, payment.id)


async def was_sent_after_all(session: Session, grant: Grant, payment: Payment) -> bool:
    """Whether a failed payment that the bank has paid after all still has its place in its grant;
    it is taken again.
    """
    others = select(Payment.id).where(
        Payment.session == payment.session, col(Payment.state).in_(OPEN)
    )
    if (
        payment.state != PaymentState.FAILED
        or payment.released_by is None
        or grant.state not in grant_rules.DECIDED
        or payment.budget_id != grant.budget_id
        or await live(session, grant.id) + payment.amount > grant.amount
        or (payment.session is not None and await session.scalar(others.limit(1)) is not None)
    ):
        return False
    payment.state, payment.reason = PaymentState.RELEASED, None
    return True


async def fail(
    session: Session, caller: Caller, grant: Grant, payment: Payment, reason: str
) -> Payment:
    """Note that a locked payment reaches nobody; its amount is the grant's again.

    Raises:
        Problem: 409; 403 `four-eyes`, it was released, and by the caller or at their request.
    """
    state = rules.after(payment.state, Action.FAIL)
    if payment.state == PaymentState.RELEASED:
        _takes_back(caller, grant, payment)
    payment.state, payment.reason = state, reason
    payment.changed()
    await _put_back(session, payment, payment.payout)
    await session.flush()
    grants.publish_payment(session, grant, payment, facts.PaymentFailed)
    audit.record(session, caller, "fail", RESOURCE, payment.id, {"reason": reason})
    return payment


async def reverse(
    session: Session,
    caller: Caller,
    grant: Grant,
    payment: Payment,
    reason: str,
) -> Payment:
    """Book back a locked payment that came back; of a closed grant, or one that has moved, it is
    available again.

    Raises:
        Problem: 409, also where a part of it was recovered; 403 `four-eyes`.
    """
    state = rules.after(payment.state, Action.REVERSE)
    if payment.recovered:
        raise state_conflict(payment.state, [Action.RECOVER], Action.REVERSE)
    _takes_back(caller, grant, payment)
    payment.state, payment.reason = state, reason
    payment.changed()
    await _put_back(session, payment, payment.payout)
    budget = await ledger.lock(session, payment.budget_id)
    actor = people.actor(caller.person) if caller.person else people.SYSTEM_ACTOR
    await ledger.move(
        session, budget, Movement.REVERSE, payment.amount, Cause(actor, grant.id, payment.id)
    )
    if grant.state in FINAL_OF_GRANT or payment.budget_id != grant.budget_id:
        await ledger.move(
            session, budget, Movement.GIVE_BACK, payment.amount, Cause(actor, grant.id)
        )
        grant.counted -= payment.amount
        if (
            grant.state not in FINAL_OF_GRANT
        ):  # it has moved to another budget, and is smaller by what came back here
            grant.amount -= payment.amount
        grant.changed()
    await session.flush()
    grants.publish_payment(session, grant, payment, facts.PaymentReversed)
    audit.record(session, caller, "reverse", RESOURCE, payment.id, {"reason": reason})
    return payment


async def recover(
    session: Session,
    caller: Caller,
    grant: Grant,
    payment: Payment,
    reason: str,
    *,
    returned: Money | None = None,
) -> Payment:
    """Book that what a locked payment paid was recovered, or a part of it. It is not granted again
    by itself.

    Raises:
        Problem: 409; 403 `four-eyes`; 422, it is more than is left to recover.
    """
    state = rules.after(payment.state, Action.RECOVER)
    left = payment.payout - payment.recovered_payout
    back = money(left, payment.payout_currency) if returned is None else returned
    whole = back.amount == left
    so_far = booked(payment.recovered_payout + back.amount, payment.rate, payment.currency)
    total = payment.amount if whole else min(so_far, payment.amount - unit(payment.currency))
    part = total - payment.recovered
    if back.currency != payment.payout_currency or back.amount > left or part <= 0:
        detail = f"at most what was paid and is not back, in {payment.payout_currency}"
        raise invalid(FieldError(pointer="/amount", code="not_paid", detail=detail))
    _takes_back(caller, grant, payment)
    payment.recovered, payment.recovered_payout = total, payment.recovered_payout + back.amount
    payment.state, payment.reason = state if whole else payment.state, reason
    payment.changed()
    budget = await ledger.lock(session, payment.budget_id)
    actor = people.actor(caller.person) if caller.person else people.SYSTEM_ACTOR
    await ledger.move(session, budget, Movement.RECOVER, part, Cause(actor, grant.id, payment.id))
    await session.flush()
    now_back = {"amount": money(part, payment.currency), "payout": back}
    grants.publish_payment(
        session, grant, payment, facts.PaymentRecovered, complete=whole, **now_back
    )
    audit.record(session, caller, "recover", RESOURCE, payment.id, {"reason": reason})
    return payment
