"""Lists for a desk without a screen: a page to print, and CSV for a spreadsheet."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from jinja2 import Environment, FileSystemLoader
from starlette.responses import Response

MEDIA_TYPES = ("application/json", "text/csv", "text/html")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
BOM = "\ufeff"
"""Without it spreadsheets take UTF-8 for something else."""

AT_THE_DESK = "Personal data: keep it at the desk and destroy it after use."

_pages = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)


class Form(StrEnum):
    """In what form a list is asked for."""

    JSON = "json"
    CSV = "csv"
    PAGE = "page"


async def _form(request: Request) -> Form:
    """The first form of ours in the Accept header; JSON where none is named."""
    for part in request.headers.get("accept", "").split(","):
        match part.partition(";")[0].strip().lower():
            case "text/csv":
                return Form.CSV
            case "text/html":
                return Form.PAGE
            case "application/json" | "application/*" | "*/*":
                return Form.JSON
    return Form.JSON


FormDep = Annotated[Form, Depends(_form)]
"""In what form the caller wants a list: `Accept: application/json`, `text/csv` or `text/html`."""


@dataclass(frozen=True)
class Column:
    """A column of a list.

    Attributes:
        name: Its name in CSV.
        title: Its title on a page; None leaves it out there.
        narrow: Whether it never wraps.
    """

    name: str
    title: str | None = None
    narrow: bool = False


def in_forms(description: str) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of a list that comes in three forms."""
    text = {"schema": {"type": "string"}}
    return {200: {"description": description, "content": {"text/csv": text, "text/html": text}}}


def as_csv(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> Response:
    """The list as CSV: UTF-8 with a byte order mark, and no cell that a spreadsheet takes for a
    formula.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([column.name for column in columns])
    writer.writerows([[_harmless(_text(cell)) for cell in row] for row in rows])
    return _answer(BOM + out.getvalue(), "text/csv; charset=utf-8")


def as_page(
    title: str,
    about: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Any]],
    *,
    at: datetime,
    ticks: bool,
    warning: str = AT_THE_DESK,
) -> Response:
    """The list as a page to print, in landscape.

    Args:
        title: Above it.
        about: A line beside the title.
        columns: Of which those with a title are shown.
        rows: A cell a column.
        at: When it is printed, in the time zone of the port.
        ticks: Whether it has an empty column to tick.
        warning: What is to be done with the paper.
    """
    shown = [index for index, column in enumerate(columns) if column.title is not None]
    html = _pages.get_template("list.html").render(
        title=title,
        about=about,
        columns=[columns[index] for index in shown],
        rows=[[_text(row[index]) for index in shown] for row in rows],
        printed=f"Printed {at:%d %b %Y %H:%M}",
        warning=warning,
        ticks=ticks,
    )
    return _answer(html, "text/html; charset=utf-8")


def _answer(body: str, media_type: str) -> Response:
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    return Response(body, media_type=media_type, headers=headers)


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, list | tuple):
        return " ".join(map(str, cell))
    return cell.isoformat() if isinstance(cell, datetime) else str(cell)


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell
