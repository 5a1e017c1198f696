"""What training tells of attendance and work; each told late, again or in another order comes to
the same.
"""

from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from chassis.consumer import Handlers
from chassis.db import Session
from chassis.events import Event
from chassis.loading import FRESH
from contracts.training import (
    AttendanceCorrected,
    AttendanceRecorded,
    PlacementEnded,
    PlacementFact,
    PlacementRetentionChecked,
    PlacementStarted,
)
from participation import beneficiaries
from services.grants.models import Attended, Worked
from services.grants.payments.earned import service

log = structlog.get_logger("homeward.grants")


async def attended(
    session: Session, event: Event[AttendanceRecorded | AttendanceCorrected]
) -> None:
    """Know what was said last about a session, and let the allowances follow."""
    data, envelope = event.data, event.envelope
    if data.case_id is None or await beneficiaries.is_erased(session, data.returnee_id):
        return
    values = {
        "returnee_id": data.returnee_id,
        "case_id": data.case_id,
        "line_id": data.allowance_line_id,
        "held_on": data.held_on,
        "counts": data.stipend and data.minutes > 0,
        "told_at": envelope.recorded_at or envelope.occurred_at,
    }
    statement = insert(Attended).values(
        enrolment_id=data.enrolment_id, number=data.session, **values
    )
    news = await session.execute(
        statement.on_conflict_do_update(
            index_elements=["enrolment_id", "number"],
            set_=values,
            where=col(Attended.told_at) < statement.excluded.told_at,
        ).returning(col(Attended.enrolment_id))
    )
    if news.first() is not None:
        await service.settle_allowances(session, data.returnee_id, data.case_id)


async def _worked(session: Session, data: PlacementFact, **values: Any) -> Worked | None:
    """What is known of a placement with a subsidy, locked, with what was told now; None where there
    is no subsidy.
    """
    line_id: UUID | None = data.subsidy_line_id
    if (
        not data.wage_subsidy
        or line_id is None
        or await beneficiaries.is_erased(session, data.returnee_id)
    ):
        return None
    new = insert(Worked).values(
        placement_id=data.placement_id,
        line_id=line_id,
        returnee_id=data.returnee_id,
        months=data.subsidy_months,
    )
    await session.execute(new.on_conflict_do_nothing())
    query = select(Worked).where(Worked.placement_id == data.placement_id).with_for_update()
    worked = (await session.scalars(query, execution_options=FRESH)).one()
    for name, value in values.items():
        if value is not None:
            setattr(worked, name, value)
    await session.flush()
    return worked


async def started(session: Session, event: Event[PlacementStarted]) -> None:
    """Schedule the instalments, each due when its month was worked; the wage is asked for first: no
    event says it.
    """
    worked = await _worked(session, event.data, started_on=event.data.started_on)
    if worked is None:
        return
    if worked.wage is None:
        await service.fetch_wage(session, event.data.placement_id, event.data.vacancy_id)
    else:
        await service.settle_subsidy(session, worked)


async def ended(session: Session, event: Event[PlacementEnded]) -> None:
    """No instalments for months that were not worked."""
    worked = await _worked(
        session, event.data, started_on=event.data.started_on, ended_on=event.data.ended_on
    )
    if worked is not None:
        await service.settle_subsidy(session, worked)


async def checked(session: Session, event: Event[PlacementRetentionChecked]) -> None:
    """No instalments from the month on in which nobody was found at work; a check that is put right
    counts instead.
    """
    data, envelope = event.data, event.envelope
    told_at = envelope.recorded_at or envelope.occurred_at
    worked = await _worked(session, data)
    if worked is None:
        return
    before = worked.checks.get(str(data.months))
    if before is None or before["told_at"] < told_at.isoformat():
        check = {"working": data.working, "told_at": told_at.isoformat()}
        worked.checks = worked.checks | {str(data.months): check}
        await session.flush()
    await service.settle_subsidy(session, worked)


BY_TRAINING: Handlers = {
    AttendanceRecorded: attended,
    AttendanceCorrected: attended,
    PlacementStarted: started,
    PlacementEnded: ended,
    PlacementRetentionChecked: checked,
}
