"""Draft a revision: what the models have and a freshly migrated database lacks."""

import asyncio
import importlib
import pkgutil
import secrets
import shutil
import tempfile
from pathlib import Path

import chassis
from chassis import migrations
from cli.embedded import EmbeddedPostgres, free_port
from cli.roles import ROLES

CHASSIS = "chassis"


def draft(role: str, message: str) -> None:
    """Write the next revision of a role's chain, or of the chassis' own, to be read and completed
    by hand.

    Args:
        role: A role, or `chassis`.
        message: What it does, in a few words.
    """
    for module in pkgutil.iter_modules(chassis.__path__, "chassis."):
        importlib.import_module(module.name)
    folder = Path(tempfile.mkdtemp(prefix="homeward-migration-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account and must pass through
    server = EmbeddedPostgres(
        folder / "data",
        free_port(),
        password=secrets.token_hex(),
        log=folder / "log",
        durable=False,
    )
    try:
        server.start()
        asyncio.run(_draft(server.url(), role, message))
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


async def _draft(url: str, role: str, message: str) -> None:
    service = None if role == CHASSIS else ROLES[role].service()
    versions, metadata = (service.migrations, service.metadata) if service else (None, None)
    await migrations.upgrade(url, versions, metadata)
    await migrations.new_revision(url, migrations.chains(versions, metadata)[-1], message)
