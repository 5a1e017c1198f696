"""What becomes of payments: received, failed, sent after all, come back, recovered, in question.

Nothing is deleted: money that is to be sent again is another payment.
"""

from datetime import date
from uuid import UUID

from sqlmodel import col, select, update

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import FieldError, invalid, state_conflict
from contracts import grants as events
from contracts.codes import Money
from contracts.currencies import booked, unit
from services.grants import people
from services.grants.awards.grants.loading import lock_payments_on_their_way
from services.grants.books import ledger
from services.grants.books.ledger import Cause
from services.grants.codes import Movement
from services.grants.models import DeskReceipt, Grant, Payment
from services.grants.payments.days import check_received
from services.grants.payments.payments import instalments, limits, rules
from services.grants.payments.payments.cash import put_cash_back
from services.grants.payments.payments.events import publish_payment_event
from services.grants.payments.payments.rules import MACHINE, Action
from services.grants.programmes.data import zone_of
from services.grants.schemas import money
from services.grants.states import OPEN, PaymentState

CANCELLED = "cancelled"
"""Why a payment failed: it was not wanted any more."""


def _take_back(caller: Caller, grant: Grant, payment: Payment) -> None:
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
    MACHINE.require(payment, Action.CONFIRM)
    if received is not None:
        await _receive(session, caller, grant, payment, received)
    await MACHINE.move(
        session, caller, payment, Action.CONFIRM, confirmed_on=confirmed_on, receipt=receipt
    )
    await _book(session, caller, grant, payment, Movement.PAY)
    publish_payment_event(
        session, grant, payment, events.PaymentConfirmed, confirmed_on=confirmed_on
    )
    await instalments.schedule_next(session, grant)
    return payment


async def _book(
    session: Session, caller: Caller, grant: Grant, payment: Payment, movement: Movement
) -> None:
    budget = await ledger.lock_budget(session, payment.budget_id)
    cause = Cause(people.actor_of(caller), grant.id, payment.id)
    await ledger.move(session, budget, movement, payment.amount, cause)


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
        detail = "more than the budget's smallest unit"
        raise invalid(FieldError(pointer="/amount", code="too_small", detail=detail))
    _take_back(caller, grant, payment)
    await put_cash_back(session, payment, payment.payout - received.amount)
    payment.ordered, payment.payout, payment.amount = payment.payout, received.amount, amount


async def question(
    session: Session, grant: Grant, payment: Payment, why: events.Question | None
) -> None:
    """Say that a locked payment is in question, or that it is not any more; people decide what
    follows.
    """
    payment.questioned = why
    payment.changed()
    await session.flush()
    if why is not None:
        publish_payment_event(session, grant, payment, events.PaymentQuestioned, why=why)
    else:
        publish_payment_event(session, grant, payment, events.PaymentUpheld)
    action = "question" if why else "uphold"
    audit.record(session, people.SYSTEM, action, MACHINE.resource, payment.id)


async def fail(
    session: Session, caller: Caller, grant: Grant, payment: Payment, reason: str
) -> Payment:
    """Note that a locked payment reaches nobody; its amount is the grant's again.

    Raises:
        Problem: 409; 403 `four-eyes`, it was released, and by the caller or at their request.
    """
    MACHINE.require(payment, Action.FAIL)
    if payment.state is PaymentState.RELEASED:
        _take_back(caller, grant, payment)
    await put_cash_back(session, payment, payment.payout)
    details = {"reason": reason}
    await MACHINE.move(session, caller, payment, Action.FAIL, details=details, reason=reason)
    publish_payment_event(session, grant, payment, events.PaymentFailed)
    return payment


async def cancel_scheduled(session: Session, caller: Caller, grant: Grant) -> None:
    """Take back the payments of a locked grant that nobody released, as the grant is given up."""
    for payment in await lock_payments_on_their_way(session, grant.id):
        await fail(session, caller, grant, payment, CANCELLED)


async def resurrect_failed_payment(
    session: Session, caller: Caller, grant: Grant, payment: Payment
) -> bool:
    """Let a locked payment that was said to have failed count as released again, as a bank shows
    that it was sent after all.

    It does only where its place in its grant is still free: what is paid beyond that is a question
    for people.

    Returns:
        Whether it does.
    """
    if not await _has_its_place(session, grant, payment):
        return False
    await MACHINE.move(session, caller, payment, Action.RESURRECT, reason=None)
    publish_payment_event(session, grant, payment, events.PaymentResurrected)
    return True


async def _has_its_place(session: Session, grant: Grant, payment: Payment) -> bool:
    """Whether a failed payment that was released still fits into its grant.

    Cash that was put back into a float was never a bank's to send.
    """
    if payment.state is not PaymentState.FAILED or payment.released_by is None:
        return False
    if not grant.state.is_decided or payment.budget_id != grant.budget_id or payment.float_id:
        return False
    if await limits.used_of_grant(session, grant.id) + payment.amount > grant.amount:
        return False
    others = select(Payment.id).where(
        Payment.session == payment.session, col(Payment.state).in_(OPEN)
    )
    return payment.session is None or await session.scalar(others.limit(1)) is None


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
    MACHINE.require(payment, Action.REVERSE)
    if payment.recovered:
        raise state_conflict(payment.state, [Action.RECOVER], Action.REVERSE)
    _take_back(caller, grant, payment)
    await put_cash_back(session, payment, payment.payout)
    details = {"reason": reason}
    await MACHINE.move(session, caller, payment, Action.REVERSE, details=details, reason=reason)
    await _book(session, caller, grant, payment, Movement.REVERSE)
    if grant.state.is_over or payment.budget_id != grant.budget_id:
        budget = await ledger.lock_budget(session, payment.budget_id)
        cause = Cause(people.actor_of(caller), grant.id)
        await ledger.move(session, budget, Movement.GIVE_BACK, payment.amount, cause)
        grant.counted -= payment.amount
        if not grant.state.is_over:  # it moved to another budget: what came back here is off it
            grant.amount -= payment.amount
        grant.changed()
        await session.flush()
    publish_payment_event(session, grant, payment, events.PaymentReversed)
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
    MACHINE.require(payment, Action.RECOVER)
    left = payment.payout - payment.recovered_payout
    back = money(left, payment.payout_currency) if returned is None else returned
    whole = back.amount == left
    so_far = booked(payment.recovered_payout + back.amount, payment.rate, payment.currency)
    total = payment.amount if whole else min(so_far, payment.amount - unit(payment.currency))
    part = total - payment.recovered
    if back.currency != payment.payout_currency or back.amount > left or part <= 0:
        detail = f"at most what was paid and is not back, in {payment.payout_currency}"
        raise invalid(FieldError(pointer="/amount", code="not_paid", detail=detail))
    _take_back(caller, grant, payment)
    await MACHINE.move(
        session,
        caller,
        payment,
        Action.RECOVER,
        to=PaymentState.RECOVERED if whole else payment.state,
        details={"reason": reason},
        reason=reason,
        recovered=total,
        recovered_payout=payment.recovered_payout + back.amount,
    )
    budget = await ledger.lock_budget(session, payment.budget_id)
    cause = Cause(people.actor_of(caller), grant.id, payment.id)
    await ledger.move(session, budget, Movement.RECOVER, part, cause)
    publish_payment_event(
        session,
        grant,
        payment,
        events.PaymentRecovered,
        complete=whole,
        amount=money(part, payment.currency),
        payout=back,
    )
    return payment


async def scrub(session: Session, returnee_id: UUID) -> None:
    """Keep payments and receipts without the person."""
    await session.execute(
        update(Payment).where(col(Payment.returnee_id) == returnee_id).values(returnee_id=None)
    )
    await session.execute(
        update(DeskReceipt)
        .where(col(DeskReceipt.returnee_id) == returnee_id)
        .values(returnee_id=None, case_id=None)
    )
