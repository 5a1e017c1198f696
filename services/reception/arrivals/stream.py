"""The arrivals board as it changes: server-sent events, from polling what was touched since."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from fastapi.sse import ServerSentEvent
from pydantic import BaseModel
from sqlalchemy import Uuid, union_all
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import any_, cast, col, select

from chassis.auth import Caller
from chassis.db import Database, Session, is_outage, now
from chassis.errors import UNKNOWN_PARAMETER, FieldError, Problem
from chassis.streams import Ending
from participation.access import visible
from services.reception.arrivals import board
from services.reception.models import Alias, Arrival
from services.reception.ports import Ports

LOOK_EVERY_SECONDS = 0.5
LOOK_AGAIN_SECONDS = 2.0
STREAM_SECONDS = 600.0
"""As long as a token lasts: whoever listens on has to show that they still may."""
OVERLAP = timedelta(seconds=15)
"""A transaction may commit this long after it touched a row; longer ones are seen when the row is
touched again.
"""
AT_ONCE = 1000


class Left(BaseModel):
    """An arrival that is not on the watched board any more."""

    id: UUID


@dataclass(frozen=True)
class Watched:
    """Which board is watched; see `board.list_arrivals`."""

    port: str | None
    day: date | None
    state: str | None
    restricted: bool
    ports: Ports

    async def of(self, session: Session, caller: Caller, since: datetime | None) -> list[Arrival]:
        """Those on the board; since a time, those of them that were touched."""
        arrivals: list[Arrival] = []
        after = None
        while True:
            rows = await board.list_arrivals(
                session,
                caller,
                ports=self.ports,
                port=self.port,
                day=self.day,
                state=self.state,
                returnee_id=None,
                restricted=self.restricted,
                updated_since=since,
                after=after,
                limit=AT_ONCE,
            )
            arrivals += rows.items
            if rows.next is None:
                return arrivals
            after = rows.next


Show = Callable[[Session, Sequence[Arrival]], Awaitable[Sequence[BaseModel]]]
"""Makes entries of arrivals, in the same order."""


def parse(last_event_id: str | None) -> datetime | None:
    """From when to continue.

    Raises:
        Problem: 400, it is no id of this stream.
    """
    if not last_event_id:
        return None
    try:
        at = datetime.fromisoformat(last_event_id)
        if at.tzinfo is None:
            raise ValueError("no offset")
        return at - OVERLAP
    except (ValueError, OverflowError):
        error = FieldError(
            pointer="#header/Last-Event-ID", code="bad_cursor", detail="the id of the last event"
        )
        raise Problem(UNKNOWN_PARAMETER, errors=[error]) from None


async def follow(
    database: Database,
    closing: Ending,
    caller: Caller,
    watched: Watched,
    start: datetime | None,
    show: Show,
) -> AsyncIterator[ServerSentEvent]:
    """Entries of the board as they come, change and leave.

    Args:
        database: Read in transactions of its own.
        closing: Ends the stream.
        caller: Who listens.
        watched: Which board.
        start: Only what was touched since; None: everybody on it first.
        show: Makes entries.
    """
    sent: dict[UUID, int] = {}
    since = None
    give_up = time.monotonic() + STREAM_SECONDS
    wait = 0.0
    while time.monotonic() < give_up and not await closing.wait(wait):
        wait = LOOK_EVERY_SECONDS
        try:
            async with database.transaction() as session:
                at: datetime = (await session.execute(select(now()))).scalar_one()
                rows = await watched.of(session, caller, since)
                if since is None and start is not None:
                    sent = {row.id: row.version for row in rows if row.updated_at < start}
                    left = await _touched(session, caller, rows, start)
                else:
                    left = await _left(session, caller, sent, rows)
                fresh = [row for row in rows if sent.get(row.id) != row.version]
                entries = await show(session, fresh) if fresh else []
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            if not is_outage(error):
                raise
            wait = LOOK_AGAIN_SECONDS
            continue
        for row, entry in zip(fresh, entries, strict=True):
            sent[row.id] = row.version
            yield ServerSentEvent(id=at.isoformat(), event="arrival", data=entry)
        for gone in left:
            sent.pop(gone, None)
            yield ServerSentEvent(id=at.isoformat(), event="left", data=Left(id=gone))
        since = at - OVERLAP


async def _left(
    session: Session, caller: Caller, sent: Mapping[UUID, int], on_board: Sequence[Arrival]
) -> list[UUID]:
    """Those who were sent and are touched, but not on the board any more; also whose arrival became
    another's.
    """
    away = sorted(sent.keys() - {row.id for row in on_board})
    if not away:
        return []
    query = select(Arrival.id, Arrival.version).where(
        Arrival.id == any_(cast(away, ARRAY(Uuid))), visible(col(Arrival.seen_through), caller)
    )
    now_at = {row.id: row.version for row in await session.execute(query)}
    return [who for who in away if now_at.get(who) != sent[who]]


async def _touched(
    session: Session, caller: Caller, on_board: Sequence[Arrival], since: datetime
) -> list[UUID]:
    """Those who were touched since a time and are not on the board: whoever listens again may have
    them on theirs.
    """
    may_see = visible(col(Arrival.seen_through), caller)
    touched = select(Arrival.id).where(Arrival.updated_at >= since, may_see)
    became = (
        select(Alias.id)
        .join(Arrival, col(Arrival.id) == Alias.arrival_id)
        .where(Alias.since >= since, may_see)
    )
    here = {row.id for row in on_board}
    return [who for who in await session.scalars(union_all(touched, became)) if who not in here]
