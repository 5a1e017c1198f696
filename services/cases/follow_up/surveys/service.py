"""Surveys: raw answers kept, scored by the version of the instrument that they were given to."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import CONFLICT, NOT_FOUND, FieldError, Problem, invalid
from chassis.outbox import publish
from contracts.cases import SurveyScored
from services.cases.casework.cases import service as cases
from services.cases.follow_up.surveys import rules
from services.cases.follow_up.surveys.instruments import Instrument, instruments, newest
from services.cases.follow_up.surveys.schemas import SurveyIn
from services.cases.models import Survey


def _instrument(body: SurveyIn) -> Instrument:
    if body.instrument_version is None:
        found = newest(body.instrument)
    else:
        found = instruments().get((body.instrument, body.instrument_version))
    if found is None:
        right = ", ".join(f"{name} {version}" for name, version in instruments())
        raise invalid(
            FieldError(pointer="/instrument", code="unknown_instrument", detail=f"one of: {right}")
        )
    return found


async def take(session: Session, body: SurveyIn, caller: Caller) -> Survey:
    """Keep somebody's answers and score them.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    case, members = await cases.to_work_on(session, body.case_id, caller)
    cases.check_open(case, "take a survey")
    member = await cases.load_member(session, members, body.returnee_id, "/returnee_id")
    instrument = _instrument(body)
    errors = rules.answer_errors(instrument, body.answers)
    if body.taken_on > await cases.today_of(session, case):
        errors.append(
            FieldError(pointer="/taken_on", code="date_ahead", detail="today or a day before")
        )
    if errors:
        raise invalid(*errors)
    scores = rules.score(instrument, body.answers)
    same_round = select(Survey).where(
        Survey.case_id == body.case_id,
        Survey.returnee_id == member.returnee_id,
        Survey.instrument == instrument.id,
        Survey.round == body.round,
    )
    taken = await session.scalar(same_round)
    if taken is not None and taken.id != body.id:
        raise Problem(CONFLICT, "the person answered this instrument in this round already")
    survey, is_new = await cases.take_down(
        session,
        Survey(
            id=body.id,
            case_id=body.case_id,
            returnee_id=member.returnee_id,
            instrument=instrument.id,
            instrument_version=instrument.version,
            round=body.round,
            taken_on=body.taken_on,
            method=body.method,
            language=body.language,
            answers=dict(body.answers),
            scores={"dimensions": dict(scores.dimensions), "composite": scores.composite},
            organisation=caller.organisation,
            taken_by=caller.person,
        ),
    )
    if is_new:
        fact = SurveyScored(
            **cases.ids_of(case, member),
            survey_id=survey.id,
            instrument=instrument.id,
            instrument_version=instrument.version,
            round=body.round,
            composite_per_mille=None
            if scores.composite is None
            else round(scores.composite * 1000),
        )
        publish(session, fact)
        audit.record(session, caller, "take", "survey", survey.id, {"instrument": instrument.id})
    return survey


def listed(caller: Caller) -> Select[Any]:
    """Surveys of the cases that the caller works on."""
    return select(Survey).where(cases.worked_on(Survey.case_id, caller))


async def find(session: Session, survey_id: UUID, caller: Caller) -> Survey:
    """One survey.

    Raises:
        Problem: 404.
    """
    survey: Survey | None = await session.scalar(listed(caller).where(col(Survey.id) == survey_id))
    if survey is None:
        raise Problem(NOT_FOUND)
    return survey


async def before(session: Session, survey: Survey) -> Survey | None:
    """The same person's survey before this one, of the same instrument and in the same case."""
    found: Survey | None = await session.scalar(
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
    return found
