"""Screenings as they are sent and answered."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.routing import Body
from contracts.codes import NeedsPriority, Phase, Slug
from services.cases.codes import FlagSource, FlagStatus
from services.cases.fields import Comment, Out, PastDate, member_of
from services.cases.intake.referrals.schemas import VulnerabilityKind


class FollowUp(StrEnum):
    """What should follow, in groups."""

    URGENT_CONTACT = "urgent_contact"
    CARE = "care"
    SOCIAL = "social"
    ECONOMIC = "economic"


class FlagIn(Body):
    """One vulnerability as it was found. The same kind again, in a later screening, is its next
    status.
    """

    kind: Annotated[VulnerabilityKind, member_of("unknown_vulnerability", VulnerabilityKind)]
    status: Annotated[FlagStatus, member_of("unknown_status", FlagStatus)]
    source: Annotated[FlagSource, member_of("unknown_source", FlagSource)]
    reason: Comment
    """Why it is recorded."""
    readers: Annotated[list[Slug], Field(max_length=20)] | None = None
    """Organisations that may read it. Where nothing is said: all that work on the case, and for
    what could harm the person if it were known, only the one that records it.
    """


class ScreeningIn(Body):
    """A screening of one person."""

    id: UUID | None = None
    returnee_id: UUID
    phase: Annotated[Phase, member_of("unknown_phase", Phase)]
    screened_on: PastDate
    needs_priority: Annotated[NeedsPriority, member_of("unknown_priority", NeedsPriority)]
    follow_up: Annotated[
        list[Annotated[FollowUp, member_of("unknown_follow_up", FollowUp)]], Field(max_length=4)
    ] = Field(default=[])
    vulnerabilities: Annotated[list[FlagIn], Field(max_length=len(VulnerabilityKind))] = Field(
        default=[]
    )


class FlagOut(Out):
    """One vulnerability as it was found; `readers` is empty where all that work on the case may
    read it.
    """

    id: UUID
    kind: VulnerabilityKind
    status: FlagStatus
    source: FlagSource
    reason: str
    readers: list[str]
    recorded_at: datetime


class ScreeningOut(Out):
    """A screening, with those of its vulnerabilities that the reader may know of."""

    id: UUID
    case_id: UUID
    returnee_id: UUID
    phase: Phase
    screened_on: date
    clock_suspect: bool
    needs_priority: NeedsPriority
    follow_up: list[FollowUp]
    organisation: str
    screened_by: str | None
    vulnerabilities: list[FlagOut] | None
    """Null for a client without the scope `returnees:vulnerabilities`."""
    created_at: datetime
    updated_at: datetime
