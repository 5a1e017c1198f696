"""Surveys as they are sent and answered."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from chassis.datetimes import Past
from chassis.routing import Body
from contracts.codes import ContactMethod, Slug, SurveyRound
from services.cases.fields import Date, Language, Out, member_of
from services.cases.follow_up.contact.schemas import Method


class SurveyIn(Body):
    """Answers to an instrument."""

    id: UUID | None = None
    case_id: UUID
    returnee_id: UUID
    instrument: Slug
    instrument_version: Annotated[int, Field(ge=1, le=1000)] | None = None
    """The newest where nothing is said."""
    round: Annotated[SurveyRound, member_of("unknown_round", SurveyRound)]
    taken_on: Annotated[Date, Past("date_ahead")]
    method: Method
    language: Language
    answers: Annotated[
        dict[
            Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")],
            Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")],
        ],
        Field(max_length=200),
    ]
    """Question to answer, both by their codes; what was not answered is left out."""


class ScoresOut(Out):
    """From 0 to 1, or a change from -1 to 1; null where too little was answered to say."""

    dimensions: Mapping[str, float | None]
    composite: float | None


class ChangeOut(ScoresOut):
    """What has changed since the survey before this one, by the same version of the instrument."""

    since: UUID
    """The survey before."""


class SurveyOut(Out):
    """Answers as they were given, and what that version of the instrument makes of them."""

    id: UUID
    case_id: UUID
    returnee_id: UUID
    instrument: str
    instrument_version: int
    provisional: bool
    """Whether the weights are ours, for want of published ones that could be verified."""
    round: SurveyRound
    taken_on: date
    method: ContactMethod
    language: str
    answers: Mapping[str, str]
    scores: ScoresOut
    change: ChangeOut | None
    """Null for the first survey of its instrument, and where the one before was of another
    version.
    """
    organisation: str
    taken_by: str | None
    created_at: datetime
    updated_at: datetime


class QuestionOut(Out):
    """A question and what may be answered."""

    id: str
    text: str
    dimension: str | None
    weight: float
    answers: list[str]


class InstrumentOut(Out):
    """One version of an instrument."""

    id: str
    version: int
    name: str
    provisional: bool
    source: str
    verified: bool
    least_answered: float
    dimensions: Mapping[str, float]
    questions: list[QuestionOut]


class InstrumentsOut(Out):
    """Every version of every instrument."""

    instruments: list[InstrumentOut]
