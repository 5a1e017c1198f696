"""From a request to the last confirmed payment, and everything that is refused on the way."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from chassis.errors import Problem
from contracts import cases
from contracts.codes import Member, Money
from contracts.entitlements import Outside
from contracts.sourced import Unit
from services.grants.schemas import LONGEST, as_csv
from tests.grants.office import (
    APPROVER,
    OFFICE,
    PARTNER,
    RELEASER,
    REQUESTER,
    SECOND,
    Office,
    Person,
    euros,
    today,
    with_window,
)


async def test_from_request_to_confirmed_payment(office: Office) -> None:
    budget, person = await office.budget("10000.00"), await office.here()
    grant = await office.grant(person)
    assert (await office.sums(budget))["reserved"] == Decimal("900.00")
    grant = await office.done(f"/v1/grants/{grant['id']}/approve", by=APPROVER)
    assert grant["state"] == "approved"
    assert (await office.sums(budget))["committed"] == Decimal("900.00")
    await office.done(f"/v1/grants/{grant['id']}/order")
    await office.done(
        f"/v1/grants/{grant['id']}/delivery", {"delivered_on": "2026-11-20", "certificate": uuid4()}
    )
    payment = await office.paid(grant, await office.payee(), "850.00")
    assert payment["state"] == "confirmed"
    closed = await office.done(f"/v1/grants/{grant['id']}/close")
    assert closed["state"] == "closed"
    assert closed["paid"] == euros("850.00")
    sums = await office.sums(budget)
    assert sums == {
        "available": Decimal("9150.00"),
        "reserved": 0,
        "committed": 0,
        "paid": Decimal("850.00"),
        "recovered": 0,
    }
    shares = (await office.get(f"/v1/budgets/{budget}")).json()["sources"]
    assert [Decimal(source["paid"]["amount"]) for source in shares] == [
        Decimal("637.50"),
        Decimal("212.50"),
    ]
    assert await office.published(person) == [
        "grant.requested",
        "grant.approved",
        "grant.ordered",
        "grant.delivered",
        "payment.scheduled",
        "payment.released",
        "payment.confirmed",
        "grant.closed",
    ]
    await office.proved()


async def test_nobody_approves_twice_or_their_own(office: Office) -> None:
    await office.budget()
    grant = await office.grant(await office.here(), "1500.00")
    path = f"/v1/grants/{grant['id']}/approve"
    own = await office.post(path, by=REQUESTER, version=1)
    assert (own.status_code, own.json()["type"]) == (403, "/problems/four-eyes")
    assert (await office.done(path, by=APPROVER))["state"] == "requested"
    again = await office.post(path, by=APPROVER, version=2)
    assert again.json()["type"] == "/problems/four-eyes"
    assert (await office.done(path, by=SECOND))["state"] == "approved"


@pytest.mark.parametrize("who", [REQUESTER, APPROVER])
async def test_the_releaser_is_a_third_person(office: Office, who: str) -> None:
    await office.budget()
    grant = await office.approved(await office.here())
    payment = await office.scheduled(grant, await office.payee())
    answer = await office.post(f"/v1/payments/{payment['id']}/release", {}, by=who, version=1)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/four-eyes")


async def test_a_decision_needs_a_person_and_what_was_seen(office: Office) -> None:
    await office.budget()
    grant = await office.grant(await office.here())
    path = f"/v1/grants/{grant['id']}/approve"
    assert (await office.post(path, by=None, version=1)).status_code == 403
    assert (await office.post(path, by=APPROVER)).status_code == 428
    assert (await office.post(path, by=APPROVER, version=7)).status_code == 412


async def test_a_ceiling_names_its_rule_and_what_is_left(office: Office) -> None:
    await office.budget()
    person = await office.here()
    await office.grant(person, "1500.00")
    answer = await office.post("/v1/grants", office.asked(person, "600.00"))
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (409, "/problems/ceiling-exceeded")
    assert Decimal(problem["left"]["amount"]) == Decimal("500.00")
    assert problem["rule"]["per"] == "person"
    assert problem["rule"]["source"]
    await office.grant(person, "500.00")
    await office.proved()


async def test_what_was_rejected_cancelled_or_not_spent_can_be_granted_again(
    office: Office,
) -> None:
    budget, person = await office.budget(), await office.here()
    first = await office.grant(person, "2000.00")
    await office.done(f"/v1/grants/{first['id']}/reject", {"reason": "not_feasible"}, by=APPROVER)
    second = await office.grant(person, "2000.00")
    await office.done(f"/v1/grants/{second['id']}/cancel", {"reason": "not_wanted"})
    third = await office.approved(person, "2000.00")
    await office.paid(third, await office.payee(), "700.00")
    await office.done(f"/v1/grants/{third['id']}/close")
    await office.grant(person, "1300.00")
    assert (await office.post("/v1/grants", office.asked(person, "0.01"))).status_code == 409
    assert (await office.sums(budget))["paid"] == Decimal("700.00")
    await office.proved()


async def test_what_a_household_has_counts_for_each_of_it(office: Office) -> None:
    await office.budget()
    household = uuid4()
    people = [await office.here(household_id=household) for _ in range(5)]
    for person in people[:4]:
        await office.grant(person, "2000.00")
    answer = await office.post("/v1/grants", office.asked(people[4], "1.00"))
    assert answer.json()["rule"]["per"] == "household"


async def test_the_same_person_in_two_programmes_is_seen(office: Office) -> None:
    await office.budget()
    person = await office.here()
    await office.budget(programme="errin-iraq-2021")
    again = await office.here(id=person.id, programme="errin-iraq-2021", office="icmpd")
    elsewhere = await office.grant(again, "1900.00")
    assert elsewhere["programme"] == "errin-iraq-2021"
    answer = await office.post("/v1/grants", office.asked(person, "100.01"))
    assert Decimal(answer.json()["left"]["amount"]) == Decimal("100.00")


async def test_the_ceiling_of_each_household_of_a_person_holds(office: Office) -> None:
    await office.budget()
    crowded, free = uuid4(), uuid4()
    for _ in range(4):
        await office.grant(await office.here(household_id=crowded), "1900.00")
    one, same = await office.here(household_id=crowded), await office.here(household_id=free)
    await office.tell(cases.ReturneeMerged(returnee_id=same.id, into=one.id))
    answer = await office.post("/v1/grants", office.asked(same, "400.01"))
    assert (answer.json()["rule"]["per"], Decimal(answer.json()["left"]["amount"])) == (
        "household",
        Decimal("400.00"),
    )
    asked = [office.post("/v1/grants", office.asked(each, "300.00")) for each in (one, same)]
    assert sorted(each.status_code for each in await asyncio.gather(*asked)) == [201, 409]


async def test_in_kind_help_of_iom_iraq_is_for_a_single_returnee_or_the_head_of_a_family(
    office: Office,
) -> None:
    await office.budget()
    for member in (Member.ADULT, Member.CHILD):
        answer = await office.post("/v1/grants", office.asked(await office.here(member=member)))
        assert answer.json()["rule"]["code"] == "package"
        assert "head of family" in answer.json()["rule"]["source"]


async def test_whoever_had_a_part_in_it_neither_approves_nor_releases(office: Office) -> None:
    await office.budget()
    grant = await office.grant(await office.here())
    path = f"/v1/grants/{grant['id']}"
    await office.done(f"{path}/amend", {"amount": euros("950.00")}, by=SECOND)
    for who in (REQUESTER, SECOND):
        assert (await office.post(f"{path}/approve", by=who, version=2)).json()[
            "type"
        ] == "/problems/four-eyes"
    await office.done(f"{path}/approve", by=APPROVER)
    payment = await office.scheduled(grant, await office.payee(), "100.00")
    release = f"/v1/payments/{payment['id']}/release"
    for who in (REQUESTER, SECOND):
        assert (await office.post(release, {}, by=who, version=1)).json()[
            "type"
        ] == "/problems/four-eyes"
    async with office.homeward.database.transaction() as session:
        for statement in (
            (
                "INSERT INTO approval (grant_id, round, actor) "
                "SELECT id, round, preparers[1] FROM assistance_grant"
            ),
            "UPDATE payment SET released_by = (SELECT preparers[1] FROM assistance_grant)",
        ):
            with pytest.raises(DBAPIError):
                async with session.begin_nested():
                    await session.execute(text(statement))


async def test_the_next_budget_pays_where_others_were_faster(office: Office) -> None:
    first = await office.budget("1000.00", ends_on="2026-12-31")
    second = await office.budget("1000.00")
    people = [await office.here() for _ in range(2)]
    asked = [office.post("/v1/grants", office.asked(person, "900.00")) for person in people]
    answers = [each.json() for each in await asyncio.gather(*asked)]
    assert {answer["budget_id"] for answer in answers} == {first, second}


async def test_a_request_that_crosses_the_end_of_a_case_leaves_nothing_behind(
    office: Office,
) -> None:
    budget = await office.budget()
    people = [await office.here() for _ in range(6)]
    asked = [office.post("/v1/grants", office.asked(person)) for person in people]
    closed = [office.tell(person.closed()) for person in people]
    await asyncio.gather(*(each for pair in zip(asked, closed, strict=True) for each in pair))
    sums = await office.sums(budget)
    assert (sums["reserved"], sums["available"]) == (0, Decimal("100000.00"))


async def test_what_was_granted_under_another_id_is_listed(office: Office) -> None:
    await office.budget()
    one, other = await office.here(), await office.here()
    made = {(await office.grant(each, "10.00"))["id"] for each in (one, other)}
    await office.tell(cases.ReturneeMerged(returnee_id=other.id, into=one.id))
    for person in (one, other):
        found = (await office.get("/v1/grants", returnee_id=person.id)).json()["items"]
        assert {grant["id"] for grant in found} == made


async def test_nothing_before_the_arrival_and_nothing_for_a_closed_case(office: Office) -> None:
    await office.budget()
    person = await office.here()
    await office.tell(person.closed())
    assert (await office.post("/v1/grants", office.asked(person))).json()[
        "type"
    ] == "/problems/state-conflict"
    other = await office.here()
    other.case_id = uuid4()
    await office.tell(other.opened())
    answer = await office.post("/v1/grants", office.asked(other))
    assert answer.json()["rule"]["code"] == "not_arrived"


@pytest.mark.parametrize(
    ("then", "late", "expected"),
    [("refuse", 0, 201), ("refuse", 1, 409), ("warn", 0, 201), ("warn", 1, 201)],
)
async def test_a_window_is_open_to_its_last_day(
    office: Office, monkeypatch: pytest.MonkeyPatch, then: str, late: int, expected: int
) -> None:
    window = with_window(monkeypatch, then=Outside(then), length=365, unit=Unit.DAYS)
    await office.budget()
    today = datetime.now(UTC).date()
    arrived = today - timedelta(days=365 + late)
    person = Person()
    await office.tell(person.opened(), person.received(arrived))
    answer = await office.post("/v1/grants", office.asked(person))
    assert answer.status_code == expected, answer.text
    if expected == 201:
        assert answer.json()["outside_window"] is (late > 0)
    else:
        rule = answer.json()["rule"]
        assert (rule["code"], rule["package"]) == ("window", "post_return")
        assert rule["source"] == window.source


async def test_quotes_are_compared_where_the_programme_says_so(office: Office) -> None:
    await office.budget()
    grant = await office.grant(await office.here(), "1800.00", kind="business")
    path = f"/v1/grants/{grant['id']}"
    answer = await office.post(f"{path}/approve", by=APPROVER, version=1)
    assert (answer.status_code, answer.json()["needed"]) == (409, 3)
    for amount in ("1800.00", "1850.00", "1900.00"):
        body = {
            "payee_id": await office.payee(kind="supplier"),
            "amount": euros(amount),
            "document": uuid4(),
        }
        quoted = await office.done(f"{path}/quotes", body)
    assert quoted["state"] == "quoted"
    assert (await office.done(f"{path}/approve", by=APPROVER))["state"] == "quoted"
    assert (await office.done(f"{path}/approve", by=SECOND))["state"] == "approved"


async def test_an_amended_grant_is_approved_again(office: Office) -> None:
    budget = await office.budget()
    grant = await office.approved(await office.here())
    changed = await office.done(
        f"/v1/grants/{grant['id']}/amend", {"amount": euros("950.00")}, by=SECOND
    )
    assert (changed["state"], changed["approvers"]) == ("requested", [])
    assert await office.sums(budget) | {"available": 0} == {
        "available": 0,
        "reserved": Decimal("950.00"),
        "committed": 0,
        "paid": 0,
        "recovered": 0,
    }
    assert (await office.done(f"/v1/grants/{grant['id']}/approve", by=APPROVER))[
        "state"
    ] == "approved"
    await office.proved()


async def test_instalments_wait_for_what_was_delivered(office: Office) -> None:
    await office.budget()
    grant = await office.approved(await office.here(), "1000.00", kind="business")
    payee = await office.payee()
    too_much = {"method": "bank", "amount": euros("600.01"), "payee_id": payee}
    answer = await office.post(f"/v1/grants/{grant['id']}/payments", too_much)
    assert (answer.status_code, Decimal(answer.json()["left"]["amount"])) == (
        409,
        Decimal("600.00"),
    )
    await office.paid(grant, payee, "600.00")
    second = {"method": "bank", "amount": euros("400.00"), "payee_id": payee, "instalment": 2}
    assert (await office.post(f"/v1/grants/{grant['id']}/payments", second)).status_code == 409
    handed = {"delivered_on": today(), "certificate": uuid4(), "complete": False}
    await office.done(f"/v1/grants/{grant['id']}/delivery", handed)
    await office.paid(grant, payee, "400.00", instalment=2)
    await office.proved()


async def test_a_payment_without_its_papers_or_to_an_unverified_account_is_not_released(
    office: Office,
) -> None:
    await office.budget()
    grant = await office.approved(await office.here())
    payee = await office.payee()
    bare = await office.scheduled(grant, payee, "100.00", papers=[])
    answer = await office.post(f"/v1/payments/{bare['id']}/release", {}, by=RELEASER, version=1)
    assert answer.json()["missing"] == ["invoice"]
    payment = await office.scheduled(grant, payee, "100.00")
    details = {"details": {"name": "Somebody else", "account": "IQ00TEST999999999"}}
    await office.done(f"/v1/payees/{payee}/details", details)
    answer = await office.post(f"/v1/payments/{payment['id']}/release", {}, by=RELEASER, version=1)
    assert answer.json()["type"] == "/problems/payee-not-verified"
    own = await office.post(f"/v1/payees/{payee}/verify", by=REQUESTER, version=3)
    assert own.json()["type"] == "/problems/four-eyes"
    await office.done(f"/v1/payees/{payee}/verify", by=SECOND)
    await office.done(f"/v1/payments/{payment['id']}/release", {}, by=RELEASER)


async def test_money_that_came_back_is_booked_back_and_never_deleted(office: Office) -> None:
    budget, person = await office.budget(), await office.here()
    grant = await office.approved(person)
    payee = await office.payee()
    first = await office.paid(grant, payee, "400.00")
    await office.done(
        f"/v1/payments/{first['id']}/reverse", {"reason": "account_closed"}, by=APPROVER
    )
    assert (await office.sums(budget))["committed"] == Decimal("900.00")
    second = await office.paid(grant, payee, "900.00")
    await office.done(f"/v1/payments/{second['id']}/recover", {"reason": "fraud"}, by=APPROVER)
    sums = await office.sums(budget)
    assert (sums["paid"], sums["recovered"], sums["committed"]) == (0, Decimal("900.00"), 0)
    answer = await office.post(
        f"/v1/payments/{second['id']}/recover", {"reason": "fraud"}, version=9
    )
    assert answer.status_code == 412
    kinds = [
        row["kind"]
        for row in (await office.get(f"/v1/budgets/{budget}/postings", limit=200)).json()["items"]
    ]
    assert kinds.count("pay") == 4
    assert kinds.count("reverse") == kinds.count("recover") == 2
    await office.proved()


async def test_dinars_are_rounded_down_to_the_smallest_note_and_nothing_is_lost(
    office: Office,
) -> None:
    budget, person = await office.budget(), await office.here()
    grant = await office.approved(person, "100.00", kind="cash")
    rate = {"value": "1531.37", "on": "2026-11-20", "source": "un-treasury"}
    payment = await office.paid(grant, None, "100.00", payout_currency="IQD", rate=rate)
    assert payment["payout"] == {"amount": "153000.000", "currency": "IQD"}
    assert Decimal(payment["amount"]["amount"]) == Decimal("99.91")
    await office.done(f"/v1/grants/{grant['id']}/close")
    sums = await office.sums(budget)
    assert sums["paid"] + sums["available"] == Decimal("100000.00")
    await office.proved()


@pytest.mark.parametrize("method", ["cash", "bank", "mobile"])
async def test_in_kind_is_not_paid_into_the_returnees_hands(office: Office, method: str) -> None:
    await office.budget()
    person = await office.here()
    grant = await office.approved(person)
    path = f"/v1/grants/{grant['id']}/payments"
    own = await office.payee(kind="returnee", returnee_id=person.id) if method != "cash" else None
    body = {"method": method, "amount": euros("1.00"), "payee_id": own}
    answer = await office.post(path, body)
    assert answer.json()["rule"]["code"] == "in_kind"
    if own is not None:
        back = await office.done(path, body | {"reimbursement": True})
        assert {"handover_certificate", "invoice"} <= set(back["papers_needed"])
        assert (back["as_cash"], back["reimbursement"]) == (False, True)
    other = await office.done(
        path, {"method": "bank", "amount": euros("1.00"), "payee_id": await office.payee()}
    )
    if own is not None:
        named = await office.http.patch(
            f"/v1/payments/{other['id']}",
            json={"payee_id": own},
            headers=office.headers(REQUESTER) | {"If-Match": '"1"'},
        )
        assert named.json()["rule"]["code"] == "in_kind"


async def test_a_transfer_to_the_returnee_counts_as_cash(office: Office) -> None:
    await office.budget()
    person = await office.here()
    grant = await office.approved(person, "200.00", kind="cash")
    payee = await office.payee(kind="returnee", returnee_id=person.id)
    made = await office.scheduled(grant, payee, papers=[])
    assert (made["as_cash"], made["papers_needed"]) == (True, ["identity_seen"])
    supplier = await office.payee(kind="supplier")
    goods = await office.approved(person, "200.00", kind="business")
    bill = await office.scheduled(goods, supplier, "10.00")
    assert bill["papers_needed"] == ["handover_certificate", "invoice"], "whatever the method"


async def test_who_had_money_sent_does_not_say_that_it_is_back(office: Office) -> None:
    budget, person = await office.budget(), await office.here()
    grant = await office.approved(person)
    payee = await office.payee()
    payment = await office.released(grant, payee, "400.00")
    path = f"/v1/payments/{payment['id']}"
    for who in (REQUESTER, RELEASER):
        answer = await office.post(f"{path}/fail", {"reason": "account_closed"}, by=who, version=2)
        assert answer.json()["type"] == "/problems/four-eyes"
    await office.done(f"{path}/fail", {"reason": "account_closed"}, by=SECOND)
    body = {"method": "bank", "amount": euros("400.00"), "payee_id": payee}
    again = await office.post(f"/v1/grants/{grant['id']}/payments", body, by=SECOND)
    assert again.json()["type"] == "/problems/four-eyes"
    other = await office.scheduled(grant, payee, "900.00")
    own = await office.post(f"/v1/payments/{other['id']}/release", {}, by=SECOND, version=1)
    assert own.json()["type"] == "/problems/four-eyes"
    await office.done(f"/v1/payments/{other['id']}/release", {}, by=RELEASER)
    assert (await office.sums(budget))["committed"] == Decimal("900.00")
    await office.proved()


async def test_less_than_was_released_is_booked_as_it_was(office: Office) -> None:
    budget, person = await office.budget(), await office.here()
    grant = await office.approved(person, "100.00", kind="cash")
    rate = {"value": "1531.37", "on": "2026-11-20", "source": "un-treasury"}
    payment = await office.released(grant, None, "100.00", payout_currency="IQD", rate=rate)
    path, receipt = (
        f"/v1/payments/{payment['id']}",
        {"confirmed_on": today(), "receipt": uuid4()},
    )
    for amount, status, who in (
        ("153000.001", 422, SECOND),
        ("150000.000", 403, RELEASER),
        ("150000.000", 200, SECOND),
    ):
        body = receipt | {"amount": euros(amount, "IQD")}
        answer = await office.post(f"{path}/confirm", body, by=who)
        assert answer.status_code == status, answer.text
    confirmed = answer.json()
    assert confirmed["ordered"] == euros("153000.000", "IQD")
    assert (confirmed["payout"], confirmed["amount"]) == (
        euros("150000.000", "IQD"),
        euros("97.95"),
    )
    cash = (await office.get(f"/v1/cash-floats/{payment['float_id']}")).json()
    assert cash["left"] == euros("3000.000", "IQD")
    assert (await office.sums(budget))["paid"] == Decimal("97.95")
    await office.proved()


async def test_a_part_is_recovered_and_granted_again_when_the_office_says_so(
    office: Office,
) -> None:
    budget, person = await office.budget(), await office.here()
    grant = await office.approved(person)
    payment = await office.paid(grant, await office.payee(), "900.00")
    path = f"/v1/payments/{payment['id']}"
    part = {"reason": "fraud", "amount": euros("300.00"), "receipt": uuid4()}
    there = await office.done(f"{path}/recover", part, by=SECOND)
    assert (there["state"], there["recovered"]) == ("confirmed", euros("300.00"))
    back = await office.post(
        f"{path}/reverse", {"reason": "other"}, by=SECOND, version=there["version"]
    )
    assert back.status_code == 409, "the rest is recovered"
    more = await office.post(
        f"{path}/recover", part | {"amount": euros("600.01")}, by=SECOND, version=there["version"]
    )
    assert more.status_code == 422
    await office.proved()
    assert (await office.done(f"{path}/recover", {"reason": "fraud"}, by=SECOND))[
        "state"
    ] == "recovered"
    assert (await office.sums(budget))["recovered"] == Decimal("900.00")
    for amount, who, organisation, status in (
        ("900.01", "officer-1", OFFICE, 422),
        ("300.00", SECOND, PARTNER, 403),
        ("300.00", "officer-1", OFFICE, 200),
    ):
        answer = await office.post(
            f"/v1/budgets/{budget}/reuse",
            {"amount": euros(amount)},
            by=who,
            organisation=organisation,
        )
        assert answer.status_code == status, answer.text
    sums = await office.sums(budget)
    assert (sums["recovered"], sums["available"]) == (Decimal("600.00"), Decimal("99400.00"))
    await office.proved()


async def test_cash_leaves_a_float(office: Office) -> None:
    await office.budget()
    grant = await office.approved(await office.here(), "50.00", kind="cash")
    payment = await office.scheduled(grant, None)
    one = await office.post(f"/v1/payments/{payment['id']}/release", {}, by=RELEASER, version=1)
    assert one.json()["type"] == "/problems/float-missing"
    wanted = {"payments": [{"payment_id": payment["id"], "version": 1}]}
    many = await office.post("/v1/payments/release", wanted, by=RELEASER)
    assert many.json()["type"] == "/problems/float-missing"
    cash = await office.cash_float(euros("50.00"))
    await office.done("/v1/payments/release", wanted | {"float_id": cash}, by=RELEASER, version=1)
    assert (await office.get(f"/v1/cash-floats/{cash}")).json()["left"] == euros("0.00")


async def test_a_budget_pays_on_no_day_on_which_a_donor_does_not(office: Office) -> None:
    budget = await office.budget()
    asked = await office.grant(await office.here(), "100.00")
    grant = await office.approved(await office.here(), "100.00")
    payment = await office.scheduled(grant, await office.payee())
    ended = (
        "UPDATE budget SET sources = jsonb_set(sources, '{1,until}', "
        "'\"2026-02-01\"') WHERE id = :id"
    )
    async with office.homeward.database.transaction() as session:
        await session.execute(text(ended), {"id": UUID(budget)})
    for path, by in (
        (f"/v1/grants/{asked['id']}/approve", APPROVER),
        (f"/v1/payments/{payment['id']}/release", RELEASER),
    ):
        answer = await office.post(path, {} if "payments" in path else None, by=by, version=1)
        assert answer.json()["type"] == "/problems/budget-closed"


async def test_an_amount_has_the_decimals_of_its_currency_before_and_after_it_is_read(
    office: Office,
) -> None:
    await office.budget()
    grant = await office.grant(await office.here())
    assert grant["amount"]["amount"] == "900.00"
    assert (await office.get(f"/v1/grants/{grant['id']}")).json()["amount"]["amount"] == "900.00"
    written = {
        c: Money(amount=Decimal("5000.000"), currency=c).model_dump(mode="json")["amount"]
        for c in ("GNF", "IQD")
    }
    assert written == {"GNF": "5000", "IQD": "5000.000"}


async def test_lists_filter_and_are_spreadsheets_too(office: Office) -> None:
    budget, person = await office.budget(), await office.here()
    grant = await office.approved(person)
    await office.paid(grant, await office.payee(), "10.00")
    other = await office.grant(await office.here())
    listed = (await office.get("/v1/grants", returnee_id=person.id)).json()["items"]
    assert [item["id"] for item in listed] == [grant["id"]]
    undecided = (await office.get("/v1/grants", state="requested")).json()["items"]
    assert [item["id"] for item in undecided] == [other["id"]]
    for path, rows in (
        ("/v1/grants", 3),
        ("/v1/payments", 2),
        (f"/v1/budgets/{budget}/postings", 11),
    ):
        table = await office.get(path, format="csv")
        assert table.headers["content-type"].startswith("text/csv")
        assert len(table.text.strip().split("\r\n")) == rows, table.text
    assert (await office.get("/v1/grants", colour="red")).status_code == 400


async def test_strangers_find_nothing(office: Office) -> None:
    budget, person = await office.budget(), await office.here()
    grant = await office.approved(person)
    payee = await office.payee()
    payment = await office.scheduled(grant, payee)
    for path in (
        f"/v1/grants/{grant['id']}",
        f"/v1/payments/{payment['id']}",
        f"/v1/payees/{payee}",
        f"/v1/budgets/{budget}",
    ):
        assert (await office.get(path, organisation="another")).status_code == 404, path
    assert (await office.get("/v1/grants", organisation="another")).json()["items"] == []
    looked = await office.post(f"/v1/grants/{grant['id']}/order", organisation="bamf")
    assert looked.status_code == 403


def test_a_list_of_money_is_never_cut_off_without_a_word() -> None:
    assert as_csv(["id"], [{"id": 1}]).body == b"id\r\n1\r\n"
    with pytest.raises(Problem) as refused:
        as_csv(["id"], ({"id": number} for number in range(LONGEST + 1)))
    assert refused.value.errors[0].code == "too_many_rows"
