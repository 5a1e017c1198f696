"""The tables of cases. Invariants are constraints too: two requests at once do not meet in
Python.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    FetchedValue,
    Index,
    Integer,
    Numeric,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import registry

from chassis.db import now
from chassis.ids import new_id
from chassis.tables import READ_BACK, ResourceColumns, Table, column, new_metadata
from contracts.codes import (
    ArrivalState,
    CaseState,
    ClosureReason,
    ConsentPurpose,
    ContactMethod,
    DeadlineKind,
    DocumentKind,
    HelpKind,
    LegalBasis,
    Member,
    NeedsPriority,
    Phase,
    RejectionReason,
    ReturnKind,
    ServiceKind,
    SharingPurpose,
    SurveyRound,
)
from contracts.programmes import Decider
from services.cases.codes import (
    BatchOutcome,
    DecisionReason,
    ErasureReason,
    FlagSource,
    FlagStatus,
    HoldReason,
    Housing,
    Level,
    NotReceivedReason,
    Outcome,
    Precision,
    RestrictionReason,
    ReturnReason,
    Scan,
    Sex,
    SuspensionReason,
    TransferReason,
)
from services.cases.states.casework import DeadlineState, LineStatus, PlanState, TransferState
from services.cases.states.follow_up import ServiceReferralState, VisitCancellation, VisitState
from services.cases.states.intake import BatchState, JourneyState, ReferralState
from services.cases.states.people import AccessRequestState


class Base(Table, registry=registry(metadata=new_metadata())):
    """Base of the tables of cases."""

    __mapper_args__ = READ_BACK


class Resource(ResourceColumns, Base):
    """What a table has whose rows are resources."""


class Referral(Resource, table=True):
    """What a host-country service submitted, kept as it was sent, and what was decided."""

    __tablename__ = "referral"

    state: ReferralState
    external_reference: str
    """The submitter's own number for it."""
    sender: str
    submitter: str
    """Who sent it: the sender itself, or after the return the partner that asks for its word."""
    retroactive: bool = column(server_default=text("false"))
    arrived_on: date | None = None
    """Of a retroactive referral: the day on which they had returned."""
    revision: int = column(default=1)
    supersedes: UUID | None = column(foreign_key="referral.id", unique=True)
    programme: str
    programme_version: int
    return_kind: ReturnKind
    country_of_return: str
    requested_partner: str | None = None
    decider: Decider
    """Whose turn it is: the partner's, or the programme office's."""
    implementer: str | None = None
    needs_priority: NeedsPriority
    content: dict[str, Any]
    digest: bytes
    """SHA-256 of the content first sent, by which the same submission is recognised."""
    question: str | None = None
    rejection_reason: RejectionReason | None = None
    comment: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None

    __table_args__ = (
        UniqueConstraint("submitter", "external_reference", "revision"),
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


class Returnee(Resource, table=True):
    """A person: names as written, in every script given. What they are found by is made from them
    and never shown.
    """

    __tablename__ = "returnee"

    names: list[dict[str, Any]]
    sex: Sex
    birth_date: date | None = None
    birth_precision: Precision
    nationality: str
    documents: list[dict[str, Any]]
    languages: list[str]
    contacts: list[dict[str, Any]]
    identifiers: list[dict[str, Any]]
    terms: list[str] = column(server_default=text("'{}'"))
    """What they are looked up by; see `returnees.lookup`."""
    known_to: list[str] = column(server_default=text("'{}'"))
    """Organisations that take part or once did, kept by the database: where to look for them, not
    who may.
    """
    keys: list[str] = column(server_default=text("'{}'"))
    """Where possible duplicates are looked for; see `returnees.matching`."""
    found_by: int = column(server_default=text("0"))
    """By which rules the two were made; what others made is made again by a job."""
    erased_at: datetime | None = None

    __table_args__ = (
        CheckConstraint("birth_date <> DATE '1900-01-01'", name="birth_date_is_no_sentinel"),
        CheckConstraint(
            "(erased_at IS NULL) = (birth_date IS NOT NULL)", name="born_unless_erased"
        ),
        Index("ix_returnee_keys", "keys", postgresql_using="gin"),
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


class NameWord(Base, table=True):
    """A word that names are made of, by which its other spellings are known; it says of nobody that
    they bear it.
    """

    __tablename__ = "name_word"

    word: str = column(primary_key=True)
    keys: list[str]

    __table_args__ = (
        Index(
            "ix_name_word_keys",
            "keys",
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        ),
    )


class Household(Resource, table=True):
    """People who return, or live, together."""

    __tablename__ = "household"


class HouseholdMember(Base, table=True):
    """A person's time in a household."""

    __tablename__ = "household_member"

    id: UUID = column(primary_key=True, default_factory=new_id)
    household_id: UUID = column(foreign_key="household.id", index=True)
    returnee_id: UUID = column(foreign_key="returnee.id", index=True)
    relationship: str
    member: Member
    since: datetime = column(server_default=now())
    until: datetime | None = None

    __table_args__ = (
        Index(
            "uq_household_member_now",
            "returnee_id",
            unique=True,
            postgresql_where=text("until IS NULL"),
        ),
    )


class ReferralPerson(Base, table=True):
    """A person of a referral by their place in it, and who they turned out to be."""

    __tablename__ = "referral_person"

    referral_id: UUID = column(foreign_key="referral.id", primary_key=True)
    index: int = column(primary_key=True, autoincrement=False)
    returnee_id: UUID | None = column(foreign_key="returnee.id", index=True)
    keys: list[str] = column(server_default=text("'{}'"))
    """Where possible duplicates are looked for while it is undecided; empty afterwards."""

    __table_args__ = (
        UniqueConstraint("referral_id", "returnee_id"),
        Index("ix_referral_person_keys", "keys", postgresql_using="gin"),
    )


class CaseFile(Resource, table=True):
    """One return of a household, followed from acceptance to closure."""

    __tablename__ = "case_file"

    state: CaseState
    state_before: CaseState | None = None
    """Where a closed case goes back to when it is reopened."""
    suspended_from: CaseState | None = None
    """Where a suspended case goes on when it is resumed."""
    suspended_on: date | None = None
    """The day, in the country of return, on which its clocks stopped."""
    suspension_reason: SuspensionReason | None = None
    suspension_comment: str | None = None
    split_from: UUID | None = column(foreign_key="case_file.id", index=True)
    """The case that these people were in before their household split, or their family's where they
    have their own.
    """
    programme: str
    programme_version: int
    programme_office: str
    return_kind: ReturnKind
    country_of_return: str
    referral_id: UUID | None = column(foreign_key="referral.id", index=True)
    household_id: UUID = column(foreign_key="household.id", index=True)
    referrer: str | None = None
    implementer: str
    office: str | None = None
    """The implementing organisation's own office."""
    focal_point: str | None = None
    """User id in the implementing organisation."""
    focal_points: list[str] = column(server_default=text("'{}'"))
    """Who is or was it, as `<organisation>:<user id>`: none of them gives themselves more time."""
    governorate: str
    district: str
    address: str
    needs_priority: NeedsPriority
    arrived_on: date | None = None
    closure_reason: ClosureReason | None = None
    closure_comment: str | None = None

    __table_args__ = (
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


class CaseMember(Base, table=True):
    """A person of a case, and what is known of their arrival."""

    __tablename__ = "case_member"

    case_id: UUID = column(foreign_key="case_file.id", primary_key=True)
    returnee_id: UUID = column(foreign_key="returnee.id", primary_key=True, index=True)
    member: Member
    arrival_id: UUID | None = None
    arrival_state: ArrivalState | None = None
    """As reception last said; None while nothing was heard."""
    arrived_on: date | None = None
    left_on: date | None = None
    """When they left the household for good, or died; what was done for them stays in the case."""


class Journey(Resource, table=True):
    """A journey of one or several persons of a referral. Its `revision` counts what the host
    country changed.
    """

    __tablename__ = "journey"

    referral_id: UUID = column(foreign_key="referral.id", index=True)
    state: JourneyState
    revision: int = column(default=1)
    legs: list[dict[str, Any]]
    escorted: bool
    departed_on: date | None = None
    queried_at: datetime | None = None
    """When the partner asked whether they have left."""

    __table_args__ = (
        CheckConstraint(
            "(state = 'departed') = (departed_on IS NOT NULL)", name="departed_on_a_day"
        ),
    )


class JourneyPerson(Base, table=True):
    """A person of a journey, by their place in the referral."""

    __tablename__ = "journey_person"

    journey_id: UUID = column(foreign_key="journey.id", primary_key=True)
    index: int = column(primary_key=True, autoincrement=False)


class Plan(Resource, table=True):
    """One version of a case's reintegration plan."""

    __tablename__ = "plan"

    case_id: UUID = column(foreign_key="case_file.id")
    plan_version: int
    state: PlanState
    preparers: list[str]
    """Every person who edited or submitted this version; none of them approves it."""
    submitted_by: str | None = None
    approved_by: str | None = None
    agreed_on: date | None = None
    agreed_language: str | None = None
    agreed_document: UUID | None = None
    return_reason: ReturnReason | None = None
    return_comment: str | None = None
    amend_comment: str | None = None

    __table_args__ = (
        UniqueConstraint("case_id", "plan_version"),
        CheckConstraint("approved_by IS NULL OR approved_by <> ALL (preparers)", name="four_eyes"),
        Index(
            "uq_plan_open",
            "case_id",
            unique=True,
            postgresql_where=text("state IN ('draft', 'submitted', 'returned')"),
        ),
    )


class PlanLine(Base, table=True):
    """What is planned for whom, and what it may cost."""

    __tablename__ = "plan_line"

    id: UUID = column(primary_key=True, default_factory=new_id)
    plan_id: UUID = column(foreign_key="plan.id", ondelete="CASCADE", index=True)
    line_id: UUID
    """The same in every version of the plan that has the line."""
    position: int
    kind: HelpKind
    housing: Housing | None = None
    beneficiary: UUID = column(foreign_key="returnee.id", index=True)
    description: str
    amount: Decimal = column(sa_type=Numeric(18, 3))
    currency: str
    provider: str | None = None
    course_id: UUID | None = None
    """Training's, chosen when the plan was made."""
    cohort_id: UUID | None = None
    level: Level
    feasibility: list[dict[str, Any]] = column(server_default=text("'[]'"))
    """What was found when it was asked whether this can work."""

    __table_args__ = (
        UniqueConstraint("plan_id", "position"),
        UniqueConstraint("plan_id", "line_id"),
        Index("ix_plan_line_line_id", "line_id"),
        CheckConstraint("amount >= 0", name="amount_not_negative"),
    )


class Deadline(Resource, table=True):
    """By when something must be done, by which rule, and where that rule is published."""

    __tablename__ = "deadline"

    kind: DeadlineKind
    state: DeadlineState
    due_at: datetime
    programme: str
    referral_id: UUID | None = column(foreign_key="referral.id")
    case_id: UUID | None = column(foreign_key="case_file.id", index=True)
    visit_id: UUID | None = column(foreign_key="visit.id", unique=True)
    rule: dict[str, Any]
    shifted_days: int = column(server_default=text("0"))
    """Days by which it is later than the rule says: extensions, and days when its clock stood."""
    paused_on: date | None = None
    """The first day on which its clock stood when it was last paused."""
    decision_reason: DecisionReason | None = None
    """Why it was last extended or waived."""
    decision_comment: str | None = None
    decided_by: str | None = None

    __table_args__ = (
        Index(
            "uq_deadline_case_kind",
            "case_id",
            "kind",
            unique=True,
            postgresql_where=text("visit_id IS NULL"),
        ),
        UniqueConstraint("referral_id", "kind"),
        CheckConstraint("(case_id IS NULL) <> (referral_id IS NULL)", name="about_one_thing"),
        Index("ix_deadline_due_at", "due_at", "id"),
    )


class PlanLineStatus(Base, table=True):
    """How far a line has come, the same for every version of the plan that has it."""

    __tablename__ = "plan_line_status"

    line_id: UUID = column(primary_key=True)
    case_id: UUID = column(foreign_key="case_file.id", index=True)
    status: LineStatus
    delivered_at: datetime | None = None
    """When who delivers it said that it was."""
    undone_at: datetime | None = None
    """When they said that what they had delivered does not hold; none once it does."""
    updated_at: datetime = column(server_default=now(), server_onupdate=FetchedValue())

    __table_args__ = (
        CheckConstraint(
            "(status = 'delivered') = (delivered_at IS NOT NULL)", name="delivered_at_a_time"
        ),
        CheckConstraint(
            "undone_at IS NULL OR status = 'in_delivery'", name="undone_is_not_delivered"
        ),
    )


class CaseTransfer(Resource, table=True):
    """The offer of a case to another implementing organisation."""

    __tablename__ = "case_transfer"

    case_id: UUID = column(foreign_key="case_file.id", index=True)
    state: TransferState
    offered_by: str
    """The organisation that offers."""
    previous_implementer: str
    offered_to: str
    reason: TransferReason
    comment: str | None = None
    answer_comment: str | None = None
    answered_by: str | None = None

    __table_args__ = (
        CheckConstraint("offered_to <> previous_implementer", name="to_another"),
        Index(
            "uq_case_transfer_open",
            "case_id",
            unique=True,
            postgresql_where=text("state = 'offered'"),
        ),
        Index("ix_case_transfer_offered_to", "offered_to", "state", "id"),
    )


class Screening(Resource, table=True):
    """What was found when somebody was screened, before departure or after."""

    __tablename__ = "screening"

    case_id: UUID = column(foreign_key="case_file.id", index=True)
    returnee_id: UUID = column(foreign_key="returnee.id", index=True)
    phase: Phase
    screened_on: date
    needs_priority: NeedsPriority
    follow_up: list[str]
    organisation: str
    screened_by: str | None = None
    clock_suspect: bool = column(server_default=text("false"))


class Flag(Base, table=True):
    """One finding about a vulnerability. A later one of the same kind is its next status; none is
    ever changed.
    """

    __tablename__ = "vulnerability_flag"

    id: UUID = column(primary_key=True, default_factory=new_id)
    screening_id: UUID = column(foreign_key="screening.id", index=True)
    returnee_id: UUID = column(foreign_key="returnee.id", index=True)
    kind: str
    status: FlagStatus
    source: FlagSource
    reason: str
    readers: list[str]
    """Organisations that may read it; nobody named means all that work on the case."""
    recorded_at: datetime = column(server_default=now())

    __table_args__ = (UniqueConstraint("screening_id", "kind"),)


class CounsellingSession(Resource, table=True):
    """Counselling that was given."""

    __tablename__ = "counselling_session"

    case_id: UUID = column(foreign_key="case_file.id", index=True)
    phase: Phase
    method: ContactMethod
    topics: list[str]
    language: str
    interpreter: bool
    attended: list[UUID] = column(sa_type=ARRAY(Uuid))
    notes: str | None = None
    organisation: str
    held_by: str | None = None
    occurred_at: datetime
    clock_suspect: bool


class ContactAttempt(Resource, table=True):
    """Somebody tried to reach a person of a case."""

    __tablename__ = "contact_attempt"

    case_id: UUID = column(foreign_key="case_file.id", index=True)
    returnee_id: UUID = column(foreign_key="returnee.id", index=True)
    method: ContactMethod
    outcome: Outcome
    notes: str | None = None
    organisation: str
    tried_by: str | None = None
    occurred_at: datetime
    clock_suspect: bool


class Visit(Resource, table=True):
    """A monitoring visit that is due, or was paid."""

    __tablename__ = "visit"

    case_id: UUID = column(foreign_key="case_file.id", index=True)
    returnee_id: UUID = column(foreign_key="returnee.id", index=True)
    line_id: UUID | None = None
    cooperative_id: UUID | None = None
    cause: DeadlineKind
    """The kind of deadline that it is due by."""
    cause_id: UUID | None = column(unique=True)
    """The delivery or payment that it follows; once."""
    state: VisitState
    cancelled_for: VisitCancellation | None = None
    due_on: date
    method: ContactMethod | None = None
    occurred_at: datetime | None = None
    clock_suspect: bool = column(server_default=text("false"))
    finding: dict[str, Any] | None = None
    document_id: UUID | None = None
    visited_by: str | None = None
    organisation: str | None = None

    __table_args__ = (
        CheckConstraint(
            "(state = 'recorded') = (finding IS NOT NULL)", name="recorded_with_a_finding"
        ),
        CheckConstraint(
            "(state = 'cancelled') = (cancelled_for IS NOT NULL)", name="cancelled_for_a_reason"
        ),
        Index("ix_visit_due_on", "state", "due_on"),
    )


class VisitAttempt(Base, table=True):
    """A visit at which nobody was reached."""

    __tablename__ = "visit_attempt"

    id: UUID = column(primary_key=True, default_factory=new_id)
    visit_id: UUID = column(foreign_key="visit.id", index=True)
    method: ContactMethod
    outcome: Outcome
    occurred_at: datetime
    clock_suspect: bool
    tried_by: str | None = None
    recorded_at: datetime = column(server_default=now())


class Survey(Resource, table=True):
    """Answers to an instrument, as they were given, and what that version of it makes of them."""

    __tablename__ = "survey"

    case_id: UUID = column(foreign_key="case_file.id", index=True)
    returnee_id: UUID = column(foreign_key="returnee.id")
    instrument: str
    instrument_version: int
    round: SurveyRound
    taken_on: date
    method: ContactMethod
    language: str
    answers: dict[str, Any]
    scores: dict[str, Any]
    organisation: str
    taken_by: str | None = None

    __table_args__ = (
        UniqueConstraint("case_id", "returnee_id", "instrument", "round"),
        Index("ix_survey_returnee_id", "returnee_id", "instrument", "taken_on"),
    )


class ServiceReferral(Resource, table=True):
    """A person sent to a service outside the programme, and whether they received it."""

    __tablename__ = "service_referral"

    case_id: UUID = column(foreign_key="case_file.id", index=True)
    returnee_id: UUID = column(foreign_key="returnee.id", index=True)
    state: ServiceReferralState
    kind: ServiceKind
    provider: str
    purpose: str
    consent_document: UUID | None = None
    document_id: UUID | None = None
    reason: NotReceivedReason | None = None
    comment: str | None = None
    organisation: str
    sent_by: str | None = None
    occurred_at: datetime
    clock_suspect: bool

    __table_args__ = (
        CheckConstraint(
            "(state = 'not_received') = (reason IS NOT NULL)", name="not_received_for_a_reason"
        ),
        Index("ix_service_referral_updated_at", "updated_at"),
    )


class StoredDocument(Resource, table=True):
    """What is known of an uploaded file; its bytes are in the object store, encrypted."""

    __tablename__ = "document"

    kind: DocumentKind
    returnee_id: UUID | None = column(foreign_key="returnee.id", index=True)
    case_id: UUID | None = column(foreign_key="case_file.id", index=True)
    referral_id: UUID | None = column(foreign_key="referral.id", index=True)
    media_type: str
    size: int
    sha256: str
    scan: Scan
    keep_until: date
    organisation: str
    uploaded_by: str | None = None

    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(returnee_id, case_id, referral_id) = 1", name="about_one_thing"
        ),
        CheckConstraint("size > 0", name="not_empty"),
    )


class ReferralMessage(Base, table=True):
    """What counsellor and partner write to one another about a referral. Never changed."""

    __tablename__ = "referral_message"

    id: UUID = column(primary_key=True, default_factory=new_id)
    referral_id: UUID = column(foreign_key="referral.id", index=True)
    organisation: str
    written_by: str | None = None
    body: str
    created_at: datetime = column(server_default=now())


class ReferralBatch(Resource, table=True):
    """Referrals that were sent together and are taken one after another."""

    __tablename__ = "referral_batch"

    state: BatchState
    organisation: str
    caller: dict[str, Any]
    """On whose behalf the referrals are taken."""
    media_type: str
    total: int
    done: int
    submitted: int
    replayed: int
    refused: int
    finished_at: datetime | None = None

    __table_args__ = (
        CheckConstraint("done = submitted + replayed + refused AND done <= total", name="adds_up"),
        Index("ix_referral_batch_organisation", "organisation", "id"),
    )


class BatchItem(Base, table=True):
    """One referral of a batch. What was sent is kept until it was taken, and no longer."""

    __tablename__ = "referral_batch_item"

    batch_id: UUID = column(foreign_key="referral_batch.id", primary_key=True)
    number: int = column(primary_key=True, autoincrement=False)
    rows: list[int] = column(sa_type=ARRAY(Integer))
    external_reference: str | None = None
    content: dict[str, Any] | None = column(sa_type=JSONB(none_as_null=True))
    outcome: BatchOutcome | None = None
    referral_id: UUID | None = None
    candidates: int | None = None
    """How many people known here one of its persons may be."""
    problem: dict[str, Any] | None = column(sa_type=JSONB(none_as_null=True))

    __table_args__ = (
        CheckConstraint("outcome IS NULL OR content IS NULL", name="content_not_kept"),
    )


class Share(Resource, table=True):
    """That an organisation may know of a returnee, for a purpose and a time."""

    __tablename__ = "share"

    returnee_id: UUID = column(foreign_key="returnee.id", index=True)
    organisation: str
    purpose: SharingPurpose
    legal_basis: LegalBasis
    categories: list[str]
    until: datetime
    ended_at: datetime | None = None
    shared_by: str

    __table_args__ = (
        Index(
            "uq_share_now",
            "returnee_id",
            "organisation",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )


class AccessRequest(Resource, table=True):
    """That an organisation asks to know of somebody who may be a person of its own."""

    __tablename__ = "access_request"

    returnee_id: UUID = column(foreign_key="returnee.id", index=True)
    because_of: UUID
    """A returnee, or a referral that is still to be decided on."""
    state: AccessRequestState
    organisation: str
    reason: SharingPurpose
    requested_by: str | None = None

    __table_args__ = (UniqueConstraint("returnee_id", "organisation", "because_of"),)


class PersonConsent(Resource, table=True):
    """What a person agreed to, or on what other ground their data are processed, and until when
    that held.
    """

    __tablename__ = "consent"

    returnee_id: UUID = column(foreign_key="returnee.id", index=True)
    purpose: ConsentPurpose
    consent_version: str
    given_on: date
    legal_basis: LegalBasis
    withdrawn_on: date | None = None
    document_id: UUID | None = None

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


class Restriction(Resource, table=True):
    """That an organisation that took part in somebody's return may know of them no more."""

    __tablename__ = "restriction"

    returnee_id: UUID = column(foreign_key="returnee.id", index=True)
    organisation: str
    reason: RestrictionReason
    roles: list[str]
    """In what capacities it took part; they are given back when the restriction is lifted."""
    lifted_at: datetime | None = None

    __table_args__ = (
        Index(
            "uq_restriction_now",
            "returnee_id",
            "organisation",
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )


class LegalHold(Resource, table=True):
    """That somebody's data must be kept: nothing is erased while one stands."""

    __tablename__ = "legal_hold"

    returnee_id: UUID = column(foreign_key="returnee.id", index=True)
    reason: HoldReason
    comment: str
    organisation: str
    placed_by: str
    released_at: datetime | None = None
    released_by: str | None = None

    __table_args__ = (
        CheckConstraint(
            "(released_at IS NULL) = (released_by IS NULL)", name="released_by_somebody"
        ),
    )


class Erasure(Base, table=True):
    """Proof that somebody was erased, without who they were."""

    __tablename__ = "erasure"

    returnee_id: UUID = column(foreign_key="returnee.id", primary_key=True)
    erased_at: datetime = column(server_default=now())
    reason: ErasureReason
    organisation: str
    decided_by: str
    scrubbed: dict[str, Any]
    """How many entries of what kind."""
