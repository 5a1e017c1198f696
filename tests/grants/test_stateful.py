"""The whole machine in any order, several people at once, and after each step the database asked
what must hold.

What is asked is written here once more, from the programme's data and from the rows, and not with
the service's code.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Coroutine, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from contracts import cases
from contracts.programmes import inherit, read
from tests.conftest import Databases
from tests.grants.office import (
    APPROVER,
    OFFICE,
    PROGRAMME,
    RELEASER,
    REQUESTER,
    SECOND,
    THIRD,
    Office,
    Person,
    euros,
    running,
    today,
)

FOLDER = Path(__file__).parents[2] / "programmes"
OWN = read(FOLDER / f"{PROGRAMME}.yaml")["versions"][0]
ALLOWED = inherit(read(FOLDER / "common.yaml"), OWN)["assistance"]
BANDS = [(Decimal(band["up_to"] or "Infinity"), band["approvers"]) for band in ALLOWED["bands"]]
PAPERS = ALLOWED["papers"]["by_method"]
PERSON, HOUSEHOLD, CASH = (
    Decimal(next(c["amount"] for c in ALLOWED["packages"][package]["ceilings"] if c["per"] == per))
    for package, per in (
        ("post_return", "person"),
        ("post_return", "household"),
        ("post_arrival", "person"),
    )
)
FUNDS = Decimal("12000.00")

ACTORS = st.sampled_from([REQUESTER, APPROVER, SECOND, THIRD, RELEASER])
AMOUNTS = st.sampled_from(["0.01", "400.00", "999.99", "1500.00", "2000.00"])
PLACES = st.integers(0, 11)
KINDS = st.sampled_from(["education", "business", "cash"])
PARTS = st.sampled_from(["0.01", "100.00", "300.00", "900.00", "1500.00"])


def several(what: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One, or some at the same time."""
    return st.lists(what, min_size=1, max_size=3)


BROKEN = {
    "an entry does not balance": (
        "SELECT entry_id FROM posting GROUP BY 1 HAVING sum(amount) <> 0 OR count(*) <> 2"
    ),
    "a budget is below zero": """
        SELECT budget_id, account, sum(amount) FROM posting WHERE account <> 'funds'
        GROUP BY 1, 2 HAVING sum(amount) < 0""",
    "money was lost or made": """
        SELECT budget_id FROM posting GROUP BY 1
        HAVING sum(amount) FILTER (WHERE account <> 'funds')
            <> (SELECT amount FROM budget WHERE id = budget_id)""",
    "what is paid is not what was confirmed": """
        SELECT g.id FROM assistance_grant g
        WHERE (SELECT coalesce(sum(amount), 0) FROM posting WHERE grant_id = g.id
            AND account = 'paid')
            <> (SELECT coalesce(sum(amount - recovered), 0) FROM payment
                WHERE grant_id = g.id AND state = 'confirmed')""",
    "money left no float, or went into hands that it was not for": """
        SELECT p.id FROM payment p LEFT JOIN payee y ON y.id = p.payee_id
            WHERE p.released_by IS NOT NULL
        AND ((p.method = 'cash' AND p.float_id IS NULL)
             OR (y.kind = 'returnee' AND NOT p.as_cash AND NOT p.reimbursement)
             OR (p.reimbursement AND NOT p.papers_there @> '{handover_certificate,invoice}'))""",
    "who had money sent took it back": """
        SELECT p.id FROM payment p JOIN assistance_grant g ON g.id = p.grant_id
        WHERE g.requester = ANY (p.undone_by) OR p.scheduled_by = ANY (p.undone_by)
            OR p.released_by = ANY (p.undone_by)
           OR (p.state = 'failed' AND p.released_by IS NOT NULL AND p.undone_by = '{}')""",
    "who took money back sent more": """
        SELECT p.id FROM payment p JOIN payment b ON b.grant_id = p.grant_id
            AND b.state IN ('failed', 'reversed')
        WHERE p.released_by = ANY (b.undone_by) AND p.released_at > b.updated_at""",
    "more is paid than granted": """
        SELECT g.id FROM assistance_grant g JOIN payment p ON p.grant_id = g.id
        WHERE p.state IN ('scheduled', 'released', 'confirmed', 'recovered')
        GROUP BY g.id HAVING sum(p.amount) > g.amount""",
    "a payment was confirmed twice": """
        SELECT payload ->> 'payment_id' FROM outbox
            WHERE type = 'org.homeward.grants.payment.confirmed.v1'
        GROUP BY 1 HAVING count(*) > 1""",
    "a payment was told otherwise than it is": """
        SELECT p.id FROM payment p WHERE p.state IN ('confirmed', 'reversed', 'recovered')
        AND NOT EXISTS (
            SELECT FROM outbox WHERE payload ->> 'payment_id' = p.id::text
            AND type LIKE '%.payment.confirmed.v1')""",
    "two hands were enough": """
        SELECT p.id FROM payment p JOIN assistance_grant g ON g.id = p.grant_id
        WHERE p.released_by IS NOT NULL AND (
            p.released_by = p.scheduled_by OR p.released_by = ANY (g.preparers)
            OR EXISTS (SELECT FROM approval a WHERE a.grant_id = g.id AND a.round = g.round
                       AND (a.actor = p.released_by OR a.actor = ANY (g.preparers)))
            OR NOT EXISTS (SELECT FROM approval a WHERE a.grant_id = g.id
                AND a.round = g.round))""",
    "a float gave out more than is in it": """
        SELECT f.id FROM cash_float f LEFT JOIN payment p ON p.float_id = f.id
            AND p.state IN ('released', 'confirmed', 'recovered')
        GROUP BY f.id HAVING coalesce(sum(p.payout), 0) > f.amount
            OR coalesce(sum(p.payout), 0) <> f.drawn""",
    "an invoice was paid under two grants": """
        SELECT paper ->> 'document' FROM payment p, jsonb_array_elements(p.papers) paper
        WHERE p.released_by IS NOT NULL AND paper ->> 'kind' = 'invoice'
            AND 'invoice' = ANY (p.papers_there)
        GROUP BY 1 HAVING count(DISTINCT p.grant_id) > 1""",
    "an entry of a bank was booked twice": """
        SELECT payment_id FROM statement_line WHERE outcome = 'matched' GROUP BY 1
            HAVING count(*) > 1""",
}
ANY_BROKEN = " UNION ALL ".join(
    f"SELECT '{what}' WHERE EXISTS ({query})" for what, query in BROKEN.items()
)
RELEASED = """
    SELECT p.id, CASE WHEN p.as_cash THEN 'cash' WHEN p.reimbursement THEN 'supplier'
        ELSE p.method END AS method,
           g.amount,
           (SELECT count(*) FROM approval a WHERE a.grant_id = g.id
               AND a.round = g.round) AS approvals,
           ARRAY(SELECT paper ->> 'kind' FROM jsonb_array_elements(p.papers) paper
               JOIN cited_document c
                 ON c.grant_id = g.id AND c.document_id = (paper ->> 'document')::uuid
                     AND c.state = 'found'
                 AND c.kind = replace(paper ->> 'kind', '_seen', '')) AS papers,
           EXISTS (SELECT FROM delivery d JOIN cited_document c ON c.grant_id = g.id
                   AND c.document_id = d.certificate AND c.state = 'found' AND c.kind = 'delivery'
                   WHERE d.grant_id = g.id) AS handed_over
    FROM payment p JOIN assistance_grant g ON g.id = p.grant_id WHERE p.released_by IS NOT NULL
"""
COUNTED = """
    SELECT returnee_id, package, sum(counted) FROM assistance_grant
    WHERE case_id = :case AND state NOT IN ('rejected', 'cancelled') GROUP BY 1, 2
"""


class Books:
    """One household of five, two of whom may turn out to be one, and everything that is done for
    it.
    """

    def __init__(self, office: Office, payee: str, broken: list[str], budget: str) -> None:
        self.office, self.payee, self.budget = office, payee, budget
        self.own: list[str] = []
        self.people: list[Person] = []
        self.merged = False
        self.answers: Counter[str] = Counter()
        self.broken = broken

    async def begin(self) -> None:
        household, case = uuid4(), uuid4()
        self.people = [
            await self.office.here(household_id=household, case_id=case) for _ in range(5)
        ]
        self.own = [
            await self.office.payee(kind="returnee", returnee_id=person.id)
            for person in self.people[:2]
        ]

    async def all_at_once(self, *calls: Coroutine[Any, Any, httpx.Response]) -> list[Any]:
        """What comes of calls that are made at the same time; a failure of ours is none of the
        answers.
        """
        answers = await asyncio.gather(*calls)
        for answer in answers:
            word = answer.request.url.path.rpartition("/")[2]
            self.answers[f"{word if word.isalpha() else 'other'} {answer.status_code}"] += 1
            self.must(answer.status_code in {200, 201, 403, 404, 409, 412, 422}, answer.text)
        return [answer.json() for answer in answers if answer.is_success]

    async def act(self, path: str, word: str, who: str, body: Any = None) -> httpx.Response:
        """A decision on what is there when it is looked at."""
        seen = (
            None
            if word in {"order", "delivery", "cancel", "quotes"}
            else await self.office.version(path)
        )
        return await self.office.post(f"{path}/{word}", body, by=who, version=seen)

    def must(self, holds: bool, what: str) -> None:
        if not holds:
            self.broken.append(what)
        assert holds, what

    async def hold(self) -> None:
        async with self.office.homeward.database.transaction() as session:
            for what in await session.scalars(text(ANY_BROKEN)):
                self.must(False, what)
            for row in await session.execute(text(RELEASED)):
                needed = next(count for up_to, count in BANDS if row.amount <= up_to)
                self.must(row.approvals >= needed, "a payment was released without its approvals")
                there = {*row.papers, *(["handover_certificate"] if row.handed_over else [])}
                self.must(
                    set(PAPERS[row.method]) <= there, "a payment was released without its papers"
                )
            counted = list(await session.execute(text(COUNTED), {"case": self.people[0].case_id}))
        one = {str(self.people[1].id): str(self.people[0].id)} if self.merged else {}
        sums: Counter[tuple[str, str]] = Counter()
        for returnee, package, amount in counted:
            sums[one.get(str(returnee), str(returnee)), package] += amount
        for (_, package), amount in sums.items():
            self.must(
                amount <= (CASH if package == "post_arrival" else PERSON),
                "a person's ceiling was passed",
            )
        total = sum(amount for (_, package), amount in sums.items() if package == "post_return")
        self.must(total <= HOUSEHOLD, "the household's ceiling was passed")


def statement_of(
    payments: Sequence[Any], number: int, returned: Sequence[bool], wrong: bool
) -> str:
    lines = [
        "account,statement,line,booking_date,direction,amount,currency,bank_reference,reference"
    ]
    for line, (payment, back) in enumerate(zip(payments, returned, strict=True), start=1):
        amount = Decimal(payment["payout"]["amount"]) + (1 if wrong else 0)
        direction = "credit" if back else "debit"
        lines.append(
            f"BE1,{number},{line},{today()},{direction},{amount:.2f},EUR,B{number}-{line},{payment['reference']}"
        )
    return "\r\n".join(lines)


def machine(
    office: Office,
    payee: str,
    loop: asyncio.AbstractEventLoop,
    seen: Counter[str],
    broken: list[str],
    budget: str,
) -> type[Any]:
    """The machine over one office; its rules run in another thread than the office's loop."""

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(120)

    class Money(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.books = Books(office, payee, broken, budget)
            self.grants: list[str] = []
            self.payments: list[str] = []
            self.floats: list[str] = []
            seen["examples"] += 1
            run(self.books.begin())

        def ask(self, *calls: Coroutine[Any, Any, httpx.Response]) -> list[Any]:
            return list(run(self.books.all_at_once(*calls)))

        def one(self, made: list[str], place: int) -> str:
            """Something that there is. What is drawn never depends on what came of it: races may
            end otherwise.
            """
            return made[place % len(made)]

        @initialize(amount=AMOUNTS)
        def begun_already(self, amount: str) -> None:
            self.grants += run(self._begun(amount))
            self.payments += run(self._paid())
            self.floats += [run(self._float())]

        async def _begun(self, amount: str) -> list[str]:
            one, two, *_ = self.books.people
            made = [
                await office.grant(one, amount),
                await office.approved(two, "900.00", kind="business"),
            ]
            return [str(grant["id"]) for grant in made]

        async def _float(self) -> str:
            body = {"port_of_entry": "EBL", "amount": euros("250.00")}
            return str((await office.done("/v1/cash-floats", body))["id"])

        async def _paid(self) -> list[str]:
            grant = await office.approved(self.books.people[2], "900.00")
            made = [await office.scheduled(grant, payee, "200.00") for _ in range(3)]
            await office.hear_of_documents(grant["id"])
            for payment in made[:2]:
                await office.done(f"/v1/payments/{payment['id']}/release", {}, by=RELEASER)
            receipt = {"confirmed_on": today(), "receipt": uuid4()}
            await office.done(f"/v1/payments/{made[0]['id']}/confirm", receipt)
            return [str(payment["id"]) for payment in made]

        @rule(
            grant=PLACES,
            amount=st.sampled_from(["0.01", "100.00", "240.00"]),
            words=st.sampled_from(
                [[], ["release"], ["release", "confirm"], ["release", "confirm", "reverse"]]
            ),
        )
        def as_it_should_be(self, grant: int, amount: str, words: list[str]) -> None:
            """A grant is approved by whom it takes, and a part of it is paid; each time two do the
            same at once.
            """
            path = f"/v1/grants/{self.one(self.grants, grant)}"
            there = run(office.get(path)).json()
            for who in (APPROVER, SECOND, THIRD)[: there["approvers_needed"]]:
                self.ask(self.books.act(path, "approve", who))
            paper = {"kind": "invoice", "document": uuid4()}
            body = {"method": "bank", "amount": euros(amount), "payee_id": payee, "papers": [paper]}
            made = self.ask(office.post(f"{path}/payments", body))
            run(office.hear_of_documents(self.one(self.grants, grant)))
            self.payments += [payment["id"] for payment in made]
            for payment, word in ((payment, word) for payment in made for word in words):
                self.pay_twice(payment["id"], word)

        def pay_twice(self, payment: str, word: str) -> None:
            bodies = {"release": {}, "confirm": {"confirmed_on": today(), "receipt": uuid4()}}
            body = bodies.get(word, {"reason": "other"})
            who = RELEASER if word in bodies else APPROVER
            self.ask(
                *(self.books.act(f"/v1/payments/{payment}", word, who, body) for _ in range(2))
            )

        @rule(
            payment=PLACES, who=several(ACTORS), part=st.sampled_from(["0.01", "99.99", "200.00"])
        )
        def receive_or_recover_a_part(self, payment: int, who: list[str], part: str) -> None:
            path = f"/v1/payments/{self.one(self.payments, payment)}"
            received = {"confirmed_on": today(), "receipt": uuid4(), "amount": euros(part)}
            self.ask(*(self.books.act(path, "confirm", each, received) for each in who))
            self.ask(
                *(
                    self.books.act(
                        path, "recover", each, {"reason": "other", "amount": euros(part)}
                    )
                    for each in who
                )
            )

        @rule(
            amount=st.sampled_from(["0.01", "100.00", "900.00"]),
            by=st.sampled_from(["officer-1", APPROVER]),
        )
        def reuse(self, amount: str, by: str) -> None:
            body = {"amount": euros(amount)}
            path = f"/v1/budgets/{self.books.budget}/reuse"
            self.ask(*(office.post(path, body, by=by, organisation=OFFICE) for _ in range(2)))

        @rule(payment=PLACES, back=st.sampled_from(["reverse", "recover"]))
        def go_on(self, payment: int, back: str) -> None:
            """What comes next for a payment, by who may."""
            known = self.one(self.payments, payment)
            state = run(office.get(f"/v1/payments/{known}")).json()["state"]
            self.pay_twice(known, {"scheduled": "release", "released": "confirm"}.get(state, back))

        @rule(
            asked=several(st.tuples(ACTORS, st.integers(0, 4), AMOUNTS, KINDS)),
        )
        def request(self, asked: list[tuple[str, int, str, str]]) -> Any:
            people = self.books.people
            made = self.ask(
                *(
                    office.post("/v1/grants", office.asked(people[place], amount, kind), by=who)
                    for who, place, amount, kind in asked
                )
            )
            self.grants += [grant["id"] for grant in made]

        @rule(place=st.integers(0, 4), amount=st.sampled_from(["999.99", "1500.00"]), kind=KINDS)
        def ask_at_once(self, place: int, amount: str, kind: str) -> Any:
            """Three people ask for the same person: each alone may have it, all of them together
            may not.
            """
            asked = office.asked(
                self.books.people[place], "200.00" if kind == "cash" else amount, kind
            )
            made = self.ask(
                *(office.post("/v1/grants", asked, by=who) for who in (REQUESTER, SECOND, THIRD))
            )
            self.grants += [grant["id"] for grant in made]

        @rule(grant=PLACES, count=st.integers(1, 3))
        def quote(self, grant: int, count: int) -> None:
            body = {"amount": euros("400.00"), "payee_id": payee}
            path = f"/v1/grants/{self.one(self.grants, grant)}/quotes"
            self.ask(*(office.post(path, body | {"document": uuid4()}) for _ in range(count)))

        @rule(grant=PLACES, who=several(ACTORS))
        def approve(self, grant: int, who: list[str]) -> None:
            self.ask(
                *(
                    self.books.act(f"/v1/grants/{self.one(self.grants, grant)}", "approve", each)
                    for each in who
                )
            )

        @rule(
            grant=PLACES,
            what=several(
                st.tuples(
                    st.sampled_from(["reject", "order", "delivery", "amend", "cancel", "close"]),
                    ACTORS,
                    AMOUNTS,
                )
            ),
            complete=st.booleans(),
        )
        def decide(self, grant: int, what: list[tuple[str, str, str]], complete: bool) -> None:
            def body(word: str, amount: str) -> Any:
                handed = {
                    "delivered_on": today(),
                    "certificate": uuid4(),
                    "complete": complete,
                }
                reason = {"reason": "other"}
                return {
                    "reject": reason,
                    "cancel": reason,
                    "delivery": handed,
                    "amend": {"amount": euros(amount)},
                }.get(word)

            path = f"/v1/grants/{self.one(self.grants, grant)}"
            self.ask(
                *(self.books.act(path, word, who, body(word, amount)) for word, who, amount in what)
            )

        @rule(
            grant=PLACES,
            orders=several(
                st.tuples(
                    ACTORS,
                    PARTS,
                    st.sampled_from(["bank", "supplier", "cash", "own", "back"]),
                    st.booleans(),
                )
            ),
            instalment=st.sampled_from([1, 1, 1, 2]),
        )
        def schedule(
            self, grant: int, orders: list[tuple[str, str, str, bool]], instalment: int
        ) -> Any:
            def body(amount: str, method: str, with_papers: bool) -> Any:
                kind = "identity_seen" if method in {"cash", "own"} else "invoice"
                own = self.books.own[grant % len(self.books.own)]
                return {
                    "method": "bank" if method in {"own", "back"} else method,
                    "amount": euros(amount),
                    "payee_id": {"cash": None, "own": own, "back": own}.get(method, payee),
                    "reimbursement": method == "back",
                    "instalment": instalment,
                    "papers": [{"kind": kind, "document": uuid4()}] if with_papers else [],
                }

            path = f"/v1/grants/{self.one(self.grants, grant)}/payments"
            made = self.ask(*(office.post(path, body(*order), by=who) for who, *order in orders))
            self.payments += [payment["id"] for payment in made]

        @rule(grant=PLACES, known=st.booleans())
        def cases_answers(self, grant: int, known: bool) -> None:
            run(office.hear_of_documents(self.one(self.grants, grant), known=known))

        @rule(
            payment=PLACES,
            what=several(
                st.tuples(
                    st.sampled_from(
                        ["release", "release", "confirm", "fail", "reverse", "recover"]
                    ),
                    ACTORS,
                )
            ),
        )
        def pay(self, payment: int, what: list[tuple[str, str]]) -> None:
            bodies = {"release": {}, "confirm": {"confirmed_on": today(), "receipt": uuid4()}}
            path = f"/v1/payments/{self.one(self.payments, payment)}"
            self.ask(
                *(
                    self.books.act(path, word, who, bodies.get(word, {"reason": "other"}))
                    for word, who in what
                )
            )

        @rule(places=st.lists(PLACES, min_size=1, max_size=3), who=ACTORS)
        def release_many(self, places: list[int], who: str) -> None:
            chosen = {self.one(self.payments, place) for place in places}

            async def release() -> httpx.Response:
                seen = [
                    {"payment_id": p, "version": await office.version(f"/v1/payments/{p}")}
                    for p in chosen
                ]
                return await office.post("/v1/payments/release", {"payments": seen}, by=who)

            self.ask(release(), release())

        @rule(payment=PLACES, cash=PLACES, who=several(ACTORS))
        def release_from_float(self, payment: int, cash: int, who: list[str]) -> None:
            path = f"/v1/payments/{self.one(self.payments, payment)}"
            self.ask(
                *(
                    self.books.act(path, "release", each, {"float_id": self.one(self.floats, cash)})
                    for each in who
                )
            )

        @rule(payment=PLACES)
        def add_papers(self, payment: int) -> None:
            paper = {"kind": "invoice", "document": uuid4()}
            self.ask(
                office.post(
                    f"/v1/payments/{self.one(self.payments, payment)}/papers",
                    {"papers": [paper, paper | {"kind": "identity_seen"}]},
                )
            )

        @rule(amount=st.sampled_from(["50.00", "250.00"]), who=ACTORS)
        def open_float(self, amount: str, who: str) -> Any:
            body = {"port_of_entry": "EBL", "amount": euros(amount)}
            self.floats += [
                made["id"] for made in self.ask(office.post("/v1/cash-floats", body, by=who))
            ]

        @rule(cash=PLACES, who=several(ACTORS))
        def hand_in_and_count(self, cash: int, who: list[str]) -> None:
            path = f"/v1/cash-floats/{self.one(self.floats, cash)}"
            self.ask(*(office.post(f"{path}/return", {"amount": "50.00"}, by=each) for each in who))
            self.ask(
                *(self.books.act(path, "reconcile", each, {"counted": "50.00"}) for each in who)
            )

        @rule(
            places=st.lists(st.tuples(PLACES, st.booleans()), min_size=1, max_size=3),
            wrong=st.booleans(),
            imported=st.integers(1, 2),
        )
        def statement(self, places: list[tuple[int, bool]], wrong: bool, imported: int) -> None:
            chosen = [(self.one(self.payments, place), back) for place, back in places]

            async def send(content: str) -> httpx.Response:
                headers = office.headers(who) | {
                    "Idempotency-Key": str(uuid4()),
                    "Content-Type": "text/csv",
                }
                return await office.http.post(
                    "/v1/statements", content=content.encode(), headers=headers
                )

            seen["statements"] += 1
            who = (SECOND, RELEASER, REQUESTER)[seen["statements"] % 3]
            known = [run(office.get(f"/v1/payments/{payment}")).json() for payment, _ in chosen]
            content = statement_of(known, seen["statements"], [back for _, back in chosen], wrong)
            self.ask(*(send(content) for _ in range(imported)))

        @rule(place=st.integers(0, 4))
        def visit(self, place: int) -> None:
            person = self.books.people[place]
            visit = {
                "visit_id": uuid4(),
                "due_on": "2026-11-20",
                "method": "visit",
                "reached": True,
            }
            told = cases.VisitRecorded(**person.ids, **visit)
            run(office.tell(told, told))

        @rule()
        def two_are_one(self) -> None:
            # What both were granted before counts from now on, and may be above what one person may
            # have.
            sums = run(self._sums())
            if sums <= PERSON and not self.books.merged:
                one, other = self.books.people[:2]
                told = cases.ReturneeMerged(returnee_id=other.id, into=one.id)
                run(office.tell(told, told))
                self.books.merged = True

        async def _sums(self) -> Decimal:
            async with office.homeward.database.transaction() as session:
                rows = list(
                    await session.execute(text(COUNTED), {"case": self.books.people[0].case_id})
                )
            two = {self.books.people[0].id, self.books.people[1].id}
            return max(
                (
                    sum(
                        (amount for who, name, amount in rows if who in two and name == package),
                        Decimal(0),
                    )
                    * (PERSON / CASH if package == "post_arrival" else 1)
                    for package in ("post_arrival", "post_return")
                ),
                default=Decimal(0),
            )

        @invariant()
        def holds(self) -> None:
            seen["steps"] += 1
            run(self.books.hold())

        def teardown(self) -> None:
            run(office.proved())
            seen.update(self.books.answers)

    return Money


async def test_no_sequence_breaks_the_books(databases: Databases) -> None:
    async with running((await databases.new("grants")).url, log_level="ERROR") as office:
        budget = await office.budget(str(FUNDS))
        await office.budget("1000000.00")
        office.has_documents = False
        payee, seen = await office.payee(), Counter[str]()
        office.has_documents = False
        broken: list[str] = []
        money = machine(office, payee, asyncio.get_running_loop(), seen, broken, budget)
        bounded = settings(
            max_examples=10,
            stateful_step_count=30,
            deadline=None,
            database=None,
            derandomize=True,
            report_multiple_bugs=False,
            phases=[Phase.generate],  # races are not shrunk: what failed is printed as it was
            suppress_health_check=list(HealthCheck),
        )
        try:
            await asyncio.to_thread(run_state_machine_as_test, money, settings=bounded)
        finally:
            assert not broken, broken[0]
        print(json.dumps(dict(sorted(seen.items()))))
        for happened in ("approve 200", "payments 201", "statements 201"):
            assert seen[happened], f"{happened} never happened: the machine does not reach it"
