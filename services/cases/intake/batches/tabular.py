"""Files of referrals as people have them: JSON lines, or a table as a spreadsheet saves it. Pure.

A spreadsheet puts a byte-order mark first, parts columns by what its country uses, writes TRUE for
true, guards numbers as formulas (`="0123"`) and may give every row empty columns at its end. All of
that is read; a real formula is refused with the field that has it.
"""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from chassis.errors import FieldError

DELIMITERS = (";", ",", "\t")
DEEPEST = 32
"""How deeply a line may be nested; a referral needs six levels."""
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""As JSON writes it, but not where the backslash is itself escaped."""
GUARDED = re.compile(r'="([^"]*)"')
SCRIPTS = (("Latn", "latn"), ("Arab", "arab"))
NAME_PARTS = ("given", "father", "grandfather", "family")
OF_THE_REFERRAL = (
    "external_reference",
    "sender",
    "programme",
    "return_kind",
    "legal_status",
    "host_country",
    "country_of_return",
    "travel_state",
    "travel_carrier",
    "flight_number",
    "departs_on",
    "arrives_at",
    "port_of_entry",
    "escorted",
    "governorate",
    "district",
    "address",
    "needs",
    "vulnerabilities",
    "requested_assistance",
    "consents",
    "notes",
)
OF_A_PERSON = (
    "person",
    "role",
    *(f"{part}_{suffix}" for _, suffix in SCRIPTS for part in NAME_PARTS),
    "sex",
    "birth_date",
    "birth_precision",
    "nationality",
    "documents",
    "languages",
    "contacts",
)
COLUMNS = (*OF_THE_REFERRAL, *OF_A_PERSON)
OPTIONAL = frozenset({"requested_partner"})
PARTS = {
    "vulnerabilities": ("kind", "status"),
    "consents": ("purpose", "version", "given_on", "legal_basis"),
    "documents": ("kind", "number", "issuer", "expires"),
    "contacts": ("kind", "value", "owner", "safe_hours"),
}
EMPTY_IS_NULL = frozenset({"expires", "safe_hours"})
PLACES = {
    "/return/kind": "return_kind",
    "/return/legal_status": "legal_status",
    "/return/host_country": "host_country",
    "/return/country_of_return": "country_of_return",
    "/travel/state": "travel_state",
    "/travel/carrier": "travel_carrier",
    "/destination": "governorate",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One referral of a file.

    Attributes:
        rows: Its rows as a spreadsheet counts them, or its line; from 1.
        reference: The sender's reference, where it has one.
        content: The referral as it would be posted; None where the row could not be read.
        errors: Why it could not.
    """

    rows: list[int]
    reference: str | None
    content: dict[str, Any] | None
    errors: list[FieldError] = field(default_factory=list)


class Unreadable(ValueError):  # noqa: N818 - it says what the file is
    """The file as a whole cannot be read. The message says what would be right."""


def decoded(raw: bytes) -> str:
    """The text of a file: UTF-8 with or without a byte-order mark, or UTF-16 with one.

    Raises:
        Unreadable: It is neither.
    """
    encoding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise Unreadable("text in UTF-8; in Excel choose the file type CSV UTF-8") from None


def storable(value: Any) -> bool:
    """Whether the database keeps a JSON value: no NUL, lone surrogate, NaN or infinity, and not
    nested without end.
    """
    if _nested_too_deeply(value):
        return False
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError:
        return False
    return NUL.search(text) is None


def _nested_too_deeply(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        inner = (
            each.values() if isinstance(each, dict) else each
            for each in level
            if isinstance(each, dict | list)
        )
        level = [value for values in inner for value in values]
        if not level:
            return False
    return True


def checked(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Entries as they can be kept: one that the database would refuse is refused by itself."""
    for entry in entries:
        reference = entry.reference if storable(entry.reference) else None
        if storable(entry.content):
            yield replace(entry, reference=reference)
        else:
            error = FieldError(
                pointer="", code="not_storable", detail="text and numbers that can be stored"
            )
            yield Entry(entry.rows, reference, None, [error])


def json_lines(raw: bytes) -> Iterator[Entry]:
    """A referral a line; blank lines are left out.

    Raises:
        Unreadable: It is no text.
    """
    for number, line in enumerate(decoded(raw).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            error = FieldError(pointer="", code="json_invalid", detail="a JSON object on one line")
            yield Entry([number], None, None, [error])
            continue
        reference = content.get("external_reference")
        yield Entry([number], reference if isinstance(reference, str) else None, content)


def table(raw: bytes) -> Iterator[Entry]:
    """Referrals of a table, a row a person; the rows of a referral are adjacent and repeat its
    columns.

    Raises:
        Unreadable: It is no text, or columns are missing or unknown.
    """
    text = decoded(raw)
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [name.strip().lower() for name in next(rows)]
    except StopIteration:
        raise Unreadable("a header row with the columns of a referral") from None
    while header and not header[-1]:
        header.pop()
    missing = [name for name in COLUMNS if name not in header]
    unknown = len([name for name in header if name not in COLUMNS and name not in OPTIONAL])
    if missing or unknown or len(set(header)) < len(header):
        detail = f"exactly the columns of the example; missing: {', '.join(missing) or 'none'}; unknown: {unknown}"
        raise Unreadable(detail)
    yield from _grouped(rows, header)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table. The cells of one that is shifted are not, or not all, those of their
    columns.
    """

    number: int
    cells: dict[str, str]
    shifted: bool


def _grouped(rows: Iterator[list[str]], header: list[str]) -> Iterator[Entry]:
    group: list[_Row] = []
    try:
        for number, values in enumerate(rows, start=2):
            if not any(value.strip() for value in values):
                continue
            cells = [_cell(value) for value in values]
            shifted = any(cells[len(header) :]) or len(cells) < len(header)
            row = _Row(
                number, dict.fromkeys(header, "") | dict(zip(header, cells, strict=False)), shifted
            )
            if group and not _same_referral(group[0], row):
                yield _entry(group)
                group = []
            group.append(row)
    except csv.Error:
        raise Unreadable(
            "cells with a quotation mark, line break or separator in quotation marks"
        ) from None
    if group:
        yield _entry(group)


def _same_referral(first: _Row, row: _Row) -> bool:
    """Whether a row is, or may be, of the referral before it: a family is taken whole or not at
    all.
    """
    reference, sender = row.cells["external_reference"], row.cells["sender"]
    if row.shifted:
        # What stands before the sender is where it should be if the sender is.
        names = list(row.cells)
        in_place = (
            names.index("external_reference") < names.index("sender")
            and sender == first.cells["sender"]
        )
        if not (in_place and reference):
            return True
    return bool(reference) and (first.cells["external_reference"], first.cells["sender"]) == (
        reference,
        sender,
    )


def _cell(value: str) -> str:
    guarded = GUARDED.fullmatch(value.strip())
    return guarded[1] if guarded else value


def _entry(group: list[_Row]) -> Entry:
    numbers = [row.number for row in group]
    first = next((row for row in group if not row.shifted), None)
    errors = []
    for place, row in enumerate(group):
        if row.shifted or first is None:
            detail = f"{len(row.cells)} columns in the row; it may be of the referral before it, which waits for it"
            errors.append(
                FieldError(pointer=f"/row/{row.number}", code="columns_shifted", detail=detail)
            )
            continue
        for name in OF_THE_REFERRAL:
            if unicodedata.normalize("NFC", row.cells[name]) != unicodedata.normalize(
                "NFC", first.cells[name]
            ):
                detail = f"the same as in row {first.number}, where the referral begins"
                errors.append(
                    FieldError(
                        pointer=f"/row/{row.number}/{name}", code="rows_disagree", detail=detail
                    )
                )
        if row.cells["person"].strip() != str(place):
            detail = "the place of the person in the referral, from 0, in order"
            errors.append(
                FieldError(pointer=f"/row/{row.number}/person", code="person_order", detail=detail)
            )
    reference = first.cells["external_reference"] or None if first else None
    return Entry(
        numbers, reference, None if errors else referral_of([row.cells for row in group]), errors
    )


def referral_of(rows: list[dict[str, str]]) -> dict[str, Any]:
    """The referral that rows stand for, as it would be posted; what is wrong in a cell stays wrong
    there.
    """
    row = rows[0]
    travel = None
    if any(row[name] for name in ("travel_state", "departs_on", "port_of_entry")):
        travel = {
            "state": row["travel_state"],
            "carrier": row["travel_carrier"] or None,
            "flight_number": row["flight_number"] or None,
            "departs_on": row["departs_on"],
            "arrives_at": row["arrives_at"] or None,
            "port_of_entry": row["port_of_entry"],
            "escorted": {"true": True, "false": False}.get(
                row["escorted"].strip().lower(), row["escorted"]
            ),
        }
    return {
        "external_reference": row["external_reference"],
        "sender": row["sender"],
        "programme": row["programme"],
        "requested_partner": row.get("requested_partner") or None,
        "return": {
            "kind": row["return_kind"],
            "legal_status": row["legal_status"],
            "host_country": row["host_country"],
            "country_of_return": row["country_of_return"],
        },
        "travel": travel,
        "people": [_person(each) for each in rows],
        "destination": {name: row[name] for name in ("governorate", "district", "address")},
        "needs": _words(row["needs"]),
        "vulnerabilities": _items(row, "vulnerabilities"),
        "requested_assistance": _words(row["requested_assistance"]),
        "consents": _items(row, "consents"),
        "notes": row["notes"],
    }


def _person(row: Mapping[str, str]) -> dict[str, Any]:
    names = [
        {"script": script} | {part: row[f"{part}_{suffix}"] for part in NAME_PARTS}
        for script, suffix in SCRIPTS
    ]
    given = [name for name in names if any(name[part].strip() for part in NAME_PARTS)]
    return {
        "role": row["role"],
        "names": given or names[:1],
        "sex": row["sex"],
        "birth": {"date": row["birth_date"], "precision": row["birth_precision"]},
        "nationality": row["nationality"],
        "documents": _items(row, "documents"),
        "languages": _words(row["languages"]),
        "contacts": _items(row, "contacts"),
    }


def _words(cell: str) -> list[str]:
    return [word.strip() for word in cell.split(";") if word.strip()]


def _items(row: Mapping[str, str], name: str) -> list[dict[str, Any]]:
    found = []
    for item in row[name].split(";"):
        if not item.strip():
            continue
        parts: dict[str, Any] = dict(zip(PARTS[name], item.split("|"), strict=False))
        for key in EMPTY_IS_NULL & set(PARTS[name]):
            parts[key] = parts.get(key) or None
        found.append(parts)
    return found


def column_of(pointer: str) -> str | None:
    """The column of a table that a place in a referral was read from; None where there is none of
    its own.
    """
    steps = [step for step in pointer.split("/") if step]
    if not steps:
        return None
    if pointer in PLACES:
        return PLACES[pointer]
    if steps[0] == "people":
        names = {"date": "birth_date", "precision": "birth_precision"}
        inner = [step for step in steps[1:] if not step.isdigit()]
        if not inner:
            return None
        if inner[0] == "names":
            place = int(steps[3]) if len(steps) > 3 and steps[3].isdigit() else 0  # noqa: PLR2004 - its place
            part = inner[1] if len(inner) > 1 else "given"
            return (
                f"{part}_{SCRIPTS[min(place, 1)][1]}"
                if part in NAME_PARTS
                else f"given_{SCRIPTS[min(place, 1)][1]}"
            )
        return names.get(inner[-1], inner[0])
    last = steps[-1] if steps[0] in {"return", "travel", "destination"} else steps[0]
    return last if last in COLUMNS else None
