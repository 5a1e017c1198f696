"""Search by name, and possible duplicates, among a million people.

    python -m benchmarks.search [--people 1000000] [--queries 400]

People are made up from some hundred given names and some thousand family names, a few of them common and most rare, as
in life; everybody is written in Latin letters as one of four host countries hears them, every other one in Arabic
letters too. Somebody is looked for as another country would write them. Everything that a request does is measured,
with its transaction and its audit row; the bare baseline is one row read by its key the same way.
"""

# ruff: noqa: RUF001, SIM905 - names in Arabic letters are what this is about; a list of words reads best as words

import argparse
import asyncio
import json
import random
import shutil
import statistics
import tempfile
import time
from bisect import bisect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import accumulate
from multiprocessing import Pool
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import asyncpg
from sqlalchemy import select

from benchmarks.duplicates import FAMILIES, GIVEN, STYLES, latin
from chassis.access import Role, participation
from cli.embedded import EmbeddedPostgres, free_port
from services.cases.models import Returnee
from services.cases.returnees import duplicates, lookup, matching, rules
from services.cases.returnees.schemas import Birth, Person, Precision
from services.cases.returnees.service import FOUND_BY
from tests.cases.house import House, running
from tests.conftest import Databases

COLUMNS = tuple(
    "id version names sex birth_date birth_precision nationality documents languages contacts identifiers "
    "search terms keys found_by".split()
)
PARTS = ("given", "father", "grandfather", "family")
CHUNK = 20_000
SPELLINGS = 6
CONSONANTS = "بتجحخدرزسشصطعغفقكلمنه"
PARTNERS = (("iom-iraq", 0.40), ("partner-two", 0.57), ("partner-three", 0.028), ("small-ngo", 0.002))
SETTINGS = {"shared_buffers": "2GB", "max_wal_size": "8GB"}
"""As a server with a million people would be set; what the machine has is 24 GB."""
COMMON = ("محمد", "احمد", "علي", "حسين", "حسن", "عمر", "محمود", "مصطفى", "عبدالله", "ابراهيم")


class Vocabulary:
    """Names, some common and most rare.

    Args:
        chance: By what they are made up.
    """

    def __init__(self, chance: random.Random) -> None:
        made = {
            "".join(chance.choice(CONSONANTS) + chance.choice(("", "", "ا", "ي", "و")) for _ in range(3))
            for _ in range(700)
        }
        rare = sorted(made)
        self.male = [*COMMON, *GIVEN["male"], *rare[:300]]
        self.female = [*GIVEN["female"], *rare[300:500]]
        roots = {"".join(chance.choice(CONSONANTS) for _ in range(chance.choice((3, 3, 4)))) for _ in range(5000)}
        self.family = [*FAMILIES, *("ال" + root + "ي" for root in sorted(roots))]
        self._weights = {
            id(names): list(accumulate(1 / (place + 3) for place in range(len(names))))
            for names in (self.male, self.female, self.family)
        }

    def one(self, names: list[str], chance: random.Random) -> str:
        """One of the names, the first ones often (Zipf)."""
        weights = self._weights[id(names)]
        return names[bisect(weights, chance.random() * weights[-1])]


@dataclass(frozen=True)
class Somebody:
    """Who a row is about, as the civil register has them."""

    id: UUID
    parts: tuple[str, str, str, str]
    style: str


def people(number: int, start: int) -> Iterator[tuple[Somebody, tuple[Any, ...]]]:
    """Some people: who they are, and their row."""
    vocabulary, chance = Vocabulary(random.Random(1)), random.Random(start)
    for place in range(start, start + number):
        sex = chance.choice(["male", "female"])
        parts = (
            vocabulary.one(vocabulary.male if sex == "male" else vocabulary.female, chance),
            vocabulary.one(vocabulary.male, chance),
            vocabulary.one(vocabulary.male, chance) if chance.random() < 0.5 else "",
            vocabulary.one(vocabulary.family, chance),
        )
        style = chance.choice(sorted(STYLES))
        written = [("Latn", tuple(part and heard(part, style, chance.randrange(SPELLINGS)) for part in parts))]
        if chance.random() < 0.5:
            written.append(("Arab", parts))
        names = [SimpleNamespace(**dict(zip(PARTS, each, strict=True))) for _, each in written]
        day = date(chance.randrange(1950, 2020), chance.randrange(1, 13), chance.randrange(1, 29))
        precision = Precision.DAY if chance.random() < 0.7 else Precision.YEAR
        if precision is Precision.YEAR:
            day = day.replace(month=chance.choice([1, 7]), day=1)
        birth = Birth.model_construct(date=day, precision=precision)
        document = {"kind": "passport", "number": f"A{place:08}", "issuer": "IRQ", "expires": None}
        entry = SimpleNamespace(
            names=names, birth=birth, documents=[SimpleNamespace(**document)], contacts=[], identifiers=[]
        )
        somebody = Somebody(UUID(int=(place << 64) + chance.getrandbits(32)), parts, style)
        yield (
            somebody,
            (
                somebody.id,
                1,
                json.dumps([{"script": s} | dict(zip(PARTS, each, strict=True)) for s, each in written]),
                sex,
                birth.date,
                precision.value,
                "IRQ",
                json.dumps([document]),
                ["ar"],
                "[]",
                "[]",
                rules.search_text(each for _, each in written),
                lookup.terms(each for _, each in written),
                matching.keys(cast("Person", entry)),
                FOUND_BY,
            ),
        )


@cache
def heard(name: str, style: str, number: int) -> str:
    """One of the ways in which a host country spells a name."""
    return latin(name, style, random.Random(f"{name} {style} {number}"))


def chunk(start_and_number: tuple[int, int]) -> list[tuple[Any, ...]]:
    """Rows of a chunk, for a worker process."""
    start, number = start_and_number
    return [row for _, row in people(number, start)]


async def load(url: str, number: int) -> None:
    """Load people and who takes part in their return."""
    begun = time.perf_counter()
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        indexes = await connection.fetch(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'returnee' AND indexdef LIKE '%gin%'"
        )
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['indexname']}")
        jobs = [(start, min(CHUNK, number - start)) for start in range(0, number, CHUNK)]
        with Pool(2) as pool:
            for rows in pool.imap_unordered(chunk, jobs):
                await connection.copy_records_to_table("returnee", records=rows, columns=COLUMNS)
        made = time.perf_counter()
        await connection.execute("SET maintenance_work_mem = '1GB'")
        for index in indexes:
            await connection.execute(index["indexdef"])
        limits = [0.0, *accumulate(share for _, share in PARTNERS)]
        for (partner, _), low, high in zip(PARTNERS, limits, limits[1:], strict=False):
            await connection.execute(
                "INSERT INTO participation (subject_id, role, organisation) "
                "SELECT id, $1, $2 FROM returnee WHERE abs(hashtextextended(id::text, 0) % 100000) >= $3 "
                "AND abs(hashtextextended(id::text, 0) % 100000) < $4",
                str(Role.PARTNER),
                partner,
                int(low * 100_000),
                int(high * 100_000),
            )
        for role, organisation in ((Role.PROGRAMME, "eurp"), (Role.REFERRER, "fedasil")):
            await connection.execute(
                "INSERT INTO participation (subject_id, role, organisation) SELECT id, $1, $2 FROM returnee",
                str(role),
                organisation,
            )
        await connection.execute("VACUUM ANALYZE")
        size = await connection.fetchval("SELECT pg_size_pretty(pg_database_size(current_database()))")
    finally:
        await connection.close()
    done = time.perf_counter()
    print(f"{number} people: made and copied in {made - begun:.0f} s, indexed in {done - made:.0f} s; {size}")


def spelled(somebody: Somebody, words: int, chance: random.Random) -> str:
    """How somebody is looked for: by one, two or three of their names, in another country's letters or in Arabic."""
    given, father, _, family = somebody.parts
    wanted = {1: (chance.choice((given, family)),), 2: (given, family), 3: (given, father, family)}[words]
    if chance.random() < 0.25:
        return " ".join(wanted)
    style = chance.choice([each for each in sorted(STYLES) if each != somebody.style])
    return " ".join(latin(part, style, chance) for part in wanted)


async def timed(name: str, works: list[Callable[[], Awaitable[bool | None]]]) -> None:
    """Do things one after another, and print how long each took and how often it found whom it should."""
    took, found = [], []
    for work in works:
        begun = time.perf_counter()
        answer = await work()
        took.append((time.perf_counter() - begun) * 1000)
        if answer is not None:
            found.append(answer)
    cuts = statistics.quantiles(took, n=100)
    share = f", found {sum(found) / len(found):.2f}" if found else ""
    print(f"{name:48} p50 {cuts[49]:6.1f} ms   p99 {cuts[98]:6.1f} ms   most {max(took):6.1f} ms{share}")


@dataclass
class Searches:
    """What is measured.

    Attributes:
        house: The application.
        known: People who may be looked for.
        seen: Of them, whom each caller may know of.
        chance: Who, and how they are written.
    """

    house: House
    known: list[Somebody]
    seen: dict[str, set[UUID]]
    chance: random.Random

    def some(self, who: str) -> Somebody:
        """Somebody whom a caller may know of."""
        return self.chance.choice([each for each in self.known if each.id in self.seen[who]] or self.known)

    def by_key(self) -> Callable[[], Awaitable[None]]:
        """The bare baseline."""
        somebody = self.some("internal")

        async def work() -> None:
            async with self.house.homeward.database.transaction() as session:
                await session.execute(select(Returnee.names).where(Returnee.id == somebody.id))

        return work

    def search(self, who: str, words: int) -> Callable[[], Awaitable[bool | None]]:
        """A search over HTTP, in process; whether it finds whom it should where more than one name is given."""
        somebody = self.some(who)
        q = spelled(somebody, words, self.chance)

        async def work() -> bool | None:
            answer = await self.house.post("/returnees/search", {"q": q}, who=who)
            assert answer.status_code == 200, answer.text
            ids = {item["id"] for item in answer.json()["items"]}
            return str(somebody.id) in ids if words > 1 and somebody.id in self.seen[who] else None

        return work

    def alike(self) -> Callable[[], Awaitable[bool]]:
        """Possible duplicates of somebody who is referred again, by another country and without papers."""
        somebody = self.some("internal")
        style = self.chance.choice([each for each in sorted(STYLES) if each != somebody.style])
        name = dict(zip(PARTS, (p and latin(p, style, self.chance) for p in somebody.parts), strict=True))

        async def work() -> bool:
            async with self.house.homeward.database.transaction() as session:
                row = await session.get_one(Returnee, somebody.id)
                person = Person.model_validate(
                    {
                        "names": [{"script": "Latn"} | name],
                        "sex": row.sex,
                        "birth": {"date": row.birth_date, "precision": row.birth_precision},
                        "nationality": "IRQ",
                    }
                )
                return somebody.id in {other.id for other, _ in await duplicates.alike(session, person)}

        return work


async def measure(house: House, number: int, queries: int) -> None:
    """Print the figures."""
    chance = random.Random(7)
    starts = sorted({chance.randrange(0, max(1, number // CHUNK)) * CHUNK for _ in range(8)})
    known = [somebody for start in starts for somebody, _ in people(min(1000, number), start)]
    seen = {"internal": {somebody.id for somebody in known}}
    async with house.homeward.database.transaction() as session:
        for who in ("iom-iraq", "small-ngo"):
            mine = select(participation.c.subject_id).where(
                participation.c.organisation == who, participation.c.subject_id.in_(seen["internal"])
            )
            seen[who] = set(await session.scalars(mine))
    searches = Searches(house, known, seen, chance)
    await timed("a row by its key", [searches.by_key() for _ in range(queries)])
    for who in seen:
        for words in (1, 2, 3):
            await timed(f"search by {words} of the names, {who}", [searches.search(who, words) for _ in range(queries)])
    await timed("possible duplicates of a person", [searches.alike() for _ in range(queries)])


async def run(databases: Databases, number: int, queries: int) -> None:
    """Load and measure."""
    fresh = await databases.new("cases")
    await load(fresh.admin_url, number)
    async with running(fresh.url) as house:
        await measure(house, number, queries)


def main() -> None:
    """Run it on a PostgreSQL that is thrown away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=400)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="homeward-benchmark-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account and must pass through
    server = EmbeddedPostgres(
        folder / "data", free_port(), password="benchmark", log=folder / "log", durable=True, settings=SETTINGS
    )
    try:
        server.start()
        asyncio.run(run(Databases(server.url()), given.people, given.queries))
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
