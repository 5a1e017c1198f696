"""Referrals to services outside the programme, as they are sent and answered."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from chassis.routing import Body
from contracts.codes import ServiceKind
from services.cases.codes import NotReceivedReason
from services.cases.fields import Comment, Line, Moment, Note, Out, member_of
from services.cases.states.follow_up import ServiceReferralState


class ServiceReferralIn(Body):
    """Who is referred where, and for what."""

    id: UUID | None = None
    case_id: UUID
    returnee_id: UUID
    kind: Annotated[ServiceKind, member_of("unknown_service", ServiceKind)]
    provider: Line
    purpose: Comment
    consent_document: UUID | None = None
    """The document in which the person agreed to it."""
    occurred_at: Moment


class OutcomeIn(Body):
    """What the service said, or gave."""

    comment: Note = ""
    document_id: UUID | None = None


class NotReceivedIn(Body):
    """Why the person did not get it."""

    reason: Annotated[NotReceivedReason, member_of("unknown_reason", NotReceivedReason)]
    comment: Note = ""


class ServiceReferralOut(Out):
    """A referral to a service outside the programme."""

    id: UUID
    state: ServiceReferralState
    case_id: UUID
    returnee_id: UUID
    kind: ServiceKind
    provider: str
    purpose: str
    consent_document: UUID | None
    document_id: UUID | None
    reason: NotReceivedReason | None
    comment: str | None
    organisation: str
    sent_by: str | None
    occurred_at: datetime
    clock_suspect: bool
    created_at: datetime
    updated_at: datetime
