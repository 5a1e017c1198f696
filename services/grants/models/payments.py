"""Who is paid, and what."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, FetchedValue, Index, Numeric, false, text

from chassis.db import now
from chassis.tables import column
from contracts.codes import PaymentMethod
from contracts.grants import Question
from services.grants.codes import PayeeKind
from services.grants.models.base import SYSTEM_ACTOR, Base, Resource
from services.grants.states import USE_GRANT, PayeeState, PaymentState


class Payee(Resource, table=True):
    """Who is paid. Name and account are encrypted; a change waits for a second person."""

    __tablename__ = "payee"

    organisation: str
    kind: PayeeKind
    returnee_id: UUID | None = column(index=True)
    state: PayeeState
    sealed: bytes | None = None
    pending: bytes | None = None
    details_version: int = column(default=0)
    proposed_by: UUID | None = None
    verified_by: UUID | None = None
    verified_at: datetime | None = column(server_onupdate=FetchedValue())

    __table_args__ = (
        CheckConstraint(
            "state <> 'verified' OR (sealed IS NOT NULL AND pending IS NULL)", name="verified"
        ),
        CheckConstraint(
            "verified_by IS NULL OR proposed_by IS NULL OR verified_by <> proposed_by",
            name="four_eyes",
        ),
        Index("ix_payee_organisation", "organisation", "id"),
    )


class Payment(Resource, table=True):
    """Money on its way to somebody, against a grant."""

    __tablename__ = "payment"

    grant_id: UUID = column(foreign_key="assistance_grant.id", index=True)
    budget_id: UUID = column(foreign_key="budget.id", index=True)
    returnee_id: UUID | None = column(index=True)
    reference: str = column(unique=True)
    """What the bank repeats; nothing in it is about a person."""
    method: PaymentMethod
    payee_id: UUID | None = column(foreign_key="payee.id", index=True)
    instalment: int = column(default=1)
    session: str | None = None
    """What it was earned by, once: a session or a day that was attended, a month of work."""
    questioned: Question | None = None
    """Why it is in question: what it was earned by was taken back after its release, or the bank
    paid otherwise.
    """
    as_cash: bool = column(server_default=false())
    """Whether it puts money into the returnee's own hands or account, which counts as cash however
    it gets there.
    """
    reimbursement: bool = column(server_default=false())
    """Whether it gives back what the returnee laid out, as their papers show."""
    amount: Decimal
    currency: str
    payout: Decimal
    payout_currency: str
    ordered: Decimal | None = None
    """What was to be handed over, where less of it was: `amount` and `payout` are then what was
    received.
    """
    recovered: Decimal = column(default=Decimal(0), server_default=text("0"))
    """Of `amount`, what was recovered so far."""
    recovered_payout: Decimal = column(default=Decimal(0), server_default=text("0"))
    rate: Decimal = column(sa_type=Numeric(18, 8))
    rate_on: date | None = None
    rate_source: str | None = None
    due_on: date | None = None
    state: PaymentState
    papers: list[dict[str, Any]]
    papers_there: list[str]
    papers_needed: list[str]
    scheduled_by: UUID
    released_by: UUID | None = None
    released_at: datetime | None = column(server_onupdate=FetchedValue())
    undone_by: list[UUID] = column(default_factory=list, server_default=text("'{}'::uuid[]"))
    """Who said, after its release, that it did not arrive, not whole, or came back. They have no
    other part in it.
    """
    confirmed_on: date | None = None
    receipt: UUID | None = None
    reason: str | None = None
    float_id: UUID | None = column(foreign_key="cash_float.id", index=True)
    live: bool = column(
        computed=f"state IN ({', '.join(repr(state.value) for state in USE_GRANT)})",
        comment="whether it uses up its grant",
    )

    __table_args__ = (
        CheckConstraint("amount > 0 AND payout > 0 AND rate > 0", name="amounts"),
        CheckConstraint(
            "(payout_currency = currency) OR (rate_on IS NOT NULL AND rate_source IS NOT NULL)",
            name="rate",
        ),
        CheckConstraint(
            "state IN ('scheduled', 'failed') OR released_by IS NOT NULL", name="released"
        ),
        CheckConstraint("released_by IS NULL OR released_by <> scheduled_by", name="four_eyes"),
        CheckConstraint("released_by IS NULL OR papers_needed <@ papers_there", name="papers"),
        CheckConstraint(
            "state NOT IN ('confirmed', 'reversed', 'recovered') OR confirmed_on IS NOT NULL",
            name="when",
        ),
        CheckConstraint(
            "method <> 'cash' OR (as_cash AND (released_by IS NULL OR float_id IS NOT NULL))",
            name="cash_from_a_float",
        ),
        CheckConstraint("NOT (as_cash AND reimbursement)", name="reimbursement"),
        CheckConstraint(
            "ordered IS NULL OR (ordered > payout AND undone_by <> '{}')", name="ordered"
        ),
        CheckConstraint(
            "recovered BETWEEN 0 AND amount AND recovered_payout BETWEEN 0 AND payout "
            "AND (state = 'recovered') = (recovered = amount) "
            "AND (recovered = 0 OR state IN ('confirmed', 'recovered'))",
            name="recovered",
        ),
        CheckConstraint(
            "state <> 'failed' OR released_by IS NULL OR undone_by <> '{}'", name="undone"
        ),
        CheckConstraint(
            "NOT ARRAY[scheduled_by, released_by]"
            f" && array_remove(undone_by, '{SYSTEM_ACTOR}'::uuid)",
            name="undone_by_another",
        ),
        Index(
            "uq_payment_session",
            "session",
            unique=True,
            postgresql_where=text("state IN ('scheduled', 'released', 'confirmed')"),
        ),
        Index("ix_payment_updated_at", "updated_at"),
        Index("ix_payment_state", "state", "id"),
    )


class DeskReceipt(Base, table=True):
    """Pocket money that a desk handed over, and that no released cash was set aside for."""

    __tablename__ = "desk_receipt"

    assistance_id: UUID = column(primary_key=True)
    returnee_id: UUID | None = column(index=True)
    case_id: UUID | None = None
    amount: Decimal
    currency: str
    handed_on: date
    recorded_at: datetime = column(server_default=now())
