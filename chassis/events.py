"""What a published fact is: the model it is declared with, and the CloudEvents 1.0.2 envelope it
travels in.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

import pydantic_core
from pydantic import BaseModel, ConfigDict

NAMESPACE = "org.homeward"
HEAD_SUFFIX = "feed.head"
POSITIONS = range(2**63)
"""What PostgreSQL's bigint holds."""
LONGEST_SUBJECT = 500
"""More would not fit into an index."""


class Audience(StrEnum):
    """Who outside a service may be shown an event of a returnee they take part in."""

    REFERRER = "referrer"
    """The host-country service that referred the person."""
    PARTNER = "partner"
    """The organisation that implements the reintegration, and those it was shared with."""
    PROGRAMME = "programme"
    """The programme office."""


EVERYBODY = frozenset(Audience)
IMPLEMENTERS = frozenset({Audience.PARTNER, Audience.PROGRAMME})


class EventData(BaseModel):
    """Base of every event payload. A subclass declares its type, its subject and its audience.

    For example:

        class ArrivalReceived(EventData, name="reception.arrival.received", subject="returnee_id",
        audience=EVERYBODY):
            returnee_id: UUID

    A reader ignores members it does not know, so that adding one breaks nobody.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    event_type: ClassVar[str]
    """`org.homeward.<service>.<aggregate>.<past tense>.v<n>`."""
    service: ClassVar[str]
    aggregate: ClassVar[str]
    subject_fields: ClassVar[tuple[str, ...]]
    """The member whose value is the event's subject and Kafka key; of several, the first that is
    set.
    """
    audience: ClassVar[frozenset[Audience]]
    happened_on: ClassVar[str | None] = None
    """The member that says on which day it happened, of a fact that is told later and of which only
    the day is known. It stands in the timeline on that day.
    """

    def __init_subclass__(cls, **_: Any) -> None:
        """Drop the declaration's keywords: pydantic gives them to both hooks, and the one below
        reads them.
        """
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        name: str | None = None,
        subject: str | tuple[str, ...] = (),
        audience: Iterable[Audience] = (),
        happened_on: str | None = None,
        version: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if name is None:
            return
        subjects = (subject,) if isinstance(subject, str) else subject
        if not subjects or not set(subjects) <= cls.model_fields.keys():
            raise TypeError(f"{cls.__name__}: the subject {subject!r} is not one of its members")
        cls.service, cls.aggregate, _ = name.split(".")
        cls.event_type = f"{NAMESPACE}.{name}.v{version}"
        cls.subject_fields = subjects
        cls.audience = frozenset(audience)
        if happened_on is not None and happened_on not in cls.model_fields:
            raise TypeError(f"{cls.__name__}: {happened_on!r} is not one of its members")
        cls.happened_on = happened_on
        if REGISTRY.setdefault(cls.event_type, cls) is not cls:
            raise TypeError(f"two models are declared as {cls.event_type}")

    @property
    def subject(self) -> str:
        """Whom or what the fact is about: the returnee where one is meant, else the aggregate."""
        return next(
            str(value) for name in self.subject_fields if (value := getattr(self, name)) is not None
        )


REGISTRY: dict[str, type[EventData]] = {}
"""Every event type that a loaded contract declares."""


def topic_of(service: str) -> str:
    """The Kafka topic of a service."""
    return f"homeward.{service}"


def head_type(service: str) -> str:
    """The type of the record by which a service says how far its log goes."""
    return f"{NAMESPACE}.{service}.{HEAD_SUFFIX}.v1"


class MalformedEvent(ValueError):  # noqa: N818 - it says what arrived, as NotYet and NotDecryptable do
    """Bytes that are not one of our events. The message never holds the bytes."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A fact as it travels: CloudEvents attributes, our extensions, and the payload as a
    mapping.
    """

    id: UUID
    service: str
    """Who published it; the CloudEvents `source` is `/<service>`."""
    type: str
    subject: str
    occurred_at: datetime
    """When it happened, as claimed; the CloudEvents `time`."""
    data: Mapping[str, Any]
    position: int | None = None
    """Place in the service's log, contiguous from 1. None on a head record."""
    previous: int | None = None
    """Position of the event before it about the same subject."""
    epoch: UUID | None = None
    """Changes when the service's database was restored from a backup."""
    recorded_at: datetime | None = None
    traceparent: str | None = None

    def attributes(self) -> dict[str, str]:
        """CloudEvents context attributes as strings, absent ones left out."""
        values: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.id,
            "source": f"/{self.service}",
            "type": self.type,
            "subject": self.subject,
            "time": self.occurred_at.isoformat(),
            "datacontenttype": "application/json",
            "dataschema": f"/schemas/{self.type}",
            "position": self.position,
            "previous": self.previous,
            "epoch": self.epoch,
            "recordedat": self.recorded_at.isoformat() if self.recorded_at else None,
            "traceparent": self.traceparent,
        }
        return {name: str(value) for name, value in values.items() if value is not None}

    def kafka_headers(self) -> list[tuple[str, bytes]]:
        """Headers of the Kafka protocol binding in binary mode."""
        return [
            ("content-type" if name == "datacontenttype" else f"ce_{name}", value.encode())
            for name, value in self.attributes().items()
        ]

    def kafka_key(self) -> bytes:
        """The record key: the subject, so that one subject's facts stay in order in one
        partition.
        """
        return self.subject.encode()

    def kafka_value(self) -> bytes:
        """The record value: the payload alone."""
        return json.dumps(self.data, separators=(",", ":"), ensure_ascii=False).encode()

    def to_json(self) -> dict[str, Any]:
        """The event in CloudEvents structured JSON, as the feed and the gateway show it."""
        attributes: dict[str, Any] = dict(self.attributes())
        for name in ("position", "previous"):
            if name in attributes:
                attributes[name] = int(attributes[name])
        return attributes | {"data": dict(self.data)}

    @property
    def is_head(self) -> bool:
        """Whether this is a head record, which has no position of its own."""
        return self.type == head_type(self.service)


T = TypeVar("T")


def _moment(text: str) -> datetime:
    return utc(datetime.fromisoformat(text))


def _read(how: Callable[[Any], T], value: Any) -> T | None:
    """An attribute that need not be there."""
    return None if value is None else how(value)


def from_attributes(attributes: Mapping[str, Any], data: Any) -> Envelope:
    """Read an envelope from CloudEvents attributes and a decoded payload.

    Raises:
        MalformedEvent: An attribute is missing or wrong.
    """
    try:
        if attributes["specversion"] != "1.0" or not isinstance(data, dict):
            raise MalformedEvent("not a CloudEvent 1.0 with a JSON object")
        if (
            not storable({**attributes, "data": data})
            or len(str(attributes["subject"])) > LONGEST_SUBJECT
        ):
            raise MalformedEvent("no log could have held it")
        optional = attributes.get
        envelope = Envelope(
            id=UUID(str(attributes["id"])),
            service=str(attributes["source"]).removeprefix("/"),
            type=str(attributes["type"]),
            subject=str(attributes["subject"]),
            occurred_at=_moment(attributes["time"]),
            data=data,
            position=_read(int, optional("position")),
            previous=_read(int, optional("previous")),
            epoch=_read(UUID, optional("epoch")),
            recorded_at=_read(_moment, optional("recordedat")),
            traceparent=optional("traceparent"),
        )
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedEvent(f"not one of our events: {type(error).__name__}") from None
    if envelope.position is not None and (
        envelope.position not in POSITIONS or not 0 <= (envelope.previous or 0) < envelope.position
    ):
        raise MalformedEvent("no log has such positions")
    return envelope


def storable(document: Mapping[str, Any]) -> bool:
    """Whether PostgreSQL can hold a JSON document: it has no NUL, half of a character, infinity or
    bottomless depth.
    """
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        return False
    return "\\u0000" not in text.replace("\\\\", "")


def utc(moment: datetime) -> datetime:
    """The moment in UTC.

    Raises:
        ValueError: It has no zone, or is at the end of time.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment needs a zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("there is no such moment") from None


def from_kafka(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Envelope:
    """Read an envelope from a Kafka record in binary mode.

    Raises:
        MalformedEvent: The record is not one of our events.
    """
    try:
        attributes = {
            name.removeprefix("ce_"): raw.decode()
            for name, raw in headers
            if name.startswith("ce_")
        }
        data = pydantic_core.from_json(value or b"")  # unlike json's, it does not follow any depth
    except (ValueError, AttributeError) as error:
        raise MalformedEvent(f"not one of our events: {type(error).__name__}") from None
    return from_attributes(attributes, data)


def from_json(document: Mapping[str, Any]) -> Envelope:
    """Read an envelope from CloudEvents structured JSON."""
    return from_attributes(document, document.get("data"))


D = TypeVar("D", bound=EventData)


@dataclass(frozen=True, slots=True)
class Event(Generic[D]):
    """What a handler is given: the payload as its model, and the envelope."""

    data: D
    envelope: Envelope


def parse(envelope: Envelope, model: type[D]) -> Event[D]:
    """Give the payload of an envelope its model.

    Raises:
        MalformedEvent: The payload is not of that model.
    """
    try:
        return Event(model.model_validate(envelope.data), envelope)
    except ValueError as error:
        fields = [".".join(map(str, e["loc"])) for e in getattr(error, "errors", list)()]
        raise MalformedEvent(
            f"the payload is not a {model.event_type}: {', '.join(fields)}"
        ) from None


def payload_of(data: EventData) -> dict[str, Any]:
    """The payload as JSON values, without members that are None."""
    return data.model_dump(mode="json", exclude_none=True)


__all__ = [
    "EVERYBODY",
    "HEAD_SUFFIX",
    "IMPLEMENTERS",
    "NAMESPACE",
    "REGISTRY",
    "Audience",
    "Envelope",
    "Event",
    "EventData",
    "MalformedEvent",
    "from_attributes",
    "from_json",
    "from_kafka",
    "head_type",
    "parse",
    "payload_of",
    "storable",
    "topic_of",
    "utc",
]
