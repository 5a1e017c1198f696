"""How arrivals and what was done with them are answered."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
)

from contracts.codes import (
    ArrivalState,
    AssistanceKind,
    Member,
    Money,
    NeedsPriority,
    ReturnKind,
)
from contracts.programmes import HandoverReason
from contracts.reception import ConfirmationMethod, TransportMode
from services.reception.arrivals.bodies import (
    Composition,
    Destination,
    Evidence,
    ImmediateNeed,
    Receiver,
    ReturnReason,
)
from services.reception.identities import Identity, IdentityCopy


class ShownState(StrEnum):
    """Where an arrival stands, as it is shown: that somebody is held by the authorities only to
    few.
    """

    _ignore_ = "members state"
    members = vars()
    for state in ArrivalState:
        members[state.name] = state.value
    HELD_BY_AUTHORITIES = "held_by_authorities"


class ArrivalOut(BaseModel):
    """An arrival, without who it is."""

    id: UUID
    returnee_id: UUID | None
    """Null while a manifest gives only a seat."""
    case_id: UUID | None
    referral_id: UUID | None
    household_id: UUID | None
    """The same for those who return together."""
    programme: str | None
    travel_id: UUID | None
    """The journey of a referral; null for who came without one."""
    flight_id: UUID | None
    walk_in: bool
    """Whether nobody referred the person: the returnee id was made here."""
    identity_doubtful: bool
    state: ShownState
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
    """Null until the copy has been fetched from cases, and where nobody is bound to a seat."""
    seat: str | None = None
    family_group: str | None = None


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
    restricted: list[HandoverReason] | None = None
    """Null for who may not read it."""

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


class HandoverOut(Recorded):
    """To whom somebody was handed over."""

    id: UUID
    arrival_id: UUID
    reason: HandoverReason | None
    """Null for who may not read it; as are the others after an erasure."""
    receiver: Receiver | None
    name: str | None
    relationship: str | None
    authority: str | None
    signature: str | None
    """The image, base64; null for who may not read why somebody was handed over."""


class Entitled(BaseModel):
    """A kind of assistance that the programme gives to this person."""

    kind: AssistanceKind
    left: int | None
    """How often it may still be given; null where there is no limit."""
    source: str
    verified: bool


class Reachable(BaseModel):
    """A way in which the programme allows that somebody is reached. The number itself is with the
    case worker.
    """

    kind: str
    owner: str | None
    """Whose it is: the person's own or a relative's."""
    safe_hours: str | None
    """HH:MM-HH:MM at the port; null where any time is safe."""
    safe_now: bool
    """Whether it may be tried now."""
    needs_consent: bool
    """Whether the person has to agree first, because it is a relative's."""


class Guidance(BaseModel):
    """What the programme says about this person at the port of entry."""

    allowed: list[str]
    """What may be done now: the last segments of the paths."""
    assistance: list[Entitled]
    handover_required: list[HandoverReason]
    """Why somebody has to sign for the person before their reception is completed; empty once
    somebody has.
    """
    post_arrival_until: datetime | None
    relatives: str | None
    """Whether relatives may be contacted: allowed, with_consent or never."""
    only_in_safe_hours: bool | None
    contacts: list[Reachable]
    """How the person may be reached; a relative's number only where the programme allows it."""


class ArrivalDetail(BoardEntry):
    """An arrival with all that was done."""

    guidance: Guidance | None = None
    handovers: list[HandoverOut] = []

    profile: ProfileOut | None = None
    assistance: list[AssistanceOut] = []
    onward_transport: list[TransportOut] = []
    confirmation: ConfirmationOut | None = None


class AdoptedOut(IdentityCopy):
    """Who somebody is whom the desk met without a referral, for the service that adopts them."""

    returnee_id: UUID
    organisation: str
    """Whose desk met them."""
    programme: str | None
    return_kind: ReturnKind | None
    country_of_return: str | None
    """In which the port lies, ISO 3166-1 alpha-3."""
    household_id: UUID | None
    """The same for those who came together as one family."""
    member: Member
    """Their place in it."""
