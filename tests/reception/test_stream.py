"""The arrivals board as it changes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from chassis.auth import Caller, OrganisationKind
from chassis.streams import Closing
from contracts import cases
from services.reception.arrivals import stream
from services.reception.arrivals.stream import Left
from services.reception.context import ReceptionContext
from tests.reception.desk import LANDS_AT, Desk, Person
from tests.serving import serving

CALLER = Caller("tablet", "iom-iraq", OrganisationKind.PARTNER, frozenset({"arrivals:read"}))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def address(desk: Desk) -> AsyncIterator[str]:
    async with serving(desk.app) as at:
        yield at


@dataclass
class Heard:
    """Server-sent events as they come."""

    lines: AsyncIterator[str]

    async def next(self, seconds: float = 5) -> tuple[str, str, dict[str, Any]]:
        """The next event: its kind, its id and its data."""
        found: dict[str, str] = {}
        async with asyncio.timeout(seconds):
            async for line in self.lines:
                if not line and "data" in found:
                    return found["event"], found["id"], json.loads(found["data"])
                name, _, value = line.partition(": ")
                found[name] = value
        raise AssertionError("the stream ended")

    async def silent(self, seconds: float = 1.3) -> bool:
        """Whether nothing comes: it looks twice a second."""
        try:
            await self.next(seconds)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def listening(
    desk: Desk,
    address: str,
    *,
    since: str | None = None,
    organisation: str = "iom-iraq",
    **query: str,
) -> AsyncIterator[Heard]:
    headers = desk.headers(organisation) | ({"Last-Event-ID": since} if since else {})
    path = f"{address}/v1/arrivals/stream"
    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", path, headers=headers, params=query) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Heard(answer.aiter_lines())


async def test_it_begins_with_the_board_and_each_change_comes_once(desk: Desk, address: str):
    first, second = [await desk.expect(port_of_entry="NJF") for _ in range(2)]
    await desk.expect(port_of_entry="KIK")
    async with listening(desk, address, port="NJF") as heard:
        there = [await heard.next() for _ in range(2)]
        assert {(kind, data["id"], data["state"]) for kind, _, data in there} == {
            ("arrival", str(first), "expected"),
            ("arrival", str(second), "expected"),
        }
        await desk.post(f"/{first}/check-in")
        kind, _, data = await heard.next()
        assert (kind, data["id"], data["state"]) == ("arrival", str(first), "met")
        assert await heard.silent()


async def test_who_comes_later_and_who_goes_elsewhere_is_told(desk: Desk, address: str):
    async with listening(desk, address, port="OSM") as heard:
        arrival = await desk.expect(port_of_entry="OSM")
        assert (await heard.next())[2]["id"] == str(arrival)
        await desk.post(f"/{arrival}/redirect", port_of_entry="BSR")
        kind, _, data = await heard.next()
        assert (kind, data) == ("left", {"id": str(arrival)})
        assert await heard.silent()


async def test_last_event_id_continues_where_it_broke_off(
    desk: Desk, address: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stream, "OVERLAP", timedelta(milliseconds=300))
    old = await desk.expect(port_of_entry="IQTRB")
    await asyncio.sleep(0.4)
    async with listening(desk, address, port="IQTRB") as heard:
        _, mark, data = await heard.next()
        assert data["id"] == str(old)
    meanwhile = await desk.expect(port_of_entry="IQTRB")
    async with listening(desk, address, port="IQTRB", since=mark) as heard:
        assert (await heard.next())[2]["id"] == str(meanwhile)
        assert await heard.silent()
    await desk.post(f"/{meanwhile}/redirect", port_of_entry="BSR")
    async with listening(desk, address, port="IQTRB", since=mark) as heard:
        kind, _, data = await heard.next()
        assert (kind, data) == ("left", {"id": str(meanwhile)})
        await desk.post(f"/{old}/redirect", port_of_entry="BSR")  # was not sent since
        kind, _, data = await heard.next()
        assert (kind, data) == ("left", {"id": str(old)})


@pytest.mark.parametrize("mark", ["yesterday", "2026-03-14T22:30:00", "0001-01-01T00:00:00+14:00"])
async def test_an_id_of_no_event_is_refused(desk: Desk, mark: str):
    answer = await desk.call("GET", "/v1/arrivals/stream", headers={"Last-Event-ID": mark})
    assert answer.status_code == 400


async def test_who_takes_no_part_hears_nothing_and_who_takes_none_any_more_is_told_so(
    desk: Desk, address: str
):
    person = Person()
    await desk.expect(person, port_of_entry="ISU")
    async with (
        listening(desk, address, port="ISU") as ours,
        listening(desk, address, port="ISU", organisation="ewec") as others,
    ):
        arrival = (await ours.next())[2]["id"]
        assert await others.silent()
        moved = cases.CaseTransferred(
            **person.ids, transfer_id=uuid4(), previous_implementer="iom-iraq", implementer="ewec"
        )
        await desk.tell(moved)
        kind, _, data = await ours.next()
        assert (kind, data) == ("left", {"id": arrival})


async def test_the_held_are_streamed_to_few(desk: Desk):
    path, query = "/v1/arrivals/stream", {"state": "held_by_authorities"}
    assert (await desk.call("GET", path, params=query)).status_code == 403
    nobody = desk.headers("iom-iraq") | {"Authorization": "Bearer x"}
    assert (await desk.http.get(path, headers=nobody)).status_code == 401


async def test_a_slow_reader_holds_nobody(desk: Desk):
    """Between two events that it has not taken yet it has no connection and no transaction."""
    context = ReceptionContext.of(desk.homeward.settings)
    watched = stream.Watched(
        port="BGW",
        day=LANDS_AT.date() + timedelta(days=1),
        state=None,
        restricted=False,
        ports=context.ports,
    )
    expected = {str(await desk.expect(port_of_entry="BGW")) for _ in range(4)}
    closing = Closing()

    async def show(_: Any, arrivals: Any) -> list[Left]:
        return [Left(id=arrival.id) for arrival in arrivals]

    def follow() -> AsyncIterator[Any]:
        return stream.follow(desk.homeward.database, closing, CALLER, watched, None, show)

    slow, quick = follow(), follow()
    first = await anext(slow)
    assert desk.homeward.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined] # of a pool of a queue
    begun = datetime.now(UTC)
    seen = {str((await anext(quick)).data.id) for _ in expected}
    assert seen == expected
    await desk.post(f"/{next(iter(sorted(expected)))}/check-in")
    await asyncio.wait_for(anext(quick), 5)
    assert datetime.now(UTC) - begun < timedelta(seconds=8)
    assert {str(first.data.id), *[str((await anext(slow)).data.id) for _ in range(3)]} == expected
    closing.end()
    for each in (slow, quick):
        assert [event async for event in each] == []
