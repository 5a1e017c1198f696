"""Payments as a caller may know of them, and the locks under which they are worked on."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists
from sqlmodel import col, not_, or_, select, true
from sqlmodel.sql.expression import Select as TypedSelect

from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import FORBIDDEN, NOT_FOUND, Problem
from chassis.loading import FRESH, load_or_404
from contracts.codes import PaymentMethod
from contracts.grants import Question
from participation.access import visible
from services.grants import people
from services.grants.models import DeskReceipt, Grant, Payment
from services.grants.states import PaymentState


def select_payments(
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
    updated_since: datetime | None,
) -> Select[Any]:
    """Payments for people in whose return the caller takes part; or else those on their way to who
    was erased.
    """
    query: Select[Any] = select(Payment).where(
        _sent_to_nobody(caller) if erased else visible(col(Payment.returnee_id), caller)
    )
    for column, value in (
        (Payment.state, state),
        (Payment.method, method),
        (Payment.returnee_id, returnee_id),
        (Payment.grant_id, grant_id),
        (Payment.budget_id, budget_id),
    ):
        if value is not None:
            query = query.where(col(column) == value)
    if programme is not None:
        query = query.where(
            col(Payment.grant_id).in_(
                select(col(Grant.id)).where(col(Grant.programme) == programme)
            )
        )
    if questioned is not None:
        open_question = _has_open_question()
        query = query.where(open_question if questioned else not_(open_question))
    if updated_since is not None:
        query = query.where(col(Payment.updated_at) >= updated_since)
    return query


def _has_open_question() -> ColumnElement[bool]:
    """Whether people have to decide what follows from a payment, in SQL.

    What never left raises no question, unless a bank says that it did.
    """
    sent = col(Payment.state).in_((PaymentState.RELEASED, PaymentState.CONFIRMED))
    by_bank = col(Payment.questioned).is_not_distinct_from(Question.PAID_AFTER_FAILURE)
    return col(Payment.questioned).is_not(None) & (sent | by_bank)


def select_unmatched_receipts(caller: Caller) -> Select[Any]:
    """Pocket money that a desk handed over to people of the caller's, and that is the receipt of no
    payment.
    """
    answered = select(Payment.id).where(Payment.receipt == DeskReceipt.assistance_id)
    return select(DeskReceipt).where(
        visible(col(DeskReceipt.returnee_id), caller), not_(exists(answered))
    )


def _sent_to_nobody(caller: Caller) -> ColumnElement[bool]:
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


def _visible_to(caller: Caller) -> ColumnElement[bool]:
    return or_(visible(col(Payment.returnee_id), caller), _sent_to_nobody(caller))


async def load_payment(session: Session, caller: Caller, payment_id: UUID) -> Payment:
    """A payment that the caller may know of.

    Raises:
        Problem: 404.
    """
    return await load_or_404(
        session, select(Payment).where(col(Payment.id) == payment_id, _visible_to(caller))
    )


async def lock_payment(session: Session, caller: Caller, payment_id: UUID) -> tuple[Grant, Payment]:
    """A payment to work on and its grant, locked in that order.

    Raises:
        Problem: 404, or 403 if the caller only referred the person.
    """
    works_for = people.works_for(col(Payment.returnee_id), caller)
    result = await session.execute(
        _with_its_grant(payment_id, works_for).where(_visible_to(caller)), execution_options=FRESH
    )
    row = result.one_or_none()
    if row is None:
        raise Problem(NOT_FOUND)
    grant, payment, works = row
    if not works:
        raise Problem(FORBIDDEN, people.WHO_WORKS)
    return grant, payment


async def lock_any_payment(session: Session, payment_id: UUID) -> tuple[Grant, Payment]:
    """A payment and its grant, locked in that order, for the platform itself."""
    result = await session.execute(_with_its_grant(payment_id, true()), execution_options=FRESH)
    grant, payment, _ = result.one()
    return grant, payment


def _with_its_grant(
    payment_id: UUID, also: ColumnElement[bool]
) -> TypedSelect[Grant, Payment, bool]:
    """The rows are locked in the order in which they are named."""
    query = (
        select(Grant, Payment, also)
        .join(Payment, col(Payment.grant_id) == Grant.id)
        .where(Payment.id == payment_id)
    )
    return query.with_for_update(of=(Grant, Payment))
