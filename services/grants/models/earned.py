"""What training told: who attended what, and who worked since when.

What is paid follows from these rows alone.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, text

from chassis.tables import column
from services.grants.models.base import Base


class Attended(Base, table=True):
    """One person at one session, as it was told last."""

    __tablename__ = "attended_session"

    enrolment_id: UUID = column(primary_key=True)
    number: int = column(primary_key=True, autoincrement=False)
    returnee_id: UUID = column(index=True)
    case_id: UUID
    line_id: UUID | None = None
    """The line of the plan that pays the allowance."""
    held_on: date
    counts: bool
    """Whether they were there, and the course gives an allowance."""
    told_at: datetime


class Worked(Base, table=True):
    """One placement that a wage subsidy is for, as far as it was told."""

    __tablename__ = "subsidised_placement"

    placement_id: UUID = column(primary_key=True)
    line_id: UUID = column(index=True)
    """The line of the plan that pays the subsidy."""
    returnee_id: UUID = column(index=True)
    months: int | None = None
    """For how many months it was agreed; none: as the programme says."""
    wage: Decimal | None = None
    """A month."""
    currency: str | None = None
    started_on: date | None = None
    ended_on: date | None = None
    checks: dict[str, Any] = column(default_factory=dict, server_default=text("'{}'::jsonb"))
    """By months after the start: whether they still worked there, and when that was told."""

    __table_args__ = (CheckConstraint("(wage IS NULL) = (currency IS NULL)", name="wage"),)
