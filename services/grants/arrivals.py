"""When people arrived, as reception tells it: also before their case is known, and corrected."""

from datetime import date
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, or_, select, update

from chassis.db import Session
from contracts.codes import CaseState
from contracts.reception import ArrivalFact
from participation import beneficiaries
from services.grants import people
from services.grants.models import Arrival, Participant


async def note(session: Session, fact: ArrivalFact, arrived_on: date | None) -> None:
    """Keep the day of an arrival; the windows of the case that it belongs to run from it.

    Args:
        session: The session.
        fact: What reception tells.
        arrived_on: The day; None where the person did not arrive. That undoes a day which the same
            arrival gave, and none that another one gave.
    """
    if await beneficiaries.is_erased(session, fact.returnee_id):
        return
    await people.lock(session, [fact.returnee_id])
    arrival = await session.get(Arrival, fact.arrival_id)
    if arrival is None:
        arrival = Arrival(id=fact.arrival_id, returnee_id=fact.returnee_id)
        session.add(arrival)
    before, arrival.arrived_on = arrival.arrived_on, arrived_on
    arrival.case_id = fact.case_id or arrival.case_id or await _open_case(session, fact.returnee_id)
    await session.flush()
    if arrival.case_id is not None and (arrived_on or before):
        await _take_last_day(session, arrival.case_id, fact.returnee_id)


async def before_the_case(
    session: Session, case_id: UUID, returnee_id: UUID, arrived_on: date | None
) -> None:
    """Count what was told before the case was known.

    Args:
        session: The session, in which the person is locked.
        case_id: The case that was opened.
        returnee_id: Its member.
        arrived_on: The day of arrival as cases knows it then. Reception's word goes before it: it
            may be newer.
    """
    of_the_case = [col(Arrival.case_id) == case_id]
    if arrived_on is not None:  # without a day the case is of another journey than those of no case
        of_the_case.append(col(Arrival.case_id).is_(None))
        await session.execute(
            update(Participant)
            .where(col(Participant.case_id) == case_id, col(Participant.returnee_id) == returnee_id)
            .where(col(Participant.arrived_on).is_(None))
            .values(arrived_on=arrived_on)
        )
    days = await session.scalars(
        update(Arrival)
        .where(col(Arrival.returnee_id) == returnee_id, or_(*of_the_case))
        .values(case_id=case_id)
        .returning(col(Arrival.arrived_on))
    )
    if any(day is not None for day in days.all()):
        await _take_last_day(session, case_id, returnee_id)


async def _open_case(session: Session, returnee_id: UUID) -> UUID | None:
    case_id: UUID | None = await session.scalar(
        select(col(Participant.case_id))
        .where(
            col(Participant.returnee_id) == returnee_id,
            col(Participant.case_state) != CaseState.CLOSED,
        )
        .order_by(col(Participant.case_id).desc())
        .limit(1)
    )
    return case_id


async def _take_last_day(session: Session, case_id: UUID, returnee_id: UUID) -> None:
    """Let the last day of arrival count for a person in a case."""
    days = select(func.max(Arrival.arrived_on)).where(
        Arrival.case_id == case_id, Arrival.returnee_id == returnee_id
    )
    await session.execute(
        update(Participant)
        .where(col(Participant.case_id) == case_id, col(Participant.returnee_id) == returnee_id)
        .values(arrived_on=days.scalar_subquery())
    )
