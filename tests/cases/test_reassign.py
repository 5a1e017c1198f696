"""A fact recorded of the wrong person: a merge and its undoing leave it where it is; a person moves
it.
"""

from typing import Any
from uuid import uuid4

from tests.cases.house import Accepted, House, alone
from tests.cases.steps import NOW, flag, merge, screening, unmerge


async def two(house: House) -> tuple[Accepted, Accepted]:
    return await house.arrived(alone()), await house.arrived(alone())


async def reassign(house: House, fact: dict[str, Any], one: str, to: str, **options: Any) -> Any:
    etag = options.pop("etag", None) or await house.etag(f"/returnees/{one}")
    body = fact | {"to": to, "comment": "It was said of the other one"}
    return await house.post(f"/returnees/{one}/reassign", body, etag=etag, **options)


async def tried(house: House, accepted: Accepted, who: str) -> str:
    body = {"returnee_id": who, "method": "phone", "outcome": "no_answer", "occurred_at": NOW}
    answer = await house.post(f"/cases/{accepted.case_id}/contact-attempts", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def attempts(house: House, accepted: Accepted) -> list[tuple[str, str]]:
    items = (await house.get(f"/cases/{accepted.case_id}/contact-attempts")).json()["items"]
    return [(each["id"], each["returnee_id"]) for each in items]


async def test_it_stays_where_it_was_recorded_until_somebody_says_whose_it_is(house: House) -> None:
    one, other = await two(house)
    a, b = one.people[0], other.people[0]
    assert (await merge(house, a, b)).status_code == 200
    kept, moved = await tried(house, one, a), await tried(house, one, a)
    assert (await unmerge(house, a)).status_code == 200
    assert await attempts(house, one) == [(kept, a), (moved, a)]
    assert await attempts(house, other) == []

    answer = await reassign(
        house, {"kind": "contact_attempt", "id": moved, "case_id": other.case_id}, a, b
    )
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "kind": "contact_attempt",
        "id": moved,
        "returnee_id": b,
        "case_id": other.case_id,
    }
    assert await attempts(house, one) == [(kept, a)]
    assert await attempts(house, other) == [(moved, b)]
    for person in (a, b):
        name, fact = (await house.published(person))[-1]
        assert name == "returnee.reassigned"
        assert (fact["fact_id"], fact["taken_from"], fact["moved_to"]) == (moved, a, b)
        assert "said" not in str(fact)
        assert await house.audited("reassign", person) == 1
    back = await reassign(
        house, {"kind": "contact_attempt", "id": moved, "case_id": one.case_id}, b, a
    )
    assert back.status_code == 200
    assert await attempts(house, one) == [(kept, a), (moved, a)]


async def test_a_screening_takes_its_findings_along(house: House) -> None:
    one, other = await two(house)
    a, b = one.people[0], other.people[0]
    taken = await house.post(f"/cases/{one.case_id}/screening", screening(one, flag("elderly")))
    fact = {"kind": "screening", "id": taken.json()["id"], "case_id": other.case_id}
    assert (await reassign(house, fact, a, b)).status_code == 200
    assert (await house.get(f"/cases/{one.case_id}/screening")).json()["items"] == []
    (item,) = (await house.get(f"/cases/{other.case_id}/screening")).json()["items"]
    assert [each["kind"] for each in item["vulnerabilities"]] == ["elderly"]
    held = (await house.get(f"/holdings/{b}", "internal", scopes="internal")).json()["tables"]
    assert [each["returnee_id"] for each in held["vulnerability_flag"]] == [b]


async def test_a_visit_takes_its_deadline_along(house: House) -> None:
    one, other = await two(house)
    a, b = one.people[0], other.people[0]
    visit = await house.post(
        f"/cases/{one.case_id}/visits", {"returnee_id": a, "due_on": "2099-01-01"}
    )
    fact = {"kind": "visit", "id": visit.json()["id"], "case_id": other.case_id}
    assert (await reassign(house, fact, a, b)).status_code == 200
    due = (await house.get("/deadlines", case_id=other.case_id)).json()["items"]
    assert visit.json()["id"] in {each["visit_id"] for each in due}


async def test_what_is_wrong_is_refused_and_moves_nothing(house: House) -> None:
    one, other = await two(house)
    a, b = one.people[0], other.people[0]
    fact = {"kind": "contact_attempt", "id": await tried(house, one, a), "case_id": other.case_id}
    assert (await reassign(house, fact | {"id": str(uuid4())}, a, b)).status_code == 404
    assert (await reassign(house, fact, b, a)).status_code == 404
    assert (await reassign(house, fact | {"kind": "survey"}, a, b)).status_code == 404
    nobody = await reassign(house, fact, a, str(uuid4()))
    assert nobody.json()["errors"][0]["code"] == "unknown_returnee"
    not_in_it = await reassign(house, fact | {"case_id": one.case_id}, a, b)
    assert not_in_it.json()["errors"][0]["code"] == "not_in_case"
    assert (await reassign(house, fact, a, b, etag='"99"')).status_code == 412
    assert (await reassign(house, fact, a, b, person=None)).status_code == 403
    assert (await reassign(house, fact, a, b, who="fedasil")).status_code == 403
    etag = await house.etag(f"/returnees/{a}")
    assert (await reassign(house, fact, a, b, who="other-ngo", etag=etag)).status_code == 404
    assert await attempts(house, one) == [(fact["id"], a)]
    assert "returnee.reassigned" not in await house.types(a)
