"""Grants rests money on papers that cases keeps: what it may know of them, with the real cases."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from cli.client import Refused
from cli.demo import PAPER, Return, Walk, eventually
from tests.platform import Platform, example, walk_of


async def _arrived(platform: Platform) -> tuple[Walk, Return]:
    walk = walk_of(platform)
    way = await walk.submit(example("BAMF-2022-00009"))
    for step in (walk.fund, walk.accept, walk.confirm_travel, walk.prepare_cash, walk.meet):
        await step(way)
    return walk, way


async def _released(walk: Walk, path: str, body: dict[str, Any]) -> Any:
    """A payment, once cases has answered; until then it is not said that its papers are missing."""
    try:
        return await walk.finance.decide(path, "release", body)
    except Refused as refused:
        if refused.problem != "papers-pending":
            raise
        return None


@pytest.mark.parametrize("method", ["cash", "mobile"])
async def test_money_that_somebody_pays_by_hand_needs_that_their_identity_was_seen(
    platform: Platform, method: str
) -> None:
    walk, way = await _arrived(platform)
    returnee = way.returnees[0]
    wanted = {
        "case_id": way.case_id,
        "returnee_id": returnee,
        "kind": "cash",
        "amount": {"amount": "50.00", "currency": "EUR"},
    }
    grant = await walk.focal_point.post("/v1/grants", wanted)
    path = f"/v1/grants/{grant['id']}"
    await walk.coordinator.decide(path, "approve")
    seen = await walk.focal_point.upload(PAPER, kind="identity", returnee_id=returnee)
    order = {"method": method, "amount": wanted["amount"]}
    if method == "mobile":
        payee = {
            "kind": "returnee",
            "returnee_id": returnee,
            "details": {"name": "Example", "account": "9647500000017"},
        }
        made = await walk.finance.post("/v1/payees", payee)
        await walk.coordinator.decide(f"/v1/payees/{made['id']}", "verify")
        order["payee_id"] = made["id"]
    payment = await walk.focal_point.post(f"{path}/payments", order)
    at = f"/v1/payments/{payment['id']}"
    float_id = {"float_id": await walk._float(way)} if method == "cash" else {}
    with pytest.raises(Refused) as refused:
        await walk.finance.decide(at, "release", float_id)
    assert refused.value.problem == "papers-missing"
    papers = {"papers": [{"kind": "identity_seen", "document": seen["id"]}]}
    await walk.focal_point.post(f"{at}/papers", papers)
    released = await eventually(
        partial(_released, walk, at, float_id), "cases has said that it has the paper"
    )
    assert released["state"] == "released"
    receipt = await walk.focal_point.upload(PAPER, kind="payment", case_id=way.case_id)
    received = {"confirmed_on": datetime.now(UTC).date().isoformat(), "receipt": receipt["id"]}
    confirmed = await walk.focal_point.post(f"{at}/confirm", received)
    assert confirmed["state"] == "confirmed"
    assert await platform.books() == ()
