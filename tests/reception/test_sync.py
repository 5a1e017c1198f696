"""What tablets did without a connection."""

import asyncio
import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from sqlalchemy import event, select

from services.reception.models import Arrival, Mutation
from tests.conftest import Databases
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
        mutation(
            "onward-transport", arrival, start + 3, mode="bus", destination={"governorate": "IQ-NI"}
        ),
        mutation("complete", arrival, start + 4),
    ]


async def send(
    desk: Desk, mutations: list[Any], *, sent_at: datetime | None = None
) -> dict[str, Any]:
    body = {
        "device": str(UUID(int=1)),
        "sent_at": (sent_at or datetime.now(UTC)).isoformat(),
        "mutations": mutations,
    }
    answer = await desk.call("POST", "/v1/arrivals/sync", json=body)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    ids = [each.get("id") if isinstance(each, dict) else None for each in mutations]
    assert [item["id"] for item in said["items"]] == ids
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
        assert (shown["state"], len(shown["assistance"]), len(shown["onward_transport"])) == (
            "completed",
            1,
            1,
        )
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

    counts = Counter(
        outcome for each in await asyncio.gather(*map(flush, range(10))) for outcome in each
    )
    assert counts["applied"] == len(log)
    assert counts["applied"] + counts["already_applied"] + counts["conflict"] == 10 * len(log)
    assert set(outcomes(await send(desk, log))) == {"already_applied"}


async def test_what_undoes_a_check_in_that_was_refused_does_not_undo_anothers(desk: Desk):
    arrival = await desk.expect()
    await desk.post(f"/{arrival}/check-in", person="officer-1")
    said = await send(desk, [mutation("check-in", arrival, 5), mutation("reopen", arrival, 10)])
    assert outcomes(said) == ["conflict", "conflict"]
    assert (await desk.get(f"/{arrival}")).json()["state"] == "met"
    other = await desk.expect()
    said = await send(desk, [mutation("check-in", other, 5), mutation("reopen", other, 10)])
    assert outcomes(said) == ["applied", "applied"]


async def test_a_slow_clock_does_not_move_the_day(desk: Desk):
    arrival = await desk.expect()
    slow = timedelta(days=2)
    done = mutation("check-in", arrival, 0) | {
        "occurred_at": (datetime.now(UTC) - slow).isoformat()
    }
    await send(desk, [done], sent_at=datetime.now(UTC) - slow)
    shown = (await desk.get(f"/{arrival}")).json()
    assert shown["arrived_on"] == datetime.now(ZoneInfo("Asia/Baghdad")).date().isoformat()


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
    said = await send(
        desk, [wrong, unknown, used, {**used, "data": PROFILE | {"needs_priority": "urgent"}}]
    )
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
            "walk-in",
            met,
            0,
            port_of_entry="EBL",
            programme="eurp",
            return_kind="forced",
            particulars=PARTICULARS,
        ),
        mutation("profile", met, 1, **PROFILE),
        mutation("bind", seat, 0, particulars=PARTICULARS),
        mutation("check-in", seat, 1),
    ]
    assert outcomes(await send(desk, log[::-1])) == ["applied"] * 4
    assert outcomes(await send(desk, log)) == ["already_applied"] * 4
    async with desk.homeward.database.transaction() as session:
        rows = (
            await session.scalars(select(Arrival).where(Arrival.id.in_([UUID(met), UUID(seat)])))
        ).all()
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


async def test_a_family_in_one_shuffled_log(desk: Desk):
    child, mother = Person(), Person()
    mother.household_id = child.household_id
    arrivals = [await desk.expect(person) for person in (child, mother)]
    await desk.recognise(child, birth={"date": "2018-05-05", "precision": "day"})
    await desk.recognise(mother, birth={"date": "1990-05-05", "precision": "day"})
    log = [*a_whole_reception(arrivals[0]), *a_whole_reception(arrivals[1], start=10)]
    assert set(outcomes(await send(desk, random.Random(3).sample(log, len(log))))) == {"applied"}


async def test_what_is_in_a_log_twice_has_one_answer(desk: Desk):
    arrival = await desk.expect()
    unknown = mutation("check-in", uuid4(), 0)
    checked_in = mutation("check-in", arrival, 0)
    other = {**checked_in, "data": {"identity_doubtful": True}}
    said = await send(desk, [unknown, checked_in, unknown, checked_in, other])
    assert outcomes(said) == ["conflict", "applied", "conflict", "already_applied", "conflict"]
    assert not (await desk.get(f"/{arrival}")).json()["identity_doubtful"]


async def test_what_a_household_is_given_once_is_given_once_in_a_log(desk: Desk):
    first, second = Person(), Person()
    second.household_id = first.household_id
    arrivals = [await desk.expect(person) for person in (first, second)]
    money = {"kind": "pocket_money", "amount": {"amount": "50.00", "currency": "EUR"}}
    log = [mutation("check-in", arrival, 0) for arrival in arrivals]
    log += [mutation("assistance", arrivals[0], minute, **money) for minute in (1, 2)]
    assert Counter(outcomes(await send(desk, log))) == {"applied": 3, "conflict": 1}
    assert len((await desk.get(f"/{arrivals[0]}")).json()["assistance"]) == 1


async def test_statements_do_not_grow_with_the_log(desk: Desk):
    counted: list[str] = []

    def count(_: Any, __: Any, statement: str, *___: Any) -> None:
        counted.append(statement)

    engine = desk.homeward.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    found = []
    try:
        for people in (2, 12):
            log = [each for _ in range(people) for each in a_whole_reception(await desk.expect())]
            counted.clear()
            assert set(outcomes(await send(desk, log))) == {"applied"}
            found.append(len(counted))
    finally:
        event.remove(engine, "before_cursor_execute", count)
    assert found[1] <= found[0]


async def test_an_entry_that_the_database_refuses_holds_up_no_other(
    desk: Desk, databases: Databases
):
    arrivals = [await desk.expect() for _ in range(4)]
    name = desk.homeward.database.engine.url.database
    admin = await asyncpg.connect(databases.address(str(name)))
    await admin.execute(f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.arrival_id = '{arrivals[2]}' THEN RAISE check_violation; END IF;
            RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON arrival_assistance
            FOR EACH ROW EXECUTE FUNCTION refuse();
    """)
    log = [mutation("check-in", arrival, 0) for arrival in arrivals]
    log += [mutation("assistance", arrival, 1, kind="nutrition") for arrival in arrivals]
    try:
        said = await send(desk, log)
        assert Counter(outcomes(said)) == {"applied": 7, "conflict": 1}
        assert said["items"][6]["problem"]["type"] == "/problems/internal"
    finally:
        await admin.execute("DROP TRIGGER refuse ON arrival_assistance; DROP FUNCTION refuse")
        await admin.close()
    assert Counter(outcomes(await send(desk, log))) == {"applied": 1, "already_applied": 7}


CASES = Path(__file__).parent / "data" / "sync"
ENTRY = {"id": str(uuid4()), "kind": "check-in", "arrival_id": str(uuid4())}


def walk_in(arrival: UUID, at: datetime) -> dict[str, Any]:
    entry = mutation(
        "walk-in",
        arrival,
        0,
        port_of_entry="BGW",
        programme="eurp",
        return_kind="voluntary",
        particulars=PARTICULARS,
    )
    return entry | {"occurred_at": at.isoformat()}


class TestAnEntryCostsItselfOnly:
    @pytest.mark.parametrize(
        ("file", "pointer"),
        [
            ("s01-one-unknown-kind", "/kind"),
            ("s02-one-entry-of-1970", "/occurred_at"),
            ("s04-one-extra-member", "/retry"),
        ],
    )
    async def test_the_handed_logs(self, desk: Desk, file: str, pointer: str) -> None:
        log = json.loads((CASES / f"{file}.json").read_text())
        # As if it were sent today, an hour after it happened.
        now = datetime.now(UTC)
        log |= {"sent_at": now.isoformat(), "device": str(uuid4())}
        for entry in log["mutations"]:
            entry |= {"id": str(uuid4()), "arrival_id": str(uuid4())}
            if not entry["occurred_at"].startswith("1970"):
                entry["occurred_at"] = (now - timedelta(hours=1)).isoformat()
        said = (await desk.post("/sync", **log)).json()
        assert outcomes(said) == ["applied", "invalid"]
        bad = log["mutations"][1]
        assert (said["items"][1]["id"], said["items"][1]["arrival_id"]) == (
            bad["id"],
            bad["arrival_id"],
        )
        (error,) = said["items"][1]["problem"]["errors"]
        assert error["pointer"] == pointer
        assert error["detail"]
        put_right = bad | {"kind": "check-in", "occurred_at": now.isoformat()}
        put_right.pop("retry", None)
        again = (await send(desk, [log["mutations"][0], put_right])).get("items")
        assert [each["outcome"] for each in again] == ["already_applied", "conflict"]

    @pytest.mark.parametrize(
        "bad",
        [
            None,
            "check-in",
            [],
            {},
            {"kind": "check-in", "arrival_id": "x"},
            ENTRY | {"occurred_at": 7},
            ENTRY | {"occurred_at": "9999-12-31T23:59:59Z"},
            ENTRY | {"occurred_at": LANDS_AT.isoformat(), "data": 1},
        ],
    )
    async def test_whatever_it_is(self, desk: Desk, bad: Any) -> None:
        first, last = await desk.expect(), await desk.expect()
        log = [mutation("check-in", first, 0), bad, mutation("check-in", last, 0)]
        said = await send(desk, log)
        assert outcomes(said) == ["applied", "invalid", "applied"]
        assert said["items"][1]["problem"]["errors"]

    async def test_a_log_of_nothing_readable_is_answered(self, desk: Desk) -> None:
        assert outcomes(await send(desk, [None, {}])) == ["invalid", "invalid"]


class TestAClockThatFell:
    async def applied(self, desk: Desk, arrival: UUID) -> tuple[datetime, bool, str]:
        shown = (await desk.get(f"/{arrival}")).json()
        return (
            datetime.fromisoformat(shown["state_at"]),
            shown["clock_suspect"],
            shown["arrived_on"],
        )

    async def test_the_handed_log(self, desk: Desk) -> None:
        log = json.loads((CASES / "s05-device-clock-1970.json").read_text())
        (entry,) = log["mutations"]
        before = datetime.now(UTC)
        said = (await desk.post("/sync", **log)).json()
        assert outcomes(said) == ["applied"]
        assert said["clock_doubtful"]
        assert said["clock_ahead_seconds"] < -50 * 365 * 86_400
        at, suspect, day = await self.applied(desk, entry["arrival_id"])
        assert abs(at - (before - timedelta(seconds=50))) < timedelta(seconds=30)
        assert suspect
        zone = ZoneInfo("Asia/Baghdad")
        assert day == at.astimezone(zone).date().isoformat()
        async with desk.homeward.database.transaction() as session:
            row = await session.get(Mutation, ("iom-iraq", UUID(entry["id"])))
        assert row is not None
        assert row.occurred_at == datetime.fromisoformat("1970-01-01T00:00:10+00:00")
        log["sent_at"] = datetime.now(UTC).isoformat()  # the clock was set meanwhile
        assert outcomes((await desk.post("/sync", **log)).json()) == ["already_applied"]

    @pytest.mark.parametrize(
        "began", ["2000-01-01T00:00:00Z", "2020-01-01T00:00:00Z", "2035-06-01T00:00:00Z"]
    )
    async def test_wherever_it_began_anew(self, desk: Desk, began: str) -> None:
        """What was noted before it fell is by a clock that was right."""
        zero, now = datetime.fromisoformat(began), datetime.now(UTC)
        before, after = uuid4(), uuid4()
        log = [
            walk_in(before, now - timedelta(hours=5)),
            walk_in(after, zero + timedelta(minutes=10)),
        ]
        said = await send(desk, log, sent_at=zero + timedelta(hours=1))
        assert outcomes(said) == ["applied", "applied"]
        at, suspect, _ = await self.applied(desk, before)
        assert (at, suspect) == (now - timedelta(hours=5), True)
        at, suspect, _ = await self.applied(desk, after)
        assert abs(at - (now - timedelta(minutes=50))) < timedelta(seconds=30)
        assert suspect

    async def test_a_family_keeps_its_order(self, desk: Desk) -> None:
        arrival = await desk.expect()
        zero = datetime(1970, 1, 1, tzinfo=UTC)
        log = [
            each | {"occurred_at": (zero + timedelta(minutes=minute)).isoformat()}
            for minute, each in enumerate(a_whole_reception(arrival))
        ]
        said = await send(desk, log[::-1], sent_at=zero + timedelta(hours=1))
        assert set(outcomes(said)) == {"applied"}
        assert (await desk.get(f"/{arrival}")).json()["state"] == "completed"
