"""Whether a published event may change as it does.

What was published stays readable: the log is permanent, and readers are other people's programs. So
a type may gain optional members and codes, and be shown to fewer; everything else is a `.v2` beside
the `.v1`.

The baseline is the committed schema of each type. The generator never overwrites one with a schema
that breaks it and never deletes one, so that generating again cannot make a break look like the
published state. Git is not asked: a check must say the same in an archive, in a shallow clone and
after the breaking commit as before it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

ANNOTATIONS = {
    "$schema",
    "$id",
    "$defs",
    "title",
    "description",
    "examples",
    "x-service",
    "x-subject",
    "x-audience",
}
COMPARED_APART = {"properties", "required", "items", "enum", "$ref"}


def breaking_changes(published: Schema, current: Schema | None) -> list[str]:
    """What in an event type's schema would break its readers, or show it to more of them.

    Args:
        published: The committed schema, as `contracts.asyncapi.event_schema` made it.
        current: The schema now; None when the type is gone.

    Returns:
        A sentence for each break; none when the change is additive.
    """
    if current is None:
        return ["the type is gone"]
    found: list[str] = []
    if published["x-subject"] != current["x-subject"]:
        found.append("the subject has changed, and with it the order in which readers get it")
    more = sorted(set(current["x-audience"]) - set(published["x-audience"]))
    if more:
        found.append(f"it would be shown to more: {', '.join(more)}")
    found.extend(_differences("payload", published, current, published, current))
    return found


def _differences(
    place: str, old: Schema, new: Schema, old_root: Schema, new_root: Schema
) -> Iterator[str]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    for keyword in sorted((old.keys() | new.keys()) - ANNOTATIONS - COMPARED_APART):
        if old.get(keyword) != new.get(keyword):
            yield f"{place}: {keyword} has changed"
    if ("enum" in old) != ("enum" in new):
        yield f"{place}: enum has changed"
    elif gone := [str(code) for code in old.get("enum", ()) if code not in new["enum"]]:
        yield f"{place}: codes are gone: {', '.join(gone)}"
    yield from _member_differences(place, old, new, old_root, new_root)
    if ("items" in old) != ("items" in new):
        yield f"{place}: items have changed"
    elif "items" in old:
        yield from _differences(f"{place}[]", old["items"], new["items"], old_root, new_root)


def _member_differences(
    place: str, old: Schema, new: Schema, old_root: Schema, new_root: Schema
) -> Iterator[str]:
    was, is_now = set(old.get("required", ())), set(new.get("required", ()))
    had, has = old.get("properties", {}), new.get("properties", {})
    for name in sorted(is_now - was):
        yield f"{place}.{name}: is required, which what was published before may not have"
    for name in sorted(had):
        if name not in has:
            yield f"{place}.{name}: is gone"
            continue
        if name in was - is_now:
            yield f"{place}.{name}: is no longer always there"
        yield from _differences(f"{place}.{name}", had[name], has[name], old_root, new_root)


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        schema = root["$defs"][name] | {
            key: value for key, value in schema.items() if key != "$ref"
        }
    return schema
