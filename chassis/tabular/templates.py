"""Files to fill in: the declared columns, with what may stand in each."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import xlsxwriter
from starlette.responses import Response

from chassis.tabular.tables import Column

CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ROWS = 5000
"""So many rows below the header are prepared."""
CODES = "codes"
"""The second sheet."""
SHORT = 32
"""Characters of a title that a spreadsheet shows."""
BOM = "\ufeff"
"""Without it spreadsheets take UTF-8 for something else."""


def csv_template(columns: Sequence[Column]) -> bytes:
    """The header alone: an example that is forgotten in a file would be somebody."""
    out = io.StringIO()
    csv.writer(out).writerow([column.name for column in columns])
    return (BOM + out.getvalue()).encode()


def xlsx_template(columns: Sequence[Column], title: str) -> bytes:
    """A workbook with the header, what stands in each column as a note, and lists of codes.

    Every cell is text, so that no spreadsheet takes a telephone number for a number or a day for
    another.

    Args:
        columns: In the order of the sheet.
        title: The name of the sheet.
    """
    out = io.BytesIO()
    workbook = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet, codes = workbook.add_worksheet(title), workbook.add_worksheet(CODES)
    text = workbook.add_format({"num_format": "@"})
    heads = {
        needed: workbook.add_format({"bold": needed, "num_format": "@", "bottom": 1})
        for needed in (True, False)
    }
    listed = 0
    for place, column in enumerate(columns):
        sheet.set_column(place, place, max(12, len(column.name) + 2), text)
        sheet.write_string(0, place, column.name, heads[column.needed])
        sheet.write_comment(0, place, _about(column), {"x_scale": 2})
        if not column.codes:
            continue
        codes.write_string(0, listed, column.name, heads[True])
        codes.set_column(listed, listed, max(12, len(column.name) + 2))
        for row, code in enumerate(column.codes, start=1):
            codes.write_string(row, listed, code)
        if not column.several:
            source = f"={CODES}!{_range(listed, len(column.codes))}"
            sheet.data_validation(
                1, place, ROWS, place,
                {
                    "validate": "list", "source": source, "error_type": "warning",
                    "error_title": column.name[:SHORT], "error_message": "One of the list.",
                },
            )  # fmt: skip
        listed += 1
    sheet.freeze_panes(1, 0)
    workbook.close()
    return out.getvalue()


def _range(place: int, length: int) -> str:
    return str(xlsxwriter.utility.xl_range_abs(1, place, length, place))


def _about(column: Column) -> str:
    several = "one or more, parted by ;" if column.several else ""
    listed = f"see the sheet {CODES}" if column.codes else ""
    needed = "needed" if column.needed else ""
    about = "; ".join(each for each in (column.hint, several, listed, needed) if each)
    return f"{column.label}: {about}" if about else column.label


def download(content: bytes, media_type: str, name: str) -> Response:
    """A file to save."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)


def file_in(media_type: str) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of a route that answers with a file."""
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"description": "The file.", "content": {media_type: schema}}}
