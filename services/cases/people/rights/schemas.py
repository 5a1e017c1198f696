"""What a person may ask for, as it is sent and as it is answered."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.routing import Body
from contracts.codes import ConsentPurpose, LegalBasis, SharedCategory, SharingPurpose, Slug
from services.cases.codes import ErasureReason, HoldReason, RestrictionReason
from services.cases.fields import Comment, Moment, Out, PastDate, member_of


class ShareIn(Body):
    """With whom somebody is shared, what for, on what ground, what of them, and until when."""

    organisation: Slug
    purpose: Annotated[SharingPurpose, member_of("unknown_purpose", SharingPurpose)]
    legal_basis: Annotated[LegalBasis, member_of("unknown_legal_basis", LegalBasis)]
    categories: Annotated[list[SharedCategory], Field(max_length=len(SharedCategory))] = Field(
        default=[]
    )
    """Beside the course of their return; vulnerabilities never are."""
    until: Moment


class UnshareIn(Body):
    """Who may know of somebody no more."""

    organisation: Slug


class ShareOut(Out):
    """With whom somebody is shared."""

    id: UUID
    organisation: str
    purpose: SharingPurpose
    legal_basis: LegalBasis
    categories: list[SharedCategory]
    until: datetime
    ended_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ConsentIn(Body):
    """What a person agreed to; with `withdrawn_on`, that they do so no more."""

    purpose: Annotated[ConsentPurpose, member_of("unknown_purpose", ConsentPurpose)]
    version: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[A-Za-z0-9._-]+$")]
    given_on: PastDate
    legal_basis: Annotated[LegalBasis, member_of("unknown_legal_basis", LegalBasis)]
    withdrawn_on: PastDate | None = None
    document_id: UUID | None = None
    """The signed sheet."""


class ConsentOut(Out):
    """One consent; the one in force for its purpose where it is not withdrawn."""

    id: UUID
    purpose: ConsentPurpose
    version: str
    given_on: date
    legal_basis: LegalBasis
    withdrawn_on: date | None
    document_id: UUID | None
    created_at: datetime
    updated_at: datetime


class RestrictionIn(Body):
    """Which organisation may know of somebody no more, and why; or that it may again."""

    organisation: Slug
    reason: Annotated[RestrictionReason, member_of("unknown_reason", RestrictionReason)]
    lifted: bool = False


class RestrictionOut(Out):
    """A restriction."""

    id: UUID
    organisation: str
    reason: RestrictionReason
    lifted_at: datetime | None
    created_at: datetime
    updated_at: datetime


class LegalHoldIn(Body):
    """Why somebody's data must be kept."""

    reason: Annotated[HoldReason, member_of("unknown_reason", HoldReason)]
    comment: Comment


class LegalHoldOut(Out):
    """A legal hold; nothing is erased while one is not released."""

    id: UUID
    reason: HoldReason
    comment: str
    organisation: str
    released_at: datetime | None
    created_at: datetime
    updated_at: datetime


class AccessOut(Out):
    """That somebody read or changed something about a person here."""

    at: datetime
    organisation: str
    action: str
    resource: str
    resource_id: str


class EraseIn(Body):
    """Why somebody is erased."""

    reason: Annotated[ErasureReason, member_of("unknown_reason", ErasureReason)]


class ErasureOut(Out):
    """Proof that somebody was erased, without who they were.

    Attributes:
        returnee_ids: Every id of theirs.
        erased_at: When.
        scrubbed: How many entries of what kind.
    """

    returnee_ids: list[UUID]
    erased_at: datetime
    reason: ErasureReason
    scrubbed: dict[str, int]
