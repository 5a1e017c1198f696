"""`/v1/referral-batches`."""

from uuid import UUID

from fastapi import Request, Response
from sqlmodel import col, select

from chassis.concurrency import set_etag
from chassis.limits import FILE_BYTES
from chassis.pagination import Cursor, Limit, Page, Since, link_next, page
from chassis.routing import CallerDep, Router, SessionDep, requires
from chassis.tabular.encodings import charset_of
from chassis.tabular.templates import CSV, XLSX, csv_template, download, file_in, xlsx_template
from contracts.scopes import Scope
from services.cases.intake.batches import service
from services.cases.intake.batches.columns import COLUMNS
from services.cases.intake.batches.schemas import BatchOut, BatchProblem, ResultOut
from services.cases.models import BatchItem, ReferralBatch
from services.cases.states.intake import BatchState

router = Router(prefix="/v1/referral-batches", tags=["referrals"])


def render(batch: ReferralBatch) -> BatchOut:
    """A batch as it is answered."""
    return BatchOut.model_validate(batch, from_attributes=True)


def result(item: BatchItem) -> ResultOut:
    """One referral's result as it is answered."""
    problem = item.problem or {}
    return ResultOut(
        number=item.number,
        rows=item.rows,
        external_reference=item.external_reference,
        outcome=item.outcome,
        referral_id=item.referral_id,
        candidates=item.candidates,
        title=problem.get("title"),
        problems=[BatchProblem.model_validate(each) for each in problem.get("problems", [])],
    )


FILE = {
    "requestBody": {
        "required": True,
        "description": (
            "A referral a line as JSON, or a table with a row a person, as a spreadsheet saves it. "
            "The template names the columns; rows of one referral have one reference."
        ),
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type in service.MEDIA_TYPES
        },
    }
}


@router.post("", status_code=202, openapi_extra=FILE)
@requires(Scope.REFERRALS_BATCH, media_types=service.MEDIA_TYPES, max_body=FILE_BYTES)
async def submit(
    request: Request, session: SessionDep, caller: CallerDep, response: Response
) -> BatchOut:
    """Send up to 5,000 referrals at once. They are taken in the background, each for itself."""
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    charset = charset_of(content_type)
    batch = await service.receive(session, await request.body(), media_type, charset, caller)
    set_etag(response, batch.version)
    response.headers["Location"] = f"/v1/referral-batches/{batch.id}"
    return render(batch)


@router.get("")
@requires(Scope.REFERRALS_BATCH)
async def batches(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    state: BatchState | None = None,
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[BatchOut]:
    """The organisation's batches, newest first."""
    statement = select(ReferralBatch).where(ReferralBatch.organisation == caller.organisation)
    if state is not None:
        statement = statement.where(ReferralBatch.state == state)
    if updated_since is not None:
        statement = statement.where(ReferralBatch.updated_at >= updated_since)
    rows = await page(
        session,
        statement,
        keys=[col(ReferralBatch.id)],
        parsers=[UUID],
        after=after,
        limit=limit,
        descending=True,
    )
    link_next(request, response, rows.next)
    return Page(items=[render(batch) for batch in rows.items], next=rows.next)


@router.get("/template.csv", response_class=Response, responses=file_in(CSV))
@requires(Scope.REFERRALS_BATCH)
async def download_csv_template() -> Response:
    """The columns of a table of referrals, to fill in."""
    return download(csv_template(COLUMNS), CSV, "referrals.csv")


@router.get("/template.xlsx", response_class=Response, responses=file_in(XLSX))
@requires(Scope.REFERRALS_BATCH)
async def download_xlsx_template() -> Response:
    """A workbook to fill in: the columns of a table of referrals, what stands in each, and lists of
    the codes that may.
    """
    return download(xlsx_template(COLUMNS, "referrals"), XLSX, "referrals.xlsx")


@router.get("/{batch_id}")
@requires(Scope.REFERRALS_BATCH)
async def batch(
    batch_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> BatchOut:
    """How far a batch is."""
    row = await service.find(session, batch_id, caller)
    set_etag(response, row.version)
    return render(row)


@router.get("/{batch_id}/results")
@requires(Scope.REFERRALS_BATCH)
async def results(
    batch_id: UUID,
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[ResultOut]:
    """A result a referral, in the order of the file, with its rows and what is wrong in them."""
    await service.find(session, batch_id, caller)
    statement = select(BatchItem).where(BatchItem.batch_id == batch_id)
    rows = await page(
        session, statement, keys=[col(BatchItem.number)], parsers=[int], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[result(item) for item in rows.items], next=rows.next)
