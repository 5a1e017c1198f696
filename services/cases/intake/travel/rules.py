"""What may happen to a journey."""

from collections.abc import Mapping

from chassis.errors import Problem, state_conflict
from services.cases.states.intake import JourneyState

TRANSITIONS: Mapping[JourneyState, Mapping[str, JourneyState]] = {
    JourneyState.PLANNED: {
        "change": JourneyState.PLANNED,
        "confirm": JourneyState.CONFIRMED,
        "departed": JourneyState.DEPARTED,
        "not-departed": JourneyState.NOT_DEPARTED,
        "cancel": JourneyState.CANCELLED,
    },
    JourneyState.CONFIRMED: {
        "change": JourneyState.CONFIRMED,
        "departed": JourneyState.DEPARTED,
        "not-departed": JourneyState.NOT_DEPARTED,
        "cancel": JourneyState.CANCELLED,
    },
    JourneyState.DEPARTED: {},
    JourneyState.NOT_DEPARTED: {},
    JourneyState.CANCELLED: {},
}
AHEAD = frozenset({JourneyState.PLANNED, JourneyState.CONFIRMED})
"""The person has this journey still before them."""


def after(state: str, action: str) -> JourneyState:
    """The state after an action.

    Raises:
        Problem: 409, the state does not allow it.
    """
    allowed = TRANSITIONS[JourneyState(state)]
    if action not in allowed:
        raise _refusal(state, action)
    return allowed[action]


def _refusal(state: str, action: str) -> Problem:
    return state_conflict(state, list(TRANSITIONS[JourneyState(state)]), action)
