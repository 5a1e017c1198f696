"""Deadlines: set from programme data, settled by what happens, and acted on when they pass.

Whoever calls these holds the lock on the referral or the case that a deadline is about.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, insert
from sqlmodel import col, or_, select, update

from chassis import jobs
from chassis.auth import Caller
from chassis.db import Session, now
from chassis.errors import NOT_FOUND, Problem
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import DeadlineExtended, DeadlineMissed, DeadlineSet, DeadlineWaived
from contracts.codes import CaseState, DeadlineKind
from participation.access import visible
from services.cases.casework.deadlines.rules import RUNS, SETTLED
from services.cases.casework.deadlines.schemas import DeadlineState
from services.cases.models import CaseFile, CaseMember, Deadline, Referral, Visit
from services.cases.people.rights import restricted
from services.cases.programmes import rules_of, zone_of

JOB = "cases.deadline"
OF_A_RETURN = (
    DeadlineKind.POST_ARRIVAL,
    DeadlineKind.FIRST_CONTACT,
    DeadlineKind.PLAN,
    DeadlineKind.POST_RETURN,
)
"""The windows that begin with the arrival."""


async def set_for_referral(
    session: Session, referral: Referral, kind: DeadlineKind, start: date | datetime
) -> None:
    """Begin what a programme's silence rule counts on a referral; nothing where it sets no such
    rule, or runs so.
    """
    rules = rules_of(referral.programme, referral.programme_version)
    due_at = rules.due(kind, referral.country_of_return, start)
    if due_at is None:
        return
    rule = rules.deadlines[kind].model_dump(mode="json")
    existing = await session.scalar(
        select(Deadline)
        .where(Deadline.referral_id == referral.id, Deadline.kind == kind)
        .with_for_update()
    )
    if (
        existing
        and existing.due_at == due_at
        and existing.state in {DeadlineState.OPEN, DeadlineState.MISSED}
    ):
        return
    deadline = await _put(
        session, existing, kind, due_at, referral.programme, rule, referral_id=referral.id
    )
    publish(session, DeadlineSet(**_ids(deadline, referral), referral_id=referral.id))


async def begin_for_referrals(
    session: Session, begun: Iterable[tuple[Referral, DeadlineKind, datetime]]
) -> None:
    """The same for many referrals that are new and have no such deadline yet."""
    rows: list[dict[str, Any]] = []
    for referral, kind, start in begun:
        rules = rules_of(referral.programme, referral.programme_version)
        due_at = rules.due(kind, referral.country_of_return, start)
        if due_at is None:
            continue
        rows.append(
            {
                "id": new_id(),
                "version": 1,
                "kind": kind,
                "state": DeadlineState.OPEN,
                "due_at": due_at,
                "programme": referral.programme,
                "referral_id": referral.id,
                "rule": rules.deadlines[kind].model_dump(mode="json"),
            }
        )
    if not rows:
        return
    await session.execute(insert(Deadline), rows)
    clocks = [(str(row["id"]), {"deadline_id": str(row["id"])}, row["due_at"]) for row in rows]
    await jobs.schedule_all(session, JOB, clocks)
    for row in rows:
        publish(
            session,
            DeadlineSet(
                deadline_id=row["id"],
                kind=row["kind"],
                due_at=row["due_at"],
                programme=row["programme"],
                referral_id=row["referral_id"],
            ),
        )


async def set_for_case(
    session: Session, case: CaseFile, members: Iterable[CaseMember], arrived_on: date
) -> None:
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
    paused_on = _rests_since(case, arrived_on)
    for kind in OF_A_RETURN:
        due_at = rules.due(kind, case.country_of_return, arrived_on)
        before = existing.get(kind)
        if due_at is not None and before is not None:
            due_at += timedelta(days=before.shifted_days)
        if due_at is None or (before and _stands(before, due_at)):
            continue
        rule = rules.deadlines[kind].model_dump(mode="json")
        deadline = await _put(
            session,
            before,
            kind,
            due_at,
            case.programme,
            rule,
            case_id=case.id,
            paused_on=paused_on,
        )
        for member in members:
            publish(session, DeadlineSet(**_ids(deadline, case), **_member_ids(case, member)))


def _rests_since(case: CaseFile, began: date) -> date | None:
    """From which day a clock that began on a day stands; None while the case does not rest."""
    return max(case.suspended_on or began, began) if case.state == CaseState.SUSPENDED else None


def _stands(deadline: Deadline, due_at: datetime) -> bool:
    """Whether a deadline is as it should be: met, or due then and not cancelled meanwhile."""
    if deadline.state == DeadlineState.CANCELLED:
        return False
    return deadline.state in SETTLED or deadline.due_at == due_at


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
    visit_id: UUID | None = None,
    paused_on: date | None = None,
) -> Deadline:
    if existing is None:
        deadline = Deadline(
            kind=kind,
            programme=programme,
            referral_id=referral_id,
            case_id=case_id,
            visit_id=visit_id,
            shifted_days=0,
        )
        session.add(deadline)
    else:
        deadline = existing
        deadline.changed()
    deadline.state = DeadlineState.PAUSED if paused_on else DeadlineState.OPEN
    deadline.due_at, deadline.rule, deadline.paused_on = due_at, rule, paused_on
    await session.flush()
    await _run(session, deadline)
    return deadline


async def _run(session: Session, deadline: Deadline) -> None:
    """Have the clock of a deadline run, or stand, as its state says."""
    key = str(deadline.id)
    if deadline.state == DeadlineState.OPEN:
        await jobs.schedule(session, JOB, {"deadline_id": key}, due_at=deadline.due_at, key=key)
    else:
        await jobs.cancel(session, JOB, key)


async def set_for_visit(
    session: Session,
    case: CaseFile,
    visit: Visit,
    due_at: datetime,
    rule: dict[str, Any],
    began: date,
) -> None:
    """Begin to count until a monitoring visit is due.

    Args:
        session: The session.
        case: Its case, locked.
        visit: The visit.
        due_at: When.
        rule: The rule that says so.
        began: The day from which it counts.
    """
    kind, paused_on = DeadlineKind(visit.cause), _rests_since(case, began)
    deadline = await _put(
        session,
        None,
        kind,
        due_at,
        case.programme,
        rule,
        case_id=case.id,
        visit_id=visit.id,
        paused_on=paused_on,
    )
    ids = {"returnee_id": visit.returnee_id, "case_id": case.id, "referral_id": case.referral_id}
    publish(session, DeadlineSet(**_ids(deadline, case), **ids, household_id=case.household_id))


async def settle_visit(
    session: Session, case: CaseFile, visit_id: UUID, state: DeadlineState
) -> None:
    """End what counted until a visit was due: it is met, also late, when the visit is paid, or
    cancelled with it.
    """
    for deadline in await _of(session, case_id=case.id):
        if deadline.visit_id == visit_id and deadline.state in {*RUNS, DeadlineState.MISSED}:
            deadline.state = state
            deadline.changed()
            await _run(session, deadline)
    await session.flush()


async def pause(session: Session, case: CaseFile, since: date) -> None:
    """Stop the clocks of a case, as of a day: what was missed since then was not missed.

    Args:
        session: The session.
        case: The case, locked.
        since: The first day, in the country of return, on which they stand.
    """
    zone = zone_of(case.programme, case.programme_version, case.country_of_return)
    begin = datetime.combine(since, time.min, zone)
    for deadline in await _of(session, case_id=case.id):
        ran = deadline.state == DeadlineState.MISSED and deadline.due_at >= begin
        if deadline.state == DeadlineState.OPEN or ran:
            deadline.state, deadline.paused_on = DeadlineState.PAUSED, since
            deadline.changed()
            await _run(session, deadline)
    await session.flush()


async def resume(session: Session, case: CaseFile, members: Iterable[CaseMember], on: date) -> None:
    """Let the clocks of a case run on from a day; each is due as many days later as it stood."""
    members = list(members)
    for deadline in await _of(session, case_id=case.id):
        if deadline.state != DeadlineState.PAUSED:
            continue
        days = max(0, (on - (deadline.paused_on or on)).days)
        deadline.state = DeadlineState.OPEN
        shift(deadline, days)
        if deadline.visit_id is not None:
            visit = await session.get_one(Visit, deadline.visit_id)
            visit.due_on += timedelta(days=days)
            visit.changed()
        await session.flush()
        await _run(session, deadline)
        for member in members:
            if days:
                publish(session, DeadlineSet(**_ids(deadline, case), **_member_ids(case, member)))


async def copy(
    session: Session, before: CaseFile, after: CaseFile, members: Iterable[CaseMember]
) -> None:
    """Give a case that was split off the deadlines of the one that it comes from, as they stand."""
    members = list(members)
    for deadline in await _of(session, case_id=before.id):
        if deadline.visit_id is not None:
            continue
        same = Deadline(
            kind=deadline.kind,
            state=deadline.state,
            due_at=deadline.due_at,
            programme=deadline.programme,
            case_id=after.id,
            rule=deadline.rule,
            shifted_days=deadline.shifted_days,
            paused_on=deadline.paused_on,
        )
        session.add(same)
        await session.flush()
        await _run(session, same)
        if same.state in RUNS:
            for member in members:
                publish(session, DeadlineSet(**_ids(same, after), **_member_ids(after, member)))


async def move_visits(session: Session, visits: Collection[UUID], case_id: UUID) -> None:
    """Let the deadlines of visits be of another case, as the visits are."""
    await session.execute(
        update(Deadline).where(col(Deadline.visit_id).in_(visits)).values(case_id=case_id)
    )


def shift(deadline: Deadline, days: int) -> None:
    """Move a deadline by days."""
    deadline.due_at += timedelta(days=days)
    deadline.shifted_days += days
    deadline.changed()


async def decided(
    session: Session, case: CaseFile, deadline: Deadline, previous_due_at: datetime
) -> None:
    """Tell what was decided about a deadline, and have its clock follow."""
    await session.flush()
    await _run(session, deadline)
    rows = (
        select(CaseMember)
        .where(CaseMember.case_id == case.id)
        .order_by(col(CaseMember.returnee_id))
    )
    for member in await session.scalars(rows):
        ids = _ids(deadline, case) | _member_ids(case, member)
        if deadline.state == DeadlineState.WAIVED:
            publish(session, DeadlineWaived(**ids))
        else:
            before = _in_zone(previous_due_at, case)
            publish(session, DeadlineExtended(**ids, previous_due_at=before))


async def _of(
    session: Session, *, referral_id: UUID | None = None, case_id: UUID | None = None
) -> list[Deadline]:
    about = Deadline.case_id == case_id if case_id else Deadline.referral_id == referral_id
    rows = await session.scalars(
        select(Deadline).where(about).order_by(col(Deadline.id)).with_for_update()
    )
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

    What a case was late with is met in the end; if what began it was a mistake, nobody was late.

    Args:
        session: The session.
        state: `met` or `cancelled`.
        referral_id: The referral, or
        case_id: the case.
        kinds: Only these; all where nothing is said.
    """
    undone = state is DeadlineState.CANCELLED and kinds is not None
    late = (
        {DeadlineState.MISSED}
        if case_id is not None and (state is DeadlineState.MET or undone)
        else set()
    )
    for deadline in await _of(session, referral_id=referral_id, case_id=case_id):
        if deadline.state in RUNS | late and (kinds is None or deadline.kind in kinds):
            deadline.state = state
            deadline.changed()
            await jobs.cancel(session, JOB, str(deadline.id))
    await session.flush()


async def reopen(session: Session, case: CaseFile) -> None:
    """Let the deadlines run on that were cancelled when a case was closed; what has passed
    meanwhile is missed soon.
    """
    called_off = set(
        await session.scalars(
            select(Visit.id).where(Visit.case_id == case.id, Visit.state == "cancelled")
        )
    )
    for deadline in await _of(session, case_id=case.id):
        begun = case.arrived_on is not None or deadline.kind not in OF_A_RETURN
        if (
            deadline.state == DeadlineState.CANCELLED
            and begun
            and deadline.visit_id not in called_off
        ):
            deadline.state = (
                DeadlineState.PAUSED if case.state == CaseState.SUSPENDED else DeadlineState.OPEN
            )
            deadline.changed()
            await _run(session, deadline)
    await session.flush()


async def miss(session: Session, deadline_id: UUID) -> tuple[Referral | None, Deadline] | None:
    """Note that a deadline has passed, if it has and is still open.

    Returns:
        What it was about, if that is a referral, and the deadline; None if there was nothing to
        note.
    """
    deadline = await session.get(Deadline, deadline_id)
    if deadline is None:
        return None
    referral = case = None
    if deadline.referral_id is not None:
        referral = await session.scalar(
            select(Referral).where(Referral.id == deadline.referral_id).with_for_update()
        )
    else:
        case = await session.scalar(
            select(CaseFile).where(CaseFile.id == deadline.case_id).with_for_update()
        )
    await session.refresh(deadline, with_for_update=True)
    passed = await session.scalar(select(now() >= deadline.due_at))
    if deadline.state != DeadlineState.OPEN or not passed:
        return None
    deadline.state = DeadlineState.MISSED
    deadline.changed()
    if case is not None:
        members = (
            select(CaseMember)
            .where(CaseMember.case_id == case.id)
            .order_by(col(CaseMember.returnee_id))
        )
        for member in await session.scalars(members):
            publish(session, DeadlineMissed(**_ids(deadline, case), **_member_ids(case, member)))
    elif referral is not None:
        publish(session, DeadlineMissed(**_ids(deadline, referral), referral_id=referral.id))
    await session.flush()
    return referral, deadline


def _in_zone(moment: datetime, about: Referral | CaseFile) -> datetime:
    """A moment as the clocks of the country of return show it: only so does it say which day it
    ends.
    """
    return moment.astimezone(
        zone_of(about.programme, about.programme_version, about.country_of_return)
    )


def _ids(deadline: Deadline, about: Referral | CaseFile) -> dict[str, Any]:
    return {
        "deadline_id": deadline.id,
        "kind": deadline.kind,
        "due_at": _in_zone(deadline.due_at, about),
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
    """Deadlines of the referrals and cases that the caller takes part in, with the case's office
    and focal point.
    """
    of_case = select(CaseMember.case_id).where(
        visible(col(CaseMember.returnee_id), caller),
        ~restricted.hides_case(CaseMember.case_id, caller),
    )
    mine: ColumnElement[bool] = or_(
        col(Deadline.case_id).in_(of_case),
        col(Deadline.referral_id).is_not(None) & visible(col(Deadline.referral_id), caller),
    )
    return select(Deadline).outerjoin(CaseFile, col(CaseFile.id) == Deadline.case_id).where(mine)


async def find(session: Session, deadline_id: UUID, caller: Caller) -> Deadline:
    """One deadline.

    Raises:
        Problem: 404.
    """
    deadline: Deadline | None = await session.scalar(
        seen_by(caller).where(col(Deadline.id) == deadline_id)
    )
    if deadline is None:
        raise Problem(NOT_FOUND)
    return deadline


async def cases_of(session: Session, deadlines: Iterable[Deadline]) -> dict[UUID, CaseFile]:
    """The cases that deadlines are about, by id."""
    ids = {deadline.case_id for deadline in deadlines if deadline.case_id}
    return {
        case.id: case
        for case in await session.scalars(select(CaseFile).where(col(CaseFile.id).in_(ids)))
    }
