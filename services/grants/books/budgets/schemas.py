"""Budgets as they are sent and answered."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from chassis.routing import Body
from contracts.codes import Money, Slug
from services.grants.schemas import Day, ExactMoney, Out


class SourceIn(Body):
    """A donor's part of a budget, and when it may be spent."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    donor: Slug
    share: Annotated[Decimal, Field(gt=0, le=1, max_digits=7, decimal_places=6)]
    """Of every amount; the shares are one together."""
    from_: Annotated[Day, Field(alias="from")]
    until: Day


class BudgetIn(Body):
    """Money of a programme that an organisation may grant from."""

    id: UUID | None = None
    programme: Slug
    organisation: Slug
    """Who grants from it: an implementing organisation."""
    amount: ExactMoney
    starts_on: Day
    ends_on: Day
    sources: Annotated[list[SourceIn], Field(min_length=1, max_length=20)]
    low_at: Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=3)] = Decimal(0)
    """Say so when less than this is available."""

    @model_validator(mode="after")
    def it_adds_up(self) -> Self:
        """Refuse shares that are not the whole, and periods that end before they begin."""
        if sum(source.share for source in self.sources) != 1:
            raise PydanticCustomError("shares", "shares that are 1 together", {"code": "shares"})
        if self.starts_on > self.ends_on or any(
            source.from_ > source.until for source in self.sources
        ):
            raise PydanticCustomError(
                "period", "a period that ends after it begins", {"code": "period"}
            )
        return self


class ReuseIn(Body):
    """What was recovered and may be granted again."""

    amount: ExactMoney


class SourceOut(BaseModel):
    """A donor's part, and what of the money paid is its."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    donor: str
    share: Decimal
    from_: Annotated[date, Field(alias="from")]
    until: date
    paid: Money


class BudgetOut(Out):
    """A budget; every amount is the sum of postings."""

    id: UUID
    programme: str
    organisation: str
    amount: Money
    starts_on: date
    ends_on: date
    low_at: Money
    available: Money
    reserved: Money
    committed: Money
    paid: Money
    recovered: Money
    sources: list[SourceOut]
    created_at: datetime
    updated_at: datetime


class PostingOut(BaseModel):
    """One side of an entry."""

    id: int
    entry_id: UUID
    kind: str
    """Why the money moved."""
    account: str
    amount: str
    """Signed: what the account gained or lost."""
    currency: str
    grant_id: UUID | None
    payment_id: UUID | None
    recorded_at: datetime
