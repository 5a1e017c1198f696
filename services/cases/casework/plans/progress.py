"""How far the lines of plans have come, as those who deliver them say; for handlers."""

from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller, OrganisationKind
from chassis.db import Session, now
from participation import aliases
from services.cases.casework.access import load_members, lock_case, lock_present_case
from services.cases.casework.cases.service import follow_plan_lines
from services.cases.casework.plans import rules
from services.cases.models import CaseFile, Plan, PlanLine, PlanLineStatus
from services.cases.states.casework import LineStatus

SYSTEM = Caller("service-cases", "homeward", OrganisationKind.INTERNAL, frozenset())
"""Who acts where nobody does: a reaction to another service's event."""


class WrongLine(LookupError):  # noqa: N818 - it says what was named, and becomes a dead letter
    """An event names a line that no plan has, or that is somebody else's. No later event would
    change that.
    """


async def load_progress(session: Session, case_id: UUID) -> dict[UUID, PlanLineStatus]:
    """Load how far the lines of a case have come; a line that is not in it is only planned."""
    rows = await session.scalars(select(PlanLineStatus).where(PlanLineStatus.case_id == case_id))
    return {row.line_id: row for row in rows}


async def lock_case_of_line(
    session: Session, line_id: UUID, returnee_id: UUID
) -> tuple[CaseFile, UUID]:
    """Lock the case of a plan's line that another service speaks of; with it, whom the line is for.

    Args:
        session: The session.
        line_id: The line, the same in every version of the plan.
        returnee_id: Of whom the other service speaks, under any of their ids.

    Raises:
        WrongLine: There is no such line, or it is another person's.
    """
    line = (
        await session.execute(
            select(Plan.case_id, PlanLine.beneficiary)
            .join(PlanLine, col(PlanLine.plan_id) == Plan.id)
            .where(PlanLine.line_id == line_id)
            .order_by(col(Plan.plan_version).desc())
            .limit(1)
        )
    ).first()
    if line is None:
        raise WrongLine(f"there is no plan line {line_id}")
    if line.beneficiary not in await aliases.same_person(session, returnee_id):
        raise WrongLine(f"plan line {line_id} is not of returnee {returnee_id}")
    case = await lock_case(session, line.case_id)
    assert case is not None
    return case, line.beneficiary


async def advance_line(
    session: Session,
    line_id: UUID,
    returnee_id: UUID,
    status: LineStatus,
    at: datetime,
    *,
    makes_good: bool = False,
) -> None:
    """Note how far a line has come; the case follows.

    The last one that is delivered moves the case to monitoring.

    Args:
        session: The session.
        line_id: The line, the same in every version of the plan.
        returnee_id: Of whom the event speaks.
        status: What the event says. One that is older than what is known already changes nothing.
        at: When that was so.
        makes_good: Whether the event also delivers a line whose delivery did not hold; what paid
            for it does not.

    Raises:
        WrongLine: There is no such line, or it is another person's.
    """
    case, beneficiary = await lock_case_of_line(session, line_id, returnee_id)
    row = await session.get(PlanLineStatus, line_id)
    if row is None:
        row = PlanLineStatus(line_id=line_id, case_id=case.id, status=LineStatus.PLANNED)
        session.add(row)
    if row.undone_at is not None and status is LineStatus.DELIVERED and not makes_good:
        return
    following = rules.next_status(row.status, status)
    if following is not row.status:
        row.status, row.undone_at = following, None
        row.delivered_at = at if following is LineStatus.DELIVERED else None
        _count_change(case, row)
    await _follow(session, case, beneficiary)


async def undo_line(session: Session, line_id: UUID, returnee_id: UUID, at: datetime) -> None:
    """Take back that a line was delivered: who delivered it says that it does not hold. The case
    follows.

    Args:
        session: The session.
        line_id: The line, the same in every version of the plan.
        returnee_id: Of whom the event speaks.
        at: When that was so.

    Raises:
        WrongLine: There is no such line, or it is another person's.
    """
    case, beneficiary = await lock_case_of_line(session, line_id, returnee_id)
    row = await session.get(PlanLineStatus, line_id)
    if row is None or row.status is not LineStatus.DELIVERED:
        return
    row.status, row.delivered_at, row.undone_at = LineStatus.IN_DELIVERY, None, at
    _count_change(case, row)
    audit.record(session, SYSTEM, "undo-line", "case", case.id, {"line": str(line_id)})
    await _follow(session, case, beneficiary)


def _count_change(case: CaseFile, row: PlanLineStatus) -> None:
    row.updated_at = now()  # type: ignore[assignment] # evaluated by the database
    case.changed()


async def _follow(session: Session, case: CaseFile, beneficiary: UUID) -> None:
    """Have the case of a line follow it, and the case in which the beneficiary is followed now."""
    await session.flush()
    present = await lock_present_case(session, case, beneficiary)
    for follower in {case.id: case, present.id: present}.values():
        members = (await load_members(session, [follower.id]))[follower.id]
        await follow_plan_lines(session, follower, members)
