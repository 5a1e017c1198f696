"""Decisions about flights: what may be done in which state, and what happens to those who are on
them.
"""

from datetime import datetime, timedelta

SAME_JOURNEY = timedelta(days=2)
"""How far a booked journey's time and a flight's may lie apart and be the same: a delay, another
clock's date.
"""


def same_journey(expected: datetime | None, scheduled: datetime) -> bool:
    """Whether a journey may end with a flight; one without a time may."""
    return expected is None or abs(expected - scheduled) <= SAME_JOURNEY
