"""Who fits a vacancy, and why: skills, place, language, wage and availability, in words a
counsellor can read. Pure.

Nothing protected is looked at: no sex, age, nationality, religion, health or household. What a
person is known by here is `Skills`, which has no such member.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from services.training.weighing import WHOLE, Weighing


@dataclass(frozen=True, slots=True)
class Skills:
    """What a person looking for work can do and wants.

    Attributes:
        id: The returnee.
        occupations: ISCO-08 unit groups.
        languages: ISO 639 codes.
        country: Where they live (ISO 3166-1 alpha-3).
        governorate: ISO 3166-2, if known.
        may_move: Whether they would move within the country.
        wage: Expected, a month.
        currency: Of the wage.
        available_from: None where nothing stands in the way.
    """

    id: UUID
    occupations: tuple[str, ...]
    languages: frozenset[str]
    country: str
    governorate: str | None
    may_move: bool
    wage: Decimal | None
    currency: str | None
    available_from: date | None


@dataclass(frozen=True, slots=True)
class Work:
    """What a vacancy asks for and gives; the members as in `Skills`."""

    id: UUID
    occupation: str
    languages: frozenset[str]
    country: str
    governorate: str | None
    remote: bool
    wage: Decimal | None
    currency: str | None
    starts_on: date | None


class Factor(StrEnum):
    """What is compared."""

    OCCUPATION = "occupation"
    PLACE = "place"
    LANGUAGE = "language"
    WAGE = "wage"
    AVAILABILITY = "availability"


OCCUPATION_WORDS = (
    "another kind of work",
    "the same major group of occupations",
    "the same sub-major group of occupations",
    "the same minor group of occupations",
    "the same occupation",
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why somebody fits, or does not quite, in one respect."""

    factor: Factor
    percent: int
    words: str


@dataclass(frozen=True, slots=True)
class Match:
    """How well a person and a vacancy fit.

    Attributes:
        id: The other side: the returnee for a vacancy, the vacancy for a person.
        score: 0 to 100.
        reasons: For each factor, the heaviest first.
    """

    id: UUID
    score: int
    reasons: tuple[Reason, ...]


@lru_cache(maxsize=200_000)
def shared_digits(one: str, other: str) -> int:
    """Digits that two ISCO-08 codes share from the left: 4 is the same unit group, 0 another major
    group.
    """
    for place, (a, b) in enumerate(zip(one, other, strict=True)):
        if a != b:
            return place
    return len(one)


def nearest(occupations: Iterable[str], wanted: str) -> int:
    """The most digits that any of somebody's occupations shares with the one that is wanted."""
    return max((shared_digits(occupation, wanted) for occupation in occupations), default=0)


def place_percent(person: Skills, work: Work, by: Weighing) -> int | None:
    """How well the place fits; None rules a match out."""
    if work.remote:
        return WHOLE
    if person.country != work.country:
        return None
    if person.governorate is None or work.governorate is None:
        return by.place_not_known
    if person.governorate == work.governorate:
        return WHOLE
    return by.place_if_moving if person.may_move else None


def language_percent(spoken: frozenset[str], wanted: frozenset[str], by: Weighing) -> int:
    """The share of the languages asked for that the person speaks."""
    if not wanted:
        return WHOLE
    if not spoken:
        return by.languages_not_known
    return WHOLE * len(wanted & spoken) // len(wanted)


def wage_percent(person: Skills, work: Work, by: Weighing) -> int:
    """The wage offered in terms of the one expected, at most all of it."""
    if person.wage is None or not person.wage:
        return WHOLE
    if work.wage is None or person.currency != work.currency:
        return by.wage_not_known
    return WHOLE if work.wage >= person.wage else int(WHOLE * work.wage // person.wage)


def availability_percent(person: Skills, work: Work, by: Weighing) -> int:
    """Whether the person is there at the start."""
    if (
        person.available_from is None
        or work.starts_on is None
        or person.available_from <= work.starts_on
    ):
        return WHOLE
    return by.available_late if (person.available_from - work.starts_on).days <= by.late_days else 0


def total(percents: Sequence[int], by: Weighing) -> int:
    """The weighted score, rounded down, of percentages in the order of `Factor`."""
    return (
        sum(weight * percent for weight, percent in zip(by.order, percents, strict=True)) // WHOLE
    )


def match(person: Skills, work: Work, by: Weighing, *, of: UUID) -> Match | None:
    """How well a person and a vacancy fit, with the reasons; None where the kind of work or the
    place rules it out.

    Args:
        person: The person.
        work: The vacancy.
        by: How it is weighed.
        of: Id of the other side.
    """
    shared = nearest(person.occupations, work.occupation)
    place = place_percent(person, work, by)
    if not shared or place is None:
        return None
    values = (
        by.occupation[shared],
        place,
        language_percent(person.languages, work.languages, by),
        wage_percent(person, work, by),
        availability_percent(person, work, by),
    )
    words = (
        OCCUPATION_WORDS[shared],
        _place_words(person, work),
        _language_words(person.languages, work.languages),
        _wage_words(values[3], person, work),
        _availability_words(values[4], by.late_days),
    )
    return Match(of, total(values, by), tuple(map(_reason, Factor, values, words)))


@lru_cache(maxsize=4096)
def _reason(factor: Factor, percent: int, words: str) -> Reason:
    return Reason(factor, percent, words)


def _place_words(person: Skills, work: Work) -> str:
    if work.remote:
        return "can be done from anywhere"
    if person.governorate is None or work.governorate is None:
        return "in the same country; where exactly is not known"
    return (
        "in the same governorate"
        if person.governorate == work.governorate
        else "in another governorate; may move"
    )


@lru_cache(maxsize=4096)
def _language_words(spoken: frozenset[str], wanted: frozenset[str]) -> str:
    if not wanted:
        return "no language is asked for"
    if not spoken:
        return "the person's languages are not known; asked for: " + ", ".join(sorted(wanted))
    missing = sorted(wanted - spoken)
    return (
        "not spoken: " + ", ".join(missing)
        if missing
        else "speaks every language that is asked for"
    )


def _wage_words(percent: int, person: Skills, work: Work) -> str:
    if person.wage is None or not person.wage:
        return "no wage is expected"
    if work.wage is None:
        return "the wage is not known"
    if person.currency != work.currency:
        return "the wage is in another currency than expected"
    return (
        "the wage is as expected"
        if percent == WHOLE
        else f"the wage is {percent} percent of what is expected"
    )


def _availability_words(percent: int, late_days: int) -> str:
    if percent == WHOLE:
        return "available at the start"
    return f"available {'within' if percent else 'more than'} {late_days} days after the start"


def month_after(start: date, months: int) -> date:
    """The same day so many months later, or the last of that month."""
    month = start.month - 1 + months
    year, month = start.year + month // 12, month % 12 + 1
    last = (date(year + month // 12, month % 12 + 1, 1) - date.resolution).day
    return date(year, month, min(start.day, last))


def known_groups(occupations: Collection[str]) -> list[str]:
    """The major groups of some unit groups, each once and in order."""
    return sorted({occupation[0] for occupation in occupations})
