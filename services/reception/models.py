"""Reception's own tables: arrivals, and what was done at the port of entry."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Enum,
    Index,
    LargeBinary,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import registry

from chassis.db import now
from chassis.tables import Table, column, new_metadata
from contracts.codes import ArrivalState, AssistanceKind, Member, NeedsPriority, ReturnKind
from contracts.reception import ConfirmationMethod, TransportMode
from services.reception.states import FlightState


def one_of(name: str, words: type[StrEnum]) -> Enum:
    """A column type that holds one of a list of words, which a CHECK constraint of that name holds
    too.
    """
    return Enum(
        words,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


class Base(Table, registry=registry(metadata=new_metadata())):
    """Base of reception's tables."""

    column_types: ClassVar = {bytes: LargeBinary}


class Flight(Base, table=True):
    """A flight, or a crossing of a land border, with which returnees arrive."""

    __tablename__ = "flight"
    __table_args__ = (
        CheckConstraint("(state = 'landed') = (landed_at IS NOT NULL)", name="landed_when"),
        Index("ix_flight_port_of_entry_scheduled_at", "port_of_entry", "scheduled_at", "id"),
        Index("ix_flight_scheduled_at", "scheduled_at", "id"),
        Index("ix_flight_updated_at", "updated_at"),
    )

    id: UUID = column(primary_key=True)
    state: FlightState
    carrier: str | None = None
    flight_number: str | None = None
    charter: bool
    origin: str
    port_of_entry: str
    previous_port: str | None = column(comment="where it was to land before it was diverted")
    scheduled_at: datetime
    landed_at: datetime | None = None
    programme: str | None = None
    return_kind: ReturnKind | None = None
    announced_by: str
    receiver: str | None = column(comment="the organisation whose desk meets it")
    manifest_version: int = column(server_default=text("0"))
    created_at: datetime = column(server_default=now())
    updated_at: datetime = column(server_default=now())
    version: int = column(server_default=text("1"))

    def changed(self) -> None:
        """Count the change: another ETag, and a new `updated_at`."""
        self.version += 1
        self.updated_at = now()  # type: ignore[assignment] # evaluated by the database


class Arrival(Base, table=True):
    """One person's arrival at the end of one journey."""

    __tablename__ = "arrival"
    __table_args__ = (
        CheckConstraint(
            "met_at IS NULL OR (arrived_on IS NOT NULL AND port_of_entry IS NOT NULL)", name="met"
        ),
        CheckConstraint("state <> 'met' OR met_at IS NOT NULL", name="met_when"),
        CheckConstraint("state <> 'completed' OR arrived_on IS NOT NULL", name="completed"),
        CheckConstraint(
            "confirmation_method IS NULL OR arrived_on IS NOT NULL", name="confirmed_when"
        ),
        CheckConstraint(
            "(confirmation_method IS NULL) = (confirmation_evidence IS NULL)", name="confirmation"
        ),
        CheckConstraint(
            "returnee_id IS NOT NULL OR "
            "(flight_id IS NOT NULL AND met_at IS NULL AND confirmation_method IS NULL)",
            name="somebody",
        ),
        CheckConstraint("held_at IS NULL OR state IN ('expected', 'met')", name="held"),
        Index("uq_arrival_journey", "returnee_id", "travel_id", unique=True),
        Index("ix_arrival_port_of_entry_listed_at", "port_of_entry", "listed_at", "id"),
        Index("ix_arrival_listed_at", "listed_at", "id"),
        Index("ix_arrival_updated_at", "updated_at"),
        Index("ix_arrival_flight_id", "flight_id"),
        Index("ix_arrival_household_id", "household_id"),
    )

    id: UUID = column(primary_key=True)
    returnee_id: UUID | None = column(comment="none while a manifest only gives a seat")
    travel_id: UUID | None = column(comment="the journey of a referral")
    flight_id: UUID | None = column(foreign_key="flight.id")
    walk_in: bool = column(server_default=false(), comment="the returnee id was minted here")
    return_kind: ReturnKind | None = None
    identity_doubtful: bool = column(server_default=false())
    held_at: datetime | None = column(
        comment="by the authorities; shown to few, published to nobody"
    )
    held_by: str | None = column(comment="organisation that said so")
    met_by: str | None = column(comment="organisation whose desk met the person")
    member: Member | None = column(comment="a walk-in's place in the family, as the desk says")
    case_id: UUID | None = None
    referral_id: UUID | None = None
    household_id: UUID | None = None
    programme: str | None = None
    state: ArrivalState
    state_at: datetime = column(comment="when the state was reached, as claimed")
    state_recorded_at: datetime = column(server_default=now())
    state_by: str | None = column(comment="organisation; none where a journey's news did it")
    state_by_person: str | None = None
    clock_suspect: bool = column(server_default=false())
    port_of_entry: str | None = None
    expected_at: datetime | None = None
    departs_on: date | None = None
    carrier: str | None = None
    flight_number: str | None = None
    confirmed: bool = column(comment="whether the journey is booked")
    met_at: datetime | None = None
    arrived_on: date | None = column(comment="the day in the time zone of the port")
    confirmation_method: ConfirmationMethod | None = None
    confirmation_evidence: str | None = None
    created_at: datetime = column(server_default=now())
    updated_at: datetime = column(server_default=now())
    version: int = column(server_default=text("1"))
    listed_at: datetime = column(
        computed="coalesce(met_at, expected_at, "
        "departs_on::timestamp AT TIME ZONE 'UTC', created_at)",
        comment="orders the board",
    )
    seen_through: UUID = column(
        computed="coalesce(returnee_id, flight_id)", comment="whose participants see it"
    )

    def changed(self) -> None:
        """Count the change: another ETag, and a new `updated_at`."""
        self.version += 1
        self.updated_at = now()  # type: ignore[assignment] # evaluated by the database


class Alias(Base, table=True):
    """An arrival that turned out to be another one's: a tablet may still know it by this id."""

    __tablename__ = "arrival_alias"

    id: UUID = column(primary_key=True)
    arrival_id: UUID = column(foreign_key="arrival.id", index=True)
    since: datetime = column(server_default=now(), index=True)


class Passenger(Base, table=True):
    """A line of a flight's manifest. What identifies the person is encrypted; digests find them
    again.
    """

    __tablename__ = "passenger"
    __table_args__ = (
        UniqueConstraint("flight_id", "key"),
        Index("ix_passenger_reference_digest", "reference_digest"),
        Index("ix_passenger_document_digest", "document_digest"),
    )

    id: UUID = column(primary_key=True)
    flight_id: UUID = column(foreign_key="flight.id")
    arrival_id: UUID = column(foreign_key="arrival.id", index=True)
    key: bytes = column(comment="by which the same passenger is known in the next version")
    seat: str | None = None
    family_group: str | None = None
    nationality: str
    reference_digest: bytes | None = None
    document_digest: bytes | None = None
    sealed: bytes | None = column(comment="encrypted; none for a seat without a name")


class MatchingDigest(Base, table=True):
    """By what a returnee is recognised in a manifest: keyed digests of references and travel
    documents.
    """

    __tablename__ = "returnee_mark"

    returnee_id: UUID = column(primary_key=True)
    digest: bytes = column(primary_key=True, index=True)


class Handover(Base, table=True):
    """A child or a patient was handed over. Who signed for them is encrypted."""

    __tablename__ = "arrival_handover"

    id: UUID = column(primary_key=True)
    arrival_id: UUID = column(foreign_key="arrival.id", index=True)
    sealed: bytes | None = column(comment="encrypted; none after an erasure")
    occurred_at: datetime
    recorded_at: datetime = column(server_default=now())
    clock_suspect: bool
    recorded_by: str


class Mutation(Base, table=True):
    """Something that a device did while it had no connection, once applied."""

    __tablename__ = "device_mutation"

    organisation: str = column(primary_key=True)
    id: UUID = column(primary_key=True)
    device: UUID
    kind: str
    arrival_id: UUID
    digest: bytes = column(comment="keyed, of what was sent")
    occurred_at: datetime = column(comment="by the device's clock")
    recorded_at: datetime = column(server_default=now())
    ahead_seconds: int = column(comment="by how much the device's clock was ahead when it was sent")


class Profile(Base, table=True):
    """What was taken down about a person's needs and skills on arrival; taken again, it replaces
    the one before.
    """

    __tablename__ = "arrival_profile"

    arrival_id: UUID = column(foreign_key="arrival.id", primary_key=True)
    household: dict[str, Any]
    skills: list[str]
    reasons_for_return: list[str]
    immediate_needs: list[str]
    restricted: bytes | None = column(
        comment="encrypted: what the desk noted about health or a child"
    )
    needs_priority: NeedsPriority
    occurred_at: datetime
    recorded_at: datetime = column(server_default=now())
    clock_suspect: bool
    recorded_by: str


class Assistance(Base, table=True):
    """Something that was given at the port of entry."""

    __tablename__ = "arrival_assistance"
    __table_args__ = (
        CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="money"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("(kind = 'pocket_money') = (amount IS NOT NULL)", name="pocket_money"),
    )

    id: UUID = column(primary_key=True)
    arrival_id: UUID = column(foreign_key="arrival.id", index=True)
    kind: AssistanceKind
    amount: Decimal | None = None
    currency: str | None = None
    occurred_at: datetime
    recorded_at: datetime = column(server_default=now())
    clock_suspect: bool
    recorded_by: str


class OnwardTransport(Base, table=True):
    """How a person travels on from the port of entry."""

    __tablename__ = "arrival_onward_transport"
    __table_args__ = (
        CheckConstraint("(cost IS NULL) = (currency IS NULL)", name="money"),
        CheckConstraint("cost >= 0", name="cost"),
    )

    id: UUID = column(primary_key=True)
    arrival_id: UUID = column(foreign_key="arrival.id", index=True)
    mode: TransportMode
    governorate: str
    district: str | None = None
    departs_at: datetime | None = None
    cost: Decimal | None = None
    currency: str | None = None
    occurred_at: datetime
    recorded_at: datetime = column(server_default=now())
    clock_suspect: bool
    recorded_by: str
