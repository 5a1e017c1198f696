"""`/v1/cases/{id}/screening`."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import Request, Response
from sqlmodel import col, select

from chassis.auth import Caller
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.pagination import Cursor, Limit, Page, Since, link_next, page
from chassis.routing import CallerDep, Router, SessionDep, requires
from contracts.scopes import Scope
from services.cases.casework.access import require_reader
from services.cases.casework.screening import service
from services.cases.casework.screening.schemas import FlagOut, ScreeningIn, ScreeningOut
from services.cases.models import Flag, Screening

router = Router(prefix="/v1/cases/{case_id}/screening", tags=["screening"])


def render_screening(screening: Screening, flags: Sequence[Flag] | None) -> ScreeningOut:
    """Render a screening; its vulnerabilities are null where no flags are given."""
    return ScreeningOut(
        id=screening.id,
        case_id=screening.case_id,
        returnee_id=screening.returnee_id,
        phase=screening.phase,
        screened_on=screening.screened_on,
        clock_suspect=screening.clock_suspect,
        needs_priority=screening.needs_priority,
        follow_up=screening.follow_up,
        organisation=screening.organisation,
        screened_by=screening.screened_by,
        vulnerabilities=None
        if flags is None
        else [
            FlagOut(
                id=flag.id,
                kind=flag.kind,
                status=flag.status,
                source=flag.source,
                reason=flag.reason,
                readers=flag.readers,
                recorded_at=flag.recorded_at,
            )
            for flag in flags
        ],
        created_at=screening.created_at,
        updated_at=screening.updated_at,
    )


async def render_screenings(
    session: Session, caller: Caller, screenings: Sequence[Screening]
) -> list[ScreeningOut]:
    """Render screenings with the vulnerabilities that the caller may know of."""
    if Scope.RETURNEES_VULNERABILITIES not in caller.scopes:
        return [render_screening(screening, None) for screening in screenings]
    flags = await service.load_flags(session, caller, screenings)
    return [render_screening(screening, flags[screening.id]) for screening in screenings]


@router.get("")
@requires(Scope.FOLLOW_UP_READ)
async def screenings(
    case_id: UUID,
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    returnee_id: UUID | None = None,
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[ScreeningOut]:
    """The screenings of a case, oldest first: a vulnerability's status over time. For who works on
    the case.
    """
    await require_reader(session, caller, case_id)
    statement = select(Screening).where(Screening.case_id == case_id)
    if returnee_id is not None:
        statement = statement.where(Screening.returnee_id == returnee_id)
    if updated_since is not None:
        statement = statement.where(Screening.updated_at >= updated_since)
    rows = await page(
        session, statement, keys=[col(Screening.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=await render_screenings(session, caller, rows.items), next=rows.next)


@router.post("", status_code=201)
@requires(Scope.CASES_WRITE)
async def record(
    case_id: UUID, body: ScreeningIn, session: SessionDep, caller: CallerDep, response: Response
) -> ScreeningOut:
    """Take down a screening. Vulnerabilities need the scope `returnees:vulnerabilities` too."""
    screening = await service.record(session, caller, case_id, body)
    set_etag(response, screening.version)
    (answer,) = await render_screenings(session, caller, [screening])
    return answer
