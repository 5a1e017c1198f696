"""How a process reaches Kafka."""

import ssl
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from chassis.settings import Settings

REQUEST_TIMEOUT_MS = 8000


def client_options(settings: Settings) -> dict[str, Any]:
    """What every aiokafka client of this process is constructed with."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "security_protocol": settings.kafka_security_protocol,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
    }
    if settings.kafka_security_protocol in {"SSL", "SASL_SSL"}:
        options["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = (
            settings.kafka_password.get_secret_value() if settings.kafka_password else None
        )
    return options


async def ensure_topic(settings: Settings, topic: str) -> None:
    """Create a topic that is not there. The partitions of one that is there are never changed.

    Raises:
        KafkaError: The broker is not there, or refused.
    """
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        if topic in await admin.list_topics():
            return
        new = NewTopic(topic, settings.kafka_partitions, settings.kafka_replication)
        answer = await admin.create_topics([new])
        for _, code, *_rest in answer.topic_errors:
            error: type[KafkaError] = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise error
    finally:
        await admin.close()
