"""The way of an event into a service: Kafka and the feeds in, one transaction a batch, in order for
each subject.

What Kafka brings twice, late, in another order or not at all makes no difference: the inbox drops
what was received, an event waits for the one before it about its subject, and the feed of the
source fills what is missing.
"""

import asyncio
import base64
import collections
import hashlib
import time
import traceback
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from opentelemetry import propagate, trace
from prometheus_client import Counter, Gauge
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from chassis import inbox
from chassis.db import Database, Session, is_outage, now, savepoint, sqlstate
from chassis.errors import Problem
from chassis.events import (
    Envelope,
    Event,
    EventData,
    MalformedEvent,
    from_json,
    from_kafka,
    parse,
    topic_of,
)
from chassis.feed import Feed, FeedPage, Head
from chassis.http import CallFailed
from chassis.inbox import Key
from chassis.kafka import client_options
from chassis.settings import Settings

BATCH = 500
SESSION_MS = 6_000
"""The least that Apache Kafka allows. The embedded broker lets the first member of a group wait for
half of it.
"""
POLL_MS = 200
TICK_SECONDS = 0.5
PAGES_AT_ONCE = 50
"""What the feed is asked for in one round; the other sources and what waits have their turn in
between.
"""
MEASURE_SECONDS = 5.0
COMMIT_SECONDS = 2.0
"""How often Kafka is told how far we are, and so how much it brings again after a kill; the inbox
drops it.
"""
GAP_SECONDS = 1.0
SILENCE_SECONDS = 5.0
"""After this long without a head the feed is asked: Kafka may be away."""
STUCK_SECONDS = 20.0
"""After this long without any record the Kafka client is replaced: heads come every second."""
FIRST_RETRY_SECONDS = 0.2
LAST_RETRY_SECONDS = 5.0
TRIES = 3
TRY_AGAIN_SECONDS = 0.05
TOO_LONG_SECONDS = 3600
ALARM_SECONDS = 600.0
MOST_LINKS = 100

APPLIED = Counter("homeward_consumer_applied_total", "Events applied", ["service", "source"])
LAG = Gauge(
    "homeward_consumer_lag",
    "Positions between what is received and the head of a source",
    ["service", "source"],
)
PARKED = Gauge("homeward_consumer_parked", "Events that wait for another", ["service"])
DEAD = Gauge(
    "homeward_consumer_dead_letters",
    "Events that could not be applied and were not replayed",
    ["service"],
)
WAITING = Gauge(
    "homeward_consumer_oldest_parked_seconds",
    "How long the oldest parked event has waited",
    ["service"],
)
FILLED = Counter(
    "homeward_consumer_fed_total", "Events fetched from the feed of a source", ["service", "source"]
)

log = structlog.get_logger("homeward.consumer")
tracer = trace.get_tracer("homeward.consumer")

Handler = Callable[[Session, Event[Any]], Awaitable[None]]
Handlers = Mapping[type[EventData], Handler]
"""What a service does on an event of another, by type.

A handler touches its session only, and has an outcome for every state that it may find.
"""
BatchHandler = Callable[[Session, Sequence[Envelope]], Awaitable[None]]
"""Applies many events at once, for a service that takes them all."""


class NotYet(Exception):  # noqa: N818 - it is no error: the fact is early
    """A handler lacks a fact of another source, and nothing that it did is kept.

    The event is tried again when something else about its subject is applied, and on a timer.
    """


class _Unprepared(Exception):  # noqa: N818 - it only says that no handler is to blame
    """A statement of the consumer itself failed."""


@dataclass(slots=True)
class _Gap:
    position: int
    since: float


class Consumer:
    """Applies the events of other services, until cancelled. Any number of replicas may run.

    Args:
        database: The service's database.
        settings: How to reach Kafka.
        service: Name of the service; its replicas are the consumer group `homeward-<service>`.
        handlers: What to do on which event; types that are not in it are noted and skipped.
        batch_handler: What to do on all events of `sources`, instead.
        sources: Services to listen to, beside those of the handlers' events.
        feeds: The feed of each source.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        service: str,
        *,
        handlers: Handlers | None = None,
        batch_handler: BatchHandler | None = None,
        sources: Collection[str] = (),
        feeds: Mapping[str, Feed] | None = None,
    ) -> None:
        self.service = service
        self.group = f"homeward-{service}"
        self.sources = sorted({*sources, *(model.service for model in handlers or {})})
        self._database = database
        self._settings = settings
        self._handlers = {
            model.event_type: (model, handler) for model, handler in (handlers or {}).items()
        }
        self._batch_handler = batch_handler
        self._feeds = feeds or {}
        self._busy = asyncio.Lock()
        self._known: set[str] = set()
        self._gaps: dict[str, _Gap] = {}
        self._catching_up_until = 0.0
        self._asked: dict[str, float] = {}
        self._alarmed = -ALARM_SECONDS
        self._measured = -MEASURE_SECONDS

    async def run(self) -> None:
        """Work until cancelled. Outages of the database, of Kafka and of the feeds are waited
        out.
        """
        if not self.sources:
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._keep_house())

    # Kafka

    async def _listen(self) -> NoReturn:
        wait = FIRST_RETRY_SECONDS
        while True:
            consumer = AIOKafkaConsumer(
                *(topic_of(source) for source in self.sources),
                **client_options(self._settings),
                group_id=self.group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=self._settings.kafka_fetch_wait_ms,
                metadata_max_age_ms=2_000,
                session_timeout_ms=SESSION_MS,
                heartbeat_interval_ms=1_000,
                max_poll_interval_ms=600_000,
            )
            try:
                await consumer.start()
                wait = FIRST_RETRY_SECONDS
                await self._follow(consumer)
                log.warning("nothing heard; the Kafka client is replaced", service=self.service)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("Kafka is not there", service=self.service, error=type(error).__name__)
            finally:
                await stop(consumer)
            await asyncio.sleep(wait)
            wait = min(LAST_RETRY_SECONDS, wait * 2)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        """Apply what comes, until nothing has come for long."""
        heard = committed = time.monotonic()
        while time.monotonic() - heard < STUCK_SECONDS:
            batches: dict[TopicPartition, list[ConsumerRecord[Any, Any]]]
            batches = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH)
            if not batches:
                if (
                    not consumer.assignment()
                ):  # more replicas than partitions: silence is no sign of anything
                    heard = time.monotonic()
                continue
            await self._until_possible(
                partial(self._take, [r for records in batches.values() for r in records])
            )
            heard = time.monotonic()
            try:
                if heard - committed >= COMMIT_SECONDS:
                    committed = heard
                    await consumer.commit()
                behind = [
                    (consumer.highwater(p) or 0) - await consumer.position(p)
                    for p in consumer.assignment()
                ]
                if sum(behind) > BATCH:
                    self._catching_up_until = time.monotonic() + GAP_SECONDS
            except KafkaError as error:
                # Another replica has the partition now, or the broker is away: it comes again, and
                # the inbox drops it.
                log.info("offsets not committed", service=self.service, error=type(error).__name__)

    async def _take(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        envelopes: list[Envelope] = []
        heads: dict[str, Head] = {}
        malformed: list[tuple[ConsumerRecord[Any, Any], str]] = []
        for record in records:
            source = record.topic.removeprefix(topic_of(""))
            try:
                envelope = from_kafka(record.headers, record.value)
                if envelope.service != source:
                    raise MalformedEvent("it names another source than its topic")
                if envelope.is_head:
                    head = Head.model_validate(envelope.data)
                    if not head.epochs:
                        raise MalformedEvent("a head without an epoch")
                    if source not in heads or head.time >= heads[source].time:
                        heads[source] = head
                elif (
                    envelope.position is None
                    or envelope.epoch is None
                    or envelope.recorded_at is None
                ):
                    raise MalformedEvent("it has no position, epoch or time of recording")
                else:
                    envelopes.append(envelope)
            except MalformedEvent as error:
                malformed.append((record, str(error)))
            except ValueError:
                malformed.append((record, "it is not a head as heads are"))
        if malformed or heads or any(e.service not in self._known for e in envelopes):
            await self._register(malformed, heads, envelopes)
        await self.apply(envelopes)

    async def _register(
        self,
        malformed: Sequence[tuple[ConsumerRecord[Any, Any], str]],
        heads: Mapping[str, Head],
        envelopes: Sequence[Envelope],
    ) -> None:
        async with self._database.transaction() as session:
            for record, error in malformed:
                place = f"{record.topic}/{record.partition}/{record.offset}"
                log.error("malformed record", service=self.service, place=place, error=error)
                source = record.topic.removeprefix(topic_of(""))
                await inbox.bury_malformed(session, source, raw_of(place, record), error)
            for source, head in sorted(heads.items()):
                await observe(session, source, head)
            known = await inbox.sources_of(session)
            for envelope in sorted(envelopes, key=lambda e: e.service):
                if envelope.service not in known and envelope.epoch and envelope.recorded_at:
                    # Its first head is still to come; until then the event says enough.
                    epochs = [(envelope.epoch, 0)]
                    await inbox.observe_head(
                        session, envelope.service, epochs, 0, envelope.recorded_at
                    )
                    known[envelope.service] = (await inbox.sources_of(session))[envelope.service]
        self._known = set(known)

    # Applying

    async def apply(self, envelopes: Sequence[Envelope]) -> None:
        """Apply events that may be new, in order for each subject, and what had waited for them.

        Raises:
            Exception: An outage; nothing is lost, and the same call may be made again.
        """
        async with self._busy:
            touched = await self._apply(fresh=envelopes)
            await self._free(touched)

    async def _free(self, subjects: set[str]) -> None:
        while subjects:
            async with self._database.transaction() as session:
                keys = await inbox.parked_of(session, subjects, BATCH)
            if not keys:
                return
            subjects = await self._apply(waiting=keys)

    async def _apply(self, fresh: Sequence[Envelope] = (), waiting: Sequence[Key] = ()) -> set[str]:
        """Apply a batch in one transaction; if it fails, each of its events in its own.

        Returns:
            The subjects of the events that were applied.
        """
        if not fresh and not waiting:
            return set()
        try:
            return await self._transact(fresh, waiting)
        except Exception as error:
            if blameless(error):
                raise
            log.warning(
                "batch failed, its events follow one by one",
                service=self.service,
                error=describe(error),
            )
        touched: set[str] = set()
        for envelope in sorted(fresh, key=key_of):
            touched |= await self._apply_one(envelope, fresh=True)
        async with self._database.transaction() as session:
            parked = await inbox.claim(session, waiting)
        for envelope in parked:
            touched |= await self._apply_one(envelope, fresh=False)
        return touched

    async def _apply_one(self, envelope: Envelope, *, fresh: bool) -> set[str]:
        for attempt in range(1, TRIES + 1):
            try:
                return await self._transact(
                    [envelope] if fresh else [], [] if fresh else [key_of(envelope)]
                )
            except Exception as error:
                if blameless(error):
                    raise
                problem = describe(error)
                await asyncio.sleep(TRY_AGAIN_SECONDS * attempt)
        with span_of("bury", [envelope]):
            log.error(
                "event cannot be applied",
                service=self.service,
                event_id=str(envelope.id),
                type=envelope.type,
                source=envelope.service,
                position=envelope.position,
                error=problem,
            )
        async with self._database.transaction() as session:
            await inbox.bury(session, envelope, problem)
        return set()

    async def _transact(self, fresh: Sequence[Envelope], waiting: Sequence[Key]) -> set[str]:
        async with self._database.transaction() as session:
            try:
                new = await inbox.note(session, fresh)
                claimed = await inbox.claim(session, waiting)
                candidates = sorted([*new, *claimed], key=key_of)
                previous = {(e.service, e.previous) for e in candidates if e.previous is not None}
                blocked = await inbox.not_applied(session, previous)
            except Exception as error:
                raise _Unprepared from error
            # What is parked counts as not applied, unless it is applied here and now.
            applied = await self._handle(session, candidates, blocked, {key_of(e) for e in claimed})
            await inbox.unpark(session, {key_of(e) for e in claimed} & {key_of(e) for e in applied})
        for source, number in collections.Counter(e.service for e in applied).items():
            APPLIED.labels(self.service, source).inc(number)
        return {e.subject for e in applied}

    async def _handle(
        self, session: Session, candidates: Sequence[Envelope], blocked: set[Key], claimed: set[Key]
    ) -> list[Envelope]:
        """Hand over the events whose previous one is applied, in order; park the others.

        Returns:
            The events that were applied.
        """
        applied: dict[Key, Envelope] = {}
        early: list[Envelope] = []
        not_yet: list[Envelope] = []
        waiting = set(blocked)
        for envelope in candidates:
            key, previous = key_of(envelope), (envelope.service, envelope.previous or 0)
            if previous in waiting and previous not in applied:
                waiting.add(key)
                early.append(envelope)
            elif self._batch_handler is not None or await self._hand_over(session, envelope):
                applied[key] = envelope
            else:
                waiting.add(key)
                not_yet.append(envelope)
        if self._batch_handler is not None and applied:
            try:
                with span_of("handle batch", applied.values()):
                    async with savepoint(session):
                        await self._batch_handler(session, list(applied.values()))
            except NotYet:
                if len(applied) > 1:
                    raise
                not_yet.extend(applied.values())
                applied.clear()
        await inbox.park(session, [e for e in early if key_of(e) not in claimed], "previous")
        await inbox.park(session, not_yet, "not-yet")
        return list(applied.values())

    async def _hand_over(self, session: Session, envelope: Envelope) -> bool:
        """Run the handler of an event, if it has one. False if it said `NotYet`."""
        known = self._handlers.get(envelope.type)
        if known is None:
            return True
        model, handler = known
        with (
            span_of(f"handle {model.__name__}", [envelope]),
            structlog.contextvars.bound_contextvars(
                event_id=str(envelope.id), type=envelope.type, position=envelope.position
            ),
        ):
            try:
                async with savepoint(session):
                    await handler(session, parse(envelope, model))
            except NotYet:
                log.info("event waits for another fact", service=self.service)
                return False
        return True

    # What is missing, what waits

    async def _keep_house(self) -> NoReturn:
        while True:
            await self._until_possible(self._tick)
            await asyncio.sleep(TICK_SECONDS)

    async def _tick(self) -> None:
        async with self._database.transaction() as session:
            await inbox.compact(session, self.sources)
            known = await inbox.sources_of(session)
            due = await inbox.ready(session, BATCH)
            if time.monotonic() - self._measured >= MEASURE_SECONDS:
                self._measured = time.monotonic()
                await self._measure(session)
        for source, seen in known.items():
            LAG.labels(self.service, source).set(max(0, seen.head - seen.watermark))
        if due:
            async with self._busy:
                await self._free(await self._apply(waiting=due))
        for source in self.sources:
            state = known.get(source)
            try:
                if self._is_quiet(source, state):
                    await self._ask(source)
                if state is not None and self._is_missing(source, state):
                    await self._fill(source, state.watermark)
            except CallFailed as error:
                log.warning(
                    "the feed is not there",
                    service=self.service,
                    source=source,
                    status=error.status,
                )

    def _is_quiet(self, source: str, known: inbox.Source | None) -> bool:
        """Whether no head was heard for a while, and the feed was not asked either."""
        asked = self._asked.get(source, -SILENCE_SECONDS)
        quiet = known is None or known.quiet.total_seconds() > SILENCE_SECONDS
        return quiet and source in self._feeds and time.monotonic() - asked >= SILENCE_SECONDS

    def _is_missing(self, source: str, known: inbox.Source) -> bool:
        """Whether the next event of a source should have come by now: not while there is more of it
        in Kafka.
        """
        clock = time.monotonic()
        gap = self._gaps.get(source)
        if known.watermark >= known.head or clock < self._catching_up_until:
            self._gaps.pop(source, None)
        elif gap is None or gap.position != known.watermark:
            self._gaps[source] = _Gap(known.watermark, clock)
        elif clock - gap.since >= GAP_SECONDS:
            return True
        return False

    async def _ask(self, source: str) -> None:
        """Ask the feed how far a source's log goes."""
        self._asked[source] = time.monotonic()
        page = await self._feeds[source](0, 1)
        await self._hear(source, page.head)

    async def _hear(self, source: str, head: Head) -> None:
        if head.epochs:
            async with self._database.transaction() as session:
                await observe(session, source, head)

    async def _fill(self, source: str, after: int) -> None:
        """Fetch from the feed what is missing of a source after a position."""
        feed = self._feeds.get(source)
        if feed is None:
            log.error(
                "events are missing and there is no feed", service=self.service, source=source
            )
            return
        for _ in range(PAGES_AT_ONCE):
            page = await feed(after, BATCH)
            await self._hear(source, page.head)
            if not await self._apply_page(source, page) or page.next >= page.head.position:
                return
            async with self._database.transaction() as session:
                await inbox.compact(session, [source])
            after = page.next
        self._gaps[source] = _Gap(
            after, -GAP_SECONDS
        )  # goes on in the next round, after what else is to be done

    async def _apply_page(self, source: str, page: FeedPage) -> bool:
        try:
            envelopes = [from_json(item) for item in page.items]
        except MalformedEvent as error:
            log.exception(
                "the feed is malformed", service=self.service, source=source, reason=str(error)
            )
            return False
        if envelopes:
            FILLED.labels(self.service, source).inc(len(envelopes))
            await self.apply(envelopes)
        return bool(envelopes)

    async def _measure(self, session: Session) -> None:
        table = inbox.parked.c
        count, oldest = (
            await session.execute(
                select(
                    func.count(), func.extract("epoch", now() - func.min(table.parked_at))
                ).select_from(inbox.parked)
            )
        ).one()
        dead = await session.scalar(
            select(func.count())
            .select_from(inbox.dead_letter)
            .where(inbox.dead_letter.c.replayed_at.is_(None))
        )
        PARKED.labels(self.service).set(count)
        WAITING.labels(self.service).set(oldest or 0)
        DEAD.labels(self.service).set(dead or 0)
        if (
            oldest
            and oldest > TOO_LONG_SECONDS
            and time.monotonic() - self._alarmed >= ALARM_SECONDS
        ):
            self._alarmed = time.monotonic()
            log.error(
                "events have waited for more than an hour", service=self.service, parked=count
            )

    async def _until_possible(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do work that an outage may stop, again and again until nothing stops it."""
        wait = FIRST_RETRY_SECONDS
        while True:
            try:
                await work()
            except Exception as error:
                if not blameless(error):
                    raise
                say = log.warning if is_outage(error.__cause__ or error) else log.error
                say("consumer waits", service=self.service, error=describe(error))
                await asyncio.sleep(wait)
                wait = min(LAST_RETRY_SECONDS, wait * 2)
            else:
                return


def key_of(envelope: Envelope) -> Key:
    """Source and position of an event."""
    return envelope.service, envelope.position or 0


def span_of(name: str, envelopes: Collection[Envelope]) -> AbstractContextManager[trace.Span]:
    """A span in the trace that an event comes from; of many events, one of its own with links to
    some.
    """
    parents = {envelope.traceparent for envelope in envelopes if envelope.traceparent}
    contexts = [propagate.extract({"traceparent": parent}) for parent in list(parents)[:MOST_LINKS]]
    if len(parents) == 1:
        return tracer.start_as_current_span(name, context=contexts[0])
    links = [trace.Link(trace.get_current_span(context).get_span_context()) for context in contexts]
    return tracer.start_as_current_span(name, links=links)


async def observe(session: Session, source: str, head: Head) -> None:
    """Take note of a head."""
    await inbox.observe_head(session, source, head.epochs, head.position, head.time)


def blameless(error: BaseException) -> bool:
    """Whether nothing is wrong with the event: the surroundings failed, and the same work may
    succeed later.
    """
    return isinstance(error, _Unprepared | CallFailed | KafkaError) or is_outage(error)


def describe(error: BaseException) -> str:
    """What went wrong, in our own words: the messages of errors may hold what somebody typed."""
    if isinstance(error, _Unprepared) and error.__cause__ is not None:
        error = error.__cause__
    words = [type(error).__name__]
    if isinstance(error, MalformedEvent):
        words.append(str(error))
    if isinstance(error, Problem):
        words.append(error.kind.slug)
    if isinstance(error, DBAPIError):
        words += _of_database(error)
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename
    ]
    if frames:
        words.append(f"in {frames[-1].name}, line {frames[-1].lineno}")
    return ", ".join(words)


def _of_database(error: DBAPIError) -> list[str]:
    """What the database said, without the row that it repeats."""
    constraint = getattr(error.orig.__cause__ if error.orig else None, "constraint_name", None)
    return [f"sqlstate {sqlstate(error)}", *([constraint] if constraint else [])]


def raw_of(place: str, record: ConsumerRecord[Any, Any]) -> str:
    """Where a record was, the hash of its bytes, and the bytes, so that nothing is lost of what
    nobody could read.
    """
    headers = b"\n".join(name.encode() + b": " + (value or b"") for name, value in record.headers)
    raw = b"\n\n".join([headers, record.key or b"", record.value or b""])
    return f"{place} sha256:{hashlib.sha256(raw).hexdigest()} {base64.b64encode(raw).decode()}"


async def stop(consumer: AIOKafkaConsumer) -> None:
    """Leave the group, if the broker is there to be told."""
    try:
        async with asyncio.timeout(LAST_RETRY_SECONDS):
            await consumer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        log.info("left without a word", error=type(error).__name__)
