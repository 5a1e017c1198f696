"""The feed of all services, for a partner without Kafka."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, or_, select

from chassis.access import Role, shown
from chassis.auth import Caller, OrganisationKind
from chassis.db import Session
from chassis.events import Envelope
from chassis.inbox import freshness
from chassis.pagination import Limit, link_next
from chassis.routing import CallerDep, Router, SessionDep, requires
from contracts.scopes import Scope
from gateway import positions
from gateway.handlers import SOURCES
from gateway.models import TimelineEntry
from gateway.positions import Positions
from gateway.timeline.schemas import EventType, FreshnessOut, freshness_of

router = Router(tags=["events"])


class EventsPage(BaseModel):
    """Events, and where to continue."""

    items: list[dict[str, Any]] = Field(description="CloudEvents in structured JSON; see /asyncapi.json.")
    next: str = Field(description="Ask with it for what comes after, also when nothing came now.")
    more: bool = Field(description="Whether there is more already.")
    freshness: dict[str, FreshnessOut] = Field(description="By service.")


def meant_for(caller: Caller) -> ColumnElement[bool]:
    """What the caller takes part in and is meant for, and the erasure of whom they took part in."""
    mine = [f"{role}/{caller.organisation}" for role in Role if role is not Role.PROGRAMME]
    if caller.kind is OrganisationKind.PROGRAMME_OFFICE:
        mine += [f"{Role.PROGRAMME}/{programme}" for programme in caller.programmes]
    still = TimelineEntry.still_for.overlap(mine)
    return or_(shown(TimelineEntry.subject, TimelineEntry.audience, caller), still)


async def read(
    session: Session, caller: Caller, types: Sequence[str], after: Positions, reach: Positions, limit: int
) -> tuple[list[TimelineEntry], dict[str, int], bool]:
    """Events after some positions and up to others.

    Args:
        session: The session.
        caller: Who asks.
        types: Event types; all if empty.
        after: After these positions.
        reach: Up to these, which are complete.
        limit: Events at most.

    Returns:
        The events in the order of recording, each log in its own order; where to continue; and whether there is more.
    """
    queues: dict[str, list[TimelineEntry]] = {}
    for source in SOURCES:
        statement = select(TimelineEntry).where(
            TimelineEntry.source == source,
            TimelineEntry.position > after[source],
            TimelineEntry.position <= reach[source],
            TimelineEntry.subject.is_not(None),  # of an erased person only the erasure itself is told
            meant_for(caller),
        )
        if types:
            statement = statement.where(TimelineEntry.type.in_(types))
        rows = await session.scalars(statement.order_by(TimelineEntry.position).limit(limit + 1))
        queues[source] = list(rows)[::-1]
    taken: list[TimelineEntry] = []
    following = dict(after)
    while len(taken) < limit and any(queues.values()):
        source = min((s for s in SOURCES if queues[s]), key=lambda s: queues[s][-1].recorded_at)
        taken.append(queues[source].pop())
        following[source] = taken[-1].position
    for source, queue in queues.items():
        if not queue:
            following[source] = reach[source]
    return taken, following, any(queues.values())


@router.get("/v1/events", summary="Read events of all services")
@requires(Scope.TIMELINE_READ)
async def read_events(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    after: Annotated[
        str | None, Query(description="`next` of the answer before; all if absent.", max_length=400)
    ] = None,
    event_type: Annotated[list[EventType] | None, Query(alias="type", description="Of these event types.")] = None,
    limit: Limit = 100,
) -> EventsPage:
    """What the services published about whom the caller takes part in. A cursor never passes what is complete."""
    start = positions.decode(after, "#query/after") if after is not None else dict.fromkeys(SOURCES, 0)
    fresh = await freshness(session)
    reach = positions.applied(fresh, start)
    rows, following, more = await read(session, caller, event_type or [], start, reach, limit)
    following_cursor = positions.encode(following)
    link_next(request, response, following_cursor if more else None)
    return EventsPage(
        items=[as_cloud_event(row) for row in rows], next=following_cursor, more=more, freshness=freshness_of(fresh)
    )


def as_cloud_event(row: TimelineEntry) -> dict[str, Any]:
    """The event as CloudEvents structured JSON. `previous` is left out: a partner does not see every event."""
    return Envelope(
        id=row.id,
        service=row.source,
        type=row.type,
        subject=str(row.subject),
        occurred_at=row.occurred_at,
        data=row.data,
        position=row.position,
        epoch=row.epoch,
        recorded_at=row.recorded_at,
    ).to_json()
