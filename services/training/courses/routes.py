"""`/v1/providers`, `/v1/courses` and `/v1/cohorts`."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from sqlmodel import col, select

from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.limits import TABLE_BYTES
from chassis.pagination import Cursor, Limit, Page, link_next
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.codes import CourseKind, Slug
from contracts.scopes import Scope
from contracts.training import Phase
from services.training.courses import service
from services.training.courses.calendar import MEDIA_TYPE, calendar
from services.training.courses.schemas import (
    CohortDetail,
    CohortIn,
    CohortOut,
    CourseIn,
    CourseOut,
    ImportedOut,
    ProviderIn,
    ProviderOut,
    SessionOut,
)
from services.training.fields import UNKNOWN, Claimed, Day, found
from services.training.models import Cohort, Course, Provider
from services.training.states import CohortState

providers = Router(prefix="/v1/providers", tags=["training"])
courses = Router(prefix="/v1/courses", tags=["training"])
cohorts = Router(prefix="/v1/cohorts", tags=["training"])

CSV = "text/csv"
CSV_BODY = {"requestBody": {"required": True, "content": {CSV: {"schema": {"type": "string"}}}}}


@providers.post("", status_code=201)
@requires(Scope.COURSES_MANAGE)
async def register_provider(
    body: ProviderIn, session: SessionDep, caller: CallerDep, response: Response
) -> ProviderOut:
    """Register who gives courses."""
    provider = await service.register_provider(session, caller, body)
    set_etag(response, provider.version)
    return ProviderOut.model_validate(provider)


@providers.get("")
@requires(Scope.COURSES_READ)
async def list_providers(
    request: Request,
    response: Response,
    session: SessionDep,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[ProviderOut]:
    """Who gives courses, newest first."""
    query = select(Provider)
    rows = await service.newest_first(
        session, query, Provider, updated_since=updated_since, after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[ProviderOut.model_validate(row) for row in rows.items], next=rows.next)


@courses.post("", status_code=201)
@requires(Scope.COURSES_MANAGE)
async def offer_course(
    body: CourseIn, session: SessionDep, caller: CallerDep, response: Response
) -> CourseOut:
    """Offer a course."""
    course = await service.offer(session, caller, body)
    set_etag(response, course.version)
    return CourseOut.model_validate(course)


@courses.post("/import", openapi_extra=CSV_BODY)
@requires(Scope.COURSES_MANAGE, media_types=(CSV,), max_body=TABLE_BYTES)
async def import_courses(request: Request, session: SessionDep, caller: CallerDep) -> ImportedOut:
    """Take over a list of courses with their providers: all of it, or nothing.

    The whole file is checked first; `errors` names row and column of every defect.
    """
    return ImportedOut.model_validate(
        await service.import_courses(session, caller, await request.body())
    )


@courses.get("")
@requires(Scope.COURSES_READ)
async def list_courses(
    request: Request,
    response: Response,
    session: SessionDep,
    kind: CourseKind | None = None,
    phase: Phase | None = None,
    programme: Slug | None = None,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[CourseOut]:
    """Courses, newest first; with a programme, those that are for it, or for every one."""
    query = select(Course)
    if kind is not None:
        query = query.where(Course.kind == kind)
    if phase is not None:
        query = query.where(Course.phase == phase)
    if programme is not None:
        query = query.where(
            (col(Course.programmes) == []) | col(Course.programmes).contains([programme])
        )
    rows = await service.newest_first(
        session, query, Course, updated_since=updated_since, after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[CourseOut.model_validate(row) for row in rows.items], next=rows.next)


@courses.get("/{course_id}")
@requires(Scope.COURSES_READ)
async def read_course(course_id: UUID, session: SessionDep, response: Response) -> CourseOut:
    """A course as it is now."""
    course: Course = found(await session.get(Course, course_id))
    set_etag(response, course.version)
    return CourseOut.model_validate(course)


@courses.put("/{course_id}")
@requires(Scope.COURSES_MANAGE, if_match=True)
async def change_course(
    course_id: UUID,
    body: CourseIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> CourseOut:
    """Offer a course otherwise: its next revision. Cohorts keep to the one that they were scheduled
    with.
    """
    course = await service.change_course(session, caller, course_id, body, precondition)
    set_etag(response, course.version)
    return CourseOut.model_validate(course)


async def render_cohort(session: Session, cohort: Cohort, response: Response) -> CohortDetail:
    """The cohort with its sessions, and its ETag on the response."""
    set_etag(response, cohort.version)
    sessions = [
        SessionOut(
            number=each.number,
            starts_at=each.starts_at,
            ends_at=each.ends_at,
            recorded=bool(each.sheet_version),
        )
        for each in await service.sessions_of(session, cohort.id)
    ]
    return CohortDetail(**CohortOut.model_validate(cohort).model_dump(), sessions=sessions)


@cohorts.post("", status_code=201, responses=UNKNOWN)
@requires(Scope.COURSES_MANAGE)
async def schedule_cohort(
    body: CohortIn, session: SessionDep, caller: CallerDep, response: Response
) -> CohortDetail:
    """Schedule a run of a course."""
    return await render_cohort(session, await service.schedule(session, caller, body), response)


@cohorts.get("")
@requires(Scope.COURSES_READ)
async def list_cohorts(
    request: Request,
    response: Response,
    session: SessionDep,
    course_id: UUID | None = None,
    state: CohortState | None = None,
    starts_from: Annotated[Day | None, Query(description="Beginning on this day or later.")] = None,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[CohortOut]:
    """Cohorts, newest first."""
    query = select(Cohort)
    if course_id is not None:
        query = query.where(Cohort.course_id == course_id)
    if state is not None:
        query = query.where(Cohort.state == state)
    if starts_from is not None:
        query = query.where(Cohort.starts_on >= starts_from)
    rows = await service.newest_first(
        session, query, Cohort, updated_since=updated_since, after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[CohortOut.model_validate(row) for row in rows.items], next=rows.next)


@cohorts.get(
    "/{cohort_id}/calendar.ics",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
)
@requires(Scope.COURSES_READ)
async def read_calendar(cohort_id: UUID, session: SessionDep) -> Response:
    """The sessions of a cohort as a calendar file; names nobody."""
    cohort: Cohort = found(await session.get(Cohort, cohort_id))
    course = await session.get_one(Course, cohort.course_id)
    file = calendar(cohort, course, await service.sessions_of(session, cohort_id))
    answer = Response(file, media_type=MEDIA_TYPE)
    set_etag(answer, cohort.version)
    return answer


@cohorts.get("/{cohort_id}")
@requires(Scope.COURSES_READ)
async def read_cohort(cohort_id: UUID, session: SessionDep, response: Response) -> CohortDetail:
    """A cohort with its sessions."""
    return await render_cohort(session, found(await session.get(Cohort, cohort_id)), response)
