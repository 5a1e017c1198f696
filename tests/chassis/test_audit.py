"""The audit trail: sealed so that tampering shows, and nobody waits for it."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from chassis import audit
from chassis.auth import Caller, OrganisationKind
from chassis.db import Database
from tests.conftest import FreshDatabase, NewDatabase

KEY = b"the key of the seal"
CALLER = Caller("desk", "iom-iraq", OrganisationKind.PARTNER, frozenset(), person="iom-iraq:u-1")


def url(address: str) -> str:
    return address.replace("postgresql://", "postgresql+asyncpg://")


@pytest.fixture
async def fresh(new_database: NewDatabase) -> FreshDatabase:
    return await new_database()


@pytest.fixture
async def database(fresh: FreshDatabase):
    made = Database(url(fresh.url))
    yield made
    await made.close()


async def write(database: Database, *actions: str) -> None:
    async with database.transaction() as session:
        for action in actions:
            audit.record(session, CALLER, action, "returnee", "r-1", {"reason": "code"})


async def sealed(database: Database) -> int:
    async with database.transaction() as session:
        return await audit.seal(session, KEY)


async def verdict(database: Database, key: bytes = KEY) -> audit.Verdict:
    async with database.transaction() as session:
        return await audit.verify(session, key)


async def test_sealed_rows_hold(database: Database) -> None:
    await write(database, "read-identity", "accept")
    await write(database, "close")
    assert await sealed(database) == 3
    await write(database, "reopen")
    assert await sealed(database) == 1
    assert await sealed(database) == 0
    found = await verdict(database)
    assert (found.intact, found.rows, found.seals) == (True, 4, 2)
    assert not (await verdict(database, b"another key")).intact


async def test_after_an_outage_everything_is_sealed_however_much_and_old(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "SEAL_AT_MOST", 2)
    monkeypatch.setattr(audit, "LATE", timedelta(0))  # an outage longer than anybody is late
    await write(database, "accept", "close", "reopen", "close", "reopen")
    assert await sealed(database) == 5
    found = await verdict(database)
    assert (found.problems, found.rows, found.seals) == ([], 5, 3)


async def test_the_service_cannot_change_a_row(database: Database) -> None:
    await write(database, "accept")
    for statement in (
        "UPDATE audit SET person = NULL",
        "DELETE FROM audit",
        "DELETE FROM audit_seal",
    ):
        with pytest.raises(DBAPIError):
            async with database.transaction() as session:
                await session.execute(text(statement))


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit SET person = 'iom-iraq:somebody-else' WHERE action = 'accept'",
        "UPDATE audit SET at = at + interval '1 second' WHERE action = 'accept'",
        "DELETE FROM audit WHERE action = 'accept'",
        "DELETE FROM audit_sealed WHERE audit_id = (SELECT id FROM audit WHERE action = 'accept')",
        "DELETE FROM audit_seal WHERE number = 1",
        "INSERT INTO audit_sealed SELECT id, 1 FROM audit WHERE action = 'later'",
    ],
)
async def test_tampering_by_whoever_owns_the_database_shows(
    database: Database, fresh: FreshDatabase, tampering: str
) -> None:
    await write(database, "accept", "reject")
    await sealed(database)
    await write(database, "more")
    await sealed(database)
    await write(database, "later")
    owner = Database(url(fresh.admin_url))
    async with owner.transaction() as session:
        await session.execute(
            text("SET session_replication_role = replica")
        )  # switches the triggers off
        await session.execute(text(tampering))
    await owner.close()
    assert not (await verdict(database)).intact


async def test_writers_do_not_wait_for_one_another_or_for_the_seal(database: Database) -> None:
    await write(database, "before")
    async with database.transaction() as open_one:
        audit.record(open_one, CALLER, "slow", "returnee", "r-1")
        await open_one.execute(text("SELECT 1"))
        await audit._write(open_one)  # its row is written, its transaction still open
        async with asyncio.timeout(2):
            await write(database, "quick")
            assert await sealed(database) == 2
    assert await sealed(database) == 1, (
        "the late one is sealed when it arrives, although its number is lower"
    )
    assert (await verdict(database)).intact
