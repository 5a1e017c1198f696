"""Who is held, who has to be signed for, and what the programme gives."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from chassis.audit import audit
from contracts import cases
from contracts.codes import Member
from tests.reception.desk import LANDS_AT, Desk, Person

ADULT = {"birth": {"date": "1980-05-05", "precision": "day"}}
CHILD = {"birth": {"date": "2012-05-05", "precision": "day"}}
SIGNED = {
    "reason": "unaccompanied_child",
    "receiver": "relative",
    "name": "Zaynab Example",
    "relationship": "aunt",
    "signature": "c2lnbmF0dXJlc2lnbmF0dXJl",
}


async def test_a_child_alone_is_not_completed_before_a_named_adult_has_signed(desk: Desk):
    child = Person()
    arrival = await desk.expect(child)
    await desk.recognise(child, **CHILD)
    await desk.post(f"/{arrival}/check-in", occurred_at=LANDS_AT)
    assert (await desk.get(f"/{arrival}")).json()["guidance"]["handover_required"] == [
        "unaccompanied_child"
    ]
    refused = await desk.post(f"/{arrival}/complete")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/handover-required")
    nameless = {name: value for name, value in SIGNED.items() if name != "name"}
    assert (await desk.post(f"/{arrival}/handover", **nameless)).status_code == 422
    signed = await desk.post(f"/{arrival}/handover", **SIGNED)
    assert signed.status_code == 201, signed.text
    assert (await desk.post(f"/{arrival}/complete")).json()["state"] == "completed"
    kind, data = (await desk.published(child))[2]
    assert (kind, data["group"]) == ("handover.recorded", "care")
    assert "Zaynab" not in str(await desk.published(child))
    (handed,) = (await desk.get(f"/{arrival}")).json()["handovers"]
    assert (handed["name"], handed["reason"]) == ("Zaynab Example", None)


async def test_a_child_with_an_adult_of_the_family_is(desk: Desk):
    child, mother = Person(), Person()
    mother.household_id = child.household_id
    arrivals = [await desk.expect(person) for person in (child, mother)]
    await desk.recognise(child, **CHILD)
    await desk.recognise(mother, **ADULT)
    await desk.post("/check-in", arrivals=arrivals, occurred_at=LANDS_AT)
    assert (await desk.post(f"/{arrivals[0]}/complete")).status_code == 200


async def _family(desk: Desk) -> tuple[Person, UUID, Person, UUID]:
    child, father = Person(), Person()
    father.household_id = child.household_id
    arrivals = [await desk.expect(person) for person in (child, father)]
    await desk.recognise(child, **CHILD)
    await desk.recognise(father, **ADULT)
    return child, arrivals[0], father, arrivals[1]


async def test_an_adult_who_is_held_is_not_with_the_child(desk: Desk):
    _, child, _, father = await _family(desk)
    await desk.post("/check-in", arrivals=[child, father], occurred_at=LANDS_AT)
    await desk.call("POST", f"/v1/arrivals/{father}/hold", json={}, scopes="arrivals:restricted")
    assert (await desk.post(f"/{child}/complete")).json()["reasons"] == ["unaccompanied_child"]


@pytest.mark.parametrize(
    "elsewhere",
    [{"port_of_entry": "BGW"}, {"occurred_at": LANDS_AT - timedelta(days=400)}],
    ids=["port", "year"],
)
async def test_an_adult_of_another_journey_is_not_with_the_child(desk: Desk, elsewhere):
    _, child, _, father = await _family(desk)
    await desk.post(f"/{father}/check-in", **{"occurred_at": LANDS_AT} | elsewhere)
    await desk.post(f"/{child}/check-in", occurred_at=LANDS_AT)
    assert (await desk.post(f"/{child}/complete")).json()["reasons"] == ["unaccompanied_child"]


@pytest.mark.parametrize("change", ["left", "joined"])
async def test_who_belongs_to_them_no_more_is_not_with_the_child(desk: Desk, change):
    _, child, father, fathers = await _family(desk)
    ids = father.ids | ({"household_id": uuid4(), "case_id": uuid4()} if change == "joined" else {})
    await desk.tell(
        cases.HouseholdChanged(**ids, change=cases.HouseholdChange(change), member=Member.PRINCIPAL)
    )
    await desk.post("/check-in", arrivals=[child, fathers], occurred_at=LANDS_AT)
    assert (await desk.post(f"/{child}/complete")).json()["reasons"] == ["unaccompanied_child"]


async def test_a_patient_with_an_escort_is_handed_over_and_why_is_read_by_few(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    await desk.recognise(person, **ADULT)
    await desk.post(f"/{arrival}/check-in", occurred_at=LANDS_AT)
    household = {"women": 0, "men": 1, "girls": 0, "boys": 0}
    body = {"household": household, "needs_priority": "raised", "restricted": ["medical_escort"]}
    assert (await desk.post(f"/{arrival}/profile", **body)).json()["restricted"] is None
    assert (await desk.post(f"/{arrival}/complete")).status_code == 409
    assert (await desk.get(f"/{arrival}")).json()["profile"]["restricted"] is None
    few = await desk.call("GET", f"/v1/arrivals/{arrival}", scopes="returnees:vulnerabilities")
    assert few.json()["profile"]["restricted"] == ["medical_escort"]
    assert "medical" not in str(await desk.published(person))


async def test_that_somebody_is_held_is_published_to_nobody_and_shown_to_few(desk: Desk):
    person = Person()
    arrival = await desk.expect(
        person, port_of_entry="NJF", arrives_at=LANDS_AT + timedelta(days=90)
    )
    restricted = {"scopes": "arrivals:restricted"}
    assert (await desk.post(f"/{arrival}/hold")).status_code == 403
    before = len(await desk.published(person))
    held = await desk.call("POST", f"/v1/arrivals/{arrival}/hold", json={}, **restricted)
    assert held.json()["state"] == "held_by_authorities"
    assert len(await desk.published(person)) == before
    assert (await desk.get(f"/{arrival}")).json()["state"] == "expected"
    assert "held" not in (await desk.get("", port="NJF")).text
    assert (await desk.get("", port="NJF", state="held_by_authorities")).status_code == 403
    query = {"port": "NJF", "state": "held_by_authorities"}
    listed = (await desk.call("GET", "/v1/arrivals", params=query, **restricted)).json()["items"]
    assert [item["id"] for item in listed] == [str(arrival)]
    refused = await desk.post(f"/{arrival}/no-show")
    assert (refused.status_code, refused.json()["state"]) == (409, "expected")
    assert "held" not in refused.text
    assert (await desk.post(f"/{arrival}/check-in")).json()["state"] == "met"
    listed = (await desk.call("GET", "/v1/arrivals", params=query, **restricted)).json()["items"]
    assert listed == []
    async with desk.homeward.database.transaction() as session:
        actions = await session.scalars(
            select(audit.c.action).where(audit.c.action == "read-restricted")
        )
        assert actions.all()


async def test_what_the_programme_gives_once_is_given_once(desk: Desk):
    arrival = await desk.expect()
    await desk.post(f"/{arrival}/check-in", occurred_at=LANDS_AT)
    money = {"kind": "pocket_money", "amount": {"amount": "50.00", "currency": "EUR"}}
    left = {
        e["kind"]: e["left"]
        for e in (await desk.get(f"/{arrival}")).json()["guidance"]["assistance"]
    }
    assert (left["pocket_money"], left["nutrition"]) == (1, None)
    assert (await desk.post(f"/{arrival}/assistance", **money)).status_code == 201
    again = await desk.post(f"/{arrival}/assistance", **money)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/not-entitled")
    assert again.json()["code"] == "entitlement_used"
    for _ in range(4):
        assert (await desk.post(f"/{arrival}/assistance", kind="nutrition")).status_code == 201
    until = (await desk.get(f"/{arrival}")).json()["guidance"]["post_arrival_until"]
    assert (
        until == "2026-04-02T23:59:59+03:00"
    )  # 14 working days after the 15th, with weekends on Friday and Saturday


async def test_a_check_in_is_undone_and_a_time_corrected(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    await desk.post(f"/{arrival}/check-in", occurred_at=LANDS_AT)
    undone = (await desk.post(f"/{arrival}/reopen")).json()
    assert (undone["state"], undone["met_at"], undone["arrived_on"]) == ("expected", None, None)
    met = await desk.post(f"/{arrival}/check-in", occurred_at=LANDS_AT)
    corrected = await desk.call(
        "PATCH",
        f"/v1/arrivals/{arrival}",
        json={"met_at": (LANDS_AT - timedelta(hours=3)).isoformat(), "identity_doubtful": True},
        headers={"If-Match": met.headers["etag"]},
    )
    assert (corrected.json()["arrived_on"], corrected.json()["identity_doubtful"]) == (
        "2026-03-14",
        True,
    )
    kinds = [kind for kind, _ in await desk.published(person)]
    assert kinds[1:] == [
        "arrival.received",
        "arrival.reopened",
        "arrival.received",
        "arrival.corrected",
    ]
    assert (await desk.published(person))[-1][1]["arrived_on"] == "2026-03-14"


async def test_who_missed_a_connection_comes_later_and_who_is_redirected_comes_elsewhere(
    desk: Desk,
):
    person = Person()
    arrival = await desk.expect(person)
    later = (LANDS_AT + timedelta(days=1)).isoformat()
    same = await desk.post(f"/{arrival}/redirect", port_of_entry="EBL", expected_at=later)
    assert (same.json()["state"], same.json()["port_of_entry"]) == ("expected", "EBL")
    elsewhere = await desk.post(f"/{arrival}/redirect", port_of_entry="BSR")
    assert elsewhere.json()["state"] == "diverted"
    assert (await desk.post(f"/{arrival}/redirect", port_of_entry="BSR")).status_code == 422
    assert [kind for kind, _ in await desk.published(person)] == ["arrival.expected"] * 2 + [
        "arrival.diverted"
    ]


async def test_a_child_of_a_family_on_the_manifest_is_with_its_adults(desk: Desk):
    flight = await desk.announce()
    family = {"family_name": "EXAMPLE", "nationality": "IRQ", "family_group": "F1"}
    passengers = [
        family | {"seat": "3A", "given_names": "MOTHER", "birth_date": "1980-07-01"},
        family | {"seat": "3B", "given_names": "CHILD", "birth_date": "2015-07-01"},
        family
        | {
            "seat": "4A",
            "given_names": "ANOTHER",
            "birth_date": "2015-07-01",
            "family_group": "F2",
        },
    ]
    await desk.manifest(flight, passengers)
    seats = {
        seat: passenger["arrival_id"] for seat, passenger in (await desk.passengers(flight)).items()
    }
    for seat in ("3B", "4A"):
        assert (await desk.post(f"/{seats[seat]}/check-in")).status_code == 200
        assert (await desk.post(f"/{seats[seat]}/complete")).status_code == 409
    await desk.post(f"/{seats['3A']}/check-in")
    assert (await desk.post(f"/{seats['3B']}/complete")).status_code == 200
    assert (await desk.post(f"/{seats['4A']}/complete")).status_code == 409


async def test_how_somebody_is_reached_safely_is_on_no_board(desk: Desk):
    person = Person()
    arrival = await desk.expect(person, port_of_entry="KIK")
    later = (datetime.now(ZoneInfo("Asia/Baghdad")) + timedelta(hours=2)).strftime("%H:00")
    hours = f"{later}-{later[:3]}30"
    contacts = [
        {"kind": "phone", "value": "+9647800008938", "owner": "self", "safe_hours": None},
        {"kind": "phone", "value": "+9647800008939", "owner": "relative", "safe_hours": hours},
    ]
    await desk.recognise(person, contacts=contacts)
    board = await desk.get("", port="KIK")
    assert "contacts" not in board.json()["items"][0]["identity"]
    assert hours not in board.text
    shown = await desk.get(f"/{arrival}")
    assert shown.json()["guidance"]["contacts"] == [
        {
            "kind": "phone",
            "owner": "self",
            "safe_hours": None,
            "safe_now": True,
            "needs_consent": False,
        },
        {
            "kind": "phone",
            "owner": "relative",
            "safe_hours": hours,
            "safe_now": False,
            "needs_consent": True,
        },
    ]
    assert "+964" not in shown.text


async def test_a_child_alone_neither_declines_nor_is_confirmed_before_somebody_has_signed(
    desk: Desk,
):
    child, other = Person(), Person()
    arrivals = [await desk.expect(person) for person in (child, other)]
    for person in (child, other):
        await desk.recognise(person, **CHILD)
    confirmed = {"arrived_on": "2026-03-16", "method": "office_visit", "evidence": "seen_in_person"}
    await desk.post(f"/{arrivals[0]}/check-in", occurred_at=LANDS_AT)
    await desk.post(f"/{arrivals[1]}/no-show")
    for arrival, word, body in ((arrivals[0], "decline", {}), (arrivals[1], "confirm", confirmed)):
        refused = await desk.post(f"/{arrival}/{word}", **body)
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/handover-required")
        assert (await desk.post(f"/{arrival}/handover", **SIGNED)).status_code == 201
        assert (await desk.post(f"/{arrival}/{word}", **body)).status_code == 200


async def test_who_signs_for_a_patient_does_not_sign_for_the_child(desk: Desk):
    child = Person()
    arrival = await desk.expect(child)
    await desk.recognise(child, **CHILD)
    await desk.post(f"/{arrival}/check-in", occurred_at=LANDS_AT)
    nurse = {
        "reason": "medical_escort",
        "receiver": "medical_service",
        "name": "Nurse Example",
        "authority": "Hospital",
    }
    assert (
        await desk.post(f"/{arrival}/handover", **nurse, signature=SIGNED["signature"])
    ).status_code == 201
    assert (await desk.post(f"/{arrival}/complete")).json()["reasons"] == ["unaccompanied_child"]
    assert (await desk.post(f"/{arrival}/handover", **SIGNED)).status_code == 201
    assert (await desk.post(f"/{arrival}/complete")).status_code == 200
    assert (await desk.get(f"/{arrival}")).json()["handovers"][0]["signature"] is None
    few = await desk.call("GET", f"/v1/arrivals/{arrival}", scopes="returnees:vulnerabilities")
    assert {each["signature"] for each in few.json()["handovers"]} == {SIGNED["signature"]}


async def test_children_without_an_age_or_an_adult_are_not_completed(desk: Desk):
    arrival = await desk.expect()
    await desk.post(f"/{arrival}/check-in", occurred_at=LANDS_AT)
    children = {"women": 0, "men": 0, "girls": 1, "boys": 1}
    await desk.post(f"/{arrival}/profile", household=children, needs_priority="raised")
    assert (await desk.post(f"/{arrival}/complete")).json()["type"] == "/problems/handover-required"


async def test_who_missed_the_flight_is_found_on_the_next_one(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    await desk.recognise(person, marks=[desk.marks.reference("X-9", 0).hex()])
    named = {"given_names": "LATE", "nationality": "IRQ", "external_reference": "X-9", "person": 0}
    first = await desk.announce()
    taken = await desk.manifest(first, [named | {"seat": "3A"}])
    later = LANDS_AT + timedelta(days=1)
    moved = await desk.post(
        f"/{arrival}/redirect",
        port_of_entry="EBL",
        expected_at=later,
        carrier="TK",
        flight_number="TK804",
    )
    assert (moved.json()["flight_id"], moved.json()["flight_number"]) == (None, "TK804")
    delayed = {"scheduled_at": (LANDS_AT + timedelta(hours=4)).isoformat()}
    await desk.call(
        "PATCH", f"/v1/flights/{first}", json=delayed, headers={"If-Match": taken.headers["etag"]}
    )
    assert datetime.fromisoformat((await desk.get(f"/{arrival}")).json()["expected_at"]) == later
    second = await desk.announce(
        scheduled_at=later.isoformat(), carrier="TK", flight_number="TK804", charter=False
    )
    assert (await desk.manifest(second, [named | {"seat": "7C"}])).json()["recognised"] == 1
    assert await desk.arrivals_of(person) == [arrival]
    shown = (await desk.get("", flight_id=second)).json()["items"]
    assert [(item["id"], item["seat"]) for item in shown] == [(str(arrival), "7C")]
