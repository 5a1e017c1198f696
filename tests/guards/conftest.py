"""One walked return for all guards."""

import pytest_asyncio

from tests.guards.world import World, build
from tests.platform import Platform


@pytest_asyncio.fixture(scope="session")
async def world(platform: Platform) -> World:
    """A return with an id for everything in it."""
    return await build(platform)
