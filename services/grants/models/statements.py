"""What banks say: statements, their entries, and how a bank's table is read."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text

from chassis.ids import new_id
from chassis.tables import column
from services.grants.models.base import Base, Resource


class StatementFile(Resource, table=True):
    """A bank's statement of one account."""

    __tablename__ = "statement"

    organisation: str
    account: str
    year: int
    """Of its entries: numbers begin again each year."""
    number: str
    currency: str

    __table_args__ = (UniqueConstraint("organisation", "account", "currency", "year", "number"),)


class StatementMapping(Resource, table=True):
    """How an organisation reads the table that one of its banks sends; see
    `services.grants.statement_files.delimited`.
    """

    __tablename__ = "statement_mapping"

    organisation: str
    name: str
    mapping: dict[str, Any]

    __table_args__ = (UniqueConstraint("organisation", "name"),)


class StatementLine(Base, table=True):
    """An entry of a statement, and what it turned out to be. The bank's free text is not kept."""

    __tablename__ = "statement_line"

    id: UUID = column(primary_key=True, default_factory=new_id)
    statement_id: UUID = column(foreign_key="statement.id")
    line: int
    key: str
    """The bank's own reference, else the number and page of its statement; empty for a notice."""
    ordinal: int = column(default=0, server_default=text("0"))
    """How many equal entries there are before it: with the key and what it says, that is how the
    same entry is known again.
    """
    booked_on: date
    direction: str
    amount: Decimal
    currency: str
    reference: str
    outcome: str
    why: str | None = None
    payment_id: UUID | None = column(foreign_key="payment.id", index=True)
    candidates: list[UUID] = column(default_factory=list, server_default=text("'{}'::uuid[]"))
    """Payments that it may be, the likeliest first; never booked by themselves."""
    imported_by: UUID | None = None
    """None of those that were imported before persons were kept."""
    decided_by: UUID | None = None

    __table_args__ = (
        UniqueConstraint(
            "statement_id",
            "key",
            "ordinal",
            "booked_on",
            "direction",
            "amount",
            "reference",
            name="uq_statement_line_entry",
        ),
        CheckConstraint("direction IN ('debit', 'credit')", name="direction_known"),
        CheckConstraint(
            "outcome IN ('matched', 'mismatched', 'unknown', 'reversed', 'question')",
            name="outcome_known",
        ),
        CheckConstraint("ordinal >= 0", name="ordinal"),
        Index("ix_statement_line_outcome", "outcome", "id"),
    )
