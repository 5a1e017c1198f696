"""Tables of cooperatives: who set one up together, who selected it, what it learned, and what came
of it.
"""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from chassis.db import now
from chassis.ids import new_id
from services.grants.models import Base, Resource

SHARE = Numeric(18, 6)


class Cooperative(Resource):
    """Several returnees who set something up together."""

    __tablename__ = "cooperative"

    programme: Mapped[str]
    implementer: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    kind: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str | None]
    shares: Mapped[Decimal] = mapped_column(SHARE)
    """How many there are; the members' add up to them."""
    proposer: Mapped[UUID]
    committee_needed: Mapped[int]
    minutes: Mapped[UUID | None]
    """The document of the committee's meeting."""
    formed_on: Mapped[date | None]
    statutes: Mapped[UUID | None]
    """The document by which the members set it up."""
    grant_id: Mapped[UUID | None] = mapped_column(ForeignKey("assistance_grant.id"), unique=True)

    __table_args__ = (
        CheckConstraint(
            "state IN ('proposed', 'selected', 'formed', 'rejected')", name="state_known"
        ),
        CheckConstraint("kind IN ('business', 'social')", name="kind_known"),
        CheckConstraint("(state = 'rejected') = (reason IS NOT NULL)", name="reason"),
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


class CooperativeMember(Base):
    """One of the returnees of a cooperative."""

    __tablename__ = "cooperative_member"

    cooperative_id: Mapped[UUID] = mapped_column(ForeignKey("cooperative.id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    returnee_id: Mapped[UUID | None] = mapped_column(index=True)
    case_id: Mapped[UUID | None]
    share: Mapped[Decimal] = mapped_column(SHARE)

    __table_args__ = (
        UniqueConstraint("cooperative_id", "returnee_id"),
        CheckConstraint("share > 0", name="share"),
    )


class CommitteeMember(Base):
    """One person of the committee said yes. A trigger refuses who proposed it."""

    __tablename__ = "cooperative_committee"

    cooperative_id: Mapped[UUID] = mapped_column(ForeignKey("cooperative.id"), primary_key=True)
    actor: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=now())


class CooperativeActivity(Base):
    """A training or a visit of a cooperative, by its id where it was recorded."""

    __tablename__ = "cooperative_activity"

    cooperative_id: Mapped[UUID] = mapped_column(ForeignKey("cooperative.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    activity_id: Mapped[UUID] = mapped_column(primary_key=True)
    held_on: Mapped[date]

    __table_args__ = (CheckConstraint("kind IN ('training', 'visit')", name="kind_known"),)


class CooperativeImpact(Base):
    """What a cooperative did in a period. A report is never changed: another one takes its place."""

    __tablename__ = "cooperative_impact"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    cooperative_id: Mapped[UUID] = mapped_column(ForeignKey("cooperative.id"), index=True)
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    jobs: Mapped[int]
    services: Mapped[list[str]]
    replaces: Mapped[UUID | None] = mapped_column(ForeignKey("cooperative_impact.id"), unique=True)
    recorded_at: Mapped[datetime] = mapped_column(server_default=now())

    __table_args__ = (
        CheckConstraint("starts_on <= ends_on", name="period"),
        CheckConstraint("jobs >= 0", name="jobs"),
    )
