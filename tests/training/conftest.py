from collections.abc import AsyncIterator

import pytest_asyncio

from tests.conftest import Databases
from tests.training.school import School, running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def school(databases: Databases) -> AsyncIterator[School]:
    """Training on a fresh database, called in process."""
    fresh = await databases.new("training")
    async with running(fresh.url) as school:
        yield school
