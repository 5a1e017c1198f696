"""Tables of grants. What must hold whatever the code does is a constraint here, or a trigger of the
migration.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    FetchedValue,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Numeric,
    UniqueConstraint,
    Uuid,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.db import now
from chassis.ids import new_id
from chassis.tables import READ_BACK, TYPES, ResourceColumns, new_metadata
from contracts.codes import actor_id

SYSTEM_ACTOR = actor_id("homeward", "service-grants")
"""Who acts where nobody does: a reaction to another service's event."""
MONEY = Numeric(18, 3)


class Base(DeclarativeBase):
    """Base of the tables of grants."""

    metadata = new_metadata()
    type_annotation_map: ClassVar = TYPES | {Decimal: MONEY, list[UUID]: ARRAY(Uuid)}
    __mapper_args__ = READ_BACK


class Resource(ResourceColumns, Base):
    """What a table has whose rows are resources."""

    __abstract__ = True


class Participant(Base):
    """A person in a case, as cases tells: what decides about packages and ceilings."""

    __tablename__ = "participant"

    case_id: Mapped[UUID] = mapped_column(primary_key=True)
    returnee_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    household_id: Mapped[UUID | None] = mapped_column(index=True)
    programme: Mapped[str]
    programme_version: Mapped[int]
    return_kind: Mapped[str]
    member: Mapped[str]
    implementer: Mapped[str]
    state: Mapped[str]
    arrived_on: Mapped[date | None]
    suspended_on: Mapped[date | None]
    """Since when the case rests, and its clocks stand."""
    rests: Mapped[list[Any]] = mapped_column(JSONB, default=list)
    """When it rested before: the first day, and the day on which it went on."""


class Arrival(Base):
    """An arrival as reception tells it, kept also while the case is not known yet."""

    __tablename__ = "arrival"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    returnee_id: Mapped[UUID] = mapped_column(index=True)
    case_id: Mapped[UUID | None]
    arrived_on: Mapped[date | None]


class AppliedPlan(Base):
    """The newest version of a case's plan that grants were made of, and its lines: whose each is
    and of what kind.
    """

    __tablename__ = "applied_plan"

    case_id: Mapped[UUID] = mapped_column(primary_key=True)
    plan_version: Mapped[int]
    lines: Mapped[dict[str, Any]]


class Budget(Resource):
    """Money of a programme that an organisation may grant from."""

    __tablename__ = "budget"

    programme: Mapped[str]
    organisation: Mapped[str]
    currency: Mapped[str]
    amount: Mapped[Decimal]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    low_at: Mapped[Decimal]
    low_told: Mapped[bool] = mapped_column(default=False)
    sources: Mapped[list[dict[str, Any]]]

    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("starts_on <= ends_on", name="period"),
        Index("ix_budget_programme", "programme", "organisation"),
    )


class BudgetAccount(Base):
    """The balance of one account of a budget, kept by a trigger on postings; none but `funds` is
    ever below zero.
    """

    __tablename__ = "budget_account"

    budget_id: Mapped[UUID] = mapped_column(ForeignKey("budget.id"), primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    balance: Mapped[Decimal]

    __table_args__ = (
        CheckConstraint(
            "account IN ('funds', 'available', 'reserved', 'committed', 'paid', 'recovered')",
            name="account_known",
        ),
        CheckConstraint("account = 'funds' OR balance >= 0", name="nothing_below_zero"),
    )


class JournalEntry(Base):
    """One movement of money, with who made it. Never changed, never deleted."""

    __tablename__ = "journal_entry"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    budget_id: Mapped[UUID] = mapped_column(ForeignKey("budget.id"))
    kind: Mapped[str]
    grant_id: Mapped[UUID | None] = mapped_column(index=True)
    payment_id: Mapped[UUID | None]
    actor: Mapped[UUID | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=now())

    __table_args__ = (
        Index(
            "uq_journal_entry_payment_id_kind",
            "payment_id",
            "kind",
            unique=True,
            postgresql_where=text("payment_id IS NOT NULL AND kind <> 'recover'"),
        ),
    )


class Posting(Base):
    """One side of an entry. The sides of an entry add up to nothing: a deferred constraint trigger
    holds that.
    """

    __tablename__ = "posting"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    entry_id: Mapped[UUID] = mapped_column(ForeignKey("journal_entry.id"), index=True)
    budget_id: Mapped[UUID]
    account: Mapped[str]
    amount: Mapped[Decimal]
    grant_id: Mapped[UUID | None] = mapped_column(index=True)

    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_posting_budget_id_id", "budget_id", "id"),
    )


class Grant(Resource):
    """Help for a person, or shared by several: what, how much, and how far it has come."""

    __tablename__ = "assistance_grant"

    case_id: Mapped[UUID] = mapped_column(index=True)
    returnee_id: Mapped[UUID | None] = mapped_column(index=True)
    household_id: Mapped[UUID | None] = mapped_column(index=True)
    programme: Mapped[str]
    programme_version: Mapped[int]
    implementer: Mapped[str]
    package: Mapped[str]
    kind: Mapped[str]
    housing: Mapped[str | None]
    description: Mapped[str | None]
    amount: Mapped[Decimal]
    counted: Mapped[Decimal]
    """What it counts against ceilings: its amount, and once it is closed what was paid."""
    currency: Mapped[str]
    budget_id: Mapped[UUID | None] = mapped_column(ForeignKey("budget.id"), index=True)
    state: Mapped[str]
    reason: Mapped[str | None]
    requester: Mapped[UUID]
    preparers: Mapped[list[UUID]]
    """Everybody who requested it, changed it or wrote the plan that it is of: none of them approves
    or releases it.
    """
    source: Mapped[str]
    plan_id: Mapped[UUID | None] = mapped_column(index=True)
    plan_line_id: Mapped[UUID | None]
    travel_id: Mapped[UUID | None]
    round: Mapped[int] = mapped_column(default=1)
    """Of approvals: an amendment begins another."""
    planned: Mapped[Decimal | None]
    """What the plan in force says, where it is another amount than the one that was approved
    already.
    """
    approvers_needed: Mapped[int]
    quotes_needed: Mapped[int]
    outside_window: Mapped[bool] = mapped_column(default=False)
    delivered_on: Mapped[date | None]
    unsettled: Mapped[list[dict[str, Any]]] = mapped_column(
        default=list, server_default=text("'[]'::jsonb")
    )
    """What attendance or work earned and no payment of it covers: a person decides."""
    parts: Mapped[list[dict[str, Any]]] = mapped_column(
        default=list, server_default=text("'[]'::jsonb")
    )
    """Of a joint grant, whose part it is: returnee, case, household, line of the plan, and `share`,
    a number. Each one's part counts against their own ceilings; `returnee_id` is then who stands
    for all.
    """

    __table_args__ = (
        CheckConstraint(
            "state IN ('requested', 'quoted', 'approved', 'ordered', 'delivered', 'closed', 'rejected', 'cancelled')",
            name="state_known",
        ),
        CheckConstraint("source IN ('hand', 'plan', 'travel')", name="source_known"),
        CheckConstraint("amount > 0 AND counted >= 0 AND counted <= amount", name="amount"),
        CheckConstraint("state = 'rejected' OR budget_id IS NOT NULL", name="from_a_budget"),
        CheckConstraint(
            "(state IN ('rejected', 'cancelled')) = (reason IS NOT NULL)", name="reason"
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


class Quote(Base):
    """What somebody offered to do it for."""

    __tablename__ = "quote"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    grant_id: Mapped[UUID] = mapped_column(ForeignKey("assistance_grant.id"), index=True)
    payee_id: Mapped[UUID]
    amount: Mapped[Decimal]
    document: Mapped[UUID]
    recorded_at: Mapped[datetime] = mapped_column(server_default=now())

    __table_args__ = (UniqueConstraint("grant_id", "payee_id"),)


class Approval(Base):
    """One person's yes. A trigger refuses the requester's own."""

    __tablename__ = "approval"

    grant_id: Mapped[UUID] = mapped_column(ForeignKey("assistance_grant.id"), primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    actor: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=now())


class Delivery(Base):
    """What was handed over, with the certificate that the returnee signed."""

    __tablename__ = "delivery"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    grant_id: Mapped[UUID] = mapped_column(ForeignKey("assistance_grant.id"), index=True)
    delivered_on: Mapped[date]
    certificate: Mapped[UUID]
    complete: Mapped[bool]
    recorded_at: Mapped[datetime] = mapped_column(server_default=now())


class CitedDocument(Base):
    """A document that something about a grant cites, and whether cases has it; see
    `services.grants.supporting_documents`.
    """

    __tablename__ = "cited_document"

    grant_id: Mapped[UUID] = mapped_column(ForeignKey("assistance_grant.id"), primary_key=True)
    document_id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(default="cited", server_default="cited")
    kind: Mapped[str | None]
    """What cases says that it is."""
    checked_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("state IN ('cited', 'found', 'unknown', 'taken')", name="state_known"),
        Index(
            "uq_cited_document_alone",
            "document_id",
            unique=True,
            postgresql_where=text("state = 'found' AND kind IN ('invoice', 'delivery')"),
        ),
    )


class Visit(Base):
    """That somebody saw a person on a day, as cases tells; instalments wait for it."""

    __tablename__ = "visit"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    case_id: Mapped[UUID]
    returnee_id: Mapped[UUID]
    visited_on: Mapped[date]

    __table_args__ = (Index("ix_visit_case_id_returnee_id", "case_id", "returnee_id"),)


class Payee(Resource):
    """Who is paid. Name and account are encrypted; a change waits for a second person."""

    __tablename__ = "payee"

    organisation: Mapped[str]
    kind: Mapped[str]
    returnee_id: Mapped[UUID | None] = mapped_column(index=True)
    state: Mapped[str]
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    pending: Mapped[bytes | None] = mapped_column(LargeBinary)
    details_version: Mapped[int] = mapped_column(default=0)
    proposed_by: Mapped[UUID | None]
    verified_by: Mapped[UUID | None]
    verified_at: Mapped[datetime | None] = mapped_column(server_onupdate=FetchedValue())

    __table_args__ = (
        CheckConstraint(
            "kind IN ('returnee', 'supplier', 'landlord', 'employer', 'provider')",
            name="kind_known",
        ),
        CheckConstraint(
            "state IN ('unverified', 'verified', 'changing', 'scrubbed')", name="state_known"
        ),
        CheckConstraint(
            "state <> 'verified' OR (sealed IS NOT NULL AND pending IS NULL)", name="verified"
        ),
        CheckConstraint(
            "verified_by IS NULL OR proposed_by IS NULL OR verified_by <> proposed_by",
            name="four_eyes",
        ),
        Index("ix_payee_organisation", "organisation", "id"),
    )


class CashFloat(Resource):
    """Cash at a desk: opened, drawn, handed in, and counted by another person."""

    __tablename__ = "cash_float"

    organisation: Mapped[str]
    port_of_entry: Mapped[str]
    currency: Mapped[str]
    amount: Mapped[Decimal]
    drawn: Mapped[Decimal] = mapped_column(default=Decimal(0))
    """What is set aside for released payments, or was handed over."""
    handed_in: Mapped[Decimal | None]
    counted: Mapped[Decimal | None]
    state: Mapped[str] = mapped_column(default="open")
    opened_by: Mapped[UUID]
    returned_by: Mapped[UUID | None]
    reconciled_by: Mapped[UUID | None]

    __table_args__ = (
        CheckConstraint("state IN ('open', 'returned', 'reconciled')", name="state_known"),
        CheckConstraint("amount > 0 AND drawn >= 0 AND drawn <= amount", name="drawn"),
        CheckConstraint("(state = 'open') = (handed_in IS NULL)", name="handed_in"),
        CheckConstraint(
            "reconciled_by IS NULL OR (reconciled_by <> opened_by AND reconciled_by <> returned_by)",
            name="four_eyes",
        ),
        Index("ix_cash_float_organisation", "organisation", "id"),
    )


class Payment(Resource):
    """Money on its way to somebody, against a grant."""

    __tablename__ = "payment"

    grant_id: Mapped[UUID] = mapped_column(ForeignKey("assistance_grant.id"), index=True)
    budget_id: Mapped[UUID] = mapped_column(ForeignKey("budget.id"))
    returnee_id: Mapped[UUID | None] = mapped_column(index=True)
    reference: Mapped[str] = mapped_column(unique=True)
    """What the bank repeats; nothing in it is about a person."""
    method: Mapped[str]
    payee_id: Mapped[UUID | None] = mapped_column(ForeignKey("payee.id"))
    instalment: Mapped[int] = mapped_column(default=1)
    session: Mapped[str | None]
    """What it was earned by, once: a session or a day that was attended, a month of work."""
    questioned: Mapped[str | None]
    """Why it is in question: what it was earned by was taken back after its release, or the bank
    paid otherwise.
    """
    as_cash: Mapped[bool] = mapped_column(server_default=false())
    """Whether it puts money into the returnee's own hands or account, which counts as cash however
    it gets there.
    """
    reimbursement: Mapped[bool] = mapped_column(server_default=false())
    """Whether it gives back what the returnee laid out for what was granted, as their papers show."""
    amount: Mapped[Decimal]
    currency: Mapped[str]
    payout: Mapped[Decimal]
    payout_currency: Mapped[str]
    ordered: Mapped[Decimal | None]
    """What was to be handed over, where less of it was: `amount` and `payout` are then what was
    received.
    """
    recovered: Mapped[Decimal] = mapped_column(default=Decimal(0), server_default=text("0"))
    """Of `amount`, what was recovered so far."""
    recovered_payout: Mapped[Decimal] = mapped_column(default=Decimal(0), server_default=text("0"))
    rate: Mapped[Decimal] = mapped_column(Numeric(18, 8))
    rate_on: Mapped[date | None]
    rate_source: Mapped[str | None]
    due_on: Mapped[date | None]
    state: Mapped[str]
    papers: Mapped[list[dict[str, Any]]]
    papers_there: Mapped[list[str]]
    papers_needed: Mapped[list[str]]
    scheduled_by: Mapped[UUID]
    released_by: Mapped[UUID | None]
    released_at: Mapped[datetime | None] = mapped_column(server_onupdate=FetchedValue())
    undone_by: Mapped[list[UUID]] = mapped_column(default=list, server_default=text("'{}'::uuid[]"))
    """Who said, after its release, that it did not arrive, not whole, or came back. They have no
    other part in it.
    """
    confirmed_on: Mapped[date | None]
    receipt: Mapped[UUID | None]
    reason: Mapped[str | None]
    float_id: Mapped[UUID | None] = mapped_column(ForeignKey("cash_float.id"), index=True)
    live: Mapped[bool] = mapped_column(
        Computed("state IN ('scheduled', 'released', 'confirmed', 'recovered')", persisted=True),
        comment="whether it uses up its grant",
    )

    __table_args__ = (
        CheckConstraint(
            "state IN ('scheduled', 'released', 'confirmed', 'failed', 'reversed', 'recovered')",
            name="state_known",
        ),
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
            f"NOT ARRAY[scheduled_by, released_by] && array_remove(undone_by, '{SYSTEM_ACTOR}'::uuid)",
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


class DeskReceipt(Base):
    """Pocket money that a desk handed over, and that answers to no cash which was released for it."""

    __tablename__ = "desk_receipt"

    assistance_id: Mapped[UUID] = mapped_column(primary_key=True)
    returnee_id: Mapped[UUID | None] = mapped_column(index=True)
    case_id: Mapped[UUID | None]
    amount: Mapped[Decimal]
    currency: Mapped[str]
    handed_on: Mapped[date]
    recorded_at: Mapped[datetime] = mapped_column(server_default=now())


class StatementFile(Resource):
    """A bank's statement of one account."""

    __tablename__ = "statement"

    organisation: Mapped[str]
    account: Mapped[str]
    year: Mapped[int]
    """Of its entries: numbers begin again each year."""
    number: Mapped[str]
    currency: Mapped[str]

    __table_args__ = (UniqueConstraint("organisation", "account", "year", "number"),)


class StatementLine(Base):
    """An entry of a statement, and what it turned out to be. The bank's free text is not kept."""

    __tablename__ = "statement_line"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    statement_id: Mapped[UUID] = mapped_column(ForeignKey("statement.id"))
    line: Mapped[int]
    key: Mapped[str]
    """The bank's own reference, or page and line: by it and what it says the same entry is known
    again.
    """
    booked_on: Mapped[date]
    direction: Mapped[str]
    amount: Mapped[Decimal]
    currency: Mapped[str]
    reference: Mapped[str]
    outcome: Mapped[str]
    why: Mapped[str | None]
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payment.id"))

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
