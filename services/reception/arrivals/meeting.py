"""Somebody is met at the desk: expected, on a seat, or by nobody expected."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, or_, select

from chassis import audit
from chassis.concurrency import Precondition
from chassis.errors import (
    CONFLICT,
    FieldError,
    Problem,
    invalid,
)
from chassis.ids import new_id
from chassis.outbox import publish
from contracts import reception as events
from contracts.codes import (
    ArrivalState,
    Member,
    ReturnKind,
)
from participation import beneficiaries
from participation.access import visible
from services.reception.arrival_matching import unite
from services.reception.arrivals.batch import ArrivalBatch
from services.reception.arrivals.loaded_arrivals import FRESH
from services.reception.arrivals.particulars import load_copy_on_manifest, mint
from services.reception.arrivals.permitted import (
    RESOURCE,
    allowed_actions,
    conflict,
    describe_state,
    require_allowed,
)
from services.reception.arrivals.rules import clock_suspect
from services.reception.event_payloads import ids_of
from services.reception.flights.service import load_flight
from services.reception.identities import IdentityCopy
from services.reception.models import (
    Arrival,
)
from services.reception.states import ArrivalAction


async def check_in(
    batch: ArrivalBatch,
    arrival_ids: Sequence[UUID],
    *,
    occurred_at: datetime | None,
    port: str | None,
    identity_doubtful: bool = False,
) -> list[Arrival]:
    """Note that people were met at the desk: all of them, or none.

    Of two tablets the second waits for the first, then finds the state changed.

    Args:
        batch: With the arrivals.
        arrival_ids: Whose.
        occurred_at: When, by the desk's clock; now if not given.
        port: Where the desk is; as expected if not given.
        identity_doubtful: Whether it is not sure that they are who they are expected to be.

    Returns:
        The arrivals in the order that was asked for.

    Raises:
        Problem: 404; 409 with the state, since when and by whom, or that it is not known who they
            are; 422, nobody knows the port.
    """
    arrivals = [batch.find(arrival_id) for arrival_id in arrival_ids]
    _require_all_may_check_in(arrivals, port)
    arrivals = list({arrival.id: arrival for arrival in arrivals}.values())
    copies = {
        arrival.id: await load_copy_on_manifest(batch, arrival)
        for arrival in arrivals
        if arrival.returnee_id is None
    }
    at = occurred_at or batch.clock
    for arrival in arrivals:
        if arrival.id in copies:
            await mint(batch, arrival, copies[arrival.id])
        here = port or arrival.port_of_entry
        assert here is not None
        arrival.met_at, arrival.met_by, arrival.port_of_entry = at, batch.caller.organisation, here
        arrival.identity_doubtful = identity_doubtful
        arrival.arrived_on = day_at(batch, at, here)
        batch.transition(arrival, ArrivalAction.CHECK_IN, at)
        audit.record(batch.session, batch.caller, ArrivalAction.CHECK_IN, RESOURCE, arrival.id)
        publish(batch.session, _received_payload(arrival), occurred_at=arrival.met_at)
    return arrivals


def _require_all_may_check_in(arrivals: Sequence[Arrival], port: str | None) -> None:
    """Raise what stands against checking these in, if anything does."""
    in_the_way = [
        (index, arrival)
        for index, arrival in enumerate(arrivals)
        if ArrivalAction.CHECK_IN not in allowed_actions(arrival)
    ]
    if in_the_way:
        errors = [
            FieldError(
                pointer=f"/arrivals/{index}", code="state_conflict", detail=describe_state(arrival)
            )
            for index, arrival in in_the_way
        ]
        raise conflict(
            in_the_way[0][1], ArrivalAction.CHECK_IN, errors if len(arrivals) > 1 else ()
        )
    if port is None and any(arrival.port_of_entry is None for arrival in arrivals):
        detail = "where the desk is: the journey did not say"
        raise invalid(FieldError(pointer="/port_of_entry", code="port_required", detail=detail))


async def bind(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    returnee_id: UUID | None,
    copy: IdentityCopy | None,
    caught_up: bool = True,
) -> Arrival:
    """Say who sits on a seat: a returnee who is known, or somebody whose particulars were entered.

    Args:
        batch: With the arrival.
        arrival_id: Of an arrival that nobody is bound to.
        returnee_id: Who it is, if they are known.
        copy: Who it is, if not.
        caught_up: Whether the projection of people was already waited for.

    Returns:
        The arrival; that of the returnee's own journey where it ends with this flight.

    Raises:
        Problem: 404, 409.
    """
    arrival = require_allowed(batch, arrival_id, ArrivalAction.BIND)
    if arrival.returnee_id is not None:
        if arrival.returnee_id == returnee_id:
            return arrival
        raise Problem(CONFLICT, "somebody is bound to it already")
    if returnee_id is None:
        assert copy is not None
        await mint(batch, arrival, copy)
        batch.touch(arrival)
    else:
        person = await beneficiaries.require(
            batch.session, returnee_id, batch.caller, caught_up=caught_up
        )
        united = await unite(batch.session, arrival.id, returnee_id)
        if united is not None:
            await batch.replace_with(arrival, united)
            arrival = united
        else:
            arrival.returnee_id = returnee_id
            for name in ("case_id", "referral_id", "household_id", "programme"):
                setattr(arrival, name, getattr(person, name))
            batch.touch(arrival)
    audit.record(batch.session, batch.caller, ArrivalAction.BIND, RESOURCE, arrival.id)
    publish(batch.session, events.ArrivalBound(**ids_of(arrival)))
    return arrival


async def _require_known(
    batch: ArrivalBatch, programme: str | None, flight_id: UUID | None, household_id: UUID | None
) -> None:
    """Refuse a programme, a flight or a household that the desk does not know.

    Raises:
        Problem: 404, 422.
    """
    if programme is not None and programme not in batch.context.programmes:
        detail = "one of: " + ", ".join(sorted(batch.context.programmes))
        raise invalid(FieldError(pointer="/programme", code="unknown_programme", detail=detail))
    if flight_id is not None:
        await load_flight(batch.session, batch.caller, flight_id)
    if household_id is not None:
        await _require_own_household(batch, household_id)


async def walk_in(
    batch: ArrivalBatch,
    *,
    id: UUID | None,  # noqa: A002 - the resource's member
    flight_id: UUID | None,
    port: str,
    programme: str | None,
    return_kind: ReturnKind | None,
    copy: IdentityCopy,
    household_id: UUID | None,
    member: Member,
    identity_doubtful: bool,
    occurred_at: datetime | None,
) -> tuple[Arrival, bool]:
    """Meet somebody whom nobody expected: they get an id here, under which cases adopts them.

    Returns:
        The arrival, and whether it is new; told again under the same id it is there already.

    Raises:
        Problem: 404, the flight; 409, the id is taken by something else; 422, there is no such
            programme.
    """
    await _require_known(batch, programme, flight_id, household_id)
    existing = batch.known(id) if id is not None else None
    if existing is not None and await _is_same_walk_in(batch, existing, copy):
        return existing, False
    at, returnee_id = occurred_at or batch.clock, new_id()
    values = {
        "id": id or new_id(),
        "returnee_id": returnee_id,
        "walk_in": True,
        "flight_id": flight_id,
        "household_id": household_id,
        "member": member,
        "programme": programme,
        "return_kind": return_kind,
        "port_of_entry": port,
        "expected_at": None,
        "confirmed": True,
        "met_at": at,
        "met_by": batch.caller.organisation,
        "identity_doubtful": identity_doubtful,
        "arrived_on": day_at(batch, at, port),
        "state": ArrivalState.MET,
        "state_at": at,
        "state_by": batch.caller.organisation,
        "state_by_person": batch.caller.person,
        "clock_suspect": batch.is_suspect(at),
    }
    statement = insert(Arrival).values(values).on_conflict_do_nothing().returning(Arrival)
    arrival = (await batch.session.scalars(statement, execution_options=FRESH)).one_or_none()
    if arrival is None:
        raise Problem(CONFLICT, "the id is taken by something else")
    batch.add_new(arrival)
    batch.mint(arrival, copy, returnee_id)
    audit.record(batch.session, batch.caller, "walk-in", RESOURCE, arrival.id)
    publish(batch.session, _received_payload(arrival), occurred_at=at)
    return arrival, True


async def _is_same_walk_in(batch: ArrivalBatch, existing: Arrival, copy: IdentityCopy) -> bool:
    """Whether the arrival under an id is the walk-in that is told again."""
    if existing.returnee_id is None or not existing.walk_in or not batch.is_visible(existing):
        return False
    known = await batch.copy_of(existing.returnee_id)
    return known is not None and known.names == copy.names


async def _require_own_household(batch: ArrivalBatch, household_id: UUID) -> None:
    others = or_(~visible(col(Arrival.seen_through), batch.caller), ~col(Arrival.walk_in))
    if await batch.session.scalar(
        select(exists().where(col(Arrival.household_id) == household_id, others))
    ):
        raise Problem(CONFLICT, "the household's id is taken by something else")


def _met(batch: ArrivalBatch, at: datetime, port: str) -> dict[str, Any]:
    """What is kept of when and where somebody was met."""
    return {
        "met_at": at,
        "port_of_entry": port,
        "arrived_on": day_at(batch, at, port),
        "clock_suspect": clock_suspect(at, batch.clock),
    }


async def correct(
    batch: ArrivalBatch,
    arrival_id: UUID,
    *,
    met_at: datetime | None,
    port: str | None,
    identity_doubtful: bool | None,
    precondition: Precondition,
) -> Arrival:
    """Correct where or when somebody was met, or whether they are surely who they were taken for.

    Raises:
        Problem: 404, 409, 412, 428.
    """
    arrival = require_allowed(batch, arrival_id, ArrivalAction.CORRECT)
    precondition.check(arrival.version)
    assert arrival.met_at is not None
    at, here = met_at or arrival.met_at, port or arrival.port_of_entry
    assert here is not None
    doubtful = arrival.identity_doubtful if identity_doubtful is None else identity_doubtful
    values = _met(batch, at, here) | {"identity_doubtful": doubtful}
    changed = sorted(name for name, value in values.items() if getattr(arrival, name) != value)
    if not changed:
        return arrival
    details = {"changed": changed}
    audit.record(batch.session, batch.caller, ArrivalAction.CORRECT, RESOURCE, arrival.id, details)
    for name in changed:
        setattr(arrival, name, values[name])
    batch.touch(arrival)
    if {"port_of_entry", "arrived_on"} & set(changed):
        fact = events.ArrivalCorrected(
            **ids_of(arrival), port_of_entry=here, arrived_on=values["arrived_on"]
        )
        publish(batch.session, fact)
    return arrival


def day_at(batch: ArrivalBatch, at: datetime, port: str) -> date:
    """The day at a port, by a clock that is right; of a time that is still to come, today."""
    return min(at - batch.ahead, batch.clock).astimezone(batch.context.ports.zone(port)).date()


def _received_payload(arrival: Arrival) -> events.ArrivalReceived:
    assert arrival.port_of_entry is not None
    assert arrival.arrived_on is not None
    return events.ArrivalReceived(
        **ids_of(arrival),
        port_of_entry=arrival.port_of_entry,
        arrived_on=arrival.arrived_on,
        walk_in=arrival.walk_in,
    )
