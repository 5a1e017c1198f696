"""Where a case stands by its members' arrivals and by the lines of its plan. Pure."""

from collections.abc import Collection
from datetime import date

from contracts.codes import CaseState
from services.cases.states.casework import LineStatus


def on_arrivals(state: CaseState, arrivals: Collection[date]) -> CaseState:
    """Where a case stands by what is known of its members' arrivals.

    The first arrival begins it. If every arrival turns out to have been a mistake before anything
    was approved, it goes back; later than that, and when it is suspended or closed, an arrival is
    noted and moves nothing.

    Args:
        state: The case's state.
        arrivals: The days on which members arrived.
    """
    if state is CaseState.PRE_DEPARTURE and arrivals:
        return CaseState.ARRIVED
    if state is CaseState.ARRIVED and not arrivals:
        return CaseState.PRE_DEPARTURE
    return state


def on_lines(state: CaseState, statuses: Collection[LineStatus]) -> CaseState:
    """Where a case stands by how far the lines of its approved plan have come.

    The last delivered line begins the monitoring; something still to be delivered, after an
    amendment, ends it.

    Args:
        state: The case's state.
        statuses: The status of each line in force.
    """
    have_ended = set(statuses) <= LineStatus.ENDED
    if state is CaseState.IN_DELIVERY and have_ended and LineStatus.DELIVERED in statuses:
        return CaseState.MONITORING
    if state is CaseState.MONITORING and not have_ended:
        return CaseState.IN_DELIVERY
    return state
