"""What may happen to a cooperative. Pure."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from uuid import UUID

from chassis.errors import FOUR_EYES, Problem, state_conflict


class CooperativeState(StrEnum):
    """Where a cooperative stands."""

    PROPOSED = "proposed"
    SELECTED = "selected"
    FORMED = "formed"
    REJECTED = "rejected"


class CooperativeKind(StrEnum):
    """What it is for."""

    BUSINESS = "business"
    SOCIAL = "social"


class Action(StrEnum):
    """What is done to a cooperative."""

    SELECT = "select"
    REJECT = "reject"
    FORM = "form"
    SHARES = "shares"
    GRANT = "grant"
    CITE = "cite"
    REPORT = "impact"


_PROPOSED, _SELECTED, _FORMED = (
    CooperativeState.PROPOSED,
    CooperativeState.SELECTED,
    CooperativeState.FORMED,
)
TRANSITIONS: Mapping[CooperativeState, Mapping[Action, CooperativeState]] = {
    _PROPOSED: {
        Action.SELECT: _SELECTED,
        Action.REJECT: CooperativeState.REJECTED,
        Action.SHARES: _PROPOSED,
        Action.CITE: _PROPOSED,
    },
    _SELECTED: {
        Action.FORM: _FORMED,
        Action.SHARES: _SELECTED,
        Action.GRANT: _SELECTED,
        Action.CITE: _SELECTED,
    },
    _FORMED: {
        Action.SHARES: _FORMED,
        Action.GRANT: _FORMED,
        Action.CITE: _FORMED,
        Action.REPORT: _FORMED,
    },
    CooperativeState.REJECTED: {},
}
"""A yes leads to `selected` when there are as many as the programme asks for."""


def after(state: str, action: Action) -> CooperativeState:
    """The state after an action.

    Raises:
        Problem: 409, the state does not allow it.
    """
    allowed = TRANSITIONS[CooperativeState(state)]
    if action not in allowed:
        raise state_conflict(state, list(allowed), action)
    return allowed[action]


def check_committee(actor: UUID, proposer: UUID, said_yes: Collection[UUID]) -> None:
    """Refuse who proposed it, and whoever of the committee has said yes already.

    Raises:
        Problem: 403 `four-eyes`.
    """
    if actor == proposer or actor in said_yes:
        raise Problem(FOUR_EYES)
