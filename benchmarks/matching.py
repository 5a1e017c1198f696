"""How long matching takes: every vacancy of 5,000 against every one of 5,000 people, beside the
bare loop over them.

    python -m benchmarks.matching [vacancies] [people]

Also the readable scoring of every pair, for some of the vacancies: how long it would take for all,
and that the same is found.
"""

import random
import sys
import time
from datetime import date
from decimal import Decimal
from uuid import UUID

from services.training.classifications import ISCO_08
from services.training.programmes import weighing
from services.training.work.matching import Pool
from services.training.work.rules import Skills, Work, match

TOP = 20
PLAIN = 20
"""Vacancies for which every pair is scored the readable way."""
GOVERNORATES = [
    "IQ-BG",
    "IQ-BA",
    "IQ-AR",
    "IQ-SU",
    "IQ-DA",
    "IQ-NI",
    "IQ-DI",
    "IQ-NA",
    "IQ-SD",
    None,
]
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
    by = weighing(date(2026, 6, 1))
    begun = time.perf_counter()
    pool = Pool(everybody, by)
    arranged = time.perf_counter() - begun
    slowest, best = 0.0, []
    for each in work:
        at = time.perf_counter()
        best.append(pool.best(each, TOP))
        slowest = max(slowest, time.perf_counter() - at)
    took = time.perf_counter() - begun
    some = range(0, len(work), max(1, len(work) // PLAIN))
    begun = time.perf_counter()
    for number in some:
        found = [
            fit for person in everybody if (fit := match(person, work[number], by, of=person.id))
        ]
        if sorted(found, key=lambda fit: (-fit.score, fit.id))[:TOP] != best[number]:
            sys.exit("the readable scoring finds others")
    plain = (time.perf_counter() - begun) * len(work) / len(some)
    print(
        f"{counts[0]:,} vacancies x {counts[-1]:,} people = {looked:,} pairs, the best {TOP} of "
        f"each with reasons"
    )
    each_ms = (took - arranged) / counts[0] * 1000
    print(f"bare loop over all pairs {bare:7.2f} s")
    print(
        f"matching                 {took:7.2f} s ({took / bare:.2f} x bare), of it to arrange "
        f"people {arranged:.2f} s"
    )
    print(
        f"readable scoring         {plain:7.2f} s ({plain / took:.0f} x as long), taken from "
        f"{len(some)} vacancies"
    )
    print(f"one vacancy              {each_ms:7.2f} ms, the slowest {slowest * 1000:.1f} ms")
    print(f"matches found            {sum(map(len, best)):,}")


if __name__ == "__main__":
    main()
