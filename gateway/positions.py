"""Cursors over several logs: how far in each. They mean the same on every replica, and after a
rebuild.
"""

import base64
import json
from collections.abc import Mapping, Sequence

from chassis.errors import UNKNOWN_PARAMETER, FieldError, Problem
from chassis.inbox import Freshness
from gateway.handlers import SOURCES

Positions = Mapping[str, int]
LARGEST = 2**63 - 1


def encode(positions: Positions) -> str:
    """The cursor of these positions."""
    document = json.dumps({name: position for name, position in positions.items() if position})
    return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")


def decode(cursor: str, pointer: str, also: Sequence[str] = ()) -> dict[str, int]:
    """The positions of a cursor; 0 where a source was not heard of yet.

    Args:
        cursor: As it was given out.
        pointer: Where in the request it is, for the problem.
        also: What else such a cursor counts.

    Raises:
        Problem: 400, it is no such cursor.
    """
    try:
        document = json.loads(
            base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        )
        if not isinstance(document, dict):
            raise TypeError
        positions = {name: document.get(name, 0) for name in (*SOURCES, *also)}
        if not all(type(value) is int and 0 <= value <= LARGEST for value in positions.values()):
            raise TypeError
    except (ValueError, TypeError, RecursionError):
        error = FieldError(
            pointer=pointer,
            code="bad_cursor",
            detail="send the cursor of the answer before, unchanged",
        )
        raise Problem(UNKNOWN_PARAMETER, errors=[error]) from None
    return positions


def applied(fresh: Mapping[str, Freshness], at_least: Positions | None = None) -> dict[str, int]:
    """Up to where everything of each source is applied, and never behind `at_least`."""
    floor = at_least or {}
    reached = {source: fresh[source].applied if source in fresh else 0 for source in SOURCES}
    return {source: max(position, floor.get(source, 0)) for source, position in reached.items()}
