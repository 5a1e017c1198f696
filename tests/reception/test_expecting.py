"""What the news of cases does to who is expected."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from chassis.jobs import job
from contracts import cases
from services.reception.models import Profile
from tests.reception.desk import LANDS_AT, Desk, Person


async def one(desk: Desk, person: Person) -> dict:
    (item,) = (await desk.get("", returnee_id=person.id)).json()["items"]
    return item


async def test_a_planned_journey_makes_one_expected_arrival_that_moves_with_it(desk: Desk):
    person = Person()
    await desk.tell(person.opened(), cases.TravelPlanned(**person.journey()))
    planned = await one(desk, person)
    assert (planned["state"], planned["port_of_entry"], planned["confirmed"]) == (
        "expected",
        "EBL",
        False,
    )
    assert (planned["household_id"], planned["programme"]) == (str(person.household_id), "eurp")

    later = LANDS_AT + timedelta(days=3)
    await desk.tell(
        cases.TravelConfirmed(**person.journey(revision=2)),
        cases.TravelChanged(**person.journey(revision=3, arrives_at=later, port_of_entry="BGW")),
    )
    moved = await one(desk, person)
    assert moved["id"] == planned["id"]
    assert (moved["port_of_entry"], moved["confirmed"]) == ("BGW", True)
    assert datetime.fromisoformat(moved["expected_at"]) == later
    assert [(kind, data["confirmed"]) for kind, data in await desk.published(person)] == [
        ("arrival.expected", False),
        ("arrival.expected", True),
        ("arrival.expected", True),
    ]


async def test_the_same_news_again_is_no_news(desk: Desk):
    person = Person()
    await desk.expect(person)
    await desk.tell(
        cases.TravelChanged(**person.journey()), cases.TravelConfirmed(**person.journey())
    )
    assert len(await desk.published(person)) == 1


async def test_a_second_journey_is_a_second_arrival(desk: Desk):
    person = Person()
    await desk.expect(person)
    await desk.tell(cases.TravelPlanned(**person.journey(travel_id=uuid4())))
    assert len(await desk.arrivals_of(person)) == 2


async def test_a_journey_told_before_its_case_waits_unseen(desk: Desk):
    person = Person()
    journey = person.journey() | {"case_id": None, "household_id": None, "programme": None}
    await desk.tell(cases.TravelPlanned(**journey))
    (arrival,) = await desk.arrivals_of(person)
    assert (await desk.get(f"/{arrival}")).status_code == 404
    await desk.tell(person.opened())
    assert (await one(desk, person))["case_id"] == str(person.case_id)


@pytest.mark.parametrize(
    "news", [cases.TravelCancelled, cases.TravelNotDeparted, cases.ReferralWithdrawn]
)
async def test_a_journey_that_is_off_ends_what_has_not_begun(desk: Desk, news):
    person, met = Person(), Person()
    await desk.expect(person)
    arrival = await desk.expect(met)
    await desk.post(f"/{arrival}/check-in")
    for who in (person, met):
        extra = (
            {"referrer": "bamf"}
            if news is cases.ReferralWithdrawn
            else {"travel_id": who.travel_id}
        )
        await desk.tell(news(**who.ids, **extra))
    assert (await one(desk, person))["state"] == "not_departed"
    assert (await one(desk, met))["state"] == "met"
    kind, data = (await desk.published(person))[-1]
    assert (kind, data["travel_id"]) == ("arrival.not_departed", str(person.travel_id))
    assert [kind for kind, _ in await desk.published(met)] == [
        "arrival.expected",
        "arrival.received",
    ]

    await desk.tell(cases.TravelPlanned(**person.journey(revision=4)))
    again = await one(desk, person)
    assert (again["state"], again["confirmed"]) == ("expected", False)


async def test_a_referral_withdrawn_before_acceptance_is_nobodys(desk: Desk):
    await desk.tell(cases.ReferralWithdrawn(referral_id=uuid4(), programme="eurp", referrer="bamf"))


async def test_who_it_is_is_fetched_when_the_case_opens_and_again_when_it_changes(desk: Desk):
    person = Person()

    async def waiting() -> int:
        async with desk.homeward.database.transaction() as session:
            rows = await session.execute(select(job.c.id).where(job.c.key == str(person.id)))
            return len(rows.all())

    await desk.expect(person)
    assert await waiting() == 1
    assert (await one(desk, person))["identity"] is None
    await desk.recognise(person)
    identity = (await one(desk, person))["identity"]
    assert identity["names"][0]["family"] == "الدليمي"
    assert "+964" not in str(identity)
    await desk.tell(cases.ReturneeUpdated(**person.ids, changed=("names",)))
    assert await waiting() == 1
    await desk.recognise(person, sex="female")
    assert (await one(desk, person))["identity"]["sex"] == "female"


async def test_an_identity_that_is_gone_is_not_an_error(desk: Desk):
    from chassis.http import CallFailed, ServiceClient
    from services.reception.identities import fetch_job

    class Cases(ServiceClient):
        def __init__(self, status: int | None) -> None:
            self.status = status

        async def get(self, *_):
            raise CallFailed("cases", self.status)

    kind = fetch_job(desk.homeward.settings)
    assert await kind.call(Cases(404), {"returnee_id": str(uuid4())}) is None
    with pytest.raises(CallFailed):
        await kind.call(Cases(None), {"returnee_id": str(uuid4())})


async def test_erasure_leaves_counts_and_no_person(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    await desk.recognise(person)
    await desk.post(f"/{arrival}/check-in")
    await desk.post(
        f"/{arrival}/profile",
        household={"women": 0, "men": 1, "girls": 0, "boys": 0},
        immediate_needs=["medical"],
        needs_priority="urgent",
    )
    await desk.post(
        f"/{arrival}/onward-transport",
        mode="taxi",
        destination={"governorate": "IQ-AR", "district": "Soran"},
    )
    await desk.tell(cases.ReturneeErased(returnee_id=person.id))

    assert (await desk.published(person))[-1][0] == "returnee.scrubbed"
    assert (await desk.get(f"/{arrival}")).status_code == 404
    internal = (await desk.get(f"/{arrival}", organisation=None)).json()
    assert (internal["identity"], internal["profile"], internal["state"]) == (None, None, "met")
    assert internal["onward_transport"][0]["destination"] == {
        "governorate": "IQ-AR",
        "district": None,
    }
    async with desk.homeward.database.transaction() as session:
        assert await session.get(Profile, arrival) is None

    before = await desk.published(person)
    await desk.tell(person.opened(), cases.TravelPlanned(**person.journey(travel_id=uuid4())))
    await desk.recognise(person)
    assert (await desk.published(person)) == before
    assert (await desk.get(f"/{arrival}")).status_code == 404
    assert (await desk.get(f"/{arrival}", organisation=None)).json()["identity"] is None


async def test_a_journey_that_moves_after_its_end_changes_nothing(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    await desk.post(f"/{arrival}/check-in", occurred_at=datetime.now(UTC))
    await desk.tell(cases.TravelChanged(**person.journey(revision=2, port_of_entry="BSR")))
    assert (await one(desk, person))["port_of_entry"] == "EBL"
    assert [kind for kind, _ in await desk.published(person)] == [
        "arrival.expected",
        "arrival.received",
    ]


async def test_who_was_redirected_is_followed_still(desk: Desk):
    person = Person()
    arrival = await desk.expect(person)
    await desk.post(
        f"/{arrival}/redirect", port_of_entry="BGW", expected_at=LANDS_AT + timedelta(days=1)
    )
    await desk.tell(cases.TravelConfirmed(**person.journey()))  # the booking that they missed
    shown = (await desk.get(f"/{arrival}")).json()
    assert (shown["state"], shown["port_of_entry"]) == ("diverted", "BGW")
    await desk.tell(cases.TravelChanged(**person.journey(port_of_entry="NJF", revision=2)))
    shown = (await desk.get(f"/{arrival}")).json()
    assert (shown["state"], shown["port_of_entry"]) == ("expected", "NJF")
    await desk.post(
        f"/{arrival}/redirect", port_of_entry="BGW", expected_at=LANDS_AT + timedelta(days=1)
    )
    await desk.tell(cases.TravelCancelled(**person.journey(revision=3)))
    assert (await desk.get(f"/{arrival}")).json()["state"] == "not_departed"
