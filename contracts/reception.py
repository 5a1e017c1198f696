"""What reception publishes: who is expected, who was met, and what they were given at the port of
entry.
"""

from datetime import date
from enum import StrEnum
from uuid import UUID

from chassis.events import EVERYBODY, IMPLEMENTERS, REGISTRY, EventData
from contracts.codes import (
    ArrivalState,
    AssistanceGroup,
    CarrierCode,
    FlightNumber,
    Moment,
    Money,
    NeedsPriority,
    PortCode,
    PublishedAssistance,
    Slug,
)


class FlightFact(EventData):
    """What every fact about a flight carries; who is on it stands in its manifest only."""

    flight_id: UUID
    port_of_entry: PortCode
    charter: bool
    programme: Slug | None = None


class Schedule(FlightFact):
    """A flight as it is planned after the fact."""

    scheduled_at: Moment
    carrier: CarrierCode | None = None
    flight_number: FlightNumber | None = None


class FlightAnnounced(
    Schedule, name="reception.flight.announced", subject="flight_id", audience=EVERYBODY
):
    """A flight with returnees was announced."""


class FlightUpdated(
    Schedule, name="reception.flight.updated", subject="flight_id", audience=EVERYBODY
):
    """A flight has another time, number or port."""


class FlightLanded(
    FlightFact, name="reception.flight.landed", subject="flight_id", audience=EVERYBODY
):
    """A flight landed."""

    landed_at: Moment


class FlightCancelled(
    FlightFact, name="reception.flight.cancelled", subject="flight_id", audience=EVERYBODY
):
    """A flight was cancelled; whoever was expected on it is not expected until another journey is
    told.
    """


class FlightDiverted(
    FlightFact, name="reception.flight.diverted", subject="flight_id", audience=EVERYBODY
):
    """A flight goes to another port, the one that this fact names."""

    previous_port: PortCode


class ArrivalFact(EventData):
    """What every fact about an arrival carries; a walk-in has no referral and no case yet."""

    arrival_id: UUID
    returnee_id: UUID
    travel_id: UUID | None = None
    """The journey that the arrival ends."""
    case_id: UUID | None = None
    referral_id: UUID | None = None
    household_id: UUID | None = None
    programme: Slug | None = None


class ArrivalExpected(
    ArrivalFact, name="reception.arrival.expected", subject="returnee_id", audience=EVERYBODY
):
    """The returnee is expected at a port of entry, or their expected arrival has moved."""

    port_of_entry: PortCode | None = None
    expected_at: Moment | None = None
    confirmed: bool
    """Whether the journey is booked."""


class ArrivalReceived(
    ArrivalFact, name="reception.arrival.received", subject="returnee_id", audience=EVERYBODY
):
    """The returnee was met at the port of entry."""

    port_of_entry: PortCode
    arrived_on: date
    """The day in the time zone of the port."""
    walk_in: bool = False


class ArrivalProfiled(
    ArrivalFact, name="reception.arrival.profiled", subject="returnee_id", audience=IMPLEMENTERS
):
    """The returnee's needs were taken down on arrival; only their urgency is published."""

    needs_priority: NeedsPriority


class ArrivalCompleted(
    ArrivalFact, name="reception.arrival.completed", subject="returnee_id", audience=EVERYBODY
):
    """Everything to be done at the port of entry is done."""


class ArrivalNoShow(
    ArrivalFact, name="reception.arrival.no_show", subject="returnee_id", audience=EVERYBODY
):
    """The returnee was not on the flight, or was not found."""


class ArrivalNotDeparted(
    ArrivalFact, name="reception.arrival.not_departed", subject="returnee_id", audience=EVERYBODY
):
    """The returnee will not arrive: they did not depart."""


class ArrivalDeclined(
    ArrivalFact, name="reception.arrival.declined", subject="returnee_id", audience=EVERYBODY
):
    """The returnee arrived and wants no reception assistance."""


class ArrivalDiverted(
    ArrivalFact, name="reception.arrival.diverted", subject="returnee_id", audience=EVERYBODY
):
    """The returnee arrives at another port than they were expected at, the one that this fact
    names.
    """

    port_of_entry: PortCode
    expected_at: Moment | None = None


class ArrivalBound(
    ArrivalFact, name="reception.arrival.bound", subject="returnee_id", audience=IMPLEMENTERS
):
    """It became known who sits on a seat that a manifest gave without saying whose."""


class ArrivalCorrected(
    ArrivalFact, name="reception.arrival.corrected", subject="returnee_id", audience=EVERYBODY
):
    """Where or when the returnee was met was corrected; deadlines follow."""

    port_of_entry: PortCode
    arrived_on: date
    """The day in the time zone of the port."""


class ConfirmationMethod(StrEnum):
    """How an arrival that nobody saw was established."""

    OFFICE_VISIT = "office_visit"
    PHONE = "phone"
    TRAVEL_DOCUMENT = "travel_document"
    AUTHORITY = "authority"
    MET_AS_WALK_IN = "met_as_walk_in"
    """A desk met them as somebody whom nobody expected, and they turned out to be the one who
    was.
    """


class ArrivalConfirmed(
    ArrivalFact,
    name="reception.arrival.confirmed",
    subject="returnee_id",
    audience=EVERYBODY,
    happened_on="arrived_on",
):
    """The office established that the returnee arrived without having been met."""

    arrived_on: date
    method: ConfirmationMethod


class ArrivalReopened(
    ArrivalFact, name="reception.arrival.reopened", subject="returnee_id", audience=EVERYBODY
):
    """An arrival that had ended was reopened, after a mistake."""

    previous_state: ArrivalState
    state: ArrivalState


class AssistanceProvided(
    ArrivalFact, name="reception.assistance.provided", subject="returnee_id", audience=IMPLEMENTERS
):
    """The returnee was given something at the port of entry."""

    assistance_id: UUID
    group: AssistanceGroup
    kind: PublishedAssistance | None = None
    """None where the kind would disclose health or a child's situation."""
    amount: Money | None = None
    """For pocket money: what was handed over."""


class TransportMode(StrEnum):
    """How somebody travels on."""

    TAXI = "taxi"
    BUS = "bus"
    RAIL = "rail"
    FLIGHT = "flight"
    VEHICLE = "vehicle"
    FAMILY = "family"


class OnwardTransportArranged(
    ArrivalFact,
    name="reception.onward_transport.arranged",
    subject="returnee_id",
    audience=IMPLEMENTERS,
):
    """The returnee's way from the port of entry to where they live is arranged."""

    mode: TransportMode
    departs_at: Moment | None = None
    cost: Money | None = None


class HandoverRecorded(
    ArrivalFact, name="reception.handover.recorded", subject="returnee_id", audience=IMPLEMENTERS
):
    """The returnee was handed over to somebody who signed for it; to whom and why stays in
    reception.
    """

    handover_id: UUID
    group: AssistanceGroup


class ReturneeScrubbed(
    EventData, name="reception.returnee.scrubbed", subject="returnee_id", audience=IMPLEMENTERS
):
    """After an erasure reception holds nothing that identifies the returnee."""

    returnee_id: UUID


PUBLISHES = tuple(model for model in REGISTRY.values() if model.service == "reception")
"""Every event type of this module."""
