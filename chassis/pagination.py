"""Lists that can be read while they grow: keyset pages with an opaque cursor."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar, cast

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BaseModel
from pydantic_core import PydanticCustomError
from sqlalchemy import ColumnElement, Select, SQLColumnExpression, tuple_
from starlette.requests import Request
from starlette.responses import Response

from chassis.datetimes import Written
from chassis.db import Session
from chassis.errors import UNKNOWN_PARAMETER, FieldError, Problem

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=200, description="Items in a page.")]
FIRST_MOMENT, LAST_MOMENT = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
Cursor = Annotated[str | None, Query(description="`next` of the page before.", max_length=400)]


def _since(value: datetime) -> datetime:
    if not FIRST_MOMENT <= value <= LAST_MOMENT:
        right = "a time between 1970 and 2200"
        raise PydanticCustomError("time_out_of_range", right, {"code": "time_out_of_range"})
    return value


Since = Annotated[AwareDatetime, AfterValidator(_since), Written]
"""A time in a filter, such as PostgreSQL can hold in any time zone."""


class Page(BaseModel, Generic[T]):
    """A page of a list; `next` is null on the last."""

    items: list[T]
    next: str | None = None


def link_next(request: Request, response: Response, cursor: str | None) -> None:
    """Say in a `Link` header (RFC 8288) where the next page is; without one, nothing."""
    if cursor is not None:
        query = request.url.include_query_params(after=cursor).query
        response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """Rows of a page and the cursor of the next."""

    items: Sequence[T]
    next: str | None


def encode_cursor(values: Sequence[Any]) -> str:
    """An opaque cursor from the sort values of the last row."""
    return (
        base64.urlsafe_b64encode(json.dumps([str(v) for v in values]).encode()).decode().rstrip("=")
    )


def decode_cursor(cursor: str, types: Sequence[Any]) -> list[Any]:
    """The sort values back, each parsed by its type.

    Raises:
        Problem: It is not a cursor of this list.
    """
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or len(values) != len(types):
            raise ValueError("not the sort values of this list")
        return [storable(parse(value)) for parse, value in zip(types, values, strict=True)]
    except (ValueError, TypeError, OverflowError, binascii.Error, UnicodeDecodeError):
        error = FieldError(
            pointer="#query/after",
            code="bad_cursor",
            detail="send `next` of the page before, unchanged",
        )
        raise Problem(UNKNOWN_PARAMETER, errors=[error]) from None


def storable(value: Any) -> Any:
    """A value that came out of a cursor, which anybody may have made up, if PostgreSQL could hold
    it.

    Raises:
        ValueError: It could not.
        OverflowError: It is a time that has no equal in UTC.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)  # overflows within a day of the first and the last year
    naive = isinstance(value, datetime) and value.tzinfo is None
    large = isinstance(value, int) and not -(2**63) <= value < 2**63
    if naive or large or (isinstance(value, str) and "\0" in value):
        raise ValueError("no such value can be in a list")
    return value


async def page(
    session: Session,
    statement: Select[Any],
    *,
    keys: Sequence[SQLColumnExpression[Any]],
    parsers: Sequence[Any],
    after: str | None,
    limit: int,
    descending: bool = False,
) -> Rows[Any]:
    """Read one page of a statement.

    Args:
        session: The session.
        statement: Selects one entity; without ORDER BY and LIMIT.
        keys: Columns that order the list and are unique together.
        parsers: For each key what makes its value from a string (`UUID`, `datetime.fromisoformat`).
        after: Cursor of the page before.
        limit: Rows in a page.
        descending: Newest first.
    """
    if after is not None:
        mark = tuple_(
            *decode_cursor(after, parsers),
            types=[cast("ColumnElement[Any]", key).type for key in keys],
        )
        statement = statement.where(tuple_(*keys) < mark if descending else tuple_(*keys) > mark)
    order = [key.desc() if descending else key.asc() for key in keys]
    rows = (
        await session.execute(statement.add_columns(*keys).order_by(*order).limit(limit + 1))
    ).all()
    more = len(rows) > limit
    rows = rows[:limit]
    return Rows([row[0] for row in rows], encode_cursor(rows[-1][1:]) if more else None)
