"""What cases lets a plan promise, the real grants gives."""

import pytest

from cli.client import Refused
from cli.demo import eventually
from tests.platform import Platform, example, walk_of


async def test_a_plan_promises_what_is_then_granted(platform: Platform) -> None:
    walk = walk_of(platform)
    way = await walk.submit(example("BAMF-2022-00009"))
    for step in (walk.fund, walk.accept, walk.confirm_travel, walk.prepare_cash, walk.meet):
        await step(way)
    path = f"/v1/cases/{way.case_id}/plan"

    async def arrived() -> bool:
        return (await walk.focal_point.get(f"/v1/cases/{way.case_id}"))["state"] == "arrived"

    await eventually(arrived, "the case has heard of the arrival")

    def lines(amount: str) -> dict[str, object]:
        line = {
            "kind": "business",
            "beneficiary": way.returnees[0],
            "description": "Tools",
            "budget": {"amount": amount, "currency": "EUR"},
            "level": "individual",
        }
        return {"lines": [line]}

    with pytest.raises(Refused) as refused:
        await walk.focal_point.put_new(path, lines("50000.00"))
    assert refused.value.answer is not None
    (rule,) = refused.value.answer.json()["rules"]
    assert (rule["code"], rule["package"]) == ("ceiling", "post_return")
    plan = await walk.focal_point.put_new(path, lines(rule["left"]["amount"]))
    today = (await walk.focal_point.get(f"/v1/cases/{way.case_id}"))["arrived_on"]
    await walk.focal_point.decide(path, "agree", {"agreed_on": today, "language": "ckb"})
    await walk.focal_point.decide(path, "submit")
    await walk.coordinator.decide(path, "approve")

    async def granted() -> object:
        found = await walk.focal_point.get("/v1/grants", case_id=way.case_id, kind="business")
        return found["items"]

    (grant,) = await eventually(granted, "the plan is requested")
    assert (grant["state"], grant["reason"]) == ("requested", None)
    assert grant["amount"] == rule["left"]
    assert grant["plan_line_id"] == plan["lines"][0]["id"]
