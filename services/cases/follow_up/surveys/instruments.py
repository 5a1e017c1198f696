"""Survey instruments as versioned data: questions, what each answer is worth, and weights, with
their source.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from contracts.codes import Slug
from contracts.programmes import read
from contracts.sourced import Data, Sourced
from services.cases.programmes import folder

FOLDER = "surveys"
UNANSWERED = ("no_wish_to_answer", "does_not_know", "not_applicable")
"""What may be answered to every question and counts as if it had not been asked."""

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}$")]


class Question(Data):
    """A question. One without a dimension is kept and not scored."""

    id: Code
    text: str
    scale: Code
    dimension: Code | None = None
    weight: float = Field(default=1, gt=0)


class Instrument(Sourced):
    """One version of an instrument. A version that was used is never changed; another one is
    added.
    """

    id: Slug
    version: int = Field(ge=1)
    name: str
    provisional: bool
    """Whether the weights are ours, for want of published ones that could be verified."""
    least_answered: float = Field(gt=0, le=1)
    """The part of a dimension, by weight, that must be answered for it to be scored at all."""
    scales: Mapping[Code, Mapping[Code, Annotated[float, Field(ge=0, le=1)] | None]]
    """What each answer is worth; null for one that is only kept."""
    dimensions: Mapping[Code, Annotated[float, Field(gt=0)]]
    """Each dimension's weight in the composite."""
    questions: tuple[Question, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def hangs_together(self) -> Self:
        """Refuse a question twice, and scales and dimensions that are not there."""
        if len({question.id for question in self.questions}) < len(self.questions):
            raise ValueError("a question is there twice")
        for question in self.questions:
            if question.scale not in self.scales:
                raise ValueError(f"{question.id} has a scale that is not there")
            if question.dimension is not None and question.dimension not in self.dimensions:
                raise ValueError(f"{question.id} has a dimension that is not there")
        return self

    def answers_to(self, question: Question) -> tuple[str, ...]:
        """What may be answered."""
        return (*self.scales[question.scale], *UNANSWERED)


@cache
def instruments() -> Mapping[tuple[str, int], Instrument]:
    """Every version of every instrument, by id and version.

    Raises:
        ValueError: A file does not say what an instrument says, or its name is not
            `<id>-<version>`.
    """
    known = {}
    for file in sorted((folder() / FOLDER).glob("*.yaml")):
        instrument = Instrument.model_validate(read(file))
        if file.stem != f"{instrument.id}-{instrument.version}":
            raise ValueError(f"{file.name} holds version {instrument.version} of {instrument.id}")
        known[instrument.id, instrument.version] = instrument
    return known


def newest(instrument_id: str) -> Instrument | None:
    """The newest version of an instrument; None where there is none of that name."""
    versions = [
        instrument for (name, _), instrument in instruments().items() if name == instrument_id
    ]
    return max(versions, key=lambda instrument: instrument.version, default=None)
