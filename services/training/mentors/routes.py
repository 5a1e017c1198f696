"""`/v1/mentors`."""

from uuid import UUID

from fastapi import Request, Response
from sqlalchemy import Date
from sqlmodel import cast, select

from chassis.concurrency import set_etag
from chassis.db import now
from chassis.pagination import Cursor, Limit, Page, link_next
from chassis.routing import CallerDep, CaughtUpDep, Router, SessionDep, requires
from contracts.scopes import Scope
from services.training.fields import UNKNOWN, Claimed
from services.training.mentors import service
from services.training.mentors.schemas import (
    MentorIn,
    MentorOut,
    MentorshipEndIn,
    MentorshipIn,
    MentorshipOut,
)
from services.training.models import Mentor, Mentorship
from services.training.states import MentorState

router = Router(prefix="/v1/mentors", tags=["work"])


def _mentor(response: Response, mentor: Mentor) -> MentorOut:
    set_etag(response, mentor.version)
    return MentorOut.model_validate(mentor)


def _pair(response: Response, mentorship: Mentorship) -> MentorshipOut:
    set_etag(response, mentorship.version)
    return MentorshipOut.model_validate(mentorship)


@router.post("", status_code=201, responses=UNKNOWN)
@requires(Scope.PLACEMENTS_WRITE)
async def agree(
    body: MentorIn, session: SessionDep, caller: CallerDep, response: Response
) -> MentorOut:
    """A graduate agrees to accompany others."""
    return _mentor(response, await service.agree(session, caller, body))


@router.get("")
@requires(Scope.TRAINING_READ)
async def list_mentors(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    state: MentorState | None = None,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[MentorOut]:
    """Mentors, newest first."""
    rows = await service.mentors(
        session, caller, state=state, updated_since=updated_since, after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[MentorOut.model_validate(row) for row in rows.items], next=rows.next)


@router.get("/{mentor_id}")
@requires(Scope.TRAINING_READ)
async def read_mentor(
    mentor_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> MentorOut:
    """A mentor."""
    return _mentor(response, await service.mentor_of(session, caller, mentor_id))


@router.post("/{mentor_id}/end")
@requires(Scope.PLACEMENTS_WRITE)
async def stop(
    mentor_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> MentorOut:
    """A graduate accompanies nobody any more."""
    today = (await session.execute(select(cast(now(), Date)))).scalar_one()
    return _mentor(response, await service.stop(session, caller, mentor_id, today))


@router.post("/{mentor_id}/mentorships", status_code=201)
@requires(Scope.PLACEMENTS_WRITE)
async def pair(
    mentor_id: UUID,
    body: MentorshipIn,
    session: SessionDep,
    caller: CallerDep,
    caught_up: CaughtUpDep,
    response: Response,
) -> MentorshipOut:
    """Let a returnee be accompanied by this mentor."""
    return _pair(
        response, await service.pair(session, caller, mentor_id, body, caught_up=caught_up)
    )


@router.get("/{mentor_id}/mentorships")
@requires(Scope.TRAINING_READ)
async def read_pairs(
    mentor_id: UUID, session: SessionDep, caller: CallerDep
) -> Page[MentorshipOut]:
    """A mentor's mentees, also former ones."""
    rows = await service.pairs_of(session, caller, mentor_id)
    return Page(items=[MentorshipOut.model_validate(row) for row in rows])


@router.post("/{mentor_id}/mentorships/{mentorship_id}/end")
@requires(Scope.PLACEMENTS_WRITE)
async def end_pair(
    mentor_id: UUID,
    mentorship_id: UUID,
    body: MentorshipEndIn,
    session: SessionDep,
    caller: CallerDep,
    response: Response,
) -> MentorshipOut:
    """A mentor accompanies a mentee no longer."""
    mentorship = await service.end_pair(
        session, caller, mentor_id, mentorship_id, body.reason, body.ended_on
    )
    return _pair(response, mentorship)
