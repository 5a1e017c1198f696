"""The proxy in front of a real little server."""

import asyncio
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import Any

import httpx
import pytest_asyncio
from pydantic import AnyHttpUrl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from chassis.errors import BAD_GATEWAY
from chassis.routing import Route as OurRoute
from cli.roles import ROLES
from contracts.openapi import OF_A_PROCESS
from gateway.proxy.owners import owners
from tests import tokens
from tests.conftest import NewDatabase
from tests.gateway.conftest import Gateway, Running
from tests.serving import serving


async def echo(request: Request) -> Response:
    body = {
        "method": request.method,
        "path": request.scope["raw_path"].decode().partition("?")[0],
        "query": request.url.query,
        "headers": dict(request.headers),
        "body": (await request.body()).decode(),
    }
    headers = {"ETag": '"7"', "Link": '</v1/cases?after=x>; rel="next"', "Keep-Alive": "timeout=5"}
    return JSONResponse(body, 200, headers)


async def refused(_: Request) -> Response:
    return JSONResponse({"type": "/problems/invalid"}, 422, media_type="application/problem+json")


async def never(_: Request) -> Response:
    await asyncio.sleep(30)
    return Response()


async def slowly(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"part\n"
            await asyncio.sleep(0.3)

    return StreamingResponse(parts(), media_type="text/event-stream")


async def count(request: Request) -> Response:
    chunks = [len(chunk) async for chunk in request.stream() if chunk]
    return JSONResponse({"chunks": len(chunks), "bytes": sum(chunks)})


METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
LITTLE = Starlette(
    routes=[
        Route("/v1/cases/refused", refused, methods=METHODS),
        Route("/v1/cases/never", never),
        Route("/v1/cases/slowly", slowly),
        Route("/v1/cases/count", count, methods=METHODS),
        Route("/{rest:path}", echo, methods=METHODS),
    ]
)


class Last(MetaPathFinder):
    """Is asked for a module only after everybody else was asked in vain."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def find_spec(self, fullname: str, *_: Any) -> None:
        self.missed.append(fullname)


@contextmanager
def imports_in_vain() -> Iterator[list[str]]:
    """The modules that are imported meanwhile and are not there. Python forgets such a failure, and
    walks the whole path again the next time.
    """
    last = Last()
    sys.meta_path.append(last)
    try:
        yield last.missed
    finally:
        sys.meta_path.remove(last)


@pytest_asyncio.fixture
async def behind(new_database: NewDatabase) -> AsyncIterator[Gateway]:
    database = await new_database("gateway")
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}"
    async with serving(LITTLE) as address:
        urls = {"cases_url": AnyHttpUrl(address), "reception_url": AnyHttpUrl(nowhere)}
        async with Running(database.url, **urls, max_body_bytes=2_000_000) as made:
            tokens.trust(made.here)
            yield made


CALLER = tokens.bearer("bamf", "referrer", "referrals:read")
VOUCHING = tokens.bearer("bamf", "referrer", "referrals:read act-for-users")


async def test_a_request_arrives_as_it_was_sent(behind: Gateway) -> None:
    request_id = str(uuid.uuid4())
    sent = VOUCHING | {
        "Idempotency-Key": "k-1",
        "If-Match": '"3"',
        "Homeward-Actor": "u1",
        "Accept-Language": "ar",
        "Homeward-Request-Id": request_id,
        "Connection": "X-Mine",
        "X-Mine": "1",
        "TE": "trailers",
    }
    answer = await behind.http.post(
        "/v1/cases/a%2Fb/close?x=1&x=%20", json={"reason": "completed"}, headers=sent
    )
    seen = answer.json()
    assert (seen["method"], seen["path"], seen["query"]) == (
        "POST",
        "/v1/cases/a%2Fb/close",
        "x=1&x=%20",
    )
    assert seen["body"] == '{"reason":"completed"}'
    for name in (
        "Authorization",
        "Idempotency-Key",
        "If-Match",
        "Homeward-Actor",
        "Accept-Language",
    ):
        assert seen["headers"][name.lower()] == sent[name]
    assert (
        seen["headers"]["homeward-request-id"]
        == request_id
        == answer.headers["homeward-request-id"]
    )
    assert seen["headers"]["traceparent"].count("-") == 3
    assert {"x-mine", "te"}.isdisjoint(seen["headers"])
    assert answer.headers["etag"] == '"7"'
    assert answer.headers["link"] == '</v1/cases?after=x>; rel="next"'
    assert "keep-alive" not in answer.headers


async def test_an_answer_comes_back_with_its_status(behind: Gateway) -> None:
    for method in METHODS:
        answer = await behind.http.request(method, "/v1/cases/refused", headers=CALLER)
        assert (answer.status_code, answer.headers["content-type"]) == (
            422,
            "application/problem+json",
        )


async def test_who_has_no_token_does_not_reach_a_service(behind: Gateway) -> None:
    assert (await behind.http.get("/v1/cases")).status_code == 401
    foreign = {"Authorization": "Bearer nonsense"}
    assert (await behind.http.get("/v1/cases", headers=foreign)).status_code == 401
    vouched = CALLER | {"Homeward-Actor": "u1"}
    assert (await behind.http.get("/v1/cases", headers=vouched)).status_code == 403


async def test_what_nobody_owns_is_not_found(behind: Gateway) -> None:
    for path in ("/v1/unknown", "/v1/unknown/x", "/v1/", "/v2/cases"):
        answer = await behind.http.get(path, headers=CALLER)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_what_only_our_services_ask_one_another_is_not_forwarded(behind: Gateway) -> None:
    ours = tokens.bearer("homeward", "internal", "internal returnees:read")
    who = str(uuid.uuid4())
    for path in (
        f"/v1/returnees/{who}/identity",
        f"/v1/returnees/{who}/%69dentity",
        f"/v1/returnees/{who}%2Fidentity",
    ):
        for method in ("GET", "HEAD"):
            assert (await behind.http.request(method, path, headers=ours)).status_code == 404, path
    for path in (f"/v1/returnees/{who}", f"/v1/returnees/{who}/identity/x"):
        assert (await behind.http.get(path, headers=CALLER)).json()["path"] == path
        taken = await behind.http.get(path, headers=ours)
        assert taken.status_code == 403, "our own services do not come through the public door"


async def test_nobody_walks_out_of_the_path_of_its_owner(behind: Gateway) -> None:
    async with serving(behind.app) as address:
        host, _, port = address.removeprefix("http://").partition(":")
        for path in (
            "/v1/cases/../../metrics",
            "/v1/cases/../events",
            "/v1/cases/%2e%2e/%2E./metrics",
            "/v1/cases/..%2f..%2fmetrics",
            "/v1/cases/./x",
            "/v1/cases/..",
        ):
            reader, writer = await asyncio.open_connection(host, int(port))
            authorization = CALLER["Authorization"]
            head = f"GET {path} HTTP/1.1\r\nHost: x\r\n"
            head += f"Authorization: {authorization}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            answer = await reader.read()
            writer.close()
            assert answer.startswith(b"HTTP/1.1 404"), path


async def test_a_service_that_is_away_is_said_to_be(behind: Gateway, monkeypatch: Any) -> None:
    away = await behind.http.get("/v1/arrivals", headers=CALLER)
    assert (away.status_code, away.headers["retry-after"]) == (503, "2")
    assert away.json()["type"] == f"/problems/{BAD_GATEWAY.slug}"
    monkeypatch.setattr(behind.app.state.proxy, "timeout", httpx.Timeout(0.2))
    silent = await behind.http.get("/v1/cases/never", headers=CALLER)
    assert silent.status_code == 503


async def test_bodies_stream_both_ways_and_are_limited(behind: Gateway) -> None:
    async def parts(number: int) -> AsyncIterator[bytes]:
        for _ in range(number):
            yield b"x" * 100_000
            await asyncio.sleep(0.02)

    async with serving(behind.app) as address, httpx.AsyncClient(base_url=address) as client:
        counted = await client.post("/v1/cases/count", content=parts(10), headers=CALLER)
        assert counted.json()["bytes"] == 1_000_000
        assert counted.json()["chunks"] > 1
        large = await client.post("/v1/cases/count", content=b"x" * 2_000_001, headers=CALLER)
        assert large.status_code == 413
        batch = await client.post("/v1/referral-batches", content=b"x" * 2_000_001, headers=CALLER)
        assert len(batch.json()["body"]) == 2_000_001, "its route takes more"
        endless = await client.post("/v1/cases/count", content=parts(30), headers=CALLER)
        assert endless.status_code == 413
        started = asyncio.get_running_loop().time()
        async with client.stream("GET", "/v1/cases/slowly", headers=CALLER) as answer:
            first = await anext(answer.aiter_bytes())
            assert asyncio.get_running_loop().time() - started < 0.5
            assert first == b"part\n"


def test_the_owners_are_the_services_that_answer() -> None:
    serves = {
        (route.path.split("/")[2], name)
        for name, role in ROLES.items()
        for router in role.service().routers
        for route in router.routes
        if isinstance(route, OurRoute)
        and route.path.startswith("/v1/")
        and not route.path.startswith(OF_A_PROCESS)
    }
    assert {(segment, owner) for segment, owner in serves if owner != "gateway"} == set(
        owners().items()
    )


async def test_no_request_looks_for_a_module_that_is_not_there(behind: Gateway) -> None:
    with imports_in_vain() as missed:
        for _ in range(3):  # what is loaded by the first request is not loaded again
            missed.clear()
            got = await behind.http.get("/v1/cases/a", headers=CALLER)
            put = await behind.http.post("/v1/cases/a/close", json={}, headers=CALLER)
            own = await behind.http.get("/v1/returnees/a/timeline", headers=CALLER)
            assert (got.status_code, put.status_code) == (200, 200)
            assert own.status_code == 403
    assert not missed


async def test_answers_are_kept_by_nobody_and_are_what_they_say(behind: Gateway) -> None:
    """Also refusals, and answers of the gateway itself."""
    for path in ("/v1/cases/a", "/v1/nothing", "/v1/returnees/a/timeline", "/health/live"):
        answer = await behind.http.get(path, headers=CALLER)
        assert answer.headers["cache-control"] == "no-store", path
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert "strict-transport-security" not in answer.headers, "not over plain http"
    transport = httpx.ASGITransport(app=behind.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://gateway.test") as http:
        secure = await http.get("/v1/nothing", headers=CALLER)
    assert secure.headers["strict-transport-security"].startswith("max-age=31536000")
