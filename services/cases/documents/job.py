"""What happens to documents without being asked."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog

from chassis.crypto import Keyring
from chassis.db import Session
from chassis.documents import Documents
from chassis.http import ServiceClient
from chassis.jobs import JobKind, Payload
from chassis.settings import Settings
from services.cases.documents import service

RETENTION = "cases.document.retention"
EVERY = timedelta(hours=1)

log = structlog.get_logger("homeward.cases.documents")


def document_jobs(settings: Settings) -> list[JobKind]:
    """Forget documents whose time is over, and take forgotten ones out of the store.

    Args:
        settings: Of the process: where the store is.
    """
    store = Documents(settings, Keyring.from_settings(settings))

    async def take_out(_: ServiceClient, payload: Payload) -> None:
        await store.remove(UUID(payload["document_id"]))

    async def taken_out(_: Session, payload: Payload, __: Any) -> None:
        log.info("a document was taken out of the store", document_id=payload["document_id"])

    async def retain(session: Session, _: Payload, __: Any) -> None:
        await service.forget_expired(session)

    return [JobKind(service.REMOVE, taken_out, take_out), JobKind(RETENTION, retain, every=EVERY)]
