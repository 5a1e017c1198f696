"""Who is kept from whom: what stands in the way of letting an organisation know of somebody."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists
from sqlalchemy import select as sql_select
from sqlalchemy.orm import aliased
from sqlmodel import col, false, or_, select

from chassis.auth import Caller
from chassis.db import Session, now
from chassis.errors import CONFLICT, Problem
from participation import aliases
from participation.access import Role, participation, visible
from services.cases.models import CaseMember, Restriction


async def load_kept_away(session: Session, returnee_ids: Iterable[UUID]) -> set[str]:
    """The organisations that may not know of one of some people, under any of their ids."""
    ids = await aliases.same_people(session, returnee_ids)
    standing = select(Restriction.organisation).where(
        col(Restriction.returnee_id).in_(ids), col(Restriction.lifted_at).is_(None)
    )
    return set(await session.scalars(standing))


async def require_unrestricted(
    session: Session, returnee_ids: Iterable[UUID], organisation: str
) -> None:
    """Refuse to let an organisation know of people from one of whom it is kept.

    Raises:
        Problem: 409.
    """
    if organisation in await load_kept_away(session, returnee_ids):
        raise Problem(
            CONFLICT,
            "this organisation is kept from a person concerned; lift the restriction first",
        )


async def require_mergeable(session: Session, one: Sequence[UUID], other: Sequence[UUID]) -> None:
    """Refuse to make one person of two of whom an organisation knows the one and is kept from the
    other.

    Args:
        session: The session.
        one: Every id of the one.
        other: Every id of the other.

    Raises:
        Problem: 409.
    """
    for kept, known in ((one, other), (other, one)):
        if await load_kept_away(session, kept) & await _load_taking_part(session, known):
            right = "keep it from both, or lift the restriction"
            raise Problem(
                CONFLICT,
                f"an organisation is kept from one of them and knows of the other: {right}",
            )


async def _load_taking_part(session: Session, ids: Sequence[UUID]) -> set[str]:
    part = participation.c
    current = or_(part.until.is_(None), part.until > now())
    rows = sql_select(part.organisation).where(
        part.subject_id.in_(ids), part.role != Role.PROGRAMME, current
    )
    return set(await session.scalars(rows))


def hides_case(caller: Caller, case_id: Any) -> ColumnElement[bool]:
    """Whether somebody is in a case from whom the caller's organisation is kept: it may not see it
    by the others.
    """
    if caller.is_internal:
        return false()
    member = aliased(CaseMember)
    return exists(
        select(1)
        .join_from(member, Restriction, col(Restriction.returnee_id) == member.returnee_id)
        .where(
            member.case_id == case_id,
            Restriction.organisation == caller.organisation,
            col(Restriction.lifted_at).is_(None),
            ~visible(col(member.returnee_id), caller),  # an office is in by its programme
        )
    )
