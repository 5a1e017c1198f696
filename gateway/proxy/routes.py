"""Everything under `/v1` that the gateway does not answer itself goes to its owner, body by body as
it comes.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import cast

import httpx
import structlog
from opentelemetry import propagate
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from chassis.app import Homeward
from chassis.errors import BAD_GATEWAY, FORBIDDEN, NOT_FOUND, Problem
from chassis.limits import allow, refuse_body
from chassis.routing import Router
from chassis.telemetry import REQUEST_ID_HEADER, bind_caller
from gateway.limits import caller_of
from gateway.proxy.owners import is_between_services, is_open, is_stream, most_bytes, owners

STREAMS_AT_ONCE = 2000
AT_ONCE = 100
"""Requests that one owner is asked at the same time; a slow one has nobody's connections but its
own.
"""
WAIT_SECONDS = 5.0
"""For a connection to an owner all of whose are busy."""
KEPT_BYTES = 1024 * 1024
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
ANSWER_SECONDS = 30.0
CONNECT_SECONDS = 3.0
KEEP_ALIVE_SECONDS = 3.0
"""Shorter than our services keep an idle connection, so that none is used just as it is closed."""

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
DOTS = frozenset({".", ".."})
OURS = frozenset({"host", REQUEST_ID_HEADER.lower(), "traceparent", "tracestate"})
THEIRS = frozenset({"server", "date", REQUEST_ID_HEADER.lower()})

log = structlog.get_logger("homeward.proxy")

router = Router(include_in_schema=False)


@dataclass(frozen=True)
class Label:
    """What logs and metrics call a forwarded request: never its path, which a caller may have
    filled with anything.
    """

    path: str


class Connections:
    """The connections to our services; kept in `app.state.proxy`. Each owner has its own, and
    streams, which stay open, have others than requests.
    """

    def __init__(self) -> None:
        self._of: dict[tuple[str, bool], httpx.AsyncClient] = {}
        self.timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS, pool=WAIT_SECONDS)

    def to(self, owner: str, *, stream: bool = False) -> httpx.AsyncClient:
        """The connections to an owner.

        Args:
            owner: Its name.
            stream: Whether what is asked for stays open.
        """
        if (owner, stream) not in self._of:
            most = STREAMS_AT_ONCE if stream else AT_ONCE
            limits = httpx.Limits(
                max_connections=most,
                max_keepalive_connections=0 if stream else 25,
                keepalive_expiry=KEEP_ALIVE_SECONDS,
            )
            self._of[owner, stream] = httpx.AsyncClient(timeout=self.timeout, limits=limits)
        return self._of[owner, stream]

    async def aclose(self) -> None:
        """Close all of them."""
        for client in self._of.values():
            await client.aclose()


async def forward(request: Request) -> Response:
    """Send a request on to the owner of its path, and its answer back.

    Raises:
        Problem: 401 for a token that does not hold, 403 for one of our own services, 404 where
            nobody owns the path, 413 for a body that its owner would not take, 503 if the owner
            does not answer.
    """
    here = cast("Homeward", request.app.state.homeward)
    caller, for_anybody = None, is_open(request.method, request.url.path)
    if "authorization" in request.headers or not for_anybody:
        caller = await caller_of(request, here)
        bind_caller(caller.client_id, caller.organisation)
    owner = owners().get(request.path_params["segment"])
    if owner is None or is_between_services(request.method, request.url.path):
        raise Problem(NOT_FOUND)
    if caller is not None and caller.is_internal and not for_anybody:
        # Its token was taken from a service of ours.
        raise Problem(FORBIDDEN, "our own services ask one another, not through the gateway")
    request.scope["route"] = Label(f"(forwarded to {owner})")
    connections = cast("Connections", request.app.state.proxy)
    client = connections.to(owner, stream=is_stream(request.method, request.url.path))
    path = request.scope["raw_path"].partition(b"?")[0]
    if DOTS & set(request.path_params.get("rest", "").split("/")):
        raise Problem(
            NOT_FOUND
        )  # what is sent on would be another path than the one whose owner was looked up
    query = request.scope["query_string"]
    refuse_body(request)
    allow(request, most_bytes(request.method, request.url.path))
    body = await _request_body(request)
    outgoing = httpx.Request(
        request.method,
        httpx.URL(here.settings.service_url(owner)).copy_with(
            raw_path=path + (b"?" + query if query else b"")
        ),
        headers=_headers(request),
        content=body,
        extensions={"timeout": connections.timeout.as_dict()},
    )
    try:
        answer = await client.send(outgoing, stream=True)
    except httpx.HTTPError as error:
        log.warning("a service does not answer", owner=owner, error=type(error).__name__)
        raise Problem(BAD_GATEWAY, headers={"Retry-After": "2"}) from None
    response = StreamingResponse(_body(answer), answer.status_code)
    response.raw_headers = list(
        _without(answer.headers.raw, HOP_BY_HOP | THEIRS, answer.headers.get("connection"))
    )
    return response


async def _request_body(request: Request) -> bytes | AsyncIterator[bytes] | None:
    """The body to send on. One of usual size is there before a connection to its owner is taken; a
    large one goes on as it comes.
    """
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) <= KEPT_BYTES:
        return await request.body()
    return request.stream() if length or "transfer-encoding" in request.headers else None


async def _body(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


def _headers(request: Request) -> list[tuple[bytes, bytes]]:
    headers = list(
        _without(request.headers.raw, HOP_BY_HOP | OURS, request.headers.get("connection"))
    )
    carrier: dict[str, str] = {REQUEST_ID_HEADER: request.state.request_id}
    propagate.inject(carrier)
    return headers + [(name.encode(), value.encode()) for name, value in carrier.items()]


def _without(
    headers: Iterable[tuple[bytes, bytes]], dropped: frozenset[str], connection: str | None
) -> Iterable[tuple[bytes, bytes]]:
    """Headers without those that concern one connection only, also what `Connection` names (RFC
    9110, 7.6.1).
    """
    named = {name.strip().lower() for name in (connection or "").split(",")}
    for name, value in headers:
        if name.decode("latin-1").lower() not in dropped | named:
            yield name.lower(), value


for path in ("/v1/{segment}", "/v1/{segment}/{rest:path}"):
    router.add_route(path, forward, methods=METHODS)
