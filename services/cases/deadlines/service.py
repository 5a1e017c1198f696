"""Deadlines: set from programme data, settled by what happens, and acted on when they pass.

Whoever calls these holds the lock on the referral or the case that a deadline is about.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select

from chassis import jobs
from chassis.access import visible
from chassis.auth import Caller
from chassis.db import Session, now
from chassis.errors import NOT_FOUND, Problem
from chassis.outbox import publish
from contracts.cases import DeadlineMissed, DeadlineSet
from contracts.codes import DeadlineKind
from services.cases.deadlines.schemas import DeadlineState
from services.cases.models import CaseFile, CaseMember, Deadline, Referral
from services.cases.programmes import rules_of

JOB = "cases.deadline"
OF_A_RETURN = (DeadlineKind.POST_ARRIVAL, DeadlineKind.FIRST_CONTACT, DeadlineKind.PLAN, DeadlineKind.POST_RETURN)
"""The windows that begin with the arrival."""


async def set_for_referral(session: Session, referral: Referral, kind: DeadlineKind, start: datetime) -> None:
    """Begin what a programme's silence rule counts on a referral; nothing where the programme sets no such rule."""
    rules = rules_of(referral.programme, referral.programme_version)
    due_at = rules.due(kind, referral.country_of_return, start)
    if due_at is None:
        return
    rule = rules.deadlines[kind].model_dump(mode="json")
    existing = await session.scalar(
        select(Deadline).where(Deadline.referral_id == referral.id, Deadline.kind == kind).with_for_update()
    )
    deadline = await _put(session, existing, kind, due_at, referral.programme, rule, referral_id=referral.id)
    publish(session, DeadlineSet(**_ids(deadline), referral_id=referral.id))


async def set_for_case(session: Session, case: CaseFile, members: Iterable[CaseMember], arrived_on: date) -> None:
    """Begin the windows of a case, or move them after a correction of the day of arrival.

    Args:
        session: The session.
        case: The case, locked.
        members: Its members, each of whom is told the deadline.
        arrived_on: The day of the first arrival.
    """
    rules = rules_of(case.programme, case.programme_version)
    existing = {d.kind: d for d in await _of(session, case_id=case.id)}
    members = sorted(members, key=lambda member: member.returnee_id)
    for kind in OF_A_RETURN:
        due_at = rules.due(kind, case.country_of_return, arrived_on)
        before = existing.get(kind)
        if due_at is None or (before and _stands(before, due_at)):
            continue
        rule = rules.deadlines[kind].model_dump(mode="json")
        deadline = await _put(session, before, kind, due_at, case.programme, rule, case_id=case.id)
        for member in members:
            publish(session, DeadlineSet(**_ids(deadline), **_member_ids(case, member)))


def _stands(deadline: Deadline, due_at: datetime) -> bool:
    """Whether a deadline is as it should be: met, or due then and not cancelled meanwhile."""
    if deadline.state == DeadlineState.CANCELLED:
        return False
    return deadline.state == DeadlineState.MET or deadline.due_at == due_at


async def _put(
    session: Session,
    existing: Deadline | None,
    kind: DeadlineKind,
    due_at: datetime,
    programme: str,
    rule: dict[str, Any],
    *,
    referral_id: UUID | None = None,
    case_id: UUID | None = None,
) -> Deadline:
    if existing is None:
        deadline = Deadline(kind=kind, programme=programme, referral_id=referral_id, case_id=case_id)
        session.add(deadline)
    else:
        deadline = existing
        deadline.changed()
    deadline.state, deadline.due_at, deadline.rule = DeadlineState.OPEN, due_at, rule
    await session.flush()
    await jobs.schedule(session, JOB, {"deadline_id": str(deadline.id)}, due_at=due_at, key=str(deadline.id))
    return deadline


async def _of(session: Session, *, referral_id: UUID | None = None, case_id: UUID | None = None) -> list[Deadline]:
    about = Deadline.case_id == case_id if case_id else Deadline.referral_id == referral_id
    rows = await session.scalars(select(Deadline).where(about).order_by(Deadline.id).with_for_update())
    return list(rows)


async def settle(
    session: Session,
    state: DeadlineState,
    *,
    referral_id: UUID | None = None,
    case_id: UUID | None = None,
    kinds: Collection[DeadlineKind] | None = None,
) -> None:
    """End what is still open about a referral or a case.

    Args:
        session: The session.
        state: `met` or `cancelled`.
        referral_id: The referral, or
        case_id: the case.
        kinds: Only these; all where nothing is said.
    """
    for deadline in await _of(session, referral_id=referral_id, case_id=case_id):
        if deadline.state == DeadlineState.OPEN and (kinds is None or deadline.kind in kinds):
            deadline.state = state
            deadline.changed()
            await jobs.cancel(session, JOB, str(deadline.id))
    await session.flush()


async def reopen(session: Session, case: CaseFile) -> None:
    """Let the deadlines run on that were cancelled when a case was closed; what has passed meanwhile is missed soon."""
    for deadline in await _of(session, case_id=case.id):
        if deadline.state == DeadlineState.CANCELLED:
            deadline.state = DeadlineState.OPEN
            deadline.changed()
            await jobs.schedule(
                session, JOB, {"deadline_id": str(deadline.id)}, due_at=deadline.due_at, key=str(deadline.id)
            )
    await session.flush()


async def miss(session: Session, deadline_id: UUID) -> tuple[Referral | None, Deadline] | None:
    """Note that a deadline has passed, if it has and is still open.

    Returns:
        What it was about, if that is a referral, and the deadline; None if there was nothing to note.
    """
    deadline = await session.get(Deadline, deadline_id)
    if deadline is None:
        return None
    referral = case = None
    if deadline.referral_id is not None:
        referral = await session.scalar(select(Referral).where(Referral.id == deadline.referral_id).with_for_update())
    else:
        case = await session.scalar(select(CaseFile).where(CaseFile.id == deadline.case_id).with_for_update())
    await session.refresh(deadline, with_for_update=True)
    passed = await session.scalar(select(now() >= deadline.due_at))
    if deadline.state != DeadlineState.OPEN or not passed:
        return None
    deadline.state = DeadlineState.MISSED
    deadline.changed()
    if case is not None:
        members = select(CaseMember).where(CaseMember.case_id == case.id).order_by(CaseMember.returnee_id)
        for member in await session.scalars(members):
            publish(session, DeadlineMissed(**_ids(deadline), **_member_ids(case, member)))
    else:
        publish(session, DeadlineMissed(**_ids(deadline), referral_id=deadline.referral_id))
    await session.flush()
    return referral, deadline


def _ids(deadline: Deadline) -> dict[str, Any]:
    return {
        "deadline_id": deadline.id,
        "kind": deadline.kind,
        "due_at": deadline.due_at,
        "programme": deadline.programme,
    }


def _member_ids(case: CaseFile, member: CaseMember) -> dict[str, Any]:
    return {
        "returnee_id": member.returnee_id,
        "case_id": case.id,
        "referral_id": case.referral_id,
        "household_id": case.household_id,
    }


def seen_by(caller: Caller) -> Select[Any]:
    """Deadlines of the referrals and cases that the caller takes part in, with the case's office and focal point."""
    of_case = select(CaseMember.case_id).where(visible(CaseMember.returnee_id, caller))
    mine: ColumnElement[bool] = or_(
        Deadline.case_id.in_(of_case),
        Deadline.referral_id.is_not(None) & visible(Deadline.referral_id, caller),
    )
    return select(Deadline).outerjoin(CaseFile, CaseFile.id == Deadline.case_id).where(mine)


async def find(session: Session, deadline_id: UUID, caller: Caller) -> Deadline:
    """One deadline.

    Raises:
        Problem: 404.
    """
    deadline: Deadline | None = await session.scalar(seen_by(caller).where(Deadline.id == deadline_id))
    if deadline is None:
        raise Problem(NOT_FOUND)
    return deadline


async def cases_of(session: Session, deadlines: Iterable[Deadline]) -> dict[UUID, CaseFile]:
    """The cases that deadlines are about, by id."""
    ids = {deadline.case_id for deadline in deadlines if deadline.case_id}
    return {case.id: case for case in await session.scalars(select(CaseFile).where(CaseFile.id.in_(ids)))}
