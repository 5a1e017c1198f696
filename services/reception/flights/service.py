"""What is done with flights and manifests: each function is one step of a request's transaction."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Date, Select, func, insert
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import cast, col, delete, select, update

from chassis import audit
from chassis.auth import Caller, OrganisationKind
from chassis.concurrency import Precondition
from chassis.crypto import Keyring
from chassis.db import Session, now
from chassis.errors import CONFLICT, NOT_FOUND, Problem
from chassis.ids import new_id
from chassis.outbox import publish
from chassis.pagination import Rows, page
from contracts import reception as events
from contracts.codes import ArrivalState, PortCode
from participation import beneficiaries
from participation.access import Role, grant, visible
from participation.matching_digests import Marks
from services.reception.arrival_matching import unite_known
from services.reception.event_payloads import ids_of
from services.reception.flights.schemas import (
    FlightIn,
    FlightPatch,
    ManifestTaken,
    PassengerIn,
    Purpose,
)
from services.reception.models import Alias, Arrival, Flight, Passenger
from services.reception.ports import Ports
from services.reception.states import ARRIVAL, FLIGHT, ArrivalAction, FlightAction, FlightState

RESOURCE = "flight"


class Details(BaseModel):
    """What a manifest says about a passenger and is kept encrypted."""

    external_reference: str | None = None
    person: int | None = None
    family_name: str | None = None
    given_names: str | None = None
    name_arab: str | None = None
    sex: str | None = None
    birth_date: date | None = None
    document_kind: str | None = None
    document_number: str | None = None
    destination: str | None = None
    remarks: list[str] = []


def seal(details: Details, passenger_id: UUID, keyring: Keyring) -> bytes:
    """Encrypt what is known of a passenger."""
    return keyring.encrypt(details.model_dump_json().encode(), f"passenger/{passenger_id}")


def details_of(passenger: Passenger, keyring: Keyring) -> Details:
    """What is known of a passenger; nothing of a seat. The caller of this audits the reading."""
    if passenger.sealed is None:
        return Details()
    return Details.model_validate_json(
        keyring.decrypt(passenger.sealed, f"passenger/{passenger.id}")
    )


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


async def flights(
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
        there = func.timezone(ports.zone_in_sql(col(Flight.port_of_entry)), Flight.scheduled_at)
        query = query.where(cast(there, Date) == day)
    keys, parsers = [col(Flight.scheduled_at), col(Flight.id)], [datetime.fromisoformat, UUID]
    return await page(session, query, keys=keys, parsers=parsers, after=after, limit=limit)


async def find(session: Session, caller: Caller, flight_id: UUID, *, lock: bool = False) -> Flight:
    """A flight that the caller may know of.

    Raises:
        Problem: 404.
    """
    query = select(Flight).where(Flight.id == flight_id, visible(col(Flight.id), caller))
    flight = await session.scalar(query.with_for_update(of=Flight) if lock else query)
    if flight is None:
        raise Problem(NOT_FOUND)
    return flight


async def announce(session: Session, caller: Caller, body: FlightIn) -> Flight:
    """Announce a flight; the announcing organisation, the receiver and the programme's office take
    part in it.

    Raises:
        Problem: 409, the id is taken by something else.
    """
    receiver = body.receiver or (
        caller.organisation if caller.kind is OrganisationKind.PARTNER else None
    )
    values = body.model_dump(exclude={"id"}) | {
        "receiver": receiver,
        "announced_by": caller.organisation,
    }
    row = values | {"id": body.id or new_id(), "state": FlightState.ANNOUNCED}
    made: Flight | None = await session.scalar(
        upsert(Flight).values(row).on_conflict_do_nothing().returning(Flight)
    )
    if made is None:
        there = await session.scalar(
            select(Flight).where(col(Flight.id) == body.id, visible(col(Flight.id), caller))
        )
        if there is None or any(getattr(there, name) != value for name, value in values.items()):
            raise Problem(CONFLICT, "the id is taken by something else")
        return there
    role = Role.REFERRER if caller.kind is OrganisationKind.REFERRER else Role.PARTNER
    await grant(session, [made.id], role, caller.organisation)
    if receiver is not None:
        await grant(session, [made.id], Role.PARTNER, receiver)
    if body.programme is not None:
        await grant(session, [made.id], Role.PROGRAMME, body.programme)
    publish(session, events.FlightAnnounced(**_schedule(made)))
    audit.record(session, caller, "announce", RESOURCE, made.id)
    return made


async def _change(session: Session, flight: Flight, action: FlightAction, **values: Any) -> Flight:
    FLIGHT.apply(flight, action, **values)
    await session.flush()
    await session.refresh(flight)
    return flight


async def change(
    session: Session, caller: Caller, flight_id: UUID, body: FlightPatch, precondition: Precondition
) -> Flight:
    """Note a delay or another number; whoever is expected on it is expected then.

    Raises:
        Problem: 404, 409, 412, 428.
    """
    flight = await find(session, caller, flight_id, lock=True)
    precondition.check(flight.version)
    FLIGHT.check(flight.state, FlightAction.CHANGE)
    sent = {name: getattr(body, name) for name in body.model_fields_set}
    changed = {name: value for name, value in sent.items() if getattr(flight, name) != value}
    if not changed:
        return flight
    flight = await _change(session, flight, FlightAction.CHANGE, **changed)
    publish(session, events.FlightUpdated(**_schedule(flight)))
    moved = {
        "expected_at": flight.scheduled_at,
        "carrier": flight.carrier,
        "flight_number": flight.flight_number,
    }
    for arrival in await _move(session, caller, flight, None, moved):
        if arrival.state is ArrivalState.DIVERTED:
            _publish_diverted(session, arrival)
        else:
            _publish_expected(session, arrival)
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
    flight = await find(session, caller, flight_id, lock=True)
    flight = await _change(session, flight, FlightAction.LANDED, landed_at=landed_at or now())
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
    flight = await find(session, caller, flight_id, lock=True)
    flight = await _change(session, flight, FlightAction.CANCELLED)
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
    flight = await find(session, caller, flight_id, lock=True)
    before = flight.port_of_entry
    at = scheduled_at or flight.scheduled_at
    flight = await _change(
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
        _publish_diverted(session, arrival)
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


def _publish_expected(session: Session, arrival: Arrival) -> None:
    fact = events.ArrivalExpected(
        **ids_of(arrival),
        port_of_entry=arrival.port_of_entry,
        expected_at=arrival.expected_at,
        confirmed=arrival.confirmed,
    )
    publish(session, fact)


def _publish_diverted(session: Session, arrival: Arrival) -> None:
    assert arrival.port_of_entry is not None
    fact = events.ArrivalDiverted(
        **ids_of(arrival), port_of_entry=arrival.port_of_entry, expected_at=arrival.expected_at
    )
    publish(session, fact)


def _key(passenger: PassengerIn, marks: Marks) -> bytes:
    """By what the same passenger is known in the next version of a manifest: the surest thing that
    is said.
    """
    if passenger.external_reference is not None and passenger.person is not None:
        return marks.reference(passenger.external_reference, passenger.person)
    if passenger.document_number is not None:
        return marks.document(passenger.document_number)
    if not passenger.named:
        return marks.of("seat", str(passenger.seat))
    names = (
        passenger.family_name,
        passenger.given_names,
        passenger.name_arab,
        passenger.birth_date,
    )
    return marks.of("name", *(str(word or "").upper() for word in names), passenger.seat or "")


def _columns(
    passenger: PassengerIn, passenger_id: UUID, marks: Marks, keyring: Keyring
) -> dict[str, Any]:
    reference = None
    if passenger.external_reference is not None and passenger.person is not None:
        reference = marks.reference(passenger.external_reference, passenger.person)
    details = Details.model_validate(passenger.model_dump(mode="json"))
    return {
        "key": _key(passenger, marks),
        "seat": passenger.seat,
        "family_group": passenger.family_group,
        "nationality": passenger.nationality,
        "reference_digest": reference,
        "document_digest": marks.document(passenger.document_number)
        if passenger.document_number
        else None,
        "sealed": seal(details, passenger_id, keyring)
        if passenger.named or passenger.remarks
        else None,
    }


async def take_manifest(
    session: Session,
    caller: Caller,
    flight_id: UUID,
    passengers: Sequence[PassengerIn],
    *,
    precondition: Precondition,
    marks: Marks,
    keyring: Keyring,
) -> tuple[Flight, ManifestTaken]:
    """Put a manifest in the place of the one before, without losing what was done with anybody.

    A passenger is the same one by reference, else by travel document, else by name and seat; a seat
    that had no name and now has one, or whose name or birth date is the same still, stays the same
    arrival.

    Args:
        session: The session.
        caller: Who sends it.
        flight_id: Whose.
        passengers: Everybody on the flight, checked.
        precondition: What the caller has seen: the flight's version, or that there is no manifest
            yet.
        marks: Makes digests.
        keyring: Encrypts.

    Raises:
        Problem: 404, 409, 412, 428.
    """
    flight = await find(session, caller, flight_id, lock=True)
    precondition.check(flight.version if flight.manifest_version else None)
    FLIGHT.check(flight.state, FlightAction.MANIFEST)
    at: datetime = (await session.execute(select(now()))).scalar_one()
    rows = (
        await session.execute(
            select(Passenger, Arrival)
            .join(Arrival, col(Arrival.id) == Passenger.arrival_id)
            .where(Passenger.flight_id == flight.id)
            .order_by(col(Arrival.id))
            .with_for_update()
        )
    ).all()
    before = {passenger.key: (passenger, arrival) for passenger, arrival in rows}
    wanted = {_key(passenger, marks): passenger for passenger in passengers}
    erased = await _erased(session, [arrival for _, arrival in rows])
    seats = {
        p.seat: p.key
        for p, a in rows
        if p.seat and p.key not in wanted and a.returnee_id not in erased
    }
    added: list[tuple[dict[str, Any], dict[str, Any]]] = []
    changed = 0
    for key, passenger in wanted.items():
        known = before.pop(key, None)
        if known is None and passenger.seat in seats:
            sat = before[seats[passenger.seat]]
            if _still_sits(*sat, passenger, keyring):
                known = before.pop(seats.pop(passenger.seat))
        if known is None:
            added.append(_new(flight, passenger, at, marks, keyring))
            continue
        row, arrival = known
        if arrival.returnee_id in erased:  # who they were does not come back with the next version
            continue
        columns = _columns(passenger, row.id, marks, keyring)
        new = Details.model_validate(passenger.model_dump(mode="json"))
        bound_meanwhile = (
            not passenger.named and row.sealed is not None
        )  # particulars were entered at the desk
        if bound_meanwhile or details_of(row, keyring) == new:
            del columns["sealed"]
        if any(getattr(row, name) != value for name, value in columns.items()):
            changed += 1
            await session.execute(
                update(Passenger).where(col(Passenger.id) == row.id).values(columns)
            )
    removed, kept = await _take_off(session, list(before.values()))
    if added:
        await session.execute(insert(Arrival), [arrival for arrival, _ in added])
        await session.execute(insert(Passenger), [passenger for _, passenger in added])
    version = flight.manifest_version + 1
    flight = await _change(session, flight, FlightAction.MANIFEST, manifest_version=version)
    await unite_known(session, flight_id=flight.id)
    recognised = await session.scalar(
        select(func.count())
        .select_from(Passenger)
        .join(Arrival, col(Arrival.id) == Passenger.arrival_id)
        .where(
            col(Passenger.flight_id) == flight.id,
            col(Arrival.returnee_id).is_not(None),
            ~col(Arrival.walk_in),
        )
    )
    taken = ManifestTaken(
        flight_id=flight.id,
        manifest_version=flight.manifest_version,
        passengers=len(wanted),
        anonymous=sum(not passenger.named for passenger in passengers),
        recognised=recognised or 0,
        added=len(added),
        changed=changed,
        removed=removed,
        kept=kept,
    )
    audit.record(
        session, caller, FlightAction.MANIFEST, RESOURCE, flight.id, taken.model_dump(mode="json")
    )
    return flight, taken


def _new(
    flight: Flight, passenger: PassengerIn, at: datetime, marks: Marks, keyring: Keyring
) -> tuple[dict[str, Any], dict[str, Any]]:
    passenger_id, arrival_id = new_id(), new_id()
    arrival = {
        "id": arrival_id,
        "flight_id": flight.id,
        "programme": flight.programme,
        "return_kind": flight.return_kind,
        "state": ArrivalState.EXPECTED,
        "state_at": at,
        "port_of_entry": flight.port_of_entry,
        "expected_at": flight.scheduled_at,
        "carrier": flight.carrier,
        "flight_number": flight.flight_number,
        "confirmed": True,
    }
    columns = _columns(passenger, passenger_id, marks, keyring)
    return arrival, {"id": passenger_id, "flight_id": flight.id, "arrival_id": arrival_id} | columns


async def _erased(session: Session, arrivals: Sequence[Arrival]) -> set[UUID]:
    people = {arrival.returnee_id for arrival in arrivals if arrival.returnee_id is not None}
    known = beneficiaries.beneficiary.c
    query = select(known.returnee_id).where(known.returnee_id.in_(people), known.state == "erased")
    return set(await session.scalars(query))


def _still_sits(row: Passenger, arrival: Arrival, passenger: PassengerIn, keyring: Keyring) -> bool:
    """Whether a seat's passenger is the same, though nothing sure says so: a spelling or a number
    was corrected.
    """
    was = details_of(row, keyring)
    names = {was.family_name, was.given_names, was.name_arab} - {None}
    if not names:
        return arrival.returnee_id is not None or (
            arrival.state in ArrivalState.TO_COME and arrival.held_at is None
        )
    same = names & {passenger.family_name, passenger.given_names, passenger.name_arab}
    return (
        bool(same)
        or not passenger.named
        or (was.birth_date is not None and was.birth_date == passenger.birth_date)
    )


async def _take_off(session: Session, gone: Sequence[tuple[Passenger, Arrival]]) -> tuple[int, int]:
    """Take passengers off a manifest; those with whom something was done stay on it."""
    removed = 0
    for passenger, arrival in gone:
        if arrival.state not in ArrivalState.TO_COME or arrival.walk_in:
            continue
        removed += 1
        await session.execute(delete(Passenger).where(col(Passenger.id) == passenger.id))
        if arrival.returnee_id is None:
            await session.execute(delete(Alias).where(col(Alias.arrival_id) == arrival.id))
            await session.execute(delete(Arrival).where(col(Arrival.id) == arrival.id))
            continue
        changes = {"flight_id": None, "version": Arrival.version + 1, "updated_at": now()}
        await session.execute(update(Arrival).where(col(Arrival.id) == arrival.id).values(changes))
    return removed, len(gone) - removed


async def read_manifest(
    session: Session, caller: Caller, flight_id: UUID
) -> tuple[Flight, Sequence[tuple[Passenger, Arrival, bool]]]:
    """A manifest: each passenger, their arrival, and whether that is for the caller.

    Raises:
        Problem: 404, also where there is no manifest yet.
    """
    flight = await find(session, caller, flight_id)
    if not flight.manifest_version:
        raise Problem(NOT_FOUND)
    query = (
        select(Passenger, Arrival, visible(col(Arrival.seen_through), caller))
        .join(Arrival, col(Arrival.id) == Passenger.arrival_id)
        .where(Passenger.flight_id == flight.id)
        .order_by(func.length(Passenger.seat), col(Passenger.seat), col(Passenger.id))
    )
    return flight, (await session.execute(query)).all()


def record_disclosure(
    session: Session,
    caller: Caller,
    flight: Flight,
    passengers: int,
    *,
    form: str,
    recipient: str | None = None,
    purpose: Purpose | None = None,
) -> None:
    """Note who was given a manifest, in which form, and for what."""
    details = {
        "manifest_version": flight.manifest_version,
        "passengers": passengers,
        "form": form,
        "view": "desk" if recipient is None else "authority",
        "recipient": recipient,
        "purpose": purpose,
    }
    said = {name: value for name, value in details.items() if value is not None}
    audit.record(session, caller, "disclose-manifest", RESOURCE, flight.id, said)
