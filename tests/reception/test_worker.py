"""Reception as it runs: cases' log comes in over the broker, the name over HTTP, reception's own
log goes out.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest_asyncio
from sqlalchemy import select

from chassis.app import Worker
from chassis.db import Database
from chassis.http import ServiceClient
from chassis.outbox import publish
from chassis.relay import Relay, event_log
from cli.embedded import EmbeddedBroker, free_port
from contracts import cases
from services.reception.app import service
from tests.conftest import Databases
from tests.reception.desk import Desk, Person, running
from tests.tokens import settings

IDENTITY = {
    "names": [
        {"script": "Latn", "given": "Zaynab", "father": "", "grandfather": "", "family": "Example"}
    ],
    "sex": "female",
    "birth": {"date": "1990-07-01", "precision": "year"},
    "nationality": "IRQ",
}


class Cases:
    """Stands for cases over HTTP, which may be away; its database and its relay are real."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.away = True
        self.asked = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 600})
        if not request.url.path.endswith("/identity"):
            return httpx.Response(503)
        self.asked += 1
        return httpx.Response(503) if self.away else httpx.Response(200, json=IDENTITY)


@pytest_asyncio.fixture
async def both(databases: Databases, tmp_path: Path) -> AsyncIterator[tuple[Cases, Desk]]:
    broker = EmbeddedBroker(free_port(), log=tmp_path / "broker.log")
    await asyncio.to_thread(broker.start)
    theirs, ours = await databases.new(), await databases.new("reception")
    configured = settings(ours.url, kafka_bootstrap=broker.bootstrap)
    cases_side = Cases(Database(settings(theirs.url).sqlalchemy_url))
    client = ServiceClient(configured, httpx.MockTransport(cases_side.answer))
    relay = Relay(
        cases_side.database, settings(theirs.url, kafka_bootstrap=broker.bootstrap), "cases"
    )
    async with running(ours.url) as desk:
        tasks = [
            asyncio.create_task(relay.run()),
            asyncio.create_task(Worker(service, configured, desk.homeward.database, client).run()),
        ]
        yield cases_side, desk
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await client.close()
    await cases_side.database.close()
    broker.kill()


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.05)


async def test_who_is_referred_is_expected_met_and_told_also_while_cases_is_away(
    both: tuple[Cases, Desk],
):
    cases_side, desk = both
    person = Person()
    async with cases_side.database.transaction() as session:
        publish(session, person.opened())
        publish(session, cases.TravelConfirmed(**person.journey()))

    async def expected() -> bool:
        return len(await desk.arrivals_of(person)) == 1

    async def unreachable() -> bool:
        return cases_side.asked > 0

    await until(expected)
    await until(unreachable)
    (arrival,) = await desk.arrivals_of(person)
    assert (await desk.post(f"/{arrival}/check-in")).status_code == 200
    assert (await desk.get(f"/{arrival}")).json()["identity"] is None

    cases_side.away = False

    async def recognised() -> bool:
        identity = (await desk.get(f"/{arrival}")).json()["identity"]
        return identity is not None and identity["names"][0]["given"] == "Zaynab"

    await until(recognised)

    async def told() -> bool:
        async with desk.homeward.database.transaction() as session:
            rows = await session.scalars(select(event_log.c.type).order_by(event_log.c.position))
            return [kind.split(".")[4] for kind in rows] == ["expected", "received"]

    await until(told)
