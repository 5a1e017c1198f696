"""What may happen to an enrolment, who holds a place, and how much attendance is enough. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from contracts.codes import CourseKind, HelpKind
from contracts.training import AttendanceStatus, CancellationReason

WANTED: Mapping[str, CourseKind] = {kind: kind.course for kind in HelpKind if kind.course}
"""Kinds of line of a plan that an enrolment carries out, and the kind of course."""


NOT_GIVEN_UP = frozenset({CancellationReason.COHORT_CANCELLED, CancellationReason.OFFER_LAPSED})
"""Why an enrolment ends although the person goes on: what their plan asks for is asked for
again.
"""


COUNTS = frozenset({AttendanceStatus.PRESENT, AttendanceStatus.LATE})


def minutes_of(status: str, starts_at: datetime, ends_at: datetime) -> int:
    """Minutes of a session that count as attended: all of them for who was there, none for who was
    not.

    Args:
        status: As recorded.
        starts_at: Beginning of the session.
        ends_at: Its end.
    """
    return int((ends_at - starts_at).total_seconds() // 60) if status in COUNTS else 0


def enough(attended: int, held: int, percent: int) -> bool:
    """Whether somebody attended as much as the course asks for.

    Args:
        attended: Minutes.
        held: Minutes of the whole cohort.
        percent: How much it asks for.
    """
    return held > 0 and attended * 100 >= held * percent


def percent_left(sessions: Sequence[tuple[datetime, datetime]], at: datetime) -> int:
    """How much of a cohort, in whole percent, somebody can still attend who comes from now on.

    Args:
        sessions: Beginnings and ends.
        at: Now.
    """
    held = sum((end - start).total_seconds() for start, end in sessions)
    left = sum((end - start).total_seconds() for start, end in sessions if start > at)
    return int(left * 100 // held) if held else 0


def must_begin_by(sessions: Sequence[tuple[datetime, datetime]], percent: int) -> datetime:
    """When the first session begins without which too little of a cohort is left to attend.

    Args:
        sessions: Beginnings and ends.
        percent: How much the course asks for, at least 1.
    """
    return min(start for start, _ in sessions if percent_left(sessions, start) < percent)


class Obstacle(StrEnum):
    """What speaks against a cohort that is for somebody, so that a person has to decide."""

    FULL = "full"
    CLASH = "clash"
    ANOTHER_PLACE = "another_place"
    PLACE_NOT_KNOWN = "place_not_known"
    LANGUAGE = "language"
    LANGUAGE_NOT_KNOWN = "language_not_known"
    NOT_AVAILABLE = "not_available"


SOLID = frozenset({Obstacle.FULL, Obstacle.CLASH, Obstacle.NOT_AVAILABLE})
"""What also speaks against a course that whoever made the plan has named."""
NAMED = SOLID - {Obstacle.FULL}
"""What also speaks against a cohort that they have named; who is to be in that one waits for a
place.
"""


def obstacles(
    *,
    online: bool,
    place: str | None,
    lives_in: str | None,
    languages: Collection[str],
    speaks: Collection[str],
    free: int,
    clash: bool,
    starts_on: date,
    available_from: date | None,
) -> tuple[Obstacle, ...]:
    """What speaks against a cohort that is for somebody.

    Args:
        online: Whether it may be attended from anywhere.
        place: The governorate it takes place in (ISO 3166-2); None where that is not known.
        lives_in: The governorate they return to; None where that is not known.
        languages: In which it is held; one of them is enough.
        speaks: What they speak; nothing where that is not known.
        free: Places for which nobody waits.
        clash: Whether another course of theirs is at the same time.
        starts_on: Its first day.
        available_from: From when they are available; None where nothing stands in the way.
    """
    late = available_from is not None and available_from > starts_on
    found = (
        Obstacle.FULL if free <= 0 else None,
        Obstacle.CLASH if clash else None,
        None if online else _of_place(place, lives_in),
        _of_language(languages, speaks),
        Obstacle.NOT_AVAILABLE if late else None,
    )
    return tuple(obstacle for obstacle in found if obstacle is not None)


def _of_place(place: str | None, lives_in: str | None) -> Obstacle | None:
    if place is None or lives_in is None:
        return Obstacle.PLACE_NOT_KNOWN
    return None if place == lives_in else Obstacle.ANOTHER_PLACE


def _of_language(languages: Collection[str], speaks: Collection[str]) -> Obstacle | None:
    if not speaks:
        return Obstacle.LANGUAGE_NOT_KNOWN
    return None if set(languages) & set(speaks) else Obstacle.LANGUAGE


@dataclass(frozen=True, slots=True)
class Suits:
    """A cohort that is for somebody, and what speaks against it."""

    cohort_id: UUID
    course_id: UUID
    obstacles: frozenset[Obstacle]


def _first_without(obstacles: frozenset[Obstacle], options: Sequence[Suits]) -> UUID | None:
    """The first cohort against which none of some obstacles speaks."""
    return next((o.cohort_id for o in options if not o.obstacles & obstacles), None)


def chosen(
    options: Sequence[Suits], *, cohort_id: UUID | None, course_id: UUID | None
) -> UUID | None:
    """The cohort that a line of a plan is carried out by without anybody choosing; None where a
    person has to.

    Args:
        options: Those that are for the person, the most suitable and the first to begin first.
        cohort_id: The cohort that the line names; one that is full is waited for.
        course_id: The course that it names: the first run of it that has a place.
    """
    if cohort_id is not None:
        return _first_without(NAMED, [o for o in options if o.cohort_id == cohort_id])
    if course_id is not None:
        return _first_without(SOLID, [o for o in options if o.course_id == course_id])
    fitting = [option.cohort_id for option in options if not option.obstacles]
    return fitting[0] if len(fitting) == 1 else None


def overlaps(
    some: Sequence[tuple[datetime, datetime]], others: Sequence[tuple[datetime, datetime]]
) -> bool:
    """Whether any of some times overlaps any of others.

    Args:
        some: Beginnings and ends.
        others: The same.
    """
    return any(start < later and earlier < end for start, end in some for earlier, later in others)
