"""What was imported before entries were known by what they say is known so afterwards."""

from collections.abc import Callable
from uuid import UUID

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from chassis import migrations
from services.grants.app import service
from tests.conftest import NewDatabase

BEFORE = "5d0c7b1e94a2"
NUMBERS = {1: "00005", 2: "0", 3: "036/2026/BPL"}
LINES = [
    (1, "line 1", ("5/1", 0)),
    (1, "line 2", ("5/1", 1)),
    (1, "page 2 line 1", ("5/2", 0)),
    (1, "EUR123", ("EUR123", 0)),
    (2, "line 1", ("", 0)),
    (3, "line 9", ("036/2026/BPL/1", 0)),
]


async def migrate(engine: AsyncEngine, step: Callable[[Config, str], None], to: str) -> None:
    chain = migrations.chains(service.migrations, service.metadata)[-1]

    def run(connection: Connection) -> None:
        step(migrations.config_of(chain, connection), to)

    async with engine.begin() as connection:
        await connection.run_sync(run)


async def test_entries_keep_their_identity_there_and_back(new_database: NewDatabase) -> None:
    url = (await new_database("grants")).owner_url
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    await migrate(engine, command.downgrade, BEFORE)
    async with engine.begin() as connection:
        for number, name in NUMBERS.items():
            await connection.execute(
                text(
                    "INSERT INTO statement (id, version, organisation, account, year, number, "
                    "currency) VALUES (:id, 1, 'o', 'a', 2026, :name, 'EUR')"
                ),
                {"id": UUID(int=number), "name": name},
            )
        for line, (statement, key, _) in enumerate(LINES):
            await connection.execute(
                text(
                    "INSERT INTO statement_line (id, statement_id, line, key, booked_on, "
                    "direction, amount, currency, reference, outcome) VALUES (gen_random_uuid(), "
                    ":statement, :line, :key, '2026-01-01', 'debit', 5, 'EUR', '', 'unknown')"
                ),
                {"statement": UUID(int=statement), "line": line, "key": key},
            )
    await migrate(engine, command.upgrade, "head")
    async with engine.begin() as connection:
        query = text("SELECT key, ordinal FROM statement_line ORDER BY line")
        rows = (await connection.execute(query)).all()
    assert [tuple(row) for row in rows] == [expected for _, _, expected in LINES]
    await migrate(engine, command.downgrade, BEFORE)
    await migrate(engine, command.upgrade, "head")
    await engine.dispose()
