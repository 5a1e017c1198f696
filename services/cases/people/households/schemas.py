"""What happens to households, as it is sent."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.datetimes import Past
from chassis.routing import Body
from contracts.codes import Member
from services.cases.fields import Date, Out, member_of


class LeaveReason(StrEnum):
    """Why somebody belongs to a household no more. It stays in cases."""

    DECEASED = "deceased"
    SEPARATED = "separated"
    MOVED = "moved"
    MARRIED = "married"
    RE_MIGRATED = "re_migrated"
    OTHER = "other"


class SplitReason(StrEnum):
    """Why a household becomes two."""

    SEPARATED = "separated"
    MOVED = "moved"
    MARRIED = "married"
    PROTECTION = "protection"
    OTHER = "other"


class SplitIn(Body):
    """Who goes, and who is the head of each part."""

    members: Annotated[list[UUID], Field(min_length=1, max_length=60)]
    """Returnees who form the new household."""
    principal: UUID
    """The head of the new household, one of them."""
    successor: UUID | None = None
    """The head of those who stay, where the head is among those who go."""
    reason: Annotated[SplitReason, member_of("unknown_reason", SplitReason)]


class LeaveIn(Body):
    """Who leaves or died, and who takes their place if they were the head."""

    returnee_id: UUID
    on: Annotated[Date, Past("date_ahead")]
    reason: Annotated[LeaveReason, member_of("unknown_reason", LeaveReason)]
    successor: UUID | None = None


class HouseholdMemberOut(Out):
    """A person's place in a household."""

    returnee_id: UUID
    relationship: str
    member: Member
    since: datetime
    until: datetime | None


class HouseholdOut(Out):
    """A household with its members, past ones too."""

    id: UUID
    members: list[HouseholdMemberOut]
    created_at: datetime
    updated_at: datetime
