"""`/v1/budgets`."""

from typing import Any
from uuid import UUID

from fastapi import Request, Response
from sqlmodel import col, select

from chassis.concurrency import set_etag
from chassis.pagination import Cursor, Limit, Page, link_next, page
from chassis.routing import CallerDep, Router, SessionDep, requires
from contracts.codes import Slug
from contracts.scopes import Scope
from services.grants.books.budgets import service
from services.grants.books.budgets.schemas import BudgetIn, BudgetOut, PostingOut, ReuseIn
from services.grants.codes import Account
from services.grants.models import Budget, Posting
from services.grants.schemas import LONGEST, Claimed, Format, as_csv

router = Router(prefix="/v1/budgets", tags=["budgets"])

CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
}
POSTINGS = (
    "id",
    "entry_id",
    "kind",
    "account",
    "amount",
    "currency",
    "grant_id",
    "payment_id",
    "recorded_at",
)


@router.post("", status_code=201)
@requires(Scope.BUDGETS_WRITE)
async def set_up(
    body: BudgetIn, session: SessionDep, caller: CallerDep, response: Response
) -> BudgetOut:
    """Set up a budget, as the programme's office."""
    new = service.NewBudget(
        programme=body.programme,
        organisation=body.organisation,
        amount=body.amount,
        starts_on=body.starts_on,
        ends_on=body.ends_on,
        low_at=body.low_at,
        sources=[source.model_dump(mode="json", by_alias=True) for source in body.sources],
        id=body.id,
    )
    budget = await service.set_up(session, caller, new)
    set_etag(response, budget.version)
    return (await service.render_budgets(session, [budget]))[0]


@router.get("")
@requires(Scope.BUDGETS_READ)
async def read_budgets(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    programme: Slug | None = None,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[BudgetOut]:
    """Budgets of the office's programmes, or those that the organisation grants from."""
    query = select(Budget).where(service.visible_to(caller))
    if programme is not None:
        query = query.where(Budget.programme == programme)
    if updated_since is not None:
        query = query.where(Budget.updated_at >= updated_since)
    rows = await page(
        session, query, keys=[col(Budget.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=await service.render_budgets(session, rows.items), next=rows.next)


@router.get("/{budget_id}")
@requires(Scope.BUDGETS_READ)
async def read_budget(
    budget_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> BudgetOut:
    """A budget with what is available, reserved, committed, paid and recovered: each the sum of
    postings.
    """
    budget = await service.load_budget(session, caller, budget_id)
    set_etag(response, budget.version)
    return (await service.render_budgets(session, [budget]))[0]


@router.post("/{budget_id}/reuse")
@requires(Scope.BUDGETS_WRITE, person=True)
async def reuse(
    budget_id: UUID, body: ReuseIn, session: SessionDep, caller: CallerDep, response: Response
) -> BudgetOut:
    """Make available again what was recovered, as the programme's office."""
    budget = await service.reuse(session, caller, budget_id, body.amount)
    set_etag(response, budget.version)
    return (await service.render_budgets(session, [budget]))[0]


@router.get("/{budget_id}/postings", response_model=Page[PostingOut], responses=CSV)
@requires(Scope.BUDGETS_READ)
async def read_postings(
    request: Request,
    response: Response,
    budget_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    account: Account | None = None,
    updated_since: Claimed | None = None,
    format: Format = Format.JSON,  # noqa: A002 - the query parameter's name
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[PostingOut] | Response:
    """Every movement of the budget's money, oldest first; nothing was ever changed or removed."""
    budget = await service.load_budget(session, caller, budget_id)
    query = service.select_postings(budget.id, account=account, recorded_since=updated_since)
    if format is Format.CSV:
        postings = (await session.scalars(query.order_by(col(Posting.id)).limit(LONGEST + 1))).all()
        items = await service.render_postings(session, budget, postings)
        return as_csv(POSTINGS, [row.model_dump(mode="json") for row in items])
    rows = await page(
        session, query, keys=[col(Posting.id)], parsers=[int], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=await service.render_postings(session, budget, rows.items), next=rows.next)
