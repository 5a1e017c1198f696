"""A small service on the chassis alone, to break it with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import httpx
from fastapi import FastAPI, Query, Response
from sqlalchemy import Column, Integer, MetaData, Table, Text, Uuid, insert, select, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from chassis import audit
from chassis.app import Homeward, Service, create_app
from chassis.concurrency import set_etag
from chassis.errors import NOT_FOUND, Problem
from chassis.ids import new_id
from chassis.pagination import Cursor, Limit, Page, Since, page
from chassis.routing import (
    Body,
    CallerDep,
    CaughtUpDep,
    PreconditionDep,
    Router,
    SessionDep,
    public,
    requires,
)
from chassis.settings import async_url
from chassis.telemetry import configure_logging, configure_tracing
from participation import beneficiaries
from tests.tokens import settings, trust

tables = MetaData()
note = Table(
    "note",
    tables,
    Column("id", Uuid, primary_key=True),
    Column("words", Text, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
)
COMMIT_LOCK = 4711
COMMIT_TRAP = f"""
    CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.words = 'fails at commit' THEN RAISE EXCEPTION 'too late'; END IF;
        IF NEW.words = 'waits at commit' THEN PERFORM pg_advisory_xact_lock({COMMIT_LOCK}); END IF;
        RETURN NULL;
    END $$
"""
COMMIT_TRIGGER = """
    CREATE CONSTRAINT TRIGGER trap AFTER INSERT ON note DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION trap()
"""

router = Router(prefix="/v1/notes", tags=["notes"])
calls: list[str] = []


class NoteIn(Body):
    words: str


class NoteOut(Body):
    id: UUID
    words: str


@router.post("", status_code=201)
@requires("notes:write")
async def write(
    body: NoteIn, session: SessionDep, caller: CallerDep, response: Response
) -> NoteOut:
    calls.append(body.words)
    made = NoteOut(id=new_id(), words=body.words)
    await session.execute(insert(note).values(made.model_dump()))
    audit.record(session, caller, "write", "note", made.id)
    if body.words == "refused":
        raise Problem(NOT_FOUND)
    if body.words == "refused by answer":
        response.status_code = 409
    if body.words == "breaks":
        raise RuntimeError("Zaynab Al-Example lives here")
    if body.words == "breaks once" and calls.count("breaks once") == 1:
        raise RuntimeError("only the first time")
    if body.words.startswith("slow"):
        await session.execute(text("SELECT pg_sleep(0.4)"))
    set_etag(response, 1)
    return made


@router.post("/large", status_code=201)
@requires("notes:write", max_body=4000)
async def write_large(
    body: NoteIn, session: SessionDep, caller: CallerDep, response: Response
) -> NoteOut:
    return await write(body, session, caller, response)


@router.post("/search")
@requires("notes:read", query=True)
async def search(body: NoteIn, session: SessionDep) -> list[NoteOut]:
    rows = await session.execute(select(note).where(note.c.words == body.words))
    return [NoteOut(id=row.id, words=row.words) for row in rows]


@router.get("")
@requires("notes:read")
async def listing(
    session: SessionDep,
    after: Cursor = None,
    limit: Limit = 50,
    words: Annotated[str | None, Query()] = None,
    changed_since: Since | None = None,
) -> Page[UUID]:
    query = select(note.c.id)
    if words is not None:
        query = query.where(note.c.words == words)
    rows = await page(session, query, keys=[note.c.id], parsers=[UUID], after=after, limit=limit)
    return Page(items=list(rows.items), next=rows.next)


@router.get("/{note_id}")
@requires("notes:read")
async def read(note_id: UUID, session: SessionDep, response: Response) -> NoteOut:
    row = (await session.execute(select(note).where(note.c.id == note_id))).first()
    if row is None:
        raise Problem(NOT_FOUND)
    set_etag(response, row.version)
    return NoteOut(id=row.id, words=row.words)


@router.patch("/{note_id}")
@requires("notes:write", if_match=True)
async def change(
    note_id: UUID, body: NoteIn, session: SessionDep, seen: PreconditionDep, response: Response
) -> NoteOut:
    row = (
        await session.execute(select(note).where(note.c.id == note_id).with_for_update())
    ).first()
    if row is None:
        raise Problem(NOT_FOUND)
    seen.check(row.version)
    await session.execute(
        update(note).where(note.c.id == note_id).values(words=body.words, version=row.version + 1)
    )
    set_etag(response, row.version + 1)
    return NoteOut(id=row.id, words=body.words)


@router.post("/{note_id}/approve")
@requires("notes:write", person=True, if_match=True)
async def approve(
    note_id: UUID, session: SessionDep, caller: CallerDep, seen: PreconditionDep
) -> dict[str, str]:
    row = (
        await session.execute(select(note).where(note.c.id == note_id).with_for_update())
    ).first()
    if row is None:
        raise Problem(NOT_FOUND)
    seen.check(row.version)
    return {"approved_by": caller.require_person()}


@router.post("/swap/{first}/{second}")
@requires("notes:write")
async def swap(first: UUID, second: UUID, session: SessionDep) -> dict[str, str]:
    """Locks in the order it is told, so that two of it deadlock."""
    for number, which in enumerate((first, second)):
        await session.execute(
            update(note).where(note.c.id == which).values(version=note.c.version + 1)
        )
        if number == 0:
            await session.execute(text("SELECT pg_sleep(0.3)"))
    return {"swapped": "yes"}


@router.get("/people/{returnee_id}")
@requires("notes:read")
async def person(
    returnee_id: UUID, session: SessionDep, caller: CallerDep, caught_up: CaughtUpDep
) -> dict[str, str]:
    row = await beneficiaries.require(session, returnee_id, caller, caught_up=caught_up)
    return {"state": row.state}


@router.get("/open/door")
@public
async def door() -> dict[str, str]:
    return {"door": "open"}


service = Service(
    name="probe",
    title="Probe",
    description="A service for tests.",
    metadata=tables,
    migrations=Path(__file__).parent,
    routers=[router],
    knows_people_from="cases",
)


@dataclass
class Probe:
    """A running probe."""

    app: FastAPI
    http: httpx.AsyncClient
    homeward: Homeward


async def make_tables(owner_url: str) -> None:
    """The probe's table, and a trigger that can make a commit fail."""
    engine = create_async_engine(async_url(owner_url))
    async with engine.begin() as connection:
        await connection.run_sync(tables.create_all)
        await connection.execute(text(COMMIT_TRAP))
        await connection.execute(text(COMMIT_TRIGGER))
    await engine.dispose()


@asynccontextmanager
async def running(database_url: str, **values: Any) -> AsyncIterator[Probe]:
    """The probe, called in process."""
    configure_logging("probe", "ERROR")
    configure_tracing("probe")
    app = create_app(service, settings(database_url, **values))
    homeward: Homeward = app.state.homeward
    trust(homeward)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://probe") as http:
        yield Probe(app, http, homeward)
    await homeward.close()
