"""Migrations by Alembic: a chain for the chassis' own tables and one for the service's, both in its
database.
"""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, MetaData, Table, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from chassis.db import metadata as chassis_metadata
from chassis.settings import async_url
from chassis.tables import CODES

HERE = Path(__file__).resolve().parent
CHASSIS_VERSIONS = HERE / "versions"
CHASSIS_VERSION_TABLE = "alembic_version_chassis"
SERVICE_VERSION_TABLE = "alembic_version"
MIGRATION_LOCK = 0x40E3

Chain = tuple[Path, MetaData, str]


def chains(versions: Path | None, metadata: MetaData | None) -> list[Chain]:
    """The chassis' chain, then the service's if there is one, as (folder, tables, version
    table).
    """
    found: list[Chain] = [(CHASSIS_VERSIONS, chassis_metadata, CHASSIS_VERSION_TABLE)]
    if versions is not None and metadata is not None:
        found.append((versions, metadata, SERVICE_VERSION_TABLE))
    return found


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


async def upgrade(url: str, versions: Path | None, metadata: MetaData | None) -> None:
    """Bring a database up to date: all of it or nothing, and only one process at a time.

    Args:
        url: `postgresql://` address as the role that owns the tables.
        versions: The service's migrations; None for the chassis alone.
        metadata: The service's tables.
    """

    def migrate(connection: Connection) -> None:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        connection.execute(text("SET LOCAL statement_timeout = '10min'"))
        for chain in chains(versions, metadata):
            command.upgrade(config_of(chain, connection), "head")
            for table in chain[1].sorted_tables:
                _hold_codes(connection, table)

    engine = create_async_engine(async_url(url), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
    finally:
        await engine.dispose()


SAID = text("""
    SELECT obj_description(oid) FROM pg_constraint
    WHERE conrelid = to_regclass(:table) AND conname = :name
""")


def _hold_codes(connection: Connection, table: Table) -> None:
    """Make the CHECKs of a table's codes anew where the codes have changed.

    The codes that a CHECK was made from are its comment. A code that is gone and is still in a row
    stops the migration, as it should.
    """
    prepare = connection.dialect.identifier_preparer
    where = prepare.format_table(table)
    for constraint in table.constraints:
        if CODES not in constraint.info:
            continue
        assert isinstance(constraint, CheckConstraint)
        name = str(prepare.format_constraint(constraint))
        codes = constraint.info[CODES]
        if connection.execute(SAID, {"table": where, "name": name.strip('"')}).scalar() == codes:
            continue
        for statement in (
            f"ALTER TABLE {where} DROP CONSTRAINT IF EXISTS {name}",
            f"ALTER TABLE {where} ADD CONSTRAINT {name} CHECK ({constraint.sqltext})",
            f"COMMENT ON CONSTRAINT {name} ON {where} IS $${codes}$$",
        ):
            connection.exec_driver_sql(statement)


async def new_revision(url: str, chain: Chain, message: str) -> None:
    """Write a revision with what the models have and a migrated database lacks; to be read and
    completed by hand.

    Args:
        url: Address of a database that is up to date with the chain, as the owner of its tables.
        chain: Which chain it belongs to.
        message: What it does, in a few words; becomes part of the file's name.
    """

    def write(connection: Connection) -> None:
        command.revision(config_of(chain, connection), message, autogenerate=True)

    engine = create_async_engine(async_url(url), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(write)
    finally:
        await engine.dispose()


async def drift(url: str, versions: Path | None, metadata: MetaData | None) -> list[str]:
    """What the models say and the migrated database does not, or the other way round; empty when
    they agree.
    """

    def compare(connection: Connection) -> list[str]:
        found: list[str] = []
        for _, tables, version_table in chains(versions, metadata):
            options = {
                "compare_type": True,
                "compare_server_default": True,
                "version_table": version_table,
                "include_name": lambda name, kind, _, own=tables.tables: (
                    kind != "table" or name in own
                ),
            }
            context = MigrationContext.configure(connection, opts=options)
            with warnings.catch_warnings():
                # Alembic compares the words of an expression, which PostgreSQL writes in its own
                # way.
                warnings.filterwarnings("ignore", "Computed default on .* cannot be modified")
                found += [str(change) for change in compare_metadata(context, tables)]
            for table in tables.sorted_tables:
                found += _computed_otherwise(connection, table)
                found += _checked_otherwise(connection, table)
        return found

    engine = create_async_engine(async_url(url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(compare)
    finally:
        await engine.dispose()


CHECKS = text("""
    SELECT conname, obj_description(oid) AS codes FROM pg_constraint
    WHERE conrelid = to_regclass(:table) AND contype = 'c'
""")


def _checked_otherwise(connection: Connection, table: Table) -> Iterator[str]:
    """CHECKs that only the model or only the database has, or that hold other codes."""
    prepare = connection.dialect.identifier_preparer
    rows = connection.execute(CHECKS, {"table": prepare.format_table(table)})
    there = {row.conname: row.codes for row in rows}
    wanted = {
        str(prepare.format_constraint(constraint)).strip('"'): constraint.info.get(CODES)
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    for name in sorted(there.keys() ^ wanted.keys()):
        where = "model" if name in wanted else "database"
        yield f"{table.name}: only the {where} has the CHECK {name}"
    for name in sorted(there.keys() & wanted.keys()):
        if there[name] != wanted[name]:
            yield f"{table.name}: {name} holds {there[name]}, the model has {wanted[name]}"


REGCLASS = text("SELECT to_regclass(:name)")
COMPUTED_AS = text("""
    SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
    JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE d.adrelid = to_regclass(:name) AND a.attname = :column AND a.attgenerated <> ''
""")


def _computed_otherwise(connection: Connection, table: Table) -> Iterator[str]:
    """Columns that the database computes in another way than the model says.

    PostgreSQL writes an expression in its own words, so the model's is written by it too, into a
    table that is gone with the transaction.
    """
    prepare = connection.dialect.identifier_preparer
    for column in table.columns:
        if (
            column.computed is None
            or not connection.execute(REGCLASS, {"name": prepare.format_table(table)}).scalar()
        ):
            continue
        name, kind = prepare.quote(column.name), column.type.compile(connection.dialect)
        stored = "STORED" if column.computed.persisted else "VIRTUAL"
        for statement in (
            f"CREATE TEMP TABLE computed_probe (LIKE {prepare.format_table(table)})",
            f"ALTER TABLE computed_probe DROP COLUMN {name}",
            (
                f"ALTER TABLE computed_probe ADD {name} {kind} GENERATED ALWAYS AS "
                f"({column.computed.sqltext}) {stored}"
            ),
        ):
            connection.exec_driver_sql(statement)
        there, wanted = (
            connection.execute(COMPUTED_AS, {"name": where, "column": column.name}).scalar()
            for where in (prepare.format_table(table), "computed_probe")
        )
        connection.exec_driver_sql("DROP TABLE computed_probe")
        if there != wanted:
            yield f"{table.name}.{column.name} is computed as {there}, not as {wanted}"
