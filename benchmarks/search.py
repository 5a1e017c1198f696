"""Search for people, and possible duplicates, among a million.

    python -m benchmarks.search [--people 1000000] [--queries 40] [--keep FOLDER]

People are made up from some hundred given names and some thousand family names, a few of them
common and most rare, as in life; everybody is written in Latin letters as one of four host
countries hears them, every other one in Arabic letters too. They are looked for in the ways of a
case worker, by callers who know of 2,000 to a million of them, all in a shuffled order; names as
another country would write them. Everything that a request does is measured, with its transaction
and its audit row; the bare baseline is one row read by its key the same way.

How often the one who is sought is on the page, and among its first ten, is counted where a page can
hold everybody whom the caller knows of and who bears those names in the civil register; elsewhere
no order of theirs could be right.
"""

# ruff: noqa: RUF001, SIM905 - names in Arabic letters are what this is about; a list of words reads
# best as words

import argparse
import asyncio
import gc
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from bisect import bisect
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cache, partial
from itertools import accumulate
from multiprocessing import Pool
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import asyncpg
import uvloop
from sqlalchemy import column, func, select, table

from benchmarks.duplicates import FAMILIES, GIVEN, STYLES, latin
from cli.embedded import EmbeddedPostgres, free_port
from participation.access import Role, participation
from services.cases.codes import Precision, Sex
from services.cases.models import Returnee
from services.cases.people.matching import duplicates
from services.cases.people.matching.keys import keys
from services.cases.people.returnees.schemas import Birth, Person
from services.cases.people.returnees.service import FOUND_BY
from services.cases.people.search import lookup
from tests.cases.house import House, running
from tests.conftest import Databases

COLUMNS = tuple(
    "id version names sex birth_date birth_precision nationality documents languages contacts "
    "identifiers "
    "terms keys found_by known_to".split()
)
PARTS = ("given", "father", "grandfather", "family")
CHUNK = 20_000
SPELLINGS = 6
CONSONANTS = "بتجحخدرزسشصطعغفقكلمنه"
PARTNERS = (
    ("iom-iraq", 0.40),
    ("partner-two", 0.57),
    ("partner-three", 0.028),
    ("small-ngo", 0.002),
)
REFERRER = "fedasil"
LIMITS = list(
    zip([name for name, _ in PARTNERS], accumulate(part for _, part in PARTNERS), strict=True)
)
SCATTER = 2_654_435_761
CALLERS = ("frontex", "iom-iraq", "partner-three", "small-ngo")
"""The programme's office, which knows of everybody, and three of the partners."""
SHOWN, FIRST, WARMING = 20, 10, 100
REFERRAL = ("voluntary", "IRQ", "partner", "none", "{}", b"")
REGISTER = table(
    "register", *map(column, ("id", "given", "father", "grandfather", "family", "born"))
)
REFERRED = 10
"""One of so many has a referral of their own here."""
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
            "".join(
                chance.choice(CONSONANTS) + chance.choice(("", "", "ا", "ي", "و")) for _ in range(3)
            )
            for _ in range(700)
        }
        rare = sorted(made)
        self.male = [*COMMON, *GIVEN["male"], *rare[:300]]
        self.female = [*GIVEN["female"], *rare[300:500]]
        roots = {
            "".join(chance.choice(CONSONANTS) for _ in range(chance.choice((3, 3, 4))))
            for _ in range(5000)
        }
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
    """Who a row is about: as the civil register has them, and as they are written here."""

    place: int
    parts: tuple[str, str, str, str]
    style: str
    written: tuple[str, ...]
    born: date

    @property
    def id(self) -> UUID:
        """Of the row."""
        return UUID(int=self.place << 64)

    @property
    def number(self) -> str:
        """Of their passport."""
        return f"A{self.place:08}"

    @property
    def phone(self) -> str:
        """Their own, in E.164."""
        return f"+96478{self.place:08}"

    @property
    def reference(self) -> str:
        """Of the referral by which they came, if they did by one."""
        return f"FED/{self.place:07}"


def people(number: int, start: int) -> Iterator[Somebody]:
    """Some people."""
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
        written = tuple(part and heard(part, style, chance.randrange(SPELLINGS)) for part in parts)
        born = date(chance.randrange(1950, 2020), chance.randrange(1, 13), chance.randrange(2, 29))
        yield Somebody(place, parts, style, written, born)


def row_of(somebody: Somebody) -> tuple[Any, ...]:
    """Their row. Of every third only the year of birth is known; every other one is written in
    Arabic letters too.
    """
    written = [
        ("Latn", somebody.written),
        *([("Arab", somebody.parts)] if somebody.place % 2 else []),
    ]
    names = [
        SimpleNamespace(parts=each, **dict(zip(PARTS, each, strict=True))) for _, each in written
    ]
    precision = Precision.DAY if somebody.place % 3 else Precision.YEAR
    day = somebody.born if somebody.place % 3 else somebody.born.replace(month=7, day=1)
    document = {"kind": "passport", "number": somebody.number, "issuer": "IRQ", "expires": None}
    contact = {"kind": "phone", "value": somebody.phone, "owner": "self", "safe_hours": None}
    entry = cast(
        "Person",
        SimpleNamespace(
            names=names,
            sex=Sex.UNKNOWN,
            nationality="IRQ",
            birth=Birth.model_construct(date=day, precision=precision),
            documents=[SimpleNamespace(**document)],
            contacts=[SimpleNamespace(**contact)],
            identifiers=[],
        ),
    )
    return (
        somebody.id,
        1,
        json.dumps(
            [{"script": script} | dict(zip(PARTS, each, strict=True)) for script, each in written]
        ),
        "unknown",
        day,
        precision.value,
        "IRQ",
        json.dumps([document]),
        ["ar"],
        json.dumps([contact]),
        "[]",
        lookup.terms(entry),
        keys(entry),
        FOUND_BY,
        [*filter(None, [partner_of(somebody)]), REFERRER],
    )


def partner_of(somebody: Somebody) -> str | None:
    """Who works with them, scattered over all of them."""
    drawn = somebody.place * SCATTER % 2**32 / 2**32
    return next((partner for partner, limit in LIMITS if drawn < limit), None)


@cache
def heard(name: str, style: str, number: int) -> str:
    """One of the ways in which a host country spells a name."""
    return latin(name, style, random.Random(f"{name} {style} {number}"))


def chunk(start_and_number: tuple[int, int]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Rows of a chunk, and how the civil register names them, for a worker process."""
    start, number = start_and_number
    everybody = list(people(number, start))
    return [row_of(each) for each in everybody], [
        (each.id, *each.parts, each.born) for each in everybody
    ]


async def load(url: str, number: int) -> None:
    """Load people, who takes part in their return, their referrals, and the words of their
    names.
    """
    begun = time.perf_counter()
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await connection.execute(
            "SET session_replication_role = replica"
        )  # foreign keys hold by the way it is made
        await connection.execute(
            "CREATE TABLE register (id uuid, given text, father text, grandfather text, family "
            "text, born date)"
        )
        indexes = await connection.fetch(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'returnee' AND "
            "indexdef LIKE '%gin%'"
        )
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['indexname']}")
        jobs = [(start, min(CHUNK, number - start)) for start in range(0, number, CHUNK)]
        with Pool(2) as pool:
            for rows, register in pool.imap_unordered(chunk, jobs):
                await connection.copy_records_to_table("returnee", records=rows, columns=COLUMNS)
                await connection.copy_records_to_table("register", records=register)
        made = time.perf_counter()
        await connection.execute("SET maintenance_work_mem = '1GB'")
        for index in indexes:
            await connection.execute(index["indexdef"])
        await connection.execute("GRANT SELECT ON register TO PUBLIC")
        await connection.execute("CREATE INDEX ON register (given, family)")
        await connection.execute("CREATE INDEX ON register (given, born)")
        words = await connection.fetch(
            "SELECT DISTINCT term FROM returnee, unnest(terms) AS term WHERE starts_with(term, $1)",
            lookup.SPELLED,
        )
        known = [
            (word.spelled, sorted(word.keys))
            for word in lookup.spellings(row["term"] for row in words)
        ]
        await connection.copy_records_to_table("name_word", records=known, columns=("word", "keys"))
        await connection.execute(
            "INSERT INTO participation (subject_id, role, organisation) "
            "SELECT id, CASE organisation WHEN $1 THEN $2 ELSE $3 END, organisation "
            "FROM returnee, unnest(known_to) AS organisation "
            "UNION ALL SELECT id, $4, $5 FROM returnee",
            REFERRER,
            str(Role.REFERRER),
            str(Role.PARTNER),
            str(Role.PROGRAMME),
            "eurp",
        )
        referred = [
            (Somebody(place, ("",) * 4, "", (), date.min)) for place in range(0, number, REFERRED)
        ]
        await connection.copy_records_to_table(
            "referral",
            records=[
                (each.id, 1, "submitted", each.reference, *[REFERRER] * 2, 1, "eurp", 1, *REFERRAL)
                for each in referred
            ],
            columns="id version state external_reference sender submitter revision programme "
            "programme_version "
            "return_kind country_of_return decider needs_priority content digest".split(),
        )
        await connection.copy_records_to_table(
            "referral_person",
            records=[(each.id, 0, each.id) for each in referred],
            columns=("referral_id", "index", "returnee_id"),
        )
        await connection.execute("VACUUM ANALYZE")
        size = await connection.fetchval(
            "SELECT pg_size_pretty(pg_database_size(current_database()))"
        )
    finally:
        await connection.close()
    done = time.perf_counter()
    print(
        f"{number} people, {len(known)} words, {size}: made in {made - begun:.0f} s, indexed in "
        f"{done - made:.0f} s"
    )


def elsewhere(somebody: Somebody, parts: str, chance: random.Random) -> str:
    """Some of somebody's names in another country's letters, or in Arabic ones where they are
    written so too.
    """
    wanted = [somebody.parts[PARTS.index(part)] for part in parts.split()]
    if chance.random() < 0.25:
        return " ".join(wanted)
    style = chance.choice([each for each in sorted(STYLES) if each != somebody.style])
    return " ".join(latin(part, style, chance) for part in wanted)


def here(somebody: Somebody, part: str) -> str:
    """A name as it is written here, without the article."""
    return somebody.written[PARTS.index(part)].replace("-", " ").split()[-1]


def wrong(word: str, chance: random.Random) -> str:
    """A word with one consonant replaced, the first excepted."""
    places = [place for place, letter in enumerate(word) if place and letter not in "aeiouy"] or [
        len(word) - 1
    ]
    place = chance.choice(places)
    return (
        word[:place]
        + chance.choice([each for each in "bdfklmnrst" if each != word[place]])
        + word[place + 1 :]
    )


Typed = Callable[[Somebody, random.Random], str]
KINDS: dict[str, tuple[Typed, str]] = {
    "a given name, elsewhere": (lambda s, c: elsewhere(s, "given", c), "given"),
    "a family name, elsewhere": (lambda s, c: elsewhere(s, "family", c), "family"),
    "two names, elsewhere": (lambda s, c: elsewhere(s, "given family", c), "given family"),
    "three names, elsewhere": (
        lambda s, c: elsewhere(s, "given father family", c),
        "given father family",
    ),
    "two names, elsewhere, and the year": (
        lambda s, c: f"{elsewhere(s, 'given family', c)} {s.born.year}",
        "given family year",
    ),
    "a given name, elsewhere, and the day": (
        lambda s, c: f"{elsewhere(s, 'given', c)} {s.born:%d.%m.%Y}",
        "given born",
    ),
    "a family name, a wrong consonant": (lambda s, c: wrong(here(s, "family"), c), "family"),
    "two names, a wrong consonant": (
        lambda s, c: f"{here(s, 'given')} {wrong(here(s, 'family'), c)}",
        "given family",
    ),
    "three letters of a name": (lambda s, _: here(s, "family")[:3], ""),
    "four letters of a name": (lambda s, _: here(s, "family")[:4], ""),
    "a name, four letters of another": (
        lambda s, _: f"{here(s, 'given')} {here(s, 'family')[:4]}",
        "",
    ),
    "a document": (lambda s, _: s.number, "id"),
    "a phone": (lambda s, _: f"0{s.phone[4:7]} {s.phone[7:10]} {s.phone[10:]}", "id"),
    "a reference": (lambda s, _: s.reference, "id"),
}
"""What is typed, and who agrees with it: whom the register gives the same of these; or whose names
begin so.
"""
ONE, NINE = "possible duplicates of a person", "of a referral of nine"
ONE_NAME = frozenset({"given", "family"})


@dataclass
class Samples:
    """What one kind of search took, in milliseconds, and whether it found."""

    took: list[float] = field(default_factory=list)
    found: list[bool] = field(default_factory=list)
    first: list[bool] = field(default_factory=list)

    def line(self, name: str) -> str:
        """The figures in a line."""
        cuts = statistics.quantiles(self.took, n=100, method="inclusive")
        shares = (
            f"  found {share(self.found)}, in the first ten {share(self.first)}"
            if self.found
            else ""
        )
        times = f"p50 {cuts[49]:6.1f}   p99 {cuts[98]:6.1f}   most {max(self.took):6.1f} ms"
        return f"{name:40} {times}{shares}"


def share(found: list[bool]) -> str:
    """Part of it that is true, and of how many."""
    return f"{sum(found) / len(found):.3f} of {len(found)}"


@dataclass
class Searches:
    """What is measured.

    Attributes:
        house: The application.
        seen: Whom each caller may be after.
        chance: Who, and how they are written.
        samples: By kind of search and by caller.
    """

    house: House
    seen: dict[str, list[Somebody]]
    chance: random.Random
    samples: dict[str, Samples] = field(default_factory=lambda: defaultdict(Samples))

    async def by_key(self) -> None:
        """The bare baseline."""
        somebody = self.chance.choice(self.seen["frontex"])
        begun = time.perf_counter()
        async with self.house.homeward.database.transaction() as session:
            await session.execute(select(Returnee.names).where(Returnee.id == somebody.id))
        self.samples["a row by its key"].took.append((time.perf_counter() - begun) * 1000)

    async def search(self, kind: str, who: str) -> None:
        """A search over HTTP, in process."""
        typed, known = KINDS[kind]
        referred = [each for each in self.seen[who] if each.place % REFERRED == 0]
        somebody = self.chance.choice((kind == "a reference" and referred) or self.seen[who])
        q = typed(somebody, self.chance)
        begun = time.perf_counter()
        answer = await self.house.post("/returnees/search", {"q": q, "limit": SHOWN}, who=who)
        took = (time.perf_counter() - begun) * 1000
        assert answer.status_code == 200, answer.text
        for name in (kind, who, "all searches"):
            self.samples[name].took.append(took)
        right = await self.right(somebody, known, who, q, answer.json()["items"])
        if right is not None:
            self.samples[kind].found.append(any(right))
            self.samples[kind].first.append(any(right[:FIRST]))

    async def right(
        self, somebody: Somebody, known: str, who: str, q: str, items: list[dict[str, Any]]
    ) -> list[bool] | None:
        """Who of those on the page is right: the one who is sought, or for one word whoever bears
        it.

        None where more of those whom the caller knows of agree than a page can hold.
        """
        if not known:
            return [begins(q, item["names"]) for item in items]
        mine = participation.c.organisation == ("eurp" if who == "frontex" else who)
        given = {
            "id": REGISTER.c.id == somebody.id,
            "year": func.extract("year", REGISTER.c.born) == somebody.born.year,
        }
        given |= {"born": REGISTER.c.born == somebody.born}
        given |= {
            part: REGISTER.c[part] == value
            for part, value in zip(PARTS, somebody.parts, strict=True)
        }
        agree = select(REGISTER.c.id).where(*(given[each] for each in known.split()))
        async with self.house.homeward.database.transaction() as session:
            if known in ONE_NAME:
                ids = [UUID(item["id"]) for item in items]
                alike = set(await session.scalars(agree.where(REGISTER.c.id.in_(ids))))
                return [each in alike for each in ids]
            known_of = agree.join(participation, participation.c.subject_id == REGISTER.c.id).where(
                mine
            )
            alike = set(await session.scalars(known_of.limit(SHOWN + 1)))
        if len(alike) > SHOWN:
            return None
        return [item["id"] == str(somebody.id) for item in items]

    def again(self) -> tuple[Somebody, Person]:
        """Somebody who is referred again, by another country and without papers."""
        somebody = self.chance.choice(self.seen["frontex"])
        style = self.chance.choice([each for each in sorted(STYLES) if each != somebody.style])
        name = dict(
            zip(PARTS, (p and latin(p, style, self.chance) for p in somebody.parts), strict=True)
        )
        person = Person.model_validate(
            {
                "names": [{"script": "Latn"} | name],
                "sex": "unknown",
                "birth": {"date": somebody.born, "precision": "day"},
                "nationality": "IRQ",
            }
        )
        return somebody, person

    async def alike(self) -> None:
        """Possible duplicates of one who is referred again."""
        somebody, person = self.again()
        begun = time.perf_counter()
        async with self.house.homeward.database.transaction() as session:
            found = [other.id for other, _ in await duplicates.alike(session, person)]
        sample = self.samples[ONE]
        sample.took.append((time.perf_counter() - begun) * 1000)
        sample.found.append(somebody.id in found)
        sample.first.append(somebody.id in found[:FIRST])

    async def alike_nine(self) -> None:
        """Possible duplicates of everybody in a referral of nine."""
        people = [self.again() for _ in range(9)]
        begun = time.perf_counter()
        async with self.house.homeward.database.transaction() as session:
            found = await duplicates.alike_all(session, [person for _, person in people])
        sample = self.samples[NINE]
        sample.took.append((time.perf_counter() - begun) * 1000)
        for (somebody, _), candidates in zip(people, found, strict=True):
            ids = [other.id for other, _ in candidates]
            sample.found.append(somebody.id in ids)
            sample.first.append(somebody.id in ids[:FIRST])


def begins(q: str, names: list[dict[str, str]]) -> bool:
    """Whether each word begins one of somebody's names."""
    own = [
        word
        for name in names
        for part in PARTS
        for word in name[part].lower().replace("-", " ").split()
    ]
    own += [word.removeprefix("al") for word in own]
    return all(any(each.startswith(word) for each in own) for word in q.lower().split())


async def measure(house: House, number: int, queries: int) -> None:
    """Print the figures."""
    chance = random.Random(7)
    known = [each for start in range(0, number, CHUNK) for each in people(min(1000, number), start)]
    seen = {"frontex": known}
    async with house.homeward.database.transaction() as session:
        for who in CALLERS[1:]:
            mine = select(participation.c.subject_id).where(participation.c.organisation == who)
            ids = set(await session.scalars(mine))
            seen[who] = [somebody for somebody in known if somebody.id in ids] or known[:1]
    house.headers = cache(house.headers)  # type: ignore[method-assign] # a client keeps its token
    searches = Searches(house, seen, chance)
    works: list[Callable[[], Awaitable[None]]] = [
        partial(searches.search, k, w) for k in KINDS for w in CALLERS
    ] * queries
    works += [searches.by_key, searches.alike, searches.alike_nine] * (queries * len(CALLERS))
    chance.shuffle(works)
    gc.collect()
    gc.freeze()  # the people who are looked for are not the application's
    for work in works[:WARMING]:
        await work()
    searches.samples.clear()
    cpu = time.process_time()
    for work in works:
        await work()
    cpu = (time.process_time() - cpu) / len(works) * 1000
    for name in (
        "a row by its key",
        *KINDS,
        *CALLERS,
        "all searches",
        ONE,
        NINE,
    ):
        print(searches.samples[name].line(name))
    print(
        f"processor time of the application and its client: {cpu:.1f} ms each; load average "
        f"{os.getloadavg()[0]:.1f}"
    )


async def run(databases: Databases, folder: Path, number: int, queries: int) -> None:
    """Load, unless it was, and measure."""
    loaded = folder / f"{number}.loaded"
    if not loaded.exists():
        fresh = await databases.new("cases")
        await load(fresh.admin_url, number)
        loaded.write_text(fresh.url)
    async with running(loaded.read_text()) as house:
        await measure(house, number, queries)


def main() -> None:
    """Run it on a PostgreSQL that is thrown away, unless it is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=40, help="of each kind by each caller")
    parser.add_argument(
        "--keep", type=Path, help="a folder where the data stay, to be measured again"
    )
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="homeward-benchmark-"))
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account and must pass through
    port = folder / "port"
    if not port.exists():
        port.write_text(str(free_port()))
    server = EmbeddedPostgres(
        folder / "data",
        int(port.read_text()),
        password="benchmark",
        log=folder / "log",
        durable=True,
        settings=SETTINGS,
    )
    try:
        server.start()
        with asyncio.Runner(
            loop_factory=uvloop.new_event_loop
        ) as runner:  # as the application is served
            runner.run(run(Databases(server.url()), folder, given.people, given.queries))
    finally:
        if given.keep:
            server.stop()
        else:
            server.kill()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
