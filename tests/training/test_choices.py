"""From an approved plan to a cohort: chosen where one suits, else left to a person, looked at when
plans change.
"""

import itertools
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts import cases
from contracts.codes import CaseState
from services.training.enrolments.rules import Obstacle, Suits, chosen, obstacles
from services.training.programmes import governorate_of
from tests.training.school import Person, School, sessions

DOOR = {
    "online": False,
    "place": "IQ-BG",
    "lives_in": "IQ-BG",
    "languages": ["ar"],
    "speaks": ["ar", "en"],
    "free": 1,
}
OPEN: dict[str, Any] = {
    **DOOR,
    "clash": False,
    "starts_on": date(2026, 3, 1),
    "available_from": None,
}
NUMBERS = itertools.count(1)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ()),
        ({"free": 0}, ("full",)),
        ({"clash": True}, ("clash",)),
        ({"lives_in": "IQ-BA"}, ("another_place",)),
        ({"lives_in": None}, ("place_not_known",)),
        ({"place": None}, ("place_not_known",)),
        ({"place": None, "lives_in": "IQ-BA", "online": True}, ()),
        ({"speaks": ["ckb"]}, ("language",)),
        ({"speaks": []}, ("language_not_known",)),
        ({"available_from": date(2026, 3, 2)}, ("not_available",)),
        ({"available_from": date(2026, 3, 1)}, ()),
    ],
)
def test_what_speaks_against_a_cohort_is_said(
    change: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert obstacles(**(OPEN | change)) == expected


def test_only_what_suits_alone_or_is_named_is_chosen() -> None:
    course, one, two = uuid4(), uuid4(), uuid4()
    good, full = Suits(one, course, frozenset()), Suits(two, course, frozenset({Obstacle.FULL}))
    far = Suits(two, course, frozenset({Obstacle.ANOTHER_PLACE}))
    clash = Suits(two, course, frozenset({Obstacle.CLASH}))
    nothing: dict[str, UUID | None] = {"cohort_id": None, "course_id": None}
    assert chosen([good, far], **nothing) == one
    assert chosen([good, Suits(two, course, frozenset())], **nothing) is None
    assert chosen([far], **nothing) is chosen([], **nothing) is None
    assert chosen([good, far], cohort_id=None, course_id=course) == one
    assert chosen([far], cohort_id=None, course_id=course) == two
    assert chosen([full], cohort_id=None, course_id=course) is None
    assert chosen([full], cohort_id=two, course_id=None) == two
    assert chosen([clash], cohort_id=two, course_id=None) is None


def test_where_the_cities_of_the_courses_are_is_known() -> None:
    assert (governorate_of("IRQ", "Duhok"), governorate_of("ALB", "Tirana")) == ("IQ-DA", "AL-11")
    assert governorate_of("IRQ", "Nowhere") is governorate_of("IRQ", None) is None


class Town:
    """A kind of course of its own for each test, so that no other test's cohorts are suitable."""

    def __init__(self, school: School) -> None:
        self.school = school
        self.provider = f"training-town-{next(NUMBERS)}"

    async def course(self, **values: Any) -> dict[str, Any]:
        return await self.school.course(provider=self.provider, **values)

    async def somebody(
        self, governorate: str = "IQ-BG", state: CaseState = CaseState.ARRIVED
    ) -> Person:
        person = await self.school.somebody(state)
        await self.school.settle(person, governorate)
        return person

    async def approve(
        self, person: Person, *, plan_version: int = 1, **line: Any
    ) -> dict[str, Any]:
        """A plan with one line that names the town's provider; what became of it."""
        wanted = {"id": str(uuid4()), "kind": "vocational_training", "beneficiary": str(person.id)}
        wanted |= {"provider": self.provider} | {name: str(value) for name, value in line.items()}
        await self.school.approve(person, wanted, plan_version=plan_version, languages=("ar", "en"))
        return await self.of(person)

    async def of(self, person: Person) -> dict[str, Any]:
        """Their newest enrolment."""
        found: dict[str, Any] = (
            await self.school.get("/v1/enrolments", returnee_id=person.id)
        ).json()["items"][0]
        return found

    async def choice(self, person: Person) -> list[tuple[str, list[str]]]:
        """The cohorts from which a person has to choose, with what speaks against each."""
        items, after = [], None
        while True:
            query = {"limit": 50} | ({"after": after} if after else {})
            page = (await self.school.get("/v1/enrolments/choices", **query)).json()
            items += page["items"]
            after = page["next"]
            if after is None:
                break
        (mine,) = [item for item in items if item["returnee_id"] == str(person.id)]
        return [(cohort["cohort_id"], cohort["obstacles"]) for cohort in mine["cohorts"]]


@pytest.fixture
def town(school: School) -> Town:
    return Town(school)


async def test_the_one_cohort_that_suits_is_chosen(town: Town) -> None:
    course = await town.course()
    cohort = await town.school.cohort(course)
    await town.school.cohort(await town.course(city="Basra"))
    await town.school.cohort(await town.course(kind="business", isco_08=None))
    person = await town.somebody()
    got = await town.approve(person)
    assert (got["state"], got["cohort_id"], got["review"]) == ("enrolled", cohort, None)
    told = [name for name, _ in await town.school.published(person)]
    assert told == ["enrolment.requested", "enrolment.confirmed"]
    rows = await town.school.sql(
        "SELECT 1 FROM audit WHERE action = 'place' AND resource_id = :id", id=got["id"]
    )
    assert len(rows) == 1


async def test_of_two_that_suit_a_person_chooses(town: Town) -> None:
    course = await town.course()
    early = await town.school.cohort(course)
    late = await town.school.cohort(course, sessions=sessions(timedelta(days=30)))
    far = await town.school.cohort(await town.course(city="Erbil", languages=["ckb"]))
    person = await town.somebody()
    got = await town.approve(person)
    assert got["state"] == "requested"
    assert await town.choice(person) == [
        (early, []),
        (late, []),
        (far, ["another_place", "language"]),
    ]
    placed = await town.school.decide(f"/v1/enrolments/{got['id']}", "place", cohort_id=late)
    assert placed.json()["state"] == "enrolled"


async def test_what_has_begun_is_full_or_is_for_others_is_not_chosen(town: Town) -> None:
    course = await town.course(capacity=1)
    await town.school.cohort(course, sessions=sessions(-timedelta(hours=1)))
    full = await town.school.cohort(course)
    await town.school.enrol(full, await town.somebody())
    await town.school.cohort(await town.course(programmes=["eurp"]))
    await town.school.cohort(await town.course(governorates=["IQ-BA"]))
    cancelled = await town.school.cohort(course)
    await town.school.decide(f"/v1/cohorts/{cancelled}", "cancel")
    person = await town.somebody()
    assert (await town.approve(person))["state"] == "requested"
    assert await town.choice(person) == [(full, ["full"])]


async def test_who_is_not_known_to_live_there_is_left_to_a_person(town: Town) -> None:
    cohort = await town.school.cohort(await town.course())
    person = await town.school.somebody()
    assert (await town.approve(person))["state"] == "requested"
    assert await town.choice(person) == [(cohort, ["place_not_known"])]


async def test_a_course_or_a_cohort_that_the_line_names_is_taken(town: Town) -> None:
    course = await town.course(capacity=1)
    early = await town.school.cohort(course)
    late = await town.school.cohort(course, sessions=sessions(timedelta(days=30)))
    by_course = await town.approve(await town.somebody("IQ-BA"), course_id=course["id"])
    assert (by_course["state"], by_course["cohort_id"]) == ("enrolled", early)
    named = await town.approve(await town.somebody(), cohort_id=late)
    assert (named["state"], named["cohort_id"]) == ("enrolled", late)
    waits = await town.approve(await town.somebody(), cohort_id=late)
    assert (waits["state"], waits["queue"]) == ("waitlisted", 1)
    nobody_knows = await town.approve(await town.somebody(), cohort_id=uuid4())
    assert nobody_knows["state"] == "requested"


async def test_a_plan_that_is_approved_before_the_departure_is_carried_out_after_the_arrival(
    town: Town,
) -> None:
    cohort = await town.school.cohort(await town.course())
    person = await town.somebody(state=CaseState.PRE_DEPARTURE)
    assert (await town.approve(person))["state"] == "requested"
    assert await town.choice(person) == []
    await town.school.tell(person.moved(CaseState.ARRIVED))
    await town.school.choose(person)
    assert (await town.of(person))["cohort_id"] == cohort


async def test_places_are_not_given_twice_by_plans(town: Town) -> None:
    cohort = await town.school.cohort(await town.course(capacity=2))
    got = [await town.approve(await town.somebody()) for _ in range(3)]
    assert [each["state"] for each in got] == ["enrolled", "enrolled", "requested"]
    assert (await town.school.get(f"/v1/cohorts/{cohort}")).json()["seats_taken"] == 2


async def test_a_plan_that_is_amended_puts_the_enrolment_in_question_and_cancels_nothing(
    town: Town,
) -> None:
    await town.school.cohort(await town.course())
    person = await town.somebody()
    line = uuid4()
    got = await town.approve(person, id=line)
    path = f"/v1/enrolments/{got['id']}"
    await town.school.tell(person.amended(2), person.amended(2))
    await town.school.tell(cases.PlanReturned(**person.ids, plan_id=uuid4(), plan_version=2))
    seen = await town.school.enrolment(got["id"])
    assert (seen["state"], seen["review"]) == ("enrolled", "plan_amended")
    listed = (await town.school.get("/v1/enrolments", review=True, limit=200)).json()["items"]
    assert got["id"] in [item["id"] for item in listed]
    told = [
        data["reason"]
        for name, data in await town.school.published(person)
        if name == "enrolment.questioned"
    ]
    assert told == ["plan_amended"]
    await town.approve(person, plan_version=2, id=line)
    assert (await town.school.enrolment(got["id"]))["review"] is None
    await town.school.tell(person.amended(2))  # told late
    assert (await town.school.enrolment(got["id"]))["review"] is None
    assert (await town.school.decide(path, "keep")).status_code == 409


async def test_a_line_that_is_removed_is_told_and_a_person_decides(town: Town) -> None:
    await town.school.cohort(await town.course(capacity=5))
    keeping, leaving, wishing = (
        await town.somebody(),
        await town.somebody(),
        await town.school.somebody(),
    )
    kept, left, wish = [await town.approve(person) for person in (keeping, leaving, wishing)]
    for person in (keeping, leaving, wishing):
        await town.school.tell(person.amended(2))
        await town.school.approve(person, plan_version=2)
        await town.school.approve(person, plan_version=2)
    for enrolment, person in ((kept, keeping), (left, leaving)):
        seen = await town.school.enrolment(enrolment["id"])
        assert (seen["state"], seen["review"]) == ("enrolled", "line_removed")
        told = [
            data["reason"]
            for name, data in await town.school.published(person)
            if name.endswith("questioned")
        ]
        assert told == ["plan_amended", "line_removed"]
    goes_on = await town.school.decide(f"/v1/enrolments/{kept['id']}", "keep")
    assert (goes_on.status_code, goes_on.json()["review"], goes_on.json()["plan_line_id"]) == (
        200,
        None,
        None,
    )
    cancelled = await town.school.post(f"/v1/enrolments/{left['id']}/cancel")
    assert (cancelled.json()["state"], cancelled.json()["review"]) == ("cancelled", None)
    nothing_lost = await town.school.enrolment(wish["id"])
    assert (nothing_lost["state"], nothing_lost["reason"]) == ("cancelled", "plan_amended")


async def test_a_line_that_comes_back_finds_the_enrolment_that_went_on(town: Town) -> None:
    await town.school.cohort(await town.course())
    person, line = await town.somebody(), uuid4()
    got = await town.approve(person, id=line)
    await town.school.approve(person, plan_version=2)
    await town.approve(person, plan_version=3, id=line)
    items = (await town.school.get("/v1/enrolments", returnee_id=person.id)).json()["items"]
    assert [(item["id"], item["state"], item["review"]) for item in items] == [
        (got["id"], "enrolled", None)
    ]


@pytest.mark.parametrize("end", ["closed", "withdrawn", "erased"])
async def test_who_does_not_go_on_is_given_no_cohort(town: Town, end: str) -> None:
    person = await town.somebody()
    got = await town.approve(person)
    facts = {
        "closed": person.closed(),
        "withdrawn": cases.ReferralWithdrawn(**person.ids, referrer="fedasil"),
        "erased": cases.ReturneeErased(returnee_id=person.id),
    }
    await town.school.tell(facts[end])
    await town.school.cohort(await town.course())
    await town.school.choose(person)
    states = await town.school.sql(
        "SELECT state, cohort_id FROM enrolment WHERE id = :id", id=got["id"]
    )
    assert tuple(states[0]) == ("cancelled", None)
    left = await town.school.sql("SELECT 1 FROM whereabouts WHERE returnee_id = :id", id=person.id)
    assert bool(left) == (end != "erased")


async def test_two_ids_of_one_person_do_not_take_two_places(town: Town) -> None:
    cohort = await town.school.cohort(await town.course(capacity=5))
    one, other = await town.somebody(), await town.somebody()
    await town.school.enrol(cohort, one)
    await town.school.tell(cases.ReturneeMerged(returnee_id=other.id, into=one.id))
    assert (await town.approve(other))["state"] == "requested"
    again = await town.school.post("/v1/enrolments", returnee_id=other.id, cohort_id=cohort)
    assert again.status_code == 409
    at_once = await town.school.cohort(await town.course())
    clash = await town.school.post("/v1/enrolments", returnee_id=other.id, cohort_id=at_once)
    assert clash.json()["type"] == "/problems/training-clash"


async def test_a_course_for_some_governorates_is_for_those_who_return_there(town: Town) -> None:
    wrong = await town.school.post("/v1/courses", **_course(town.provider, governorate="AF-KAB"))
    assert wrong.status_code == 422
    course = await town.course(governorates=["IQ-BG", "IQ-DI"])
    assert course["governorate"] == "IQ-BG"
    cohort = await town.school.cohort(course)
    here, there, unknown = (
        await town.somebody(),
        await town.somebody("IQ-BA"),
        await town.school.somebody(),
    )
    assert (await town.school.enrol(cohort, here))["state"] == "enrolled"
    answer = await town.school.post("/v1/enrolments", returnee_id=there.id, cohort_id=cohort)
    assert answer.status_code == 409
    assert [(e["code"], e["detail"]) for e in answer.json()["errors"]] == [
        ("governorate", "a person who returns to IQ-BG, IQ-DI")
    ]
    assert (await town.school.enrol(cohort, unknown))["state"] == "enrolled"
    moved = await town.school.patch(f"/v1/cohorts/{cohort}", city="Erbil")
    assert moved.json()["governorate"] == "IQ-AR"
    assert (
        await town.school.patch(f"/v1/cohorts/{cohort}", governorate="AF-KAB")
    ).status_code == 422


def _course(provider: str, **values: Any) -> dict[str, Any]:
    plain = {
        "code": "X1",
        "title": "X",
        "kind": "vocational",
        "phase": "post_arrival",
        "hours": "4",
        "days": 2,
    }
    place = {
        "country": "IRQ",
        "city": "Baghdad",
        "capacity": 2,
        "provider": provider,
        "languages": ["ar"],
    }
    return plain | place | {"isced_f": "1012"} | values
