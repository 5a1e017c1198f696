"""Decisions about arrivals: what may be done in which state, and what a journey's news does to who is expected."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from contracts.codes import ArrivalState, AssistanceGroup
from contracts.reception import ReceptionAssistance


class Action(StrEnum):
    """What is done at the desk, or afterwards by the office. The word is the last segment of its path."""

    CHECK_IN = "check-in"
    PROFILE = "profile"
    ASSIST = "assistance"
    ARRANGE_TRANSPORT = "onward-transport"
    COMPLETE = "complete"
    NO_SHOW = "no-show"
    NOT_DEPARTED = "not-departed"
    DECLINE = "decline"
    CONFIRM = "confirm"
    REOPEN = "reopen"


EXPECTED, MET, COMPLETED = ArrivalState.EXPECTED, ArrivalState.MET, ArrivalState.COMPLETED

TRANSITIONS: Mapping[ArrivalState, Mapping[Action, ArrivalState]] = MappingProxyType(
    {
        ArrivalState.EXPECTED: {
            Action.CHECK_IN: MET,
            Action.NO_SHOW: ArrivalState.NO_SHOW,
            Action.NOT_DEPARTED: ArrivalState.NOT_DEPARTED,
            Action.DECLINE: ArrivalState.DECLINED,
            Action.CONFIRM: COMPLETED,
        },
        ArrivalState.MET: {
            Action.PROFILE: MET,
            Action.ASSIST: MET,
            Action.ARRANGE_TRANSPORT: MET,
            Action.COMPLETE: COMPLETED,
            Action.DECLINE: ArrivalState.DECLINED,
        },
        ArrivalState.COMPLETED: {Action.CONFIRM: COMPLETED, Action.REOPEN: EXPECTED},
        ArrivalState.NO_SHOW: {Action.CONFIRM: COMPLETED, Action.REOPEN: EXPECTED},
        ArrivalState.NOT_DEPARTED: {Action.CONFIRM: COMPLETED, Action.REOPEN: EXPECTED},
        ArrivalState.DECLINED: {Action.REOPEN: EXPECTED},
        ArrivalState.DIVERTED: {},
    }
)
"""What each state allows, and where it leads. Two rows depend on whether the person was met: see `transitions`."""


def transitions(state: ArrivalState, *, met: bool) -> Mapping[Action, ArrivalState]:
    """What may be done now, and where it leads.

    Args:
        state: The state of the arrival.
        met: Whether the person was met at the port of entry. Then reopening leads back to `met`, and the office has
            nothing to confirm; without it, a confirmation is corrected by confirming again.
    """
    allowed = dict(TRANSITIONS[state])
    if met:
        allowed.pop(Action.CONFIRM, None)
        if Action.REOPEN in allowed:
            allowed[Action.REOPEN] = MET
    return allowed


ON_JOURNEY_SET: Mapping[ArrivalState, ArrivalState] = MappingProxyType(
    dict.fromkeys((ArrivalState.EXPECTED, ArrivalState.NO_SHOW, ArrivalState.NOT_DEPARTED), EXPECTED)
)
"""A journey that is planned, booked or moved makes a person expected, also again; who has arrived is left alone."""

ON_JOURNEY_OFF: Mapping[ArrivalState, ArrivalState] = MappingProxyType({EXPECTED: ArrivalState.NOT_DEPARTED})
"""A journey that does not take place ends what has not begun; what has happened at the port is left alone."""


class AssistanceKind(StrEnum):
    """What is given at the port of entry."""

    TEMPORARY_ACCOMMODATION = "temporary_accommodation"
    NUTRITION = "nutrition"
    CLOTHING = "clothing"
    MEDICAL = "medical"
    INTERPRETATION = "interpretation"
    POCKET_MONEY = "pocket_money"
    FAMILY_TRACING = "family_tracing"


GROUPS: Mapping[AssistanceKind, AssistanceGroup] = MappingProxyType(
    {
        AssistanceKind.TEMPORARY_ACCOMMODATION: AssistanceGroup.SOCIAL,
        AssistanceKind.NUTRITION: AssistanceGroup.SOCIAL,
        AssistanceKind.CLOTHING: AssistanceGroup.SOCIAL,
        AssistanceKind.MEDICAL: AssistanceGroup.CARE,
        AssistanceKind.INTERPRETATION: AssistanceGroup.SOCIAL,
        AssistanceKind.POCKET_MONEY: AssistanceGroup.ECONOMIC,
        AssistanceKind.FAMILY_TRACING: AssistanceGroup.CARE,
    }
)


def published_kind(kind: AssistanceKind) -> ReceptionAssistance | None:
    """The kind as events may name it; None where it would disclose health or a child's situation."""
    return None if GROUPS[kind] is AssistanceGroup.CARE else ReceptionAssistance(kind)


CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far ahead of the database's clock a claim may be; a convention of the whole API."""


def clock_suspect(claimed: datetime, clock: datetime) -> bool:
    """Whether something is said to have happened in the future: the device's clock is wrong.

    Args:
        claimed: When it happened, by the device.
        clock: The database's clock.
    """
    return claimed > clock + CLOCK_TOLERANCE
