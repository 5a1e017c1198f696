"""What the HTTP shapes of grants have in common."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self

from fastapi import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from chassis.datetimes import Past, Written
from chassis.errors import FieldError, invalid
from contracts.codes import Money
from contracts.currencies import is_exact

Claimed = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2100, 1, 1, tzinfo=UTC)),
    Written,
]
Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2100, 1, 1)), Written]
PastDay = Annotated[Day, Past()]
"""A day on which something was so, or was done."""
Words = Annotated[
    str,
    StringConstraints(
        pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$", min_length=1, max_length=500
    ),
]
UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: {"description": "Somebody named is not known, or not for you"}
}
CHANGED: dict[int | str, dict[str, Any]] = {
    412: {"description": "One of them has changed since you read it"}
}
LONGEST = 10_000
"""Rows of a list as CSV; who needs more narrows the filters."""


class Format(StrEnum):
    """How a list is answered."""

    JSON = "json"
    CSV = "csv"


class Out(BaseModel):
    """Base of answers."""

    model_config = ConfigDict(from_attributes=True)


class ExactMoney(Money):
    """An amount above nothing, no finer than its currency (ISO 4217)."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="after")
    def it_can_be_paid(self) -> Self:
        """Refuse nothing, and fractions that the currency does not have."""
        if not self.amount > 0:
            raise PydanticCustomError(
                "amount_is_zero", "an amount above zero", {"code": "amount_is_zero"}
            )
        if not is_exact(self.amount, self.currency):
            raise PydanticCustomError(
                "too_fine",
                "no more decimals than the currency has (ISO 4217)",
                {"code": "too_fine"},
            )
        return self


def money(amount: Decimal, currency: str) -> Money:
    """An amount in its currency."""
    return Money(amount=amount, currency=currency)


def flat(value: Any) -> Any:
    """A value as it stands in a cell; the currency of an amount has a column of its own."""
    if isinstance(value, dict) and "amount" in value:
        return value["amount"]
    return "" if value is None else value


def as_csv(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> Response:
    """A list as a spreadsheet reads it. Cells are codes, ids, dates and amounts: none can be a
    formula.

    Raises:
        Problem: 422, there are more rows than `LONGEST`. A list of money is never cut off without a
            word.
    """
    listed = list(rows)
    if len(listed) > LONGEST:
        detail = f"filters that leave at most {LONGEST} rows"
        raise invalid(FieldError(pointer="#query", code="too_many_rows", detail=detail))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: flat(value) for name, value in row.items()} for row in listed)
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8")
