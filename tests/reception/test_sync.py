"""What tablets did without a connection."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from services.reception.models import Arrival, Mutation
from tests.reception.desk import LANDS_AT, Desk, Person

PARTICULARS = {
    "names": [{"script": "Arab", "given": "زينب", "family": "الدليمي"}],
    "sex": "female",
    "birth": {"date": "1990-01-01", "precision": "estimated"},
    "nationality": "IRQ",
}
PROFILE = {"household": {"women": 1, "men": 0, "girls": 0, "boys": 0}, "needs_priority": "routine"}


def mutation(kind: str, arrival: Any, minute: int, /, **data: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "kind": kind,
        "arrival_id": str(arrival),
        "occurred_at": (LANDS_AT + timedelta(minutes=minute)).isoformat(),
        "data": data,
    }


def a_whole_reception(arrival: Any, start: int = 0) -> list[dict[str, Any]]:
    return [
        mutation("check-in", arrival, start),
        mutation("profile", arrival, start + 1, **PROFILE),
        mutation("assistance", arrival, start + 2, kind="nutrition"),
        mutation("onward-transport", arrival, start + 3, mode="bus", destination={"governorate": "IQ-NI"}),
        mutation("complete", arrival, start + 4),
    ]


async def send(desk: Desk, mutations: list[dict[str, Any]], *, sent_at: datetime | None = None) -> dict[str, Any]:
    body = {
        "device": str(UUID(int=1)),
        "sent_at": (sent_at or datetime.now(UTC)).isoformat(),
        "mutations": mutations,
    }
    answer = await desk.call("POST", "/v1/arrivals/sync", json=body)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    assert [item["id"] for item in said["items"]] == [each["id"] for each in mutations]
    return said


def outcomes(said: dict[str, Any]) -> list[str]:
    return [item["outcome"] for item in said["items"]]


async def test_in_any_order_and_any_number_of_times(desk: Desk):
    people = [Person() for _ in range(6)]
    arrivals = [await desk.expect(person) for person in people]
    log = [each for arrival in arrivals for each in a_whole_reception(arrival)]
    shuffled = random.Random(7).sample(log, len(log))
    said = await send(desk, shuffled + random.Random(8).sample(log, 10))
    assert Counter(outcomes(said)) == {"applied": len(log), "already_applied": 10}
    assert set(outcomes(await send(desk, shuffled))) == {"already_applied"}
    for person, arrival in zip(people, arrivals, strict=True):
        shown = (await desk.get(f"/{arrival}")).json()
        assert (shown["state"], len(shown["assistance"]), len(shown["onward_transport"])) == ("completed", 1, 1)
        kinds = [kind for kind, _ in await desk.published(person)]
        assert kinds[1:] == [
            "arrival.received",
            "arrival.profiled",
            "assistance.provided",
            "onward_transport.arranged",
            "arrival.completed",
        ]


async def test_a_log_in_two_halves_the_second_first_is_whole_in_the_end(desk: Desk):
    arrival = await desk.expect()
    log = a_whole_reception(arrival)
    early = await send(desk, log[2:])
    assert set(outcomes(early)) == {"conflict"}
    assert {item["problem"]["state"] for item in early["items"]} == {"expected"}
    assert set(outcomes(await send(desk, log[:2]))) == {"applied"}
    assert set(outcomes(await send(desk, log[2:]))) == {"applied"}


async def test_of_ten_tablets_that_send_the_same_things_at_once_each_is_applied_once(desk: Desk):
    arrivals = [await desk.expect() for _ in range(4)]
    log = [each for arrival in arrivals for each in a_whole_reception(arrival)]

    async def flush(number: int) -> list[str]:
        return outcomes(await send(desk, random.Random(number).sample(log, len(log))))

    counts = Counter(outcome for each in await asyncio.gather(*map(flush, range(10))) for outcome in each)
    assert counts["applied"] == len(log)
    assert counts["applied"] + counts["already_applied"] + counts["conflict"] == 10 * len(log)
    assert set(outcomes(await send(desk, log))) == {"already_applied"}


async def test_a_conflict_is_told_with_who_and_when(desk: Desk):
    arrival = await desk.expect()
    await desk.post(f"/{arrival}/check-in", person="officer-1")
    other = mutation("check-in", arrival, 0)
    said = (await send(desk, [other]))["items"][0]
    assert said["outcome"] == "conflict"
    assert (said["problem"]["state"], said["problem"]["person"]) == ("met", "iom-iraq:officer-1")
    wrong = mutation("assistance", arrival, 1, kind="cats")
    unknown = mutation("check-in", uuid4(), 1)
    used = mutation("profile", arrival, 1, **PROFILE)
    said = await send(desk, [wrong, unknown, used, {**used, "data": PROFILE | {"needs_priority": "urgent"}}])
    assert outcomes(said) == ["invalid", "conflict", "applied", "conflict"]
    assert said["items"][0]["problem"]["errors"][0]["pointer"] == "/data/kind"
    assert "cats" not in str(said)


async def test_a_wrong_clock_is_noticed_and_both_times_are_kept(desk: Desk):
    arrival = await desk.expect()
    slow = datetime.now(UTC) - timedelta(hours=2)
    checked_in = mutation("check-in", arrival, 0)
    said = await send(desk, [checked_in], sent_at=slow)
    assert said["clock_doubtful"]
    assert -7210 < said["clock_ahead_seconds"] < -7190
    shown = (await desk.get(f"/{arrival}")).json()
    assert shown["clock_suspect"]
    assert datetime.fromisoformat(shown["state_at"]) == LANDS_AT
    assert datetime.fromisoformat(shown["state_recorded_at"]) > LANDS_AT
    async with desk.homeward.database.transaction() as session:
        row = await session.scalar(select(Mutation).where(Mutation.id == UUID(checked_in["id"])))
    assert row is not None
    assert (row.occurred_at, row.ahead_seconds) == (LANDS_AT, said["clock_ahead_seconds"])
    assert row.recorded_at > row.occurred_at


async def test_walk_ins_and_bindings_come_by_log_too(desk: Desk):
    flight = await desk.announce()
    await desk.manifest(flight, [{"seat": "9F", "nationality": "IRQ"}])
    seat = (await desk.passengers(flight))["9F"]["arrival_id"]
    met = str(uuid4())
    log = [
        mutation(
            "walk-in", met, 0, port_of_entry="EBL", programme="eurp", return_kind="forced", particulars=PARTICULARS
        ),
        mutation("profile", met, 1, **PROFILE),
        mutation("bind", seat, 0, particulars=PARTICULARS),
        mutation("check-in", seat, 1),
    ]
    assert outcomes(await send(desk, log[::-1])) == ["applied"] * 4
    assert outcomes(await send(desk, log)) == ["already_applied"] * 4
    async with desk.homeward.database.transaction() as session:
        rows = (await session.scalars(select(Arrival).where(Arrival.id.in_([UUID(met), UUID(seat)])))).all()
    assert {(row.walk_in, row.state) for row in rows} == {(True, "met")}
    assert len({row.returnee_id for row in rows}) == 2


async def test_what_was_done_before_the_end_may_be_told_after_it(desk: Desk):
    arrival = await desk.expect()
    log = a_whole_reception(arrival)
    assert set(outcomes(await send(desk, [log[0], log[4]]))) == {"applied"}
    assert set(outcomes(await send(desk, log[1:4]))) == {"applied"}
    assert (await desk.get(f"/{arrival}")).json()["state"] == "completed"
    afterwards = mutation("assistance", arrival, 30, kind="nutrition")
    assert outcomes(await send(desk, [afterwards])) == ["conflict"]
