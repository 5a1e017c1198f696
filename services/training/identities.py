"""Training's own copies of who takes part, for rosters and certificates: fetched by a job, encrypted, minimal."""

from collections.abc import Iterable
from uuid import UUID

import structlog
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from chassis import beneficiaries, jobs
from chassis.crypto import Keyring
from chassis.db import Session
from chassis.http import CallFailed, ServiceClient
from chassis.jobs import JobKind, Payload
from chassis.settings import Settings

FETCH_IDENTITY = "training.identity.fetch"
NOT_FOUND = 404

log = structlog.get_logger("homeward.training")


class Part(BaseModel):
    """Base of what a copy keeps: other members are left behind, and errors show no values."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Name(Part):
    """A name in one script, as written."""

    script: str
    """ISO 15924."""
    given: str = ""
    father: str = ""
    grandfather: str = ""
    family: str = ""

    @property
    def whole(self) -> str:
        """The parts that are there, in order."""
        return " ".join(part for part in (self.given, self.father, self.grandfather, self.family) if part)


class Identity(Part):
    """By what a lecturer recognises a participant, and what a certificate says."""

    names: list[Name]


async def fetch_later(session: Session, returnee_id: UUID) -> None:
    """Have the copy of a participant's identity fetched, or fetched again."""
    await jobs.schedule(session, FETCH_IDENTITY, {"returnee_id": str(returnee_id)}, key=str(returnee_id))


async def is_kept(session: Session, returnee_id: UUID) -> bool:
    """Whether there is a copy."""
    copy = beneficiaries.identity_copy.c
    return await session.scalar(select(copy.returnee_id).where(copy.returnee_id == returnee_id)) is not None


async def forget(session: Session, returnee_id: UUID) -> None:
    """Take back a fetch that is not wanted any more; the copy itself is deleted with the projection of the person."""
    await jobs.cancel(session, FETCH_IDENTITY, str(returnee_id))


async def read(session: Session, returnee_ids: Iterable[UUID], keyring: Keyring) -> dict[UUID, Identity]:
    """The copies that are there. The caller of this audits the reading."""
    copies = await beneficiaries.identities(session, sorted(set(returnee_ids)), keyring)
    return {returnee_id: Identity.model_validate_json(copy) for returnee_id, copy in copies.items()}


def fetch_job(settings: Settings) -> JobKind:
    """The job that fetches an identity from cases and keeps the names."""
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
        if identity is not None:
            document = identity.model_dump_json().encode()
            await beneficiaries.keep_identity(session, UUID(payload["returnee_id"]), document, keyring)

    return JobKind(FETCH_IDENTITY, apply, call)
