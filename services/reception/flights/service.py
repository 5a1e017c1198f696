"""What is done with flights and manifests: each function is one step of a request's transaction."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Select, func, insert
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import and_, cast, col, delete, select, update

from chassis import audit
from chassis.auth import Caller, OrganisationKind
from chassis.concurrency import Precondition
from chassis.crypto import Keyring
from chassis.db import Session, now
from chassis.errors import CONFLICT, NOT_FOUND, FieldError, Problem, invalid
from chassis.ids import new_id
from chassis.outbox import publish
from chassis.pagination import Rows, page
from contracts import reception as told
from contracts.codes import ArrivalState, PortCode
from participation import beneficiaries
from participation.access import Role, grant, visible
from participation.matching_digests import Marks
from services.reception.arrivals.arrival_matching import unite_known
from services.reception.facts import ids_of
from services.reception.flights.schemas import (
    Details,
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
HALF_A_DAY = timedelta(hours=12)


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
    publish(session, told.FlightAnnounced(**_schedule(made)))
    audit.record(session, caller, "announce", RESOURCE, made.id)
    return made


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
    publish(session, told.FlightUpdated(**_schedule(flight)))
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
        told.FlightLanded(**_fact(flight), landed_at=flight.landed_at),
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
    publish(session, told.FlightCancelled(**_fact(flight)))
    for arrival in await _move(session, caller, flight, ArrivalAction.CALL_OFF):
        publish(session, told.ArrivalNotDeparted(**ids_of(arrival)))
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
    publish(session, told.FlightDiverted(**_fact(flight), previous_port=before))
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
    fact = told.ArrivalExpected(
        **ids_of(arrival),
        port_of_entry=arrival.port_of_entry,
        expected_at=arrival.expected_at,
        confirmed=arrival.confirmed,
    )
    publish(session, fact)


def _publish_diverted(session: Session, arrival: Arrival) -> None:
    assert arrival.port_of_entry is not None
    fact = told.ArrivalDiverted(
        **ids_of(arrival), port_of_entry=arrival.port_of_entry, expected_at=arrival.expected_at
    )
    publish(session, fact)


@dataclass(frozen=True)
class Known:
    """A passenger of the manifest before, and what it said of them."""

    row: Passenger
    arrival: Arrival
    details: Details


def _key(said: PassengerIn | Details, seat: str | None, marks: Marks) -> bytes:
    """By what the same passenger is known in the next version of a manifest: the surest thing that
    is said.
    """
    if said.external_reference is not None and said.person is not None:
        return marks.reference(said.external_reference, said.person)
    if said.document_number is not None:
        return marks.document(said.document_number)
    return _key_by_name(said, seat, marks)


def _key_by_name(said: PassengerIn | Details, seat: str | None, marks: Marks) -> bytes:
    if not said.named:
        return marks.of("seat", str(seat))
    names = (said.family_name, said.given_names, said.name_arab, said.birth_date)
    return marks.of("name", *(str(word or "").upper() for word in names), seat or "")


def _less_sure(said: PassengerIn | Details, seat: str | None, marks: Marks) -> list[bytes]:
    """By what else a passenger is known, should the next version not say the surest: our own lists
    do not have the reference.
    """
    keys = [marks.document(said.document_number)] if said.document_number is not None else []
    return [*keys, _key_by_name(said, seat, marks)] if said.named else keys


def _same_passengers(
    before: Sequence[Known],
    passengers: Sequence[PassengerIn],
    erased: Collection[UUID],
    marks: Marks,
) -> dict[int, Known]:
    """Who of the manifest before is who in the next: by the surest thing that is said, then by any,
    then by who sat there.

    Returns:
        By place in the new manifest.
    """
    same: dict[int, Known] = {}
    left = {each.row.id: each for each in before}
    surest = {each.row.key: each for each in before}
    seats: dict[str | None, list[Known]] = defaultdict(list)
    for each in before:
        if each.arrival.returnee_id not in erased:
            seats[each.row.seat].append(each)
    others = {
        key: each for each in before for key in _less_sure(each.details, each.row.seat, marks)
    }

    def pair(find: Callable[[PassengerIn], Iterable[Known | None]]) -> None:
        for place, passenger in enumerate(passengers):
            if place in same:
                continue
            found = next((each for each in find(passenger) if each and each.row.id in left), None)
            if found is not None:
                same[place] = left.pop(found.row.id)

    def by_any(passenger: PassengerIn) -> Iterable[Known | None]:
        keys = _less_sure(passenger, passenger.seat, marks)
        return (
            each
            for each in map(others.get, keys)
            if each and None in {each.details.external_reference, passenger.external_reference}
        )

    def by_seat(passenger: PassengerIn) -> Iterable[Known | None]:
        sitting = seats[passenger.seat] if passenger.seat is not None else []
        return (each for each in sitting if _still_sits(each, passenger))

    pair(lambda passenger: [surest.get(_key(passenger, passenger.seat, marks))])
    pair(by_any)
    pair(by_seat)
    return same


def _columns(
    passenger: PassengerIn, passenger_id: UUID, marks: Marks, keyring: Keyring
) -> dict[str, Any]:
    reference = None
    if passenger.external_reference is not None and passenger.person is not None:
        reference = marks.reference(passenger.external_reference, passenger.person)
    details = Details.model_validate(passenger.model_dump(mode="json"))
    return {
        "key": _key(passenger, passenger.seat, marks),
        "seat": passenger.seat,
        "family_group": passenger.family_group,
        "nationality": passenger.nationality,
        "reference_digest": reference,
        "document_digest": marks.document(passenger.document_number)
        if passenger.document_number
        else None,
        "sealed": seal(details, passenger_id, keyring) if details != Details() else None,
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
    all_off: bool = False,
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
        all_off: Whether it is meant that nobody is on the flight any more.

    Raises:
        Problem: 404, 409, 412, 428; 422 where nobody is left without its being meant.
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
    if rows and not passengers and not all_off:
        right = "the passengers; or all_off=true, where all of them are off the flight"
        raise invalid(FieldError(pointer="/passengers", code="nobody_left", detail=right))
    before = [Known(row, arrival, details_of(row, keyring)) for row, arrival in rows]
    erased = await _erased(session, [arrival for _, arrival in rows])
    same = _same_passengers(before, passengers, erased, marks)
    added: list[tuple[dict[str, Any], dict[str, Any]]] = []
    changed = 0
    for place, passenger in enumerate(passengers):
        known = same.get(place)
        if known is None:
            added.append(_new(flight, passenger, at, marks, keyring))
        # Of somebody erased, who they were does not come back with the next version.
        elif known.arrival.returnee_id not in erased:
            changed += await _update(session, known, passenger, marks, keyring)
    stay = {known.row.id for known in same.values()}
    gone = [(known.row, known.arrival) for known in before if known.row.id not in stay]
    removed, kept = await _take_off(session, gone)
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
        passengers=len(passengers),
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


async def _update(
    session: Session, known: Known, passenger: PassengerIn, marks: Marks, keyring: Keyring
) -> bool:
    """Let a passenger be as the new version says. A reference that it does not say stays, and so do
    particulars that were entered at the desk for a seat.

    Returns:
        Whether that is a change.
    """
    row, was = known.row, known.details
    if passenger.external_reference is None:
        kept = {"external_reference": was.external_reference, "person": was.person}
        passenger = passenger.model_copy(update=kept)
    columns = _columns(passenger, row.id, marks, keyring)
    new = Details.model_validate(passenger.model_dump(mode="json"))
    if was == new or (was.named and not passenger.named):
        del columns["sealed"]
    if all(getattr(row, name) == value for name, value in columns.items()):
        return False
    await session.execute(update(Passenger).where(col(Passenger.id) == row.id).values(columns))
    return True


def _still_sits(known: Known, passenger: PassengerIn) -> bool:
    """Whether a seat's passenger is the same, though nothing sure says so: a spelling or a number
    was corrected.
    """
    was, arrival = known.details, known.arrival
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
