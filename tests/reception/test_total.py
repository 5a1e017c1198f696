"""Handlers are total: in whatever way an arrival may stand, every event has an outcome.

An event that a handler cannot apply is a dead letter, behind which all later facts of the person
wait. So no CHECK may be what finds a transition that nobody thought of. The ways are not listed
here: they are all that the table takes, so that a new state, or a CHECK less, is walked by itself.
"""

from collections.abc import Iterable
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from chassis.db import savepoint
from chassis.events import EventData
from contracts import cases
from contracts.codes import ArrivalState
from contracts.reception import ConfirmationMethod
from services.reception.handlers import HANDLERS
from services.reception.models import Arrival
from tests.events import fact_about, handle
from tests.reception.desk import LANDS_AT, Desk, Person

FLAGS: dict[str, dict[str, Any]] = {
    "met": {"met_at": LANDS_AT, "met_by": "iom-iraq", "arrived_on": LANDS_AT.date()},
    "confirmed": {
        "arrived_on": LANDS_AT.date(),
        "confirmation_method": ConfirmationMethod.MET_AS_WALK_IN,
        "confirmation_evidence": "seen_in_person",
    },
    "held": {"held_at": LANDS_AT, "held_by": "iom-iraq"},
}
"""What an arrival may have beside its state."""
CALLED_OFF = (cases.TravelCancelled, cases.TravelNotDeparted, cases.ReferralWithdrawn)


def arrival_of(person: Person, state: ArrivalState, *flags: str) -> Arrival:
    """An arrival that stands in some way, whether or not a desk could have brought it there."""
    values: dict[str, Any] = {}
    for flag in flags:
        values |= FLAGS[flag]
    return Arrival(
        id=uuid4(),
        **person.ids,
        travel_id=person.travel_id,
        state=state,
        state_at=LANDS_AT,
        port_of_entry="EBL",
        expected_at=LANDS_AT,
        confirmed=True,
        **values,
    )


def walk_in_of(person: Person) -> Arrival:
    """The same person, met as a walk-in on the same journey."""
    return Arrival(
        id=uuid4(),
        returnee_id=person.id,
        walk_in=True,
        state=ArrivalState.MET,
        state_at=LANDS_AT,
        port_of_entry="EBL",
        confirmed=True,
        **FLAGS["met"] | {"met_at": LANDS_AT + timedelta(hours=1)},
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ways(desk: Desk) -> list[tuple[ArrivalState, tuple[str, ...]]]:
    """The states, each with the flags that the CHECKs of the table let be written with it."""
    possible = []
    async with desk.homeward.database.transaction() as session:
        for state, taken in product(ArrivalState, product((False, True), repeat=len(FLAGS))):
            flags = tuple(flag for flag, is_set in zip(FLAGS, taken, strict=True) if is_set)
            try:
                async with savepoint(session):
                    session.add(arrival_of(Person(), state, *flags))
                    await session.flush()
            except IntegrityError:
                continue
            possible.append((state, flags))
    assert {state for state, _ in possible} == set(ArrivalState)
    assert {flag for _, flags in possible for flag in flags} == set(FLAGS)
    return possible


async def rows_of(desk: Desk, arrivals: Iterable[Arrival]) -> dict[UUID, Row[Any]]:
    columns = select(Arrival.id, Arrival.state, Arrival.held_at)  # type: ignore[call-overload]
    async with desk.homeward.database.transaction() as session:
        wanted = col(Arrival.id).in_([arrival.id for arrival in arrivals])
        return {row.id: row for row in await session.execute(columns.where(wanted))}


@pytest.mark.parametrize("model", HANDLERS, ids=lambda model: model.__name__)
async def test_every_event_has_an_outcome_however_an_arrival_stands(
    desk: Desk, ways: list[tuple[ArrivalState, tuple[str, ...]]], model: type[EventData]
) -> None:
    people: list[tuple[Person, Arrival]] = []
    async with desk.homeward.database.transaction() as session:
        for (state, flags), also_met in product(ways, (False, True)):
            person = Person()
            people.append((person, arrival_of(person, state, *flags)))
            session.add(people[-1][1])
            if also_met:
                session.add(walk_in_of(person))
            await handle(session, HANDLERS, person.opened())
    before = await rows_of(desk, (arrival for _, arrival in people))
    for person, _ in people:
        await desk.tell(fact_about(model, **person.journey(), roles=("partner",)))
    after = await rows_of(desk, (arrival for _, arrival in people))
    for arrival_id, row in after.items():
        was = before[arrival_id]
        assert row.held_at is None or (row.state, row.held_at) == (was.state, was.held_at)


@pytest.mark.parametrize("state", [ArrivalState.EXPECTED, ArrivalState.MET])
@pytest.mark.parametrize("model", CALLED_OFF, ids=lambda model: model.__name__)
async def test_who_is_held_and_whose_journey_is_called_off_is_expected_no_more(
    desk: Desk, model: type[EventData], state: ArrivalState
) -> None:
    person = Person()
    flags = ("met", "held") if state is ArrivalState.MET else ("held",)
    arrival = arrival_of(person, state, *flags)
    async with desk.homeward.database.transaction() as session:
        session.add(arrival)
    await desk.tell(person.opened(), fact_about(model, **person.journey()))
    (row,) = (await rows_of(desk, [arrival])).values()
    if state is ArrivalState.EXPECTED:
        assert (row.state, row.held_at) == (ArrivalState.NOT_DEPARTED, None)
        assert [name for name, _ in await desk.published(person)] == ["arrival.not_departed"]
    else:
        assert (row.state, row.held_at) == (ArrivalState.MET, LANDS_AT)
        assert await desk.published(person) == []
