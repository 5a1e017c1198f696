"""Training and work as journeys: the Belgian and the Finnish programme, from a course to a
certificate to a job.
"""

from pathlib import Path
from typing import Any

import httpx

from cli.demo import Return, Walk, eventually, held_today
from tests.journeys.teaching import BELGIUM, completed, courses, wishes
from tests.platform import Platform, example, walk_of

FINLAND = "MIG-2021-00058"
COURSES = Path(__file__).parents[2] / "examples" / "courses.csv"


async def cohort(walk: Walk, course: dict[str, Any], sessions: int, **values: Any) -> str:
    body = {"course_id": course["id"], "sessions": held_today(sessions)} | values
    return str((await walk.coordinator.post("/v1/cohorts", body))["id"])


async def took(
    walk: Walk, way: Return, course: dict[str, Any], sessions: int, **values: Any
) -> dict[str, Any]:
    """The head of the family takes a course from beginning to end."""
    place = await cohort(walk, course, sessions, **values)
    return await completed(walk, await walk.enrol(way, place, despite_clash=True), sessions)


async def test_belgium_from_orientation_to_a_trade_and_a_job(platform: Platform) -> None:
    walk = walk_of(platform)
    asked = {"requested_assistance": ["vocational_training", "job_placement"]}
    way = await walk.submit(example(BELGIUM, **asked))
    for step in (walk.accept, walk.confirm_travel, walk.meet, walk.plan):
        await step(way)
    offered = await courses(walk)
    manual = await took(walk, way, offered["C006"], 1)
    handed = await walk.coordinator.post(
        f"/v1/enrolments/{manual['id']}/manual", {"handed_on": "2026-01-05"}
    )
    assert handed["manual_on"] == "2026-01-05"
    await took(walk, way, offered["C009"], 1)

    asked_for = await wishes(walk, way, "vocational", "job_readiness")
    wish = asked_for["vocational"]
    barbering = await cohort(walk, offered["C016"], 3)
    body = {"cohort_id": barbering, "despite_clash": True}
    placed = await walk.coordinator.decide(f"/v1/enrolments/{wish['id']}", "place", body)
    assert (placed["state"], placed["stipend"]) == ("enrolled", True)
    done = await completed(walk, placed, 3)

    async with httpx.AsyncClient(base_url=platform.gateway) as anybody:
        answer = await anybody.get(f"/v1/certificates/{done['certificate_code']}")
        assert (answer.status_code, answer.json()["title"]) == (200, "Barbering and hairdressing")
        assert (await anybody.get(f"/v1/enrolments/{done['id']}")).status_code == 401

    async def printed() -> Any:
        answer = await walk.coordinator.call("GET", f"/v1/enrolments/{done['id']}/certificate")
        return answer.content if answer.status_code == 200 else None

    assert (await eventually(printed, "the name for the certificate is fetched")).startswith(
        b"%PDF-"
    )

    work = {
        "employer_id": "",
        "title": "Barber",
        "kind": "job",
        "occupation": "5141",
        "country": "IRQ",
    }
    work["employer_id"] = (
        await walk.coordinator.post("/v1/employers", {"name": "Salon", "country": "IRQ"})
    )["id"]
    vacancy = await walk.coordinator.post("/v1/vacancies", work)
    matches = (await walk.coordinator.get(f"/v1/vacancies/{vacancy['id']}/matches", limit=100))[
        "items"
    ]
    mine = next(match for match in matches if match["returnee_id"] == way.returnees[0])
    assert mine["reasons"][0]["words"] == "the same occupation"
    proposal = {"vacancy_id": vacancy["id"], "returnee_id": way.returnees[0]}
    placement = await walk.coordinator.post("/v1/placements", proposal)
    await walk.coordinator.post(
        f"/v1/placements/{placement['id']}/start", {"started_on": "2026-03-01"}
    )

    async def delivered() -> Any:
        plan = await walk.coordinator.get(f"/v1/cases/{way.case_id}/plan")
        return all(line["delivered_at"] for line in plan["lines"])

    await eventually(delivered, "cases has moved every line of the plan on")
    case = await walk.coordinator.get(f"/v1/cases/{way.case_id}")
    assert case["state"] == "monitoring"
    log = await platform.log("training")
    page = await platform.fresh_timeline(
        walk.coordinator, way.returnees[0], up_to={"training": log[-1]["position"]}
    )
    shown = [entry for entry in page["items"] if entry["service"] == "training"]
    recorded = [event for event in log if event["subject"] == way.returnees[0]]
    assert {entry["id"] for entry in shown} == {event["id"] for event in recorded}
    assert not [entry for entry in shown if "psycho" in str(entry).lower()]
    assert any(
        entry["summary"].startswith("Completed training: vocational training") for entry in shown
    )


async def test_finland_prepares_before_the_departure_and_goes_on_after_the_arrival(
    platform: Platform,
) -> None:
    walk = walk_of(platform)
    way = await walk.submit(example(FINLAND))
    await walk.accept(way)
    offered = await courses(walk)
    migri = platform.client("migri", "counsellor-12")

    place = await cohort(walk, offered["C039"], 2, time_zone="Europe/Helsinki")
    body = {"returnee_id": way.returnees[0], "cohort_id": place}

    async def known() -> Any:
        answer = await migri.call("POST", "/v1/enrolments", json=body)
        return answer.json() if answer.status_code == 201 else None

    prepared = await completed(walk, await eventually(known, "training knows of the case"), 2)
    assert prepared["state"] == "completed"
    online = {
        "returnee_id": way.returnees[0],
        "cohort_id": await cohort(walk, offered["C040"], 1, time_zone="UTC"),
    }
    assert (await migri.post("/v1/enrolments", online | {"despite_clash": True}))[
        "state"
    ] == "enrolled"
    too_early = {
        "returnee_id": way.returnees[0],
        "cohort_id": await cohort(walk, offered["C043"], 3),
    }
    answer = await walk.coordinator.call("POST", "/v1/enrolments", json=too_early)
    assert answer.json()["type"] == "/problems/not-eligible"

    for step in (walk.confirm_travel, walk.meet, walk.plan):
        await step(way)
    for code, sessions in (("C043", 3), ("C041", 8), ("C042", 6)):
        done = await took(walk, way, offered[code], sessions)
        assert done["certificate_code"]
    too_late = await migri.call("POST", "/v1/enrolments", json=body | {"cohort_id": place})
    assert too_late.status_code == 409
    up_to = {"training": (await platform.log("training"))[-1]["position"]}
    page = await platform.fresh_timeline(walk.coordinator, way.returnees[0], up_to=up_to)
    kinds = [entry["type"] for entry in page["items"]]
    assert kinds.count("org.homeward.training.enrolment.completed.v1") == 4


async def test_a_plan_finds_its_cohort_and_a_line_taken_out_of_it_is_for_a_person_to_decide(
    platform: Platform,
) -> None:
    walk = walk_of(platform)
    content = example(BELGIUM, requested_assistance=["vocational_training", "business"])
    content["destination"] |= {"governorate": "IQ-BA"}
    way = await walk.submit(content)
    for step in (walk.fund, walk.accept, walk.confirm_travel, walk.meet):
        await step(way)
    mechanics = (await courses(walk))["C023"]
    in_spring = [{"starts_at": "2090-03-01T09:00:00+03:00", "ends_at": "2090-03-01T15:00:00+03:00"}]
    body = {"course_id": mechanics["id"], "sessions": in_spring, "capacity": 1}
    place = (await walk.coordinator.post("/v1/cohorts", body))["id"]
    await walk.plan(way)

    async def chosen() -> Any:
        wish = (await wishes(walk, way, "vocational"))["vocational"]
        return wish if wish["state"] == "enrolled" else None

    enrolment = await eventually(chosen, "the only cohort that suits is chosen")
    assert enrolment["cohort_id"] == place
    roster = await platform.client("training-provider-7", "lecturer-5").get(
        f"/v1/cohorts/{place}/participants"
    )
    assert [each["returnee_id"] for each in roster["items"]] == [way.returnees[0]]

    async def requested() -> Any:
        found = (
            await walk.finance.get("/v1/grants", case_id=way.case_id, kind="vocational_training")
        )["items"]
        return found[0] if found else None

    fees = await eventually(requested, "the fees are asked for")
    await walk.coordinator.decide(f"/v1/grants/{fees['id']}", "reject", {"reason": "other"})
    plan = f"/v1/cases/{way.case_id}/plan"
    draft = await walk.focal_point.post(f"{plan}/amend", {"comment": "They found work."})
    names = ("id", "kind", "beneficiary", "description", "budget", "level")
    lines = [
        {name: line[name] for name in names}
        for line in draft["lines"]
        if line["kind"] == "business"
    ]

    async def written() -> bool:
        seen = (await walk.focal_point.call("GET", plan)).headers["etag"]
        answer = await walk.focal_point.call(
            "PUT", plan, json={"lines": lines}, headers={"If-Match": seen}
        )
        return answer.status_code == 200

    await eventually(written, "cases has heard that the fees are not granted, and lets the line go")
    await walk.focal_point.decide(plan, "agree", {"agreed_on": "2026-06-01", "language": "ar"})
    await walk.focal_point.decide(plan, "submit")
    await walk.coordinator.decide(plan, "approve")

    async def questioned() -> Any:
        seen = await walk.coordinator.get(f"/v1/enrolments/{enrolment['id']}")
        return seen if seen["review"] == "line_removed" else None

    assert (await eventually(questioned, "training has heard of the new plan"))[
        "state"
    ] == "enrolled"
    listed = (await walk.coordinator.get("/v1/enrolments", review="true", limit=200))["items"]
    assert enrolment["id"] in {item["id"] for item in listed}
    await walk.coordinator.post(f"/v1/enrolments/{enrolment['id']}/cancel", None)
    assert (await walk.coordinator.get(f"/v1/cohorts/{place}"))["seats_taken"] == 0


async def test_a_closed_case_gives_its_place_to_who_waits(platform: Platform) -> None:
    walk = walk_of(platform)
    ways = [await walk.submit(example(BELGIUM)) for _ in range(2)]
    for way in ways:
        for step in (walk.accept, walk.confirm_travel, walk.meet, walk.plan):
            await step(way)
    course = (await courses(walk))["C024"]
    tomorrow = [{"starts_at": "2090-01-01T09:00:00+03:00", "ends_at": "2090-01-01T15:00:00+03:00"}]
    body = {"course_id": course["id"], "sessions": tomorrow, "capacity": 1}
    place = (await walk.coordinator.post("/v1/cohorts", body))["id"]
    first, second = [await walk.enrol(way, place) for way in ways]
    assert (first["state"], second["state"]) == ("enrolled", "waitlisted")
    await walk.coordinator.decide(
        f"/v1/cases/{ways[0].case_id}", "close", {"reason": "withdrawn", "comment": "-"}
    )

    async def offered() -> Any:
        return (await walk.coordinator.get(f"/v1/enrolments/{second['id']}"))["state"] == "offered"

    await eventually(offered, "the place is offered to who waits")
    taken = await walk.coordinator.decide(f"/v1/enrolments/{second['id']}", "accept")
    assert taken["state"] == "enrolled"
