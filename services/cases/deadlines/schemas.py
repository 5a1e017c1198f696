"""Deadlines as they are answered."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from contracts.codes import DeadlineKind
from contracts.programmes import Silence
from contracts.sourced import Unit
from services.cases.fields import Out


class DeadlineState(StrEnum):
    """Whether something is still to be done."""

    OPEN = "open"
    MET = "met"
    MISSED = "missed"
    CANCELLED = "cancelled"


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
    rule: RuleOut
    created_at: datetime
    updated_at: datetime
