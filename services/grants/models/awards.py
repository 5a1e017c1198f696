"""What was granted: grants with their quotes, approvals, deliveries and documents."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text

from chassis.db import now
from chassis.ids import new_id
from chassis.tables import column
from contracts.codes import DocumentKind, HelpKind, Housing
from contracts.grants import GrantReason
from services.grants.codes import GrantSource
from services.grants.models.base import Base, Resource
from services.grants.states import CitationState, GrantState


class Grant(Resource, table=True):
    """Help for a person, or shared by several: what, how much, and how far it has come."""

    __tablename__ = "assistance_grant"

    case_id: UUID = column(index=True)
    returnee_id: UUID | None = column(index=True)
    household_id: UUID | None = column(index=True)
    programme: str
    programme_version: int
    implementer: str
    package: str
    kind: HelpKind
    housing: Housing | None = None
    description: str | None = None
    amount: Decimal
    counted: Decimal
    """What it counts against ceilings: its amount, and once it is closed what was paid."""
    currency: str
    budget_id: UUID | None = column(foreign_key="budget.id", index=True)
    state: GrantState
    reason: GrantReason | None = None
    requester: UUID
    preparers: list[UUID]
    """Everybody who requested it, changed it or wrote the plan that it is of: none of them approves
    or releases it.
    """
    source: GrantSource
    plan_id: UUID | None = column(index=True)
    plan_line_id: UUID | None = None
    travel_id: UUID | None = None
    round: int = column(default=1)
    """Of approvals: an amendment begins another."""
    planned: Decimal | None = None
    """What the plan in force says, where it is another amount than the one that was approved
    already.
    """
    approvers_needed: int
    quotes_needed: int
    outside_window: bool = column(default=False)
    delivered_on: date | None = None
    unsettled: list[dict[str, Any]] = column(
        default_factory=list, server_default=text("'[]'::jsonb")
    )
    """What attendance or work earned and no payment of it covers: a person decides."""
    parts: list[dict[str, Any]] = column(default_factory=list, server_default=text("'[]'::jsonb"))
    """Of a joint grant, whose part it is: returnee, case, household, line of the plan, and `share`,
    a number. Each one's part counts against their own ceilings; `returnee_id` is then who stands
    for all.
    """

    __table_args__ = (
        CheckConstraint("amount > 0 AND counted >= 0 AND counted <= amount", name="amount"),
        CheckConstraint("state = 'rejected' OR budget_id IS NOT NULL", name="from_a_budget"),
        CheckConstraint(
            "(state IN ('rejected', 'cancelled')) = (reason IS NOT NULL)", name="reason_given"
        ),
        Index(
            "uq_grant_plan_line",
            "plan_line_id",
            unique=True,
            postgresql_where=text("state NOT IN ('rejected', 'cancelled')"),
        ),
        Index(
            "uq_grant_travel",
            "returnee_id",
            "travel_id",
            unique=True,
            postgresql_where=text("source = 'travel'"),
        ),
        Index("ix_grant_updated_at", "updated_at"),
        Index(
            "ix_grant_parts",
            "parts",
            postgresql_using="gin",
            postgresql_ops={"parts": "jsonb_path_ops"},
        ),
        Index("ix_grant_state", "state", "id"),
    )


class Quote(Base, table=True):
    """What somebody offered to do it for."""

    __tablename__ = "quote"

    id: UUID = column(primary_key=True, default_factory=new_id)
    grant_id: UUID = column(foreign_key="assistance_grant.id", index=True)
    payee_id: UUID
    amount: Decimal
    document: UUID
    recorded_at: datetime = column(server_default=now())

    __table_args__ = (UniqueConstraint("grant_id", "payee_id"),)


class Approval(Base, table=True):
    """One person's yes. A trigger refuses the requester's own."""

    __tablename__ = "approval"

    grant_id: UUID = column(foreign_key="assistance_grant.id", primary_key=True)
    round: int = column(primary_key=True, autoincrement=False)
    actor: UUID = column(primary_key=True)
    at: datetime = column(server_default=now())


class Delivery(Base, table=True):
    """What was handed over, with the certificate that the returnee signed."""

    __tablename__ = "delivery"

    id: UUID = column(primary_key=True, default_factory=new_id)
    grant_id: UUID = column(foreign_key="assistance_grant.id", index=True)
    delivered_on: date
    certificate: UUID
    complete: bool
    recorded_at: datetime = column(server_default=now())


class CitedDocument(Base, table=True):
    """A document that something about a grant cites, and whether cases has it; see
    `services.grants.supporting_documents`.
    """

    __tablename__ = "cited_document"

    grant_id: UUID = column(foreign_key="assistance_grant.id", primary_key=True)
    document_id: UUID = column(primary_key=True)
    state: CitationState = column(default=CitationState.CITED, server_default="cited")
    kind: DocumentKind | None = None
    """What cases says that it is."""
    checked_at: datetime | None = None

    __table_args__ = (
        Index(
            "uq_cited_document_alone",
            "document_id",
            unique=True,
            postgresql_where=text("state = 'found' AND kind IN ('invoice', 'delivery')"),
        ),
    )
