"""`/v1/service-referrals`."""

from uuid import UUID

from fastapi import Request, Response
from sqlmodel import col

from chassis import audit
from chassis.concurrency import set_etag
from chassis.pagination import Cursor, Limit, Page, Since, link_next, page
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from services.cases.follow_up.service_referrals import service
from services.cases.follow_up.service_referrals.schemas import (
    NotReceivedIn,
    OutcomeIn,
    ServiceReferralIn,
    ServiceReferralOut,
)
from services.cases.models import ServiceReferral
from services.cases.states.follow_up import ServiceReferralAction, ServiceReferralState

router = Router(prefix="/v1/service-referrals", tags=["service-referrals"])


def render_service_referral(row: ServiceReferral) -> ServiceReferralOut:
    """Render a referral to a service."""
    return ServiceReferralOut.model_validate(row, from_attributes=True)


def answer(row: ServiceReferral, response: Response) -> ServiceReferralOut:
    """Answer with a referral to a service and its ETag."""
    set_etag(response, row.version)
    return render_service_referral(row)


@router.get("")
@requires(Scope.FOLLOW_UP_READ)
async def referrals(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    state: ServiceReferralState | None = None,
    case_id: UUID | None = None,
    returnee_id: UUID | None = None,
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[ServiceReferralOut]:
    """Referrals to services, of the cases that the organisation works on; oldest first. Reading
    them is audited.
    """
    statement = service.select_service_referrals(caller)
    for column, value in (
        (ServiceReferral.state, state),
        (ServiceReferral.case_id, case_id),
        (ServiceReferral.returnee_id, returnee_id),
    ):
        if value is not None:
            statement = statement.where(col(column) == value)
    if updated_since is not None:
        statement = statement.where(col(ServiceReferral.updated_at) >= updated_since)
    rows = await page(
        session, statement, keys=[col(ServiceReferral.id)], parsers=[UUID], after=after, limit=limit
    )
    for row in rows.items:
        audit.record(session, caller, "read", "service-referral", row.id)
    link_next(request, response, rows.next)
    return Page(items=[render_service_referral(row) for row in rows.items], next=rows.next)


@router.post("", status_code=201, responses={404: {"description": "The case is not there for you"}})
@requires(Scope.CASES_WRITE)
async def send(
    body: ServiceReferralIn, session: SessionDep, caller: CallerDep, response: Response
) -> ServiceReferralOut:
    """Refer somebody to a hospital, legal aid, a shelter."""
    return answer(await service.send(session, caller, body), response)


@router.get("/{service_referral_id}")
@requires(Scope.FOLLOW_UP_READ)
async def referral(
    service_referral_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> ServiceReferralOut:
    """One referral to a service; reading it is audited."""
    row = await service.load_service_referral(session, caller, service_referral_id)
    audit.record(session, caller, "read", "service-referral", row.id)
    return answer(row, response)


@router.post("/{service_referral_id}/accept")
@requires(Scope.CASES_WRITE, person=True, if_match=True)
async def accept(
    service_referral_id: UUID,
    body: OutcomeIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> ServiceReferralOut:
    """The service will take the person."""
    row = await service.record_outcome(
        session,
        caller,
        service_referral_id,
        precondition,
        ServiceReferralAction.ACCEPT,
        comment=body.comment,
        document_id=body.document_id,
    )
    return answer(row, response)


@router.post("/{service_referral_id}/receive")
@requires(Scope.CASES_WRITE, if_match=True)
async def receive(
    service_referral_id: UUID,
    body: OutcomeIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> ServiceReferralOut:
    """The person received it."""
    row = await service.record_outcome(
        session,
        caller,
        service_referral_id,
        precondition,
        ServiceReferralAction.RECEIVE,
        comment=body.comment,
        document_id=body.document_id,
    )
    return answer(row, response)


@router.post("/{service_referral_id}/not-received")
@requires(Scope.CASES_WRITE, if_match=True)
async def not_received(
    service_referral_id: UUID,
    body: NotReceivedIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> ServiceReferralOut:
    """The person did not receive it, for a coded reason."""
    row = await service.record_outcome(
        session,
        caller,
        service_referral_id,
        precondition,
        ServiceReferralAction.NOT_RECEIVED,
        reason=body.reason,
        comment=body.comment,
    )
    return answer(row, response)
