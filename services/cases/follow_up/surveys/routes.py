"""`/v1/surveys`."""

from uuid import UUID

from fastapi import Request, Response
from sqlmodel import col

from chassis import audit
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.pagination import Cursor, Limit, Page, Since, link_next, page
from chassis.routing import CallerDep, Router, SessionDep, requires
from contracts.codes import Slug, SurveyRound
from contracts.scopes import Scope
from services.cases.follow_up.surveys import rules, service
from services.cases.follow_up.surveys.instruments import instruments
from services.cases.follow_up.surveys.rules import Scores
from services.cases.follow_up.surveys.schemas import (
    ChangeOut,
    InstrumentOut,
    InstrumentsOut,
    QuestionOut,
    ScoresOut,
    SurveyIn,
    SurveyOut,
)
from services.cases.models import Survey

router = Router(prefix="/v1/surveys", tags=["surveys"])


async def render_survey(session: Session, survey: Survey) -> SurveyOut:
    """Render a survey, with what has changed since the one before."""
    scores = Scores(**survey.scores)
    previous = await service.load_previous(session, survey)
    change = None
    if previous is not None and previous.instrument_version == survey.instrument_version:
        difference = rules.change(scores, Scores(**previous.scores))
        change = ChangeOut(
            since=previous.id,
            dimensions=difference.dimensions,
            composite=difference.composite,
        )
    return SurveyOut(
        id=survey.id,
        case_id=survey.case_id,
        returnee_id=survey.returnee_id,
        instrument=survey.instrument,
        instrument_version=survey.instrument_version,
        provisional=instruments()[survey.instrument, survey.instrument_version].provisional,
        round=survey.round,
        taken_on=survey.taken_on,
        method=survey.method,
        language=survey.language,
        answers=survey.answers,
        scores=ScoresOut(dimensions=scores.dimensions, composite=scores.composite),
        change=change,
        organisation=survey.organisation,
        taken_by=survey.taken_by,
        created_at=survey.created_at,
        updated_at=survey.updated_at,
    )


@router.get("")
@requires(Scope.FOLLOW_UP_READ)
async def surveys(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    case_id: UUID | None = None,
    returnee_id: UUID | None = None,
    instrument: Slug | None = None,
    round: SurveyRound | None = None,  # noqa: A002 - its name in the API
    updated_since: Since | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[SurveyOut]:
    """Surveys of the cases that the organisation works on, oldest first. Reading answers is
    audited.
    """
    statement = service.select_surveys(caller)
    for column, value in (
        (Survey.case_id, case_id),
        (Survey.returnee_id, returnee_id),
        (Survey.instrument, instrument),
        (Survey.round, round),
    ):
        if value is not None:
            statement = statement.where(col(column) == value)
    if updated_since is not None:
        statement = statement.where(col(Survey.updated_at) >= updated_since)
    rows = await page(
        session, statement, keys=[col(Survey.id)], parsers=[UUID], after=after, limit=limit
    )
    for row in rows.items:
        audit.record(session, caller, "read", "survey", row.id)
    link_next(request, response, rows.next)
    return Page(items=[await render_survey(session, row) for row in rows.items], next=rows.next)


@router.get("/instruments")
@requires(Scope.FOLLOW_UP_READ)
async def read_instruments() -> InstrumentsOut:
    """Every version of every instrument, with its questions."""
    versions = [
        InstrumentOut(
            id=instrument.id,
            version=instrument.version,
            name=instrument.name,
            provisional=instrument.provisional,
            source=instrument.source,
            verified=instrument.verified,
            least_answered=instrument.least_answered,
            dimensions=instrument.dimensions,
            questions=[
                QuestionOut(
                    id=question.id,
                    text=question.text,
                    dimension=question.dimension,
                    weight=question.weight,
                    answers=list(instrument.answers_to(question)),
                )
                for question in instrument.questions
            ],
        )
        for instrument in instruments().values()
    ]
    return InstrumentsOut(instruments=versions)


@router.post("", status_code=201, responses={404: {"description": "The case is not there for you"}})
@requires(Scope.CASES_WRITE)
async def take(
    body: SurveyIn, session: SessionDep, caller: CallerDep, response: Response
) -> SurveyOut:
    """Keep somebody's answers; they are scored by the version of the instrument that they were
    given to.
    """
    row = await service.take(session, caller, body)
    set_etag(response, row.version)
    return await render_survey(session, row)


@router.get("/{survey_id}")
@requires(Scope.FOLLOW_UP_READ)
async def survey(
    survey_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> SurveyOut:
    """One survey; reading its answers is audited."""
    row = await service.load_survey(session, caller, survey_id)
    audit.record(session, caller, "read", "survey", row.id)
    set_etag(response, row.version)
    return await render_survey(session, row)
