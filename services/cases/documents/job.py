"""What happens to documents without being asked."""

from datetime import UTC, datetime, timedelta
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
UNKNOWN = "cases.document.unknown"
EVERY = timedelta(hours=1)
UPLOAD_SURELY_OVER = timedelta(days=1)
"""No upload lasts so long: what no row speaks of by then was never committed."""

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

    async def look_for_unknown(_: ServiceClient, __: Payload) -> list[UUID]:
        if settings.documents_url is None:
            return []
        before = datetime.now(UTC) - UPLOAD_SURELY_OVER
        return [found async for page in store.stored_before(before) for found in page]

    async def unknown(session: Session, _: Payload, stored: list[UUID]) -> None:
        for start in range(0, len(stored), service.AT_ONCE):
            await service.forget_unknown(session, stored[start : start + service.AT_ONCE])

    return [
        JobKind(service.REMOVE, taken_out, take_out),
        JobKind(RETENTION, retain, every=EVERY),
        JobKind(UNKNOWN, unknown, look_for_unknown, every=UPLOAD_SURELY_OVER),
    ]
