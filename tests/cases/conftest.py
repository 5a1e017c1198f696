from collections.abc import AsyncIterator

import pytest_asyncio

from tests.cases.house import House, running
from tests.conftest import Databases


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(databases: Databases) -> AsyncIterator[House]:
    """Cases on a fresh database, called in process."""
    fresh = await databases.new("cases")
    async with running(fresh.url) as house:
        yield house
