"""Arrivals and what was done with them, as somebody is shown them."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import Response
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import set_etag
from chassis.db import Session
from contracts.codes import Money
from contracts.programmes import HandoverReason
from contracts.scopes import Scope
from services.reception import identities
from services.reception.arrivals.answers import (
    ArrivalOut,
    AssistanceOut,
    BoardEntry,
    ConfirmationOut,
    HandoverOut,
    ProfileOut,
    ShownState,
    TransportOut,
)
from services.reception.arrivals.bodies import Destination, Evidence
from services.reception.arrivals.particulars import identity_on_manifest
from services.reception.arrivals.permitted import RESOURCE
from services.reception.arrivals.sealed import handed_to
from services.reception.context import ReceptionContext
from services.reception.models import (
    Arrival,
    Assistance,
    Handover,
    OnwardTransport,
    Passenger,
    Profile,
)


async def render_board_entries(
    session: Session,
    caller: Caller,
    context: ReceptionContext,
    arrivals: Sequence[Arrival],
    where: object,
) -> list[BoardEntry]:
    """Arrivals as the board shows them to somebody; what is read of people is audited."""
    known = await identities.read_shown(
        session,
        caller,
        [arrival.returnee_id for arrival in arrivals if arrival.returnee_id is not None],
        context.keyring,
    )
    _audit_reading(session, caller, where, sorted(known))
    held = [str(arrival.id) for arrival in arrivals if _shows_held(arrival, caller)]
    if held:
        audit.record(session, caller, "read-restricted", RESOURCE, where, {"arrivals": held})
    seated = [arrival.id for arrival in arrivals if arrival.flight_id is not None]
    rows = (
        await session.scalars(select(Passenger).where(col(Passenger.arrival_id).in_(seated)))
        if seated
        else ()
    )
    flights = {arrival.id: arrival.flight_id for arrival in arrivals}
    seats = {row.arrival_id: row for row in rows if row.flight_id == flights[row.arrival_id]}
    shown = []
    for arrival in arrivals:
        seat = seats.get(arrival.id)
        identity = known.get(arrival.returnee_id) if arrival.returnee_id is not None else None
        if identity is None and seat is not None and arrival.returnee_id is None:
            identity = identity_on_manifest(seat, context)
        more = {
            "identity": identity,
            "state": _shown_state(arrival, caller),
            "seat": seat.seat if seat else None,
            "family_group": seat.family_group if seat else None,
        }
        shown.append(BoardEntry.model_validate(arrival).model_copy(update=more))
    return shown


def _audit_reading(
    session: Session, caller: Caller, resource_id: object, of: Sequence[UUID]
) -> None:
    if of:
        audit.record(
            session,
            caller,
            "read-identity",
            "arrivals",
            resource_id,
            {"returnees": [str(who) for who in of]},
        )


def _shows_held(arrival: Arrival, caller: Caller) -> bool:
    return arrival.held_at is not None and Scope.ARRIVALS_RESTRICTED in caller.scopes


def _shown_state(arrival: Arrival, caller: Caller) -> ShownState:
    return (
        ShownState.HELD_BY_AUTHORITIES
        if _shows_held(arrival, caller)
        else ShownState(arrival.state.value)
    )


def render_arrival(response: Response, arrival: Arrival, caller: Caller) -> ArrivalOut:
    """An arrival after something was done to it, with its ETag."""
    set_etag(response, arrival.version)
    return ArrivalOut.model_validate(arrival).model_copy(
        update={"state": _shown_state(arrival, caller)}
    )


def render_profile(profile: Profile, restricted: Sequence[HandoverReason] | None) -> ProfileOut:
    """A profile; what is restricted only where the caller may read it."""
    values = {
        name: getattr(profile, name) for name in ProfileOut.model_fields if name != "restricted"
    }
    return ProfileOut.model_validate(values | {"restricted": restricted})


def render_handover(
    row: Handover, context: ReceptionContext, *, why: bool, signature: bool
) -> HandoverOut:
    """A handover; why it was, and who signed, only where the caller may see it."""
    to = handed_to(row, context) or {}
    return HandoverOut(
        id=row.id,
        arrival_id=row.arrival_id,
        reason=to.get("reason") if why else None,
        **{name: to.get(name) for name in ("receiver", "name", "relationship", "authority")},
        signature=to.get("signature") if signature else None,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        clock_suspect=row.clock_suspect,
        recorded_by=row.recorded_by,
    )


def render_assistance(row: Assistance) -> AssistanceOut:
    """Something that was given at the desk."""
    return AssistanceOut(
        id=row.id,
        arrival_id=row.arrival_id,
        kind=row.kind,
        amount=Money(amount=row.amount, currency=row.currency)
        if row.amount is not None and row.currency
        else None,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        clock_suspect=row.clock_suspect,
        recorded_by=row.recorded_by,
    )


def render_transport(row: OnwardTransport) -> TransportOut:
    """How somebody travels on."""
    return TransportOut(
        id=row.id,
        arrival_id=row.arrival_id,
        mode=row.mode,
        destination=Destination(governorate=row.governorate, district=row.district),
        departs_at=row.departs_at,
        cost=Money(amount=row.cost, currency=row.currency)
        if row.cost is not None and row.currency
        else None,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        clock_suspect=row.clock_suspect,
        recorded_by=row.recorded_by,
    )


def render_confirmation(arrival: Arrival) -> ConfirmationOut | None:
    """How the office established the arrival; None where the desk did."""
    if arrival.confirmation_method is None:
        return None
    assert arrival.arrived_on is not None
    assert arrival.confirmation_evidence is not None
    return ConfirmationOut(
        arrived_on=arrival.arrived_on,
        method=arrival.confirmation_method,
        evidence=Evidence(arrival.confirmation_evidence),
    )
