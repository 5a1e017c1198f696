"""A database a service, with a role that owns the tables and a role that may only work with
rows.
"""

import asyncpg

GROUP = "homeward_service"
"""NOLOGIN group of every service's role: it holds the privileges on tables, so that migrations need
not name roles.
"""


async def ensure_role(admin: asyncpg.Connection, name: str, password: str) -> None:
    """Create a login role without any attribute, or set its password.

    Args:
        admin: Connection of a superuser.
        name: Of the role.
        password: Its password from now on.
    """
    verb = (
        "ALTER"
        if await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name)
        else "CREATE"
    )
    options = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
    await admin.execute(f"{verb} ROLE {quoted(name)} {options} PASSWORD {literal(password)}")


async def ensure_group(admin: asyncpg.Connection) -> None:
    """Create the group role once."""
    if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", GROUP):
        await admin.execute(f"CREATE ROLE {quoted(GROUP)} NOLOGIN")


async def ensure_database(
    admin: asyncpg.Connection, name: str, *, owner: str, login: str, template: str | None = None
) -> None:
    """Create a database that its owner and its service may connect to, and nobody else.

    Args:
        admin: Connection of a superuser.
        name: Of the database.
        owner: Role that owns it and its tables.
        login: Role that the service logs in with.
        template: Database to copy, with its tables and their privileges.
    """
    await admin.execute(f"GRANT {quoted(GROUP)} TO {quoted(login)}")
    if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        copy = f" TEMPLATE {quoted(template)}" if template else ""
        await admin.execute(f"CREATE DATABASE {quoted(name)} OWNER {quoted(owner)}{copy}")
    await admin.execute(f"REVOKE ALL ON DATABASE {quoted(name)} FROM PUBLIC")
    await admin.execute(f"GRANT CONNECT ON DATABASE {quoted(name)} TO {quoted(login)}")


async def grant_rows(owner: asyncpg.Connection) -> None:
    """As the owner, in its database: rows of tables made from now on are for the group, the tables
    are not.
    """
    await owner.execute(f"GRANT USAGE ON SCHEMA public TO {quoted(GROUP)}")
    await owner.execute(
        f"ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "
        f"{quoted(GROUP)}"
    )
    await owner.execute(
        f"ALTER DEFAULT PRIVILEGES GRANT USAGE, SELECT ON SEQUENCES TO {quoted(GROUP)}"
    )


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string, for statements that take no parameters."""
    return "'" + text.replace("'", "''") + "'"
