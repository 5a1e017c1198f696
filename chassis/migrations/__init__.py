"""Migrations by Alembic: one chain for the chassis' own tables, one for the service's, both in the service's database."""

from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from chassis.db import metadata as chassis_metadata
from chassis.settings import async_url

HERE = Path(__file__).resolve().parent
CHASSIS_VERSIONS = HERE / "versions"
CHASSIS_VERSION_TABLE = "alembic_version_chassis"
SERVICE_VERSION_TABLE = "alembic_version"
MIGRATION_LOCK = 0x40E3

Chain = tuple[Path, MetaData, str]


def chains(versions: Path, metadata: MetaData) -> list[Chain]:
    """The chassis' chain, then the service's, as (folder, tables, version table)."""
    return [
        (CHASSIS_VERSIONS, chassis_metadata, CHASSIS_VERSION_TABLE),
        (versions, metadata, SERVICE_VERSION_TABLE),
    ]


def config_of(chain: Chain, connection: Connection | None = None) -> Config:
    """Alembic's configuration of one chain."""
    versions, metadata, version_table = chain
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(slug)s")
    config.attributes.update(connection=connection, metadata=metadata, version_table=version_table)
    return config


def heads(chain: Chain) -> Sequence[str]:
    """The newest revisions of a chain; more than one is a mistake."""
    return ScriptDirectory.from_config(config_of(chain)).get_heads()


async def upgrade(url: str, versions: Path, metadata: MetaData) -> None:
    """Bring a database up to date: all of it or nothing, and only one process at a time.

    Args:
        url: `postgresql://` address as the role that owns the tables.
        versions: The service's migrations.
        metadata: The service's tables.
    """

    def migrate(connection: Connection) -> None:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        connection.execute(text("SET LOCAL statement_timeout = '10min'"))
        for chain in chains(versions, metadata):
            command.upgrade(config_of(chain, connection), "head")

    engine = create_async_engine(async_url(url), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


async def drift(url: str, versions: Path, metadata: MetaData) -> list[str]:
    """What the models say and the migrated database does not, or the other way round; empty when they agree."""

    def compare(connection: Connection) -> list[str]:
        tables = set(chassis_metadata.tables) | set(metadata.tables) | {CHASSIS_VERSION_TABLE, SERVICE_VERSION_TABLE}
        found: list[str] = []
        for _, tables_of_chain, version_table in chains(versions, metadata):
            own = set(tables_of_chain.tables)
            context = MigrationContext.configure(
                connection,
                opts={
                    "compare_type": True,
                    "compare_server_default": True,
                    "version_table": version_table,
                    "include_name": lambda name, kind, _, own=own: kind != "table" or name in own or name not in tables,
                },
            )
            found += [str(change) for change in compare_metadata(context, tables_of_chain)]
        return found

    engine = create_async_engine(async_url(url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(compare)
    finally:
        await engine.dispose()
