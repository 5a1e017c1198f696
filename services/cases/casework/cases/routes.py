"""`/v1/cases`, without the plan."""

from collections.abc import Collection, Iterable
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from sqlmodel import col

from chassis.auth import Caller
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.pagination import Cursor, Limit, Page, Since, link_next, page
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.codes import CaseState, NeedsPriority, Slug
from contracts.scopes import Scope
from services.cases.casework.access import ids_worked_on, load_case, load_visible_members
from services.cases.casework.cases import closing, service, suspension, transfers
from services.cases.casework.cases.schemas import (
    AnswerIn,
    AssignIn,
    CaseOut,
    CloseIn,
    MemberOut,
    ReopenIn,
    ResumeIn,
    SuspendIn,
    TakeIn,
    TransferIn,
    TransferOut,
)
from services.cases.fields import UserIdFilter
from services.cases.models import CaseFile, CaseMember, CaseTransfer
from services.cases.states.casework import TransferAction, TransferState

router = Router(prefix="/v1/cases", tags=["cases"])


def render_case(
    case: CaseFile, members: Iterable[CaseMember], worked_on: Collection[UUID]
) -> CaseOut:
    """Render a case. What was said when it was closed is only for those who work on it, as on those
    of `worked_on`.
    """
    return CaseOut(
        id=case.id,
        state=case.state,
        programme=case.programme,
        programme_version=case.programme_version,
        programme_office=case.programme_office,
        return_kind=case.return_kind,
        country_of_return=case.country_of_return,
        governorate=case.governorate,
        referral_id=case.referral_id,
        household_id=case.household_id,
        referrer=case.referrer,
        implementer=case.implementer,
        office=case.office,
        focal_point=case.focal_point,
        needs_priority=case.needs_priority,
        arrived_on=case.arrived_on,
        closure_reason=case.closure_reason,
        suspended_on=case.suspended_on,
        split_from=case.split_from,
        closure_comment=case.closure_comment if case.id in worked_on else None,
        members=[
            MemberOut(
                returnee_id=member.returnee_id,
                member=member.member,
                arrival_id=member.arrival_id,
                arrival_state=member.arrival_state,
                arrived_on=member.arrived_on,
            )
            for member in members
        ],
        created_at=case.created_at,
        updated_at=case.updated_at,
    )


async def answer(session: Session, caller: Caller, case: CaseFile, response: Response) -> CaseOut:
    """Answer with a case, those of its members whom the caller may know of, and its ETag."""
    set_etag(response, case.version)
    worked_on = await ids_worked_on(session, caller, [case.id])
    members = await load_visible_members(session, caller, [case.id], worked_on)
    return render_case(case, members[case.id], worked_on)


@router.get("")
@requires(Scope.CASES_READ)
async def cases(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    state: CaseState | None = None,
    focal_point: UserIdFilter | None = None,
    office: Slug | None = None,
    governorate: Annotated[str, Query(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")] | None = None,
    programme: Slug | None = None,
    priority: NeedsPriority | None = None,
    overdue: bool | None = None,
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[CaseOut]:
    """Cases of the returnees that the organisation takes part in, oldest first."""
    filters = {
        "state": state,
        "focal_point": focal_point,
        "office": office,
        "governorate": governorate,
        "programme": programme,
        "needs_priority": priority,
    }
    statement = service.select_cases(caller, filters, overdue=overdue, updated_since=updated_since)
    rows = await page(
        session, statement, keys=[col(CaseFile.id)], parsers=[UUID], after=after, limit=limit
    )
    ids = [case.id for case in rows.items]
    worked_on = await ids_worked_on(session, caller, ids)
    members = await load_visible_members(session, caller, ids, worked_on)
    link_next(request, response, rows.next)
    items = [render_case(case, members[case.id], worked_on) for case in rows.items]
    return Page(items=items, next=rows.next)


@router.get("/transfers")
@requires(Scope.FOLLOW_UP_READ)
async def transfers_offered(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    state: TransferState | None = None,
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[TransferOut]:
    """Cases that the organisation is offered, and offers of those that it works on; oldest
    first.
    """
    statement = transfers.select_transfers(caller, state)
    if updated_since is not None:
        statement = statement.where(col(CaseTransfer.updated_at) >= updated_since)
    rows = await page(
        session, statement, keys=[col(CaseTransfer.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=await transfers.render_transfers(session, rows.items), next=rows.next)


@router.get("/{case_id}")
@requires(Scope.CASES_READ)
async def case(
    case_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> CaseOut:
    """One case."""
    return await answer(session, caller, await load_case(session, caller, case_id), response)


@router.post("/{case_id}/assign")
@requires(Scope.CASES_WRITE)
async def assign(
    case_id: UUID, body: AssignIn, session: SessionDep, caller: CallerDep, response: Response
) -> CaseOut:
    """Give the case to a focal point of the implementing organisation."""
    row = await service.assign(
        session, caller, case_id, focal_point=body.focal_point, office=body.office
    )
    return await answer(session, caller, row, response)


@router.post("/{case_id}/close")
@requires(Scope.CASES_WRITE, person=True, if_match=True)
async def close(
    case_id: UUID,
    body: CloseIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> CaseOut:
    """Close the case for a coded reason."""
    row = await closing.close(
        session, caller, case_id, precondition, reason=body.reason, comment=body.comment
    )
    return await answer(session, caller, row, response)


@router.post("/{case_id}/reopen")
@requires(Scope.CASES_WRITE, person=True, if_match=True)
async def reopen(
    case_id: UUID,
    body: ReopenIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> CaseOut:
    """Take a closed case up again where it was."""
    row = await closing.reopen(session, caller, case_id, precondition, reason=body.reason)
    return await answer(session, caller, row, response)


@router.post("/{case_id}/suspend")
@requires(Scope.CASES_WRITE, person=True, if_match=True)
async def suspend(
    case_id: UUID,
    body: SuspendIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> CaseOut:
    """Let the case rest; its clocks stand."""
    row = await suspension.suspend(
        session,
        caller,
        case_id,
        precondition,
        reason=body.reason,
        comment=body.comment,
        since=body.since,
    )
    return await answer(session, caller, row, response)


@router.post("/{case_id}/resume")
@requires(Scope.CASES_WRITE, person=True, if_match=True)
async def resume(
    case_id: UUID,
    body: ResumeIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> CaseOut:
    """Go on with a suspended case; what was due is due as much later as it rested."""
    row = await suspension.resume(session, caller, case_id, precondition, on=body.on)
    return await answer(session, caller, row, response)


async def answer_transfer(session: Session, row: CaseTransfer, response: Response) -> TransferOut:
    """Answer with an offer and its ETag."""
    set_etag(response, row.version)
    (rendered,) = await transfers.render_transfers(session, [row])
    return rendered


@router.get("/{case_id}/transfer")
@requires(Scope.FOLLOW_UP_READ)
async def transfer(
    case_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> TransferOut:
    """The last offer of the case to another organisation."""
    row = await transfers.load_newest(session, caller, case_id)
    return await answer_transfer(session, row, response)


@router.post("/{case_id}/transfer", status_code=201)
@requires(Scope.CASES_WRITE, person=True)
async def offer(
    case_id: UUID, body: TransferIn, session: SessionDep, caller: CallerDep, response: Response
) -> TransferOut:
    """Offer the case to another implementing organisation."""
    row = await transfers.offer(
        session, caller, case_id, to=body.to, reason=body.reason, comment=body.comment
    )
    return await answer_transfer(session, row, response)


@router.post("/{case_id}/transfer/accept")
@requires(Scope.CASES_WRITE, person=True, if_match=True)
async def take(
    case_id: UUID,
    body: TakeIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> TransferOut:
    """Take the case that is offered; the organisation before has no part in it from now on."""
    row = await transfers.accept(
        session,
        caller,
        case_id,
        precondition,
        focal_point=body.focal_point,
        office=body.office,
        comment=body.comment,
    )
    return await answer_transfer(session, row, response)


@router.post("/{case_id}/transfer/decline")
@requires(Scope.CASES_WRITE, person=True, if_match=True)
async def decline(
    case_id: UUID,
    body: AnswerIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> TransferOut:
    """Do not take the case that is offered."""
    row = await transfers.decline(
        session,
        caller,
        case_id,
        precondition,
        TransferAction.DECLINE,
        comment=body.comment,
    )
    return await answer_transfer(session, row, response)


@router.post("/{case_id}/transfer/withdraw")
@requires(Scope.CASES_WRITE, person=True, if_match=True)
async def withdraw(
    case_id: UUID,
    body: AnswerIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> TransferOut:
    """Take the offer of the case back."""
    row = await transfers.decline(
        session,
        caller,
        case_id,
        precondition,
        TransferAction.WITHDRAW,
        comment=body.comment,
    )
    return await answer_transfer(session, row, response)
