"""Instalments: each after the first waits until the one before was received and somebody saw what
became of it.
"""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from chassis import audit
from chassis.db import Session
from chassis.errors import FieldError, Problem, invalid, state_conflict
from chassis.ids import new_id
from contracts import grants as facts
from contracts.codes import CaseState, HelpKind
from contracts.currencies import unit
from participation.aliases import same_person
from services.grants import people, supporting_documents
from services.grants.awards.grants import service as grants
from services.grants.awards.grants.rules import DECIDED
from services.grants.models import Grant, Participant, Payment, Visit
from services.grants.payments.payments import rules
from services.grants.payments.payments.rules import PaymentState
from services.grants.programmes.data import assistance
from services.grants.schemas import money
from services.grants.statement_files.references import default_reference


async def visited_on(session: Session, grant: Grant) -> date | None:
    """The last day on which somebody visited the person; None: nobody did."""
    if grant.returnee_id is None:
        return None
    ids = await same_person(session, grant.returnee_id)
    query = select(func.max(Visit.visited_on)).where(
        Visit.case_id == grant.case_id, col(Visit.returnee_id).in_(ids)
    )
    day: date | None = await session.scalar(query)
    return day


async def check(session: Session, grant: Grant, instalment: int, amount: Decimal) -> None:
    """Refuse more than the instalments up to this one are together, and one whose turn has not
    come.

    Raises:
        Problem: 409 (also `grant-exceeded`), 422.
    """
    shares = assistance(grant.programme, grant.programme_version).instalments_of(
        HelpKind(grant.kind)
    )
    if instalment > len(shares):
        raise invalid(
            FieldError(
                pointer="/instalment", code="no_such_instalment", detail=f"at most {len(shares)}"
            )
        )
    left = await _left(session, grant, instalment, shares)
    if amount > left:
        raise Problem(
            rules.AMOUNT_EXCEEDED,
            left=money(max(left, Decimal(0)), grant.currency).model_dump(mode="json"),
        )
    if instalment > 1:
        received = await _received_on(session, grant.id, instalment - 1)
        seen = (
            await visited_on(session, grant),
            await supporting_documents.handed_over(session, grant),
        )
        if received is None or not any(day is not None and day >= received for day in seen):
            raise state_conflict("before_visit", [], "an instalment after the first")


async def schedule_next(session: Session, grant: Grant) -> Payment | None:
    """Prepare the next instalment of a locked grant after a visit, where nobody did; once.

    Who is paid and how is as before; a person adds the papers and another one releases it. Cash and
    other currencies are left to a person, who knows the day's rate.

    Returns:
        The payment; None where there is nothing to prepare.
    """
    shares = assistance(grant.programme, grant.programme_version).instalments_of(
        HelpKind(grant.kind)
    )
    if len(shares) == 1 or grant.state not in DECIDED or grant.returnee_id is None:
        return None
    who = await session.get(Participant, (grant.case_id, grant.returnee_id))
    before: Payment | None = await session.scalar(
        select(Payment)
        .where(col(Payment.grant_id) == grant.id, col(Payment.state) == PaymentState.CONFIRMED)
        .order_by(col(Payment.instalment).desc(), col(Payment.id).desc())
        .limit(1)
    )
    if (
        who is None
        or who.state == CaseState.CLOSED
        or before is None
        or before.instalment == len(shares)
    ):
        return None
    number = before.instalment + 1
    occasion = f"instalment/{grant.id}/{number}"
    there = await session.scalar(
        select(Payment.id)
        .where(Payment.grant_id == grant.id, Payment.instalment == number)
        .limit(1)
    )
    left = await _left(session, grant, number, shares)
    plain = before.payout_currency == before.currency and not before.as_cash
    seen = await visited_on(session, grant)
    if there is not None or left <= 0 or not plain or seen is None or before.confirmed_on is None:
        return None
    if seen < before.confirmed_on:
        return None
    payment_id = new_id()
    payment = Payment(
        id=payment_id,
        grant_id=grant.id,
        budget_id=grant.budget_id,
        returnee_id=grant.returnee_id,
        reference=default_reference(payment_id),
        method=before.method,
        payee_id=before.payee_id,
        instalment=number,
        session=occasion,
        reimbursement=before.reimbursement,
        amount=left,
        currency=grant.currency,
        payout=left,
        payout_currency=grant.currency,
        rate=Decimal(1),
        state=PaymentState.SCHEDULED,
        papers=[],
        papers_there=[],
        papers_needed=before.papers_needed,
        scheduled_by=people.SYSTEM_ACTOR,
    )
    session.add(payment)
    await session.flush()
    grants.publish_payment(session, grant, payment, facts.PaymentScheduled)
    audit.record(session, people.SYSTEM, "schedule", "payment", payment.id)
    return payment


async def _received_on(session: Session, grant_id: UUID, instalment: int) -> date | None:
    day: date | None = await session.scalar(
        select(func.max(Payment.confirmed_on)).where(
            Payment.grant_id == grant_id,
            Payment.instalment == instalment,
            Payment.state == PaymentState.CONFIRMED,
        )
    )
    return day


async def _left(
    session: Session, grant: Grant, instalment: int, shares: tuple[Decimal, ...]
) -> Decimal:
    used, up_to = func.coalesce(func.sum(Payment.amount), 0), Payment.instalment <= instalment
    row = (
        await session.execute(
            select(used, func.coalesce(func.sum(col(Payment.amount)).filter(up_to), 0)).where(
                Payment.grant_id == grant.id, Payment.live
            )
        )
    ).one()
    open_now = (grant.amount * sum(shares[:instalment])).quantize(unit(grant.currency))
    return Decimal(min(open_now - row[1], grant.amount - row[0]))
