"""Jobs: done once in effect, by any replica, also when one dies in the middle."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from prometheus_client import generate_latest
from sqlalchemy import func, insert, select, text, update

from chassis import jobs
from chassis.db import Database, Session, now
from chassis.http import CallFailed
from chassis.ids import new_id
from chassis.jobs import JobKind, JobRunner, Payload, job, schedule
from tests.chassis.probe import note
from tests.conftest import FreshDatabase

Work = Callable[[Session, Payload, Any], Awaitable[None]]


async def write_note(session: Session, payload: Payload, _: Any) -> None:
    await session.execute(insert(note).values(id=new_id(), words=payload["words"]))


@pytest.fixture
async def database(probe_database: FreshDatabase):
    made = Database(probe_database.url.replace("postgresql://", "postgresql+asyncpg://"))
    async with made.transaction() as session:
        await session.execute(text("DELETE FROM job"))
        await session.execute(text("DELETE FROM note"))
    yield made
    await made.close()


@asynccontextmanager
async def runners(database: Database, *kinds: JobKind, replicas: int = 1):
    tasks = [asyncio.create_task(JobRunner(database, kinds, None).run()) for _ in range(replicas)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 8) -> None:
    for _ in range(int(seconds / 0.05)):
        if await condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")


async def notes(database: Database) -> list[str]:
    async with database.transaction() as session:
        return sorted((await session.scalars(select(note.c.words))).all())


async def waiting(database: Database) -> int:
    async with database.transaction() as session:
        return await session.scalar(select(func.count()).select_from(job)) or 0


async def test_a_hundred_jobs_by_three_replicas_each_once(database: Database) -> None:
    async with database.transaction() as session:
        for number in range(100):
            await schedule(session, "note", {"words": f"{number:03}"})
    async with runners(database, JobKind("note", write_note), replicas=3):
        await until(lambda: none_left(database))
    assert await notes(database) == [f"{number:03}" for number in range(100)]


async def none_left(database: Database) -> bool:
    return await waiting(database) == 0


async def test_job_of_a_rolled_back_transaction_never_was(database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.transaction() as session:
            await schedule(session, "note", {"words": "never"})
            raise RuntimeError
    assert await waiting(database) == 0


async def test_due_time_and_key(database: Database) -> None:
    async with database.transaction() as session:
        later = await session.scalar(select(now() + timedelta(hours=1)))
        await schedule(session, "note", {"words": "first"}, due_at=later, key="one")
        await schedule(session, "note", {"words": "moved"}, key="one")
        await schedule(session, "note", {"words": "later"}, due_at=later, key="two")
        await schedule(session, "note", {"words": "cancelled"}, key="three")
        await jobs.cancel(session, "note", "three")
    async with runners(database, JobKind("note", write_note)):
        await until(lambda: wrote(database, ["moved"]))
        await asyncio.sleep(0.7)
    assert await notes(database) == ["moved"]


async def wrote(database: Database, words: list[str]) -> bool:
    return await notes(database) == words


async def test_slow_calls_hold_nobody_else(database: Database) -> None:
    answered = asyncio.Event()

    async def wait(_: Any, __: Payload) -> None:
        await answered.wait()

    quick = [f"{number:02}" for number in range(30)]
    async with database.transaction() as session:
        for number in range(jobs.AT_ONCE - 1):
            await schedule(session, "slow", {"words": f"slow {number}"})
    async with runners(database, JobKind("note", write_note), JobKind("slow", write_note, wait)):
        async with database.transaction() as session:
            for words in quick:
                await schedule(session, "note", {"words": words})
        await until(lambda: wrote(database, quick))
        answered.set()
        await until(lambda: none_left(database))
    assert len(await notes(database)) == len(quick) + jobs.AT_ONCE - 1


async def test_call_is_made_outside_a_transaction_and_tried_again(database: Database) -> None:
    calls = 0

    async def call(_: Any, payload: Payload) -> str:
        nonlocal calls
        calls += 1
        async with database.transaction() as session:
            busy = await session.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                    # Not who looks whether it is written.
                    "AND state = 'idle in transaction' AND query LIKE '%job%'"
                )
            )
        assert busy == 0
        if calls == 1:
            raise CallFailed("cases", 503)
        return str(payload["words"]).upper()

    async def apply(session: Session, _: Payload, outcome: Any) -> None:
        await session.execute(insert(note).values(id=new_id(), words=outcome))

    async with database.transaction() as session:
        await schedule(session, "call", {"words": "fetched"})
    async with runners(database, JobKind("call", apply, call)):
        await until(lambda: wrote(database, ["FETCHED"]))
    assert calls == 2


async def test_a_job_that_is_moved_while_it_runs_stays_where_it_was_moved_to(
    database: Database,
) -> None:
    async def call(_: Any, payload: Payload) -> str:
        async with database.transaction() as session:
            if payload["words"] == "to later":
                later = await session.scalar(select(now() + timedelta(hours=1)))
                await schedule(session, "call", {"words": "later"}, due_at=later, key="later")
            if payload["words"] == "old":
                await schedule(session, "call", {"words": "new"}, key="now")
        if payload["words"] == "to later":
            raise CallFailed("cases", 503)
        return str(payload["words"])

    async def apply(session: Session, _: Payload, outcome: Any) -> None:
        await session.execute(insert(note).values(id=new_id(), words=outcome))

    async with database.transaction() as session:
        await schedule(session, "call", {"words": "to later"}, key="later")
        await schedule(session, "call", {"words": "old"}, key="now")
    async with runners(database, JobKind("call", apply, call)):
        await until(lambda: wrote(database, ["new"]))
        await asyncio.sleep(1.5)
    assert await notes(database) == ["new"]
    async with database.transaction() as session:
        assert await session.scalar(
            select(job.c.due_at > now() + timedelta(minutes=50)).where(job.c.key == "later")
        )


async def test_effect_that_fails_leaves_nothing_and_comes_again(database: Database) -> None:
    tries = 0

    async def apply(session: Session, payload: Payload, outcome: Any) -> None:
        nonlocal tries
        tries += 1
        await write_note(session, payload, outcome)
        if tries == 1:
            raise RuntimeError("after the write")

    async with database.transaction() as session:
        await schedule(session, "fails", {"words": "once"})
    async with runners(database, JobKind("fails", apply)):
        await until(lambda: none_left(database))
    assert (tries, await notes(database)) == (2, ["once"])


async def test_a_job_that_goes_on_failing_is_measured_and_said_until_it_succeeds(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MEASURE_SECONDS", 0)
    monkeypatch.setattr(jobs, "FIRST_RETRY_SECONDS", 0.1)
    fails = True

    async def call(_: Any, __: Payload) -> None:
        if fails:
            raise CallFailed("cases", None)

    def measured(name: str) -> float:
        found = re.search(rf"^{name} (\S+)$", generate_latest().decode(), re.MULTILINE)
        assert found
        return float(found[1])

    async def failing() -> bool:
        return measured("homeward_jobs_failing") == fails

    async with database.transaction() as session:
        await schedule(session, "plan", {"words": "fetched"})
        await schedule(session, "note", {"words": "later"}, due_at=datetime(2099, 1, 1, tzinfo=UTC))
    with structlog.testing.capture_logs() as lines:
        async with runners(database, JobKind("plan", write_note, call)):
            await until(failing)
            async with database.transaction() as session:
                two_hours_ago = text("failing_since - interval '2 hours'")
                await session.execute(
                    update(job).where(job.c.kind == "plan").values(failing_since=two_hours_ago)
                )
            await until(lambda: said(lines, "jobs have failed for more than an hour"))
            assert 7200 <= measured("homeward_jobs_failing_oldest_seconds") < 7300
            assert measured("homeward_jobs_oldest_seconds") < 60, "its last try is not long ago"
            fails = False
            await until(failing)
    assert measured("homeward_jobs_failing_oldest_seconds") == 0
    assert await notes(database) == ["fetched"]


async def said(lines: Sequence[Mapping[str, Any]], event: str) -> bool:
    return any(line["event"] == event for line in lines)


async def test_replica_that_lost_its_lease_has_no_effect(database: Database) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def call(_: Any, __: Payload) -> None:
        started.set()
        await go_on.wait()

    async def apply(session: Session, payload: Payload, outcome: Any) -> None:
        await write_note(session, payload, outcome)

    async with database.transaction() as session:
        await schedule(session, "slow", {"words": "once"})
    async with runners(database, JobKind("slow", apply, call)):
        await started.wait()
        async with database.transaction() as session:  # its lease runs out
            await session.execute(update(job).values(leased_until=text("now() - interval '1 s'")))
        async with runners(database, JobKind("slow", apply)):
            await until(lambda: wrote(database, ["once"]))
        go_on.set()
        await asyncio.sleep(0.3)
    assert await notes(database) == ["once"]


async def test_a_call_that_takes_longer_than_the_lease_is_made_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LEASE", timedelta(seconds=2))
    monkeypatch.setattr(jobs, "RENEW_SECONDS", 0.2)
    calls = 0

    async def call(_: Any, __: Payload) -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(4)

    async with database.transaction() as session:
        await schedule(session, "slow", {"words": "once"})
    async with runners(database, JobKind("slow", write_note, call), replicas=2):
        await until(lambda: wrote(database, ["once"]))
    assert calls == 1


WORKER = """
import asyncio, sys
from chassis.db import Database
from chassis.jobs import JobKind, JobRunner
async def call(_, __):
    print("calling", flush=True)
    await asyncio.sleep(60)
async def apply(session, payload, outcome):
    raise AssertionError("never reached")
asyncio.run(JobRunner(Database(sys.argv[1]), [JobKind("killed", apply, call)], None).run())
"""


async def test_worker_killed_in_the_middle_leaves_its_job_to_the_next(database: Database) -> None:
    async with database.transaction() as session:
        await schedule(session, "killed", {"words": "survived"})
    url = database.engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, url], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "calling\n"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    async with database.transaction() as session:  # the lease of the dead runs out
        await session.execute(update(job).values(leased_until=text("now() - interval '1 s'")))
    async with runners(database, JobKind("killed", write_note)):
        await until(lambda: wrote(database, ["survived"]))


async def test_periodic_job_comes_again_and_is_one_among_replicas(database: Database) -> None:
    kind = JobKind(
        "tick",
        lambda session, _, __: write_note(session, {"words": "tick"}, None),
        every=timedelta(0),
    )
    async with runners(database, kind, replicas=3):
        await until(lambda: at_least(database, 3))
    async with database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(job)) == 1


async def at_least(database: Database, number: int) -> bool:
    return len(await notes(database)) >= number
