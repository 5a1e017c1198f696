"""Steps of a return through training."""

from typing import Any

from cli.demo import Return, Walk, eventually

BELGIUM = "FED-2019-00029"


async def courses(walk: Walk) -> dict[str, Any]:
    """The courses of the list, by code."""
    await walk.offer_courses()
    listed = (await walk.coordinator.get("/v1/courses", limit=200))["items"]
    return {course["code"]: course for course in listed}


async def completed(walk: Walk, enrolment: dict[str, Any], sessions: int) -> dict[str, Any]:
    await walk.attend(enrolment, sessions)
    done: dict[str, Any] = await walk.coordinator.decide(
        f"/v1/enrolments/{enrolment['id']}", "complete"
    )
    return done


async def wishes(walk: Walk, way: Return, *kinds: str) -> dict[str, dict[str, Any]]:
    """What the approved plan asks for, once training has fetched it."""

    async def fetched() -> Any:
        items = (await walk.coordinator.get("/v1/enrolments", returnee_id=way.returnees[0]))[
            "items"
        ]
        found = {item["kind"]: item for item in items if item["plan_line_id"]}
        return found if found.keys() >= set(kinds) else None

    found: dict[str, dict[str, Any]] = await eventually(fetched, "training has fetched the plan")
    return found
