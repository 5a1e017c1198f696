"""A third person lets the money of payments go."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from sqlmodel import col, select

from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import NOT_FOUND, PRECONDITION_FAILED, Problem
from chassis.loading import FRESH
from contracts import grants as events
from contracts.codes import HelpKind, Paper, PaymentMethod
from participation.access import visible
from participation.aliases import same_person
from services.grants import people, supporting_documents
from services.grants.awards.grants import rules as grant_rules
from services.grants.awards.grants.eligibility import check_used_in_time
from services.grants.awards.grants.funding import check_budget_open
from services.grants.awards.grants.loading import local_today
from services.grants.codes import PayeeKind
from services.grants.models import Approval, Grant, Payee, Payment
from services.grants.payments.payments import limits, rules
from services.grants.payments.payments.cash import draw_cash
from services.grants.payments.payments.events import publish_payment_event
from services.grants.payments.payments.loading import lock_payment
from services.grants.payments.payments.rules import MACHINE, Action
from services.grants.states import PayeeState

TO_AN_ACCOUNT = (PaymentMethod.BANK, PaymentMethod.MOBILE, PaymentMethod.SUPPLIER)


async def release(
    session: Session,
    caller: Caller,
    payment_id: UUID,
    precondition: Precondition,
    float_id: UUID | None,
) -> Payment:
    """A third person lets the money go.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409 (also `papers-missing`, `papers-pending`,
            `payee-not-verified`, `float-exhausted`), 412, 428.
    """
    grant, payment = await lock_payment(session, caller, payment_id)
    precondition.check(payment.version)
    return await release_locked(session, caller, grant, payment, float_id)


async def release_many(
    session: Session, caller: Caller, versions: Mapping[UUID, int], float_id: UUID | None
) -> list[Payment]:
    """A third person lets the money of several payments go: of all of them, or of none.

    Args:
        session: The session.
        caller: Who.
        versions: Of each payment, the one that was seen.
        float_id: Where the cash among them comes from.

    Raises:
        Problem: As `release`.
    """
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
        grant, payment = await lock_payment(session, caller, payment_id)
        if payment.version != versions[payment_id]:
            raise Problem(PRECONDITION_FAILED)
        cash = float_id if payment.method is PaymentMethod.CASH else None
        released.append(await release_locked(session, caller, grant, payment, cash))
    return released


async def release_locked(
    session: Session, caller: Caller, grant: Grant, payment: Payment, float_id: UUID | None
) -> Payment:
    """Release a locked payment; see `release`."""
    MACHINE.require(payment, Action.RELEASE)
    grant_rules.MACHINE.require(grant, grant_rules.Action.PAY)
    releaser = people.actor(caller.require_person())
    await _check_releaser(session, grant, payment, releaser)
    await check_budget_open(session, grant, payment.budget_id)
    await _check_papers(session, grant, payment)
    await _check_day(session, grant, payment)
    if payment.method in TO_AN_ACCOUNT:
        payee = await _payee_to_pay(session, grant, payment)
        payment.payee_id = payee.id
    if float_id is not None:
        await draw_cash(session, grant, payment, float_id)
    elif payment.method is PaymentMethod.CASH:
        raise Problem(rules.FLOAT_MISSING)
    await MACHINE.move(
        session, caller, payment, Action.RELEASE, released_by=releaser, released_at=now()
    )
    publish_payment_event(session, grant, payment, events.PaymentReleased)
    return payment


async def _check_releaser(session: Session, grant: Grant, payment: Payment, releaser: UUID) -> None:
    """Refuse whoever had a part in the payment, or in its grant, or took money of it back.

    Raises:
        Problem: 403 `four-eyes`.
    """
    query = select(Approval.actor).where(Approval.grant_id == grant.id)
    approvers = (await session.scalars(query)).all()
    rules.check_releaser(releaser, grant.preparers, approvers, payment.scheduled_by)
    await limits.check_sender(session, grant, releaser)


async def _check_papers(session: Session, grant: Grant, payment: Payment) -> None:
    """Refuse to pay without the papers; a handover proves itself, whichever payment it was for.

    Raises:
        Problem: 409 `papers-missing`, or `papers-pending` while cases has not answered.
    """
    missing = set(payment.papers_needed) - set(payment.papers_there)
    if Paper.HANDOVER_CERTIFICATE in missing:
        handed_over = await supporting_documents.handed_over(session, grant)
        proved = {Paper.HANDOVER_CERTIFICATE.value} if handed_over is not None else set()
        payment.papers_there = sorted(proved.union(payment.papers_there))
    refusal = rules.missing_papers(payment.papers_needed, payment.papers_there)
    if refusal is None and grant.parts:
        of_cooperative = await supporting_documents.of_cooperative(session, grant.id)
        refusal = rules.missing_papers(*of_cooperative)
    if refusal is not None:
        raise await supporting_documents.refused_without_papers(session, grant.id, refusal)


async def _check_day(session: Session, grant: Grant, payment: Payment) -> None:
    """Refuse to pay for what was used too late, or was not earned yet.

    Raises:
        Problem: 409 `programme-rule`, `payment-not-due`.
    """
    used_on: date | None = payment.due_on
    if payment.session is None:
        used_on = await supporting_documents.handed_over(session, grant)
    day = await local_today(session, grant.programme, grant.implementer)
    await check_used_in_time(session, grant, used_on or day)
    if payment.session is not None:
        rules.check_due(payment.due_on, day)


async def _payee_to_pay(session: Session, grant: Grant, payment: Payment) -> Payee:
    """Whose verified account a payment goes to.

    Raises:
        Problem: 409 `payee-not-verified`.
    """
    payee = await _find_account(session, grant, payment)
    if payee is None or payee.state is not PayeeState.VERIFIED:
        raise Problem(rules.PAYEE_NOT_VERIFIED)
    may_get_money = payment.as_cash or payment.reimbursement or limits.is_allowance(grant, payment)
    if payee.kind is PayeeKind.RETURNEE and not may_get_money:
        raise Problem(
            rules.PAYEE_NOT_VERIFIED, "name who is paid: this is not money for the returnee"
        )
    return payee


async def _find_account(session: Session, grant: Grant, payment: Payment) -> Payee | None:
    """Whose account it goes to: who was named, else the one that the person themselves has."""
    query = select(Payee).with_for_update(read=True)
    if payment.payee_id is not None:
        query = query.where(Payee.id == payment.payee_id)
    elif payment.returnee_id is not None and grant.kind is not HelpKind.WAGE_SUBSIDY:
        ids = await same_person(session, payment.returnee_id)
        query = (
            query.where(col(Payee.returnee_id).in_(ids), Payee.organisation == grant.implementer)
            .where(Payee.kind == PayeeKind.RETURNEE, Payee.state == PayeeState.VERIFIED)
            .order_by(col(Payee.id).desc())
            .limit(1)
        )
    else:
        return None
    payee: Payee | None = await session.scalar(query, execution_options=FRESH)
    return payee
