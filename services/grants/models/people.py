"""Who may be granted something, as cases and reception tell it."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import JSONB

from chassis.tables import column
from contracts.codes import CaseState, Member, ReturnKind
from services.grants.models.base import Base


class Participant(Base, table=True):
    """A person in a case, as cases tells: what decides about packages and ceilings."""

    __tablename__ = "participant"

    case_id: UUID = column(primary_key=True)
    returnee_id: UUID = column(primary_key=True, index=True)
    household_id: UUID | None = column(index=True)
    programme: str
    programme_version: int
    return_kind: ReturnKind
    member: Member
    implementer: str
    case_state: CaseState
    arrived_on: date | None = None
    suspended_on: date | None = None
    """Since when the case rests, and its clocks stand."""
    rests: list[Any] = column(sa_type=JSONB, default_factory=list)
    """When it rested before: the first day, and the day on which it went on."""


class Arrival(Base, table=True):
    """An arrival as reception tells it, kept also while the case is not known yet."""

    __tablename__ = "arrival"

    id: UUID = column(primary_key=True)
    returnee_id: UUID = column(index=True)
    case_id: UUID | None = None
    arrived_on: date | None = None


class AppliedPlan(Base, table=True):
    """The newest version of a case's plan that grants were made of, and its lines: whose each is
    and of what kind.
    """

    __tablename__ = "applied_plan"

    case_id: UUID = column(primary_key=True)
    plan_version: int
    lines: dict[str, Any]


class Visit(Base, table=True):
    """That somebody saw a person on a day, as cases tells; instalments wait for it."""

    __tablename__ = "visit"

    id: UUID = column(primary_key=True)
    case_id: UUID
    returnee_id: UUID
    visited_on: date

    __table_args__ = (Index("ix_visit_case_id_returnee_id", "case_id", "returnee_id"),)
