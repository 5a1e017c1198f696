"""All that every service holds about a person, for them: from each of them, and honest about one
that is down.
"""

import json
from typing import Any

import psutil

from cli.demo import Return, eventually
from tests.platform import SERVICES, Platform, example, walked


async def export(
    platform: Platform, way: Return, client: str = "iom-iraq", person: str | None = "focal-7"
) -> Any:
    return await platform.client(client, person).call(
        "GET", f"/v1/returnees/{way.returnees[0]}/export"
    )


async def test_everything_from_every_service(platform: Platform) -> None:
    way = await walked(platform, example())
    answer = await export(platform, way)
    assert answer.status_code == 200, answer.text
    assert "attachment" in answer.headers["content-disposition"]
    document = answer.json()
    assert document["complete"], document["missing"]
    assert document["missing"] == []
    assert set(document["services"]) == {"gateway", *SERVICES}
    tables = {service: part["tables"] for service, part in document["services"].items()}
    person = way.content["people"][0]
    assert tables["cases"]["returnee"][0]["names"] == person["names"]
    assert tables["cases"]["referral"][0]["person"]["birth"] == person["birth"]
    assert {"case_file", "case_member", "plan_line", "consent"} <= set(tables["cases"])
    assert {"arrival", "arrival_assistance", "identity_copy"} <= set(tables["reception"])
    assert tables["reception"]["identity_copy"][0]["sealed"]["names"] == person["names"]
    assert {"assistance_grant", "payment"} <= set(tables["grants"])
    assert {"beneficiary"} <= set(tables["training"])
    assert tables["gateway"]["timeline"]
    others = set(way.returnees[1:])
    for service, part in tables.items():
        for name, rows in part.items():
            assert not others & {str(row.get("returnee_id")) for row in rows}, (service, name)


async def test_only_for_who_hands_it_to_the_person_and_audited(platform: Platform) -> None:
    way = await walked(platform, example())
    assert (await export(platform, way, way.sender, "counsellor-1")).status_code == 403
    assert (await export(platform, way, person=None)).status_code == 403

    async def whole() -> Any:
        return (await export(platform, way)).json()["complete"] or None

    await eventually(whole, "every service answers")
    report = await platform.client("iom-iraq").get(
        f"/v1/returnees/{way.returnees[0]}/access-report"
    )
    assert "export" in {each["action"] for each in report["items"]}


async def test_a_service_that_is_down_is_said(platform: Platform) -> None:
    way = await walked(platform, example())
    stopped = psutil.Process(platform.pid("training"))
    stopped.suspend()  # it neither answers nor is started again
    try:
        answer = await export(platform, way)
    finally:
        stopped.resume()
    assert answer.status_code == 200
    document = json.loads(answer.text)
    assert (document["complete"], document["missing"]) == (False, ["training"])
    assert document["services"]["training"] == {"complete": False, "tables": {}, "withheld": []}
    assert document["services"]["cases"]["complete"]

    async def whole() -> Any:
        return (await export(platform, way)).json()["complete"] or None

    await eventually(whole, "it answers again")
