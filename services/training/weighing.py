"""How a fit of a person and a vacancy is weighed: programme data, in versions."""

from datetime import date
from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, model_validator

from contracts.sourced import Data, Sourced

WHOLE = 100
Percent = Annotated[int, Field(ge=0, le=WHOLE)]


class Weights(Data):
    """What counts how much, out of a hundred; in the order of `Factor`."""

    occupation: Percent
    place: Percent
    language: Percent
    wage: Percent
    availability: Percent


class Weighing(Sourced):
    """How a fit is weighed from a day on. All but the weights are percentages that are given for a
    partial fit.
    """

    version: int = Field(ge=1)
    from_: date = Field(alias="from")
    weights: Weights
    occupation: tuple[Percent, ...] = Field(min_length=5, max_length=5)
    """By the digits that two ISCO-08 codes share from the left. Sharing none rules a match out."""
    place_not_known: Percent
    place_if_moving: Percent
    languages_not_known: Percent
    wage_not_known: Percent
    available_late: Percent
    late_days: int = Field(ge=0)

    @model_validator(mode="after")
    def adds_up(self) -> Self:
        """Refuse weights that are not out of a hundred, and a nearer occupation that counts
        less.
        """
        if sum(self.weights.model_dump().values()) != WHOLE:
            raise ValueError("the weights do not add up to 100")
        if self.occupation != tuple(sorted(self.occupation)) or self.occupation[0] != 0:
            raise ValueError("nearer occupations count more, and no digit shared counts nothing")
        return self

    @cached_property
    def order(self) -> tuple[int, int, int, int, int]:
        """The weights in the order of `Factor`."""
        all_ = self.weights
        return (all_.occupation, all_.place, all_.language, all_.wage, all_.availability)
