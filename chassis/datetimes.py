"""Times and days as they are sent: in words, never as a number."""

import re
from typing import Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

NUMBER = re.compile(r"\s*[+-]?[0-9.]+([eE][+-]?[0-9]+)?\s*")


def _written(value: Any) -> Any:
    if isinstance(value, int | float) or (isinstance(value, str) and NUMBER.fullmatch(value)):
        right = "as in 2026-03-05 or 2026-03-05T10:00:00Z"
        raise PydanticCustomError("not_a_time", right, {"code": "not_a_time"})
    return value


Written = BeforeValidator(_written)
"""Beside the type of a time or a day. Of a number nobody can say what it counts, and from when."""
