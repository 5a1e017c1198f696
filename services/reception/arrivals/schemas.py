"""The HTTP shape of arrivals."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from chassis.routing import Body
from contracts.codes import ArrivalState, Money, NeedsPriority, PortCode
from contracts.reception import ConfirmationMethod, TransportMode
from services.reception.arrivals.rules import AssistanceKind
from services.reception.identities import Identity

Claimed = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2100, 1, 1, tzinfo=UTC))]
"""When something happened by the clock of whoever tells it."""
Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2100, 1, 1))]
"""A day in the time zone of the port."""
IscoCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}$")]
"""ISCO-08, from a major group to a unit group."""
Governorate = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")]
"""ISO 3166-2."""
PlaceName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=100)]
People = Annotated[int, Field(ge=0, le=99)]


class ReturnReason(StrEnum):
    """Why somebody returned, in their own view."""

    FAMILY = "family"
    NO_RIGHT_TO_STAY = "no_right_to_stay"
    NO_WORK = "no_work"
    LIVING_CONDITIONS = "living_conditions"
    HEALTH = "health"
    DETENTION = "detention"
    IMPROVED_SITUATION = "improved_situation"
    OTHER = "other"


class ImmediateNeed(StrEnum):
    """What somebody needs in the first days."""

    ACCOMMODATION = "accommodation"
    FOOD = "food"
    CLOTHING = "clothing"
    MEDICAL = "medical"
    INTERPRETATION = "interpretation"
    CASH = "cash"
    ONWARD_TRANSPORT = "onward_transport"
    FAMILY_TRACING = "family_tracing"
    DOCUMENTS = "documents"
    PSYCHOSOCIAL = "psychosocial"
    LEGAL = "legal"


class Evidence(StrEnum):
    """By what it was established that somebody arrived."""

    ENTRY_STAMP = "entry_stamp"
    BOARDING_PASS = "boarding_pass"  # noqa: S105 - a paper, not a secret
    TICKET = "ticket"
    AUTHORITY_STATEMENT = "authority_statement"
    SEEN_IN_PERSON = "seen_in_person"
    OWN_STATEMENT = "own_statement"


class ExactMoney(Money):
    """An amount that is more than nothing."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def more_than_nothing(self) -> Self:
        """Refuse an amount of nothing."""
        if not self.amount:
            raise PydanticCustomError("amount_is_zero", "an amount above zero", {"code": "amount_is_zero"})
        return self


class Happened(Body):
    """When it happened; left out, it is now."""

    occurred_at: Claimed | None = None


class CheckIn(Happened):
    """A person was met at the desk."""

    port_of_entry: PortCode | None = None
    """Where the desk is; needed where the journey did not say, and right where it said another."""


class FamilyCheckIn(CheckIn):
    """Several persons were met at once: all of them are checked in, or none."""

    arrivals: Annotated[list[UUID], Field(min_length=1, max_length=50)]


class Composition(Body):
    """Who came together."""

    women: People
    men: People
    girls: People
    boys: People


class ProfileIn(Happened):
    """What is taken down about needs and skills."""

    household: Composition
    skills: Annotated[tuple[IscoCode, ...], Field(max_length=20)] = ()
    reasons_for_return: Annotated[tuple[ReturnReason, ...], Field(max_length=len(ReturnReason))] = ()
    immediate_needs: Annotated[tuple[ImmediateNeed, ...], Field(max_length=len(ImmediateNeed))] = ()
    needs_priority: NeedsPriority


class AssistanceIn(Happened):
    """Something was given at the desk."""

    id: UUID | None = None
    """Chosen by the client, so that it can be told again after a broken connection."""
    kind: AssistanceKind
    amount: ExactMoney | None = None
    """For pocket money, and only for it: what was handed over."""

    @model_validator(mode="after")
    def amount_is_for_pocket_money(self) -> Self:
        """Refuse pocket money without an amount, and an amount for anything else."""
        if (self.kind is AssistanceKind.POCKET_MONEY) != (self.amount is not None):
            raise PydanticCustomError(
                "amount_and_kind", "an amount for pocket_money, and none for other kinds", {"code": "amount_and_kind"}
            )
        return self


class Destination(Body):
    """Where somebody travels on to; no address."""

    governorate: Governorate
    district: PlaceName | None = None


class TransportIn(Happened):
    """The way from the port of entry was arranged."""

    id: UUID | None = None
    """Chosen by the client, so that it can be told again after a broken connection."""
    mode: TransportMode
    destination: Destination
    departs_at: Claimed | None = None
    cost: ExactMoney | None = None


class ConfirmIn(Body):
    """The office established that somebody arrived who was not met."""

    arrived_on: Day
    method: ConfirmationMethod
    evidence: Evidence


class ArrivalOut(BaseModel):
    """An arrival, without who it is."""

    id: UUID
    returnee_id: UUID
    case_id: UUID | None
    referral_id: UUID | None
    household_id: UUID | None
    """The same for those who return together."""
    programme: str | None
    travel_id: UUID
    state: ArrivalState
    state_at: datetime
    """When the state was reached, as claimed."""
    state_recorded_at: datetime
    state_by: str | None
    """The organisation that said so; null where the journey's news did."""
    clock_suspect: bool
    """Whether `state_at` was more than five minutes ahead of our clock when it was recorded."""
    port_of_entry: str | None
    expected_at: datetime | None
    carrier: str | None
    flight_number: str | None
    confirmed: bool
    """Whether the journey is booked."""
    met_at: datetime | None
    arrived_on: date | None
    """The day in the time zone of the port."""
    created_at: datetime
    updated_at: datetime

    model_config = ConfigDict(from_attributes=True)


class ArrivalsOut(BaseModel):
    """Several arrivals after something was done to all of them."""

    items: list[ArrivalOut]


class BoardEntry(ArrivalOut):
    """An arrival as the board shows it."""

    identity: Identity | None = None
    """Null until the copy has been fetched from cases."""


class Recorded(BaseModel):
    """When something happened, as claimed, and when it was recorded."""

    occurred_at: datetime
    recorded_at: datetime
    clock_suspect: bool
    recorded_by: str


class ProfileOut(Recorded):
    """The profile of an arrival."""

    household: Composition
    skills: list[str]
    reasons_for_return: list[ReturnReason]
    immediate_needs: list[ImmediateNeed]
    needs_priority: NeedsPriority

    model_config = ConfigDict(from_attributes=True)


class AssistanceOut(Recorded):
    """Something that was given."""

    id: UUID
    arrival_id: UUID
    kind: AssistanceKind
    amount: Money | None


class TransportOut(Recorded):
    """The way from the port of entry."""

    id: UUID
    arrival_id: UUID
    mode: TransportMode
    destination: Destination
    departs_at: datetime | None
    cost: Money | None


class ConfirmationOut(BaseModel):
    """How the office established the arrival."""

    arrived_on: date
    method: ConfirmationMethod
    evidence: Evidence


class ArrivalDetail(BoardEntry):
    """An arrival with all that was done."""

    profile: ProfileOut | None = None
    assistance: list[AssistanceOut] = []
    onward_transport: list[TransportOut] = []
    confirmation: ConfirmationOut | None = None
