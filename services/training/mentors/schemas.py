"""The HTTP shape of mentors and mentorships."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.routing import Body
from contracts.training import MentorshipEnd
from services.training.fields import PastDay, ResourceOut
from services.training.states import MentorState


class MentorIn(Body):
    """A graduate agreed to accompany others."""

    id: UUID | None = None
    """Chosen by the client, so that it can be told again."""
    enrolment_id: UUID
    """The course that they completed."""
    agreed_on: PastDay
    capacity: Annotated[int, Field(ge=1, le=100)]
    """Whom they would accompany at a time; at most as many as their programme allows."""


class MentorOut(ResourceOut):
    """A graduate who accompanies others."""

    state: MentorState
    returnee_id: UUID
    enrolment_id: UUID
    programme: str
    agreed_on: date
    capacity: int
    mentees: int


class MentorshipIn(Body):
    """A returnee is accompanied by a mentor."""

    id: UUID | None = None
    """Chosen by the client, so that it can be told again."""
    returnee_id: UUID
    started_on: PastDay


class MentorshipEndIn(Body):
    """It ended, and why."""

    reason: MentorshipEnd
    ended_on: PastDay


class MentorshipOut(ResourceOut):
    """A mentor and a mentee."""

    state: MentorState
    mentor_id: UUID
    returnee_id: UUID
    """The mentee."""
    started_on: date
    ended_on: date | None
    reason: MentorshipEnd | None
