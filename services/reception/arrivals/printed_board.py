"""The board for a desk without a screen."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import Response

from services.reception.arrivals.answers import BoardEntry
from services.reception.context import ReceptionContext
from services.reception.identities import Identity
from services.reception.printing import Column, Form, as_csv, as_page

MOST_PRINTED = 2000
TIMES = {"expected_at": "%d %b %H:%M", "met_at": "%H:%M"}
"""How a page writes times, in the time zone of the port."""

PRINTED = [
    Column("expected_at", "Expected", narrow=True),
    Column("met_at", "Met", narrow=True),
    Column("flight_number", "Flight", narrow=True),
    Column("seat", "Seat", narrow=True),
    Column("family_group", "Family", narrow=True),
    Column("name_latin", "Name"),
    Column("name_arabic", "الاسم"),
    Column("sex", "Sex", narrow=True),
    Column("birth", "Born", narrow=True),
    Column("nationality", "Nat.", narrow=True),
    Column("state", "State", narrow=True),
    Column("arrived_on"),
    Column("programme"),
    Column("household_id"),
    Column("walk_in"),
    Column("identity_doubtful"),
    Column("id"),
    Column("returnee_id"),
]


def render_printed_board(
    form: Form,
    items: Sequence[BoardEntry],
    port: str | None,
    about: str,
    context: ReceptionContext,
    *,
    whole: bool,
) -> Response:
    """The board as CSV or as a page.

    Args:
        form: Which.
        items: The lines.
        port: In whose time zone a page says times; UTC where it is of all ports.
        about: What the list was asked for.
        context: Time zones of ports.
        whole: Whether nothing is left out.
    """
    lines = [{column.name: _cell(item, column.name) for column in PRINTED} for item in items]
    if form is Form.CSV:
        return as_csv(PRINTED, [list(line.values()) for line in lines])
    zone = context.ports.zone(port or "")
    for line in lines:
        for name, written in TIMES.items():
            line[name] = line[name].astimezone(zone).strftime(written) if line[name] else None
    left = "" if whole else f" Only the first {MOST_PRINTED:,} lines."
    at = datetime.now(UTC).astimezone(zone)
    rows = [list(line.values()) for line in lines]
    about = f"{about}. Times in {zone.key}.{left}"
    return as_page("Arrivals", about, PRINTED, rows, at=at, ticks=True)


def _cell(item: BoardEntry, name: str) -> Any:
    identity = item.identity
    match name:
        case "name_latin":
            return _name(identity, "Latn")
        case "name_arabic":
            return _name(identity, "Arab")
        case "birth":
            return identity.birth.date if identity and identity.birth else None
        case "sex" | "nationality":
            return getattr(identity, name, None)
    return getattr(item, name)


def _name(identity: Identity | None, script: str) -> str:
    names = [name for name in identity.names if name.script == script] if identity else []
    return " ".join(
        part
        for name in names
        for part in (name.given, name.father, name.grandfather, name.family)
        if part
    )
