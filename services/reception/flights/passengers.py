"""Who is on a flight: a manifest takes the place of the one before, and what was done stays."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert
from sqlmodel import col, delete, select, update

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.crypto import Keyring
from chassis.db import Session, now
from chassis.errors import NOT_FOUND, FieldError, Problem, invalid
from chassis.ids import new_id
from contracts.codes import ArrivalState
from participation import beneficiaries
from participation.access import visible
from participation.matching_digests import Marks
from services.reception.arrival_matching import unite_known
from services.reception.flights import service
from services.reception.flights.schemas import (
    Details,
    ManifestTaken,
    PassengerIn,
    Purpose,
)
from services.reception.models import Alias, Arrival, Flight, Passenger
from services.reception.states import FLIGHT, FlightAction


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
    left = {known.row.id: known for known in before}
    surest = {known.row.key: known for known in before}
    seats: dict[str | None, list[Known]] = defaultdict(list)
    for known in before:
        if known.arrival.returnee_id not in erased:
            seats[known.row.seat].append(known)
    others = {
        key: known for known in before for key in _less_sure(known.details, known.row.seat, marks)
    }

    def pair(find: Callable[[PassengerIn], Iterable[Known | None]]) -> None:
        for index, passenger in enumerate(passengers):
            if index in same:
                continue
            match = next(
                (known for known in find(passenger) if known and known.row.id in left), None
            )
            if match is not None:
                same[index] = left.pop(match.row.id)

    def by_any(passenger: PassengerIn) -> Iterable[Known | None]:
        keys = _less_sure(passenger, passenger.seat, marks)
        return (
            known
            for known in map(others.get, keys)
            if known and None in {known.details.external_reference, passenger.external_reference}
        )

    def by_seat(passenger: PassengerIn) -> Iterable[Known | None]:
        sitting = seats[passenger.seat] if passenger.seat is not None else []
        return (known for known in sitting if _still_sits(known, passenger))

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
    flight = await service.lock_flight(session, caller, flight_id)
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
    for index, passenger in enumerate(passengers):
        known = same.get(index)
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
    flight = await service.transition(
        session, flight, FlightAction.MANIFEST, manifest_version=version
    )
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
        session,
        caller,
        FlightAction.MANIFEST,
        service.RESOURCE,
        flight.id,
        taken.model_dump(mode="json"),
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


async def load_manifest(
    session: Session, caller: Caller, flight_id: UUID
) -> tuple[Flight, Sequence[tuple[Passenger, Arrival, bool]]]:
    """A manifest: each passenger, their arrival, and whether that is for the caller.

    Raises:
        Problem: 404, also where there is no manifest yet.
    """
    flight = await service.load_flight(session, caller, flight_id)
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
    audit.record(session, caller, "disclose-manifest", service.RESOURCE, flight.id, said)
