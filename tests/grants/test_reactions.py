"""What grants does when cases and reception tell something, each told once and again."""

from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import text

from contracts import cases, reception
from services.grants.closing import JOB as ENDING
from tests.grants.arranging import Plan, cash_ready, handed, planned_line
from tests.grants.office import APPROVER, RELEASER, SECOND, Office, Person, euros, today


async def test_each_line_of_a_plan_is_one_grant_once(office: Office) -> None:
    await office.budget()
    person = await office.here()
    plan = Plan(
        office,
        person,
        [
            planned_line(person),
            planned_line(person, kind="medical"),
            planned_line(person, "5000.00"),
        ],
    )
    await plan.approved()
    await plan.approved(1)
    grants = await plan.grants()
    assert [grants[each["id"]]["state"] for each in plan.lines] == [
        "requested",
        "requested",
        "rejected",
    ]
    assert grants[plan.lines[2]["id"]]["reason"] == "ceiling"
    detail = (await office.get(f"/v1/grants/{grants[plan.lines[0]['id']]['id']}")).json()
    assert UUID(detail["requester"]) == plan.preparer
    async with office.homeward.database.transaction() as session:
        for preparers in await session.scalars(text("SELECT preparers FROM assistance_grant")):
            assert set(preparers) == {plan.preparer, plan.drafter}
    await office.proved()


async def test_an_amended_plan_changes_what_is_undecided_and_keeps_what_was_approved(
    office: Office,
) -> None:
    await office.budget()
    person = await office.here()
    plan = Plan(office, person, [planned_line(person), planned_line(person), planned_line(person)])
    await plan.approved()
    kept = (await plan.grants())[plan.lines[0]["id"]]
    await office.done(f"/v1/grants/{kept['id']}/approve", by=APPROVER)
    plan.lines[0]["budget"]["amount"] = "500.00"
    plan.lines[1]["budget"]["amount"] = "400.00"
    gone = plan.lines.pop()
    await plan.approved()
    grants = await plan.grants()
    assert (
        grants[kept["plan_line_id"]]["state"],
        grants[kept["plan_line_id"]]["amount"]["amount"],
    ) == (
        "approved",
        "300.00",
    )
    assert grants[kept["plan_line_id"]]["planned"]["amount"] == "500.00", (
        "whoever looks sees what is not followed"
    )
    assert grants[plan.lines[1]["id"]]["amount"]["amount"] == "400.00"
    assert (grants[gone["id"]]["state"], grants[gone["id"]]["reason"]) == (
        "cancelled",
        "plan_changed",
    )
    await office.proved()


async def test_a_refused_line_is_asked_again_when_the_plan_is_amended_and_by_hand(
    office: Office,
) -> None:
    person = await office.here()
    plan = Plan(office, person, [planned_line(person), planned_line(person, "5000.00")])
    await plan.approved()
    assert {each["state"] for each in (await plan.grants()).values()} == {"rejected"}
    await office.budget()
    by_hand = office.asked(person, "300.00", "business", plan_line_id=plan.lines[0]["id"])
    for wrong in ({"kind": "education"}, {"plan_line_id": uuid4()}):
        answer = await office.post("/v1/grants", by_hand | wrong)
        assert answer.json()["errors"][0]["code"] == "unknown_line"
    assert (await office.done("/v1/grants", by_hand))["plan_line_id"] == plan.lines[0]["id"]
    assert (await office.post("/v1/grants", by_hand)).json()["type"] == "/problems/conflict"
    plan.lines[1]["budget"]["amount"] = "500.00"
    await plan.approved()
    assert {each["state"] for each in (await plan.grants()).values()} == {"requested"}
    again = (await plan.grants())[plan.lines[1]["id"]]
    assert again["amount"]["amount"] == "500.00"
    names = (await office.published(person))[-2:]
    assert names == ["grant.requested", "grant.requested"]
    await office.proved()


async def test_an_older_version_that_comes_late_changes_nothing(office: Office) -> None:
    await office.budget()
    person = await office.here()
    plan = Plan(office, person, [planned_line(person)])
    newer = planned_line(person, "100.00")
    older, plan.lines = (
        plan.lines,
        [{**plan.lines[0], "budget": {"amount": "400.00", "currency": "EUR"}}, newer],
    )
    await plan.approved(2)
    plan.lines = older
    await plan.approved(1)
    grants = await plan.grants()
    assert [grants[each]["amount"]["amount"] for each in (older[0]["id"], newer["id"])] == [
        "400.00",
        "100.00",
    ]
    assert {grant["state"] for grant in grants.values()} == {"requested"}


async def test_a_plan_without_a_budget_is_said_to_have_none(office: Office) -> None:
    person = await office.here()
    plan = Plan(office, person, [planned_line(person)])
    await plan.approved()
    (grant,) = (await plan.grants()).values()
    assert (grant["state"], grant["reason"]) == ("rejected", "no_budget")


async def test_a_plan_is_not_asked_for_again_and_again_for_who_was_erased(office: Office) -> None:
    await office.budget()
    person, erased = await office.here(), Person()
    erased.case_id, erased.household_id = person.case_id, person.household_id
    await office.tell(erased.opened(), erased.closed(), cases.ReturneeErased(returnee_id=erased.id))
    plan = Plan(office, person, [planned_line(person), planned_line(erased)])
    await plan.approved()
    assert (await plan.grants()).keys() == {plan.lines[0]["id"]}
    await office.tell(person.closed(), cases.ReturneeErased(returnee_id=person.id))
    await plan.approved()
    assert await waits(office) == []


async def test_a_plan_that_came_before_its_people_is_asked_for_less_and_less_often(
    office: Office,
) -> None:
    plan = Plan(office, Person(), [])
    plan.lines.append(planned_line(plan.person))
    for asked in range(12):
        await plan.approved(**({"asked": asked} if asked else {}))
    found = await waits(office)
    assert [round(seconds) for seconds in found] == [
        1,
        2,
        4,
        8,
        16,
        32,
        64,
        128,
        256,
        300,
        300,
        300,
    ]


async def waits(office: Office) -> list[float]:
    """For how many seconds each plan is waited for, in the order in which they were asked for."""
    query = (
        "SELECT extract(epoch FROM due_at - created_at) FROM job "
        "WHERE kind = 'grants.plan.fetch' ORDER BY id"
    )
    async with office.homeward.database.transaction() as session:
        return [float(seconds) for seconds in await session.scalars(text(query))]


async def test_cash_at_the_desk_from_travel_to_the_count(office: Office) -> None:
    budget, person = await office.budget(), Person()
    await office.tell(person.opened())
    payment, cash = await cash_ready(office, person)
    path = f"/v1/cash-floats/{cash['id']}"
    assert (await office.get(path)).json()["left"]["amount"] == "150.00"
    early = await office.post(f"{path}/return", {"amount": "150.00"})
    assert early.status_code == 409
    given = handed(person, "100.00")
    day = date.fromisoformat(today(1))
    night = datetime.combine(
        day, time(2, 30), tzinfo=ZoneInfo("Asia/Baghdad")
    )  # in UTC the day before
    await office.tell(person.received(), given, given, at=night)
    confirmed = (await office.get(f"/v1/payments/{payment['id']}")).json()
    assert (confirmed["state"], confirmed["confirmed_on"]) == ("confirmed", day.isoformat())
    assert (await office.sums(budget))["paid"] == Decimal("100.00")
    await office.done(f"{path}/return", {"amount": "150.00"}, by=SECOND)
    own = await office.post(f"{path}/reconcile", {"counted": "150.00"}, by=SECOND, version=3)
    assert own.json()["type"] == "/problems/four-eyes"
    counted = await office.done(f"{path}/reconcile", {"counted": "150.00"}, by=RELEASER)
    assert (counted["state"], counted["agrees"]) == ("reconciled", True)
    await office.proved()


async def test_less_at_the_desk_is_what_was_paid_and_the_rest_is_in_the_float(
    office: Office,
) -> None:
    budget, person = await office.budget(), Person()
    await office.tell(person.opened())
    payment, cash = await cash_ready(office, person)
    given = handed(person, "90.00")
    await office.tell(given, given)
    confirmed = (await office.get(f"/v1/payments/{payment['id']}")).json()
    assert (confirmed["state"], confirmed["payout"]["amount"], confirmed["ordered"]["amount"]) == (
        "confirmed",
        "90.00",
        "100.00",
    )
    assert (await office.sums(budget))["paid"] == Decimal("90.00")
    await office.done(f"/v1/cash-floats/{cash['id']}/return", {"amount": "160.00"})
    await office.proved()


async def test_pocket_money_that_nobody_had_released_is_listed_until_a_payment_accounts_for_it(
    office: Office,
) -> None:
    await office.budget()
    person = Person()
    await office.tell(person.opened())
    payment, _ = await cash_ready(office, person)
    given = handed(person, "110.00")
    await office.tell(given, given)
    path = f"/v1/payments/{payment['id']}"
    assert (await office.get(path)).json()["state"] == "released"
    (listed,) = (await office.get("/v1/payments/desk-receipts")).json()["items"]
    assert (listed["id"], listed["amount"]) == (str(given.assistance_id), euros("110.00"))
    assert (await office.get("/v1/payments/desk-receipts", organisation="bamf")).json()[
        "items"
    ] == [listed]
    await office.done(f"{path}/confirm", {"confirmed_on": today(), "receipt": given.assistance_id})
    assert (await office.get("/v1/payments/desk-receipts")).json()["items"] == []
    await office.proved()


async def test_a_no_show_gives_the_cash_back(office: Office) -> None:
    budget, person = await office.budget(), Person()
    await office.tell(person.opened())
    payment, cash = await cash_ready(office, person)
    absent = reception.ArrivalNoShow(
        **person.ids, arrival_id=person.arrival_id, travel_id=person.travel_id
    )
    await office.tell(absent, absent)
    assert (await office.get(f"/v1/payments/{payment['id']}")).json()["state"] == "failed"
    assert (await office.get(f"/v1/cash-floats/{cash['id']}")).json()["left"]["amount"] == "250.00"
    assert (await office.sums(budget))["available"] == Decimal("100000.00")
    await office.proved()


async def test_the_float_pays_no_more_than_is_in_it(office: Office) -> None:
    await office.budget()
    cash = await office.done(
        "/v1/cash-floats",
        {"port_of_entry": "EBL", "amount": {"amount": "150.00", "currency": "EUR"}},
    )
    for expected in (200, 409):
        person = Person()
        await office.tell(person.opened(), person.confirmed())
        (grant,) = (await office.get("/v1/grants", returnee_id=person.id)).json()["items"]
        await office.done(f"/v1/grants/{grant['id']}/approve", by=APPROVER)
        (payment,) = (await office.get("/v1/payments", grant_id=grant["id"])).json()["items"]
        answer = await office.post(
            f"/v1/payments/{payment['id']}/release",
            {"float_id": cash["id"]},
            by=RELEASER,
            version=1,
        )
        assert answer.status_code == expected, answer.text
    await office.proved()


async def test_a_closed_case_gives_back_and_waits_for_money_on_its_way(office: Office) -> None:
    budget, person = await office.budget(), await office.here()
    payee = await office.payee()
    requested = await office.grant(person, "100.00")
    paid = await office.approved(person, "200.00")
    await office.paid(paid, payee, "150.00")
    scheduled = await office.approved(person, "300.00")
    await office.scheduled(scheduled, payee)
    away = await office.approved(person, "400.00")
    payment = await office.released(away, payee, "350.00")
    await office.tell(person.closed(), person.closed())
    states = {
        g["id"]: g["state"]
        for g in (await office.get("/v1/grants", returnee_id=person.id)).json()["items"]
    }
    assert [states[g["id"]] for g in (requested, paid, scheduled, away)] == [
        "cancelled",
        "closed",
        "cancelled",
        "approved",
    ]
    receipt = {"confirmed_on": today(), "receipt": uuid4()}
    await office.done(f"/v1/payments/{payment['id']}/confirm", receipt)
    await office.done(f"/v1/grants/{away['id']}/close")
    sums = await office.sums(budget)
    assert (sums["paid"], sums["available"]) == (Decimal("500.00"), Decimal("99500.00"))
    await office.proved()


async def test_a_withdrawn_referral_takes_everything_back(office: Office) -> None:
    budget, person = await office.budget(), Person()
    await office.tell(person.opened())
    await cash_ready(office, person)
    await office.tell(
        cases.ReferralWithdrawn(
            referral_id=uuid4(),
            programme=person.programme,
            referrer="bamf",
            returnee_id=person.id,
            case_id=person.case_id,
        )
    )
    assert (await office.sums(budget))["available"] == Decimal("100000.00")
    await office.proved()


async def test_erased_people_leave_the_amounts_without_the_person(office: Office) -> None:
    budget, person = await office.budget(), await office.here()
    payee = await office.payee(kind="returnee", returnee_id=person.id)
    grant = await office.approved(
        person, "200.00", kind="cash", description="Tools for a car workshop"
    )
    await office.paid(
        grant, payee, "150.00", papers=[{"kind": "identity_seen", "document": uuid4()}]
    )
    await office.tell(cases.ReturneeErased(returnee_id=person.id))
    async with office.homeward.database.transaction() as session:
        connection = await session.connection()
        for table, column in (
            ("assistance_grant", "returnee_id"),
            ("assistance_grant", "description"),
            ("payment", "returnee_id"),
            ("payee", "sealed"),
            ("payee", "returnee_id"),
        ):
            left = await connection.exec_driver_sql(
                f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL"
            )
            assert left.scalar_one() == 0, f"{table}.{column}"
    assert (await office.sums(budget))["paid"] == Decimal("150.00")
    assert (await office.published(person))[-1] == "returnee.scrubbed"
    await office.tell(person.opened(), person.confirmed())
    assert (await office.post("/v1/grants", office.asked(person))).status_code in {404, 503}
    await office.proved()


async def test_money_on_its_way_to_who_was_erased_is_accounted_for_by_who_sent_it(
    office: Office,
) -> None:
    budget, person = await office.budget(), await office.here()
    grant = await office.approved(person, "300.00")
    payee = await office.payee()
    one, two = [await office.released(grant, payee, amount) for amount in ("100.00", "50.00")]
    await office.tell(person.closed(), cases.ReturneeErased(returnee_id=person.id))
    assert (await office.sums(budget))["committed"] == Decimal("300.00")
    seen = (await office.get("/v1/payments", erased="true")).json()["items"]
    assert [(each["id"], each["returnee_id"]) for each in seen] == [
        (one["id"], None),
        (two["id"], None),
    ]
    for nobody in ("another-partner", "bamf"):
        assert (await office.get("/v1/payments", nobody, erased="true")).json()["items"] == []
        assert (await office.get(f"/v1/payments/{one['id']}", nobody)).status_code == 404
    await office.done(f"/v1/payments/{one['id']}/fail", {"reason": "wrong_details"}, by=SECOND)
    await office.done(
        f"/v1/payments/{two['id']}/confirm", {"confirmed_on": today(), "receipt": uuid4()}
    )
    assert (await office.get("/v1/payments", erased="true")).json()["items"] == []
    assert (await office.get(f"/v1/payments/{one['id']}")).status_code == 404
    async with office.homeward.database.transaction() as session:
        await ENDING.apply(session, {"grant_id": grant["id"], "reason": "other"}, None)
    sums = await office.sums(budget)
    assert (sums["committed"], sums["paid"]) == (0, Decimal("50.00"))
    await office.proved()


async def test_cash_for_somebody_who_was_erased_goes_back_to_the_float(office: Office) -> None:
    budget, person = await office.budget(), Person()
    await office.tell(person.opened())
    payment, cash = await cash_ready(office, person)
    await office.tell(cases.ReturneeErased(returnee_id=person.id), handed(person, "100.00"))
    assert (await office.get(f"/v1/payments/{payment['id']}")).status_code == 404
    assert (await office.get(f"/v1/cash-floats/{cash['id']}")).json()["left"]["amount"] == "250.00"
    assert (await office.sums(budget))["available"] == Decimal("100000.00")
    await office.done(f"/v1/cash-floats/{cash['id']}/return", {"amount": "250.00"})
    await office.proved()
