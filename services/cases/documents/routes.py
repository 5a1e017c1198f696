"""`/v1/documents`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlmodel import col, or_

from chassis.concurrency import set_etag
from chassis.documents import MEDIA_TYPES, Documents
from chassis.limits import FILE_BYTES
from chassis.pagination import Cursor, Limit, Page, Since, link_next, page
from chassis.routing import CallerDep, Router, SessionDep, requires
from contracts.codes import DocumentKind
from contracts.scopes import Scope
from services.cases.documents import service
from services.cases.documents.schemas import DocumentOut, DocumentReferenceOut
from services.cases.models import StoredDocument

ANY = "application/octet-stream"
BYTES = {"schema": {"type": "string", "format": "binary"}}
CONTENT: dict[str, Any] = {
    "requestBody": {"required": True, "content": dict.fromkeys((ANY, *MEDIA_TYPES), BYTES)}
}

NOT_VISIBLE: dict[int | str, dict[str, Any]] = {
    404: {"description": "What it is about is not there for you"}
}

router = Router(prefix="/v1/documents", tags=["documents"])


async def _store(request: Request) -> Documents:
    homeward = request.app.state.homeward
    return Documents(homeward.settings, homeward.keyring)


StoreDep = Annotated[Documents, Depends(_store)]


def render_document(row: StoredDocument) -> DocumentOut:
    """Render what is known of a document."""
    return DocumentOut.model_validate(row, from_attributes=True)


@router.get("")
@requires(Scope.DOCUMENTS_READ)
async def documents(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    kind: DocumentKind | None = None,
    about: UUID | None = None,
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[DocumentOut]:
    """Documents that the organisation may open, oldest first; `about` is a returnee, a case or a
    referral.
    """
    statement = service.select_documents(caller)
    if kind is not None:
        statement = statement.where(col(StoredDocument.kind) == kind)
    if about is not None:
        subjects = (StoredDocument.returnee_id, StoredDocument.case_id, StoredDocument.referral_id)
        statement = statement.where(or_(*(subject == about for subject in subjects)))
    if updated_since is not None:
        statement = statement.where(col(StoredDocument.updated_at) >= updated_since)
    rows = await page(
        session, statement, keys=[col(StoredDocument.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[render_document(row) for row in rows.items], next=rows.next)


@router.post("", status_code=201, openapi_extra=CONTENT, responses=NOT_VISIBLE)
@requires(Scope.DOCUMENTS_WRITE, media_types=(ANY, *MEDIA_TYPES), max_body=FILE_BYTES)
async def upload(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    store: StoreDep,
    kind: DocumentKind,
    returnee_id: UUID | None = None,
    case_id: UUID | None = None,
    referral_id: UUID | None = None,
    id: UUID | None = None,  # noqa: A002 - its name in the API
) -> DocumentOut:
    """Upload a document: its bytes are the body, and its content tells its type. About exactly one
    thing.
    """
    about = {"returnee_id": returnee_id, "case_id": case_id, "referral_id": referral_id}
    row = await service.upload(session, caller, store, await request.body(), kind, about, id)
    set_etag(response, row.version)
    return render_document(row)


@router.get("/{document_id}")
@requires(Scope.DOCUMENTS_READ)
async def document(
    document_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> DocumentOut:
    """What is known of a document."""
    row = await service.load_document(session, caller, document_id)
    set_etag(response, row.version)
    return render_document(row)


@router.get("/{document_id}/reference")
@requires(Scope.INTERNAL)
async def reference(
    document_id: UUID, session: SessionDep, response: Response
) -> DocumentReferenceOut:
    """That a document is there, what it is and about whom; for our own services, which rest a
    payment on a paper that only few may open. The gateway does not forward it.
    """
    row = await service.load_reference(session, document_id)
    set_etag(response, row.version)
    return DocumentReferenceOut.model_validate(row, from_attributes=True)


@router.get(
    "/{document_id}/content",
    response_class=Response,
    responses={200: {"content": dict.fromkeys(MEDIA_TYPES, BYTES), "description": "The document"}},
)
@requires(Scope.DOCUMENTS_READ)
async def content(
    document_id: UUID, session: SessionDep, caller: CallerDep, store: StoreDep
) -> Response:
    """The document itself; every opening is audited."""
    row, content = await service.open_document(session, caller, store, document_id)
    headers = {
        "Content-Disposition": f'attachment; filename="{row.kind}-{row.id}"',
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return Response(content, media_type=row.media_type, headers=headers)
