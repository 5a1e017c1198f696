"""Faults on the way in: what Kafka, the feed, the database or a handler may do. Each test counts
what was lost.
"""

import asyncio
import functools
import json
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import structlog
from opentelemetry import trace
from prometheus_client import REGISTRY, generate_latest
from sqlalchemy import MetaData, select, text
from typer.testing import CliRunner

from chassis import consumer as consuming
from chassis import inbox
from chassis.app import Service, create_app
from chassis.audit import audit
from chassis.consumer import Consumer, NotYet
from chassis.db import Session
from chassis.events import Envelope, Event, head_type
from chassis.feed import FeedPage
from chassis.inbox import Freshness, shared_until
from chassis.outbox import publish
from chassis.routing import Router, SessionDep, requires
from chassis.telemetry import configure_logging, configure_tracing
from cli.main import app
from tests import tokens
from tests.conftest import FreshDatabase, NewDatabase
from tests.faults.world import World, new_world, record, running, until


async def hear(world: World, consumer: Consumer, log: Sequence[Envelope]) -> None:
    """Apply events as if Kafka had brought them, after the head of the log."""
    page = await world.feed(0, 1)
    async with world.reader.transaction() as session:
        await consuming.observe(session, world.service, page.head)
    await consumer.apply(log)


async def freshness(world: World) -> Freshness:
    async with world.reader.transaction() as session:
        return (await inbox.freshness(session))[world.service]


async def letters(world: World) -> Sequence[Any]:
    async with world.reader.transaction() as session:
        return await inbox.list_dead_letters(session)


async def test_a_record_that_comes_again_is_applied_once(world: World) -> None:
    log = await world.make_log([(f"s{n % 3}", n) for n in range(30)])
    await world.send([*log[10:20], *log, *log[5:]])
    async with running(world.consumer(feed=world.no_feed).run()):
        await world.all_applied(30)
        await asyncio.sleep(1)
        await world.all_applied(30)


async def test_records_that_come_in_another_order_are_applied_in_theirs(world: World) -> None:
    log = await world.make_log([(f"s{n % 3}", n) for n in range(30)])
    consumer = world.consumer(feed=world.no_feed)
    for start in (20, 10, 0):
        await hear(world, consumer, list(reversed(log[start : start + 10])))
    await world.all_applied(30)
    assert await world.count("parked") == 0


async def test_a_record_that_never_comes_is_fetched_and_what_waited_for_it_follows(
    world: World,
) -> None:
    log = await world.make_log([(f"s{n % 3}", n) for n in range(30)])
    consumer = world.consumer()
    await hear(world, consumer, [*log[:10], *log[12:20], *log[21:29]])
    assert await world.count("applied") < 26
    assert await world.count("parked") > 0
    assert not (await freshness(world)).complete
    async with running(consumer._keep_house()):
        await world.all_applied(30)
    assert (await freshness(world)).complete
    assert await world.count("parked") == 0


UNREADABLE = (
    b"[" * 200_000,
    b'{"n": "\\u0000"}',
    b'{"n": "\\ud800"}',
    b'{"n": NaN}',
    b'{"n": 1e999}',
)


def strangers(event: Envelope) -> list[Envelope]:
    """The event with attributes that no log could have held."""
    nowhere = datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))
    return [
        replace(event, position=10**30),
        replace(event, position=-1),
        replace(event, previous=10**9),
        replace(event, subject="a\0b"),
        replace(event, subject="s" * 9000),
        replace(event, recorded_at=datetime(2026, 1, 1)),  # noqa: DTZ001 - without a zone
        replace(event, recorded_at=nowhere),
    ]


def wrong_heads(event: Envelope) -> list[dict[str, Any]]:
    head = {
        "position": 6,
        "epoch": str(event.epoch),
        "epoch_base": 0,
        "epochs": [[str(event.epoch), 0]],
        "time": datetime.now(UTC).isoformat(),
    }
    return [
        head | {"position": "all"},
        head | {"position": 10**30},
        head | {"epochs": []},
        head | {"epochs": [[str(event.epoch), 10**30]]},
        head | {"time": "2026-01-01T00:00:00"},
        head | {"time": "9999-12-31T23:59:59-01:00"},
    ]


async def test_malformed_records_among_good_ones_are_kept_and_stop_nobody(world: World) -> None:
    log = await world.make_log([("s", n) for n in range(6)])
    wrong = 4 + len(UNREADABLE) + len(strangers(log[2])) + len(wrong_heads(log[2]))
    await world.send_raw(
        [
            (b"\xff not json", [("ce_id", b"\xfe")]),
            (b"{}", []),
            (
                b'{"n": 1}',
                [(name, value) for name, value in log[2].kafka_headers() if name != "ce_position"],
            ),
            (b'{"n": 1}', replace(log[2], service="somebodyelse").kafka_headers()),
            *((value, log[2].kafka_headers()) for value in UNREADABLE),
            *((b'{"n": 1}', strange.kafka_headers()) for strange in strangers(log[2])),
            *(
                (
                    json.dumps(head).encode(),
                    replace(log[2], type=head_type(world.service)).kafka_headers(),
                )
                for head in wrong_heads(log[2])
            ),
        ]
    )
    # These are as heads and as events are; the next head and the log correct them.
    page = await world.feed(0, 1)
    lie = page.head.model_copy(
        update={"position": 10**15, "time": datetime(9999, 1, 1, tzinfo=UTC)}
    )
    head = replace(log[2], type=head_type(world.service), data=lie.model_dump(mode="json"))
    await world.send([head])
    await world.publish([("s", n) for n in range(6, 12)])
    async with running(world.relay().run(), world.consumer().run()):
        await world.all_applied(12)
        await until(lambda: has_letters(world, wrong))
        await until(lambda: is_complete(world))
    for letter in await letters(world):
        assert letter.position is None
        assert letter.raw.startswith(f"homeward.{world.service}/0/")
        assert "sha256:" in letter.raw
        assert "not json" not in letter.error
    assert (await freshness(world)).complete
    with pytest.raises(LookupError):
        async with world.reader.transaction() as session:
            await inbox.replay_dead_letter(session, (await inbox.list_dead_letters(session))[0].id)


async def test_a_handler_that_fails_for_one_subject_holds_up_nobody_else(world: World) -> None:
    world.refused = {"s1"}
    await world.publish([(f"s{n % 3}", n) for n in range(30)])
    async with running(world.relay().run(), world.consumer().run()):
        await until(lambda: has_applied(world, 20))
        await until(lambda: has_letters(world, 1))
        await until(lambda: has_parked(world, 9))
        [letter] = await letters(world)
        assert (letter.position, letter.subject) == (2, "s1")
        assert letter.error.startswith("ValueError, in apply")
        assert "cannot bear" not in letter.error
        state = await freshness(world)
        assert (state.applied, state.head, state.complete) == (1, 30, False)
        await until(lambda: has_heard(world))
        async with world.reader.transaction() as session:
            waits = {
                subject: await inbox.waits_for(session, world.service, subject)
                for subject in ("s0", "s1")
            }
        assert waits == {"s0": False, "s1": True}, (
            "of whom something waits, nobody can say that there is nothing"
        )
        # It fails again when it is replayed too early, and then succeeds: its successors follow in
        # their order.
        async with world.reader.transaction() as session:
            await inbox.replay_dead_letter(session, letter.id)
        await until(lambda: has_letters(world, 1))
        await until(lambda: is_another(world, letter.id))
        world.refused = set()
        async with world.reader.transaction() as session:
            await inbox.replay_dead_letter(session, (await inbox.list_dead_letters(session))[0].id)
        await world.all_applied(30)
        await until(lambda: is_complete(world))
    assert await letters(world) == []


async def test_what_can_never_be_applied_is_given_up_and_what_waits_for_it_follows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.refused = {"s1"}
    log = await world.make_log([(f"s{n % 2}", n) for n in range(6)])
    consumer = world.consumer(feed=world.no_feed)
    await hear(world, consumer, log)
    [letter] = await letters(world)
    world.refused = set()
    monkeypatch.setenv("HOMEWARD_DATABASE_URL", world.urls["reader"])
    command = [
        "dead-letters",
        "discard",
        "cases",
        str(letter.id),
        "--reason",
        "a version that nobody reads",
    ]
    for status in (0, 1):
        result = await asyncio.to_thread(CliRunner().invoke, app, command)
        assert result.exit_code == status, result.output
    async with running(consumer._keep_house()):
        await until(lambda: has_applied(world, 5))
        await until(lambda: is_complete(world))
    async with world.reader.transaction() as session:
        [row] = (await session.execute(select(audit))).all()
    assert (row.action, row.resource_id, row.details["position"]) == (
        "discard",
        str(letter.id),
        letter.position,
    )


async def test_a_batch_handler_that_fails_for_one_event_applies_the_others(world: World) -> None:
    async def handle(session: Session, batch: Sequence[Envelope]) -> None:
        await record(session, batch)
        if any(e.data["n"] == 7 for e in batch):
            raise ValueError

    log = await world.make_log([(f"s{n % 3}", n) for n in range(30)])
    await hear(world, world.consumer(batch_handler=handle), log)
    assert await world.count("applied") == 30 - 1 - len([n for n in range(8, 30) if n % 3 == 1])
    assert [letter.position for letter in await letters(world)] == [8]


async def test_an_event_that_comes_before_a_fact_of_another_source_waits_for_it(
    world: World,
) -> None:
    world.early = {"s1"}
    log = await world.make_log([(f"s{n % 2}", n) for n in range(10)])
    consumer = world.consumer()
    await hear(world, consumer, log)
    assert {subject for _, subject, _ in await world.applied()} == {"s0"}
    assert await world.count("parked") == 5
    assert await letters(world) == []
    world.early = set()
    async with running(consumer._keep_house()):
        await world.all_applied(10)


async def test_an_event_that_waits_is_tried_when_another_source_tells_of_its_subject(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The timer is not what wakes it.
    monkeypatch.setattr(inbox, "park", functools.partial(inbox.park, wait=3600))
    known: set[str] = set()

    async def needs_other(session: Session, event: Event[Any]) -> None:
        await record(session, [event.envelope])
        if event.data.thing not in known:
            raise NotYet

    async def other(session: Session, event: Event[Any]) -> None:
        known.add(event.data.thing)
        await record(session, [event.envelope])

    second = World(
        f"{world.service}b", world.urls["writer"], world.urls["reader"], world.urls["bootstrap"]
    )
    consumer = Consumer(
        world.reader,
        world.settings,
        "both",
        handlers={world.Noted: needs_other, second.Noted: other},
        feeds={},
    )
    [event] = await world.make_log([("s", 1)])
    await hear(world, consumer, [event])
    assert await world.applied() == []
    # The other service's log begins at 1 as well; its subject is the same.
    told = replace(event, id=uuid4(), service=second.service, type=second.Noted.event_type)
    async with world.reader.transaction() as session:
        await inbox.observe_head(
            session, second.service, [(told.epoch or UUID(int=0), 0)], 1, told.occurred_at
        )
    await consumer.apply([told])
    assert len(await world.applied()) == 2
    await second.close()


async def test_what_a_handler_published_before_it_said_not_yet_is_not_published(
    world: World,
) -> None:
    tries = Counter[str]()

    async def handle(session: Session, event: Event[Any]) -> None:
        publish(session, event.data)
        tries[event.data.thing] += 1
        if event.data.thing == "early" and tries["early"] == 1:
            raise NotYet

    log = await world.make_log([("early", 1), ("s", 2), ("s", 3)])
    consumer = Consumer(world.reader, world.settings, "publisher", handlers={world.Noted: handle})
    await hear(world, consumer, log)
    assert await world.count("outbox") == 2
    async with running(consumer._keep_house()):
        await until(lambda: has_count(world, "outbox", 3))


async def test_a_handler_works_in_the_trace_of_the_event_and_its_log_lines_name_it(
    world: World,
) -> None:
    seen: list[tuple[int, dict[str, Any]]] = []

    async def handle(session: Session, event: Event[Any]) -> None:
        context = trace.get_current_span().get_span_context()
        seen.append((context.trace_id, structlog.contextvars.get_contextvars()))
        publish(session, event.data)

    [event] = await world.make_log([("s", 1)])
    traced = replace(event, traceparent=f"00-{0xABC:032x}-{0xDEF:016x}-01")
    consumer = Consumer(world.reader, world.settings, "traced", handlers={world.Noted: handle})
    await hear(world, consumer, [traced])
    [(trace_id, bound)] = seen
    assert trace_id == 0xABC
    assert bound.items() >= {"event_id": str(event.id), "type": event.type, "position": 1}.items()
    async with world.reader.transaction() as session:
        assert (await session.scalar(text("SELECT traceparent FROM outbox"))).split("-")[
            1
        ] == f"{0xABC:032x}"
    assert "event_id" not in structlog.contextvars.get_contextvars()


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_request_is_followed_by_its_trace_id_to_the_line_of_a_consumer(
    world: World, capsys: pytest.CaptureFixture[str], at_once: bool
) -> None:
    router = Router()

    @router.post("/v1/things", status_code=201)
    @requires("things:write")
    async def note(session: SessionDep) -> None:
        publish(session, world.Noted(thing="refused", n=1))

    async def handle(session: Session, batch: Sequence[Envelope]) -> None:
        log.info("heard")
        await record(session, batch)
        raise ValueError

    async def one(session: Session, event: Event[Any]) -> None:
        await handle(session, [event.envelope])

    service = Service(
        world.service, "Things", "", MetaData(), Path(), [router], publishes=[world.Noted]
    )
    app = create_app(service, tokens.settings(world.urls["writer"]))
    tokens.trust(app.state.homeward)
    log = structlog.get_logger("homeward.tests")
    configure_logging(world.service)
    configure_tracing(world.service)
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = tokens.bearer(scopes="things:write") | {
        "traceparent": f"00-{trace_id}-b7ad6b7169203331-01",
        "Idempotency-Key": "1",
    }
    handling = {"batch_handler": handle} if at_once else {"handlers": {world.Noted: one}}
    consumer = Consumer(
        world.reader, world.settings, f"{world.service}reader", sources=[world.service], **handling
    )
    async with (
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://things.test"
        ) as http,
        running(world.relay().run(), consumer.run()),
    ):
        assert (await http.post("/v1/things", headers=headers)).status_code == 201
        await until(lambda: has_letters(world, 1))
    await app.state.homeward.close()
    lines = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")
    ]
    configure_logging(world.service, "ERROR")
    for message in ("request", "heard", "event cannot be applied"):
        assert {line.get("trace_id") for line in lines if line["message"] == message} == {
            trace_id
        }, message


async def test_events_without_a_handler_are_noted_and_skipped(world: World) -> None:
    log = await world.make_log([("s", n) for n in range(5)])
    strange = [replace(e, type="org.homeward.x.y.z.v1") if e.position != 3 else e for e in log]
    await hear(world, world.consumer(), strange)
    assert [position for position, _, _ in await world.applied()] == [3]
    state = await freshness(world)
    assert (state.applied, state.complete) == (5, True)


async def test_what_waits_and_what_failed_is_measured_and_said_after_an_hour(world: World) -> None:
    world.refused, world.early = {"s0"}, {"s1"}
    log = await world.make_log([(f"s{n}", n) for n in range(3)])
    consumer = world.consumer(feed=world.no_feed)
    await hear(world, consumer, log[:2])
    async with world.reader.transaction() as session:
        await session.execute(text("UPDATE parked SET parked_at = parked_at - interval '2 hours'"))
    with structlog.testing.capture_logs() as lines:
        await consumer._tick()
        await consumer._tick()
    assert [
        line["parked"]
        for line in lines
        if line["event"] == "events have waited for more than an hour"
    ] == [1]
    labels = {"service": f"{world.service}reader"}
    name = "homeward_consumer_"
    measured = {
        each: REGISTRY.get_sample_value(name + each, labels) for each in ("parked", "dead_letters")
    }
    assert measured == {"parked": 1, "dead_letters": 1}
    assert REGISTRY.get_sample_value(name + "lag", labels | {"source": world.service}) == 1
    assert 7200 <= (REGISTRY.get_sample_value(name + "oldest_parked_seconds", labels) or 0) < 7300
    assert f'{name}parked{{service="{world.service}reader"}} 1.0' in generate_latest().decode()


async def test_a_payload_that_is_not_of_its_model_is_a_dead_letter_that_does_not_repeat_it(
    world: World,
) -> None:
    log = await world.make_log([("s", 1)])
    await hear(world, world.consumer(), [replace(log[0], data={"thing": "s", "n": "Amina"})])
    [letter] = await letters(world)
    assert "MalformedEvent" in letter.error
    assert "Amina" not in letter.error


async def test_connections_that_break_are_no_dead_letters(world: World, postgres: str) -> None:
    admin = await asyncpg.connect(postgres)
    name = world.reader.engine.url.database
    async with running(world.relay().run(), world.consumer().run()):
        writing = asyncio.create_task(world.publish([(f"s{n % 5}", n) for n in range(400)]))
        while not writing.done():
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
            )
            await asyncio.sleep(0.05)
        await writing
        await world.all_applied(400)
    await admin.close()
    assert await letters(world) == []


async def test_tables_that_are_not_there_yet_cost_nothing(
    new_database: NewDatabase, world: World
) -> None:
    log = await world.make_log([("s", n) for n in range(3)])
    consumer = world.consumer()
    owner = await asyncpg.connect(await owner_url(world, new_database))
    await owner.execute("ALTER TABLE parked RENAME TO elsewhere")
    with pytest.raises(consuming._Unprepared):
        await hear(world, consumer, log)
    await owner.execute("ALTER TABLE elsewhere RENAME TO parked")
    await owner.close()
    await consumer.apply(log)
    await world.all_applied(3)
    assert await letters(world) == []


async def test_two_replicas_share_the_work_and_one_that_is_killed_costs_nothing(
    world: World,
) -> None:
    first, second = world.worker("consumer"), world.worker("consumer")
    try:
        async with running(world.relay().run()):
            await world.publish([(f"s{n % 20}", n) for n in range(200)])
            await until(lambda: has_applied(world, 200), timeout=30)
            await until(lambda: world.share_the_work(2), timeout=30)
            writing = asyncio.create_task(
                world.publish([(f"s{n % 20}", n) for n in range(200, 1000)])
            )
            await until(lambda: has_applied(world, 300), timeout=30)
            first.kill()
            assert not await has_applied(world, 1000), "there is nothing left to apply"
            await writing
            third = world.worker("consumer")
            try:
                await world.publish([(f"s{n % 20}", n) for n in range(1000, 1100)])
                await world.all_applied(1100, timeout=60)
            finally:
                third.kill()
                third.wait()
    finally:
        for process in (first, second):
            process.kill()
            process.wait()


async def test_a_replica_that_sleeps_and_wakes_applies_nothing_twice(world: World) -> None:
    sleeper = world.worker("consumer")
    try:
        async with running(world.relay().run()):
            await world.publish([(f"s{n % 20}", n) for n in range(100)])
            await until(lambda: has_applied(world, 100), timeout=30)
            writing = asyncio.create_task(
                world.publish([(f"s{n % 20}", n) for n in range(100, 700)])
            )
            await until(lambda: has_applied(world, 150), timeout=30)
            sleeper.send_signal(signal.SIGSTOP)
            assert not await has_applied(world, 700), "there is nothing left to apply"
            async with running(world.consumer().run()):
                await writing
                await asyncio.sleep(1)  # the other one cannot go on where this one holds a row
                sleeper.send_signal(signal.SIGCONT)
                await world.all_applied(700, timeout=60)
    finally:
        sleeper.kill()
        sleeper.wait()


async def test_replicas_that_apply_the_same_records_at_once_apply_each_once(world: World) -> None:
    log = await world.make_log([(f"s{n % 7}", n) for n in range(300)])
    replicas = [world.consumer() for _ in range(4)]
    await hear(world, replicas[0], [])
    parts = [log[start : start + 30] for start in range(0, 300, 30)]

    async def work(replica: Consumer, turn: int) -> None:
        for part in [*parts[turn:], *parts[:turn]]:
            await replica.apply(part)
            async with world.reader.transaction() as session:
                await inbox.compact(session, [world.service])

    async def work_on(replica: Consumer, turn: int) -> None:
        await replica._until_possible(lambda: work(replica, turn))

    await asyncio.gather(*(work_on(replica, 2 * turn) for turn, replica in enumerate(replicas)))
    async with running(*(replica._keep_house() for replica in replicas)):
        await world.all_applied(300)


async def test_the_inbox_forgets_what_the_watermark_covers(world: World) -> None:
    log = await world.make_log([("s", n) for n in range(50)])
    consumer = world.consumer(feed=world.no_feed)
    await hear(world, consumer, log[:40])
    await hear(world, consumer, log[41:])
    async with world.reader.transaction() as session:
        await inbox.compact(session, [world.service])
    assert await world.count("inbox") == 9
    await hear(world, consumer, log)
    async with world.reader.transaction() as session:
        await inbox.compact(session, [world.service])
    assert await world.count("inbox") == 0
    await hear(world, consumer, log)
    await world.all_applied(50)


async def test_a_source_restored_from_a_backup_is_followed_into_its_new_epoch(world: World) -> None:
    await world.make_log([("s", n) for n in range(10)])
    consumer = world.consumer()
    old = await world.log()
    await hear(world, consumer, old)
    async with world.writer.transaction() as session:  # the backup held six events
        await session.execute(
            text("UPDATE relay_state SET head = 6, published = 6, database_identity = 'backup'")
        )
    owner = await asyncpg.connect(
        world.writer.engine.url.set(drivername="postgresql").render_as_string(False)
    )
    await owner.execute("DELETE FROM event_log WHERE position > 6")
    await owner.close()
    new = await world.make_log([("s", n) for n in range(100, 105)])
    assert [e.position for e in new] == [7, 8, 9, 10, 11]
    async with running(consumer.run()):
        await until(lambda: has_applied(world, 15))
        await hear(world, consumer, [*old, *new])
    numbers = [n for _, _, n in await world.applied()]
    assert numbers == [*range(10), *range(100, 105)]
    state = await freshness(world)
    assert (state.applied, state.head) == (11, 11)


def test_histories_of_a_log_share_what_came_before_they_parted() -> None:
    a, b, c, d = (str(UUID(int=n)) for n in range(4))
    assert shared_until([(a, 0)], [(a, 0), (b, 80)]) == 80
    assert shared_until([(a, 0)], [(a, 0), (b, 80), (c, 200)]) == 80
    assert shared_until([(a, 0), (b, 80)], [(a, 0), (c, 50)]) == 50
    assert shared_until([(a, 0), (b, 80)], [(a, 0), (b, 80), (c, 200)]) == 200
    assert shared_until([(a, 0)], [(d, 0)]) == 0


async def test_freshness_is_honest_when_nothing_was_heard_for_a_while(world: World) -> None:
    log = await world.make_log([("s", 1)])
    await hear(world, world.consumer(), log)
    assert (await freshness(world)).complete
    async with world.reader.transaction() as session:
        await session.execute(
            text("UPDATE inbox_source SET heard_at = clock_timestamp() - interval '16 seconds'")
        )
    assert not (await freshness(world)).complete


async def test_without_any_broker_the_feeds_carry_everything(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "SILENCE_SECONDS", 0.5)
    world = await new_world(new_database, "127.0.0.1:1")
    async with running(world.relay().run(), world.consumer().run()):
        await world.publish([(f"s{n % 3}", n) for n in range(700)], at_once=True)
        await world.logged(700)
        await world.all_applied(700)
    await world.close()


async def test_rewinding_applies_a_log_again(world: World) -> None:
    log = await world.make_log([("s", n) for n in range(5)])
    consumer = world.consumer()
    await hear(world, consumer, log)
    async with world.reader.transaction() as session:
        await session.execute(text("DELETE FROM applied"))
        await inbox.rewind(session, world.service)
    async with running(consumer._keep_house()):
        await world.all_applied(5)


async def test_the_feed_is_contiguous_and_says_how_far_it_goes(world: World) -> None:
    await world.make_log([("s", n) for n in range(25)])
    after, pages = 0, []
    while True:
        page: FeedPage = await world.feed(after, 10)
        if not page.items:
            break
        pages.append(page)
        after = page.next
    assert [item["position"] for page in pages for item in page.items] == list(range(1, 26))
    assert all(
        item["specversion"] == "1.0" and item["source"] == f"/{world.service}"
        for item in pages[0].items
    )
    assert pages[0].head.position == 25


async def has_applied(world: World, number: int) -> bool:
    return await world.count("applied") >= number


async def has_count(world: World, table: str, number: int) -> bool:
    return await world.count(table) >= number


async def has_letters(world: World, number: int) -> bool:
    return len(await letters(world)) == number


async def has_parked(world: World, number: int) -> bool:
    return await world.count("parked") == number


async def is_another(world: World, letter: UUID) -> bool:
    return [row.id for row in await letters(world)] not in ([letter], [])


async def has_heard(world: World) -> bool:
    a_moment_ago = datetime.now(UTC) - timedelta(seconds=5)
    async with world.reader.transaction() as session:
        heard_until = await inbox.heard_until(session, world.service)
    return heard_until is not None and heard_until >= a_moment_ago


async def is_complete(world: World) -> bool:
    return (await freshness(world)).complete


async def owner_url(world: World, new_database: NewDatabase) -> str:
    """The owner's address of the reading database."""
    other: FreshDatabase = await new_database()
    return other.owner_url.rsplit("/", 1)[0] + f"/{world.reader.engine.url.database}"
