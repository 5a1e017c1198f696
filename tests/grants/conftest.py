from collections.abc import AsyncIterator

import pytest_asyncio

from tests.conftest import NewDatabase
from tests.grants.office import Office, running


@pytest_asyncio.fixture
async def office(new_database: NewDatabase) -> AsyncIterator[Office]:
    async with running((await new_database("grants")).url) as made:
        yield made
