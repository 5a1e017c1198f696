"""The tables of cases. Invariants are constraints too: two requests at once do not meet in Python."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    FetchedValue,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.db import now
from chassis.ids import new_id
from chassis.tables import READ_BACK, TYPES, ResourceColumns, new_metadata


class Base(DeclarativeBase):
    """Base of the tables of cases."""

    metadata = new_metadata()
    type_annotation_map: ClassVar = TYPES
    __mapper_args__ = READ_BACK


class Resource(ResourceColumns, Base):
    """What a table has whose rows are resources."""

    __abstract__ = True


class Referral(Resource):
    """What a host-country service submitted, kept as it was sent, and what was decided."""

    __tablename__ = "referral"

    state: Mapped[str]
    external_reference: Mapped[str]
    """The submitter's own number for it."""
    sender: Mapped[str]
    submitter: Mapped[str]
    """Who sent it: the sender itself, or after the return the partner that asks for its word."""
    retroactive: Mapped[bool] = mapped_column(server_default=text("false"))
    arrived_on: Mapped[date | None]
    """Of a retroactive referral: the day on which they had returned."""
    revision: Mapped[int] = mapped_column(default=1)
    supersedes: Mapped[UUID | None] = mapped_column(ForeignKey("referral.id"), unique=True)
    programme: Mapped[str]
    programme_version: Mapped[int]
    return_kind: Mapped[str]
    country_of_return: Mapped[str]
    requested_partner: Mapped[str | None]
    decider: Mapped[str]
    """Whose turn it is: the partner's, or the programme office's."""
    implementer: Mapped[str | None]
    needs_priority: Mapped[str]
    content: Mapped[dict[str, Any]]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    """SHA-256 of the content first sent, by which the same submission is recognised."""
    question: Mapped[str | None]
    rejection_reason: Mapped[str | None]
    comment: Mapped[str | None]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("submitter", "external_reference", "revision"),
        CheckConstraint(
            "state IN ('submitted', 'information_requested', 'accepted', 'rejected', 'expired', 'withdrawn')",
            name="state_known",
        ),
        CheckConstraint(
            "decider IN ('partner', 'programme_office', 'referrer')", name="decider_known"
        ),
        CheckConstraint(
            "retroactive = (arrived_on IS NOT NULL)", name="retroactive_after_an_arrival"
        ),
        CheckConstraint(
            "state <> 'accepted' OR implementer IS NOT NULL", name="accepted_by_somebody"
        ),
        CheckConstraint(
            "state <> 'rejected' OR rejection_reason IS NOT NULL", name="rejected_for_a_reason"
        ),
        Index("ix_referral_external_reference", "external_reference"),
        Index("ix_referral_state", "state", "id"),
        Index("ix_referral_updated_at", "updated_at"),
    )


class Returnee(Resource):
    """A person: names as written, in every script given. What they are found by is made from them
    and never shown.
    """

    __tablename__ = "returnee"

    names: Mapped[list[dict[str, Any]]]
    sex: Mapped[str]
    birth_date: Mapped[date | None]
    birth_precision: Mapped[str]
    nationality: Mapped[str]
    documents: Mapped[list[dict[str, Any]]]
    languages: Mapped[list[str]]
    contacts: Mapped[list[dict[str, Any]]]
    identifiers: Mapped[list[dict[str, Any]]]
    terms: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    """What they are looked up by; see `returnees.lookup`."""
    known_to: Mapped[list[str]] = mapped_column(server_default=text("'{}'"), deferred=True)
    """Organisations that take part or once did, kept by the database: where to look for them, not
    who may.
    """
    keys: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    """Where possible duplicates are looked for; see `returnees.matching`."""
    found_by: Mapped[int] = mapped_column(server_default=text("0"))
    """By which rules the two were made; what others made is made again by a job."""
    erased_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("birth_date <> DATE '1900-01-01'", name="birth_date_is_no_sentinel"),
        CheckConstraint(
            "(erased_at IS NULL) = (birth_date IS NOT NULL)", name="born_unless_erased"
        ),
        Index("ix_returnee_keys", "keys", postgresql_using="gin"),
        CheckConstraint(
            "birth_precision IN ('day', 'month', 'year', 'estimated')", name="birth_precision_known"
        ),
        # Each search would read what is pending of a fast update.
        Index(
            "ix_returnee_terms",
            "terms",
            "known_to",
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        ),
        Index("ix_returnee_found_by", "found_by"),
    )


class NameWord(Base):
    """A word that names are made of, by which its other spellings are known; it says of nobody that
    they bear it.
    """

    __tablename__ = "name_word"

    word: Mapped[str] = mapped_column(primary_key=True)
    keys: Mapped[list[str]]

    __table_args__ = (
        Index(
            "ix_name_word_keys",
            "keys",
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        ),
    )


class Household(Resource):
    """People who return, or live, together."""

    __tablename__ = "household"


class HouseholdMember(Base):
    """A person's time in a household."""

    __tablename__ = "household_member"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    household_id: Mapped[UUID] = mapped_column(ForeignKey("household.id"), index=True)
    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"), index=True)
    relationship: Mapped[str]
    member: Mapped[str]
    since: Mapped[datetime] = mapped_column(server_default=now())
    until: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("member IN ('principal', 'adult', 'child')", name="member_known"),
        Index(
            "uq_household_member_now",
            "returnee_id",
            unique=True,
            postgresql_where=text("until IS NULL"),
        ),
    )


class ReferralPerson(Base):
    """A person of a referral by their place in it, and who they turned out to be."""

    __tablename__ = "referral_person"

    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referral.id"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    returnee_id: Mapped[UUID | None] = mapped_column(ForeignKey("returnee.id"), index=True)

    __table_args__ = (UniqueConstraint("referral_id", "returnee_id"),)


class CaseFile(Resource):
    """One return of a household, followed from acceptance to closure."""

    __tablename__ = "case_file"

    state: Mapped[str]
    state_before: Mapped[str | None]
    """Where a closed case goes back to when it is reopened."""
    suspended_from: Mapped[str | None]
    """Where a suspended case goes on when it is resumed."""
    suspended_on: Mapped[date | None]
    """The day, in the country of return, on which its clocks stopped."""
    suspension_reason: Mapped[str | None]
    suspension_comment: Mapped[str | None]
    split_from: Mapped[UUID | None] = mapped_column(ForeignKey("case_file.id"), index=True)
    """The case that these people were in before their household split, or their family's where they
    have their own.
    """
    programme: Mapped[str]
    programme_version: Mapped[int]
    programme_office: Mapped[str]
    return_kind: Mapped[str]
    country_of_return: Mapped[str]
    referral_id: Mapped[UUID | None] = mapped_column(ForeignKey("referral.id"), index=True)
    household_id: Mapped[UUID] = mapped_column(ForeignKey("household.id"), index=True)
    referrer: Mapped[str | None]
    implementer: Mapped[str]
    office: Mapped[str | None]
    """The implementing organisation's own office."""
    focal_point: Mapped[str | None]
    """User id in the implementing organisation."""
    focal_points: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    """Who is or was it, as `<organisation>:<user id>`: none of them gives themselves more time."""
    governorate: Mapped[str]
    district: Mapped[str]
    address: Mapped[str]
    needs_priority: Mapped[str]
    arrived_on: Mapped[date | None]
    closure_reason: Mapped[str | None]
    closure_comment: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(
            "state IN ('pre_departure', 'arrived', 'in_delivery', 'monitoring', 'suspended', 'closed')",
            name="state_known",
        ),
        CheckConstraint(
            "(state = 'closed') = (closure_reason IS NOT NULL)", name="closed_for_a_reason"
        ),
        CheckConstraint(
            "state <> 'suspended' OR (suspended_from IS NOT NULL AND suspended_on IS NOT NULL)",
            name="suspended_from_somewhere",
        ),
        Index(
            "uq_case_file_opened",
            "referral_id",
            unique=True,
            postgresql_where=text("split_from IS NULL"),
        ),
        Index("ix_case_file_focal_point", "implementer", "focal_point"),
        Index("ix_case_file_state", "state", "id"),
        Index("ix_case_file_updated_at", "updated_at"),
    )


class CaseMember(Base):
    """A person of a case, and what is known of their arrival."""

    __tablename__ = "case_member"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("case_file.id"), primary_key=True)
    returnee_id: Mapped[UUID] = mapped_column(
        ForeignKey("returnee.id"), primary_key=True, index=True
    )
    member: Mapped[str]
    arrival_id: Mapped[UUID | None]
    arrival_state: Mapped[str | None]
    """As reception last said; None while nothing was heard."""
    arrived_on: Mapped[date | None]
    left_on: Mapped[date | None]
    """When they left the household for good, or died; what was done for them stays in the case."""

    __table_args__ = (
        CheckConstraint("member IN ('principal', 'adult', 'child')", name="member_known"),
    )


class Journey(Resource):
    """A journey of one or several persons of a referral. Its `revision` counts what the host
    country changed.
    """

    __tablename__ = "journey"

    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referral.id"), index=True)
    state: Mapped[str]
    revision: Mapped[int] = mapped_column(default=1)
    legs: Mapped[list[dict[str, Any]]]
    escorted: Mapped[bool]
    departed_on: Mapped[date | None]
    queried_at: Mapped[datetime | None]
    """When the partner asked whether they have left."""

    __table_args__ = (
        CheckConstraint(
            "state IN ('planned', 'confirmed', 'departed', 'not_departed', 'cancelled')",
            name="state_known",
        ),
        CheckConstraint(
            "(state = 'departed') = (departed_on IS NOT NULL)", name="departed_on_a_day"
        ),
    )


class JourneyPerson(Base):
    """A person of a journey, by their place in the referral."""

    __tablename__ = "journey_person"

    journey_id: Mapped[UUID] = mapped_column(ForeignKey("journey.id"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Plan(Resource):
    """One version of a case's reintegration plan."""

    __tablename__ = "plan"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("case_file.id"))
    plan_version: Mapped[int]
    state: Mapped[str]
    preparers: Mapped[list[str]]
    """Every person who edited or submitted this version; none of them approves it."""
    submitted_by: Mapped[str | None]
    approved_by: Mapped[str | None]
    agreed_on: Mapped[date | None]
    agreed_language: Mapped[str | None]
    agreed_document: Mapped[UUID | None]
    return_reason: Mapped[str | None]
    return_comment: Mapped[str | None]
    amend_comment: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("case_id", "plan_version"),
        CheckConstraint(
            "state IN ('draft', 'submitted', 'approved', 'returned', 'superseded')",
            name="state_known",
        ),
        CheckConstraint("approved_by IS NULL OR approved_by <> ALL (preparers)", name="four_eyes"),
        Index(
            "uq_plan_open",
            "case_id",
            unique=True,
            postgresql_where=text("state IN ('draft', 'submitted', 'returned')"),
        ),
    )


class PlanLine(Base):
    """What is planned for whom, and what it may cost."""

    __tablename__ = "plan_line"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"), index=True)
    line_id: Mapped[UUID]
    """The same in every version of the plan that has the line."""
    position: Mapped[int]
    kind: Mapped[str]
    housing: Mapped[str | None]
    beneficiary: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"))
    description: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(Numeric(18, 3))
    currency: Mapped[str]
    provider: Mapped[str | None]
    course_id: Mapped[UUID | None]
    """Training's, chosen when the plan was made."""
    cohort_id: Mapped[UUID | None]
    level: Mapped[str]
    feasibility: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'"))
    """What was found when it was asked whether this can work."""

    __table_args__ = (
        UniqueConstraint("plan_id", "position"),
        UniqueConstraint("plan_id", "line_id"),
        Index("ix_plan_line_line_id", "line_id"),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
    )


class Deadline(Resource):
    """By when something must be done, with the rule that says so and where that rule is published."""

    __tablename__ = "deadline"

    kind: Mapped[str]
    state: Mapped[str]
    due_at: Mapped[datetime]
    programme: Mapped[str]
    referral_id: Mapped[UUID | None] = mapped_column(ForeignKey("referral.id"))
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("case_file.id"))
    visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("visit.id"), unique=True)
    rule: Mapped[dict[str, Any]]
    shifted_days: Mapped[int] = mapped_column(server_default=text("0"))
    """Days by which it is later than the rule says: extensions, and time in which the clocks stood."""
    paused_on: Mapped[date | None]
    """The first day on which its clock stood when it was last paused."""
    decision_reason: Mapped[str | None]
    """Why it was last extended or waived."""
    decision_comment: Mapped[str | None]
    decided_by: Mapped[str | None]

    __table_args__ = (
        Index(
            "uq_deadline_case_kind",
            "case_id",
            "kind",
            unique=True,
            postgresql_where=text("visit_id IS NULL"),
        ),
        UniqueConstraint("referral_id", "kind"),
        CheckConstraint(
            "state IN ('open', 'paused', 'met', 'missed', 'waived', 'cancelled')",
            name="state_known",
        ),
        CheckConstraint("(case_id IS NULL) <> (referral_id IS NULL)", name="about_one_thing"),
        Index("ix_deadline_due_at", "due_at", "id"),
    )


class PlanLineStatus(Base):
    """How far a line has come, the same for every version of the plan that has it."""

    __tablename__ = "plan_line_status"

    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("case_file.id"), index=True)
    status: Mapped[str]
    delivered_at: Mapped[datetime | None]
    """When who delivers it said that it was."""
    undone_at: Mapped[datetime | None]
    """When they said that what they had delivered does not hold; none once it does."""
    updated_at: Mapped[datetime] = mapped_column(
        server_default=now(), server_onupdate=FetchedValue()
    )

    __table_args__ = (
        CheckConstraint(
            "(status = 'delivered') = (delivered_at IS NOT NULL)", name="delivered_at_a_time"
        ),
        CheckConstraint(
            "undone_at IS NULL OR status = 'in_delivery'", name="undone_is_not_delivered"
        ),
        CheckConstraint(
            "status IN ('planned', 'requested', 'granted', 'in_delivery', 'delivered', 'cancelled')",
            name="status_known",
        ),
    )


class CaseTransfer(Resource):
    """The offer of a case to another implementing organisation."""

    __tablename__ = "case_transfer"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("case_file.id"))
    state: Mapped[str]
    offered_by: Mapped[str]
    """The organisation that offers."""
    previous_implementer: Mapped[str]
    offered_to: Mapped[str]
    reason: Mapped[str]
    comment: Mapped[str | None]
    answer_comment: Mapped[str | None]
    answered_by: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(
            "state IN ('offered', 'accepted', 'declined', 'withdrawn')", name="state_known"
        ),
        CheckConstraint("offered_to <> previous_implementer", name="to_another"),
        Index(
            "uq_case_transfer_open",
            "case_id",
            unique=True,
            postgresql_where=text("state = 'offered'"),
        ),
        Index("ix_case_transfer_offered_to", "offered_to", "state", "id"),
    )


class Screening(Resource):
    """What was found when somebody was screened, before departure or after."""

    __tablename__ = "screening"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("case_file.id"), index=True)
    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"), index=True)
    phase: Mapped[str]
    screened_on: Mapped[date]
    needs_priority: Mapped[str]
    follow_up: Mapped[list[str]]
    organisation: Mapped[str]
    screened_by: Mapped[str | None]
    clock_suspect: Mapped[bool] = mapped_column(server_default=text("false"))

    __table_args__ = (
        CheckConstraint("phase IN ('pre_departure', 'post_arrival')", name="phase_known"),
        CheckConstraint("needs_priority IN ('routine', 'raised', 'urgent')", name="priority_known"),
    )


class Flag(Base):
    """One finding about a vulnerability. A later one of the same kind is its next status; none is
    ever changed.
    """

    __tablename__ = "vulnerability_flag"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    screening_id: Mapped[UUID] = mapped_column(ForeignKey("screening.id"), index=True)
    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"), index=True)
    kind: Mapped[str]
    status: Mapped[str]
    source: Mapped[str]
    reason: Mapped[str]
    readers: Mapped[list[str]]
    """Organisations that may read it; nobody named means all that work on the case."""
    recorded_at: Mapped[datetime] = mapped_column(server_default=now())

    __table_args__ = (
        UniqueConstraint("screening_id", "kind"),
        CheckConstraint("status IN ('suspected', 'confirmed', 'resolved')", name="status_known"),
    )


class CounsellingSession(Resource):
    """Counselling that was given."""

    __tablename__ = "counselling_session"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("case_file.id"), index=True)
    phase: Mapped[str]
    method: Mapped[str]
    topics: Mapped[list[str]]
    language: Mapped[str]
    interpreter: Mapped[bool]
    attended: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    notes: Mapped[str | None]
    organisation: Mapped[str]
    held_by: Mapped[str | None]
    occurred_at: Mapped[datetime]
    clock_suspect: Mapped[bool]

    __table_args__ = (
        CheckConstraint("phase IN ('pre_departure', 'post_arrival')", name="phase_known"),
    )


class ContactAttempt(Resource):
    """Somebody tried to reach a person of a case."""

    __tablename__ = "contact_attempt"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("case_file.id"), index=True)
    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"))
    method: Mapped[str]
    outcome: Mapped[str]
    notes: Mapped[str | None]
    organisation: Mapped[str]
    tried_by: Mapped[str | None]
    occurred_at: Mapped[datetime]
    clock_suspect: Mapped[bool]


class Visit(Resource):
    """A monitoring visit that is due, or was paid."""

    __tablename__ = "visit"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("case_file.id"), index=True)
    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"))
    line_id: Mapped[UUID | None]
    cooperative_id: Mapped[UUID | None]
    cause: Mapped[str]
    """The kind of deadline that it is due by."""
    cause_id: Mapped[UUID | None] = mapped_column(unique=True)
    """The delivery or payment that it follows; once."""
    state: Mapped[str]
    due_on: Mapped[date]
    method: Mapped[str | None]
    occurred_at: Mapped[datetime | None]
    clock_suspect: Mapped[bool] = mapped_column(server_default=text("false"))
    finding: Mapped[dict[str, Any] | None]
    document_id: Mapped[UUID | None]
    visited_by: Mapped[str | None]
    organisation: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("state IN ('scheduled', 'recorded', 'cancelled')", name="state_known"),
        CheckConstraint(
            "(state = 'recorded') = (finding IS NOT NULL)", name="recorded_with_a_finding"
        ),
        Index("ix_visit_due_on", "state", "due_on"),
    )


class VisitAttempt(Base):
    """A visit at which nobody was reached."""

    __tablename__ = "visit_attempt"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    visit_id: Mapped[UUID] = mapped_column(ForeignKey("visit.id"), index=True)
    method: Mapped[str]
    outcome: Mapped[str]
    occurred_at: Mapped[datetime]
    clock_suspect: Mapped[bool]
    tried_by: Mapped[str | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=now())


class Survey(Resource):
    """Answers to an instrument, kept as they were given, and what that version of it makes of them."""

    __tablename__ = "survey"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("case_file.id"), index=True)
    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"))
    instrument: Mapped[str]
    instrument_version: Mapped[int]
    round: Mapped[str]
    taken_on: Mapped[date]
    method: Mapped[str]
    language: Mapped[str]
    answers: Mapped[dict[str, Any]]
    scores: Mapped[dict[str, Any]]
    organisation: Mapped[str]
    taken_by: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("case_id", "returnee_id", "instrument", "round"),
        Index("ix_survey_returnee_id", "returnee_id", "instrument", "taken_on"),
    )


class ServiceReferral(Resource):
    """A person sent to a service outside the programme, and whether they received it."""

    __tablename__ = "service_referral"

    case_id: Mapped[UUID] = mapped_column(ForeignKey("case_file.id"), index=True)
    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"), index=True)
    state: Mapped[str]
    kind: Mapped[str]
    provider: Mapped[str]
    purpose: Mapped[str]
    consent_document: Mapped[UUID | None]
    document_id: Mapped[UUID | None]
    reason: Mapped[str | None]
    comment: Mapped[str | None]
    organisation: Mapped[str]
    sent_by: Mapped[str | None]
    occurred_at: Mapped[datetime]
    clock_suspect: Mapped[bool]

    __table_args__ = (
        CheckConstraint(
            "state IN ('sent', 'accepted', 'received', 'not_received')", name="state_known"
        ),
        CheckConstraint(
            "(state = 'not_received') = (reason IS NOT NULL)", name="not_received_for_a_reason"
        ),
        Index("ix_service_referral_updated_at", "updated_at"),
    )


class StoredDocument(Resource):
    """What is known of an uploaded file; its bytes are in the object store, encrypted."""

    __tablename__ = "document"

    kind: Mapped[str]
    returnee_id: Mapped[UUID | None] = mapped_column(ForeignKey("returnee.id"), index=True)
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("case_file.id"), index=True)
    referral_id: Mapped[UUID | None] = mapped_column(ForeignKey("referral.id"), index=True)
    media_type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    scan: Mapped[str]
    keep_until: Mapped[date]
    organisation: Mapped[str]
    uploaded_by: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(returnee_id, case_id, referral_id) = 1", name="about_one_thing"
        ),
        CheckConstraint("scan IN ('not_scanned', 'clean')", name="scan_known"),
        CheckConstraint("size > 0", name="not_empty"),
    )


class ReferralMessage(Base):
    """What counsellor and partner write to one another about a referral. Never changed."""

    __tablename__ = "referral_message"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referral.id"), index=True)
    organisation: Mapped[str]
    written_by: Mapped[str | None]
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=now())


class ReferralBatch(Resource):
    """Referrals that were sent together and are taken one after another."""

    __tablename__ = "referral_batch"

    state: Mapped[str]
    organisation: Mapped[str]
    caller: Mapped[dict[str, Any]]
    """On whose behalf the referrals are taken."""
    media_type: Mapped[str]
    total: Mapped[int]
    done: Mapped[int]
    submitted: Mapped[int]
    replayed: Mapped[int]
    refused: Mapped[int]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'running', 'done')", name="state_known"),
        CheckConstraint("done = submitted + replayed + refused AND done <= total", name="adds_up"),
        Index("ix_referral_batch_organisation", "organisation", "id"),
    )


class BatchItem(Base):
    """One referral of a batch. What was sent is kept until it was taken, and no longer."""

    __tablename__ = "referral_batch_item"

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("referral_batch.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    rows: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    external_reference: Mapped[str | None]
    content: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    outcome: Mapped[str | None]
    referral_id: Mapped[UUID | None]
    candidates: Mapped[int | None]
    """How many people known here one of its persons may be."""
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))

    __table_args__ = (
        CheckConstraint("outcome IN ('submitted', 'replayed', 'refused')", name="outcome_known"),
        CheckConstraint("outcome IS NULL OR content IS NULL", name="content_not_kept"),
    )


class Share(Resource):
    """That an organisation may know of a returnee, for a purpose and a time."""

    __tablename__ = "share"

    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"), index=True)
    organisation: Mapped[str]
    purpose: Mapped[str]
    legal_basis: Mapped[str]
    categories: Mapped[list[str]]
    until: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    shared_by: Mapped[str]

    __table_args__ = (
        Index(
            "uq_share_now",
            "returnee_id",
            "organisation",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )


class AccessRequest(Resource):
    """That an organisation asks to know of somebody who may be a person of its own."""

    __tablename__ = "access_request"

    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"), index=True)
    because_of: Mapped[UUID]
    """A returnee, or a referral that is still to be decided on."""
    state: Mapped[str]
    organisation: Mapped[str]
    reason: Mapped[str]
    requested_by: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("returnee_id", "organisation", "because_of"),
        CheckConstraint("state IN ('requested', 'shared')", name="state_known"),
    )


class PersonConsent(Resource):
    """What a person agreed to, or on what other ground their data are processed, and until when
    that held.
    """

    __tablename__ = "consent"

    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"), index=True)
    purpose: Mapped[str]
    consent_version: Mapped[str]
    given_on: Mapped[date]
    legal_basis: Mapped[str]
    withdrawn_on: Mapped[date | None]
    document_id: Mapped[UUID | None]

    __table_args__ = (
        CheckConstraint("withdrawn_on >= given_on", name="withdrawn_afterwards"),
        Index(
            "uq_consent_now",
            "returnee_id",
            "purpose",
            unique=True,
            postgresql_where=text("withdrawn_on IS NULL"),
        ),
    )


class Restriction(Resource):
    """That an organisation that took part in somebody's return may know of them no more."""

    __tablename__ = "restriction"

    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"), index=True)
    organisation: Mapped[str]
    reason: Mapped[str]
    roles: Mapped[list[str]]
    """In what capacities it took part; they are given back when the restriction is lifted."""
    lifted_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_restriction_now",
            "returnee_id",
            "organisation",
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )


class LegalHold(Resource):
    """That somebody's data must be kept: nothing is erased while one stands."""

    __tablename__ = "legal_hold"

    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"), index=True)
    reason: Mapped[str]
    comment: Mapped[str]
    organisation: Mapped[str]
    placed_by: Mapped[str]
    released_at: Mapped[datetime | None]
    released_by: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(
            "(released_at IS NULL) = (released_by IS NULL)", name="released_by_somebody"
        ),
    )


class Erasure(Base):
    """Proof that somebody was erased, without who they were."""

    __tablename__ = "erasure"

    returnee_id: Mapped[UUID] = mapped_column(ForeignKey("returnee.id"), primary_key=True)
    erased_at: Mapped[datetime] = mapped_column(server_default=now())
    reason: Mapped[str]
    organisation: Mapped[str]
    decided_by: Mapped[str]
    scrubbed: Mapped[dict[str, Any]]
    """How many entries of what kind."""
