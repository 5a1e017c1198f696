"""Visits, transfers, merges and ends: what cases tells about people who were granted something,
told twice and late.
"""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts import cases
from services.grants import closing, transfers
from tests.grants.office import APPROVER, OFFICE, RELEASER, SECOND, Office, Person, euros, today

PAID_ON = today()
OTHER = "brac"


def visited(person: Person, *, reached: bool = True) -> cases.VisitRecorded:
    return cases.VisitRecorded(
        **person.ids, visit_id=uuid4(), due_on="2026-11-21", method="visit", reached=reached
    )


async def half_paid(office: Office, person: Person) -> tuple[Any, str]:
    """A shop of 1,000 euros, of which the first 600 were paid."""
    payee = await office.payee()
    grant = await office.approved(person, "1000.00", kind="business")
    await office.paid(grant, payee, "600.00")
    return grant, payee


async def payments_of(office: Office, grant: Any) -> list[Any]:
    found: list[Any] = (await office.get("/v1/payments", grant_id=grant["id"])).json()["items"]
    return found


async def test_a_visit_prepares_the_next_instalment_once(office: Office) -> None:
    await office.budget()
    person = await office.here()
    grant, payee = await half_paid(office, person)
    seen = visited(person)
    await office.tell(visited(person, reached=False))
    assert len(await payments_of(office, grant)) == 1, "nobody was seen"
    for told in (seen, seen, visited(person)):
        await office.tell(told, at=datetime.now(UTC))
    _, second = await payments_of(office, grant)
    assert (second["state"], second["instalment"], second["payee_id"]) == ("scheduled", 2, payee)
    assert second["amount"] == euros("400.00")
    path = f"/v1/payments/{second['id']}"
    bare = await office.post(f"{path}/release", {}, by=RELEASER, version=1)
    assert bare.json()["missing"] == ["invoice"]
    await office.done(f"{path}/papers", {"papers": [{"kind": "invoice", "document": uuid4()}]})
    await office.done(f"{path}/release", {}, by=RELEASER)
    await office.done(f"{path}/confirm", {"confirmed_on": PAID_ON, "receipt": uuid4()})
    await office.tell(visited(person))
    assert len(await payments_of(office, grant)) == 2
    assert (await office.published(person)).count("payment.scheduled") == 2
    await office.proved()


async def test_a_visit_before_the_first_instalment_counts_for_nothing(office: Office) -> None:
    await office.budget()
    person = await office.here()
    await office.tell(visited(person), at=datetime(2026, 11, 19, 9, tzinfo=UTC))
    grant, payee = await half_paid(office, person)
    assert len(await payments_of(office, grant)) == 1
    second = {"method": "bank", "amount": euros("400.00"), "payee_id": payee, "instalment": 2}
    assert (await office.post(f"/v1/grants/{grant['id']}/payments", second)).status_code == 409


async def test_a_visit_that_is_told_before_the_receipt_prepares_it_then(office: Office) -> None:
    await office.budget()
    person = await office.here()
    payee = await office.payee()
    grant = await office.approved(person, "1000.00", kind="business")
    first = await office.released(grant, payee, "600.00")
    await office.tell(visited(person), at=datetime.now(UTC))
    assert len(await payments_of(office, grant)) == 1
    await office.done(
        f"/v1/payments/{first['id']}/confirm", {"confirmed_on": PAID_ON, "receipt": uuid4()}
    )
    assert [payment["instalment"] for payment in await payments_of(office, grant)] == [1, 2]
    await office.proved()


def transferred(person: Person) -> cases.CaseTransferred:
    return cases.CaseTransferred(
        **person.ids,
        transfer_id=uuid4(),
        previous_implementer=person.implementer,
        implementer=OTHER,
    )


async def budget_of_the_other(office: Office, amount: str = "50000.00") -> str:
    """As if the programme had two implementers: the office's route knows those of the data only."""
    budget = await office.budget(amount)
    async with office.homeward.database.transaction() as session:
        values = {"other": OTHER, "id": UUID(budget)}
        await session.execute(
            text("UPDATE budget SET organisation = :other WHERE id = :id"), values
        )
    return budget


async def sums(office: Office, budget: str) -> dict[str, Decimal]:
    answer = (await office.get(f"/v1/budgets/{budget}", organisation=OFFICE)).json()
    return {
        name: Decimal(answer[name]["amount"])
        for name in ("available", "reserved", "committed", "paid")
    }


async def test_commitments_go_with_the_case_and_the_old_partner_sees_nothing_more(
    office: Office,
) -> None:
    old, new = await office.budget(), await budget_of_the_other(office)
    person = await office.here()
    payee = await office.payee()
    theirs = await office.payee(kind="returnee", returnee_id=person.id)
    assert (await office.get(f"/v1/payees/{theirs}/account")).status_code == 200
    requested = await office.grant(person, "100.00")
    paid = await office.approved(person, "900.00")
    await office.paid(paid, payee, "300.00")
    waiting = await office.scheduled(paid, payee, "200.00")
    moved = transferred(person)
    await office.tell(moved, moved)
    for path in (
        f"/v1/grants/{paid['id']}",
        f"/v1/payments/{waiting['id']}",
        f"/v1/payees/{theirs}",
        f"/v1/payees/{theirs}/account",
    ):
        assert (await office.get(path)).status_code == 404, path
    assert theirs not in {each["id"] for each in (await office.get("/v1/payees")).json()["items"]}
    there = (await office.get("/v1/grants", organisation=OTHER)).json()["items"]
    assert {(grant["id"], grant["budget_id"]) for grant in there} == {
        (requested["id"], new),
        (paid["id"], new),
    }
    states = {
        p["id"]: p["state"]
        for p in (await office.get("/v1/payments", organisation=OTHER)).json()["items"]
    }
    assert states[waiting["id"]] == "failed", "the payee is the old partner's"
    assert await sums(office, old) == {
        "available": Decimal("99700.00"),
        "reserved": 0,
        "committed": 0,
        "paid": 300,
    }
    assert await sums(office, new) == {
        "available": Decimal("49300.00"),
        "reserved": 100,
        "committed": 600,
        "paid": 0,
    }
    await office.proved()
    answer = await office.post(
        f"/v1/grants/{requested['id']}/approve", by="approves-9", organisation=OTHER, version=3
    )
    assert answer.status_code == 200, answer.text
    await office.proved()


async def test_what_comes_back_after_a_transfer_goes_to_who_paid_it(office: Office) -> None:
    old, new = await office.budget(), await budget_of_the_other(office)
    person = await office.here()
    grant = await office.approved(person, "900.00")
    payment = await office.paid(grant, await office.payee(), "300.00")
    await office.tell(transferred(person))
    path = f"/v1/payments/{payment['id']}"
    back = await office.post(
        f"{path}/reverse",
        {"reason": "account_closed"},
        by="reverses-9",
        organisation=OTHER,
        version=3,
    )
    assert back.status_code == 200, back.text
    assert (await sums(office, old))["available"] == Decimal("100000.00")
    assert (await sums(office, new))["committed"] == Decimal("600.00")
    left = (await office.get(f"/v1/grants/{grant['id']}", organisation=OTHER)).json()
    assert left["amount"]["amount"] == "600.00"
    await office.proved()


@pytest.mark.parametrize("has_budget", [True, False])
async def test_money_on_its_way_arrives_before_the_rest_moves(
    office: Office, has_budget: bool
) -> None:
    old = await office.budget()
    person = await office.here()
    grant = await office.approved(person, "900.00")
    released = await office.released(grant, await office.payee(), "300.00")
    await office.tell(transferred(person))
    assert (await sums(office, old))["committed"] == Decimal("900.00")
    content = (
        "account,statement,line,booking_date,direction,amount,currency,bank_reference,reference\r\n"
        f"BE1,1,1,{PAID_ON},debit,300.00,EUR,B1,{released['reference']}"
    )
    headers = office.headers(SECOND) | {"Idempotency-Key": str(uuid4()), "Content-Type": "text/csv"}
    answer = await office.http.post("/v1/statements", content=content.encode(), headers=headers)
    assert answer.json()["items"][0]["lines"][0]["outcome"] == "matched", (
        "the bank is the old partner's"
    )
    new = await budget_of_the_other(office) if has_budget else None
    for _ in range(2):
        async with office.homeward.database.transaction() as session:
            assert (
                await session.scalar(
                    text("SELECT count(*) FROM job WHERE kind = 'grants.commitments.move'")
                )
                == 1
            )
            await transfers.JOB.apply(session, {"grant_id": grant["id"]}, None)
    assert (await sums(office, old))["committed"] == (0 if has_budget else Decimal("600.00"))
    if new is not None:
        assert (await sums(office, new))["committed"] == Decimal("600.00")
    await office.proved()


async def test_what_two_ids_of_one_person_have_is_seen_after_a_merge_and_not_after_its_undoing(
    office: Office,
) -> None:
    await office.budget()
    await office.budget(programme="errin-iraq-2021")
    one, other = await office.here(), await office.here(programme="errin-iraq-2021", office="icmpd")
    first = await office.here(id=other.id)
    await office.grant(one, "1500.00")
    await office.grant(other, "400.00")
    merged = cases.ReturneeMerged(returnee_id=other.id, into=one.id)
    undone = cases.ReturneeUnmerged(returnee_id=other.id, separated_from=one.id)
    await office.tell(merged, merged)
    for person in (one, first):
        answer = await office.post("/v1/grants", office.asked(person, "100.01"))
        assert Decimal(answer.json()["left"]["amount"]) == Decimal("100.00")
    await office.tell(undone, undone)
    await office.grant(first, "1600.00")
    await office.tell(undone)
    assert (await office.post("/v1/grants", office.asked(one, "500.01"))).status_code == 409
    await office.proved()


async def test_a_closed_case_ends_what_was_still_on_its_way_when_it_arrives(office: Office) -> None:
    budget = await office.budget()
    person, reopened = await office.here(), await office.here()
    payee = await office.payee()
    grants = [await office.approved(each, "900.00") for each in (person, reopened)]
    payments = [await office.released(grant, payee, "300.00") for grant in grants]
    await office.tell(person.closed(), person.closed(), reopened.closed())
    await office.tell(cases.CaseReopened(**reopened.ids, state="in_delivery"))
    for payment in payments:
        await office.done(
            f"/v1/payments/{payment['id']}/confirm", {"confirmed_on": PAID_ON, "receipt": uuid4()}
        )
    for _ in range(2):
        for grant in grants:
            async with office.homeward.database.transaction() as session:
                await closing.JOB.apply(
                    session, {"grant_id": grant["id"], "reason": "case_closed"}, None
                )
    states = [(await office.get(f"/v1/grants/{grant['id']}")).json()["state"] for grant in grants]
    assert states == ["closed", "approved"]
    assert (await office.sums(budget))["committed"] == Decimal("600.00")
    await office.proved()


async def test_facts_about_somebody_who_was_erased_change_nothing(office: Office) -> None:
    budget, person = await office.budget(), await office.here()
    grant, _ = await half_paid(office, person)
    erased = cases.ReturneeErased(returnee_id=person.id)
    await office.tell(erased, erased)
    await office.tell(
        visited(person),
        transferred(person),
        person.closed(),
        person.opened(),
        person.received(),
        person.confirmed(),
    )
    totals = await office.sums(budget)
    assert (totals["paid"], totals["committed"]) == (Decimal("600.00"), 0)
    async with office.homeward.database.transaction() as session:
        for table in ("participant", "visit", "payment", "assistance_grant"):
            query = text(f"SELECT count(*) FROM {table} WHERE returnee_id = :who")
            assert await session.scalar(query, {"who": person.id}) == 0, table
    assert (await office.published(person))[-1] == "returnee.scrubbed"
    assert grant["state"] == "approved"
    await office.proved()


async def test_a_paper_counts_once_cases_has_it_and_it_is_about_this_return(office: Office) -> None:
    await office.budget()
    person, stranger = await office.here(), await office.here()
    office.has_documents = False
    grant = await office.approved(person, "900.00")
    payment = await office.scheduled(grant, await office.payee(), "100.00")
    path = f"/v1/payments/{payment['id']}/release"
    assert (await office.post(path, {}, by=RELEASER, version=1)).json()["missing"] == ["invoice"], (
        "cases was not asked"
    )
    about = {"case_id": str(stranger.case_id)}
    for known, document in (
        (False, {}),
        (True, about),
        (True, {"case_id": None, "returnee_id": str(stranger.id)}),
    ):
        await office.hear_of_documents(grant["id"], known=known, **document)
        assert (await office.post(path, {}, by=RELEASER, version=1)).status_code == 409
    async with office.homeward.database.transaction() as session:
        assert (
            await session.scalar(
                text("SELECT count(*) FROM job WHERE kind = 'grants.document.ask'")
            )
            == 1
        )
    await office.hear_of_documents(grant["id"], case_id=None, returnee_id=str(person.id))
    await office.done(path, {}, by=RELEASER)
    invoice = payment["papers"][0]
    other = await office.scheduled(grant, payment["payee_id"], "100.00", papers=[invoice])
    await office.done(f"/v1/payments/{other['id']}/release", {}, by=RELEASER)


async def test_an_invoice_is_an_invoice_and_is_paid_under_one_grant(office: Office) -> None:
    await office.budget()
    person, payee = await office.here(), await office.payee()
    office.has_documents = False
    grants = [await office.approved(person, "100.00") for _ in range(2)]
    invoice = {"kind": "invoice", "document": str(uuid4())}
    payments = [await office.scheduled(grant, payee, papers=[invoice]) for grant in grants]
    paths = [f"/v1/payments/{payment['id']}" for payment in payments]
    await office.hear_of_documents(grants[0]["id"], kind="consent")
    assert (await office.post(f"{paths[0]}/release", {}, by=RELEASER, version=1)).json()[
        "missing"
    ] == ["invoice"]
    await office.done(f"{paths[0]}/fail", {"reason": "cancelled"})
    await office.done(f"/v1/grants/{grants[0]['id']}/cancel", {"reason": "other"})
    await office.hear_of_documents(grants[1]["id"])
    third = await office.approved(person, "100.00")
    body = {"method": "bank", "amount": euros("100.00"), "payee_id": payee, "papers": [invoice]}
    taken = await office.post(f"/v1/grants/{third['id']}/payments", body)
    assert taken.json()["type"] == "/problems/document-taken"
    await office.done(f"/v1/grants/{grants[1]['id']}/cancel", {"reason": "other"})
    again = await office.done(f"/v1/grants/{third['id']}/payments", body)
    await office.hear_of_documents(third["id"])
    await office.done(f"/v1/payments/{again['id']}/release", {}, by=RELEASER)


async def test_two_grants_that_cite_an_invoice_before_cases_answers_do_not_both_have_it(
    office: Office,
) -> None:
    await office.budget()
    person, payee = await office.here(), await office.payee()
    office.has_documents = False
    grants = [await office.approved(person, "100.00") for _ in range(2)]
    invoice = {"kind": "invoice", "document": str(uuid4())}
    payments = [await office.scheduled(grant, payee, papers=[invoice]) for grant in grants]
    await asyncio.gather(*(office.hear_of_documents(grant["id"]) for grant in grants))
    answers = [
        (
            await office.post(f"/v1/payments/{p['id']}/release", {}, by=RELEASER, version=1)
        ).status_code
        for p in payments
    ]
    assert sorted(answers) == [200, 409]


async def test_one_document_is_one_quote(office: Office) -> None:
    await office.budget()
    grant = await office.grant(await office.here(), "1800.00", kind="business")
    path, same = f"/v1/grants/{grant['id']}", uuid4()
    for _ in range(3):
        offer = {
            "payee_id": await office.payee(kind="supplier"),
            "amount": euros("1800.00"),
            "document": same,
        }
        await office.done(f"{path}/quotes", offer)
    assert (await office.post(f"{path}/approve", by=APPROVER, version=4)).json()[
        "type"
    ] == "/problems/quotes-missing"


async def test_quotes_and_handovers_without_a_document_prove_nothing(office: Office) -> None:
    await office.budget()
    office.has_documents = False
    grant = await office.grant(await office.here(), "1800.00", kind="business")
    path = f"/v1/grants/{grant['id']}"
    for amount in ("1800.00", "1850.00", "1900.00"):
        body = {
            "payee_id": await office.payee(kind="supplier"),
            "amount": euros(amount),
            "document": uuid4(),
        }
        quoted = await office.done(f"{path}/quotes", body)
    assert quoted["state"] == "quoted"
    pending = await office.post(f"{path}/approve", by=APPROVER, version=4)
    assert pending.json()["type"] == "/problems/papers-pending"
    await office.hear_of_documents(grant["id"], known=False)
    missing = await office.post(f"{path}/approve", by=APPROVER, version=4)
    assert missing.json()["type"] == "/problems/quotes-missing"
    await office.hear_of_documents(grant["id"])
    for who in (APPROVER, SECOND):
        await office.done(f"{path}/approve", by=who)
    supplied = {"method": "supplier", "amount": euros("100.00")}
    stranger = await office.post(
        f"{path}/payments", supplied | {"payee_id": await office.payee(kind="supplier")}
    )
    assert stranger.json()["type"] == "/problems/not-quoted"
    body = supplied | {"payee_id": body["payee_id"]}
    paper = {"kind": "invoice", "document": uuid4()}
    payment = await office.done(f"{path}/payments", body | {"papers": [paper]})
    await office.done(
        f"{path}/delivery", {"delivered_on": PAID_ON, "certificate": uuid4(), "complete": False}
    )
    release = f"/v1/payments/{payment['id']}/release"
    pending = await office.post(release, {}, by=RELEASER, version=1)
    assert pending.json()["type"] == "/problems/papers-pending"
    assert pending.headers["retry-after"] == "2"
    assert pending.json()["missing"] == ["handover_certificate", "invoice"]
    await office.hear_of_documents(grant["id"], known=False)
    refused = await office.post(release, {}, by=RELEASER, version=1)
    assert refused.json()["type"] == "/problems/papers-missing"
    assert refused.json()["missing"] == ["handover_certificate", "invoice"]
    await office.hear_of_documents(grant["id"])
    await office.done(release, {}, by=RELEASER)
