"""When a monitoring visit is late. Pure."""

from datetime import date

from services.cases.states.follow_up import VisitState


def is_overdue(state: VisitState, due_on: date, today: date) -> bool:
    """Whether a visit should have been paid before today."""
    return state is VisitState.SCHEDULED and due_on < today
