"""Employers, vacancies, who fits them, and placements with their checks."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy
from sqlalchemy import ColumnElement, Date, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import cast, col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import CONFLICT, NOT_FOUND, FieldError, Problem, invalid
from chassis.ids import new_id
from chassis.outbox import publish
from chassis.pagination import Rows
from contracts import training as facts
from contracts.training import PlacementEnd
from participation import beneficiaries
from participation.access import holds
from services.training.courses.service import newest_first
from services.training.enrolments.schemas import ProfileIn
from services.training.enrolments.service import find, one_at_a_time, person_of
from services.training.fields import check_owner, found
from services.training.models import (
    Employer,
    Placement,
    PlannedLine,
    RetentionCheck,
    Seeker,
    Vacancy,
)
from services.training.people import ALL_BUT_PROVIDERS, WORKERS, must_work_for
from services.training.programmes import rules_of, weighing
from services.training.states import (
    PLACEMENT,
    VACANCY,
    PlacementAction,
    PlacementState,
    VacancyAction,
    VacancyState,
)
from services.training.weighing import Weighing
from services.training.work.matching import Pool, best_work
from services.training.work.rules import Match, Skills, Work, known_groups, month_after
from services.training.work.schemas import EmployerIn, PlacementIn, RetentionIn, VacancyIn

MOST_COMPARED = 20_000
"""The newest so many are compared at most, so that one request stays short."""


async def _once(session: Session, model: Any, values: dict[str, Any]) -> tuple[Any, bool]:
    """Insert a row under the id that the client chose; told again with the same content, it is
    there already.
    """
    statement = (
        insert(model).values(values).on_conflict_do_nothing(index_elements=["id"]).returning(model)
    )
    row = (await session.scalars(statement)).one_or_none()
    if row is not None:
        return row, True
    there = await session.get_one(model, values["id"])
    if any(
        getattr(there, name) != value
        for name, value in values.items()
        if name not in {"version", "state"}
    ):
        raise Problem(CONFLICT, "the id is taken by something else")
    return there, False


async def register_employer(session: Session, caller: Caller, body: EmployerIn) -> Employer:
    """Register who employs.

    Raises:
        Problem: 409, the id is taken by something else.
    """
    values = body.model_dump() | {
        "id": body.id or new_id(),
        "version": 1,
        "registered_by": caller.organisation,
    }
    employer, new = await _once(session, Employer, values)
    if new:
        audit.record(session, caller, "register", "employer", employer.id)
    found_: Employer = employer
    return found_


async def advertise(session: Session, caller: Caller, body: VacancyIn) -> Vacancy:
    """Register a vacancy.

    Raises:
        Problem: 409, the id is taken by something else; 422, nobody knows the employer.
    """
    if await session.get(Employer, body.employer_id) is None:
        raise invalid(
            FieldError(
                pointer="/employer_id", code="unknown_employer", detail="a registered employer"
            )
        )
    values = body.model_dump(exclude={"wage"}) | {
        "id": body.id or new_id(),
        "version": 1,
        "registered_by": caller.organisation,
        "state": VacancyState.OPEN,
        "wage": body.wage.amount if body.wage else None,
        "currency": body.wage.currency if body.wage else None,
    }
    row, new = await _once(session, Vacancy, values)
    if new:
        audit.record(session, caller, "advertise", "vacancy", row.id)
    vacancy: Vacancy = row
    return vacancy


async def lock_vacancy(session: Session, vacancy_id: UUID) -> Vacancy:
    """A vacancy, locked: nobody else fills it meanwhile.

    Raises:
        Problem: 404.
    """
    query = select(Vacancy).where(Vacancy.id == vacancy_id).with_for_update()
    vacancy: Vacancy = found(
        (await session.scalars(query, execution_options={"populate_existing": True})).one_or_none()
    )
    return vacancy


async def close_vacancy(
    session: Session, caller: Caller, vacancy_id: UUID, precondition: Precondition
) -> Vacancy:
    """Nobody is looked for any more; who works there goes on.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    vacancy = await lock_vacancy(session, vacancy_id)
    check_owner(vacancy.registered_by, caller)
    precondition.check(vacancy.version)
    await VACANCY.move(session, caller, vacancy, VacancyAction.CLOSE)
    return vacancy


def work_of(vacancy: Vacancy) -> Work:
    """What a vacancy asks for and gives."""
    return Work(
        vacancy.id,
        vacancy.occupation,
        frozenset(vacancy.languages),
        vacancy.country,
        vacancy.governorate,
        vacancy.remote,
        vacancy.wage,
        vacancy.currency,
        vacancy.starts_on,
    )


SKILLS: tuple[Any, ...] = (
    Seeker.id,
    Seeker.occupations,
    Seeker.languages,
    Seeker.country,
    Seeker.governorate,
    Seeker.may_move,
    Seeker.wage,
    Seeker.currency,
    Seeker.available_from,
)
"""What of a seeker is compared, in the order of `Skills`."""


def skills_of(seeker: Any) -> Skills:
    """What somebody can do and wants.

    Args:
        seeker: A `Seeker`, or a row of `SKILLS`.
    """
    return Skills(
        seeker.id,
        tuple(seeker.occupations),
        frozenset(seeker.languages),
        seeker.country,
        seeker.governorate,
        seeker.may_move,
        seeker.wage,
        seeker.currency,
        seeker.available_from,
    )


async def matches(
    session: Session, caller: Caller, vacancy_id: UUID, most: int
) -> tuple[list[Match], Weighing]:
    """Who fits a vacancy best, of those for whom the caller works, and how that was weighed.

    Raises:
        Problem: 404.
    """
    vacancy: Vacancy = found(await session.get(Vacancy, vacancy_id))
    query = sqlalchemy.select(*SKILLS).where(
        col(Seeker.looking),
        col(Seeker.groups).contains([vacancy.occupation[0]]),
        holds(col(Seeker.id), WORKERS, caller),
    )
    if not vacancy.remote:
        query = query.where(col(Seeker.country) == vacancy.country)
        if vacancy.governorate is not None:
            there = col(Seeker.governorate).is_(None) | (
                col(Seeker.governorate) == vacancy.governorate
            )
            query = query.where(there | Seeker.may_move)
    rows = await session.execute(
        query.order_by(col(Seeker.updated_at).desc(), col(Seeker.id)).limit(MOST_COMPARED)
    )
    by = weighing(await _today(session))
    best = Pool((skills_of(row) for row in rows), by).best(work_of(vacancy), most)
    if not best and vacancy.registered_by != caller.organisation and not caller.is_internal:
        raise Problem(NOT_FOUND)  # who has nobody to place is not told of the people of others
    return best, by


async def suggestions(
    session: Session, caller: Caller, enrolment_id: UUID, most: int
) -> tuple[list[tuple[Match, Vacancy]], Weighing]:
    """The vacancies that fit a participant best, and how that was weighed.

    Raises:
        Problem: 404, no such enrolment, or nothing is known of what the person can do.
    """
    seeker = await profile(session, caller, enrolment_id)
    groups = seeker.groups
    here: ColumnElement[bool] = col(Vacancy.country) == seeker.country
    if seeker.governorate is not None and not seeker.may_move:
        here &= col(Vacancy.governorate).is_(None) | (
            col(Vacancy.governorate) == seeker.governorate
        )
    query = select(Vacancy).where(
        Vacancy.state == VacancyState.OPEN,
        here | Vacancy.remote,
        func.left(Vacancy.occupation, 1).in_(groups),
    )
    open_ones = await session.scalars(
        query.order_by(col(Vacancy.updated_at).desc(), col(Vacancy.id)).limit(MOST_COMPARED)
    )
    by_id = {vacancy.id: vacancy for vacancy in open_ones}
    by = weighing(await _today(session))
    best = best_work(skills_of(seeker), map(work_of, by_id.values()), by, most)
    return [(match, by_id[match.id]) for match in best], by


async def profile(session: Session, caller: Caller, enrolment_id: UUID) -> Seeker:
    """What a participant can do and wants; not for who only gives them a course.

    Raises:
        Problem: 404, no such enrolment, or nothing is known yet.
    """
    enrolment = await find(session, caller, enrolment_id)
    query = select(Seeker).where(
        Seeker.id == enrolment.returnee_id, holds(col(Seeker.id), ALL_BUT_PROVIDERS, caller)
    )
    seeker: Seeker = found(await session.scalar(query))
    return seeker


async def set_profile(
    session: Session,
    caller: Caller,
    enrolment_id: UUID,
    body: ProfileIn,
    precondition: Precondition,
) -> Seeker:
    """Note what a participant can do and wants.

    Raises:
        Problem: 404, 403, 412, 428.
    """
    enrolment = await find(session, caller, enrolment_id)
    await must_work_for(session, enrolment.returnee_id, caller)
    query = select(Seeker).where(Seeker.id == enrolment.returnee_id).with_for_update()
    seeker: Seeker | None = await session.scalar(query)
    precondition.check(seeker.version if seeker else None)
    values = body.model_dump(exclude={"wage"}) | {
        "groups": known_groups(body.occupations),
        "wage": body.wage.amount if body.wage else None,
        "currency": body.wage.currency if body.wage else None,
    }
    if seeker is None:
        statement = (
            insert(Seeker)
            .values(id=enrolment.returnee_id, version=1, **values)
            .on_conflict_do_nothing()
        )
        seeker = await session.scalar(statement.returning(Seeker))
        if seeker is None:
            raise Problem(CONFLICT, "it was noted by somebody else a moment ago")
    else:
        for name, value in values.items():
            setattr(seeker, name, value)
        seeker.changed()
    audit.record(session, caller, "profile", "seeker", enrolment.returnee_id)
    await session.flush()
    return seeker


def _zone_of(placement: Placement) -> ZoneInfo:
    """The time zone where somebody works: of the first country that they may have returned to."""
    rules = rules_of(placement.programme, placement.programme_version)
    return next(iter(rules.countries_of_return.values())).country.zone


def placement_fact(placement: Placement) -> dict[str, Any]:
    """What every fact about a placement carries."""
    return placement.ids | {
        "placement_id": placement.id,
        "vacancy_id": placement.vacancy_id,
        "kind": placement.kind,
        "occupation": placement.occupation,
        "plan_line_id": placement.plan_line_id,
        "wage_subsidy": placement.wage_subsidy,
        "subsidy_line_id": placement.subsidy_line_id,
        "subsidy_months": placement.subsidy_months,
    }


async def _line(session: Session, person_ids: Sequence[UUID], kind: str) -> UUID | None:
    """The line of the person's plan of a kind that no open placement carries out."""
    used = select(Placement.plan_line_id).where(
        col(Placement.plan_line_id).is_not(None), Placement.state != PlacementState.ENDED
    )
    subsidised = select(Placement.subsidy_line_id).where(
        col(Placement.subsidy_line_id).is_not(None), Placement.state != PlacementState.ENDED
    )
    query = (
        select(PlannedLine.line_id)
        .where(
            col(PlannedLine.returnee_id).in_(person_ids),
            PlannedLine.kind == kind,
            PlannedLine.active,
            col(PlannedLine.line_id).not_in(used),
            col(PlannedLine.line_id).not_in(subsidised),
        )
        .order_by(col(PlannedLine.line_id))
        .limit(1)
    )
    line_id: UUID | None = await session.scalar(query)
    return line_id


async def propose(
    session: Session, caller: Caller, body: PlacementIn, *, caught_up: bool
) -> Placement:
    """Propose a person to an employer.

    Raises:
        Problem: 404; 403; 409, the vacancy is not open, they were proposed before, or no plan pays
            the subsidy.
        NotKnownYet: The person is not known here yet.
    """
    person = await beneficiaries.require(session, body.returnee_id, caller, caught_up=caught_up)
    await must_work_for(session, body.returnee_id, caller)
    ids = await one_at_a_time(session, body.returnee_id)  # a line pays one employer
    vacancy = await lock_vacancy(session, body.vacancy_id)
    if body.id is not None:
        there = await session.get(Placement, body.id)
        if there is not None:
            if (there.returnee_id, there.vacancy_id) != (body.returnee_id, body.vacancy_id):
                raise Problem(CONFLICT, "the id is taken by something else")
            return there
    VACANCY.check(vacancy.state, VacancyAction.PROPOSE)
    active = (
        Placement.vacancy_id == vacancy.id,
        col(Placement.returnee_id).in_(ids),
        Placement.state != PlacementState.ENDED,
    )
    if await session.scalar(select(Placement.id).where(*active)) is not None:
        raise Problem(CONFLICT, "the person was proposed for this vacancy before")
    subsidy = await _line(session, ids, "wage_subsidy") if body.wage_subsidy else None
    if body.wage_subsidy and subsidy is None:
        raise Problem(
            CONFLICT, "no line of an approved plan pays a wage subsidy that is not in use"
        )
    placement = Placement(
        **person_of(person),
        id=body.id or new_id(),
        vacancy_id=vacancy.id,
        state=PlacementState.PROPOSED,
        kind=vacancy.kind,
        occupation=vacancy.occupation,
        plan_line_id=await _line(session, ids, "job_placement"),
        wage_subsidy=body.wage_subsidy,
        subsidy_line_id=subsidy,
        subsidy_months=body.subsidy_months,
    )
    session.add(placement)
    await session.flush()
    publish(session, facts.PlacementProposed(**placement_fact(placement)))
    audit.record(session, caller, "propose", "placement", placement.id)
    return placement


async def placement_of(session: Session, caller: Caller, placement_id: UUID) -> Placement:
    """A placement, if the caller takes part in the person's return, and does not only give a
    course.

    Raises:
        Problem: 404.
    """
    query = select(Placement).where(
        Placement.id == placement_id, holds(col(Placement.returnee_id), ALL_BUT_PROVIDERS, caller)
    )
    placement: Placement | None = await session.scalar(query)
    if placement is None:
        raise Problem(NOT_FOUND)
    return placement


async def _lock(session: Session, caller: Caller, placement_id: UUID) -> tuple[Placement, Vacancy]:
    seen = await placement_of(session, caller, placement_id)
    await must_work_for(session, seen.returnee_id, caller)
    vacancy = await lock_vacancy(session, seen.vacancy_id)
    query = select(Placement).where(Placement.id == placement_id).with_for_update()
    placement = (await session.scalars(query, execution_options={"populate_existing": True})).one()
    return placement, vacancy


async def _today(session: Session) -> date:
    """The latest day that it is anywhere."""
    today: date = (
        await session.execute(select(cast(now() + timedelta(hours=14), Date)))
    ).scalar_one()
    return today


async def _has_come(session: Session, day: date, pointer: str) -> None:
    if day > await _today(session):
        raise invalid(FieldError(pointer=pointer, code="in_future", detail="a day that has come"))


async def start(
    session: Session, caller: Caller, placement_id: UUID, started_on: date
) -> Placement:
    """The person began to work: the position is theirs, and the checks become due.

    Raises:
        Problem: 404; 409, the state does not allow it or every position is taken; 422, the day has
            not come.
    """
    placement, vacancy = await _lock(session, caller, placement_id)
    PLACEMENT.check(placement.state, PlacementAction.START)
    await _has_come(session, started_on, "/started_on")
    if vacancy.taken >= vacancy.positions:
        raise Problem(CONFLICT, "every position of the vacancy is taken")
    vacancy.taken += 1
    full = vacancy.taken == vacancy.positions and vacancy.state is VacancyState.OPEN
    to = VacancyState.FILLED if full else vacancy.state
    VACANCY.apply(vacancy, VacancyAction.TAKE_POSITION, to=to)
    await PLACEMENT.move(session, caller, placement, PlacementAction.START, started_on=started_on)
    months = rules_of(placement.programme, placement.programme_version).training.retention_months
    session.add_all(
        RetentionCheck(placement_id=placement.id, months=each, due_on=month_after(started_on, each))
        for each in months
    )
    seeker = await session.get(Seeker, placement.returnee_id)
    if seeker is not None:
        seeker.looking = False
        seeker.changed()
    begun = facts.PlacementStarted(**placement_fact(placement), started_on=started_on)
    publish(session, begun, zone=_zone_of(placement))
    await session.flush()
    return placement


async def end(
    session: Session, caller: Caller, placement_id: UUID, reason: PlacementEnd, ended_on: date
) -> Placement:
    """The placement came to an end, or to nothing.

    Raises:
        Problem: 404; 409; 422, the day has not come or is before the start.
    """
    placement, vacancy = await _lock(session, caller, placement_id)
    PLACEMENT.check(placement.state, PlacementAction.END)
    await _has_come(session, ended_on, "/ended_on")
    if placement.started_on is not None and ended_on < placement.started_on:
        raise invalid(
            FieldError(pointer="/ended_on", code="before_start", detail="a day after the start")
        )
    await finish(session, placement, vacancy, reason, ended_on)
    audit.record(session, caller, "end", "placement", placement.id, {"reason": reason})
    return placement


async def finish(
    session: Session, placement: Placement, vacancy: Vacancy, reason: PlacementEnd, ended_on: date
) -> None:
    """End a locked placement; the position is free again."""
    if placement.state == PlacementState.STARTED:
        vacancy.taken -= 1
        VACANCY.apply(vacancy, VacancyAction.FREE_POSITION)
        seeker = await session.get(Seeker, placement.returnee_id)
        if seeker is not None:
            seeker.looking = True
            seeker.changed()
    PLACEMENT.apply(placement, PlacementAction.END, reason=reason, ended_on=ended_on)
    ended = {"reason": reason, "started_on": placement.started_on, "ended_on": ended_on}
    fact = facts.PlacementEnded(**placement_fact(placement), **ended)
    publish(session, fact, zone=_zone_of(placement))
    await session.flush()


async def check_retention(
    session: Session, caller: Caller, placement_id: UUID, body: RetentionIn
) -> Placement:
    """Note whether the person still works there; again corrects it.

    Raises:
        Problem: 404; 409, it has not begun; 422, no such check, or before it is due.
    """
    placement, _ = await _lock(session, caller, placement_id)
    PLACEMENT.check(placement.state, PlacementAction.CHECK_RETENTION)
    check = await session.get(RetentionCheck, (placement.id, body.months))
    if check is None:
        due = (
            ", ".join(str(each.months) for each in await retention_of(session, placement.id))
            or "none"
        )
        detail = f"a check of this placement: {due}"
        raise invalid(FieldError(pointer="/months", code="unknown_check", detail=detail))
    await _has_come(session, body.checked_on, "/checked_on")
    if body.checked_on < check.due_on:
        raise invalid(
            FieldError(pointer="/checked_on", code="before_due", detail=f"from {check.due_on} on")
        )
    if (check.checked_on, check.working) != (body.checked_on, body.working):
        check.checked_on, check.working = body.checked_on, body.working
        placement.changed()
        found_ = {"months": body.months, "checked_on": body.checked_on, "working": body.working}
        fact = facts.PlacementRetentionChecked(**placement_fact(placement), **found_)
        publish(session, fact, zone=_zone_of(placement))
        audit.record(
            session, caller, "retention", "placement", placement.id, {"months": body.months}
        )
        await session.flush()
    return placement


async def retention_of(session: Session, placement_id: UUID) -> Sequence[RetentionCheck]:
    """The checks of a placement, the first first."""
    query = select(RetentionCheck).where(RetentionCheck.placement_id == placement_id)
    return (await session.scalars(query.order_by(col(RetentionCheck.months)))).all()


async def placements(
    session: Session,
    caller: Caller,
    *,
    returnee_id: UUID | None,
    vacancy_id: UUID | None,
    state: PlacementState | None,
    check_due_before: date | None,
    updated_since: datetime | None,
    after_: str | None,
    limit: int,
) -> Rows[Placement]:
    """Placements of those in whose return the caller takes part, newest first."""
    query = select(Placement).where(holds(col(Placement.returnee_id), ALL_BUT_PROVIDERS, caller))
    for column, value in (
        (Placement.returnee_id, returnee_id),
        (Placement.vacancy_id, vacancy_id),
        (Placement.state, state),
    ):
        if value is not None:
            query = query.where(column == value)
    if check_due_before is not None:
        due = select(RetentionCheck.placement_id).where(
            RetentionCheck.due_on < check_due_before, col(RetentionCheck.checked_on).is_(None)
        )
        query = query.where(col(Placement.id).in_(due))
    return await newest_first(
        session, query, Placement, updated_since=updated_since, after=after_, limit=limit
    )


async def end_not_begun(session: Session, returnee_id: UUID, today: date) -> None:
    """A return that does not go on ends what was only proposed."""
    query = select(Placement).where(
        Placement.returnee_id == returnee_id, Placement.state == PlacementState.PROPOSED
    )
    for seen in (await session.scalars(query.order_by(col(Placement.vacancy_id)))).all():
        vacancy = await lock_vacancy(session, seen.vacancy_id)
        again = select(Placement).where(Placement.id == seen.id).with_for_update()
        placement = (
            await session.scalars(again, execution_options={"populate_existing": True})
        ).one()
        if placement.state == PlacementState.PROPOSED:
            await finish(session, placement, vacancy, PlacementEnd.CASE_CLOSED, today)
