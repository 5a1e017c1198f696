"""What may be decided about a deadline. Pure."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from chassis.errors import CONFLICT, FOUR_EYES, FieldError, Problem, invalid
from contracts.codes import DeadlineKind

WINDOWS = frozenset({DeadlineKind.POST_ARRIVAL, DeadlineKind.POST_RETURN})
"""Until when something may be given. Nobody can be late with them: they close, and make no case
overdue.
"""
PRODID = "-//Homeward//Deadlines//EN"


def check_second_person(person: str, in_charge: Collection[str]) -> None:
    """Refuse who is or was in charge of the case: more time is given by somebody else.

    Args:
        person: Who decides, as `<organisation>:<user id>`.
        in_charge: Who is or was the case's focal point in the same form; none while nobody is.

    Raises:
        Problem: 403 `four-eyes`; 409 while nobody is in charge: one person alone would decide.
    """
    if not in_charge:
        raise Problem(
            CONFLICT, "the case has no focal point; assign one, and somebody else decides"
        )
    if person in in_charge:
        raise Problem(
            FOUR_EYES, "somebody decides who is not, and was not, the focal point of the case"
        )


def extension(until: date, due_on: date, today: date) -> int:
    """By how many days a deadline moves.

    Raises:
        Problem: 422, the new day is not later, or has passed.
    """
    if until <= max(due_on, today):
        right = "a day after the present one, and after today"
        raise invalid(FieldError(pointer="/until", code="not_later", detail=right))
    return (until - due_on).days


def calendar(entries: Sequence[tuple[str, str, datetime, datetime, str]]) -> str:
    """Deadlines as an iCalendar file (RFC 5545), each a whole day.

    Args:
        entries: Id, kind, the moment it is due in the zone of the country of return, when it last
            changed, and the id of the case or referral. No name: a calendar is synchronised to
            telephones.
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{PRODID}", "CALSCALE:GREGORIAN"]
    for uid, kind, due_at, changed_at, about in entries:
        lines += [
            "BEGIN:VEVENT",
            f"UID:{uid}",
            f"DTSTAMP:{changed_at:%Y%m%dT%H%M%SZ}",
            f"DTSTART;VALUE=DATE:{due_at:%Y%m%d}",
            f"SUMMARY:{kind.replace('_', ' ').capitalize()} due",
            f"DESCRIPTION:{about}",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])
