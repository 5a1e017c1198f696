"""Two ids that turned out to be one person: an alias that is resolved on reading. Facts are never
re-keyed.

Merging adds one row and unmerging takes it away, so the two are exact inverses: whatever was
recorded in between is still under the id it was recorded with.
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, Table, Uuid, delete, select, text
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Session, metadata, now

alias = Table(
    "alias",
    metadata,
    Column("returnee_id", Uuid, primary_key=True, comment="is found under the other"),
    Column("into_id", Uuid, nullable=False, index=True),
    Column("since", DateTime(timezone=True), nullable=False, server_default=now()),
    CheckConstraint("returnee_id <> into_id", name="two_ids"),
)

# UNION drops what was seen before, so that no ring of aliases would be followed for ever.
ROOTS = text("""
    WITH RECURSIVE up (id, root) AS (
        SELECT id, id FROM unnest(CAST(:ids AS uuid[])) AS given (id)
        UNION SELECT up.id, alias.into_id FROM up JOIN alias ON alias.returnee_id = up.root
    )
    SELECT id, root FROM up WHERE NOT EXISTS (SELECT FROM alias WHERE returnee_id = root)
""")
SAME = text("""
    WITH RECURSIVE up (id, root) AS (
        SELECT id, id FROM unnest(CAST(:ids AS uuid[])) AS given (id)
        UNION SELECT up.id, alias.into_id FROM up JOIN alias ON alias.returnee_id = up.root
    ), down (id, root) AS (
        SELECT root, root FROM up WHERE NOT EXISTS (SELECT FROM alias WHERE returnee_id = root)
        UNION SELECT alias.returnee_id, down.root FROM down JOIN alias ON alias.into_id = down.id
    )
    SELECT id, root FROM down ORDER BY id
""")


async def resolve_all(session: Session, returnee_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """The id under which each person is found now; their own where they were not merged."""
    ids = sorted(set(returnee_ids))
    rows = await session.execute(ROOTS, {"ids": ids})
    return {returnee_id: returnee_id for returnee_id in ids} | {row.id: row.root for row in rows}


async def resolve(session: Session, returnee_id: UUID) -> UUID:
    """The id under which a person is found now."""
    return (await resolve_all(session, [returnee_id]))[returnee_id]


async def same_person(session: Session, returnee_id: UUID) -> list[UUID]:
    """Every id of the person, in order: the one they are found under and those merged into it."""
    return list(await same_people(session, [returnee_id]))


async def same_people(session: Session, returnee_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Every id of some people, in order, with the one under which the person is found."""
    ids = sorted(set(returnee_ids))
    rows = await session.execute(SAME, {"ids": ids})
    return {row.id: row.root for row in rows} or {returnee_id: returnee_id for returnee_id in ids}


async def merge(session: Session, returnee_id: UUID, into: UUID) -> None:
    """Note that one id is another's; again changes nothing."""
    statement = insert(alias).values(returnee_id=returnee_id, into_id=into)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["returnee_id"], set_={"into_id": statement.excluded.into_id}
        )
    )


async def unmerge(session: Session, returnee_id: UUID) -> UUID | None:
    """Undo that.

    Returns:
        Whose it was; None if it was nobody's.
    """
    statement = delete(alias).where(alias.c.returnee_id == returnee_id).returning(alias.c.into_id)
    separated: UUID | None = await session.scalar(statement)
    return separated


async def is_alias(session: Session, returnee_id: UUID) -> bool:
    """Whether the id was merged into another."""
    return (
        await session.scalar(select(alias.c.into_id).where(alias.c.returnee_id == returnee_id))
        is not None
    )
