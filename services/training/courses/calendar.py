"""A cohort as a calendar file (RFC 5545)."""

from collections.abc import Sequence
from datetime import UTC
from uuid import uuid5

from icalendar import Calendar, Event

from services.training.models import Cohort, CohortSession, Course
from services.training.states import CohortState

MEDIA_TYPE = "text/calendar"


def calendar(cohort: Cohort, course: Course, sessions: Sequence[CohortSession]) -> bytes:
    """The sessions of a cohort as events. Each keeps its UID, so that a calendar follows changes
    and a cancellation.

    Args:
        cohort: The cohort.
        course: Its course.
        sessions: Its sessions, in order.

    Returns:
        An `.ics` file with times in UTC, which no calendar reads otherwise, and the zone in which
        they are local.
    """
    cancelled = cohort.state == CohortState.CANCELLED
    file = Calendar()
    file.add("prodid", "-//Homeward//training//EN")
    file.add("version", "2.0")
    file.add("x-wr-timezone", cohort.time_zone)
    file.add("method", "CANCEL" if cancelled else "PUBLISH")
    place = (
        "online"
        if cohort.online
        else ", ".join(part for part in (cohort.venue, cohort.city) if part)
    )
    for session in sessions:
        event = Event()
        event.add("uid", str(uuid5(cohort.id, str(session.number))))
        event.add("dtstamp", cohort.updated_at.astimezone(UTC))
        event.add("sequence", cohort.version - 1)
        event.add("dtstart", session.starts_at.astimezone(UTC))
        event.add("dtend", session.ends_at.astimezone(UTC))
        event.add("summary", f"{course.title} ({session.number}/{len(sessions)})")
        event.add("location", place)
        event.add("status", "CANCELLED" if cancelled else "CONFIRMED")
        file.add_component(event)
    return bytes(file.to_ical())
