"""`/v1/grants/{id}/payments` and `/v1/payments`."""

from typing import Any
from uuid import UUID

from fastapi import Request, Response
from sqlmodel import col

from chassis.concurrency import set_etag
from chassis.errors import FieldError, invalid
from chassis.pagination import Cursor, Limit, Page, link_next, page
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.codes import PaymentMethod, Slug
from contracts.scopes import Scope
from services.grants import supporting_documents
from services.grants.awards.grants.funding import check_budget_open
from services.grants.awards.grants.loading import local_today
from services.grants.models import DeskReceipt, Payment
from services.grants.payments.payments import loading, outcomes, releasing, scheduling
from services.grants.payments.payments.schemas import (
    ConfirmIn,
    DeskReceiptOut,
    FailIn,
    PapersIn,
    PayeeOfPayment,
    PaymentIn,
    PaymentOut,
    PaymentsOut,
    RecoverIn,
    ReleaseIn,
    ReleaseManyIn,
)
from services.grants.schemas import CHANGED, LONGEST, UNKNOWN, Claimed, Format, as_csv, money
from services.grants.states import PaymentState

router = Router(tags=["payments"])

CSV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}}}
}
COLUMNS = (
    "id",
    "state",
    "reference",
    "method",
    "amount",
    "currency",
    "payout",
    "payout_currency",
    "ordered",
    "recovered",
    "rate",
    "rate_on",
    "rate_source",
    "instalment",
    "grant_id",
    "budget_id",
    "returnee_id",
    "payee_id",
    "due_on",
    "confirmed_on",
    "reason",
    "session",
    "questioned",
    "created_at",
    "updated_at",
)


def render_payment(payment: Payment) -> PaymentOut:
    """A payment as it is answered."""
    amounts = {
        "amount": money(payment.amount, payment.currency),
        "payout": money(payment.payout, payment.payout_currency),
        "ordered": None
        if payment.ordered is None
        else money(payment.ordered, payment.payout_currency),
        "recovered": money(payment.recovered, payment.currency),
    }
    members = {
        name: getattr(payment, name) for name in PaymentOut.model_fields if name not in amounts
    }
    return PaymentOut.model_validate(members | amounts)


def _answer(payment: Payment, response: Response) -> PaymentOut:
    """A payment and its ETag."""
    set_etag(response, payment.version)
    return render_payment(payment)


@router.post("/v1/grants/{grant_id}/payments", status_code=201)
@requires(Scope.GRANTS_WRITE, person=True)
async def schedule(
    grant_id: UUID, body: PaymentIn, session: SessionDep, caller: CallerDep, response: Response
) -> PaymentOut:
    """Prepare a payment of an approved grant."""
    order = scheduling.PaymentOrder(
        method=body.method,
        amount=body.amount.amount,
        currency=body.amount.currency,
        payout_currency=body.payout_currency or body.amount.currency,
        rate=body.rate.value if body.rate else None,
        rate_on=body.rate.on if body.rate else None,
        rate_source=body.rate.source if body.rate else None,
        payee_id=body.payee_id,
        instalment=body.instalment,
        papers=tuple((paper.kind, paper.document) for paper in body.papers),
        due_on=body.due_on,
        id=body.id,
        reference=body.reference,
        reimbursement=body.reimbursement,
    )
    return _answer(await scheduling.schedule(session, caller, grant_id, order), response)


@router.get("/v1/payments", response_model=Page[PaymentOut], responses=CSV)
@requires(Scope.GRANTS_READ)
async def read_payments(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    programme: Slug | None = None,
    state: PaymentState | None = None,
    method: PaymentMethod | None = None,
    returnee_id: UUID | None = None,
    grant_id: UUID | None = None,
    budget_id: UUID | None = None,
    questioned: bool | None = None,
    erased: bool = False,
    updated_since: Claimed | None = None,
    format: Format = Format.JSON,  # noqa: A002 - the query parameter's name
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[PaymentOut] | Response:
    """Payments, oldest first; `questioned=true` those that somebody has to decide about, as they
    were not earned.

    `erased=true`: instead, what the organisation sent to people who were erased since, and nobody
    confirmed yet.
    """
    query = loading.select_payments(
        caller,
        programme=programme,
        state=state,
        method=method,
        returnee_id=returnee_id,
        grant_id=grant_id,
        budget_id=budget_id,
        questioned=questioned,
        erased=erased,
        updated_since=updated_since,
    )
    if format is Format.CSV:
        payments = await session.scalars(query.order_by(col(Payment.id)).limit(LONGEST + 1))
        return as_csv(
            COLUMNS,
            [
                render_payment(row).model_dump(mode="json")
                | {"currency": row.currency, "payout_currency": row.payout_currency}
                for row in payments
            ],
        )
    rows = await page(
        session, query, keys=[col(Payment.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[render_payment(row) for row in rows.items], next=rows.next)


@router.get("/v1/payments/desk-receipts")
@requires(Scope.GRANTS_READ)
async def read_desk_receipts(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[DeskReceiptOut]:
    """Pocket money that was handed over and that no payment accounts for yet: nobody had released
    as much.
    """
    query = loading.select_unmatched_receipts(caller)
    rows = await page(
        session,
        query,
        keys=[col(DeskReceipt.assistance_id)],
        parsers=[UUID],
        after=after,
        limit=limit,
    )
    link_next(request, response, rows.next)
    items = [
        DeskReceiptOut(
            id=row.assistance_id,
            returnee_id=row.returnee_id,
            case_id=row.case_id,
            amount=money(row.amount, row.currency),
            handed_on=row.handed_on,
            recorded_at=row.recorded_at,
        )
        for row in rows.items
    ]
    return Page(items=items, next=rows.next)


@router.post("/v1/payments/release", responses=UNKNOWN | CHANGED)
@requires(Scope.PAYMENTS_RELEASE, person=True)
async def release_many(body: ReleaseManyIn, session: SessionDep, caller: CallerDep) -> PaymentsOut:
    """Let the money of several payments go, as a third person: of all, or of none."""
    versions = {seen.payment_id: seen.version for seen in body.payments}
    if len(versions) < len(body.payments):
        raise invalid(FieldError(pointer="/payments", code="twice", detail="each payment once"))
    released = await releasing.release_many(session, caller, versions, body.float_id)
    return PaymentsOut(items=[render_payment(payment) for payment in released])


@router.post("/v1/payments/{payment_id}/papers")
@requires(Scope.GRANTS_WRITE)
async def add_papers(
    payment_id: UUID, body: PapersIn, session: SessionDep, caller: CallerDep, response: Response
) -> PaymentOut:
    """Add papers to a scheduled payment; each counts as soon as it is known to be on file."""
    cited = [(paper.kind, paper.document) for paper in body.papers]
    return _answer(await scheduling.add_papers(session, caller, payment_id, cited), response)


@router.get("/v1/payments/{payment_id}")
@requires(Scope.GRANTS_READ)
async def read_payment(
    payment_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> PaymentOut:
    """A payment."""
    return _answer(await loading.load_payment(session, caller, payment_id), response)


@router.patch("/v1/payments/{payment_id}")
@requires(Scope.GRANTS_WRITE, person=True, if_match=True)
async def name_payee(
    payment_id: UUID,
    body: PayeeOfPayment,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> PaymentOut:
    """Say who is paid what was earned. Who says it does not release it."""
    named = await scheduling.name_payee(session, caller, payment_id, precondition, body.payee_id)
    return _answer(named, response)


@router.post("/v1/payments/{payment_id}/release")
@requires(Scope.PAYMENTS_RELEASE, person=True, if_match=True)
async def release(
    payment_id: UUID,
    body: ReleaseIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> PaymentOut:
    """Let the money go, as a third person: neither who requested nor who approved nor who scheduled
    it.
    """
    released = await releasing.release(session, caller, payment_id, precondition, body.float_id)
    return _answer(released, response)


@router.post("/v1/payments/{payment_id}/confirm")
@requires(Scope.PAYMENTS_WRITE, person=True)
async def confirm(
    payment_id: UUID, body: ConfirmIn, session: SessionDep, caller: CallerDep, response: Response
) -> PaymentOut:
    """Note that it was received, with the receipt; all of it, or what was."""
    grant, payment = await loading.lock_payment(session, caller, payment_id)
    if body.confirmed_on > await local_today(session, grant.programme, grant.implementer):
        detail = "a day that has come"
        raise invalid(FieldError(pointer="/confirmed_on", code="in_future", detail=detail))
    await check_budget_open(session, grant, payment.budget_id, body.confirmed_on)
    if await session.get(DeskReceipt, body.receipt) is None:
        await supporting_documents.cite(session, grant.id, [body.receipt])
    confirmed = await outcomes.confirm(
        session,
        caller,
        grant,
        payment,
        confirmed_on=body.confirmed_on,
        receipt=body.receipt,
        received=body.amount,
    )
    return _answer(confirmed, response)


@router.post("/v1/payments/{payment_id}/fail")
@requires(Scope.PAYMENTS_WRITE, person=True, if_match=True)
async def fail(
    payment_id: UUID,
    body: FailIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> PaymentOut:
    """Note that it reached nobody: after its release, as somebody who had no part in sending it."""
    grant, payment = await loading.lock_payment(session, caller, payment_id)
    precondition.check(payment.version)
    return _answer(await outcomes.fail(session, caller, grant, payment, body.reason), response)


@router.post("/v1/payments/{payment_id}/reverse")
@requires(Scope.PAYMENTS_WRITE, person=True, if_match=True)
async def reverse(
    payment_id: UUID,
    body: FailIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> PaymentOut:
    """Note that it came back, as somebody who had no part in sending it; nothing is deleted."""
    grant, payment = await loading.lock_payment(session, caller, payment_id)
    precondition.check(payment.version)
    return _answer(await outcomes.reverse(session, caller, grant, payment, body.reason), response)


@router.post("/v1/payments/{payment_id}/recover")
@requires(Scope.PAYMENTS_WRITE, person=True, if_match=True)
async def recover(
    payment_id: UUID,
    body: RecoverIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> PaymentOut:
    """Note that what was paid was recovered, all or a part, as somebody who had no part in sending
    it.
    """
    grant, payment = await loading.lock_payment(session, caller, payment_id)
    precondition.check(payment.version)
    if body.receipt is not None:
        await supporting_documents.cite(session, grant.id, [body.receipt])
    recovered = await outcomes.recover(
        session, caller, grant, payment, body.reason, returned=body.amount
    )
    return _answer(recovered, response)
