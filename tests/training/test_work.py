"""Work: who fits and why, placements within positions, checks, mentors within what they can
carry.
"""

import asyncio
import random
from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.training.programmes import weighing
from services.training.weighing import Weighing
from services.training.work.matching import Pool, best_work
from services.training.work.rules import Match, Skills, Work, match, month_after
from tests.training.school import Person, School, vacancy

BARBER = Skills(
    UUID(int=1),
    ("5141",),
    frozenset({"ar", "ckb"}),
    "IRQ",
    "IQ-BG",
    False,
    Decimal(600),
    "USD",
    date(2026, 1, 1),
)
SHOP = Work(
    UUID(int=9),
    "5141",
    frozenset({"ar"}),
    "IRQ",
    "IQ-BG",
    False,
    Decimal(700),
    "USD",
    date(2026, 2, 1),
)

BY = weighing(date(2026, 6, 1))


def score(person: Skills, work: Work = SHOP) -> int:
    found = match(person, work, BY, of=person.id)
    return found.score if found else -1


def test_what_is_looked_at_holds_nothing_protected() -> None:
    assert {field.name for field in fields(Skills)} == {
        "id",
        "occupations",
        "languages",
        "country",
        "governorate",
        "may_move",
        "wage",
        "currency",
        "available_from",
    }


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 100),
        ({"occupations": ("5142",)}, 88),
        ({"occupations": ("5151",)}, 75),
        ({"occupations": ("5411", "5223")}, 64),
        ({"occupations": ("7231",)}, -1),
        ({"governorate": "IQ-BA"}, -1),
        ({"governorate": "IQ-BA", "may_move": True}, 90),
        ({"governorate": None}, 92),
        ({"languages": frozenset({"ckb"})}, 85),
        ({"wage": Decimal(1400)}, 94),
        ({"available_from": date(2026, 2, 20)}, 96),
        ({"available_from": date(2026, 6, 1)}, 92),
        ({"country": "AFG"}, -1),
    ],
)
def test_each_factor_counts(change: dict[str, Any], expected: int) -> None:
    assert score(replace(BARBER, **change)) == expected


def test_reasons_can_be_read() -> None:
    person = replace(
        BARBER, occupations=("5142",), languages=frozenset({"ckb"}), wage=Decimal(1000)
    )
    fit = match(person, SHOP, BY, of=person.id)
    assert fit is not None
    assert [reason.words for reason in fit.reasons] == [
        "the same minor group of occupations",
        "in the same governorate",
        "not spoken: ar",
        "the wage is 70 percent of what is expected",
        "available at the start",
    ]


def test_the_best_come_first_and_alike_ones_in_a_fixed_order() -> None:
    people = [
        replace(BARBER, id=UUID(int=n), occupations=("5142",) if n % 2 else ("5141",))
        for n in range(20, 0, -1)
    ]
    ranked = Pool(people, BY).best(SHOP, 5)
    assert [fit.id.int for fit in ranked] == [2, 4, 6, 8, 10]
    assert Pool([replace(BARBER, occupations=())], BY).best(SHOP, 5) == []
    vacancies = [
        replace(SHOP, id=UUID(int=n), occupation="5141" if n % 2 else "5142")
        for n in range(9, 0, -1)
    ]
    assert [fit.id.int for fit in best_work(BARBER, vacancies, BY, 6)] == [1, 3, 5, 7, 9, 2]


CODES = ("5141", "5142", "5151", "5411", "7231", "7422")
PLACES = [("IRQ", "IQ-BG"), ("IRQ", "IQ-BA"), ("IRQ", None), ("AFG", "AF-KAB")]
TONGUES = st.frozensets(st.sampled_from(["ar", "ckb", "en"]))
WAGES = st.one_of(st.none(), st.decimals(0, 2000, places=2))
DAYS = st.one_of(st.none(), st.dates(date(2026, 1, 1), date(2026, 4, 1)))
COINS = st.sampled_from(["USD", "USD", "IQD"])
PEOPLE = st.builds(
    lambda number, codes, tongues, place, moves, wage, coin, day: Skills(
        UUID(int=number),
        tuple(codes),
        tongues,
        *place,
        moves,
        wage,
        coin if wage is not None else None,
        day,
    ),
    st.integers(1, 60),
    st.lists(st.sampled_from(CODES), max_size=3, unique=True),
    TONGUES,
    st.sampled_from(PLACES),
    st.booleans(),
    WAGES,
    COINS,
    DAYS,
)
WORK = st.builds(
    lambda code, tongues, place, remote, wage, coin, day: Work(
        UUID(int=9), code, tongues, *place, remote, wage, coin if wage is not None else None, day
    ),
    st.sampled_from(CODES),
    TONGUES,
    st.sampled_from(PLACES),
    st.booleans(),
    WAGES,
    COINS,
    DAYS,
)


def plain(work: Work, people: list[Skills], most: int) -> list[Match]:
    """Every pair scored as it can be read, and sorted."""
    found = [fit for person in people if (fit := match(person, work, BY, of=person.id))]
    return sorted(found, key=lambda fit: (-fit.score, fit.id))[:most]


@hypothesis.settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    people=st.lists(PEOPLE, max_size=25, unique_by=lambda person: person.id),
    wanted=st.lists(WORK, min_size=2, max_size=4),
)
def test_the_quick_way_finds_what_the_plain_one_finds(
    people: list[Skills], wanted: list[Work]
) -> None:
    pool = Pool(people, BY)
    for work in wanted:
        for most in (1, 3, 25):
            assert pool.best(work, most) == plain(work, people, most)


def test_the_quick_way_finds_what_the_plain_one_finds_among_many() -> None:
    chance = random.Random(11)
    people = [
        replace(
            BARBER,
            id=UUID(int=number),
            occupations=tuple(chance.sample(CODES, chance.randint(1, 3))),
            languages=frozenset(chance.sample(["ar", "ckb", "en"], chance.randint(0, 3))),
            governorate=chance.choice(["IQ-BG", "IQ-BA", None]),
            may_move=chance.random() < 0.3,
            wage=Decimal(chance.randint(300, 3000)),
        )
        for number in range(1, 600)
    ]
    pool = Pool(people, BY)
    for code in CODES:
        for most in (1, 20, 100, 150, 600):
            work = replace(SHOP, occupation=code)
            assert pool.best(work, most) == plain(work, people, most)


def test_how_a_fit_is_weighed_is_dated_data_that_says_what_is_assumed() -> None:
    assert weighing(date(2026, 6, 1)) == weighing(date(2020, 1, 1)) == BY
    assert (BY.version, BY.verified) == (1, False)
    assert BY.source.startswith("Assumed")
    document = BY.model_dump(by_alias=True)
    with pytest.raises(ValueError, match="add up"):
        Weighing.model_validate(document | {"weights": document["weights"] | {"wage": 13}})
    with pytest.raises(ValueError, match="nearer"):
        Weighing.model_validate(document | {"occupation": [0, 45, 20, 75, 100]})


def test_months_end_on_days_that_exist() -> None:
    assert month_after(date(2025, 11, 30), 3) == date(2026, 2, 28)
    assert month_after(date(2026, 8, 31), 6) == date(2027, 2, 28)
    assert month_after(date(2026, 9, 15), 3) == date(2026, 12, 15)


async def test_a_graduate_is_matched_and_a_stranger_learns_nothing(school: School) -> None:
    person, done = await school.finished()
    work = await vacancy(school)
    found = (await school.get(f"/v1/vacancies/{work}/matches", limit=100)).json()["items"]
    mine = next(item for item in found if item["returnee_id"] == str(person.id))
    assert mine["reasons"][0]["words"] == "the same occupation"
    weighed = (await school.get(f"/v1/vacancies/{work}/matches")).json()["weighing"]
    assert (weighed["since"], weighed["verified"]) == ("2026-01-01", False)
    assert (
        await school.get(f"/v1/vacancies/{work}/matches", organisation="iom-albania")
    ).status_code == 404
    path = f"/v1/enrolments/{done['id']}"
    seen = (await school.get(f"{path}/profile")).headers["etag"]
    profile = {
        "occupations": ["5141"],
        "languages": ["ar"],
        "country": "IRQ",
        "governorate": "IQ-BG",
        "wage": {"amount": "500", "currency": "USD"},
    }
    assert (await school.put(f"{path}/profile", seen=seen, **profile)).status_code == 200
    suggested = (await school.get(f"{path}/vacancies")).json()["items"]
    best = next(item for item in suggested if item["vacancy"]["id"] == work)
    assert best["score"] == 100
    await school.put(f"{path}/profile", seen='"1"', **profile)
    other = profile | {"governorate": "AF-KAB"}
    wrong = await school.put(f"{path}/profile", seen='"2"', **other)
    assert wrong.json()["errors"][0]["code"] == "governorate_outside_country"


async def placed(school: School, work: str, person: Person, **values: Any) -> str:
    answer = await school.post("/v1/placements", vacancy_id=work, returnee_id=person.id, **values)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_placement_is_started_checked_and_ended(school: School) -> None:
    person = await school.somebody()
    await school.approve(
        person,
        {
            "id": "0195f2a0-0000-7000-8000-00000000000a",
            "kind": "job_placement",
            "beneficiary": str(person.id),
        },
        {
            "id": "0195f2a0-0000-7000-8000-00000000000b",
            "kind": "wage_subsidy",
            "beneficiary": str(person.id),
        },
    )
    work = await vacancy(school)
    placement = await placed(school, work, person, wage_subsidy=True, subsidy_months=6)
    path = f"/v1/placements/{placement}"
    assert (await school.post(f"{path}/start", started_on="2099-01-01")).status_code == 422
    started = await school.post(f"{path}/start", started_on="2026-01-31")
    assert [check["due_on"] for check in started.json()["retention"]] == [
        "2026-04-30",
        "2026-07-31",
    ]
    assert (await school.get(f"/v1/vacancies/{work}")).json()["state"] == "filled"
    due = (await school.get("/v1/placements", check_due_before="2026-05-01")).json()["items"]
    assert placement in [item["id"] for item in due]
    early = await school.post(f"{path}/retention", months=3, checked_on="2026-04-01", working=True)
    assert early.json()["errors"][0]["code"] == "before_due"
    assert (
        await school.post(f"{path}/retention", months=5, checked_on="2026-05-02", working=True)
    ).status_code == 422
    assert (
        await school.post(f"{path}/retention", months=3, checked_on="2026-05-02", working=True)
    ).status_code == 200
    ended = await school.post(f"{path}/end", reason="contract_ended", ended_on="2026-06-30")
    assert ended.json()["state"] == "ended"
    assert (await school.get(f"/v1/vacancies/{work}")).json()["state"] == "open"
    later = await school.post(f"{path}/retention", months=6, checked_on="2026-08-02", working=False)
    assert later.status_code == 200
    told = dict(await school.published(person))
    assert told["placement.started"]["subsidy_line_id"].endswith("0b")
    assert told["placement.started"]["plan_line_id"].endswith("0a")
    assert (
        told["placement.started"]["wage_subsidy"],
        told["placement.started"]["subsidy_months"],
    ) == (True, 6)
    assert (told["placement.ended"]["started_on"], told["placement.ended"]["ended_on"]) == (
        "2026-01-31",
        "2026-06-30",
    )
    assert not any(
        "wage" in name for _, data in told.items() for name in data if name != "wage_subsidy"
    )
    assert (
        told["placement.retention_checked"] | {"months": 6, "working": False}
        == told["placement.retention_checked"]
    )


async def test_positions_are_filled_once_at_any_concurrency(school: School) -> None:
    work = await vacancy(school, positions=2)
    placements = [await placed(school, work, await school.somebody()) for _ in range(8)]
    answers = await asyncio.gather(
        *(
            school.post(f"/v1/placements/{each}/start", started_on="2026-01-31")
            for each in placements
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 2 + [409] * 6
    assert (await school.get(f"/v1/vacancies/{work}")).json()["taken"] == 2


async def test_a_wage_subsidy_needs_a_line_of_a_plan(school: School) -> None:
    person = await school.somebody()
    answer = await school.post(
        "/v1/placements", vacancy_id=await vacancy(school), returnee_id=person.id, wage_subsidy=True
    )
    assert answer.status_code == 409
    months = await school.post(
        "/v1/placements", vacancy_id=await vacancy(school), returnee_id=person.id, subsidy_months=3
    )
    assert months.json()["errors"][0]["code"] == "no_subsidy"


async def test_a_mentor_takes_as_many_as_agreed(school: School) -> None:
    person, done = await school.finished()
    too_many = await school.post(
        "/v1/mentors", enrolment_id=done["id"], agreed_on="2026-01-01", capacity=4
    )
    assert too_many.json()["errors"][0]["code"] == "too_many_mentees"
    mentor = (
        await school.post(
            "/v1/mentors", enrolment_id=done["id"], agreed_on="2026-01-01", capacity=2
        )
    ).json()
    path = f"/v1/mentors/{mentor['id']}/mentorships"
    mentees = [await school.somebody() for _ in range(5)]
    answers = await asyncio.gather(
        *(school.post(path, returnee_id=each.id, started_on="2026-01-02") for each in mentees)
    )
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409]
    pairs = [answer.json() for answer in answers if answer.status_code == 201]
    ended = await school.post(
        f"{path}/{pairs[0]['id']}/end", reason="completed", ended_on="2026-03-01"
    )
    assert ended.json()["state"] == "ended"
    assert (await school.get(f"/v1/mentors/{mentor['id']}")).json()["mentees"] == 1
    stopped = await school.post(f"/v1/mentors/{mentor['id']}/end")
    assert (stopped.json()["state"], stopped.json()["mentees"]) == ("ended", 0)
    parts = [
        data["part"]
        for name, data in await school.published(person)
        if name.startswith("mentorship.")
    ]
    assert parts == ["mentor"] * 4
    unfinished = await school.enrol(await school.cohort(sessions=[*_tomorrow()]))
    refused = await school.post(
        "/v1/mentors", enrolment_id=unfinished["id"], agreed_on="2026-01-01", capacity=1
    )
    assert refused.status_code == 409


def _tomorrow() -> list[dict[str, str]]:
    from tests.training.school import sessions

    return sessions(timedelta(days=1))
