"""Which arrivals somebody sees, and what was done with each."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Date, DateTime, Select, func
from sqlmodel import cast, col, select

from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import (
    NOT_FOUND,
    Problem,
)
from chassis.pagination import Rows, page
from participation import aliases
from participation.access import visible
from services.reception.models import (
    Alias,
    Arrival,
    Assistance,
    Handover,
    OnwardTransport,
    Profile,
)
from services.reception.ports import Ports

HELD = "held_by_authorities"


async def list_arrivals(
    session: Session,
    caller: Caller,
    *,
    ports: Ports,
    port: str | None,
    day: date | None,
    state: str | None,
    returnee_id: UUID | None,
    flight_id: UUID | None = None,
    restricted: bool = False,
    updated_since: datetime | None,
    after: str | None,
    limit: int,
) -> Rows[Arrival]:
    """Who is expected or has arrived, in the order in which they are expected.

    Args:
        session: The session.
        caller: Who asks; they see those in whose return they take part.
        ports: The time zones of ports.
        port: Only those of this port of entry.
        day: Only those of this day in the time zone of their port.
        state: Only those in this state, as the caller is shown it.
        returnee_id: Only this person's, by any of their ids.
        flight_id: Only those on this flight.
        restricted: Whether the caller is shown who is held by the authorities.
        updated_since: Only those changed since.
        after: Cursor of the page before.
        limit: How many in a page.
    """
    query: Select[Any] = select(Arrival).where(visible(col(Arrival.seen_through), caller))
    if port is not None:
        query = query.where(col(Arrival.port_of_entry) == port)
    if day is not None:
        query = query.where(*_on_day(day, port, ports))
    if state == HELD:
        query = query.where(col(Arrival.held_at).is_not(None))
    elif state is not None:
        query = query.where(col(Arrival.state) == state)
        if restricted:
            query = query.where(col(Arrival.held_at).is_(None))
    if flight_id is not None:
        query = query.where(col(Arrival.flight_id) == flight_id)
    if returnee_id is not None:
        query = query.where(
            col(Arrival.returnee_id).in_(await aliases.same_person(session, returnee_id))
        )
    if updated_since is not None:
        query = query.where(col(Arrival.updated_at) >= updated_since)
    return await page(
        session,
        query,
        keys=[col(Arrival.listed_at), col(Arrival.id)],
        parsers=[datetime.fromisoformat, UUID],
        after=after,
        limit=limit,
    )


def _on_day(day: date, port: str | None, ports: Ports) -> list[Any]:
    dated = func.coalesce(Arrival.met_at, Arrival.expected_at)
    if port is not None:
        zone = ports.zone(port)
        begins, ends = (datetime.combine(d, time(), zone) for d in (day, day + timedelta(days=1)))
        return [
            Arrival.listed_at >= begins,
            Arrival.listed_at < ends,
            func.coalesce(dated, cast(Arrival.departs_on, DateTime(timezone=True))).is_not(None),
        ]
    noon = datetime.combine(day, time(12), UTC)
    local_day = cast(func.timezone(ports.zone_in_sql(col(Arrival.port_of_entry)), dated), Date)
    return [
        col(Arrival.listed_at).between(
            noon - timedelta(days=1, hours=3), noon + timedelta(days=1, hours=3)
        ),
        func.coalesce(local_day, Arrival.departs_on) == day,
    ]


async def load_arrival(session: Session, caller: Caller, arrival_id: UUID) -> Arrival:
    """An arrival, if the caller takes part in the person's return.

    Raises:
        Problem: 404, absent or not for the caller.
    """
    query = select(Arrival).where(
        Arrival.id == _current_id(arrival_id), visible(col(Arrival.seen_through), caller)
    )
    arrival = await session.scalar(query)
    if arrival is None:
        raise Problem(NOT_FOUND)
    return arrival


def _current_id(arrival_id: UUID) -> Any:
    """The id itself, or that of the arrival which it turned out to be."""
    return func.coalesce(
        select(Alias.arrival_id).where(Alias.id == arrival_id).scalar_subquery(), arrival_id
    )


async def load_steps(
    session: Session, arrival_id: UUID
) -> tuple[Profile | None, Sequence[Assistance], Sequence[OnwardTransport]]:
    """What was done at the port of entry, oldest first."""
    profile = await session.get(Profile, arrival_id)
    given = await session.scalars(
        select(Assistance)
        .where(Assistance.arrival_id == arrival_id)
        .order_by(col(Assistance.occurred_at), col(Assistance.id))
    )
    transport = await session.scalars(
        select(OnwardTransport)
        .where(OnwardTransport.arrival_id == arrival_id)
        .order_by(col(OnwardTransport.occurred_at), col(OnwardTransport.id))
    )
    return profile, given.all(), transport.all()


async def load_handovers(session: Session, arrival_id: UUID) -> Sequence[Handover]:
    """The handovers of an arrival, oldest first."""
    query = (
        select(Handover)
        .where(Handover.arrival_id == arrival_id)
        .order_by(col(Handover.occurred_at), col(Handover.id))
    )
    return (await session.scalars(query)).all()
