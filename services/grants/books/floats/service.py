"""Cash floats: opened, drawn by releases, handed in, and counted by somebody else."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import col, select, true

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import (
    CONFLICT,
    FOUR_EYES,
    NOT_FOUND,
    STATE_CONFLICT,
    FieldError,
    Problem,
    invalid,
    state_conflict,
)
from chassis.ids import new_id
from chassis.outbox import publish
from contracts import grants as facts
from contracts.currencies import is_exact
from services.grants import people
from services.grants.books.floats.schemas import FloatIn
from services.grants.models import CashFloat, Payment
from services.grants.schemas import money

RESOURCE = "cash_float"


def seen_by(caller: Caller) -> ColumnElement[bool]:
    """Floats of the caller's organisation."""
    return true() if caller.is_internal else col(CashFloat.organisation) == caller.organisation


async def find(
    session: Session, float_id: UUID, caller: Caller, *, lock: bool = False
) -> CashFloat:
    """A float of the caller's organisation.

    Raises:
        Problem: 404.
    """
    query = select(CashFloat).where(CashFloat.id == float_id, seen_by(caller))
    if lock:
        query = query.with_for_update()
    found: CashFloat | None = await session.scalar(
        query, execution_options={"populate_existing": True}
    )
    if found is None:
        raise Problem(NOT_FOUND)
    return found


def _tell(
    session: Session,
    cash: CashFloat,
    model: type[facts.CashFloatFact],
    amount: Decimal,
    **more: bool,
) -> None:
    fact = model(
        float_id=cash.id,
        organisation=cash.organisation,
        port_of_entry=cash.port_of_entry,
        amount=money(amount, cash.currency),
        **more,
    )
    publish(session, fact)


async def open_float(session: Session, body: FloatIn, caller: Caller) -> CashFloat:
    """Put cash at a desk's disposal.

    Raises:
        Problem: 409, the id is taken.
    """
    float_id = body.id or new_id()
    there = await session.get(CashFloat, float_id)
    if there is not None:
        if (there.organisation, there.amount, there.currency) != (
            caller.organisation,
            body.amount.amount,
            body.amount.currency,
        ):
            raise Problem(CONFLICT, "the id is taken by something else")
        return there
    cash = CashFloat(
        id=float_id,
        organisation=caller.organisation,
        port_of_entry=body.port_of_entry,
        currency=body.amount.currency,
        amount=body.amount.amount,
        opened_by=people.actor(caller.require_person()),
    )
    session.add(cash)
    await session.flush()
    _tell(session, cash, facts.CashFloatOpened, cash.amount)
    audit.record(session, caller, "open", RESOURCE, cash.id)
    return cash


async def hand_in(session: Session, float_id: UUID, amount: Decimal, caller: Caller) -> CashFloat:
    """Hand in what is left, when no released cash waits for its receipt any more.

    Raises:
        Problem: 404, 403, 409.
    """
    cash = await find(session, float_id, caller, lock=True)
    if cash.state != "open":
        raise state_conflict(
            cash.state, ["reconcile"] if cash.state == "returned" else [], "return"
        )
    waiting = await session.scalar(
        select(Payment.id).where(Payment.float_id == cash.id, Payment.state == "released").limit(1)
    )
    if waiting is not None:
        raise Problem(
            STATE_CONFLICT,
            "cash is set aside for a payment that nobody confirmed",
            state="open",
            allowed=[],
        )
    _check_exact(amount, cash, "/amount")
    cash.state, cash.handed_in = "returned", amount
    cash.returned_by = people.actor(caller.require_person())
    cash.changed()
    await session.flush()
    _tell(session, cash, facts.CashFloatReturned, amount)
    audit.record(session, caller, "return", RESOURCE, cash.id)
    return cash


def _check_exact(amount: Decimal, cash: CashFloat, pointer: str) -> None:
    if not is_exact(amount, cash.currency):
        raise invalid(
            FieldError(
                pointer=pointer, code="too_fine", detail="no more decimals than the currency has"
            )
        )


async def reconcile(
    session: Session, float_id: UUID, counted: Decimal, caller: Caller, precondition: Precondition
) -> CashFloat:
    """Count what was handed in, as neither who opened the float nor who handed it in.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    cash = await find(session, float_id, caller, lock=True)
    precondition.check(cash.version)
    if cash.state != "returned":
        raise state_conflict(cash.state, ["return"] if cash.state == "open" else [], "reconcile")
    person = people.actor(caller.require_person())
    if person in {cash.opened_by, cash.returned_by}:
        raise Problem(FOUR_EYES)
    _check_exact(counted, cash, "/counted")
    cash.state, cash.counted, cash.reconciled_by = "reconciled", counted, person
    cash.changed()
    await session.flush()
    _tell(
        session,
        cash,
        facts.CashFloatReconciled,
        counted,
        agrees=counted == cash.amount - cash.drawn,
    )
    audit.record(session, caller, "reconcile", RESOURCE, cash.id)
    return cash
