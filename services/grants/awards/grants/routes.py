"""`/v1/grants`: requested, quoted, approved by others, ordered, delivered, closed."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy import exists, func
from sqlmodel import col, select

from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.pagination import Cursor, Limit, Page, link_next, page
from chassis.routing import CallerDep, CaughtUpDep, PreconditionDep, Router, SessionDep, requires
from contracts.codes import HelpKind, Slug
from contracts.scopes import Scope
from participation.aliases import same_person
from services.grants import people
from services.grants.awards.grants import decisions, loading, quotes, requesting
from services.grants.awards.grants.eligibility import GrantRequest
from services.grants.awards.grants.schemas import (
    AmendIn,
    DeliveryIn,
    DeliveryOut,
    GrantDetail,
    GrantIn,
    GrantOut,
    QuoteIn,
    QuoteOut,
    ReasonIn,
)
from services.grants.codes import Account
from services.grants.models import Delivery, Grant, Posting, Quote
from services.grants.payees.service import require_payee
from services.grants.schemas import LONGEST, UNKNOWN, Claimed, Format, as_csv, money
from services.grants.states import GrantState

router = Router(prefix="/v1/grants", tags=["grants"])

CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
}
COLUMNS = (
    "id",
    "state",
    "programme",
    "package",
    "kind",
    "housing",
    "amount",
    "currency",
    "returnee_id",
    "case_id",
    "household_id",
    "budget_id",
    "plan_line_id",
    "reason",
    "delivered_on",
    "created_at",
    "updated_at",
)


def render_grant(grant: Grant) -> dict[str, Any]:
    """The members of a grant as it is answered."""
    members = {
        name: getattr(grant, name)
        for name in GrantOut.model_fields
        if name not in {"amount", "planned", "group"}
    }
    return members | {
        "amount": money(grant.amount, grant.currency),
        "planned": money(grant.planned, grant.currency) if grant.planned is not None else None,
        "group": grant.kind.group,
    }


async def _answer(session: Session, grant: Grant, response: Response) -> GrantDetail:
    """A grant with all that was done, and its ETag."""
    set_etag(response, grant.version)
    paid = select(func.coalesce(func.sum(Posting.amount), 0)).where(
        Posting.grant_id == grant.id, Posting.account == Account.PAID
    )
    row = (
        await session.execute(
            select(
                decisions.select_approvers(grant).scalar_subquery(),
                exists().where(col(Quote.grant_id) == grant.id),
                exists().where(col(Delivery.grant_id) == grant.id),
                paid.scalar_subquery(),
            )
        )
    ).one()
    approvers, quoted, delivered, spent = row
    offers: Iterable[Quote] = ()
    deliveries: Iterable[Delivery] = ()
    if quoted:
        offers = await session.scalars(
            select(Quote).where(Quote.grant_id == grant.id).order_by(col(Quote.id))
        )
    if delivered:
        deliveries = await session.scalars(
            select(Delivery).where(Delivery.grant_id == grant.id).order_by(col(Delivery.id))
        )
    return GrantDetail(
        **render_grant(grant),
        requester=grant.requester,
        approvers=approvers or [],
        quotes=[
            QuoteOut(
                payee_id=quote.payee_id,
                amount=money(quote.amount, grant.currency),
                document=quote.document,
                recorded_at=quote.recorded_at,
            )
            for quote in offers
        ],
        deliveries=[DeliveryOut.model_validate(delivery) for delivery in deliveries],
        paid=money(Decimal(spent), grant.currency),
    )


@router.post("", status_code=201, responses=UNKNOWN)
@requires(Scope.GRANTS_WRITE, person=True)
async def request_grant(
    body: GrantIn,
    session: SessionDep,
    caller: CallerDep,
    caught_up: CaughtUpDep,
    response: Response,
) -> GrantDetail:
    """Request help by hand; an approved plan does it itself."""
    person = await people.load_participant(
        session, caller, body.case_id, body.returnee_id, caught_up=caught_up
    )
    request = GrantRequest(
        participant=person,
        kind=body.kind,
        amount=body.amount.amount,
        currency=body.amount.currency,
        requester=people.actor(caller.require_person()),
        caller=caller,
        package=body.package,
        budget_id=body.budget_id,
        id=body.id,
        description=body.description,
        housing=body.housing,
        plan_line_id=body.plan_line_id,
    )
    return await _answer(session, await requesting.request_grant(session, request), response)


@router.get("", response_model=Page[GrantOut], responses=CSV)
@requires(Scope.GRANTS_READ)
async def read_grants(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    programme: Slug | None = None,
    state: GrantState | None = None,
    kind: HelpKind | None = None,
    returnee_id: UUID | None = None,
    case_id: UUID | None = None,
    budget_id: UUID | None = None,
    unsettled: bool | None = None,
    updated_since: Claimed | None = None,
    format: Format = Format.JSON,  # noqa: A002 - the query parameter's name
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[GrantOut] | Response:
    """Grants, oldest first; `unsettled=true` those that do not pay all that attendance or work has
    earned.
    """
    query = loading.select_grants(
        caller,
        programme=programme,
        state=state,
        kind=kind,
        returnee_ids=await same_person(session, returnee_id) if returnee_id is not None else None,
        case_id=case_id,
        budget_id=budget_id,
        unsettled=unsettled,
        updated_since=updated_since,
    )
    if format is Format.CSV:
        grants = await session.scalars(query.order_by(col(Grant.id)).limit(LONGEST + 1))
        return as_csv(
            COLUMNS,
            [
                GrantOut(**render_grant(grant)).model_dump(mode="json")
                | {"currency": grant.currency}
                for grant in grants
            ],
        )
    rows = await page(
        session, query, keys=[col(Grant.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[GrantOut(**render_grant(grant)) for grant in rows.items], next=rows.next)


@router.get("/{grant_id}")
@requires(Scope.GRANTS_READ)
async def read_grant(
    grant_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> GrantDetail:
    """A grant."""
    return await _answer(session, await loading.load_grant(session, caller, grant_id), response)


@router.post("/{grant_id}/quotes")
@requires(Scope.GRANTS_WRITE)
async def quote(
    grant_id: UUID, body: QuoteIn, session: SessionDep, caller: CallerDep, response: Response
) -> GrantDetail:
    """Note an offer; the programme says how many are compared."""
    grant = await loading.load_grant(session, caller, grant_id)
    await require_payee(session, body.payee_id, grant.implementer)
    quoted = await quotes.record_quote(
        session,
        caller,
        grant_id,
        payee_id=body.payee_id,
        amount=body.amount.amount,
        currency=body.amount.currency,
        document=body.document,
    )
    return await _answer(session, quoted, response)


@router.post("/{grant_id}/approve")
@requires(Scope.GRANTS_APPROVE, person=True, if_match=True)
async def approve(
    grant_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> GrantDetail:
    """Say yes, as somebody else than who requested it; the programme says how many do."""
    approved = await decisions.approve(session, caller, grant_id, precondition)
    return await _answer(session, approved, response)


@router.post("/{grant_id}/reject")
@requires(Scope.GRANTS_APPROVE, person=True, if_match=True)
async def reject(
    grant_id: UUID,
    body: ReasonIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> GrantDetail:
    """Refuse it, for a coded reason."""
    rejected = await decisions.reject(session, caller, grant_id, precondition, body.reason)
    return await _answer(session, rejected, response)


@router.post("/{grant_id}/order")
@requires(Scope.GRANTS_WRITE)
async def order(
    grant_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> GrantDetail:
    """Order what was approved."""
    return await _answer(session, await decisions.order(session, caller, grant_id), response)


@router.post("/{grant_id}/delivery")
@requires(Scope.GRANTS_WRITE)
async def deliver(
    grant_id: UUID, body: DeliveryIn, session: SessionDep, caller: CallerDep, response: Response
) -> GrantDetail:
    """Note what was handed over, a part or all of it."""
    grant = await decisions.deliver(
        session,
        caller,
        grant_id,
        delivered_on=body.delivered_on,
        certificate=body.certificate,
        complete=body.complete,
    )
    return await _answer(session, grant, response)


@router.post("/{grant_id}/amend")
@requires(Scope.GRANTS_WRITE, person=True, if_match=True)
async def amend(
    grant_id: UUID,
    body: AmendIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> GrantDetail:
    """Change the amount before the first payment; it has to be approved again."""
    grant = await requesting.amend(
        session,
        caller,
        grant_id,
        precondition,
        amount=body.amount.amount,
        currency=body.amount.currency,
        description=body.description,
    )
    return await _answer(session, grant, response)


@router.post("/{grant_id}/cancel")
@requires(Scope.GRANTS_WRITE)
async def cancel(
    grant_id: UUID, body: ReasonIn, session: SessionDep, caller: CallerDep, response: Response
) -> GrantDetail:
    """Give it up before anything was released."""
    cancelled = await decisions.cancel(session, caller, grant_id, body.reason)
    return await _answer(session, cancelled, response)


@router.post("/{grant_id}/close")
@requires(Scope.GRANTS_WRITE, person=True, if_match=True)
async def close(
    grant_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> GrantDetail:
    """Close it; what was not spent goes back."""
    closed = await decisions.close(session, caller, grant_id, precondition)
    return await _answer(session, closed, response)
