"""What a cell says: days as spreadsheets and airlines write them, digits of any script, yes and no
in words, lists.

A reader makes of text what a body holds, where the text can mean one thing only. Else it gives the
text as it is: the body's own check then refuses it, with its code and what would be right.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale

Precision = Literal["day", "month", "year"]
SURE = ("day", "month", "year")
"""The surest first."""

GUARDED = re.compile(r'="([^"]*)"')
"""A text that a spreadsheet was kept from taking for a number."""
GUARDS = ("=", "'")
BLANKS = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
MARKS = "\ufeff\u200b\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""What has no width and stands about a text that was copied from elsewhere."""
LISTED = re.compile(r"[;,|،؛\r\n]+")
LISTED_OR_BLANK = re.compile(r"[;,|/،؛\s]+")
SPREADSHEET_DAY_ZERO = date(1899, 12, 30)
SERIALS = range(10_000, 73_051)
"""1927-05-18 to 2099-12-31 as a spreadsheet counts days. Shorter numbers are years."""
YEARS = range(1850, 2201)
CENTURY = 100
MONTHS = 12
MIDNIGHT = re.compile(r"[ T]0?0:00(:00(\.0+)?)?(Z|\+00:?00)?")
YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
YEAR_LAST = re.compile(r"(\d{1,2})\s*([-/.])\s*(\d{1,2})\s*\2\s*(\d{4}|\d{2})\.?")
COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
MONTH_OF_YEAR = re.compile(r"(\d{4})[-/.](\d{1,2})|(\d{1,2})[-/.](\d{4})")
IN_WORDS = re.compile(r"(\d{1,2})[\s.-]*([^\W\d_]+)\.?[\s.-]*(\d{4}|\d{2})")
WHOLE = re.compile(r"([+-]?\d+)([.,]0+)?")
MOMENT = re.compile(
    r"(?P<day>[^ T]+)[ T]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(:(?P<second>\d{2})(\.\d+)?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(:?\d{2})?|[A-Za-z]+/[A-Za-z_/]+)?"
)
OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})?")
LANGUAGES = ("en", "de", "fr", "nl", "sv", "fi", "es", "it")
"""Of months in words."""
YES_WORDS = "true yes y ja oui si sí kyllä tosi waar wahr vrai verdadero vero sant 1 نعم بەڵێ erê"
NO_WORDS = "false no n nein non nee nej ei epätosi onwaar falsch faux falso falskt 0 لا نەخێر na"
YES, NO = frozenset(YES_WORDS.split()), frozenset(NO_WORDS.split())


def cleaned(text: str) -> str:
    """A cell without what a spreadsheet puts about it: blanks of any width, marks, a guard against
    formulas.
    """
    text = _stripped(text)
    return _stripped(unguarded(text)) if text[:1] in GUARDS else text


def unguarded(text: str) -> str:
    """A cell without the guard that keeps a spreadsheet from taking it for a number or a formula:
    `="0123"`, and the apostrophe that our own lists, and people, put before `=`, `+`, `-` and `@`.
    """
    guarded = GUARDED.fullmatch(text.strip()) if "=" in text else None
    if guarded:
        return guarded[1]
    return text[1:] if len(text) > 1 and text[0] == "'" and text[1] in "=+-@" else text


def _stripped(text: str) -> str:
    text = text.strip()
    before = text if text.isascii() else None
    while before != text:
        before, text = text, text.strip().strip(MARKS)
    return text


def folded(text: str) -> str:
    """Text with the digits of every script as 0 to 9, and signs of full width as usual ones."""
    if text.isascii():
        return text
    return "".join(
        str(unicodedata.decimal(each)) if each.isdecimal() else unicodedata.normalize("NFKC", each)
        for each in text
    )


def line(text: str) -> str:
    """Text on one line, its blanks as blanks. What is inside stays as it was written."""
    if "\n" in text or "\r" in text:
        text = " ".join(text.split())
    return text if text.isascii() else BLANKS.sub(" ", text)


def spelling(text: str) -> str:
    """A name as it was written, but on one line."""
    return " ".join(text.splitlines()) if "\n" in text or "\r" in text else text


def note(text: str) -> str:
    """Text of several lines."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def lower(text: str) -> str:
    """A code in small letters: `Asylum rejected` is `asylum_rejected`."""
    return "_".join(text.split()).lower()


def upper(text: str) -> str:
    """A code in capitals."""
    return folded(line(text)).strip().upper()


def number(text: str) -> str:
    """A number of a document or a file, its digits those of everybody."""
    return folded(line(text))


def of(codes: Mapping[str, Any], otherwise: Callable[[str], Any] = lower) -> Callable[[str], Any]:
    """Reads a code by any of the words that stand for it.

    Args:
        codes: What the words, in small letters, stand for.
        otherwise: Reads what is none of them.
    """

    def read(text: str) -> Any:
        return codes.get(lower(text), otherwise(text))

    return read


def whole(text: str) -> int | str:
    """A whole number, also as a spreadsheet writes one that it takes for another: `1.0`."""
    found = WHOLE.fullmatch(folded(text))
    return int(found[1]) if found and len(found[1]) < 10 else text  # noqa: PLR2004 - no count is longer


def flag(text: str) -> bool | str | None:
    """Yes or no, in words of any of our languages; None for an empty cell."""
    word = folded(text).casefold().rstrip(".")
    if not word:
        return None
    return True if word in YES else False if word in NO else text


def words(read: Callable[[str], Any] = lower) -> Callable[[str], list[Any]]:
    """Reads a list of codes, parted by whatever people part lists with."""

    def several(text: str) -> list[Any]:
        return [read(part) for part in map(cleaned, LISTED.split(text)) if part]

    return several


@dataclass(frozen=True, slots=True)
class PartialDay:
    """A day, and how much of it is known; what is not known is the first."""

    date: date
    precision: Precision


def day(text: str) -> str:
    """A whole day as YYYY-MM-DD."""
    read = partial_day(text)
    return read.date.isoformat() if read and read.precision == "day" else text


def past_day(text: str) -> str:
    """A whole day that has been."""
    read = partial_day(text, past=True)
    return read.date.isoformat() if read and read.precision == "day" else text


def partial_day(text: str, *, past: bool = False) -> PartialDay | None:
    """A day, month or year that text names, if it can name one only.

    Points are written between day, month and year in this order everywhere (CLDR knows no other),
    slashes and dashes in two orders: those are read where one of them makes no day, or both the
    same.

    Args:
        text: As a spreadsheet, an airline or a person writes it.
        past: Whether it has been, like a birth. Two digits of a year then mean one of the last
            hundred; of other days they say too little.
    """
    text = MIDNIGHT.sub("", folded(cleaned(text))).strip()
    year_first = YEAR_FIRST.fullmatch(text)
    if year_first:
        return _partial(int(year_first[1]), int(year_first[3]), int(year_first[4]))
    year_last = YEAR_LAST.fullmatch(text)
    if year_last:
        return _year_last(year_last, past=past)
    in_words = IN_WORDS.fullmatch(text)
    if in_words:
        month = _months().get(in_words[2].casefold())
        return _known(in_words[3], month, int(in_words[1]), past=past) if month else None
    return _in_digits(text)


def as_precise(text: str, precision: str) -> tuple[str, str]:
    """A past day in ISO form, and how much of it is known; both as they are where the text names no
    day, or less of one than is said to be known.

    Args:
        text: As it was written.
        precision: What is said of it: a `Precision`, another word, or nothing.
    """
    read = partial_day(text, past=True)
    if read is None:
        return text, precision
    if precision in SURE and SURE.index(precision) < SURE.index(read.precision):
        return text, precision
    return read.date.isoformat(), precision or read.precision


def _in_digits(text: str) -> PartialDay | None:
    compact = COMPACT.fullmatch(text)
    if compact:
        return _partial(*map(int, compact.groups()))
    month_of_year = MONTH_OF_YEAR.fullmatch(text)
    if month_of_year:
        year, month = month_of_year[1] or month_of_year[4], month_of_year[2] or month_of_year[3]
        return _partial(int(year), int(month), 0) if int(month) else _partial(int(year), 0, 0)
    counted = WHOLE.fullmatch(text)
    if counted and int(counted[1]) in SERIALS:
        return PartialDay(SPREADSHEET_DAY_ZERO + timedelta(days=int(counted[1])), "day")
    if counted and int(counted[1]) in YEARS:
        return _partial(int(counted[1]), 0, 0)
    return None


def _partial(year: int, month: int, day_of_month: int) -> PartialDay | None:
    """A day of which month and day may be said to be nothing: `1984-00-00`."""
    if year not in YEARS or (day_of_month and not month):
        return None
    precision: Precision = "day" if day_of_month else "month" if month else "year"
    try:
        return PartialDay(date(year, month or 1, day_of_month or 1), precision)
    except ValueError:
        return None


def _year_last(found: re.Match[str], *, past: bool) -> PartialDay | None:
    first, sign, second, year = int(found[1]), found[2], int(found[3]), found[4]
    by_day = _known(year, second, first, past=past)
    if sign == ".":
        return by_day
    by_month = _known(year, first, second, past=past)
    if by_day and by_month and by_day != by_month:
        return None
    return by_day or by_month


def _known(year: str, month: int, day_of_month: int, *, past: bool) -> PartialDay | None:
    if len(year) > 2:  # noqa: PLR2004 - digits of a year
        return _partial(int(year), month, day_of_month)
    if not past or not month or not day_of_month:
        return None
    today = datetime.now(UTC).date()
    century = today.year - today.year % CENTURY
    read = _partial(century + int(year), month, day_of_month)
    if read is None or read.date > today:
        return _partial(century - CENTURY + int(year), month, day_of_month)
    return read


@cache
def _months() -> Mapping[str, int]:
    """Months in words and shortened, without those that mean two in different languages."""
    found: dict[str, set[int]] = {}
    for language in LANGUAGES:
        months = Locale.parse(language).months
        for form in ("format", "stand-alone"):
            for length in ("abbreviated", "wide"):
                for month, word in months[form][length].items():
                    found.setdefault(word.casefold().rstrip("."), set()).add(month)
    for month, word in Locale.parse("en").months["format"]["wide"].items():
        found.setdefault(word[:3].casefold(), set()).add(month)
    return {word: one for word, (one, *more) in found.items() if not more}


def moment(text: str) -> str:
    """A time with its zone, in ISO form; without a zone it stays as it is, and is asked about."""
    found = MOMENT.fullmatch(folded(cleaned(text)))
    read = partial_day(found["day"]) if found else None
    if not found or not read or read.precision != "day":
        return text
    try:
        clock = time(int(found["hour"]), int(found["minute"]), int(found["second"] or 0))
    except ValueError:
        return text
    at = datetime.combine(read.date, clock)
    offset = _offset(found["zone"], at)
    return at.isoformat() + (offset if offset is not None else "")


def _offset(zone: str | None, at: datetime) -> str | None:
    if zone is None:
        return None
    if zone in {"Z", "UTC", "GMT"}:
        return "+00:00"
    offset = OFFSET.fullmatch(zone)
    if offset:
        return f"{offset[1]}{offset[2]}:{offset[3] or '00'}"
    try:
        return at.replace(tzinfo=ZoneInfo(zone)).isoformat()[19:]
    except (ZoneInfoNotFoundError, ValueError):
        return None


def items(text: str, parts: Iterable[str]) -> list[dict[str, str]]:
    """Reads a list of things of several parts each: `passport|A1|IRQ;national_id|2|IRQ`.

    What is one part too many is kept under a name that no body knows, so that it is refused.
    """
    names = (*parts, "one_part_too_many")
    several = (item for item in re.split(r"[;؛\r\n]+", text) if cleaned(item))
    return [dict(zip(names, map(cleaned, item.split("|")), strict=False)) for item in several]
