"""`/v1/cooperatives`: proposed, selected by a committee, formed; shares, the joint grant, and what
came of it.
"""

from typing import Any
from uuid import UUID

from fastapi import Request, Response
from sqlmodel import col

from chassis.auth import Caller
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.pagination import Cursor, Limit, Page, link_next, page
from chassis.routing import CallerDep, CaughtUpDep, PreconditionDep, Router, SessionDep, requires
from contracts.codes import Slug
from contracts.scopes import Scope
from services.grants.awards.cooperatives import service
from services.grants.awards.cooperatives.models import Cooperative
from services.grants.awards.cooperatives.rules import CooperativeState
from services.grants.awards.cooperatives.schemas import (
    CooperativeDetail,
    CooperativeIn,
    CooperativeOut,
    FormIn,
    ImpactIn,
    JointGrantIn,
    RejectIn,
    SelectIn,
    SharesIn,
    TrainingIn,
    VisitIn,
)
from services.grants.schemas import LONGEST, UNKNOWN, Claimed, Format, as_csv

router = Router(prefix="/v1/cooperatives", tags=["cooperatives"])

CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
}
COLUMNS = (
    "id",
    "state",
    "kind",
    "programme",
    "shares",
    "member_count",
    "grant_id",
    "formed_on",
    "reason",
    "jobs",
    "created_at",
    "updated_at",
)


async def answer(
    session: Session, there: Cooperative, caller: Caller, response: Response
) -> CooperativeDetail:
    """A cooperative with all that was done, and its ETag."""
    set_etag(response, there.version)
    return await service.detail(session, there, caller)


@router.post("", status_code=201, responses=UNKNOWN)
@requires(Scope.GRANTS_WRITE, person=True)
async def propose(
    body: CooperativeIn,
    session: SessionDep,
    caller: CallerDep,
    caught_up: CaughtUpDep,
    response: Response,
) -> CooperativeDetail:
    """Propose what several returnees want to set up together, with the share of each."""
    return await answer(
        session, await service.propose(session, caller, body, caught_up=caught_up), caller, response
    )


@router.get("", response_model=Page[CooperativeOut], responses=CSV)
@requires(Scope.GRANTS_READ)
async def read_cooperatives(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    programme: Slug | None = None,
    state: CooperativeState | None = None,
    returnee_id: UUID | None = None,
    updated_since: Claimed | None = None,
    format: Format = Format.JSON,  # noqa: A002 - the query parameter's name
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[CooperativeOut] | Response:
    """Cooperatives, oldest first."""
    query = service.listed(
        caller,
        programme=programme,
        state=state,
        returnee_id=returnee_id,
        updated_since=updated_since,
    )
    if format is Format.CSV:
        rows = (await session.scalars(query.order_by(col(Cooperative.id)).limit(LONGEST + 1))).all()
        return as_csv(
            COLUMNS, [each.model_dump(mode="json") for each in await service.shown(session, rows)]
        )
    found = await page(
        session, query, keys=[col(Cooperative.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, found.next)
    return Page(items=await service.shown(session, found.items), next=found.next)


@router.get("/{cooperative_id}")
@requires(Scope.GRANTS_READ)
async def read_cooperative(
    cooperative_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> CooperativeDetail:
    """A cooperative."""
    return await answer(
        session, await service.find(session, cooperative_id, caller), caller, response
    )


@router.post("/{cooperative_id}/select")
@requires(Scope.GRANTS_APPROVE, person=True, if_match=True)
async def select(
    cooperative_id: UUID,
    body: SelectIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> CooperativeDetail:
    """Say yes, as a person of the committee, on its minutes; never who proposed it. The programme
    says how many do.
    """
    selected = await service.select_it(session, caller, cooperative_id, precondition, body.minutes)
    return await answer(session, selected, caller, response)


@router.post("/{cooperative_id}/reject")
@requires(Scope.GRANTS_APPROVE, person=True, if_match=True)
async def reject(
    cooperative_id: UUID,
    body: RejectIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> CooperativeDetail:
    """Note, for the committee, that it was not selected."""
    rejected = await service.reject(session, caller, cooperative_id, precondition, body.reason)
    return await answer(session, rejected, caller, response)


@router.post("/{cooperative_id}/form")
@requires(Scope.GRANTS_WRITE, person=True, if_match=True)
async def form(
    cooperative_id: UUID,
    body: FormIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> CooperativeDetail:
    """Note that the members set it up."""
    formed = await service.form(session, caller, cooperative_id, precondition, body)
    return await answer(session, formed, caller, response)


@router.put("/{cooperative_id}/shares")
@requires(Scope.GRANTS_WRITE, person=True, if_match=True)
async def change_shares(
    cooperative_id: UUID,
    body: SharesIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> CooperativeDetail:
    """Give the members other shares; what was granted to each stays as it was granted."""
    changed = await service.change_shares(session, caller, cooperative_id, precondition, body)
    return await answer(session, changed, caller, response)


@router.post("/{cooperative_id}/grant")
@requires(Scope.GRANTS_WRITE, person=True, if_match=True)
async def request_grant(
    cooperative_id: UUID,
    body: JointGrantIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> CooperativeDetail:
    """Request one grant for all; each one's part counts against their own ceilings. It is approved
    as any other.
    """
    asked = await service.request_grant(session, caller, cooperative_id, precondition, body)
    return await answer(session, asked, caller, response)


@router.post("/{cooperative_id}/trainings")
@requires(Scope.GRANTS_WRITE)
async def cite_training(
    cooperative_id: UUID,
    body: TrainingIn,
    session: SessionDep,
    caller: CallerDep,
    response: Response,
) -> CooperativeDetail:
    """Cite a training that its members were given."""
    cited = await service.cite(
        session, caller, cooperative_id, "training", body.cohort_id, body.held_on, "/held_on"
    )
    return await answer(session, cited, caller, response)


@router.post("/{cooperative_id}/visits")
@requires(Scope.GRANTS_WRITE)
async def cite_visit(
    cooperative_id: UUID, body: VisitIn, session: SessionDep, caller: CallerDep, response: Response
) -> CooperativeDetail:
    """Cite a visit that was made to it."""
    cited = await service.cite(
        session, caller, cooperative_id, "visit", body.visit_id, body.visited_on, "/visited_on"
    )
    return await answer(session, cited, caller, response)


@router.post("/{cooperative_id}/impact")
@requires(Scope.GRANTS_WRITE)
async def report_impact(
    cooperative_id: UUID, body: ImpactIn, session: SessionDep, caller: CallerDep, response: Response
) -> CooperativeDetail:
    """Report the jobs and services of a period, or put an earlier report right by naming it in
    `replaces`.
    """
    return await answer(
        session, await service.report(session, caller, cooperative_id, body), caller, response
    )
