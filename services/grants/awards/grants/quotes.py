"""Offers that are compared, where the programme asks for them, and one of which is taken."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import FieldError, Problem, invalid
from contracts import grants as events
from services.grants import supporting_documents
from services.grants.awards.grants import rules
from services.grants.awards.grants.events import publish_grant_event
from services.grants.awards.grants.loading import lock_grant
from services.grants.awards.grants.rules import MACHINE, Action
from services.grants.models import Grant, Payee, Payment, Quote
from services.grants.states import GrantState


async def record_quote(
    session: Session,
    caller: Caller,
    grant_id: UUID,
    *,
    payee_id: UUID,
    amount: Decimal,
    currency: str,
    document: UUID,
) -> Grant:
    """Note an offer; the second of the same payee takes the place of the first.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    grant = await lock_grant(session, caller, grant_id)
    MACHINE.require(grant, Action.QUOTE)
    if currency != grant.currency:
        detail = f"the grant's: {grant.currency}"
        raise invalid(FieldError(pointer="/amount/currency", code="currency", detail=detail))
    existing = await session.scalar(
        select(Quote).where(Quote.grant_id == grant.id, Quote.payee_id == payee_id)
    )
    if existing is None:
        session.add(Quote(grant_id=grant.id, payee_id=payee_id, amount=amount, document=document))
    else:
        existing.amount, existing.document = amount, document
    await supporting_documents.cite(session, grant.id, [document])
    await session.flush()
    query = select(func.count()).where(col(Quote.grant_id) == grant.id)
    enough = (await session.execute(query)).scalar_one() >= grant.quotes_needed
    before = await MACHINE.move(
        session, caller, grant, Action.QUOTE, to=GrantState.QUOTED if enough else grant.state
    )
    if grant.state is not before:
        publish_grant_event(session, grant, events.GrantQuoted)
    return grant


async def check_quoted(session: Session, grant: Grant, payee_id: UUID, amount: Decimal) -> None:
    """Refuse to pay, where quotes were compared, another than the one whose quote is taken, and
    more than was quoted.

    The first payment takes a quote. A partner that took the case over has none, and its payees gave
    none.

    Args:
        session: The session.
        grant: The locked grant.
        payee_id: Who is to be paid.
        amount: How much more, in the grant's currency.

    Raises:
        Problem: 409 `not-quoted`.
    """
    rows = await session.execute(
        select(col(Quote.payee_id), col(Quote.amount))
        .join(Payee, col(Payee.id) == Quote.payee_id)
        .where(col(Quote.grant_id) == grant.id, col(Payee.organisation) == grant.implementer)
    )
    quoted = {row.payee_id: row.amount for row in rows}
    if not grant.quotes_needed or not quoted:
        return
    paid = await session.execute(
        select(Payment.payee_id, func.sum(Payment.amount))
        .where(Payment.grant_id == grant.id, Payment.live, col(Payment.payee_id).in_(quoted))
        .group_by(col(Payment.payee_id))
    )
    already: dict[UUID | None, Decimal] = {row[0]: row[1] for row in paid}
    another_is_taken = not already.keys() <= {payee_id}
    if (
        another_is_taken
        or payee_id not in quoted
        or already.get(payee_id, Decimal(0)) + amount > quoted[payee_id]
    ):
        raise Problem(rules.NOT_QUOTED)
