"""`homeward ledger verify` as an operator runs it: right books are proved, and whoever tampers with
them is found.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from tests.conftest import Databases, FreshDatabase
from tests.grants.office import APPROVER, Office, running

ROOT = Path(__file__).parents[2]


async def ledger_verify(database: FreshDatabase) -> tuple[int, str]:
    """Exit status and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli.main",
        "ledger",
        "verify",
        cwd=ROOT,
        env=os.environ | {"HOMEWARD_DATABASE_URL": database.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def some_of_everything(office: Office) -> None:
    """Grants in every state, paid in part, back and forth."""
    await office.budget()
    payee = await office.payee()
    await office.grant(await office.here(), "100.00")
    grant = await office.approved(await office.here(), "900.00")
    await office.paid(grant, payee, "300.00")
    back = await office.paid(grant, payee, "200.00")
    await office.done(
        f"/v1/payments/{back['id']}/reverse", {"reason": "account_closed"}, by=APPROVER
    )
    lost = await office.paid(grant, payee, "50.00")
    await office.done(f"/v1/payments/{lost['id']}/recover", {"reason": "fraud"}, by=APPROVER)
    cash = await office.done(
        "/v1/cash-floats",
        {"port_of_entry": "EBL", "amount": {"amount": "150.00", "currency": "EUR"}},
    )
    part = await office.paid(grant, payee, "40.00")
    recovered = {"reason": "fraud", "amount": {"amount": "15.00", "currency": "EUR"}}
    await office.done(f"/v1/payments/{part['id']}/recover", recovered, by=APPROVER)
    desk = await office.approved(await office.here(), "50.00", kind="cash")
    await office.released(desk, None, papers=[{"kind": "identity_seen", "document": uuid4()}])
    drawn = await office.approved(await office.here(), "60.00", kind="cash")
    payment = await office.scheduled(drawn, None)
    await office.done(
        f"/v1/payments/{payment['id']}/release", {"float_id": cash["id"]}, by="releases-5"
    )
    await office.done(f"/v1/grants/{grant['id']}/close")
    gone = await office.grant(await office.here(), "70.00")
    await office.done(f"/v1/grants/{gone['id']}/reject", {"reason": "other"}, by=APPROVER)


@pytest_asyncio.fixture(scope="module")
async def books(databases: Databases) -> AsyncIterator[FreshDatabase]:
    database = await databases.new("grants")
    async with running(database.url) as office:
        await some_of_everything(office)
    yield database


async def test_right_books_are_proved(books: FreshDatabase) -> None:
    status, said = await ledger_verify(books)
    assert status == 0, said
    assert said.strip().endswith("postings: right")


TAMPERING = {
    "a posting is changed": (
        "UPDATE posting SET amount = amount + 1 WHERE account = 'paid' AND amount > 0",
        ("entry", "does not balance"),
    ),
    "a posting is removed": (
        "DELETE FROM posting WHERE account = 'reserved'",
        ("entry", "does not balance"),
    ),
    "an entry is removed": (
        (
            "WITH gone AS (DELETE FROM posting WHERE entry_id IN "
            "(SELECT id FROM journal_entry WHERE kind = 'pay') RETURNING entry_id) "
            "DELETE FROM journal_entry WHERE id IN (SELECT entry_id FROM gone)"
        ),
        ("account paid of budget", "is not the sum of its postings"),
    ),
    "both sides are changed alike": (
        (
            "UPDATE posting SET amount = amount * 2 WHERE entry_id IN "
            "(SELECT id FROM journal_entry WHERE kind = 'pay')"
        ),
        ("payment", "is not booked as its state says"),
    ),
    "money goes another way": (
        "UPDATE posting SET account = 'recovered' WHERE account = 'paid' AND amount > 0",
        ("entry", "moves money otherwise than a pay does"),
    ),
    "a posting is given to another grant": (
        "UPDATE posting SET grant_id = gen_random_uuid() WHERE account = 'paid'",
        ("posting", "is of another grant than its entry"),
    ),
    "a balance is changed": (
        "UPDATE budget_account SET balance = balance + 1 WHERE account = 'available'",
        ("account available of budget", "is not the sum of its postings"),
    ),
    "a budget is made larger": (
        "UPDATE budget SET amount = amount + 1",
        ("budget", "was not funded with its amount"),
    ),
    "a grant is made larger": (
        "UPDATE assistance_grant SET amount = amount + 1 WHERE state = 'approved'",
        ("grant", "holds other money than its state says"),
    ),
    "a payment is made unpaid": (
        "UPDATE payment SET state = 'reversed' WHERE state = 'confirmed' AND recovered = 0",
        ("payment", "is not booked as its state says"),
    ),
    "an approval is removed": (
        "DELETE FROM approval",
        ("payment", "was released without its approvals"),
    ),
    "the releaser is the requester": (
        (
            "UPDATE payment p SET released_by = g.requester, scheduled_by = "
            "gen_random_uuid() FROM assistance_grant g "
            "WHERE g.id = p.grant_id AND p.released_by IS NOT NULL"
        ),
        ("payment", "was released without its approvals, its papers or a third person"),
    ),
    "who sent it says it is back": (
        (
            "UPDATE payment p SET scheduled_by = gen_random_uuid(), "
            "undone_by = ARRAY[g.requester] FROM assistance_grant g "
            "WHERE g.id = p.grant_id AND p.state = 'recovered'"
        ),
        ("payment", "was taken back by nobody, or by who had it sent"),
    ),
    "a reversal is of nobody": (
        "UPDATE payment SET undone_by = '{}' WHERE state = 'reversed'",
        ("payment", "was taken back by nobody"),
    ),
    "less is recovered than is said": (
        "UPDATE payment SET recovered = 1 WHERE recovered > 1 AND state = 'confirmed'",
        ("payment", "is not booked as its state says"),
    ),
    "the returnee is paid": (
        "UPDATE payee SET kind = 'returnee'",
        ("payment", "gives the returnee money as if it were in kind"),
    ),
    "cash is of no float": (
        (
            "ALTER TABLE payment DROP CONSTRAINT ck_payment_cash_from_a_float; "
            "UPDATE payment SET float_id = NULL WHERE method = 'cash'"
        ),
        ("cash", "left no float"),
    ),
    "a donor did not pay then": (
        ("UPDATE budget SET sources = jsonb_set(sources, '{0,until}', '\"2026-02-01\"')"),
        ("payment", "left its budget on a day on which it does not pay"),
    ),
    "a cent is cut": (
        "UPDATE payment SET payout = payout + 0.001",
        ("payment", "is finer than its currency"),
    ),
    "a float is said to be fuller": (
        "UPDATE cash_float SET drawn = 0",
        ("cash float", "has another amount drawn"),
    ),
}


@pytest.mark.parametrize("what", list(TAMPERING))
async def test_whoever_switches_the_guards_off_is_found(
    books: FreshDatabase, databases: Databases, what: str
) -> None:
    """As a superuser, who alone can: triggers are off for the session, and nothing but the proof is
    left.
    """
    statement, finding = TAMPERING[what]
    admin = await asyncpg.connect(books.admin_url)
    try:
        # The books are put back by the end of the transaction: the proof reads them inside it.
        transaction = admin.transaction()
        await transaction.start()
        await admin.execute("SET LOCAL session_replication_role = replica")
        assert await admin.execute(statement) not in {"UPDATE 0", "DELETE 0"}
        findings = await proof_of(admin)
        await transaction.rollback()
    finally:
        await admin.close()
    assert any(all(word in found for word in finding) for found in findings), findings


async def proof_of(connection: asyncpg.Connection) -> list[str]:
    from services.grants.books.verify import CHECKS

    return [
        finding.format(*row)
        for finding, query in CHECKS.items()
        for row in await connection.fetch(query)
    ]


async def test_the_command_names_what_it_found(databases: Databases) -> None:
    database = await databases.new("grants")
    async with running(database.url) as office:
        await some_of_everything(office)
    admin = await asyncpg.connect(database.admin_url)
    await admin.execute("ALTER TABLE posting DISABLE TRIGGER append_only")
    entry = await admin.fetchval(
        "UPDATE posting SET amount = amount + 1"
        " WHERE id = (SELECT max(id) FROM posting WHERE account = 'paid') "
        "RETURNING entry_id"
    )
    await admin.execute("ALTER TABLE posting ENABLE TRIGGER append_only")
    await admin.close()
    status, said = await ledger_verify(database)
    assert status == 1
    assert "postings: not right" in said
    assert f"entry {entry} does not balance" in said
