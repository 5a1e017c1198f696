"""Graduates who accompany others: agreed, paired up to what they can carry, ended."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import CONFLICT, NOT_FOUND, FieldError, Problem, invalid, state_conflict
from chassis.ids import new_id
from chassis.outbox import publish
from chassis.pagination import Rows
from contracts import training as facts
from contracts.training import MentorshipEnd, MentorshipPart
from participation import beneficiaries
from participation.access import holds
from services.training.courses.service import newest_first
from services.training.enrolments.service import find, one_at_a_time, person_of
from services.training.fields import found
from services.training.mentors.schemas import MentorIn, MentorshipIn
from services.training.models import Mentor, Mentorship
from services.training.people import ALL_BUT_PROVIDERS, must_work_for
from services.training.programmes import rules_of
from services.training.states import MENTOR, MENTORSHIP, EnrolmentState, MentorAction, MentorState

AFRESH = {"populate_existing": True}


async def agree(session: Session, caller: Caller, body: MentorIn) -> Mentor:
    """A graduate agrees to accompany others.

    Raises:
        Problem: 404; 403; 409, the course was not completed, or they are a mentor; 422, more than
            the programme allows.
    """
    enrolment = await find(session, caller, body.enrolment_id)
    await must_work_for(session, enrolment.returnee_id, caller)
    if body.id is not None:
        there = await session.get(Mentor, body.id)
        if there is not None:
            if there.enrolment_id != body.enrolment_id:
                raise Problem(CONFLICT, "the id is taken by something else")
            return there
    if enrolment.state != EnrolmentState.COMPLETED:
        raise state_conflict(enrolment.state, [], "mentor")
    most = rules_of(enrolment.programme, enrolment.programme_version).training.most_mentees
    if body.capacity > most:
        detail = f"at most {most}, as the programme allows"
        raise invalid(FieldError(pointer="/capacity", code="too_many_mentees", detail=detail))
    await one_at_a_time(session, enrolment.returnee_id)
    active = (Mentor.returnee_id == enrolment.returnee_id, Mentor.state == MentorState.ACTIVE)
    if await session.scalar(select(Mentor.id).where(*active)) is not None:
        raise Problem(CONFLICT, "the graduate is a mentor already")
    mentor = Mentor(
        **enrolment.ids,
        programme_version=enrolment.programme_version,
        id=body.id or new_id(),
        enrolment_id=enrolment.id,
        state=MentorState.ACTIVE,
        agreed_on=body.agreed_on,
        capacity=body.capacity,
    )
    session.add(mentor)
    await session.flush()
    audit.record(session, caller, "agree", "mentor", mentor.id)
    return mentor


async def mentor_of(session: Session, caller: Caller, mentor_id: UUID) -> Mentor:
    """A mentor, if the caller takes part in their return, and does not only give them a course.

    Raises:
        Problem: 404.
    """
    query = select(Mentor).where(
        Mentor.id == mentor_id, holds(col(Mentor.returnee_id), ALL_BUT_PROVIDERS, caller)
    )
    mentor: Mentor | None = await session.scalar(query)
    if mentor is None:
        raise Problem(NOT_FOUND)
    return mentor


async def _to_work_with(session: Session, caller: Caller, mentor_id: UUID) -> None:
    mentor = await mentor_of(session, caller, mentor_id)
    await must_work_for(session, mentor.returnee_id, caller)


async def _lock(session: Session, mentor_id: UUID) -> Mentor:
    query = select(Mentor).where(Mentor.id == mentor_id).with_for_update()
    mentor: Mentor = (await session.scalars(query, execution_options=AFRESH)).one()
    return mentor


async def pair(
    session: Session, caller: Caller, mentor_id: UUID, body: MentorshipIn, *, caught_up: bool
) -> Mentorship:
    """Let a returnee be accompanied; a mentor never has more than they agreed to.

    Raises:
        Problem: 404; 409, the mentor is full or has ended, the mentee has one, or is the mentor.
        NotKnownYet: The mentee is not known here yet.
    """
    await _to_work_with(session, caller, mentor_id)
    person = await beneficiaries.require(session, body.returnee_id, caller, caught_up=caught_up)
    await must_work_for(session, body.returnee_id, caller)
    await one_at_a_time(session, body.returnee_id)
    mentor = await _lock(session, mentor_id)
    if body.id is not None:
        there = await session.get(Mentorship, body.id)
        if there is not None:
            if (there.mentor_id, there.returnee_id) != (mentor_id, body.returnee_id):
                raise Problem(CONFLICT, "the id is taken by something else")
            return there
    MENTOR.check(mentor.state, MentorAction.PAIR)
    if mentor.returnee_id == body.returnee_id:
        raise Problem(CONFLICT, "nobody accompanies themselves")
    active = (Mentorship.returnee_id == body.returnee_id, Mentorship.state == MentorState.ACTIVE)
    if await session.scalar(select(Mentorship.id).where(*active)) is not None:
        raise Problem(CONFLICT, "the returnee has a mentor")
    if mentor.mentees >= mentor.capacity:
        raise Problem(
            CONFLICT, f"the mentor accompanies {mentor.mentees} already, as many as agreed"
        )
    mentor.mentees += 1
    mentor.changed()
    mentorship = Mentorship(
        **person_of(person),
        id=body.id or new_id(),
        mentor_id=mentor.id,
        state=MentorState.ACTIVE,
        started_on=body.started_on,
    )
    session.add(mentorship)
    await session.flush()
    _tell(session, mentor, mentorship, facts.MentorshipStarted)
    audit.record(session, caller, "pair", "mentorship", mentorship.id)
    return mentorship


def _tell(
    session: Session,
    mentor: Mentor,
    mentorship: Mentorship,
    fact: type[facts.MentorshipStarted] | type[facts.MentorshipEnded],
    **more: MentorshipEnd,
) -> None:
    """A fact about two people is told of each."""
    common: dict[str, Any] = {"mentorship_id": mentorship.id, "mentor_id": mentor.id, **more}
    publish(session, fact(**mentorship.ids, **common, part=MentorshipPart.MENTEE))
    publish(session, fact(**mentor.ids, **common, part=MentorshipPart.MENTOR))


async def _lock_pair(
    session: Session, mentor_id: UUID, mentorship_id: UUID
) -> tuple[Mentor, Mentorship]:
    mentor = await _lock(session, mentor_id)
    query = select(Mentorship).where(
        Mentorship.id == mentorship_id, Mentorship.mentor_id == mentor_id
    )
    mentorship = (
        await session.scalars(query.with_for_update(), execution_options=AFRESH)
    ).one_or_none()
    if mentorship is None:
        raise Problem(NOT_FOUND)
    return mentor, mentorship


async def end_pair(
    session: Session,
    caller: Caller,
    mentor_id: UUID,
    mentorship_id: UUID,
    reason: MentorshipEnd,
    ended_on: date,
) -> Mentorship:
    """A mentor accompanies somebody no longer.

    Raises:
        Problem: 404; 409, it has ended; 422, before it began.
    """
    await _to_work_with(session, caller, mentor_id)
    mentee = await session.scalar(
        select(Mentorship.returnee_id).where(Mentorship.id == mentorship_id)
    )
    await must_work_for(session, found(mentee), caller)
    mentor, mentorship = await _lock_pair(session, mentor_id, mentorship_id)
    MENTORSHIP.check(mentorship.state, MentorAction.END)
    if ended_on < mentorship.started_on:
        raise invalid(
            FieldError(pointer="/ended_on", code="before_start", detail="a day after the start")
        )
    await _end(session, mentor, mentorship, reason, ended_on)
    audit.record(session, caller, "end", "mentorship", mentorship.id, {"reason": reason})
    return mentorship


async def _end(
    session: Session, mentor: Mentor, mentorship: Mentorship, reason: MentorshipEnd, ended_on: date
) -> None:
    MENTORSHIP.apply(mentorship, MentorAction.END, reason=reason, ended_on=ended_on)
    mentor.mentees -= 1
    mentor.changed()
    _tell(session, mentor, mentorship, facts.MentorshipEnded, reason=reason)
    await session.flush()


async def stop(session: Session, caller: Caller, mentor_id: UUID, today: date) -> Mentor:
    """A graduate accompanies nobody any more.

    Raises:
        Problem: 404; 409, they have stopped.
    """
    await _to_work_with(session, caller, mentor_id)
    mentor = await _lock(session, mentor_id)
    MENTOR.check(mentor.state, MentorAction.END)
    await _stop(session, mentor, MentorshipEnd.MENTOR_STOPPED, today)
    audit.record(session, caller, "end", "mentor", mentor.id)
    return mentor


async def _stop(session: Session, mentor: Mentor, reason: MentorshipEnd, today: date) -> None:
    pairs = select(Mentorship).where(
        Mentorship.mentor_id == mentor.id, Mentorship.state == MentorState.ACTIVE
    )
    for mentorship in (
        await session.scalars(pairs.order_by(col(Mentorship.id)).with_for_update())
    ).all():
        await _end(session, mentor, mentorship, reason, today)
    MENTOR.apply(mentor, MentorAction.END)
    await session.flush()


async def end_all_of(
    session: Session, returnee_id: UUID, reason: MentorshipEnd, today: date
) -> None:
    """End somebody's part as a mentor and as a mentee, the mentors locked in id order."""
    as_mentor = select(Mentor.id).where(
        Mentor.returnee_id == returnee_id, Mentor.state == MentorState.ACTIVE
    )
    as_mentee = select(Mentorship.mentor_id).where(
        Mentorship.returnee_id == returnee_id, Mentorship.state == MentorState.ACTIVE
    )
    mentor_ids = {*(await session.scalars(as_mentor)), *(await session.scalars(as_mentee))}
    for mentor_id in sorted(mentor_ids):
        mentor = await _lock(session, mentor_id)
        if mentor.returnee_id == returnee_id and mentor.state == MentorState.ACTIVE:
            await _stop(session, mentor, reason, today)
            continue
        theirs = select(Mentorship).where(
            Mentorship.mentor_id == mentor_id,
            Mentorship.returnee_id == returnee_id,
            Mentorship.state == MentorState.ACTIVE,
        )
        for mentorship in (await session.scalars(theirs.with_for_update())).all():
            await _end(session, mentor, mentorship, reason, today)


async def mentors(
    session: Session,
    caller: Caller,
    *,
    state: MentorState | None,
    updated_since: datetime | None,
    after: str | None,
    limit: int,
) -> Rows[Mentor]:
    """Mentors in whose return the caller takes part, newest first."""
    query = select(Mentor).where(holds(col(Mentor.returnee_id), ALL_BUT_PROVIDERS, caller))
    if state is not None:
        query = query.where(Mentor.state == state)
    return await newest_first(
        session, query, Mentor, updated_since=updated_since, after=after, limit=limit
    )


async def pairs_of(session: Session, caller: Caller, mentor_id: UUID) -> Sequence[Mentorship]:
    """A mentor's mentees in whose return the caller takes part too.

    Raises:
        Problem: 404.
    """
    await mentor_of(session, caller, mentor_id)
    told = holds(col(Mentorship.returnee_id), ALL_BUT_PROVIDERS, caller)
    query = select(Mentorship).where(Mentorship.mentor_id == mentor_id, told)
    return (await session.scalars(query.order_by(col(Mentorship.id)))).all()
