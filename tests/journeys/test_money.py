"""From an approved plan to the last confirmed payment, over HTTP only, and the books proved
afterwards.
"""

from decimal import Decimal

from cli.demo import eventually
from tests.platform import Platform, example, walk_of, walked


async def test_a_plan_becomes_grants_that_are_paid_once(platform: Platform) -> None:
    way = await walked(platform, example("BAMF-2023-00009"))
    finance = platform.client("iom-iraq", "finance-4")
    plan = await finance.get(f"/v1/cases/{way.case_id}/plan")
    grants = (await finance.get("/v1/grants", case_id=way.case_id))["items"]
    of_plan = [grant for grant in grants if grant["plan_line_id"] is not None]
    assert sorted(grant["plan_line_id"] for grant in of_plan) == sorted(
        line["id"] for line in plan["lines"]
    )
    assert {grant["state"] for grant in of_plan} == {"closed"}
    (cash,) = [grant for grant in grants if grant["plan_line_id"] is None]

    async def handed_over() -> bool:
        payments = (await finance.get("/v1/payments", grant_id=cash["id"]))["items"]
        return [payment["state"] for payment in payments] == ["confirmed"]

    await eventually(handed_over, "the desk's pocket money is the receipt of the prepared cash")
    payments = (await finance.get("/v1/payments", returnee_id=way.returnees[0]))["items"]
    paid = sum(
        Decimal(payment["amount"]["amount"])
        for payment in payments
        if payment["state"] == "confirmed"
    )
    assert paid == Decimal("150.00") + 300 * len(of_plan)
    assert await platform.books() == ()
    timeline = await walk_of(platform).timeline(finance, way.returnees[0])
    told = [entry["type"].split(".", 2)[2] for entry in timeline["items"]]
    assert told.count("grants.payment.confirmed.v1") == len(payments)


async def test_a_closed_case_gives_back_what_was_not_spent(platform: Platform) -> None:
    walk = walk_of(platform)
    way = await walk.submit(example("BAMF-2022-00009"))
    for step in (
        walk.fund,
        walk.accept,
        walk.confirm_travel,
        walk.prepare_cash,
        walk.meet,
        walk.plan,
    ):
        await step(way)
    finance = platform.client("iom-iraq", "finance-4")

    async def requested() -> bool:
        found = (await finance.get("/v1/grants", case_id=way.case_id, state="requested"))["items"]
        return len(found) == 1

    await eventually(requested, "the plan is requested")
    await walk.coordinator.decide(
        f"/v1/cases/{way.case_id}", "close", {"reason": "withdrawn", "comment": ""}
    )

    async def ended() -> bool:
        found = (await finance.get("/v1/grants", case_id=way.case_id))["items"]
        return {grant["state"] for grant in found} <= {"closed", "cancelled"}

    await eventually(ended, "nothing is held for a closed case")
    assert await platform.books() == ()
