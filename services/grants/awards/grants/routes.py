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
from services.grants.awards.grants import service
from services.grants.awards.grants.rules import GrantState
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
from services.grants.books.ledger import Account
from services.grants.models import Delivery, Grant, Posting, Quote
from services.grants.payments.payees import service as payees
from services.grants.schemas import LONGEST, UNKNOWN, Claimed, Format, as_csv, money

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


def shown(grant: Grant) -> dict[str, Any]:
    """A grant's members."""
    members = {
        name: getattr(grant, name)
        for name in GrantOut.model_fields
        if name not in {"amount", "planned", "group"}
    }
    return members | {
        "amount": money(grant.amount, grant.currency),
        "planned": money(grant.planned, grant.currency) if grant.planned is not None else None,
        "group": HelpKind(grant.kind).group,
    }


async def answer(session: Session, grant: Grant, response: Response) -> GrantDetail:
    """A grant with all that was done, and its ETag."""
    set_etag(response, grant.version)
    paid = select(func.coalesce(func.sum(Posting.amount), 0)).where(
        Posting.grant_id == grant.id, Posting.account == Account.PAID
    )
    row = (
        await session.execute(
            select(
                service.approved_by(grant).scalar_subquery(),
                exists().where(col(Quote.grant_id) == grant.id),
                exists().where(col(Delivery.grant_id) == grant.id),
                paid.scalar_subquery(),
            )
        )
    ).one()
    approvers, quoted, delivered, spent = row
    quotes: Iterable[Quote] = ()
    deliveries: Iterable[Delivery] = ()
    if quoted:
        quotes = await session.scalars(
            select(Quote).where(Quote.grant_id == grant.id).order_by(col(Quote.id))
        )
    if delivered:
        deliveries = await session.scalars(
            select(Delivery).where(Delivery.grant_id == grant.id).order_by(col(Delivery.id))
        )
    return GrantDetail(
        **shown(grant),
        requester=grant.requester,
        approvers=approvers or [],
        quotes=[
            QuoteOut(
                payee_id=quote.payee_id,
                amount=money(quote.amount, grant.currency),
                document=quote.document,
                recorded_at=quote.recorded_at,
            )
            for quote in quotes
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
    who = await people.participant(
        session, body.case_id, body.returnee_id, caller, caught_up=caught_up
    )
    asked = service.Asked(
        participant=who,
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
    return await answer(session, await service.request(session, asked), response)


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
    query = service.listed(
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
        rows = await session.scalars(query.order_by(col(Grant.id)).limit(LONGEST + 1))
        return as_csv(
            COLUMNS,
            [
                GrantOut(**shown(grant)).model_dump(mode="json") | {"currency": grant.currency}
                for grant in rows
            ],
        )
    found = await page(
        session, query, keys=[col(Grant.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, found.next)
    return Page(items=[GrantOut(**shown(grant)) for grant in found.items], next=found.next)


@router.get("/{grant_id}")
@requires(Scope.GRANTS_READ)
async def read_grant(
    grant_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> GrantDetail:
    """A grant."""
    return await answer(session, await service.find(session, grant_id, caller), response)


@router.post("/{grant_id}/quotes")
@requires(Scope.GRANTS_WRITE)
async def quote(
    grant_id: UUID, body: QuoteIn, session: SessionDep, caller: CallerDep, response: Response
) -> GrantDetail:
    """Note an offer; the programme says how many are compared."""
    grant = await service.find(session, grant_id, caller)
    await payees.of_organisation(session, body.payee_id, grant.implementer)
    quoted = await service.quote(
        session,
        caller,
        grant_id,
        payee_id=body.payee_id,
        amount=body.amount.amount,
        currency=body.amount.currency,
        document=body.document,
    )
    return await answer(session, quoted, response)


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
    return await answer(
        session, await service.approve(session, caller, grant_id, precondition), response
    )


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
    return await answer(
        session,
        await service.reject(session, caller, grant_id, precondition, body.reason),
        response,
    )


@router.post("/{grant_id}/order")
@requires(Scope.GRANTS_WRITE)
async def order(
    grant_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> GrantDetail:
    """Order what was approved."""
    return await answer(session, await service.order(session, caller, grant_id), response)


@router.post("/{grant_id}/delivery")
@requires(Scope.GRANTS_WRITE)
async def deliver(
    grant_id: UUID, body: DeliveryIn, session: SessionDep, caller: CallerDep, response: Response
) -> GrantDetail:
    """Note what was handed over, a part or all of it."""
    grant = await service.deliver(
        session,
        caller,
        grant_id,
        delivered_on=body.delivered_on,
        certificate=body.certificate,
        complete=body.complete,
    )
    return await answer(session, grant, response)


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
    grant = await service.amend(
        session,
        caller,
        grant_id,
        precondition,
        amount=body.amount.amount,
        currency=body.amount.currency,
        description=body.description,
    )
    return await answer(session, grant, response)


@router.post("/{grant_id}/cancel")
@requires(Scope.GRANTS_WRITE)
async def cancel(
    grant_id: UUID, body: ReasonIn, session: SessionDep, caller: CallerDep, response: Response
) -> GrantDetail:
    """Give it up before anything was released."""
    return await answer(
        session, await service.cancel(session, caller, grant_id, body.reason), response
    )


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
    return await answer(
        session, await service.close(session, caller, grant_id, precondition), response
    )
