"""`/v1/cases/{id}/plan`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response

from chassis.auth import Caller
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.codes import AssistanceGroup
from contracts.scopes import Scope
from services.cases.casework.access import ids_worked_on
from services.cases.casework.plans import service
from services.cases.casework.plans.progress import load_progress
from services.cases.casework.plans.schemas import (
    AgreeIn,
    AmendIn,
    Amount,
    Feasibility,
    PlanIn,
    PlanLineOut,
    PlanOut,
    ReturnIn,
    total,
)
from services.cases.models import Plan, PlanLine, PlanLineStatus
from services.cases.states.casework import LineStatus

router = Router(prefix="/v1/cases/{case_id}/plan", tags=["plans"])

SEEN: dict[int | str, dict[str, Any]] = {
    412: {"description": "The plan has changed since the ETag in If-Match"}
}
"""Of what takes `If-Match` without asking for it."""


async def answer(session: Session, caller: Caller, plan: Plan, response: Response) -> PlanOut:
    """Answer with a plan as far as the caller may know of it, and its ETag."""
    rows = await service.load_lines(session, plan)
    people = {row.beneficiary for row in rows}
    works = bool(await ids_worked_on(session, caller, [plan.case_id]))
    nameable = (
        dict.fromkeys(people, True)
        if works
        else await service.load_nameable(session, caller, people)
    )
    progress = await load_progress(session, plan.case_id)
    lines = [
        render_line(
            row,
            progress.get(row.line_id),
            may_name_care=nameable[row.beneficiary],
            with_feasibility=works,
        )
        for row in rows
        if row.beneficiary in nameable
    ]
    set_etag(response, plan.version)
    return render_plan(plan, lines, with_comments=works)


def render_line(
    line: PlanLine,
    progress: PlanLineStatus | None,
    *,
    may_name_care: bool,
    with_feasibility: bool,
) -> PlanLineOut:
    """Render a line.

    Args:
        line: The line.
        progress: How far it has come; None while it is only planned.
        may_name_care: Whether help that discloses health or a child's situation is named.
        with_feasibility: Whether what was found about it is shown.
    """
    group = line.kind.group
    is_named = group is not AssistanceGroup.CARE or may_name_care
    return PlanLineOut(
        id=line.line_id,
        kind=line.kind if is_named else None,
        group=group,
        housing=line.housing,
        beneficiary=line.beneficiary,
        description=line.description if is_named else "",
        budget=Amount.of(line.amount, line.currency),
        provider=line.provider if is_named else None,
        course_id=line.course_id,
        cohort_id=line.cohort_id,
        level=line.level,
        feasibility=[Feasibility.model_validate(finding) for finding in line.feasibility]
        if with_feasibility
        else [],
        status=progress.status if progress else LineStatus.PLANNED,
        delivered_at=progress.delivered_at if progress else None,
        undone_at=progress.undone_at if progress else None,
    )


def render_plan(plan: Plan, lines: list[PlanLineOut], *, with_comments: bool) -> PlanOut:
    """Render a version of a plan with those of its lines that are shown."""
    return PlanOut(
        id=plan.id,
        case_id=plan.case_id,
        plan_version=plan.plan_version,
        state=plan.state,
        lines=lines,
        totals=total(lines),
        preparers=[service.person_id(person) for person in plan.preparers],
        submitted_by=plan.submitted_by,
        approved_by=plan.approved_by,
        agreed_on=plan.agreed_on,
        agreed_language=plan.agreed_language,
        agreed_document=plan.agreed_document,
        return_reason=plan.return_reason,
        return_comment=plan.return_comment if with_comments else None,
        amend_comment=plan.amend_comment if with_comments else None,
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
    row = await service.load_plan(session, caller, case_id, plan_version)
    return await answer(session, caller, row, response)


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
    row = await service.write(session, caller, case_id, precondition, body.lines)
    return await answer(session, caller, row, response)


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
    row = await service.agree(
        session,
        caller,
        case_id,
        precondition,
        agreed_on=body.agreed_on,
        language=body.language,
        document_id=body.document,
    )
    return await answer(session, caller, row, response)


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
    row = await service.submit(session, caller, case_id, precondition)
    return await answer(session, caller, row, response)


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
    row = await service.approve(session, caller, case_id, precondition)
    return await answer(session, caller, row, response)


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
    row = await service.send_back(
        session, caller, case_id, precondition, reason=body.reason, comment=body.comment
    )
    return await answer(session, caller, row, response)


@router.post("/amend")
@requires(Scope.PLANS_WRITE, person=True)
async def amend(
    case_id: UUID, body: AmendIn, session: SessionDep, caller: CallerDep, response: Response
) -> PlanOut:
    """Begin the next version of an approved plan."""
    row = await service.amend(session, caller, case_id, comment=body.comment)
    return await answer(session, caller, row, response)
