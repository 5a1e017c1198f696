import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from cli.embedded import EmbeddedBroker, EmbeddedPostgres, free_port
from tests.conftest import NewDatabase


async def test_a_fresh_database_lets_the_service_work_with_rows_only(
    new_database: NewDatabase,
) -> None:
    database = await new_database()
    service = await asyncpg.connect(database.url)
    assert await service.fetchval("SELECT current_setting('is_superuser')") == "off"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.execute("CREATE TABLE mine (id int)")
    await service.close()
    owner = await asyncpg.connect(database.owner_url)
    await owner.execute("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY, word text)")
    await owner.close()
    service = await asyncpg.connect(database.url)
    await service.execute("INSERT INTO later (word) VALUES ('x')")
    assert await service.fetchval("SELECT count(*) FROM later") == 1
    for forbidden in ("DROP TABLE later", "TRUNCATE later", "ALTER TABLE later ADD more int"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute(forbidden)
    await service.close()


async def test_two_databases_are_apart(new_database: NewDatabase) -> None:
    first, second = await new_database(), await new_database()
    owner = await asyncpg.connect(first.owner_url)
    await owner.execute("CREATE TABLE only_here (id int)")
    await owner.close()
    other = await asyncpg.connect(second.url)
    assert await other.fetchval("SELECT to_regclass('only_here')") is None
    await other.close()


async def test_the_broker_carries_a_message_and_comes_back_empty() -> None:
    broker = EmbeddedBroker(free_port())
    broker.start()
    try:
        await send(broker.bootstrap)
        assert await count(broker.bootstrap) == 1
        broker.restart_empty()
        await send(broker.bootstrap)
        assert await count(broker.bootstrap) == 1
    finally:
        broker.kill()


async def send(bootstrap: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=False)
    await producer.start()
    await producer.send_and_wait("t", b"x", partition=0)
    await producer.stop()


async def count(bootstrap: str) -> int:
    consumer = AIOKafkaConsumer("t", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found = await consumer.getmany(timeout_ms=3000)
    await consumer.stop()
    return sum(map(len, found.values()))


def test_children_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    port = free_port()
    script = (
        "import sys, time; from cli.embedded import EmbeddedBroker\n"
        f"broker = EmbeddedBroker({port}); broker.start(); print(broker.pid, flush=True); "
        f"time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert parent.stdout
    child = psutil.Process(int(parent.stdout.readline()))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    give_up = time.monotonic() + 5
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < give_up
        time.sleep(0.02)


async def test_postgres_starts_again_after_it_was_killed(postgres_folder: Path) -> None:
    port = free_port()
    server = EmbeddedPostgres(
        postgres_folder / "data", port, password="x", log=postgres_folder / "log"
    )
    server.start()
    try:
        connection = await asyncpg.connect(server.url())
        await connection.execute("CREATE TABLE kept AS SELECT 1 AS x")
        server.kill()
        stale = postgres_folder / "data" / "postmaster.pid"
        lines = stale.read_text().splitlines()
        lines[0] = str(os.getpid())  # the id was used again by somebody else
        stale.write_text("\n".join(lines) + "\n")
        with pytest.raises(
            (
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
                ConnectionError,
            )
        ):
            async with asyncio.timeout(30):
                while True:  # the process behind the connection ends after its parent
                    await connection.fetchval("SELECT x FROM kept")
                    await asyncio.sleep(0.05)
        server.start()
        connection = await asyncpg.connect(server.url())
        assert await connection.fetchval("SELECT x FROM kept") == 1
        await connection.close()
    finally:
        server.kill()


async def test_the_log_of_postgres_says_nothing_of_what_was_in_a_row(postgres_folder: Path) -> None:
    log = postgres_folder / "log"
    server = EmbeddedPostgres(
        postgres_folder / "data", free_port(), password="x", log=log, durable=False
    )
    server.start()
    try:
        connection = await asyncpg.connect(server.url())
        await connection.execute(
            "CREATE TABLE person (name text UNIQUE CHECK (name <> 'Zaynab Nobody'))"
        )
        await connection.execute("INSERT INTO person VALUES ($1)", "Zaynab Al-Example")
        for name in ("Zaynab Al-Example", "Zaynab Nobody"):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await connection.execute("INSERT INTO person VALUES ($1)", name)
        await connection.close()
        said = log.read_text()
        assert "person_name_key" in said
        assert "Zaynab" not in said
    finally:
        server.kill()


def test_a_large_log_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.embedded.LOG_BYTES", 10)
    log = tmp_path / "broker.log"
    log.write_text("x" * 11)
    broker = EmbeddedBroker(free_port(), log=log)
    broker.start()
    broker.kill()
    assert (tmp_path / "broker.log.1").read_text() == "x" * 11
    assert "xxx" not in log.read_text()


async def test_a_wrong_password_is_refused(postgres: str) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres, password="guess")
