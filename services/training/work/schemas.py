"""The HTTP shape of employers, vacancies, matches and placements."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from chassis.routing import Body
from contracts.codes import Money
from contracts.training import PlacementEnd, WorkKind
from services.training.classifications import IscoCode
from services.training.fields import (
    Country,
    Day,
    Governorate,
    Language,
    Line,
    Out,
    PastDay,
    ResourceOut,
    check_place,
    refuse,
)
from services.training.states import PlacementState, VacancyState
from services.training.work.rules import Factor


class EmployerIn(Body):
    """Who employs."""

    id: UUID | None = None
    """Chosen by the client, so that it can be told again."""
    name: Line
    country: Country
    governorate: Governorate | None = None

    @model_validator(mode="after")
    def governorate_is_there(self) -> Self:
        """Refuse a governorate of another country."""
        check_place(self.country, self.governorate)
        return self


class EmployerOut(ResourceOut):
    """An employer."""

    name: str
    country: str
    governorate: str | None


class VacancyIn(Body):
    """A place to work, or several of the same."""

    id: UUID | None = None
    """Chosen by the client, so that it can be told again."""
    employer_id: UUID
    title: Line
    kind: WorkKind
    occupation: IscoCode
    """ISCO-08 unit group."""
    country: Country
    governorate: Governorate | None = None
    remote: bool = False
    languages: Annotated[list[Language], Field(max_length=20, default_factory=list)]
    wage: Money | None = None
    """A month."""
    positions: Annotated[int, Field(ge=1, le=1000)] = 1
    starts_on: Day | None = None

    @model_validator(mode="after")
    def governorate_is_there(self) -> Self:
        """Refuse a governorate of another country."""
        check_place(self.country, self.governorate)
        return self


class VacancyOut(ResourceOut):
    """A vacancy."""

    state: VacancyState
    employer_id: UUID
    title: str
    kind: WorkKind
    occupation: str
    country: str
    governorate: str | None
    remote: bool
    languages: list[str]
    wage: Money | None
    positions: int
    taken: int
    starts_on: date | None


class ReasonOut(Out):
    """Why, in one respect."""

    factor: Factor
    percent: int
    words: str


class WeighingOut(Out):
    """How the fit was weighed: dated data, which says itself where it is from."""

    version: int
    since: date
    source: str
    verified: bool
    """False: the weights are assumed, and nobody has confirmed them."""


class CandidateOut(Out):
    """Somebody who fits a vacancy."""

    returnee_id: UUID
    score: int
    """0 to 100."""
    reasons: list[ReasonOut]


class CandidatesOut(Out):
    """Who fits a vacancy, best first."""

    items: list[CandidateOut]
    weighing: WeighingOut


class SuggestionOut(Out):
    """A vacancy that fits somebody."""

    vacancy: VacancyOut
    score: int
    """0 to 100."""
    reasons: list[ReasonOut]


class SuggestionsOut(Out):
    """Vacancies that fit somebody, best first."""

    items: list[SuggestionOut]
    weighing: WeighingOut


class PlacementIn(Body):
    """A person is proposed to an employer."""

    id: UUID | None = None
    """Chosen by the client, so that it can be told again."""
    vacancy_id: UUID
    returnee_id: UUID
    wage_subsidy: bool = False
    """Whether the plan's wage subsidy is for this placement; grants pays it."""
    subsidy_months: Annotated[int, Field(ge=1, le=60)] | None = None
    """For how many months of work it was agreed with the employer; None: as the programme says."""

    @model_validator(mode="after")
    def months_of_a_subsidy(self) -> Self:
        """Refuse months of a subsidy where there is none."""
        if self.subsidy_months is not None and not self.wage_subsidy:
            raise refuse("no_subsidy", "months of a subsidy with wage_subsidy only")
        return self


class StartIn(Body):
    """The person began to work."""

    started_on: PastDay


class EndIn(Body):
    """The placement came to an end, or to nothing."""

    reason: PlacementEnd
    ended_on: PastDay


class RetentionIn(Body):
    """Whether the person still works there."""

    months: Annotated[int, Field(ge=1, le=120)]
    """One of the checks that are due: months after the start."""
    checked_on: PastDay
    working: bool


class RetentionOut(Out):
    """A check, due or done."""

    months: int
    due_on: date
    checked_on: date | None
    working: bool | None


class PlacementOut(ResourceOut):
    """A placement."""

    state: PlacementState
    returnee_id: UUID
    case_id: UUID | None
    vacancy_id: UUID
    kind: WorkKind
    occupation: str
    plan_line_id: UUID | None
    wage_subsidy: bool
    subsidy_line_id: UUID | None
    subsidy_months: int | None
    started_on: date | None
    ended_on: date | None
    reason: PlacementEnd | None


class PlacementDetail(PlacementOut):
    """A placement with its checks."""

    retention: list[RetentionOut]
