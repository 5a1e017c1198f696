"""Two services and the way of an event between them, to be broken: one writes, one applies what it
hears.

Every world has names of its own, so that worlds may share a broker. Run as a program, it is one
worker of a world.
"""

import asyncio
import itertools
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import text

from chassis.consumer import BatchHandler, Consumer, NotYet
from chassis.db import Database, Session
from chassis.events import EVERYBODY, REGISTRY, Envelope, Event, EventData, topic_of
from chassis.feed import Feed, FeedPage, read_log
from chassis.http import CallFailed
from chassis.outbox import publish
from chassis.relay import Relay, envelope_of
from chassis.settings import Settings, async_url

ROOT = Path(__file__).resolve().parents[2]
APPLIED = """
    CREATE TABLE IF NOT EXISTS applied (
        id bigint GENERATED ALWAYS AS IDENTITY, source text, position bigint, subject text, n int
    )
"""
_numbers = itertools.count(1)


class Urls(Protocol):
    url: str
    owner_url: str


def event_type(service: str) -> type[EventData]:
    """A model of an event that `service` publishes."""

    class Noted(EventData, name=f"{service}.thing.noted", subject="thing", audience=EVERYBODY):
        thing: str
        n: int

    REGISTRY.pop(Noted.event_type)  # it is no contract
    return Noted


def settings_for(url: str, bootstrap: str) -> Settings:
    return Settings(database_url=url, kafka_bootstrap=bootstrap, kafka_partitions=3)


class World:
    """A writing service, a reading one, and a broker.

    Args:
        service: Name of the writing service; the reading one is `<service>reader`.
        writer: Address of its database.
        reader: Address of the reading service's database.
        bootstrap: Address of the broker.
    """

    def __init__(self, service: str, writer: str, reader: str, bootstrap: str) -> None:
        self.service = service
        self.urls = {"service": service, "writer": writer, "reader": reader, "bootstrap": bootstrap}
        self.Noted = event_type(service)
        self.settings = settings_for(writer, bootstrap)
        self.writer = Database(async_url(writer))
        self.reader = Database(async_url(reader))
        self.refused: set[str] = set()
        """Subjects whose events the handler fails on."""
        self.early: set[str] = set()
        """Subjects for which the handler lacks a fact."""

    async def publish(self, things: Sequence[tuple[str, int]], *, at_once: bool = False) -> None:
        """Publish `(subject, n)` pairs, a transaction each or all in one."""
        if at_once:
            async with self.writer.transaction() as session:
                for thing, n in things:
                    publish(session, self.Noted(thing=thing, n=n))
            return
        for thing, n in things:
            async with self.writer.transaction() as session:
                publish(session, self.Noted(thing=thing, n=n))

    def relay(self, **options: Any) -> Relay:
        return Relay(self.writer, self.settings, self.service, **options)

    def consumer(
        self, *, feed: Feed | None = None, batch_handler: BatchHandler | None = None
    ) -> Consumer:
        return Consumer(
            self.reader,
            self.settings,
            f"{self.service}reader",
            handlers=None if batch_handler else {self.Noted: self.apply},
            batch_handler=batch_handler,
            sources=[self.service],
            feeds={self.service: feed or self.feed},
        )

    async def feed(self, after: int, limit: int) -> FeedPage:
        async with self.writer.transaction() as session:
            return await read_log(session, self.service, after, limit)

    async def no_feed(self, after: int, limit: int) -> FeedPage:
        """A feed that is not there, so that all that is applied came through Kafka."""
        raise CallFailed(self.service, None)

    async def apply(self, session: Session, event: Event[Any]) -> None:
        """The handler: writes a row, and then fails where it was told to."""
        envelope = event.envelope
        await record(session, [envelope])
        if envelope.subject in self.early:
            raise NotYet
        if envelope.subject in self.refused:
            raise ValueError("the handler cannot bear this")

    async def log(self) -> list[Envelope]:
        """The event log of the writing service."""
        async with self.writer.transaction() as session:
            rows = await session.execute(text("SELECT * FROM event_log ORDER BY position"))
            return [envelope_of(row, self.service) for row in rows.mappings()]

    async def applied(self) -> list[tuple[int, str, int]]:
        """What the reading service applied, in order: position, subject, n."""
        async with self.reader.transaction() as session:
            rows = await session.execute(
                text("SELECT position, subject, n FROM applied ORDER BY id")
            )
            return [(row.position, row.subject, row.n) for row in rows]

    async def count(self, table: str, side: str = "reader") -> int:
        database: Database = getattr(self, side)
        async with database.transaction() as session:
            return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)

    async def all_applied(self, number: int, *, timeout: float = 30) -> None:
        """Wait until so many events are applied, and hold that none was lost, doubled or
        overtaken.
        """
        await until(lambda: self._has("applied", number), timeout=timeout)
        rows = await self.applied()
        positions = [position for position, _, _ in rows]
        lost = set(range(1, number + 1)) - set(positions)
        assert not lost, f"lost {len(lost)}: {sorted(lost)[:10]}"
        assert len(positions) == len(set(positions)) == number, (
            f"{len(positions)} applications of {number} events"
        )
        in_order(rows)

    async def logged(self, number: int, *, timeout: float = 20) -> None:
        await until(lambda: self._has("event_log", number, "writer"), timeout=timeout)

    async def published(self, number: int, *, timeout: float = 20) -> None:
        async def done() -> bool:
            async with self.writer.transaction() as session:
                return (
                    await session.scalar(text("SELECT published FROM relay_state")) or 0
                ) >= number

        await until(done, timeout=timeout)

    async def _has(self, table: str, number: int, side: str = "reader") -> bool:
        return await self.count(table, side) >= number

    async def share_the_work(self, replicas: int) -> bool:
        """Whether so many consumers have been given the partitions of the topic between them."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.kafka_bootstrap)
        await admin.start()
        try:
            (answer,) = await admin.describe_consumer_groups([self.consumer().group])
        finally:
            await admin.close()
        group = answer.to_object()["groups"][0]
        return bool(group["state"] == "Stable" and len(group["members"]) == replicas)

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        """Put records into the topic by hand, into one partition."""
        await self.send_raw([(e.kafka_value(), e.kafka_headers()) for e in envelopes])

    async def send_raw(self, records: Sequence[tuple[bytes, list[tuple[str, bytes]]]]) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.settings.kafka_bootstrap)
        await producer.start()
        for value, headers in records:
            await producer.send_and_wait(
                topic_of(self.service), value, partition=0, headers=headers
            )
        await producer.stop()

    async def make_log(self, things: Sequence[tuple[str, int]]) -> list[Envelope]:
        """Sequence events without leaving a relay behind; what it had published is in the topic as
        well.
        """
        have = await self.count("event_log", "writer")
        await self.publish(things, at_once=True)
        async with running(self.relay().run()):
            await self.logged(have + len(things))
            await self.published(have + len(things))
        return (await self.log())[have:]

    def worker(self, role: str) -> subprocess.Popen[bytes]:
        """A relay or consumer of this world as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.world", role, json.dumps(self.urls)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    async def close(self) -> None:
        await self.writer.close()
        await self.reader.close()


async def record(session: Session, envelopes: Sequence[Envelope]) -> None:
    """Write a row an event, in one statement."""
    await session.execute(
        text("""
            INSERT INTO applied (source, position, subject, n)
            SELECT * FROM unnest(CAST(:source AS text[]), CAST(:position AS bigint[]),
                CAST(:subject AS text[]),
                                 CAST(:n AS int[]))
        """),
        {
            "source": [e.service for e in envelopes],
            "position": [e.position for e in envelopes],
            "subject": [e.subject for e in envelopes],
            "n": [e.data["n"] for e in envelopes],
        },
    )


def in_order(rows: Sequence[tuple[int, str, int]]) -> None:
    """Hold that the events of each subject came in the order of their positions and of their
    numbers.
    """
    of_subject: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for position, subject, n in rows:
        of_subject[subject].append((position, n))
    for subject, seen in of_subject.items():
        assert seen == sorted(seen), f"{subject} out of order: {seen}"
        assert [n for _, n in seen] == sorted(n for _, n in seen)


async def until(
    done: Callable[[], Awaitable[bool]], *, timeout: float = 20, every: float = 0.05
) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(timeout):
        while not await done():  # noqa: ASYNC110 - what is waited for happens in a database or a process
            await asyncio.sleep(every)


@asynccontextmanager
async def running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run workers beside the block, and end them with it. A worker that ends by itself fails the
    test.
    """
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield tasks
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def new_world(databases: Callable[..., Awaitable[Urls]], bootstrap: str) -> World:
    """A world with fresh databases."""
    writer, reader = await databases(), await databases()
    owner = await asyncpg.connect(reader.owner_url)
    await owner.execute(APPLIED)
    await owner.close()
    service = f"w{os.getpid()}x{next(_numbers)}"
    return World(service, writer.url, reader.url, bootstrap)


def main() -> None:
    role, urls = sys.argv[1], json.loads(sys.argv[2])
    world = World(urls["service"], urls["writer"], urls["reader"], urls["bootstrap"])
    work = world.relay(lease_seconds=2).run() if role == "relay" else world.consumer().run()
    with suppress(KeyboardInterrupt):
        asyncio.run(work)


if __name__ == "__main__":
    main()
