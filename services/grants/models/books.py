"""The books: budgets, their accounts and postings, and cash at desks."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, text

from chassis.db import now
from chassis.ids import new_id
from chassis.tables import column
from services.grants.codes import Account, Movement
from services.grants.models.base import Base, Resource
from services.grants.states import FloatState


class Budget(Resource, table=True):
    """Money of a programme that an organisation may grant from."""

    __tablename__ = "budget"

    programme: str
    organisation: str
    currency: str
    amount: Decimal
    starts_on: date
    ends_on: date
    low_at: Decimal
    low_told: bool = column(default=False)
    sources: list[dict[str, Any]]

    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("starts_on <= ends_on", name="period"),
        Index("ix_budget_programme", "programme", "organisation"),
    )


class BudgetAccount(Base, table=True):
    """The balance of one account of a budget, kept by a trigger on postings; none but `funds` is
    ever below zero.
    """

    __tablename__ = "budget_account"

    budget_id: UUID = column(foreign_key="budget.id", primary_key=True)
    account: Account = column(primary_key=True)
    balance: Decimal

    __table_args__ = (
        CheckConstraint("account = 'funds' OR balance >= 0", name="nothing_below_zero"),
    )


class JournalEntry(Base, table=True):
    """One movement of money, with who made it. Never changed, never deleted."""

    __tablename__ = "journal_entry"

    id: UUID = column(primary_key=True, default_factory=new_id)
    budget_id: UUID = column(foreign_key="budget.id", index=True)
    kind: Movement
    grant_id: UUID | None = column(index=True)
    payment_id: UUID | None = None
    actor: UUID | None = None
    recorded_at: datetime = column(server_default=now())

    __table_args__ = (
        Index(
            "uq_journal_entry_payment_id_kind",
            "payment_id",
            "kind",
            unique=True,
            postgresql_where=text("payment_id IS NOT NULL AND kind <> 'recover'"),
        ),
    )


class Posting(Base, table=True):
    """One side of an entry. The sides of an entry add up to nothing: a deferred constraint trigger
    holds that.
    """

    __tablename__ = "posting"

    id: int = column(sa_type=BigInteger, identity=Identity(always=True), primary_key=True)
    entry_id: UUID = column(foreign_key="journal_entry.id", index=True)
    budget_id: UUID
    account: Account
    amount: Decimal
    grant_id: UUID | None = column(index=True)

    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_posting_budget_id_id", "budget_id", "id"),
    )


class CashFloat(Resource, table=True):
    """Cash at a desk: opened, drawn, handed in, and counted by another person."""

    __tablename__ = "cash_float"

    organisation: str
    port_of_entry: str
    currency: str
    amount: Decimal
    drawn: Decimal = column(default=Decimal(0))
    """What is set aside for released payments, or was handed over."""
    handed_in: Decimal | None = None
    counted: Decimal | None = None
    state: FloatState = column(default=FloatState.OPEN)
    opened_by: UUID
    returned_by: UUID | None = None
    reconciled_by: UUID | None = None

    __table_args__ = (
        CheckConstraint("amount > 0 AND drawn >= 0 AND drawn <= amount", name="drawn"),
        CheckConstraint("(state = 'open') = (handed_in IS NULL)", name="handed_in"),
        CheckConstraint(
            "reconciled_by IS NULL"
            " OR (reconciled_by <> opened_by AND reconciled_by <> returned_by)",
            name="four_eyes",
        ),
        Index("ix_cash_float_organisation", "organisation", "id"),
    )
