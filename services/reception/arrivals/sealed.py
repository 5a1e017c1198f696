"""What is kept encrypted of a profile and of a handover, and read by few."""

import json
from typing import Any

from contracts.programmes import HandoverReason
from services.reception.context import ReceptionContext
from services.reception.models import (
    Handover,
    Profile,
)


def restricted_of(profile: Profile, context: ReceptionContext) -> set[HandoverReason]:
    """What a profile says that only few may read."""
    if profile.restricted is None:
        return set()
    plain = context.keyring.decrypt(profile.restricted, f"profile/{profile.arrival_id}")
    return {HandoverReason(word) for word in json.loads(plain)}


def handed_to(handover: Handover, context: ReceptionContext) -> dict[str, Any] | None:
    """To whom; None after an erasure. The caller of this audits the reading."""
    if handover.sealed is None:
        return None
    to: dict[str, Any] = json.loads(
        context.keyring.decrypt(handover.sealed, f"handover/{handover.id}")
    )
    return to


def signed_for(handover: Handover, context: ReceptionContext) -> set[HandoverReason]:
    """For what reasons somebody has signed; for any, where it was erased."""
    to = handed_to(handover, context)
    return {HandoverReason(to["reason"])} if to is not None else set(HandoverReason)
