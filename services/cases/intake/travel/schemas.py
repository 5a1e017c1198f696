"""Journeys as they are sent and answered."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from chassis.datetimes import Past
from chassis.routing import Body
from contracts.codes import CarrierCode, FlightNumber, PortCode
from services.cases.fields import Date, Flag, Moment, Out, coded, member_of, refuse
from services.cases.states.intake import JourneyState

MOST_PERSONS = 30
MOST_LEGS = 8

Carrier = Annotated[CarrierCode, coded("bad_carrier", "an IATA airline designator")]
Flight = Annotated[FlightNumber, coded("bad_flight_number", "an airline designator and a number")]
Port = Annotated[PortCode, coded("bad_port", "an IATA code or UN/LOCODE")]


class BookingState(StrEnum):
    """How sure a journey is when it is first told."""

    PLANNED = "planned"
    CONFIRMED = "confirmed"


def arrives_before(departs_on: date, arrives_at: datetime | None) -> bool:
    """Whether a journey ends on a day before it begins, both by its own offset and in UTC: a time
    may be written with the offset of a third country.
    """
    if arrives_at is None:
        return False
    return max(arrives_at.date(), arrives_at.astimezone(UTC).date()) < departs_on


class Leg(Body):
    """One flight or ride. The last leg ends at the port of entry."""

    carrier: Carrier | None = None
    flight_number: Flight | None = None
    origin: Port | None = None
    destination: Port
    departs_on: Date
    arrives_at: Moment | None = None

    @model_validator(mode="after")
    def arrives_after_departure(self) -> Self:
        """Refuse a leg that ends on a day before it begins."""
        if arrives_before(self.departs_on, self.arrives_at):
            raise refuse("arrives_before_departure", "a time after the departure")
        return self


Legs = Annotated[list[Leg], Field(min_length=1, max_length=MOST_LEGS)]
Persons = Annotated[
    list[Annotated[int, Field(ge=0, lt=MOST_PERSONS)]], Field(min_length=1, max_length=MOST_PERSONS)
]


class JourneyIn(Body):
    """A further journey of some persons of the referral."""

    id: UUID | None = None
    persons: Persons
    """Places in the referral's `people`, from 0."""
    legs: Legs
    state: Annotated[BookingState, member_of("unknown_travel_state", BookingState)]
    escorted: Flag = False


class JourneyChange(Body):
    """A journey as it is now; it becomes the next revision."""

    legs: Legs
    escorted: Flag = False


class DepartedIn(Body):
    """That the persons have left."""

    departed_on: Annotated[Date, Past("date_ahead")]


class JourneyOut(Out):
    """A journey. What follows the legs is read from them, for who needs only that."""

    id: UUID
    referral_id: UUID
    state: JourneyState
    revision: int
    persons: list[int]
    legs: list[Leg]
    escorted: bool
    departs_on: date
    arrives_at: datetime | None
    port_of_entry: str
    departed_on: date | None
    queried_at: datetime | None
    """When the partner asked whether they have left."""
    created_at: datetime
    updated_at: datetime
