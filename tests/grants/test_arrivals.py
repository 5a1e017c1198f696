"""When people arrived, however reception and cases come to tell it: what may be granted to them
follows.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from contracts import cases, reception
from contracts.entitlements import Outside
from contracts.sourced import Unit
from tests.grants.office import ARRIVED, RELEASER, Office, Person, with_window

TODAY = datetime.now(UTC).date()


def walked_in(person: Person, on: date = ARRIVED, **more: Any) -> reception.ArrivalReceived:
    return reception.ArrivalReceived(
        returnee_id=person.id,
        arrival_id=person.arrival_id,
        port_of_entry="EBL",
        arrived_on=on,
        walk_in=True,
        **more,
    )


def adopted(person: Person, on: date = ARRIVED) -> cases.CaseOpened:
    return person.opened().model_copy(update={"arrived_on": on})


async def asks(office: Office, person: Person) -> int:
    return (await office.post("/v1/grants", office.asked(person, "10.00"))).status_code


async def test_a_walk_in_is_granted_something_once_a_case_is_opened_for_them(
    office: Office,
) -> None:
    await office.budget()
    person = Person()
    await office.tell(walked_in(person), adopted(person), adopted(person))
    assert await asks(office, person) == 201


async def test_a_retroactive_referral_says_itself_when_they_arrived(office: Office) -> None:
    await office.budget()
    person = Person()
    await office.tell(adopted(person))
    absent = reception.ArrivalNoShow(**person.ids, arrival_id=uuid4())
    await office.tell(absent)
    assert await asks(office, person) == 201


async def test_another_journey_of_theirs_counts_for_nothing(office: Office) -> None:
    await office.budget()
    person = Person()
    await office.tell(walked_in(person), person.opened())
    assert await asks(office, person) == 409


async def test_windows_follow_what_is_corrected(office: Office) -> None:
    await office.budget()
    person = Person(programme="eurp", office="frontex")
    old = TODAY - timedelta(days=400)
    fact = {**person.ids, "arrival_id": person.arrival_id}
    await office.tell(person.opened(), person.received(old))
    days = []
    for told in (
        reception.ArrivalCorrected(**fact, port_of_entry="EBL", arrived_on=ARRIVED),
        reception.ArrivalReopened(**fact, previous_state="completed", state="met"),
        reception.ArrivalNoShow(**{**fact, "arrival_id": uuid4()}),
        reception.ArrivalNoShow(**fact),
        reception.ArrivalConfirmed(**fact, arrived_on=ARRIVED, method="phone"),
        reception.ArrivalReopened(**fact, previous_state="completed", state="expected"),
    ):
        await office.tell(told)
        async with office.homeward.database.transaction() as session:
            days.append(await session.scalar(text("SELECT arrived_on FROM participant")))
    assert days == [ARRIVED, ARRIVED, ARRIVED, None, ARRIVED, None]


@pytest.mark.parametrize(
    ("ago", "resumed", "rested", "expected"),
    # It began 390 days ago: what rested before then is none of its time.
    [
        (60, False, 0, 201),
        (60, True, 40, 201),
        (60, True, 1, 409),
        (450, True, 70, 409),
        (450, True, 100, 201),
    ],
)
async def test_while_a_case_rests_its_windows_do_not_run(
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    ago: int,
    resumed: bool,
    rested: int,
    expected: int,
) -> None:
    with_window(monkeypatch, then=Outside.REFUSE, length=12, unit=Unit.MONTHS)
    await office.budget()
    person = Person()
    await office.tell(person.opened(), person.received(TODAY - timedelta(days=390)))
    assert await asks(office, person) == 409, "the window is over"
    since = TODAY - timedelta(days=ago)
    await office.tell(cases.CaseSuspended(**person.ids, previous_state="in_delivery", since=since))
    if resumed:
        await office.tell(cases.CaseResumed(**person.ids, state="in_delivery", rested_days=rested))
    assert await asks(office, person) == expected


async def test_what_is_to_be_used_in_time_is_not_paid_when_it_was_not(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_window(monkeypatch, then=Outside.REFUSE, used=True, length=12, unit=Unit.MONTHS)
    await office.budget()
    person = await office.here()
    payment = await office.scheduled(await office.approved(person), await office.payee())
    fact = {**person.ids, "arrival_id": person.arrival_id, "port_of_entry": "EBL"}
    await office.tell(reception.ArrivalCorrected(**fact, arrived_on=TODAY - timedelta(days=400)))
    late = await office.post(f"/v1/payments/{payment['id']}/release", {}, by=RELEASER, version=1)
    assert late.json()["rule"]["code"] == "window"
