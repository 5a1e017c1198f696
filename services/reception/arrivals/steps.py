"""What is done with somebody who was met: a profile, assistance, onward transport, a handover."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis import audit
from chassis.errors import (
    CONFLICT,
    Problem,
)
from chassis.events import EventData
from chassis.ids import new_id
from chassis.outbox import publish
from contracts import reception as events
from contracts.codes import (
    AssistanceGroup,
    AssistanceKind,
    Money,
    NeedsPriority,
)
from contracts.programmes import HandoverReason
from services.reception.arrivals.batch import ArrivalBatch
from services.reception.arrivals.entitlements import require_entitlement
from services.reception.arrivals.permitted import RESOURCE, require_allowed
from services.reception.arrivals.sealed import handed_to
from services.reception.event_payloads import ids_of
from services.reception.models import (
    Arrival,
    Assistance,
    Handover,
    OnwardTransport,
    Profile,
)
from services.reception.states import ArrivalAction


async def record_profile(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    occurred_at: datetime | None,
    restricted: Sequence[HandoverReason] = (),
    household: Mapping[str, int],
    skills: Sequence[str],
    reasons_for_return: Sequence[str],
    immediate_needs: Sequence[str],
    needs_priority: NeedsPriority,
) -> tuple[Arrival, Profile]:
    """Take down needs and skills; taken again, they replace what was taken before. Only the urgency
    is published.

    Raises:
        Problem: 404; 409 with the state, since when and by whom.
    """
    arrival = require_allowed(batch, arrival_id, ArrivalAction.PROFILE, occurred_at)
    sealed = None
    if restricted:
        sealed = batch.context.keyring.encrypt(
            json.dumps(sorted(restricted)).encode(), f"profile/{arrival.id}"
        )
    row = Profile(
        arrival_id=arrival.id,
        restricted=sealed,
        household=dict(household),
        skills=list(skills),
        reasons_for_return=list(reasons_for_return),
        immediate_needs=list(immediate_needs),
        needs_priority=needs_priority,
        **_recorded_values(batch, occurred_at),
    )
    batch.replace_profile(row)
    fact = events.ArrivalProfiled(**ids_of(arrival), needs_priority=needs_priority)
    _publish_step(batch, arrival, ArrivalAction.PROFILE, fact, row.occurred_at)
    return arrival, row


async def record_assistance(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    id: UUID | None,  # noqa: A002 - the resource's member
    occurred_at: datetime | None,
    kind: AssistanceKind,
    amount: Money | None,
) -> tuple[Arrival, Assistance]:
    """Note something that was given at the desk. Kinds that disclose health or a child are
    published as a group only.

    Args:
        batch: With the arrival and those of the household.
        arrival_id: Of whom was given it.
        id: Chosen by the client.
        occurred_at: When, by the desk's clock; now if not given.
        kind: What.
        amount: Of pocket money.

    Raises:
        Problem: 404; 409, the state does not allow it, the programme does not give it, or the id is
            taken by something else.
    """
    arrival = require_allowed(batch, arrival_id, ArrivalAction.ASSIST, occurred_at)
    row = Assistance(
        id=id or new_id(),
        arrival_id=arrival.id,
        kind=kind,
        amount=amount.amount if amount else None,
        currency=amount.currency if amount else None,
        **_recorded_values(batch, occurred_at),
    )
    if await batch.existing_step(row) is None:
        await require_entitlement(batch, arrival, kind, row.occurred_at)
    row, new = await batch.insert_once(row, same=["arrival_id", "kind", "amount", "currency"])
    if not new:
        return arrival, row
    fact = events.AssistanceProvided(
        **ids_of(arrival),
        assistance_id=row.id,
        group=kind.group,
        kind=kind.published,
        amount=amount,
    )
    _publish_step(batch, arrival, ArrivalAction.ASSIST, fact, row.occurred_at)
    return arrival, row


async def record_transport(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    id: UUID | None,  # noqa: A002 - the resource's member
    occurred_at: datetime | None,
    mode: events.TransportMode,
    governorate: str,
    district: str | None,
    departs_at: datetime | None,
    cost: Money | None,
) -> tuple[Arrival, OnwardTransport]:
    """Note how somebody travels on.

    Raises:
        Problem: 404; 409, the state does not allow it or the id is taken by something else.
    """
    arrival = require_allowed(batch, arrival_id, ArrivalAction.ARRANGE_TRANSPORT, occurred_at)
    content = {
        "arrival_id": arrival.id,
        "mode": mode,
        "governorate": governorate,
        "district": district,
        "departs_at": departs_at,
        "cost": cost.amount if cost else None,
        "currency": cost.currency if cost else None,
    }
    row = OnwardTransport(id=id or new_id(), **content, **_recorded_values(batch, occurred_at))
    row, new = await batch.insert_once(row, same=list(content))
    if not new:
        return arrival, row
    fact = events.OnwardTransportArranged(
        **ids_of(arrival), mode=mode, departs_at=departs_at, cost=cost
    )
    _publish_step(batch, arrival, ArrivalAction.ARRANGE_TRANSPORT, fact, row.occurred_at)
    return arrival, row


async def record_handover(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    id: UUID | None,  # noqa: A002 - the resource's member
    to: Mapping[str, Any],
    occurred_at: datetime | None,
) -> tuple[Arrival, Handover]:
    """Note to whom a child or a patient was handed over. Who signed stays here, encrypted.

    Args:
        batch: With the arrival.
        arrival_id: Of whom was handed over.
        id: Chosen by the client.
        to: The receiving adult or authority, and the signature; JSON values.
        occurred_at: When, by the desk's clock; now if not given.

    Raises:
        Problem: 404; 409, the state does not allow it or the id is taken by something else.
    """
    arrival = require_allowed(batch, arrival_id, ArrivalAction.HANDOVER, occurred_at)
    chosen = id or new_id()
    sealed = batch.context.keyring.encrypt(
        json.dumps(dict(to), ensure_ascii=False).encode(), f"handover/{chosen}"
    )
    when = _recorded_values(batch, occurred_at)
    row, new = await batch.insert_once(
        Handover(id=chosen, arrival_id=arrival.id, sealed=sealed, **when), same=["arrival_id"]
    )
    if not new:
        if handed_to(row, batch.context) != dict(to):
            raise Problem(CONFLICT, "the id is taken by something else")
        return arrival, row
    fact = events.HandoverRecorded(
        **ids_of(arrival), handover_id=row.id, group=AssistanceGroup.CARE
    )
    _publish_step(batch, arrival, ArrivalAction.HANDOVER, fact, row.occurred_at)
    return arrival, row


def _recorded_values(batch: ArrivalBatch, occurred_at: datetime | None) -> dict[str, Any]:
    at = occurred_at or batch.clock
    return {
        "occurred_at": at,
        "recorded_at": batch.clock,
        "clock_suspect": batch.is_suspect(at),
        "recorded_by": batch.caller.organisation,
    }


def _publish_step(
    batch: ArrivalBatch,
    arrival: Arrival,
    action: ArrivalAction,
    fact: EventData,
    occurred_at: datetime,
) -> None:
    audit.record(batch.session, batch.caller, action, RESOURCE, arrival.id)
    publish(batch.session, fact, occurred_at=occurred_at)
    batch.touch(arrival)
