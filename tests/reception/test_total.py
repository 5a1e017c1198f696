"""Handlers are total: in every state an arrival may be in, held or not, every event has an outcome.

An event that a handler cannot apply is a dead letter, behind which all later facts of the person
wait. So no CHECK may be what finds a transition that nobody thought of.
"""

import pytest
from sqlalchemy import text

from contracts import cases
from contracts.codes import ArrivalState
from services.reception.handlers import HANDLERS
from tests.events import fact_about
from tests.reception.desk import Desk, Person

PARTICULARS = {
    ArrivalState.MET: "met_at = now(), arrived_on = current_date",
    ArrivalState.COMPLETED: "met_at = now(), arrived_on = current_date",
    ArrivalState.DECLINED: "met_at = now(), arrived_on = current_date",
}
"""What an arrival has in a state beside it."""
HELD = "held_at = now(), held_by = 'iom-iraq'"
WAYS = [(state, False) for state in ArrivalState]
WAYS += [(ArrivalState.EXPECTED, True), (ArrivalState.MET, True)]


@pytest.mark.parametrize(("state", "held"), WAYS)
async def test_every_event_has_an_outcome_in_every_state(
    desk: Desk, state: ArrivalState, held: bool
) -> None:
    for model in HANDLERS:
        person = Person()
        arrival = await desk.expect(person)
        changes = ["state = :state", PARTICULARS.get(state, ""), HELD if held else ""]
        async with desk.homeward.database.transaction() as session:
            await session.execute(
                text(f"UPDATE arrival SET {', '.join(filter(None, changes))} WHERE id = :id"),
                {"state": state, "id": arrival},
            )
        await desk.tell(fact_about(model, **person.journey(), roles=("partner",)))
        async with desk.homeward.database.transaction() as session:
            row = (
                await session.execute(
                    text("SELECT state, held_at FROM arrival WHERE id = :id"), {"id": arrival}
                )
            ).one()
        assert row.held_at is None or row.state == state, f"{model.__name__} kept the hold"


async def test_who_is_held_and_whose_journey_is_called_off_is_expected_no_more(desk: Desk) -> None:
    for off in (cases.TravelCancelled, cases.TravelNotDeparted):
        person = Person()
        arrival = await desk.expect(person)
        async with desk.homeward.database.transaction() as session:
            await session.execute(
                text(f"UPDATE arrival SET {HELD} WHERE id = :id"), {"id": arrival}
            )
        await desk.tell(fact_about(off, **person.journey()))
        assert [name for name, _ in await desk.published(person)][-1] == "arrival.not_departed"
