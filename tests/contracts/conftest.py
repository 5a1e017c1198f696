from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from chassis.events import EventData
from contracts.asyncapi import EVENTS, event_schema

WRITTEN: dict[str, Callable[[], str]] = {
    "uuid": lambda: str(uuid4()),
    "date": lambda: "2026-03-28",
    "date-time": lambda: "2026-03-28T02:30:00+03:00",
    "^[a-z0-9]+(-[a-z0-9]+)*$": lambda: "iom-iraq",
    "^([A-Z]{3}|[A-Z]{2}[A-Z2-9]{3})$": lambda: "EBL",
    "^[A-Z0-9]{2}$": lambda: "TK",
    "^[A-Z0-9]{2}[0-9]{1,4}[A-Z]?$": lambda: "TK802",
    "^[A-Z]{3}$": lambda: "EUR",
    "^[0-9]{4}$": lambda: "5141",
    "^[0-9]{1,15}(\\.[0-9]{1,3})?$": lambda: "205.00",
}


def sample(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """A value of a schema, with every member."""
    if "$ref" in schema:
        return sample(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema["type"]:
        case "object":
            return {name: sample(member, root) for name, member in schema["properties"].items()}
        case "array":
            return [sample(schema["items"], root)]
        case "integer":
            return schema.get("minimum", 4)
        case "boolean":
            return True
    return WRITTEN[schema.get("format") or schema["pattern"]]()


@pytest.fixture
def facts() -> list[EventData]:
    """One event of every published type, with every member."""
    schemas = [(model, event_schema(model)) for model in EVENTS]
    return [model.model_validate(sample(schema, schema)) for model, schema in schemas]
