"""How long matching takes: every vacancy of 5,000 against every one of 5,000 people, beside the bare loop over them.

    python benchmarks/matching.py [vacancies] [people]

The service asks its database for the people of the vacancy's major group in its country, as is done here from lists.
"""

import random
import sys
import time
from collections import defaultdict
from decimal import Decimal
from uuid import UUID

from services.training.classifications import ISCO_08
from services.training.work.rules import Skills, Work, best_people

TOP = 20
GOVERNORATES = ["IQ-BG", "IQ-BA", "IQ-AR", "IQ-SU", "IQ-DA", "IQ-NI", "IQ-DI", "IQ-NA", "IQ-SD", None]
CODES = sorted(ISCO_08)


def people(count: int, chance: random.Random) -> list[Skills]:
    return [
        Skills(
            id=UUID(int=number),
            occupations=tuple(chance.sample(CODES, chance.randint(1, 3))),
            languages=frozenset(chance.sample(["ar", "ckb", "kmr", "en"], chance.randint(0, 3))),
            country="IRQ",
            governorate=chance.choice(GOVERNORATES),
            may_move=chance.random() < 0.3,
            wage=Decimal(chance.randint(300, 1200)),
            currency="USD",
            available_from=None,
        )
        for number in range(count)
    ]


def vacancies(count: int, chance: random.Random) -> list[Work]:
    return [
        Work(
            id=UUID(int=number),
            occupation=chance.choice(CODES),
            languages=frozenset(chance.sample(["ar", "ckb", "en"], chance.randint(0, 2))),
            country="IRQ",
            governorate=chance.choice(GOVERNORATES),
            remote=chance.random() < 0.05,
            wage=Decimal(chance.randint(300, 1200)),
            currency="USD",
            starts_on=None,
        )
        for number in range(count)
    ]


def main() -> None:
    chance = random.Random(7)
    counts = [int(argument) for argument in sys.argv[1:]] or [5000, 5000]
    work, everybody = vacancies(counts[0], chance), people(counts[-1], chance)
    begun = time.perf_counter()
    looked = sum(1 for each in work for person in everybody if person is not each)
    bare = time.perf_counter() - begun
    begun = time.perf_counter()
    groups: dict[str, list[Skills]] = defaultdict(list)
    for person in everybody:
        for group in {occupation[0] for occupation in person.occupations}:
            groups[group].append(person)
    compared = found = 0
    slowest = 0.0
    for each in work:
        at = time.perf_counter()
        candidates = groups[each.occupation[0]]
        compared += len(candidates)
        found += len(best_people(each, candidates, TOP))
        slowest = max(slowest, time.perf_counter() - at)
    took = time.perf_counter() - begun
    print(f"{counts[0]:,} vacancies x {counts[-1]:,} people = {looked:,} pairs, the best {TOP} of each with reasons")
    print(f"bare loop over all pairs   {bare:6.2f} s")
    print(f"matching                   {took:6.2f} s ({took / bare:.1f} x bare), {compared:,} pairs compared")
    print(f"one vacancy                {took / counts[0] * 1000:6.2f} ms, the slowest {slowest * 1000:.1f} ms")
    print(f"matches found              {found:,}")


if __name__ == "__main__":
    main()
