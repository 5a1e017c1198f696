"""Belgium's programme as its partners describe it: allowances by attendance, a subsidised job, and
a cooperative.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from cli.client import Refused
from cli.demo import PAID_SESSIONS, PAPER, Return, Walk, eventually, held_today
from tests.journeys.teaching import BELGIUM, completed, courses, wishes
from tests.platform import Platform, example, walk_of

WAGE = {"amount": "260.00", "currency": "EUR"}
WANTED = {"vocational_training": "300.00", "living_allowance": "100.00", "job_placement": "50.00"}
SUBSIDY = "450.00"


async def home(walk: Walk) -> Return:
    """Somebody who has just come home."""
    way = await walk.submit(example(BELGIUM))
    for step in (walk.fund, walk.accept, walk.confirm_travel, walk.meet):
        await step(way)
    return way


async def granted(walk: Walk, way: Return, kind: str) -> dict[str, Any]:
    """The grant that the plan's line of a kind has become, approved."""

    async def requested() -> Any:
        found = (await walk.finance.get("/v1/grants", case_id=way.case_id, kind=kind))["items"]
        return found[0] if found else None

    grant = await eventually(requested, "the line of the plan is a grant")
    approved: dict[str, Any] = await walk.coordinator.decide(f"/v1/grants/{grant['id']}", "approve")
    assert approved["state"] == "approved"
    return approved


async def payments_of(walk: Walk, grant: dict[str, Any], number: int) -> list[dict[str, Any]]:
    async def there() -> Any:
        found = (await walk.finance.get("/v1/payments", grant_id=grant["id"]))["items"]
        return found if len(found) >= number else None

    found: list[dict[str, Any]] = await eventually(there, "what was earned is scheduled")
    return found


async def uploaded(walk: Walk, way: Return, kind: str) -> str:
    """A paper about the case, by its id."""
    return str((await walk.focal_point.upload(PAPER, kind=kind, case_id=way.case_id))["id"])


async def released(walk: Walk, due: list[dict[str, Any]]) -> Any:
    """Several payments, released at once as soon as cases has their papers."""
    try:
        return (await walk.finance.post("/v1/payments/release", {"payments": due}))["items"]
    except Refused as refused:
        if refused.problem != "papers-pending":
            raise
        return None


async def told(walk: Walk, platform: Platform, returnee_id: str, *services: str) -> list[str]:
    up_to = {service: (await platform.log(service))[-1]["position"] for service in services}
    page = await platform.fresh_timeline(walk.finance, returnee_id, up_to=up_to)
    return [
        entry["type"].removeprefix("org.homeward.").removesuffix(".v1") for entry in page["items"]
    ]


async def test_a_trade_with_an_allowance_and_a_job_with_a_subsidy(platform: Platform) -> None:
    walk = walk_of(platform)
    amounts = WANTED | {"wage_subsidy": SUBSIDY}
    walk._lines = lambda way: [  # type: ignore[method-assign] # this plan has more lines than the referral asks for
        {
            "kind": kind,
            "beneficiary": way.returnees[0],
            "description": "As agreed",
            "budget": {"amount": amount, "currency": "EUR"},
            "level": "individual",
        }
        for kind, amount in amounts.items()
    ]
    way = await home(walk)
    await walk.plan(way)
    returnee = way.returnees[0]
    offered = await courses(walk)
    wish = (await wishes(walk, way, "vocational"))["vocational"]
    allowance = await granted(walk, way, "living_allowance")
    subsidy = await granted(walk, way, "wage_subsidy")

    held = {"course_id": offered["C016"]["id"], "sessions": held_today(PAID_SESSIONS)}
    cohort = (await walk.coordinator.post("/v1/cohorts", held))["id"]
    place = {"cohort_id": cohort, "despite_clash": True}
    placed = await walk.coordinator.decide(f"/v1/enrolments/{wish['id']}", "place", place)
    await completed(walk, placed, PAID_SESSIONS)
    scheduled = await payments_of(walk, allowance, PAID_SESSIONS)
    assert [(p["state"], p["method"], p["amount"]["amount"]) for p in scheduled] == [
        ("scheduled", "cash", "10.00")
    ] * PAID_SESSIONS
    await walk.allow(way)
    paid = (await walk.finance.get(f"/v1/grants/{allowance['id']}"))["paid"]
    assert Decimal(paid["amount"]) == 10 * PAID_SESSIONS

    employer = (await walk.coordinator.post("/v1/employers", {"name": "Salon", "country": "IRQ"}))[
        "id"
    ]
    work = {
        "employer_id": employer,
        "title": "Barber",
        "kind": "job",
        "occupation": "5141",
        "country": "IRQ",
    }
    vacancy = await walk.coordinator.post("/v1/vacancies", work | {"wage": WAGE})
    proposal = {"vacancy_id": vacancy["id"], "returnee_id": returnee, "wage_subsidy": True}
    placement = await walk.coordinator.post("/v1/placements", proposal)
    today = datetime.now(UTC).date()
    started = {"started_on": (today - timedelta(days=70)).isoformat()}
    await walk.coordinator.post(f"/v1/placements/{placement['id']}/start", started)
    instalments = await payments_of(walk, subsidy, 4)
    assert [Decimal(p["amount"]["amount"]) for p in instalments] == [130, 130, 130, 60]
    account = {
        "kind": "employer",
        "details": {"name": "Salon", "account": "IQ00TEST000000000000008"},
    }
    payee = await walk.finance.post("/v1/payees", account)
    await walk.coordinator.decide(f"/v1/payees/{payee['id']}", "verify")
    papers = [
        {"kind": kind, "document": await uploaded(walk, way, kind)}
        for kind in ("contract", "invoice")
    ]
    due = []
    for payment in instalments[:2]:
        path = f"/v1/payments/{payment['id']}"
        await walk.focal_point.post(f"{path}/papers", {"papers": papers})
        seen = {"If-Match": (await walk.focal_point.send("GET", path)).headers["etag"]}
        ready = (
            await walk.focal_point.send("PATCH", path, json={"payee_id": payee["id"]}, headers=seen)
        ).json()
        due.append({"payment_id": ready["id"], "version": ready["version"]})
    for payment in await eventually(partial(released, walk, due), "cases has the papers"):
        receipt = {
            "confirmed_on": today.isoformat(),
            "receipt": await uploaded(walk, way, "payment"),
        }
        await walk.focal_point.post(f"/v1/payments/{payment['id']}/confirm", receipt)
    left = {"reason": "resigned", "ended_on": (today - timedelta(days=1)).isoformat()}
    await walk.coordinator.post(f"/v1/placements/{placement['id']}/end", left)

    async def stopped() -> bool:
        found = (await walk.finance.get("/v1/payments", grant_id=subsidy["id"]))["items"]
        return [p["state"] for p in found] == ["confirmed", "confirmed", "failed", "failed"]

    await eventually(stopped, "what was not worked is not paid")
    types = await told(walk, platform, returnee, "grants", "training")
    assert types.count("training.attendance.recorded") == PAID_SESSIONS
    assert types.count("grants.payment.confirmed") == PAID_SESSIONS + 2
    assert types.count("grants.payment.failed") == 2
    assert await platform.books() == ()


async def test_a_cooperative_from_the_proposal_to_what_came_of_it(platform: Platform) -> None:
    walk = walk_of(platform)
    ways = [await home(walk), await home(walk)]
    members = [
        {"returnee_id": way.returnees[0], "case_id": way.case_id, "share": share}
        for way, share in zip(ways, ("3", "1"), strict=True)
    ]
    body = {"name": "Bakery of the bridge", "kind": "social", "shares": "4", "members": members}

    async def known() -> Any:
        answer = await walk.focal_point.call("POST", "/v1/cooperatives", json=body)
        return answer.json() if answer.status_code == 201 else None

    proposed = await eventually(known, "grants knows of both cases")
    path = f"/v1/cooperatives/{proposed['id']}"
    minutes = {"minutes": await uploaded(walk, ways[0], "contract")}
    for number in range(proposed["committee_needed"]):
        there = await platform.client("iom-iraq", f"committee-{number}").decide(
            path, "select", minutes
        )
    assert there["state"] == "selected"
    today = datetime.now(UTC).date().isoformat()
    there = await walk.focal_point.decide(
        path, "form", {"formed_on": today, "statutes": await uploaded(walk, ways[1], "contract")}
    )
    joint = {"amount": {"amount": "1000.00", "currency": "EUR"}, "description": "An oven"}
    there = await walk.focal_point.decide(path, "grant", joint)
    assert [member["part"]["amount"] for member in there["members"]] == ["750.00", "250.00"]
    grant = f"/v1/grants/{there['grant_id']}"
    await walk.coordinator.decide(grant, "approve")
    await walk.focal_point.post(f"{grant}/order", None)
    handed = {"delivered_on": today, "certificate": await uploaded(walk, ways[0], "delivery")}
    await walk.focal_point.post(f"{grant}/delivery", handed)
    invoice = {
        "method": "bank",
        "amount": {"amount": "600.00", "currency": "EUR"},
        "payee_id": await walk._payee(),
        "papers": [{"kind": "invoice", "document": await uploaded(walk, ways[1], "invoice")}],
    }
    payment = await walk.focal_point.post(f"{grant}/payments", invoice)
    due = [{"payment_id": payment["id"], "version": 1}]
    await eventually(partial(released, walk, due), "cases has the invoice")
    receipt = {"confirmed_on": today, "receipt": await uploaded(walk, ways[0], "payment")}
    await walk.focal_point.post(f"/v1/payments/{payment['id']}/confirm", receipt)
    report = {"starts_on": today, "ends_on": today, "jobs": 5, "services": ["food"]}
    there = await walk.focal_point.post(f"{path}/impact", report)
    assert there["jobs"] == 5
    for way in ways:
        types = await told(walk, platform, way.returnees[0], "grants")
        assert [kind for kind in types if kind.startswith("grants.cooperative.")] == [
            "grants.cooperative.impact_reported",
            "grants.cooperative.formed",
            "grants.cooperative.selected",
            "grants.cooperative.proposed",
        ]
        assert types.count("grants.payment.confirmed") == 1
    summary = (await walk.finance.get(f"/v1/returnees/{ways[0].returnees[0]}/timeline", limit=1))[
        "items"
    ][0]
    assert summary["summary"].endswith("jobs created: 5.")
    assert summary["links"]["cooperative"] == path
    assert await platform.books() == ()
