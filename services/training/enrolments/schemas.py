"""The HTTP shape of enrolments, attendance and certificates."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from chassis.routing import Body
from contracts.codes import CourseKind, Money
from contracts.training import AssessmentStage, AttendanceStatus, DropOutReason, QuestionReason
from services.training.classifications import IscoCode
from services.training.enrolments.rules import Obstacle
from services.training.fields import (
    Claimed,
    Country,
    Day,
    Governorate,
    Language,
    Note,
    Out,
    PastDay,
    Percent,
    ResourceOut,
    check_place,
    refuse,
)
from services.training.identities import Identity
from services.training.states import EnrolmentState

Grade = Annotated[int, Field(ge=1, le=5)]


class EnrolmentIn(Body):
    """A person is to take part in a cohort."""

    id: UUID | None = None
    """Chosen by the client, so that it can be told again."""
    returnee_id: UUID
    cohort_id: UUID
    plan_line_id: UUID | None = None
    """The line of their approved plan that it carries out."""
    despite_clash: bool = False
    """Whether it is known and accepted that another course of theirs is at the same time."""


class PlaceIn(Body):
    """A cohort for what a plan asks for."""

    cohort_id: UUID
    despite_clash: bool = False


class AcceptIn(Body):
    """The person takes the place that was offered."""

    despite_clash: bool = False


class DropOutIn(Body):
    """The person does not go on."""

    reason: DropOutReason
    comment: Note | None = None


class AssessIn(Body):
    """How somebody did."""

    stage: AssessmentStage
    score: Percent


class ManualIn(Body):
    """The manual was handed out."""

    handed_on: PastDay


class EvaluateIn(Body):
    """What the participant says of the course, 1 to 5."""

    overall: Grade
    content: Grade
    trainer: Grade
    comment: Note | None = None


class AttendedOut(Out):
    """How much was attended so far, in minutes."""

    attended: int
    held: int
    """Of the whole cohort."""
    percent_needed: int
    sufficient: bool


class ClashOut(Out):
    """Another course of the person at the same time."""

    cohort_id: UUID
    session: int
    at: datetime


class EnrolmentOut(ResourceOut):
    """An enrolment."""

    state: EnrolmentState
    returnee_id: UUID
    case_id: UUID | None
    household_id: UUID | None
    programme: str
    cohort_id: UUID | None
    course_id: UUID | None
    kind: CourseKind
    plan_line_id: UUID | None
    queue: int | None
    """Number on the waiting list; who has a lower one comes first."""
    offered_until: datetime | None
    stipend: bool
    score_before: int | None
    score_after: int | None
    manual_on: date | None
    reason: str | None
    review: QuestionReason | None
    """Why a person has to look whether it goes on: cancel it, let it drop out, or keep it."""
    completed_on: date | None


class FitOut(Out):
    """A cohort that may carry out what a plan asks for."""

    cohort_id: UUID
    course_id: UUID
    title: str
    starts_on: date
    ends_on: date
    city: str | None
    governorate: str | None
    online: bool
    languages: list[str]
    free: int
    """Places for which nobody waits."""
    obstacles: list[Obstacle]
    """What speaks against it; empty where it suits."""


class ChoiceOut(EnrolmentOut):
    """What a plan asks for, and a person has to choose a cohort for."""

    cohorts: list[FitOut]
    """Those that are for this person, the most suitable first."""


class EnrolmentDetail(EnrolmentOut):
    """An enrolment with what follows from its sessions."""

    attendance: AttendedOut | None = None
    clashes: Annotated[list[ClashOut], Field(default_factory=list)]
    certificate_code: str | None = None


class Participant(EnrolmentOut):
    """Somebody on a roster."""

    identity: Identity | None = None
    """Null until the copy has been fetched from cases."""


class SheetEntryIn(Body):
    """Whether one participant was there."""

    enrolment_id: UUID
    status: AttendanceStatus


class SheetIn(Body):
    """A whole sheet at once."""

    capture_id: UUID | None = None
    """Chosen by the device, so that the same capture can be sent again after a broken
    connection.
    """
    occurred_at: Claimed | None = None
    entries: Annotated[list[SheetEntryIn], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def each_once(self) -> Self:
        """Refuse two entries about one participant."""
        if len({entry.enrolment_id for entry in self.entries}) != len(self.entries):
            raise refuse("duplicate_entry", "each participant once")
        return self


class SheetEntryOut(Out):
    """Whether one participant was there."""

    enrolment_id: UUID
    returnee_id: UUID
    status: AttendanceStatus
    minutes: int


class SheetOut(Out):
    """The attendance sheet of a session."""

    cohort_id: UUID
    number: int
    starts_at: datetime
    ends_at: datetime
    capture_id: UUID | None
    occurred_at: datetime | None
    recorded_at: datetime | None
    recorded_by: str | None
    clock_suspect: bool
    entries: list[SheetEntryOut]


class CertificateOut(Out):
    """What anybody may know who holds the code; not whose it is."""

    code: str
    valid: bool
    title: str
    hours: Decimal
    provider: str
    starts_on: date
    ends_on: date
    issued_on: date


class ProfileIn(Body):
    """What a person looking for work can do and wants."""

    occupations: Annotated[list[IscoCode], Field(max_length=20, default_factory=list)]
    """ISCO-08 unit groups; what their completed courses lead to is added by itself."""
    languages: Annotated[list[Language], Field(max_length=20, default_factory=list)]
    country: Country
    governorate: Governorate | None = None
    may_move: bool = False
    wage: Money | None = None
    """Expected, a month."""
    available_from: Day | None = None
    looking: bool = True

    @model_validator(mode="after")
    def governorate_is_there(self) -> Self:
        """Refuse a governorate of another country."""
        check_place(self.country, self.governorate)
        return self


class ProfileOut(ResourceOut):
    """What a person looking for work can do and wants; `id` is the returnee's."""

    occupations: list[str]
    languages: list[str]
    country: str
    governorate: str | None
    may_move: bool
    wage: Money | None
    available_from: date | None
    looking: bool
