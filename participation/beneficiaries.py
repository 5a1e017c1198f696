"""The people a service may act on: a projection of what cases publishes, and a wait for what has
not arrived yet.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    Uuid,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from chassis.auth import Caller
from chassis.crypto import Keyring
from chassis.db import Session, metadata, now
from chassis.errors import NOT_FOUND, Problem
from chassis.routing import NotKnownYet
from participation.access import visible

OWNER = "cases"

beneficiary = Table(
    "beneficiary",
    metadata,
    Column("returnee_id", Uuid, primary_key=True),
    Column("case_id", Uuid),
    Column("referral_id", Uuid),
    Column("household_id", Uuid),
    Column("programme", Text),
    Column("programme_version", Integer),
    Column("return_kind", Text),
    Column("referrer", Text),
    Column("implementer", Text),
    Column("state", Text, nullable=False, comment="the case's state, or erased"),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=now()),
    Index("ix_beneficiary_case_id", "case_id"),
    Index("ix_beneficiary_household_id", "household_id"),
)
identity_copy = Table(
    "identity_copy",
    metadata,
    Column("returnee_id", Uuid, primary_key=True),
    Column("sealed", LargeBinary, nullable=False, comment="encrypted"),
    Column("fetched_at", DateTime(timezone=True), nullable=False, server_default=now()),
)


async def is_erased(session: Session, returnee_id: UUID) -> bool:
    """Whether what identifies somebody was erased: nothing that is told of them later is kept."""
    state = await session.scalar(
        select(beneficiary.c.state).where(beneficiary.c.returnee_id == returnee_id)
    )
    return state == "erased"


async def require(
    session: Session, returnee_id: UUID, caller: Caller, *, caught_up: bool
) -> Row[Any]:
    """The person, if the caller takes part in their return.

    Args:
        session: The session.
        returnee_id: Whom.
        caller: Who asks.
        caught_up: `CaughtUpDep` of the route: whether this was already waited for.

    Raises:
        NotKnownYet: Caught by the route, which waits for the projection and runs again.
        Problem: 404, absent or not for the caller, which look the same.
    """
    query = select(beneficiary).where(
        beneficiary.c.returnee_id == returnee_id,
        beneficiary.c.state != "erased",
        visible(beneficiary.c.returnee_id, caller),
    )
    row = (await session.execute(query)).first()
    if row is not None:
        return row
    if not caught_up:
        raise NotKnownYet(returnee_id)
    raise Problem(NOT_FOUND)


async def keep_identity(
    session: Session, returnee_id: UUID, document: bytes, keyring: Keyring
) -> bool:
    """Keep a minimal copy of who somebody is, encrypted, for a desk that works while cases is down.

    Returns:
        False if the person was erased meanwhile, and nothing was kept.
    """
    return returnee_id in await keep_identities(session, {returnee_id: document}, keyring)


async def keep_identities(
    session: Session, documents: Mapping[UUID, bytes], keyring: Keyring
) -> set[UUID]:
    """As `keep_identity`, for several people at once.

    Returns:
        Whose copies were kept: not those of who was erased meanwhile.
    """
    known = beneficiary.c
    erased = await session.scalars(
        select(known.returnee_id).where(known.returnee_id.in_(documents), known.state == "erased")
    )
    wanted = sorted(documents.keys() - set(erased))
    rows = [
        {"returnee_id": who, "sealed": keyring.encrypt(documents[who], f"identity/{who}")}
        for who in wanted
    ]
    if rows:
        statement = insert(identity_copy)
        changes = {"sealed": statement.excluded.sealed, "fetched_at": now()}
        await session.execute(
            statement.on_conflict_do_update(index_elements=["returnee_id"], set_=changes), rows
        )
    return set(wanted)


async def identities(
    session: Session, returnee_ids: list[UUID], keyring: Keyring
) -> dict[UUID, bytes]:
    """The copies that are there. The caller of this audits the reading."""
    rows = await session.execute(
        select(identity_copy).where(identity_copy.c.returnee_id.in_(returnee_ids))
    )
    return {
        row.returnee_id: keyring.decrypt(row.sealed, f"identity/{row.returnee_id}") for row in rows
    }
