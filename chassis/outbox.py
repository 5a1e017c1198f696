"""Publishing: an event is a row in the transaction of what it tells, written just before the
commit.
"""

import asyncio
import json
from datetime import date, datetime, time, tzinfo

import asyncpg
import structlog
from sqlalchemy import BigInteger, Column, DateTime, Identity, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from chassis.db import Database, Session, after_commit, before_commit, metadata, now
from chassis.events import EventData, payload_of
from chassis.ids import new_id
from chassis.telemetry import current_traceparent

CHANNEL = "homeward_outbox"
COALESCE_SECONDS = 0.003

log = structlog.get_logger("homeward.outbox")

outbox = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("aggregatetype", Text, nullable=False),
    Column("aggregateid", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("traceparent", Text),
    Column("written_at", DateTime(timezone=True), nullable=False, server_default=now()),
)

WRITE = text("""
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, occurred_at, traceparent)
    SELECT e.id, e.aggregatetype, e.aggregateid, e.type, CAST(e.payload AS jsonb),
           coalesce(e.occurred_at, clock_timestamp()), e.traceparent
    FROM unnest(CAST(:id AS uuid[]), CAST(:aggregatetype AS text[]), CAST(:aggregateid AS text[]),
                CAST(:type AS text[]), CAST(:payload AS text[]), CAST(:occurred_at AS
                    timestamptz[]),
                CAST(:traceparent AS text[]))
         WITH ORDINALITY AS e (id, aggregatetype, aggregateid, type, payload, occurred_at,
             traceparent, n)
    ORDER BY e.n
""")


NOON = time(12)


def on_its_day(data: EventData, zone: tzinfo) -> datetime | None:
    """The moment at which a fact stands of which only the day is known: noon there, so that it is
    the same day wherever it is read; None, which is now, on the day itself.

    Args:
        data: The fact; see `EventData.happened_on`.
        zone: Where it happened.
    """
    day: date | None = getattr(data, str(data.happened_on))
    if day is None or day >= datetime.now(zone).date():
        return None
    return datetime.combine(day, NOON, zone)


def publish(
    session: Session,
    data: EventData,
    *,
    occurred_at: datetime | None = None,
    zone: tzinfo | None = None,
) -> None:
    """Tell a fact when, and only if, the session's transaction commits.

    All events of a transaction are written in one statement just before its commit, when every row
    lock is held, so that their order is the order of the commits about a subject.

    Args:
        session: The session of the transaction.
        data: The fact.
        occurred_at: When it happened, as claimed; the time of the commit if not given.
        zone: Where it happened, of a fact of which only the day is known.
    """
    if data.happened_on is not None and occurred_at is None:
        if zone is None:
            raise TypeError(f"{data.event_type} has a day: say in which zone it happened")
        occurred_at = on_its_day(data, zone)
    row = {
        "id": new_id(),
        "aggregatetype": data.aggregate,
        "aggregateid": data.subject,
        "type": data.event_type,
        "payload": json.dumps(payload_of(data), separators=(",", ":"), ensure_ascii=False),
        "occurred_at": occurred_at,
        "traceparent": current_traceparent(),
    }
    session.info.setdefault("outbox", []).append(row)
    before_commit(session, "outbox", _write)


async def _write(session: Session) -> None:
    rows = session.info.pop("outbox", [])
    if not rows:
        return
    await session.execute(WRITE, {name: [row[name] for row in rows] for name in rows[0]})
    database: Database = session.info["database"]
    after_commit(session, "outbox", _notifier_of(database).poke)


class Notifier:
    """Wakes the relay: outside any business transaction, and once for many commits. A lost wake-up
    costs one poll.

    Args:
        database: Where the relay listens.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: asyncpg.Connection | None = None
        self._sending: asyncio.Task[None] | None = None
        self._again = False

    def poke(self) -> None:
        """Wake the relay soon."""
        self._again = True
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while self._again:
            await asyncio.sleep(COALESCE_SECONDS)
            self._again = False
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._database.dedicated()
                await self._connection.execute(f"NOTIFY {CHANNEL}")
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("the relay was not woken", error=type(error).__name__)

    async def close(self) -> None:
        """Give the connection back."""
        if self._sending is not None:
            await self._sending
        if self._connection is not None:
            await self._connection.close()


_NOTIFIERS: dict[Database, Notifier] = {}


def _notifier_of(database: Database) -> Notifier:
    notifier = _NOTIFIERS.get(database)
    if notifier is None:
        notifier = _NOTIFIERS[database] = Notifier(database)

        async def close() -> None:
            del _NOTIFIERS[database]
            await notifier.close()

        database.on_close.append(close)
    return notifier
