"""The HTTP shapes of timelines and summaries."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from chassis.inbox import Freshness
from contracts.codes import (
    AssistanceGroup,
    CaseState,
    ClosureReason,
    DeadlineKind,
    Money,
    NeedsPriority,
    PaymentMethod,
    ReturnKind,
)
from contracts.training import WorkKind
from gateway.handlers import EVENTS, SOURCES
from gateway.models import TimelineEntry
from gateway.timeline.sentences import Language, short

ServiceName = StrEnum("ServiceName", {source.upper(): source for source in SOURCES})  # type: ignore[misc] # SOURCES is data
EventType = StrEnum(  # type: ignore[misc] # as above
    "EventType", {short(name).replace(".", "_").upper(): name for name in sorted(EVENTS)}
)

LINKS = {
    "returnee_id": ("returnee", "/v1/returnees/{}"),
    "case_id": ("case", "/v1/cases/{}"),
    "referral_id": ("referral", "/v1/referrals/{}"),
    "household_id": ("household", "/v1/households/{}"),
    "arrival_id": ("arrival", "/v1/arrivals/{}"),
    "cooperative_id": ("cooperative", "/v1/cooperatives/{}"),
    "flight_id": ("flight", "/v1/flights/{}"),
    "deadline_id": ("deadline", "/v1/deadlines/{}"),
    "survey_id": ("survey", "/v1/surveys/{}"),
    "service_referral_id": ("service_referral", "/v1/service-referrals/{}"),
    "grant_id": ("grant", "/v1/grants/{}"),
    "payment_id": ("payment", "/v1/payments/{}"),
    "course_id": ("course", "/v1/courses/{}"),
    "cohort_id": ("cohort", "/v1/cohorts/{}"),
    "enrolment_id": ("enrolment", "/v1/enrolments/{}"),
    "placement_id": ("placement", "/v1/placements/{}"),
    "vacancy_id": ("vacancy", "/v1/vacancies/{}"),
    "mentor_id": ("mentor", "/v1/mentors/{}"),
}
BELOW = {
    "travel_id": ("referral", "travel", "/travel/{}"),
    "visit_id": ("case", "visit", "/visits/{}"),
    "plan_id": ("case", "plan", "/plan"),
}
"""What is found below another resource."""


class Order(StrEnum):
    """Which way a timeline is read."""

    DESC = "desc"
    ASC = "asc"


class FreshnessOut(BaseModel):
    """How far the timeline follows a service."""

    applied: int = Field(
        description="All events of the service up to this position are on the timelines."
    )
    head: int = Field(description="The last position that the service is known to have.")
    complete: bool = Field(
        description="Whether nothing is missing, and the service was heard a moment ago."
    )
    heard_at: datetime | None = Field(description="When the service last said how far it is.")


def freshness_of(fresh: Mapping[str, Freshness]) -> dict[str, FreshnessOut]:
    """Freshness of every service, also of one that was never heard."""
    never = FreshnessOut(applied=0, head=0, complete=False, heard_at=None)
    return {
        source: FreshnessOut(
            applied=fresh[source].applied,
            head=fresh[source].head,
            complete=fresh[source].complete,
            heard_at=fresh[source].heard_at,
        )
        if source in fresh
        else never
        for source in SOURCES
    }


class Entry(BaseModel):
    """A fact about a returnee."""

    id: UUID = Field(description="Id of the event.")
    occurred_at: datetime = Field(description="When it happened, as claimed.")
    recorded_at: datetime = Field(description="When the service recorded it.")
    service: str
    type: str
    position: int = Field(description="Its place in the log of the service.")
    summary: str = Field(description="What happened, in the language asked for.")
    data: dict[str, Any] = Field(description="As published; see /schemas/{type}.")
    links: dict[str, str] = Field(description="The resources that it concerns.")

    @classmethod
    def of(cls, row: TimelineEntry, language: Language) -> Self:
        """As it is sent."""
        links = {
            name: path.format(row.data[key])
            for key, (name, path) in LINKS.items()
            if row.data.get(key)
        }
        for key, (above, name, path) in BELOW.items():
            if row.data.get(key) and above in links:
                links[name] = links[above] + path.format(row.data[key])
        return cls(
            id=row.id,
            occurred_at=row.occurred_at,
            recorded_at=row.recorded_at,
            service=row.source,
            type=row.type,
            position=row.position,
            summary=language.sentence(row.type, row.data),
            data=row.data,
            links=links,
        )


class TimelinePage(BaseModel):
    """A page of a timeline."""

    items: list[Entry]
    next: str | None = Field(None, description="Cursor of the next page; null on the last.")
    live: str = Field(
        description="Give it to the stream as `after` to hear everything that comes after this "
        "answer."
    )
    freshness: dict[str, FreshnessOut] = Field(description="By service.")


class CaseNow(BaseModel):
    """Where the case stands."""

    id: UUID
    state: CaseState
    since: datetime
    reason: ClosureReason | None = Field(None, description="Why it was closed.")


class TravelNow(BaseModel):
    """Where the journey stands."""

    id: UUID
    state: str = Field(
        description="planned, confirmed, changed, departed, not_departed or cancelled."
    )
    departs_on: date | None = None
    arrives_at: datetime | None = None
    port_of_entry: str | None = None


class ArrivalNow(BaseModel):
    """Where the arrival stands."""

    id: UUID
    state: str = Field(
        description="The last thing that reception said: expected, received, completed, no_show, "
        "..."
    )
    port_of_entry: str | None = None
    expected_at: datetime | None = None
    arrived_on: date | None = None
    needs_priority: NeedsPriority | None = None


class PlanNow(BaseModel):
    """Where the reintegration plan stands."""

    id: UUID
    version: int
    state: str = Field(description="submitted, agreed, approved, returned or amended.")


class DeadlineNow(BaseModel):
    """A deadline that was set."""

    id: UUID
    kind: DeadlineKind
    due_at: datetime
    missed: bool


class GrantNow(BaseModel):
    """Where a grant stands."""

    id: UUID
    state: str = Field(
        description="The last thing that grants said: requested, approved, delivered, cancelled, "
        "..."
    )
    group: AssistanceGroup
    amount: Money


class PaymentNow(BaseModel):
    """Where a payment stands."""

    id: UUID
    grant_id: UUID
    state: str = Field(
        description="The last thing that grants said: scheduled, released, confirmed, reversed, ..."
    )
    method: PaymentMethod
    amount: Money
    due_on: date | None = None
    confirmed_on: date | None = None


class EnrolmentNow(BaseModel):
    """Where an enrolment stands."""

    id: UUID
    state: str = Field(
        description="The last thing that training said: requested, confirmed, started, "
        "completed, ..."
    )
    group: AssistanceGroup
    course_id: UUID | None = None
    cohort_id: UUID | None = None


class PlacementNow(BaseModel):
    """Where a placement in work stands."""

    id: UUID
    state: str = Field(
        description="The last thing that training said: proposed, started, retention_checked or "
        "ended."
    )
    kind: WorkKind
    started_on: date | None = None
    ended_on: date | None = None


class Totals(BaseModel):
    """What it comes to, as far as the reader is told; one amount a currency."""

    granted: list[Money] = Field(description="Grants that were approved and not taken back.")
    paid: list[Money] = Field(
        description="Payments whose receipt was confirmed and that were not taken back."
    )
    enrolments_completed: int


class Summary(BaseModel):
    """Where a returnee stands with each service."""

    id: UUID = Field(description="The returnee.")
    state: CaseState
    programme: str
    programme_version: int
    return_kind: ReturnKind
    referrer: str | None
    implementer: str
    case: CaseNow | None
    travel: TravelNow | None
    arrival: ArrivalNow | None
    plan: PlanNow | None
    grants: list[GrantNow]
    payments: list[PaymentNow]
    enrolments: list[EnrolmentNow]
    placements: list[PlacementNow]
    totals: Totals
    deadlines: list[DeadlineNow] = Field(
        description="Those to come and those that were missed, the earliest first."
    )
    updated_at: datetime | None = Field(description="When the last of these facts was recorded.")
    freshness: dict[str, FreshnessOut]
