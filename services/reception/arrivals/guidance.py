"""What the programme says about somebody at the port of entry."""

from chassis.auth import Caller
from chassis.db import Session
from contracts.codes import SharedCategory
from contracts.programmes import SafeContactRule
from participation.access import disclosed
from services.reception.arrivals.answers import Entitled, Guidance, Reachable
from services.reception.arrivals.batch import ArrivalBatch
from services.reception.arrivals.entitlements import post_arrival_until
from services.reception.arrivals.permitted import offered_actions
from services.reception.arrivals.rules import entitled, is_safe
from services.reception.context import ReceptionContext
from services.reception.models import (
    Arrival,
)


async def render_guidance(
    session: Session, caller: Caller, context: ReceptionContext, arrival: Arrival
) -> Guidance:
    """What may be done with somebody, and what their programme says."""
    batch = await ArrivalBatch.on(
        session, caller, context, [arrival.id], households=True, lock=False
    )
    rules, return_kind = await batch.rules_of(arrival)
    left = [
        Entitled(
            kind=kind,
            left=None
            if rule.at_most is None
            else max(0, rule.at_most - await batch.given(arrival, kind, rule.per)),
            source=rule.source,
            verified=rule.verified,
        )
        for kind, rule in (rules.reception.assistance if rules else {}).items()
        if entitled(rule, return_kind, 0) is None
    ]
    reasons, _ = await batch.families.handover_due(arrival)
    contact = rules.reception.safe_contact if rules else None
    return Guidance(
        allowed=offered_actions(arrival),
        assistance=left,
        handover_required=sorted(reasons),
        post_arrival_until=post_arrival_until(context, rules, arrival) if rules else None,
        relatives=contact.relatives if contact else None,
        only_in_safe_hours=contact.only_in_safe_hours if contact else None,
        contacts=await _reachable(batch, arrival, contact),
    )


async def _reachable(
    batch: ArrivalBatch, arrival: Arrival, rule: SafeContactRule | None
) -> list[Reachable]:
    """How somebody may be reached; where no programme says, nobody but themselves and only when it
    is safe. With whom somebody was shared without contacts is told none.
    """
    who = [] if arrival.returnee_id is None else [arrival.returnee_id]
    shown_of = await disclosed(batch.session, batch.caller, who, SharedCategory.CONTACTS)
    copy = await batch.copy_of(who[0]) if shown_of else None
    if copy is None:
        return []
    relatives = rule.relatives if rule is not None else "never"
    any_hour = rule is not None and not rule.only_in_safe_hours
    here = batch.clock.astimezone(batch.context.ports.zone(arrival.port_of_entry or "")).time()
    shown = []
    for contact in copy.contacts:
        own = contact.owner == "self"
        if not own and relatives == "never":
            continue
        safe = any_hour or is_safe(contact.safe_hours, here)
        asked = not own and relatives == "with_consent"
        shown.append(Reachable(**contact.model_dump(), safe_now=safe, needs_consent=asked))
    return shown
