"""A cooperative from its proposal to what came of it, and everything that is refused on the way."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from contracts.cases import ReturneeErased
from tests.grants.arranging import (
    MINUTES,
    Plan,
    formed,
    planned_line,
    proposal,
    proposed,
    selected,
    two,
)
from tests.grants.office import APPROVER, RELEASER, REQUESTER, SECOND, Office, euros


async def test_from_the_proposal_to_what_came_of_it(office: Office) -> None:
    await office.budget()
    people = await two(office)
    there = await formed(office, people, ["0.75", "0.25"])
    path = f"/v1/cooperatives/{there['id']}"
    assert there["state"] == "formed"
    assert len(there["committee"]) == there["committee_needed"] == 3
    assert [member["share"] for member in there["members"]] == ["0.75", "0.25"]
    there = await office.done(f"{path}/grant", {"amount": euros("1000.00")})
    assert [member["part"]["amount"] for member in there["members"]] == ["750.00", "250.00"]
    await office.done(f"/v1/grants/{there['grant_id']}/approve", by=APPROVER)
    cohort, visit = uuid4(), uuid4()
    for _ in range(2):
        await office.done(f"{path}/trainings", {"cohort_id": cohort, "held_on": "2026-11-12"})
        there = await office.done(f"{path}/visits", {"visit_id": visit, "visited_on": "2026-11-15"})
    assert (len(there["trainings"]), len(there["visits"])) == (1, 1)
    report = {
        "starts_on": "2026-11-01",
        "ends_on": "2026-11-15",
        "jobs": 3,
        "services": ["food", "repair"],
    }
    there = await office.done(f"{path}/impact", report)
    assert there["jobs"] == 3
    told = [
        "cooperative.proposed",
        "cooperative.selected",
        "cooperative.formed",
        "grant.requested",
        "grant.approved",
        "cooperative.impact_reported",
    ]
    for person in people:
        assert await office.published(person) == told
    async with office.homeward.database.transaction() as session:
        query = (
            "SELECT payload ->> 'amount' FROM outbox WHERE type LIKE '%grant.approved%' "
            "ORDER BY seq"
        )
        parts = list(await session.scalars(text(query)))
    assert sorted(parts) == [
        '{"amount": "250.00", "currency": "EUR"}',
        '{"amount": "750.00", "currency": "EUR"}',
    ]
    await office.proved()


@pytest.mark.parametrize(
    ("shares", "more", "code"),
    [
        (["0.5", "0.4"], {}, "shares_do_not_add_up"),
        (["3", "4"], {"shares": "8"}, "shares_do_not_add_up"),
        (["0", "1"], {}, "greater_than"),
    ],
)
async def test_shares_are_the_whole(
    office: Office, shares: list[str], more: dict[str, Any], code: str
) -> None:
    answer = await office.post("/v1/cooperatives", proposal(await two(office), shares, **more))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == code


async def test_a_number_of_shares_and_a_change_of_them(office: Office) -> None:
    people = await two(office)
    there = await proposed(office, people, ["3", "4"], shares="7")
    path = f"/v1/cooperatives/{there['id']}"
    body = {
        "shares": "2",
        "members": [{"returnee_id": str(person.id), "share": "1"} for person in people],
    }
    unseen = await office.http.put(f"{path}/shares", json=body, headers=office.headers(REQUESTER))
    assert unseen.status_code == 428
    headers = office.headers(REQUESTER) | {"If-Match": '"1"'}
    changed = await office.http.put(f"{path}/shares", json=body, headers=headers)
    assert [member["share"] for member in changed.json()["members"]] == ["1", "1"]
    others = body | {"members": [body["members"][0], {"returnee_id": str(uuid4()), "share": "1"}]}
    headers = office.headers(REQUESTER) | {"If-Match": '"2"'}
    assert (
        await office.http.put(f"{path}/shares", json=others, headers=headers)
    ).status_code == 422
    async with office.homeward.database.transaction() as session:
        query = (
            "SELECT details -> 'from' ->> :who, details -> 'to' ->> :who FROM audit "
            "WHERE action = 'change-shares'"
        )
        before, after = (await session.execute(text(query), {"who": str(people[0].id)})).one()
    assert (Decimal(before), Decimal(after)) == (3, 1)


async def test_several_others_select_it_on_the_same_minutes(office: Office) -> None:
    there = await proposed(office, await two(office))
    path = f"/v1/cooperatives/{there['id']}/select"
    own = await office.post(path, {"minutes": MINUTES}, by=REQUESTER, version=1)
    assert own.json()["type"] == "/problems/four-eyes"
    assert (
        await office.post(path, {"minutes": MINUTES}, by=APPROVER, version=7)
    ).status_code == 412
    assert (await office.done(path, {"minutes": MINUTES}, by=APPROVER))["state"] == "proposed"
    again = await office.post(path, {"minutes": MINUTES}, by=APPROVER, version=2)
    assert again.json()["type"] == "/problems/four-eyes"
    others = await office.post(path, {"minutes": uuid4()}, by=SECOND, version=2)
    assert others.status_code == 409
    early = await office.post(
        path.replace("select", "form"), {"formed_on": "2026-11-10", "statutes": uuid4()}, version=2
    )
    assert early.json()["allowed"] == ["cite", "reject", "select", "shares"]
    with pytest.raises(IntegrityError, match="the proposer does not select"):
        async with office.homeward.database.transaction() as session:
            insert = (
                "INSERT INTO cooperative_committee (cooperative_id, actor) VALUES (:which, :who)"
            )
            await session.execute(text(insert), {"which": there["id"], "who": there["proposer"]})


async def test_the_committee_may_say_no(office: Office) -> None:
    people = await two(office)
    there = await proposed(office, people)
    path = f"/v1/cooperatives/{there['id']}"
    own = await office.post(f"{path}/reject", {"reason": "not_feasible"}, version=1)
    assert own.json()["type"] == "/problems/four-eyes"
    there = await office.done(f"{path}/reject", {"reason": "not_feasible"}, by=APPROVER)
    assert (there["state"], there["reason"]) == ("rejected", "not_feasible")
    assert (await office.published(people[1]))[-1] == "cooperative.rejected"


async def test_members_are_of_one_programme_and_known(office: Office) -> None:
    people = [await office.here(), await office.here(programme="eurp")]
    answer = await office.post("/v1/cooperatives", proposal(people, ["0.5", "0.5"]))
    assert answer.json()["errors"][0]["code"] == "another_programme"
    stranger = await office.post(
        "/v1/cooperatives", proposal(await two(office), ["0.5", "0.5"]), organisation="bamf"
    )
    assert stranger.status_code == 403
    twice = await office.here()
    answer = await office.post("/v1/cooperatives", proposal([twice, twice], ["0.5", "0.5"]))
    assert answer.json()["errors"][0]["code"] == "member_twice"


async def test_the_same_proposal_again_is_the_same(office: Office) -> None:
    people, chosen = await two(office), str(uuid4())
    first = await proposed(office, people, id=chosen)
    assert await proposed(office, people, id=chosen) == first
    other = await office.post(
        "/v1/cooperatives", proposal(await two(office), ["0.5", "0.5"], id=chosen)
    )
    assert other.status_code == 409


async def test_each_ones_part_counts_against_their_own_ceiling(office: Office) -> None:
    await office.budget()
    people = await two(office)
    await office.grant(people[0], "1500.00")
    there = await selected(office, people)
    path = f"/v1/cooperatives/{there['id']}/grant"
    version = await office.version(path.removesuffix("/grant"))
    refused = await office.post(path, {"amount": euros("1000.02")}, version=version)
    assert refused.json()["type"] == "/problems/ceiling-exceeded"
    assert Decimal(refused.json()["left"]["amount"]) == Decimal("500.00")
    there = await office.done(path, {"amount": euros("1000.00")})
    second = await office.post(
        path, {"amount": euros("1.00")}, version=await office.version(path[:-6])
    )
    assert second.status_code == 409
    for person, left in zip(people, ("0.00", "1500.00"), strict=True):
        more = await office.post("/v1/grants", office.asked(person, "1500.01"))
        assert Decimal(more.json()["left"]["amount"]) == Decimal(left)
    amended = {"amount": euros("1000.02")}
    too_much = await office.post(f"/v1/grants/{there['grant_id']}/amend", amended, version=1)
    assert too_much.json()["type"] == "/problems/ceiling-exceeded"
    await office.done(f"/v1/grants/{there['grant_id']}/cancel", {"reason": "other"})
    await office.grant(people[0], "500.00")
    await office.proved()


async def test_two_of_one_household_share_its_ceiling(office: Office) -> None:
    await office.budget()
    household = uuid4()
    people = [await office.here(household_id=household) for _ in range(5)]
    for person in people[2:]:
        await office.grant(person, "2000.00")
    there = await selected(office, people[:2])
    path = f"/v1/cooperatives/{there['id']}/grant"
    version = await office.version(path.removesuffix("/grant"))
    refused = await office.post(path, {"amount": euros("2000.02")}, version=version)
    assert refused.json()["type"] == "/problems/ceiling-exceeded"
    await office.done(path, {"amount": euros("2000.00")})


async def test_it_takes_the_place_of_what_each_ones_plan_asked_for(office: Office) -> None:
    await office.budget()
    people = await two(office)
    lines = [planned_line(person, "300.00", kind="cooperative") for person in people]
    plans = [Plan(office, person, [line]) for person, line in zip(people, lines, strict=True)]
    for plan in plans:
        await plan.approved()
    there = await selected(office, people)
    await office.done(f"/v1/cooperatives/{there['id']}/grant", {"amount": euros("600.00")})
    for plan in plans:
        await plan.approved()
        assert await plan.grants() == {}
    async with office.homeward.database.transaction() as session:
        query = (
            "SELECT payload ->> 'plan_line_id' FROM outbox WHERE type "
            "LIKE '%grant.requested%' ORDER BY seq"
        )
        told = list(await session.scalars(text(query)))
    assert sorted(told) == sorted([line["id"] for line in lines] * 2)
    await office.proved()


async def test_no_money_leaves_before_cases_has_its_minutes_and_statutes(office: Office) -> None:
    await office.budget()
    people = await two(office)
    there = await formed(office, people)
    path = f"/v1/cooperatives/{there['id']}"
    assert there["papers_missing"] == []
    there = await office.done(f"{path}/grant", {"amount": euros("1000.00")})
    assert there["papers_missing"] == ["minutes", "statutes"]
    grant = await office.done(f"/v1/grants/{there['grant_id']}/approve", by=APPROVER)
    office.has_documents = False
    payment = await office.scheduled(grant, await office.payee(kind="supplier"), "600.00")
    await office.done(f"/v1/grants/{grant['id']}/order", {})
    await office.done(
        f"/v1/grants/{grant['id']}/delivery", {"delivered_on": "2026-11-20", "certificate": uuid4()}
    )
    asked = await office.cited(grant["id"])
    assert {there["minutes"], there["statutes"]} < asked
    await office.hear_of_documents(grant["id"], but=[there["minutes"]])
    release = f"/v1/payments/{payment['id']}/release"
    refused = await office.post(release, {}, by=RELEASER, version=1)
    assert (refused.json()["type"], refused.json()["missing"]) == (
        "/problems/papers-pending",
        ["minutes"],
    )
    await office.hear_of_documents(grant["id"], known=False)
    refused = await office.post(release, {}, by=RELEASER, version=1)
    assert (refused.json()["type"], refused.json()["missing"]) == (
        "/problems/papers-missing",
        ["minutes"],
    )
    assert (await office.get(path)).json()["papers_missing"] == ["minutes"]
    await office.hear_of_documents(grant["id"])
    assert (await office.get(path)).json()["papers_missing"] == []
    assert (await office.done(release, {}, by=RELEASER))["state"] == "released"
    await office.proved()


async def test_another_member_stands_for_the_grant_when_a_case_closes(office: Office) -> None:
    await office.budget()
    people = await two(office)
    there = await formed(office, people)
    there = await office.done(f"/v1/cooperatives/{there['id']}/grant", {"amount": euros("1000.00")})
    path = f"/v1/grants/{there['grant_id']}"
    assert UUID((await office.get(path)).json()["returnee_id"]) == people[0].id
    await office.tell(people[0].closed())
    grant = (await office.get(path)).json()
    assert (grant["state"], UUID(grant["returnee_id"])) == ("requested", people[1].id)
    await office.tell(people[1].closed())
    assert (await office.get(path)).json()["state"] == "cancelled"
    await office.proved()


async def test_an_erased_member_leaves_the_shares_and_the_amounts(office: Office) -> None:
    await office.budget()
    people = await two(office)
    there = await formed(office, people)
    path = f"/v1/cooperatives/{there['id']}"
    await office.done(f"{path}/grant", {"amount": euros("1000.00")})
    await office.tell(ReturneeErased(returnee_id=people[0].id))
    left = (await office.get(path)).json()
    assert [member["returnee_id"] for member in left["members"]] == [str(people[1].id)]
    assert (left["member_count"], left["members"][0]["part"]["amount"], left["name"]) == (
        2,
        "500.00",
        "",
    )
    async with office.homeward.database.transaction() as session:
        connection = await session.connection()
        for query in (
            "SELECT count(*) FROM cooperative_member WHERE returnee_id::text = '{}'",
            "SELECT count(*) FROM assistance_grant WHERE parts::text LIKE '%{}%'",
        ):
            assert (await connection.exec_driver_sql(query.format(people[0].id))).scalar_one() == 0
    grant = (await office.get(f"/v1/grants/{left['grant_id']}")).json()
    assert (grant["state"], grant["returnee_id"]) == ("requested", str(people[1].id))
    await office.proved()


async def test_a_report_is_put_right_by_another(office: Office) -> None:
    there = await formed(office, await two(office))
    path = f"/v1/cooperatives/{there['id']}/impact"
    report = {"starts_on": "2026-10-01", "ends_on": "2026-10-31", "jobs": 5, "services": ["food"]}
    first = (await office.done(path, report))["impact"][0]
    again = await office.post(path, report | {"jobs": 2})
    assert again.status_code == 409
    backwards = await office.post(path, report | {"ends_on": "2026-09-30"})
    assert backwards.status_code == 422
    right = await office.done(path, report | {"jobs": 2, "replaces": first["id"]})
    assert right["jobs"] == 2
    assert [(each["jobs"], each["current"]) for each in right["impact"]] == [(5, False), (2, True)]
    stale = await office.post(path, report | {"jobs": 9, "replaces": first["id"]})
    assert stale.status_code == 422
    next_month = {"starts_on": "2026-11-01", "ends_on": "2026-11-15", "jobs": 4}
    assert (await office.done(path, next_month))["jobs"] == 6


async def test_who_takes_part_sees_it_and_nobody_else(office: Office) -> None:
    people = [await office.here(), await office.here(referrer="ofii")]
    there = await proposed(office, people)
    path = f"/v1/cooperatives/{there['id']}"
    seen = (await office.get(path, "bamf")).json()
    assert [member["returnee_id"] for member in seen["members"]] == [str(people[0].id)]
    assert seen["member_count"] == 2
    assert (await office.get(path, "another-partner")).status_code == 404
    listed = (
        await office.get("/v1/cooperatives", "bamf", state="proposed", returnee_id=people[0].id)
    ).json()
    assert [each["id"] for each in listed["items"]] == [there["id"]]
    assert (await office.get("/v1/cooperatives", "bamf", returnee_id=people[1].id)).json()[
        "items"
    ] == []
    assert (await office.get("/v1/cooperatives", "another-partner")).json()["items"] == []
    csv = (await office.get("/v1/cooperatives", format="csv")).text.splitlines()
    assert csv[0].startswith("id,state,kind,programme,shares,member_count")
    assert csv[1].startswith(f"{there['id']},proposed,business,iom-iraq-avrr,1,2")
