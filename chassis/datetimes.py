"""Times and days as they are sent: in words, never as a number, and none of them a fact that has
not come.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

NUMBER = re.compile(r"\s*[+-]?[0-9.]+([eE][+-]?[0-9]+)?\s*")


def _written(value: Any) -> Any:
    if isinstance(value, int | float) or (isinstance(value, str) and NUMBER.fullmatch(value)):
        right = "as in 2026-03-05 or 2026-03-05T10:00:00Z"
        raise PydanticCustomError("not_a_time", right, {"code": "not_a_time"})
    return value


Written = BeforeValidator(_written)
"""Beside the type of a time or a day. Of a number nobody can say what it counts, and from when."""


EASTERNMOST = timedelta(hours=14)
"""How far ahead of UTC the earliest day on Earth is: a fact is told on the day of its place."""
SLOW = timedelta(minutes=5)
"""By how much the clock of who tells a fact may be ahead of ours."""
TENSE = "x-tense"


@dataclass(frozen=True, slots=True)
class Past:
    """Beside the type of a day or a time that tells a fact: one that has not come is refused.

    In the API's description such a field says so (`x-tense: past`), and a guard asks every day and
    time of a body what it tells.

    Attributes:
        code: With which it is refused.
        by_rule: Whether a rule of the service refuses it, with what else is wrong there.
    """

    code: str = "in_future"
    by_rule: bool = False

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = handler(source)
        if self.by_rule:
            return schema
        return core_schema.no_info_after_validator_function(self._refuse_future, schema)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {TENSE: "past"}

    def _refuse_future(self, value: date | datetime) -> date | datetime:
        if not has_come(value):
            kind = "time" if isinstance(value, datetime) else "day"
            raise PydanticCustomError(self.code, f"a {kind} that has come", {"code": self.code})
        return value


def has_come(value: date | datetime) -> bool:
    """Whether a time has come, or a day has begun anywhere."""
    at = datetime.now(UTC)
    if isinstance(value, datetime):
        return value <= at + SLOW
    return value <= (at + EASTERNMOST).date()
