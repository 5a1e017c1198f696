"""`/v1/cash-floats`: cash at a desk, counted by another person in the end."""

from uuid import UUID

from fastapi import Request, Response
from sqlmodel import col, select

from chassis.concurrency import set_etag
from chassis.pagination import Cursor, Limit, Page, link_next, page
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from services.grants.books.floats import service
from services.grants.books.floats.schemas import CountIn, FloatIn, FloatOut, HandInIn
from services.grants.models import CashFloat
from services.grants.schemas import Claimed, money

router = Router(prefix="/v1/cash-floats", tags=["cash floats"])


def render_float(cash: CashFloat) -> FloatOut:
    """A float as it is answered."""
    left = cash.amount - cash.drawn
    plain = {
        name: getattr(cash, name)
        for name in FloatOut.model_fields
        if name not in {"amount", "drawn", "left", "handed_in", "counted", "agrees"}
    }
    return FloatOut(
        **plain,
        amount=money(cash.amount, cash.currency),
        drawn=money(cash.drawn, cash.currency),
        left=money(left, cash.currency),
        handed_in=None if cash.handed_in is None else money(cash.handed_in, cash.currency),
        counted=None if cash.counted is None else money(cash.counted, cash.currency),
        agrees=None if cash.counted is None else cash.counted == left,
    )


def _answer(cash: CashFloat, response: Response) -> FloatOut:
    """A float and its ETag."""
    set_etag(response, cash.version)
    return render_float(cash)


@router.post("", status_code=201)
@requires(Scope.FLOATS_WRITE, person=True)
async def open_float(
    body: FloatIn, session: SessionDep, caller: CallerDep, response: Response
) -> FloatOut:
    """Put cash at a desk's disposal; releases draw on it."""
    return _answer(
        await service.open_float(session, caller, body.port_of_entry, body.amount, body.id),
        response,
    )


@router.get("")
@requires(Scope.FLOATS_READ)
async def read_floats(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[FloatOut]:
    """Floats of the organisation."""
    query = select(CashFloat).where(service.visible_to(caller))
    if updated_since is not None:
        query = query.where(CashFloat.updated_at >= updated_since)
    rows = await page(
        session, query, keys=[col(CashFloat.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[render_float(row) for row in rows.items], next=rows.next)


@router.get("/{float_id}")
@requires(Scope.FLOATS_READ)
async def read_float(
    float_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> FloatOut:
    """A float."""
    return _answer(await service.load_float(session, caller, float_id), response)


@router.post("/{float_id}/return")
@requires(Scope.FLOATS_WRITE, person=True)
async def hand_in(
    float_id: UUID, body: HandInIn, session: SessionDep, caller: CallerDep, response: Response
) -> FloatOut:
    """Hand in what is left."""
    return _answer(await service.hand_in(session, caller, float_id, body.amount), response)


@router.post("/{float_id}/reconcile")
@requires(Scope.FLOATS_WRITE, person=True, if_match=True)
async def reconcile(
    float_id: UUID,
    body: CountIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> FloatOut:
    """Count it, as somebody else."""
    return _answer(
        await service.reconcile(session, caller, float_id, precondition, body.counted), response
    )
