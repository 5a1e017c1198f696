"""What may happen to a plan. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from chassis.errors import FOUR_EYES, FieldError, Problem, state_conflict
from contracts.codes import CaseState
from services.cases.casework.plans.schemas import LineStatus, PlanLineIn, PlanState

TRANSITIONS: Mapping[PlanState, Mapping[str, PlanState]] = {
    PlanState.DRAFT: {
        "edit": PlanState.DRAFT,
        "agree": PlanState.DRAFT,
        "submit": PlanState.SUBMITTED,
    },
    PlanState.SUBMITTED: {
        "agree": PlanState.SUBMITTED,
        "approve": PlanState.APPROVED,
        "return": PlanState.RETURNED,
    },
    PlanState.RETURNED: {"edit": PlanState.DRAFT},
    PlanState.APPROVED: {"agree": PlanState.APPROVED, "amend": PlanState.DRAFT},
    PlanState.SUPERSEDED: {},
}
"""Amending leads to the draft of a new version; the approved one stays in force until that one is
approved.
"""

AFTER_ARRIVAL = frozenset({"submit", "approve"})
"""Arrival is confirmed before a plan is submitted (RIAT guides, KM2)."""
PLANNED_IN = frozenset(
    {CaseState.PRE_DEPARTURE, CaseState.ARRIVED, CaseState.IN_DELIVERY, CaseState.MONITORING}
)


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
    """Refuse to work on the plan of a case that is suspended or closed, and to submit one before
    the arrival.

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
                FieldError(
                    pointer=f"/lines/{place}/beneficiary",
                    code="not_in_case",
                    detail="a returnee of the case",
                )
            )
        if line.id in seen:
            errors.append(
                FieldError(pointer=f"/lines/{place}/id", code="line_twice", detail="each line once")
            )
        if line.id is not None:
            seen.add(line.id)
    return errors


@dataclass(frozen=True, slots=True)
class Terms:
    """What a version of a plan says of a line, which a later one may not take back once something
    was granted.
    """

    id: UUID | None
    kind: str
    beneficiary: UUID
    amount: Decimal
    currency: str


STAYS = frozenset(
    {LineStatus.REQUESTED, LineStatus.GRANTED, LineStatus.IN_DELIVERY, LineStatus.DELIVERED}
)
"""From a request on a line is no longer the plan's alone."""


def granted_errors(lines: Sequence[Terms], granted: Collection[Terms]) -> list[FieldError]:
    """What a new version takes back of what was granted; it may ask for more, and for other things.

    Args:
        lines: The lines of the new version.
        granted: The lines of the version in force on which something was granted.
    """
    places = {line.id: place for place, line in enumerate(lines)}
    errors = []
    for each in sorted(granted, key=lambda g: str(g.id)):
        place = places.get(each.id)
        if place is None:
            right = f"the line {each.id} too: something was granted on it"
            errors.append(FieldError(pointer="/lines", code="line_granted", detail=right))
            continue
        line = lines[place]
        if (line.kind, line.beneficiary, line.currency) != (
            each.kind,
            each.beneficiary,
            each.currency,
        ):
            right = "the kind, beneficiary and currency as they were: something was granted on it"
            errors.append(FieldError(pointer=f"/lines/{place}", code="line_granted", detail=right))
        elif line.amount < each.amount:
            right = "at least the budget as it was: something was granted on it"
            errors.append(
                FieldError(pointer=f"/lines/{place}/budget", code="line_granted", detail=right)
            )
    return errors


LINE_MOVES: Mapping[LineStatus, frozenset[LineStatus]] = {
    LineStatus.PLANNED: frozenset(LineStatus) - {LineStatus.PLANNED},
    LineStatus.REQUESTED: frozenset(
        {LineStatus.GRANTED, LineStatus.IN_DELIVERY, LineStatus.DELIVERED, LineStatus.CANCELLED}
    ),
    LineStatus.GRANTED: frozenset(
        {LineStatus.IN_DELIVERY, LineStatus.DELIVERED, LineStatus.CANCELLED}
    ),
    LineStatus.IN_DELIVERY: frozenset({LineStatus.DELIVERED, LineStatus.CANCELLED}),
    LineStatus.DELIVERED: frozenset(),
    LineStatus.CANCELLED: frozenset(LineStatus) - {LineStatus.PLANNED, LineStatus.CANCELLED},
}
"""Where a line may go. Facts of two services come in any order: what would lead back changes
nothing. A grant that was refused or cancelled may be asked for again, and what it was for may
come from somebody else.
"""


def moved(status: str, to: LineStatus) -> LineStatus:
    """The status of a line after a fact that says it has come so far."""
    return to if to in LINE_MOVES[LineStatus(status)] else LineStatus(status)
