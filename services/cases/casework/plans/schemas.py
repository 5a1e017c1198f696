"""Reintegration plans as they are sent and answered."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from chassis.datetimes import Past
from chassis.routing import Body
from contracts.codes import AssistanceGroup, CurrencyCode, HelpKind, Money, Slug
from services.cases.codes import Housing, Level, ReturnReason
from services.cases.fields import Comment, Date, Language, Line, Note, Out, member_of, refuse
from services.cases.states.casework import LineStatus, PlanState

MOST_LINES = 100
HUNDREDTH = Decimal("0.01")


class Criterion(StrEnum):
    """What is asked of a line before it is approved (feasibility grid)."""

    SKILLS = "skills"
    MARKET = "market"
    SUPPLIES = "supplies"
    PREMISES = "premises"
    PERMITS = "permits"
    COSTS = "costs"
    SAFETY = "safety"


class Rating(StrEnum):
    """How a criterion was found."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    POOR = "poor"


class Feasibility(Body):
    """What was found on one criterion."""

    criterion: Annotated[Criterion, member_of("unknown_criterion", Criterion)]
    rating: Annotated[Rating, member_of("unknown_rating", Rating)]
    comment: Note = ""


BY_COURSE = frozenset(
    {HelpKind.VOCATIONAL_TRAINING, HelpKind.LANGUAGE_TRAINING, HelpKind.JOB_PLACEMENT}
)
"""Kinds of line that a course may carry out."""


class PlanLineIn(Body):
    """What is planned for whom, and what it may cost."""

    id: UUID | None = None
    """Of a line that is there already, or one's own for a new line."""
    kind: Annotated[HelpKind, member_of("unknown_assistance", HelpKind)]
    housing: Annotated[Housing, member_of("unknown_housing", Housing)] | None = None
    beneficiary: UUID
    """A returnee of the case."""
    description: Line
    budget: Money
    provider: Slug | None = None
    course_id: UUID | None = None
    """The course that is meant, of those that training offers; None leaves the choice for later."""
    cohort_id: UUID | None = None
    """The run of a course that is meant."""
    level: Annotated[Level, member_of("unknown_level", Level)] = Level.INDIVIDUAL
    feasibility: Annotated[list[Feasibility], Field(max_length=len(Criterion))] = Field(default=[])

    @model_validator(mode="after")
    def each_criterion_once(self) -> Self:
        """Refuse two findings on one criterion."""
        if len({found.criterion for found in self.feasibility}) < len(self.feasibility):
            raise refuse("criterion_twice", "each criterion once")
        return self

    @model_validator(mode="after")
    def a_course_is_for_training(self) -> Self:
        """Refuse a course on a line that no course carries out."""
        if self.kind not in BY_COURSE and (self.course_id or self.cohort_id):
            raise refuse(
                "no_course", "a course or a cohort on a line for training or for finding work only"
            )
        return self

    @model_validator(mode="after")
    def housing_is_specified(self) -> Self:
        """Housing says what kind, and nothing else does."""
        if (self.kind is HelpKind.HOUSING) != (self.housing is not None):
            raise refuse(
                "housing_kind",
                "items, rent, materials or temporary on a housing line, and on no other",
            )
        return self


class PlanIn(Body):
    """The lines of a plan; they take the place of those that were there."""

    lines: Annotated[list[PlanLineIn], Field(min_length=1, max_length=MOST_LINES)]


class AgreeIn(Body):
    """That the returnee agreed, when, and in what language it was explained."""

    agreed_on: Annotated[Date, Past("date_ahead")]
    language: Language
    document: UUID | None = None


class ReturnIn(Body):
    """Why the plan goes back."""

    reason: Annotated[ReturnReason, member_of("unknown_reason", ReturnReason)]
    comment: Comment


class AmendIn(Body):
    """Why an approved plan is taken up again."""

    comment: Note = ""


class Amount(Out):
    """An exact amount, in hundredths, or thousandths where there are any."""

    amount: Decimal
    currency: CurrencyCode

    @classmethod
    def of(cls, amount: Decimal, currency: str) -> Self:
        """An amount as it is written."""
        hundredths = amount.quantize(HUNDREDTH)
        return cls(amount=hundredths if hundredths == amount else amount, currency=currency)


class PlanLineOut(Out):
    """A line. Its id is the same in every version of the plan that has it."""

    id: UUID
    kind: HelpKind | None
    """Null where it would tell somebody's health or a child's situation to who neither works on the
    case nor referred them and may read vulnerabilities; then there are no words either, and
    nobody who provides it.
    """
    group: AssistanceGroup
    housing: Housing | None
    beneficiary: UUID
    description: str
    budget: Amount
    provider: str | None
    course_id: UUID | None
    cohort_id: UUID | None
    level: Level
    feasibility: list[Feasibility]
    """Only for who works on the case."""
    status: LineStatus
    delivered_at: datetime | None
    """When who delivers it said that it was; null until then."""
    undone_at: datetime | None
    """When they took that back: less was attended than the course asks for. It is in delivery again
    until they say that it holds, or deliver it anew.
    """


class PlanOut(Out):
    """A version of a plan."""

    id: UUID
    case_id: UUID
    plan_version: int
    state: PlanState
    lines: list[PlanLineOut]
    """For who does not work on the case: those for the people in whose return it takes part."""
    totals: list[Amount]
    """The sum of the budgets of these lines in each currency."""
    preparers: list[UUID]
    """Who edited or submitted this version. Opaque: the same person has the same id everywhere."""
    submitted_by: str | None
    approved_by: str | None
    agreed_on: date | None
    agreed_language: str | None
    agreed_document: UUID | None
    return_reason: ReturnReason | None
    return_comment: str | None
    """Only for who works on the case."""
    amend_comment: str | None
    """Why this version was begun; only for who works on the case."""
    created_at: datetime
    updated_at: datetime


def total(lines: list[PlanLineOut]) -> list[Amount]:
    """The sum of the budgets in each currency, exactly."""
    sums: dict[str, Decimal] = {}
    for line in lines:
        sums[line.budget.currency] = sums.get(line.budget.currency, Decimal(0)) + line.budget.amount
    return [Amount.of(amount, currency) for currency, amount in sorted(sums.items())]
