"""Every event has an outcome in every state: a handler that breaks is a dead letter, and all later
facts of that person wait behind it.

Everything that grants can have of somebody is arranged, in each state that there is; then each
event that grants listens to is told of each of them, in each of its forms, and taken back.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlmodel import select

from chassis.db import Session
from chassis.events import EventData
from contracts.cases import ReturneeErased
from services.grants.handlers import HANDLERS
from services.grants.models import (
    AppliedPlan,
    CashFloat,
    Cooperative,
    Grant,
    Payee,
    Payment,
)
from services.grants.states import (
    CooperativeState,
    FloatState,
    GrantState,
    PayeeState,
    PaymentState,
)
from tests.conftest import Databases
from tests.events import handle
from tests.grants.arranging import Course, Plan, cash_ready, formed, planned_line, two
from tests.grants.office import APPROVER, RELEASER, SECOND, Office, Person, running
from tests.samples import forms_of, with_each_code

MINUTES = {"minutes": str(uuid4())}
Arrange = Callable[[Office], Awaitable[Person]]
ARRANGED: dict[str, Arrange] = {}


def arranged(function: Arrange) -> Arrange:
    ARRANGED[function.__name__] = function
    return function


async def a_decision(office: Office, word: str, body: Any = None, **more: Any) -> Person:
    person = await office.here()
    grant = await office.grant(person, **more)
    await office.done(f"/v1/grants/{grant['id']}/{word}", body, by=APPROVER)
    return person


@arranged
async def nobody(office: Office) -> Person:
    return Person()


@arranged
async def nothing(office: Office) -> Person:
    return await office.here()


@arranged
async def requested(office: Office) -> Person:
    person = await office.here()
    await office.grant(person)
    return person


@arranged
async def quoted(office: Office) -> Person:
    person, payee = await office.here(), await office.payee()
    grant = await office.grant(person, "1500.00", kind="business")
    for _ in range(3):
        body = {"payee_id": payee, "amount": grant["amount"], "document": uuid4()}
        grant = await office.done(f"/v1/grants/{grant['id']}/quotes", body)
        payee = await office.payee()
    return person


@arranged
async def rejected(office: Office) -> Person:
    return await a_decision(office, "reject", {"reason": "not_feasible"})


@arranged
async def cancelled(office: Office) -> Person:
    return await a_decision(office, "cancel", {"reason": "not_wanted"})


@arranged
async def ordered(office: Office) -> Person:
    person = await office.here()
    grant = await office.approved(person)
    await office.done(f"/v1/grants/{grant['id']}/order")
    return person


@arranged
async def delivered(office: Office) -> Person:
    person = await office.here()
    grant = await office.approved(person)
    body = {"delivered_on": "2026-11-20", "certificate": uuid4()}
    await office.done(f"/v1/grants/{grant['id']}/delivery", body)
    return person


@arranged
async def closed(office: Office) -> Person:
    person = await office.here()
    grant = await office.approved(person)
    await office.paid(grant, await office.payee(), "300.00")
    await office.done(f"/v1/grants/{grant['id']}/close")
    return person


@arranged
async def payments_in_every_state(office: Office) -> Person:
    person, payee = await office.here(), await office.payee()
    grant = await office.approved(person)
    await office.scheduled(grant, payee, "10.00")
    await office.released(grant, payee, "10.00")
    failed = await office.released(grant, payee, "10.00")
    await office.paid(grant, payee, "10.00")
    came_back, recovered = [await office.paid(grant, payee, "10.00") for _ in range(2)]
    for payment, word in ((failed, "fail"), (came_back, "reverse"), (recovered, "recover")):
        await office.done(f"/v1/payments/{payment['id']}/{word}", {"reason": "other"}, by=SECOND)
    return person


@arranged
async def an_instalment(office: Office) -> Person:
    person = await office.here()
    grant = await office.approved(person, "900.00", kind="business")
    await office.paid(grant, await office.payee(), "100.00", instalment=1)
    return person


@arranged
async def cash_at_the_desk(office: Office) -> Person:
    person = Person()
    await office.tell(person.opened())
    await cash_ready(office, person)
    return person


@arranged
async def cash_that_nobody_released(office: Office) -> Person:
    person = Person()
    await office.tell(person.opened(), person.confirmed())
    return person


@arranged
async def an_allowance(office: Office) -> Person:
    person = await office.here()
    grant = await office.approved(person, "100.00", kind="living_allowance")
    course = Course(person)
    await office.tell(course.recorded(1), course.recorded(2))
    first, _ = (await office.get("/v1/payments", grant_id=grant["id"])).json()["items"]
    await office.payee(kind="returnee", returnee_id=person.id)
    await office.done(f"/v1/payments/{first['id']}/release", {}, by=RELEASER)
    return person


@arranged
async def a_subsidy(office: Office) -> Person:
    person = await office.here()
    plan = Plan(office, person, [planned_line(person, "900.00", kind="wage_subsidy")])
    await plan.approved()
    return person


@arranged
async def a_joint_grant(office: Office) -> Person:
    people = await two(office)
    there = await formed(office, people)
    there = await office.done(
        f"/v1/cooperatives/{there['id']}/grant",
        {"amount": {"amount": "1000.00", "currency": "EUR"}},
    )
    await office.done(f"/v1/grants/{there['grant_id']}/approve", by=APPROVER)
    return people[0]


@arranged
async def payees_in_every_state(office: Office) -> Person:
    person, gone = await office.here(), await office.here()
    details = {"name": "Example Person", "account": "IQ00TEST9"}
    await office.done(
        "/v1/payees", {"kind": "returnee", "returnee_id": person.id, "details": details}
    )
    await office.payee(kind="returnee", returnee_id=person.id)
    changing = await office.payee(kind="returnee", returnee_id=person.id)
    await office.done(f"/v1/payees/{changing}/details", {"details": details})
    await office.payee(kind="returnee", returnee_id=gone.id)
    await office.tell(ReturneeErased(returnee_id=gone.id, programme=gone.programme))
    return person


@arranged
async def floats_and_cooperatives_in_every_state(office: Office) -> Person:
    counted, handed_in = [
        await office.cash_float({"amount": "50.00", "currency": "EUR"}) for _ in range(2)
    ]
    for cash in (counted, handed_in):
        await office.done(f"/v1/cash-floats/{cash}/return", {"amount": "50.00"})
    await office.done(f"/v1/cash-floats/{counted}/reconcile", {"counted": "50.00"}, by=RELEASER)
    people = await two(office)
    body = {
        "name": "Bakery",
        "kind": "business",
        "members": [
            {"returnee_id": person.id, "case_id": person.case_id, "share": "0.5"}
            for person in people
        ],
    }
    await office.done("/v1/cooperatives", body)
    refused = await office.done("/v1/cooperatives", body)
    await office.done(
        f"/v1/cooperatives/{refused['id']}/reject", {"reason": "not_feasible"}, by=APPROVER
    )
    chosen = await office.done("/v1/cooperatives", body)
    for who in (APPROVER, SECOND, "approves-4"):
        await office.done(f"/v1/cooperatives/{chosen['id']}/select", MINUTES, by=who)
    return people[0]


class Arrangement:
    def __init__(self, office: Office, people: dict[str, Person]) -> None:
        self.office, self.people = office, people


@pytest_asyncio.fixture(scope="module")
async def arrangement(databases: Databases) -> AsyncIterator[Arrangement]:
    async with running((await databases.new("grants")).url) as office:
        await office.budget()
        yield Arrangement(office, {name: await of(office) for name, of in ARRANGED.items()})


async def test_every_state_of_every_resource_is_arranged(arrangement: Arrangement) -> None:
    states = (
        (Grant, GrantState),
        (Payment, PaymentState),
        (Payee, PayeeState),
        (CashFloat, FloatState),
        (Cooperative, CooperativeState),
    )
    async with arrangement.office.homeward.database.transaction() as session:
        for table, codes in states:
            there = set(await session.scalars(select(table.state).distinct()))
            assert there == set(codes), f"arrange what is missing of {table.__name__}"


async def known_of(session: Session, person: Person) -> dict[str, Any]:
    """What events about somebody name that grants may have rows of."""
    plan = await session.get(AppliedPlan, person.case_id)
    line = next(iter(plan.lines), None) if plan is not None else None
    enrolment = await session.execute(
        text(
            "SELECT enrolment_id AS enrolment_id, number AS session FROM attended_session"
            " WHERE returnee_id = :who ORDER BY number LIMIT 1"
        ),
        {"who": person.id},
    )
    row = enrolment.mappings().first()
    known = {
        "returnee_id": person.id,
        "case_id": person.case_id,
        "household_id": person.household_id,
        "programme": person.programme,
        "programme_version": 1,
        "travel_id": person.travel_id,
        "arrival_id": person.arrival_id,
        "into": uuid4(),
        "roles": ["partner"],
    }
    if line is not None:
        known |= {"subsidy_line_id": UUID(line), "allowance_line_id": UUID(line)}
    return known | (dict(row) if row is not None else {})


class _TakenBack(Exception):  # noqa: N818 - it only ends a transaction
    pass


async def outcome_of(office: Office, facts: list[EventData]) -> str | None:
    """What a handler breaks on, told facts one after another; nothing of it stays."""
    try:
        async with office.homeward.database.transaction() as session:
            for fact in facts:
                await handle(session, HANDLERS, fact)
            await session.flush()
            await session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            raise _TakenBack
    except _TakenBack:
        return None
    except Exception as error:  # noqa: BLE001 - whatever it is, the fact is a dead letter
        return f"{type(error).__name__}: {str(error)[:200]}"


Forms = Callable[..., Iterator[EventData]]


async def broken_by(arrangement: Arrangement, name: str, forms: Forms) -> list[str]:
    """What breaks when each event that grants listens to is told of somebody, each twice."""
    async with arrangement.office.homeward.database.transaction() as session:
        known = await known_of(session, arrangement.people[name])
    broken = []
    for model in HANDLERS:
        for fact in forms(model, **known):
            why = await outcome_of(arrangement.office, [fact, fact])
            if why is not None:
                broken.append(f"{model.event_type}: {why}")
    return broken


@pytest.mark.slow
@pytest.mark.parametrize("name", ARRANGED)
async def test_every_event_has_an_outcome_in_every_state(
    arrangement: Arrangement, name: str
) -> None:
    assert await broken_by(arrangement, name, forms_of) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cash_at_the_desk", "an_allowance"])
async def test_every_code_of_every_event_has_an_outcome(
    arrangement: Arrangement, name: str
) -> None:
    assert await broken_by(arrangement, name, with_each_code) == []
