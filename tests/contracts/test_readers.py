"""What the relay publishes, read by programs that share no code with it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC
from typing import Any

import pytest
import pytest_asyncio
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition
from jsonschema import Draft202012Validator
from pydantic import SecretStr

from chassis.db import Database
from chassis.events import EventData, head_type, payload_of, topic_of
from chassis.kafka import ensure_topic
from chassis.outbox import publish
from chassis.relay import Relay
from chassis.settings import Settings
from contracts.asyncapi import HEAD_PAYLOAD, asyncapi_document, event_schema

pytestmark = pytest.mark.kafka

PARTITIONS = 3


def poll(bootstrap: str, service: str, wanted: set[str], seconds: float) -> list[Message]:
    """Records of a service's topic until the facts about the wanted subjects and a head record were
    read.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "unused",
            "enable.auto.commit": False,
        }
    )
    topic = topic_of(service)
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    # Assigned, not subscribed: the embedded broker lets a group of librdkafka's wait 23 seconds
    # before it may read.
    consumer.assign(
        [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions]
    )
    records: list[Message] = []
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            records.extend(
                record for record in consumer.consume(100, 0.2) if record.error() is None
            )
            heads = [record for record in records if record.key() is None]
            if heads and wanted <= {record.key().decode() for record in records if record.key()}:
                break
    finally:
        consumer.close()
    return records


@pytest.fixture(params=["cases", "reception", "grants", "training"])
def service(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def of_service(service: str, facts: list[EventData]) -> list[EventData]:
    return [fact for fact in facts if fact.service == service]


@pytest_asyncio.fixture
async def records(
    service: str,
    of_service: list[EventData],
    new_database: Callable[..., Awaitable[Any]],
    kafka: Any,
) -> AsyncIterator[list[Message]]:
    """Every event type of a service, once through the outbox, the relay and the broker, as
    confluent-kafka reads it.
    """
    fresh = await new_database()
    settings = Settings(
        database_url=SecretStr(fresh.url),
        kafka_bootstrap=kafka.bootstrap,
        kafka_partitions=PARTITIONS,
    )
    await ensure_topic(
        settings, topic_of(service)
    )  # a reader that comes before its topic looks again only later
    database = Database.from_settings(settings, "test-readers")
    async with database.transaction() as session:
        for fact in of_service:
            publish(session, fact, zone=UTC)
    relay = asyncio.create_task(Relay(database, settings, service).run())
    try:
        yield await asyncio.to_thread(
            poll, kafka.bootstrap, service, {fact.subject for fact in of_service}, 30
        )
    finally:
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
        await database.close()


def event_of(record: Message) -> BaseCloudEvent:
    return from_binary_event(
        KafkaMessage(headers=dict(record.headers()), key=record.key(), value=record.value())
    )


async def test_published_events_are_read_by_others(
    service: str, records: list[Message], of_service: list[EventData]
) -> None:
    read: dict[str, tuple[Message, BaseCloudEvent]] = {}
    heads: list[tuple[Message, BaseCloudEvent]] = []
    for record in records:
        event = event_of(record)
        if event.get_type() == head_type(service):
            heads.append((record, event))
        elif event.get_subject() in {fact.subject for fact in of_service}:
            read[event.get_type()] = (record, event)
    assert set(read) == {fact.event_type for fact in of_service}
    assert heads

    messages = asyncapi_document()["components"]["messages"]
    for fact in of_service:
        record, event = read[fact.event_type]
        assert event.get_specversion() == "1.0"
        assert event.get_source() == f"/{service}"
        assert event.get_subject() == fact.subject == record.key().decode()
        assert event.get_datacontenttype() == "application/json"
        assert event.get_dataschema() == event_schema(type(fact))["$id"]
        assert event.get_time().tzinfo is not None
        assert event.get_data() == payload_of(fact)
        assert int(event.get_extension("position")) >= 1
        assert_documented(record, messages[fact.event_type])
    positions = sorted(int(event.get_extension("position")) for _, event in read.values())
    assert positions == list(range(positions[0], positions[0] + len(positions)))

    for record, event in heads:
        assert_documented(record, messages[head_type(service)])
        validate(HEAD_PAYLOAD | {"additionalProperties": False}, json.loads(record.value()))
        assert event.get_extension("position") is None


def assert_documented(record: Message, message: dict[str, Any]) -> None:
    """The record has the headers that the AsyncAPI document promises, and no other."""
    headers = {name: value.decode() for name, value in record.headers()}
    validate(message["headers"] | {"additionalProperties": False}, headers)


def validate(schema: dict[str, Any], value: Any) -> None:
    errors = Draft202012Validator(
        schema, format_checker=Draft202012Validator.FORMAT_CHECKER
    ).iter_errors(value)
    assert not [error.message for error in errors]
