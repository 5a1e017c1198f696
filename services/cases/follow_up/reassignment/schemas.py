"""A fact that was recorded of the wrong person, as it is sent and answered."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from chassis.routing import Body
from services.cases.fields import Comment, Out, member_of


class FactKind(StrEnum):
    """What may have been recorded of the wrong person. A plan line is amended, and a consent given
    anew.
    """

    SCREENING = "screening"
    CONTACT_ATTEMPT = "contact_attempt"
    VISIT = "visit"
    SURVEY = "survey"
    SERVICE_REFERRAL = "service_referral"
    DOCUMENT = "document"


class ReassignIn(Body):
    """Which fact, of whom it is, and why it was recorded of somebody else."""

    kind: Annotated[FactKind, member_of("unknown_fact", FactKind)]
    id: UUID
    to: UUID
    """The returnee whose it is; exactly this id, also where it is another's alias."""
    case_id: UUID | None = None
    """The case of that person that it belongs to; where nothing is said it stays in its case."""
    comment: Comment


class ReassignedOut(Out):
    """Of whom a fact is now."""

    kind: FactKind
    id: UUID
    returnee_id: UUID
    case_id: UUID | None
