"""`/v1/payees`: who is paid, with an account that two persons stand for."""

from uuid import UUID

from fastapi import Request, Response
from sqlmodel import col, select

from chassis import audit
from chassis.concurrency import set_etag
from chassis.pagination import Cursor, Limit, Page, link_next, page
from chassis.routing import (
    CallerDep,
    CaughtUpDep,
    KeyringDep,
    PreconditionDep,
    Router,
    SessionDep,
    requires,
)
from contracts.scopes import Scope
from services.grants.models import Payee
from services.grants.payments.payees import service
from services.grants.payments.payees.schemas import (
    AccountOut,
    DetailsIn,
    PayeeIn,
    PayeeKind,
    PayeeOut,
)
from services.grants.schemas import UNKNOWN, Claimed

router = Router(prefix="/v1/payees", tags=["payees"])


def answer(payee: Payee, response: Response) -> PayeeOut:
    """A payee and its ETag."""
    set_etag(response, payee.version)
    return PayeeOut.model_validate(payee)


@router.post("", status_code=201, responses=UNKNOWN)
@requires(Scope.PAYEES_WRITE, person=True)
async def propose(
    body: PayeeIn,
    session: SessionDep,
    caller: CallerDep,
    caught_up: CaughtUpDep,
    keyring: KeyringDep,
    response: Response,
) -> PayeeOut:
    """Note somebody who is to be paid."""
    return answer(
        await service.propose(session, body, caller, keyring, caught_up=caught_up), response
    )


@router.get("")
@requires(Scope.PAYEES_READ)
async def read_payees(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    kind: PayeeKind | None = None,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[PayeeOut]:
    """Payees of the organisation."""
    query = select(Payee).where(service.seen_by(caller))
    if kind is not None:
        query = query.where(Payee.kind == kind)
    if updated_since is not None:
        query = query.where(Payee.updated_at >= updated_since)
    rows = await page(
        session, query, keys=[col(Payee.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[PayeeOut.model_validate(row) for row in rows.items], next=rows.next)


@router.get("/{payee_id}")
@requires(Scope.PAYEES_READ)
async def read_payee(
    payee_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> PayeeOut:
    """A payee, without name and account."""
    return answer(await service.find(session, payee_id, caller), response)


@router.get("/{payee_id}/account")
@requires(Scope.PAYEES_READ)
async def read_account(
    payee_id: UUID, session: SessionDep, caller: CallerDep, keyring: KeyringDep
) -> AccountOut:
    """Name and account; the reading is audited."""
    payee = await service.find(session, payee_id, caller)
    audit.record(session, caller, "read-account", service.RESOURCE, payee.id)
    return AccountOut(
        verified=service.details_of(keyring, payee.id, payee.sealed),
        proposed=service.details_of(keyring, payee.id, payee.pending),
    )


@router.post("/{payee_id}/details")
@requires(Scope.PAYEES_WRITE, person=True)
async def change(
    payee_id: UUID,
    body: DetailsIn,
    session: SessionDep,
    caller: CallerDep,
    keyring: KeyringDep,
    response: Response,
) -> PayeeOut:
    """Propose another account."""
    return answer(await service.change(session, payee_id, body.details, caller, keyring), response)


@router.post("/{payee_id}/verify")
@requires(Scope.PAYEES_WRITE, person=True, if_match=True)
async def verify(
    payee_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> PayeeOut:
    """Verify the account, as somebody else than who proposed it."""
    return answer(await service.verify(session, payee_id, caller, precondition), response)


@router.post("/{payee_id}/refuse")
@requires(Scope.PAYEES_WRITE, person=True, if_match=True)
async def refuse(
    payee_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> PayeeOut:
    """Refuse the account, as somebody else than who proposed it."""
    return answer(await service.refuse(session, payee_id, caller, precondition), response)
