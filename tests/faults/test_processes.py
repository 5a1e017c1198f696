"""Processes of a whole platform are killed with -9 while people come home. What is lost is counted: nothing may be."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from chassis.events import Audience
from cli.demo import Return, Stuck, eventually
from tests.platform import ROOT, SERVICES, Platform, example, running_platform, shown_to, walked

REFERENCES = [
    json.loads(line)["external_reference"] for line in (ROOT / "examples" / "referrals.jsonl").read_text().splitlines()
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def own_platform() -> AsyncIterator[Platform]:
    """A platform of its own: what is killed here is missed by no other test."""
    async with running_platform({"HOMEWARD_REQUESTS_PER_MINUTE": "100000"}, patience=60) as platform:
        yield platform


async def come_home(platform: Platform, references: list[str]) -> list[Return]:
    return list(await asyncio.gather(*(walked(platform, example(reference)) for reference in references)))


async def moved(platform: Platform, way: Return) -> bool:
    """Whether the case went on to the follow-up, as it does when every line of its plan was given."""
    partner = platform.client("iom-iraq")

    async def look() -> bool:
        return bool((await partner.get(f"/v1/cases/{way.case_id}"))["state"] == "monitoring")

    try:
        return bool(await eventually(look, "the case moved on"))
    except Stuck:
        return False


async def lost(platform: Platform, ways: list[Return]) -> dict[str, int]:
    """How many events of these people are missing from their timelines, and how many cases did not move."""
    logs = {service: await platform.log(service) for service in SERVICES}
    heads = {service: log[-1]["position"] for service, log in logs.items() if log}
    partner = platform.client("iom-iraq")
    missing = unmoved = people = 0
    for way in ways:
        unmoved += not await moved(platform, way)
        for returnee in way.returnees:
            people += 1
            page = await platform.fresh_timeline(partner, returnee, up_to=heads)
            shown = {entry["id"] for entry in page["items"]}
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
        own_platform.kill("Broker")
    ways = await coming
    own_platform.kill("Broker")  # also what nobody will talk about again: the last events
    found = await lost(own_platform, ways)
    assert found == {"people": found["people"], "events missing": 0, "cases not moved": 0}
    assert found["people"] >= 33


@pytest.mark.parametrize("name", ["cases", "reception", "gateway", "PostgreSQL"])
async def test_process_killed_in_the_middle(own_platform: Platform, name: str) -> None:
    """Breaks: one process, twice."""
    coming = asyncio.create_task(come_home(own_platform, REFERENCES[:6]))
    for _ in range(2):
        await asyncio.sleep(1.2)
        own_platform.kill(name)
    found = await lost(own_platform, await coming)
    assert found == {"people": found["people"], "events missing": 0, "cases not moved": 0}
    assert f"{name} ended (SIGKILL); it is started again" in own_platform.said()
