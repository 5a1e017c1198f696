"""Cases as they are sent and answered."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from chassis.datetimes import Past
from chassis.routing import Body
from contracts.codes import (
    ArrivalState,
    CaseState,
    ClosureReason,
    Member,
    NeedsPriority,
    ReturnKind,
    Slug,
)
from services.cases.codes import SuspensionReason, TransferReason
from services.cases.fields import Date, Note, Out, UserId, member_of
from services.cases.states.casework import TransferState


class ReopenReason(StrEnum):
    """Why a closed case goes on."""

    CLOSED_IN_ERROR = "closed_in_error"
    IN_CONTACT_AGAIN = "in_contact_again"
    NEW_INFORMATION = "new_information"
    APPEAL = "appeal"


class AssignIn(Body):
    """Who follows the case, and from which office of the implementing organisation."""

    focal_point: UserId
    """By that organisation's own opaque id."""
    office: Slug | None = None


class CloseIn(Body):
    """Why the case is closed."""

    reason: ClosureReason
    comment: Note = ""


class ReopenIn(Body):
    """Why it goes on."""

    reason: ReopenReason


class SuspendIn(Body):
    """Why the case rests, and since when."""

    reason: Annotated[SuspensionReason, member_of("unknown_reason", SuspensionReason)]
    comment: Note = ""
    since: Annotated[Date, Past("date_ahead")] | None = None
    """The first day on which the clocks stand; today where nothing is said."""


class ResumeIn(Body):
    """From when on the clocks run again."""

    on: Annotated[Date, Past("date_out_of_range")] | None = None
    """Today where nothing is said."""


class TransferIn(Body):
    """To whom the case is offered, and why."""

    to: Slug
    """An organisation that implements the programme in the country of return."""
    reason: Annotated[TransferReason, member_of("unknown_reason", TransferReason)]
    comment: Note = ""


class AnswerIn(Body):
    """What is said with an answer."""

    comment: Note = ""


class TakeIn(AnswerIn):
    """Who will follow the case in the organisation that takes it."""

    focal_point: UserId | None = None
    office: Slug | None = None


class TransferOut(Out):
    """The offer of a case: what an organisation needs to know to take it or not, and no name."""

    id: UUID
    state: TransferState
    case_id: UUID
    case_state: CaseState
    programme: str
    country_of_return: str
    governorate: str
    members: int
    needs_priority: NeedsPriority
    offered_by: str
    previous_implementer: str
    offered_to: str
    reason: TransferReason
    comment: str | None
    answer_comment: str | None
    created_at: datetime
    updated_at: datetime


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
    suspended_on: date | None
    """The day on which its clocks stopped; null while they run. Why is for who works on it."""
    split_from: UUID | None
    """The case that these people were in before their household split, or their family's where they
    have their own.
    """
    closure_comment: str | None
    """Only for who works on it."""
    members: list[MemberOut]
    """For who does not work on it: those in whose return it takes part."""
    created_at: datetime
    updated_at: datetime
