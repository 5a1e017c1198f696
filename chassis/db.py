"""The database of a process: one request, job or batch is one transaction, and only this module
commits.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from copy import copy
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import MetaData, func, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from chassis.settings import Settings

Session = AsyncSession
"""What application code is given: it reads, writes and flushes, and never commits."""

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)
"""The chassis' own tables: outbox, inbox, jobs, audit and so on. Every service has them beside its
own.
"""

now = func.clock_timestamp
"""The database's clock, the only one that decides what is due, expired or recorded when."""

CONFLICTS = {"40001", "40P01"}  # serialization_failure, deadlock_detected
LOCK_NOT_AVAILABLE = "55P03"
QUERY_CANCELED = "57014"
"""The statement's time was up: it is slow, or waited for one lock after another, as each lock's
limit begins anew.
"""
OUTAGES = {"57P01", "57P02", "57P03", "25006"}  # shutting down, crashed, starting up, read-only
SILENT_SECONDS = 40.0
"""Nothing came over a connection although every statement had to end before: the way to the server
is broken.
"""
CONNECT_SECONDS = 10.0
"""A server that opens twenty connections at once on a busy machine takes some seconds for each."""
OUTAGE_CLASSES = ("08", "53", "58")  # connection lost, resources exhausted, the system below failed

Hook = Callable[[Session], Awaitable[None]]


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's code of an error, if it has one."""
    return getattr(getattr(error, "orig", error), "sqlstate", None)


def is_conflict(error: BaseException) -> bool:
    """Whether the same work would probably succeed if it were done again: a deadlock or a
    serialisation failure.
    """
    return sqlstate(error) in CONFLICTS


def is_outage(error: BaseException) -> bool:
    """Whether the database could not be reached or was going away, so that nothing is wrong with
    the work itself.
    """
    if isinstance(error, OSError | TimeoutError | NoConnectionFree):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return (
        error.connection_invalidated
        or sqlstate(error) in OUTAGES | CONFLICTS | {LOCK_NOT_AVAILABLE}
        or (sqlstate(error) is None and isinstance(error, InterfaceError | OperationalError))
        or str(sqlstate(error)).startswith(OUTAGE_CLASSES)
    )


def before_commit(session: Session, name: str, hook: Hook) -> None:
    """Run a hook once just before the session's transaction commits; a second one of the same name
    is dropped.

    What must be written after all row locks are held (the outbox) is written here.
    """
    session.info.setdefault("before_commit", {}).setdefault(name, hook)


def after_commit(session: Session, name: str, callback: Callable[[], None]) -> None:
    """Run a callback once after the commit; a second one of the same name is dropped. It must not
    fail.
    """
    session.info.setdefault("after_commit", {}).setdefault(name, callback)


async def commit(session: Session) -> None:
    """Run the hooks, commit, run the callbacks. Called by this module only; a guard test holds
    that.
    """
    hooks: dict[str, Hook] = session.info.pop("before_commit", {})
    await session.flush()
    for hook in hooks.values():
        await hook(session)
    await session.commit()
    callbacks: dict[str, Callable[[], None]] = session.info.pop("after_commit", {})
    for callback in callbacks.values():
        callback()


def _is_open(dbapi_connection: Any) -> bool:
    """Whether a pooled connection still stands. asyncpg hears of its end by itself, without asking
    the server.
    """
    return not dbapi_connection.driver_connection.is_closed()


@asynccontextmanager
async def savepoint(session: Session) -> AsyncIterator[None]:
    """A part of a transaction that is undone alone when it raises, with what it buffered in
    `session.info`.
    """
    buffered = {
        name: copy(value) if isinstance(value, list | dict) else value
        for name, value in session.info.items()
    }
    try:
        async with session.begin_nested():
            yield
            await session.flush()
    except BaseException:
        session.info.clear()
        session.info.update(buffered)
        raise


class Database:
    """The connections of a process to its own database.

    Args:
        url: SQLAlchemy address with the asyncpg driver.
        pool_size: Connections kept; as many again may be opened under load.
        application_name: Shown by PostgreSQL in `pg_stat_activity`.
        statement_timeout: Milliseconds after which a statement is given up.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        application_name: str = "homeward",
        statement_timeout: int = 30_000,
    ) -> None:
        self._application_name = application_name
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=15,
            pool_pre_ping=True,
            hide_parameters=True,  # an error message must not carry what was written about a person
            connect_args={
                "timeout": CONNECT_SECONDS,
                "command_timeout": SILENT_SECONDS,
                "server_settings": {
                    "application_name": application_name,
                    "timezone": "UTC",
                    "jit": "off",
                    "lock_timeout": "10000",
                    "statement_timeout": str(statement_timeout),
                    "idle_in_transaction_session_timeout": "60000",
                },
            },
        )
        self.engine.dialect.do_ping = _is_open  # type: ignore[method-assign] # three round trips become none
        self._sessions = async_sessionmaker(
            self.engine,
            class_=AsyncSession,
            expire_on_commit=False,
            close_resets_only=False,
            info={"database": self},
        )
        self.on_close: list[Callable[[], Awaitable[None]]] = []
        """Awaited by `close`: what holds a connection of its own gives it back here."""

    @classmethod
    def from_settings(cls, settings: Settings, application_name: str) -> "Database":
        """The database that a process's settings name."""
        return cls(
            settings.sqlalchemy_url,
            pool_size=settings.database_pool_size,
            application_name=application_name,
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises.

        The connection is taken with the first statement. Afterwards the session is closed for good:
        a write through it raises `InvalidRequestError`.
        """
        async with self._sessions() as session:
            try:
                yield session
                await commit(session)
            except BaseException:
                await session.rollback()
                raise

    async def run(self, work: Callable[[Session], Awaitable[Any]], *, attempts: int = 4) -> Any:
        """Do `work` in a transaction, again after a deadlock or serialisation failure.

        Args:
            work: Called with a fresh session each time; must have no effect outside it.
            attempts: How often at most.
        """
        for attempt in range(1, attempts + 1):
            try:
                async with self.transaction() as session:
                    return await work(session)
            except DBAPIError as error:
                if attempt == attempts or not is_conflict(error):
                    raise
        raise AssertionError("unreachable")

    async def dedicated(self) -> asyncpg.Connection:
        """A connection outside the pool, for LISTEN and for work of one statement, which commits by
        itself.

        A process that is stopped between two statements of such a connection holds no lock.
        """
        address = self.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        settings = {
            "application_name": f"{self._application_name} relay",
            "timezone": "UTC",
            "statement_timeout": "30000",
        }
        return await asyncpg.connect(
            address,
            timeout=CONNECT_SECONDS,
            command_timeout=SILENT_SECONDS,
            server_settings=settings,
        )

    async def close(self) -> None:
        """Close every connection."""
        for close in self.on_close:
            await close()
        self.on_close.clear()
        await self.engine.dispose()


async def current_time(session: Session) -> datetime:
    """Ask the database's clock."""
    moment: datetime = (await session.execute(select(now()))).scalar_one()
    return moment


async def lock_in_order(
    session: Session, statement_for: Callable[[Any], Any], keys: Sequence[Any]
) -> list[Any]:
    """Lock several rows in id order, so that two commands over the same rows never deadlock.

    Args:
        session: The session.
        statement_for: Makes the `SELECT ... FOR UPDATE` of one key.
        keys: Keys of the rows, in any order.

    Returns:
        The rows in the order of their keys; a key without a row is left out.
    """
    rows = []
    for key in sorted(set(keys)):
        row = (await session.execute(statement_for(key))).scalar_one_or_none()
        if row is not None:
            rows.append(row)
    return rows
