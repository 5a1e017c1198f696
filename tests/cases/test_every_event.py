"""Handlers are total: every event that cases reacts to has an outcome in every state of the case
and of the plan's line that it is about, also when it comes twice. What a handler cannot take
becomes a dead letter, and every later event of that person waits behind it.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest

from chassis.db import Session
from chassis.events import EventData
from contracts.codes import ArrivalState, CaseState, NeedsPriority
from services.cases.handlers import HANDLERS
from services.cases.models import PlanLineStatus
from services.cases.states.casework import LineStatus
from tests.cases.house import Accepted, House, alone, arrival
from tests.cases.steps import act, drafted, in_force, path
from tests.events import handle

EUROS = {"amount": "10.00", "currency": "EUR"}
VALUES: dict[str, Any] = {
    "amount": EUROS,
    "payout": EUROS,
    "port_of_entry": "EBL",
    "attended": 60,
    "held": 60,
    "occupation": "7212",
    "wage_subsidy": False,
}
"""Of fields without a default whose value no handler looks at; of a list of codes, any will do."""
VARIED: dict[str, tuple[Any, ...]] = {
    "complete": (True, False),
    "state": tuple(ArrivalState),
    "arrived_on": (date(2026, 3, 14),),
    "needs_priority": (NeedsPriority.URGENT,),
}
"""Of fields whose value decides what a handler does."""


def events_about(accepted: Accepted, line_id: str) -> Iterator[EventData]:
    """Every event that cases reacts to, about one person, in each of its variants.

    A new event with a field that is not known here fails: say what it may hold.
    """
    ids = arrival(accepted, accepted.people[0]) | {"plan_line_id": UUID(line_id)}
    for model in HANDLERS:
        varied = [name for name in model.model_fields if name in VARIED]
        values = {
            name: _value(name, model.model_fields[name].annotation, ids)
            for name in _asked_for(model)
            if name not in VARIED
        }
        for chosen in product(*(VARIED[name] for name in varied)):
            yield model.model_validate(values | dict(zip(varied, chosen, strict=True)))


def _asked_for(model: type[EventData]) -> list[str]:
    return [
        name
        for name, field in model.model_fields.items()
        if field.is_required() or name in {"case_id", "plan_line_id"}
    ]


def _value(name: str, annotation: Any, ids: dict[str, Any]) -> Any:
    if name in ids:
        return ids[name]
    if name in VALUES:
        return VALUES[name]
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return next(iter(annotation))
    if name.endswith("_id"):
        return uuid4()
    if name.endswith("_on"):
        return date(2026, 4, 20)
    raise AssertionError(f"say in VALUES what {name} may hold")


class Undo(Exception):  # noqa: N818 - it only ends a transaction
    """What a handler did is not kept: the next one finds everything as it was."""


async def case_in(house: House, state: CaseState) -> tuple[Accepted, str]:
    """A case in a state, and the line of its plan."""
    if state is CaseState.PRE_DEPARTURE:
        accepted = await house.accepted(alone())
        await drafted(house, accepted)
    elif state is CaseState.ARRIVED:
        accepted = await house.arrived(alone())
        await drafted(house, accepted)
    else:
        granted = await in_force(house)
        accepted = granted.accepted
        if state is CaseState.MONITORING:
            await house.tell(granted.delivered())
        if state is CaseState.SUSPENDED:
            await act(house, accepted, "suspend", {"reason": "other"})
        if state is CaseState.CLOSED:
            await act(house, accepted, "close", {"reason": "lost_contact"})
    assert (await house.get(f"/cases/{accepted.case_id}")).json()["state"] == state
    plan = (await house.get(path(accepted))).json()
    return accepted, plan["lines"][0]["id"]


async def set_status(
    session: Session, accepted: Accepted, line_id: str, status: LineStatus
) -> None:
    row = await session.get(PlanLineStatus, UUID(line_id))
    if row is None:
        row = PlanLineStatus(line_id=UUID(line_id), case_id=UUID(accepted.case_id), status=status)
        session.add(row)
    row.status = status
    row.delivered_at = datetime.now(UTC) if status is LineStatus.DELIVERED else None
    await session.flush()


@pytest.mark.parametrize("state", CaseState)
async def test_every_event_has_an_outcome(house: House, state: CaseState) -> None:
    accepted, line_id = await case_in(house, state)
    for event in events_about(accepted, line_id):
        is_about_line = "plan_line_id" in type(event).model_fields
        for status in LineStatus if is_about_line else [LineStatus.PLANNED]:
            with pytest.raises(Undo):
                async with house.homeward.database.transaction() as session:
                    await set_status(session, accepted, line_id, status)
                    for _ in range(2):
                        await handle(session, HANDLERS, event)
                        await session.flush()
                    raise Undo
