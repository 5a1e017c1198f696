from collections.abc import AsyncIterator

import pytest_asyncio

from tests.conftest import Databases
from tests.reception.desk import Desk, running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(databases: Databases) -> AsyncIterator[Desk]:
    """Reception on a fresh database, called in process."""
    fresh = await databases.new("reception")
    async with running(fresh.url) as desk:
        yield desk
