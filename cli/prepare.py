"""Make the databases of one machine ready: roles, databases, tables, organisations and clients. Can
be run again.
"""

import asyncio
import importlib
import time

import asyncpg
from alembic.util.exc import CommandError
from pydantic import SecretStr

from chassis.db import Database
from chassis.migrations import upgrade
from chassis.settings import Settings, async_url
from cli.databases import ensure_database, ensure_group, ensure_role, grant_rows
from cli.development import register_all
from cli.machine import CannotRun, Machine
from cli.roles import ROLES
from contracts.programmes import load_programmes

WAIT_SECONDS = 60.0
POLL_SECONDS = 0.02
STARTING = (OSError, asyncpg.CannotConnectNowError)


async def prepare(machine: Machine) -> None:
    """Make every role's database ready.

    Args:
        machine: Whose PostgreSQL it is; it may still be starting.

    Raises:
        CannotRun: The secrets do not belong to the data, or a newer version has been here.
    """
    for role in ROLES.values():
        importlib.import_module(f"{role.package}.app")  # while PostgreSQL is starting
    admin = await connect(machine)
    try:
        await ensure_group(admin)
        for role in ROLES.values():
            await ensure_role(
                admin, role.database_owner, machine.database_password(role.database_owner)
            )
            await ensure_role(admin, role.database, machine.database_password(role.database))
            await ensure_database(
                admin, role.database, owner=role.database_owner, login=role.database
            )
    finally:
        await admin.close()
    for (
        name,
        role,
    ) in ROLES.items():  # one after the other: Alembic's context belongs to the process
        owner = await asyncpg.connect(machine.database_url(name, owner=True))
        await grant_rows(owner)
        await owner.close()
        service = role.service()
        try:
            await upgrade(
                machine.database_url(name, owner=True), service.migrations, service.metadata
            )
        except CommandError as error:
            raise CannotRun(
                f"The database of {name} cannot be migrated by this version: {error}"
            ) from None
    settings = Settings(database_url=SecretStr(machine.database_url("gateway")))
    database = Database(
        async_url(machine.database_url("gateway")), application_name="homeward-prepare"
    )
    try:
        async with database.transaction() as session:
            await register_all(session, machine, load_programmes(settings.programmes_path))
    finally:
        await database.close()


async def connect(machine: Machine) -> asyncpg.Connection:
    """Connect as superuser, as soon as PostgreSQL takes connections.

    Raises:
        CannotRun: The secrets do not belong to the data.
        OSError: It took none within a minute.
    """
    give_up = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return await asyncpg.connect(machine.admin_url())
        except asyncpg.InvalidPasswordError:
            raise CannotRun(
                f"{machine.postgres_data} was made with other secrets than "
                f"{machine.home / 'secrets.json'}. "
                "Put the file back, or remove the whole folder to begin anew."
            ) from None
        except STARTING:
            if time.monotonic() > give_up:
                raise
        await asyncio.sleep(POLL_SECONDS)
