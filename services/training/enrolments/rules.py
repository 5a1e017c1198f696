"""What may happen to an enrolment, who holds a place, and how much attendance is enough. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from chassis.errors import state_conflict
from contracts.training import AttendanceStatus


class EnrolmentState(StrEnum):
    """Where an enrolment stands."""

    REQUESTED = "requested"
    WAITLISTED = "waitlisted"
    OFFERED = "offered"
    ENROLLED = "enrolled"
    ATTENDING = "attending"
    COMPLETED = "completed"
    DROPPED_OUT = "dropped_out"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"


class Action(StrEnum):
    """What is done with an enrolment. Where people do it, the word is the last segment of its path."""

    PLACE = "place"
    OFFER = "offer"
    ACCEPT = "accept"
    ATTEND = "attend"
    ASSESS = "assess"
    HAND_MANUAL = "manual"
    COMPLETE = "complete"
    EVALUATE = "evaluate"
    DROP_OUT = "drop-out"
    NO_SHOW = "no-show"
    CANCEL = "cancel"


REQUESTED, WAITLISTED, OFFERED = EnrolmentState.REQUESTED, EnrolmentState.WAITLISTED, EnrolmentState.OFFERED
ENROLLED, ATTENDING, COMPLETED = EnrolmentState.ENROLLED, EnrolmentState.ATTENDING, EnrolmentState.COMPLETED

TRANSITIONS: Mapping[EnrolmentState, Mapping[Action, EnrolmentState]] = {
    REQUESTED: {Action.PLACE: ENROLLED, Action.CANCEL: EnrolmentState.CANCELLED},
    WAITLISTED: {Action.OFFER: OFFERED, Action.CANCEL: EnrolmentState.CANCELLED},
    OFFERED: {Action.ACCEPT: ENROLLED, Action.CANCEL: EnrolmentState.CANCELLED},
    ENROLLED: {
        Action.ATTEND: ATTENDING,
        Action.ASSESS: ENROLLED,
        Action.HAND_MANUAL: ENROLLED,
        Action.NO_SHOW: EnrolmentState.NO_SHOW,
        Action.DROP_OUT: EnrolmentState.DROPPED_OUT,
        Action.CANCEL: EnrolmentState.CANCELLED,
    },
    ATTENDING: {
        Action.ATTEND: ATTENDING,
        Action.ASSESS: ATTENDING,
        Action.HAND_MANUAL: ATTENDING,
        Action.EVALUATE: ATTENDING,
        Action.COMPLETE: COMPLETED,
        Action.DROP_OUT: EnrolmentState.DROPPED_OUT,
    },
    COMPLETED: {
        Action.ATTEND: COMPLETED,
        Action.ASSESS: COMPLETED,
        Action.HAND_MANUAL: COMPLETED,
        Action.EVALUATE: COMPLETED,
    },
    EnrolmentState.DROPPED_OUT: {},
    EnrolmentState.NO_SHOW: {},
    EnrolmentState.CANCELLED: {},
}
"""What each state allows, and where it leads. Where every place is taken, placing leads to the waiting list."""

HOLDS_A_SEAT = frozenset({OFFERED, ENROLLED, ATTENDING, COMPLETED})
NOT_BEGUN = frozenset({REQUESTED, WAITLISTED, OFFERED, ENROLLED})
"""What a closed case, or a return that does not take place, ends."""
ON_THE_SHEET = frozenset({ENROLLED, ATTENDING, COMPLETED})


def after(state: str, action: Action) -> EnrolmentState:
    """The state after an action.

    Raises:
        Problem: 409, the state does not allow it.
    """
    allowed = TRANSITIONS[EnrolmentState(state)]
    if action not in allowed:
        raise state_conflict(state, [word for word in allowed if word is not Action.OFFER], action)
    return allowed[action]


COUNTS = frozenset({AttendanceStatus.PRESENT, AttendanceStatus.LATE})


def minutes_of(status: str, starts_at: datetime, ends_at: datetime) -> int:
    """Minutes of a session that count as attended: all of them for who was there, none for who was not.

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
