"""Migrations: one head a chain, from empty to what the models say, one process at a time."""

import asyncio

import pytest
from sqlalchemy import text

from chassis import migrations
from chassis.db import Database
from cli.roles import ROLES
from tests.conftest import NewDatabase


@pytest.mark.parametrize("role", list(ROLES))
async def test_one_head_and_no_drift(new_database: NewDatabase, role: str) -> None:
    service = ROLES[role].service()
    for chain in migrations.chains(service.migrations, service.metadata):
        assert len(migrations.heads(chain)) == 1
    fresh = await new_database(role)
    assert await migrations.drift(fresh.owner_url, service.migrations, service.metadata) == []


async def test_drift_is_noticed(new_database: NewDatabase) -> None:
    fresh = await new_database()
    owner = Database(fresh.owner_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with owner.transaction() as session:
        await session.execute(text("ALTER TABLE job DROP COLUMN last_error"))
        await session.execute(text("ALTER TABLE audit ALTER COLUMN person SET NOT NULL"))
    await owner.close()
    found = "\n".join(await migrations.drift(fresh.owner_url, None, None))
    assert "last_error" in found
    assert "person" in found


async def test_another_way_to_compute_a_column_is_noticed(new_database: NewDatabase) -> None:
    service = ROLES["grants"].service()
    fresh = await new_database("grants")
    owner = Database(fresh.owner_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with owner.transaction() as session:
        other = "state IN ('scheduled', 'released', 'confirmed')"
        await session.execute(
            text(f"ALTER TABLE payment ALTER COLUMN live SET EXPRESSION AS ({other})")
        )
    await owner.close()
    (found,) = await migrations.drift(fresh.owner_url, service.migrations, service.metadata)
    assert found.startswith("payment.live is computed as")


async def test_a_list_of_codes_that_changed_is_held_after_the_next_upgrade(
    new_database: NewDatabase,
) -> None:
    service = ROLES["reception"].service()
    fresh = await new_database("reception")
    owner = Database(fresh.owner_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with owner.transaction() as session:
        for statement in (
            "ALTER TABLE flight DROP CONSTRAINT ck_flight_state",
            "ALTER TABLE flight ADD CONSTRAINT ck_flight_state CHECK (state IN ('landed'))",
            "COMMENT ON CONSTRAINT ck_flight_state ON flight IS $$'landed'$$",
        ):
            await session.execute(text(statement))
    await owner.close()
    (found,) = await migrations.drift(fresh.owner_url, service.migrations, service.metadata)
    assert found.startswith("flight: ck_flight_state holds 'landed', the model has")
    await migrations.upgrade(fresh.owner_url, service.migrations, service.metadata)
    assert await migrations.drift(fresh.owner_url, service.migrations, service.metadata) == []


async def test_a_check_that_only_one_side_has_is_noticed(new_database: NewDatabase) -> None:
    service = ROLES["reception"].service()
    fresh = await new_database("reception")
    owner = Database(fresh.owner_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with owner.transaction() as session:
        await session.execute(text("ALTER TABLE arrival DROP CONSTRAINT ck_arrival_held"))
    await owner.close()
    found = await migrations.drift(fresh.owner_url, service.migrations, service.metadata)
    assert found == ["arrival: only the model has the CHECK ck_arrival_held"]


async def test_two_at_once_and_again(new_database: NewDatabase) -> None:
    service = ROLES["gateway"].service()
    fresh = await new_database()
    await asyncio.gather(
        *(
            migrations.upgrade(fresh.owner_url, service.migrations, service.metadata)
            for _ in range(3)
        )
    )
    assert await migrations.drift(fresh.owner_url, service.migrations, service.metadata) == []


async def test_service_role_may_not_change_tables(new_database: NewDatabase) -> None:
    fresh = await new_database()
    least = Database(fresh.url.replace("postgresql://", "postgresql+asyncpg://"))
    for statement in (
        "CREATE TABLE x (y int)",
        "DROP TABLE job",
        "ALTER TABLE job ADD COLUMN x int",
        "TRUNCATE audit",
    ):
        with pytest.raises(Exception, match=r"permission denied|must be owner"):
            async with least.transaction() as session:
                await session.execute(text(statement))
    await least.close()
