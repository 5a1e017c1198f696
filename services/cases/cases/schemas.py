"""Cases as they are sent and answered."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.routing import Body
from contracts.codes import ArrivalState, CaseState, ClosureReason, Member, NeedsPriority, ReturnKind, Slug
from services.cases.fields import Note, Out

UserId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""A person in the implementing organisation, by that organisation's own opaque id."""


class ReopenReason(StrEnum):
    """Why a closed case goes on."""

    CLOSED_IN_ERROR = "closed_in_error"
    IN_CONTACT_AGAIN = "in_contact_again"
    NEW_INFORMATION = "new_information"
    APPEAL = "appeal"


class AssignIn(Body):
    """Who follows the case, and from which office of the implementing organisation."""

    focal_point: UserId
    office: Slug | None = None


class CloseIn(Body):
    """Why the case is closed."""

    reason: ClosureReason
    comment: Note = ""


class ReopenIn(Body):
    """Why it goes on."""

    reason: ReopenReason


class MemberOut(Out):
    """A person of a case, and what is known of their arrival."""

    returnee_id: UUID
    member: Member
    arrival_id: UUID | None
    arrival_state: ArrivalState | None
    arrived_on: date | None


class CaseOut(Out):
    """A case; who its members are is read at the returnees."""

    id: UUID
    state: CaseState
    programme: str
    programme_version: int
    programme_office: str
    return_kind: ReturnKind
    country_of_return: str
    governorate: str
    referral_id: UUID | None
    household_id: UUID
    referrer: str | None
    implementer: str
    office: str | None
    focal_point: str | None
    needs_priority: NeedsPriority
    arrived_on: date | None
    closure_reason: ClosureReason | None
    closure_comment: str | None
    members: list[MemberOut]
    created_at: datetime
    updated_at: datetime
