"""What every event about an arrival carries, and those that several commands publish."""

from datetime import datetime
from typing import Any

from chassis.db import Session
from chassis.outbox import publish
from contracts import reception as events
from services.reception.models import Arrival


def ids_of(arrival: Arrival) -> dict[str, Any]:
    """The ids that relate a fact about an arrival; only where it is known whose it is."""
    return {
        "arrival_id": arrival.id,
        "returnee_id": arrival.returnee_id,
        "travel_id": arrival.travel_id,
        "case_id": arrival.case_id,
        "referral_id": arrival.referral_id,
        "household_id": arrival.household_id,
        "programme": arrival.programme,
    }


def publish_expected(
    session: Session, arrival: Arrival, *, occurred_at: datetime | None = None
) -> None:
    """Say when and where somebody is expected."""
    fact = events.ArrivalExpected(
        **ids_of(arrival),
        port_of_entry=arrival.port_of_entry,
        expected_at=arrival.expected_at,
        confirmed=arrival.confirmed,
    )
    publish(session, fact, occurred_at=occurred_at)


def publish_diverted(
    session: Session, arrival: Arrival, *, occurred_at: datetime | None = None
) -> None:
    """Say that somebody is expected at another port, and when."""
    assert arrival.port_of_entry is not None
    fact = events.ArrivalDiverted(
        **ids_of(arrival), port_of_entry=arrival.port_of_entry, expected_at=arrival.expected_at
    )
    publish(session, fact, occurred_at=occurred_at)
