"""The tables of cases. Invariants are constraints too: two requests at once do not meet in Python."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    FetchedValue,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Numeric,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import Text

from chassis.db import NAMING, now
from chassis.ids import new_id

SEARCH_INDEX = "ix_returnee_search"


class Base(DeclarativeBase):
    """Base of the tables of cases."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar = {
        datetime: DateTime(timezone=True),
        str: Text,
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: ARRAY(Text),
    }
    # What the database's clock writes is read back with the statement that wrote it.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012 - SQLAlchemy's own name, read once


class Resource(Base):
    """What a table has whose rows are resources: an id, a version for the ETag, and when it changed."""

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, sort_order=-2)
    version: Mapped[int] = mapped_column(default=1, sort_order=-1)
    created_at: Mapped[datetime] = mapped_column(server_default=now(), sort_order=1)
    updated_at: Mapped[datetime] = mapped_column(server_default=now(), server_onupdate=FetchedValue(), sort_order=1)

    def changed(self) -> None:
        """Count the change: another ETag, and a new `updated_at` by the database's clock."""
        self.version += 1
        self.updated_at = now()


class Referral(Resource):
    """What a host-country service submitted, kept as it was sent, and what was decided."""

    __tablename__ = "referral"

    state: Mapped[str]
    external_reference: Mapped[str]
    sender: Mapped[str]
    revision: Mapped[int] = mapped_column(default=1)
    supersedes: Mapped[UUID | None] = mapped_column(ForeignKey("referral.id"), unique=True)
    programme: Mapped[str]
    programme_version: Mapped[int]
    return_kind: Mapped[str]
    country_of_return: Mapped[str]
    requested_partner: Mapped[str | None]
    decider: Mapped[str]
    """Whose turn it is: the partner's, or the programme office's."""
    implementer: Mapped[str | None]
    needs_priority: Mapped[str]
    content: Mapped[dict[str, Any]]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256 of the content first sent, by which the same submission is recognised."""
    question: Mapped[str | None]
    rejection_reason: Mapped[str | None]
    comment: Mapped[str | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("sender", "external_reference", "revision"),
        CheckConstraint(
            "state IN ('submitted', 'information_requested', 'accepted', 'rejected', 'expired', 'withdrawn')",
            name="state_known",
        ),
        CheckConstraint("decider IN ('partner', 'programme_office')", name="decider_known"),
        CheckConstraint("state <> 'accepted' OR implementer IS NOT NULL", name="accepted_by_somebody"),
        CheckConstraint("state <> 'rejected' OR rejection_reason IS NOT NULL", name="rejected_for_a_reason"),
        Index("ix_referral_state", "state", "id"),
        Index("ix_referral_updated_at", "updated_at"),
    )


class Returnee(Resource):
    """A person: names as written, in every script given. `search` is made from them and is never shown."""

    __tablename__ = "returnee"

    names: Mapped[list[dict[str, Any]]]
    sex: Mapped[str]
    birth_date: Mapped[date]
    birth_precision: Mapped[str]
    nationality: Mapped[str]
    documents: Mapped[list[dict[str, Any]]]
    languages: Mapped[list[str]]
    contacts: Mapped[list[dict[str, Any]]]
    identifiers: Mapped[list[dict[str, Any]]]
    search: Mapped[str]

    __table_args__ = (
        CheckConstraint("birth_date <> DATE '1900-01-01'", name="birth_date_is_no_sentinel"),
        CheckConstraint("birth_precision IN ('day', 'month', 'year', 'estimated')", name="birth_precision_known"),
        Index(SEARCH_INDEX, "search", postgresql_using="gin", postgresql_ops={"search": "gin_trgm_ops"}),
    )


class Household(Resource):
    """People who return, or live, together."""

    __tablename__ = "household"


class HouseholdMember(Base):
    """A person's time in a household."""

    __tablename__ = "household_member"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    household_id: Mapped[UUID] = mapped_column(ForeignKey("household.id"), index=True)
    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"), index=True)
    relationship: Mapped[str]
    member: Mapped[str]
    since: Mapped[datetime] = mapped_column(server_default=now())
    until: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("member IN ('principal', 'adult', 'child')", name="member_known"),
        Index("uq_household_member_now", "returnee_id", unique=True, postgresql_where=text("until IS NULL")),
    )


class ReferralPerson(Base):
    """A person of a referral by their place in it, and who they turned out to be."""

    __tablename__ = "referral_person"

    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referral.id"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    returnee_id: Mapped[UUID | None] = mapped_column(ForeignKey("returnee.id"), index=True)

    __table_args__ = (UniqueConstraint("referral_id", "returnee_id"),)


class CaseFile(Resource):
    """One return of a household, followed from acceptance to closure."""

    __tablename__ = "case_file"

    state: Mapped[str]
    state_before: Mapped[str | None]
    """Where a closed case goes back to when it is reopened."""
    programme: Mapped[str]
    programme_version: Mapped[int]
    programme_office: Mapped[str]
    return_kind: Mapped[str]
    country_of_return: Mapped[str]
    referral_id: Mapped[UUID | None] = mapped_column(ForeignKey("referral.id"), unique=True)
    household_id: Mapped[UUID] = mapped_column(ForeignKey("household.id"), index=True)
    referrer: Mapped[str | None]
    implementer: Mapped[str]
    office: Mapped[str | None]
    """The implementing organisation's own office."""
    focal_point: Mapped[str | None]
    """User id in the implementing organisation."""
    governorate: Mapped[str]
    district: Mapped[str]
    address: Mapped[str]
    needs_priority: Mapped[str]
    arrived_on: Mapped[date | None]
    closure_reason: Mapped[str | None]
    closure_comment: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(
            "state IN ('pre_departure', 'arrived', 'in_delivery', 'monitoring', 'suspended', 'closed')",
            name="state_known",
        ),
        CheckConstraint("(state = 'closed') = (closure_reason IS NOT NULL)", name="closed_for_a_reason"),
        Index("ix_case_file_focal_point", "implementer", "focal_point"),
        Index("ix_case_file_state", "state", "id"),
        Index("ix_case_file_updated_at", "updated_at"),
    )


class CaseMember(Base):
    """A person of a case, and what is known of their arrival."""

    __tablename__ = "case_member"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("case_file.id"), primary_key=True)
    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"), primary_key=True, index=True)
    member: Mapped[str]
    arrival_id: Mapped[UUID | None]
    arrival_state: Mapped[str | None]
    """As reception last said; None while nothing was heard."""
    arrived_on: Mapped[date | None]

    __table_args__ = (CheckConstraint("member IN ('principal', 'adult', 'child')", name="member_known"),)


class Journey(Resource):
    """A journey of one or several persons of a referral. Its `revision` counts what the host country changed."""

    __tablename__ = "journey"

    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referral.id"), index=True)
    state: Mapped[str]
    revision: Mapped[int] = mapped_column(default=1)
    legs: Mapped[list[dict[str, Any]]]
    escorted: Mapped[bool]
    departed_on: Mapped[date | None]

    __table_args__ = (
        CheckConstraint(
            "state IN ('planned', 'confirmed', 'departed', 'not_departed', 'cancelled')", name="state_known"
        ),
        CheckConstraint("(state = 'departed') = (departed_on IS NOT NULL)", name="departed_on_a_day"),
    )


class JourneyPerson(Base):
    """A person of a journey, by their place in the referral."""

    __tablename__ = "journey_person"

    journey_id: Mapped[UUID] = mapped_column(ForeignKey("journey.id"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Plan(Resource):
    """One version of a case's reintegration plan."""

    __tablename__ = "plan"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("case_file.id"))
    plan_version: Mapped[int]
    state: Mapped[str]
    preparers: Mapped[list[str]]
    """Every person who edited or submitted this version; none of them approves it."""
    submitted_by: Mapped[str | None]
    approved_by: Mapped[str | None]
    agreed_on: Mapped[date | None]
    agreed_language: Mapped[str | None]
    agreed_document: Mapped[UUID | None]
    return_reason: Mapped[str | None]
    return_comment: Mapped[str | None]
    amend_comment: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("case_id", "plan_version"),
        CheckConstraint("state IN ('draft', 'submitted', 'approved', 'returned', 'superseded')", name="state_known"),
        CheckConstraint("approved_by IS NULL OR approved_by <> ALL (preparers)", name="four_eyes"),
        Index(
            "uq_plan_open",
            "case_id",
            unique=True,
            postgresql_where=text("state IN ('draft', 'submitted', 'returned')"),
        ),
    )


class LineDelivery(Base):
    """That a line of a plan was delivered, told by who delivers it; the line's id is the same in every version."""

    __tablename__ = "line_delivery"

    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("case_file.id"), index=True)
    delivered_at: Mapped[datetime]
    by: Mapped[str]
    """The service that said so."""


class PlanLine(Base):
    """What is planned for whom, and what it may cost."""

    __tablename__ = "plan_line"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"), index=True)
    line_id: Mapped[UUID]
    """The same in every version of the plan that has the line."""
    position: Mapped[int]
    kind: Mapped[str]
    housing: Mapped[str | None]
    beneficiary: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"))
    description: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(Numeric(18, 3))
    currency: Mapped[str]
    provider: Mapped[str | None]
    level: Mapped[str]

    __table_args__ = (
        UniqueConstraint("plan_id", "position"),
        UniqueConstraint("plan_id", "line_id"),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
    )


class Deadline(Resource):
    """By when something must be done, with the rule that says so and where that rule is published."""

    __tablename__ = "deadline"

    kind: Mapped[str]
    state: Mapped[str]
    due_at: Mapped[datetime]
    programme: Mapped[str]
    referral_id: Mapped[UUID | None] = mapped_column(ForeignKey("referral.id"))
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("case_file.id"))
    rule: Mapped[dict[str, Any]]

    __table_args__ = (
        UniqueConstraint("case_id", "kind"),
        UniqueConstraint("referral_id", "kind"),
        CheckConstraint("state IN ('open', 'met', 'missed', 'cancelled')", name="state_known"),
        CheckConstraint("(case_id IS NULL) <> (referral_id IS NULL)", name="about_one_thing"),
        Index("ix_deadline_due_at", "due_at", "id"),
    )
