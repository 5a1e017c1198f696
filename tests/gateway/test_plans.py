"""How PostgreSQL reads a timeline: by its index, however many others there are."""

import json
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest_asyncio
from sqlalchemy import event, text

from chassis.auth import Caller, OrganisationKind
from chassis.db import Database
from gateway.events.routes import Reading
from gateway.handlers import SOURCES
from gateway.positions import Positions
from gateway.timeline import service
from gateway.timeline.service import Filters, Reader
from participation.access import Role
from tests.conftest import Databases

FILL = """
    INSERT INTO timeline (source, position, epoch, id, subject, type, occurred_at, recorded_at,
                          data, audience)
    SELECT 'cases', n, gen_random_uuid(), gen_random_uuid(), md5((n / 10)::text)::uuid,
           'org.homeward.cases.contact.attempted.v1', now(), now(), '{}', '{partner}'
    FROM generate_series(1, 40000) AS n
"""
PERSON = UUID("cfcd2084-95d5-65ef-66e7-dff9f98764da")  # md5('0')


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def filled(databases: Databases):
    fresh = await databases.new("gateway")
    owner = Database(fresh.owner_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with owner.transaction() as session:
        await session.execute(text(FILL))
        await session.execute(
            text(
                "INSERT INTO relation (subject, returnee_id) SELECT gen_random_uuid(), "
                "md5(n::text)::uuid FROM generate_series(1, 20000) AS n"
            )
        )
    async with owner.engine.connect() as connection:
        plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await plain.execute(text("ANALYZE"))
    yield owner
    await owner.close()


def nodes(plan: dict) -> Iterator[dict]:
    """The steps of a plan."""
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


async def scanned(database: Database, read) -> set[str]:
    """The tables that the statements of a read go through from end to end."""
    steps = await planned(database, read)
    return {step["Relation Name"] for step in steps if step["Node Type"] == "Seq Scan"}


async def planned(database: Database, read) -> list[dict]:
    """The steps by which PostgreSQL carries out the statements of a read."""
    sent: list[tuple[str, object]] = []

    def note(_: object, __: object, statement: str, parameters: object, *___: object) -> None:
        sent.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        async with database.transaction() as session:
            await read(session)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert sent
    found: list[dict] = []
    async with database.engine.connect() as connection:
        for statement, parameters in sent:
            rows = await connection.exec_driver_sql(
                f"EXPLAIN (FORMAT JSON) {statement}", parameters
            )
            plan_ = rows.scalar_one()
            (plan,) = json.loads(plan_) if isinstance(plan_, str) else plan_
            found += nodes(plan["Plan"])
    return found


PARTS = (Role.PARTNER.value,)
REACHED: Positions = dict.fromkeys(SOURCES, 39_990)


def readers() -> list[Reader]:
    """A partner, somebody under two ids with other roles, and one of our own services."""
    return [
        Reader(PERSON, ((PERSON, PARTS),)),
        Reader(PERSON, ((PERSON, PARTS), (uuid4(), (Role.REFERRER.value,)))),
        Reader(PERSON, ((PERSON, None), (uuid4(), None))),
    ]


async def test_no_reading_of_a_timeline_scans_a_table(filled: Database) -> None:
    for who in readers():
        page = await scanned(
            filled,
            lambda session, who=who: service.read(
                session, who, Filters(), after=None, limit=50, descending=True
            ),
        )
        assert page == set()
        assert await scanned(filled, lambda s, who=who: service.standing(s, who, uuid4())) == set()
        assert await scanned(filled, lambda s, who=who: service.since(s, who, REACHED)) == set()


async def test_the_one_who_asks_is_found_without_a_scan(filled: Database) -> None:
    caller = Caller(
        client_id="c", organisation="iom-iraq", kind=OrganisationKind.PARTNER, scopes=frozenset()
    )
    assert await scanned(filled, lambda s: service.reader(s, PERSON, caller)) <= {
        "participation",  # empty here
        "alias",
    }


async def test_events_of_a_type_are_not_looked_for_among_all_others(filled: Database) -> None:
    caller = Caller(
        client_id="c", organisation="us", kind=OrganisationKind.INTERNAL, scopes=frozenset()
    )
    rare = Reading(caller, ["org.homeward.cases.case.closed.v1"], REACHED, limit=50)
    start = dict.fromkeys(SOURCES, 0)
    steps = await planned(filled, lambda session: rare.queues(session, start, 50))
    read = {step["Index Name"] for step in steps if "'cases'" in step.get("Index Cond", "")}
    assert read == {"ix_timeline_source_type"}, "all others would be read and left out"


async def test_a_planted_scan_is_noticed(filled: Database) -> None:
    async def by_data(session) -> None:
        await session.execute(text("SELECT * FROM timeline WHERE data = '[]'"))

    assert await scanned(filled, by_data) == {"timeline"}
