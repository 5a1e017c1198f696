"""What is wrong with a file, in words that never repeat what stands in it."""

import re
import unicodedata
from typing import Any

from chassis.errors import FieldError

DAY = re.compile(r"(\d{1,4})\s*[./-]\s*(\d{1,2})\s*[./-]\s*(\d{1,4})([ T].*)?")
TIME = re.compile(r".*\d{1,2}:\d{2}.*")
NUMBER = re.compile(r"[+-]?\d+")
DECIMAL = re.compile(r"[+-]?\d*[.,]\d+|[+-]?\d+[.,]\d*")
SHORTENED = re.compile(r"[+-]?\d+([.,]\d+)?[eE][+-]?\d+")
FORMULA = re.compile(r"\s*([=@]|[+-][^\s\d(])")
MONTHS = 12
DAYS = 31


class Unreadable(ValueError):  # noqa: N818 - it says what the file is
    """The form of the file is wrong, whatever stands in it: said once, not for each row.

    Args:
        right: What would be right.
        code: What is wrong.
        row: The row or line at which it is seen.
        errors: More than one thing, instead of these three.
    """

    def __init__(
        self,
        right: str = "",
        code: str = "unreadable_file",
        row: int | None = None,
        errors: list[FieldError] | None = None,
    ) -> None:
        self.errors = errors or [FieldError(pointer="", code=code, detail=right, row=row)]
        super().__init__(self.errors[0].detail)


def kind_of(value: Any) -> str:
    """What kind of thing a value is, for whoever looks for it in the file: never the value."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes or no"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    if isinstance(value, dict):
        return "an object"
    return _kind_of_text(str(value).strip())


def _kind_of_text(text: str) -> str:
    if not text:
        return "nothing"
    folded = "".join(str(unicodedata.decimal(each, each)) for each in text)
    if SHORTENED.fullmatch(folded):
        return "a number that was shortened, its last digits lost"
    if NUMBER.fullmatch(folded):
        return "a whole number"
    day = DAY.fullmatch(folded)
    if day:
        return _kind_of_day(day)
    if DECIMAL.fullmatch(folded):
        return "a number with decimals"
    if TIME.fullmatch(folded):
        return "a time"
    if FORMULA.match(text):
        return "a formula"
    return _kind_of_words(text)


def _kind_of_day(day: re.Match[str]) -> str:
    first, second, third = (int(day[index]) for index in (1, 2, 3))
    if TIME.fullmatch(day[4] or ""):
        return "a time"
    if first > DAYS and "-" in day[0]:
        return "a day" if _exists(second, third) else "a day in another form"
    may_be_swapped = max(first, second) <= MONTHS and first != second
    if may_be_swapped and "." not in day[0]:
        return "a day that can be read in two ways"
    return "a day in another form"


def _exists(month: int, day: int) -> bool:
    """Whether some month has such a day."""
    return 1 <= month <= MONTHS and 1 <= day <= DAYS


def _kind_of_words(text: str) -> str:
    letters = [each for each in text if each.isalpha()]
    digits = any(each.isdecimal() for each in text)
    if not letters:
        return "digits and signs" if digits else "signs, no letters or digits"
    script = unicodedata.name(letters[0], "UNKNOWN").split()[0]
    script = {"LATIN": "", "CJK": "Chinese "}.get(script, f"{script.capitalize()} ")
    article = "an" if script[:1] in {"A", "E"} else "a"
    if digits:
        return f"{script}letters and digits".strip()
    words = len(text.split())
    return f"{article} {script}word" if words == 1 else f"{words} {script}words"
