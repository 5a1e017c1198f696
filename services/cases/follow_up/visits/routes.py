"""`/v1/cases/{id}/visits`."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from fastapi import Request, Response
from sqlmodel import col, select

from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.pagination import Cursor, Limit, Page, Since, link_next, page
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from services.cases.casework.access import require_reader
from services.cases.casework.records import today_of
from services.cases.follow_up.visits import rules, service
from services.cases.follow_up.visits.schemas import RecordIn, TriedOut, VisitIn, VisitOut
from services.cases.models import CaseFile, Visit
from services.cases.states.follow_up import VisitState

router = Router(prefix="/v1/cases/{case_id}/visits", tags=["visits"])


async def render_visits(session: Session, visits: Sequence[Visit], today: date) -> list[VisitOut]:
    """Render visits, each with the attempts in vain."""
    attempts = await service.load_attempts(session, visits)
    return [
        VisitOut(
            id=visit.id,
            state=visit.state,
            case_id=visit.case_id,
            returnee_id=visit.returnee_id,
            line_id=visit.line_id,
            cooperative_id=visit.cooperative_id,
            cause=visit.cause,
            due_on=visit.due_on,
            overdue=rules.is_overdue(visit.state, visit.due_on, today),
            attempts=[
                TriedOut.model_validate(row, from_attributes=True) for row in attempts[visit.id]
            ],
            method=visit.method,
            occurred_at=visit.occurred_at,
            clock_suspect=visit.clock_suspect,
            finding=visit.finding or None,  # of somebody who was erased, only that there was one
            document_id=visit.document_id,
            visited_by=visit.visited_by,
            organisation=visit.organisation,
            created_at=visit.created_at,
            updated_at=visit.updated_at,
        )
        for visit in visits
    ]


async def answer(session: Session, visit: Visit, response: Response) -> VisitOut:
    """Answer with a visit and its ETag."""
    case = await session.get_one(CaseFile, visit.case_id)
    set_etag(response, visit.version)
    (rendered,) = await render_visits(session, [visit], await today_of(session, case))
    return rendered


@router.get("")
@requires(Scope.FOLLOW_UP_READ)
async def visits(
    case_id: UUID,
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    state: VisitState | None = None,
    overdue: bool | None = None,
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[VisitOut]:
    """The visits of a case, the earliest due first. Overdue ones of all cases: `GET
    /v1/deadlines?state=missed`.
    """
    case = await require_reader(session, caller, case_id)
    today = await today_of(session, case)
    statement = select(Visit).where(Visit.case_id == case_id)
    if state is not None:
        statement = statement.where(Visit.state == state)
    if overdue is not None:
        late = (col(Visit.state) == VisitState.SCHEDULED) & (col(Visit.due_on) < today)
        statement = statement.where(late if overdue else ~late)
    if updated_since is not None:
        statement = statement.where(Visit.updated_at >= updated_since)
    rows = await page(
        session,
        statement,
        keys=[col(Visit.due_on), col(Visit.id)],
        parsers=[date.fromisoformat, UUID],
        after=after,
        limit=limit,
    )
    link_next(request, response, rows.next)
    return Page(items=await render_visits(session, rows.items, today), next=rows.next)


@router.post("", status_code=201)
@requires(Scope.CASES_WRITE)
async def agree(
    case_id: UUID, body: VisitIn, session: SessionDep, caller: CallerDep, response: Response
) -> VisitOut:
    """Schedule a visit; those that the programme asks for are scheduled by themselves."""
    row = await service.agree(session, caller, case_id, body)
    return await answer(session, row, response)


@router.get("/{visit_id}")
@requires(Scope.FOLLOW_UP_READ)
async def visit(
    case_id: UUID, visit_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> VisitOut:
    """One visit, with the attempts in vain."""
    row = await service.load_visit(session, caller, case_id, visit_id)
    return await answer(session, row, response)


@router.post("/{visit_id}/record")
@requires(Scope.CASES_WRITE, if_match=True)
async def record(
    case_id: UUID,
    visit_id: UUID,
    body: RecordIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> VisitOut:
    """How the visit went. Where nobody was reached it stays due, and is tried again."""
    row = await service.record(session, caller, case_id, visit_id, precondition, body)
    return await answer(session, row, response)
