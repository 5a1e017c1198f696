"""What the applications answer is what they say they answer."""

from chassis.openapi import _walk
from chassis.routing import Route
from gateway.proxy.routes import forward
from tests.guards.operations import applications, operations

NOT_OF_THE_API = (
    "/health/",
    "/metrics",
    "/docs",
    "/openapi.json",
    "/asyncapi.json",
    "/problems",
    "/schemas",
)
"""What is for whoever runs it or reads about it, and needs no token."""


def test_every_route_is_described() -> None:
    described = {(operation.role, operation.method, operation.path) for operation in operations()}
    for role, app in applications().items():
        routes = list(_walk(app.routes))
        assert routes
        for route in routes:
            path = getattr(route, "path_format", route.path)
            if getattr(route, "endpoint", None) is forward:
                continue  # described by whoever answers in the end
            if path.startswith(NOT_OF_THE_API):
                continue
            assert isinstance(route, Route), f"{role}: {path} does not go through the pipeline"
            for method in route.methods or ():
                assert (role, method, path) in described, f"{role}: {method} {path} is hidden"


def test_every_operation_says_what_it_needs() -> None:
    for operation in operations():
        needs, security = operation.content["x-homeward"], operation.content["security"]
        assert needs.keys() - {"max_body_bytes"} == {
            "scope",
            "person",
            "if_match",
            "idempotency_key",
        }, operation.label
        assert security == ([{"token": [needs["scope"]]}] if needs["scope"] else []), (
            operation.label
        )
        assert not needs["person"] or operation.method != "POST" or needs["idempotency_key"], (
            operation.label
        )
