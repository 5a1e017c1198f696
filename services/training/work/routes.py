"""`/v1/employers`, `/v1/vacancies` and `/v1/placements`."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from sqlmodel import select

from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.pagination import Cursor, Limit, Page, link_next
from chassis.routing import CallerDep, CaughtUpDep, PreconditionDep, Router, SessionDep, requires
from contracts.codes import Money
from contracts.scopes import Scope
from services.training.courses.service import newest_first
from services.training.enrolments.schemas import ProfileIn, ProfileOut
from services.training.fields import UNKNOWN, Claimed, Country, Day, found
from services.training.models import Employer, Placement, Seeker, Vacancy
from services.training.states import PlacementState, VacancyState
from services.training.work import service
from services.training.work.schemas import (
    CandidateOut,
    CandidatesOut,
    EmployerIn,
    EmployerOut,
    EndIn,
    PlacementDetail,
    PlacementIn,
    PlacementOut,
    ReasonOut,
    RetentionIn,
    RetentionOut,
    StartIn,
    SuggestionOut,
    SuggestionsOut,
    VacancyIn,
    VacancyOut,
)
from services.training.work.views import vacancy_out, weighing_out

of_enrolment = Router(prefix="/v1/enrolments", tags=["training"])
employers = Router(prefix="/v1/employers", tags=["work"])
vacancies = Router(prefix="/v1/vacancies", tags=["work"])
placements = Router(prefix="/v1/placements", tags=["work"])

Most = Annotated[int, Query(ge=1, le=100, description="The best so many.")]


@employers.post("", status_code=201)
@requires(Scope.VACANCIES_WRITE)
async def register_employer(
    body: EmployerIn, session: SessionDep, caller: CallerDep, response: Response
) -> EmployerOut:
    """Register who employs."""
    employer = await service.register_employer(session, caller, body)
    set_etag(response, employer.version)
    return EmployerOut.model_validate(employer)


@employers.get("")
@requires(Scope.VACANCIES_READ)
async def list_employers(
    request: Request,
    response: Response,
    session: SessionDep,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[EmployerOut]:
    """Employers, newest first."""
    query = select(Employer)
    rows = await newest_first(
        session, query, Employer, updated_since=updated_since, after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[EmployerOut.model_validate(row) for row in rows.items], next=rows.next)


@employers.get("/{employer_id}")
@requires(Scope.VACANCIES_READ)
async def read_employer(employer_id: UUID, session: SessionDep, response: Response) -> EmployerOut:
    """An employer."""
    employer: Employer = found(await session.get(Employer, employer_id))
    set_etag(response, employer.version)
    return EmployerOut.model_validate(employer)


def _vacancy(response: Response, vacancy: Vacancy) -> VacancyOut:
    set_etag(response, vacancy.version)
    return vacancy_out(vacancy)


@vacancies.post("", status_code=201)
@requires(Scope.VACANCIES_WRITE)
async def advertise(
    body: VacancyIn, session: SessionDep, caller: CallerDep, response: Response
) -> VacancyOut:
    """Register a vacancy."""
    return _vacancy(response, await service.advertise(session, caller, body))


@vacancies.get("")
@requires(Scope.VACANCIES_READ)
async def list_vacancies(
    request: Request,
    response: Response,
    session: SessionDep,
    state: VacancyState | None = None,
    employer_id: UUID | None = None,
    country: Country | None = None,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[VacancyOut]:
    """Vacancies, newest first."""
    query = select(Vacancy)
    for column, value in (
        (Vacancy.state, state),
        (Vacancy.employer_id, employer_id),
        (Vacancy.country, country),
    ):
        if value is not None:
            query = query.where(column == value)
    rows = await newest_first(
        session, query, Vacancy, updated_since=updated_since, after=after, limit=limit
    )
    link_next(request, response, rows.next)
    return Page(items=[vacancy_out(row) for row in rows.items], next=rows.next)


@vacancies.get("/{vacancy_id}")
@requires(Scope.VACANCIES_READ)
async def read_vacancy(vacancy_id: UUID, session: SessionDep, response: Response) -> VacancyOut:
    """A vacancy."""
    return _vacancy(response, found(await session.get(Vacancy, vacancy_id)))


@vacancies.post("/{vacancy_id}/close")
@requires(Scope.VACANCIES_WRITE, person=True, if_match=True)
async def close_vacancy(
    vacancy_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> VacancyOut:
    """Nobody is looked for any more."""
    return _vacancy(
        response, await service.close_vacancy(session, caller, vacancy_id, precondition)
    )


@vacancies.get("/{vacancy_id}/matches")
@requires(Scope.PLACEMENTS_WRITE)
async def match(
    vacancy_id: UUID, session: SessionDep, caller: CallerDep, limit: Most = 20
) -> CandidatesOut:
    """Who fits the vacancy best, with the reasons: skills, place, language, wage and availability,
    nothing else.
    """
    best, by = await service.matches(session, caller, vacancy_id, limit)
    items = [
        CandidateOut(
            returnee_id=each.id,
            score=each.score,
            reasons=[ReasonOut.model_validate(reason) for reason in each.reasons],
        )
        for each in best
    ]
    return CandidatesOut(items=items, weighing=weighing_out(by))


def _out(response: Response, placement: Placement) -> PlacementOut:
    set_etag(response, placement.version)
    return PlacementOut.model_validate(placement)


async def _detail(session: Session, response: Response, placement: Placement) -> PlacementDetail:
    checks = await service.retention_of(session, placement.id)
    retention = [RetentionOut.model_validate(check) for check in checks]
    return PlacementDetail(**_out(response, placement).model_dump(), retention=retention)


@placements.post("", status_code=201, responses=UNKNOWN)
@requires(Scope.PLACEMENTS_WRITE)
async def propose(
    body: PlacementIn,
    session: SessionDep,
    caller: CallerDep,
    caught_up: CaughtUpDep,
    response: Response,
) -> PlacementOut:
    """Propose a person to an employer."""
    return _out(response, await service.propose(session, caller, body, caught_up=caught_up))


@placements.get("")
@requires(Scope.TRAINING_READ)
async def list_placements(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    returnee_id: UUID | None = None,
    vacancy_id: UUID | None = None,
    state: PlacementState | None = None,
    check_due_before: Annotated[
        Day | None, Query(description="With a check due before this day, not done.")
    ] = None,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[PlacementOut]:
    """Placements, newest first."""
    rows = await service.placements(
        session,
        caller,
        returnee_id=returnee_id,
        vacancy_id=vacancy_id,
        state=state,
        check_due_before=check_due_before,
        updated_since=updated_since,
        after_=after,
        limit=limit,
    )
    link_next(request, response, rows.next)
    return Page(items=[PlacementOut.model_validate(row) for row in rows.items], next=rows.next)


@placements.get("/{placement_id}")
@requires(Scope.TRAINING_READ)
async def read_placement(
    placement_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> PlacementDetail:
    """A placement with its checks."""
    return await _detail(
        session, response, await service.placement_of(session, caller, placement_id)
    )


@placements.post("/{placement_id}/start")
@requires(Scope.PLACEMENTS_WRITE)
async def start(
    placement_id: UUID, body: StartIn, session: SessionDep, caller: CallerDep, response: Response
) -> PlacementDetail:
    """The person began to work; checks become due as their programme asks."""
    return await _detail(
        session, response, await service.start(session, caller, placement_id, body.started_on)
    )


@placements.post("/{placement_id}/end")
@requires(Scope.PLACEMENTS_WRITE)
async def end(
    placement_id: UUID, body: EndIn, session: SessionDep, caller: CallerDep, response: Response
) -> PlacementDetail:
    """The placement came to an end, or to nothing before it began."""
    placement = await service.end(session, caller, placement_id, body.reason, body.ended_on)
    return await _detail(session, response, placement)


@placements.post("/{placement_id}/retention")
@requires(Scope.PLACEMENTS_WRITE)
async def check_retention(
    placement_id: UUID,
    body: RetentionIn,
    session: SessionDep,
    caller: CallerDep,
    response: Response,
) -> PlacementDetail:
    """Note whether the person still works there so many months after the start."""
    placement = await service.check_retention(session, caller, placement_id, body)
    return await _detail(session, response, placement)


def _profile(response: Response, seeker: Seeker) -> ProfileOut:
    set_etag(response, seeker.version)
    wage = (
        Money(amount=seeker.wage, currency=seeker.currency)
        if seeker.wage is not None and seeker.currency
        else None
    )
    return ProfileOut(
        id=seeker.id,
        created_at=seeker.created_at,
        updated_at=seeker.updated_at,
        occupations=seeker.occupations,
        languages=seeker.languages,
        country=seeker.country,
        governorate=seeker.governorate,
        may_move=seeker.may_move,
        wage=wage,
        available_from=seeker.available_from,
        looking=seeker.looking,
    )


@of_enrolment.get("/{enrolment_id}/profile")
@requires(Scope.TRAINING_READ)
async def read_profile(
    enrolment_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> ProfileOut:
    """What the participant can do and wants."""
    return _profile(response, await service.profile(session, caller, enrolment_id))


@of_enrolment.put("/{enrolment_id}/profile")
@requires(Scope.TRAINING_WRITE, if_match=True)
async def write_profile(
    enrolment_id: UUID,
    body: ProfileIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> ProfileOut:
    """Note what the participant can do and wants (`If-None-Match: *` the first time)."""
    return _profile(
        response, await service.set_profile(session, caller, enrolment_id, body, precondition)
    )


@of_enrolment.get("/{enrolment_id}/vacancies")
@requires(Scope.TRAINING_READ)
async def suggest_vacancies(
    enrolment_id: UUID, session: SessionDep, caller: CallerDep, limit: Most = 20
) -> SuggestionsOut:
    """The open vacancies that fit the participant best, with the reasons."""
    best, by = await service.suggestions(session, caller, enrolment_id, limit)
    items = [
        SuggestionOut(
            vacancy=vacancy_out(vacancy),
            score=match.score,
            reasons=[ReasonOut.model_validate(reason) for reason in match.reasons],
        )
        for match, vacancy in best
    ]
    return SuggestionsOut(items=items, weighing=weighing_out(by))
