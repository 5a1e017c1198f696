"""Surveys: raw answers kept, scored by the version of the instrument that they were given to."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import CONFLICT, FieldError, Problem, invalid, or_404
from chassis.outbox import publish
from contracts.cases import SurveyScored
from services.cases.casework.access import require_worker, works_on
from services.cases.casework.records import (
    event_ids,
    insert_once,
    require_member,
    require_open,
    today_of,
)
from services.cases.follow_up.surveys import rules
from services.cases.follow_up.surveys.instruments import Instrument, instruments, newest
from services.cases.follow_up.surveys.schemas import SurveyIn
from services.cases.models import Survey


def _choose_instrument(name: str, version: int | None) -> Instrument:
    """The version of an instrument that was answered, the newest where nothing is said.

    Raises:
        Problem: 422, there is none.
    """
    instrument = newest(name) if version is None else instruments().get((name, version))
    if instrument is None:
        right = ", ".join(f"{name} {version}" for name, version in instruments())
        raise invalid(
            FieldError(pointer="/instrument", code="unknown_instrument", detail=f"one of: {right}")
        )
    return instrument


async def take(session: Session, caller: Caller, taken: SurveyIn) -> Survey:
    """Keep somebody's answers and score them.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    case, members = await require_worker(session, caller, taken.case_id)
    require_open(case, "take a survey")
    member = await require_member(session, members, taken.returnee_id, "/returnee_id")
    instrument = _choose_instrument(taken.instrument, taken.instrument_version)
    errors = rules.answer_errors(instrument, taken.answers)
    if taken.taken_on > await today_of(session, case):
        errors.append(
            FieldError(pointer="/taken_on", code="date_ahead", detail="today or a day before")
        )
    if errors:
        raise invalid(*errors)
    scores = rules.score(instrument, taken.answers)
    same_round = await session.scalar(
        select(Survey).where(
            Survey.case_id == taken.case_id,
            Survey.returnee_id == member.returnee_id,
            Survey.instrument == instrument.id,
            Survey.round == taken.round,
        )
    )
    if same_round is not None and same_round.id != taken.id:
        raise Problem(CONFLICT, "the person answered this instrument in this round already")
    survey, is_new = await insert_once(
        session,
        Survey(
            id=taken.id,
            case_id=taken.case_id,
            returnee_id=member.returnee_id,
            instrument=instrument.id,
            instrument_version=instrument.version,
            round=taken.round,
            taken_on=taken.taken_on,
            method=taken.method,
            language=taken.language,
            answers=dict(taken.answers),
            scores={"dimensions": dict(scores.dimensions), "composite": scores.composite},
            organisation=caller.organisation,
            taken_by=caller.person,
        ),
    )
    if is_new:
        scored = SurveyScored(
            **event_ids(case, member),
            survey_id=survey.id,
            instrument=instrument.id,
            instrument_version=instrument.version,
            round=survey.round,
            composite_per_mille=None
            if scores.composite is None
            else round(scores.composite * 1000),
        )
        publish(session, scored)
        audit.record(session, caller, "take", "survey", survey.id, {"instrument": instrument.id})
    return survey


def select_surveys(caller: Caller) -> Select[Any]:
    """Surveys of the cases that the caller works on."""
    return select(Survey).where(works_on(caller, Survey.case_id))


async def load_survey(session: Session, caller: Caller, survey_id: UUID) -> Survey:
    """Load a survey.

    Raises:
        Problem: 404.
    """
    survey: Survey | None = await session.scalar(
        select_surveys(caller).where(col(Survey.id) == survey_id)
    )
    return or_404(survey)


async def load_previous(session: Session, survey: Survey) -> Survey | None:
    """Load the survey before this one: of the same person, instrument and case."""
    previous: Survey | None = await session.scalar(
        select(Survey)
        .where(
            col(Survey.case_id) == survey.case_id,
            col(Survey.returnee_id) == survey.returnee_id,
            col(Survey.instrument) == survey.instrument,
            (col(Survey.taken_on) < survey.taken_on)
            | ((col(Survey.taken_on) == survey.taken_on) & (col(Survey.id) < survey.id)),
        )
        .order_by(col(Survey.taken_on).desc(), col(Survey.id).desc())
        .limit(1)
    )
    return previous
