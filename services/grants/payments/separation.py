"""Who may not have had which part in a payment before: four eyes, in one table. Pure.

Money changes state by commands over HTTP, by a statement that somebody imports, by a desk that
hands cash over, by jobs and by events of other services. For each step and each of these ways the
table says whether a person does it, and which parts bar them from it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from chassis.errors import FOUR_EYES, Problem


class Part(StrEnum):
    """What somebody had to do with a payment, or with the grant that it pays."""

    PREPARED_GRANT = "prepared_grant"
    """Requested it, changed it, or wrote the plan that it is of."""
    APPROVED_GRANT = "approved_grant"
    SCHEDULED = "scheduled"
    RELEASED = "released"
    TOOK_BACK = "took_back"
    """Said of money of the grant that it did not arrive, not whole, or came back."""


class Step(StrEnum):
    """How a payment changes its state."""

    SCHEDULE = "schedule"
    RELEASE = "release"
    CONFIRM = "confirm"
    CONFIRM_LESS = "confirm_less"
    """Less was received than was released: the rest is free again."""
    CANCEL = "cancel"
    """Fails before it was released."""
    FAIL = "fail"
    """Fails after it was released: the money is free again."""
    RESURRECT = "resurrect"
    """Was said to have failed, and the bank paid it after all."""
    REVERSE = "reverse"
    RECOVER = "recover"


class Way(StrEnum):
    """By which a step comes."""

    HTTP = "http"
    IMPORT = "import"
    """An entry of a bank's statement; the import is the act of a person."""
    DESK = "desk"
    """Reception says what a desk handed over; who did is no person of grants."""
    JOB = "job"
    EVENT = "event"
    CONSEQUENCE = "consequence"
    """It follows from a decision for which four eyes were kept: an approval, a receipt."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Who may do a step.

    Attributes:
        person: Whether a person does it; else the platform does, and nobody is barred.
        barred: The parts that whoever does it may not have had.
    """

    person: bool
    barred: frozenset[Part] = frozenset()


NOBODY_BARRED = Cell(person=True)
BY_THE_PLATFORM = Cell(person=False)
SENT = Cell(person=True, barred=frozenset({Part.PREPARED_GRANT, Part.SCHEDULED, Part.RELEASED}))
"""Whoever had money sent does not say that it is back."""
NOT_RELEASED = Cell(person=True, barred=frozenset({Part.RELEASED}))
TABLE: Mapping[tuple[Step, Way], Cell] = {
    (Step.SCHEDULE, Way.HTTP): Cell(person=True, barred=frozenset({Part.TOOK_BACK})),
    (Step.SCHEDULE, Way.EVENT): BY_THE_PLATFORM,
    (Step.SCHEDULE, Way.JOB): BY_THE_PLATFORM,
    (Step.SCHEDULE, Way.CONSEQUENCE): BY_THE_PLATFORM,
    (Step.RELEASE, Way.HTTP): Cell(person=True, barred=frozenset(Part) - {Part.RELEASED}),
    (Step.CONFIRM, Way.HTTP): NOT_RELEASED,
    (Step.CONFIRM, Way.IMPORT): NOT_RELEASED,
    (Step.CONFIRM, Way.DESK): BY_THE_PLATFORM,
    (Step.CONFIRM_LESS, Way.HTTP): SENT,
    (Step.CONFIRM_LESS, Way.DESK): BY_THE_PLATFORM,
    (Step.CANCEL, Way.HTTP): NOBODY_BARRED,
    (Step.CANCEL, Way.EVENT): BY_THE_PLATFORM,
    (Step.CANCEL, Way.JOB): BY_THE_PLATFORM,
    (Step.FAIL, Way.HTTP): SENT,
    (Step.FAIL, Way.EVENT): BY_THE_PLATFORM,
    (Step.RESURRECT, Way.IMPORT): NOT_RELEASED,
    (Step.REVERSE, Way.HTTP): SENT,
    (Step.REVERSE, Way.IMPORT): SENT,
    (Step.RECOVER, Way.HTTP): SENT,
}
"""A way that is not here does not exist: a test compares it with the code."""


def is_barred(
    step: Step, way: Way, person: UUID, parts: Mapping[Part, Collection[UUID | None]]
) -> bool:
    """Whether a part that somebody had bars them from a step.

    Args:
        step: What is done.
        way: How it comes.
        person: Who does it.
        parts: Who had which part.
    """
    return any(person in parts.get(part, ()) for part in TABLE[step, way].barred)


def check(
    step: Step,
    way: Way,
    person: UUID,
    parts: Mapping[Part, Collection[UUID | None]],
    detail: str | None = None,
) -> None:
    """Refuse whoever had a part that bars them.

    Raises:
        Problem: 403 `four-eyes`.
    """
    if is_barred(step, way, person, parts):
        raise Problem(FOUR_EYES, detail)
