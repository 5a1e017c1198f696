"""Counselling sessions and attempts to reach somebody, as they are sent and answered."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.routing import Body
from contracts.codes import ContactMethod, Phase
from services.cases.codes import Outcome
from services.cases.fields import Flag, Language, Moment, Note, Out, member_of


class Topic(StrEnum):
    """What counselling was about."""

    PROGRAMME = "programme"
    RIGHTS = "rights"
    TRAVEL = "travel"
    RECEPTION = "reception"
    PLAN = "plan"
    BUSINESS = "business"
    WORK = "work"
    EDUCATION = "education"
    HOUSING = "housing"
    WELL_BEING = "well_being"
    FAMILY = "family"
    OTHER = "other"


Method = Annotated[ContactMethod, member_of("unknown_method", ContactMethod)]


class SessionIn(Body):
    """Counselling that was given."""

    id: UUID | None = None
    phase: Annotated[Phase, member_of("unknown_phase", Phase)]
    method: Method
    topics: Annotated[
        list[Annotated[Topic, member_of("unknown_topic", Topic)]],
        Field(min_length=1, max_length=12),
    ]
    language: Language
    interpreter: Flag = False
    attended: Annotated[list[UUID], Field(min_length=1, max_length=60)]
    """Returnees of the case."""
    occurred_at: Moment
    notes: Note = ""


class SessionOut(Out):
    """Counselling that was given."""

    id: UUID
    case_id: UUID
    phase: Phase
    method: ContactMethod
    topics: list[Topic]
    language: str
    interpreter: bool
    attended: list[UUID]
    notes: str | None
    organisation: str
    held_by: str | None
    occurred_at: datetime
    clock_suspect: bool
    """Whether it was claimed for more than five minutes ahead."""
    created_at: datetime
    updated_at: datetime


class AttemptIn(Body):
    """Somebody tried to reach a person of the case."""

    id: UUID | None = None
    returnee_id: UUID
    method: Method
    outcome: Annotated[Outcome, member_of("unknown_outcome", Outcome)]
    occurred_at: Moment
    notes: Note = ""


class AttemptOut(Out):
    """An attempt to reach a person of the case."""

    id: UUID
    case_id: UUID
    returnee_id: UUID
    method: ContactMethod
    outcome: Outcome
    notes: str | None
    organisation: str
    tried_by: str | None
    occurred_at: datetime
    clock_suspect: bool
    created_at: datetime
    updated_at: datetime
