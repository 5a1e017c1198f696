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
    ServiceReferralState,
)
from services.cases.models import ServiceReferral

router = Router(prefix="/v1/service-referrals", tags=["service-referrals"])


def answer(row: ServiceReferral, response: Response) -> ServiceReferralOut:
    """A referral as it is answered, with its ETag."""
    set_etag(response, row.version)
    return ServiceReferralOut.model_validate(row, from_attributes=True)


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
    statement = service.listed(caller)
    for column, value in (
        (ServiceReferral.state, state),
        (ServiceReferral.case_id, case_id),
        (ServiceReferral.returnee_id, returnee_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if updated_since is not None:
        statement = statement.where(col(ServiceReferral.updated_at) >= updated_since)
    rows = await page(
        session, statement, keys=[col(ServiceReferral.id)], parsers=[UUID], after=after, limit=limit
    )
    for row in rows.items:
        audit.record(session, caller, "read", "service-referral", row.id)
    link_next(request, response, rows.next)
    items = [ServiceReferralOut.model_validate(row, from_attributes=True) for row in rows.items]
    return Page(items=items, next=rows.next)


@router.post("", status_code=201, responses={404: {"description": "The case is not there for you"}})
@requires(Scope.CASES_WRITE)
async def send(
    body: ServiceReferralIn, session: SessionDep, caller: CallerDep, response: Response
) -> ServiceReferralOut:
    """Refer somebody to a hospital, legal aid, a shelter."""
    return answer(await service.send(session, body, caller), response)


@router.get("/{service_referral_id}")
@requires(Scope.FOLLOW_UP_READ)
async def referral(
    service_referral_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> ServiceReferralOut:
    """One referral to a service; reading it is audited."""
    row = await service.find(session, service_referral_id, caller)
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
    return answer(
        await service.move(
            session,
            service_referral_id,
            "accept",
            caller,
            precondition,
            comment=body.comment,
            document_id=body.document_id,
        ),
        response,
    )


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
    return answer(
        await service.move(
            session,
            service_referral_id,
            "receive",
            caller,
            precondition,
            comment=body.comment,
            document_id=body.document_id,
        ),
        response,
    )


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
    return answer(
        await service.move(
            session,
            service_referral_id,
            "not-received",
            caller,
            precondition,
            reason=body.reason,
            comment=body.comment,
        ),
        response,
    )
