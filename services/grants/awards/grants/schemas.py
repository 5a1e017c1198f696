"""Grants as they are sent and answered."""

from datetime import date, datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from chassis.routing import Body
from contracts.codes import AssistanceGroup, HelpKind, Housing, Money
from contracts.entitlements import PackageName
from contracts.grants import GrantReason
from services.grants.schemas import ExactMoney, Out, PastDay, Words
from services.grants.states import GrantState


class GrantIn(Body):
    """Help that is requested for somebody."""

    id: UUID | None = None
    case_id: UUID
    returnee_id: UUID
    kind: HelpKind
    housing: Housing | None = None
    package: PackageName | None = None
    """None: the programme's package for the kind."""
    amount: ExactMoney
    budget_id: UUID | None = None
    """None: the first open budget of the programme that has enough."""
    plan_line_id: UUID | None = None
    """The line of the plan in force that it fulfils: one of which nothing is granted, or was
    refused.
    """
    description: Words | None = None

    @model_validator(mode="after")
    def housing_is_specified(self) -> Self:
        """Housing says what kind, and nothing else does."""
        if (self.kind is HelpKind.HOUSING) != (self.housing is not None):
            raise PydanticCustomError(
                "housing_kind",
                "items, rent, materials or temporary for housing only",
                {"code": "housing_kind"},
            )
        return self


class QuoteIn(Body):
    """An offer of a payee of the organisation."""

    payee_id: UUID
    amount: ExactMoney
    document: UUID


class ReasonIn(Body):
    """Why."""

    reason: GrantReason


class DeliveryIn(Body):
    """What was handed over."""

    delivered_on: PastDay
    certificate: UUID
    """The handover certificate that the returnee signed."""
    complete: bool = True


class AmendIn(Body):
    """Another amount."""

    amount: ExactMoney
    description: Words | None = None


class QuoteOut(Out):
    """An offer."""

    payee_id: UUID
    amount: Money
    document: UUID
    recorded_at: datetime


class DeliveryOut(Out):
    """What was handed over."""

    delivered_on: date
    certificate: UUID
    complete: bool
    recorded_at: datetime


class Unsettled(StrEnum):
    """Why nothing is scheduled for what was earned."""

    NOTHING_LEFT = "nothing_left"
    """The grant, or what of it may be cash, is used up."""
    WAGE_NOT_KNOWN = "wage_not_known"
    """Training does not say, or has not said yet, what the work is paid."""
    WAGE_IN_ANOTHER_CURRENCY = "wage_in_another_currency"
    """A rate is a person's decision, with its day and its source: schedule the months by hand, with
    the rate.
    """


class UnsettledOut(Out):
    """Something that was earned and is not paid by itself."""

    earned_by: str
    """The session, the day or the month; of a wage, the placement."""
    why: Unsettled
    due_on: date | None
    missing: Money | None
    """How much of it no payment covers; null where it cannot be reckoned."""


class GrantOut(Out):
    """A grant."""

    id: UUID
    state: GrantState
    case_id: UUID
    returnee_id: UUID | None
    """Null after an erasure."""
    household_id: UUID | None
    programme: str
    package: str
    kind: HelpKind
    housing: Housing | None
    group: AssistanceGroup
    amount: Money
    planned: Money | None
    """What the plan in force says, where another amount was approved before: amend the grant, or
    leave it.
    """
    budget_id: UUID | None
    plan_line_id: UUID | None
    description: str | None
    reason: GrantReason | None
    approvers_needed: int
    quotes_needed: int
    outside_window: bool
    """Requested after the package's window, which this programme only warns about."""
    delivered_on: date | None
    unsettled: list[UnsettledOut]
    """What attendance or work earned and it does not pay; somebody has to decide."""
    created_at: datetime
    updated_at: datetime


class GrantDetail(GrantOut):
    """A grant with all that was done."""

    requester: UUID
    """Opaque: the same person has the same id everywhere."""
    approvers: list[UUID]
    quotes: list[QuoteOut]
    deliveries: list[DeliveryOut]
    paid: Money
