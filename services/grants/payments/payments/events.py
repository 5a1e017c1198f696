"""What is published of a payment: of each person whom its grant is of, with their part."""

from typing import Any

from chassis.db import Session
from chassis.outbox import publish
from contracts import grants as events
from services.grants.awards.grants.events import event_payloads
from services.grants.models import Grant, Payment
from services.grants.programmes.data import zone_of
from services.grants.schemas import money


def publish_payment_event(
    session: Session, grant: Grant, payment: Payment, model: type[events.PaymentFact], **more: Any
) -> None:
    """Publish an event about a payment; the amounts are its own, or those given."""
    amounts = {
        "amount": more.pop("amount", money(payment.amount, payment.currency)),
        "payout": more.pop("payout", money(payment.payout, payment.payout_currency)),
    }
    zone = zone_of(grant.programme, grant.implementer)
    for payload in event_payloads(grant, **amounts):
        fact = model(**payload, payment_id=payment.id, method=payment.method, **more)
        publish(session, fact, zone=zone)
