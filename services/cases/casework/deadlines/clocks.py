"""The clocks of a case: they stand while it is suspended, and run again when it is resumed or
reopened.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlmodel import select

from chassis.db import Session
from contracts.cases import DeadlineSet
from contracts.codes import CaseState
from services.cases.casework.deadlines.service import (
    OF_A_RETURN,
    lock_deadlines,
    publish_for_members,
    run_clock,
)
from services.cases.models import CaseFile, CaseMember, Deadline, Visit
from services.cases.programmes import zone_of
from services.cases.states.casework import DEADLINE, DeadlineAction, DeadlineState
from services.cases.states.follow_up import VisitState


def later(deadline: Deadline, days: int) -> dict[str, Any]:
    """The columns of a deadline that is moved by days."""
    return {
        "due_at": deadline.due_at + timedelta(days=days),
        "shifted_days": deadline.shifted_days + days,
    }


async def pause(session: Session, case: CaseFile, since: date) -> None:
    """Stop the clocks of a case, as of a day: what was missed since then was not missed.

    Args:
        session: The session.
        case: The case, locked.
        since: The first day, in the country of return, on which they stand.
    """
    zone = zone_of(case.programme, case.programme_version, case.country_of_return)
    begin = datetime.combine(since, time.min, zone)
    for deadline in await lock_deadlines(session, case_id=case.id):
        missed_since = deadline.state is DeadlineState.MISSED and deadline.due_at >= begin
        if deadline.state is DeadlineState.OPEN or missed_since:
            DEADLINE.apply(deadline, DeadlineAction.PAUSE, paused_on=since)
            await run_clock(session, deadline)
    await session.flush()


async def resume(session: Session, case: CaseFile, members: Iterable[CaseMember], on: date) -> None:
    """Let the clocks of a case run on from a day; each is due as many days later as it stood."""
    members = list(members)
    for deadline in await lock_deadlines(session, case_id=case.id):
        if deadline.state is not DeadlineState.PAUSED:
            continue
        days = max(0, (on - (deadline.paused_on or on)).days)
        DEADLINE.apply(deadline, DeadlineAction.RESUME, **later(deadline, days))
        if deadline.visit_id is not None:
            visit = await session.get_one(Visit, deadline.visit_id)
            visit.due_on += timedelta(days=days)
            visit.changed()
        await session.flush()
        await run_clock(session, deadline)
        if days:
            publish_for_members(session, DeadlineSet, deadline, case, members)


async def reopen(session: Session, case: CaseFile, members: Iterable[CaseMember]) -> None:
    """Let the deadlines run on that were cancelled when a case was closed; what has passed
    meanwhile is missed soon.
    """
    called_off = set(
        await session.scalars(
            select(Visit.id).where(Visit.case_id == case.id, Visit.state == VisitState.CANCELLED)
        )
    )
    members = list(members)
    rests = case.state is CaseState.SUSPENDED
    for deadline in await lock_deadlines(session, case_id=case.id):
        has_begun = case.arrived_on is not None or deadline.kind not in OF_A_RETURN
        if (
            deadline.state is DeadlineState.CANCELLED
            and has_begun
            and deadline.visit_id not in called_off
        ):
            DEADLINE.apply(
                deadline,
                DeadlineAction.REOPEN,
                to=DeadlineState.PAUSED if rests else DeadlineState.OPEN,
            )
            await run_clock(session, deadline)
            publish_for_members(session, DeadlineSet, deadline, case, members)
    await session.flush()
