"""What banks say: statements and their entries."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint

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

    __table_args__ = (UniqueConstraint("organisation", "account", "year", "number"),)


class StatementLine(Base, table=True):
    """An entry of a statement, and what it turned out to be. The bank's free text is not kept."""

    __tablename__ = "statement_line"

    id: UUID = column(primary_key=True, default_factory=new_id)
    statement_id: UUID = column(foreign_key="statement.id")
    line: int
    key: str
    """The bank's own reference, or page and line: by it and what it says the same entry is known
    again.
    """
    booked_on: date
    direction: str
    amount: Decimal
    currency: str
    reference: str
    outcome: str
    why: str | None = None
    payment_id: UUID | None = column(foreign_key="payment.id")

    __table_args__ = (
        UniqueConstraint(
            "statement_id",
            "key",
            "booked_on",
            "direction",
            "amount",
            "reference",
            name="uq_statement_line_entry",
        ),
        CheckConstraint("direction IN ('debit', 'credit')", name="direction_known"),
        CheckConstraint(
            "outcome IN ('matched', 'mismatched', 'unknown', 'reversed')", name="outcome_known"
        ),
    )
