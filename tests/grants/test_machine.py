"""Money under fire: any sequence by anybody, everybody at once, and the database checked after each step."""

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.grants.budgets.verify import verify
from tests.conftest import Databases
from tests.grants.office import APPROVER, RELEASER, REQUESTER, SECOND, THIRD, Office, Person, euros, running

PEOPLE = (REQUESTER, APPROVER, SECOND, THIRD, RELEASER)
ACTORS = st.sampled_from(PEOPLE)
PLACE = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("request"), ACTORS, st.integers(0, 2), st.sampled_from(["0.01", "400.00", "999.99", "1500.00"])),
    st.tuples(st.sampled_from(["approve", "reject", "order", "delivery", "cancel", "close"]), ACTORS, PLACE, st.none()),
    st.tuples(st.just("amend"), ACTORS, PLACE, st.sampled_from(["100.00", "1200.00"])),
    st.tuples(st.just("pay"), ACTORS, PLACE, st.sampled_from(["0.01", "300.00", "900.00"])),
    st.tuples(st.sampled_from(["release", "confirm", "fail", "reverse", "recover"]), ACTORS, PLACE, st.none()),
)
BODIES: dict[str, Any] = {
    "reject": {"reason": "other"},
    "cancel": {"reason": "other"},
    "delivery": {"delivered_on": "2026-11-20"},
    "confirm": {"confirmed_on": "2026-11-20"},
    **{name: {"reason": "other"} for name in ("fail", "reverse", "recover")},
}
OF_PAYMENTS = {"release", "confirm", "fail", "reverse", "recover"}
DECIDED = {"approve", "reject", "amend", "close", "release", "fail", "reverse", "recover"}


class Books:
    """One household of three and everything that is done for it."""

    def __init__(self, office: Office, payee: str) -> None:
        self.office, self.payee = office, payee
        self.people: list[Person] = []
        self.grants: list[str] = []
        self.payments: list[str] = []
        self.answers: Counter[int] = Counter()

    async def begin(self) -> None:
        household, case = uuid4(), uuid4()
        self.people = [await self.office.here(household_id=household, case_id=case) for _ in range(3)]

    async def step(self, name: str, who: str, place: int, amount: str | None) -> None:
        office = self.office
        if name == "request":
            body = office.asked(self.people[place % 3], str(amount))
            await self.note(await office.post("/v1/grants", body, by=who), self.grants)
            return
        targets = self.payments if name in OF_PAYMENTS else self.grants
        if not targets:
            return
        kind = "payments" if name in OF_PAYMENTS else "grants"
        path = f"/v1/{kind}/{targets[place % len(targets)]}"
        if name == "pay":
            body = {
                "method": "bank",
                "amount": euros(str(amount)),
                "payee_id": self.payee,
                "papers": [{"kind": "invoice", "document": uuid4()}] if place else [],
            }
            await self.note(await office.post(f"{path}/payments", body, by=who), self.payments)
            return
        body = dict(BODIES.get(name, {}))
        body |= {"delivery": {"certificate": uuid4()}, "confirm": {"receipt": uuid4()}}.get(name, {})
        body |= {"amount": euros(str(amount))} if name == "amend" else {}
        version = await office.version(path) if name in DECIDED else None
        sent = body if body or name == "release" else None  # a release has a body, with a float or without
        answer = await office.post(f"{path}/{name}", sent, by=who, version=version)
        await self.note(answer)

    async def note(self, answer: Any, made: list[str] | None = None) -> None:
        self.answers[answer.status_code] += 1
        assert answer.status_code in {200, 201, 403, 404, 409, 412}, answer.text
        if made is not None and answer.status_code == 201:
            made.append(answer.json()["id"])

    async def hold(self, budget: str) -> None:
        """What must be true after every step, whoever did what."""
        await self.office.proved()
        sums = await self.office.sums(budget)
        assert sum(sums.values()) == Decimal("1000000.00")
        async with self.office.homeward.database.transaction() as session:
            rows = await session.execute(
                text(
                    "SELECT returnee_id, sum(counted) FROM assistance_grant WHERE case_id = :case "
                    "AND state NOT IN ('rejected', 'cancelled') GROUP BY 1"
                ),
                {"case": self.people[0].case_id},
            )
            assert all(amount <= Decimal(2000) for _, amount in rows)


async def test_no_sequence_breaks_the_books(databases: Databases) -> None:
    async with running((await databases.new("grants")).url) as office:
        budget, payee = await office.budget("1000000.00"), await office.payee()
        seen: Counter[int] = Counter()
        loop = asyncio.get_running_loop()

        async def example(waves: list[list[tuple[Any, ...]]]) -> None:
            books = Books(office, payee)
            await books.begin()
            for wave in waves:
                await asyncio.gather(*(books.step(*step) for step in wave))
                await books.hold(budget)
            seen.update(books.answers)

        @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(st.lists(STEPS, min_size=1, max_size=4), min_size=3, max_size=10))
        def machine(waves: list[list[tuple[Any, ...]]]) -> None:
            asyncio.run_coroutine_threadsafe(example(waves), loop).result(120)

        await asyncio.to_thread(machine)
        print(dict(seen))
        assert seen[200]
        assert seen[201]
        assert seen[409] + seen[403]


async def test_the_last_euro_is_granted_once(office: Office) -> None:
    budget, person = await office.budget(), await office.here()
    await office.grant(person, "1999.00")
    answers = await asyncio.gather(
        *(office.post("/v1/grants", office.asked(person, "1.00"), by=f"asks-{n}") for n in range(200))
    )
    statuses = Counter(answer.status_code for answer in answers)
    while statuses[503]:  # too many waited for the same person: they are told to ask again
        statuses = Counter({201: statuses[201], 409: statuses[409]})
        again = [await office.post("/v1/grants", office.asked(person, "1.00")) for a in answers if a.status_code == 503]
        answers = again
        statuses.update(a.status_code for a in again)
    assert statuses[201] == 1, statuses
    assert statuses[409] >= 199
    assert (await office.sums(budget))["reserved"] == Decimal("2000.00")
    await office.proved()


async def test_the_last_euro_of_a_budget_is_granted_once(office: Office) -> None:
    budget = await office.budget("5.00")
    people = [await office.here() for _ in range(20)]
    answers = await asyncio.gather(*(office.post("/v1/grants", office.asked(p, "1.00")) for p in people))
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
    released = await asyncio.gather(*(office.post(f"{path}/release", {}, by=RELEASER, version=1) for _ in range(20)))
    assert Counter(answer.status_code for answer in released) == {200: 1, 412: 19}
    receipt = {"confirmed_on": "2026-11-20", "receipt": uuid4()}
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
        ("one side is added", ("INSERT INTO posting (entry_id, budget_id, account, amount) "
         "SELECT id, budget_id, 'available', 5 FROM journal_entry LIMIT 1")),
        ("an entry has no side", ("INSERT INTO journal_entry (id, budget_id, kind) "
         "SELECT gen_random_uuid(), id, 'fund' FROM budget")),
        ("more is taken than there is", ("WITH e AS (INSERT INTO journal_entry (id, budget_id, kind) "
         "SELECT gen_random_uuid(), id, 'reserve' FROM budget RETURNING id, budget_id) "
         "INSERT INTO posting (entry_id, budget_id, account, amount) "
         "SELECT id, budget_id, v.account, v.amount FROM e, "
         "(VALUES ('available', -9999999.0), ('reserved', 9999999.0)) v (account, amount)")),
        ("the requester approves", ("INSERT INTO approval (grant_id, round, actor) "
         "SELECT id, 9, requester FROM assistance_grant")),
        ("the requester releases", ("UPDATE payment p SET state = 'released', released_by = g.requester "
         "FROM assistance_grant g WHERE g.id = p.grant_id")),
        ("the papers are missing", "UPDATE payment SET papers_there = '{}', released_by = gen_random_uuid()"),
        ("more is paid than granted", "UPDATE payment SET amount = 901"),
    ],
)  # fmt: skip
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
        await session.execute(text("UPDATE budget_account SET balance = balance + 1 WHERE account = 'paid'"))
        await session.execute(text("UPDATE payment SET state = 'reversed'"))
    async with office.homeward.database.transaction() as session:
        findings = " / ".join((await verify(session)).findings)
    assert "is not the sum of its postings" in findings
    assert "not booked as its state says" in findings
