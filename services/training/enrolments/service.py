"""Places in cohorts: taken, waited for, offered, accepted, given back.

A cohort's row is locked while a place of it changes hands, and counts the places that are taken.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import sqlalchemy
from sqlalchemy import ColumnElement, Date, Row, func
from sqlalchemy.orm import aliased
from sqlmodel import cast, col, or_, select, true

from chassis import audit, jobs
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    FieldError,
    Problem,
    ProblemType,
    invalid,
)
from chassis.events import EventData
from chassis.ids import new_id
from chassis.jobs import JobKind, Payload
from chassis.outbox import publish
from chassis.pagination import Rows
from contracts import training as facts
from contracts.codes import CourseKind
from contracts.training import CancellationReason, CohortField, DropOutReason, QuestionReason
from participation import aliases, beneficiaries, identities
from participation.access import Role, grant
from participation.beneficiaries import beneficiary
from services.training.courses.rules import Offer, Refusal, refusals
from services.training.courses.schemas import AsScheduled, CohortChange
from services.training.courses.service import (
    about,
    change_cohort,
    clock,
    lock_cohort,
    newest_first,
    offer_by,
    scheduled_with,
    sessions_of,
)
from services.training.enrolments.rules import NOT_GIVEN_UP, WANTED, must_begin_by, percent_left
from services.training.fields import check_owner, found
from services.training.identities import is_kept
from services.training.models import (
    Cohort,
    CohortSession,
    Course,
    CourseRevision,
    Enrolment,
    PlannedLine,
    Provider,
    Whereabouts,
)
from services.training.people import WHO_WORKS, decides, mine, must_work_for
from services.training.programmes import rules_of
from services.training.states import (
    COHORT,
    ENROLMENT,
    CohortAction,
    CohortState,
    EnrolmentAction,
    EnrolmentState,
)

LAPSE = "training.offer.lapse"
RESOURCE = "enrolment"
BY_PLAN = "plan"
AFRESH = {"populate_existing": True}

CLASH = ProblemType(
    "training-clash",
    409,
    "Another course is at the same time",
    "The person has, or was offered, a place in a cohort that meets at the same time. `errors` "
    "says which; send "
    "`despite_clash: true` where that is known and right.",
)
NOT_FOR_THEM = ProblemType(
    "not-eligible",
    409,
    "The cohort is not for this person",
    "`errors` says by which rule: programme, phase, place or governorate.",
)


def person_of(person: Row[Any]) -> dict[str, Any]:
    """What a row about somebody keeps of the projection."""
    names = (
        "returnee_id",
        "case_id",
        "referral_id",
        "household_id",
        "programme",
        "programme_version",
    )
    return {name: getattr(person, name) for name in names}


def fact_of(enrolment: Enrolment) -> dict[str, Any]:
    """What every fact about an enrolment carries."""
    return enrolment.ids | {
        "enrolment_id": enrolment.id,
        "cohort_id": enrolment.cohort_id,
        "course_id": enrolment.course_id,
        "group": CourseKind(enrolment.kind).group,
        "kind": CourseKind(enrolment.kind).published,
        "phase": enrolment.phase,
        "plan_line_id": enrolment.plan_line_id,
    }


async def one_at_a_time(session: Session, returnee_id: UUID) -> Sequence[UUID]:
    """Let no two transactions give one person a place at once: two that clash would not see each
    other.

    Taken before any cohort is locked.

    Returns:
        Every id of the person.
    """
    ids = await aliases.same_person(session, returnee_id)
    key = int.from_bytes(ids[0].bytes[8:], "big", signed=True)
    await session.execute(select(func.pg_advisory_xact_lock(key)))
    return ids


async def find(session: Session, caller: Caller, enrolment_id: UUID) -> Enrolment:
    """An enrolment, if the caller takes part in the person's return.

    Raises:
        Problem: 404.
    """
    enrolment = await session.scalar(
        select(Enrolment).where(Enrolment.id == enrolment_id, mine(caller))
    )
    if enrolment is None:
        raise Problem(NOT_FOUND)
    return enrolment


async def to_decide(
    session: Session, caller: Caller, enrolment_id: UUID, action: EnrolmentAction
) -> Enrolment:
    """An enrolment, if the caller may do that.

    Raises:
        Problem: 404; 403, they may only look.
    """
    seen = await find(session, caller, enrolment_id)
    if not await session.scalar(
        select(decides(caller, action)).where(Enrolment.id == enrolment_id)
    ):
        raise Problem(FORBIDDEN, WHO_WORKS)
    return seen


async def lock(
    session: Session, caller: Caller, enrolment_id: UUID, action: EnrolmentAction
) -> tuple[Enrolment, Cohort | None]:
    """An enrolment and its cohort, both locked, the cohort first.

    Raises:
        Problem: 404; 403, they may only look.
    """
    seen = await to_decide(session, caller, enrolment_id, action)
    cohort = await lock_cohort(session, seen.cohort_id) if seen.cohort_id else None
    query = select(Enrolment).where(Enrolment.id == enrolment_id).with_for_update()
    result = await session.scalars(query, execution_options={"populate_existing": True})
    enrolment = result.one()
    if cohort is None and enrolment.cohort_id is not None:  # it was given a cohort in between
        raise Problem(CONFLICT, "it was given a cohort a moment ago")
    return enrolment, cohort


async def _clashes(session: Session, person_ids: Sequence[UUID], cohort_id: UUID) -> list[Row[Any]]:
    here, there = aliased(CohortSession), aliased(CohortSession)
    query = (
        select(
            there.cohort_id,
            there.number,
            func.greatest(here.starts_at, there.starts_at).label("at"),
        )
        .join(here, (col(here.starts_at) < there.ends_at) & (there.starts_at < here.ends_at))
        .join(Enrolment, col(Enrolment.cohort_id) == there.cohort_id)
        .where(
            here.cohort_id == cohort_id,
            there.cohort_id != cohort_id,
            col(Enrolment.returnee_id).in_(person_ids),
            col(Enrolment.state).in_(EnrolmentState.KEEPS_TIME),
        )
        .order_by("at", col(there.cohort_id), col(there.number))
        .limit(50)
    )
    return list(await session.execute(query))


async def clashes(session: Session, enrolment: Enrolment) -> list[Row[Any]]:
    """Sessions of the person's other courses at the same time: `cohort_id, number, at`."""
    if enrolment.cohort_id is None or enrolment.state in EnrolmentState.OVER:
        return []
    ids = await aliases.same_person(session, enrolment.returnee_id)
    return await _clashes(session, ids, enrolment.cohort_id)


async def _refuse_clash(
    session: Session, person_ids: Sequence[UUID], cohort_id: UUID, *, despite: bool
) -> None:
    if despite:
        return
    found = await _clashes(session, person_ids, cohort_id)
    if found:
        detail = "session {} of cohort {} is at the same time"
        errors = [
            FieldError(
                pointer="/cohort_id", code="clash", detail=detail.format(row.number, row.cohort_id)
            )
            for row in found
        ]
        raise Problem(CLASH, errors=errors)


async def _offer_of(session: Session, cohort_id: UUID) -> tuple[AsScheduled, Offer, str]:
    query = (
        select(CourseRevision.content, Cohort.country, Cohort.online, Provider.slug)
        .join(Cohort, scheduled_with())
        .join(Provider, col(Provider.id) == Cohort.provider_id)
        .where(Cohort.id == cohort_id)
    )
    content, country, online, slug = found((await session.execute(query)).one_or_none())
    course = AsScheduled.model_validate(content)
    return course, offer_by(course, country=country, online=online), slug


async def request(
    session: Session,
    caller: Caller,
    *,
    id: UUID | None,  # noqa: A002 - the resource's member
    returnee_id: UUID,
    cohort_id: UUID,
    plan_line_id: UUID | None,
    despite_clash: bool,
    caught_up: bool,
) -> Enrolment:
    """Give somebody a place in a cohort, or one on its waiting list.

    Args:
        session: The session.
        caller: Who asks.
        id: Chosen by the client.
        returnee_id: For whom.
        cohort_id: Where.
        plan_line_id: The line of their plan that it carries out, if it does.
        despite_clash: Whether another course at the same time is accepted.
        caught_up: Whether the projection of people was already waited for.

    Raises:
        Problem: 404; 403; 409, not for them, taken already, at the same time as another, or
            cancelled; 422, no such line.
        NotKnownYet: The person is not known here yet.
    """
    person = await beneficiaries.require(session, returnee_id, caller, caught_up=caught_up)
    course, _, _ = await _offer_of(session, cohort_id)
    await must_work_for(session, returnee_id, caller, phase=course.phase)
    if id is not None:
        there = await session.scalar(select(Enrolment).where(Enrolment.id == id))
        if there is not None:
            if (there.returnee_id, there.cohort_id, there.plan_line_id) != (
                returnee_id,
                cohort_id,
                plan_line_id,
            ):
                raise Problem(CONFLICT, "the id is taken by something else")
            return there
    ids = await one_at_a_time(session, returnee_id)
    if plan_line_id is not None:
        await _check_line(session, ids, plan_line_id, cohort_id, course.kind)
    values = person_of(person) | {
        "id": id or new_id(),
        "version": 0,  # counted when it is placed
        "cohort_id": None,
        "plan_line_id": plan_line_id,
        "state": EnrolmentState.REQUESTED,
        "kind": CourseKind.ORIENTATION,
        "stipend": False,
        "requested_by": caller.organisation,
    }
    enrolment = Enrolment(**values)
    await seat(
        session, caller, person, ids, enrolment, cohort_id, despite_clash=despite_clash, new=True
    )
    return enrolment


async def _check_line(
    session: Session, person_ids: Sequence[UUID], line_id: UUID, cohort_id: UUID, kind: str
) -> None:
    """Refuse a line that a cohort of such a course does not carry out, or that something carries
    out already.
    """
    named = select(Cohort.id).where(
        Cohort.id == cohort_id, Cohort.course_id == PlannedLine.course_id
    )
    suits = [wanted for wanted, carried_out_by in WANTED.items() if carried_out_by == kind]
    query = select(PlannedLine.line_id).where(
        PlannedLine.line_id == line_id,
        col(PlannedLine.returnee_id).in_(person_ids),
        PlannedLine.active,
        col(PlannedLine.kind).in_(WANTED),
        or_(PlannedLine.cohort_id == cohort_id, named.exists(), col(PlannedLine.kind).in_(suits)),
    )
    if await session.scalar(query) is None:
        right = "a line of the person's approved plan that asks for such a course"
        raise invalid(FieldError(pointer="/plan_line_id", code="unknown_line", detail=right))
    carried_out = select(Enrolment.id).where(
        Enrolment.plan_line_id == line_id, col(Enrolment.state).not_in(EnrolmentState.OVER)
    )
    if await session.scalar(carried_out) is not None:
        raise Problem(
            CONFLICT, "an enrolment carries out this line; what was requested for it is placed"
        )


async def place(
    session: Session,
    caller: Caller,
    enrolment_id: UUID,
    *,
    cohort_id: UUID,
    despite_clash: bool,
    precondition: Precondition,
    caught_up: bool,
) -> Enrolment:
    """Give what a plan asks for a cohort.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    seen = await to_decide(session, caller, enrolment_id, EnrolmentAction.PLACE)
    person = await beneficiaries.require(session, seen.returnee_id, caller, caught_up=caught_up)
    ids = await one_at_a_time(session, seen.returnee_id)
    query = select(Enrolment).where(Enrolment.id == enrolment_id).with_for_update()
    enrolment = (await session.scalars(query, execution_options={"populate_existing": True})).one()
    precondition.check(enrolment.version)
    ENROLMENT.check(enrolment.state, EnrolmentAction.PLACE)
    await seat(
        session, caller, person, ids, enrolment, cohort_id, despite_clash=despite_clash, new=False
    )
    return enrolment


async def _refuse_enrolled(session: Session, person_ids: Sequence[UUID], cohort_id: UUID) -> None:
    """Refuse somebody who has a place in a cohort, or waits for one.

    Raises:
        Problem: 409.
    """
    active = (
        col(Enrolment.cohort_id) == cohort_id,
        col(Enrolment.returnee_id).in_(person_ids),
        col(Enrolment.state).not_in(EnrolmentState.OVER),
    )
    if await session.scalar(select(Enrolment.id).where(*active)) is not None:
        raise Problem(CONFLICT, "the person is enrolled in this cohort, or on its waiting list")


def _publish_placed(session: Session, enrolment: Enrolment, cohort: Cohort) -> None:
    """Publish that somebody has a place, or waits for one."""
    if enrolment.state == EnrolmentState.ENROLLED:
        publish(session, facts.EnrolmentConfirmed(**fact_of(enrolment), stipend=enrolment.stipend))
    else:
        publish(session, facts.EnrolmentWaitlisted(**fact_of(enrolment), queue=cohort.waiting))


async def seat(
    session: Session,
    caller: Caller,
    person: Row[Any],
    person_ids: Sequence[UUID],
    enrolment: Enrolment,
    cohort_id: UUID,
    *,
    despite_clash: bool,
    new: bool,
    may_wait: bool = True,
) -> None:
    """Decide about the person first, with nobody else waiting; then lock the cohort and take the
    place, or a number.

    Args:
        session: The session; the person is locked by `one_at_a_time`.
        caller: Who does it.
        person: Their row of the projection.
        person_ids: Every id of theirs.
        enrolment: New, or locked.
        cohort_id: Where.
        despite_clash: Whether another course at the same time is accepted.
        new: Whether it is to be added.
        may_wait: Whether they go on the waiting list where every place is taken.

    Raises:
        Problem: 404; 409, not for them, taken already, at the same time as another, cancelled, or
            full.
    """
    course, offer, provider = await _offer_of(session, cohort_id)
    await _refuse_ineligible(session, person, offer)
    await _refuse_enrolled(session, person_ids, cohort_id)
    await _refuse_clash(session, person_ids, cohort_id, despite=despite_clash)
    if not await is_kept(session, person.returnee_id):
        await identities.fetch_later(session, person.returnee_id)
    rules = rules_of(person.programme, person.programme_version).training
    enrolment.kind, enrolment.phase = course.kind, course.phase
    enrolment.stipend = course.stipend
    enrolment.attendance_percent = course.attendance_percent or rules.attendance_percent
    cohort = await lock_cohort(session, cohort_id)
    COHORT.check(cohort.state, CohortAction.PLACE)
    enrolment.cohort_id, enrolment.course_id = cohort.id, cohort.course_id
    free = cohort.seats_taken < cohort.capacity and not cohort.waiting
    if not free and not may_wait:
        raise Problem(CONFLICT, "every place is taken")
    to = EnrolmentState.ENROLLED if free else EnrolmentState.WAITLISTED
    ENROLMENT.apply(enrolment, EnrolmentAction.PLACE, to=to)
    if free:
        cohort.seats_taken += 1
        await grant(session, [person.returnee_id], Role.PROVIDER, provider)
    else:
        cohort.last_queue += 1
        cohort.waiting += 1
        enrolment.queue = cohort.last_queue
    cohort.changed()
    if new:
        session.add(enrolment)
        publish(session, facts.EnrolmentRequested(**fact_of(enrolment)))
    _publish_placed(session, enrolment, cohort)
    audit.record(
        session, caller, EnrolmentAction.PLACE, RESOURCE, enrolment.id, {"state": enrolment.state}
    )
    await session.flush()
    if not free:  # who waits in front may be those for whom the cohort is not any more
        await fill(session, cohort)


def refusals_of(person: Row[Any], offer: Offer, governorate: str | None) -> list[Refusal]:
    """Why a cohort is not for somebody.

    Args:
        person: Their row of the projection.
        offer: The cohort and its course.
        governorate: Where they return to; None where that is not known.
    """
    rules = rules_of(person.programme, person.programme_version)
    return refusals(
        offer,
        governorate=governorate,
        programme=person.programme,
        case_state=person.state,
        host_countries=rules.host_countries.values,
        countries_of_return=rules.countries_of_return.keys(),
    )


async def _refuse_ineligible(session: Session, person: Row[Any], offer: Offer) -> None:
    known = await session.get(Whereabouts, person.returnee_id)
    found = refusals_of(person, offer, known.governorate if known else None)
    if found:
        errors = [
            FieldError(pointer="/cohort_id", code=each.code, detail=each.right) for each in found
        ]
        raise Problem(NOT_FOR_THEM, errors=errors)


async def fill(session: Session, cohort: Cohort) -> None:
    """Offer the free places of a locked cohort to the first on its waiting list, in order, each
    once.

    Nothing is offered to somebody for whom it is not any more, or who could not attend enough any
    more.
    """
    free = cohort.capacity - cohort.seats_taken
    if cohort.state != CohortState.SCHEDULED or free <= 0 or not cohort.waiting:
        return
    at, sessions = await clock(session), await _times(session, cohort.id)
    _, offer, _ = await _offer_of(session, cohort.id)
    waiting = (
        select(col(Enrolment.id).label("enrolment_id"), Whereabouts.governorate, *beneficiary.c)
        .join(beneficiary, beneficiary.c.returnee_id == Enrolment.returnee_id)
        .outerjoin(Whereabouts, col(Whereabouts.returnee_id) == Enrolment.returnee_id)
        .where(
            Enrolment.cohort_id == cohort.id,
            Enrolment.state == EnrolmentState.WAITLISTED,
            col(Enrolment.attendance_percent) <= percent_left(sessions, at),
        )
        .order_by(col(Enrolment.queue))
    )
    suits = (
        row.enrolment_id
        for row in await session.execute(waiting)
        if not refusals_of(row, offer, row.governorate)
    )
    query = (
        select(Enrolment)
        .where(col(Enrolment.id).in_(list(islice(suits, free))))
        .order_by(col(Enrolment.queue))
    )
    first = (await session.scalars(query.with_for_update(), execution_options=AFRESH)).all()
    if not first:
        return
    for enrolment in first:
        days = rules_of(enrolment.programme, enrolment.programme_version).training.offer_days
        assert enrolment.attendance_percent is not None
        last = must_begin_by(sessions, enrolment.attendance_percent)
        kept_until = min(at + timedelta(days=days), last)
        ENROLMENT.apply(enrolment, EnrolmentAction.OFFER, offered_until=kept_until)
        cohort.seats_taken += 1
        cohort.waiting -= 1
        await jobs.schedule(
            session,
            LAPSE,
            {"enrolment_id": str(enrolment.id)},
            due_at=kept_until,
            key=str(enrolment.id),
        )
        publish(
            session,
            facts.EnrolmentOffered(**fact_of(enrolment), expires_at=kept_until),
        )
    cohort.changed()
    await session.flush()


async def ask_for(session: Session, person: Any, line_id: UUID, kind: str) -> UUID:
    """Request what a line of an approved plan asks for; a cohort is chosen later.

    Args:
        session: The session.
        person: Of the projection, or of what carried out the line before.
        line_id: The line.
        kind: Of course.
    """
    enrolment = Enrolment(
        **person_of(person),
        id=new_id(),
        kind=kind,
        plan_line_id=line_id,
        state=EnrolmentState.REQUESTED,
        requested_by=BY_PLAN,
    )
    session.add(enrolment)
    await session.flush()
    publish(session, facts.EnrolmentRequested(**fact_of(enrolment)))
    return enrolment.id


async def _ask_again(session: Session, ended: Enrolment) -> None:
    """A plan still asks for what ended although the person did not give it up; a person chooses how
    it goes on.
    """
    if ended.plan_line_id is None:
        return
    goes_on = select(PlannedLine.kind).where(
        PlannedLine.line_id == ended.plan_line_id,
        PlannedLine.active,
        col(PlannedLine.kind).in_(WANTED),
        PlannedLine.returnee_id == beneficiary.c.returnee_id,
        beneficiary.c.state.not_in(["erased", "closed"]),
    )
    kind = await session.scalar(goes_on)
    if kind is not None:
        await ask_for(session, ended, ended.plan_line_id, WANTED[kind])


async def look_again(session: Session, returnee_id: UUID) -> None:
    """Offer free places that somebody waits for and that were not for them before, the cohorts
    locked in id order.
    """
    where = select(Enrolment.cohort_id).where(
        Enrolment.returnee_id == returnee_id, Enrolment.state == EnrolmentState.WAITLISTED
    )
    for cohort_id in sorted(filter(None, await session.scalars(where))):
        await fill(session, await lock_cohort(session, cohort_id))


async def _times(session: Session, cohort_id: UUID) -> list[tuple[datetime, datetime]]:
    return [(each.starts_at, each.ends_at) for each in await sessions_of(session, cohort_id)]


async def leave(
    session: Session,
    enrolment: Enrolment,
    cohort: Cohort | None,
    action: EnrolmentAction,
    fact: EventData,
    **values: Any,
) -> None:
    """End a locked enrolment; its place, if it held one, goes to the first on the waiting list."""
    held = enrolment.state in EnrolmentState.HOLDS_A_SEAT
    if enrolment.state == EnrolmentState.WAITLISTED and cohort is not None:
        cohort.waiting -= 1
        cohort.changed()
    if enrolment.state == EnrolmentState.OFFERED:
        await jobs.cancel(session, LAPSE, str(enrolment.id))
    if enrolment.state in EnrolmentState.HAS_A_PLACE:
        enrolment.left_at = await clock(session)
    ENROLMENT.apply(enrolment, action, review=None, **values)
    publish(session, fact)
    if held and cohort is not None:
        cohort.seats_taken -= 1
        cohort.changed()
        await session.flush()
        await fill(session, cohort)
    await session.flush()


async def accept(
    session: Session,
    caller: Caller,
    enrolment_id: UUID,
    *,
    despite_clash: bool,
    precondition: Precondition,
) -> Enrolment:
    """The person takes the place that was kept for them.

    Raises:
        Problem: 404; 403; 409, also where the offer lapsed, or the cohort is not for them any more;
            412, 428.
    """
    seen = await to_decide(session, caller, enrolment_id, EnrolmentAction.ACCEPT)
    ids = await one_at_a_time(session, seen.returnee_id)
    enrolment, cohort = await lock(session, caller, enrolment_id, EnrolmentAction.ACCEPT)
    precondition.check(enrolment.version)
    ENROLMENT.check(enrolment.state, EnrolmentAction.ACCEPT)
    assert cohort is not None
    at = (await session.execute(select(now()))).scalar_one()
    if enrolment.offered_until is not None and enrolment.offered_until <= at:
        raise Problem(CONFLICT, "the offer has lapsed")
    _, offer, provider = await _offer_of(session, cohort.id)
    person = await session.execute(
        sqlalchemy.select(beneficiary).where(beneficiary.c.returnee_id == enrolment.returnee_id)
    )
    await _refuse_ineligible(session, person.one(), offer)
    assert enrolment.attendance_percent is not None
    if (
        percent_left(await _times(session, cohort.id), at) < enrolment.attendance_percent
    ):  # it was moved since
        raise Problem(CONFLICT, "too little of the course is left to attend")
    await _refuse_clash(session, ids, cohort.id, despite=despite_clash)
    await grant(session, [enrolment.returnee_id], Role.PROVIDER, provider)
    await jobs.cancel(session, LAPSE, str(enrolment.id))
    await ENROLMENT.move(session, caller, enrolment, EnrolmentAction.ACCEPT)
    publish(session, facts.EnrolmentConfirmed(**fact_of(enrolment), stipend=enrolment.stipend))
    return enrolment


async def lapse(session: Session, payload: Payload, _: Any) -> None:
    """An offer that nobody took in time goes to the next."""
    enrolment_id = UUID(payload["enrolment_id"])
    cohort_id = await session.scalar(
        select(Enrolment.cohort_id).where(Enrolment.id == enrolment_id)
    )
    if cohort_id is None:
        return
    cohort = await lock_cohort(session, cohort_id)
    query = select(Enrolment).where(
        Enrolment.id == enrolment_id,
        Enrolment.state == EnrolmentState.OFFERED,
        Enrolment.offered_until <= now(),
    )
    enrolment = await session.scalar(query.with_for_update())
    if enrolment is not None:
        await _cancel(session, enrolment, cohort, CancellationReason.OFFER_LAPSED)


LAPSE_JOB = JobKind(LAPSE, lapse)


async def _cancel(
    session: Session, enrolment: Enrolment, cohort: Cohort | None, reason: CancellationReason
) -> None:
    cancelled = facts.EnrolmentCancelled(**fact_of(enrolment), reason=reason)
    action = EnrolmentAction.that_cancels(reason)
    await leave(session, enrolment, cohort, action, cancelled, reason=reason)
    if reason in NOT_GIVEN_UP:
        await _ask_again(session, enrolment)


async def cancel(session: Session, caller: Caller, enrolment_id: UUID) -> Enrolment:
    """The person does not want the place, or the offer.

    Raises:
        Problem: 404, 403, 409.
    """
    enrolment, cohort = await lock(session, caller, enrolment_id, EnrolmentAction.CANCEL)
    await _cancel(session, enrolment, cohort, CancellationReason.DECLINED)
    audit.record(session, caller, EnrolmentAction.CANCEL, RESOURCE, enrolment.id)
    return enrolment


async def drop_out(
    session: Session, caller: Caller, enrolment_id: UUID, reason: DropOutReason, comment: str | None
) -> Enrolment:
    """The person does not go on.

    Raises:
        Problem: 404, 403, 409.
    """
    enrolment, cohort = await lock(session, caller, enrolment_id, EnrolmentAction.DROP_OUT)
    dropped_out = facts.EnrolmentDroppedOut(**fact_of(enrolment), reason=reason)
    await leave(
        session,
        enrolment,
        cohort,
        EnrolmentAction.DROP_OUT,
        dropped_out,
        reason=reason,
        comment=comment,
    )
    audit.record(
        session, caller, EnrolmentAction.DROP_OUT, RESOURCE, enrolment.id, {"reason": reason}
    )
    return enrolment


async def no_show(session: Session, caller: Caller, enrolment_id: UUID) -> Enrolment:
    """The person had a place and never came.

    Raises:
        Problem: 404, 403, 409 (also before the cohort begins).
    """
    enrolment, cohort = await lock(session, caller, enrolment_id, EnrolmentAction.NO_SHOW)
    ENROLMENT.check(enrolment.state, EnrolmentAction.NO_SHOW)
    assert cohort is not None
    begins = await session.scalar(
        select(func.min(CohortSession.starts_at)).where(CohortSession.cohort_id == cohort.id)
    )
    if begins is None or begins > (await session.execute(select(now()))).scalar_one():
        raise Problem(CONFLICT, "the cohort has not begun")
    not_shown = facts.EnrolmentNoShow(**fact_of(enrolment))
    await leave(session, enrolment, cohort, EnrolmentAction.NO_SHOW, not_shown)
    await _ask_again(session, enrolment)
    audit.record(session, caller, EnrolmentAction.NO_SHOW, RESOURCE, enrolment.id)
    return enrolment


async def cancel_not_begun(
    session: Session,
    which: Sequence[ColumnElement[bool]],
    reason: CancellationReason,
    states: Collection[str] = EnrolmentState.NOT_BEGUN,
) -> int:
    """Cancel what has not begun, the cohorts locked in id order.

    Args:
        session: The session.
        which: Whose.
        reason: Why.
        states: Of those in these states.

    Returns:
        How many.
    """
    wanted = (*which, col(Enrolment.state).in_(states))
    cohort_ids = await session.scalars(select(Enrolment.cohort_id).where(*wanted).distinct())
    cohorts = {
        cohort_id: await lock_cohort(session, cohort_id)
        for cohort_id in sorted(filter(None, cohort_ids))
    }
    query = select(Enrolment).where(*wanted).order_by(col(Enrolment.id)).with_for_update()
    count = 0
    for enrolment in (
        await session.scalars(query, execution_options={"populate_existing": True})
    ).all():
        if enrolment.cohort_id is None or enrolment.cohort_id in cohorts:
            cohort = cohorts[enrolment.cohort_id] if enrolment.cohort_id else None
            await _cancel(session, enrolment, cohort, reason)
            count += 1
    return count


async def question(
    session: Session, which: Sequence[ColumnElement[bool]], reason: QuestionReason
) -> Sequence[Enrolment]:
    """Have a person look whether enrolments go on whose plan was changed; each is told once for
    each reason.

    Args:
        session: The session.
        which: Whose.
        reason: Why.

    Returns:
        Those that were not in question for this reason before.
    """
    fresh = col(Enrolment.review).is_(None) | (col(Enrolment.review) != reason)
    query = select(Enrolment).where(*which, col(Enrolment.state).in_(EnrolmentState.GOES_ON), fresh)
    rows = await session.scalars(
        query.order_by(col(Enrolment.id)).with_for_update(), execution_options=AFRESH
    )
    found = rows.all()
    for enrolment in found:
        enrolment.review = reason
        enrolment.changed()
        publish(session, facts.EnrolmentQuestioned(**fact_of(enrolment), reason=reason))
    await session.flush()
    return found


async def keep(
    session: Session, caller: Caller, enrolment_id: UUID, precondition: Precondition
) -> Enrolment:
    """The enrolment goes on although the plan was changed; what no line asks for any more carries
    out none.

    Raises:
        Problem: 404, 403; 409, it is over or not in question; 412, 428.
    """
    enrolment, _ = await lock(session, caller, enrolment_id, EnrolmentAction.KEEP)
    precondition.check(enrolment.version)
    ENROLMENT.check(enrolment.state, EnrolmentAction.KEEP)
    if enrolment.review is None:
        raise Problem(CONFLICT, "nobody asked whether it goes on")
    removed = enrolment.review == QuestionReason.LINE_REMOVED
    line_id = None if removed else enrolment.plan_line_id
    await ENROLMENT.move(
        session, caller, enrolment, EnrolmentAction.KEEP, review=None, plan_line_id=line_id
    )
    return enrolment


async def cancel_cohort(
    session: Session, caller: Caller, cohort_id: UUID, precondition: Precondition
) -> Cohort:
    """A cohort does not take place; everybody who has a place or waits for one is told.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    cohort = await lock_cohort(session, cohort_id)
    check_owner(cohort.organisation, caller)
    precondition.check(cohort.version)
    # First, so that no place that becomes free is offered.
    await COHORT.move(session, caller, cohort, CohortAction.CANCEL)
    await _tell(session, cohort, facts.CohortCancelled)
    which = [col(Enrolment.cohort_id) == cohort.id]
    reason = CancellationReason.COHORT_CANCELLED
    await cancel_not_begun(session, which, reason, EnrolmentState.GOES_ON)
    return cohort


async def change(
    session: Session,
    caller: Caller,
    cohort_id: UUID,
    body: CohortChange,
    precondition: Precondition,
) -> Cohort:
    """Change a cohort; everybody who has a place or waits for one is told, and new places are
    offered.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    cohort = await lock_cohort(session, cohort_id)
    check_owner(cohort.organisation, caller)
    precondition.check(cohort.version)
    changed = await change_cohort(session, cohort, body)
    if changed:
        await _tell(session, cohort, facts.CohortUpdated, changed=changed)
        await fill(session, cohort)
        audit.record(session, caller, "change", "cohort", cohort.id, {"changed": list(changed)})
    return cohort


async def _tell(
    session: Session,
    cohort: Cohort,
    fact: type[facts.CohortUpdated] | type[facts.CohortCancelled],
    **more: tuple[CohortField, ...],
) -> None:
    """A fact about a cohort: once of itself, and once of each person in it."""
    course = await session.get_one(Course, cohort.course_id)
    common: Mapping[str, Any] = about(course) | {
        "cohort_id": cohort.id,
        "starts_on": cohort.starts_on,
        "ends_on": cohort.ends_on,
        **more,
    }
    publish(session, fact(**common))
    query = select(Enrolment).where(
        Enrolment.cohort_id == cohort.id, col(Enrolment.state).not_in(EnrolmentState.OVER)
    )
    for enrolment in await session.scalars(query.order_by(col(Enrolment.id))):
        publish(session, fact(**common, **enrolment.ids))


async def assess(
    session: Session, caller: Caller, enrolment_id: UUID, stage: facts.AssessmentStage, score: int
) -> Enrolment:
    """Note how somebody did, before or after; again replaces it.

    Raises:
        Problem: 404, 403, 409.
    """
    enrolment, _ = await lock(session, caller, enrolment_id, EnrolmentAction.ASSESS)
    before = stage is facts.AssessmentStage.BEFORE
    await ENROLMENT.move(
        session,
        caller,
        enrolment,
        EnrolmentAction.ASSESS,
        score_before=score if before else enrolment.score_before,
        score_after=enrolment.score_after if before else score,
    )
    publish(session, facts.EnrolmentAssessed(**fact_of(enrolment), stage=stage))
    return enrolment


async def hand_manual(
    session: Session, caller: Caller, enrolment_id: UUID, handed_on: date
) -> Enrolment:
    """Note that the manual was handed out.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    enrolment, _ = await lock(session, caller, enrolment_id, EnrolmentAction.HAND_MANUAL)
    ENROLMENT.check(enrolment.state, EnrolmentAction.HAND_MANUAL)
    tomorrow = (await session.execute(select(cast(now() + timedelta(days=1), Date)))).scalar_one()
    if handed_on > tomorrow:
        raise invalid(
            FieldError(pointer="/handed_on", code="in_future", detail="a day that has come")
        )
    await ENROLMENT.move(
        session, caller, enrolment, EnrolmentAction.HAND_MANUAL, manual_on=handed_on
    )
    return enrolment


async def evaluate(
    session: Session, caller: Caller, enrolment_id: UUID, answers: Mapping[str, Any]
) -> Enrolment:
    """Keep what the participant says of the course.

    Raises:
        Problem: 404, 403, 409.
    """
    enrolment, _ = await lock(session, caller, enrolment_id, EnrolmentAction.EVALUATE)
    await ENROLMENT.move(
        session, caller, enrolment, EnrolmentAction.EVALUATE, evaluation=dict(answers)
    )
    return enrolment


async def listed(
    session: Session,
    caller: Caller,
    *,
    cohort_id: UUID | None,
    returnee_id: UUID | None,
    state: EnrolmentState | None,
    review: bool | None,
    updated_since: datetime | None,
    after_: str | None,
    limit: int,
) -> Rows[Enrolment]:
    """Enrolments of those in whose return the caller takes part, newest first."""
    query = select(Enrolment).where(mine(caller))
    if returnee_id is not None:
        query = query.where(
            col(Enrolment.returnee_id).in_(await aliases.same_person(session, returnee_id))
        )
    if review is not None:
        query = query.where(
            col(Enrolment.review).is_not(None) if review else col(Enrolment.review).is_(None)
        )
    for column, value in ((Enrolment.cohort_id, cohort_id), (Enrolment.state, state)):
        if value is not None:
            query = query.where(column == value)
    return await newest_first(
        session, query, Enrolment, updated_since=updated_since, after=after_, limit=limit
    )


async def in_sight(session: Session, caller: Caller, cohort_id: UUID) -> None:
    """Let who runs a cohort, and who takes part in a participant's return, know of its people.

    Raises:
        Problem: 404, there is no such cohort, or nobody in it is for the caller.
    """
    runs = (Cohort.organisation == caller.organisation) | (Provider.slug == caller.organisation)
    theirs = (
        select(Cohort.id)
        .join(Provider, col(Provider.id) == Cohort.provider_id)
        .where(Cohort.id == cohort_id, true() if caller.is_internal else runs)
    )
    if await session.scalar(theirs) is not None:
        return
    known = select(Enrolment.id).where(Enrolment.cohort_id == cohort_id, mine(caller)).limit(1)
    if await session.scalar(known) is None:
        raise Problem(NOT_FOUND)


async def roster(session: Session, caller: Caller, cohort_id: UUID) -> Sequence[Enrolment]:
    """Who takes part in a cohort, of those in whose return the caller takes part.

    Raises:
        Problem: 404, there is no such cohort.
    """
    await in_sight(session, caller, cohort_id)
    query = select(Enrolment).where(
        Enrolment.cohort_id == cohort_id,
        col(Enrolment.state).not_in(EnrolmentState.OVER),
        mine(caller),
    )
    return (await session.scalars(query.order_by(col(Enrolment.id)))).all()
