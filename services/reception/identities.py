"""The desk's own copies of who is expected: fetched from cases by a job, kept encrypted, there while cases is down."""

from collections.abc import Iterable
from uuid import UUID

import structlog
from pydantic import BaseModel, ConfigDict
from sqlalchemy import update

from chassis import beneficiaries, jobs
from chassis.crypto import Keyring
from chassis.db import Session, now
from chassis.http import CallFailed, ServiceClient
from chassis.jobs import JobKind, Payload
from chassis.settings import Settings
from services.reception.models import Arrival

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


class Identity(Part):
    """By what the desk recognises a person."""

    names: list[Name]
    sex: str | None = None
    birth: Birth | None = None
    nationality: str | None = None
    languages: list[str] = []


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

    async def call(client: ServiceClient, payload: Payload) -> Identity | None:
        try:
            document = await client.get("cases", f"/v1/returnees/{payload['returnee_id']}/identity")
        except CallFailed as failed:
            if failed.status != NOT_FOUND:
                raise
            log.info("no identity to keep: cases does not have the returnee any more")
            return None
        return Identity.model_validate(document)

    async def apply(session: Session, payload: Payload, identity: Identity | None) -> None:
        returnee_id = UUID(payload["returnee_id"])
        if identity is None:
            return
        if await beneficiaries.keep_identity(session, returnee_id, identity.model_dump_json().encode(), keyring):
            await session.execute(
                update(Arrival)
                .where(Arrival.returnee_id == returnee_id)
                .values(version=Arrival.version + 1, updated_at=now())
            )

    return JobKind(FETCH_IDENTITY, apply, call)
