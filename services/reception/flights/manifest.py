"""Reading a manifest: the whole file is judged before anything of it is applied.

A column is declared here and nowhere else; what it may say stands in `PassengerIn`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pycountry
from pydantic import ValidationError

from chassis.app import field_error
from chassis.errors import BAD_REQUEST, FieldError, Problem, invalid
from chassis.tabular.problems import Unreadable, kind_of
from chassis.tabular.tables import Column, Row, read_table, what_is_right
from chassis.tabular.values import LISTED_OR_BLANK, as_precise, lower, number, of, upper, whole
from services.reception.flights.names import parts_of
from services.reception.flights.schemas import (
    MOST_PASSENGERS,
    NO_SEATS,
    BirthPrecision,
    DocumentKind,
    ManifestIn,
    PassengerIn,
    PassengerOut,
    Remark,
    Sex,
)

SHOWN_AT_MOST = 200
SEXES = {"m": Sex.MALE, "f": Sex.FEMALE, "x": Sex.OTHER, "u": Sex.UNKNOWN, "<": Sex.UNKNOWN}
"""As in travel documents and messages of airlines."""
DOCUMENTS = {
    **dict.fromkeys(("p", "pp", "pn", "pass", "reisepass"), DocumentKind.PASSPORT),
    **dict.fromkeys(("i", "id", "c", "ac"), DocumentKind.NATIONAL_ID),
    **dict.fromkeys(("lp", "pl", "laissez-passer", "emergency"), DocumentKind.LAISSEZ_PASSER),
}
"""ICAO 9303 and what escorts write; anything else is asked about."""
SERVICES = {
    **dict.fromkeys(
        ("wchr", "wchs", "wchc", "wchp", "wcbd", "wcbw", "wcmp", "wcob"), Remark.WHEELCHAIR
    ),
    **dict.fromkeys(("inf", "inft"), Remark.INFANT),
    **dict.fromkeys(("umnr", "unmr", "um"), Remark.UNACCOMPANIED_CHILD),
    **dict.fromkeys(("meda", "strc", "stcr", "oxyg"), Remark.MEDICAL),
    "mede": Remark.MEDICAL_ESCORT,
}
"""Codes of special services (IATA), as far as the desk has something to prepare for them."""
PASSED_OVER = frozenset(
    ("depa", "depu", "depo", "inad", "chd", "chld", "docs", "doca", "ctcm", "ctce", "ctcr")
)
"""Codes that say nothing to prepare: accompanied, unaccompanied, a child, addresses."""
GERMANY = "D"
"""The one country whose passports have a code of one letter (ICAO 9303)."""


def _nationality(text: str) -> str:
    code = upper(text).replace("<", "")
    if code == GERMANY:
        return "DEU"
    country = pycountry.countries.get(alpha_2=code) if len(code) == 2 else None  # noqa: PLR2004 - alpha-2
    return str(country.alpha_3) if country else code


def _document_number(text: str) -> str:
    return number(text).replace("<", " ").strip()


def _remarks(text: str) -> list[str]:
    words = [part.casefold() for part in LISTED_OR_BLANK.split(text) if part]
    read = [SERVICES.get(word, word) for word in words if word not in PASSED_OVER]
    return list(dict.fromkeys(read))


COLUMNS = (
    Column(
        "seat", "/seat", "Seat", upper, needed=True, hint="as in 3A; empty for a child on a lap"
    ),
    Column(
        "external_reference",
        "/external_reference",
        "Reference",
        hint="the sender's reference of the referral, without blanks",
    ),
    Column("person", "/person", "Person", whole, hint="the place in the referral, from 0"),
    Column(
        "family_group",
        "/family_group",
        "Family",
        hint="the same for those of a family, letters and digits",
    ),
    Column("family_name", "/family_name", "Family name", also=("surname", "last name")),
    Column("given_names", "/given_names", "Given names", also=("first name", "given name")),
    Column("name_arab", "/name_arab", "الاسم", hint="in Arabic letters"),
    Column("sex", "/sex", "Sex", of(SEXES), codes=tuple(Sex), also=("gender",)),
    Column(
        "birth_date",
        "/birth_date",
        "Born",
        also=("date of birth", "dob"),
        hint="YYYY-MM-DD, YYYY-MM or YYYY",
    ),
    Column(
        "birth_precision",
        "/birth_precision",
        "Birth known to the",
        lower,
        codes=tuple(BirthPrecision),
    ),
    Column("nationality", "/nationality", "Nat.", _nationality, needed=True, hint="as in IRQ"),
    Column("document_kind", "/document_kind", "Kind", of(DOCUMENTS), codes=tuple(DocumentKind)),
    Column(
        "document_number",
        "/document_number",
        "Document",
        _document_number,
        also=("passport number", "document no"),
        hint="letters and digits",
    ),
    Column("destination", "/destination", "To", upper, hint="a governorate, as in IQ-BG"),
    Column("remarks", "/remarks", "Remarks", _remarks, codes=tuple(Remark), several=True),
)
NAMES = tuple(column.name for column in COLUMNS)
BY_NAME = {column.name: column for column in COLUMNS}
SHOWN_ONLY = frozenset(PassengerOut.model_fields) - frozenset(NAMES)
"""What our own lists have beside the columns; they can be put back."""


def json_schema() -> dict[str, Any]:
    """The schema of a JSON manifest, complete in itself."""
    schema = ManifestIn.model_json_schema()
    definitions = schema.pop("$defs")

    def complete(value: Any) -> Any:
        if isinstance(value, list):
            return [complete(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return complete(definitions[value["$ref"].rpartition("/")[2]])
        return {key: complete(item) for key, item in value.items()}

    completed: dict[str, Any] = complete(schema)
    return completed


def from_json(body: bytes) -> list[PassengerIn]:
    """The passengers of a JSON manifest.

    Raises:
        Problem: 400 it is not JSON; 422 with everything that is wrong.
    """
    try:
        manifest = ManifestIn.model_validate_json(body, strict=False)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        if any(item["type"] == "json_invalid" for item in found):
            raise Problem(BAD_REQUEST, "the body is not JSON") from None
        raise _refused(
            [field_error(dict(item, loc=("body", *item["loc"]))) for item in found]
        ) from None
    _check_together(manifest.passengers, lambda _: {})
    return manifest.passengers


def from_table(body: bytes, charset: str | None = None) -> list[PassengerIn]:
    """The passengers of a table, CSV or XLSX: a header, a row a passenger; an empty cell says
    nothing.

    Raises:
        Problem: 422 with everything that is wrong, with row and column.
    """
    try:
        table = read_table(body, COLUMNS, charset=charset, passed_over=SHOWN_ONLY)
        rows = list(table.rows())
    except Unreadable as error:
        raise invalid(*error.errors) from None
    if len(rows) > MOST_PASSENGERS:
        right = f"at most {MOST_PASSENGERS} rows"
        raise invalid(FieldError(pointer="/passengers", code="too_long", detail=right))
    passengers, errors = [], []
    for index, row in enumerate(rows):
        try:
            passengers.append(_passenger(row))
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False)
            errors += [_problem(dict(item), index, row) for item in problems]
        except Unreadable as error:
            errors += [
                each.model_copy(update={"pointer": f"/passengers/{index}"}) for each in error.errors
            ]
    if errors:
        raise _refused(errors)
    _check_together(passengers, lambda index: {"row": rows[index].number})
    return passengers


def _passenger(row: Row) -> PassengerIn:
    """The passenger of a row.

    Raises:
        ValidationError: A cell says what it may not.
        Unreadable: It is about no passenger, or not all of its cells are below their headings.
    """
    if row.is_total:
        raise Unreadable("a passenger; lines of totals are left out", "total_line", row.number)
    if row.shifted:
        raise Unreadable(f"{len(row.cells)} cells, as in the header", "cells", row.number)
    return PassengerIn.model_validate(_said(row.cells))


def _said(cells: Mapping[str, str]) -> dict[str, Any]:
    """What the cells of a row say together: one may have what belongs in another."""
    said = {
        column.name: column.read(cells[column.name]) for column in COLUMNS if cells.get(column.name)
    }
    family, given, infant = parts_of(said.get("family_name", ""), said.get("given_names", ""))
    said |= {"family_name": family or None, "given_names": given or None}
    if said.get("seat") in NO_SEATS:
        said["seat"], infant = None, True
    if infant:
        said["remarks"] = list(dict.fromkeys([*said.get("remarks", ()), Remark.INFANT]))
    return said | _birth(said.get("birth_date", ""), said.get("birth_precision", ""))


def _birth(day: str, precision: str) -> dict[str, Any]:
    """When somebody was born, and how precisely that is known. A day that is known is the rule, and
    said by saying nothing of it.
    """
    born, known = as_precise(day, precision)
    told = None if known == BirthPrecision.DAY and not precision else known
    return {"birth_date": born or None, "birth_precision": told or None}


def _problem(item: Mapping[str, Any], index: int, row: Row) -> FieldError:
    error = field_error(dict(item, loc=("body", "passengers", index, *item["loc"])))
    column = item["loc"][0] if item["loc"] else (item.get("ctx") or {}).get("column")
    found = kind_of(row.cells.get(str(column), "")) if column else None
    right = what_is_right(error.code, error.detail, BY_NAME.get(str(column)))
    return error.model_copy(
        update={"row": row.number, "column": column, "found": found, "detail": right}
    )


def _check_together(
    passengers: Sequence[PassengerIn], where: Callable[[int], dict[str, int]]
) -> None:
    """Refuse two passengers on one seat, one person twice, and two who cannot be told apart."""
    errors = list(_seats_taken(passengers, where))
    seen: dict[tuple[str, ...], int] = {}
    for index, passenger in enumerate(passengers):
        for name, code, words in _claims(passenger):
            first = seen.setdefault((code, name, *words), index)
            if first != index:
                other = _there(first, where)
                detail = f"once in the manifest; it is also {other}"
                if code == "not_told_apart":
                    detail = (
                        f"a seat or a document number; the passenger {other} has the same name "
                        "and birth date"
                    )
                errors.append(_at(index, name, code, detail, where))
    if errors:
        raise _refused(errors)


def _claims(passenger: PassengerIn) -> list[tuple[str, str, tuple[str, ...]]]:
    """By what a passenger is told from the others: member, code of who is told twice, words."""
    claims: list[tuple[str, str, tuple[str, ...]]] = []
    if passenger.external_reference:
        person = (passenger.external_reference.upper(), str(passenger.person))
        claims.append(("external_reference", "passenger_twice", person))
    if passenger.document_number:
        plain = "".join(filter(str.isalnum, passenger.document_number)).upper()
        claims.append(("document_number", "passenger_twice", (plain,)))
    if not claims:
        names = (
            passenger.family_name,
            passenger.given_names,
            passenger.name_arab,
            passenger.birth_date,
            passenger.seat,
        )
        claims.append(("seat", "not_told_apart", tuple(str(word or "").upper() for word in names)))
    return claims


def _seats_taken(
    passengers: Sequence[PassengerIn], where: Callable[[int], dict[str, int]]
) -> Iterable[FieldError]:
    """Seats of two passengers. An infant sits on the lap of one."""
    seats: dict[str, list[int]] = defaultdict(list)
    for index, passenger in enumerate(passengers):
        if passenger.seat:
            seats[passenger.seat].append(index)
    for sitting in seats.values():
        infants = [index for index in sitting if passengers[index].infant]
        for several in (infants, [index for index in sitting if index not in infants]):
            for index in several[1:]:
                detail = f"once in the manifest; it is also {_there(several[0], where)}"
                yield _at(index, "seat", "seat_taken", detail, where)


def _there(index: int, where: Callable[[int], dict[str, int]]) -> str:
    place = where(index)
    return f"in row {place['row']}" if place else f"at {index}"


def _at(
    index: int, name: str, code: str, detail: str, where: Callable[[int], dict[str, int]]
) -> FieldError:
    column = name if where(index) else None
    pointer = f"/passengers/{index}/{name}"
    return FieldError(pointer=pointer, code=code, detail=detail, column=column, **where(index))


def _refused(errors: Sequence[FieldError]) -> Problem:
    """A 422 with the problems, and the same grouped by what is wrong."""
    problem = invalid(
        *errors[:SHOWN_AT_MOST], detail=f"{len(errors)} problem(s); nothing was applied"
    )
    problem.extensions["groups"] = list(_grouped(errors))
    return problem


def _grouped(errors: Iterable[FieldError]) -> Iterable[dict[str, Any]]:
    groups: dict[tuple[str, str, str], list[FieldError]] = defaultdict(list)
    for error in errors:
        groups[error.code, error.pointer.rpartition("/")[2], error.detail].append(error)
    for (code, field, detail), members in groups.items():
        rows = [error.row for error in members if error.row is not None]
        yield {
            "code": code,
            "field": field,
            "detail": detail,
            "count": len(members),
            "rows": rows[:SHOWN_AT_MOST],
        }
