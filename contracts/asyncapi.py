"""The published events as documents: a JSON Schema for each type, and one AsyncAPI document for
all.
"""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from pydantic.json_schema import JsonSchemaMode, models_json_schema

from chassis.events import Audience, EventData, head_type, topic_of
from contracts import cases, grants, reception, training

NULL = {"type": "null"}
ASYNCAPI = "3.1.0"
JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
MODE: JsonSchemaMode = "serialization"
EVENTS: tuple[type[EventData], ...] = (
    *cases.PUBLISHES,
    *reception.PUBLISHES,
    *grants.PUBLISHES,
    *training.PUBLISHES,
)
"""Every event type that the platform publishes."""

DESCRIPTION = """\
Every fact that a service records is published on its topic as a CloudEvent 1.0.2 in binary mode:
the attributes are record headers, the payload is the record value. The record key is the subject,
so that facts about one subject stay in order. Delivery is at least once: `position` tells
repetitions and gaps, and `GET /v1/events` of the service fills them.

Types only grow: members and codes may be added, so readers ignore members and tolerate codes that
they do not know. Anything else is a new type, published beside the old one. A member that has no
value is left out. No event holds what identifies a person. `x-audience` says who outside the
platform may be shown an event of a returnee they take part in.
"""

HEADERS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "content-type": ("Media type of the payload.", {"const": "application/json"}, True),
    "ce_specversion": ("CloudEvents version.", {"const": "1.0"}, True),
    "ce_id": ("The event's id, a UUIDv7.", {"format": "uuid"}, True),
    "ce_source": ("The service.", {}, True),
    "ce_type": ("The type of the event.", {}, True),
    "ce_subject": ("Whom or what the fact is about; also the record key.", {}, True),
    "ce_time": ("When it happened, as claimed.", {"format": "date-time"}, True),
    "ce_dataschema": (
        "Where the JSON Schema of the payload is.",
        {"format": "uri-reference"},
        True,
    ),
    "ce_recordedat": (
        "When it was recorded, by the database's clock.",
        {"format": "date-time"},
        True,
    ),
    "ce_position": (
        "Place in the service's log, contiguous from 1.",
        {"pattern": "^[0-9]+$"},
        True,
    ),
    "ce_previous": (
        "Position of the event before it about the same subject.",
        {"pattern": "^[0-9]+$"},
        False,
    ),
    "ce_epoch": (
        "Changes when the service's database was restored from a backup.",
        {"format": "uuid"},
        True,
    ),
    "ce_traceparent": ("W3C Trace Context of the request that caused it.", {}, False),
}
OF_A_FACT = ("ce_position", "ce_previous", "ce_traceparent")
"""Headers that a head record does not have: it is no fact."""

HEAD_PAYLOAD: dict[str, Any] = {
    "type": "object",
    "description": "How far a service's log goes. Sent to every partition once a second.",
    "required": ["position", "epoch", "epoch_base", "epochs", "time"],
    "properties": {
        "position": {
            "type": "integer",
            "minimum": 0,
            "description": "The last position of the log.",
        },
        "epoch": {
            "type": "string",
            "format": "uuid",
            "description": "The epoch that the log is in.",
        },
        "epoch_base": {
            "type": "integer",
            "minimum": 0,
            "description": "The last position that this epoch shares with the one before.",
        },
        "epochs": {
            "type": "array",
            "description": "Every epoch of the log, the oldest first: its id and its base.",
            "items": {"type": "array", "minItems": 2, "maxItems": 2},
        },
        "time": {"type": "string", "format": "date-time", "description": "The database's clock."},
    },
}


def event_schema(model: type[EventData]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of an event's payload, with its subject and its audience."""
    schema: dict[str, Any] = _without_null(model.model_json_schema(mode=MODE))
    return (
        {"$schema": JSON_SCHEMA, "$id": f"/schemas/{model.event_type}"}
        | schema
        | _extensions(model)
    )


def asyncapi_document(events: Sequence[type[EventData]] = EVENTS) -> dict[str, Any]:
    """The AsyncAPI document of events: one channel a service, one message a type, and the head
    record.
    """
    references, definitions = models_json_schema(
        [(model, MODE) for model in events], ref_template="#/components/schemas/{model}"
    )
    schemas = _without_null(definitions["$defs"])
    messages: dict[str, Any] = {}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for model in events:
        messages[model.event_type] = _message(
            model.event_type, model.__doc__ or "", references[model, MODE], tuple(HEADERS)
        ) | _extensions(model)
    for service in dict.fromkeys(model.service for model in events):
        head = head_type(service)
        messages[head] = _message(
            head,
            HEAD_PAYLOAD["description"],
            {"$ref": "#/components/schemas/Head"},
            tuple(name for name in HEADERS if name not in OF_A_FACT),
        )
        types = [*(model.event_type for model in events if model.service == service), head]
        channels[service] = _channel(service, types)
        operations[f"publish-{service}"] = _publication(service, types)
    return {
        "asyncapi": ASYNCAPI,
        "info": {
            "title": "Homeward events",
            "version": version("homeward"),
            "description": DESCRIPTION,
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas | {"Head": HEAD_PAYLOAD}},
    }


def _message(name: str, summary: str, payload: Any, headers: Sequence[str]) -> dict[str, Any]:
    properties = {
        header: {"type": "string", "description": words} | constraints
        for header, (words, constraints, _) in HEADERS.items()
        if header in headers
    }
    properties["ce_type"]["const"] = name
    required = [header for header in headers if HEADERS[header][2]]
    return {
        "name": name,
        "title": name,
        "summary": " ".join(summary.partition("\n\n")[0].split()),
        "contentType": "application/json",
        "headers": {"type": "object", "required": required, "properties": properties},
        "payload": payload,
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "The subject."},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _extensions(model: type[EventData]) -> dict[str, Any]:
    return {
        "x-service": model.service,
        "x-subject": list(model.subject_fields),
        "x-audience": [audience.value for audience in Audience if audience in model.audience],
    }


def _channel(service: str, types: Sequence[str]) -> dict[str, Any]:
    return {
        "address": topic_of(service),
        "title": f"Facts of {service}",
        "description": f"Everything that {service} records, for each subject in order.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in types},
    }


def _publication(service: str, types: Sequence[str]) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{service}"},
        "summary": f"{service} publishes what it recorded.",
        "messages": [{"$ref": f"#/channels/{service}/messages/{name}"} for name in types],
    }


def _without_null(schema: Any) -> Any:
    """Take `null` out of optional members: what has no value is left out of a payload."""
    if isinstance(schema, list):
        return [_without_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {
        key: _without_null(value)
        for key, value in schema.items()
        if (key, value) != ("default", None)
    }
    options = schema.get("anyOf", [])
    if NULL in options:
        rest = [option for option in options if option != NULL]
        del schema["anyOf"]
        schema = (rest[0] if len(rest) == 1 else {"anyOf": rest}) | schema
    return schema
