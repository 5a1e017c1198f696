"""Decisions about flights: what may be done in which state, and what happens to those who are on
them.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType


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


TRANSITIONS: Mapping[FlightState, Mapping[FlightAction, FlightState]] = MappingProxyType(
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
        FlightState.LANDED: {FlightAction.MANIFEST: FlightState.LANDED},
        FlightState.CANCELLED: {},
    }
)
"""What each state allows, and where it leads. A manifest is corrected after landing too: the crew's
list is late.
"""

SAME_JOURNEY = timedelta(days=2)
"""How far a booked journey's time and a flight's may lie apart and be the same: a delay, another
clock's date.
"""


def same_journey(expected: datetime | None, scheduled: datetime) -> bool:
    """Whether a journey may end with a flight; one without a time may."""
    return expected is None or abs(expected - scheduled) <= SAME_JOURNEY
