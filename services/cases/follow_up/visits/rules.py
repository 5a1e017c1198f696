"""What may happen to a monitoring visit. Pure."""

from collections.abc import Mapping
from datetime import date

from chassis.errors import state_conflict
from services.cases.follow_up.contact.schemas import Outcome
from services.cases.follow_up.visits.schemas import VisitState

TRANSITIONS: Mapping[VisitState, Mapping[str, VisitState]] = {
    VisitState.SCHEDULED: {
        "record": VisitState.RECORDED,
        "try": VisitState.SCHEDULED,
        "call-off": VisitState.CANCELLED,
    },
    VisitState.RECORDED: {},
    VisitState.CANCELLED: {},
}
"""`record` where somebody was reached, `try` where nobody was: then it is tried again. `call-off`
where what it would follow up was undone.
"""


def after(state: str, outcome: Outcome) -> VisitState:
    """The state after somebody was, or was not, reached.

    Raises:
        Problem: 409, it was recorded already.
    """
    action = "record" if outcome is Outcome.REACHED else "try"
    allowed = TRANSITIONS[VisitState(state)]
    if action not in allowed:
        raise state_conflict(state, list(allowed), action)
    return allowed[action]


def called_off(state: str) -> VisitState:
    """The state once there is nothing to visit for: a visit that was paid stays."""
    return TRANSITIONS[VisitState(state)].get("call-off", VisitState(state))


def is_overdue(state: str, due_on: date, today: date) -> bool:
    """Whether a visit should have been paid before today."""
    return state == VisitState.SCHEDULED and due_on < today
