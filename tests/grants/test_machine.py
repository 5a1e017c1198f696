"""Money under fire: any sequence by anybody, everybody at once, and the database checked after each
step.
"""

import asyncio
from collections import Counter
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.grants.books.verify import verify
from tests.grants.office import RELEASER, Office, today


async def test_the_last_euro_is_granted_once(office: Office) -> None:
    budget, person = await office.budget(), await office.here()
    await office.grant(person, "1999.00")
    answers = await asyncio.gather(
        *(
            office.post("/v1/grants", office.asked(person, "1.00"), by=f"asks-{n}")
            for n in range(200)
        )
    )
    statuses = Counter(answer.status_code for answer in answers)
    while statuses[503]:  # too many waited for the same person: they are told to ask again
        statuses = Counter({201: statuses[201], 409: statuses[409]})
        again = [
            await office.post("/v1/grants", office.asked(person, "1.00"))
            for a in answers
            if a.status_code == 503
        ]
        answers = again
        statuses.update(a.status_code for a in again)
    assert statuses[201] == 1, statuses
    assert statuses[409] >= 199
    assert (await office.sums(budget))["reserved"] == Decimal("2000.00")
    await office.proved()


async def test_the_last_euro_of_a_budget_is_granted_once(office: Office) -> None:
    budget = await office.budget("5.00")
    people = [await office.here() for _ in range(20)]
    answers = await asyncio.gather(
        *(office.post("/v1/grants", office.asked(p, "1.00")) for p in people)
    )
    assert Counter(answer.status_code for answer in answers) == {201: 5, 409: 15}
    refusals = [answer.json() for answer in answers if answer.status_code == 409]
    assert {refusal["type"] for refusal in refusals} == {"/problems/budget-exhausted"}
    assert (await office.sums(budget))["available"] == 0
    await office.proved()


async def test_twenty_releases_and_confirmations_at_once_pay_once(office: Office) -> None:
    budget = await office.budget()
    grant = await office.approved(await office.here())
    payment = await office.scheduled(grant, await office.payee())
    path = f"/v1/payments/{payment['id']}"
    released = await asyncio.gather(
        *(office.post(f"{path}/release", {}, by=RELEASER, version=1) for _ in range(20))
    )
    assert Counter(answer.status_code for answer in released) == {200: 1, 412: 19}
    receipt = {"confirmed_on": today(), "receipt": uuid4()}
    confirmed = await asyncio.gather(*(office.post(f"{path}/confirm", receipt) for _ in range(20)))
    assert Counter(answer.status_code for answer in confirmed) == {200: 1, 409: 19}
    assert (await office.sums(budget))["paid"] == Decimal("900.00")
    await office.proved()


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        ("a posting is changed", "UPDATE posting SET amount = amount + 1"),
        ("a posting is removed", "DELETE FROM posting"),
        ("an entry is changed", "UPDATE journal_entry SET kind = 'pay'"),
        (
            "one side is added",
            (
                "INSERT INTO posting (entry_id, budget_id, account, amount) "
                "SELECT id, budget_id, 'available', 5 FROM journal_entry LIMIT 1"
            ),
        ),
        (
            "an entry has no side",
            (
                "INSERT INTO journal_entry (id, budget_id, kind) "
                "SELECT gen_random_uuid(), id, 'fund' FROM budget"
            ),
        ),
        (
            "more is taken than there is",
            (
                "WITH e AS (INSERT INTO journal_entry (id, budget_id, kind) "
                "SELECT gen_random_uuid(), id, 'reserve' FROM budget RETURNING id, budget_id) "
                "INSERT INTO posting (entry_id, budget_id, account, amount) "
                "SELECT id, budget_id, v.account, v.amount FROM e, "
                "(VALUES ('available', -9999999.0), ('reserved', 9999999.0)) v (account, amount)"
            ),
        ),
        (
            "the requester approves",
            (
                "INSERT INTO approval (grant_id, round, actor) "
                "SELECT id, 9, requester FROM assistance_grant"
            ),
        ),
        (
            "the requester releases",
            (
                "UPDATE payment p SET state = 'released', released_by = g.requester "
                "FROM assistance_grant g WHERE g.id = p.grant_id"
            ),
        ),
        (
            "the papers are missing",
            "UPDATE payment SET papers_there = '{}', released_by = gen_random_uuid()",
        ),
        ("more is paid than granted", "UPDATE payment SET amount = 901"),
    ],
)
async def test_the_database_itself_refuses(office: Office, what: str, statement: str) -> None:
    await office.budget()
    grant = await office.approved(await office.here())
    await office.scheduled(grant, await office.payee())
    with pytest.raises(DBAPIError):
        async with office.homeward.database.transaction() as session:
            await session.execute(text(statement))
    await office.proved()


async def test_what_was_tampered_with_is_found(office: Office) -> None:
    await office.budget()
    grant = await office.approved(await office.here())
    await office.paid(grant, await office.payee(), "10.00")
    async with office.homeward.database.transaction() as session:
        await session.execute(
            text("UPDATE budget_account SET balance = balance + 1 WHERE account = 'paid'")
        )
        await session.execute(text("UPDATE payment SET state = 'reversed'"))
    async with office.homeward.database.transaction() as session:
        findings = " / ".join((await verify(session)).findings)
    assert "is not the sum of its postings" in findings
    assert "not booked as its state says" in findings
