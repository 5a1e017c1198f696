"""What is done to providers, courses and cohorts."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, delete, select

from chassis import audit
from chassis.app import field_error
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import CONFLICT, FieldError, Problem, invalid
from chassis.ids import new_id
from chassis.outbox import publish
from chassis.pagination import Rows, page
from contracts import training as facts
from contracts.codes import CourseKind
from contracts.training import CohortField
from services.training.courses.rules import Offer, slug_of
from services.training.courses.schemas import (
    AsScheduled,
    CohortChange,
    CohortIn,
    CourseIn,
    ProviderIn,
    SessionIn,
)
from services.training.fields import check_owner, found, is_in
from services.training.models import Cohort, CohortSession, Course, CourseRevision, Provider
from services.training.programmes import countries, governorate_of
from services.training.states import COHORT, CohortAction, CohortState

COLUMNS = (
    "code",
    "title",
    "kind",
    "phase",
    "hours",
    "days",
    "country",
    "city",
    "capacity",
    "provider",
    "languages",
    "isced_f",
    "isco_08",
    "programme",
    "stipend",
)
"""The columns of a list of courses."""
MOST_ROWS = 5000
ONLINE = "online"
YES_NO = {"yes": True, "no": False}
CHANGEABLE = tuple(name for name in CourseIn.model_fields if name not in {"code", "provider"})


async def newest_first(
    session: Session,
    query: Select[Any],
    model: Any,
    *,
    updated_since: datetime | None,
    after: str | None,
    limit: int,
) -> Rows[Any]:
    """A page of a list, by id."""
    if updated_since is not None:
        query = query.where(model.updated_at >= updated_since)
    return await page(
        session, query, keys=[model.id], parsers=[UUID], after=after, limit=limit, descending=True
    )


def about(course: Course) -> dict[str, Any]:
    """What every fact about a course carries."""
    return {
        "course_id": course.id,
        "group": CourseKind(course.kind).group,
        "kind": CourseKind(course.kind).published,
        "phase": course.phase,
    }


async def register_provider(session: Session, caller: Caller, body: ProviderIn) -> Provider:
    """Register who gives courses; the same again is there already.

    Raises:
        Problem: 409, the slug is taken by something else.
    """
    provider, new = await _provider(session, caller, body)
    if not new and (provider.name, provider.country) != (body.name, body.country):
        raise Problem(CONFLICT, "the slug is taken by something else")
    return provider


async def _provider(session: Session, caller: Caller, body: ProviderIn) -> tuple[Provider, bool]:
    values = {
        "id": new_id(),
        "version": 1,
        **body.model_dump(),
        "registered_by": caller.organisation,
    }
    statement = (
        insert(Provider)
        .values(values)
        .on_conflict_do_nothing(index_elements=["slug"])
        .returning(Provider)
    )
    provider = (await session.scalars(statement)).one_or_none()
    if provider is None:
        return (
            await session.scalars(select(Provider).where(Provider.slug == body.slug))
        ).one(), False
    audit.record(session, caller, "register", "provider", provider.id)
    return provider, True


async def offer(session: Session, caller: Caller, body: CourseIn) -> Course:
    """Offer a course.

    Raises:
        Problem: 409, the code is taken; 422, nobody knows the provider.
    """
    provider = await session.scalar(select(Provider).where(Provider.slug == body.provider))
    if provider is None:
        raise invalid(
            FieldError(pointer="/provider", code="unknown_provider", detail="a registered provider")
        )
    course, what = await _offer(session, caller, body, provider)
    if what == "changed":
        raise Problem(CONFLICT, "the code is taken by a course with other content; change that one")
    return course


async def _offer(
    session: Session, caller: Caller, body: CourseIn, provider: Provider
) -> tuple[Course, str]:
    mine = (Course.organisation == caller.organisation, Course.code == body.code)
    content = _content(body) | {"provider_id": provider.id}
    values = {
        "id": new_id(),
        "version": 1,
        "revision": 1,
        "organisation": caller.organisation,
        "code": body.code,
    }
    inserted = await session.scalars(
        insert(Course)
        .values(values | content)
        .on_conflict_do_nothing(index_elements=["organisation", "code"])
        .returning(Course)
    )
    course = inserted.one_or_none()
    if course is not None:
        await _revised(session, caller, course)
        return course, "created"
    course = (await session.scalars(select(Course).where(*mine).with_for_update())).one()
    return course, "unchanged" if all(
        getattr(course, n) == v for n, v in content.items()
    ) else "changed"


def _content(body: CourseIn) -> dict[str, Any]:
    content = {name: getattr(body, name) for name in CHANGEABLE}
    content["governorate"] = body.governorate or governorate_of(body.country, body.city)
    return content


async def _revised(session: Session, caller: Caller, course: Course) -> None:
    content = {name: getattr(course, name) for name in CHANGEABLE}
    document = {name: str(value) if name == "hours" else value for name, value in content.items()}
    document["provider_id"] = str(course.provider_id)
    session.add(
        CourseRevision(
            course_id=course.id, revision=course.revision, content=document, by=caller.organisation
        )
    )
    audit.record(session, caller, "offer", "course", course.id, {"revision": course.revision})
    publish(session, facts.CourseUpdated(**about(course), revision=course.revision))
    await session.flush()


async def change_course(
    session: Session, caller: Caller, course_id: UUID, body: CourseIn, precondition: Precondition
) -> Course:
    """Offer a course otherwise: its next revision. Cohorts keep to the one they were scheduled
    with.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    course: Course = found(
        await session.scalar(select(Course).where(Course.id == course_id).with_for_update())
    )
    check_owner(course.organisation, caller)
    precondition.check(course.version)
    if course.code != body.code:
        raise Problem(CONFLICT, "a course keeps its code")
    provider = await session.scalar(select(Provider).where(Provider.slug == body.provider))
    if provider is None:
        raise invalid(
            FieldError(pointer="/provider", code="unknown_provider", detail="a registered provider")
        )
    await _change(session, caller, course, body, provider)
    return course


async def _change(
    session: Session, caller: Caller, course: Course, body: CourseIn, provider: Provider
) -> None:
    for name, value in _content(body).items():
        setattr(course, name, value)
    course.provider_id = provider.id
    course.revision += 1
    course.changed()
    await _revised(session, caller, course)


@dataclass
class Imported:
    """What became of a list of courses."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    providers: int = 0


async def import_courses(session: Session, caller: Caller, file: bytes) -> Imported:
    """Take over a list of courses: new ones are offered, changed ones get their next revision. All
    of it, or nothing.

    Args:
        session: The session.
        caller: Whose courses they are.
        file: CSV in UTF-8 with the columns of `COLUMNS`. Lists are separated by `;`.

    Raises:
        Problem: 422 with every row's defects.
    """
    bodies, errors = read_courses(file)
    if errors:
        raise invalid(*errors, detail="nothing was taken over")
    done = Imported()
    providers: dict[str, Provider] = {}
    for body, wanted in sorted(
        bodies, key=lambda item: item[0].code
    ):  # in one order, so that two imports never deadlock
        if body.provider not in providers:
            providers[body.provider], new = await _provider(session, caller, wanted)
            done.providers += new
        provider = providers[body.provider]
        course, what = await _offer(session, caller, body, provider)
        if what == "changed":
            await _change(session, caller, course, body, provider)
        setattr(done, what, getattr(done, what) + 1)
    return done


def read_courses(file: bytes) -> tuple[list[tuple[CourseIn, ProviderIn]], list[FieldError]]:
    """The courses of a list with their providers, and what is wrong with its rows."""
    try:
        rows = list(csv.DictReader(io.StringIO(file.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        return [], [FieldError(pointer="", code="not_csv", detail="CSV in UTF-8")]
    if not rows or tuple(rows[0]) != COLUMNS or len(rows) > MOST_ROWS:
        detail = f"a header with {', '.join(COLUMNS)}, then 1 to {MOST_ROWS} rows"
        return [], [FieldError(pointer="", code="columns", detail=detail)]
    bodies: list[tuple[CourseIn, ProviderIn]] = []
    errors: list[FieldError] = []
    codes: set[str] = set()
    for number, row in enumerate(rows, start=2):
        if not _is_whole(row):
            errors.append(
                FieldError(
                    pointer="", code="columns", detail="as many cells as the header", row=number
                )
            )
            continue
        if row["code"] in codes:
            errors.append(
                FieldError(
                    pointer="/code", code="duplicate_code", detail="each code once", row=number
                )
            )
        codes.add(row["code"])
        try:
            body = _course_of(row)
            bodies.append(
                (body, ProviderIn(slug=body.provider, name=row["provider"], country=body.country))
            )
        except ValidationError as error:
            errors += _errors_of_row(error, number)
    return bodies, errors


def _is_whole(row: Mapping[str | None, object]) -> bool:
    """Whether a row has as many cells as the header."""
    return None not in row and None not in row.values()


def _errors_of_row(error: ValidationError, number: int) -> list[FieldError]:
    items = [field_error({**item, "loc": ("body", *item["loc"])}) for item in error.errors()]
    return [item.model_copy(update={"row": number}) for item in items]


def _course_of(row: Mapping[str, str]) -> CourseIn:
    online = row["city"].strip().lower() == ONLINE
    plain = ("code", "title", "kind", "phase", "hours", "days", "country", "capacity", "isced_f")
    return CourseIn.model_validate(
        {name: row[name] for name in plain}
        | {
            "city": None if online else row["city"],
            "online": online,
            "provider": slug_of(row["provider"]),
            "languages": [code for code in row["languages"].split(";") if code],
            "isco_08": row["isco_08"] or None,
            "programmes": [row["programme"]] if row["programme"] else [],
            "stipend": YES_NO.get(row["stipend"], row["stipend"]),
        }
    )


def scheduled_with() -> ColumnElement[bool]:
    """Joins a cohort to the revision of its course that it was scheduled with."""
    return (col(CourseRevision.course_id) == Cohort.course_id) & (
        CourseRevision.revision == Cohort.course_revision
    )


def offer_by(course: AsScheduled, *, country: str, online: bool) -> Offer:
    """For whom a cohort is.

    Args:
        course: As it was scheduled.
        country: Where it takes place.
        online: Whether it may be attended from anywhere.
    """
    return Offer(course.programmes, course.phase, country, online, course.governorates)


async def sessions_of(session: Session, cohort_id: UUID) -> Sequence[CohortSession]:
    """The sessions of a cohort, in order."""
    query = (
        select(CohortSession)
        .where(CohortSession.cohort_id == cohort_id)
        .order_by(col(CohortSession.number))
    )
    return (await session.scalars(query)).all()


async def lock_cohort(session: Session, cohort_id: UUID) -> Cohort:
    """A cohort, locked: nobody else takes or gives back a place meanwhile.

    Raises:
        Problem: 404.
    """
    query = select(Cohort).where(Cohort.id == cohort_id).with_for_update()
    cohort: Cohort = found(
        (await session.scalars(query, execution_options={"populate_existing": True})).one_or_none()
    )
    return cohort


async def schedule(session: Session, caller: Caller, body: CohortIn) -> Cohort:
    """Schedule a run of a course.

    Raises:
        Problem: 404 no such course; 403 it is somebody else's; 409 the id is taken; 422.
    """
    course = found(await session.get(Course, body.course_id))
    check_owner(course.organisation, caller)
    _check_governorate(course.country, body.governorate)
    online = course.online if body.online is None else body.online
    country = countries().get(course.country)
    time_zone = body.time_zone or (country.time_zone if country else None)
    if time_zone is None:
        raise invalid(
            FieldError(
                pointer="/time_zone", code="time_zone_required", detail="where its days begin"
            )
        )
    zone = ZoneInfo(time_zone)
    values = {
        "id": body.id or new_id(),
        "version": 1,
        "organisation": course.organisation,
        "course_id": course.id,
        "course_revision": course.revision,
        "provider_id": course.provider_id,
        "state": CohortState.SCHEDULED,
        "starts_on": body.sessions[0].starts_at.astimezone(zone).date(),
        "ends_on": body.sessions[-1].ends_at.astimezone(zone).date(),
        "time_zone": time_zone,
        "country": course.country,
        "city": body.city or course.city,
        "governorate": _where(course.country, body.city, body.governorate, course.governorate),
        "venue": body.venue,
        "online": online,
        "capacity": body.capacity or course.capacity,
        "seats_taken": 0,
        "waiting": 0,
        "last_queue": 0,
        "languages": body.languages or course.languages,
        "lecturers": body.lecturers,
    }
    statement = insert(Cohort).values(values).on_conflict_do_nothing().returning(Cohort)
    cohort = (await session.scalars(statement)).one_or_none()
    if cohort is None:
        raise Problem(CONFLICT, "the id is taken")
    await _set_sessions(session, cohort, body.sessions, first=1)
    audit.record(session, caller, "schedule", "cohort", cohort.id)
    told = facts.CohortScheduled(
        **about(course),
        cohort_id=cohort.id,
        starts_on=cohort.starts_on,
        ends_on=cohort.ends_on,
        capacity=cohort.capacity,
        country=cohort.country,
        online=cohort.online,
    )
    publish(session, told)
    return cohort


def _where(country: str, city: str | None, said: str | None, otherwise: str | None) -> str | None:
    """In which governorate something takes place: as said, by its city if one is given, or as it
    was.
    """
    return said or (governorate_of(country, city) if city else otherwise)


def _check_governorate(country: str, governorate: str | None) -> None:
    if governorate is not None and not is_in(country, governorate):
        detail = "an ISO 3166-2 code of the country"
        raise invalid(
            FieldError(pointer="/governorate", code="governorate_outside_country", detail=detail)
        )


async def _set_sessions(
    session: Session, cohort: Cohort, wanted: Sequence[SessionIn], *, first: int
) -> None:
    session.add_all(
        CohortSession(
            cohort_id=cohort.id, number=number, starts_at=each.starts_at, ends_at=each.ends_at
        )
        for number, each in enumerate(wanted, start=first)
    )
    await session.flush()


def _change_capacity(cohort: Cohort, capacity: int | None) -> bool:
    """Give a cohort another number of places; whether it is another.

    Raises:
        Problem: 409, more are taken.
    """
    if capacity is None or capacity == cohort.capacity:
        return False
    if capacity < cohort.seats_taken:
        raise Problem(CONFLICT, f"{cohort.seats_taken} places are taken")
    cohort.capacity = capacity
    return True


async def change_cohort(
    session: Session, cohort: Cohort, body: CohortChange
) -> tuple[CohortField, ...]:
    """Change a locked cohort.

    Returns:
        What is other than before.

    Raises:
        Problem: 409, it was cancelled, has more participants, or a recorded session would move.
    """
    COHORT.check(cohort.state, CohortAction.CHANGE)
    changed: list[CohortField] = []
    if _change_capacity(cohort, body.capacity):
        changed.append(CohortField.CAPACITY)
    if _move_venue(cohort, body):
        changed.append(CohortField.VENUE)
    for name, field in (("languages", CohortField.LANGUAGES), ("lecturers", CohortField.LECTURERS)):
        value = getattr(body, name)
        if value is not None and value != getattr(cohort, name):
            setattr(cohort, name, value)
            changed.append(field)
    if body.sessions is not None and await _move_sessions(session, cohort, body.sessions):
        changed.append(CohortField.SESSIONS)
    if changed:
        cohort.changed()
        await session.flush()
    return tuple(changed)


def _move_venue(cohort: Cohort, body: CohortChange) -> bool:
    _check_governorate(cohort.country, body.governorate)
    venue = {
        name: getattr(body, name)
        for name in ("city", "venue", "online")
        if getattr(body, name) is not None
    }
    if body.governorate or (body.city and body.city != cohort.city):
        venue["governorate"] = _where(
            cohort.country, body.city, body.governorate, cohort.governorate
        )
    moved = any(getattr(cohort, name) != value for name, value in venue.items())
    for name, value in venue.items():
        setattr(cohort, name, value)
    return moved


async def _move_sessions(session: Session, cohort: Cohort, wanted: Sequence[SessionIn]) -> bool:
    there = await sessions_of(session, cohort.id)
    times = [(each.starts_at, each.ends_at) for each in wanted]
    if times == [(each.starts_at, each.ends_at) for each in there]:
        return False
    recorded = max((each.number for each in there if each.sheet_version), default=0)
    if times[:recorded] != [(each.starts_at, each.ends_at) for each in there[:recorded]]:
        raise Problem(
            CONFLICT, f"attendance was recorded up to session {recorded}; those stay as they were"
        )
    await session.execute(
        delete(CohortSession).where(
            col(CohortSession.cohort_id) == cohort.id, col(CohortSession.number) > recorded
        )
    )
    for each in there[recorded:]:
        session.expunge(each)
    await _set_sessions(session, cohort, wanted[recorded:], first=recorded + 1)
    zone = ZoneInfo(cohort.time_zone)
    cohort.starts_on = times[0][0].astimezone(zone).date()
    cohort.ends_on = times[-1][1].astimezone(zone).date()
    return True


async def clock(session: Session) -> datetime:
    """The database's clock."""
    at: datetime = (await session.execute(select(now()))).scalar_one()
    return at
