"""The gateway: one door for partners, and one timeline per returnee."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import structlog
from fastapi import FastAPI

from chassis.app import Homeward, Service
from chassis.db import is_outage
from chassis.streams import Closing
from gateway.docs import routes as docs
from gateway.events import routes as events
from gateway.export import routes as export
from gateway.handlers import SOURCES, on_events
from gateway.identity import routes as identity
from gateway.identity.keys import fetch_keys
from gateway.identity.service import revocations
from gateway.limits import RateLimit
from gateway.models import Base
from gateway.proxy import routes as proxy
from gateway.timeline import routes as timeline

REVOCATIONS_EVERY_SECONDS = 2.0
"""Other replicas of the gateway revoke too."""

log = structlog.get_logger("homeward.gateway")


async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """What runs beside the application."""
    here: Homeward = app.state.homeward
    app.state.proxy = proxy.Connections()
    app.state.closing = closing = Closing()
    polling = asyncio.create_task(poll_revocations(here), name="revocations")
    try:
        yield
    finally:
        polling.cancel()
        with suppress(asyncio.CancelledError):
            await polling
        closing.end()
        await app.state.proxy.aclose()


async def poll_revocations(here: Homeward) -> None:
    """Keep the list of revoked clients up to date from our own table, for ever."""
    while True:
        try:
            async with here.database.transaction() as session:
                here.authenticator.revocations.replace(await revocations(session))
        except Exception as error:  # noqa: BLE001 - whatever it was: who no longer looks would accept revoked clients for ever
            say = log.warning if is_outage(error) else log.error
            say("revocations could not be read", error=type(error).__name__)
        await asyncio.sleep(REVOCATIONS_EVERY_SECONDS)


service = Service(
    name="gateway",
    title="Homeward",
    description="The API platform of return and reintegration programmes: one door, one timeline "
    "per returnee.",
    routers=[
        identity.oauth,
        identity.organisations,
        identity.clients,
        timeline.router,
        export.router,
        events.router,
        docs.documents,
        docs.pages,
        proxy.router,
    ],
    metadata=Base.metadata,
    migrations=Path(__file__).parent / "migrations" / "versions",
    batch_handler=on_events,
    sources=SOURCES,
    knows_people_from="cases",
    fetch_keys=fetch_keys,
    lifespan=lifespan,
    middleware=[RateLimit],
)
