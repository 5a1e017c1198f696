"""What every loader of a row does: read it as it is now, or say that there is none."""

from typing import TypeVar

from sqlmodel.sql.expression import SelectOfScalar

from chassis.db import Session
from chassis.errors import CONFLICT, NOT_FOUND, Problem

Row = TypeVar("Row")

FRESH = {"populate_existing": True}
"""Execution options of a statement that reads rows as they are now, also where the session has seen
them before: each that locks.
"""


async def load_or_404(session: Session, query: SelectOfScalar[Row]) -> Row:
    """The first row of a query, as it is now.

    Raises:
        Problem: 404.
    """
    row: Row | None = await session.scalar(query, execution_options=FRESH)
    if row is None:
        raise Problem(NOT_FOUND)
    return row


def id_taken() -> Problem:
    """The 409 for an id that the client chose and that something else has."""
    return Problem(CONFLICT, "the id is taken by something else")
