"""Who fits a vacancy, and why: skills, place, language, wage and availability, in words a counsellor can read. Pure.

Nothing protected is looked at: no sex, age, nationality, religion, health or household. What a person is known by here
is `Skills`, which has no such member.
"""

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from chassis.errors import state_conflict


class VacancyState(StrEnum):
    """Whether somebody is looked for."""

    OPEN = "open"
    FILLED = "filled"
    CLOSED = "closed"


class PlacementState(StrEnum):
    """Where a placement stands."""

    PROPOSED = "proposed"
    STARTED = "started"
    ENDED = "ended"


TRANSITIONS: Mapping[PlacementState, Mapping[str, PlacementState]] = {
    PlacementState.PROPOSED: {"start": PlacementState.STARTED, "end": PlacementState.ENDED},
    PlacementState.STARTED: {"end": PlacementState.ENDED, "retention": PlacementState.STARTED},
    PlacementState.ENDED: {"retention": PlacementState.ENDED},
}
"""What each state allows, and where it leads."""


def after(state: str, action: str) -> PlacementState:
    """The state after an action.

    Raises:
        Problem: 409, the state does not allow it.
    """
    allowed = TRANSITIONS[PlacementState(state)]
    if action not in allowed:
        raise state_conflict(state, list(allowed), action)
    return allowed[action]


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


WEIGHTS: Mapping[Factor, int] = {
    Factor.OCCUPATION: 45,
    Factor.PLACE: 20,
    Factor.LANGUAGE: 15,
    Factor.WAGE: 12,
    Factor.AVAILABILITY: 8,
}
"""Out of a hundred. Provisional: a counsellor's order of importance, not a measured one."""

BY_SHARED_DIGITS = (0, 20, 45, 75, 100)
"""How near two occupations are, in percent, by the digits that their ISCO-08 codes share from the left."""
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
    """Digits that two ISCO-08 codes share from the left: 4 is the same unit group, 0 another major group."""
    for place, (a, b) in enumerate(zip(one, other, strict=True)):
        if a != b:
            return place
    return len(one)


def nearest(occupations: Iterable[str], wanted: str) -> int:
    """The most digits that any of somebody's occupations shares with the one that is wanted."""
    best = 0
    for occupation in occupations:
        shared = shared_digits(occupation, wanted)
        best = max(best, shared)
    return best


def place_percent(person: Skills, work: Work) -> int:
    """How well the place fits; 0 rules a match out."""
    if work.remote:
        return 100
    if person.country != work.country:
        return 0
    if person.governorate is None or work.governorate is None:
        return 60
    if person.governorate == work.governorate:
        return 100
    return 50 if person.may_move else 0


def language_percent(person: Skills, work: Work) -> int:
    """The share of the languages asked for that the person speaks; where theirs are not known, half."""
    if not work.languages:
        return 100
    if not person.languages:
        return 50
    return 100 * len(work.languages & person.languages) // len(work.languages)


def wage_percent(person: Skills, work: Work) -> int:
    """The wage offered in terms of the one expected, at most all of it; unknown or in another currency, half."""
    if person.wage is None or not person.wage:
        return 100
    if work.wage is None or person.currency != work.currency:
        return 50
    return 100 if work.wage >= person.wage else int(100 * work.wage / person.wage)


def availability_percent(person: Skills, work: Work) -> int:
    """Whether the person is there at the start; later within a month, half."""
    if person.available_from is None or work.starts_on is None or person.available_from <= work.starts_on:
        return 100
    return 50 if (person.available_from - work.starts_on).days <= 31 else 0  # noqa: PLR2004 - a month


def total(percents: Sequence[int]) -> int:
    """The weighted score, rounded down, of percentages in the order of `WEIGHTS`."""
    return sum(weight * percent for weight, percent in zip(WEIGHTS.values(), percents, strict=True)) // 100


def percents(person: Skills, work: Work, shared: int) -> tuple[int, int, int, int, int] | None:
    """The percentages in the order of `WEIGHTS`; None where the kind of work or the place rules a match out.

    Args:
        person: The person.
        work: The vacancy.
        shared: Digits that the nearest of their occupations shares with the vacancy's.
    """
    place = place_percent(person, work)
    if not shared or not place:
        return None
    return (
        BY_SHARED_DIGITS[shared],
        place,
        language_percent(person, work),
        wage_percent(person, work),
        availability_percent(person, work),
    )


def explained(person: Skills, work: Work, of: UUID) -> Match:
    """A match with its reasons. The two fit: `percents` has said so.

    Args:
        person: The person.
        work: The vacancy.
        of: Id of the other side.
    """
    shared = nearest(person.occupations, work.occupation)
    values = percents(person, work, shared)
    assert values is not None
    words = (
        OCCUPATION_WORDS[shared],
        _place_words(person, work),
        _language_words(person, work),
        _wage_words(values[3], person, work),
        _availability_words(values[4]),
    )
    reasons = tuple(Reason(*each) for each in zip(WEIGHTS, values, words, strict=True))
    return Match(of, total(values), reasons)


def _place_words(person: Skills, work: Work) -> str:
    if work.remote:
        return "can be done from anywhere"
    if person.governorate is None or work.governorate is None:
        return "in the same country; where exactly is not known"
    return "in the same governorate" if person.governorate == work.governorate else "in another governorate; may move"


def _language_words(person: Skills, work: Work) -> str:
    if not work.languages:
        return "no language is asked for"
    if not person.languages:
        return "the person's languages are not known; asked for: " + ", ".join(sorted(work.languages))
    missing = sorted(work.languages - person.languages)
    return "not spoken: " + ", ".join(missing) if missing else "speaks every language that is asked for"


def _wage_words(percent: int, person: Skills, work: Work) -> str:
    if person.wage is None or not person.wage:
        return "no wage is expected"
    if work.wage is None:
        return "the wage is not known"
    if person.currency != work.currency:
        return "the wage is in another currency than expected"
    return "the wage is as expected" if percent == 100 else f"the wage is {percent} percent of what is expected"  # noqa: PLR2004 - all of it


def _availability_words(percent: int) -> str:
    if percent == 100:  # noqa: PLR2004 - all of it
        return "available at the start"
    return "available within a month of the start" if percent else "available more than a month after the start"


Pair = tuple[UUID, Skills, Work]


def _best(pairs: Iterable[Pair], most: int) -> list[Match]:
    """The pairs that fit best, the nearest occupations first: those too far to get among the best are not looked at."""
    by_shared: tuple[list[Pair], ...] = ([], [], [], [], [])
    for pair in pairs:
        by_shared[nearest(pair[1].occupations, pair[2].occupation)].append(pair)
    ranked: list[tuple[int, UUID, Skills, Work]] = []
    for shared in range(len(by_shared) - 1, 0, -1):
        reachable = total((BY_SHARED_DIGITS[shared], 100, 100, 100, 100))
        if len(ranked) == most and reachable < -ranked[-1][0]:
            break
        for of, person, work in by_shared[shared]:
            values = percents(person, work, shared)
            if values is not None:
                ranked.append((-total(values), of, person, work))
        ranked = heapq.nsmallest(most, ranked, key=lambda each: each[:2])
    return [explained(person, work, of) for _, of, person, work in ranked]


def best_people(work: Work, people: Iterable[Skills], most: int) -> list[Match]:
    """The people who fit a vacancy best, best first; of two alike, the one with the lower id."""
    return _best(((person.id, person, work) for person in people), most)


def best_work(person: Skills, vacancies: Iterable[Work], most: int) -> list[Match]:
    """The vacancies that fit a person best, best first; of two alike, the one with the lower id."""
    return _best(((work.id, person, work) for work in vacancies), most)


def month_after(start: date, months: int) -> date:
    """The same day so many months later, or the last of that month."""
    month = start.month - 1 + months
    year, month = start.year + month // 12, month % 12 + 1
    last = (date(year + month // 12, month % 12 + 1, 1) - date.resolution).day
    return date(year, month, min(start.day, last))


def known_groups(occupations: Collection[str]) -> list[str]:
    """The major groups of some unit groups, each once and in order."""
    return sorted({occupation[0] for occupation in occupations})
