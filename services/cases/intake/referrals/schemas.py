"""A referral as a host-country service sends it, and as it is answered."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from chassis.datetimes import Past
from chassis.routing import Body
from contracts.codes import (
    ArrivalState,
    CaseState,
    ClosureReason,
    ConsentPurpose,
    HelpKind,
    LegalBasis,
    LegalStatus,
    NeedsPriority,
    RejectionReason,
    ReturnKind,
    Slug,
)
from contracts.programmes import Decider
from services.cases.codes import VulnerabilityKind
from services.cases.fields import (
    Comment,
    Country,
    Date,
    Line,
    Note,
    Out,
    check_text,
    coded,
    member_of,
    refuse,
)
from services.cases.intake.travel.schemas import (
    MOST_PERSONS,
    Travel,
)
from services.cases.people.duplicates.schemas import CandidateOut, EvidenceOut
from services.cases.people.particulars import Person
from services.cases.people.returnees.schemas import ReturneePatch
from services.cases.states.intake import JourneyState, ReferralState

REFERENCE_LENGTH = 64


class Role(StrEnum):
    """Who somebody is to the principal applicant."""

    PRINCIPAL = "principal"
    SPOUSE = "spouse"
    CHILD = "child"
    SIBLING = "sibling"
    PARENT = "parent"
    OTHER = "other"


class Need(StrEnum):
    """What is needed on arrival."""

    ONWARD_TRANSPORT = "onward_transport"
    ACCOMMODATION = "accommodation"
    MEDICAL = "medical"
    INTERPRETATION = "interpretation"
    NUTRITION = "nutrition"
    WHEELCHAIR = "wheelchair"


class VulnerabilityStatus(StrEnum):
    """How sure that is."""

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"


class Return(Body):
    """From where to where, and how."""

    kind: Annotated[ReturnKind, member_of("unknown_return_kind", ReturnKind)]
    legal_status: Annotated[LegalStatus, member_of("unknown_legal_status", LegalStatus)]
    host_country: Country
    country_of_return: Country


class PersonIn(Person):
    """Who returns, and who they are to the principal applicant."""

    role: Annotated[Role, member_of("unknown_role", Role)]


class Destination(Body):
    """Where the household goes; a part that is not known is an empty string."""

    governorate: Annotated[
        str,
        Field(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$"),
        coded("unknown_governorate", "an ISO 3166-2 code of the country of return"),
    ]
    district: Line = ""
    address: Line = ""


class Vulnerability(Body):
    """One vulnerability in the household."""

    kind: Annotated[VulnerabilityKind, member_of("unknown_vulnerability", VulnerabilityKind)]
    status: Annotated[VulnerabilityStatus, coded("unknown_vulnerability", "suspected or confirmed")]


class Consent(Body):
    """What the persons agreed to, or on what other ground their data are processed."""

    purpose: Annotated[ConsentPurpose, member_of("unknown_purpose", ConsentPurpose)]
    version: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[A-Za-z0-9._-]+$")]
    given_on: Annotated[Date, Past(by_rule=True)]
    legal_basis: Annotated[LegalBasis, member_of("unknown_legal_basis", LegalBasis)]


def _reference(value: str) -> str:
    if not value.strip():
        raise refuse("missing_reference", "the sender's reference")
    if len(value) > REFERENCE_LENGTH:
        raise refuse("reference_too_long", f"at most {REFERENCE_LENGTH} characters")
    return check_text(value)


class ReferralContent(Body):
    """What a referral says; also what is put in its place while information is requested."""

    model_config = ConfigDict(populate_by_name=True)

    external_reference: Annotated[str, AfterValidator(_reference)]
    """The sender's own number for it; once for a sender."""
    sender: Annotated[Slug, coded("unknown_sender", "a registered service")]
    programme: Annotated[Slug, coded("unknown_programme", "a programme that exists")]
    requested_partner: (
        Annotated[Slug, coded("unknown_partner", "a registered organisation")] | None
    ) = None
    return_: Annotated[Return, Field(alias="return")]
    travel: Travel | None = None
    people: Annotated[list[PersonIn], Field(min_length=1, max_length=MOST_PERSONS)]
    destination: Destination
    needs: Annotated[
        list[Annotated[Need, member_of("unknown_need", Need)]], Field(max_length=len(Need))
    ] = Field(default=[])
    vulnerabilities: Annotated[list[Vulnerability], Field(max_length=40)] = Field(default=[])
    requested_assistance: Annotated[
        list[Annotated[HelpKind, member_of("unknown_assistance", HelpKind)]],
        Field(max_length=len(HelpKind)),
    ] = Field(default=[])
    consents: Annotated[list[Consent], Field(max_length=20)] = Field(default=[])
    notes: Note = ""


class ReferralIn(ReferralContent):
    """A referral that is submitted."""

    id: UUID | None = None
    supersedes: UUID | None = None
    """After a rejection: the referral that this one corrects, under the same reference."""


class RetroactiveIn(ReferralIn):
    """A referral of people who have returned already: the sender's word is asked for afterwards."""

    arrived_on: Annotated[Date, Past("bad_arrival")]


class Correction(Body):
    """What is corrected about one person of a referral; what is not sent stays as it is."""

    index: Annotated[int, Field(ge=0, lt=MOST_PERSONS)]
    person: ReturneePatch


class AmendIn(Body):
    """What is amended after acceptance: a newborn, a spelling."""

    add: Annotated[list[PersonIn], Field(max_length=MOST_PERSONS)] = Field(default=[])
    correct: Annotated[list[Correction], Field(max_length=MOST_PERSONS)] = Field(default=[])


class MessageIn(Body):
    """What counsellor and partner write to one another."""

    body: Comment


class MessageOut(Out):
    """One message."""

    id: UUID
    organisation: str
    body: str
    created_at: datetime


class ReferredOut(Out):
    """A person of another undecided referral who may be the same.

    Attributes:
        id: Of the candidate; no referral's id.
        referral_id: Null where the referral is no concern of the caller's.
        index: Their place in it.
        score: From 0 to 1; rounded where it is masked.
        likely: Whether it is more likely than not.
        masked: Whether only other organisations know of the referral.
        evidence: Why; empty where it is masked.
    """

    id: UUID
    referral_id: UUID | None
    index: int | None
    score: float
    likely: bool
    masked: bool
    evidence: list[EvidenceOut]


class PersonCandidates(Out):
    """Who one person of a referral may be.

    Attributes:
        index: Their place in the referral.
        candidates: Returnees.
        referred: People of other referrals that nobody has decided; none once this one is.
    """

    index: int
    candidates: list[CandidateOut]
    referred: list[ReferredOut]


class InformationRequest(Body):
    """What more is needed to decide."""

    question: Comment


class Binding(Body):
    """Who a person of the referral is."""

    index: Annotated[int, Field(ge=0, lt=MOST_PERSONS)]
    returnee_id: UUID | None = None
    """A returnee who is known already; null: somebody new."""


class AcceptIn(Body):
    """That the referral is accepted, by whom it is implemented, and who the persons are."""

    implementer: Slug | None = None
    """The deciding partner itself where nothing is said."""
    people: Annotated[list[Binding], Field(max_length=MOST_PERSONS)] = Field(default=[])
    """Persons who are not listed are new, unless they are likely to be known already: then it is to
    be said who they are.
    """
    comment: Note = ""


class RejectIn(Body):
    """Why it is rejected; the comment goes to the sender."""

    reason: RejectionReason
    comment: Comment


class WithdrawIn(Body):
    """That the referral is withdrawn."""

    comment: Note = ""


class SearchIn(Body):
    """Which of one's referrals."""

    external_reference: Annotated[str, AfterValidator(_reference)] | None = None
    state: ReferralState | None = None


class BecameOut(Out):
    """What became of one person of a referral."""

    index: int
    role: Role
    returnee_id: UUID | None
    travel_state: JourneyState | None
    departs_on: date | None
    arrival_state: ArrivalState | None
    arrived_on: date | None
    case_id: UUID | None
    case_state: CaseState | None
    closure_reason: ClosureReason | None


class ReferralOut(Out):
    """A referral without what identifies a person."""

    id: UUID
    state: ReferralState
    external_reference: str
    sender: str
    submitter: str
    """Who sent it: the sender, or after the return the partner that asks for its word."""
    retroactive: bool
    revision: int
    supersedes: UUID | None
    programme: str
    programme_version: int
    return_kind: ReturnKind
    country_of_return: str
    requested_partner: str | None
    decider: Decider
    """Whose turn it is while it is undecided."""
    implementer: str | None
    needs_priority: NeedsPriority
    question: str | None
    rejection_reason: RejectionReason | None
    comment: str | None
    decided_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ReferralDetail(ReferralOut):
    """A referral with what became of each person in it, and with its content where the client may
    read that.

    Attributes:
        people: What became of each person.
        content: As it was sent; null without the scope `returnees:identity`, except for the sender.
            Its vulnerabilities and notes are left out without `returnees:vulnerabilities`, except
            for the sender.
    """

    people: list[BecameOut]
    content: ReferralContent | None


class RuleOut(Out):
    """One rule of the programme as it was applied."""

    rule: str
    holds: bool
    right: str
    source: str
    verified: bool


class DryRunOut(Out):
    """What would have happened. Nothing was stored."""

    valid: bool
    programme_version: int
    needs_priority: NeedsPriority
    decider: Decider
    partners: list[str]
    rules: list[RuleOut]
