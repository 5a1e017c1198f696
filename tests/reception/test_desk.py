"""What is done at the desk, and afterwards by the office."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, select

from chassis.audit import audit
from chassis.jobs import job
from contracts import cases
from participation.identities import FETCH
from tests.events import fact_about
from tests.reception.desk import LANDS_AT, Desk, Person

HOUSEHOLD = {"women": 1, "men": 1, "girls": 2, "boys": 0}
CATS = HOUSEHOLD | {"cats": 1}
TO_NOWHERE = {"mode": "bus", "destination": {"governorate": "IQ-AR", "district": "So\x00ran"}}
NOTHING = {"amount": "0", "currency": "EUR"}
ONE_EURO = {"amount": "1", "currency": "EUR"}
OF_CATS = {"household": CATS, "needs_priority": "raised"}
LONG_AGO = "0001-01-01T00:00:00+14:00"
CONFIRMED = {"arrived_on": "2026-03-16", "method": "office_visit", "evidence": "entry_stamp"}


async def test_from_the_plane_to_the_road(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    met = await desk.post(
        f"/{arrival}/check-in", person="officer-7", occurred_at=LANDS_AT + timedelta(minutes=20)
    )
    assert met.status_code == 200, met.text
    assert (met.json()["state"], met.json()["arrived_on"]) == ("met", "2026-03-15")

    profile = await desk.post(
        f"/{arrival}/profile",
        household=HOUSEHOLD,
        skills=["7422"],
        reasons_for_return=["family"],
        immediate_needs=["medical", "cash"],
        needs_priority="raised",
    )
    assert profile.status_code == 200, profile.text
    money = await desk.post(
        f"/{arrival}/assistance", kind="pocket_money", amount={"amount": "25000", "currency": "IQD"}
    )
    care = await desk.post(f"/{arrival}/assistance", kind="medical")
    way = await desk.post(
        f"/{arrival}/onward-transport",
        mode="bus",
        destination={"governorate": "IQ-SU", "district": "Halabja"},
        departs_at=LANDS_AT + timedelta(hours=6),
        cost={"amount": "12.50", "currency": "EUR"},
    )
    assert [answer.status_code for answer in (money, care, way)] == [201, 201, 201]
    done = await desk.post(f"/{arrival}/complete")
    assert done.json()["state"] == "completed"

    read = await desk.get(f"/{arrival}")
    detail = read.json()
    assert read.headers["etag"] == done.headers["etag"]
    assert detail["profile"]["household"] == HOUSEHOLD
    assert [item["kind"] for item in detail["assistance"]] == ["pocket_money", "medical"]
    assert detail["assistance"][0]["amount"] == {"amount": "25000.000", "currency": "IQD"}
    assert detail["onward_transport"][0]["cost"] == {"amount": "12.50", "currency": "EUR"}
    assert detail["confirmation"] is None

    published = await desk.published(person)
    assert [kind for kind, _ in published] == [
        "arrival.expected",
        "arrival.received",
        "arrival.profiled",
        "assistance.provided",
        "assistance.provided",
        "onward_transport.arranged",
        "arrival.completed",
    ]
    ids = {name: str(value) for name, value in person.ids.items()}
    assert all(ids.items() <= data.items() for _, data in published)
    by_kind = dict(published[:4])
    assert by_kind["arrival.received"]["arrived_on"] == "2026-03-15"
    assert by_kind["arrival.profiled"]["needs_priority"] == "raised"
    assert by_kind["assistance.provided"]["amount"] == {"amount": "25000.000", "currency": "IQD"}
    assert published[4][1]["group"] == "care"
    assert "medical" not in str(published)
    assert "Halabja" not in str(published)


async def test_every_step_is_audited_and_moves_the_version(desk: Desk):
    arrival = await desk.expect()
    tags = [(await desk.get(f"/{arrival}")).headers["etag"]]
    for path, body in (
        ("check-in", {}),
        ("profile", {"household": HOUSEHOLD, "needs_priority": "routine"}),
        ("assistance", {"kind": "nutrition"}),
        ("onward-transport", {"mode": "family", "destination": {"governorate": "IQ-AR"}}),
        ("complete", {}),
        ("reopen", {}),
        ("decline", {}),
    ):
        answer = await desk.post(f"/{arrival}/{path}", person="officer-7", **body)
        assert answer.is_success, answer.text
        tags.append(answer.headers["etag"])
    assert len(set(tags)) == len(tags)
    async with desk.homeward.database.transaction() as session:
        rows = await session.execute(
            select(audit.c.action, audit.c.person)
            .where(audit.c.resource == "arrival", audit.c.resource_id == str(arrival))
            .order_by(audit.c.id)
        )
        done = rows.all()
    assert [row.action for row in done] == [
        "check-in", "profile", "assistance", "onward-transport", "complete", "reopen", "decline",
    ]  # fmt: skip
    assert {row.person for row in done} == {"iom-iraq:officer-7"}


async def test_of_two_tablets_one_wins_and_the_other_is_told_by_whom_and_when(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    answers = await asyncio.gather(
        *(desk.post(f"/{arrival}/check-in", person=f"officer-{number}") for number in range(8))
    )
    won = [answer for answer in answers if answer.status_code == 200]
    lost = [answer for answer in answers if answer.status_code == 409]
    assert (len(won), len(lost)) == (1, 7)
    winner = next(number for number, answer in enumerate(answers) if answer.status_code == 200)
    for answer in lost:
        problem = answer.json()
        assert (problem["type"], problem["state"], problem["by"]) == (
            "/problems/state-conflict",
            "met",
            "iom-iraq",
        )
        assert problem["person"] == f"iom-iraq:officer-{winner}"
        assert datetime.fromisoformat(problem["since"]) == datetime.fromisoformat(
            won[0].json()["met_at"]
        )
        assert {"assistance", "complete", "handover", "profile", "reopen"} <= set(
            problem["allowed"]
        )
        assert "check-in" not in problem["allowed"]
    assert [kind for kind, _ in await desk.published(person)].count("arrival.received") == 1


async def test_a_tablet_that_lost_the_answer_gets_it_again(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    first = await desk.post(f"/{arrival}/check-in", key="offline-1")
    again = await desk.post(f"/{arrival}/check-in", key="offline-1")
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["etag"] == first.headers["etag"]
    assert len(await desk.published(person)) == 2


async def test_a_family_is_checked_in_together_or_not_at_all(desk: Desk):
    people = [Person() for _ in range(4)]
    ids = [await desk.expect(person) for person in people]
    await desk.post(f"/{ids[2]}/check-in", person="officer-9")
    refused = await desk.post("/check-in", arrivals=ids)
    assert refused.status_code == 409
    problem = refused.json()
    assert problem["state"] == "met"
    assert [error["pointer"] for error in problem["errors"]] == ["/arrivals/2"]
    assert "officer-9" in problem["errors"][0]["detail"]
    for place in (0, 1, 3):
        assert (await desk.get(f"/{ids[place]}")).json()["state"] == "expected"

    order = [ids[3], ids[0], ids[1], ids[0]]
    together = await desk.post("/check-in", arrivals=order)
    assert [item["id"] for item in together.json()["items"]] == [
        str(i) for i in (ids[3], ids[0], ids[1])
    ]
    for person in (people[0], people[1], people[3]):
        assert [kind for kind, _ in await desk.published(person)][1:] == ["arrival.received"]

    strangers = await desk.expect(implementer="ewec")
    mine = await desk.expect()
    assert (await desk.post("/check-in", arrivals=[mine, strangers])).status_code == 404
    assert (await desk.post("/check-in", arrivals=[mine, uuid4()])).status_code == 404
    assert (await desk.get(f"/{mine}")).json()["state"] == "expected"
    assert (await desk.post("/check-in", arrivals=[mine])).status_code == 200


async def test_two_desks_with_the_same_family_never_lock_each_other_out(desk: Desk):
    ids = [await desk.expect() for _ in range(9)]
    answers = await asyncio.gather(
        *(desk.post("/check-in", arrivals=ids if n % 2 else list(reversed(ids))) for n in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]


async def test_where_the_journey_did_not_say_the_desk_does(desk: Desk):
    arrival = await desk.expect(port_of_entry=None)
    for path, body in (
        (f"/{arrival}/check-in", {}),
        ("/check-in", {"arrivals": [arrival, await desk.expect()]}),
    ):
        refused = await desk.post(path, **body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0] | {"detail": ""} == {
            "pointer": "/port_of_entry", "code": "port_required", "detail": "",
        }  # fmt: skip
    met = await desk.post(f"/{arrival}/check-in", port_of_entry="IQTRB")
    assert (met.status_code, met.json()["port_of_entry"]) == (200, "IQTRB")


async def test_who_lands_elsewhere_is_met_there(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    met = await desk.post(
        f"/{arrival}/check-in", port_of_entry="KBL", occurred_at="2026-03-14T19:45:00Z"
    )
    assert (met.json()["port_of_entry"], met.json()["arrived_on"]) == ("KBL", "2026-03-15")
    assert (await desk.published(person))[-1][1]["port_of_entry"] == "KBL"


async def test_a_tablet_whose_clock_runs_ahead_is_noticed_and_does_not_move_the_day(desk: Desk):
    arrival = await desk.expect()
    ahead = datetime.now(UTC) + timedelta(days=400)
    met = (await desk.post(f"/{arrival}/check-in", occurred_at=ahead)).json()
    assert met["clock_suspect"] is True
    assert datetime.fromisoformat(met["met_at"]) == ahead
    assert met["arrived_on"] == (datetime.now(UTC) + timedelta(hours=3)).date().isoformat()
    assert datetime.fromisoformat(met["state_recorded_at"]) < ahead
    given = (await desk.post(f"/{arrival}/assistance", kind="clothing", occurred_at=ahead)).json()
    assert given["clock_suspect"] is True
    done = (await desk.post(f"/{arrival}/complete")).json()
    assert done["clock_suspect"] is False


async def test_assistance_told_again_is_given_once(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    await desk.post(f"/{arrival}/check-in")
    chosen = str(uuid4())
    pocket = {
        "id": chosen,
        "kind": "pocket_money",
        "amount": {"amount": "50.00", "currency": "EUR"},
    }
    first, again = [await desk.post(f"/{arrival}/assistance", **pocket) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    other = await desk.post(
        f"/{arrival}/assistance", **pocket | {"amount": {"amount": "51.00", "currency": "EUR"}}
    )
    assert (other.status_code, other.json()["type"]) == (409, "/problems/conflict")
    elsewhere = await desk.expect()
    await desk.post(f"/{elsewhere}/check-in")
    assert (await desk.post(f"/{elsewhere}/assistance", **pocket)).status_code == 409
    assert [kind for kind, _ in await desk.published(person)].count("assistance.provided") == 1

    way = {"id": chosen, "mode": "rail", "destination": {"governorate": "IQ-BA"}}
    assert [
        (await desk.post(f"/{arrival}/onward-transport", **way)).status_code for _ in range(2)
    ] == [201, 201]
    assert (
        await desk.post(f"/{arrival}/onward-transport", **way | {"mode": "taxi"})
    ).status_code == 409


@pytest.mark.parametrize(
    ("path", "body", "pointer", "code"),
    [
        ("assistance", {"kind": "pocket_money"}, "", "amount_and_kind"),
        ("assistance", {"kind": "medical", "amount": ONE_EURO}, "", "amount_and_kind"),
        ("assistance", {"kind": "pocket_money", "amount": NOTHING}, "/amount", "amount_is_zero"),
        ("assistance", {"kind": "champagne"}, "/kind", "enum"),
        ("profile", OF_CATS, "/household/cats", "extra_forbidden"),
        ("profile", {"household": HOUSEHOLD}, "/needs_priority", "missing"),
        ("check-in", {"occurred_at": "2026-03-14T01:00:00"}, "/occurred_at", "timezone_aware"),
        ("check-in", {"occurred_at": LONG_AGO}, "/occurred_at", "greater_than_equal"),
        ("onward-transport", TO_NOWHERE, "/destination/district", "string_pattern_mismatch"),
        ("check-in", {"port_of_entry": "Erbil"}, "/port_of_entry", "string_pattern_mismatch"),
        ("confirm", CONFIRMED | {"arrived_on": "2099-01-01"}, "/arrived_on", "in_future"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_and_nothing_is_done(desk: Desk, path, body, pointer, code):
    arrival = await desk.expect()
    if path in ("assistance", "profile", "onward-transport"):
        await desk.post(f"/{arrival}/check-in")
    before = (await desk.get(f"/{arrival}")).json()
    answer = await desk.post(f"/{arrival}/{path}", **body)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)
    assert (await desk.get(f"/{arrival}")).json() == before


async def test_a_profile_taken_again_replaces_the_first(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    await desk.post(f"/{arrival}/check-in")
    await desk.post(
        f"/{arrival}/profile", household=HOUSEHOLD, skills=["5141"], needs_priority="routine"
    )
    await desk.post(
        f"/{arrival}/profile", household=HOUSEHOLD | {"boys": 1}, needs_priority="urgent"
    )
    profile = (await desk.get(f"/{arrival}")).json()["profile"]
    assert (profile["household"]["boys"], profile["skills"], profile["needs_priority"]) == (
        1,
        [],
        "urgent",
    )
    priorities = [
        data["needs_priority"]
        for kind, data in await desk.published(person)
        if kind == "arrival.profiled"
    ]
    assert priorities == ["routine", "urgent"]


@pytest.mark.parametrize(
    ("action", "state"),
    [("no-show", "no_show"), ("not-departed", "not_departed"), ("decline", "declined")],
)
async def test_who_does_not_come_can_be_expected_again(desk: Desk, action, state):
    person = Person()
    arrival = await desk.expect(person)
    ended = await desk.post(f"/{arrival}/{action}")
    assert ended.json()["state"] == state
    refused = await desk.post(f"/{arrival}/check-in")
    assert (refused.status_code, refused.json()["state"]) == (409, state)
    assert "reopen" in refused.json()["allowed"]
    assert (await desk.post(f"/{arrival}/reopen")).json()["state"] == "expected"
    assert (await desk.post(f"/{arrival}/check-in")).json()["state"] == "met"
    assert [kind for kind, _ in await desk.published(person)] == [
        "arrival.expected", f"arrival.{state}", "arrival.reopened", "arrival.received",
    ]  # fmt: skip
    assert (await desk.published(person))[2][1]["previous_state"] == state


async def test_the_office_confirms_who_walked_past_the_desk_and_corrects_it(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    await desk.post(f"/{arrival}/no-show")
    confirmed = await desk.post(f"/{arrival}/confirm", **CONFIRMED)
    assert (confirmed.json()["state"], confirmed.json()["arrived_on"]) == (
        "completed",
        "2026-03-16",
    )
    corrected = await desk.post(f"/{arrival}/confirm", **CONFIRMED | {"arrived_on": "2026-03-17"})
    assert corrected.json()["arrived_on"] == "2026-03-17"
    assert (await desk.get(f"/{arrival}")).json()["confirmation"] == CONFIRMED | {
        "arrived_on": "2026-03-17"
    }
    days = [
        data["arrived_on"]
        for kind, data in await desk.published(person)
        if kind == "arrival.confirmed"
    ]
    assert days == ["2026-03-16", "2026-03-17"]
    reopened = (await desk.post(f"/{arrival}/reopen")).json()
    assert (reopened["state"], reopened["arrived_on"]) == ("expected", None)
    assert (await desk.get(f"/{arrival}")).json()["confirmation"] is None


async def test_who_was_met_is_not_confirmed_by_the_office(desk: Desk):
    arrival = await desk.expect()
    await desk.post(f"/{arrival}/check-in")
    assert (await desk.post(f"/{arrival}/confirm", **CONFIRMED)).status_code == 409
    await desk.post(f"/{arrival}/complete")
    refused = await desk.post(f"/{arrival}/confirm", **CONFIRMED)
    assert (refused.status_code, refused.json()["allowed"]) == (409, ["reopen"])
    assert (await desk.post(f"/{arrival}/reopen")).json()["state"] == "met"


async def test_absent_and_anothers_look_the_same(desk: Desk):
    anothers = await desk.expect(implementer="ewec")
    bodies = {
        "check-in": {},
        "profile": {"household": HOUSEHOLD, "needs_priority": "routine"},
        "assistance": {"kind": "nutrition"},
        "onward-transport": {"mode": "taxi", "destination": {"governorate": "IQ-AR"}},
        "complete": {},
        "no-show": {},
        "not-departed": {},
        "decline": {},
        "confirm": CONFIRMED,
        "reopen": {},
    }
    for path, body in bodies.items():
        answers = [await desk.post(f"/{arrival}/{path}", **body) for arrival in (anothers, uuid4())]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert len({answer.json()["type"] for answer in answers}) == 1
    assert (await desk.get(f"/{anothers}", organisation="ewec")).json()["state"] == "expected"


def walks_in(**values: object) -> dict[str, object]:
    particulars = {
        "names": [{"script": "Arab", "given": "زينب", "family": "الدليمي"}],
        "sex": "female",
        "birth": {"date": "1990-01-01", "precision": "estimated"},
        "nationality": "IRQ",
    }
    return {
        "port_of_entry": "EBL",
        "programme": "eurp",
        "return_kind": "forced",
        "particulars": particulars,
    } | values


async def test_a_family_that_walks_in_is_one_household(desk: Desk):
    household = uuid4()
    alone = await desk.post("", **walks_in(member="child"))
    assert (alone.status_code, alone.json()["errors"][0]["code"]) == (422, "household_required")
    mother = await desk.post("", **walks_in(household_id=household))
    child = await desk.post("", **walks_in(household_id=household, member="child"))
    assert mother.json()["household_id"] == child.json()["household_id"] == str(household)
    for met, member in ((mother, "principal"), (child, "child")):
        told = await desk.call(
            "GET", f"/v1/arrivals/{met.json()['id']}/identity", organisation=None
        )
        assert (told.json()["household_id"], told.json()["member"]) == (str(household), member)
    strangers = Person()
    await desk.expect(strangers)
    refused = await desk.post("", **walks_in(household_id=strangers.household_id, member="child"))
    assert refused.status_code == 409
    assert (
        await desk.post("", organisation="ewec", **walks_in(household_id=household))
    ).status_code == 409


async def test_a_family_of_a_manifest_whom_no_referral_names_is_one_household(desk: Desk):
    flight = await desk.announce()
    family = {"family_name": "EXAMPLE", "nationality": "IRQ", "family_group": "F1"}
    born = {"3A": "2015-07-01", "3B": "1980-07-01", "3C": "1984-07-01"}
    passengers = [
        family | {"seat": seat, "given_names": f"PERSON {seat[-1]}", "birth_date": day}
        for seat, day in born.items()
    ]
    await desk.manifest(
        flight, [*passengers, {**passengers[1], "seat": "9A", "family_group": "F2"}]
    )
    seats = {seat: line["arrival_id"] for seat, line in (await desk.passengers(flight)).items()}
    met = await desk.post("/check-in", arrivals=list(seats.values()))
    assert met.status_code == 200, met.text
    households = {item["id"]: item["household_id"] for item in met.json()["items"]}
    assert len({households[seats[seat]] for seat in born}) == 1
    assert len(set(households.values())) == 2
    members = {}
    for seat, arrival in seats.items():
        told = await desk.call("GET", f"/v1/arrivals/{arrival}/identity", organisation=None)
        members[seat] = told.json()["member"]
    assert members == {"3A": "child", "3B": "principal", "3C": "adult", "9A": "principal"}


async def test_a_walk_in_who_was_expected_all_along_is_expected_no_more(desk: Desk):
    person, later = Person(), Person()
    expected, another = (
        await desk.expect(person),
        await desk.expect(later, arrives_at=LANDS_AT + timedelta(days=40)),
    )
    met = (await desk.post("", **walks_in(occurred_at=LANDS_AT))).json()
    walk_in = met["returnee_id"]
    await desk.tell(cases.ReturneeMerged(returnee_id=walk_in, into=person.id))
    await desk.tell(cases.ReturneeMerged(returnee_id=walk_in, into=person.id))
    shown = (await desk.get(f"/{expected}")).json()
    assert (shown["state"], shown["confirmation"]["method"]) == ("completed", "met_as_walk_in")
    assert [kind for kind, _ in await desk.published(person)] == [
        "arrival.expected",
        "arrival.confirmed",
    ]
    assert (await desk.get(f"/{another}")).json()["state"] == "expected"
    assert set(await desk.arrivals_of(person)) == {expected, UUID(met["id"])}


async def test_who_was_taken_for_a_walk_in_by_mistake_is_expected_again(desk: Desk):
    person = Person()
    expected = await desk.expect(person)
    await desk.recognise(person)
    walk_in = (await desk.post("", **walks_in(occurred_at=LANDS_AT))).json()["returnee_id"]
    for told in (
        cases.ReturneeMerged(returnee_id=walk_in, into=person.id),
        cases.ReturneeUnmerged(returnee_id=walk_in, separated_from=person.id),
    ):
        async with desk.homeward.database.transaction() as session:
            await session.execute(delete(job).where(job.c.kind == FETCH))
        await desk.tell(told)
        async with desk.homeward.database.transaction() as session:
            fetched = set(await session.scalars(select(job.c.key).where(job.c.kind == FETCH)))
        assert fetched == {walk_in, str(person.id)}
    shown = (await desk.get(f"/{expected}")).json()
    assert (shown["state"], shown["confirmation"], shown["arrived_on"]) == ("expected", None, None)
    kinds = [kind for kind, _ in await desk.published(person)]
    assert kinds == ["arrival.expected", "arrival.confirmed", "arrival.reopened"]
    assert (await desk.get("", returnee_id=walk_in)).json()["items"][0]["state"] == "met"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"return_kind": None}, "return_kind_required"),
        ({"particulars": {"languages": ["ger"]}}, "unknown_language"),
        (
            {
                "particulars": {
                    "documents": [{"kind": "passport", "number": "- -", "issuer": "IRQ"}]
                }
            },
            "string_pattern_mismatch",
        ),
    ],
)
async def test_a_walk_in_whom_cases_could_not_adopt_is_refused(
    desk: Desk, wrong: dict[str, Any], code: str
):
    body = walks_in()
    particulars = body["particulars"] | wrong.get("particulars", {})  # type: ignore[operator]
    refused = await desk.post("", **body | wrong | {"particulars": particulars})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, code)


async def test_who_may_only_look_does_nothing(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    shared = cases.ReturneeShared(
        returnee_id=person.id,
        organisation="ngo",
        purpose="continued_assistance",
        legal_basis="consent",
        categories=(),
        until=datetime.now(UTC) + timedelta(days=9),
    )
    await desk.tell(shared)
    for onlooker in ("ngo", "bamf"):
        assert (await desk.get(f"/{arrival}", organisation=onlooker)).status_code == 200
        assert (await desk.post(f"/{arrival}/check-in", organisation=onlooker)).status_code == 403
        assert (await desk.post(f"/{arrival}/no-show", organisation=onlooker)).status_code == 403
    assert (await desk.get(f"/{arrival}")).json()["state"] == "expected"


@pytest.mark.parametrize("categories", [(), ("contacts",), ("identity",), ("identity", "contacts")])
async def test_a_share_shows_what_it_names_and_no_more(desk: Desk, categories: tuple[str, ...]):
    person = Person()
    arrival = await desk.expect(person)
    contact = {"kind": "phone", "value": "+9647701234567", "owner": "self"}
    await desk.recognise(person, contacts=[contact])
    shared = fact_about(
        cases.ReturneeShared,
        returnee_id=person.id,
        organisation="ngo",
        categories=categories,
        until=datetime.now(UTC) + timedelta(days=9),
    )
    await desk.tell(shared)
    for organisation, identity, contacts in (
        ("ngo", "identity" in categories, "contacts" in categories),
        ("iom-iraq", True, True),
    ):
        seen = (await desk.get(f"/{arrival}", organisation=organisation)).json()
        assert (seen["identity"] is not None) is identity
        assert bool(seen["guidance"]["contacts"]) is contacts
        board = await desk.get("", organisation=organisation, returnee_id=str(person.id))
        (entry,) = board.json()["items"]
        assert (entry["identity"] is not None) is identity
