"""Processes of a whole platform are killed with -9 while people come home. What is lost is counted:
nothing may be.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal

import asyncpg
import pytest
import pytest_asyncio

from chassis.events import Audience
from cli.demo import ALLOWANCE, PAID_SESSIONS, Return, Stuck, eventually
from tests.platform import ROOT, SERVICES, Platform, example, running_platform, shown_to, walked

REFERENCES = [
    json.loads(line)["external_reference"]
    for line in (ROOT / "examples" / "referrals.jsonl").read_text().splitlines()
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def own_platform() -> AsyncIterator[Platform]:
    """A platform of its own: what is killed here is missed by no other test."""
    async with running_platform(
        {"HOMEWARD_REQUESTS_PER_MINUTE": "100000"}, patience=60
    ) as platform:
        yield platform


async def come_home(platform: Platform, references: list[str]) -> list[Return]:
    return list(
        await asyncio.gather(*(walked(platform, example(reference)) for reference in references))
    )


async def moved(platform: Platform, way: Return) -> bool:
    """Whether the case went on to the follow-up, as it does when every line of its plan was
    given.
    """
    partner = platform.client("iom-iraq")

    async def look() -> bool:
        return bool((await partner.get(f"/v1/cases/{way.case_id}"))["state"] == "monitoring")

    try:
        return bool(await eventually(look, "the case moved on"))
    except Stuck:
        return False


async def lost(platform: Platform, ways: list[Return]) -> dict[str, int]:
    """How many events of these people are missing from their timelines, and how many cases did not
    move.
    """
    unmoved = sum([not await moved(platform, way) for way in ways])
    logs = {service: await platform.log(service) for service in SERVICES}
    heads = {service: log[-1]["position"] for service, log in logs.items() if log}
    partner = platform.client("iom-iraq")
    missing = people = 0
    for way in ways:
        for returnee in way.returnees:
            people += 1
            page = await platform.fresh_timeline(partner, returnee, up_to=heads)
            shown = {
                entry["id"]
                for entry in page["items"]
                if entry["position"] <= heads[entry["service"]]
            }
            about = {returnee, way.referral_id}
            recorded = {
                event["id"]
                for log in logs.values()
                for event in log
                if event["subject"] in about and shown_to(Audience.PARTNER, event)
            }
            assert len(recorded) > 8
            missing += len(recorded ^ shown)
    for log in logs.values():
        assert [event["position"] for event in log] == list(range(1, len(log) + 1))
    return {"people": people, "events missing": missing, "cases not moved": unmoved}


async def test_broker_that_lost_its_memory_in_the_middle(own_platform: Platform) -> None:
    """Breaks: the broker, twice, with everything in it."""
    coming = asyncio.create_task(come_home(own_platform, REFERENCES))
    for _ in range(2):
        await asyncio.sleep(1.5)
        assert not coming.done(), "everybody is at home already"
        await own_platform.restart("Broker")
    ways = await coming
    await own_platform.restart("Broker")  # also what nobody will talk about again: the last events
    found = await lost(own_platform, ways)
    assert found == {"people": found["people"], "events missing": 0, "cases not moved": 0}
    assert found["people"] >= 33


@pytest.mark.parametrize("name", ["cases", "reception", "gateway", "PostgreSQL"])
async def test_process_killed_in_the_middle(own_platform: Platform, name: str) -> None:
    """Breaks: one process, twice."""
    coming = asyncio.create_task(come_home(own_platform, REFERENCES[:4]))
    for _ in range(2):
        await asyncio.sleep(1.2)
        assert not coming.done(), "everybody is at home already"
        await own_platform.restart(name)
    found = await lost(own_platform, await coming)
    assert found == {"people": found["people"], "events missing": 0, "cases not moved": 0}
    assert own_platform.said().count(f"{name} ended (SIGKILL); it is started again") >= 2


WITH_ALLOWANCE, WITH_COURSE = "FED-2019-00033", "BAMF-2023-00009"
AT_WORK = (
    "SELECT EXISTS (SELECT FROM job "
    "WHERE kind = $1 || '.plan.fetch' AND leased_until > clock_timestamp())"
)
TOLD = "SELECT count(*) FROM event_log"


async def kill_at_work(platform: Platform, name: str) -> int:
    """Kill a process while it has an approved plan in its hands, and again when it has just told
    something.

    Returns:
        How many events it had told before the last kill.
    """
    reader = await asyncpg.connect(platform.database_url(name))
    try:
        async with asyncio.timeout(300):
            while not await reader.fetchval(AT_WORK, name):  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.002)
            platform.kill(name)
            told: int = await reader.fetchval(TOLD)
            while await reader.fetchval(TOLD) == told:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.002)
            platform.kill(name)
        return int(await reader.fetchval(TOLD))
    finally:
        await reader.close()


async def doubled(platform: Platform, ways: list[Return]) -> list[str]:
    """What was granted, paid or told twice."""
    finance = platform.client("iom-iraq", "finance-4")
    twice: list[str] = []
    for way in ways:
        plan = await finance.get(f"/v1/cases/{way.case_id}/plan")
        grants = (await finance.get("/v1/grants", case_id=way.case_id, limit=200))["items"]
        lines = [grant["plan_line_id"] for grant in grants if grant["plan_line_id"]]
        assert set(lines) == {line["id"] for line in plan["lines"]}
        twice += [f"grant of {line}" for line, times in Counter(lines).items() if times > 1]
        for grant in grants:
            payments = (await finance.get("/v1/payments", grant_id=grant["id"]))["items"]
            paid = sum(
                Decimal(payment["amount"]["amount"])
                for payment in payments
                if payment["state"] == "confirmed"
            )
            owed = Decimal(grant["amount"]["amount"])
            if grant["kind"] == ALLOWANCE:
                assert len({payment["id"] for payment in payments}) >= PAID_SESSIONS
                owed = Decimal(10 * PAID_SESSIONS)
            assert paid >= owed, f"{grant['kind']} is not paid"
            twice += [f"payment of {grant['kind']}"] * (paid > owed)
    people = {returnee for way in ways for returnee in way.returnees}
    for service in ("grants", "training"):
        facts = Counter(
            (e["type"], json.dumps(e["data"]))
            for e in await platform.log(service)
            if e["subject"] in people
        )
        twice += [kind for (kind, _), times in facts.items() if times > 1]
    return twice


async def test_who_pays_and_who_teaches_are_killed_at_work(own_platform: Platform) -> None:
    """Breaks: grants and training, twice each, with plans, payments and attendance in their
    hands.
    """
    names = ["grants", "training"]
    coming = asyncio.create_task(come_home(own_platform, [WITH_ALLOWANCE] * 2 + [WITH_COURSE] * 2))
    before = await asyncio.gather(*(kill_at_work(own_platform, name) for name in names))
    ways = await coming
    found = await lost(own_platform, ways)
    assert found == {"people": 6, "events missing": 0, "cases not moved": 0}
    assert await doubled(own_platform, ways) == []
    assert await own_platform.books() == ()
    for name, told in zip(names, before, strict=True):
        assert len(await own_platform.log(name)) > told, (
            f"{name} had nothing left to do when it was killed"
        )
        assert own_platform.said().count(f"{name} ended (SIGKILL); it is started again") >= 2
