"""The desk's own copies of who is expected: fetched from cases by a job, kept encrypted, there while cases is down."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import delete, insert, update

from chassis import beneficiaries, jobs
from chassis.crypto import Keyring
from chassis.db import Session, now
from chassis.http import CallFailed, ServiceClient
from chassis.jobs import JobKind, Payload
from chassis.marks import Marks
from chassis.settings import Settings
from services.reception.models import Arrival, Mark
from services.reception.uniting import unite_known

FETCH_IDENTITY = "reception.identity.fetch"
NOT_FOUND = 404

log = structlog.get_logger("homeward.reception")


class Part(BaseModel):
    """Base of what a copy keeps: members that the desk does not need are left behind, and errors show no values."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Name(Part):
    """A name in one script, as written."""

    script: str
    """ISO 15924."""
    given: str = ""
    father: str = ""
    grandfather: str = ""
    family: str = ""


class Birth(Part):
    """A date of birth, as precise as it is known."""

    date: str
    precision: str


class SafeContact(Part):
    """When somebody may safely be reached, without the number."""

    kind: str
    owner: str | None = None
    safe_hours: str | None = None


class Document(Part):
    """A document that shows who somebody is."""

    kind: str
    number: str
    issuer: str


class Identity(Part):
    """By what the desk recognises a person."""

    names: list[Name]
    sex: str | None = None
    birth: Birth | None = None
    nationality: str | None = None
    languages: list[str] = []


class Copy(Identity):
    """What reception keeps, of which the board shows less."""

    contacts: list[SafeContact] = []
    documents: list[Document] = []
    """Only of somebody whom the desk or a manifest named, until cases adopts them."""


class Fetched(Copy):
    """What cases says; the marks are kept beside the copy."""

    marks: list[str] = []
    """Keyed digests of the person's documents and references, in hexadecimal."""


def _keyring(request: Request) -> Keyring:
    keyring: Keyring = request.app.state.homeward.keyring
    return keyring


KeyringDep = Annotated[Keyring, Depends(_keyring)]
"""Encrypts and decrypts what identifies a person."""


async def keep(session: Session, returnee_id: UUID, copy: Copy, keyring: Keyring) -> bool:
    """Keep who somebody is, encrypted; False if the person was erased meanwhile."""
    document = Copy.model_validate(copy.model_dump()).model_dump_json().encode()
    return await beneficiaries.keep_identity(session, returnee_id, document, keyring)


async def read_copy(session: Session, returnee_id: UUID, keyring: Keyring) -> Copy | None:
    """All that is kept of somebody. The caller of this audits the reading."""
    copies = await beneficiaries.identities(session, [returnee_id], keyring)
    return Copy.model_validate_json(copies[returnee_id]) if returnee_id in copies else None


async def keep_new(session: Session, copies: Mapping[UUID, Copy], keyring: Keyring, marks: Marks) -> None:
    """Keep, and mark, who people are whom reception has just given an id."""
    documents = {who: Copy.model_validate(each.model_dump()).model_dump_json().encode() for who, each in copies.items()}
    await beneficiaries.keep_identities(session, documents, keyring)
    rows = {(who, marks.document(each.number)) for who, copy in copies.items() for each in copy.documents}
    if rows:
        await session.execute(insert(Mark), [{"returnee_id": who, "digest": digest} for who, digest in sorted(rows)])


async def mark(session: Session, returnee_id: UUID, digests: Iterable[bytes]) -> None:
    """Note by what a person is recognised in manifests, instead of what was noted before."""
    await session.execute(delete(Mark).where(Mark.returnee_id == returnee_id))
    rows: list[Mapping[str, Any]] = [{"returnee_id": returnee_id, "digest": digest} for digest in sorted(set(digests))]
    if rows:
        await session.execute(insert(Mark), rows)


async def fetch_later(session: Session, returnee_id: UUID) -> None:
    """Have the copy of a person's identity fetched, or fetched again."""
    await jobs.schedule(session, FETCH_IDENTITY, {"returnee_id": str(returnee_id)}, key=str(returnee_id))


async def forget(session: Session, returnee_id: UUID) -> None:
    """Take back a fetch that is not wanted any more; the copy itself is deleted with the projection of the person."""
    await jobs.cancel(session, FETCH_IDENTITY, str(returnee_id))


async def read(session: Session, returnee_ids: Iterable[UUID], keyring: Keyring) -> dict[UUID, Identity]:
    """The copies that are there. The caller of this audits the reading."""
    copies = await beneficiaries.identities(session, sorted(set(returnee_ids)), keyring)
    return {returnee_id: Identity.model_validate_json(copy) for returnee_id, copy in copies.items()}


def fetch_job(settings: Settings) -> JobKind:
    """The job that fetches an identity from cases and keeps a minimal copy."""
    keyring = Keyring.from_settings(settings)

    async def call(client: ServiceClient, payload: Payload) -> Fetched | None:
        try:
            document = await client.get("cases", f"/v1/returnees/{payload['returnee_id']}/identity")
        except CallFailed as failed:
            if failed.status != NOT_FOUND:
                raise
            log.info("no identity to keep: cases does not have the returnee any more")
            return None
        return Fetched.model_validate(document)

    async def apply(session: Session, payload: Payload, found: Fetched | None) -> None:
        returnee_id = UUID(payload["returnee_id"])
        if found is None or not await keep(session, returnee_id, found, keyring):
            return
        await mark(session, returnee_id, map(bytes.fromhex, found.marks))
        await session.execute(
            update(Arrival)
            .where(Arrival.returnee_id == returnee_id)
            .values(version=Arrival.version + 1, updated_at=now())
        )
        await unite_known(session, returnee_id=returnee_id)

    return JobKind(FETCH_IDENTITY, apply, call)
