"""The desk's own copies of who is expected: fetched from cases by a job, kept encrypted, there
while cases is down.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import insert
from sqlmodel import col, delete, update

from chassis.auth import Caller
from chassis.crypto import Keyring
from chassis.db import Session, now
from chassis.jobs import JobKind
from chassis.settings import Settings
from participation import beneficiaries, identities
from participation.identities import Name, Part
from participation.matching_digests import Marks
from services.reception.arrival_matching import unite_known
from services.reception.models import Arrival, MatchingDigest


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
    languages: list[str] = Field(default=[])


class IdentityCopy(Identity):
    """What reception keeps, of which the board shows less."""

    contacts: list[SafeContact] = Field(default=[])
    documents: list[Document] = Field(default=[])
    """Only of somebody whom the desk or a manifest named, until cases adopts them."""


class Fetched(IdentityCopy):
    """What cases says; the marks are kept beside the copy."""

    marks: list[str] = Field(default=[])
    """Keyed digests of the person's documents and references, in hexadecimal."""


async def keep(session: Session, returnee_id: UUID, copy: IdentityCopy, keyring: Keyring) -> bool:
    """Keep who somebody is, encrypted; False if the person was erased meanwhile."""
    return await identities.keep(
        session, returnee_id, IdentityCopy.model_validate(copy.model_dump()), keyring
    )


async def read(
    session: Session, returnee_ids: Iterable[UUID], keyring: Keyring
) -> dict[UUID, Identity]:
    """What the desk sees of people. The caller of this audits the reading."""
    return await identities.read(session, returnee_ids, keyring, Identity)


async def read_shown(
    session: Session, caller: Caller, returnee_ids: Iterable[UUID], keyring: Keyring
) -> dict[UUID, Identity]:
    """What the desk sees of people whose identity may be shown to the caller, who audits it."""
    return await identities.read_shown(session, caller, returnee_ids, keyring, Identity)


async def read_copy(session: Session, returnee_id: UUID, keyring: Keyring) -> IdentityCopy | None:
    """All that is kept of somebody. The caller of this audits the reading."""
    return (await identities.read(session, [returnee_id], keyring, IdentityCopy)).get(returnee_id)


async def keep_new(
    session: Session, copies: Mapping[UUID, IdentityCopy], keyring: Keyring, marks: Marks
) -> None:
    """Keep, and mark, who people are whom reception has just given an id."""
    documents = {
        who: IdentityCopy.model_validate(copy.model_dump()).model_dump_json().encode()
        for who, copy in copies.items()
    }
    await beneficiaries.keep_identities(session, documents, keyring)
    rows = {
        (who, marks.document(document.number))
        for who, copy in copies.items()
        for document in copy.documents
    }
    if rows:
        await session.execute(
            insert(MatchingDigest),
            [{"returnee_id": who, "digest": digest} for who, digest in sorted(rows)],
        )


async def replace_digests(session: Session, returnee_id: UUID, digests: Iterable[bytes]) -> None:
    """Note by what a person is recognised in manifests, instead of what was noted before."""
    await session.execute(
        delete(MatchingDigest).where(col(MatchingDigest.returnee_id) == returnee_id)
    )
    rows: list[Mapping[str, Any]] = [
        {"returnee_id": returnee_id, "digest": digest} for digest in sorted(set(digests))
    ]
    if rows:
        await session.execute(insert(MatchingDigest), rows)


def fetch_job(settings: Settings) -> JobKind:
    """The job that fetches an identity from cases and keeps a minimal copy."""

    async def fetched(
        session: Session, returnee_id: UUID, fetched_copy: Fetched, keyring: Keyring
    ) -> None:
        if not await keep(session, returnee_id, fetched_copy, keyring):
            return
        await replace_digests(session, returnee_id, map(bytes.fromhex, fetched_copy.marks))
        await session.execute(
            update(Arrival)
            .where(col(Arrival.returnee_id) == returnee_id)
            .values(version=Arrival.version + 1, updated_at=now())
        )
        await unite_known(session, returnee_id=returnee_id)

    return identities.fetch_job(settings, Fetched, fetched)
