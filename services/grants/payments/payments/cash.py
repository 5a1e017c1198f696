"""Cash of a payment, set aside in the float of a desk and put back into it."""

from decimal import Decimal
from uuid import UUID

from sqlmodel import select

from chassis.db import Session
from chassis.errors import FieldError, Problem, invalid, state_conflict
from chassis.loading import FRESH
from chassis.outbox import publish
from contracts import grants as events
from contracts.codes import PaymentMethod
from services.grants.models import CashFloat, Grant, Payment
from services.grants.payments.payments import rules
from services.grants.schemas import money
from services.grants.states import FloatState


async def draw_cash(session: Session, grant: Grant, payment: Payment, float_id: UUID) -> None:
    """Set the cash of a locked payment aside in an open float.

    Raises:
        Problem: 409 (also `float-exhausted`), 422.
    """
    cash: CashFloat | None = await session.scalar(
        select(CashFloat)
        .where(CashFloat.id == float_id, CashFloat.organisation == grant.implementer)
        .with_for_update(),
        execution_options=FRESH,
    )
    if (
        cash is None
        or payment.method is not PaymentMethod.CASH
        or cash.currency != payment.payout_currency
    ):
        detail = "an open float in the currency of the cash"
        raise invalid(FieldError(pointer="/float_id", code="unsuitable_float", detail=detail))
    if cash.state is not FloatState.OPEN:
        raise state_conflict(cash.state, [], "draw")
    if cash.drawn + payment.payout > cash.amount:
        left = money(cash.amount - cash.drawn, cash.currency)
        raise Problem(rules.FLOAT_EMPTY, left=left.model_dump(mode="json"))
    cash.drawn += payment.payout
    cash.changed()
    payment.float_id = cash.id
    publish(
        session,
        events.CashFloatDrawn(
            float_id=cash.id,
            organisation=cash.organisation,
            port_of_entry=cash.port_of_entry,
            amount=money(payment.payout, payment.payout_currency),
            payment_id=payment.id,
        ),
    )


async def put_cash_back(session: Session, payment: Payment, payout: Decimal) -> None:
    """Put cash of a locked payment back into its float; nothing where it came from none.

    Raises:
        Problem: 409, the float was handed in.
    """
    if payment.float_id is None:
        return
    rows = await session.scalars(
        select(CashFloat).where(CashFloat.id == payment.float_id).with_for_update(),
        execution_options=FRESH,
    )
    cash = rows.one()
    if cash.state is not FloatState.OPEN:
        raise state_conflict(cash.state, [], "put the cash back")
    cash.drawn -= payout
    cash.changed()
