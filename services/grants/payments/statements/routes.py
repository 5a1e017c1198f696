"""`/v1/statements`: what the bank says, matched to what was released."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel
from sqlmodel import col, select

from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.errors import FieldError, invalid
from chassis.limits import TABLE_BYTES
from chassis.pagination import Cursor, Limit, Page, link_next, page
from chassis.routing import CallerDep, Router, SessionDep, requires
from contracts.codes import Money
from contracts.scopes import Scope
from services.grants.models import StatementFile, StatementLine
from services.grants.payments.statements import service
from services.grants.payments.statements.rules import Unreadable, read_csv, read_mt940
from services.grants.schemas import Claimed, money

FIRST_LINES = 20
"""Of each statement in a list."""
router = Router(prefix="/v1/statements", tags=["statements"])

CSV, MT940 = "text/csv", "application/x-mt940"
FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string"}} for kind in (CSV, MT940)},
    }
}


class LineOut(BaseModel):
    """An entry, and what it turned out to be."""

    line: int
    booked_on: date
    direction: str
    amount: Money
    reference: str
    outcome: str
    """matched | mismatched | unknown | reversed"""
    why: str | None
    payment_id: UUID | None


class StatementOut(BaseModel):
    """A statement of one account."""

    id: UUID
    organisation: str
    account: str
    year: int
    number: str
    currency: str
    lines: list[LineOut]
    """In a list of statements only the first ones; `/v1/statements/{id}/lines` has them all, paged."""
    created_at: datetime
    updated_at: datetime


class StatementsOut(BaseModel):
    """The statements of a file."""

    items: list[StatementOut]


def shown(line: StatementLine) -> LineOut:
    """A line as it is answered."""
    return LineOut(
        line=line.line,
        booked_on=line.booked_on,
        direction=line.direction,
        amount=money(line.amount, line.currency),
        reference=line.reference,
        outcome=line.outcome,
        why=line.why,
        payment_id=line.payment_id,
    )


async def answer(
    session: Session, files: list[StatementFile], first: int | None = None
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
            lines=[shown(line) for line in lines[file.id]],
            created_at=file.created_at,
            updated_at=file.updated_at,
        )
        for file in files
    ]


@router.post("", status_code=201, openapi_extra=FILE)
@requires(Scope.PAYMENTS_WRITE, media_types=(CSV, MT940), max_body=TABLE_BYTES)
async def take_in(request: Request, session: SessionDep, caller: CallerDep) -> StatementsOut:
    """Import a bank's file, MT940 or CSV. What is right confirms its payment; importing it again
    books nothing.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        text = (await request.body()).decode("utf-8")
        if "\0" in text:
            raise Unreadable(1, "text", "text")
        entries = read_csv(text) if media_type == CSV else read_mt940(text)
    except UnicodeDecodeError:
        raise invalid(FieldError(pointer="", code="encoding", detail="UTF-8")) from None
    except Unreadable as error:
        raise invalid(
            FieldError(pointer="", code=error.code, detail=error.right, row=error.row)
        ) from None
    return StatementsOut(
        items=await answer(session, await service.take_in(session, caller, entries))
    )


@router.get("")
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
    query = select(StatementFile).where(service.seen_by(caller))
    if updated_since is not None:
        query = query.where(StatementFile.updated_at >= updated_since)
    rows = await page(
        session, query, keys=[col(StatementFile.id)], parsers=[UUID], after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=await answer(session, list(rows.items), FIRST_LINES), next=rows.next)


@router.get("/{statement_id}")
@requires(Scope.PAYMENTS_WRITE)
async def read_statement(
    statement_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> StatementOut:
    """A statement, line by line."""
    file = await service.find(session, statement_id, caller)
    set_etag(response, file.version)
    return (await answer(session, [file]))[0]


@router.get("/{statement_id}/lines")
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
    file = await service.find(session, statement_id, caller)
    query = select(StatementLine).where(StatementLine.statement_id == file.id)
    keys = [col(StatementLine.line), col(StatementLine.id)]
    rows = await page(session, query, keys=keys, parsers=[int, UUID], after=after, limit=limit)
    link_next(request, response, rows.next)
    return Page(items=[shown(row) for row in rows.items], next=rows.next)
