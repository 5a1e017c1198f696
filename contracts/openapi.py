"""The OpenAPI documents of all services as the one that the gateway serves."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from contracts.scopes import Scope

OF_A_PROCESS = ("/health/", "/metrics", "/v1/events", "/v1/holdings/")
"""Paths that every process has for itself: the gateway answers its own and forwards none."""

DESCRIPTION = """\
One API for everybody who takes part in a return: host-country services that refer, partners that
receive and assist, programme offices. Requests carry a token; every POST that changes something
carries an `Idempotency-Key`; answers carry an `ETag`, and decisions the `If-Match` of what was
seen. What is wrong is said as RFC 9457 problems.
"""

TAGS = {
    "referrals": "What a host-country service submits, and what becomes of it.",
    "travel": "The journeys of the people of a referral.",
    "returnees": "Who they are, to those who take part in their return.",
    "rights": "What a person may ask for: who knows of them, what they agreed to, what is held, "
    "that it is erased.",
    "households": "Who returns with whom.",
    "arrivals": "The port of entry: who is expected, who was met, what they were given.",
    "cases": "One a return, from acceptance to closure.",
    "plans": "The reintegration plan: drafted, agreed, submitted, approved by another person.",
    "deadlines": "By when what must be done.",
    "timeline": "Everything that happened to a returnee, from all services.",
    "events": "The same as a feed, for a system.",
    "identity": "Tokens, organisations and their clients.",
    "documents": "What this API says about itself, for machines.",
}
"""What the operations are grouped by, in the order in which a reader meets them."""


def merge(documents: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Make one OpenAPI document of several.

    Args:
        documents: The document of each role. Those of services give their `/v1` paths; the
            gateway's gives all of its.

    Returns:
        One document. A component that two roles name alike but describe otherwise is called
        `<Role><Name>` in each.

    Raises:
        ValueError: Two roles answer the same path.
    """
    renamed = _clashes(documents)
    paths: dict[str, Any] = {}
    components: dict[str, dict[str, Any]] = {}
    for role, original in documents.items():
        document = _with_references(original, renamed.get(role, {}))
        answered = _answered(role, document)
        for path in answered.keys() & paths.keys():
            raise ValueError(f"{path} is answered by {role} and by another role")
        paths |= answered
        for kind, members in document.get("components", {}).items():
            names = renamed.get(role, {}) if kind == "schemas" else {}
            for name, member in members.items():
                components.setdefault(kind, {}).setdefault(names.get(name, name), member)
    for scheme in components.get("securitySchemes", {}).values():
        for flow in scheme.get("flows", {}).values():
            flow["scopes"] = {scope.value: scope.description for scope in Scope}
    components["schemas"] = _reachable(paths, components.get("schemas", {}))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Homeward", "version": version("homeward"), "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": _tags(paths),
        "paths": dict(sorted(paths.items())),
        "components": {
            kind: dict(sorted(members.items())) for kind, members in sorted(components.items())
        },
    }


def _tags(paths: Mapping[str, Any]) -> list[dict[str, str]]:
    """The tags in use, those that nobody has described yet at the end."""
    used = {
        tag
        for operations in paths.values()
        for operation in operations.values()
        for tag in operation["tags"]
    }
    ordered = [tag for tag in TAGS if tag in used] + sorted(used - TAGS.keys())
    return [{"name": tag} | ({"description": TAGS[tag]} if tag in TAGS else {}) for tag in ordered]


def _clashes(documents: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, str]]:
    """New names, by role, of the schemas that another role describes otherwise."""
    described: dict[str, dict[str, str]] = {}
    for role, document in documents.items():
        for name, schema in document.get("components", {}).get("schemas", {}).items():
            described.setdefault(name, {})[role] = json.dumps(
                _expanded(schema, document), sort_keys=True
            )
    return {
        role: {
            name: f"{role.capitalize()}{name}"
            for name, by_role in described.items()
            if role in by_role and len(set(by_role.values())) > 1
        }
        for role in documents
    }


def _expanded(schema: Any, document: dict[str, Any], within: frozenset[str] = frozenset()) -> Any:
    """A schema with what it refers to in place, so that two of one name can be compared across
    documents.
    """
    if isinstance(schema, list):
        return [_expanded(item, document, within) for item in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in within:
        target = document["components"]["schemas"][reference.rpartition("/")[2]]
        return {"$ref": reference, "is": _expanded(target, document, within | {reference})}
    return {key: _expanded(value, document, within) for key, value in schema.items()}


def _with_references(value: Any, names: Mapping[str, str]) -> Any:
    """A copy in which references to renamed schemas follow them."""
    if isinstance(value, list):
        return [_with_references(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {key: _with_references(item, names) for key, item in value.items()}
    if isinstance(copy.get("$ref"), str):
        base, _, name = copy["$ref"].rpartition("/")
        copy["$ref"] = f"{base}/{names.get(name, name)}"
    if isinstance(copy.get("mapping"), dict):
        copy["mapping"] = {
            tag: "/".join(
                (ref.rpartition("/")[0], names.get(ref.rpartition("/")[2], ref.rpartition("/")[2]))
            )
            for tag, ref in copy["mapping"].items()
        }
    return copy


def _answered(role: str, document: dict[str, Any]) -> dict[str, Any]:
    """The paths that are a role's in the merged document, each operation saying whose it is."""
    answered = {
        path: operations
        for path, operations in document["paths"].items()
        if role == "gateway" or not path.startswith(OF_A_PROCESS)
    }
    for operations in answered.values():
        for operation in operations.values():
            operation.setdefault("tags", [role])
            operation["x-service"] = role
    return answered


def _reachable(paths: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The schemas that a path needs, also through others."""
    found: dict[str, Any] = {}
    waiting = list(_references(paths))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = schemas[name]
            waiting.extend(_references(schemas[name]))
    return found


def _references(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_references, value))
    if not isinstance(value, dict):
        return set()
    here = {value["$ref"].rpartition("/")[2]} if isinstance(value.get("$ref"), str) else set()
    return here.union(*map(_references, value.values()))
