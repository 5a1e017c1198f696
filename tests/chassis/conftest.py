from collections.abc import AsyncIterator

import pytest_asyncio

from tests.chassis import probe as probing
from tests.conftest import Databases, FreshDatabase


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def probe_database(databases: Databases) -> FreshDatabase:
    fresh = await databases.new()
    await probing.make_tables(fresh.owner_url)
    return fresh


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def probe(probe_database: FreshDatabase) -> AsyncIterator[probing.Probe]:
    async with probing.running(probe_database.url) as running:
        yield running
