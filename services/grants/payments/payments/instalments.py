"""Instalments: each after the first waits until the one before was received and somebody saw what
became of it.
"""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from chassis.db import Session
from chassis.errors import FieldError, Problem, invalid, state_conflict
from contracts.codes import CaseState
from contracts.currencies import unit
from participation.aliases import same_person
from services.grants import supporting_documents
from services.grants.awards.grants.loading import participant_of
from services.grants.models import Grant, Payment, Visit
from services.grants.payments.payments import rules
from services.grants.payments.payments.preparation import schedule_by_platform
from services.grants.programmes.data import assistance
from services.grants.schemas import money
from services.grants.states import PaymentState


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


async def check_instalment(
    session: Session, grant: Grant, instalment: int, amount: Decimal
) -> None:
    """Refuse more than the instalments up to this one are together, and one whose turn has not
    come.

    Raises:
        Problem: 409 (also `grant-exceeded`), 422.
    """
    shares = assistance(grant.programme, grant.programme_version).instalments_of(grant.kind)
    if instalment > len(shares):
        detail = f"at most {len(shares)}"
        raise invalid(FieldError(pointer="/instalment", code="no_such_instalment", detail=detail))
    left = await _left(session, grant, instalment, shares)
    if amount > left:
        rest = money(max(left, Decimal(0)), grant.currency)
        raise Problem(rules.AMOUNT_EXCEEDED, left=rest.model_dump(mode="json"))
    if instalment > 1:
        received = await _received_on(session, grant.id, instalment - 1)
        seen = (
            await visited_on(session, grant),
            await supporting_documents.handed_over(session, grant),
        )
        if received is None or not any(day is not None and day >= received for day in seen):
            early = state_conflict("before_visit", [], "an instalment after the first")
            raise await supporting_documents.refused_without_papers(session, grant.id, early)


async def schedule_next(session: Session, grant: Grant) -> Payment | None:
    """Prepare the next instalment of a locked grant after a visit, where nobody did; once.

    Who is paid and how is as before; a person adds the papers and another one releases it. Cash and
    other currencies are left to a person, who knows the day's rate.

    Returns:
        The payment; None where there is nothing to prepare.
    """
    shares = assistance(grant.programme, grant.programme_version).instalments_of(grant.kind)
    if len(shares) == 1 or not grant.state.is_decided:
        return None
    person = await participant_of(session, grant)
    if person is None or person.case_state is CaseState.CLOSED:
        return None
    before = await _last_received(session, grant.id)
    if (
        before is None
        or before.instalment == len(shares)
        or not await _was_seen(session, grant, before)
    ):
        return None
    number = before.instalment + 1
    prepared = await session.scalar(
        select(Payment.id)
        .where(Payment.grant_id == grant.id, Payment.instalment == number)
        .limit(1)
    )
    left = await _left(session, grant, number, shares)
    if prepared is not None or left <= 0:
        return None
    return await schedule_by_platform(
        session,
        grant,
        method=before.method,
        amount=left,
        papers_needed=before.papers_needed,
        earned_by=f"instalment/{grant.id}/{number}",
        payee_id=before.payee_id,
        instalment=number,
        reimbursement=before.reimbursement,
    )


async def _last_received(session: Session, grant_id: UUID) -> Payment | None:
    """The last instalment that was received and that another one can be like: neither cash nor in
    another currency.
    """
    payment: Payment | None = await session.scalar(
        select(Payment)
        .where(col(Payment.grant_id) == grant_id, col(Payment.state) == PaymentState.CONFIRMED)
        .order_by(col(Payment.instalment).desc(), col(Payment.id).desc())
        .limit(1)
    )
    if payment is None or payment.payout_currency != payment.currency or payment.as_cash:
        return None
    return payment


async def _was_seen(session: Session, grant: Grant, payment: Payment) -> bool:
    """Whether somebody saw what became of a payment that was received."""
    seen = await visited_on(session, grant)
    return seen is not None and payment.confirmed_on is not None and seen >= payment.confirmed_on


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
    up_to = col(Payment.instalment) <= instalment
    row = (
        await session.execute(
            select(
                func.coalesce(func.sum(Payment.amount), 0),
                func.coalesce(func.sum(Payment.amount).filter(up_to), 0),
            ).where(Payment.grant_id == grant.id, Payment.live)
        )
    ).one()
    open_now = (grant.amount * sum(shares[:instalment])).quantize(unit(grant.currency))
    return Decimal(min(open_now - row[1], grant.amount - row[0]))
