"""The case side as a journey: a return is asked about, prepared, planned with a second look,
followed and closed.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from cli.client import Refused
from cli.demo import Return, Walk, eventually
from tests.platform import Platform, example, walk_of

IOM_IRAQ, BELGIUM = "OFII-2015-00009", "FED-2019-00029"


async def asked_and_answered(walk: Walk, way: Return) -> None:
    """Whoever decides asks the sender, who answers by sending the referral again."""
    sender, path = walk.client(way.sender, "counsellor-12"), f"/v1/referrals/{way.referral_id}"
    decider = walk._decider(way, await walk.coordinator.get(path))
    await decider.post(f"{path}/request-information", {"question": "Where will they live?"})
    found = await sender.post(
        "/v1/referrals/search", {"external_reference": way.content["external_reference"]}
    )
    (asked,) = found["items"]
    assert (asked["id"], asked["state"], asked["question"]) == (
        way.referral_id,
        "information_requested",
        "Where will they live?",
    )
    seen = {"If-Match": (await sender.send("GET", path)).headers["etag"]}
    completed = way.content | {"destination": way.content["destination"] | {"district": "Center"}}
    answer = await sender.send("PUT", path, json=completed, headers=seen)
    assert answer.json()["state"] == "submitted"


async def prepared(walk: Walk, way: Return) -> None:
    """Before the departure: what they need, and a talk about what waits for them."""
    case, person = f"/v1/cases/{way.case_id}", way.returnees[0]
    today = datetime.now(UTC)
    screening = {
        "returnee_id": person,
        "phase": "pre_departure",
        "screened_on": today.date().isoformat(),
    }
    await walk.focal_point.post(f"{case}/screening", screening | {"needs_priority": "raised"})
    session = {
        "phase": "pre_departure",
        "method": "phone",
        "topics": ["plan"],
        "occurred_at": today.isoformat(),
    }
    language = way.content["people"][0]["languages"][0]
    await walk.focal_point.post(
        f"{case}/sessions", session | {"language": language, "attended": [person]}
    )


async def planned_twice(walk: Walk, way: Return) -> None:
    """A plan goes back with a reason, is put right, and is approved by another person than who
    wrote it.
    """
    path = f"/v1/cases/{way.case_id}"

    async def arrived() -> Any:
        return (await walk.focal_point.get(path))["state"] == "arrived"

    await eventually(arrived, "the case has heard of the arrival")
    await walk.focal_point.decide(
        path, "assign", {"focal_point": "focal-point-7", "office": "erbil"}
    )
    lines = walk._lines(way)
    await walk.focal_point.put_new(f"{path}/plan", {"lines": lines})
    agreed = {
        "agreed_on": datetime.now(UTC).date().isoformat(),
        "language": way.content["people"][0]["languages"][0],
    }
    for word, body in (("agree", agreed), ("submit", None)):
        await walk.focal_point.decide(f"{path}/plan", word, body)
    with pytest.raises(Refused) as refused:
        await walk.focal_point.decide(f"{path}/plan", "approve")
    assert refused.value.problem == "four-eyes"
    reason = {"reason": "incomplete", "comment": "Say where the shop will be."}
    assert (await walk.coordinator.decide(f"{path}/plan", "return", reason))["state"] == "returned"
    now = await walk.focal_point.send("GET", f"{path}/plan")
    kept = [
        {**line, "id": old["id"], "description": "A shop in the market"}
        for line, old in zip(lines, now.json()["lines"], strict=True)
    ]
    seen = {"If-Match": now.headers["etag"]}
    await walk.focal_point.send("PUT", f"{path}/plan", json={"lines": kept}, headers=seen)
    for word, body in (("agree", agreed), ("submit", None)):
        await walk.focal_point.decide(f"{path}/plan", word, body)
    approved = await walk.coordinator.decide(f"{path}/plan", "approve")
    assert (approved["state"], approved["lines"][0]["id"]) == ("approved", kept[0]["id"])


@pytest.mark.parametrize("reference", [IOM_IRAQ, BELGIUM])
async def test_a_return_from_the_question_to_the_last_visit(
    platform: Platform, reference: str
) -> None:
    walk = walk_of(platform)
    way = await walk.submit(example(reference, requested_assistance=["business"]))
    await walk.fund(way)
    await asked_and_answered(walk, way)
    await walk.accept(way)
    await prepared(walk, way)
    for step in (walk.confirm_travel, walk.meet):
        await step(way)
    await planned_twice(walk, way)
    deadlines = (await walk.focal_point.get("/v1/deadlines", case_id=way.case_id, limit=200))[
        "items"
    ]
    assert {"first_contact", "post_return"} <= {deadline["kind"] for deadline in deadlines}
    assert all(deadline["rule"]["source"] for deadline in deadlines)
    await walk.support(way)

    async def monitored() -> Any:
        return (await walk.focal_point.get(f"/v1/cases/{way.case_id}"))["state"] == "monitoring"

    await eventually(monitored, "the last line of the plan was delivered")
    await walk.follow_up(way)
    visits = (await walk.focal_point.get(f"/v1/cases/{way.case_id}/visits"))["items"]
    assert any(visit["state"] == "recorded" for visit in visits)
    assert any(visit["state"] == "scheduled" for visit in visits), (
        "the programme wants one after the delivery"
    )
    survey = {"case_id": way.case_id, "returnee_id": way.returnees[0], "instrument": "satisfaction"}
    later = {
        "round": "endline",
        "taken_on": datetime.now(UTC).date().isoformat(),
        "method": "phone",
    }
    answers = dict.fromkeys(("assistance", "counselling", "social", "community"), "5")
    language = {"language": way.content["people"][0]["languages"][0]}
    scored = await walk.focal_point.post(
        "/v1/surveys", survey | later | language | {"answers": answers}
    )
    assert Decimal(scored["change"]["composite"]) > 0
    closed = await walk.coordinator.decide(
        f"/v1/cases/{way.case_id}", "close", {"reason": "completed"}
    )
    assert closed["state"] == "closed"

    sender = walk.client(way.sender, "counsellor-12")
    seen = (await sender.get(f"/v1/referrals/{way.referral_id}"))["people"][0]
    assert (seen["case_state"], seen["closure_reason"], seen["arrival_state"]) == (
        "closed",
        "completed",
        "completed",
    )
    log = [event for event in await platform.log("cases") if event["subject"] == way.returnees[0]]
    page = await platform.fresh_timeline(
        walk.coordinator, way.returnees[0], up_to={"cases": log[-1]["position"]}
    )
    assert {event["id"] for event in log} <= {entry["id"] for entry in page["items"]}
    types = [event["type"].split(".cases.")[1].removesuffix(".v1") for event in log]
    for told in (
        "screening.recorded",
        "session.held",
        "plan.returned",
        "plan.approved",
        "visit.recorded",
        "case.closed",
    ):
        assert told in types
