"""Workbooks (XLSX) that somebody sent: looked through before a library unfolds them.

A workbook is a zip of XML. A few kilobytes of it can stand for gigabytes: packed zeroes, a cell in
the last row of the last column, one long text that a million cells point at. So its parts are
unpacked here up to a limit and counted, and what was looked at, and nothing else, is put together
anew for the library: it never sees the archive that was sent.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import PurePosixPath
from typing import Any
from xml.parsers import expat

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from chassis.tabular.problems import Unreadable

MOST_UNPACKED = 96 * 1024 * 1024
MOST_PARTS = 500
MOST_ROWS = 60_000
MOST_COLUMNS = 256
MOST_CELLS = 2_500_000
MOST_TEXT = 64 * 1024 * 1024
"""Characters of all cells of a workbook together."""
WORKBOOK = "xl/workbook.xml"
BROKEN = "a workbook (.xlsx) that a spreadsheet opens, or CSV in UTF-8"
OTHERS = {
    b"\xd0\xcf\x11\xe0": "a workbook in the form .xlsx without a password, or CSV in UTF-8",
    b"%PDF": "a workbook (.xlsx) or CSV in UTF-8, not a printed page",
}
"""What also comes as a table: workbooks of before 2007 or with a password, and printed ones."""


def is_workbook(raw: bytes) -> bool:
    """Whether a file is, or claims to be, a workbook.

    Raises:
        Unreadable: It is a kind of file that is not read here.
    """
    for beginning, right in OTHERS.items():
        if raw.startswith(beginning):
            raise Unreadable(right)
    return raw.startswith(b"PK")


def sheets_of(raw: bytes) -> Iterator[list[list[str]]]:
    """The sheets of a workbook that are not hidden, each row as text.

    Raises:
        Unreadable: It is broken, or larger than what is read here.
    """
    try:
        workbook = CalamineWorkbook.from_filelike(_looked_through(raw))
        for sheet in workbook.sheets_metadata:
            if sheet.visible is SheetVisibleEnum.Visible and sheet.typ is SheetTypeEnum.WorkSheet:
                rows = workbook.get_sheet_by_name(sheet.name).to_python(skip_empty_area=False)
                yield [[_text(value) for value in row] for row in rows]
    except CalamineError:
        raise Unreadable(BROKEN) from None


def _text(value: Any) -> str:
    """A cell as it would stand in a table of text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, int | timedelta) else ""


def _looked_through(raw: bytes) -> io.BytesIO:
    """The same workbook, with the parts alone that are XML and were counted."""
    clean = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as sent, zipfile.ZipFile(clean, "w") as checked:
            parts = {part.filename: part for part in sent.infolist()}
            if sum(part.file_size for part in sent.infolist()) > MOST_UNPACKED:
                raise Unreadable("a workbook with the table alone", "too_large")
            if WORKBOOK not in parts or len(parts) > MOST_PARTS:
                raise Unreadable(BROKEN)
            texts = _Texts()
            cells = _Cells(texts.lengths)
            # The shared texts first, so that it is known how long each is that a cell points at.
            for name in sorted(parts, key=lambda name: "sharedstrings" not in name.lower()):
                content = sent.read(parts[name])
                is_shared = "sharedstrings" in name.lower()
                if _parses(name, content, texts if is_shared else cells):
                    checked.writestr(name, content)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError):
        # A broken, truncated, or password-protected archive, or one that says less than it holds.
        raise Unreadable(BROKEN) from None
    clean.seek(0)
    return clean


class _Part:
    """Looks at the elements of a part."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def text(self, text: str) -> None:
        """Text of an element."""

    def start_over(self) -> None:
        """A part begins."""


class _Texts(_Part):
    """Counts how long each of the shared texts is."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:  # noqa: ARG002
        if name.rpartition(":")[2] == "si":
            self.lengths.append(0)

    def text(self, text: str) -> None:
        if self.lengths:
            self.lengths[-1] += len(text)


class _Cells(_Part):
    """Counts rows, columns and text of the sheets, as far out as anything stands in them."""

    def __init__(self, shared: list[int]) -> None:
        self.shared = shared
        self.length = 0
        self.start_over()

    def start_over(self) -> None:
        self.row = self.column = 0
        self.widest = self.lowest = 0
        self.points = self.in_value = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        self.in_value = False
        if name == "row":
            said = attributes.get("r", "")
            self.row, self.column = int(said) if said.isdecimal() else self.row + 1, 0
        elif name == "c":
            self._cell(attributes)
        elif name in {"v", "t", "is"}:
            self.in_value = True
            self.widest, self.lowest = max(self.widest, self.column), max(self.lowest, self.row)
            if (
                self.lowest > MOST_ROWS
                or self.widest > MOST_COLUMNS
                or self.lowest * self.widest > MOST_CELLS
            ):
                right = (
                    f"at most {MOST_ROWS} rows and {MOST_COLUMNS} columns, and nothing beside them"
                )
                raise Unreadable(right, "too_large")

    def _cell(self, attributes: dict[str, str]) -> None:
        self.points = attributes.get("t") == "s"
        said = attributes.get("r", "")
        letters = said.rstrip("0123456789").upper()
        if not letters.isalpha() or not letters.isascii():
            self.column += 1
            return
        self.column = 0
        for each in letters[:4]:
            self.column = self.column * 26 + ord(each) - ord("A") + 1
        digits = said[len(letters) :]
        self.row = int(digits[:8]) if digits else self.row

    def text(self, text: str) -> None:
        if not self.in_value:
            return
        if self.points and text.strip().isdecimal():
            place = int(text[:8])
            self.length += self.shared[place] if place < len(self.shared) else 0
        else:
            self.length += len(text)
        if self.length > MOST_TEXT:
            raise Unreadable("a workbook with the table alone", "too_large")


def _refuse_types(*_: Any) -> None:
    raise Unreadable(BROKEN)


def _parses(name: str, content: bytes, part: _Part) -> bool:
    """Whether a part is XML; pictures and the like are none, and hold no cells.

    Raises:
        Unreadable: It should be, and is not; or it is too large.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = part.start
    parser.CharacterDataHandler = part.text
    parser.StartDoctypeDeclHandler = _refuse_types
    part.start_over()
    try:
        parser.Parse(content, True)
    except expat.ExpatError:
        if PurePosixPath(name).suffix.lower() in {".xml", ".rels"}:
            raise Unreadable(BROKEN) from None
        return False
    return True
