"""A dependency that is a plain function costs a thread each time it is called: none is."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant

from chassis.routing import Route
from cli.roles import ROLES


def calls_of(dependant: Dependant) -> Iterator[Any]:
    """Everything that is called to answer a route."""
    for below in dependant.dependencies:
        yield below.call
        yield from calls_of(below)


def is_plain(call: Any) -> bool:
    return not (inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call))


@pytest.mark.parametrize("role", ROLES)
def test_every_dependency_and_endpoint_is_async(role: str) -> None:
    routes = [
        route
        for router in ROLES[role].service().routers
        for route in router.routes
        if isinstance(route, Route)
    ]
    assert routes
    plain = {
        f"{call.__module__}.{call.__qualname__}"
        for route in routes
        for call in (route.endpoint, *calls_of(route.dependant))
        if is_plain(call)
    }
    assert plain == set()


def test_a_plain_function_is_noticed() -> None:
    assert is_plain(lambda: None)
