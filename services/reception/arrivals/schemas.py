"""The HTTP shape of arrivals."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from chassis.app import field_error
from chassis.datetimes import Written
from chassis.errors import FieldError
from chassis.routing import Body
from contracts.codes import (
    AssistanceKind,
    CarrierCode,
    FlightNumber,
    Member,
    Money,
    NeedsPriority,
    PortCode,
    ReturnKind,
    Slug,
)
from contracts.programmes import HandoverReason
from contracts.reception import ConfirmationMethod, TransportMode
from services.reception.fields import (
    ArabicName,
    BirthDate,
    Claimed,
    Governorate,
    Language,
    LatinName,
    NamePart,
    Nationality,
    PastDay,
    PastMoment,
    refuse,
)
from services.reception.flights.schemas import DocumentKind, DocumentNumber, Sex
from services.reception.identities import Identity, IdentityCopy

IscoCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,4}$")]
"""ISCO-08, from a major group to a unit group."""
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
            raise PydanticCustomError(
                "amount_is_zero", "an amount above zero", {"code": "amount_is_zero"}
            )
        return self


class ShownState(StrEnum):
    """Where an arrival stands, as it is shown: that somebody is held by the authorities only to
    few.
    """

    EXPECTED = "expected"
    MET = "met"
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    NOT_DEPARTED = "not_departed"
    DIVERTED = "diverted"
    DECLINED = "declined"
    HELD_BY_AUTHORITIES = "held_by_authorities"


class Happened(Body):
    """When it happened; left out, it is now."""

    occurred_at: Claimed | None = None


class CheckIn(Happened):
    """A person was met at the desk."""

    port_of_entry: PortCode | None = None
    """Where the desk is; needed where the journey did not say, and right where it said another."""
    identity_doubtful: bool = False
    """Whether it is not sure that this is who was expected."""


class FamilyCheckIn(CheckIn):
    """Several persons were met at once: all of them are checked in, or none."""

    arrivals: Annotated[list[UUID], Field(min_length=1, max_length=50)]


LATIN, ARABIC = TypeAdapter(LatinName), TypeAdapter(ArabicName)


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
    reasons_for_return: Annotated[
        tuple[ReturnReason, ...], Field(max_length=len(ReturnReason))
    ] = ()
    immediate_needs: Annotated[tuple[ImmediateNeed, ...], Field(max_length=len(ImmediateNeed))] = ()
    needs_priority: NeedsPriority
    restricted: Annotated[tuple[HandoverReason, ...], Field(max_length=len(HandoverReason))] = ()
    """What only few may read, and what decides whether somebody has to sign for the person."""


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
                "amount_and_kind",
                "an amount for pocket_money, and none for other kinds",
                {"code": "amount_and_kind"},
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


class EnteredName(Body):
    """A name as the person writes or says it, in one script."""

    script: Annotated[str, StringConstraints(pattern=r"^(Latn|Arab)$")]
    """ISO 15924: Latn or Arab."""
    given: NamePart = ""
    father: NamePart = ""
    grandfather: NamePart = ""
    family: NamePart = ""

    @model_validator(mode="after")
    def in_its_script(self) -> Self:
        """Refuse letters of another script."""
        checked = LATIN if self.script == "Latn" else ARABIC
        for part in (self.given, self.father, self.grandfather, self.family):
            checked.validate_python(part)
        return self


class EnteredBirth(Body):
    """A date of birth, as precise as it is known."""

    date: BirthDate
    precision: Annotated[str, StringConstraints(pattern=r"^(day|month|year|estimated)$")]


class EnteredDocument(Body):
    """A document that the person shows."""

    kind: DocumentKind
    number: DocumentNumber
    issuer: Nationality


class Particulars(Body):
    """Who somebody is, as entered at the desk."""

    names: Annotated[list[EnteredName], Field(min_length=1, max_length=2)]
    sex: Sex
    birth: EnteredBirth
    nationality: Nationality
    languages: Annotated[list[Language], Field(max_length=10)] = Field(default=[])
    """ISO 639."""
    documents: Annotated[list[EnteredDocument], Field(max_length=5)] = Field(default=[])

    @model_validator(mode="after")
    def some_name(self) -> Self:
        """Refuse a person without a name, and two names in one script."""
        if not any(part.strip() for name in self.names for part in (name.given, name.family)):
            raise refuse("no_name", "at least one name in one script")
        if len({name.script for name in self.names}) < len(self.names):
            raise refuse("script_twice", "one name in each script")
        return self

    def copy_of(self) -> IdentityCopy:
        """As reception keeps it."""
        return IdentityCopy.model_validate(self.model_dump(mode="json"))


class BindIn(Body):
    """Who sits on a seat: a returnee who is known, or somebody whose particulars are entered."""

    returnee_id: UUID | None = None
    particulars: Particulars | None = None

    @model_validator(mode="after")
    def one_of_both(self) -> Self:
        """Refuse both and neither."""
        if (self.returnee_id is None) == (self.particulars is None):
            raise refuse("returnee_or_particulars", "returnee_id or particulars")
        return self


class WalkIn(Happened):
    """Somebody is at the desk whom nobody expected."""

    id: UUID | None = None
    """Chosen by the client, so that it can be told again after a broken connection."""
    port_of_entry: PortCode
    flight_id: UUID | None = None
    programme: Slug | None = None
    """The programme that they return with, if they say so: a case is then opened in it."""
    return_kind: ReturnKind | None = None
    household_id: UUID | None = None
    """Chosen by the client, and the same for those who came together as one family."""
    member: Member = Member.PRINCIPAL
    """Their place in the family."""
    particulars: Particulars
    identity_doubtful: bool = False

    @model_validator(mode="after")
    def says_enough(self) -> Self:
        """Refuse a place in an unnamed family, and a programme without how they returned."""
        if self.member is not Member.PRINCIPAL and self.household_id is None:
            raise refuse("household_required", "the household_id of the family, or principal")
        if self.programme is not None and self.return_kind is None:
            raise refuse(
                "return_kind_required", "the return_kind too: a programme's rules depend on it"
            )
        return self


class RedirectIn(Happened):
    """The person arrives elsewhere, or later after a missed connection."""

    port_of_entry: PortCode
    expected_at: Claimed | None = None
    carrier: CarrierCode | None = None
    flight_number: FlightNumber | None = None
    """With which they come now, if it is known."""


class Receiver(StrEnum):
    """To whom somebody is handed over."""

    RELATIVE = "relative"
    GUARDIAN = "guardian"
    AUTHORITY = "authority"
    MEDICAL_SERVICE = "medical_service"


class HandoverIn(Happened):
    """A child or a patient is handed over."""

    id: UUID | None = None
    """Chosen by the client, so that it can be told again after a broken connection."""
    reason: HandoverReason
    receiver: Receiver
    name: Annotated[NamePart, Field(min_length=2)]
    """The receiving adult, also where they act for an authority."""
    relationship: Annotated[NamePart, Field(min_length=2)] | None = None
    """Who a relative is to the person."""
    authority: Annotated[NamePart, Field(min_length=2)] | None = None
    """The authority or service that the receiving adult acts for."""
    signature: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", min_length=16, max_length=100_000)
    ]
    """The signature as an image, base64."""

    @model_validator(mode="after")
    def relationship_or_authority(self) -> Self:
        """Refuse a receiver without what makes them one."""
        private = self.receiver in {Receiver.RELATIVE, Receiver.GUARDIAN}
        if (self.relationship is None) == private or (self.authority is None) != private:
            right = "a relationship for a relative or guardian, an authority for the others"
            raise refuse("relationship_or_authority", right)
        return self


class ArrivalPatch(Body):
    """Where or when somebody was met, corrected; a member that is not sent stays as it is."""

    met_at: PastMoment | None = None
    port_of_entry: PortCode | None = None
    identity_doubtful: bool | None = None


class ConfirmIn(Body):
    """The office established that somebody arrived who was not met."""

    arrived_on: PastDay
    method: ConfirmationMethod
    evidence: Evidence


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


class MutationKind(StrEnum):
    """What a device can do without a connection."""

    WALK_IN = "walk-in"
    BIND = "bind"
    CHECK_IN = "check-in"
    HOLD = "hold"
    PROFILE = "profile"
    ASSISTANCE = "assistance"
    ONWARD_TRANSPORT = "onward-transport"
    HANDOVER = "handover"
    REDIRECT = "redirect"
    COMPLETE = "complete"
    NO_SHOW = "no-show"
    NOT_DEPARTED = "not-departed"
    DECLINE = "decline"
    REOPEN = "reopen"


DeviceTime = Annotated[AwareDatetime, Written]
"""A time by a device's clock, which may have fallen to the beginning of its calendar."""


class MutationIn(Body):
    """One entry of a device's log."""

    id: UUID
    """The entry's own; sent again, it is applied once."""
    kind: MutationKind
    arrival_id: UUID
    """The arrival; for a walk-in the id that the device gives it."""
    occurred_at: DeviceTime
    """By the device's clock; corrected by `sent_at` where the clock is more than a day wrong."""
    data: dict[str, Any] = Field(default={})
    """What the body of the same action would hold, without `id` and `occurred_at`."""


@dataclass(frozen=True)
class UnreadableMutation:
    """An entry that cannot be read. It costs itself, and holds up nothing else of the log.

    Attributes:
        id: Its own, where it says one.
        arrival_id: The arrival, where it says one.
        errors: Where and why it cannot be read.
    """

    id: UUID | None
    arrival_id: UUID | None
    errors: list[FieldError]


def _readable_or_not(
    said: Any, handler: Callable[[Any], MutationIn]
) -> MutationIn | UnreadableMutation:
    try:
        return handler(said)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        return UnreadableMutation(
            id=_id_in(said, "id"),
            arrival_id=_id_in(said, "arrival_id"),
            errors=[field_error(dict(each, loc=("body", *each["loc"]))) for each in found],
        )


def _id_in(said: Any, member: str) -> UUID | None:
    try:
        return UUID(str(said[member]))
    except (KeyError, TypeError, ValueError):
        return None


class SyncIn(Body):
    """What a device did while it had no connection."""

    device: UUID
    sent_at: DeviceTime
    """The device's clock as it sends: from it a wrong clock is noticed."""
    mutations: Annotated[
        list[Annotated[MutationIn, WrapValidator(_readable_or_not)]],
        Field(min_length=1, max_length=1000),
    ]
    """One that cannot be read stands here as `UnreadableMutation`: it is answered as `invalid`, and
    the others are applied.
    """


class Outcome(StrEnum):
    """What became of an entry."""

    APPLIED = "applied"
    ALREADY_APPLIED = "already_applied"
    CONFLICT = "conflict"
    """Nothing was applied; `problem` says what stands in the way, since when and by whom. It may be
    sent again.
    """
    INVALID = "invalid"


class SyncResult(BaseModel):
    """What became of an entry."""

    id: UUID | None
    """Null where an entry says none. The answers are in the order of the entries."""
    arrival_id: UUID | None
    outcome: Outcome
    problem: dict[str, Any] | None = None
    """Problem details, as the action itself would have answered."""


class SyncOut(BaseModel):
    """What became of each entry, in the order in which they were sent."""

    received_at: datetime
    clock_ahead_seconds: int
    """By how much the device's clock is ahead of ours; negative where it is behind."""
    clock_doubtful: bool
    """Whether that is more than five minutes: the entries are marked, and both times are kept. By
    more than a day it is no clock: what it says is corrected by the difference.
    """
    items: list[SyncResult]
