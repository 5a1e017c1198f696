"""Events given to a service's handlers as its consumer does: with an envelope, one transaction
each.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, TypeVar, get_args, get_origin
from uuid import UUID, uuid4

from pydantic import AwareDatetime, BaseModel, TypeAdapter

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


def example_of(annotation: Any, *metadata: Any) -> Any:
    """A value that a member with an annotation, and what pydantic keeps beside it, may have."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return example_of(arguments[0], *arguments[1:])
    if origin is tuple:
        return (example_of(arguments[0]),)
    if origin is not None:
        return example_of(next(each for each in arguments if each is not type(None)), *metadata)
    if annotation in EXAMPLES:
        return EXAMPLES[annotation]
    if issubclass(annotation, Enum):
        return next(iter(annotation))
    if issubclass(annotation, BaseModel):
        return {
            name: example_of(field.annotation, *field.metadata)
            for name, field in annotation.model_fields.items()
            if field.is_required()
        }
    if annotation is str:
        allowed = TypeAdapter(Annotated[(str, *metadata)] if metadata else str)
        return next(word for word in WORDS if _is(allowed, word))
    raise TypeError(f"no example of {annotation}: add one to EXAMPLES")


def _is(allowed: TypeAdapter[Any], word: str) -> bool:
    try:
        allowed.validate_python(word)
    except ValueError:
        return False
    return True


WORDS = ("eurp", "EUR", "TK", "TK808", "7411", "IQ-BG", "10.00")
EXAMPLES: dict[Any, Any] = {
    UUID: UUID(int=1),
    int: 1,
    bool: False,
    date: date(2026, 3, 5),
    datetime: datetime(2026, 3, 5, 12, tzinfo=UTC),
    AwareDatetime: datetime(2026, 3, 5, 12, tzinfo=UTC),
    Decimal: Decimal("10.00"),
}
Fact = TypeVar("Fact", bound=EventData)


def fact_about(model: type[Fact], **known: Any) -> Fact:
    """A fact of a type, with what is known and an example of every other member that it needs.

    So a test over all types of events has a new one in it by itself.
    """
    needed = {
        name: example_of(field.annotation, *field.metadata)
        for name, field in model.model_fields.items()
        if name not in known and field.is_required()
    }
    given = {name: value for name, value in known.items() if name in model.model_fields}
    return model.model_validate(needed | given)


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
