"""The projection of people: what it knows, and what a request does about somebody it does not know
yet.
"""

import asyncio
import itertools
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, func, select, text

from chassis.events import EventData
from chassis.inbox import observe_head
from contracts import cases
from contracts.codes import CaseState, Member, NeedsPriority
from participation import beneficiaries, projection
from participation.access import participation
from participation.beneficiaries import identity_copy
from tests.chassis.probe import Probe
from tests.events import event_of
from tests.tokens import bearer

EPOCH = uuid4()
POSITIONS = itertools.count(1)


def opened(returnee_id: UUID) -> cases.CaseOpened:
    return cases.CaseOpened(
        returnee_id=returnee_id,
        case_id=uuid4(),
        referral_id=uuid4(),
        household_id=uuid4(),
        programme="eurp",
        programme_version=1,
        return_kind="voluntary",
        referrer="bamf",
        implementer="iom-iraq",
        office="iom-avrr",
        state=CaseState.PRE_DEPARTURE,
        member=Member.PRINCIPAL,
        needs_priority=NeedsPriority.ROUTINE,
    )


def moved(case: cases.CaseOpened, state: CaseState) -> cases.CaseProgressed:
    return cases.CaseProgressed(
        returnee_id=case.returnee_id,
        case_id=case.case_id,
        programme=case.programme,
        previous_state=case.state,
        state=state,
    )


async def tell(probe: Probe, data: EventData) -> None:
    """Publish a fact, as cases would, to the projection of the probe."""
    async with probe.homeward.database.transaction() as session:
        await projection.project(session, event_of(data, position=next(POSITIONS)))


async def ask(probe: Probe, returnee_id: UUID, organisation: str = "iom-iraq"):
    return await probe.http.get(
        f"/v1/notes/people/{returnee_id}", headers=bearer(organisation, scopes="notes:read")
    )


async def hear(probe: Probe, *, position: int = 0) -> None:
    async with probe.homeward.database.transaction() as session:
        time = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
        await observe_head(session, "cases", [(EPOCH, 0)], position, time)


@pytest.fixture
async def heads(probe: Probe):
    """A source that says once in a while how far it is."""

    async def beat() -> None:
        while True:
            await hear(probe)
            await asyncio.sleep(0.2)

    task = asyncio.create_task(beat())
    yield
    task.cancel()


async def test_known_and_taking_part(probe: Probe) -> None:
    person = uuid4()
    first, second = opened(person), opened(person)
    await tell(probe, first)
    await tell(probe, second)
    await tell(
        probe,
        moved(second, CaseState.ARRIVED),
    )
    # What an earlier case comes to is not where they stand.
    await tell(
        probe,
        moved(first, CaseState.MONITORING),
    )
    answer = await ask(probe, person)
    assert (answer.status_code, answer.json()) == (200, {"state": "arrived"})


async def test_absent_and_forbidden_look_the_same(probe: Probe, heads: None) -> None:
    person = uuid4()
    await tell(probe, opened(person))
    forbidden, absent = await ask(probe, person, "another-partner"), await ask(probe, uuid4())
    assert (forbidden.status_code, absent.status_code) == (404, 404)
    one, two = forbidden.json(), absent.json()
    assert one.pop("instance") != two.pop("instance")
    assert one == two


async def test_somebody_who_arrives_while_the_request_waits(probe: Probe) -> None:
    person = uuid4()
    asked = asyncio.create_task(ask(probe, person))
    await asyncio.sleep(0.3)
    await tell(probe, opened(person))
    await hear(probe)
    assert (await asked).status_code == 200


async def test_not_caught_up_in_two_seconds(probe: Probe) -> None:
    started = asyncio.get_running_loop().time()
    answer = await ask(probe, uuid4())
    assert 1.8 < asyncio.get_running_loop().time() - started < 20
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-caught-up")
    assert answer.headers["retry-after"] == "2"


async def test_source_that_is_further_than_we_are(probe: Probe) -> None:
    asked = asyncio.create_task(ask(probe, uuid4()))
    await asyncio.sleep(0.2)
    await hear(probe, position=7)
    assert (await asked).status_code == 503
    async with probe.homeward.database.transaction() as session:
        await session.execute(text("DELETE FROM inbox_source"))


async def test_waiting_requests_hold_no_connection(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.app.CATCH_UP_SECONDS", 4.0)
    waiting = [asyncio.create_task(ask(probe, uuid4())) for _ in range(60)]
    await asyncio.sleep(0.5)
    async with asyncio.timeout(3):
        async with probe.homeward.database.transaction() as session:
            assert await session.scalar(select(func.now())) is not None
    assert {(await task).status_code for task in waiting} == {503}


async def test_the_database_is_asked_no_oftener_however_many_wait(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.app.CATCH_UP_SECONDS", 0.6)
    asked: list[str] = []

    def count(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement)

    engine = probe.homeward.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        answers = await asyncio.gather(*(ask(probe, uuid4()) for _ in range(30)))
    finally:
        event.remove(engine, "before_cursor_execute", count)
    assert {answer.status_code for answer in answers} == {503}
    assert sum("inbox_source" in statement for statement in asked) < 100, (
        "30 that wait by themselves ask 20 times each"
    )


async def test_erased_person_stays_erased(probe: Probe, heads: None) -> None:
    person = uuid4()
    database, keyring = probe.homeward.database, probe.homeward.keyring
    await tell(probe, opened(person))
    async with database.transaction() as session:
        assert await beneficiaries.keep_identity(session, person, b'{"name": "Zaynab"}', keyring)
        sealed = await session.scalar(
            select(identity_copy.c.sealed).where(identity_copy.c.returnee_id == person)
        )
        assert sealed is not None
        assert b"Zaynab" not in sealed
        assert await beneficiaries.identities(session, [person], keyring) == {
            person: b'{"name": "Zaynab"}'
        }
    await tell(probe, cases.ReturneeErased(returnee_id=person))
    again = opened(person)
    await tell(probe, again)
    await tell(
        probe,
        moved(again, CaseState.ARRIVED),
    )
    async with database.transaction() as session:
        assert not await beneficiaries.keep_identity(session, person, b"late", keyring)
        assert await beneficiaries.identities(session, [person], keyring) == {}
        left = (
            select(func.count())
            .select_from(participation)
            .where(participation.c.subject_id == person)
        )
        assert await session.scalar(left) == 0
    assert (await ask(probe, person)).status_code == 404
