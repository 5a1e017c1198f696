"""Monitoring visits as they are sent and answered."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from chassis.routing import Body
from contracts.codes import ContactMethod, DeadlineKind
from services.cases.codes import Outcome
from services.cases.fields import Date, Flag, Moment, Note, Out, member_of, refuse
from services.cases.follow_up.contact.schemas import Method
from services.cases.states.follow_up import VisitState


class Extent(StrEnum):
    """How far something is so."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


class Livelihood(StrEnum):
    """Whether what somebody earns is enough."""

    COVERS_NEEDS = "covers_needs"
    COVERS_PART = "covers_part"
    NOTHING = "nothing"


class Finding(Body):
    """What was found."""

    received: Annotated[Extent, member_of("unknown_extent", Extent)]
    """Whether the assistance was received as planned."""
    in_use: Annotated[Extent, member_of("unknown_extent", Extent)] | None = None
    livelihood: Annotated[Livelihood, member_of("unknown_livelihood", Livelihood)] | None = None
    jobs: Annotated[int, Field(ge=0, le=1000)] | None = None
    """People who work there, the returnee included."""
    satisfaction: Annotated[int, Field(ge=1, le=5)] | None = None
    """By the returnee's own word, 5 is best."""
    follow_up: Flag = False
    """Whether something must be done about what was found."""
    notes: Note = ""


class VisitIn(Body):
    """A visit that a case worker agrees."""

    id: UUID | None = None
    returnee_id: UUID
    due_on: Date
    line_id: UUID | None = None
    """The line of the plan that it is about."""
    cooperative_id: UUID | None = None


class RecordIn(Body):
    """How a visit went; where nobody was reached, it stays due."""

    occurred_at: Moment
    method: Method
    outcome: Annotated[Outcome, member_of("unknown_outcome", Outcome)]
    finding: Finding | None = None
    document_id: UUID | None = None

    @model_validator(mode="after")
    def found_where_reached(self) -> Self:
        """Whoever was reached was asked; whoever was not, was not."""
        if (self.outcome is Outcome.REACHED) != (self.finding is not None):
            raise refuse(
                "finding", "a finding where somebody was reached, and none where nobody was"
            )
        return self


class TriedOut(Out):
    """A visit at which nobody was reached."""

    method: ContactMethod
    outcome: Outcome
    occurred_at: datetime
    clock_suspect: bool
    tried_by: str | None
    recorded_at: datetime


class VisitOut(Out):
    """A monitoring visit."""

    id: UUID
    state: VisitState
    case_id: UUID
    returnee_id: UUID
    line_id: UUID | None
    cooperative_id: UUID | None
    cause: DeadlineKind
    """What it follows, and so the rule by which it is due."""
    due_on: date
    overdue: bool
    attempts: list[TriedOut]
    """In vain, oldest first."""
    method: ContactMethod | None
    occurred_at: datetime | None
    clock_suspect: bool
    finding: Finding | None
    document_id: UUID | None
    visited_by: str | None
    organisation: str | None
    created_at: datetime
    updated_at: datetime
