"""What is done with flights: each function is one step of a request's transaction."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Select, func
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import and_, cast, col, select, update

from chassis import audit
from chassis.auth import Caller, OrganisationKind
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import CONFLICT, NOT_FOUND, Problem
from chassis.ids import new_id
from chassis.outbox import publish
from chassis.pagination import Rows, page
from contracts import reception as events
from contracts.codes import ArrivalState, PortCode, ReturnKind
from participation.access import Role, grant, visible
from services.reception.event_payloads import ids_of, publish_diverted, publish_expected
from services.reception.models import Arrival, Flight
from services.reception.ports import Ports
from services.reception.states import ARRIVAL, FLIGHT, ArrivalAction, FlightAction, FlightState

RESOURCE = "flight"
HALF_A_DAY = timedelta(hours=12)


def _fact(flight: Flight) -> dict[str, Any]:
    return {
        "flight_id": flight.id,
        "port_of_entry": flight.port_of_entry,
        "charter": flight.charter,
        "programme": flight.programme,
    }


def _schedule(flight: Flight) -> dict[str, Any]:
    return _fact(flight) | {
        "scheduled_at": flight.scheduled_at,
        "carrier": flight.carrier,
        "flight_number": flight.flight_number,
    }


async def list_flights(
    session: Session,
    caller: Caller,
    *,
    ports: Ports,
    port: str | None,
    day: date | None,
    state: FlightState | None,
    updated_since: datetime | None,
    after: str | None,
    limit: int,
) -> Rows[Flight]:
    """The flights that the caller's organisation announced, meets, or runs the programme of, in the
    order of landing.

    Args:
        session: The session.
        caller: Who asks.
        ports: The time zones of ports.
        port: Only those to this port of entry.
        day: Only those of this day in the time zone of their port.
        state: Only those in this state.
        updated_since: Only those changed since.
        after: Cursor of the page before.
        limit: How many in a page.
    """
    query: Select[Any] = select(Flight).where(visible(col(Flight.id), caller))
    if port is not None:
        query = query.where(col(Flight.port_of_entry) == port)
    if state is not None:
        query = query.where(col(Flight.state) == state)
    if updated_since is not None:
        query = query.where(col(Flight.updated_at) >= updated_since)
    if day is not None and port is not None:
        begins, ends = (
            datetime.combine(d, time(), ports.zone(port)) for d in (day, day + timedelta(days=1))
        )
        query = query.where(col(Flight.scheduled_at) >= begins, col(Flight.scheduled_at) < ends)
    elif day is not None:
        local_time = func.timezone(
            ports.zone_in_sql(col(Flight.port_of_entry)), Flight.scheduled_at
        )
        query = query.where(cast(local_time, Date) == day)
    keys, parsers = [col(Flight.scheduled_at), col(Flight.id)], [datetime.fromisoformat, UUID]
    return await page(session, query, keys=keys, parsers=parsers, after=after, limit=limit)


async def load_flight(session: Session, caller: Caller, flight_id: UUID) -> Flight:
    """A flight that the caller may know of.

    Raises:
        Problem: 404.
    """
    return await _load(session, _known_flight(caller, flight_id))


async def lock_flight(session: Session, caller: Caller, flight_id: UUID) -> Flight:
    """As `load_flight`, to change it.

    Raises:
        Problem: 404.
    """
    return await _load(session, _known_flight(caller, flight_id).with_for_update(of=Flight))


def _known_flight(caller: Caller, flight_id: UUID) -> Select[Any]:
    return select(Flight).where(Flight.id == flight_id, visible(col(Flight.id), caller))


async def _load(session: Session, query: Select[Any]) -> Flight:
    flight: Flight | None = await session.scalar(query)
    if flight is None:
        raise Problem(NOT_FOUND)
    return flight


@dataclass(frozen=True)
class FlightPlan:
    """A flight as it is announced.

    Attributes:
        carrier: Who flies.
        flight_number: None of a charter without one.
        charter: Whether it is one.
        origin: From where.
        port_of_entry: Where to.
        scheduled_at: When it is to land.
        programme: Of those on it whom no referral names.
        return_kind: How they return.
        receiver: Whose desk meets it; the announcing organisation's, if it has one and nothing is
            said.
    """

    carrier: str | None
    flight_number: str | None
    charter: bool
    origin: str
    port_of_entry: str
    scheduled_at: datetime
    programme: str | None
    return_kind: ReturnKind | None
    receiver: str | None


async def announce(
    session: Session, caller: Caller, plan: FlightPlan, *, flight_id: UUID | None
) -> Flight:
    """Announce a flight; the announcing organisation, the receiver and the programme's office take
    part in it.

    Raises:
        Problem: 409, the id is taken by something else.
    """
    receiver = plan.receiver or (
        caller.organisation if caller.kind is OrganisationKind.PARTNER else None
    )
    values = asdict(plan) | {
        "receiver": receiver,
        "announced_by": caller.organisation,
    }
    row = values | {"id": flight_id or new_id(), "state": FlightState.ANNOUNCED}
    flight: Flight | None = await session.scalar(
        upsert(Flight).values(row).on_conflict_do_nothing().returning(Flight)
    )
    if flight is None:
        existing: Flight | None = await session.scalar(_known_flight(caller, row["id"]))
        if existing is None or any(
            getattr(existing, name) != value for name, value in values.items()
        ):
            raise Problem(CONFLICT, "the id is taken by something else")
        return existing
    await _let_take_part(session, caller, flight, receiver)
    publish(session, events.FlightAnnounced(**_schedule(flight)))
    audit.record(session, caller, "announce", RESOURCE, flight.id)
    return flight


async def _let_take_part(
    session: Session, caller: Caller, flight: Flight, receiver: str | None
) -> None:
    """Let who announced a flight, who receives it and its programme's office take part in it."""
    role = Role.REFERRER if caller.kind is OrganisationKind.REFERRER else Role.PARTNER
    await grant(session, [flight.id], role, caller.organisation)
    if receiver is not None:
        await grant(session, [flight.id], Role.PARTNER, receiver)
    if flight.programme is not None:
        await grant(session, [flight.id], Role.PROGRAMME, flight.programme)


async def also_announced(session: Session, caller: Caller, flight: Flight) -> list[UUID]:
    """Other flights that the caller may know of and that seem to be the same one: of the same
    number, or the same charter, to the same port within half a day.
    """
    number = (
        col(Flight.flight_number) == flight.flight_number
        if flight.flight_number is not None
        else and_(
            col(Flight.flight_number).is_(None),
            col(Flight.carrier).is_not_distinct_from(flight.carrier),
            col(Flight.origin) == flight.origin,
        )
    )
    query = select(Flight.id).where(
        col(Flight.id) != flight.id,
        visible(col(Flight.id), caller),
        number,
        col(Flight.port_of_entry) == flight.port_of_entry,
        col(Flight.state) != FlightState.CANCELLED,
        col(Flight.scheduled_at).between(
            flight.scheduled_at - HALF_A_DAY, flight.scheduled_at + HALF_A_DAY
        ),
    )
    return list(await session.scalars(query.order_by(col(Flight.created_at)).limit(10)))


async def transition(
    session: Session, flight: Flight, action: FlightAction, **values: Any
) -> Flight:
    """Move a flight by an action, and set what comes with it."""
    FLIGHT.apply(flight, action, **values)
    await session.flush()
    await session.refresh(flight)
    return flight


async def change(
    session: Session,
    caller: Caller,
    flight_id: UUID,
    changes: Mapping[str, Any],
    precondition: Precondition,
) -> Flight:
    """Note a delay or another number; whoever is expected on it is expected then.

    Raises:
        Problem: 404, 409, 412, 428.
    """
    flight = await lock_flight(session, caller, flight_id)
    precondition.check(flight.version)
    FLIGHT.check(flight.state, FlightAction.CHANGE)
    changed = {name: value for name, value in changes.items() if getattr(flight, name) != value}
    if not changed:
        return flight
    flight = await transition(session, flight, FlightAction.CHANGE, **changed)
    publish(session, events.FlightUpdated(**_schedule(flight)))
    moved = {
        "expected_at": flight.scheduled_at,
        "carrier": flight.carrier,
        "flight_number": flight.flight_number,
    }
    for arrival in await _move(session, caller, flight, None, moved):
        if arrival.state is ArrivalState.DIVERTED:
            publish_diverted(session, arrival)
        else:
            publish_expected(session, arrival)
    audit.record(
        session, caller, FlightAction.CHANGE, RESOURCE, flight.id, {"changed": sorted(changed)}
    )
    return flight


async def land(
    session: Session, caller: Caller, flight_id: UUID, landed_at: datetime | None
) -> Flight:
    """Note that a flight is on the ground.

    Raises:
        Problem: 404, 409.
    """
    flight = await lock_flight(session, caller, flight_id)
    flight = await transition(session, flight, FlightAction.LANDED, landed_at=landed_at or now())
    assert flight.landed_at is not None
    publish(
        session,
        events.FlightLanded(**_fact(flight), landed_at=flight.landed_at),
        occurred_at=flight.landed_at,
    )
    audit.record(session, caller, FlightAction.LANDED, RESOURCE, flight.id)
    return flight


async def cancel(session: Session, caller: Caller, flight_id: UUID) -> Flight:
    """Note that a flight does not take place: nobody is expected on it; another journey makes them
    expected again.

    Raises:
        Problem: 404, 409.
    """
    flight = await lock_flight(session, caller, flight_id)
    flight = await transition(session, flight, FlightAction.CANCELLED)
    publish(session, events.FlightCancelled(**_fact(flight)))
    for arrival in await _move(session, caller, flight, ArrivalAction.CALL_OFF):
        publish(session, events.ArrivalNotDeparted(**ids_of(arrival)))
    audit.record(session, caller, FlightAction.CANCELLED, RESOURCE, flight.id)
    return flight


async def divert(
    session: Session, caller: Caller, flight_id: UUID, port: PortCode, scheduled_at: datetime | None
) -> Flight:
    """Note that a flight goes to another port; whoever is on it is met there.

    Raises:
        Problem: 404, 409.
    """
    flight = await lock_flight(session, caller, flight_id)
    before = flight.port_of_entry
    at = scheduled_at or flight.scheduled_at
    flight = await transition(
        session,
        flight,
        FlightAction.DIVERTED,
        port_of_entry=port,
        previous_port=before,
        scheduled_at=at,
    )
    publish(session, events.FlightDiverted(**_fact(flight), previous_port=before))
    moved = {"port_of_entry": port, "expected_at": at}
    for arrival in await _move(session, caller, flight, ArrivalAction.DIVERT, moved):
        publish_diverted(session, arrival)
    audit.record(session, caller, FlightAction.DIVERTED, RESOURCE, flight.id)
    return flight


async def _move(
    session: Session,
    caller: Caller,
    flight: Flight,
    action: ArrivalAction | None,
    values: Mapping[str, Any] | None = None,
) -> list[Arrival]:
    """Change those of a flight who are still to come.

    Args:
        session: The session.
        caller: Who does it.
        flight: The flight.
        action: What happens to them; None where only what is known of their journey changes.
        values: What is known of it.

    Returns:
        Those who are known to be somebody, in the order of their ids.
    """
    to_come = select(Arrival.id).where(
        Arrival.flight_id == flight.id, col(Arrival.state).in_(ArrivalState.TO_COME)
    )
    ids = (await session.scalars(to_come.order_by(col(Arrival.id)).with_for_update())).all()
    changes = dict(values or {}) | {"version": Arrival.version + 1, "updated_at": now()}
    if action is not None:
        changes |= ARRIVAL.bulk(action, ArrivalState.TO_COME) | {
            "state_at": now(),
            "state_recorded_at": now(),
            "state_by": caller.organisation,
            "state_by_person": caller.person,
            "clock_suspect": False,
        }
    rows = await session.scalars(
        update(Arrival).where(col(Arrival.id).in_(ids)).values(changes).returning(Arrival),
        execution_options={"synchronize_session": False, "populate_existing": True},
    )
    return sorted((row for row in rows if row.returnee_id is not None), key=lambda row: row.id)
