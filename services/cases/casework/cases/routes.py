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
from services.cases.casework.cases import service, transfers
from services.cases.casework.cases.rules import TransferState
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

router = Router(prefix="/v1/cases", tags=["cases"])


def render(case: CaseFile, members: Iterable[CaseMember], worked_on: Collection[UUID]) -> CaseOut:
    """A case as it is answered; what was said when it was closed is for who works on it, as on
    those of `worked_on`.
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
                returnee_id=m.returnee_id,
                member=m.member,
                arrival_id=m.arrival_id,
                arrival_state=m.arrival_state,
                arrived_on=m.arrived_on,
            )
            for m in members
        ],
        created_at=case.created_at,
        updated_at=case.updated_at,
    )


async def answer(session: Session, case: CaseFile, caller: Caller, response: Response) -> CaseOut:
    """A case with those of its members whom the caller may know of, and its ETag."""
    set_etag(response, case.version)
    mine = await service.those_worked_on(session, [case.id], caller)
    members = await service.members_shown(session, [case.id], mine, caller)
    return render(case, members[case.id], mine)


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
    statement = service.listed(caller, filters, overdue=overdue, updated_since=updated_since)
    rows = await page(
        session, statement, keys=[col(CaseFile.id)], parsers=[UUID], after=after, limit=limit
    )
    ids = [case.id for case in rows.items]
    mine = await service.those_worked_on(session, ids, caller)
    members = await service.members_shown(session, ids, mine, caller)
    link_next(request, response, rows.next)
    return Page(items=[render(case, members[case.id], mine) for case in rows.items], next=rows.next)


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
    """Cases that the organisation is offered, and offers of those that it works on; oldest first."""
    statement = transfers.listed(caller, state)
    if updated_since is not None:
        statement = statement.where(col(CaseTransfer.updated_at) >= updated_since)
    rows = await page(
        session, statement, keys=[col(CaseTransfer.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=await transfers.rendered(session, rows.items), next=rows.next)


@router.get("/{case_id}")
@requires(Scope.CASES_READ)
async def case(
    case_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> CaseOut:
    """One case."""
    return await answer(session, await service.find(session, case_id, caller), caller, response)


@router.post("/{case_id}/assign")
@requires(Scope.CASES_WRITE)
async def assign(
    case_id: UUID, body: AssignIn, session: SessionDep, caller: CallerDep, response: Response
) -> CaseOut:
    """Give the case to a focal point of the implementing organisation."""
    return await answer(
        session, await service.assign(session, case_id, body, caller), caller, response
    )


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
    row = await service.close_by(session, case_id, body, caller, precondition)
    return await answer(session, row, caller, response)


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
    row = await service.reopen(session, case_id, body, caller, precondition)
    return await answer(session, row, caller, response)


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
    row = await service.suspend(session, case_id, body, caller, precondition)
    return await answer(session, row, caller, response)


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
    row = await service.resume(session, case_id, body, caller, precondition)
    return await answer(session, row, caller, response)


async def offered(session: Session, row: CaseTransfer, response: Response) -> TransferOut:
    """An offer with its ETag."""
    set_etag(response, row.version)
    (rendered,) = await transfers.rendered(session, [row])
    return rendered


@router.get("/{case_id}/transfer")
@requires(Scope.FOLLOW_UP_READ)
async def transfer(
    case_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> TransferOut:
    """The last offer of the case to another organisation."""
    return await offered(session, await transfers.newest(session, case_id, caller), response)


@router.post("/{case_id}/transfer", status_code=201)
@requires(Scope.CASES_WRITE, person=True)
async def offer(
    case_id: UUID, body: TransferIn, session: SessionDep, caller: CallerDep, response: Response
) -> TransferOut:
    """Offer the case to another implementing organisation."""
    return await offered(session, await transfers.offer(session, case_id, body, caller), response)


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
    return await offered(
        session, await transfers.accept(session, case_id, body, caller, precondition), response
    )


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
    row = await transfers.decline(session, case_id, body, caller, precondition, withdraw=False)
    return await offered(session, row, response)


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
    row = await transfers.decline(session, case_id, body, caller, precondition, withdraw=True)
    return await offered(session, row, response)
