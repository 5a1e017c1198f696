"""Deadlines as they are answered."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from chassis.routing import Body
from contracts.codes import DeadlineKind
from contracts.programmes import Silence
from contracts.sourced import Unit
from services.cases.codes import DecisionReason
from services.cases.fields import Date, Note, Out, member_of
from services.cases.states.casework import DeadlineState


class ExtendIn(Body):
    """Until when, and why."""

    until: Date
    """The new last day, in the country of return."""
    reason: Annotated[DecisionReason, member_of("unknown_reason", DecisionReason)]
    comment: Note = ""


class WaiveIn(Body):
    """Why it need not be kept."""

    reason: Annotated[DecisionReason, member_of("unknown_reason", DecisionReason)]
    comment: Note = ""


class RuleOut(Out):
    """The rule of the programme that a deadline follows from."""

    length: int
    unit: Unit
    then: Silence
    """What happens when it passes."""
    source: str
    verified: bool


class DeadlineOut(Out):
    """By when something must be done, and why."""

    id: UUID
    kind: DeadlineKind
    state: DeadlineState
    due_at: datetime
    programme: str
    referral_id: UUID | None
    case_id: UUID | None
    office: str | None
    assignee: str | None
    visit_id: UUID | None
    rule: RuleOut
    shifted_days: int
    """By how much it is later than the rule says: extensions, and time in which the case was
    suspended.
    """
    decision_reason: DecisionReason | None
    """Why it was last extended or waived."""
    created_at: datetime
    updated_at: datetime
