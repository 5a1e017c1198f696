"""What every fact about an arrival carries."""

from typing import Any

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
