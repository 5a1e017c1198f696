"""A standby that takes over: what the server before had promised and it never got is another
history.
"""

import shutil
from pathlib import Path

import asyncpg

from chassis.relay import IDENTITY
from cli.embedded import EmbeddedPostgres, free_port
from tests.faults.world import until


async def test_a_promoted_standby_is_another_database_at_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)  # as root, PostgreSQL runs as another account and must pass through
    first = EmbeddedPostgres(tmp_path / "data", free_port(), password="of-the-test", durable=False)
    first.start()
    connection = await asyncpg.connect(first.url())
    before = await connection.fetchval(IDENTITY)
    await connection.close()
    first.kill()
    (first.data / "postmaster.pid").unlink(missing_ok=True)
    (first.data / "standby.signal").touch()
    shutil.chown(first.data / "standby.signal", first.data.stat().st_uid, first.data.stat().st_gid)
    standby = EmbeddedPostgres(first.data, free_port(), password="of-the-test", durable=False)
    try:
        standby.start()
        connection = await asyncpg.connect(standby.url())
        await connection.execute("SELECT pg_promote()")

        async def leads() -> bool:
            return not await connection.fetchval("SELECT pg_is_in_recovery()")

        await until(leads)
        assert await connection.fetchval(IDENTITY) != before
        await connection.close()
    finally:
        standby.kill()
