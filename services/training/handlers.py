"""What training does when cases or reception tells something. Every event has an outcome in every
state.
"""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date
from sqlmodel import cast, col, delete, select, update

from chassis.consumer import Handlers
from chassis.db import Session, now
from chassis.events import Event
from chassis.outbox import publish
from contracts.cases import (
    CaseClosed,
    CaseOpened,
    CaseProgressed,
    CaseResumed,
    PlanAmended,
    PlanApproved,
    PlanReturned,
    ReferralWithdrawn,
    ReturneeErased,
    ReturneeMerged,
    ReturneeUnmerged,
    ReturneeUpdated,
    TravelNotDeparted,
)
from contracts.reception import ArrivalDeclined, ArrivalNoShow, ArrivalNotDeparted
from contracts.training import CancellationReason, MentorshipEnd, ReturneeScrubbed
from participation import identities, projection
from services.training import plans, whereabouts
from services.training.enrolments.choices import choose_for
from services.training.enrolments.service import cancel_not_begun, look_again
from services.training.mentors.service import end_all_of
from services.training.models import Enrolment, Seeker
from services.training.work.service import end_not_begun


async def _today(session: Session) -> date:
    today: date = (await session.execute(select(cast(now(), Date)))).scalar_one()
    return today


async def plan_approved(session: Session, event: Event[PlanApproved]) -> None:
    """Fetch the lines; a job requests what they ask for."""
    await plans.fetch_later(session, event.data.case_id, event.data.plan_version)


async def plan_changed(session: Session, event: Event[PlanAmended] | Event[PlanReturned]) -> None:
    """A new version of the plan is being written: a person looks at what the one before asked
    for.
    """
    data = event.data
    await plans.amended(session, data.case_id, data.returnee_id, data.plan_version)


async def case_opened(session: Session, event: Event[CaseOpened]) -> None:
    """Know the person, and have it fetched where they return to."""
    await projection.project(session, event)
    await whereabouts.fetch_later(session, event.data.case_id)


async def case_moved(session: Session, event: Event[CaseProgressed] | Event[CaseResumed]) -> None:
    """Look again for a cohort for what is asked for: another phase has begun, or the case goes
    on.
    """
    await projection.project(session, event)
    await look_again(session, event.data.returnee_id)
    await choose_for(session, event.data.returnee_id)


async def case_closed(session: Session, event: Event[CaseClosed]) -> None:
    """What has not begun does not take place; who was accompanied or accompanies does so no
    more.
    """
    await projection.project(session, event)
    data = event.data
    which = [col(Enrolment.returnee_id) == data.returnee_id, col(Enrolment.case_id) == data.case_id]
    await cancel_not_begun(session, which, CancellationReason.CASE_CLOSED)
    today = await _today(session)
    await end_not_begun(session, data.returnee_id, today)
    await end_all_of(session, data.returnee_id, MentorshipEnd.CASE_CLOSED, today)
    await session.execute(
        update(Seeker).where(col(Seeker.id) == data.returnee_id).values(looking=False)
    )


async def not_returned(session: Session, event: Event[Any]) -> None:
    """The return does not take place, or not now: what has not begun is cancelled."""
    returnee_id: UUID | None = event.data.returnee_id
    if returnee_id is None:  # before acceptance nobody was known here
        return
    which: list[ColumnElement[bool]] = [col(Enrolment.returnee_id) == returnee_id]
    await cancel_not_begun(session, which, CancellationReason.NOT_RETURNED)


async def returnee_updated(session: Session, event: Event[ReturneeUpdated]) -> None:
    """Fetch who a participant is again; of others training keeps no copy."""
    await identities.fetch_again(session, event.data.returnee_id)


async def returnee_merged(session: Session, event: Event[ReturneeMerged]) -> None:
    """Know two ids as one person, and fetch who that is."""
    await projection.project(session, event)
    await identities.fetch_again(session, event.data.returnee_id)


async def returnee_unmerged(session: Session, event: Event[ReturneeUnmerged]) -> None:
    """Know two ids as two people, and fetch who each is."""
    await projection.project(session, event)
    await identities.fetch_again(session, event.data.returnee_id, event.data.separated_from)


async def returnee_erased(session: Session, event: Event[ReturneeErased]) -> None:
    """Keep what was counted, without the person: no identity, no words about them, nothing of what
    they can do.
    """
    returnee_id = event.data.returnee_id
    await projection.project(session, event)
    await identities.forget(session, returnee_id)
    await whereabouts.forget(session, returnee_id)
    theirs = [col(Enrolment.returnee_id) == returnee_id]
    await cancel_not_begun(session, theirs, CancellationReason.ERASED)
    today = await _today(session)
    await end_not_begun(session, returnee_id, today)
    await end_all_of(session, returnee_id, MentorshipEnd.OTHER, today)
    await session.execute(
        update(Enrolment)
        .where(*theirs)
        .values(comment=None, evaluation=None, score_before=None, score_after=None)
        .execution_options(synchronize_session=False)
    )
    await session.execute(delete(Seeker).where(col(Seeker.id) == returnee_id))
    publish(session, ReturneeScrubbed(returnee_id=returnee_id))


HANDLERS: Handlers = {
    **projection.HANDLERS,
    CaseOpened: case_opened,
    CaseProgressed: case_moved,
    CaseResumed: case_moved,
    CaseClosed: case_closed,
    PlanApproved: plan_approved,
    PlanAmended: plan_changed,
    PlanReturned: plan_changed,
    ReturneeUpdated: returnee_updated,
    ReturneeMerged: returnee_merged,
    ReturneeUnmerged: returnee_unmerged,
    ReturneeErased: returnee_erased,
    ReferralWithdrawn: not_returned,
    TravelNotDeparted: not_returned,
    ArrivalNoShow: not_returned,
    ArrivalNotDeparted: not_returned,
    ArrivalDeclined: not_returned,
}
