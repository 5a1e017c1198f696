"""How an arrival goes on or ends: completed, confirmed, declined, held, redirected, reopened."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from uuid import UUID

from chassis import audit
from chassis.errors import (
    FieldError,
    Problem,
    ProblemType,
    invalid,
)
from chassis.outbox import publish
from contracts import reception as events
from contracts.codes import (
    ArrivalState,
)
from contracts.programmes import HandoverReason
from services.reception.arrivals.batch import ArrivalBatch
from services.reception.arrivals.permitted import RESOURCE, move, require_allowed
from services.reception.event_payloads import ids_of, publish_diverted, publish_expected
from services.reception.models import (
    Arrival,
)
from services.reception.states import ArrivalAction

HANDOVER_REQUIRED = ProblemType(
    "handover-required",
    409,
    "Somebody has to sign for this person first",
    "A child without an adult of their family, or a patient with an escort, is not completed "
    "before a named adult or authority has signed for them: record the handover. `reasons` says "
    "why, `source` where the rule is published.",
)

ENDS_AT_THE_PORT = frozenset({ArrivalAction.COMPLETE, ArrivalAction.DECLINE, ArrivalAction.CONFIRM})
"""Actions after which nobody at the port looks after a person any more."""


async def require_handover(batch: ArrivalBatch, arrival: Arrival, action: ArrivalAction) -> None:
    """Raise that somebody has to sign first: no child goes alone, and whoever is completed is
    handed over.
    """
    if action not in ENDS_AT_THE_PORT or arrival.returnee_id is None:
        return
    reasons, rule = await batch.families.handover_due(arrival)
    if action is not ArrivalAction.COMPLETE:
        reasons &= {HandoverReason.UNACCOMPANIED_CHILD}
    if reasons:
        raise Problem(HANDOVER_REQUIRED, reasons=sorted(reasons), source=rule.source)


ENDS: Mapping[ArrivalAction, type[events.ArrivalFact]] = {
    ArrivalAction.COMPLETE: events.ArrivalCompleted,
    ArrivalAction.NO_SHOW: events.ArrivalNoShow,
    ArrivalAction.NOT_DEPARTED: events.ArrivalNotDeparted,
    ArrivalAction.DECLINE: events.ArrivalDeclined,
}
"""Actions that end an arrival without saying more, and the fact that tells it."""


async def end(
    batch: ArrivalBatch, arrival_id: UUID, action: ArrivalAction, occurred_at: datetime | None
) -> Arrival:
    """Complete an arrival, or note that the person did not show up, did not depart, or declines.

    Args:
        batch: With the arrival.
        arrival_id: Whose.
        action: One of `ENDS`.
        occurred_at: When, by the desk's clock; now if not given.

    Raises:
        Problem: 404; 409 with the state, since when and by whom, or that somebody has to sign for
            them first.
    """
    arrival = require_allowed(batch, arrival_id, action)
    await require_handover(batch, arrival, action)
    move(batch, arrival, action, occurred_at or batch.clock)
    if arrival.returnee_id is not None:
        publish(batch.session, ENDS[action](**ids_of(arrival)), occurred_at=arrival.state_at)
    return arrival


async def confirm(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    arrived_on: date,
    method: events.ConfirmationMethod,
    evidence: str,
) -> Arrival:
    """Note that somebody arrived who walked past the desk; again corrects it, and the deadlines
    follow.

    Raises:
        Problem: 404; 409 with the state; 422, the day has not come yet.
    """
    if arrived_on > (batch.clock + timedelta(days=1)).date():  # a day ahead of UTC somewhere
        raise invalid(
            FieldError(pointer="/arrived_on", code="in_future", detail="a day that has come")
        )
    arrival = require_allowed(batch, arrival_id, ArrivalAction.CONFIRM)
    await require_handover(batch, arrival, ArrivalAction.CONFIRM)
    move(batch, arrival, ArrivalAction.CONFIRM, batch.clock)
    arrival.arrived_on, arrival.confirmation_method, arrival.confirmation_evidence = (
        arrived_on,
        method,
        evidence,
    )
    fact = events.ArrivalConfirmed(**ids_of(arrival), arrived_on=arrived_on, method=method)
    publish(batch.session, fact, zone=batch.context.ports.zone(arrival.port_of_entry or ""))
    return arrival


async def reopen(batch: ArrivalBatch, arrival_id: UUID, occurred_at: datetime | None) -> Arrival:
    """Lead an arrival that had ended back to where it was before, or undo a check-in, after a
    mistake.

    Raises:
        Problem: 404; 409 with the state, since when and by whom.
    """
    arrival = require_allowed(batch, arrival_id, ArrivalAction.REOPEN)
    previous = arrival.state
    move(batch, arrival, ArrivalAction.REOPEN, occurred_at or batch.clock)
    if arrival.met_at is None:
        arrival.arrived_on = arrival.confirmation_method = arrival.confirmation_evidence = None
    elif previous == ArrivalState.MET:
        arrival.arrived_on = arrival.met_at = arrival.met_by = None
        arrival.identity_doubtful = False
    if arrival.returnee_id is not None:
        fact = events.ArrivalReopened(
            **ids_of(arrival), previous_state=previous, state=arrival.state
        )
        publish(batch.session, fact, occurred_at=arrival.state_at)
    return arrival


async def hold(batch: ArrivalBatch, arrival_id: UUID, occurred_at: datetime | None) -> Arrival:
    """Note that the authorities hold somebody. Nothing is published, and only few are shown it.

    Raises:
        Problem: 404; 409 with the state, since when and by whom.
    """
    arrival = require_allowed(batch, arrival_id, ArrivalAction.HOLD)
    audit.record(batch.session, batch.caller, ArrivalAction.HOLD, RESOURCE, arrival.id)
    at = occurred_at or batch.clock
    arrival.held_at, arrival.held_by = at, batch.caller.organisation
    arrival.clock_suspect = arrival.clock_suspect or batch.is_suspect(at)
    batch.touch(arrival)
    return arrival


async def redirect(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    port: str,
    expected_at: datetime | None,
    carrier: str | None,
    flight_number: str | None,
    occurred_at: datetime | None,
) -> Arrival:
    """Expect somebody at another port, or later at the same one after a missed connection; the
    others stay.

    They are not on the flight any more: what becomes of it is not their concern, and the manifest
    of the next one finds them.

    Raises:
        Problem: 404; 409 with the state, since when and by whom; 422, neither the port nor the time
            is another.
    """
    arrival = require_allowed(batch, arrival_id, ArrivalAction.REDIRECT)
    if port == arrival.port_of_entry and expected_at in (None, arrival.expected_at):
        detail = "another port, or another time at the same one"
        raise invalid(FieldError(pointer="/port_of_entry", code="nothing_changed", detail=detail))
    elsewhere = port != arrival.port_of_entry
    at = occurred_at or batch.clock
    audit.record(
        batch.session,
        batch.caller,
        ArrivalAction.REDIRECT,
        RESOURCE,
        arrival.id,
        {"elsewhere": elsewhere},
    )
    arrival.port_of_entry, arrival.expected_at = port, expected_at or arrival.expected_at
    arrival.carrier, arrival.flight_number = carrier, flight_number
    if arrival.returnee_id is not None:
        arrival.flight_id = None
    if elsewhere:
        batch.transition(arrival, ArrivalAction.REDIRECT, at)
    else:
        batch.touch(arrival)
    if arrival.returnee_id is not None:
        publish_changed = publish_diverted if elsewhere else publish_expected
        publish_changed(batch.session, arrival, occurred_at=at)
    return arrival
