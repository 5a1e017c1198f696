"""The feed of all services, for a partner without Kafka."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import sqlalchemy
from fastapi import Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, Text, cast, exists, func, literal_column
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col, or_, select, tuple_

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
from participation.access import Role, meant_for, part_of, participation

router = Router(tags=["events"])

PARTS, LATE_SINCE, LATE_SOURCE, LATE_POSITION = COUNTED = (
    "parts",
    "late_since",
    "late_source",
    "late_position",
)
"""What a cursor counts beside the logs; `late_*` where a page ended amid what is told late."""
ORDERED = sorted(SOURCES)


class EventsPage(BaseModel):
    """Events, and where to continue."""

    items: list[dict[str, Any]] = Field(
        description="CloudEvents in structured JSON; see /asyncapi.json."
    )
    next: str = Field(description="Ask with it for what comes after, also when nothing came now.")
    more: bool = Field(description="Whether there is more already.")
    freshness: dict[str, FreshnessOut] = Field(description="By service.")


def still_meant_for(caller: Caller) -> ColumnElement[bool]:
    """The erasure of whom the caller took part in."""
    mine = [f"{role}/{caller.organisation}" for role in Role if role is not Role.PROGRAMME]
    if caller.kind is OrganisationKind.PROGRAMME_OFFICE:
        mine += [f"{Role.PROGRAMME}/{programme}" for programme in caller.programmes]
    return col(TimelineEntry.still_for).bool_op("&&")(cast(mine, ARRAY(Text)))


@dataclass(frozen=True)
class Reading:
    """Who reads which events, and up to where everything is complete.

    An event is shown from the fact of cases on by which the caller takes part, and that may come
    after it: the arrival of somebody who was not expected, somebody who was shared. So a cursor
    says beside its place in each log up to which position of cases (`parts`) participations were
    counted; what a later one brings of before is told first.
    """

    caller: Caller
    types: Sequence[str]
    reach: Positions
    limit: int

    def _entries(self, *wanted: Any) -> Select[Any]:
        # Of an erased person only the erasure itself is told.
        statement = sqlalchemy.select(TimelineEntry, *wanted).where(
            col(TimelineEntry.subject).is_not(None)
        )
        return statement.where(col(TimelineEntry.type).in_(self.types)) if self.types else statement

    async def late(
        self, session: Session, after: Positions
    ) -> list[tuple[TimelineEntry, dict[str, int]]]:
        """What the cursor has passed and the caller may see only now, each with where to continue
        behind it.
        """
        if self.caller.is_internal:
            return []
        here, known, reach = participation.c, after[PARTS], self.reach["cases"]
        began = here.since > literal_column("0")  # as the index says it
        new = select(here.subject_id).where(
            part_of(self.caller), began, here.since > known, here.since <= reach
        )
        meant = meant_for(col(TimelineEntry.subject), col(TimelineEntry.audience), self.caller)
        since = select(func.min(here.since)).where(meant).scalar_subquery()
        passed = [
            (TimelineEntry.source == source) & (TimelineEntry.position <= after[source])
            for source in SOURCES
        ]
        place = (since, col(TimelineEntry.source), col(TimelineEntry.position))
        statement = self._entries(since).where(
            col(TimelineEntry.subject).in_(new), or_(*passed), since > known, since <= reach
        )
        if after[LATE_SINCE]:
            source = ORDERED[min(after[LATE_SOURCE], len(ORDERED) - 1)]
            statement = statement.where(
                tuple_(*place) > tuple_(after[LATE_SINCE], source, after[LATE_POSITION])
            )
        rows = await session.execute(statement.order_by(*place).limit(self.limit + 1))
        return [
            (
                row,
                {
                    LATE_SINCE: begun,
                    LATE_SOURCE: ORDERED.index(row.source),
                    LATE_POSITION: row.position,
                },
            )
            for row, begun in rows
        ]

    async def queues(
        self, session: Session, after: Positions, limit: int
    ) -> dict[str, list[TimelineEntry]]:
        """What comes in each log, the last first."""
        meant = meant_for(col(TimelineEntry.subject), col(TimelineEntry.audience), self.caller)
        counted = participation.c.since <= self.reach["cases"]
        shown = exists(select(1).where(meant, counted)) | still_meant_for(self.caller)
        found: dict[str, list[TimelineEntry]] = {}
        for source in SOURCES:
            statement = self._entries().where(
                col(TimelineEntry.source) == source,
                col(TimelineEntry.position) > after[source],
                col(TimelineEntry.position) <= self.reach[source],
            )
            if not self.caller.is_internal:
                statement = statement.where(shown)
            rows = await session.scalars(
                statement.order_by(col(TimelineEntry.position)).limit(limit + 1)
            )
            found[source] = list(rows)[::-1]
        return found

    async def read(
        self, session: Session, after: Positions
    ) -> tuple[list[TimelineEntry], dict[str, int], bool]:
        """Events after a cursor.

        Returns:
            The events in the order of recording, each log in its own order; where to continue; and
            whether there is more.
        """
        late = await self.late(session, after)
        taken = [row for row, _ in late[: self.limit]]
        if len(late) > self.limit:
            return taken, dict(after) | late[self.limit - 1][1], True
        following = {source: after[source] for source in SOURCES}
        following[PARTS] = max(after[PARTS], self.reach["cases"])
        queues = await self.queues(session, after, self.limit - len(taken))
        while len(taken) < self.limit and any(queues.values()):
            source = min((s for s in SOURCES if queues[s]), key=lambda s: queues[s][-1].recorded_at)
            taken.append(queues[source].pop())
            following[source] = taken[-1].position
        for source, queue in queues.items():
            if not queue:
                following[source] = self.reach[source]
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
    event_type: Annotated[
        list[EventType] | None, Query(alias="type", description="Of these event types.")
    ] = None,
    limit: Limit = 100,
) -> EventsPage:
    """What the services published about whom the caller takes part in. A cursor never passes what
    is complete.

    Whoever comes to take part in somebody's return later is then told what was published about them
    before.
    """
    counted = (*SOURCES, *COUNTED)
    start = (
        positions.decode(after, "#query/after", COUNTED)
        if after is not None
        else dict.fromkeys(counted, 0)
    )
    fresh = await freshness(session)
    reading = Reading(caller, event_type or [], positions.applied(fresh, start), limit)
    rows, following, more = await reading.read(session, start)
    following_cursor = positions.encode(following)
    link_next(request, response, following_cursor if more else None)
    return EventsPage(
        items=[as_cloud_event(row) for row in rows],
        next=following_cursor,
        more=more,
        freshness=freshness_of(fresh),
    )


def as_cloud_event(row: TimelineEntry) -> dict[str, Any]:
    """The event as CloudEvents structured JSON. `previous` is left out: a partner does not see
    every event.
    """
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
