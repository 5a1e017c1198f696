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
from services.grants.codes import PayeeKind
from services.grants.models import Payee
from services.grants.payees import service
from services.grants.payees.rules import MACHINE
from services.grants.payees.schemas import AccountOut, DetailsIn, PayeeIn, PayeeOut
from services.grants.schemas import UNKNOWN, Claimed

router = Router(prefix="/v1/payees", tags=["payees"])


def _answer(payee: Payee, response: Response) -> PayeeOut:
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
    payee = await service.propose(
        session,
        caller,
        keyring,
        body.kind,
        body.details,
        returnee_id=body.returnee_id,
        payee_id=body.id,
        caught_up=caught_up,
    )
    return _answer(payee, response)


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
    query = select(Payee).where(service.visible_to(caller))
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
    return _answer(await service.load_payee(session, caller, payee_id), response)


@router.get("/{payee_id}/account")
@requires(Scope.PAYEES_READ)
async def read_account(
    payee_id: UUID, session: SessionDep, caller: CallerDep, keyring: KeyringDep
) -> AccountOut:
    """Name and account; the reading is audited."""
    payee = await service.load_payee(session, caller, payee_id)
    audit.record(session, caller, "read-account", MACHINE.resource, payee.id)
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
    changed = await service.change(session, caller, keyring, payee_id, body.details)
    return _answer(changed, response)


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
    return _answer(await service.verify(session, caller, payee_id, precondition), response)


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
    return _answer(await service.refuse(session, caller, payee_id, precondition), response)
