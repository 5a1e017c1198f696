"""`/v1/statements`: what the bank says, matched to what was released; `/v1/statement-mappings`: how
the tables of a bank are read.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from sqlmodel import col, select

from chassis.auth import Caller
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.errors import FieldError, Problem, invalid
from chassis.limits import TABLE_BYTES
from chassis.pagination import Cursor, Limit, Page, link_next, page
from chassis.routing import CallerDep, KeyringDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from services.grants.models import StatementFile, StatementLine, StatementMapping
from services.grants.payments.statements import mappings, rules, service
from services.grants.payments.statements.schemas import (
    DecisionIn,
    LineOut,
    MappingIn,
    MappingOut,
    OpenLineOut,
    PreviewLineOut,
    PreviewOut,
    PreviewProblemOut,
    StatementOut,
    StatementsOut,
)
from services.grants.schemas import Claimed, money
from services.grants.statement_files.delimited import TableMapping, preview_table
from services.grants.statement_files.formats import MediaType, read_file, table_of
from services.grants.statement_files.formats import StatementFile as SentFile
from services.grants.statement_files.model import Entry, Unreadable

FIRST_LINES = 20
"""Of each statement in a list, and of a file in a preview."""
router = Router(tags=["statements"])

MEDIA_TYPES = tuple(kind.value for kind in MediaType)
FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string"}} for kind in MEDIA_TYPES},
    }
}


def render_line(line: StatementLine) -> LineOut:
    """A line as it is answered."""
    return LineOut(
        id=line.id,
        line=line.line,
        booked_on=line.booked_on,
        direction=line.direction,
        amount=money(line.amount, line.currency),
        reference=line.reference,
        outcome=rules.Outcome(line.outcome),
        why=line.why,
        payment_id=line.payment_id,
        candidates=line.candidates,
    )


async def render_statements(
    session: Session, files: Sequence[StatementFile], first: int | None = None
) -> list[StatementOut]:
    """Statements with their lines, or the first of them."""
    lines: dict[UUID, list[StatementLine]] = {file.id: [] for file in files}
    for line in await service.lines_of(session, list(lines), first):
        lines[line.statement_id].append(line)
    return [
        StatementOut(
            id=file.id,
            organisation=file.organisation,
            account=file.account,
            year=file.year,
            number=file.number,
            currency=file.currency,
            lines=[render_line(line) for line in lines[file.id]],
            created_at=file.created_at,
            updated_at=file.updated_at,
        )
        for file in files
    ]


async def _sent(
    request: Request, session: Session, caller: Caller, mapping: UUID | None
) -> SentFile:
    """The file of a request, and the mapping by which it is read."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    saved: TableMapping | None = None
    if mapping is not None:
        row = await mappings.find_mapping(session, caller, mapping)
        if row is None:
            detail = "a mapping of the organisation, from `/v1/statement-mappings`"
            raise invalid(
                FieldError(pointer="#query/mapping", code="unknown_mapping", detail=detail)
            )
        saved = mappings.read_body(row).mapping()
    return SentFile(await request.body(), MediaType(kind or MediaType.CSV), saved)


def _unreadable(error: Unreadable) -> Problem:
    return invalid(FieldError(pointer="", code=error.code, detail=error.right, row=error.row))


@router.post("/v1/statements", status_code=201, openapi_extra=FILE)
@requires(Scope.PAYMENTS_WRITE, person=True, media_types=MEDIA_TYPES, max_body=TABLE_BYTES)
async def import_statements(
    request: Request,
    session: SessionDep,
    caller: CallerDep,
    keyring: KeyringDep,
    mapping: UUID | None = None,
) -> StatementsOut:
    """Import a bank's file: MT940, camt.053, .052 or .054, CSV of the platform's form, or CSV of a
    bank by a saved mapping. What is right confirms its payment; importing it again books nothing.

    It is the act of a person: what they released themselves waits for another.
    """
    try:
        sent = await _sent(request, session, caller, mapping)
        statements = await asyncio.to_thread(read_file, sent)  # thousands of entries take a while
    except Unreadable as error:
        raise _unreadable(error) from None
    files = await service.import_statements(session, caller, keyring, statements)
    return StatementsOut(items=await render_statements(session, files))


@router.post("/v1/statements/preview", openapi_extra=FILE)
@requires(Scope.PAYMENTS_WRITE, query=True, media_types=MEDIA_TYPES, max_body=TABLE_BYTES)
async def preview(
    request: Request, session: SessionDep, caller: CallerDep, mapping: UUID | None = None
) -> PreviewOut:
    """Show how a file would be read, and which of its first rows could not be; nothing is kept."""
    sent = await _sent(request, session, caller, mapping)
    try:
        if sent.mapping is not None and sent.media_type is MediaType.CSV:
            rows = table_of(sent.content, sent.mapping)
            found = preview_table(rows, sent.mapping, FIRST_LINES)
            return _preview(found.entries, found.problems)
        statements = await asyncio.to_thread(read_file, sent)
        entries = [entry for statement in statements for entry in statement.entries]
        return _preview(entries[:FIRST_LINES], ())
    except Unreadable as error:
        return _preview((), (error,))


def _preview(entries: Sequence[Entry], problems: Sequence[Unreadable]) -> PreviewOut:
    return PreviewOut(
        lines=[
            PreviewLineOut(
                account=entry.account,
                line=entry.line,
                booked_on=entry.booked_on,
                direction=entry.direction,
                amount=money(entry.amount, entry.currency),
                bank_reference=entry.bank_reference,
                reference=entry.reference,
            )
            for entry in entries
        ],
        problems=[
            PreviewProblemOut(row=problem.row, code=problem.code, detail=problem.right)
            for problem in problems
        ],
    )


@router.get("/v1/statements")
@requires(Scope.PAYMENTS_WRITE)
async def read_statements(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[StatementOut]:
    """Statements of the organisation, each with its first lines."""
    query = select(StatementFile).where(service.visible_to(caller))
    if updated_since is not None:
        query = query.where(StatementFile.updated_at >= updated_since)
    rows = await page(
        session, query, keys=[col(StatementFile.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    items = await render_statements(session, list(rows.items), FIRST_LINES)
    return Page(items=items, next=rows.next)


@router.get("/v1/statements/open-lines")
@requires(Scope.PAYMENTS_WRITE)
async def read_open_lines(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[OpenLineOut]:
    """Entries of all statements that wait for a person: questions, and those without a payment."""
    query = (
        select(StatementLine)
        .join(StatementFile, col(StatementFile.id) == StatementLine.statement_id)
        .where(service.visible_to(caller), col(StatementLine.outcome).in_(rules.UNDECIDED))
    )
    rows = await page(
        session, query, keys=[col(StatementLine.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    items = [
        OpenLineOut(**render_line(row).model_dump(), statement_id=row.statement_id)
        for row in rows.items
    ]
    return Page(items=items, next=rows.next)


@router.get("/v1/statements/{statement_id}")
@requires(Scope.PAYMENTS_WRITE)
async def read_statement(
    statement_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> StatementOut:
    """A statement, line by line."""
    file = await service.load_statement(session, caller, statement_id)
    set_etag(response, file.version)
    return (await render_statements(session, [file]))[0]


@router.get("/v1/statements/{statement_id}/lines")
@requires(Scope.PAYMENTS_WRITE)
async def read_lines(
    request: Request,
    response: Response,
    statement_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[LineOut]:
    """The lines of a statement, in order."""
    file = await service.load_statement(session, caller, statement_id)
    query = select(StatementLine).where(StatementLine.statement_id == file.id)
    keys = [col(StatementLine.line), col(StatementLine.id)]
    rows = await page(session, query, keys=keys, parsers=[int, UUID], after=after, limit=limit)
    link_next(request, response, rows.next)
    return Page(items=[render_line(row) for row in rows.items], next=rows.next)


@router.post("/v1/statements/{statement_id}/lines/{line_id}/decide")
@requires(Scope.PAYMENTS_WRITE, person=True)
async def decide_line(
    statement_id: UUID, line_id: UUID, body: DecisionIn, session: SessionDep, caller: CallerDep
) -> LineOut:
    """Say what becomes of an entry that waits: it is a payment's, or nothing is to be done.

    Another person than who imported it answers a question; who had a part in the payment does not.
    """
    line = await service.decide_line(
        session, caller, statement_id, line_id, body.decision, body.payment_id
    )
    return render_line(line)


@router.post("/v1/statement-mappings", status_code=201)
@requires(Scope.PAYMENTS_WRITE)
async def save_mapping(
    body: MappingIn, session: SessionDep, caller: CallerDep, response: Response
) -> MappingOut:
    """Keep how the tables of a bank are read; `/v1/statements?mapping=` takes them by it."""
    row = await mappings.save(session, caller, body)
    set_etag(response, row.version)
    return mappings.render_mapping(row)


@router.get("/v1/statement-mappings")
@requires(Scope.PAYMENTS_WRITE)
async def read_mappings(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[MappingOut]:
    """The mappings that the organisation keeps."""
    query = select(StatementMapping).where(mappings.visible_to(caller))
    rows = await page(
        session, query, keys=[col(StatementMapping.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[mappings.render_mapping(row) for row in rows.items], next=rows.next)


@router.get("/v1/statement-mappings/{mapping_id}")
@requires(Scope.PAYMENTS_WRITE)
async def read_mapping(
    mapping_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> MappingOut:
    """A mapping."""
    row = await mappings.load_mapping(session, caller, mapping_id)
    set_etag(response, row.version)
    return mappings.render_mapping(row)


@router.put("/v1/statement-mappings/{mapping_id}")
@requires(Scope.PAYMENTS_WRITE, if_match=True)
async def replace_mapping(
    mapping_id: UUID,
    body: MappingIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> MappingOut:
    """Keep another mapping in the place of one."""
    row = await mappings.replace(session, caller, mapping_id, precondition, body)
    set_etag(response, row.version)
    return mappings.render_mapping(row)
