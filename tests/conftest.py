"""PostgreSQL, databases and a broker for tests: the real ones, a set for every pytest-xdist
worker.
"""

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import hypothesis
import pytest
import pytest_asyncio

from chassis import migrations
from cli.databases import ensure_database, ensure_group, ensure_role, grant_rows
from cli.embedded import EmbeddedBroker, EmbeddedPostgres, free_port
from cli.kafka import ApacheKafka
from cli.roles import ROLES
from tests.platform import Platform, running_platform

# How long a machine that is busy takes to think of an example says nothing about the code.
hypothesis.settings.register_profile(
    "busy", suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")

OWNER, LOGIN, PASSWORD = "homeward_test_owner", "homeward_test", "only-for-tests"


@dataclass(frozen=True)
class FreshDatabase:
    """A migrated, empty database."""

    url: str
    """As the least-privilege role that a service works with."""
    owner_url: str
    """As the role that owns the tables."""
    admin_url: str
    """As a superuser, for faults."""


NewDatabase = Callable[..., Awaitable[FreshDatabase]]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All faults and journeys are tests of the way of an event."""
    for item in items:
        if item.path.parent.name in {"faults", "journeys"}:
            item.add_marker("kafka")


class Databases:
    """Makes databases by copying a template that was migrated once.

    Args:
        admin_url: Address of a superuser on the test server.
    """

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self._run = secrets.token_hex(4)
        self._made: list[str] = []
        self._templates: dict[str, str] = {}
        self._lock = asyncio.Lock()

    def address(self, database: str, user: str | None = None) -> str:
        parts = urlsplit(self.admin_url)
        host = parts.netloc.rpartition("@")[2]
        netloc = f"{user}:{PASSWORD}@{host}" if user else parts.netloc
        return urlunsplit(parts._replace(netloc=netloc, path=f"/{database}"))

    async def new(self, role: str = "chassis") -> FreshDatabase:
        """A database with the tables of the chassis and, unless `role` is `chassis`, of that
        service.
        """
        admin = await asyncpg.connect(self.admin_url)
        try:
            async with self._lock:  # a template may have no other user while it is copied
                template = self._templates.get(role) or await self._template(admin, role)
                name = f"test_{role}_{self._run}_{len(self._made)}"
                self._made.append(name)
                await ensure_database(admin, name, owner=OWNER, login=LOGIN, template=template)
        finally:
            await admin.close()
        return FreshDatabase(
            self.address(name, LOGIN), self.address(name, OWNER), self.address(name)
        )

    async def drop_all(self) -> None:
        admin = await asyncpg.connect(self.admin_url)
        for name in self._made:
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()

    async def _template(self, admin: asyncpg.Connection, role: str) -> str:
        if not self._templates:
            await ensure_group(admin)
            await ensure_role(admin, OWNER, PASSWORD)
            await ensure_role(admin, LOGIN, PASSWORD)
        name = f"test_template_{role}_{self._run}"
        self._made.append(name)
        await ensure_database(admin, name, owner=OWNER, login=LOGIN)
        owner = await asyncpg.connect(self.address(name, OWNER))
        await grant_rows(owner)
        await owner.close()
        await migrate(self.address(name, OWNER), role)
        self._templates[role] = name
        return name


async def migrate(url: str, role: str) -> None:
    """Make the tables, by the migrations."""
    if role == "chassis":
        await migrations.upgrade(url, None, None)
    else:
        service = ROLES[role].service()
        await migrations.upgrade(url, service.migrations, service.metadata)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a superuser on a PostgreSQL for tests: ours, or the one that
    HOMEWARD_TEST_DATABASE_URL names.
    """
    given = os.environ.get("HOMEWARD_TEST_DATABASE_URL")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="homeward-test-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account and must pass through
    server = EmbeddedPostgres(
        folder / "data",
        free_port(),
        password=PASSWORD,
        log=folder / "log",
        durable=False,
        settings={"max_connections": "300"},
    )
    try:
        server.start()
        yield server.url()
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session")
async def databases(postgres: str) -> AsyncIterator[Databases]:
    """Makes databases that live until the session ends; for fixtures of a wider scope than a
    test.
    """
    made = Databases(postgres)
    yield made
    if os.environ.get("HOMEWARD_TEST_DATABASE_URL"):
        await made.drop_all()


@pytest.fixture
def new_database(databases: Databases) -> NewDatabase:
    """`await new_database("cases")`: a fresh migrated database; without a name, one with the
    chassis' tables only.
    """
    return databases.new


Kafka = EmbeddedBroker | ApacheKafka


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A broker: the embedded one, or Apache Kafka where HOMEWARD_TEST_KAFKA is `apache`.

    Whoever stops, pauses or empties it leaves it running for the next test.
    """
    folder = Path(tempfile.mkdtemp(prefix="homeward-test-"))
    broker: Kafka
    if os.environ.get("HOMEWARD_TEST_KAFKA") == "apache":
        broker = ApacheKafka(folder / "kafka", free_port(), log=folder / "broker.log")
    else:
        broker = EmbeddedBroker(free_port(), log=folder / "broker.log")
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_folder() -> Iterator[Path]:
    """A folder that another account may pass through; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="homeward-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="session")
async def platform() -> AsyncIterator[Platform]:
    """The whole platform, started once."""
    async with running_platform({"HOMEWARD_REQUESTS_PER_MINUTE": "1000000"}) as started:
        yield started
