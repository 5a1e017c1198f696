"""Cooperatives: who set one up, who selected it, what it learned, and what came of it."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Numeric, UniqueConstraint

from chassis.db import now
from chassis.ids import new_id
from chassis.tables import column
from contracts.grants import CooperativeReason
from services.grants.codes import ActivityKind, CooperativeKind
from services.grants.models.base import Base, Resource
from services.grants.states import CooperativeState

SHARE = Numeric(18, 6)


class Cooperative(Resource, table=True):
    """Several returnees who set something up together."""

    __tablename__ = "cooperative"

    programme: str
    implementer: str
    name: str
    description: str | None = None
    kind: CooperativeKind
    state: CooperativeState
    reason: CooperativeReason | None = None
    shares: Decimal = column(sa_type=SHARE)
    """How many there are; the members' add up to them."""
    proposer: UUID
    committee_needed: int
    minutes: UUID | None = None
    """The document of the committee's meeting."""
    formed_on: date | None = None
    statutes: UUID | None = None
    """The document by which the members set it up."""
    grant_id: UUID | None = column(foreign_key="assistance_grant.id", unique=True)

    __table_args__ = (
        CheckConstraint("(state = 'rejected') = (reason IS NOT NULL)", name="reason_given"),
        CheckConstraint(
            "state NOT IN ('selected', 'formed') OR minutes IS NOT NULL", name="selected"
        ),
        CheckConstraint(
            "(state = 'formed') = (formed_on IS NOT NULL AND statutes IS NOT NULL)", name="formed"
        ),
        CheckConstraint("shares > 0", name="shares"),
        Index("ix_cooperative_updated_at", "updated_at"),
        Index("ix_cooperative_state", "state", "id"),
    )


class CooperativeMember(Base, table=True):
    """One of the returnees of a cooperative."""

    __tablename__ = "cooperative_member"

    cooperative_id: UUID = column(foreign_key="cooperative.id", primary_key=True)
    place: int = column(primary_key=True, autoincrement=False)
    returnee_id: UUID | None = column(index=True)
    case_id: UUID | None = None
    share: Decimal = column(sa_type=SHARE)

    __table_args__ = (
        UniqueConstraint("cooperative_id", "returnee_id"),
        CheckConstraint("share > 0", name="share"),
    )


class CommitteeMember(Base, table=True):
    """One person of the committee said yes. A trigger refuses who proposed it."""

    __tablename__ = "cooperative_committee"

    cooperative_id: UUID = column(foreign_key="cooperative.id", primary_key=True)
    actor: UUID = column(primary_key=True)
    at: datetime = column(server_default=now())


class CooperativeActivity(Base, table=True):
    """A training or a visit of a cooperative, by its id where it was recorded."""

    __tablename__ = "cooperative_activity"

    cooperative_id: UUID = column(foreign_key="cooperative.id", primary_key=True)
    kind: ActivityKind = column(primary_key=True)
    activity_id: UUID = column(primary_key=True)
    held_on: date


class CooperativeImpact(Base, table=True):
    """What a cooperative did in a period; a report is replaced by another one, never changed."""

    __tablename__ = "cooperative_impact"

    id: UUID = column(primary_key=True, default_factory=new_id)
    cooperative_id: UUID = column(foreign_key="cooperative.id", index=True)
    starts_on: date
    ends_on: date
    jobs: int
    services: list[str]
    replaces: UUID | None = column(foreign_key="cooperative_impact.id", unique=True)
    recorded_at: datetime = column(server_default=now())

    __table_args__ = (
        CheckConstraint("starts_on <= ends_on", name="period"),
        CheckConstraint("jobs >= 0", name="jobs"),
    )
