"""Which cohort carries out what an approved plan asks for: chosen where one fits, left to a person
where not.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy
import structlog
from sqlalchemy import ColumnElement, Date, func
from sqlmodel import and_, cast, col, or_, select, true

from chassis import jobs
from chassis.auth import Caller, OrganisationKind
from chassis.db import Session, now, savepoint
from chassis.errors import Problem
from chassis.jobs import JobKind, Payload
from chassis.pagination import Rows, page
from participation import aliases
from participation.beneficiaries import beneficiary
from services.training.courses.rules import Offer
from services.training.courses.schemas import AsScheduled
from services.training.courses.service import offer_by, scheduled_with
from services.training.enrolments.rules import Obstacle, Suits, chosen, obstacles, overlaps
from services.training.enrolments.service import one_at_a_time, refusals_of, seat
from services.training.models import (
    Cohort,
    CohortSession,
    CourseRevision,
    Enrolment,
    PlannedLine,
    Provider,
    Seeker,
    Whereabouts,
)
from services.training.people import mine
from services.training.states import CohortState, EnrolmentState

CHOOSE = "training.cohort.choose"
SYSTEM = Caller("service-training", "homeward", OrganisationKind.INTERNAL, frozenset())
"""Who acts where nobody does: a reaction to an approved plan."""

log = structlog.get_logger("homeward.training")
Times = list[tuple[datetime, datetime]]


@dataclass(frozen=True, slots=True)
class Fit:
    """A cohort that may carry out what a plan asks for.

    Attributes:
        cohort: The cohort.
        course: Its course, as it was scheduled.
        obstacles: What speaks against it; nothing where it suits.
    """

    cohort: Cohort
    course: AsScheduled
    obstacles: tuple[Obstacle, ...]


@dataclass(frozen=True, slots=True)
class _Open:
    """A cohort that has not begun."""

    cohort: Cohort
    course: AsScheduled
    provider: str
    times: Times

    @property
    def offer(self) -> Offer:
        return offer_by(self.course, country=self.cohort.country, online=self.cohort.online)


@dataclass(frozen=True, slots=True)
class _Want:
    """A cohort, a run of a course, or one of a kind of course, for a programme, by the provider if
    one is named.
    """

    cohort_id: UUID | None = None
    course_id: UUID | None = None
    kind: str = ""
    programme: str = ""
    provider: str | None = None

    def predicate(self) -> ColumnElement[bool]:
        if self.cohort_id is not None:
            return col(Cohort.id) == self.cohort_id
        if self.course_id is not None:
            return col(Cohort.course_id) == self.course_id
        content = col(CourseRevision.content)
        open_to_all = func.jsonb_array_length(content["programmes"]) == 0
        fits = [
            content["kind"].astext == self.kind,
            open_to_all | content.contains({"programmes": [self.programme]}),
        ]
        return and_(*fits, Provider.slug == self.provider if self.provider else true())


async def choose_later(session: Session, enrolment_ids: Collection[UUID]) -> None:
    """Have a cohort looked for, for each; again replaces what is still waiting."""
    for enrolment_id in sorted(enrolment_ids):
        await jobs.schedule(
            session, CHOOSE, {"enrolment_id": str(enrolment_id)}, key=str(enrolment_id)
        )


async def choose_for(session: Session, returnee_id: UUID) -> None:
    """Look again for somebody whose case has moved on."""
    waiting = select(Enrolment.id).where(
        Enrolment.returnee_id == returnee_id, Enrolment.state == EnrolmentState.REQUESTED
    )
    await choose_later(session, (await session.scalars(waiting)).all())


async def choose(session: Session, payload: Payload, _: Any) -> None:
    """Give what a plan asks for the cohort that the line names, or the only one that suits; else a
    person chooses.
    """
    seen = await session.get(Enrolment, UUID(payload["enrolment_id"]))
    if seen is None:
        return
    ids = await one_at_a_time(session, seen.returnee_id)
    query = select(Enrolment).where(
        Enrolment.id == seen.id,
        Enrolment.state == EnrolmentState.REQUESTED,
        col(Enrolment.review).is_(None),
    )
    enrolment = await session.scalar(
        query.with_for_update(), execution_options={"populate_existing": True}
    )
    person = (
        await session.execute(
            sqlalchemy.select(beneficiary).where(beneficiary.c.returnee_id == seen.returnee_id)
        )
    ).first()
    if enrolment is None or person is None:
        return
    fits = (await fits_of(session, [enrolment]))[enrolment.id]
    line = (
        await session.get(PlannedLine, enrolment.plan_line_id) if enrolment.plan_line_id else None
    )
    named = (line.cohort_id, line.course_id) if line else (None, None)
    options = [Suits(fit.cohort.id, fit.cohort.course_id, frozenset(fit.obstacles)) for fit in fits]
    cohort_id = chosen(options, cohort_id=named[0], course_id=named[1])
    if cohort_id is None:
        log.info(
            "a cohort is left to be chosen by a person",
            enrolment_id=str(enrolment.id),
            fitting=len(fits),
        )
        return
    waits = (
        cohort_id == named[0]
    )  # whoever is to be in that one and no other waits for a place in it
    try:
        async with savepoint(session):
            how = {"despite_clash": False, "new": False, "may_wait": waits}
            await seat(session, SYSTEM, person, ids, enrolment, cohort_id, **how)
    except Problem as problem:  # taken, full or cancelled in between
        await session.refresh(enrolment)
        log.info(
            "a cohort is left to be chosen by a person",
            enrolment_id=str(enrolment.id),
            why=problem.kind.slug,
        )


CHOOSE_JOB = JobKind(CHOOSE, choose)


async def fits_of(session: Session, enrolments: Sequence[Enrolment]) -> dict[UUID, list[Fit]]:
    """The cohorts that are for each person and may carry out what is asked for, the most suitable
    first.

    Args:
        session: The session.
        enrolments: Requested, without a cohort yet.
    """
    people = {enrolment.returnee_id for enrolment in enrolments}
    known = {row.returnee_id: row for row in await session.execute(_people(people))}
    where = await _by_id(session, Whereabouts, people)
    seekers = await _by_id(session, Seeker, people)
    lines = await _by_id(
        session, PlannedLine, {e.plan_line_id for e in enrolments if e.plan_line_id}
    )
    wants = {
        _want(each, lines.get(each.plan_line_id), known[each.returnee_id].programme)
        for each in enrolments
        if each.returnee_id in known
    }
    open_ones = await _open(session, wants) if wants else []
    busy = await _busy(session, people)
    found = {}
    for enrolment in enrolments:
        person, line = known.get(enrolment.returnee_id), lines.get(enrolment.plan_line_id)
        place, seeker = where.get(enrolment.returnee_id), seekers.get(enrolment.returnee_id)
        wanted = [each for each in open_ones if _may_carry_out(each, enrolment, line)]
        governorate = place.governorate if place else None
        fits = [
            Fit(
                each.cohort,
                each.course,
                obstacles(
                    online=each.cohort.online,
                    place=each.cohort.governorate,
                    lives_in=governorate,
                    languages=each.cohort.languages,
                    speaks=[
                        *(place.languages or [] if place else []),
                        *(seeker.languages if seeker else []),
                    ],
                    free=each.cohort.capacity - each.cohort.seats_taken - each.cohort.waiting,
                    clash=overlaps(each.times, busy[enrolment.returnee_id]),
                    starts_on=each.cohort.starts_on,
                    available_from=seeker.available_from if seeker else None,
                ),
            )
            for each in wanted
            if person is not None and not refusals_of(person, each.offer, governorate)
        ]
        found[enrolment.id] = sorted(
            fits, key=lambda fit: (len(fit.obstacles), fit.cohort.starts_on, fit.cohort.id)
        )
    return found


def _may_carry_out(each: _Open, enrolment: Enrolment, line: PlannedLine | None) -> bool:
    if line is not None and line.cohort_id is not None:
        return each.cohort.id == line.cohort_id
    if line is not None and line.course_id is not None:
        return each.cohort.course_id == line.course_id
    return each.course.kind == enrolment.kind and (
        line is None or line.provider in {None, each.provider}
    )


def _people(returnee_ids: Collection[UUID]) -> Any:
    return sqlalchemy.select(beneficiary).where(
        beneficiary.c.returnee_id.in_(returnee_ids),
        beneficiary.c.state.not_in(["erased", "closed"]),
    )


async def _by_id(session: Session, model: Any, ids: Collection[Any]) -> Mapping[Any, Any]:
    (key,) = model.__table__.primary_key.columns
    rows = await session.scalars(select(model).where(key.in_(ids)))
    return {getattr(row, key.name): row for row in rows}


def _want(enrolment: Enrolment, line: PlannedLine | None, programme: str) -> _Want:
    """Among which cohorts one is that carries out a wish, as narrow as a query can tell."""
    if line is not None and line.cohort_id is not None:
        return _Want(cohort_id=line.cohort_id)
    if line is not None and line.course_id is not None:
        return _Want(course_id=line.course_id)
    return _Want(kind=enrolment.kind, provider=line.provider if line else None, programme=programme)


async def _open(session: Session, wants: Collection[_Want]) -> list[_Open]:
    """Cohorts among which a wished one may be, that take place and have not begun, with when they
    meet.
    """
    begun = select(CohortSession.cohort_id).where(
        CohortSession.cohort_id == Cohort.id, CohortSession.starts_at <= now()
    )
    query = (
        select(Cohort, CourseRevision.content, Provider.slug)
        .join(CourseRevision, scheduled_with())
        .join(Provider, col(Provider.id) == Cohort.provider_id)
        .where(
            Cohort.state == CohortState.SCHEDULED,
            Cohort.starts_on >= cast(now(), Date) - 1,
            ~begun.exists(),
            or_(*(want.predicate() for want in sorted(wants, key=str))),
        )
    )
    rows = [
        (row[0], AsScheduled.model_validate(row[1]), row[2]) for row in await session.execute(query)
    ]
    times: dict[UUID, Times] = defaultdict(list)
    meetings = select(CohortSession).where(
        col(CohortSession.cohort_id).in_([row[0].id for row in rows])
    )
    for each in await session.scalars(meetings):
        times[each.cohort_id].append((each.starts_at, each.ends_at))
    return [_Open(cohort, course, slug, times[cohort.id]) for cohort, course, slug in rows]


async def _busy(session: Session, returnee_ids: Collection[UUID]) -> Mapping[UUID, Times]:
    """When each person has, or is offered, a place in a course, under any of their ids."""
    same = await aliases.same_people(session, returnee_ids)
    query = (
        select(Enrolment.returnee_id, CohortSession.starts_at, CohortSession.ends_at)
        .join(CohortSession, col(CohortSession.cohort_id) == Enrolment.cohort_id)
        .where(
            col(Enrolment.returnee_id).in_(same),
            col(Enrolment.state).in_(EnrolmentState.KEEPS_TIME),
            CohortSession.ends_at > now(),
        )
    )
    by_root: dict[UUID, Times] = defaultdict(list)
    for row in await session.execute(query):
        by_root[same[row.returnee_id]].append((row.starts_at, row.ends_at))
    return {one: by_root[root] for one, root in same.items()}


async def waiting(
    session: Session, caller: Caller, *, after: str | None, limit: int
) -> tuple[Rows[Enrolment], dict[UUID, list[Fit]]]:
    """What plans ask for and no cohort was chosen for, the oldest first, with the cohorts that may
    carry it out.
    """
    query = select(Enrolment).where(mine(caller), Enrolment.state == EnrolmentState.REQUESTED)
    rows: Rows[Enrolment] = await page(
        session, query, keys=[col(Enrolment.id)], parsers=[UUID], after=after, limit=limit
    )
    return rows, await fits_of(session, rows.items)
