"""Deadlines: set from programme data, moved, and ended by what happens.

Whoever calls these holds the lock on the referral or the case that a deadline is about.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlmodel import col, select, update

from chassis import jobs
from chassis.db import Session
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import DeadlineCancelled, DeadlineFact, DeadlineMet, DeadlineSet
from contracts.codes import CaseState, DeadlineKind
from services.cases.access.cases import load_members
from services.cases.models import CaseFile, CaseMember, Deadline, Referral, Visit
from services.cases.programmes import rules_of, zone_of
from services.cases.records import event_ids
from services.cases.states.casework import DEADLINE, DeadlineAction, DeadlineState

JOB = "cases.deadline"
OF_A_RETURN = (
    DeadlineKind.POST_ARRIVAL,
    DeadlineKind.FIRST_CONTACT,
    DeadlineKind.PLAN,
    DeadlineKind.POST_RETURN,
)
"""The windows that begin with the arrival."""
ENDED_BY: Mapping[DeadlineAction, type[DeadlineFact]] = {
    DeadlineAction.MEET: DeadlineMet,
    DeadlineAction.CANCEL: DeadlineCancelled,
}


@dataclass(frozen=True, slots=True)
class DueDate:
    """When something is due, and by which rule.

    Attributes:
        kind: What is due.
        due_at: When.
        rule: The rule as it is kept with the deadline.
        programme: Whose rule it is.
        paused_on: The day since which the clock stands, where the case rests.
    """

    kind: DeadlineKind
    due_at: datetime
    rule: dict[str, Any]
    programme: str
    paused_on: date | None = None

    @property
    def state(self) -> DeadlineState:
        """The state in which the deadline begins."""
        return DeadlineState.OPEN if self.paused_on is None else DeadlineState.PAUSED


async def set_for_referral(
    session: Session, referral: Referral, kind: DeadlineKind, start: date | datetime
) -> None:
    """Begin what a programme's silence rule counts on a referral.

    Nothing happens where the programme sets no such rule, or where it is counted so already.
    """
    due = _due_date_of_referral(referral, kind, start)
    if due is None:
        return
    existing: Deadline | None = await session.scalar(
        select(Deadline)
        .where(Deadline.referral_id == referral.id, Deadline.kind == kind)
        .with_for_update()
    )
    if (
        existing is not None
        and existing.due_at == due.due_at
        and existing.state in DeadlineState.LATE_ONCE_DUE
    ):
        return
    deadline = await _begin(session, existing, due, referral_id=referral.id)
    publish(session, DeadlineSet(**deadline_ids(deadline, referral), referral_id=referral.id))


async def begin_for_referrals(
    session: Session, begun: Iterable[tuple[Referral, DeadlineKind, datetime]]
) -> None:
    """Begin the same for many referrals that are new and have no such deadline yet."""
    rows: list[dict[str, Any]] = []
    for referral, kind, start in begun:
        due = _due_date_of_referral(referral, kind, start)
        if due is None:
            continue
        rows.append(
            {
                "id": new_id(),
                "version": 1,
                "kind": kind,
                "state": due.state,
                "due_at": due.due_at,
                "programme": due.programme,
                "referral_id": referral.id,
                "rule": due.rule,
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


def _due_date_of_referral(
    referral: Referral, kind: DeadlineKind, start: date | datetime
) -> DueDate | None:
    rules = rules_of(referral.programme, referral.programme_version)
    due_at = rules.due(kind, referral.country_of_return, start)
    if due_at is None:
        return None
    rule = rules.deadlines[kind].model_dump(mode="json")
    return DueDate(kind, due_at, rule, referral.programme)


async def set_for_case(
    session: Session, case: CaseFile, members: Iterable[CaseMember], arrived_on: date
) -> None:
    """Begin the windows of a case, or move them after a correction of the day of arrival.

    Args:
        session: The session.
        case: The case, locked.
        members: Its members; each deadline is published for each of them.
        arrived_on: The day of the first arrival.
    """
    rules = rules_of(case.programme, case.programme_version)
    existing = {row.kind: row for row in await lock_deadlines(session, case_id=case.id)}
    members = sorted(members, key=lambda member: member.returnee_id)
    for kind in OF_A_RETURN:
        due_at = rules.due(kind, case.country_of_return, arrived_on)
        before = existing.get(kind)
        if due_at is not None and before is not None:
            due_at += timedelta(days=before.shifted_days)
        if due_at is None or (before is not None and _stands(before, due_at)):
            continue
        rule = rules.deadlines[kind].model_dump(mode="json")
        due = DueDate(kind, due_at, rule, case.programme, _paused_since(case, arrived_on))
        deadline = await _begin(session, before, due, case_id=case.id)
        publish_for_members(session, DeadlineSet, deadline, case, members)


def _paused_since(case: CaseFile, began: date) -> date | None:
    """From which day a clock that began on a day stands; None while the case does not rest."""
    if case.state is not CaseState.SUSPENDED:
        return None
    return max(case.suspended_on or began, began)


def _stands(deadline: Deadline, due_at: datetime) -> bool:
    """Whether a deadline is as it should be: met, or due then and not cancelled meanwhile."""
    if deadline.state is DeadlineState.CANCELLED:
        return False
    return deadline.state in DeadlineState.SETTLED or deadline.due_at == due_at


async def _begin(
    session: Session, existing: Deadline | None, due: DueDate, **about: UUID
) -> Deadline:
    """Begin a deadline, or begin the one anew that there is.

    Args:
        session: The session.
        existing: The one that there is, locked.
        due: When it is due now.
        **about: Of a new one, the columns that say what it is about.
    """
    if existing is None:
        deadline = Deadline(
            kind=due.kind,
            state=due.state,
            due_at=due.due_at,
            programme=due.programme,
            rule=due.rule,
            paused_on=due.paused_on,
            shifted_days=0,
            **about,
        )
        session.add(deadline)
    else:
        deadline = existing
        DEADLINE.apply(
            deadline,
            DeadlineAction.SET,
            to=due.state,
            due_at=due.due_at,
            rule=due.rule,
            paused_on=due.paused_on,
        )
    await session.flush()
    await run_clock(session, deadline)
    return deadline


async def run_clock(session: Session, deadline: Deadline) -> None:
    """Have the clock of a deadline run, or stand, as its state says."""
    key = str(deadline.id)
    if deadline.state is DeadlineState.OPEN:
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
    due = DueDate(visit.cause, due_at, rule, case.programme, _paused_since(case, began))
    deadline = await _begin(session, None, due, case_id=case.id, visit_id=visit.id)
    ids = {"returnee_id": visit.returnee_id, "case_id": case.id, "referral_id": case.referral_id}
    publish(
        session, DeadlineSet(**deadline_ids(deadline, case), **ids, household_id=case.household_id)
    )


async def settle_visit(
    session: Session, case: CaseFile, visit_id: UUID, action: DeadlineAction
) -> None:
    """End what counted until a visit was due: it is met, also late, when the visit is paid, or
    cancelled with it.
    """
    for deadline in await lock_deadlines(session, case_id=case.id):
        if deadline.visit_id == visit_id and deadline.state in DeadlineState.UNDONE:
            await _end(session, deadline, case, action)
    await session.flush()


async def copy(
    session: Session, before: CaseFile, after: CaseFile, members: Iterable[CaseMember]
) -> None:
    """Give a case that was split off the deadlines of the one that it comes from, as they stand."""
    members = list(members)
    for deadline in await lock_deadlines(session, case_id=before.id):
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
        await run_clock(session, same)
        if same.state in DeadlineState.PENDING:
            publish_for_members(session, DeadlineSet, same, after, members)


async def move_visits(session: Session, visit_ids: Collection[UUID], case_id: UUID) -> None:
    """Let the deadlines of visits be of another case, as the visits are."""
    await session.execute(
        update(Deadline).where(col(Deadline.visit_id).in_(visit_ids)).values(case_id=case_id)
    )


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
    is_met = state is DeadlineState.MET
    began_by_mistake = not is_met and kinds is not None
    ended = DeadlineState.PENDING
    if case_id is not None and (is_met or began_by_mistake):
        ended = DeadlineState.UNDONE
    action = DeadlineAction.MEET if is_met else DeadlineAction.CANCEL
    for deadline in await lock_deadlines(session, referral_id=referral_id, case_id=case_id):
        if deadline.state in ended and (kinds is None or deadline.kind in kinds):
            await _end(session, deadline, await _load_subject(session, deadline), action)
    await session.flush()


async def _load_subject(session: Session, deadline: Deadline) -> Referral | CaseFile:
    """Load what a deadline is about."""
    if deadline.referral_id is not None:
        return await session.get_one(Referral, deadline.referral_id)
    return await session.get_one(CaseFile, deadline.case_id)


async def _end(
    session: Session, deadline: Deadline, about: Referral | CaseFile, action: DeadlineAction
) -> None:
    """End a deadline, and publish it."""
    DEADLINE.apply(deadline, action)
    await run_clock(session, deadline)
    event = ENDED_BY[action]
    if isinstance(about, Referral):
        publish(session, event(**deadline_ids(deadline, about), referral_id=about.id))
    else:
        members = (await load_members(session, [about.id]))[about.id]
        publish_for_members(session, event, deadline, about, members)


async def lock_deadlines(
    session: Session, *, referral_id: UUID | None = None, case_id: UUID | None = None
) -> list[Deadline]:
    """Lock the deadlines of a referral or a case, the oldest first."""
    about = Deadline.case_id == case_id if case_id else Deadline.referral_id == referral_id
    rows = await session.scalars(
        select(Deadline).where(about).order_by(col(Deadline.id)).with_for_update()
    )
    return list(rows)


def publish_for_members(
    session: Session,
    event: type[DeadlineFact],
    deadline: Deadline,
    case: CaseFile,
    members: Iterable[CaseMember],
    **values: Any,
) -> None:
    """Publish what happened to a deadline of a case, once for each of its members."""
    for member in members:
        ids = event_ids(case, member) | deadline_ids(deadline, case)
        publish(session, event.model_validate(ids | values))


def deadline_ids(deadline: Deadline, about: Referral | CaseFile) -> dict[str, Any]:
    """What every event about a deadline says of it."""
    return {
        "deadline_id": deadline.id,
        "kind": deadline.kind,
        "due_at": in_zone_of(about, deadline.due_at),
        "programme": deadline.programme,
    }


def in_zone_of(about: Referral | CaseFile, moment: datetime) -> datetime:
    """A moment as the clocks of the country of return show it: only so does it say which day it
    ends.
    """
    return moment.astimezone(
        zone_of(about.programme, about.programme_version, about.country_of_return)
    )
