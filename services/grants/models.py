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
    FetchedValue,
    Identity,
    Index,
    Numeric,
    UniqueConstraint,
    Uuid,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import registry

from chassis.db import now
from chassis.ids import new_id
from chassis.tables import READ_BACK, ResourceColumns, Table, column, new_metadata
from contracts.codes import actor_id

SYSTEM_ACTOR = actor_id("homeward", "service-grants")
"""Who acts where nobody does: a reaction to another service's event."""
MONEY = Numeric(18, 3)


class Base(Table, registry=registry(metadata=new_metadata())):
    """Base of the tables of grants."""

    column_types: ClassVar = {Decimal: MONEY, list[UUID]: ARRAY(Uuid)}
    __mapper_args__ = READ_BACK


class Resource(ResourceColumns, Base):
    """What a table has whose rows are resources."""


class Participant(Base, table=True):
    """A person in a case, as cases tells: what decides about packages and ceilings."""

    __tablename__ = "participant"

    case_id: UUID = column(primary_key=True)
    returnee_id: UUID = column(primary_key=True, index=True)
    household_id: UUID | None = column(index=True)
    programme: str
    programme_version: int
    return_kind: str
    member: str
    implementer: str
    state: str
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
    account: str = column(primary_key=True)
    balance: Decimal

    __table_args__ = (
        CheckConstraint(
            "account IN ('funds', 'available', 'reserved', 'committed', 'paid', 'recovered')",
            name="account_known",
        ),
        CheckConstraint("account = 'funds' OR balance >= 0", name="nothing_below_zero"),
    )


class JournalEntry(Base, table=True):
    """One movement of money, with who made it. Never changed, never deleted."""

    __tablename__ = "journal_entry"

    id: UUID = column(primary_key=True, default_factory=new_id)
    budget_id: UUID = column(foreign_key="budget.id")
    kind: str
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
    account: str
    amount: Decimal
    grant_id: UUID | None = column(index=True)

    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_posting_budget_id_id", "budget_id", "id"),
    )


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
    kind: str
    housing: str | None = None
    description: str | None = None
    amount: Decimal
    counted: Decimal
    """What it counts against ceilings: its amount, and once it is closed what was paid."""
    currency: str
    budget_id: UUID | None = column(foreign_key="budget.id", index=True)
    state: str
    reason: str | None = None
    requester: UUID
    preparers: list[UUID]
    """Everybody who requested it, changed it or wrote the plan that it is of: none of them approves
    or releases it.
    """
    source: str
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
    state: str = column(default="cited", server_default="cited")
    kind: str | None = None
    """What cases says that it is."""
    checked_at: datetime | None = None

    __table_args__ = (
        CheckConstraint("state IN ('cited', 'found', 'unknown', 'taken')", name="state_known"),
        Index(
            "uq_cited_document_alone",
            "document_id",
            unique=True,
            postgresql_where=text("state = 'found' AND kind IN ('invoice', 'delivery')"),
        ),
    )


class Visit(Base, table=True):
    """That somebody saw a person on a day, as cases tells; instalments wait for it."""

    __tablename__ = "visit"

    id: UUID = column(primary_key=True)
    case_id: UUID
    returnee_id: UUID
    visited_on: date

    __table_args__ = (Index("ix_visit_case_id_returnee_id", "case_id", "returnee_id"),)


class Payee(Resource, table=True):
    """Who is paid. Name and account are encrypted; a change waits for a second person."""

    __tablename__ = "payee"

    organisation: str
    kind: str
    returnee_id: UUID | None = column(index=True)
    state: str
    sealed: bytes | None = None
    pending: bytes | None = None
    details_version: int = column(default=0)
    proposed_by: UUID | None = None
    verified_by: UUID | None = None
    verified_at: datetime | None = column(server_onupdate=FetchedValue())

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
    state: str = column(default="open")
    opened_by: UUID
    returned_by: UUID | None = None
    reconciled_by: UUID | None = None

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


class Payment(Resource, table=True):
    """Money on its way to somebody, against a grant."""

    __tablename__ = "payment"

    grant_id: UUID = column(foreign_key="assistance_grant.id", index=True)
    budget_id: UUID = column(foreign_key="budget.id")
    returnee_id: UUID | None = column(index=True)
    reference: str = column(unique=True)
    """What the bank repeats; nothing in it is about a person."""
    method: str
    payee_id: UUID | None = column(foreign_key="payee.id")
    instalment: int = column(default=1)
    session: str | None = None
    """What it was earned by, once: a session or a day that was attended, a month of work."""
    questioned: str | None = None
    """Why it is in question: what it was earned by was taken back after its release, or the bank
    paid otherwise.
    """
    as_cash: bool = column(server_default=false())
    """Whether it puts money into the returnee's own hands or account, which counts as cash however
    it gets there.
    """
    reimbursement: bool = column(server_default=false())
    """Whether it gives back what the returnee laid out for what was granted, as their papers show."""
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
    state: str
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
        computed="state IN ('scheduled', 'released', 'confirmed', 'recovered')",
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


class DeskReceipt(Base, table=True):
    """Pocket money that a desk handed over, and that answers to no cash which was released for it."""

    __tablename__ = "desk_receipt"

    assistance_id: UUID = column(primary_key=True)
    returnee_id: UUID | None = column(index=True)
    case_id: UUID | None = None
    amount: Decimal
    currency: str
    handed_on: date
    recorded_at: datetime = column(server_default=now())


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
