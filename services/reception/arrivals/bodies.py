"""What a desk or an office sends about an arrival."""

from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    model_validator,
)
from pydantic_core import PydanticCustomError

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
from services.reception.identities import IdentityCopy

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
