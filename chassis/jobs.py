"""What happens later or outside: a row with a due time, taken by any replica, its effect in one
transaction.

A deadline, an expiry, a call to another service: each is a job. A call is made outside any
transaction; what comes of it is applied inside one, together with the end of the job. A worker that
dies in the middle leaves its job to the next.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy import (
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    delete,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert

from chassis.db import Database, Session, is_outage, metadata, now
from chassis.http import CallFailed, ServiceClient
from chassis.ids import new_id

LEASE = timedelta(seconds=15)
"""So long others wait for a worker that is gone; one that works renews it."""
RENEW_SECONDS = 4.0
CALL_SECONDS = 45.0
POLL_SECONDS = 0.5
MEASURE_SECONDS = 5.0
AT_ONCE = 8
FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 300.0
TOO_LONG_SECONDS = 3600
ALARM_SECONDS = 600.0
PERIODIC = "periodic"
"""Key of a periodic job: to schedule it by this key is to have it run sooner."""

RUNS = Counter("homeward_job_runs_total", "Jobs that were run", ["kind", "outcome"])
DUE = Gauge("homeward_jobs_due", "Jobs that are due and not done")
OLDEST = Gauge("homeward_jobs_oldest_seconds", "How long the oldest due job has been waiting")
FAILING = Gauge("homeward_jobs_failing", "Jobs that failed and are tried again")
FAILING_OLDEST = Gauge(
    "homeward_jobs_failing_oldest_seconds", "How long one of them has been failing, at most"
)

log = structlog.get_logger("homeward.jobs")

job = Table(
    "job",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("key", Text),
    Column("payload", JSONB, nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("leased_by", Uuid),
    Column("leased_until", DateTime(timezone=True)),
    Column("last_error", Text),
    Column("failing_since", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=now()),
    Index("uq_job_kind_key", "kind", "key", unique=True, postgresql_where="key IS NOT NULL"),
    Index("ix_job_due_at", "due_at"),
    Index(
        "ix_job_failing_since", "failing_since", postgresql_where=text("failing_since IS NOT NULL")
    ),
)

Payload = Mapping[str, Any]


@dataclass(frozen=True)
class JobKind:
    """A kind of job.

    Attributes:
        name: Stable name; rows in the table refer to it.
        apply: The effect, in the transaction that ends the job: `apply(session, payload, outcome)`.
        call: What is done outside first, without a transaction: `call(client, payload)` gives the
            outcome. It must bear being done twice.
        every: For a periodic job, how long after a run the next is due.
    """

    name: str
    apply: Callable[[Session, Payload, Any], Awaitable[None]]
    call: Callable[[ServiceClient, Payload], Awaitable[Any]] | None = None
    every: timedelta | None = None


async def schedule(
    session: Session,
    kind: str,
    payload: Payload,
    *,
    due_at: datetime | None = None,
    key: str | None = None,
) -> None:
    """Have a job done, at the earliest now.

    Args:
        session: The session whose transaction the job belongs to.
        kind: Name of a `JobKind`.
        payload: JSON values: ids and codes.
        due_at: When it is due; now if not given.
        key: A job of the same kind and key that is still waiting is moved to the new time instead
            of doubled.
    """
    statement = insert(job).values(
        id=new_id(), kind=kind, key=key, payload=dict(payload), due_at=due_at or now()
    )
    await session.execute(statement if key is None else _moved(statement))


async def schedule_all(
    session: Session, kind: str, rows: Iterable[tuple[str, Payload, datetime]]
) -> None:
    """The same for many jobs of a kind at once.

    Args:
        session: The session whose transaction the jobs belong to.
        kind: Name of a `JobKind`.
        rows: Key, payload and due time of each.
    """
    jobs = [
        {"id": new_id(), "kind": kind, "key": key, "payload": dict(payload), "due_at": due_at}
        for key, payload, due_at in sorted(rows, key=lambda row: row[0])
    ]
    if jobs:
        await session.execute(_moved(insert(job)), jobs)


def _moved(statement: Insert) -> Insert:
    """A job of the same kind and key that waits is moved."""
    return statement.on_conflict_do_update(
        index_elements=["kind", "key"],
        index_where=job.c.key.is_not(None),
        set_={
            "due_at": statement.excluded.due_at,
            "payload": statement.excluded.payload,
            "attempts": 0,
            "last_error": None,
            "failing_since": None,
            # Who runs it as it was has it no more: neither its end nor its failure counts.
            "leased_by": None,
            "leased_until": None,
        },
    )


async def cancel(session: Session, kind: str, key: str) -> None:
    """Take back a job that is not needed any more."""
    await session.execute(delete(job).where(job.c.kind == kind, job.c.key == key))


@dataclass(frozen=True, slots=True)
class _Claimed:
    id: UUID
    kind: JobKind
    payload: Payload
    attempts: int
    due_at: datetime


class JobRunner:
    """Runs due jobs of the kinds it knows, until cancelled. Any number of replicas may run.

    Args:
        database: Where the jobs are.
        kinds: What it can do.
        client: For calls to other services.
    """

    def __init__(self, database: Database, kinds: Iterable[JobKind], client: ServiceClient) -> None:
        self._database = database
        self._kinds = {kind.name: kind for kind in kinds}
        self._client = client
        self._me = new_id()
        self._renewed_at = float("-inf")
        self._measured_at = float("-inf")
        self._alarmed_at = float("-inf")

    async def run(self) -> None:
        """Work until cancelled; an outage of the database is waited out."""
        await self._start_periodic()
        running: dict[asyncio.Task[None], UUID] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                running = {task: each for task, each in running.items() if not task.done()}
                try:
                    await self._renew(running.values())
                    claimed = await self._claim(AT_ONCE - len(running))
                    await self._measure()
                except Exception as error:
                    if not is_outage(error):
                        log.exception("jobs could not be claimed")
                    await asyncio.sleep(FIRST_RETRY_SECONDS)
                    continue
                running |= {group.create_task(self._run_one(item)): item.id for item in claimed}
                if len(running) == AT_ONCE:
                    # More may be due: whoever is done first makes room, however long the others
                    # take.
                    await asyncio.wait(
                        running, timeout=RENEW_SECONDS, return_when=asyncio.FIRST_COMPLETED
                    )
                else:
                    await asyncio.sleep(POLL_SECONDS)

    async def _start_periodic(self) -> None:
        rows = [
            {"id": new_id(), "kind": k.name, "key": PERIODIC, "payload": {}, "due_at": now()}
            for k in self._kinds.values()
            if k.every is not None
        ]
        while rows:
            try:
                async with self._database.transaction() as session:
                    for row in rows:
                        await session.execute(insert(job).values(row).on_conflict_do_nothing())
            except Exception as error:
                if not is_outage(error):
                    raise
                await asyncio.sleep(FIRST_RETRY_SECONDS)
            else:
                return

    async def _claim(self, most: int) -> list[_Claimed]:
        free = or_(job.c.leased_until.is_(None), job.c.leased_until < now())
        due = (
            select(job.c.id)
            .where(job.c.due_at <= now(), free, job.c.kind.in_(self._kinds))
            .order_by(job.c.due_at)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction() as session:
            rows = await session.execute(
                update(job)
                .where(job.c.id.in_(due.scalar_subquery()))
                .values(leased_by=self._me, leased_until=now() + LEASE, attempts=job.c.attempts + 1)
                .returning(job.c.id, job.c.kind, job.c.payload, job.c.attempts, job.c.due_at)
            )
            claimed = [
                _Claimed(r.id, self._kinds[r.kind], r.payload, r.attempts, r.due_at) for r in rows
            ]
        return sorted(claimed, key=lambda item: item.due_at)

    async def _renew(self, ids: Collection[UUID]) -> None:
        if not ids or time.monotonic() - self._renewed_at < RENEW_SECONDS:
            return
        self._renewed_at = time.monotonic()
        mine = select(job.c.id).where(job.c.id.in_(ids), job.c.leased_by == self._me)
        free = mine.with_for_update(
            skip_locked=True
        )  # one whose effect is being written keeps everybody out by its lock
        async with self._database.transaction() as session:
            await session.execute(
                update(job)
                .where(job.c.id.in_(free.scalar_subquery()))
                .values(leased_until=now() + LEASE)
            )

    async def _run_one(self, item: _Claimed) -> None:
        with structlog.contextvars.bound_contextvars(job=str(item.id), kind=item.kind.name):
            try:
                outcome = None
                if item.kind.call is not None:
                    async with asyncio.timeout(CALL_SECONDS):
                        outcome = await item.kind.call(self._client, item.payload)
                done = await self._database.run(lambda session: self._apply(session, item, outcome))
                RUNS.labels(item.kind.name, "done" if done else "lost").inc()
            except Exception as error:
                RUNS.labels(item.kind.name, "failed").inc()
                if isinstance(error, CallFailed | TimeoutError) or is_outage(error):
                    log.warning("job waits", attempts=item.attempts, error=type(error).__name__)
                else:
                    log.exception("job failed", attempts=item.attempts)
                await self._give_back(item, error)

    async def _apply(self, session: Session, item: _Claimed, outcome: Any) -> bool:
        mine = select(job.c.id).where(
            job.c.id == item.id, job.c.leased_by == self._me, job.c.attempts == item.attempts
        )
        if (await session.execute(mine.with_for_update())).first() is None:
            return False  # the lease ran out and another replica has it, or it was cancelled
        if item.kind.every is None:
            await session.execute(delete(job).where(job.c.id == item.id))
        else:
            await session.execute(
                update(job)
                .where(job.c.id == item.id)
                .values(
                    due_at=now() + item.kind.every,
                    leased_until=None,
                    leased_by=None,
                    attempts=0,
                    last_error=None,
                    failing_since=None,
                )
            )
        await item.kind.apply(session, item.payload, outcome)
        return True

    async def _give_back(self, item: _Claimed, error: Exception) -> None:
        wait = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(item.attempts - 1, 10))
        try:
            async with self._database.transaction() as session:
                await session.execute(
                    update(job)
                    .where(job.c.id == item.id, job.c.leased_by == self._me)
                    .values(
                        due_at=now() + timedelta(seconds=wait),
                        leased_by=None,  # else it could still be renewed
                        leased_until=None,
                        last_error=type(error).__qualname__,
                        failing_since=func.coalesce(job.c.failing_since, now()),
                    )
                )
        except Exception:
            log.exception("job could not be given back; its lease will run out")

    async def _measure(self) -> None:
        if time.monotonic() - self._measured_at < MEASURE_SECONDS:
            return
        self._measured_at = time.monotonic()
        async with self._database.transaction() as session:
            waiting = (
                select(now() - job.c.due_at).where(job.c.due_at <= now()).order_by(job.c.due_at)
            )
            ages = (await session.scalars(waiting.limit(1000))).all()
            how_long = func.max(func.extract("epoch", now() - job.c.failing_since))
            failing = select(func.count(), how_long).where(job.c.failing_since.is_not(None))
            count, oldest = (await session.execute(failing)).one()
        DUE.set(len(ages))
        OLDEST.set(ages[0].total_seconds() if ages else 0)
        FAILING.set(count)
        FAILING_OLDEST.set(oldest or 0)
        if (
            oldest
            and oldest > TOO_LONG_SECONDS
            and time.monotonic() - self._alarmed_at >= ALARM_SECONDS
        ):
            self._alarmed_at = time.monotonic()
            log.error("jobs have failed for more than an hour", jobs=count)
