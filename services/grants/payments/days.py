"""The days on which a payment can have been received. Pure."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from chassis.errors import FieldError, invalid


def first_day(released_at: datetime, zone: ZoneInfo) -> date:
    """The earliest day on which somebody can have received, or a bank booked, what was released at
    a moment: the day of the partner, or by UTC, where it may still be the one before.
    """
    return min(released_at.astimezone(UTC).date(), released_at.astimezone(zone).date())


def last_day(now: datetime, zone: ZoneInfo) -> date:
    """The latest day that has begun by now, at the partner or by UTC."""
    return max(now.astimezone(UTC).date(), now.astimezone(zone).date())


def check_received(day: date, released_at: datetime, zone: ZoneInfo) -> None:
    """Refuse that something was received before it was released.

    Raises:
        Problem: 422.
    """
    if day < first_day(released_at, zone):
        detail = "not before the day on which the payment was released"
        raise invalid(FieldError(pointer="/confirmed_on", code="before_release", detail=detail))
