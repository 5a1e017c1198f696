"""To whom: participation. An organisation sees what it takes part in, and nothing says whether the
rest exists.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Index,
    SQLColumnExpression,
    Table,
    Text,
    Uuid,
    any_,
    case,
    delete,
    exists,
    literal,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.auth import Caller, OrganisationKind
from chassis.db import Session, metadata, now


class Role(StrEnum):
    """In what capacity an organisation takes part."""

    REFERRER = "referrer"
    PARTNER = "partner"
    PROVIDER = "provider"
    PROGRAMME = "programme"
    """The `organisation` of such a row is a programme id; the offices of that programme take
    part.
    """
    SHARED = "shared"
    """The person was shared with it: it is shown what partners are shown, and decides nothing."""


participation = Table(
    "participation",
    metadata,
    Column(
        "subject_id",
        Uuid,
        primary_key=True,
        comment="a returnee, or a referral before its people are known",
    ),
    Column("role", Text, primary_key=True),
    Column("organisation", Text, primary_key=True),
    Column("until", DateTime(timezone=True)),
    Column(
        "since",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="position of the fact in the log of cases; kept by the gateway",
    ),
    Column(
        "categories",
        ARRAY(Text),
        comment="of a share: what of the person is shown; nothing where it does not say",
    ),
    Index("ix_participation_organisation", "organisation", "role", "subject_id"),
    Index("ix_participation_since", "organisation", "since", postgresql_where=text("since > 0")),
)


async def grant(
    session: Session,
    subject_ids: Sequence[UUID],
    role: Role,
    organisation: str,
    *,
    until: datetime | None = None,
    categories: Collection[str] | None = None,
) -> None:
    """Let an organisation (or, as `Role.PROGRAMME`, a programme's offices) take part; again only
    moves the end and what is shared.

    Args:
        session: The session.
        subject_ids: In whose return.
        role: In what capacity.
        organisation: Who.
        until: When it ends; None where that is not known.
        categories: Of a share, what of the person is shown.
    """
    await grant_all(
        session,
        [(subject_id, role, organisation) for subject_id in subject_ids],
        until=until,
        categories=categories,
    )


async def grant_all(
    session: Session,
    parts: Iterable[tuple[UUID, Role, str]],
    *,
    until: datetime | None = None,
    categories: Collection[str] | None = None,
) -> None:
    """The same for many subjects, capacities and organisations at once."""
    shared = None if categories is None else sorted(categories)
    rows = [
        {
            "subject_id": subject_id,
            "role": role,
            "organisation": organisation,
            "until": until,
            "categories": shared,
        }
        for subject_id, role, organisation in sorted(set(parts))
    ]
    if rows:
        statement = insert(participation)
        new = statement.excluded
        changed = {"until": new.until, "categories": new.categories}
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=["subject_id", "role", "organisation"], set_=changed
            ),
            rows,
        )


async def revoke(session: Session, subject_id: UUID, role: Role, organisation: str) -> None:
    """End an organisation's part."""
    await session.execute(
        delete(participation).where(
            participation.c.subject_id == subject_id,
            participation.c.role == role,
            participation.c.organisation == organisation,
        )
    )


def _parts_of(caller: Caller) -> list[ColumnElement[bool]]:
    parts: list[ColumnElement[bool]] = [
        (participation.c.organisation == caller.organisation)
        & (participation.c.role != Role.PROGRAMME)
    ]
    if caller.kind is OrganisationKind.PROGRAMME_OFFICE and caller.programmes:
        programme = participation.c.organisation.in_(caller.programmes)
        parts.append((participation.c.role == Role.PROGRAMME) & programme)
    return parts


def part_of(caller: Caller) -> ColumnElement[bool]:
    """Whether a row of `participation` says that the caller's organisation takes part now, in
    SQL.
    """
    current = or_(participation.c.until.is_(None), participation.c.until > now())
    return or_(*_parts_of(caller)) & current


def visible(
    subject_id: SQLColumnExpression[UUID] | SQLColumnExpression[UUID | None], caller: Caller
) -> ColumnElement[bool]:
    """The predicate that every query about people passes through.

    Args:
        subject_id: Column with the returnee's or referral's id.
        caller: Who asks.

    Returns:
        True in SQL where the caller's organisation takes part now. Our own services see everybody.
    """
    if caller.is_internal:
        return true()
    return exists(select(1).where(participation.c.subject_id == subject_id, part_of(caller)))


def one_by_one(
    subject_id: SQLColumnExpression[UUID], caller: Caller, condition: ColumnElement[bool]
) -> ColumnElement[bool]:
    """As `visible`, for a query that wants some of many: it is asked of each, and nobody else's
    rows are collected.

    Args:
        subject_id: Column with the returnee's or referral's id.
        caller: Who asks.
        condition: On `participation`, which counts only so.
    """
    if caller.is_internal:
        return true()
    part = select(1).where(participation.c.subject_id == subject_id, part_of(caller), condition)
    return exists(part.offset(0))


def meant_for(
    subject_id: SQLColumnExpression[Any], audience: SQLColumnExpression[Any], caller: Caller
) -> ColumnElement[bool]:
    """Where a row of `participation` shows the caller a fact that is meant for some roles only.

    Args:
        subject_id: Column with the returnee's or referral's id.
        audience: Array column with the roles that the fact is for.
        caller: Who asks; not one of our own services, which see everybody.
    """
    role = case(
        (participation.c.role == Role.SHARED, Role.PARTNER.value), else_=participation.c.role
    )
    return (participation.c.subject_id == subject_id) & (role == any_(audience)) & part_of(caller)


def holds(
    subject_id: SQLColumnExpression[Any], roles: Collection[Role], caller: Caller
) -> ColumnElement[bool]:
    """As `visible`, in one of these capacities and no other.

    Args:
        subject_id: Column with the returnee's or referral's id.
        roles: The capacities.
        caller: Who asks.
    """
    if caller.is_internal:
        return true()
    role = participation.c.role.in_(sorted(roles))
    return exists(select(1).where(participation.c.subject_id == subject_id, role, part_of(caller)))


def _shown(category: str, caller: Caller) -> ColumnElement[bool]:
    """Whether a row of `participation` shows the caller a category of data about its subject.

    A share shows what it names; every other capacity shows all that a route's scope allows.
    """
    named = literal(category) == any_(participation.c.categories)
    return ((participation.c.role != Role.SHARED) | named) & part_of(caller)


def discloses(
    subject_id: SQLColumnExpression[UUID] | SQLColumnExpression[UUID | None],
    category: str,
    caller: Caller,
) -> ColumnElement[bool]:
    """As `visible`, for what a share may leave out.

    Args:
        subject_id: Column with the returnee's id.
        category: One of `contracts.codes.SharedCategory`.
        caller: Who asks. Our own services see everything.
    """
    if caller.is_internal:
        return true()
    part = select(1).where(participation.c.subject_id == subject_id, _shown(category, caller))
    return exists(part)


async def disclosed(
    session: Session, caller: Caller, returnee_ids: Collection[UUID], category: str
) -> set[UUID]:
    """Those of some people of whom a category of data may be shown to the caller."""
    if caller.is_internal:
        return set(returnee_ids)
    rows = await session.scalars(
        select(participation.c.subject_id)
        .where(participation.c.subject_id.in_(returnee_ids), _shown(category, caller))
        .distinct()
    )
    return set(rows)


async def takes_part_in(
    session: Session, caller: Caller, subject_ids: Collection[UUID]
) -> set[UUID]:
    """Of some ids those of the people and referrals in whose return the caller takes part now; of
    our own services, in whose return anybody does.
    """
    if not subject_ids:
        return set()
    statement = select(participation.c.subject_id).where(
        participation.c.subject_id.in_(subject_ids)
    )
    if not caller.is_internal:
        statement = statement.where(part_of(caller))
    return set(await session.scalars(statement.distinct()))


async def roles_of(session: Session, subject_id: UUID, caller: Caller) -> frozenset[Role]:
    """In what capacities the caller takes part in one person's return; empty means: say that there
    is nothing.
    """
    rows = await session.scalars(
        select(participation.c.role).where(
            participation.c.subject_id == subject_id, part_of(caller)
        )
    )
    return frozenset(Role(role) for role in rows)
