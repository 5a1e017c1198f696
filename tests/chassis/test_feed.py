"""The feed over HTTP, as another service reads it."""

import asyncio
from pathlib import Path

import httpx
import pytest
from sqlalchemy import MetaData

from chassis.app import Homeward, Service, create_app
from chassis.db import Database
from chassis.events import EVERYBODY, REGISTRY, EventData, from_json
from chassis.feed import feed_of, read_log
from chassis.http import CallFailed, ServiceClient
from chassis.ids import new_id
from chassis.outbox import publish
from chassis.relay import ACQUIRE, BEAT, FIRST_STATE, Relay
from tests.conftest import Kafka, NewDatabase
from tests.faults.world import running, until
from tests.tokens import bearer, settings, token, trust


class Told(EventData, name="feedtest.thing.told", subject="thing", audience=EVERYBODY):
    thing: str


REGISTRY.pop(Told.event_type)  # it is no contract


async def test_the_feed_is_read_over_http_by_who_holds_the_internal_scope(
    new_database: NewDatabase, kafka: Kafka
) -> None:
    given = settings(
        (await new_database()).url, kafka_bootstrap=kafka.bootstrap, kafka_partitions=1
    )
    app = create_app(
        Service(
            "feedtest",
            "Feed",
            "A feed.",
            metadata=MetaData(),
            migrations=Path(__file__).parent,
            publishes=[Told],
        ),
        given,
    )
    homeward: Homeward = app.state.homeward
    trust(homeward)
    scopes = {"": 403, "returnees:read": 403, "internal": 200}

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/oauth/token"
        return httpx.Response(
            200, json={"access_token": token(kind="internal", scopes="internal"), "expires_in": 600}
        )

    inside = httpx.ASGITransport(app)

    class Network(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return (
                answer(request)
                if request.url.path == "/oauth/token"
                else await inside.handle_async_request(request)
            )

    client = ServiceClient(given, Network())
    try:
        async with httpx.AsyncClient(transport=inside, base_url="http://feed") as http:
            for scope, status in scopes.items():
                assert (
                    await http.get("/v1/events", headers=bearer(kind="internal", scopes=scope))
                ).status_code == status
            outsider = bearer("iom-iraq", "partner", scopes="internal")
            assert (await http.get("/v1/events", headers=outsider)).status_code == 403
            refused = await http.get(
                "/v1/events",
                params={"since": 1},
                headers=bearer(kind="internal", scopes="internal"),
            )
            assert refused.status_code == 400
            empty = (
                await http.get("/v1/events", headers=bearer(kind="internal", scopes="internal"))
            ).json()
            assert (
                empty["items"],
                empty["next"],
                empty["head"]["position"],
                empty["head"]["epoch"],
            ) == (
                [],
                0,
                0,
                None,
            )
        async with homeward.database.transaction() as session:
            for n in range(7):
                publish(session, Told(thing=f"s{n}"))
        feed = feed_of(client, "cases")
        async with running(Relay(homeward.database, given, "feedtest").run()):

            async def logged() -> bool:
                return (await feed(0, 1)).head.position == 7

            await until(logged)
        first = await feed(0, 5)
        rest = await feed(first.next, 5)
        events = [from_json(item) for item in [*first.items, *rest.items]]
        assert [event.position for event in events] == list(range(1, 8))
        assert {event.type for event in events} == {Told.event_type}
        assert all(event.epoch == first.head.epoch for event in events)
    finally:
        await client.close()
        await homeward.close()


async def test_a_feed_that_answers_something_else_is_a_failed_call(
    new_database: NewDatabase,
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 600})
        return httpx.Response(200, json={"items": "none"})

    client = ServiceClient(
        settings("postgresql://nobody@nowhere/none"), httpx.MockTransport(answer)
    )
    with pytest.raises(CallFailed):
        await feed_of(client, "cases")(0, 5)
    await client.close()


async def test_an_answer_that_is_no_json_is_a_failed_call() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 600})
        return httpx.Response(200, text="<html>sign in</html>")

    client = ServiceClient(
        settings("postgresql://nobody@nowhere/none"), httpx.MockTransport(answer)
    )
    with pytest.raises(CallFailed):
        await client.get("cases", "/v1/events")
    page = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>sign in</html>"))
    with pytest.raises(CallFailed):
        await ServiceClient(settings("postgresql://nobody@nowhere/none"), page).get(
            "cases", "/v1/events"
        )


async def test_a_head_is_not_newer_than_what_it_leaves_out(new_database: NewDatabase) -> None:
    database = Database.from_settings(settings((await new_database()).url), "test")
    holder, other = new_id(), await database.dedicated()
    connection = await database.dedicated()
    try:
        await connection.fetchval(ACQUIRE, holder, 60.0)
        await connection.execute(FIRST_STATE, new_id(), "this one")

        # While it waits for the sequencer it has an older view than the clock says.
        turn = other.transaction()
        await turn.start()
        await other.execute("UPDATE lease SET expires_at = expires_at")
        beat = asyncio.create_task(connection.fetchrow(BEAT, holder, 60.0))
        await asyncio.sleep(0.2)
        later = await other.fetchval("SELECT clock_timestamp()")
        await turn.commit()
        assert (await beat)["time"] < later

        # An event that is committed and has no position yet is later than the head.
        async with database.transaction() as session:
            publish(session, Told(thing="s"))
        written = await connection.fetchval("SELECT written_at FROM outbox")
        assert (await connection.fetchrow(BEAT, holder, 60.0))["time"] <= written
        async with database.transaction() as session:
            assert (await read_log(session, "feedtest", 0, 5)).head.time <= written
    finally:
        await other.close()
        await connection.close()
        await database.close()
