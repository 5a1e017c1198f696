"""The best matches without looking at every pair: what `rules.match` of all of them, sorted, gives.
Pure.

People are arranged by country and occupation, so that the nearest are looked at first, and those
too far to get among the best not at all. What the place and the languages give is worked out once
for all who have them in common.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from heapq import heappush, heapreplace, nsmallest

from services.training.weighing import WHOLE, Weighing
from services.training.work.rules import (
    Match,
    Skills,
    Work,
    availability_percent,
    language_percent,
    match,
    place_percent,
    wage_percent,
)

UNIT_GROUP = 4
"""Digits of an ISCO-08 unit group."""


class Pool:
    """People looking for work, arranged so that those who fit a vacancy are found quickly."""

    def __init__(self, people: Iterable[Skills], by: Weighing) -> None:
        """Arrange them.

        Args:
            people: Each once.
            by: How a fit is weighed.
        """
        self._by = by
        self._people = sorted(people, key=lambda person: person.id)
        self._near: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._places: dict[tuple[str, str | None, bool], int] = {}
        self._languages: dict[frozenset[str], int] = {}
        self._living: list[Skills] = []
        self._at: list[tuple[int, int]] = []
        self._by_place: dict[tuple[str, str | None, bool], list[int | None]] = {}
        self._by_languages: dict[frozenset[str], list[int]] = {}
        for number, person in enumerate(self._people):
            place = (person.country, person.governorate, person.may_move)
            if place not in self._places:
                self._places[place] = len(self._living)
                self._living.append(person)
            spoken = self._languages.setdefault(person.languages, len(self._languages))
            self._at.append((self._places[place], spoken))
            for group in {
                code[:digits] for code in person.occupations for digits in range(1, UNIT_GROUP + 1)
            }:
                self._near[person.country, group].append(number)
        self._countries = sorted({person.country for person in self._living})

    def best(self, work: Work, most: int) -> list[Match]:
        """The people who fit a vacancy best, best first; of two alike, the one with the lower id.

        Args:
            work: The vacancy.
            most: How many at most.
        """
        nearness, place_weight, language_weight, wage_weight, availability_weight = self._by.order
        by_place, by_languages = (
            self._place_points(work, place_weight),
            self._language_points(work, language_weight),
        )
        rest = (wage_weight + availability_weight) * WHOLE
        people, at, count = self._people, self._at, len(self._people)
        best: list[
            int
        ] = []  # a heap of score and place in the list in one number; the last is the one to beat
        seen: set[int] = set()
        for digits in range(UNIT_GROUP, 0, -1):
            points = nearness * self._by.occupation[digits]
            if (
                len(best) == most
                and _rounded(points + (place_weight + language_weight) * WHOLE + rest)
                < best[0] // count
            ):
                break
            for number in self._candidates(work, digits):
                if number in seen:
                    continue
                seen.add(number)
                place, spoken = at[number]
                placed = by_place[place]
                if placed is None:
                    continue
                known, behind = points + placed + by_languages[spoken], count - 1 - number
                if len(best) == most and _rounded(known + rest) * count + behind <= best[0]:
                    continue
                person = people[number]
                known += wage_weight * wage_percent(person, work, self._by)
                known += availability_weight * availability_percent(person, work, self._by)
                rank = _rounded(known) * count + behind
                if len(best) < most:
                    heappush(best, rank)
                elif rank > best[0]:
                    heapreplace(best, rank)
        chosen = (people[count - 1 - rank % count] for rank in sorted(best, reverse=True))
        found = (match(person, work, self._by, of=person.id) for person in chosen)
        return [each for each in found if each is not None]

    def _candidates(self, work: Work, digits: int) -> Sequence[int]:
        group = work.occupation[:digits]
        if not work.remote:
            return self._near.get((work.country, group), ())
        return [
            number for country in self._countries for number in self._near.get((country, group), ())
        ]

    def _place_points(self, work: Work, weight: int) -> list[int | None]:
        """What the vacancy's place gives to each place in which somebody lives."""
        key = (work.country, work.governorate, work.remote)
        if key not in self._by_place:
            percents = (place_percent(person, work, self._by) for person in self._living)
            self._by_place[key] = [
                None if percent is None else weight * percent for percent in percents
            ]
        return self._by_place[key]

    def _language_points(self, work: Work, weight: int) -> list[int]:
        """What the vacancy's languages give to each set of languages that somebody speaks."""
        if work.languages not in self._by_languages:
            percents = (
                language_percent(spoken, work.languages, self._by) for spoken in self._languages
            )
            self._by_languages[work.languages] = [weight * percent for percent in percents]
        return self._by_languages[work.languages]


def _rounded(points: int) -> int:
    return points // WHOLE


def best_work(person: Skills, vacancies: Iterable[Work], by: Weighing, most: int) -> list[Match]:
    """The vacancies that fit a person best, best first; of two alike, the one with the lower id.

    Args:
        person: The person.
        vacancies: Each once.
        by: How a fit is weighed.
        most: How many at most.
    """
    found = (match(person, work, by, of=work.id) for work in vacancies)
    return nsmallest(
        most, (each for each in found if each is not None), key=lambda each: (-each.score, each.id)
    )
