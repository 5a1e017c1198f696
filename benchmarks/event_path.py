"""How fast an event goes out and comes in, beside what bare clients manage in the same minute on
the same machine.

    python -m benchmarks.event_path [events]

Out: rows that wait in the outbox are sequenced and published by the relay; beside it a bare
aiokafka producer sends as many records of the same size. In: the consumer with a batch handler that
writes one row an event by `unnest`; beside it the same insert alone. Figures of two runs on one
machine compare; figures of two machines do not.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaProducer
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from chassis import db, inbox, relay
from chassis.consumer import Consumer
from chassis.db import Database, Session
from chassis.events import Envelope, topic_of
from chassis.kafka import ensure_topic
from chassis.relay import Relay
from chassis.settings import Settings, async_url
from cli.embedded import EmbeddedBroker, EmbeddedPostgres, free_port

EVENTS = 30_000
BATCH = 500
SUBJECTS = 5_000
SERVICE = "bench"
PAYLOAD = {"returnee_id": "0190a1b2-0000-7000-8000-000000000000", "note": "x" * 800}

FILL = """
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, occurred_at)
    SELECT gen_random_uuid(), 'thing', 's' || n % $2, 'org.homeward.bench.thing.told.v1',
        $3::jsonb, clock_timestamp()
    FROM generate_series(1, $1) n
"""
ROWS = """
    CREATE TABLE entry (source text, position bigint, subject text, type text, payload jsonb,
        occurred_at timestamptz,
                        PRIMARY KEY (source, position))
"""
WRITE = text("""
    INSERT INTO entry
    SELECT e.source, e.position, e.subject, e.type, CAST(e.payload AS jsonb), e.occurred_at
    FROM unnest(CAST(:source AS text[]), CAST(:position AS bigint[]), CAST(:subject AS text[]),
        CAST(:type AS text[]),
                CAST(:payload AS text[]), CAST(:occurred_at AS timestamptz[]))
         AS e (source, position, subject, type, payload, occurred_at)
    ON CONFLICT DO NOTHING
""")


async def write(session: Session, envelopes: Sequence[Envelope]) -> None:
    columns = {
        "source": [e.service for e in envelopes],
        "position": [e.position for e in envelopes],
        "subject": [e.subject for e in envelopes],
        "type": [e.type for e in envelopes],
        "payload": [json.dumps(e.data) for e in envelopes],
        "occurred_at": [e.occurred_at for e in envelopes],
    }
    await session.execute(WRITE, columns)


async def timed(name: str, events: int, work: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await work()
    rate = events / (time.perf_counter() - started)
    print(f"{name:<44} {rate:>9,.0f} events/s")
    return rate


async def until(database: Database, query: str, value: int) -> None:
    async with asyncio.timeout(300):
        while True:
            async with database.transaction() as session:
                if (await session.scalar(text(query)) or 0) >= value:
                    return
            await asyncio.sleep(0.05)


async def going_out(database: Database, settings: Settings, events: int) -> None:
    await ensure_topic(settings, "bare")
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap, acks="all", max_batch_size=256 * 1024
    )
    await producer.start()

    async def bare() -> None:
        value = json.dumps(PAYLOAD).encode()
        headers = [("ce_type", b"org.homeward.bench.thing.told.v1")]
        for start in range(0, events, BATCH):
            sent = [
                await producer.send("bare", value, key=b"s%d" % (n % SUBJECTS), headers=headers)
                for n in range(start, start + BATCH)
            ]
            await asyncio.gather(*sent)

    baseline = await timed("bare producer, batches awaited", events, bare)
    await producer.stop()
    connection = await database.dedicated()
    await connection.execute(FILL, events, SUBJECTS, json.dumps(PAYLOAD))
    await connection.close()
    working = asyncio.create_task(Relay(database, settings, SERVICE).run())
    ours = await timed(
        "sequencer and relay",
        events,
        lambda: until(database, "SELECT published FROM relay_state", events),
    )
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    print(f"{'  of the bare producer':<44} {ours / baseline:>9.0%}")


async def coming_in(database: Database, settings: Settings, log: Sequence[Envelope]) -> None:
    events = len(log)

    async def bare() -> None:
        for start in range(0, events, BATCH):
            async with database.transaction() as session:
                await write(session, log[start : start + BATCH])

    baseline = await timed("bare insert by unnest", events, bare)
    async with database.transaction() as session:
        await session.execute(text("TRUNCATE entry"))
        first = log[0]
        epochs = [(first.epoch, 0)] if first.epoch else []
        await inbox.observe_head(session, SERVICE, epochs, 0, first.occurred_at)
    applier = Consumer(database, settings, "applier", batch_handler=write, sources=[SERVICE])

    async def apply() -> None:
        for start in range(0, events, BATCH):
            await applier.apply(log[start : start + BATCH])

    ours = await timed("inbox, order and batch handler, without Kafka", events, apply)
    print(f"{'  of the bare insert':<44} {ours / baseline:>9.0%}")
    async with database.transaction() as session:
        await session.execute(text("TRUNCATE entry"))
        await inbox.rewind(session, SERVICE)
    working = asyncio.create_task(
        Consumer(database, settings, "reader", batch_handler=write, sources=[SERVICE]).run()
    )
    await until(
        database, "SELECT count(*) FROM entry", 1
    )  # joining a group takes its time and is not what is measured
    async with database.transaction() as session:
        begun = await session.scalar(text("SELECT count(*) FROM entry")) or 0
    ours = await timed(
        "consumer, from Kafka to the row",
        events - begun,
        lambda: until(database, "SELECT count(*) FROM entry", events),
    )
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    print(f"{'  of the bare insert':<44} {ours / baseline:>9.0%}")


async def main(folder: Path, events: int) -> None:
    server = EmbeddedPostgres(folder / "data", free_port(), password="bench", log=folder / "log")
    broker = EmbeddedBroker(free_port())
    try:
        server.start()
        broker.start()
        databases = {}
        for name in ("writer", "reader"):
            admin = await asyncpg.connect(server.url())
            await admin.execute(f"CREATE DATABASE {name}")
            await admin.close()
            url = async_url(server.url(name))
            engine = create_async_engine(url)
            async with engine.begin() as connection:
                await connection.run_sync(db.metadata.create_all)
                await connection.execute(text(ROWS))
            await engine.dispose()
            databases[name] = Database(url)
        settings = Settings(database_url=server.url("writer"), kafka_bootstrap=broker.bootstrap)
        await going_out(databases["writer"], settings, events)
        async with databases["writer"].transaction() as session:
            rows = await session.execute(text("SELECT * FROM event_log ORDER BY position"))
            log = [relay.envelope_of(row, SERVICE) for row in rows.mappings()]
        assert [e.position for e in log] == list(range(1, events + 1))
        print(
            f"topic {topic_of(SERVICE)}: {events:,} events of about 1 kB, {SUBJECTS:,} subjects, "
            f"batches of {BATCH}"
        )
        await coming_in(databases["reader"], settings, log)
        for database in databases.values():
            await database.close()
    finally:
        broker.kill()
        server.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="homeward-bench-") as made:
        Path(made).chmod(0o711)  # as root, PostgreSQL runs as another account
        asyncio.run(
            main(Path(made), int(sys.argv[1]) // BATCH * BATCH if len(sys.argv) > 1 else EVENTS)
        )
