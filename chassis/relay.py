"""The way of an event out of a service: outbox, log, Kafka; one active worker a service, and never
past a failure.

The sequencer moves rows from `outbox` to `event_log` and gives each the next position. The
publisher sends the log in order to Kafka. Both work in single statements that commit by themselves
and renew the lease as they go: a worker that is stopped anywhere holds no lock, and one that has
lost the lease changes nothing.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from chassis.db import Database, Session, metadata, sqlstate
from chassis.events import Envelope, head_type, topic_of
from chassis.ids import new_id
from chassis.kafka import client_options, ensure_topic
from chassis.outbox import CHANNEL
from chassis.settings import Settings

BATCH = 500
LEASE_SECONDS = 5.0
POLL_SECONDS = 0.5
WAIT_FOR_LEASE_SECONDS = 1.0
HEAD_SECONDS = 1.0
SLOW_ACKNOWLEDGEMENT_SECONDS = 1.0
FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 5.0

BACKLOG = Gauge("homeward_relay_backlog", "Events committed and not yet published", ["service"])
BACKLOG_AGE = Gauge(
    "homeward_relay_backlog_age_seconds", "Age of the oldest event not yet published", ["service"]
)
HEAD = Gauge("homeward_relay_head", "Position of the last event in the log", ["service"])
PUBLISHED = Gauge(
    "homeward_relay_published", "Position of the last event acknowledged by Kafka", ["service"]
)
LEADING = Gauge("homeward_relay_leading", "1 where this process holds the lease", ["service"])
FAILURES = Counter(
    "homeward_relay_failures_total", "Batches that Kafka did not take at once", ["service"]
)

log = structlog.get_logger("homeward.relay")

event_log = Table(
    "event_log",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("previous", BigInteger),
    Column("epoch", Uuid, nullable=False),
    Column("id", Uuid, nullable=False, unique=True),
    Column("aggregatetype", Text, nullable=False),
    Column("aggregateid", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("traceparent", Text),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Index("ix_event_log_aggregateid", "aggregateid", text("position DESC")),
)

relay_state = Table(
    "relay_state",
    metadata,
    Column("id", SmallInteger, primary_key=True, server_default="1"),
    Column("epoch", Uuid, nullable=False),
    Column("epoch_base", BigInteger, nullable=False, server_default="0"),
    Column("epochs", JSONB, nullable=False),
    Column("database_identity", Text, nullable=False),
    Column("head", BigInteger, nullable=False, server_default="0"),
    Column("published", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("id = 1", name="single_row"),
)

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Uuid, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

# Every later statement of a worker begins with the same UPDATE. Its row lock makes it wait for
# whoever is taking the
# lease over; PostgreSQL then checks the holder again, and the rest of the statement does nothing.
ACQUIRE = """
    INSERT INTO lease (name, holder, expires_at)
    VALUES ('relay', $1, clock_timestamp() + make_interval(secs => $2))
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
    WHERE lease.expires_at < clock_timestamp() OR lease.holder = excluded.holder
    RETURNING holder
"""
RELEASE = "DELETE FROM lease WHERE name = 'relay' AND holder = $1"

IDENTITY = """
    SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
                          (SELECT oid FROM pg_database WHERE datname = current_database()),
                          left(pg_walfile_name(pg_current_wal_lsn()), 8))
"""
FIRST_STATE = """
    INSERT INTO relay_state (epoch, epochs, database_identity)
    VALUES (CAST($1 AS uuid), jsonb_build_array(jsonb_build_array(CAST($1 AS uuid), 0)), $2) ON
        CONFLICT DO NOTHING
"""
NEW_EPOCH = """
    UPDATE relay_state
    SET epoch = CAST($1 AS uuid), epoch_base = head, database_identity = $2,
        epochs = epochs || jsonb_build_array(jsonb_build_array(CAST($1 AS uuid), head))
    WHERE id = 1 AND (database_identity <> $2)
    RETURNING epoch_base
"""

SEQUENCE = """
    WITH held AS (
        UPDATE lease SET expires_at = clock_timestamp() + make_interval(secs => $2)
        WHERE name = 'relay' AND holder = $1 RETURNING holder
    ), batch AS (
        DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox ORDER BY seq LIMIT $3) AND EXISTS
            (SELECT FROM held)
        RETURNING seq, id, aggregatetype, aggregateid, type, payload, occurred_at, traceparent
    ), state AS (
        UPDATE relay_state SET head = head + (SELECT count(*) FROM batch)
        WHERE id = 1 AND EXISTS (SELECT FROM held)
        RETURNING head - (SELECT count(*) FROM batch) AS base, head, epoch
    ), numbered AS (
        SELECT batch.*, state.epoch, state.base + row_number() OVER (ORDER BY seq) AS position FROM
            batch, state
    ), linked AS (
        SELECT *, lag(position) OVER (PARTITION BY aggregateid ORDER BY position) AS before FROM
            numbered
    ), logged AS (
        INSERT INTO event_log (position, previous, epoch, id, aggregatetype, aggregateid, type,
            payload, occurred_at,
                               traceparent, recorded_at)
        SELECT position,
               coalesce(before, (SELECT max(l.position) FROM event_log l WHERE l.aggregateid =
                   linked.aggregateid)),
               epoch, id, aggregatetype, aggregateid, type, payload, occurred_at, traceparent,
                   clock_timestamp()
        FROM linked ORDER BY position
    )
    SELECT (SELECT count(*) FROM held) AS held, (SELECT count(*) FROM batch) AS moved, (SELECT head
        FROM state) AS head
"""

READ = """
    SELECT position, previous, epoch, id, aggregateid, type, payload, occurred_at, traceparent,
        recorded_at
    FROM event_log WHERE position > $1 ORDER BY position LIMIT $2
"""

MARK = """
    WITH held AS (
        UPDATE lease SET expires_at = clock_timestamp() + make_interval(secs => $2)
        WHERE name = 'relay' AND holder = $1 RETURNING holder
    )
    UPDATE relay_state SET published = greatest(published, $3) FROM held WHERE id = 1 RETURNING
        published
"""

# The time of a head is one at which nothing was committed that it leaves out: the statement may
# have waited for the
# sequencer with the view that it began with, and what has no position yet is later than the head.
BEAT = """
    WITH held AS (
        UPDATE lease SET expires_at = clock_timestamp() + make_interval(secs => $2)
        WHERE name = 'relay' AND holder = $1 RETURNING holder
    )
    SELECT head, published, epoch, epoch_base, epochs,
           least(statement_timestamp(), (SELECT min(written_at) FROM outbox)) AS time,
           head - published + (SELECT count(*) FROM outbox) AS backlog,
           extract(epoch FROM clock_timestamp() - least(
               (SELECT written_at FROM outbox ORDER BY seq LIMIT 1),
               (SELECT recorded_at FROM event_log WHERE position = published + 1))) AS age
    FROM relay_state, held WHERE id = 1
"""

OUTAGES = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError)


class LeaseLost(Exception):  # noqa: N818 - it is no error: another worker goes on
    """Another worker has the lease."""


class Relay:
    """Sequences and publishes the events of one service while it holds the lease; otherwise waits
    for it.

    Args:
        database: The service's database.
        settings: How to reach Kafka; partitions and replication of a topic that is created.
        service: Name of the service; its topic is `homeward.<service>`.
        lease_seconds: How long a worker that is gone keeps the others waiting.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        service: str,
        *,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self.service = service
        self.topic = topic_of(service)
        self._database = database
        self._settings = settings
        self._lease_seconds = lease_seconds
        self._me = new_id()
        self._producer: AIOKafkaProducer | None = None
        self._logged = asyncio.Event()
        self._creating = asyncio.Lock()

    async def run(self) -> None:
        """Work until cancelled. Outages of the database and of Kafka are waited out."""
        try:
            while True:
                try:
                    await self._take_turn()
                except* LeaseLost:
                    log.warning("lease lost", service=self.service)
                except* OUTAGES as errors:
                    log.warning(
                        "relay waits for the database", service=self.service, error=names(errors)
                    )
                LEADING.labels(self.service).set(0)
                await asyncio.sleep(WAIT_FOR_LEASE_SECONDS)
        finally:
            LEADING.labels(self.service).set(0)
            if self._producer is not None:
                await self._producer.stop()

    async def _take_turn(self) -> None:
        sequencing = await self._database.dedicated()
        try:
            if await sequencing.fetchval(ACQUIRE, self._me, self._lease_seconds) is None:
                return
            await self._check_identity(sequencing)
            publishing = await self._database.dedicated()
            try:
                log.info("lease taken", service=self.service)
                LEADING.labels(self.service).set(1)
                busy = asyncio.Lock()  # the publisher and the beat share a connection
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._sequence(sequencing))
                    tasks.create_task(self._publish(publishing, busy))
                    tasks.create_task(self._beat(publishing, busy))
            finally:
                await release(publishing, self._me)
        finally:
            await release(sequencing, None)

    async def _check_identity(self, connection: asyncpg.Connection) -> None:
        identity = await connection.fetchval(IDENTITY)
        await connection.execute(FIRST_STATE, new_id(), identity)
        base = await connection.fetchval(NEW_EPOCH, new_id(), identity)
        if base is not None:
            log.error(
                "the database is another one than before: a new epoch begins",
                service=self.service,
                base=base,
            )

    async def _sequence(self, connection: asyncpg.Connection) -> None:
        woken = asyncio.Event()
        await connection.add_listener(CHANNEL, lambda *_: woken.set())
        while True:
            woken.clear()
            if await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
                row = await connection.fetchrow(SEQUENCE, self._me, self._lease_seconds, BATCH)
                if not row["held"]:
                    raise LeaseLost
                HEAD.labels(self.service).set(row["head"])
                self._logged.set()
                if row["moved"] == BATCH:
                    continue
            await first_of(woken, POLL_SECONDS)

    async def _publish(self, connection: asyncpg.Connection, busy: asyncio.Lock) -> None:
        async with busy:
            published = await connection.fetchval("SELECT published FROM relay_state")
        while True:
            self._logged.clear()
            async with busy:
                rows = await connection.fetch(READ, published, BATCH)
            if not rows:
                await first_of(self._logged, POLL_SECONDS)
                continue
            await self._send_until_acknowledged([envelope_of(row, self.service) for row in rows])
            published = rows[-1]["position"]
            async with busy:
                if (
                    await connection.fetchval(MARK, self._me, self._lease_seconds, published)
                    is None
                ):
                    raise LeaseLost
            PUBLISHED.labels(self.service).set(published)

    async def _send_until_acknowledged(self, envelopes: Sequence[Envelope]) -> None:
        """Send this batch again and again, with the same producer: a fresh one could overtake what
        is on its way.
        """
        wait = FIRST_RETRY_SECONDS
        while True:
            try:
                producer = await self._get_producer()
                sent = [
                    await producer.send(
                        self.topic,
                        envelope.kafka_value(),
                        key=envelope.kafka_key(),
                        headers=envelope.kafka_headers(),
                    )
                    for envelope in envelopes
                ]
                await self._acknowledged(sent)
            except (KafkaError, OSError, TimeoutError) as error:
                FAILURES.labels(self.service).inc()
                log.warning(
                    "batch not acknowledged", service=self.service, error=type(error).__name__
                )
                await asyncio.sleep(wait)
                wait = min(LAST_RETRY_SECONDS, wait * 2)
                await self._create_topic()
            else:
                return

    async def _acknowledged(self, sent: Sequence[asyncio.Future[Any]]) -> None:
        """Wait for all acknowledgements. A broker that came back empty needs its topic before it
        can give any.

        Raises:
            KafkaError: One was not given.
        """
        waiting: set[asyncio.Future[Any]] = set(sent)
        while waiting:
            _, waiting = await asyncio.wait(waiting, timeout=SLOW_ACKNOWLEDGEMENT_SECONDS)
            if waiting:
                await self._create_topic()
        errors = [error for future in sent if (error := future.exception()) is not None]
        if errors:
            raise errors[0]

    async def _beat(self, connection: asyncpg.Connection, busy: asyncio.Lock) -> None:
        """Renew the lease, measure, and say in every partition how far the log goes."""
        telling: asyncio.Task[None] | None = None
        try:
            while True:
                async with busy:
                    row = await connection.fetchrow(BEAT, self._me, self._lease_seconds)
                if row is None:
                    raise LeaseLost
                BACKLOG.labels(self.service).set(row["backlog"])
                BACKLOG_AGE.labels(self.service).set(row["age"] or 0)
                if telling is None or telling.done():
                    telling = asyncio.create_task(self._tell_head(row))
                await asyncio.sleep(HEAD_SECONDS)
        finally:
            if telling is not None:
                telling.cancel()

    async def _tell_head(self, row: asyncpg.Record) -> None:
        time: datetime = row["time"]
        data = {
            "position": row["head"],
            "epoch": str(row["epoch"]),
            "epoch_base": row["epoch_base"],
            "epochs": json.loads(row["epochs"]),
            "time": time.isoformat(),
        }
        head = Envelope(
            new_id(),
            self.service,
            head_type(self.service),
            self.service,
            time,
            data,
            epoch=row["epoch"],
            recorded_at=time,
        )
        value, headers = head.kafka_value(), head.kafka_headers()
        try:
            producer = await self._get_producer()
            partitions = await producer.partitions_for(self.topic)
            sent = [
                await producer.send(self.topic, value, partition=p, headers=headers)
                for p in sorted(partitions)
            ]
            await self._acknowledged(sent)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("head not told", service=self.service, error=type(error).__name__)
            await self._create_topic()

    async def _get_producer(self) -> AIOKafkaProducer:
        async with self._creating:
            if self._producer is None:
                await ensure_topic(self._settings, self.topic)
                # The embedded broker has no idempotent producer; positions and `previous` guard the
                # order instead.
                producer = AIOKafkaProducer(
                    **client_options(self._settings),
                    acks="all",
                    enable_idempotence=False,
                    max_batch_size=256 * 1024,
                    metadata_max_age_ms=30_000,
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
        return self._producer

    async def _create_topic(self) -> None:
        try:
            async with asyncio.timeout(SLOW_ACKNOWLEDGEMENT_SECONDS):
                await ensure_topic(self._settings, self.topic)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("Kafka is not there", service=self.service, error=type(error).__name__)


async def new_epoch(session: Session) -> int:
    """Begin a new epoch: for an operator who restored a backup that PostgreSQL cannot tell, such as
    a disk snapshot.

    Returns:
        The position up to which the new epoch shares its log with the one before.
    """
    row = await session.execute(
        text("""
            UPDATE relay_state
            SET epoch = CAST(:epoch AS uuid), epoch_base = head,
                epochs = epochs || jsonb_build_array(jsonb_build_array(CAST(:epoch AS uuid), head))
            WHERE id = 1 RETURNING epoch_base
        """).bindparams(epoch=new_id())
    )
    return int(row.scalar_one())


def envelope_of(row: Any, service: str) -> Envelope:
    """The envelope of a row of the log."""
    payload = row["payload"]
    return Envelope(
        id=row["id"],
        service=service,
        type=row["type"],
        subject=row["aggregateid"],
        occurred_at=row["occurred_at"],
        data=json.loads(payload) if isinstance(payload, str) else payload,
        position=row["position"],
        previous=row["previous"],
        epoch=row["epoch"],
        recorded_at=row["recorded_at"],
        traceparent=row["traceparent"],
    )


async def first_of(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


async def release(connection: asyncpg.Connection, holder: UUID | None) -> None:
    """Close a connection; give the lease back first, so that nobody has to wait for it to run
    out.
    """
    try:
        if holder is not None:
            await connection.execute(RELEASE, holder)
        await connection.close(timeout=2)
    except OUTAGES:
        connection.terminate()


def names(errors: BaseExceptionGroup[BaseException]) -> str:
    """The types of several errors; their messages may hold what somebody typed."""
    return ", ".join(
        sorted(
            {
                f"{type(error).__name__} {sqlstate(error) or ''}".strip()
                for error in errors.exceptions
            }
        )
    )
