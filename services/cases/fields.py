"""Types of what people send: each refuses with a code of its own and says what would be right,
never what was sent.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any

import pycountry
from fastapi import Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    WrapValidator,
)
from pydantic import ValidationError as Invalid
from pydantic_core import PydanticCustomError

from chassis.auth import ACTOR_PATTERN, folded_user_id
from chassis.datetimes import Past
from chassis.iso import countries, languages

NAME_LENGTH = 120
LINE_LENGTH = 400
NOTE_LENGTH = 4000

STATELESS_AND_OTHERS = frozenset({"XXA", "XXB", "XXC", "XXX", "XKX"})
"""ICAO 9303: stateless, refugees, unspecified; and Kosovo's user-assigned code."""
FORMULA = re.compile(r"\s*([=@+]|-[^\s\d])")
"""What a spreadsheet takes for a formula. A dash before a blank or a digit begins a list or a
number.
"""
DATE_FORM = re.compile(r"\d{4}-\d{2}-\d{2}")
LATIN_1 = 0x100


class Out(BaseModel):
    """Base of what is answered."""

    model_config = ConfigDict(frozen=True)


def refuse(code: str, right: str) -> PydanticCustomError:
    """An error with a code and what would be right."""
    return PydanticCustomError(code, right, {"code": code})


def coded(code: str, right: str) -> WrapValidator:
    """Give whatever is wrong with a value one code of ours."""

    def check(value: Any, handler: Callable[[Any], Any]) -> Any:
        try:
            return handler(value)
        except Invalid:
            raise refuse(code, right) from None

    return WrapValidator(check)


def member_of(code: str, kinds: type) -> WrapValidator:
    """Give a value that is not of an enumeration a code of ours, and say what is."""
    return coded(code, "one of: " + ", ".join(kinds))  # type: ignore[arg-type] # an enumeration is iterable


def is_mojibake(text: str) -> bool:
    """Whether text was UTF-8 and was read as Windows-1252 or Latin-1 somewhere on its way."""
    if text.isascii():
        return False
    raw = bytearray()
    for character in text:
        try:
            raw += character.encode("cp1252")
        except UnicodeEncodeError:
            if ord(character) >= LATIN_1:
                return False
            raw.append(ord(character))
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def has_control(text: str, *, lines: bool) -> bool:
    """Whether text has control, direction-override or surrogate characters.

    Args:
        text: The text.
        lines: Whether it may have line breaks and tabs.
    """
    allowed = "\n\r\t" if lines else ""
    return any(
        character not in allowed
        and (
            unicodedata.category(character) in {"Cc", "Cs"}
            or character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        )
        for character in text
    )


def check_text(text: str, *, lines: bool = False) -> str:
    """Refuse text that would do harm where it is shown or opened, and text that was broken on its
    way.

    Raises:
        PydanticCustomError: `control_character`, `mojibake` or `formula_injection`.
    """
    if has_control(text, lines=lines):
        raise refuse("control_character", "no control or direction-override characters")
    if is_mojibake(text):
        raise refuse("mojibake", "text in UTF-8")
    if FORMULA.match(text):
        raise refuse("formula_injection", "text that no spreadsheet takes for a formula")
    return text


def _line(limit: int) -> AfterValidator:
    def check(text: str) -> str:
        if len(text) > limit:
            raise refuse("text_too_long", f"at most {limit} characters")
        return check_text(text)

    return AfterValidator(check)


def _note(text: str) -> str:
    if len(text) > NOTE_LENGTH:
        raise refuse("note_too_long", f"at most {NOTE_LENGTH} characters")
    return check_text(text, lines=True)


def _comment(text: str) -> str:
    if not text.strip():
        raise refuse("comment_missing", "a comment that explains it")
    return _note(text)


NamePart = Annotated[str, _line(NAME_LENGTH)]
Line = Annotated[str, _line(LINE_LENGTH)]
Note = Annotated[str, AfterValidator(_note)]
Comment = Annotated[str, AfterValidator(_comment)]
"""A note that may not be empty."""


def _date(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not DATE_FORM.fullmatch(value):
        raise refuse("date_format", "YYYY-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise refuse("impossible_date", "a day that exists") from None


Date = Annotated[date, BeforeValidator(_date)]
PastDate = Annotated[Date, Past()]
"""A day on which something was so, or was done."""


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise refuse("time_format", "a time as YYYY-MM-DDTHH:MM:SS+HH:MM") from None
    if not isinstance(value, datetime):
        raise refuse("time_format", "a time as YYYY-MM-DDTHH:MM:SS+HH:MM")
    if value.tzinfo is None:
        raise refuse("time_without_zone", "a time with its offset")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
UserId = Annotated[str, Field(pattern=ACTOR_PATTERN), AfterValidator(folded_user_id)]
"""An opaque user id, kept in its one spelling."""
UserIdFilter = Annotated[str, Query(pattern=ACTOR_PATTERN), AfterValidator(folded_user_id)]
"""The same in a filter."""
Flag = Annotated[StrictBool, coded("not_a_boolean", "true or false")]


@cache
def governorates(country: str) -> frozenset[str]:
    """ISO 3166-2 codes of a country; empty where it has none.

    Args:
        country: ISO 3166-1 alpha-3.
    """
    known = pycountry.countries.get(alpha_3=country)
    if known is None:
        return frozenset()
    return frozenset(
        part.code for part in pycountry.subdivisions if part.country_code == known.alpha_2
    )


def _in(
    known: Callable[[], frozenset[str]], code: str, right: str, more: frozenset[str] = frozenset()
) -> AfterValidator:
    def check(value: str) -> str:
        if value not in known() and value not in more:
            raise refuse(code, right)
        return value

    return AfterValidator(check)


Country = Annotated[str, _in(countries, "bad_country_code", "an ISO 3166-1 alpha-3 code")]
Nationality = Annotated[
    str,
    _in(
        countries,
        "bad_nationality",
        "an ISO 3166-1 alpha-3 code, or XXA for stateless",
        STATELESS_AND_OTHERS,
    ),
]
Language = Annotated[str, _in(languages, "unknown_language", "an ISO 639 code")]
