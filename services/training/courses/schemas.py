"""The HTTP shape of providers, courses and cohorts."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chassis.routing import Body
from contracts.codes import CourseKind, Slug
from contracts.training import Phase
from services.training.classifications import IscedCode, IscoCode
from services.training.courses.rules import sessions_overlap
from services.training.fields import (
    Claimed,
    Country,
    Governorate,
    Language,
    Line,
    Out,
    ResourceOut,
    TimeZone,
    check_place,
    refuse,
)
from services.training.states import CohortState

MOST_SESSIONS = 200
Capacity = Annotated[int, Field(ge=1, le=1000)]
Hours = Annotated[Decimal, Field(gt=0, le=2000, max_digits=6, decimal_places=2)]
Days = Annotated[int, Field(ge=1, le=400)]
CourseCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
Languages = Annotated[list[Language], Field(min_length=1, max_length=20)]
Threshold = Annotated[int, Field(ge=1, le=100)]


class ProviderIn(Body):
    """Who gives courses."""

    slug: Slug
    """Its organisation, if it is registered as one: it then sees the participants of its
    cohorts.
    """
    name: Line
    country: Country


class ProviderOut(ResourceOut):
    """A provider."""

    slug: str
    name: str
    country: str


class AsScheduled(BaseModel):
    """What a course was in the revision that a cohort was scheduled with, as far as it decides
    about the cohort.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    title: str
    kind: CourseKind
    phase: Phase
    hours: Decimal
    isco_08: str | None
    programmes: list[str]
    governorates: list[str]
    stipend: bool
    attendance_percent: int | None


class CourseIn(Body):
    """A course."""

    code: CourseCode
    """Unique for the organisation that offers it."""
    title: Line
    kind: CourseKind
    phase: Phase
    hours: Hours
    days: Days
    country: Country
    city: Line | None = None
    """None where it is online only."""
    online: bool = False
    capacity: Capacity
    provider: Slug
    languages: Languages
    isced_f: IscedCode
    isco_08: IscoCode | None = None
    """The occupation that it leads to."""
    programmes: Annotated[list[Slug], Field(max_length=50, default_factory=list)]
    """Those that it is for; empty means every one."""
    governorate: Governorate | None = None
    """Where it takes place; found by its city where nothing is said."""
    governorates: Annotated[list[Governorate], Field(max_length=50, default_factory=list)]
    """Where those return to for whom it is; empty means anywhere."""
    stipend: bool = False
    """Whether attendance entitles to a living allowance."""
    attendance_percent: Threshold | None = None
    """How much must be attended to complete it; None: as the participant's programme asks."""

    @model_validator(mode="after")
    def takes_place_somewhere(self) -> Self:
        """Refuse a course that is neither online nor anywhere."""
        if not self.online and self.city is None:
            raise refuse("place_missing", "a city, or online")
        check_place(self.country, self.governorate)
        return self


class CourseOut(ResourceOut):
    """A course as it is now."""

    organisation: str
    code: str
    revision: int
    title: str
    kind: CourseKind
    phase: Phase
    hours: Decimal
    days: int
    country: str
    city: str | None
    online: bool
    capacity: int
    provider_id: UUID
    languages: list[str]
    isced_f: str
    isco_08: str | None
    programmes: list[str]
    governorate: str | None
    governorates: list[str]
    stipend: bool
    attendance_percent: int | None


class ImportedOut(Out):
    """What became of a list of courses."""

    created: int
    changed: int
    unchanged: int
    providers: int
    """Providers that were not known before."""


class SessionIn(Body):
    """When a cohort meets."""

    starts_at: Claimed
    ends_at: Claimed


def _check(sessions: list[SessionIn]) -> None:
    times = [(session.starts_at, session.ends_at) for session in sessions]
    if any(start >= end for start, end in times):
        raise refuse("session_times", "an end after the beginning")
    if times != sorted(times) or sessions_overlap(times):
        raise refuse("session_order", "sessions one after another, the first one first")


Sessions = Annotated[list[SessionIn], Field(min_length=1, max_length=MOST_SESSIONS)]


class CohortIn(Body):
    """A run of a course."""

    id: UUID | None = None
    """Chosen by the client, so that it can be told again."""
    course_id: UUID
    sessions: Sessions
    time_zone: TimeZone | None = None
    """Where its days begin and end; known for countries of return."""
    city: Line | None = None
    """As the course where nothing is said."""
    governorate: Governorate | None = None
    """Found by the city where nothing is said."""
    venue: Line | None = None
    online: bool | None = None
    capacity: Capacity | None = None
    languages: Languages | None = None
    lecturers: Annotated[list[Line], Field(max_length=20, default_factory=list)]

    @model_validator(mode="after")
    def sessions_in_order(self) -> Self:
        """Refuse sessions that overlap or are not in order."""
        _check(self.sessions)
        return self


class CohortChange(Body):
    """What changes about a cohort; what is not said stays."""

    sessions: Sessions | None = None
    """All of them. Those whose attendance was recorded stay as they are."""
    city: Line | None = None
    governorate: Governorate | None = None
    """Found by the city where that is another one and nothing is said."""
    venue: Line | None = None
    online: bool | None = None
    capacity: Capacity | None = None
    languages: Languages | None = None
    lecturers: Annotated[list[Line], Field(max_length=20)] | None = None

    @model_validator(mode="after")
    def sessions_in_order(self) -> Self:
        """Refuse sessions that overlap or are not in order."""
        if self.sessions is not None:
            _check(self.sessions)
        return self


class SessionOut(Out):
    """A meeting of a cohort."""

    number: int
    starts_at: datetime
    ends_at: datetime
    recorded: bool
    """Whether its attendance was recorded."""


class CohortOut(ResourceOut):
    """A cohort."""

    state: CohortState
    organisation: str
    course_id: UUID
    course_revision: int
    provider_id: UUID
    starts_on: date
    ends_on: date
    time_zone: str
    country: str
    city: str | None
    governorate: str | None
    venue: str | None
    online: bool
    capacity: int
    seats_taken: int
    """Places that are held or kept for somebody."""
    waiting: int
    """How many are on the waiting list."""
    languages: list[str]
    lecturers: list[str]


class CohortDetail(CohortOut):
    """A cohort with its sessions."""

    sessions: list[SessionOut]
