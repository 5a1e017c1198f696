"""The documentation: for people as pages, for machines as documents; nothing of it needs the
internet.
"""

import json
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import fastapi_offline
from fastapi import Path as PathParameter
from fastapi import Response
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import contracts
from chassis.errors import CATALOGUE, NOT_FOUND, Problem
from chassis.routing import Router, public
from gateway.handlers import EVENTS, SOURCES
from gateway.timeline.sentences import short

HERE = Path(__file__).parent
CONTRACTS = Path(contracts.__file__).parent
VENDORED = Path(str(files(fastapi_offline))) / "static"
ASSETS = {
    "pages.css": HERE / "assets" / "pages.css",
    "reference.js": HERE / "assets" / "reference.js",
    "try.js": HERE / "assets" / "try.js",
    "redoc.js": VENDORED / "redoc.standalone.js",
    "swagger-ui.js": VENDORED / "swagger-ui-bundle.js",
    "swagger-ui.css": VENDORED / "swagger-ui.css",
}
PAGES = (
    ("/docs", "Reference"),
    ("/docs/try", "Try it"),
    ("/docs/events", "Events"),
    ("/problems", "Problems"),
)
# The two viewers style their elements themselves and search in a worker of their own; nothing comes
# from elsewhere.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' "
    "data:; font-src 'self' "
    "data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
CACHED = {"Cache-Control": "public, max-age=300"}

templates = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
)


pages = Router(include_in_schema=False)
documents = Router(tags=["documents"])


def page(template: str, here: str, **values: Any) -> HTMLResponse:
    """A page of ours."""
    content = templates.get_template(template).render(pages=PAGES, here=here, **values)
    return HTMLResponse(content, headers=CACHED | {"Content-Security-Policy": POLICY})


@pages.get("/docs")
@public
async def reference() -> HTMLResponse:
    """The API reference."""
    return page("reference.html", "/docs")


@pages.get("/docs/try")
@public
async def try_it() -> HTMLResponse:
    """The same, to send requests from."""
    return page("try.html", "/docs/try")


@pages.get("/docs/events")
@public
async def events() -> HTMLResponse:
    """Every event type, with what it says and to whom."""
    described = [
        (
            source,
            [
                {
                    "type": name,
                    "name": short(name),
                    "says": " ".join((model.__doc__ or "").split()),
                    "subject": ", else ".join(
                        field.removesuffix("_id") for field in model.subject_fields
                    ),
                    "audience": ", ".join(sorted(model.audience)),
                }
                for name, model in sorted(EVENTS.items())
                if model.service == source
            ],
        )
        for source in SOURCES
    ]
    return page("events.html", "/docs/events", services=described)


@pages.get("/docs/assets/{name}")
@public
async def asset(name: str) -> FileResponse:
    """A style sheet or a script."""
    if name not in ASSETS:
        raise Problem(NOT_FOUND)
    return FileResponse(ASSETS[name], headers=CACHED)


@pages.get("/problems")
@public
async def problems() -> HTMLResponse:
    """Every kind of problem."""
    kinds = sorted(CATALOGUE.values(), key=lambda kind: (kind.status, kind.slug))
    return page("problems.html", "/problems", kinds=kinds)


@pages.get("/problems/{slug}")
@public
async def problem(slug: str) -> HTMLResponse:
    """What one kind of problem means, and what to do."""
    kind = CATALOGUE.get(slug)
    if kind is None:
        raise Problem(NOT_FOUND)
    example = json.dumps(Problem(kind).document(), indent=2)
    return page("problem.html", "/problems", kind=kind, example=example)


@lru_cache
def committed(name: str) -> bytes:
    """A committed document."""
    return (CONTRACTS / name).read_bytes()


def as_json(content: bytes, media_type: str = "application/json") -> Response:
    """A committed document as an answer that any page may read."""
    return Response(
        content, media_type=media_type, headers=CACHED | {"Access-Control-Allow-Origin": "*"}
    )


@documents.get("/openapi.json", summary="The API as OpenAPI 3.1", response_model=dict[str, Any])
@public
async def openapi() -> Response:
    """All services as one API."""
    return as_json(committed("openapi.json"))


@documents.get("/asyncapi.json", summary="The events as AsyncAPI 3", response_model=dict[str, Any])
@public
async def asyncapi() -> Response:
    """All topics and messages."""
    return as_json(committed("asyncapi.json"))


@documents.get(
    "/schemas/{event_type}", summary="The JSON Schema of an event", response_model=dict[str, Any]
)
@public
async def schema(
    event_type: Annotated[
        str, PathParameter(description="`org.homeward.cases.case.opened.v1`", max_length=200)
    ],
) -> Response:
    """What an event of this type carries (JSON Schema 2020-12)."""
    if event_type not in EVENTS:
        raise Problem(NOT_FOUND)
    return as_json(committed(f"schemas/{event_type}.json"))
