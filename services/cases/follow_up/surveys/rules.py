"""What answers are worth. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.errors import FieldError
from services.cases.follow_up.surveys.instruments import UNANSWERED, Instrument, Question

DIGITS = 3


@dataclass(frozen=True, slots=True)
class Scores:
    """From 0 to 1; None where too little was answered to say."""

    dimensions: Mapping[str, float | None]
    composite: float | None


def answer_errors(instrument: Instrument, answers: Mapping[str, str]) -> list[FieldError]:
    """Answers to questions that were not asked, and answers that there are not. What was not
    answered is no error.
    """
    questions = {question.id: question for question in instrument.questions}
    errors = []
    if unknown := set(answers) - set(questions):
        right = f"questions of the instrument: {', '.join(questions)}"
        errors.append(
            FieldError(
                pointer="/answers", code="unknown_question", detail=f"{len(unknown)} not; {right}"
            )
        )
    for name, question in questions.items():
        possible = instrument.answers_to(question)
        if name in answers and answers[name] not in possible:
            right = "one of: " + ", ".join(possible)
            errors.append(
                FieldError(pointer=f"/answers/{name}", code="unknown_answer", detail=right)
            )
    return errors


def _value_of(instrument: Instrument, question: Question, answer: str | None) -> float | None:
    """What an answer is worth; None where it is none, or counts for nothing."""
    if answer is None or answer in UNANSWERED:
        return None
    return instrument.scales[question.scale][answer]


def _score_of(instrument: Instrument, dimension: str, answers: Mapping[str, str]) -> float | None:
    """The weighted mean of what was answered of a dimension; None where that is too little."""
    asked = answered = worth = 0.0
    for question in instrument.questions:
        if question.dimension != dimension:
            continue
        asked += question.weight
        value = _value_of(instrument, question, answers.get(question.id))
        if value is not None:
            answered += question.weight
            worth += question.weight * value
    enough = asked > 0 and answered >= asked * instrument.least_answered
    return round(worth / answered, DIGITS) if enough else None


def score(instrument: Instrument, answers: Mapping[str, str]) -> Scores:
    """What answers are worth by one version of an instrument.

    A dimension is the weighted mean of what was answered, if enough was; the composite is the
    weighted mean of the dimensions, if each could be scored.
    """
    dimensions: dict[str, float | None] = {}
    for name in instrument.dimensions:
        dimensions[name] = _score_of(instrument, name, answers)
    known = {name: value for name, value in dimensions.items() if value is not None}
    if len(known) < len(dimensions):
        return Scores(dimensions, None)
    weights = sum(instrument.dimensions.values())
    composite = (
        sum(known[name] * weight for name, weight in instrument.dimensions.items()) / weights
    )
    return Scores(dimensions, round(composite, DIGITS))


def change(now: Scores, before: Scores) -> Scores:
    """What has changed between two rounds by the same version; None where either could not be
    scored.
    """

    def difference(one: float | None, other: float | None) -> float | None:
        return None if one is None or other is None else round(one - other, DIGITS)

    dimensions = {
        name: difference(value, before.dimensions.get(name))
        for name, value in now.dimensions.items()
    }
    return Scores(dimensions, difference(now.composite, before.composite))
