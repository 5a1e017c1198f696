"""The journey from referral to plan, over HTTP only, compared with what the services themselves
recorded.
"""

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from chassis.events import Audience
from cli.demo import Walk, eventually
from tests.platform import SERVICES, Platform, example, shown_to, walk_of, walked

moment = datetime.fromisoformat

FAMILY, ALONE, CHARTER = "DTV-2014-00005", "BAMF-2022-00009", "BAMF-2023-00009"


@pytest.mark.parametrize("reference", [FAMILY, ALONE, CHARTER])
async def test_timeline_is_what_the_services_recorded(platform: Platform, reference: str) -> None:
    way = await walked(platform, example(reference))
    logs = {service: await platform.log(service) for service in SERVICES}
    heads = {service: log[-1]["position"] for service, log in logs.items() if log}
    reader = platform.client("iom-iraq")
    for returnee in way.returnees:
        page = await platform.fresh_timeline(reader, returnee, up_to=heads)
        told = [
            entry for entry in page["items"] if entry["position"] <= heads[entry["service"]]
        ]  # not what came since
        shown = {entry["id"]: entry for entry in told}
        recorded = {
            event["id"]: event
            for log in logs.values()
            for event in log
            if event["subject"] in {returnee, way.referral_id} and shown_to(Audience.PARTNER, event)
        }
        assert shown.keys() == recorded.keys()
        for event_id, event in recorded.items():
            assert shown[event_id]["type"] == event["type"]
            assert shown[event_id]["service"] == event["source"].removeprefix("/")
            assert moment(shown[event_id]["occurred_at"]) == moment(event["time"])
        times = [moment(entry["occurred_at"]) for entry in page["items"]]
        assert times == sorted(times, reverse=True)
        assert {"cases", "reception"} <= {entry["service"] for entry in page["items"]}
        assert all(entry["summary"].strip() for entry in page["items"])


async def test_logs_are_contiguous_and_linked(platform: Platform) -> None:
    await walked(platform, example(ALONE))
    for service in SERVICES:
        log = await platform.log(service)
        assert [event["position"] for event in log] == list(range(1, len(log) + 1))
        last: dict[str, int] = {}
        for event in log:
            assert event.get("previous") == last.get(event["subject"])
            last[event["subject"]] = event["position"]
        assert all(a["recordedat"] <= b["recordedat"] for a, b in pairwise(log))


async def test_who_sees_the_timeline_and_what_of_it(platform: Platform) -> None:
    way = await walked(platform, example(ALONE))
    person, sender = way.returnees[0], way.sender
    path = f"/v1/returnees/{person}/timeline"
    partner = await walk_of(platform).timeline(platform.client("iom-iraq"), person)
    referrer = await platform.client(sender).get(path, limit=200)
    stranger = await platform.client("ofii").call("GET", path)
    assert stranger.status_code == 404
    mine, theirs = ({entry["type"] for entry in page["items"]} for page in (partner, referrer))
    assert theirs < mine
    assert "org.homeward.reception.arrival.received.v1" in theirs


async def test_a_referral_that_is_sent_twice_is_one(platform: Platform) -> None:
    content = example(ALONE)
    sender = platform.client(content["sender"])
    first, again = (
        await sender.post("/v1/referrals", content),
        await sender.post("/v1/referrals", content),
    )
    assert first["id"] == again["id"]
    other = content | {"notes": "something else"}
    answer = await sender.call("POST", "/v1/referrals", json=other)
    assert answer.status_code == 409


async def test_a_family_is_one_household_and_one_case(platform: Platform) -> None:
    way = await walked(platform, example(FAMILY))

    async def followed() -> Any:
        found = await platform.client("iom-iraq").get(f"/v1/cases/{way.case_id}")
        return found if found["state"] == "monitoring" else None

    case = await eventually(followed, "every line of the plan was given")
    assert sorted(member["returnee_id"] for member in case["members"]) == sorted(way.returnees)
    assert len(way.returnees) == 9
    deadlines = await platform.client("iom-iraq").get("/v1/deadlines", case_id=way.case_id)
    assert deadlines["items"]


async def test_withdrawn_before_departure_is_not_expected_any_more(platform: Platform) -> None:
    walk: Walk = walk_of(platform)
    way = await walk.submit(example(ALONE))
    await walk.accept(way)
    arrival = await walk._arrival(way.returnees[0])
    sender = platform.client(way.sender, "counsellor-12")
    await sender.decide(f"/v1/referrals/{way.referral_id}", "withdraw")

    async def gone() -> bool:
        return (await platform.client("iom-iraq").get(f"/v1/arrivals/{arrival['id']}"))[
            "state"
        ] != "expected"

    await eventually(gone, "reception expects nobody")
    desk = platform.client("iom-iraq", "desk-3")
    answer = await desk.call("POST", f"/v1/arrivals/{arrival['id']}/check-in", json={})
    assert answer.status_code == 409
    assert "check-in" not in answer.json()["allowed"]
