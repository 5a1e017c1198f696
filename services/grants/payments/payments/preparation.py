"""Payments that the platform prepares, as they follow from something else."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from uuid import UUID

from chassis import audit
from chassis.db import Session
from chassis.ids import new_id
from contracts import grants as events
from contracts.codes import Paper, PaymentMethod
from services.grants import people
from services.grants.codes import GrantSource
from services.grants.models import Grant, Payment
from services.grants.payments.payments.events import publish_payment_event
from services.grants.payments.payments.rules import MACHINE
from services.grants.programmes.data import assistance
from services.grants.statement_files.references import default_reference
from services.grants.states import PaymentState


async def schedule_by_platform(
    session: Session,
    grant: Grant,
    *,
    method: PaymentMethod,
    amount: Decimal,
    papers_needed: Collection[str],
    papers_on_file: Collection[str] = (),
    due_on: date | None = None,
    earned_by: str | None = None,
    payee_id: UUID | None = None,
    instalment: int = 1,
    reimbursement: bool = False,
) -> Payment:
    """Prepare a payment of a locked grant that follows from something else; a person releases it.

    It is paid in the grant's currency: a rate is a person's decision.

    Args:
        session: The session.
        grant: The grant.
        method: How; cash goes into the returnee's hands.
        amount: How much.
        papers_needed: What must be on file before its release.
        papers_on_file: What is.
        due_on: From when it may be released.
        earned_by: What it was earned by; it is paid once.
        payee_id: To whom; None: who it is, is said later.
        instalment: Which part of the grant.
        reimbursement: Whether it gives the returnee back what they laid out.
    """
    payment_id = new_id()
    assert grant.budget_id is not None
    payment = Payment(
        id=payment_id,
        grant_id=grant.id,
        budget_id=grant.budget_id,
        returnee_id=grant.returnee_id,
        reference=default_reference(payment_id),
        method=method,
        payee_id=payee_id,
        instalment=instalment,
        session=earned_by,
        as_cash=method is PaymentMethod.CASH,
        reimbursement=reimbursement,
        amount=amount,
        currency=grant.currency,
        payout=amount,
        payout_currency=grant.currency,
        rate=Decimal(1),
        due_on=due_on,
        state=PaymentState.SCHEDULED,
        papers=[],
        papers_there=sorted(papers_on_file),
        papers_needed=sorted(papers_needed),
        scheduled_by=people.SYSTEM_ACTOR,
    )
    session.add(payment)
    await session.flush()
    publish_payment_event(session, grant, payment, events.PaymentScheduled, due_on=due_on)
    audit.record(session, people.SYSTEM, "schedule", MACHINE.resource, payment.id)
    return payment


async def prepare_desk_cash(session: Session, grant: Grant) -> None:
    """Schedule the cash of an approved grant for the desk; a third person releases it from a float.

    A grant that no journey asked for is left alone.
    """
    if grant.source is not GrantSource.TRAVEL:
        return
    papers = assistance(grant.programme, grant.programme_version).papers
    await schedule_by_platform(
        session,
        grant,
        method=PaymentMethod.CASH,
        amount=grant.amount,
        # Who they are is seen at the desk, which hands nothing to somebody who was not met.
        papers_needed=papers.by_method.get(PaymentMethod.CASH, frozenset()) - {Paper.IDENTITY_SEEN},
    )
