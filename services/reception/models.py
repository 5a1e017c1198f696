"""Reception's own tables: arrivals, and what was done at the port of entry."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Computed,
    Enum,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.db import now
from chassis.tables import TYPES, new_metadata
from contracts.codes import ArrivalState, AssistanceKind, Member, NeedsPriority, ReturnKind
from contracts.reception import ConfirmationMethod, TransportMode
from services.reception.flights.rules import FlightState


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


class Base(DeclarativeBase):
    """Base of reception's tables."""

    metadata = new_metadata()
    type_annotation_map: ClassVar = TYPES | {bytes: LargeBinary}


class Flight(Base):
    """A flight, or a crossing of a land border, with which returnees arrive."""

    __tablename__ = "flight"
    __table_args__ = (
        CheckConstraint("(state = 'landed') = (landed_at IS NOT NULL)", name="landed_when"),
        Index("ix_flight_port_of_entry_scheduled_at", "port_of_entry", "scheduled_at", "id"),
        Index("ix_flight_scheduled_at", "scheduled_at", "id"),
        Index("ix_flight_updated_at", "updated_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[FlightState] = mapped_column(one_of("state", FlightState))
    carrier: Mapped[str | None]
    flight_number: Mapped[str | None]
    charter: Mapped[bool]
    origin: Mapped[str]
    port_of_entry: Mapped[str]
    previous_port: Mapped[str | None] = mapped_column(
        comment="where it was to land before it was diverted"
    )
    scheduled_at: Mapped[datetime]
    landed_at: Mapped[datetime | None]
    programme: Mapped[str | None]
    return_kind: Mapped[ReturnKind | None] = mapped_column(one_of("return_kind", ReturnKind))
    announced_by: Mapped[str]
    receiver: Mapped[str | None] = mapped_column(comment="the organisation whose desk meets it")
    manifest_version: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = mapped_column(server_default=now())
    updated_at: Mapped[datetime] = mapped_column(server_default=now())
    version: Mapped[int] = mapped_column(server_default=text("1"))


class Arrival(Base):
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
            "returnee_id IS NOT NULL OR (flight_id IS NOT NULL AND met_at IS NULL AND confirmation_method IS NULL)",
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

    id: Mapped[UUID] = mapped_column(primary_key=True)
    returnee_id: Mapped[UUID | None] = mapped_column(
        comment="none while a manifest only gives a seat"
    )
    travel_id: Mapped[UUID | None] = mapped_column(comment="the journey of a referral")
    flight_id: Mapped[UUID | None] = mapped_column(ForeignKey("flight.id"))
    walk_in: Mapped[bool] = mapped_column(
        server_default=false(), comment="the returnee id was minted here"
    )
    return_kind: Mapped[ReturnKind | None] = mapped_column(one_of("return_kind", ReturnKind))
    identity_doubtful: Mapped[bool] = mapped_column(server_default=false())
    held_at: Mapped[datetime | None] = mapped_column(
        comment="by the authorities; shown to few, published to nobody"
    )
    held_by: Mapped[str | None] = mapped_column(comment="organisation that said so")
    met_by: Mapped[str | None] = mapped_column(comment="organisation whose desk met the person")
    member: Mapped[Member | None] = mapped_column(
        one_of("member", Member), comment="a walk-in's place in the family, as the desk says"
    )
    case_id: Mapped[UUID | None]
    referral_id: Mapped[UUID | None]
    household_id: Mapped[UUID | None]
    programme: Mapped[str | None]
    state: Mapped[ArrivalState] = mapped_column(one_of("state", ArrivalState))
    state_at: Mapped[datetime] = mapped_column(comment="when the state was reached, as claimed")
    state_recorded_at: Mapped[datetime] = mapped_column(server_default=now())
    state_by: Mapped[str | None] = mapped_column(
        comment="organisation; none where a journey's news did it"
    )
    state_by_person: Mapped[str | None]
    clock_suspect: Mapped[bool] = mapped_column(server_default=false())
    port_of_entry: Mapped[str | None]
    expected_at: Mapped[datetime | None]
    departs_on: Mapped[date | None]
    carrier: Mapped[str | None]
    flight_number: Mapped[str | None]
    confirmed: Mapped[bool] = mapped_column(comment="whether the journey is booked")
    met_at: Mapped[datetime | None]
    arrived_on: Mapped[date | None] = mapped_column(comment="the day in the time zone of the port")
    confirmation_method: Mapped[ConfirmationMethod | None] = mapped_column(
        one_of("confirmation_method", ConfirmationMethod)
    )
    confirmation_evidence: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=now())
    updated_at: Mapped[datetime] = mapped_column(server_default=now())
    version: Mapped[int] = mapped_column(server_default=text("1"))
    listed_at: Mapped[datetime] = mapped_column(
        Computed(
            "coalesce(met_at, expected_at, departs_on::timestamp AT TIME ZONE 'UTC', created_at)",
            persisted=True,
        ),
        comment="orders the board",
    )
    seen_through: Mapped[UUID] = mapped_column(
        Computed("coalesce(returnee_id, flight_id)", persisted=True),
        comment="whose participants see it",
    )


class Alias(Base):
    """An arrival that turned out to be another one's: a tablet may still know it by this id."""

    __tablename__ = "arrival_alias"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    arrival_id: Mapped[UUID] = mapped_column(ForeignKey("arrival.id"), index=True)
    since: Mapped[datetime] = mapped_column(server_default=now(), index=True)


class Passenger(Base):
    """A line of a flight's manifest. What identifies the person is encrypted; digests find them
    again.
    """

    __tablename__ = "passenger"
    __table_args__ = (
        UniqueConstraint("flight_id", "key"),
        Index("ix_passenger_reference_digest", "reference_digest"),
        Index("ix_passenger_document_digest", "document_digest"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    flight_id: Mapped[UUID] = mapped_column(ForeignKey("flight.id"))
    arrival_id: Mapped[UUID] = mapped_column(ForeignKey("arrival.id"), index=True)
    key: Mapped[bytes] = mapped_column(
        comment="by which the same passenger is known in the next version"
    )
    seat: Mapped[str | None]
    family_group: Mapped[str | None]
    nationality: Mapped[str]
    reference_digest: Mapped[bytes | None]
    document_digest: Mapped[bytes | None]
    sealed: Mapped[bytes | None] = mapped_column(
        comment="encrypted; none for a seat without a name"
    )


class Mark(Base):
    """By what a returnee is recognised in a manifest: keyed digests of references and travel
    documents.
    """

    __tablename__ = "returnee_mark"

    returnee_id: Mapped[UUID] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(primary_key=True, index=True)


class Handover(Base):
    """A child or a patient was handed over. Who signed for them is encrypted."""

    __tablename__ = "arrival_handover"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    arrival_id: Mapped[UUID] = mapped_column(ForeignKey("arrival.id"), index=True)
    sealed: Mapped[bytes | None] = mapped_column(comment="encrypted; none after an erasure")
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=now())
    clock_suspect: Mapped[bool]
    recorded_by: Mapped[str]


class Mutation(Base):
    """Something that a device did while it had no connection, once applied."""

    __tablename__ = "device_mutation"

    organisation: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    device: Mapped[UUID]
    kind: Mapped[str]
    arrival_id: Mapped[UUID]
    digest: Mapped[bytes] = mapped_column(comment="keyed, of what was sent")
    occurred_at: Mapped[datetime] = mapped_column(comment="by the device's clock")
    recorded_at: Mapped[datetime] = mapped_column(server_default=now())
    ahead_seconds: Mapped[int] = mapped_column(
        comment="by how much the device's clock was ahead when it was sent"
    )


class Profile(Base):
    """What was taken down about a person's needs and skills on arrival; taken again, it replaces
    the one before.
    """

    __tablename__ = "arrival_profile"

    arrival_id: Mapped[UUID] = mapped_column(ForeignKey("arrival.id"), primary_key=True)
    household: Mapped[dict[str, Any]]
    skills: Mapped[list[str]]
    reasons_for_return: Mapped[list[str]]
    immediate_needs: Mapped[list[str]]
    restricted: Mapped[bytes | None] = mapped_column(
        comment="encrypted: what the desk noted about health or a child"
    )
    needs_priority: Mapped[NeedsPriority] = mapped_column(one_of("needs_priority", NeedsPriority))
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=now())
    clock_suspect: Mapped[bool]
    recorded_by: Mapped[str]


class Assistance(Base):
    """Something that was given at the port of entry."""

    __tablename__ = "arrival_assistance"
    __table_args__ = (
        CheckConstraint("(amount IS NULL) = (currency IS NULL)", name="money"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("(kind = 'pocket_money') = (amount IS NOT NULL)", name="pocket_money"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    arrival_id: Mapped[UUID] = mapped_column(ForeignKey("arrival.id"), index=True)
    kind: Mapped[AssistanceKind] = mapped_column(one_of("kind", AssistanceKind))
    amount: Mapped[Decimal | None]
    currency: Mapped[str | None]
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=now())
    clock_suspect: Mapped[bool]
    recorded_by: Mapped[str]


class OnwardTransport(Base):
    """How a person travels on from the port of entry."""

    __tablename__ = "arrival_onward_transport"
    __table_args__ = (
        CheckConstraint("(cost IS NULL) = (currency IS NULL)", name="money"),
        CheckConstraint("cost >= 0", name="cost"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    arrival_id: Mapped[UUID] = mapped_column(ForeignKey("arrival.id"), index=True)
    mode: Mapped[TransportMode] = mapped_column(one_of("mode", TransportMode))
    governorate: Mapped[str]
    district: Mapped[str | None]
    departs_at: Mapped[datetime | None]
    cost: Mapped[Decimal | None]
    currency: Mapped[str | None]
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=now())
    clock_suspect: Mapped[bool]
    recorded_by: Mapped[str]
