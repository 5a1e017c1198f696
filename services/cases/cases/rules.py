"""What may happen to a case, and how its members' arrivals move it. Pure."""

from collections.abc import Collection, Mapping
from datetime import date

from chassis.errors import state_conflict
from contracts.codes import ArrivalState, CaseState

TRANSITIONS: Mapping[CaseState, Mapping[str, CaseState]] = {
    CaseState.PRE_DEPARTURE: {"assign": CaseState.PRE_DEPARTURE, "close": CaseState.CLOSED},
    CaseState.ARRIVED: {"assign": CaseState.ARRIVED, "plan": CaseState.ARRIVED, "close": CaseState.CLOSED},
    CaseState.IN_DELIVERY: {
        "assign": CaseState.IN_DELIVERY,
        "plan": CaseState.IN_DELIVERY,
        "close": CaseState.CLOSED,
    },
    CaseState.MONITORING: {"assign": CaseState.MONITORING, "plan": CaseState.MONITORING, "close": CaseState.CLOSED},
    CaseState.SUSPENDED: {"assign": CaseState.SUSPENDED, "close": CaseState.CLOSED},
    CaseState.CLOSED: {},
}
"""What people do. `reopen` leads from closed to where the case was before, so it is not a fixed entry."""
REOPEN = "reopen"

ARRIVED = frozenset({ArrivalState.MET, ArrivalState.COMPLETED, ArrivalState.DECLINED})
"""Reception's word that the person is in the country: also who declined assistance has arrived."""


def allowed(state: str) -> list[str]:
    """What people may do in a state."""
    return [REOPEN] if state == CaseState.CLOSED else list(TRANSITIONS[CaseState(state)])


def after(state: str, action: str) -> CaseState:
    """The state after an action.

    Raises:
        Problem: 409, the state does not allow it.
    """
    if action not in TRANSITIONS[CaseState(state)]:
        raise state_conflict(state, allowed(state), action)
    return TRANSITIONS[CaseState(state)][action]


def reopened(state: str, before: str | None) -> CaseState:
    """The state of a case that is reopened: where it was.

    Raises:
        Problem: 409, it is not closed.
    """
    if state != CaseState.CLOSED or before is None:
        raise state_conflict(state, allowed(state), REOPEN)
    return CaseState(before)


def on_arrivals(state: str, arrivals: Collection[date]) -> CaseState:
    """Where a case stands by what is known of its members' arrivals.

    The first arrival begins it. If every arrival turns out to have been a mistake before anything was approved, it goes
    back; later than that, and when it is suspended or closed, an arrival is noted and moves nothing.

    Args:
        state: The case's state.
        arrivals: The days on which members arrived.
    """
    if state == CaseState.PRE_DEPARTURE and arrivals:
        return CaseState.ARRIVED
    if state == CaseState.ARRIVED and not arrivals:
        return CaseState.PRE_DEPARTURE
    return CaseState(state)
