"""How PostgreSQL reads a timeline: by its index, however many others there are."""

import json
from uuid import UUID, uuid4

import pytest_asyncio
from sqlalchemy import event, text

from chassis.auth import Caller, OrganisationKind
from chassis.db import Database
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


def scans(plan: dict) -> set[str]:
    """The tables that a plan reads from end to end."""
    own = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return own.union(*(scans(below) for below in plan.get("Plans", [])))


async def scanned(database: Database, read) -> set[str]:
    """The tables that the statements of a read scan."""
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
    found: set[str] = set()
    async with database.engine.connect() as connection:
        for statement, parameters in sent:
            rows = await connection.exec_driver_sql(
                f"EXPLAIN (FORMAT JSON) {statement}", parameters
            )
            plan_ = rows.scalar_one()
            (plan,) = json.loads(plan_) if isinstance(plan_, str) else plan_
            found |= scans(plan["Plan"])
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


async def test_a_planted_scan_is_noticed(filled: Database) -> None:
    async def by_type(session) -> None:
        await session.execute(text("SELECT * FROM timeline WHERE type = 'x'"))

    assert await scanned(filled, by_type) == {"timeline"}
