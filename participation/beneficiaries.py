"""The people a service may act on: a projection of what cases publishes, and a wait for what has
not arrived yet.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from types import ModuleType
from typing import Any, Protocol, cast
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
    delete,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from chassis.auth import Caller
from chassis.crypto import Keyring
from chassis.db import Session, metadata, now
from chassis.errors import NOT_FOUND, Problem
from chassis.events import Event, EventData
from chassis.routing import NotKnownYet
from participation import aliases
from participation.access import Role, grant, participation, revoke, visible

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


class CaseOpened(Protocol):
    """What the projection reads of `cases.case.opened`, one event a member."""

    returnee_id: UUID
    case_id: UUID
    referral_id: UUID | None
    household_id: UUID | None
    programme: str
    programme_version: int
    return_kind: str
    referrer: str | None
    implementer: str


class CaseMoved(Protocol):
    """What the projection reads of an event that moves a case."""

    returnee_id: UUID
    case_id: UUID
    state: str


class AboutReturnee(Protocol):
    """What the projection reads of any event about one returnee."""

    returnee_id: UUID


class CaseTransferred(Protocol):
    """What the projection reads of `case.transferred`."""

    returnee_id: UUID
    case_id: UUID
    previous_implementer: str
    implementer: str
    keeps_part: bool


class Sharing(Protocol):
    """What the projection reads of `returnee.shared` and `.unshared`; the latter has no end."""

    returnee_id: UUID
    organisation: str
    until: datetime


class Restricting(Protocol):
    """What the projection reads of `returnee.restricted`."""

    returnee_id: UUID
    organisation: str
    roles: tuple[str, ...]
    restricted: bool


async def on_opened(session: Session, event: Event[Any]) -> None:
    """A case was opened for a person: know them, and who takes part."""
    data = cast("CaseOpened", event.data)
    if await is_erased(session, data.returnee_id):
        return
    values = {
        name: getattr(data, name)
        for name in (
            "returnee_id",
            "case_id",
            "referral_id",
            "household_id",
            "programme",
            "programme_version",
            "return_kind",
            "referrer",
            "implementer",
        )
    }
    values |= {"state": "pre_departure", "updated_at": now()}
    statement = insert(beneficiary).values(values)
    await session.execute(
        statement.on_conflict_do_update(index_elements=["returnee_id"], set_=values)
    )
    for role, organisation in (
        (Role.REFERRER, data.referrer),
        (Role.PARTNER, data.implementer),
        (Role.PROGRAMME, data.programme),
    ):
        if organisation is not None:
            await grant(session, [data.returnee_id], role, organisation)


async def on_moved(session: Session, event: Event[Any]) -> None:
    """A case moved on: its state is that of the people in it who are in no later one."""
    data = cast("CaseMoved", event.data)
    here = beneficiary.c
    await session.execute(
        update(beneficiary)
        .where(
            here.returnee_id == data.returnee_id,
            here.case_id == data.case_id,
            here.state != "erased",
        )
        .values(state=data.state, updated_at=now())
    )


async def on_transferred(session: Session, event: Event[Any]) -> None:
    """Another organisation implements a person's case; the one before takes part no more, unless by
    another case.
    """
    data = cast("CaseTransferred", event.data)
    if await is_erased(session, data.returnee_id):
        return
    await session.execute(
        update(beneficiary)
        .where(beneficiary.c.returnee_id == data.returnee_id, beneficiary.c.case_id == data.case_id)
        .values(implementer=data.implementer, updated_at=now())
    )
    await grant(session, [data.returnee_id], Role.PARTNER, data.implementer)
    if not data.keeps_part:
        await revoke(session, data.returnee_id, Role.PARTNER, data.previous_implementer)


async def on_erased(session: Session, event: Event[Any]) -> None:
    """A person was erased: a tombstone stays, so that later facts about them are not taken for
    somebody's.
    """
    returnee_id = cast("AboutReturnee", event.data).returnee_id
    values = {"returnee_id": returnee_id, "state": "erased", "updated_at": now()}
    statement = insert(beneficiary).values(values)
    await session.execute(
        statement.on_conflict_do_update(index_elements=["returnee_id"], set_=values)
    )
    await session.execute(delete(participation).where(participation.c.subject_id == returnee_id))
    await session.execute(delete(identity_copy).where(identity_copy.c.returnee_id == returnee_id))


async def on_shared(session: Session, event: Event[Any]) -> None:
    """Somebody was shared with another organisation, for a time."""
    data = cast("Sharing", event.data)
    if not await is_erased(session, data.returnee_id):
        await grant(session, [data.returnee_id], Role.SHARED, data.organisation, until=data.until)


async def on_unshared(session: Session, event: Event[Any]) -> None:
    """That has ended."""
    data = cast("Sharing", event.data)
    await revoke(session, data.returnee_id, Role.SHARED, data.organisation)


async def on_restricted(session: Session, event: Event[Any]) -> None:
    """An organisation may know of somebody no more, or again."""
    data = cast("Restricting", event.data)
    for role in data.roles:
        if data.restricted:
            await revoke(session, data.returnee_id, Role(role), data.organisation)
        elif not await is_erased(session, data.returnee_id):
            await grant(session, [data.returnee_id], Role(role), data.organisation)


PROJECTION: Mapping[str, Callable[[Session, Event[Any]], Awaitable[None]]] = {
    "CaseOpened": on_opened,
    "CaseProgressed": on_moved,
    "CaseSuspended": on_moved,
    "CaseResumed": on_moved,
    "CaseClosed": on_moved,
    "CaseReopened": on_moved,
    "CaseTransferred": on_transferred,
    "ReturneeMerged": aliases.on_merged,
    "ReturneeUnmerged": aliases.on_unmerged,
    "ReturneeShared": on_shared,
    "ReturneeUnshared": on_unshared,
    "ReturneeRestricted": on_restricted,
    "ReturneeErased": on_erased,
}


def projection(facts: ModuleType) -> dict[type[EventData], Any]:
    """The handlers that keep the projection, for a service's `HANDLERS`; one that does more calls
    ours first.

    Args:
        facts: The contracts of cases, which have the models that `PROJECTION` names.
    """
    return {getattr(facts, name): handler for name, handler in PROJECTION.items()}


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
