"""What may happen to a case, and how its members' arrivals move it. Pure."""

from collections.abc import Collection, Mapping
from datetime import date
from enum import StrEnum

from chassis.errors import state_conflict
from contracts.codes import ArrivalState, CaseState
from services.cases.casework.plans.schemas import LineStatus


def _worked_on(state: CaseState) -> Mapping[str, CaseState]:
    stays = dict.fromkeys(("assign", "transfer", "split"), state)
    return stays | {"suspend": CaseState.SUSPENDED, "close": CaseState.CLOSED}


TRANSITIONS: Mapping[CaseState, Mapping[str, CaseState]] = {
    CaseState.PRE_DEPARTURE: _worked_on(CaseState.PRE_DEPARTURE),
    CaseState.ARRIVED: {**_worked_on(CaseState.ARRIVED), "plan": CaseState.ARRIVED},
    CaseState.IN_DELIVERY: {**_worked_on(CaseState.IN_DELIVERY), "plan": CaseState.IN_DELIVERY},
    CaseState.MONITORING: {**_worked_on(CaseState.MONITORING), "plan": CaseState.MONITORING},
    CaseState.SUSPENDED: {
        "assign": CaseState.SUSPENDED,
        "transfer": CaseState.SUSPENDED,
        "split": CaseState.SUSPENDED,
        "close": CaseState.CLOSED,
    },
    CaseState.CLOSED: {},
}
"""What people do. `reopen` and `resume` lead back to where the case was, so they are no fixed
entries.
"""
REOPEN = "reopen"
RESUME = "resume"

ARRIVED = frozenset({ArrivalState.MET, ArrivalState.COMPLETED, ArrivalState.DECLINED})
"""Reception's word that the person is in the country: also who declined assistance has arrived."""


def allowed(state: str) -> list[str]:
    """What people may do in a state."""
    back = {CaseState.CLOSED: [REOPEN], CaseState.SUSPENDED: [RESUME]}.get(CaseState(state), [])
    return [*TRANSITIONS[CaseState(state)], *back]


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


def resumed(state: str, before: str | None) -> CaseState:
    """The state of a case that is resumed: where it was.

    Raises:
        Problem: 409, it is not suspended.
    """
    if state != CaseState.SUSPENDED or before is None:
        raise state_conflict(state, allowed(state), RESUME)
    return CaseState(before)


def on_arrivals(state: str, arrivals: Collection[date]) -> CaseState:
    """Where a case stands by what is known of its members' arrivals.

    The first arrival begins it. If every arrival turns out to have been a mistake before anything
    was approved, it goes back; later than that, and when it is suspended or closed, an arrival is
    noted and moves nothing.

    Args:
        state: The case's state.
        arrivals: The days on which members arrived.
    """
    if state == CaseState.PRE_DEPARTURE and arrivals:
        return CaseState.ARRIVED
    if state == CaseState.ARRIVED and not arrivals:
        return CaseState.PRE_DEPARTURE
    return CaseState(state)


class TransferState(StrEnum):
    """Where the offer of a case to another organisation stands."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


TRANSFERS: Mapping[TransferState, Mapping[str, TransferState]] = {
    TransferState.OFFERED: {
        "accept": TransferState.ACCEPTED,
        "decline": TransferState.DECLINED,
        "withdraw": TransferState.WITHDRAWN,
    },
    TransferState.ACCEPTED: {},
    TransferState.DECLINED: {},
    TransferState.WITHDRAWN: {},
}


def transfer_after(state: str, action: str) -> TransferState:
    """The state of an offer after an answer.

    Raises:
        Problem: 409, it was answered already.
    """
    possible = TRANSFERS[TransferState(state)]
    if action not in possible:
        raise state_conflict(state, list(possible), action)
    return possible[action]


def on_lines(state: str, statuses: Collection[str]) -> CaseState:
    """Where a case stands by how far the lines of its approved plan have come.

    The last delivered line begins the monitoring; something still to be delivered, after an
    amendment, ends it.

    Args:
        state: The case's state.
        statuses: The status of each line in force.
    """
    ended = set(statuses) <= {LineStatus.DELIVERED, LineStatus.CANCELLED}
    if state == CaseState.IN_DELIVERY and ended and LineStatus.DELIVERED in statuses:
        return CaseState.MONITORING
    if state == CaseState.MONITORING and not ended:
        return CaseState.IN_DELIVERY
    return CaseState(state)
