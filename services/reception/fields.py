"""Types of what the desk and the airline send; each refuses with a code and says what would be
right.
"""

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints
from pydantic_core import PydanticCustomError

from chassis.datetimes import Past, Written
from chassis.iso import countries, languages

NAME_LENGTH = 120
SENTINEL_BIRTH_DATE = date(1900, 1, 1)
NOT_COUNTRIES = frozenset({"XXA", "XXB", "XXC", "XXX", "XKX"})
"""ICAO 9303: stateless, refugees, unspecified; and Kosovo's user-assigned code."""

Claimed = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2100, 1, 1, tzinfo=UTC)),
    Written,
]
"""When something happened by the clock of whoever tells it."""
Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2100, 1, 1)), Written]
"""A day in the time zone of the port."""
PastMoment = Annotated[Claimed, Past()]
"""When something happened, as whoever tells it from a desk knows."""
PastDay = Annotated[Day, Past()]
"""A day on which something was so, or was done."""
Governorate = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")]
"""ISO 3166-2."""


def refuse(code: str, right: str, *, column: str | None = None) -> PydanticCustomError:
    """An error with a code and what would be right.

    Args:
        code: What is wrong.
        right: What would be right.
        column: In which member, where several are looked at together.
    """
    return PydanticCustomError(code, right, {"code": code, "column": column})


FORMULA = re.compile(r"\s*([=@+]|-[^\s\d])")
"""What a spreadsheet takes for a formula."""


def _in_script(text: str, script: str) -> str:
    if any(
        c.isalpha() and not unicodedata.name(c, "").startswith((script, "MODIFIER LETTER"))
        for c in text
    ):
        raise refuse("wrong_script", f"{script.capitalize()} letters")
    return text


def _plain(text: str) -> str:
    if FORMULA.match(text):
        raise refuse("formula_injection", "text that no spreadsheet takes for a formula")
    if len(text) > NAME_LENGTH:
        raise refuse("text_too_long", f"at most {NAME_LENGTH} characters")
    if any(
        unicodedata.category(c) in {"Cc", "Cs"} or c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067"
        for c in text
    ):
        raise refuse("control_character", "no control or direction-override characters")
    return text


def _born(day: date) -> date:
    if day == SENTINEL_BIRTH_DATE:
        raise refuse("sentinel_birth_date", "the real date, an estimated one, or none")
    return day


def _nationality(code: str) -> str:
    if code not in countries() and code not in NOT_COUNTRIES:
        raise refuse("bad_nationality", "an ISO 3166-1 alpha-3 code, or XXA for stateless")
    return code


def _language(code: str) -> str:
    if code not in languages():
        raise refuse("unknown_language", "an ISO 639-1 or 639-3 code")
    return code


NamePart = Annotated[str, AfterValidator(_plain)]
BirthDate = Annotated[date, AfterValidator(_born), Past("birth_in_future"), Written]
Nationality = Annotated[str, AfterValidator(_nationality)]
Language = Annotated[str, AfterValidator(_language)]
LatinName = Annotated[NamePart, AfterValidator(lambda text: _in_script(text, "LATIN"))]
ArabicName = Annotated[NamePart, AfterValidator(lambda text: _in_script(text, "ARABIC"))]
