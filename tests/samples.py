"""Values of every kind that an event may carry, made from its schema."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

from chassis.events import EventData
from contracts.asyncapi import event_schema

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


def forms_of(model: type[EventData], **known: Any) -> Iterator[EventData]:
    """A fact of one type with every member, and one with only those that it must have.

    Args:
        model: The type.
        **known: What members of these names are.
    """
    schema = event_schema(model)
    members = schema["properties"]
    whole = sample(schema, schema) | {name: known[name] for name in members if name in known}
    yield model.model_validate(whole)
    required = {name: whole[name] for name in schema.get("required", ())}
    yield model.model_validate(required | {n: whole[n] for n in members if n in known})


def with_each_code(model: type[EventData], **known: Any) -> Iterator[EventData]:
    """Facts of one type, one for each code of each member that has codes.

    Args:
        model: The type.
        **known: What members of these names are.
    """
    schema = event_schema(model)
    members = schema["properties"]
    whole = sample(schema, schema) | {name: known[name] for name in members if name in known}
    for name, member in members.items():
        if name in known:
            continue
        for code in codes_of(member, schema):
            yield model.model_validate(whole | {name: code})


def codes_of(schema: dict[str, Any], root: dict[str, Any]) -> list[Any]:
    """The codes that a member may have; none where it is no code."""
    if "$ref" in schema:
        return codes_of(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if schema.get("type") == "boolean":
        return [True, False]
    return list(schema.get("enum", ()))
