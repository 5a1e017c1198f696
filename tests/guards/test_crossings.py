"""Every border between services is known: the calls from one to another, and the events that
another service has a handler for.

`tests/borders/crossings.yaml` lists them, each with the test in which the real neighbour answers,
or `null` while there is none. A call or a handler that is not in the list fails here.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from cli.roles import ROLES

ROOT = Path(__file__).resolve().parents[2]
LISTED: dict[str, dict[str, str | None]] = yaml.safe_load(
    (ROOT / "tests" / "borders" / "crossings.yaml").read_text("utf-8")
)
ROOMS = ("services", "gateway", "participation", "chassis")
CALLS = {"find", "get", "post"}


def _is_client(node: ast.expr) -> bool:
    """Whether something is the client for calls to other services."""
    return (isinstance(node, ast.Name) and node.id == "client") or (
        isinstance(node, ast.Attribute) and node.attr == "client"
    )


def calls_of(tree: ast.AST, name: str) -> Iterator[str]:
    """The calls to other services in a module, by the function that they stand in."""
    functions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    for function in functions:
        within = [node for each in ast.iter_child_nodes(function) for node in ast.walk(each)]
        below = {
            id(node)
            for each in within
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(each)
        }
        for node in within:
            if (
                isinstance(node, ast.Call)
                and id(node) not in below
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in CALLS
                and _is_client(node.func.value)
                and len(node.args) > 1  # a service and a path; another client has an address
            ):
                yield f"{name}.{function.name}"


def calls() -> set[str]:
    """Every call from one service to another: `<module>.<function>`."""
    return {
        call
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for call in calls_of(
            ast.parse(path.read_text("utf-8")),
            ".".join(path.relative_to(ROOT).with_suffix("").parts),
        )
    }


def events() -> set[str]:
    """Every event that a service has a handler for: `<service> <event type>`."""
    return {
        f"{name} {model.event_type}"
        for name, role in ROLES.items()
        for model in role.service().handlers
    }


def test_every_call_to_another_service_is_listed() -> None:
    assert calls() == LISTED["calls"].keys()


def test_every_event_that_crosses_is_listed() -> None:
    assert events() == LISTED["events"].keys()


def test_what_is_said_to_cross_is_a_test() -> None:
    for crossed_by in filter(None, [*LISTED["calls"].values(), *LISTED["events"].values()]):
        file, _, name = crossed_by.partition("::")
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        named = {getattr(node, "name", None) for node in ast.walk(tree)}
        assert name.rpartition("::")[2] in named, crossed_by


def test_a_call_is_found_in_the_function_that_makes_it() -> None:
    code = """
async def outer():
    async def inner(client, payload: Any):
        return await client.find("cases", f"/v1/cases/{payload}")
    await other.get("cases", "/v1")
    await session.client.get("gateway", "/oauth/revocations")
"""
    assert sorted(calls_of(ast.parse(code), "m")) == ["m.inner", "m.outer"]


def listed() -> dict[str, Any]:
    """The list as it would be now, with what is known to cross."""
    return {
        "calls": {call: LISTED.get("calls", {}).get(call) for call in sorted(calls())},
        "events": {event: LISTED.get("events", {}).get(event) for event in sorted(events())},
    }
