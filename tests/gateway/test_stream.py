"""What goes on: the stream of one timeline, and the feed of all events."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio

from chassis.streams import Listeners
from contracts import cases
from gateway.timeline import stream
from tests import tokens
from tests.gateway.conftest import Gateway
from tests.gateway.facts import Person, Sources, hearing
from tests.gateway.reading import SEES
from tests.serving import serving


@pytest_asyncio.fixture
async def sources(gateway: Gateway) -> Sources:
    tokens.trust(gateway.here)
    return Sources(gateway.database)


@pytest_asyncio.fixture
async def address(gateway: Gateway) -> AsyncIterator[str]:
    async with serving(gateway.app) as at:
        yield at
        gateway.app.state.closing.end()


@dataclass
class Heard:
    """Server-sent events as they come."""

    lines: AsyncIterator[str]

    async def next(self, seconds: float = 5.0) -> tuple[str, dict[str, Any]]:
        """The next event: its id and its data."""
        found: dict[str, str] = {}
        async with asyncio.timeout(seconds):
            async for line in self.lines:
                if line.startswith(":"):
                    continue
                if not line and "data" in found:
                    assert found["event"] == "entry"
                    return found["id"], json.loads(found["data"])
                name, _, value = line.partition(": ")
                found[name] = value
        raise AssertionError("the stream ended")


@asynccontextmanager
async def listening(
    address: str, person: Person, who: str = "iom-iraq", **options: Any
) -> AsyncIterator[Heard]:
    headers = SEES[who] | options.pop("headers", {})
    path = f"{address}/v1/returnees/{person.id}/timeline/stream"
    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", path, headers=headers, **options) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Heard(answer.aiter_lines())


async def known(sources: Sources) -> Person:
    person = Person(sources)
    await sources.tell(person.submitted(), person.accepted(), person.opened())
    return person


async def test_entries_come_as_they_happen(address: str, sources: Sources) -> None:
    person, other = await known(sources), await known(sources)
    async with listening(address, person) as heard, listening(address, person, "bamf") as referrer:
        await asyncio.sleep(0.3)
        await sources.tell(other.met(), person.profiled(), person.met())
        _, profiled = await heard.next()
        _, met = await heard.next()
        assert [profiled["type"].split(".")[4], met["type"].split(".")[4]] == [
            "profiled",
            "received",
        ]
        assert met["summary"].startswith("Met on arrival")
        _, theirs = await referrer.next()
        assert theirs["id"] == met["id"], "the profile is not for the referrer"


async def test_whoever_comes_back_misses_nothing(
    address: str, gateway: Gateway, sources: Sources
) -> None:
    person = await known(sources)
    answer = await gateway.http.get(f"/v1/returnees/{person.id}/timeline", headers=SEES["iom-iraq"])
    live = answer.json()["live"]
    facts = [person.met(), person.progressed("arrived"), person.deadline()]
    await sources.tell(facts[0], facts[1])
    async with listening(address, person, params={"after": live}) as heard:
        first = [await heard.next() for _ in range(2)]
    await sources.tell(facts[2])
    async with listening(address, person, headers={"Last-Event-ID": first[-1][0]}) as heard:
        _, entry = await heard.next()
    assert [e["id"] for _, e in first] + [entry["id"]] == [str(fact.id) for fact in facts]


async def test_a_cursor_does_not_pass_what_is_missing(address: str, sources: Sources) -> None:
    person, other = await known(sources), await known(sources)
    late, early = person.deadline(), other.progressed("arrived")
    async with listening(address, other) as heard:
        await asyncio.sleep(0.3)
        await sources.tell(early)  # the position before is missing
        cursor, entry = await heard.next()
        assert entry["id"] == str(early.id), "an entry waits for nobody else's"
    async with listening(address, other, headers={"Last-Event-ID": cursor}) as heard:
        again, entry = await heard.next()
        assert (again, entry["id"]) == (cursor, str(early.id))
        await sources.tell(late)
        await sources.tell(last := other.deadline())
        moved, entry = await heard.next()
        assert entry["id"] == str(last.id)
        assert moved != cursor


async def test_a_stream_that_may_not_be_is_refused_before_it_begins(
    gateway: Gateway, address: str, sources: Sources
) -> None:
    person = await known(sources)
    path = f"/v1/returnees/{person.id}/timeline/stream"
    async with hearing(sources):
        assert (await gateway.http.get(path, headers=SEES["fedasil"])).status_code == 404
    bad = await gateway.http.get(path, headers=SEES["iom-iraq"] | {"Last-Event-ID": "x"})
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (400, "#header/last-event-id")
    assert (await gateway.http.get(path)).status_code == 401


async def test_it_ends_when_the_part_ends_and_when_the_process_does(
    gateway: Gateway, address: str, sources: Sources
) -> None:
    person = await known(sources)
    async with listening(address, person) as heard:
        await asyncio.sleep(0.3)
        await sources.tell(person.erased())
        assert [line async for line in heard.lines if line.startswith("data")] == []
    other = await known(sources)
    async with listening(address, other) as heard:
        await asyncio.sleep(0.3)
        began = time.monotonic()
        gateway.app.state.closing.end()
        assert [line async for line in heard.lines if line.startswith("data")] == []
        assert time.monotonic() - began < 20  # of the ten minutes that it would last


async def test_it_ends_with_the_token(
    address: str, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "STREAM_SECONDS", 0.5)
    person = await known(sources)
    async with listening(address, person) as heard:
        assert [line async for line in heard.lines if line.startswith("data")] == []


async def test_a_revoked_client_hears_no_more(
    address: str, gateway: Gateway, sources: Sources
) -> None:
    person = await known(sources)
    async with listening(address, person) as heard, listening(address, person, "bamf") as other:
        await asyncio.sleep(0.3)
        began = time.monotonic()
        gateway.here.authenticator.revocations.replace({"iom-iraq-client": time.time()})
        assert [line async for line in heard.lines if line.startswith("data")] == []
        assert time.monotonic() - began < 20  # of the ten minutes that it would last
        await sources.tell(person.met())
        assert (await other.next())[1]["type"].endswith("arrival.received.v1")


async def test_a_client_has_so_many_streams_and_no_more(
    address: str, gateway: Gateway, sources: Sources
) -> None:
    person = await known(sources)
    gateway.here.listeners = Listeners(2)
    path = f"{address}/v1/returnees/{person.id}/timeline/stream"
    async with httpx.AsyncClient(headers=SEES["iom-iraq"]) as http:
        async with (
            listening(address, person),
            listening(address, person),
            listening(address, person, "bamf"),
        ):
            refused = await http.get(path)
            assert (refused.status_code, refused.json()["type"]) == (
                429,
                "/problems/too-many-requests",
            )
            assert int(refused.headers["retry-after"]) > 0
        async with asyncio.timeout(5):  # who went away is noticed, and their places are free again
            while True:
                async with http.stream("GET", path) as answer:
                    if answer.status_code == 200:
                        break
                await asyncio.sleep(0.1)


async def feed(gateway: Gateway, who: str = "iom-iraq", **query: object) -> dict[str, Any]:
    answer = await gateway.http.get("/v1/events", headers=SEES[who], params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def to_the_end(
    gateway: Gateway, who: str, limit: int, after: str | None = None
) -> tuple[str, list[dict[str, Any]]]:
    """The last cursor, and everything that was told on the way."""
    told: list[dict[str, Any]] = []
    while True:
        page = await feed(gateway, who, limit=limit, **({"after": after} if after else {}))
        assert len(page["items"]) <= limit
        told, after = told + page["items"], page["next"]
        if not page["more"]:
            return after, told


def short(body: dict[str, Any]) -> list[str]:
    return [
        item["type"].removeprefix("org.homeward.").removesuffix(".v1") for item in body["items"]
    ]


async def test_the_feed_holds_what_one_takes_part_in_and_is_meant_for(
    gateway: Gateway, sources: Sources
) -> None:
    person = Person(sources)
    person.submitted()
    person.accepted()
    person.opened()
    person.profiled()
    await sources.tell_all()
    whole = [
        "cases.referral.submitted",
        "cases.referral.accepted",
        "cases.case.opened",
        "reception.arrival.profiled",
    ]
    assert short(await feed(gateway, "iom-iraq")) == whole
    assert short(await feed(gateway, "eurp")) == whole
    assert short(await feed(gateway, "ours")) == whole
    assert short(await feed(gateway, "bamf")) == whole[:3]
    for stranger in ("fedasil", "goal", "other office", "school"):
        assert short(await feed(gateway, stranger)) == []
    item = (await feed(gateway, "bamf"))["items"][1]
    assert item["subject"] == str(person.id)
    assert (item["specversion"], item["source"], item["position"]) == ("1.0", "/cases", 2)
    assert "previous" not in item


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_what_was_published_before_one_took_part_is_told_when_one_does(
    gateway: Gateway, sources: Sources, limit: int
) -> None:
    other, person = await known(sources), Person(sources)
    cursors: dict[str, str] = {}
    await sources.tell(person.met(), person.profiled())  # they walked in; cases hears of it later
    for who in ("iom-iraq", "fedasil"):
        cursors[who], told = await to_the_end(gateway, who, limit)
        assert not any(str(person.id) == item["subject"] for item in told)
    await sources.tell(person.opened(), other.progressed("arrived"))
    cursors["iom-iraq"], told = await to_the_end(
        gateway, "iom-iraq", limit, after=cursors["iom-iraq"]
    )
    assert short({"items": told}) == [
        "reception.arrival.received",
        "reception.arrival.profiled",
        "cases.case.opened",
        "cases.case.progressed",
    ]
    shared = {
        "purpose": "continued_assistance",
        "legal_basis": "consent",
        "categories": ("identity",),
    }
    until = datetime(2099, 1, 1, tzinfo=UTC)
    fact = cases.ReturneeShared(
        returnee_id=person.id, organisation="fedasil", until=until, **shared
    )
    await sources.tell(sources.say(fact))
    _, told = await to_the_end(gateway, "fedasil", limit, after=cursors["fedasil"])
    assert "reception.arrival.profiled" in short({"items": told})
    assert len({item["id"] for item in told}) == len(told), "nothing is told twice"
    _, told = await to_the_end(gateway, "iom-iraq", limit, after=cursors["iom-iraq"])
    assert len(told) <= 1


async def test_only_the_partners_who_are_asked_see_a_referral(
    gateway: Gateway, sources: Sources
) -> None:
    person = Person(sources)
    await sources.tell(person.submitted(requested_partner="goal", partners=["goal"]))
    assert short(await feed(gateway, "goal")) == ["cases.referral.submitted"]
    assert short(await feed(gateway, "iom-iraq")) == []
    await sources.tell(person.submitted(partners=["iom-iraq", "other"]))
    assert short(await feed(gateway, "goal")) == [], "it was sent again, and somebody else is asked"
    assert short(await feed(gateway, "iom-iraq")) == ["cases.referral.submitted"] * 2


async def test_where_the_office_decides_the_requested_partner_waits_for_it(
    gateway: Gateway, sources: Sources
) -> None:
    await sources.tell(Person(sources).submitted(requested_partner="goal"))
    assert short(await feed(gateway, "goal")) == []
    assert short(await feed(gateway, "eurp")) == ["cases.referral.submitted"]


@pytest.mark.parametrize(
    "order", ["together", "as it was", "the other way round", "the other way round, together"]
)
async def test_after_acceptance_only_who_implements_sees_the_referral(
    gateway: Gateway, sources: Sources, order: str
) -> None:
    person = Person(sources)
    facts = [
        person.submitted(requested_partner="goal", partners=["goal", "iom-iraq"]),
        person.accepted(),
    ]
    facts = facts[::-1] if "other way" in order else facts  # of two subjects, either may come first
    for batch in [facts] if "together" in order else [[fact] for fact in facts]:
        await sources.tell(*batch)
    assert short(await feed(gateway, "goal")) == []
    assert short(await feed(gateway, "iom-iraq")) == [
        "cases.referral.submitted",
        "cases.referral.accepted",
    ]
    assert short(await feed(gateway, "bamf")) == [
        "cases.referral.submitted",
        "cases.referral.accepted",
    ]


async def test_the_feed_can_be_read_to_the_end_in_any_pages(
    gateway: Gateway, sources: Sources
) -> None:
    people = [Person(sources) for _ in range(4)]
    for person in people:
        for fact in (person.submitted, person.accepted, person.opened, person.met, person.profiled):
            fact()
    await sources.tell_all()
    whole = await feed(gateway)
    for limit in (1, 3, 20):
        read, cursor = [], {}
        while True:
            page = await feed(gateway, limit=limit, **cursor)
            read += page["items"]
            cursor = {"after": page["next"]}
            if not page["more"]:
                break
        assert read == whole["items"]
        assert len(read) == 20
        assert (await feed(gateway, **cursor))["items"] == []
    await sources.tell(last := people[0].deadline())
    assert [item["id"] for item in (await feed(gateway, **cursor))["items"]] == [str(last.id)]
    only = await feed(gateway, type=cases.CaseOpened.event_type)
    assert short(only) == ["cases.case.opened"] * 4
    assert (await feed(gateway, after=only["next"]))["items"] == [], (
        "what was filtered out is behind the cursor too"
    )


async def test_the_feed_never_passes_a_gap(gateway: Gateway, sources: Sources) -> None:
    person = await known(sources)
    missing, beyond = person.deadline(), person.progressed("arrived")
    await sources.tell(beyond)
    page = await feed(gateway)
    assert str(beyond.id) not in [item["id"] for item in page["items"]]
    assert len(page["items"]) == 3
    await sources.tell(missing)
    after = await feed(gateway, after=page["next"])
    assert [item["id"] for item in after["items"]] == [str(missing.id), str(beyond.id)]


async def test_whoever_took_part_hears_of_an_erasure_and_of_nothing_else(
    gateway: Gateway, sources: Sources
) -> None:
    person = await known(sources)
    await sources.tell(person.erased())
    for who in ("bamf", "iom-iraq", "eurp"):
        page = await feed(gateway, who)
        assert "cases.returnee.erased" in short(page)
        assert all(str(person.id) not in json.dumps(item) for item in page["items"][:-1])
        assert page["items"][-1]["data"] == {"returnee_id": str(person.id)}
    assert short(await feed(gateway, "fedasil")) == []


@pytest.mark.parametrize(
    "cursor", ["x", "bnVsbA", "WzFd", "eyJjYXNlcyI6LTF9", "eyJjYXNlcyI6MWUzMDB9", "e30="]
)
async def test_a_made_up_cursor_is_refused(gateway: Gateway, sources: Sources, cursor: str) -> None:
    answer = await gateway.http.get("/v1/events", headers=SEES["bamf"], params={"after": cursor})
    assert answer.status_code == (200 if cursor == "e30=" else 400)
