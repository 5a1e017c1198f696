"""Cooperatives as they are sent and answered."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

from chassis.routing import Body
from contracts.codes import Money
from contracts.grants import CommunityService, CooperativeReason
from services.grants.codes import CooperativeKind
from services.grants.schemas import ExactMoney, Out, PastDay, Words
from services.grants.states import CooperativeState

MOST_MEMBERS = 50


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


Share = Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=6)]
"""How much is somebody's: a fraction, or a number of shares."""
ShareOut = Annotated[Decimal, PlainSerializer(_plain, return_type=str, when_used="json")]


class ShareOf(Body):
    """A member's share."""

    returnee_id: UUID
    share: Share


class SharesIn(Body):
    """Whose how much is."""

    shares: Share = Decimal(1)
    """How many shares there are: 1 where they are fractions."""
    members: Annotated[list[ShareOf], Field(min_length=2, max_length=MOST_MEMBERS)]

    @model_validator(mode="after")
    def they_are_the_whole(self) -> Self:
        """Refuse shares that do not add up, and a member named twice."""
        check_members(self.shares, [(member.returnee_id, member.share) for member in self.members])
        return self


class MemberIn(ShareOf):
    """A returnee who sets it up with others."""

    case_id: UUID


class CooperativeIn(Body):
    """What several returnees want to set up together."""

    id: UUID | None = None
    name: Annotated[Words, Field(max_length=120)]
    description: Words | None = None
    kind: CooperativeKind
    shares: Share = Decimal(1)
    """How many shares there are: 1 where they are fractions."""
    members: Annotated[list[MemberIn], Field(min_length=2, max_length=MOST_MEMBERS)]

    @model_validator(mode="after")
    def they_are_the_whole(self) -> Self:
        """Refuse shares that do not add up, and a member named twice."""
        check_members(self.shares, [(member.returnee_id, member.share) for member in self.members])
        return self


def check_members(shares: Decimal, members: list[tuple[UUID, Decimal]]) -> None:
    """Refuse shares that are not all of them together, and a member named twice.

    Raises:
        PydanticCustomError: Which.
    """
    if len({returnee_id for returnee_id, _ in members}) < len(members):
        raise PydanticCustomError("member_twice", "each member once", {"code": "member_twice"})
    if sum(share for _, share in members) != shares:
        raise PydanticCustomError(
            "shares_do_not_add_up", "members' shares that add up", {"code": "shares_do_not_add_up"}
        )


class SelectIn(Body):
    """The yes of a person of the committee."""

    minutes: UUID
    """The document of the meeting; the same for everybody in it."""


class RejectIn(Body):
    """Why the committee did not select it."""

    reason: CooperativeReason


class FormIn(Body):
    """That the members set it up."""

    formed_on: PastDay
    statutes: UUID
    """The document by which they did."""


class JointGrantIn(Body):
    """Help for all of them together; each one's part is as their share."""

    amount: ExactMoney
    budget_id: UUID | None = None
    """None: the first open budget of the programme that has enough."""
    description: Words | None = None


class TrainingIn(Body):
    """A training of the members."""

    cohort_id: UUID
    held_on: PastDay


class VisitIn(Body):
    """A visit to it."""

    visit_id: UUID
    visited_on: PastDay


class ImpactIn(Body):
    """What it did in a period."""

    id: UUID | None = None
    starts_on: PastDay
    ends_on: PastDay
    jobs: Annotated[int, Field(ge=0, le=100_000)]
    """That it created, beside its members' own."""
    services: Annotated[tuple[CommunityService, ...], Field(max_length=20)] = ()
    """For the community around it."""
    replaces: UUID | None = None
    """The report that this one puts right."""

    @model_validator(mode="after")
    def it_ends_after_it_begins(self) -> Self:
        """Refuse a period that ends before it begins."""
        if self.ends_on < self.starts_on:
            raise PydanticCustomError(
                "period", "a period that ends after it begins", {"code": "period"}
            )
        return self


class MemberOut(Out):
    """A member."""

    returnee_id: UUID
    case_id: UUID
    share: ShareOut
    part: Money | None
    """Of the joint grant, as it counts against their ceilings."""


class TrainingOut(Out):
    """A training of the members."""

    cohort_id: UUID
    held_on: date


class VisitOut(Out):
    """A visit to it."""

    visit_id: UUID
    visited_on: date


class ImpactOut(Out):
    """What it did in a period."""

    id: UUID
    starts_on: date
    ends_on: date
    jobs: int
    services: list[CommunityService]
    replaces: UUID | None
    current: bool
    """False for a report that another one took the place of."""
    recorded_at: datetime


class CooperativeOut(Out):
    """A cooperative."""

    id: UUID
    state: CooperativeState
    kind: CooperativeKind
    name: str
    programme: str
    shares: ShareOut
    member_count: int
    """Of all members; `members` has those whom the reader may know of."""
    grant_id: UUID | None
    formed_on: date | None
    reason: CooperativeReason | None
    jobs: int
    """Created in all, by the reports that hold."""
    created_at: datetime
    updated_at: datetime


class CooperativeDetail(CooperativeOut):
    """A cooperative with all that was done."""

    description: str | None
    members: list[MemberOut]
    proposer: UUID
    """Opaque: the same person has the same id everywhere."""
    committee: list[UUID]
    """Who of it said yes."""
    committee_needed: int
    minutes: UUID | None
    statutes: UUID | None
    papers_missing: list[str]
    """Of minutes and statutes, those that cases does not have, or has not said that it has: no
    money leaves before. They are asked for with the joint grant.
    """
    trainings: list[TrainingOut]
    visits: list[VisitOut]
    impact: list[ImpactOut]
