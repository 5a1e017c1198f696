"""Cash floats: opened, drawn by releases, handed in, and counted by somebody else."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import col, select, true

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import FOUR_EYES, STATE_CONFLICT, FieldError, Problem, invalid
from chassis.ids import new_id
from chassis.loading import id_taken, load_or_404
from chassis.outbox import publish
from contracts import grants as events
from contracts.codes import Money
from contracts.currencies import is_exact
from services.grants import people
from services.grants.books.floats.rules import MACHINE, Action
from services.grants.models import CashFloat, Payment
from services.grants.schemas import money
from services.grants.states import PaymentState


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """Floats of the caller's organisation."""
    return true() if caller.is_internal else col(CashFloat.organisation) == caller.organisation


async def load_float(session: Session, caller: Caller, float_id: UUID) -> CashFloat:
    """A float of the caller's organisation.

    Raises:
        Problem: 404.
    """
    return await load_or_404(
        session, select(CashFloat).where(col(CashFloat.id) == float_id, visible_to(caller))
    )


async def lock_float(session: Session, caller: Caller, float_id: UUID) -> CashFloat:
    """A float of the caller's organisation, locked.

    Raises:
        Problem: 404.
    """
    query = select(CashFloat).where(col(CashFloat.id) == float_id, visible_to(caller))
    return await load_or_404(session, query.with_for_update())


def _publish_float_event(
    session: Session,
    cash: CashFloat,
    model: type[events.CashFloatFact],
    amount: Decimal,
    **more: bool,
) -> None:
    event = model(
        float_id=cash.id,
        organisation=cash.organisation,
        port_of_entry=cash.port_of_entry,
        amount=money(amount, cash.currency),
        **more,
    )
    publish(session, event)


async def open_float(
    session: Session, caller: Caller, port_of_entry: str, amount: Money, float_id: UUID | None
) -> CashFloat:
    """Put cash at a desk's disposal.

    Raises:
        Problem: 409, the id is taken.
    """
    existing = await session.get(CashFloat, float_id) if float_id is not None else None
    if existing is not None:
        before = (existing.organisation, existing.amount, existing.currency)
        if before != (caller.organisation, amount.amount, amount.currency):
            raise id_taken()
        return existing
    cash = CashFloat(
        id=float_id or new_id(),
        organisation=caller.organisation,
        port_of_entry=port_of_entry,
        currency=amount.currency,
        amount=amount.amount,
        opened_by=people.actor(caller.require_person()),
    )
    session.add(cash)
    await session.flush()
    _publish_float_event(session, cash, events.CashFloatOpened, cash.amount)
    audit.record(session, caller, "open", MACHINE.resource, cash.id)
    return cash


async def hand_in(session: Session, caller: Caller, float_id: UUID, amount: Decimal) -> CashFloat:
    """Hand in what is left, when no released cash waits for its receipt any more.

    Raises:
        Problem: 404, 403, 409.
    """
    cash = await lock_float(session, caller, float_id)
    MACHINE.require(cash, Action.RETURN)
    waiting = await session.scalar(
        select(Payment.id)
        .where(Payment.float_id == cash.id, Payment.state == PaymentState.RELEASED)
        .limit(1)
    )
    if waiting is not None:
        raise Problem(
            STATE_CONFLICT,
            "cash is set aside for a payment that nobody confirmed",
            state=cash.state,
            allowed=[],
        )
    _check_exact(amount, cash, "/amount")
    person = people.actor(caller.require_person())
    await MACHINE.move(session, caller, cash, Action.RETURN, handed_in=amount, returned_by=person)
    _publish_float_event(session, cash, events.CashFloatReturned, amount)
    return cash


def _check_exact(amount: Decimal, cash: CashFloat, pointer: str) -> None:
    if not is_exact(amount, cash.currency):
        detail = "no more decimals than the currency has"
        raise invalid(FieldError(pointer=pointer, code="too_fine", detail=detail))


async def reconcile(
    session: Session, caller: Caller, float_id: UUID, precondition: Precondition, counted: Decimal
) -> CashFloat:
    """Count what was handed in, as neither who opened the float nor who handed it in.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    cash = await lock_float(session, caller, float_id)
    MACHINE.require(cash, Action.RECONCILE, precondition)
    person = people.actor(caller.require_person())
    if person in {cash.opened_by, cash.returned_by}:
        raise Problem(FOUR_EYES)
    _check_exact(counted, cash, "/counted")
    await MACHINE.move(
        session, caller, cash, Action.RECONCILE, counted=counted, reconciled_by=person
    )
    agrees = counted == cash.amount - cash.drawn
    _publish_float_event(session, cash, events.CashFloatReconciled, counted, agrees=agrees)
    return cash
