"""`/v1/cases/{id}/plan`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response

from chassis.auth import Caller
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.codes import AssistanceGroup, HelpKind
from contracts.scopes import Scope
from services.cases.casework.cases import service as cases
from services.cases.casework.plans import service
from services.cases.casework.plans.schemas import (
    AgreeIn,
    AmendIn,
    Amount,
    LineStatus,
    PlanIn,
    PlanLineOut,
    PlanOut,
    ReturnIn,
    total,
)
from services.cases.models import Plan

router = Router(prefix="/v1/cases/{case_id}/plan", tags=["plans"])

SEEN: dict[int | str, dict[str, Any]] = {
    412: {"description": "The plan has changed since the ETag in If-Match"}
}
"""Of what takes `If-Match` without asking for it."""


async def answer(
    session: Session, plan: Plan, response: Response, reader: Caller | None = None
) -> PlanOut:
    """A plan with its lines and its ETag; with a reader as far as they may know of it, else for who
    works on it.
    """
    progress = await service.progress_of(session, plan.case_id)
    rows = await service.lines_of(session, plan)
    named = dict.fromkeys((row.beneficiary for row in rows), True)
    works = reader is None or bool(await cases.those_worked_on(session, [plan.case_id], reader))
    if reader is not None and not works:
        named = await service.named_to(session, named.keys(), reader)
    lines = []
    for line in rows:
        if line.beneficiary not in named:
            continue
        group = HelpKind(line.kind).group
        told = group is not AssistanceGroup.CARE or named[line.beneficiary]
        there = progress.get(line.line_id)
        lines.append(
            PlanLineOut(
                id=line.line_id,
                kind=line.kind if told else None,
                group=group,
                housing=line.housing,
                beneficiary=line.beneficiary,
                description=line.description if told else "",
                budget=Amount.of(line.amount, line.currency),
                provider=line.provider if told else None,
                course_id=line.course_id,
                cohort_id=line.cohort_id,
                level=line.level,
                feasibility=line.feasibility if works else [],
                status=there.status if there else LineStatus.PLANNED,
                delivered_at=there.delivered_at if there else None,
                undone_at=there.undone_at if there else None,
            )
        )
    set_etag(response, plan.version)
    return PlanOut(
        id=plan.id,
        case_id=plan.case_id,
        plan_version=plan.plan_version,
        state=plan.state,
        lines=lines,
        totals=total(lines),
        preparers=[service.person_id(each) for each in plan.preparers],
        submitted_by=plan.submitted_by,
        approved_by=plan.approved_by,
        agreed_on=plan.agreed_on,
        agreed_language=plan.agreed_language,
        agreed_document=plan.agreed_document,
        return_reason=plan.return_reason,
        return_comment=plan.return_comment if works else None,
        amend_comment=plan.amend_comment if works else None,
        created_at=plan.created_at,
        updated_at=plan.updated_at,
    )


@router.get("")
@requires(Scope.CASES_READ)
async def plan(
    case_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    response: Response,
    plan_version: Annotated[
        int | None, Query(ge=1, le=10_000, description="The newest where nothing is said.")
    ] = None,
) -> PlanOut:
    """A case's plan."""
    return await answer(
        session, await service.find(session, case_id, caller, plan_version), response, caller
    )


@router.put("")
@requires(Scope.PLANS_WRITE, person=True, if_match=True)
async def write(
    case_id: UUID,
    body: PlanIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> PlanOut:
    """Draft the plan (`If-None-Match: *`), or put other lines in the place of the draft's
    (`If-Match`).

    Whoever writes it prepared it, and does not approve it.
    """
    return await answer(
        session, await service.write(session, case_id, body, caller, precondition), response
    )


@router.post("/agree", responses=SEEN)
@requires(Scope.PLANS_WRITE)
async def agree(
    case_id: UUID,
    body: AgreeIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> PlanOut:
    """The returnee agrees to the plan as it is.

    Send the ETag of what they were shown (`If-Match`): a plan that was edited since is not agreed
    to, 412.
    """
    return await answer(
        session, await service.agree(session, case_id, body, caller, precondition), response
    )


@router.post("/submit", responses=SEEN)
@requires(Scope.PLANS_WRITE, person=True)
async def submit(
    case_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> PlanOut:
    """Submit the draft; the person who does prepared it. With `If-Match`, as they have seen it or
    not at all, 412.
    """
    return await answer(
        session, await service.submit(session, case_id, caller, precondition), response
    )


@router.post("/approve")
@requires(Scope.PLANS_APPROVE, person=True, if_match=True)
async def approve(
    case_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> PlanOut:
    """Approve the plan, as another person than those who prepared it."""
    return await answer(
        session, await service.approve(session, case_id, caller, precondition), response
    )


@router.post("/return")
@requires(Scope.PLANS_APPROVE, person=True, if_match=True)
async def send_back(
    case_id: UUID,
    body: ReturnIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> PlanOut:
    """Send the plan back, for a coded reason."""
    return await answer(
        session, await service.send_back(session, case_id, body, caller, precondition), response
    )


@router.post("/amend")
@requires(Scope.PLANS_WRITE, person=True)
async def amend(
    case_id: UUID, body: AmendIn, session: SessionDep, caller: CallerDep, response: Response
) -> PlanOut:
    """Begin the next version of an approved plan."""
    return await answer(session, await service.amend(session, case_id, body, caller), response)
