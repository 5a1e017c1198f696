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
from services.grants.awards.cooperatives import impact, joint_grants, loading, rendering, service
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
from services.grants.codes import ActivityKind
from services.grants.models import Cooperative
from services.grants.schemas import LONGEST, UNKNOWN, Claimed, Format, as_csv
from services.grants.states import CooperativeState

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


async def _answer(
    session: Session, caller: Caller, cooperative: Cooperative, response: Response
) -> CooperativeDetail:
    """A cooperative with all that was done, and its ETag."""
    set_etag(response, cooperative.version)
    return await rendering.render_detail(session, caller, cooperative)


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
    proposal = service.CooperativeProposal(
        name=body.name,
        description=body.description,
        kind=body.kind,
        shares=body.shares,
        members=[
            service.Founder(member.returnee_id, member.case_id, member.share)
            for member in body.members
        ],
        id=body.id,
    )
    proposed = await service.propose(session, caller, proposal, caught_up=caught_up)
    return await _answer(session, caller, proposed, response)


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
    query = loading.select_cooperatives(
        caller,
        programme=programme,
        state=state,
        returnee_id=returnee_id,
        updated_since=updated_since,
    )
    if format is Format.CSV:
        listed = await session.scalars(query.order_by(col(Cooperative.id)).limit(LONGEST + 1))
        items = await rendering.render_cooperatives(session, listed.all())
        return as_csv(COLUMNS, [item.model_dump(mode="json") for item in items])
    rows = await page(
        session, query, keys=[col(Cooperative.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=await rendering.render_cooperatives(session, rows.items), next=rows.next)


@router.get("/{cooperative_id}")
@requires(Scope.GRANTS_READ)
async def read_cooperative(
    cooperative_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> CooperativeDetail:
    """A cooperative."""
    cooperative = await loading.load_cooperative(session, caller, cooperative_id)
    return await _answer(session, caller, cooperative, response)


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
    selected = await service.select_proposal(
        session, caller, cooperative_id, precondition, body.minutes
    )
    return await _answer(session, caller, selected, response)


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
    return await _answer(session, caller, rejected, response)


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
    formed = await service.form(
        session,
        caller,
        cooperative_id,
        precondition,
        formed_on=body.formed_on,
        statutes=body.statutes,
    )
    return await _answer(session, caller, formed, response)


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
    changed = await service.change_shares(
        session,
        caller,
        cooperative_id,
        precondition,
        shares=body.shares,
        by_member={member.returnee_id: member.share for member in body.members},
    )
    return await _answer(session, caller, changed, response)


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
    requested = await joint_grants.request_joint_grant(
        session,
        caller,
        cooperative_id,
        precondition,
        amount=body.amount,
        budget_id=body.budget_id,
        description=body.description,
    )
    return await _answer(session, caller, requested, response)


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
        session,
        caller,
        cooperative_id,
        ActivityKind.TRAINING,
        body.cohort_id,
        body.held_on,
        "/held_on",
    )
    return await _answer(session, caller, cited, response)


@router.post("/{cooperative_id}/visits")
@requires(Scope.GRANTS_WRITE)
async def cite_visit(
    cooperative_id: UUID, body: VisitIn, session: SessionDep, caller: CallerDep, response: Response
) -> CooperativeDetail:
    """Cite a visit that was made to it."""
    cited = await service.cite(
        session,
        caller,
        cooperative_id,
        ActivityKind.VISIT,
        body.visit_id,
        body.visited_on,
        "/visited_on",
    )
    return await _answer(session, caller, cited, response)


@router.post("/{cooperative_id}/impact")
@requires(Scope.GRANTS_WRITE)
async def report_impact(
    cooperative_id: UUID, body: ImpactIn, session: SessionDep, caller: CallerDep, response: Response
) -> CooperativeDetail:
    """Report the jobs and services of a period, or put an earlier report right by naming it in
    `replaces`.
    """
    report = impact.ImpactReport(
        starts_on=body.starts_on,
        ends_on=body.ends_on,
        jobs=body.jobs,
        services=body.services,
        replaces=body.replaces,
        id=body.id,
    )
    reported = await impact.report_impact(session, caller, cooperative_id, report)
    return await _answer(session, caller, reported, response)
