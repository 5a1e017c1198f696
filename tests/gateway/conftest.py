"""The gateway as an application, on a fresh database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest_asyncio
from fastapi import FastAPI

from chassis.app import Homeward, create_app
from chassis.db import Database
from gateway.app import service
from gateway.identity.service import ensure_client, ensure_organisation
from tests import tokens
from tests.conftest import NewDatabase

SECRET = "correct-horse-battery-staple"
CLIENTS = {
    "operator": ("homeward", "internal", (), ("organisations:manage",)),
    "service-cases": ("homeward", "internal", (), ("internal", "act-for-users")),
    "bamf": ("bamf", "referrer", (), ("timeline:read", "act-for-users", "referrals:submit")),
    "fedasil": ("fedasil", "referrer", (), ("timeline:read",)),
    "iom-iraq": ("iom-iraq", "partner", (), ("timeline:read", "referrals:decide")),
    "office": ("office", "programme_office", ("eurp",), ("timeline:read",)),
}


@dataclass
class Gateway:
    """A running gateway."""

    app: FastAPI
    http: httpx.AsyncClient

    @property
    def here(self) -> Homeward:
        return self.app.state.homeward

    @property
    def database(self) -> Database:
        return self.here.database

    async def token(self, client: str, secret: str = SECRET, **form: str) -> httpx.Response:
        return await self.http.post(
            "/oauth/token", data={"grant_type": "client_credentials"} | form, auth=(client, secret)
        )

    async def bearer(self, client: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {(await self.token(client)).json()['access_token']}"}


@pytest_asyncio.fixture
async def gateway(new_database: NewDatabase) -> AsyncIterator[Gateway]:
    database = await new_database("gateway")
    async with Running(database.url) as made:
        yield made


@pytest_asyncio.fixture
async def registered(gateway: Gateway) -> Gateway:
    """With organisations and clients."""
    async with gateway.database.transaction() as session:
        for client, (organisation, kind, programmes, scopes) in CLIENTS.items():
            await ensure_organisation(session, organisation, kind, organisation, programmes)
            await ensure_client(session, client, organisation, SECRET, scopes)
    return gateway


class Running:
    """The application with its lifespan, and a client that calls it."""

    def __init__(self, url: str, **settings: object) -> None:
        self.app = create_app(service, tokens.settings(url, **settings))

    async def __aenter__(self) -> Gateway:
        self.lifespan = self.app.router.lifespan_context(self.app)
        await self.lifespan.__aenter__()
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://gateway.test"
        )
        return Gateway(self.app, self.http)

    async def __aexit__(self, *error: object) -> None:
        await self.http.aclose()
        await self.lifespan.__aexit__(*error)
