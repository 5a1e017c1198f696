"""What training told: who attended what, and who worked since when. What is paid follows from these
rows alone.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.grants.models import Base


class Attended(Base):
    """One person at one session, as it was told last."""

    __tablename__ = "attended_session"

    enrolment_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    returnee_id: Mapped[UUID] = mapped_column(index=True)
    case_id: Mapped[UUID]
    line_id: Mapped[UUID | None]
    """The line of the plan that pays the allowance."""
    held_on: Mapped[date]
    counts: Mapped[bool]
    """Whether they were there, and the course gives an allowance."""
    told_at: Mapped[datetime]


class Worked(Base):
    """One placement that a wage subsidy is for, as far as it was told."""

    __tablename__ = "subsidised_placement"

    placement_id: Mapped[UUID] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(index=True)
    """The line of the plan that pays the subsidy."""
    returnee_id: Mapped[UUID] = mapped_column(index=True)
    months: Mapped[int | None]
    """For how many months it was agreed; none: as the programme says."""
    wage: Mapped[Decimal | None]
    """A month."""
    currency: Mapped[str | None]
    started_on: Mapped[date | None]
    ended_on: Mapped[date | None]
    checks: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    """By months after the start: whether they still worked there, and when that was told."""

    __table_args__ = (CheckConstraint("(wage IS NULL) = (currency IS NULL)", name="wage"),)
