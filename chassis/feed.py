"""The log of a service over HTTP: to fill a gap, to catch up after Kafka lost data, and to
rebuild.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from sqlalchemy import func, select

from chassis.db import Session
from chassis.events import POSITIONS, utc
from chassis.http import CallFailed, ServiceClient
from chassis.outbox import outbox
from chassis.relay import envelope_of, event_log, relay_state
from chassis.routing import Router, SessionDep, requires

PATH = "/v1/events"
MOST = 1000


Position = Annotated[int, Field(ge=0, lt=POSITIONS.stop)]


class Head(BaseModel):
    """How far the log of a service goes."""

    position: Position = Field(description="Position of the last event; 0 in an empty log.")
    epoch: UUID | None = Field(description="Epoch of the log; null before its first event.")
    epoch_base: Position = Field(
        description="Last position that this epoch shares with the one before."
    )
    epochs: list[tuple[UUID, Position]] = Field(
        description="All epochs of this log with their bases, the oldest first."
    )
    time: Annotated[datetime, AfterValidator(utc)] = Field(
        description="When this was so, by the database's clock."
    )


class FeedPage(BaseModel):
    """Events after a position, in order and without a gap."""

    items: list[dict[str, Any]] = Field(description="CloudEvents in structured JSON.")
    next: int = Field(description="Position to ask for next.")
    head: Head


Feed = Callable[[int, int], Awaitable[FeedPage]]
"""`await feed(after, limit)`: a page of a service's log. Raises `CallFailed`."""


async def read_log(session: Session, service: str, after: int, limit: int) -> FeedPage:
    """Read the log of this service.

    Args:
        session: The session.
        service: Name of this service.
        after: Position after which to begin.
        limit: Events at most.
    """
    # Read before the state: a head of that time leaves out nothing that was committed by then.
    waiting = select(func.min(outbox.c.written_at)).scalar_subquery()
    time = (
        await session.execute(select(func.least(func.statement_timestamp(), waiting)))
    ).scalar_one()
    state = (await session.execute(select(relay_state))).first()
    rows = await session.execute(
        select(event_log)
        .where(event_log.c.position > after)
        .order_by(event_log.c.position)
        .limit(limit)
    )
    items = [envelope_of(row, service).to_json() for row in rows.mappings()]
    head = Head(position=0, epoch=None, epoch_base=0, epochs=[], time=time)
    if state is not None:
        position = max(state.head, items[-1]["position"] if items else 0)
        head = Head(
            position=position,
            epoch=state.epoch,
            epoch_base=state.epoch_base,
            epochs=state.epochs,
            time=time,
        )
    return FeedPage(items=items, next=items[-1]["position"] if items else after, head=head)


def feed_router(service: str) -> Router:
    """The route by which a service's log is read; needs the internal scope."""
    router = Router(tags=["events"])

    @router.get(PATH, summary="Read the log of this service", response_model=FeedPage)
    @requires("internal")
    async def read_events(
        session: SessionDep,
        after: Annotated[int, Query(ge=0, description="Position after which to begin.")] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST, description="Events in a page.")] = 500,
    ) -> FeedPage:
        return await read_log(session, service, after, limit)

    return router


def feed_of(client: ServiceClient, service: str) -> Feed:
    """The feed of another service."""

    async def feed(after: int, limit: int) -> FeedPage:
        document = await client.get(service, PATH, after=after, limit=limit)
        try:
            return FeedPage.model_validate(document)
        except ValidationError:
            raise CallFailed(service, None) from None

    return feed
