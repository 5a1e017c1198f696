"""What a body asks for: the same from a request and from an entry of a device's log."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from contracts.scopes import Scope
from services.reception.arrivals import meeting, outcomes, steps
from services.reception.arrivals.batch import ArrivalBatch
from services.reception.arrivals.bodies import (
    AssistanceIn,
    BindIn,
    CheckIn,
    HandoverIn,
    Happened,
    ProfileIn,
    RedirectIn,
    TransportIn,
    WalkIn,
)
from services.reception.models import (
    Arrival,
    Assistance,
    Handover,
    OnwardTransport,
    Profile,
)
from services.reception.states import ArrivalAction

Apply = Callable[..., Awaitable[Any]]
"""Applies a body to an arrival of a batch, by its id."""


async def walk_in(
    batch: ArrivalBatch, arrival_id: UUID | None, body: WalkIn
) -> tuple[Arrival, bool]:
    """See `meeting.walk_in`."""
    return await meeting.walk_in(
        batch,
        id=arrival_id,
        flight_id=body.flight_id,
        port=body.port_of_entry,
        programme=body.programme,
        return_kind=body.return_kind,
        copy=body.particulars.copy_of(),
        household_id=body.household_id,
        member=body.member,
        identity_doubtful=body.identity_doubtful,
        occurred_at=body.occurred_at,
    )


async def check_in(batch: ArrivalBatch, arrival_id: UUID, body: CheckIn) -> Arrival:
    """See `meeting.check_in`."""
    (arrival,) = await meeting.check_in(
        batch,
        [arrival_id],
        occurred_at=body.occurred_at,
        port=body.port_of_entry,
        identity_doubtful=body.identity_doubtful,
    )
    return arrival


async def bind(
    batch: ArrivalBatch, arrival_id: UUID, body: BindIn, *, caught_up: bool = True
) -> Arrival:
    """See `meeting.bind`."""
    copy = body.particulars.copy_of() if body.particulars else None
    return await meeting.bind(
        batch, arrival_id, returnee_id=body.returnee_id, copy=copy, caught_up=caught_up
    )


async def profile(
    batch: ArrivalBatch, arrival_id: UUID, body: ProfileIn
) -> tuple[Arrival, Profile]:
    """See `steps.record_profile`."""
    return await steps.record_profile(
        batch,
        arrival_id,
        occurred_at=body.occurred_at,
        household=body.household.model_dump(),
        skills=body.skills,
        reasons_for_return=body.reasons_for_return,
        immediate_needs=body.immediate_needs,
        needs_priority=body.needs_priority,
        restricted=body.restricted,
    )


async def assist(
    batch: ArrivalBatch, arrival_id: UUID, body: AssistanceIn
) -> tuple[Arrival, Assistance]:
    """See `steps.record_assistance`."""
    return await steps.record_assistance(
        batch,
        arrival_id,
        id=body.id,
        occurred_at=body.occurred_at,
        kind=body.kind,
        amount=body.amount,
    )


async def arrange_transport(
    batch: ArrivalBatch, arrival_id: UUID, body: TransportIn
) -> tuple[Arrival, OnwardTransport]:
    """See `steps.record_transport`."""
    return await steps.record_transport(
        batch,
        arrival_id,
        id=body.id,
        occurred_at=body.occurred_at,
        mode=body.mode,
        governorate=body.destination.governorate,
        district=body.destination.district,
        departs_at=body.departs_at,
        cost=body.cost,
    )


async def hand_over(
    batch: ArrivalBatch, arrival_id: UUID, body: HandoverIn
) -> tuple[Arrival, Handover]:
    """See `steps.record_handover`."""
    return await steps.record_handover(
        batch,
        arrival_id,
        id=body.id,
        to=body.model_dump(mode="json", exclude={"id", "occurred_at"}),
        occurred_at=body.occurred_at,
    )


async def hold(batch: ArrivalBatch, arrival_id: UUID, body: Happened) -> Arrival:
    """See `outcomes.hold`; only of who may see that somebody is held."""
    batch.caller.require(Scope.ARRIVALS_RESTRICTED)
    return await outcomes.hold(batch, arrival_id, body.occurred_at)


async def redirect(batch: ArrivalBatch, arrival_id: UUID, body: RedirectIn) -> Arrival:
    """See `outcomes.redirect`."""
    return await outcomes.redirect(
        batch,
        arrival_id,
        port=body.port_of_entry,
        expected_at=body.expected_at,
        carrier=body.carrier,
        flight_number=body.flight_number,
        occurred_at=body.occurred_at,
    )


async def reopen(batch: ArrivalBatch, arrival_id: UUID, body: Happened) -> Arrival:
    """See `outcomes.reopen`."""
    return await outcomes.reopen(batch, arrival_id, body.occurred_at)


def end(action: ArrivalAction) -> Apply:
    """See `outcomes.end`."""

    async def apply(batch: ArrivalBatch, arrival_id: UUID, body: Happened) -> Arrival:
        return await outcomes.end(batch, arrival_id, action, body.occurred_at)

    return apply
