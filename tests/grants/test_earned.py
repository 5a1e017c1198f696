"""Allowances that attendance earns and subsidies that work earns: once each, in any order, told
where taken back.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contracts import training
from contracts.cases import ReturneeErased
from contracts.training import PlacementEnd, WorkKind
from services.grants.payments.earned.rules import Work, months_after, subsidies
from services.grants.payments.earned.service import WAGE_JOB
from services.grants.programmes.data import programmes
from tests.grants.arranging import ABSENT, DAY, PRESENT, Course, Plan, planned_line
from tests.grants.office import APPROVER, RELEASER, REQUESTER, SECOND, Office, Person, today

BELGIUM = "amif-be-2018"
CLOCK = datetime(2026, 11, 10, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICKS = count(1)


async def tell(office: Office, *facts: Any) -> None:
    """Each later than the one before."""
    for fact in facts:
        await office.tell(fact, at=CLOCK + next(TICKS) * HOUR)


async def allowances(office: Office, grant: Any, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (
        await office.get("/v1/payments", grant_id=grant["id"], limit=200, **query)
    ).json()["items"]
    return items


def states(payments: Sequence[dict[str, Any]]) -> list[str]:
    return [payment["state"] for payment in payments]


async def granted(office: Office, amount: str = "100.00", **person: Any) -> tuple[Person, Any]:
    """Somebody with an approved living allowance, and a verified mobile account of theirs."""
    somebody = await office.here(**person)
    grant = await office.approved(somebody, amount, kind="living_allowance")
    await office.payee(kind="returnee", returnee_id=somebody.id)
    return somebody, grant


async def released(office: Office, payments: Sequence[dict[str, Any]], by: str = RELEASER) -> Any:
    wanted = [{"payment_id": payment["id"], "version": payment["version"]} for payment in payments]
    in_cash = any(payment["method"] == "cash" for payment in payments)
    cash = (
        {"float_id": await office.cash_float({"amount": "1000.00", "currency": "EUR"})}
        if in_cash
        else {}
    )
    return await office.post("/v1/payments/release", {"payments": wanted} | cash, by=by)


async def test_each_session_is_paid_once_and_many_are_released_at_once(office: Office) -> None:
    budget = await office.budget()
    person, grant = await granted(office)
    course = Course(person)
    told = [course.recorded(number) for number in range(1, 6)] + [course.recorded(6, ABSENT)]
    await tell(office, *told, *told)
    scheduled = await allowances(office, grant)
    assert [(p["state"], p["method"], Decimal(p["amount"]["amount"])) for p in scheduled] == [
        ("scheduled", "mobile", Decimal("8.00"))
    ] * 5
    assert len({p["session"] for p in scheduled}) == 5
    assert [p["due_on"] for p in scheduled] == [
        str(DAY + timedelta(days=number)) for number in range(1, 6)
    ]
    for nobody in (REQUESTER, APPROVER):
        refused = await released(office, scheduled, by=nobody)
        assert refused.json()["type"] == "/problems/four-eyes"
    answer = await released(office, scheduled)
    assert answer.status_code == 200, answer.text
    assert states(answer.json()["items"]) == ["released"] * 5
    assert {p["payee_id"] for p in answer.json()["items"]} != {None}
    for payment in scheduled:
        receipt = {"confirmed_on": today(), "receipt": uuid4()}
        await office.done(f"/v1/payments/{payment['id']}/confirm", receipt)
    assert (await office.sums(budget))["paid"] == Decimal("40.00")
    await tell(office, *told)
    assert len(await allowances(office, grant)) == 5
    await office.proved()


async def test_two_sessions_of_a_day_are_one_allowance_where_it_is_paid_by_the_day(
    office: Office,
) -> None:
    await office.budget()
    person, grant = await granted(office)
    morning, evening = Course(person), Course(person)
    await tell(
        office,
        morning.recorded(1, day=DAY),
        morning.recorded(2, day=DAY),
        evening.recorded(1, day=DAY),
    )
    assert states(await allowances(office, grant)) == ["scheduled"]
    await tell(office, morning.corrected(2, ABSENT, DAY))
    assert states(await allowances(office, grant)) == ["scheduled"]


async def test_it_never_comes_to_more_than_was_granted(office: Office) -> None:
    await office.budget()
    person, grant = await granted(office, "20.00")
    course = Course(person)
    await tell(office, *(course.recorded(number) for number in range(1, 6)))
    amounts = [Decimal(p["amount"]["amount"]) for p in await allowances(office, grant)]
    assert amounts == [Decimal("8.00"), Decimal("8.00"), Decimal("4.00")]
    for _ in range(2):
        (found,) = await unsettled(office)
        assert found["id"] == grant["id"]
        assert [
            (each["why"], each["due_on"], Decimal(each["missing"]["amount"]))
            for each in found["unsettled"]
        ] == [
            ("nothing_left", str(DAY + timedelta(days=3)), Decimal("4.00")),
            ("nothing_left", str(DAY + timedelta(days=4)), Decimal("8.00")),
            ("nothing_left", str(DAY + timedelta(days=5)), Decimal("8.00")),
        ]
        await tell(office, course.recorded(5))
    await tell(office, *(course.corrected(number, ABSENT) for number in (4, 5)))
    ((left,),) = [each["unsettled"] for each in await unsettled(office)]
    assert Decimal(left["missing"]["amount"]) == Decimal("4.00")
    more = await office.approved(person, "50.00", kind="living_allowance")
    await tell(office, course.corrected(5, PRESENT))
    assert [Decimal(p["amount"]["amount"]) for p in await allowances(office, more)] == [
        Decimal("8.00")
    ]
    await office.tell(ReturneeErased(returnee_id=person.id))
    async with office.homeward.database.transaction() as session:
        left = "SELECT count(*) FROM assistance_grant WHERE unsettled <> '[]'"
        assert (await (await session.connection()).exec_driver_sql(left)).scalar_one() == 0
    await office.proved()


async def unsettled(office: Office) -> list[dict[str, Any]]:
    """The grants that do not pay all that was earned."""
    items: list[dict[str, Any]] = (await office.get("/v1/grants", unsettled="true")).json()["items"]
    return items


async def test_what_was_attended_before_the_approval_is_scheduled_with_it(office: Office) -> None:
    await office.budget()
    person = Person()
    line = uuid4()
    course, elsewhere = Course(person, line), Course(person, uuid4())
    await tell(office, course.recorded(1), person.opened(), person.received(), course.recorded(2))
    grant = await office.grant(person, "100.00", kind="living_allowance")
    await tell(office, course.recorded(3), elsewhere.recorded(4))
    assert await allowances(office, grant) == []
    await office.done(f"/v1/grants/{grant['id']}/approve", by=APPROVER)
    for _ in range(2):
        await office.settle(grant)
        assert len(await allowances(office, grant)) == 4


async def test_a_course_without_an_allowance_earns_nothing(office: Office) -> None:
    await office.budget()
    person, grant = await granted(office)
    await tell(office, Course(person, stipend=False).recorded(1))
    assert await allowances(office, grant) == []


async def test_corrected_downwards_before_the_release_it_is_cancelled_and_upwards_scheduled_again(
    office: Office,
) -> None:
    await office.budget()
    person, grant = await granted(office)
    course = Course(person)
    await tell(office, course.recorded(1), course.corrected(1, ABSENT))
    (payment,) = await allowances(office, grant)
    assert (payment["state"], payment["reason"]) == ("failed", "not_earned")
    up = course.corrected(1, PRESENT)
    await tell(office, up, up)
    assert sorted(states(await allowances(office, grant))) == ["failed", "scheduled"]
    assert (await released(office, [payment])).status_code == 409
    await office.proved()


async def test_corrected_downwards_after_the_release_it_is_told_and_people_decide(
    office: Office,
) -> None:
    budget = await office.budget()
    person, grant = await granted(office)
    course = Course(person)
    await tell(office, course.recorded(1), course.recorded(2))
    one, _ = await allowances(office, grant)
    assert (await released(office, [one])).status_code == 200
    down = course.corrected(1, ABSENT)
    await tell(office, down, down)
    (found,) = await allowances(office, grant, questioned="true")
    assert (found["id"], found["state"], found["questioned"]) == (
        one["id"],
        "released",
        "attendance_corrected",
    )
    assert len(await allowances(office, grant, questioned="false")) == 1
    listed = (await office.get("/v1/payments", format="csv", questioned="true")).text
    assert "attendance_corrected" in listed
    await tell(office, course.corrected(1, PRESENT))
    assert await allowances(office, grant, questioned="true") == []
    assert len(await allowances(office, grant)) == 2

    receipt = {"confirmed_on": today(), "receipt": uuid4()}
    await office.done(f"/v1/payments/{one['id']}/confirm", receipt)
    await tell(office, course.corrected(1, ABSENT))
    assert (await allowances(office, grant, questioned="true"))[0]["state"] == "confirmed"
    await office.done(f"/v1/payments/{one['id']}/recover", {"reason": "mistake"}, by=APPROVER)
    assert await allowances(office, grant, questioned="true") == []
    assert (await office.sums(budget))["recovered"] == Decimal("8.00")
    await tell(office, course.corrected(1, PRESENT))
    assert sorted(states(await allowances(office, grant))) == [
        "recovered",
        "scheduled",
        "scheduled",
    ]
    told = await office.published(person)
    assert [fact for fact in told if fact in {"payment.questioned", "payment.upheld"}] == [
        "payment.questioned",
        "payment.upheld",
        "payment.questioned",
    ]
    await office.proved()


async def test_what_people_took_back_is_not_scheduled_again(office: Office) -> None:
    await office.budget()
    person, grant = await granted(office)
    course = Course(person)
    await tell(office, course.recorded(1))
    (payment,) = await allowances(office, grant)
    await office.done(f"/v1/payments/{payment['id']}/fail", {"reason": "not_collected"})
    await tell(office, course.recorded(2), course.corrected(1, PRESENT))
    assert states(await allowances(office, grant)) == ["failed", "scheduled"]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
async def test_the_order_in_which_it_comes_makes_no_difference(
    office: Office, order: tuple[int, ...]
) -> None:
    await office.budget()
    person, grant = await granted(office)
    course = Course(person)
    said = [course.recorded(1), course.corrected(1, ABSENT), course.corrected(1, PRESENT)]
    for place in (*order, *order):
        await office.tell(said[place], at=CLOCK + place * HOUR)
    live = [p for p in await allowances(office, grant) if p["state"] != "failed"]
    assert states(live) == ["scheduled"]
    await office.proved()


async def test_cash_keeps_to_the_sub_ceiling_of_its_package(office: Office) -> None:
    await office.budget(programme=BELGIUM)
    person, grant = await granted(office, "700.00", programme=BELGIUM)
    course = Course(person)
    await tell(office, *(course.recorded(number, day=DAY) for number in range(1, 65)))
    payments = await allowances(office, grant)
    assert {p["method"] for p in payments} == {"cash"}
    assert sum(Decimal(p["amount"]["amount"]) for p in payments) == Decimal("600.00")
    assert len(payments) == 60
    assert (await released(office, payments)).status_code == 200
    await office.proved()


async def test_a_closed_case_and_an_erased_person_leave_nothing_to_release(office: Office) -> None:
    await office.budget()
    person, grant = await granted(office)
    course = Course(person)
    await tell(office, course.recorded(1))
    await office.tell(person.closed())
    await tell(office, course.recorded(2))
    assert states(await allowances(office, grant)) == ["failed"]
    await office.tell(ReturneeErased(returnee_id=person.id))
    await tell(office, course.recorded(3))
    async with office.homeward.database.transaction() as session:
        connection = await session.connection()
        for query in (
            "SELECT count(*) FROM attended_session",
            "SELECT count(*) FROM payment WHERE session IS NOT NULL",
        ):
            assert (await connection.exec_driver_sql(query)).scalar_one() == 0
    await office.proved()


class Job:
    """What training tells of one placement."""

    def __init__(
        self, person: Person, line: UUID, wage: str | None = "200.00", currency: str = "EUR"
    ) -> None:
        self.wage = {"amount": wage, "currency": currency} if wage else None
        self.fact = {
            **person.ids,
            "placement_id": uuid4(),
            "vacancy_id": uuid4(),
            "kind": WorkKind.JOB,
            "occupation": "5141",
            "wage_subsidy": True,
            "subsidy_line_id": line,
        }

    async def told(self, office: Office) -> None:
        """Training answered what the vacancy pays."""
        payload = {
            "placement_id": str(self.fact["placement_id"]),
            "vacancy_id": str(self.fact["vacancy_id"]),
        }
        async with office.homeward.database.transaction() as session:
            await WAGE_JOB.apply(session, payload, {"wage": self.wage})

    def started(self, on: date) -> training.PlacementStarted:
        return training.PlacementStarted(**self.fact, started_on=on)

    def ended(self, on: date) -> training.PlacementEnded:
        return training.PlacementEnded(**self.fact, reason=PlacementEnd.RESIGNED, ended_on=on)

    def checked(self, months: int, working: bool) -> training.PlacementRetentionChecked:
        return training.PlacementRetentionChecked(**self.fact, months=months, working=working)


async def subsidised(office: Office, amount: str = "500.00") -> tuple[Person, Any, UUID]:
    """Somebody whose plan has an approved wage subsidy."""
    person = await office.here()
    planned = planned_line(person, amount, kind="wage_subsidy")
    plan = Plan(office, person, [planned])
    await plan.approved()
    grant = (await plan.grants())[planned["id"]]
    await office.done(f"/v1/grants/{grant['id']}/approve", by=APPROVER)
    return person, grant, UUID(planned["id"])


async def name_payee(office: Office, path: str, payee: str, *, by: str) -> httpx.Response:
    """Say who is paid, on what was just read."""
    headers = office.headers(by) | {"If-Match": f'"{await office.version(path)}"'}
    return await office.http.patch(path, json={"payee_id": payee}, headers=headers)


async def test_a_subsidy_is_paid_to_the_employer_month_by_month(office: Office) -> None:
    await office.budget()
    person, grant, line = await subsidised(office)
    job = Job(person, line)
    began = months_after(datetime.now(UTC).date(), -2)
    await tell(office, job.started(began))
    assert await allowances(office, grant) == []
    await job.told(office)
    await tell(office, job.started(began))
    payments = await allowances(office, grant)
    assert [(p["due_on"], Decimal(p["amount"]["amount"]), p["method"]) for p in payments] == [
        (str(months_after(began, month)), Decimal("100.00"), "bank") for month in (1, 2, 3)
    ]
    path = f"/v1/payments/{payments[0]['id']}"
    refused = await office.post(f"{path}/release", {}, by=RELEASER, version=1)
    assert refused.json()["type"] == "/problems/papers-missing"
    payee = await office.payee(kind="employer")
    papers = [{"kind": kind, "document": str(uuid4())} for kind in ("contract", "invoice")]
    await office.done(f"{path}/papers", {"papers": papers})
    refused = await office.post(f"{path}/release", {}, by=RELEASER, version=2)
    assert refused.json()["type"] == "/problems/payee-not-verified"
    named = await name_payee(office, path, payee, by=SECOND)
    assert named.status_code == 200, named.text
    again = await name_payee(office, path, payee, by="another-6")
    assert again.json()["type"] == "/problems/four-eyes"
    own = await office.post(f"{path}/release", {}, by=SECOND, version=3)
    assert own.json()["type"] == "/problems/four-eyes"
    assert (await office.done(f"{path}/release", {}, by=RELEASER))["state"] == "released"
    late = f"/v1/payments/{payments[2]['id']}"
    await office.done(f"{late}/papers", {"papers": papers})
    assert (await name_payee(office, late, payee, by=SECOND)).status_code == 200
    early = await office.post(f"{late}/release", {}, by=RELEASER, version=3)
    assert early.json()["type"] == "/problems/payment-not-due"

    ended = job.ended(months_after(began, 1) + timedelta(days=15))
    await tell(office, ended, ended)
    assert states(await allowances(office, grant)) == ["released", "failed", "failed"]
    await tell(office, job.ended(began + timedelta(days=15)))
    (found,) = await allowances(office, grant, questioned="true")
    assert found["questioned"] == "work_ended"
    await office.proved()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
async def test_whatever_comes_first_the_months_that_were_worked_are_paid(
    office: Office, order: tuple[int, ...]
) -> None:
    await office.budget()
    person, grant, line = await subsidised(office)
    job = Job(person, line)
    said = [job.started(date(2026, 8, 1)), job.ended(date(2026, 10, 5))]
    for place in (*order, *order):
        if place < len(said):
            await office.tell(said[place], at=CLOCK + place * HOUR)
        else:
            await job.told(office)
    live = [p for p in await allowances(office, grant) if p["state"] != "failed"]
    assert [p["due_on"] for p in live] == ["2026-09-01", "2026-10-01"]


async def test_a_check_that_finds_nobody_at_work_stops_it_and_one_that_is_put_right_goes_on(
    office: Office,
) -> None:
    await office.budget()
    person, grant, line = await subsidised(office)
    job = Job(person, line)
    await tell(office, job.started(date(2026, 8, 1)))
    await job.told(office)
    gone = job.checked(3, working=False)
    await tell(office, gone)
    assert states(await allowances(office, grant)) == ["scheduled", "scheduled", "failed"]
    await tell(office, job.checked(3, working=True))
    await office.tell(gone, at=CLOCK)
    assert states(await allowances(office, grant)) == [
        "scheduled",
        "scheduled",
        "failed",
        "scheduled",
    ]


async def test_a_wage_that_is_not_known_or_in_another_currency_schedules_nothing(
    office: Office,
) -> None:
    await office.budget()
    person, grant, line = await subsidised(office)
    unknown = Job(person, line, wage=None)
    dinars = Job(person, line, "300000", "IQD")
    for job in (unknown, dinars):
        await tell(office, job.started(date(2026, 8, 1)))
        await job.told(office)
    assert await allowances(office, grant) == []
    (found,) = await unsettled(office)
    assert [(each["earned_by"], each["why"], each["missing"]) for each in found["unsettled"]] == [
        (f"{unknown.fact['placement_id']}/", "wage_not_known", None),
        (f"{dinars.fact['placement_id']}/", "wage_in_another_currency", None),
    ]
    dinars.wage = {"amount": "200.00", "currency": "EUR"}
    await dinars.told(office)
    assert [each["why"] for each in (await unsettled(office))[0]["unsettled"]] == ["wage_not_known"]
    assert len(await allowances(office, grant)) == 3


def test_the_subsidy_is_a_share_up_to_the_most_of_a_month_and_of_the_months_there_are() -> None:
    rates = programmes()["iom-iraq-avrr"].versions[0].assistance.wage_subsidy
    (rate,) = rates

    def amounts(wage: str, months: int | None) -> list[Decimal]:
        work = Work(uuid4(), Decimal(wage), date(2026, 1, 31), None, months, {})
        return [each.amount for each in subsidies(work, rates, "EUR")]

    assert amounts("100.01", 1) == [Decimal("50.00")]
    assert amounts("9000.00", None) == [rate.at_most] * rate.months
    assert amounts("9000.00", 60) == [rate.at_most] * rate.months
    assert [months_after(date(2026, 1, 31), months) for months in (1, 2, 12)] == [
        date(2026, 2, 28),
        date(2026, 3, 31),
        date(2027, 1, 31),
    ]
