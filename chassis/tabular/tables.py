"""Tables as spreadsheets save them: rows of text, by columns that are declared once."""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, get_args

from pydantic_core.core_schema import ErrorType

from chassis.errors import FieldError
from chassis.tabular.encodings import decoded
from chassis.tabular.problems import Unreadable
from chassis.tabular.values import cleaned, line, unguarded
from chassis.tabular.workbook import is_workbook, sheets_of

SEPARATORS = (",", ";", "\t", "|")
SEPARATOR_SAID = re.compile(r'"?sep=(.)"?(?:\r\n|\n|\r)')
"""The line that Excel writes and reads before a table."""
LOOKED_AT = 15
"""A title, a blank line, a date of printing: the header is below them, not further down."""
HEADINGS = 2
"""So many known headings make a row the header."""
TOTAL_WORDS = (
    "total totals totaal summe gesamt gesamtsumme somme totale yhteensä summa sum مجموع المجموع"
)
TOTALS = frozenset(TOTAL_WORDS.split())
TOTALS_SAY = 4
"""Cells of a line of totals at most."""

csv.field_size_limit(1024 * 1024)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, declared once: for the reader, the template, the problems and the page.

    Attributes:
        name: What it is called in the file.
        pointer: Where in the body what it says belongs: `/travel/escorted`.
        label: What people call it.
        read: Makes of a cell's text what the body holds. Text that it cannot read stays as it is,
            and the body's own check refuses it with its own code.
        needed: Whether a table without it cannot be read.
        codes: What may stand in it, where that is a list.
        several: Whether a cell may hold several of them.
        also: Other headings under which it is known.
        hint: What stands in it, for whoever fills in the template.
        as_written: Whether it is kept with the blanks about it, as a name is.
    """

    name: str
    pointer: str
    label: str
    read: Callable[[str], Any] = line
    needed: bool = False
    codes: tuple[str, ...] = ()
    several: bool = False
    also: tuple[str, ...] = ()
    hint: str = ""
    as_written: bool = False


LIBRARYS = frozenset(get_args(ErrorType))
"""Codes of pydantic's own, whose words are a programmer's."""
RIGHT = {
    "list_type": "a list; left out, or [], where there is none",
    "string_type": 'text in quotation marks; left out, or "", where there is none',
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "extra_forbidden": "nothing of this name; perhaps it is misspelt",
    "too_long": "fewer of them",
    "too_short": "at least one of them",
    "string_too_short": "text that says something",
    "string_too_long": "shorter text",
    "string_pattern_mismatch": "letters and digits in the form that the API describes",
}


def what_is_right(code: str, detail: str, column: Column | None = None) -> str:
    """What would be right, in the words of whoever fills in the file.

    Args:
        code: What is wrong.
        detail: What the check said.
        column: Where, if it was a column.
    """
    if code not in LIBRARYS:
        return detail
    if column is not None and column.codes:
        return "one of: " + ", ".join(column.codes)
    if column is not None and column.hint:
        return column.hint
    return RIGHT.get(code, "a value in the form that the API describes")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        number: As the spreadsheet counts it, from 1.
        cells: By column; what is not there is empty.
        shifted: Whether its cells are not, or not all, below their headings.
    """

    number: int
    cells: dict[str, str]
    shifted: bool

    @property
    def is_total(self) -> bool:
        """Whether it is a line that counts the others: `Total: 3`, and little beside."""
        said = [cell for cell in self.cells.values() if cell]
        first = re.split(r"\W+", said[0].casefold(), maxsplit=1)[0] if said else ""
        return first in TOTALS and len(said) <= TOTALS_SAY


class Table:
    """A table whose header was found; it can be gone through several times.

    Args:
        lines: Gives the rows of the file from the first on, each as a list of text.
        header: At which row the header is, from 1.
        headings: What stands in it.
        names: Of each position the column, None for one that is not read.
        blank: The positions without a heading; nothing may stand below them.
        as_written: The columns whose cells are kept with the blanks about them.
    """

    def __init__(
        self,
        lines: Callable[[], Iterable[Sequence[str]]],
        header: int,
        headings: Sequence[str],
        names: Sequence[str | None],
        blank: frozenset[int],
        as_written: frozenset[str],
    ) -> None:
        self._lines = lines
        self._header = header
        self._headings = list(headings)
        self._names = names
        self._blank = blank
        self._as_written = as_written

    @property
    def names(self) -> list[str]:
        """The columns that the file has, in its order."""
        return [name for name in self._names if name is not None]

    def rows(self) -> Iterator[Row]:
        """The rows below the header that say something; where the header is repeated on every page,
        it is none of them.

        Raises:
            Unreadable: A quotation mark is not closed.
        """
        empty = dict.fromkeys(self.names, "")
        width = len(self._headings)
        for number, values in enumerate(self._lines(), start=1):
            if number <= self._header:
                continue
            cells = [cleaned(value) for value in values]
            if not any(cells) or [_heading(cell) for cell in cells[:width]] == self._headings:
                continue
            beside = any(cells[width:]) or any(
                cells[place] for place in self._blank if place < len(cells)
            )
            named = {
                name: unguarded(value) if name in self._as_written and cell else cell
                for name, cell, value in zip(self._names, cells, values, strict=False)
                if name is not None
            }
            yield Row(number, empty | named, beside or len(cells) < width)


def read_table(
    raw: bytes,
    columns: Sequence[Column],
    *,
    charset: str | None = None,
    passed_over: Iterable[str] = (),
) -> Table:
    """A table in whatever form a spreadsheet saved it: CSV of any separator and encoding, or XLSX.

    Args:
        raw: The file.
        columns: What it may have.
        charset: How the request says that it is encoded.
        passed_over: Headings that are known and not read.

    Raises:
        Unreadable: It is no table, its header is not found, or columns are missing, unknown or
            there twice.
    """
    known = _headings(columns, passed_over)
    header = (
        _find_in_workbook(raw, known) if is_workbook(raw) else _find_in_text(raw, known, charset)
    )
    if header is None:
        named = ", ".join(column.name for column in columns if column.needed)
        raise Unreadable(f"a row with the headings of the columns, as in the template: {named}")
    return _checked(header, columns, known)


@dataclass(frozen=True, slots=True)
class _Header:
    lines: Callable[[], Iterable[Sequence[str]]]
    row: int
    cells: Sequence[str]
    recognised: int


def _find_in_text(raw: bytes, known: dict[str, str], charset: str | None) -> _Header | None:
    text = decoded(raw, charset)
    said = SEPARATOR_SAID.match(text)
    if said:
        text = text[said.end() :]
    separators = [said[1]] if said else SEPARATORS
    found = [_find_header(_csv_lines(text, each), known) for each in separators]
    return max((each for each in found if each), key=lambda header: header.recognised, default=None)


def _find_in_workbook(raw: bytes, known: dict[str, str]) -> _Header | None:
    for sheet in sheets_of(raw):
        header = _find_header(lambda sheet=sheet: sheet, known)  # type: ignore[misc]
        if header:
            return header
    return None


def _csv_lines(text: str, separator: str) -> Callable[[], Iterator[list[str]]]:
    def lines() -> Iterator[list[str]]:
        number = 0
        try:
            for values in csv.reader(
                io.StringIO(text, newline=""), delimiter=separator, strict=True
            ):
                number += 1
                yield values
        except csv.Error:
            right = (
                "cells with a quotation mark, line break or separator in quotation marks, closed"
            )
            raise Unreadable(right, "quotation_marks", number + 1) from None

    return lines


def _find_header(
    lines: Callable[[], Iterable[Sequence[str]]], known: dict[str, str]
) -> _Header | None:
    best = None
    try:
        for number, values in enumerate(islice(lines(), LOOKED_AT), start=1):
            cells = [_heading(value) for value in values]
            recognised = len({known[cell] for cell in cells if cell in known})
            if recognised >= HEADINGS and (best is None or recognised > best.recognised):
                best = _Header(lines, number, cells, recognised)
    except Unreadable:
        if best is None:
            return None
    return best


def _checked(header: _Header, columns: Sequence[Column], known: dict[str, str]) -> Table:
    cells = list(header.cells)
    while cells and not cells[-1]:
        cells.pop()
    names = [known.get(cell) for cell in cells]
    there = [name for name in names if name]
    errors = [
        FieldError(
            pointer="",
            code="column_missing",
            detail=f"a column {each.name}",
            row=header.row,
            column=each.name,
        )
        for each in columns
        if each.needed and each.name not in there
    ]
    errors += [
        FieldError(
            pointer="", code="column_twice", detail="each column once", row=header.row, column=each
        )
        for each in dict.fromkeys(there)
        if there.count(each) > 1
    ]
    unknown = [letter(place) for place, cell in enumerate(cells) if cell and cell not in known]
    if unknown:
        right = "only columns of the template: " + ", ".join(column.name for column in columns)
        errors.append(
            FieldError(
                pointer="",
                code="unknown_column",
                detail=right,
                row=header.row,
                found=f"other headings, in column {', '.join(unknown[:20])}",
            )
        )
    if errors:
        raise Unreadable(errors=errors)
    declared = {column.name for column in columns}
    return Table(
        header.lines,
        header.row,
        cells,
        [name if name in declared else None for name in names],
        frozenset(place for place, cell in enumerate(cells) if not cell),
        frozenset(column.name for column in columns if column.as_written),
    )


def _headings(columns: Sequence[Column], passed_over: Iterable[str]) -> dict[str, str]:
    known = {_heading(name): name for name in passed_over}
    for column in columns:
        for heading in (*column.also, column.label, column.name):
            known[_heading(heading)] = column.name
    known.pop("", None)
    return known


def _heading(text: str) -> str:
    """A heading without capitals, blanks and signs: `Family Name` is `family_name`."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\W_]+", "_", folded).strip("_")


def letter(place: int) -> str:
    """What a spreadsheet calls the column at a place, counted from 0: `A`, `AB`."""
    name = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
