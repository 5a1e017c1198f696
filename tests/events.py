"""Events given to a service's handlers as its consumer does: with an envelope, one transaction
each.
"""

from datetime import UTC, datetime
from uuid import uuid4

from chassis.consumer import Handlers
from chassis.db import Database, Session
from chassis.events import Envelope, Event, EventData, payload_of


def event_of(data: EventData, at: datetime | None = None, position: int | None = None) -> Event:
    """A fact in the envelope in which its owner publishes it."""
    envelope = Envelope(
        id=uuid4(),
        service=data.service,
        type=data.event_type,
        subject=str(data.subject),
        occurred_at=at or datetime.now(UTC),
        data=payload_of(data),
        position=position,
    )
    return Event(data, envelope)


async def handle(session: Session, handlers: Handlers, data: EventData) -> None:
    """Give a fact to the handler of its type, within a transaction."""
    await handlers[type(data)](session, event_of(data))


async def deliver(
    database: Database, handlers: Handlers, *facts: EventData, at: datetime | None = None
) -> None:
    """Give facts to their handlers, each in a transaction of its own."""
    for data in facts:
        async with database.transaction() as session:
            await handlers[type(data)](session, event_of(data, at))
