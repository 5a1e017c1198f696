"""People who may be the same, as they are answered, and what is done with them."""

from datetime import datetime
from uuid import UUID

from chassis.routing import Body
from contracts.codes import SharingPurpose
from services.cases.fields import (
    Out,
)
from services.cases.people.matching.reasons import Reason
from services.cases.people.particulars import Person
from services.cases.states.people import AccessRequestState


class EvidenceOut(Out):
    """One reason, and how much it weighs: above zero for the same person, below against."""

    reason: Reason
    weight: float


class CandidateOut(Out):
    """Somebody who may be the same person.

    Attributes:
        id: Of the candidate, for `request-access`; no returnee's id.
        returnee_id: Null where only other organisations know of them.
        score: From 0 to 1; rounded where they are masked.
        likely: Whether it is more likely than not.
        masked: Whether only other organisations know of them.
        evidence: Why; empty where they are masked.
        identity: Null where they are masked.
    """

    id: UUID
    returnee_id: UUID | None
    score: float
    likely: bool
    masked: bool
    evidence: list[EvidenceOut]
    identity: Person | None


class AccessRequestIn(Body):
    """Why an organisation asks."""

    reason: SharingPurpose


class AccessRequestOut(Out):
    """That an organisation asks to know of a returnee."""

    id: UUID
    state: AccessRequestState
    organisation: str
    reason: SharingPurpose
    created_at: datetime
    updated_at: datetime


class MergeIn(Body):
    """With whom they are one person."""

    into: UUID
