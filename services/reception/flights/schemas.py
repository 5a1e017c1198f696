"""The HTTP shape of flights and manifests."""

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from chassis.routing import Body
from contracts.codes import ArrivalState, CarrierCode, FlightNumber, PortCode, ReturnKind, Slug
from services.reception.fields import (
    ArabicName,
    BirthDate,
    Claimed,
    Governorate,
    LatinName,
    Nationality,
    PastMoment,
    refuse,
)
from services.reception.flights.names import known_part
from services.reception.states import FlightState

MOST_PASSENGERS = 1000
NO_SEATS = frozenset({"INF", "INFT", "INFANT", "LAP"})
"""What stands in a seat's place for a child on a lap."""


def seat_of(text: Any) -> Any:
    """A seat as it is written on the seat: `03a` is `3A`."""
    if not isinstance(text, str):
        return text
    plain = text.strip().upper()
    numbered = re.fullmatch(r"0*([1-9]\d{0,2})-?([A-Z])", plain)
    return numbered[1] + numbered[2] if numbered else plain


Seat = Annotated[str, BeforeValidator(seat_of), StringConstraints(pattern=r"^[A-Z0-9-]{1,6}$")]
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


class BirthPrecision(StrEnum):
    """How much of a date of birth is known; what is not known of it is the first."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"
    ESTIMATED = "estimated"


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

    landed_at: PastMoment | None = None


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


def born_at_latest(day: date | None, precision: str | None) -> date | None:
    """The last day on which somebody may have been born: they are a child while they may be."""
    if day is None or precision in {None, BirthPrecision.DAY}:
        return day
    month = day.month if precision == BirthPrecision.MONTH else 12
    return day.replace(month=month, day=monthrange(day.year, month)[1])


HALVES = (
    ("external_reference", "person", "half_a_reference"),
    ("document_kind", "document_number", "half_a_document"),
)
"""What says nothing without the other."""
INFANCY = timedelta(days=2 * 365)


class PassengerIn(Body):
    """A line of a manifest. A seat without a name has a nationality only."""

    seat: Seat | None = None
    external_reference: Reference | None = None
    """The sender's reference of the referral, with `person` the place in it."""
    person: Annotated[int, Field(ge=0, le=99)] | None = None
    family_group: FamilyGroup | None = None
    """The same for those of a family."""
    family_name: Annotated[LatinName | None, AfterValidator(known_part)] = None
    """A word for "unknown", as airlines fill the field, is a part that is missing."""
    given_names: Annotated[LatinName | None, AfterValidator(known_part)] = None
    name_arab: Annotated[ArabicName | None, AfterValidator(known_part)] = None
    sex: Sex | None = None
    birth_date: BirthDate | None = None
    birth_precision: BirthPrecision | None = None
    """Null where the day is known, or nothing of it."""
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
            raise refuse("nobody", "a name, or a seat", column="seat")
        for one, other, code in HALVES:
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                missing = one if getattr(self, one) is None else other
                raise refuse(code, f"{one} and {other} together, or neither", column=missing)
        if self.birth_precision is not None and self.birth_date is None:
            right = "the date whose precision it is, or no precision"
            raise refuse("half_a_birth", right, column="birth_date")
        return self

    @property
    def infant(self) -> bool:
        """Whether they sit on somebody's lap: they are said to, or are younger than two."""
        born = born_at_latest(self.birth_date, self.birth_precision)
        return Remark.INFANT in self.remarks or (
            born is not None and born > datetime.now(UTC).date() - INFANCY
        )


class Details(BaseModel):
    """What a manifest says about a passenger and is kept encrypted: all of `PassengerIn` but what
    `Passenger` has columns for.
    """

    external_reference: str | None = None
    person: int | None = None
    family_name: str | None = None
    given_names: str | None = None
    name_arab: str | None = None
    sex: str | None = None
    birth_date: date | None = None
    birth_precision: str | None = None
    document_kind: str | None = None
    document_number: str | None = None
    destination: str | None = None
    remarks: list[str] = []

    @property
    def born_at_latest(self) -> date | None:
        """The last day on which they may have been born."""
        return born_at_latest(self.birth_date, self.birth_precision)

    @property
    def named(self) -> bool:
        """Whether it says who that is."""
        return bool(self.family_name or self.given_names or self.name_arab)


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


class FlightAnnounced(FlightOut):
    """A flight as it was announced, and what seems to be the same one, announced before."""

    also_announced: list[UUID] = []
    """Flights of the same number, or the same charter, to the same port within half a day: whoever
    is on both would be expected twice.
    """


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
    birth_precision: BirthPrecision | None
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
    birth_precision: BirthPrecision | None
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
