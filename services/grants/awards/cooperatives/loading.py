"""Cooperatives as a caller may know of them, and the lock under which one is worked on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists
from sqlmodel import col, select

from chassis.auth import Caller
from chassis.db import Session
from chassis.loading import FRESH, load_or_404
from participation.access import visible
from services.grants import people
from services.grants.models import CommitteeMember, Cooperative, CooperativeMember
from services.grants.states import CooperativeState


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """Cooperatives with a member in whose return the caller takes part."""
    return exists(
        select(1).where(
            CooperativeMember.cooperative_id == Cooperative.id,
            visible(col(CooperativeMember.returnee_id), caller),
        )
    )


def select_cooperatives(
    caller: Caller,
    *,
    programme: str | None,
    state: CooperativeState | None,
    returnee_id: UUID | None,
    updated_since: datetime | None,
) -> Select[Any]:
    """Cooperatives of people in whose return the caller takes part."""
    query: Select[Any] = select(Cooperative).where(visible_to(caller))
    if programme is not None:
        query = query.where(col(Cooperative.programme) == programme)
    if state is not None:
        query = query.where(col(Cooperative.state) == state)
    if returnee_id is not None:
        memberships = select(CooperativeMember.cooperative_id).where(
            CooperativeMember.returnee_id == returnee_id,
            visible(col(CooperativeMember.returnee_id), caller),
        )
        query = query.where(col(Cooperative.id).in_(memberships))
    if updated_since is not None:
        query = query.where(col(Cooperative.updated_at) >= updated_since)
    return query


async def load_cooperative(session: Session, caller: Caller, cooperative_id: UUID) -> Cooperative:
    """A cooperative that the caller may know of.

    Raises:
        Problem: 404.
    """
    query = select(Cooperative).where(col(Cooperative.id) == cooperative_id, visible_to(caller))
    return await load_or_404(session, query)


async def lock_cooperative(session: Session, caller: Caller, cooperative_id: UUID) -> Cooperative:
    """A cooperative to work on, locked.

    Raises:
        Problem: 404, or 403 if the caller does not work for each of its members.
    """
    query = select(Cooperative).where(col(Cooperative.id) == cooperative_id, visible_to(caller))
    cooperative = await load_or_404(session, query.with_for_update(of=Cooperative))
    for member in await load_members(session, cooperative.id):
        await people.require_worker(session, caller, member.returnee_id)
    return cooperative


async def load_members(session: Session, cooperative_id: UUID) -> Sequence[CooperativeMember]:
    """All members of a cooperative, in the order in which they were named."""
    query = select(CooperativeMember).where(CooperativeMember.cooperative_id == cooperative_id)
    rows = await session.scalars(
        query.order_by(col(CooperativeMember.place)), execution_options=FRESH
    )
    return rows.all()


async def load_committee(session: Session, cooperative_id: UUID) -> Sequence[UUID]:
    """Who of the committee said yes, in that order."""
    query = select(CommitteeMember.actor).where(CommitteeMember.cooperative_id == cooperative_id)
    rows = await session.scalars(
        query.order_by(col(CommitteeMember.at), col(CommitteeMember.actor))
    )
    return rows.all()
