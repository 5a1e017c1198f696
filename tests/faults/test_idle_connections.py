"""Connections that announce a body and send none, and streams that stay open, stop nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import httpx

from chassis import limits
from tests.platform import Platform

IDLE = 150
FORM = "POST /oauth/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded"
REQUESTS = 40
STREAMS = 15


@asynccontextmanager
async def idle(address: str, number: int, head: str) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connections on which a request was begun whose body never comes."""
    parts = urlsplit(address)
    opened = []
    try:
        for _ in range(number):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            opened.append((reader, writer))
            writer.write(f"{head}\r\nHost: x\r\nContent-Length: 5000\r\n\r\n".encode())
            await writer.drain()
        yield [reader for reader, _ in opened]
    finally:
        for _, writer in opened:
            writer.close()


async def answered(platform: Platform, path: str) -> None:
    """Others are answered meanwhile: on a busy machine late, but not never."""
    other = platform.client("iom-iraq", "coordinator-1")
    async with asyncio.timeout(90):
        pages = await asyncio.gather(*(other.get(path, limit=1) for _ in range(REQUESTS)))
    assert all("items" in page for page in pages)


async def test_announced_bodies_that_never_come_stop_nobody(platform: Platform) -> None:
    sender = platform.client("bamf")
    token = (await sender.headers())["Authorization"]
    in_token = f"Authorization: {token}\r\nContent-Type: application/json\r\nIdempotency-Key: idle"
    await answered(platform, "/v1/cases")
    async with AsyncExitStack() as held:
        for head in (
            "GET /v1/certificates/no-such-code HTTP/1.1",
            "POST /v1/referrals HTTP/1.1",
            f"POST /v1/referrals HTTP/1.1\r\n{in_token}",
            f"PATCH /v1/organisations/bamf HTTP/1.1\r\n{in_token}",
        ):
            await held.enter_async_context(idle(platform.gateway, IDLE, head))
        for path in ("/v1/cases", "/v1/referrals", "/v1/arrivals"):
            await answered(platform, path)


async def test_a_body_that_does_not_come_is_given_up(platform: Platform) -> None:
    async with idle(platform.gateway, 1, FORM) as (reader,):
        async with asyncio.timeout(limits.SILENT_SECONDS + 60):
            answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"/problems/body-too-slow" in answer


async def test_reading_takes_no_body(platform: Platform) -> None:
    async with idle(platform.gateway, 1, "GET /v1/certificates/x HTTP/1.1") as (reader,):
        async with asyncio.timeout(60):
            head = await reader.readline()
    assert head.startswith(b"HTTP/1.1 400")


async def test_streams_take_no_place_of_requests(platform: Platform) -> None:
    desk = platform.client("iom-iraq", "desk-3")
    async with AsyncExitStack() as held:
        http = await held.enter_async_context(httpx.AsyncClient(base_url=platform.gateway))
        for _ in range(STREAMS):
            request = http.stream("GET", "/v1/arrivals/stream", headers=await desk.headers())
            answer = await held.enter_async_context(request)
            assert answer.status_code == 200
        await answered(platform, "/v1/arrivals")
