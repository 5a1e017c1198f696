"""`/v1/deadlines`."""

from datetime import datetime
from uuid import UUID

from fastapi import Request, Response
from pydantic import TypeAdapter

from chassis.concurrency import set_etag
from chassis.pagination import Cursor, Limit, Page, link_next, page
from chassis.routing import CallerDep, Router, SessionDep, requires
from contracts.codes import Slug
from contracts.scopes import Scope
from services.cases.deadlines import service
from services.cases.deadlines.schemas import DeadlineOut, DeadlineState, RuleOut
from services.cases.fields import Since, UserIdFilter
from services.cases.models import CaseFile, Deadline

MOMENT: TypeAdapter[datetime] = TypeAdapter(Since)

router = Router(prefix="/v1/deadlines", tags=["deadlines"])


def answer(deadline: Deadline, case: CaseFile | None) -> DeadlineOut:
    """A deadline as it is answered."""
    return DeadlineOut(
        id=deadline.id,
        kind=deadline.kind,
        state=deadline.state,
        due_at=deadline.due_at,
        programme=deadline.programme,
        referral_id=deadline.referral_id,
        case_id=deadline.case_id,
        office=case.office if case else None,
        assignee=case.focal_point if case else None,
        rule=RuleOut.model_validate(deadline.rule),
        created_at=deadline.created_at,
        updated_at=deadline.updated_at,
    )


@router.get("")
@requires(Scope.CASES_READ)
async def deadlines(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    office: Slug | None = None,
    assignee: UserIdFilter | None = None,
    due_before: Since | None = None,
    state: DeadlineState | None = None,
    case_id: UUID | None = None,
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[DeadlineOut]:
    """What is due, soonest first; each with the rule it follows from and its source."""
    statement = service.seen_by(caller)
    for column, value in (
        (CaseFile.office, office),
        (CaseFile.focal_point, assignee),
        (Deadline.state, state),
        (Deadline.case_id, case_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if due_before is not None:
        statement = statement.where(Deadline.due_at < due_before)
    if updated_since is not None:
        statement = statement.where(Deadline.updated_at >= updated_since)
    rows = await page(
        session,
        statement,
        keys=[Deadline.due_at, Deadline.id],
        parsers=[MOMENT.validate_python, UUID],
        after=after,
        limit=limit,
    )
    cases = await service.cases_of(session, rows.items)
    link_next(request, response, rows.next)
    return Page(items=[answer(d, cases.get(d.case_id)) for d in rows.items], next=rows.next)


@router.get("/{deadline_id}")
@requires(Scope.CASES_READ)
async def deadline(deadline_id: UUID, response: Response, session: SessionDep, caller: CallerDep) -> DeadlineOut:
    """One deadline."""
    row = await service.find(session, deadline_id, caller)
    cases = await service.cases_of(session, [row])
    case = cases.get(row.case_id) if row.case_id else None
    # The office and the assignee are the case's. Neither version ever counts down.
    set_etag(response, row.version + (case.version if case else 0))
    return answer(row, case)
