"""Reading a manifest: the whole file is judged before anything of it is applied."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from chassis.app import field_error
from chassis.errors import BAD_REQUEST, FieldError, Problem, invalid
from services.reception.flights.schemas import MOST_PASSENGERS, ManifestIn, PassengerIn

COLUMNS = tuple(PassengerIn.model_fields)
REQUIRED = ("seat", "nationality")
FIRST_ROW = 2
"""The header is row 1."""
SHOWN_AT_MOST = 200


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


def from_csv(body: bytes) -> list[PassengerIn]:
    """The passengers of a CSV manifest: UTF-8, a header, a row a passenger; an empty cell says
    nothing.

    Raises:
        Problem: 400 it is not UTF-8; 422 with everything that is wrong, with row numbers.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Problem(BAD_REQUEST, "the file is not UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error:
        error = FieldError(
            pointer="/", code="not_csv", detail="a CSV file, its quotes closed", row=reader.line_num
        )
        raise invalid(error) from None
    header = [cell.strip() for cell in rows[0][1]] if rows else []
    _check_header(header)
    if len(rows) - 1 > MOST_PASSENGERS:
        raise invalid(
            FieldError(
                pointer="/passengers", code="too_long", detail=f"at most {MOST_PASSENGERS} rows"
            )
        )
    passengers, errors = [], []
    lines = [line for line, _ in rows[1:]]
    for index, (line, row) in enumerate(rows[1:]):
        if len(row) != len(header):
            detail = f"{len(header)} cells, as in the header"
            errors.append(
                FieldError(pointer=f"/passengers/{index}", code="cells", detail=detail, row=line)
            )
            continue
        try:
            passengers.append(
                PassengerIn.model_validate(_plain(dict(zip(header, row, strict=True))))
            )
        except ValidationError as error:
            for item in error.errors(include_input=False, include_url=False):
                at = field_error(dict(item, loc=("body", "passengers", index, *item["loc"])))
                errors.append(at.model_copy(update={"row": line}))
    if errors:
        raise _refused(errors)
    _check_together(passengers, lambda index: {"row": lines[index]})
    return passengers


def _plain(row: Mapping[str, str]) -> dict[str, Any]:
    cells: dict[str, Any] = {name: cell.strip() for name, cell in row.items() if cell.strip()}
    if "remarks" in cells:
        cells["remarks"] = cells["remarks"].split()
    return cells


def _check_header(header: Sequence[str]) -> None:
    errors = [
        FieldError(pointer="/", code="column_missing", detail=f"a column {name}", row=1)
        for name in REQUIRED
        if name not in header
    ]
    if len(set(header)) < len(header):
        errors.append(
            FieldError(pointer="/", code="column_twice", detail="each column once", row=1)
        )
    if set(header) - set(COLUMNS):
        errors.append(
            FieldError(
                pointer="/",
                code="unknown_column",
                detail="columns of: " + ", ".join(COLUMNS),
                row=1,
            )
        )
    if errors:
        raise invalid(*errors)


def _check_together(passengers: Sequence[PassengerIn], where: Any) -> None:
    """Refuse two passengers on one seat, one person twice, and two who cannot be told apart."""
    seen: dict[tuple[str, ...], int] = {}
    errors = []
    for index, passenger in enumerate(passengers):
        claims: list[tuple[str, str, tuple[str, ...]]] = []
        if passenger.seat:
            claims.append(("seat", "seat_taken", (passenger.seat,)))
        if passenger.external_reference:
            person = (passenger.external_reference.upper(), str(passenger.person))
            claims.append(("external_reference", "passenger_twice", person))
        if passenger.document_number:
            number = "".join(filter(str.isalnum, passenger.document_number)).upper()
            claims.append(
                ("document_number", "passenger_twice", (str(passenger.document_kind), number))
            )
        if not claims:
            names = (
                passenger.family_name,
                passenger.given_names,
                passenger.name_arab,
                passenger.birth_date,
            )
            claims.append(
                ("seat", "not_told_apart", tuple(str(word or "").upper() for word in names))
            )
        for name, code, words in claims:
            first = seen.setdefault((code, name, *words), index)
            if first != index:
                other = f"{'in row' if where(first) else 'at'} {where(first).get('row', first)}"
                detail = f"once in the manifest; it is also {other}"
                if code == "not_told_apart":
                    detail = f"a seat or a document number; the passenger {other} has the same name and birth date"
                pointer = f"/passengers/{index}/{name}"
                errors.append(FieldError(pointer=pointer, code=code, detail=detail, **where(index)))
    if errors:
        raise _refused(errors)


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
