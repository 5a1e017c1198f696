"""Attendance: a whole sheet at once, put right later, and what follows from it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import CONFLICT, FORBIDDEN, FieldError, Problem, invalid
from chassis.outbox import publish
from contracts import training as facts
from participation import aliases
from services.training.courses.service import lock_cohort
from services.training.enrolments.progress import attended, held
from services.training.enrolments.rules import COUNTS, enough, minutes_of
from services.training.enrolments.schemas import SheetIn
from services.training.enrolments.service import fact_of, in_sight
from services.training.fields import found
from services.training.models import (
    Attendance,
    Certificate,
    Cohort,
    CohortSession,
    Enrolment,
    PlannedLine,
)
from services.training.people import WHO_WORKS, decides, mine
from services.training.states import ENROLMENT, EnrolmentAction, EnrolmentState

RESOURCE = "attendance"
ALLOWANCE = "living_allowance"
"""The kind of line of a plan that pays for attendance."""
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far ahead of the database's clock a claim may be; a convention of the whole API."""


async def session_of(
    session: Session, caller: Caller, cohort_id: UUID, number: int
) -> CohortSession:
    """A session of a cohort.

    Raises:
        Problem: 404.
    """
    await in_sight(session, caller, cohort_id)
    meeting: CohortSession = found(await session.get(CohortSession, (cohort_id, number)))
    return meeting


async def sheet(
    session: Session, caller: Caller, cohort_id: UUID, number: int
) -> Sequence[tuple[Attendance, UUID]]:
    """Who was there, of those in whose return the caller takes part, with the returnee's id."""
    query = (
        select(Attendance, Enrolment.returnee_id)
        .join(Enrolment, col(Enrolment.id) == Attendance.enrolment_id)
        .where(Attendance.cohort_id == cohort_id, Attendance.number == number, mine(caller))
        .order_by(col(Attendance.enrolment_id))
    )
    rows = await session.execute(query, execution_options={"populate_existing": True})
    return [(row[0], row[1]) for row in rows]


def _require_same(body: SheetIn, before: Mapping[UUID, Attendance]) -> None:
    """Refuse a capture that was sent before and says something else than what is there.

    Raises:
        Problem: 409.
    """
    sent = {entry.enrolment_id: entry.status for entry in body.entries}
    recorded = {key: before[key].status for key in sent if key in before}
    if sent != recorded:
        raise Problem(
            CONFLICT, "the capture was sent before with other content, or was corrected since"
        )


def _corrections(
    changed: Sequence[Attendance], before: Mapping[UUID, Attendance]
) -> list[dict[str, str]]:
    """What was recorded before and is other now, as the audit trail keeps it."""
    return [
        {
            "enrolment": str(row.enrolment_id),
            "from": before[row.enrolment_id].status,
            "to": row.status,
        }
        for row in changed
        if row.enrolment_id in before
    ]


async def record(
    session: Session,
    caller: Caller,
    cohort_id: UUID,
    number: int,
    body: SheetIn,
    precondition: Precondition,
) -> CohortSession:
    """Record a whole sheet, or put it right. Whoever is not named stays as recorded before.

    A device may send the same capture again: it is there already, whatever version it has seen.

    Args:
        session: The session.
        caller: Who records.
        cohort_id: The cohort.
        number: Its session.
        body: Who was there.
        precondition: The version that was seen, or that nothing was there.

    Raises:
        Problem: 404; 403, they may only look; 409, a capture with other content; 412, 428; 422 not
            a participant then, or not held yet.
    """
    await in_sight(session, caller, cohort_id)
    cohort = await lock_cohort(session, cohort_id)
    query = select(CohortSession).where(
        CohortSession.cohort_id == cohort_id, CohortSession.number == number
    )
    meeting: CohortSession = found(await session.scalar(query.with_for_update()))
    before = {row.enrolment_id: row for row, _ in await sheet(session, caller, cohort_id, number)}
    if body.capture_id is not None and body.capture_id == meeting.capture_id:
        _require_same(body, before)
        precondition.checked = True  # what is sent again says nothing new
        return meeting
    precondition.check(meeting.sheet_version or None)
    clock = (await session.execute(select(now()))).scalar_one()
    if meeting.starts_at > clock + CLOCK_TOLERANCE:
        raise invalid(FieldError(pointer="", code="not_begun", detail="a session that has begun"))
    people = await _participants(session, caller, meeting, body)
    changed = await _write(session, meeting, body, before)
    if not changed and meeting.sheet_version:
        return meeting
    at = body.occurred_at or clock
    await _follow(
        session,
        caller,
        cohort,
        meeting,
        people,
        {row.enrolment_id: row for row in changed},
        before,
        at,
    )
    meeting.sheet_version += 1
    meeting.capture_id = body.capture_id
    meeting.occurred_at, meeting.recorded_at = at, clock
    meeting.recorded_by = caller.person or caller.organisation
    meeting.clock_suspect = at > clock + CLOCK_TOLERANCE
    details: dict[str, Any] = {"session": number}
    corrected = _corrections(changed, before)
    audit.record(
        session,
        caller,
        "correct" if corrected else "record",
        RESOURCE,
        cohort_id,
        details | {"corrected": corrected},
    )
    await session.flush()
    return meeting


async def _participants(
    session: Session, caller: Caller, meeting: CohortSession, body: SheetIn
) -> dict[UUID, Enrolment]:
    """Who had a place when the session began, also who gave it up since."""
    wanted = [entry.enrolment_id for entry in body.entries]
    query = (
        select(Enrolment, decides(caller, EnrolmentAction.ATTEND))
        .where(
            col(Enrolment.id).in_(wanted),
            Enrolment.cohort_id == meeting.cohort_id,
            col(Enrolment.state).in_(EnrolmentState.HAS_A_PLACE)
            | (col(Enrolment.left_at) > meeting.starts_at),
            mine(caller),
        )
        .order_by(col(Enrolment.id))
        .with_for_update(of=Enrolment)
    )
    rows = (await session.execute(query, execution_options={"populate_existing": True})).all()
    if not all(may for _, may in rows):
        raise Problem(FORBIDDEN, WHO_WORKS)
    people = {enrolment.id: enrolment for enrolment, _ in rows}
    errors = [
        FieldError(
            pointer=f"/entries/{place}/enrolment_id",
            code="not_a_participant",
            detail="who has, or had then, a place here",
        )
        for place, enrolment_id in enumerate(wanted)
        if enrolment_id not in people
    ]
    if errors:
        raise invalid(*errors)
    return people


async def _write(
    session: Session, meeting: CohortSession, body: SheetIn, before: dict[UUID, Attendance]
) -> list[Attendance]:
    """Write the entries that are new or other than before; they are returned detached, as they are
    now.
    """
    rows = [
        Attendance(
            enrolment_id=entry.enrolment_id,
            number=meeting.number,
            cohort_id=meeting.cohort_id,
            status=entry.status,
            minutes=minutes_of(entry.status, meeting.starts_at, meeting.ends_at),
        )
        for entry in body.entries
        if entry.enrolment_id not in before or before[entry.enrolment_id].status != entry.status
    ]
    if rows:
        names = ("enrolment_id", "number", "cohort_id", "status", "minutes")
        statement = insert(Attendance).values(
            [{name: getattr(row, name) for name in names} for row in rows]
        )
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=["enrolment_id", "number"],
                set_={
                    "status": statement.excluded.status,
                    "minutes": statement.excluded.minutes,
                    "recorded_at": now(),
                },
            ),
            execution_options={"synchronize_session": False},
        )
    return rows


async def _allowances(session: Session, returnee_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The line of each person's approved plan that pays a living allowance; of several the one with
    the lowest id.
    """
    same = await aliases.same_people(session, returnee_ids)
    query = (
        select(PlannedLine.returnee_id, PlannedLine.line_id)
        .where(
            col(PlannedLine.returnee_id).in_(same),
            PlannedLine.kind == ALLOWANCE,
            PlannedLine.active,
        )
        .order_by(col(PlannedLine.line_id).desc())
    )
    lines = {same[row.returnee_id]: row.line_id for row in await session.execute(query)}
    return {one: lines[root] for one, root in same.items() if root in lines}


async def _follow(
    session: Session,
    caller: Caller,
    cohort: Cohort,
    meeting: CohortSession,
    people: dict[UUID, Enrolment],
    changed: dict[UUID, Attendance],
    before: dict[UUID, Attendance],
    at: datetime,
) -> None:
    """Tell each entry that is new or other than before, and let enrolments and certificates
    follow.
    """
    total, minutes = await held(session, cohort.id), await attended(session, changed)
    day = (
        (await session.execute(select(func.timezone(cohort.time_zone, meeting.starts_at))))
        .scalar_one()
        .date()
    )
    allowances = await _allowances(
        session, [people[each].returnee_id for each in changed if people[each].stipend]
    )
    for enrolment_id, row in sorted(changed.items()):
        enrolment = people[enrolment_id]
        assert enrolment.attendance_percent is not None
        sufficient = enough(minutes.get(enrolment_id, 0), total, enrolment.attendance_percent)
        if row.status in COUNTS and enrolment.state == EnrolmentState.ENROLLED:
            ENROLMENT.apply(enrolment, EnrolmentAction.ATTEND)
            publish(session, facts.EnrolmentStarted(**fact_of(enrolment)), occurred_at=at)
        else:
            enrolment.changed()
        common = fact_of(enrolment) | {
            "session": meeting.number,
            "held_on": day,
            "status": row.status,
            "minutes": row.minutes,
            "stipend": enrolment.stipend,
            "allowance_line_id": allowances.get(enrolment.returnee_id)
            if enrolment.stipend
            else None,
        }
        old = before.get(enrolment_id)
        if old is None:
            publish(session, facts.AttendanceRecorded(**common), occurred_at=at)
        else:
            told = facts.AttendanceCorrected(
                **common,
                previous_status=old.status,
                previous_minutes=old.minutes,
                sufficient=sufficient,
            )
            publish(session, told, occurred_at=at)
        if enrolment.state == EnrolmentState.COMPLETED:
            await _certificate(session, caller, enrolment, at, valid=sufficient)


async def _certificate(
    session: Session, caller: Caller, enrolment: Enrolment, at: datetime, *, valid: bool
) -> None:
    """A certificate holds as long as enough was attended; where that changes, whoever relied on it
    is told.
    """
    certificate = await session.scalar(
        select(Certificate).where(Certificate.enrolment_id == enrolment.id)
    )
    if certificate is None or certificate.valid == valid:
        return
    certificate.valid = valid
    certificate.changed()
    told = (facts.CertificateRestored if valid else facts.CertificateInvalidated)(
        **enrolment.ids,
        certificate_id=certificate.id,
        enrolment_id=enrolment.id,
        cohort_id=enrolment.cohort_id,
        course_id=enrolment.course_id,
        plan_line_id=enrolment.plan_line_id,
    )
    publish(session, told, occurred_at=at)
    audit.record(
        session, caller, "restore" if valid else "invalidate", "certificate", certificate.id
    )
