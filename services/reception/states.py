"""The state machines of reception: what may happen to a flight and to an arrival."""

from enum import StrEnum

from chassis.machine import Machine
from contracts.codes import ArrivalState


class FlightState(StrEnum):
    """Where a flight stands."""

    ANNOUNCED = "announced"
    LANDED = "landed"
    CANCELLED = "cancelled"
    DIVERTED = "diverted"


class FlightAction(StrEnum):
    """What is done with a flight. The word is the last segment of its path, if it has one."""

    CHANGE = "change"
    MANIFEST = "manifest"
    LANDED = "landed"
    CANCELLED = "cancelled"
    DIVERTED = "diverted"


FLIGHT = Machine(
    "flight",
    {
        FlightState.ANNOUNCED: {
            FlightAction.CHANGE: FlightState.ANNOUNCED,
            FlightAction.MANIFEST: FlightState.ANNOUNCED,
            FlightAction.LANDED: FlightState.LANDED,
            FlightAction.CANCELLED: FlightState.CANCELLED,
            FlightAction.DIVERTED: FlightState.DIVERTED,
        },
        FlightState.DIVERTED: {
            FlightAction.CHANGE: FlightState.DIVERTED,
            FlightAction.MANIFEST: FlightState.DIVERTED,
            FlightAction.LANDED: FlightState.LANDED,
            FlightAction.CANCELLED: FlightState.CANCELLED,
            FlightAction.DIVERTED: FlightState.DIVERTED,
        },
        # A manifest is corrected after landing too: the crew's list is late.
        FlightState.LANDED: {FlightAction.MANIFEST: FlightState.LANDED},
        FlightState.CANCELLED: {},
    },
)


class ArrivalAction(StrEnum):
    """What happens to an arrival, at the desk, by the office, or through news of a journey.

    Where people do it, the word is the last segment of its path.
    """

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
    BIND = "bind"
    HANDOVER = "handover"
    HOLD = "hold"
    REDIRECT = "redirect"
    CORRECT = "correct"
    EXPECT = "expect"
    """A journey is planned, booked or moved."""
    CALL_OFF = "call-off"
    """A journey, or the flight, does not take place."""
    DIVERT = "divert"
    """The flight goes to another port."""
    RECOGNISE = "recognise"
    """They were met already, as a walk-in under another id."""
    TELL_APART = "tell-apart"
    """Whom they were taken for was somebody else."""


_S, _A = ArrivalState, ArrivalAction
_TO_COME = {
    _A.CHECK_IN: _S.MET,
    _A.NO_SHOW: _S.NO_SHOW,
    _A.NOT_DEPARTED: _S.NOT_DEPARTED,
    _A.DECLINE: _S.DECLINED,
    _A.CONFIRM: _S.COMPLETED,
    _A.REDIRECT: _S.DIVERTED,
    _A.EXPECT: _S.EXPECTED,
    _A.CALL_OFF: _S.NOT_DEPARTED,
    _A.DIVERT: _S.DIVERTED,
    _A.RECOGNISE: _S.COMPLETED,
}
_HELD = {"held_at": None, "held_by": None}

ARRIVAL = Machine(
    "arrival",
    {
        _S.EXPECTED: {
            **_TO_COME,
            _A.BIND: _S.EXPECTED,
            _A.HOLD: _S.EXPECTED,
            _A.HANDOVER: _S.EXPECTED,
        },
        _S.DIVERTED: {
            **_TO_COME,
            _A.BIND: _S.DIVERTED,
            _A.REOPEN: _S.EXPECTED,
            _A.HANDOVER: _S.DIVERTED,
        },
        _S.MET: {
            _A.PROFILE: _S.MET,
            _A.ASSIST: _S.MET,
            _A.ARRANGE_TRANSPORT: _S.MET,
            _A.COMPLETE: _S.COMPLETED,
            _A.DECLINE: _S.DECLINED,
            _A.HANDOVER: _S.MET,
            _A.HOLD: _S.MET,
            _A.CORRECT: _S.MET,
            _A.REOPEN: _S.EXPECTED,
        },
        # Reopening who was met leads back to the desk. A tablet's news of a step comes after that
        # of the end; see `rules.transitions`.
        _S.COMPLETED: {
            _A.CONFIRM: _S.COMPLETED,
            _A.CORRECT: _S.COMPLETED,
            _A.REOPEN: frozenset({_S.EXPECTED, _S.MET}),
            _A.TELL_APART: _S.EXPECTED,
            _A.PROFILE: _S.COMPLETED,
            _A.ASSIST: _S.COMPLETED,
            _A.ARRANGE_TRANSPORT: _S.COMPLETED,
            _A.HANDOVER: _S.COMPLETED,
        },
        _S.DECLINED: {
            _A.REOPEN: frozenset({_S.EXPECTED, _S.MET}),
            _A.PROFILE: _S.DECLINED,
            _A.ASSIST: _S.DECLINED,
            _A.ARRANGE_TRANSPORT: _S.DECLINED,
            _A.HANDOVER: _S.DECLINED,
        },
        # Who walked past the desk is handed over too: the office writes it down.
        _S.NO_SHOW: {
            _A.CONFIRM: _S.COMPLETED,
            _A.REOPEN: frozenset({_S.EXPECTED, _S.MET}),
            _A.HANDOVER: _S.NO_SHOW,
            _A.EXPECT: _S.EXPECTED,
            _A.RECOGNISE: _S.COMPLETED,
        },
        _S.NOT_DEPARTED: {
            _A.CONFIRM: _S.COMPLETED,
            _A.REOPEN: frozenset({_S.EXPECTED, _S.MET}),
            _A.HANDOVER: _S.NOT_DEPARTED,
            _A.EXPECT: _S.EXPECTED,
            _A.RECOGNISE: _S.COMPLETED,
        },
    },
    # Whom the authorities hold is expected, diverted or met; whatever ends that ends the hold.
    leaving={_S.EXPECTED: _HELD, _S.DIVERTED: _HELD, _S.MET: _HELD},
    internal={_A.EXPECT, _A.CALL_OFF, _A.DIVERT, _A.RECOGNISE, _A.TELL_APART},
)
