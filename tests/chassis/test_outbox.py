"""Publishing: only what is committed, in the order of the commits, with the trace it belongs to."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from sqlalchemy import text

from chassis import outbox
from chassis.db import Database, savepoint
from chassis.events import EVERYBODY, REGISTRY, EventData
from chassis.outbox import publish
from chassis.settings import async_url
from tests.conftest import NewDatabase


class Told(EventData, name="outboxtest.thing.told", subject="thing", audience=EVERYBODY):
    thing: str
    n: int = 0
    more: str | None = None


class Delivered(
    EventData,
    name="outboxtest.thing.delivered",
    subject="thing",
    audience=EVERYBODY,
    happened_on="on",
):
    thing: str
    on: date | None


for made in (Told, Delivered):
    REGISTRY.pop(made.event_type)  # it is no contract


@pytest_asyncio.fixture
async def database(new_database: NewDatabase) -> AsyncIterator[Database]:
    made = Database(async_url((await new_database()).url))
    yield made
    await made.close()


async def written(database: Database) -> list[tuple[str, int]]:
    async with database.transaction() as session:
        rows = await session.execute(
            text("SELECT aggregateid, payload ->> 'n' AS n FROM outbox ORDER BY seq")
        )
        return [(row.aggregateid, int(row.n)) for row in rows]


async def test_events_of_a_transaction_are_written_with_it_in_their_order(
    database: Database,
) -> None:
    async with database.transaction() as session:
        for n in range(120):
            publish(session, Told(thing=f"s{n % 2}", n=n))
    assert await written(database) == [(f"s{n % 2}", n) for n in range(120)]


async def test_a_transaction_that_fails_tells_nothing(database: Database) -> None:
    async with database.transaction() as session:
        publish(session, Told(thing="kept", n=1))
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as session:
            publish(session, Told(thing="lost", n=2))
            raise ZeroDivisionError
    assert await written(database) == [("kept", 1)]


async def test_what_a_savepoint_undoes_is_not_told(database: Database) -> None:
    async with database.transaction() as session:
        publish(session, Told(thing="before", n=1))
        with pytest.raises(ZeroDivisionError):
            async with savepoint(session):
                publish(session, Told(thing="undone", n=2))
                raise ZeroDivisionError
        async with savepoint(session):
            publish(session, Told(thing="after", n=3))
    assert await written(database) == [("before", 1), ("after", 3)]


async def test_an_event_is_written_after_the_row_locks_are_held(
    database: Database, new_database: NewDatabase
) -> None:
    """Two writers of one subject: the one that waits for the lock comes later, though it published
    first.
    """
    order: list[str] = []
    locked = asyncio.Event()

    async def first() -> None:
        async with database.transaction() as session:
            await session.execute(text("SELECT pg_advisory_xact_lock(1)"))
            locked.set()
            await asyncio.sleep(0.2)
            publish(session, Told(thing="s", n=1))
            order.append("first")

    async def second() -> None:
        await locked.wait()
        async with database.transaction() as session:
            publish(session, Told(thing="s", n=2))
            await session.execute(text("SELECT pg_advisory_xact_lock(1)"))
            order.append("second")

    await asyncio.gather(first(), second())
    assert order == ["first", "second"]
    assert await written(database) == [("s", 1), ("s", 2)]


async def test_an_event_carries_what_it_is_and_no_empty_members(database: Database) -> None:
    context = SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=TraceFlags(1))
    with trace.use_span(NonRecordingSpan(context)):
        async with database.transaction() as session:
            publish(session, Told(thing="s"))
    async with database.transaction() as session:
        publish(session, Told(thing="s"))
    async with database.transaction() as session:
        rows = (await session.execute(text("SELECT * FROM outbox ORDER BY seq"))).all()
    assert rows[0].traceparent == f"00-{0xA1:032x}-{0xB2:016x}-01"
    assert rows[1].traceparent is None
    assert (rows[0].aggregatetype, rows[0].type) == (
        "thing",
        "org.homeward.outboxtest.thing.told.v1",
    )
    assert rows[0].payload == {"thing": "s", "n": 0}


async def test_a_connection_that_nothing_comes_over_is_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.db.SILENT_SECONDS", 0.3)
    connection = await database.dedicated()
    with pytest.raises(TimeoutError):
        await connection.execute("SELECT pg_sleep(20)")
    connection.terminate()


async def test_many_commits_wake_the_relay_few_times(database: Database) -> None:
    woken = asyncio.Event()
    count = 0

    def heard(*_: object) -> None:
        nonlocal count
        count += 1
        woken.set()

    listener = await database.dedicated()
    await listener.add_listener(outbox.CHANNEL, heard)

    async def write(n: int) -> None:
        async with database.transaction() as session:
            publish(session, Told(thing="s", n=n))

    await asyncio.gather(*(write(n) for n in range(100)))
    async with asyncio.timeout(5):
        await woken.wait()
    await asyncio.sleep(0.05)
    assert 1 <= count < 50
    await listener.close()


ERBIL = ZoneInfo("Asia/Baghdad")


def test_what_happened_before_stands_at_noon_of_its_day() -> None:
    at = outbox.on_its_day(Delivered(thing="a", on=date(2026, 3, 4)), ERBIL)
    assert at == datetime(2026, 3, 4, 9, tzinfo=UTC)


@pytest.mark.parametrize("later", [0, 1, 30])
def test_what_happens_on_the_day_itself_stands_when_it_is_told(later: int) -> None:
    today = datetime.now(ERBIL).date()
    told = Delivered(thing="a", on=today + timedelta(days=later))
    assert outbox.on_its_day(told, ERBIL) is None
    assert outbox.on_its_day(Delivered(thing="a", on=None), ERBIL) is None


async def test_whoever_tells_of_a_day_says_where_it_was(database: Database) -> None:
    fact = Delivered(thing="somebody", on=date(2026, 3, 4))
    async with database.transaction() as session:
        with pytest.raises(TypeError):
            publish(session, fact)
        publish(session, fact, zone=ERBIL)
        publish(session, fact, occurred_at=datetime(2026, 3, 4, 7, tzinfo=UTC))
    async with database.transaction() as session:
        rows = await session.scalars(text("SELECT occurred_at FROM outbox ORDER BY seq"))
        hours = [at.astimezone(UTC).hour for at in rows]
    assert hours == [9, 7]
