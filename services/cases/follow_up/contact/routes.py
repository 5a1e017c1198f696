"""`/v1/cases/{id}/sessions` and `/v1/cases/{id}/contact-attempts`."""

from uuid import UUID

from fastapi import Request, Response
from sqlmodel import col, select

from chassis.concurrency import set_etag
from chassis.pagination import Cursor, Limit, Page, Since, link_next, page
from chassis.routing import CallerDep, Router, SessionDep, requires
from contracts.scopes import Scope
from services.cases.casework.access import require_reader
from services.cases.follow_up.contact import service
from services.cases.follow_up.contact.schemas import AttemptIn, AttemptOut, SessionIn, SessionOut
from services.cases.models import ContactAttempt, CounsellingSession

router = Router(prefix="/v1/cases/{case_id}", tags=["contact"])


def render_session(row: CounsellingSession) -> SessionOut:
    """Render a counselling session."""
    return SessionOut.model_validate(row, from_attributes=True)


def render_attempt(row: ContactAttempt) -> AttemptOut:
    """Render an attempt to reach somebody."""
    return AttemptOut.model_validate(row, from_attributes=True)


@router.get("/sessions")
@requires(Scope.FOLLOW_UP_READ)
async def sessions(
    case_id: UUID,
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[SessionOut]:
    """The counselling sessions of a case, as they were taken down. For who works on the case."""
    await require_reader(session, caller, case_id)
    statement = select(CounsellingSession).where(CounsellingSession.case_id == case_id)
    if updated_since is not None:
        statement = statement.where(CounsellingSession.updated_at >= updated_since)
    rows = await page(
        session,
        statement,
        keys=[col(CounsellingSession.id)],
        parsers=[UUID],
        after=after,
        limit=limit,
    )
    link_next(request, response, rows.next)
    return Page(items=[render_session(row) for row in rows.items], next=rows.next)


@router.post("/sessions", status_code=201)
@requires(Scope.CASES_WRITE)
async def hold(
    case_id: UUID, body: SessionIn, session: SessionDep, caller: CallerDep, response: Response
) -> SessionOut:
    """Take down a counselling session, before departure or after return."""
    row = await service.hold_session(session, caller, case_id, body)
    set_etag(response, row.version)
    return render_session(row)


@router.get("/contact-attempts")
@requires(Scope.FOLLOW_UP_READ)
async def attempts(
    case_id: UUID,
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[AttemptOut]:
    """Attempts to reach the people of a case, as they were taken down. For who works on the
    case.
    """
    await require_reader(session, caller, case_id)
    statement = select(ContactAttempt).where(ContactAttempt.case_id == case_id)
    if updated_since is not None:
        statement = statement.where(ContactAttempt.updated_at >= updated_since)
    rows = await page(
        session, statement, keys=[col(ContactAttempt.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[render_attempt(row) for row in rows.items], next=rows.next)


@router.post("/contact-attempts", status_code=201)
@requires(Scope.CASES_WRITE)
async def attempt(
    case_id: UUID, body: AttemptIn, session: SessionDep, caller: CallerDep, response: Response
) -> AttemptOut:
    """Take down an attempt to reach somebody; one that succeeds is the first contact."""
    row = await service.attempt_contact(session, caller, case_id, body)
    set_etag(response, row.version)
    return render_attempt(row)
