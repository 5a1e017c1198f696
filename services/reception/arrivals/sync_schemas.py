"""The log of a device, and what became of each entry."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    Field,
    ValidationError,
    WrapValidator,
)

from chassis.app import field_error
from chassis.datetimes import Written
from chassis.errors import FieldError
from chassis.routing import Body


class MutationKind(StrEnum):
    """What a device can do without a connection."""

    WALK_IN = "walk-in"
    BIND = "bind"
    CHECK_IN = "check-in"
    HOLD = "hold"
    PROFILE = "profile"
    ASSISTANCE = "assistance"
    ONWARD_TRANSPORT = "onward-transport"
    HANDOVER = "handover"
    REDIRECT = "redirect"
    COMPLETE = "complete"
    NO_SHOW = "no-show"
    NOT_DEPARTED = "not-departed"
    DECLINE = "decline"
    REOPEN = "reopen"


DeviceTime = Annotated[AwareDatetime, Written]
"""A time by a device's clock, which may have fallen to the beginning of its calendar."""


class MutationIn(Body):
    """One entry of a device's log."""

    id: UUID
    """The entry's own; sent again, it is applied once."""
    kind: MutationKind
    arrival_id: UUID
    """The arrival; for a walk-in the id that the device gives it."""
    occurred_at: DeviceTime
    """By the device's clock; corrected by `sent_at` where the clock is more than a day wrong."""
    data: dict[str, Any] = Field(default={})
    """What the body of the same action would hold, without `id` and `occurred_at`."""


@dataclass(frozen=True)
class UnreadableMutation:
    """An entry that cannot be read. It costs itself, and holds up nothing else of the log.

    Attributes:
        id: Its own, where it says one.
        arrival_id: The arrival, where it says one.
        errors: Where and why it cannot be read.
    """

    id: UUID | None
    arrival_id: UUID | None
    errors: list[FieldError]


def _readable_or_not(
    said: Any, handler: Callable[[Any], MutationIn]
) -> MutationIn | UnreadableMutation:
    try:
        return handler(said)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
        return UnreadableMutation(
            id=_id_in(said, "id"),
            arrival_id=_id_in(said, "arrival_id"),
            errors=[field_error(dict(detail, loc=("body", *detail["loc"]))) for detail in details],
        )


def _id_in(said: Any, member: str) -> UUID | None:
    try:
        return UUID(str(said[member]))
    except (KeyError, TypeError, ValueError):
        return None


class SyncIn(Body):
    """What a device did while it had no connection."""

    device: UUID
    sent_at: DeviceTime
    """The device's clock as it sends: from it a wrong clock is noticed."""
    mutations: Annotated[
        list[Annotated[MutationIn, WrapValidator(_readable_or_not)]],
        Field(min_length=1, max_length=1000),
    ]
    """One that cannot be read stands here as `UnreadableMutation`: it is answered as `invalid`, and
    the others are applied.
    """


class Outcome(StrEnum):
    """What became of an entry."""

    APPLIED = "applied"
    ALREADY_APPLIED = "already_applied"
    CONFLICT = "conflict"
    """Nothing was applied; `problem` says what stands in the way, since when and by whom. It may be
    sent again.
    """
    INVALID = "invalid"


class SyncResult(BaseModel):
    """What became of an entry."""

    id: UUID | None
    """Null where an entry says none. The answers are in the order of the entries."""
    arrival_id: UUID | None
    outcome: Outcome
    problem: dict[str, Any] | None = None
    """Problem details, as the action itself would have answered."""


class SyncOut(BaseModel):
    """What became of each entry, in the order in which they were sent."""

    received_at: datetime
    clock_ahead_seconds: int
    """By how much the device's clock is ahead of ours; negative where it is behind."""
    clock_doubtful: bool
    """Whether that is more than five minutes: the entries are marked, and both times are kept. By
    more than a day it is no clock: what it says is corrected by the difference.
    """
    items: list[SyncResult]
