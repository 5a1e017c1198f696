"""Cash floats as they are sent and answered."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.routing import Body
from contracts.codes import Money, PortCode
from services.grants.schemas import ExactMoney, Out

Counted = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=3)]


class FloatIn(Body):
    """Cash that is put at a desk's disposal."""

    id: UUID | None = None
    port_of_entry: PortCode
    amount: ExactMoney


class HandInIn(Body):
    """What was left and handed in."""

    amount: Counted


class CountIn(Body):
    """What another person counted."""

    counted: Counted


class FloatOut(Out):
    """A cash float."""

    id: UUID
    state: str
    organisation: str
    port_of_entry: str
    amount: Money
    drawn: Money
    """Set aside for released payments, or handed over."""
    left: Money
    handed_in: Money | None
    counted: Money | None
    agrees: bool | None
    """Whether what was counted is what the books say; null before."""
    opened_by: UUID
    returned_by: UUID | None
    reconciled_by: UUID | None
    created_at: datetime
    updated_at: datetime
