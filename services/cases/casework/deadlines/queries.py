"""Deadlines as they are found by whoever may know of what they are about."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select
from sqlmodel import col, or_, select

from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import or_404
from participation.access import visible
from services.cases.models import CaseFile, CaseMember, Deadline
from services.cases.people.rights import restricted


def select_visible(caller: Caller) -> Select[Any]:
    """Deadlines of the referrals and cases that the caller takes part in, with the case's office
    and focal point.
    """
    case_ids = select(CaseMember.case_id).where(
        visible(col(CaseMember.returnee_id), caller),
        ~restricted.hides_case(CaseMember.case_id, caller),
    )
    takes_part = or_(
        col(Deadline.case_id).in_(case_ids),
        col(Deadline.referral_id).is_not(None) & visible(col(Deadline.referral_id), caller),
    )
    return (
        select(Deadline).outerjoin(CaseFile, col(CaseFile.id) == Deadline.case_id).where(takes_part)
    )


def select_due(
    caller: Caller, office: str | None, assignee: str | None, due_before: datetime | None
) -> Select[Any]:
    """The same by whose they are and until when."""
    statement = select_visible(caller)
    for column, value in ((CaseFile.office, office), (CaseFile.focal_point, assignee)):
        if value is not None:
            statement = statement.where(col(column) == value)
    if due_before is not None:
        statement = statement.where(col(Deadline.due_at) < due_before)
    return statement


async def load_deadline(session: Session, caller: Caller, deadline_id: UUID) -> Deadline:
    """Load a deadline that the caller may know of.

    Raises:
        Problem: 404.
    """
    deadline: Deadline | None = await session.scalar(
        select_visible(caller).where(col(Deadline.id) == deadline_id)
    )
    return or_404(deadline)


async def load_cases_of(session: Session, deadlines: Iterable[Deadline]) -> dict[UUID, CaseFile]:
    """Load the cases that deadlines are about, by id."""
    ids = {deadline.case_id for deadline in deadlines if deadline.case_id}
    cases = await session.scalars(select(CaseFile).where(col(CaseFile.id).in_(ids)))
    return {case.id: case for case in cases}
