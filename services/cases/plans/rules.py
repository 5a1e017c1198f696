"""What may happen to a plan. Pure."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from chassis.errors import FOUR_EYES, FieldError, Problem, state_conflict
from contracts.codes import CaseState
from services.cases.plans.schemas import PlanLineIn, PlanState

TRANSITIONS: Mapping[PlanState, Mapping[str, PlanState]] = {
    PlanState.DRAFT: {"edit": PlanState.DRAFT, "agree": PlanState.DRAFT, "submit": PlanState.SUBMITTED},
    PlanState.SUBMITTED: {
        "agree": PlanState.SUBMITTED,
        "approve": PlanState.APPROVED,
        "return": PlanState.RETURNED,
    },
    PlanState.RETURNED: {"edit": PlanState.DRAFT},
    PlanState.APPROVED: {"agree": PlanState.APPROVED, "amend": PlanState.DRAFT},
    PlanState.SUPERSEDED: {},
}
"""Amending leads to the draft of a new version; the approved one stays in force until that one is approved."""

AFTER_ARRIVAL = frozenset({"submit", "approve"})
"""Arrival is confirmed before a plan is submitted (RIAT guides, KM2)."""
PLANNED_IN = frozenset({CaseState.PRE_DEPARTURE, CaseState.ARRIVED, CaseState.IN_DELIVERY, CaseState.MONITORING})


def after(state: str, action: str) -> PlanState:
    """The state after an action.

    Raises:
        Problem: 409, the state does not allow it.
    """
    allowed = TRANSITIONS[PlanState(state)]
    if action not in allowed:
        raise state_conflict(state, list(allowed), action)
    return allowed[action]


def check_case(state: str, action: str) -> None:
    """Refuse to work on the plan of a case that is suspended or closed, and to submit one before the arrival.

    Args:
        state: The case's state.
        action: What is to be done with the plan.

    Raises:
        Problem: 409 with the case's state.
    """
    if state not in PLANNED_IN:
        raise state_conflict(state, [], action)
    if state == CaseState.PRE_DEPARTURE and action in AFTER_ARRIVAL:
        raise state_conflict(state, ["edit", "agree"], action)


def check_four_eyes(approver: str, preparers: Collection[str]) -> None:
    """Refuse an approver who prepared the plan. Persons are compared, whichever client they use.

    Raises:
        Problem: 403 `four-eyes`.
    """
    if approver in preparers:
        raise Problem(FOUR_EYES)


def line_errors(lines: Sequence[PlanLineIn], members: Collection[UUID]) -> list[FieldError]:
    """What is wrong with lines beyond their shape.

    Args:
        lines: The lines.
        members: The returnees of the case.
    """
    errors = []
    seen: set[UUID] = set()
    for place, line in enumerate(lines):
        if line.beneficiary not in members:
            errors.append(
                FieldError(pointer=f"/lines/{place}/beneficiary", code="not_in_case", detail="a returnee of the case")
            )
        if line.id in seen:
            errors.append(FieldError(pointer=f"/lines/{place}/id", code="line_twice", detail="each line once"))
        if line.id is not None:
            seen.add(line.id)
    return errors
