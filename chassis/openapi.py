"""The OpenAPI document of an application: FastAPI's, with what every route does by itself written
into it.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from chassis.auth import ACT_FOR_USERS, ACTOR_HEADER, ACTOR_PATTERN
from chassis.errors import CATALOGUE, ProblemDocument
from chassis.idempotency import HEADER as IDEMPOTENCY_HEADER
from chassis.routing import WRITES, Requirement, Route

TOKEN = "token"  # noqa: S105 - the name of a security scheme
ALWAYS = (400, 500, 503)
PROBLEM_MEDIA_TYPE = "application/problem+json"


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of an application, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _complete(app)
    return app.openapi_schema


def routes_of(app: FastAPI) -> list[Route]:
    """Every route of ours, also of included routers."""
    return [route for route in _walk(app.routes) if isinstance(route, Route)]


def _walk(routes: Any) -> Any:
    for route in routes:
        inner = getattr(getattr(route, "original_router", None), "routes", None)
        if inner is not None:
            yield from _walk(inner)
        else:
            yield route


def _complete(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=app.description,
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    components["securitySchemes"] = {
        TOKEN: {
            "type": "oauth2",
            "flows": {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {}}},
        }
    }
    scopes: dict[str, str] = components["securitySchemes"][TOKEN]["flows"]["clientCredentials"][
        "scopes"
    ]
    for route in routes_of(app):
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                _describe_operation(operation, method, route.requirement, "{" in route.path_format)
                if route.requirement.scope:
                    scopes.setdefault(route.requirement.scope, "")
    return document


def _header(
    name: str, description: str, required: bool, pattern: str | None = None
) -> dict[str, Any]:
    schema = {"type": "string", "maxLength": 255} | ({"pattern": pattern} if pattern else {})
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": schema,
    }


def _headers_of(method: str, needs: Requirement) -> list[dict[str, Any]]:
    """The request headers of an operation."""
    headers = []
    if needs.needs_key({method}):
        key = "A key of your own for this request; a UUID."
        headers.append(_header(IDEMPOTENCY_HEADER, key, True, "^[!-~]{1,255}$"))
    if needs.person:
        person = (
            f"The deciding person, where the token names none: an opaque user id; needs the "
            f"scope {ACT_FOR_USERS}."
        )
        headers.append(_header(ACTOR_HEADER, person, False, ACTOR_PATTERN))
    if needs.if_match:
        headers.append(_header("If-Match", "The ETag of what you have seen.", False))
        headers.append(_header("If-None-Match", "`*` where nothing exists yet.", False))
    return headers


def _describe_operation(
    operation: dict[str, Any], method: str, needs: Requirement, names_something: bool
) -> None:
    parameters: list[dict[str, Any]] = operation.setdefault("parameters", [])
    parameters += _headers_of(method, needs)
    statuses = set(ALWAYS)
    if needs.scope is not None:
        operation["security"] = [{TOKEN: [needs.scope]}]
        statuses |= {401, 403, 429}
    else:
        operation["security"] = []
    if needs.needs_key({method}):
        statuses |= {409, 422}
    if needs.if_match:
        statuses |= {412, 428}
    if method in WRITES:
        statuses |= {409, 413, 415, 422}
    if names_something:
        statuses.add(404)
    responses: dict[str, Any] = operation["responses"]
    # What a route says it also refuses with, without saying how, is a problem too.
    statuses |= {
        int(code) for code, said in responses.items() if code >= "400" and "content" not in said
    }
    if any("parameters" in operation and p["in"] != "header" for p in parameters):
        statuses.add(422)
    if method == "GET":
        responses["304"] = {"description": "Not changed since the ETag in If-None-Match"}
    _describe_streams(responses)
    _describe_problems(responses, statuses)
    _describe_needs(operation, method, needs)


def _describe_needs(operation: dict[str, Any], method: str, needs: Requirement) -> None:
    """Say for machines what the route declares; the gateway reads it."""
    said = operation["x-homeward"] = {
        "scope": needs.scope,
        "person": needs.person,
        "if_match": needs.if_match,
        "idempotency_key": needs.needs_key({method}),
    }
    if needs.max_body is not None:
        said["max_body_bytes"] = needs.max_body
        operation["responses"]["413"]["description"] += f"; at most {needs.max_body} bytes here"


def _describe_streams(responses: dict[str, Any]) -> None:
    """Say in OpenAPI 3.1 what FastAPI says of a stream in 3.2, whose `itemSchema` older tools
    refuse.
    """
    for response in responses.values():
        for content in response.get("content", {}).values():
            if content.pop("itemSchema", None) is not None:
                content["schema"] = {"type": "string"}


def _describe_problems(responses: dict[str, Any], statuses: set[int]) -> None:
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]  # FastAPI's own, which we never answer
    for status in sorted(statuses):
        slugs = sorted(kind.slug for kind in CATALOGUE.values() if kind.status == status)
        response = responses.setdefault(str(status), {})
        response["description"] = "Problem: " + ", ".join(slugs)
        response.setdefault("content", {})[PROBLEM_MEDIA_TYPE] = {
            "schema": {"$ref": "#/components/schemas/Problem"}
        }
