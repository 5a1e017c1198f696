"""`/v1/cohorts/{id}/sessions/{n}/attendance`."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Response

from chassis.auth import Caller
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.errors import NOT_FOUND, Problem
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from services.training.attendance import service
from services.training.enrolments.schemas import SheetEntryOut, SheetIn, SheetOut
from services.training.models import CohortSession

router = Router(prefix="/v1/cohorts/{cohort_id}/sessions/{number}/attendance", tags=["training"])


async def _number(number: Annotated[str, Path(description="Number of the session.")]) -> int:
    """A session's number; what is none is not there."""
    if not number.isdecimal() or not number.isascii() or len(number) > MOST_DIGITS:
        raise Problem(NOT_FOUND)
    return int(number)


MOST_DIGITS = 4
Number = Annotated[int, Depends(_number)]


async def _answer(
    session: Session, caller: Caller, meeting: CohortSession, response: Response
) -> SheetOut:
    set_etag(response, meeting.sheet_version)
    entries = [
        SheetEntryOut(
            enrolment_id=row.enrolment_id,
            returnee_id=returnee_id,
            status=row.status,
            minutes=row.minutes,
        )
        for row, returnee_id in await service.sheet(
            session, caller, meeting.cohort_id, meeting.number
        )
    ]
    return SheetOut(
        cohort_id=meeting.cohort_id,
        number=meeting.number,
        starts_at=meeting.starts_at,
        ends_at=meeting.ends_at,
        capture_id=meeting.capture_id,
        occurred_at=meeting.occurred_at,
        recorded_at=meeting.recorded_at,
        recorded_by=meeting.recorded_by,
        clock_suspect=meeting.clock_suspect,
        entries=entries,
    )


@router.get("")
@requires(Scope.TRAINING_READ)
async def read_sheet(
    cohort_id: UUID, number: Number, session: SessionDep, caller: CallerDep, response: Response
) -> SheetOut:
    """The attendance sheet of a session."""
    return await _answer(
        session, caller, await service.session_of(session, caller, cohort_id, number), response
    )


@router.put("")
@requires(Scope.TRAINING_WRITE, if_match=True)
async def record_sheet(
    cohort_id: UUID,
    number: Number,
    body: SheetIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> SheetOut:
    """Record a whole sheet (`If-None-Match: *`), or put it right (`If-Match`); corrections are
    audited and told.

    A device that captured it without a connection sends its `capture_id`: sent again, it changes
    nothing.
    """
    meeting = await service.record(session, caller, cohort_id, number, body, precondition)
    return await _answer(session, caller, meeting, response)
