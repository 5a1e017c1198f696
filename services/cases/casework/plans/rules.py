"""What may happen to a plan. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from chassis.errors import FOUR_EYES, FieldError, Problem, state_conflict
from contracts.codes import CaseState, HelpKind
from services.cases.casework.plans.schemas import PlanLineIn
from services.cases.states.casework import LineStatus, PlanAction

AFTER_ARRIVAL = frozenset({PlanAction.SUBMIT, PlanAction.APPROVE})
"""Arrival is confirmed before a plan is submitted (RIAT guides, KM2)."""
PLANNED_IN = frozenset(
    {CaseState.PRE_DEPARTURE, CaseState.ARRIVED, CaseState.IN_DELIVERY, CaseState.MONITORING}
)


def check_case(state: CaseState, action: PlanAction) -> None:
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
        raise state_conflict(state, [PlanAction.EDIT, PlanAction.AGREE], action)


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
    for index, line in enumerate(lines):
        if line.beneficiary not in members:
            errors.append(
                FieldError(
                    pointer=f"/lines/{index}/beneficiary",
                    code="not_in_case",
                    detail="a returnee of the case",
                )
            )
        if line.id in seen:
            errors.append(
                FieldError(pointer=f"/lines/{index}/id", code="line_twice", detail="each line once")
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
    kind: HelpKind
    beneficiary: UUID
    amount: Decimal
    currency: str

    @property
    def what_and_for_whom(self) -> tuple[HelpKind, UUID, str]:
        """What may not be another thing once something was granted."""
        return self.kind, self.beneficiary, self.currency


def granted_errors(lines: Sequence[Terms], granted: Collection[Terms]) -> list[FieldError]:
    """What a new version takes back of what was granted; it may ask for more, and for other things.

    Args:
        lines: The lines of the new version.
        granted: The lines of the version in force on which something was granted.
    """
    indexes = {line.id: index for index, line in enumerate(lines)}
    errors = []
    for granted_line in sorted(granted, key=lambda line: str(line.id)):
        index = indexes.get(granted_line.id)
        if index is None:
            right = f"the line {granted_line.id} too: something was granted on it"
            errors.append(FieldError(pointer="/lines", code="line_granted", detail=right))
            continue
        line = lines[index]
        if line.what_and_for_whom != granted_line.what_and_for_whom:
            right = "the kind, beneficiary and currency as they were: something was granted on it"
            errors.append(FieldError(pointer=f"/lines/{index}", code="line_granted", detail=right))
        elif line.amount < granted_line.amount:
            right = "at least the budget as it was: something was granted on it"
            errors.append(
                FieldError(pointer=f"/lines/{index}/budget", code="line_granted", detail=right)
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


def next_status(status: LineStatus, reported: LineStatus) -> LineStatus:
    """The status of a line after an event that says it has come so far."""
    return reported if reported in LINE_MOVES[status] else status
