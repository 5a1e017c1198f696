"""What may be done with an arrival now, and the refusals that say what stands in the way."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis import audit
from chassis.errors import (
    STATE_CONFLICT,
    FieldError,
    Problem,
    ProblemType,
)
from contracts.codes import (
    ArrivalState,
)
from services.reception.arrivals.batch import ArrivalBatch
from services.reception.arrivals.rules import transitions
from services.reception.models import (
    Arrival,
)
from services.reception.states import ArrivalAction

RESOURCE = "arrival"

PARTICULARS_REQUIRED = ProblemType(
    "particulars-required",
    409,
    "It is not known who this is",
    "The manifest gives a seat, or a name without enough to know the person by. "
    "Bind the arrival to a returnee or to entered particulars first.",
)

OF_A_SEAT = frozenset(
    {
        ArrivalAction.BIND,
        ArrivalAction.NO_SHOW,
        ArrivalAction.NOT_DEPARTED,
        ArrivalAction.HOLD,
        ArrivalAction.REDIRECT,
        ArrivalAction.REOPEN,
    }
)
"""What can be said of somebody without knowing who they are."""


def allowed_actions(
    arrival: Arrival, done_at: datetime | None = None
) -> Mapping[ArrivalAction, ArrivalState]:
    """What may be done with an arrival now, and where it leads; or what may be told that was done
    at another time.
    """
    return transitions(
        arrival.state,
        met=arrival.met_at is not None,
        held=arrival.held_at is not None,
        before_end=done_at is not None and done_at <= arrival.state_at,
    )


def offered_actions(arrival: Arrival) -> list[str]:
    """What may be posted to an arrival now; a correction is no word, it is a PATCH."""
    return sorted(
        action for action in allowed_actions(arrival) if action is not ArrivalAction.CORRECT
    )


def require_allowed(
    batch: ArrivalBatch, arrival_id: UUID, action: ArrivalAction, done_at: datetime | None = None
) -> Arrival:
    """The arrival; refused unless the state allows the action."""
    arrival = batch.find(arrival_id)
    if action not in allowed_actions(arrival, done_at):
        raise conflict(arrival, action)
    if arrival.returnee_id is None and action not in OF_A_SEAT:
        raise Problem(PARTICULARS_REQUIRED)
    return arrival


def describe_state(arrival: Arrival) -> str:
    """The state, since when, and by whom, for who finds that somebody else was faster."""
    by = arrival.state_by_person or arrival.state_by
    return f"{arrival.state} since {arrival.state_at.isoformat()}" + (f" by {by}" if by else "")


def conflict(arrival: Arrival, action: ArrivalAction, errors: Sequence[FieldError] = ()) -> Problem:
    """The 409 of an action that the state does not allow: since when and by whom, and what it
    allows.
    """
    allowed = offered_actions(arrival)
    reached: dict[str, Any] = {
        "since": arrival.state_at.isoformat(),
        "by": arrival.state_by,
        "person": arrival.state_by_person,
    }
    return Problem(
        STATE_CONFLICT,
        f"{action} is not possible: {describe_state(arrival)}",
        errors=errors,
        state=arrival.state,
        allowed=allowed,
        **{name: value for name, value in reached.items() if value is not None},
    )


def move(batch: ArrivalBatch, arrival: Arrival, action: ArrivalAction, at: datetime) -> None:
    """Move an arrival to where an action leads now, with its audit row."""
    target = allowed_actions(arrival)[action]
    audit.record(
        batch.session,
        batch.caller,
        action,
        RESOURCE,
        arrival.id,
        {"from": arrival.state, "to": target},
    )
    batch.transition(arrival, action, at, to=target)
