"""Referrals of a file: JSON, one a line, or a table with a row a person. Pure.

The rows of one referral are taken whole or not at all, wherever in the file they stand. A row
without a reference, or one that is shifted, may be of the referral before it, which then waits for
it.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from chassis.errors import FieldError
from chassis.tabular.problems import Unreadable, kind_of
from chassis.tabular.records import read_records, storable
from chassis.tabular.tables import Row, Table, read_table
from chassis.tabular.values import as_precise, whole
from services.cases.intake.batches.columns import (
    BY_NAME,
    COLUMNS,
    NAME_PARTS,
    OF_A_PERSON,
    OF_THE_REFERRAL,
    PERSON,
)
from services.cases.intake.batches.phones import contacts
from services.cases.people.particulars import Script

__all__ = ["COLUMNS", "NAME_PARTS", "OF_THE_REFERRAL", "Entry", "Unreadable", "json_lines", "table"]

Key = tuple[str, str]
"""Reference and sender, or of a row that stands for itself its number."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One referral of a file.

    Attributes:
        rows: Its rows as a spreadsheet counts them, in the order of its persons; or its line.
        reference: The sender's reference, where it has one.
        content: The referral as it would be posted; None where the row could not be read.
        errors: Why it could not.
    """

    rows: list[int]
    reference: str | None
    content: dict[str, Any] | None
    errors: list[FieldError] = field(default_factory=list)


def json_lines(raw: bytes, charset: str | None = None) -> Iterator[Entry]:
    """A referral a line; blank lines are left out.

    Raises:
        Unreadable: It is no text, or of another form.
    """
    for record in read_records(raw, charset=charset):
        if record.content is None:
            yield Entry([record.line], None, None, [record.error] if record.error else [])
            continue
        reference = record.content.get("external_reference")
        yield Entry(
            [record.line], reference if isinstance(reference, str) else None, record.content
        )


def table(raw: bytes, charset: str | None = None) -> Iterator[Entry]:
    """Referrals of a table, a row a person, each when the last of its rows was read.

    The table is gone through twice, once for where each referral ends and once for what it says:
    no more is held than the referrals that are not complete.

    Raises:
        Unreadable: It is no table, or columns are missing or unknown.
    """
    read = read_table(raw, COLUMNS, charset=charset)
    return _entries(read, Counter(key for key, _ in _assigned(read)))


def _entries(read: Table, waiting: Counter[Key]) -> Iterator[Entry]:
    groups: dict[Key, list[Row]] = defaultdict(list)
    for key, row in _assigned(read):
        groups[key].append(row)
        waiting[key] -= 1
        if not waiting[key]:
            yield _entry(groups.pop(key))


def _assigned(read: Table) -> Iterator[tuple[Key, Row]]:
    """Each row with the referral that it belongs to."""
    in_order = [column for column in read.names if column in {"external_reference", "sender"}]
    before: Key | None = None
    for row in read.rows():
        reference, sender = row.cells["external_reference"], row.cells["sender"].lower()
        alone = ("", str(row.number))
        if _says_nobody(row):
            yield alone, row
            continue
        if row.shifted:
            # What stands before the sender is where it should be if the sender is.
            in_place = in_order[:1] == ["external_reference"] and before and sender == before[1]
            key = (reference, sender) if in_place and reference else before or alone
        elif not reference:
            key = before or alone
        elif before and before[0] == reference and not sender:
            key = before
        else:
            key = (reference, sender)
        before = key
        yield key, row


def _says_nobody(row: Row) -> bool:
    """Whether a row is about no person: a line of totals, a remark below the table."""
    return row.is_total or not (row.shifted or any(row.cells[name] for name in OF_A_PERSON))


def _entry(rows: list[Row]) -> Entry:
    if _says_nobody(rows[0]):
        right = "a person in each row; lines of totals and remarks are left out"
        return Entry([rows[0].number], None, None, [_error(rows[0], "role", "no_person", right)])
    first = next((row for row in rows if not row.shifted), None)
    errors = [_shifted(row) for row in rows if row.shifted or first is None]
    fit = [row for row in rows if not row.shifted]
    for row in fit:
        errors += _disagreements(row, fit[0])
    errors += _misnumbered(fit) if len(fit) == len(rows) else []
    reference = (first.cells["external_reference"] or None) if first else None
    in_order = sorted(rows, key=lambda row: (_place(row), row.number)) if not errors else rows
    numbers = [row.number for row in in_order]
    if errors:
        return Entry(numbers, reference if storable(reference) else None, None, errors)
    content = referral_of([_inherited(row, rows[0]) for row in in_order])
    if not storable(content):
        unfit = FieldError(pointer="", code="not_storable", detail="text that can be stored")
        return Entry(numbers, reference if storable(reference) else None, None, [unfit])
    return Entry(numbers, reference, content)


def _shifted(row: Row) -> FieldError:
    right = f"{len(row.cells)} columns; it may be of the referral before it, which waits for it"
    return FieldError(
        pointer=f"/row/{row.number}", code="columns_shifted", detail=right, row=row.number
    )


def _error(row: Row, name: str, code: str, right: str) -> FieldError:
    return FieldError(
        pointer=f"/row/{row.number}/{name}",
        code=code,
        detail=right,
        row=row.number,
        column=name,
        found=kind_of(row.cells[name]),
    )


def _disagreements(row: Row, first: Row) -> Iterator[FieldError]:
    """Where a row says something else of the referral than its first row. What it leaves empty, as
    merged cells do, it says like that.
    """
    empty = not any(row.cells.get(name) for name in OF_THE_REFERRAL)
    if not row.cells["external_reference"] and (row is first or not empty):
        right = "the reference of the referral; or all that is the referral's left empty"
        yield _error(row, "external_reference", "missing_reference", right)
    for name in OF_THE_REFERRAL:
        cell, same = row.cells.get(name, ""), first.cells.get(name, "")
        if cell not in {"", same} and _compared(name, cell) != _compared(name, same):
            right = f"the same as in row {first.number}, where the referral begins"
            yield _error(row, name, "rows_disagree", right)


def _compared(name: str, cell: str) -> Any:
    return BY_NAME[name].read(" ".join(unicodedata.normalize("NFC", cell).split()))


def _place(row: Row) -> int:
    read = whole(row.cells["person"])
    return read if isinstance(read, int) else -1


def _misnumbered(rows: Sequence[Row]) -> Iterator[FieldError]:
    places = Counter(_place(row) for row in rows)
    missing = [str(place) for place in range(len(rows)) if place not in places]
    taken: set[int] = set()
    for row in rows:
        place = _place(row)
        if place in taken or not 0 <= place < len(rows):
            right = (
                f"0 for the first person of the referral, then 1, 2, each once; "
                f"{', '.join(missing)} is missing. Another family has another reference"
            )
            yield _error(row, "person", "person_order", right)
        taken.add(place)


def _inherited(row: Row, first: Row) -> dict[str, str]:
    referral = {name: row.cells.get(name) or first.cells.get(name, "") for name in OF_THE_REFERRAL}
    return row.cells | referral


def referral_of(rows: Sequence[dict[str, str]]) -> dict[str, Any]:
    """The referral that rows stand for, as it would be posted; what is wrong in a cell stays wrong
    there.
    """
    first = rows[0]
    content: dict[str, Any] = {}
    for name in OF_THE_REFERRAL:
        column = BY_NAME[name]
        value = column.read(first.get(name, ""))
        if column.needed or value is not None:
            _put(content, column.pointer, value)
    if not any(first[name] for name in ("travel_state", "departs_on", "port_of_entry")):
        content["travel"] = None
    elif content["travel"]["escorted"] is None:
        del content["travel"]["escorted"]  # an empty cell is the default
    countries = (content["return"]["country_of_return"], content["return"]["host_country"])
    content["people"] = [_person(row, countries) for row in rows]
    return content


def _put(content: dict[str, Any], pointer: str, value: Any) -> None:
    *steps, last = pointer.split("/")[1:]
    for step in steps:
        content = content.setdefault(step, {})
    content[last] = value


def _person(row: dict[str, str], countries: tuple[str, ...]) -> dict[str, Any]:
    person: dict[str, Any] = {}
    for name in OF_A_PERSON:
        column = BY_NAME[name]
        if column.pointer:
            _put(person, column.pointer.removeprefix(PERSON), column.read(row[name]))
    person["names"] = _names(person["names"])
    born = as_precise(person["birth"]["date"], person["birth"]["precision"])
    person["birth"] = dict(zip(("date", "precision"), born, strict=True))
    person["contacts"] = contacts(person["contacts"], countries)
    return person


def _names(by_script: dict[str, dict[str, str]]) -> list[dict[str, str]]:
    """The names of a person, without the scripts in which they have none."""
    names = [{"script": script} | parts for script, parts in by_script.items()]
    return [name for name in names if any(name[part] for part in NAME_PARTS)] or [
        {"script": Script.LATN.value} | by_script[Script.LATN.value]
    ]
