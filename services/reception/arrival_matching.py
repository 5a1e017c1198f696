"""One arrival for one person, whether a manifest or a referral expects them."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Row, insert
from sqlmodel import col, delete, or_, select, update

from chassis.db import Session, now
from contracts.codes import ArrivalState
from participation import aliases
from participation.access import Role, grant
from services.reception.event_payloads import publish_expected
from services.reception.models import Alias, Arrival, Flight, MatchingDigest, Passenger

log = structlog.get_logger("homeward.reception")

SAME_JOURNEY = timedelta(days=2)
"""How far a booked journey's time and a flight's may lie apart and be the same: a delay, another
clock's date.
"""


def same_journey(expected: datetime | None, scheduled: datetime) -> bool:
    """Whether a journey may end with a flight; one without a time may."""
    return expected is None or abs(expected - scheduled) <= SAME_JOURNEY


async def unite_known(
    session: Session, *, flight_id: UUID | None = None, returnee_id: UUID | None = None
) -> int:
    """Find out who sits on seats of manifests, where a mark of somebody who is expected says it.

    Args:
        session: The session.
        flight_id: Only on this flight.
        returnee_id: Only this person.

    Returns:
        How many were found.
    """
    marked = await _load_marked(session, flight_id, returnee_id)
    matches: dict[UUID, tuple[Passenger, dict[UUID, bool]]] = {}
    person_of = await aliases.resolve_all(session, [who for _, who, _ in marked])
    for passenger, marks_of, by_reference in marked:
        _, candidates = matches.setdefault(passenger.id, (passenger, {}))
        who = person_of[marks_of]
        candidates[who] = candidates.get(who, False) or bool(by_reference)
    united = 0
    for passenger, candidates in sorted(matches.values(), key=lambda pair: pair[0].id):
        sure = [who for who, by_reference in candidates.items() if by_reference] or list(candidates)
        if len(sure) > 1:
            log.warning("a passenger has the marks of several people", passenger=str(passenger.id))
            continue
        united += await unite(session, passenger.arrival_id, sure[0]) is not None
    return united


async def _load_marked(
    session: Session, flight_id: UUID | None, returnee_id: UUID | None
) -> Sequence[Row[Passenger, UUID, bool]]:
    """Load passengers to whom nobody is bound, with whose mark theirs is, and whether it is that of
    a reference.
    """
    query = (
        select(
            Passenger,
            MatchingDigest.returnee_id,
            MatchingDigest.digest == Passenger.reference_digest,
        )
        .join(Arrival, col(Arrival.id) == Passenger.arrival_id)
        .join(
            MatchingDigest,
            or_(
                MatchingDigest.digest == Passenger.reference_digest,
                MatchingDigest.digest == Passenger.document_digest,
            ),
        )
        .where(col(Arrival.returnee_id).is_(None))
    )
    if flight_id is not None:
        query = query.where(Passenger.flight_id == flight_id)
    if returnee_id is not None:
        query = query.where(
            col(MatchingDigest.returnee_id).in_(await aliases.same_person(session, returnee_id))
        )
    return (await session.execute(query)).all()


async def _put_on(session: Session, expected: Arrival, flight: Flight) -> bool:
    """Let an expected arrival end with a flight; whether its journey is another by that."""
    values = {"flight_id": flight.id, "version": Arrival.version + 1, "updated_at": now()}
    moved = {
        "expected_at": flight.scheduled_at,
        "port_of_entry": flight.port_of_entry,
        "carrier": flight.carrier,
        "flight_number": flight.flight_number,
    }
    is_moved = expected.state == ArrivalState.EXPECTED and any(
        getattr(expected, name) != value for name, value in moved.items()
    )
    await session.execute(
        update(Arrival)
        .where(col(Arrival.id) == expected.id)
        .values(values | (moved if is_moved else {}))
    )
    await session.refresh(expected)
    return is_moved


async def _replace_seat(session: Session, seat: Arrival, expected: Arrival) -> None:
    """Let whatever names a seat's arrival mean the one that was expected."""
    await session.execute(
        update(Passenger).where(col(Passenger.arrival_id) == seat.id).values(arrival_id=expected.id)
    )
    await session.execute(
        update(Alias).where(col(Alias.arrival_id) == seat.id).values(arrival_id=expected.id)
    )
    await session.execute(delete(Arrival).where(col(Arrival.id) == seat.id))
    await session.execute(insert(Alias).values(id=seat.id, arrival_id=expected.id))


async def unite(session: Session, arrival_id: UUID, returnee_id: UUID) -> Arrival | None:
    """Let a seat's arrival become the one that is expected of somebody already.

    Args:
        session: The session.
        arrival_id: Of an arrival of a manifest that nobody is bound to.
        returnee_id: Who sits there, by any of their ids.

    Returns:
        The arrival that is left; None, and nothing changed, where none of theirs ends with this
        flight.
    """
    seat = await session.scalar(
        select(Arrival)
        .where(col(Arrival.id) == arrival_id, col(Arrival.returnee_id).is_(None))
        .with_for_update()
    )
    if seat is None or seat.flight_id is None:
        return None
    flight = await session.get_one(Flight, seat.flight_id)
    own_arrivals = await session.scalars(
        select(Arrival)
        .where(
            col(Arrival.returnee_id).in_(await aliases.same_person(session, returnee_id)),
            or_(col(Arrival.flight_id).is_(None), Arrival.flight_id == flight.id),
        )
        .order_by(col(Arrival.id))
        .with_for_update()
    )
    with_this_flight = (
        arrival for arrival in own_arrivals if same_journey(when(arrival), flight.scheduled_at)
    )
    expected = next(with_this_flight, None)
    if expected is None:
        return None
    await _replace_seat(session, seat, expected)
    is_moved = await _put_on(session, expected, flight)
    # Whose desk meets the flight sees them, whoever implements the case.
    if flight.receiver is not None and expected.returnee_id is not None:
        await grant(session, [expected.returnee_id], Role.PARTNER, flight.receiver)
    if is_moved:
        publish_expected(session, expected)
    return expected


def when(arrival: Arrival) -> datetime | None:
    """When somebody was met or is expected; None where only the journey is known, not its time."""
    if arrival.departs_on is not None and arrival.met_at is None and arrival.expected_at is None:
        return datetime.combine(arrival.departs_on, time(12), UTC)
    return arrival.met_at or arrival.expected_at
