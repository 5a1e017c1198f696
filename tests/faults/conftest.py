from collections.abc import AsyncIterator

import pytest_asyncio

from tests.conftest import Kafka, NewDatabase
from tests.faults.world import World, new_world


@pytest_asyncio.fixture
async def world(new_database: NewDatabase, kafka: Kafka) -> AsyncIterator[World]:
    """Two services, a broker, and the way of an event between them."""
    made = await new_world(new_database, kafka.bootstrap)
    yield made
    await made.close()
