"""What a row costs when its table is a SQLModel class, beside one of plain SQLAlchemy.

    python -m benchmarks.tables [rows]

The same columns, the same PostgreSQL, taken in turns: one row a transaction, made, flushed,
changed, flushed and read back. Beside them the same statements through asyncpg alone. It says
nothing of what a request costs beside its rows.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import DateTime, Text, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry

from chassis.db import Database, now
from chassis.settings import async_url
from chassis.tables import Table, column, new_metadata
from cli.embedded import EmbeddedPostgres, free_port

ROUNDS = 5


class Light(StrEnum):
    """A list of codes."""

    RED = "red"
    GREEN = "green"


class PlainBase(DeclarativeBase):
    """Of the table of plain SQLAlchemy."""


class Plain(PlainBase):
    """The table of plain SQLAlchemy."""

    __tablename__ = "plain"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    note: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=now())


class Base(Table, registry=registry(metadata=new_metadata())):
    """Of the SQLModel table."""


class Typed(Base, table=True):
    """The same table as a SQLModel class."""

    __tablename__ = "typed"

    id: UUID = column(primary_key=True)
    state: Light
    note: str | None = None
    version: int = column(default=1)
    created_at: datetime = column(server_default=now())


async def mapped(database: Database, model: type[Plain] | type[Typed]) -> None:
    row_id = uuid4()
    async with database.transaction() as session:
        row = model(id=row_id, state=Light.RED)
        session.add(row)
        await session.flush()
        row.state = Light.GREEN
        row.version += 1
        await session.flush()
    async with database.transaction() as session:
        found = await session.scalar(select(model).where(model.id == row_id))
        assert found is not None
        assert found.version == 2


async def bare(connection: asyncpg.Connection) -> None:
    row_id = uuid4()
    async with connection.transaction():
        insert = "INSERT INTO plain (id, state, version) VALUES ($1, 'red', 1)"
        await connection.execute(insert, row_id)
        update = "UPDATE plain SET state = 'green', version = 2 WHERE id = $1"
        await connection.execute(update, row_id)
    async with connection.transaction():
        assert await connection.fetchrow("SELECT * FROM plain WHERE id = $1", row_id)


async def rate(work: Callable[[], Awaitable[None]], rows: int) -> float:
    begun = time.perf_counter()
    for _ in range(rows):
        await work()
    return rows / (time.perf_counter() - begun)


async def measure(url: str, rows: int) -> None:
    database = Database(async_url(url))
    async with database.engine.begin() as connection:
        await connection.run_sync(PlainBase.metadata.create_all)
        await connection.run_sync(Base.metadata.create_all)
    own = await asyncpg.connect(url)
    ways: dict[str, Callable[[], Awaitable[None]]] = {
        "asyncpg": lambda: bare(own),
        "SQLAlchemy": lambda: mapped(database, Plain),
        "SQLModel": lambda: mapped(database, Typed),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, work in ways.items():
            rates[name].append(await rate(work, rows))
    await own.close()
    await database.close()
    middle = {name: sorted(found)[ROUNDS // 2] for name, found in rates.items()}
    for name, found in rates.items():
        spread = f"{min(found):,.0f} to {max(found):,.0f}"
        part = middle[name] / middle["asyncpg"]
        print(f"{name:12} {middle[name]:8,.0f}/s ({spread}), {part:.2f} of asyncpg alone")
    print(f"SQLModel writes {middle['SQLModel'] / middle['SQLAlchemy']:.2f} of SQLAlchemy's rows")


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    folder = Path(tempfile.mkdtemp(prefix="homeward-bench-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(
        folder / "data", free_port(), password="only-here", log=folder / "log"
    )
    try:
        server.start()
        asyncio.run(measure(server.url(), rows))
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
