"""Faults on the way out: from the commit to Kafka. Each test says what it breaks, and counts what
was lost.
"""

import asyncio
import random
import signal

import pytest
from aiokafka import AIOKafkaConsumer
from sqlalchemy import text

from chassis import relay as relaying
from chassis.events import Envelope, from_kafka, topic_of
from chassis.feed import Head
from chassis.outbox import publish
from chassis.relay import Relay, new_epoch
from tests.conftest import Kafka
from tests.faults.world import World, running, until


def contiguous(log: list[Envelope]) -> None:
    """Hold that positions have no hole and `previous` is the last position of the same subject."""
    assert [e.position for e in log] == list(range(1, len(log) + 1))
    last: dict[str, int] = {}
    for event in log:
        assert event.previous == last.get(event.subject)
        last[event.subject] = event.position or 0


async def test_positions_are_contiguous_under_concurrent_writers(world: World) -> None:
    async def write(writer: int) -> None:
        for n in range(25):
            async with world.writer.transaction() as session:
                subject = random.randrange(4)
                await session.execute(
                    text("SELECT pg_advisory_xact_lock(:subject)"), {"subject": subject}
                )
                publish(session, world.Noted(thing=f"s{subject}", n=0))
                publish(session, world.Noted(thing=f"w{writer}", n=n))
                await asyncio.sleep(random.random() / 200)
                if n % 10 == 9:
                    await session.rollback()
                    session.info.clear()

    async with running(world.relay().run(), world.consumer(feed=world.no_feed).run()):
        await asyncio.gather(*(write(writer) for writer in range(8)))
        await world.all_applied(8 * 23 * 2)
    contiguous(await world.log())


async def test_crash_between_commit_and_sequencing_loses_nothing(world: World) -> None:
    await world.publish([("s", n) for n in range(20)])
    assert await world.count("outbox", "writer") == 20
    async with running(world.relay().run(), world.consumer(feed=world.no_feed).run()):
        await world.all_applied(20)
    contiguous(await world.log())


async def test_crash_between_publishing_and_mark_publishes_again_and_applies_once(
    world: World,
) -> None:
    class Dying(Relay):
        async def _send_until_acknowledged(self, envelopes: object) -> None:
            await super()._send_until_acknowledged(envelopes)  # type: ignore[arg-type] # handed through
            raise RuntimeError("killed here")

    await world.publish([(f"s{n % 3}", n) for n in range(30)])
    with pytest.raises(ExceptionGroup):
        await Dying(world.writer, world.settings, world.service).run()
    async with running(world.relay().run(), world.consumer(feed=world.no_feed).run()):
        await world.published(30)
        await world.all_applied(30)
        await asyncio.sleep(0.5)
        await world.all_applied(30)
    assert len([e for e in await records(world) if e.position]) == 60


async def test_broker_paused_in_the_middle_of_a_batch_keeps_the_order_per_subject(
    world: World, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "BATCH", 50)
    async with running(world.relay().run(), world.consumer(feed=world.no_feed).run()):
        await world.publish([("warm", 0)])
        await world.all_applied(1)
        await world.publish([(f"s{n % 5}", n) for n in range(600)], at_once=True)
        for _ in range(3):
            kafka.pause()
            await asyncio.sleep(0.4)
            kafka.resume()
            await asyncio.sleep(0.05)
        await world.all_applied(601)
    contiguous(await world.log())


async def test_broker_that_starts_late_gets_everything(world: World, kafka: Kafka) -> None:
    kafka.stop()
    try:
        async with running(world.relay().run(), world.consumer(feed=world.no_feed).run()):
            await world.publish([(f"s{n % 3}", n) for n in range(30)])
            await world.logged(30)
            await asyncio.sleep(1)
            kafka.start()
            await world.published(30)
            await world.all_applied(30)
    finally:
        if not kafka.running:
            kafka.start()


async def test_broker_that_goes_away_and_comes_back_empty_costs_nothing(
    world: World, kafka: Kafka
) -> None:
    async with running(world.relay().run(), world.consumer().run()):
        await world.publish([(f"s{n % 3}", n) for n in range(30)])
        await world.all_applied(30)
        kafka.kill()
        try:
            await world.publish([(f"s{n % 3}", n) for n in range(30, 60)])
        finally:
            kafka.restart_empty()
        await world.publish([(f"s{n % 3}", n) for n in range(60, 90)])
        await world.all_applied(90, timeout=45)
        await world.published(90)


async def test_broker_that_lost_only_the_last_event_costs_nothing(
    world: World, kafka: Kafka
) -> None:
    async with running(world.relay().run()):
        await world.publish([("s", n) for n in range(10)])
        await world.published(10)
    # The events are in the log and marked as published; Kafka has none of them.
    kafka.restart_empty()
    async with running(world.relay().run(), world.consumer().run()):
        await world.all_applied(10)


async def test_two_workers_one_waits_and_takes_over_when_the_other_ends(world: World) -> None:
    first = asyncio.create_task(world.relay().run())
    await world.publish([("s", 1)])
    await world.published(1)
    async with running(world.relay().run(), world.consumer(feed=world.no_feed).run()):
        await world.publish([("s", n) for n in range(2, 30)])
        holder = await lease_holder(world)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await world.publish([("s", n) for n in range(30, 60)])
        await world.all_applied(59)
        assert await lease_holder(world) != holder
    contiguous(await world.log())


async def test_a_worker_stopped_with_the_lease_is_replaced_and_changes_nothing_when_it_wakes(
    world: World,
) -> None:
    stopped = world.worker("relay")
    try:
        await world.publish([("s", 0)])
        await world.published(1)
        holder = await lease_holder(world)
        writing = asyncio.create_task(world.publish([(f"s{n % 4}", n) for n in range(1, 300)]))
        await asyncio.sleep(0.15)
        stopped.send_signal(signal.SIGSTOP)
        async with running(
            world.relay(lease_seconds=2).run(), world.consumer(feed=world.no_feed).run()
        ):
            await writing
            await world.published(300)
            assert await lease_holder(world) != holder
            stopped.send_signal(signal.SIGCONT)
            await world.publish([(f"s{n % 4}", n) for n in range(300, 400)])
            await world.all_applied(400)
            await world.published(400)
        assert stopped.poll() is None
    finally:
        stopped.kill()
        stopped.wait()
    contiguous(await world.log())


async def test_worker_killed_while_it_publishes_loses_nothing(world: World) -> None:
    killed = world.worker("relay")
    try:
        await world.publish([("s", 0)])
        await world.published(1)
        await world.publish([(f"s{n % 4}", n) for n in range(1, 3000)], at_once=True)
        await world.logged(500)
    finally:
        killed.kill()
        killed.wait()
    async with running(
        world.relay(lease_seconds=2).run(), world.consumer(feed=world.no_feed).run()
    ):
        await world.all_applied(3000)
    contiguous(await world.log())


async def test_a_commit_wakes_the_relay_without_waiting_for_the_poll(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(world.relay().run()):
        await world.publish([("s", 0)])
        await world.published(1)
        monkeypatch.setattr(relaying, "POLL_SECONDS", 3600)
        await world.publish([("s", 1)])
        await world.published(2, timeout=5)  # the poll that was going on may still serve this one
        await world.publish([("s", 2)])
        await world.published(3, timeout=5)


async def test_the_head_is_told_in_every_partition(world: World) -> None:
    await world.publish([("s", n) for n in range(5)])
    async with running(world.relay().run()):
        await world.published(5)

        async def told() -> bool:
            heads = [e for e in await records(world) if e.is_head]
            return sum(Head.model_validate(e.data).position == 5 for e in heads) >= 3

        await until(told)
    epoch = (await world.log())[0].epoch
    head = next(e for e in reversed(await records(world)) if e.is_head)
    told_head = Head.model_validate(head.data)
    assert (told_head.epoch, told_head.epoch_base, told_head.epochs) == (epoch, 0, [(epoch, 0)])
    assert head.position is None


async def test_a_database_that_is_another_one_begins_a_new_epoch(world: World) -> None:
    first = await world.make_log([("s", 1), ("s", 2)])
    async with world.writer.transaction() as session:
        await session.execute(
            text("UPDATE relay_state SET database_identity = 'where the backup was made'")
        )
    second = await world.make_log([("s", 3)])
    assert second[0].epoch != first[0].epoch
    assert (second[0].position, second[0].previous) == (3, 2)
    page = await world.feed(0, 10)
    assert page.head.epochs == [(first[0].epoch, 0), (second[0].epoch, 2)]
    assert page.head.epoch_base == 2


async def test_an_operator_can_begin_a_new_epoch(world: World) -> None:
    await world.make_log([("s", 1)])
    async with world.writer.transaction() as session:
        assert await new_epoch(session) == 1
    [first, second] = [*(await world.log()), *(await world.make_log([("s", 2)]))]
    assert first.epoch != second.epoch


async def test_the_partition_count_of_a_topic_is_never_changed(world: World) -> None:
    await world.make_log([("s", 1)])
    world.settings = world.settings.model_copy(update={"kafka_partitions": 7})
    await world.make_log([("s", 2)])
    consumer = AIOKafkaConsumer(
        topic_of(world.service), bootstrap_servers=world.settings.kafka_bootstrap
    )
    await consumer.start()
    assert consumer.partitions_for_topic(topic_of(world.service)) == {0, 1, 2}
    await consumer.stop()


async def lease_holder(world: World) -> str:
    async with world.writer.transaction() as session:
        return str(await session.scalar(text("SELECT holder FROM lease")))


async def records(world: World) -> list[Envelope]:
    """All that is in the topic now."""
    consumer = AIOKafkaConsumer(
        topic_of(world.service),
        bootstrap_servers=world.settings.kafka_bootstrap,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    found = []
    ends = await consumer.end_offsets(consumer.assignment())
    left = {partition for partition, end in ends.items() if end > 0}
    while left:
        for partition, batch in (await consumer.getmany(timeout_ms=200)).items():
            found += [from_kafka(record.headers, record.value) for record in batch]
            if batch[-1].offset + 1 >= ends[partition]:
                left.discard(partition)
    await consumer.stop()
    return found
