"""The HTTP shape of flights and manifests."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from chassis.routing import Body
from contracts.codes import ArrivalState, CarrierCode, FlightNumber, PortCode, ReturnKind, Slug
from services.reception.fields import (
    ArabicName,
    BirthDate,
    Claimed,
    Governorate,
    LatinName,
    Nationality,
    refuse,
)
from services.reception.states import FlightState

MOST_PASSENGERS = 1000
Seat = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{1,6}$")]
FamilyGroup = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,12}$")]
Reference = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")]
DocumentNumber = Annotated[
    str, StringConstraints(pattern=r"^[ -]*[A-Za-z0-9][A-Za-z0-9 -]*$", max_length=40)
]


class Sex(StrEnum):
    """As the travel document says."""

    MALE = "male"
    FEMALE = "female"
    OTHER = "other"
    UNKNOWN = "unknown"


class DocumentKind(StrEnum):
    """On what somebody travels."""

    PASSPORT = "passport"
    LAISSEZ_PASSER = "laissez_passer"
    NATIONAL_ID = "national_id"
    FAMILY_BOOK = "family_book"


class Remark(StrEnum):
    """What the desk has to prepare for a passenger. It discloses health or a child's situation."""

    MEDICAL = "medical"
    MEDICAL_ESCORT = "medical_escort"
    WHEELCHAIR = "wheelchair"
    INFANT = "infant"
    UNACCOMPANIED_CHILD = "unaccompanied_child"


class FlightIn(Body):
    """A flight, or a crossing of a land border, with which returnees arrive."""

    id: UUID | None = None
    """Chosen by the client, so that it can be told again after a broken connection."""
    carrier: CarrierCode | None = None
    flight_number: FlightNumber | None = None
    charter: bool
    origin: PortCode
    port_of_entry: PortCode
    scheduled_at: Claimed
    """When it is to land."""
    programme: Slug | None = None
    """The programme of those on it whom no referral names."""
    return_kind: ReturnKind | None = None
    receiver: Slug | None = None
    """The organisation whose desk meets it; the announcing one if it is not said."""

    @model_validator(mode="after")
    def a_scheduled_flight_has_a_number(self) -> Self:
        """Refuse a scheduled flight without a number: only charters lack one."""
        if not self.charter and self.flight_number is None:
            raise refuse(
                "flight_number_required",
                "the number of a scheduled flight; only charters have none",
            )
        return self


class FlightPatch(Body):
    """What has changed; a member that is not sent stays as it is. Another port is a diversion."""

    carrier: CarrierCode | None = None
    flight_number: FlightNumber | None = None
    origin: PortCode | None = None
    scheduled_at: Claimed | None = None

    @model_validator(mode="after")
    def no_null(self) -> Self:
        """Refuse null, which would mean nothing, and a change of nothing."""
        if not self.model_fields_set or any(
            getattr(self, name) is None for name in self.model_fields_set
        ):
            raise refuse("nothing_changed", "at least one member, each with a value")
        return self


class LandedIn(Body):
    """The flight is on the ground."""

    landed_at: Claimed | None = None


class DivertedIn(Body):
    """The flight goes to another port."""

    port_of_entry: PortCode
    scheduled_at: Claimed | None = None
    """When it is to land there; as before if it is not said."""


class FlightOut(BaseModel):
    """A flight."""

    id: UUID
    state: FlightState
    carrier: str | None
    flight_number: str | None
    charter: bool
    origin: str
    port_of_entry: str
    previous_port: str | None
    """Where it was to land before it was diverted."""
    scheduled_at: datetime
    landed_at: datetime | None
    programme: str | None
    return_kind: ReturnKind | None
    announced_by: str
    receiver: str | None
    manifest_version: int
    """Counted from 1; 0 while there is none."""
    created_at: datetime
    updated_at: datetime

    model_config = ConfigDict(from_attributes=True)


class PassengerIn(Body):
    """A line of a manifest. A seat without a name has a nationality only."""

    seat: Seat | None = None
    external_reference: Reference | None = None
    """The sender's reference of the referral, with `person` the place in it."""
    person: Annotated[int, Field(ge=0, le=99)] | None = None
    family_group: FamilyGroup | None = None
    """The same for those of a family."""
    family_name: LatinName | None = None
    given_names: LatinName | None = None
    name_arab: ArabicName | None = None
    sex: Sex | None = None
    birth_date: BirthDate | None = None
    nationality: Nationality
    document_kind: DocumentKind | None = None
    document_number: DocumentNumber | None = None
    destination: Governorate | None = None
    remarks: Annotated[tuple[Remark, ...], Field(max_length=len(Remark))] = ()

    @property
    def named(self) -> bool:
        """Whether it says who sits there."""
        return bool(self.family_name or self.given_names or self.name_arab)

    @model_validator(mode="after")
    def somebody_or_a_seat(self) -> Self:
        """Refuse a line that is neither a person nor a seat, and half a reference."""
        if not self.named and self.seat is None:
            raise refuse("nobody", "a name, or a seat")
        if (self.external_reference is None) != (self.person is None):
            raise refuse("half_a_reference", "external_reference and person together, or neither")
        if (self.document_kind is None) != (self.document_number is None):
            raise refuse(
                "half_a_document", "document_kind and document_number together, or neither"
            )
        return self


class ManifestIn(Body):
    """Everybody on a flight."""

    passengers: Annotated[list[PassengerIn], Field(max_length=MOST_PASSENGERS)]


class ManifestTaken(BaseModel):
    """What a manifest changed."""

    flight_id: UUID
    manifest_version: int
    passengers: int
    anonymous: int
    """Seats without a name."""
    recognised: int
    """Passengers known to be the returnees of referrals."""
    added: int
    changed: int
    removed: int
    kept: int
    """Passengers who are not in it any more, but with whom something was done already."""


class PassengerOut(BaseModel):
    """A line of a manifest as the desk reads it."""

    id: UUID
    arrival_id: UUID | None
    """Null where the arrival is not for the reader, as are the two below."""
    returnee_id: UUID | None
    state: ArrivalState | None
    seat: str | None
    family_group: str | None
    family_name: str | None
    given_names: str | None
    name_arab: str | None
    sex: Sex | None
    birth_date: date | None
    nationality: str
    document_kind: DocumentKind | None
    document_number: str | None
    destination: str | None
    remarks: list[Remark]


class ManifestOut(BaseModel):
    """A manifest."""

    flight: FlightOut
    passengers: list[PassengerOut]


class AuthorityPassenger(BaseModel):
    """A line of a manifest as an authority is given it: what stands in the travel document, nothing
    of the desk's.
    """

    seat: str | None
    family_name: str | None
    given_names: str | None
    sex: Sex | None
    birth_date: date | None
    nationality: str
    document_kind: DocumentKind | None
    document_number: str | None


class AuthorityFlight(BaseModel):
    """A flight as an authority is told of it."""

    carrier: str | None
    flight_number: str | None
    charter: bool
    origin: str
    port_of_entry: str
    scheduled_at: datetime

    model_config = ConfigDict(from_attributes=True)


class AuthorityManifest(BaseModel):
    """A manifest for an authority."""

    flight: AuthorityFlight
    passengers: list[AuthorityPassenger]


class View(StrEnum):
    """For whom a manifest is."""

    DESK = "desk"
    AUTHORITY = "authority"


class Purpose(StrEnum):
    """For what an authority is given a manifest."""

    BORDER_CONTROL = "border_control"
    SECURITY_CHECK = "security_check"
    MEDICAL_SERVICES = "medical_services"
    CHILD_PROTECTION = "child_protection"
