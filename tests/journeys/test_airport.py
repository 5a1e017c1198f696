"""From the airport's desk to a case: who came without a referral, and who was on the manifest and
in a referral.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from cli.demo import eventually
from tests.platform import Platform, example, walk_of

PARTICULARS = {
    "names": [{"script": "Latn", "given": "Zaynab", "family": "Example"}],
    "sex": "female",
    "birth": {"date": "1990-01-01", "precision": "estimated"},
    "nationality": "IRQ",
}


async def test_cases_adopts_a_walk_in_under_the_id_of_the_desk_also_when_it_was_down(
    platform: Platform,
) -> None:
    desk = platform.client("iom-iraq", "desk-3")
    platform.kill("cases")
    met = await desk.post(
        "/v1/arrivals",
        {
            "port_of_entry": "EBL",
            "programme": "eurp",
            "return_kind": "forced",
            "particulars": PARTICULARS,
            "occurred_at": (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
        },
    )
    await desk.post(f"/v1/arrivals/{met['id']}/complete", {})
    returnee_id = met["returnee_id"]

    async def adopted() -> Any:
        answer = await desk.call("GET", f"/v1/returnees/{returnee_id}")
        assert answer.status_code in {200, 404, 503}
        return answer.json() if answer.is_success and answer.json()["case_ids"] else None

    returnee = await eventually(adopted, "cases has adopted the walk-in")
    assert returnee["identity"]["names"][0]["given"] == "Zaynab"

    async def arrived() -> Any:
        case = await desk.get(f"/v1/cases/{returnee['case_ids'][0]}")
        member = case["members"][0]
        return (
            case if (case["state"], member["arrival_state"]) == ("arrived", "completed") else None
        )

    case = await eventually(arrived, "the case knows of the arrival")
    assert (case["programme"], case["implementer"]) == ("eurp", "iom-iraq")

    async def told() -> Any:
        answer = await desk.call(
            "GET", f"/v1/returnees/{returnee_id}/timeline", params={"limit": 200}
        )
        page = answer.json() if answer.is_success else {"items": []}
        types = {entry["type"].removeprefix("org.homeward.") for entry in page["items"]}
        wanted = {
            "cases.returnee.registered.v1",
            "cases.case.opened.v1",
            "reception.arrival.received.v1",
        }
        return page if wanted <= types else None

    await eventually(told, "the timeline tells it")


async def test_a_referral_and_a_manifest_meet_in_one_arrival(platform: Platform) -> None:
    walk = walk_of(platform)
    way = await walk.submit(example())
    await walk.accept(way)
    await walk.confirm_travel(way)
    desk = platform.client("iom-iraq", "desk-3")

    async def expected() -> Any:
        return (await desk.get("/v1/arrivals", returnee_id=way.returnees[0]))["items"] or None

    (arrival,) = await eventually(expected, "the arrival is expected")
    flight = await desk.post(
        "/v1/flights",
        {
            "charter": True,
            "origin": "BRU",
            "port_of_entry": arrival["port_of_entry"],
            "scheduled_at": arrival["expected_at"],
        },
    )
    path = f"/v1/flights/{flight['id']}/manifest"
    passenger = {
        "seat": "3A",
        "nationality": "IRQ",
        "given_names": "AS ON THE PASSPORT",
        "external_reference": way.content["external_reference"],
        "person": 0,
    }
    await desk.put_new(path, {"passengers": [passenger, {"seat": "3B", "nationality": "IRQ"}]})

    async def one() -> Any:
        first = (await desk.get(path))["passengers"][0]
        return first if first["returnee_id"] == way.returnees[0] else None

    first = await eventually(one, "the passenger is known to be the returnee")
    assert first["arrival_id"] == arrival["id"]
    on_flight = (await desk.get("/v1/arrivals", flight_id=flight["id"]))["items"]
    assert len(on_flight) == 2


async def test_a_family_that_walks_in_is_one_household_and_one_case(platform: Platform) -> None:
    desk = platform.client("iom-iraq", "desk-3")
    household = str(uuid4())
    at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    people = {}
    for member, born in (
        ("child", "2018-01-01"),
        ("principal", "1990-01-01"),
        ("adult", "1992-01-01"),
    ):
        met = await desk.post(
            "/v1/arrivals",
            {
                "port_of_entry": "EBL",
                "programme": "eurp",
                "return_kind": "forced",
                "household_id": household,
                "member": member,
                "particulars": PARTICULARS | {"birth": {"date": born, "precision": "estimated"}},
                "occurred_at": at,
            },
        )
        assert met["household_id"] == household
        people[met["returnee_id"]] = member

    async def adopted() -> Any:
        answers = [await desk.call("GET", f"/v1/returnees/{who}") for who in people]
        found = [
            answer.json() for answer in answers if answer.is_success and answer.json()["case_ids"]
        ]
        return found if len(found) == len(people) else None

    returnees = await eventually(adopted, "cases has adopted the family")
    assert {each["household_id"] for each in returnees} == {household}
    (case_id,) = {each["case_ids"][0] for each in returnees}

    async def arrived() -> Any:
        case = await desk.get(f"/v1/cases/{case_id}")
        return case if {each["arrival_state"] for each in case["members"]} == {"met"} else None

    case = await eventually(arrived, "the case knows of their arrival")
    assert {each["returnee_id"]: each["member"] for each in case["members"]} == people
    assert (case["household_id"], case["state"]) == (household, "arrived")
