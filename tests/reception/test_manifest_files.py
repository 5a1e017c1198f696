"""Manifests as airlines and escorts write them: each handed one with what is right, and others of
its kind.
"""

import csv
import io
import json
import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
import xlsxwriter

from chassis.tabular.tables import Column
from chassis.tabular.templates import XLSX
from services.reception.flights import manifest
from services.reception.flights.schemas import (
    Details,
    ManifestIn,
    PassengerIn,
    PassengerOut,
)
from services.reception.models import Passenger
from tests.reception.desk import LANDS_AT, Desk, Person

FILES = Path(__file__).parent / "data" / "manifests"
HEADER = (FILES / "m24-only-header.csv").read_text().strip()
NAMED = {
    "seat": "3A",
    "family_name": "QARAGHULI",
    "given_names": "TAHSEEN",
    "sex": "male",
    "birth_date": "1984-05-17",
    "nationality": "IRQ",
    "document_kind": "passport",
    "document_number": "A73A001",
}
MAY = date(1984, 5, 1)
BABAN = {"family_name": "BABAN", "given_names": "SARA"}
NOBODY_CHANGED = {"added": 0, "changed": 0, "removed": 0, "kept": 0}


def table(*rows: dict[str, str]) -> bytes:
    out = io.StringIO(newline="")
    names = [*HEADER.split(","), *(name for row in rows for name in row)]
    writer = csv.DictWriter(out, list(dict.fromkeys(names)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def read(*rows: dict[str, str]) -> list[PassengerIn]:
    return manifest.from_table(table(*rows))


def line(**cells: str) -> dict[str, str]:
    return NAMED | cells


def counts(answer: httpx.Response) -> dict[str, int]:
    return {name: answer.json()[name] for name in NOBODY_CHANGED}


async def sent(desk: Desk, file: str) -> tuple[str, httpx.Response]:
    flight = await desk.announce()
    return flight, await desk.manifest(flight, (FILES / file).read_bytes())


async def refusals(desk: Desk, file: str) -> list[tuple[Any, ...]]:
    flight, answer = await sent(desk, file)
    assert answer.status_code == 422, answer.text
    assert (await desk.call("GET", f"/v1/flights/{flight}/manifest")).status_code == 404
    errors = answer.json()["errors"]
    assert all(error["detail"] for error in errors)
    return [
        (error.get("row"), error.get("column"), error["code"], error.get("found"))
        for error in errors
    ]


class TestHandedFiles:
    @pytest.mark.parametrize(
        "file",
        [
            "m01-semicolon-bom",
            "m02-tab",
            "m05-upper-header",
            "m06-header-with-spaces",
            "m07-title-line-first",
        ],
    )
    async def test_the_form_of_the_table(self, desk: Desk, file: str) -> None:
        flight, answer = await sent(desk, f"{file}.csv")
        assert answer.json()["passengers"] == 3, answer.text
        seats = await desk.passengers(flight)
        assert {seat: each["given_names"] for seat, each in seats.items()} == {
            "3A": "TAHSEEN",
            "3B": "HANAN",
            "3C": "YASEEN",
        }
        assert (seats["3C"]["remarks"], seats["3C"]["birth_date"]) == (["infant"], "2019-01-02")

    async def test_arabic_in_a_codepage(self, desk: Desk) -> None:
        flight, _ = await sent(desk, "m04-cp1256.csv")
        assert (await desk.passengers(flight))["3A"]["name_arab"] == "تحسين القرغولي"

    async def test_a_line_of_totals_is_refused_by_row(self, desk: Desk) -> None:
        assert await refusals(desk, "m09-total-row.csv") == [(5, None, "total_line", None)]

    async def test_dates_as_airlines_write_them(self, desk: Desk) -> None:
        flight, _ = await sent(desk, "m10-airline-dates.csv")
        born = {each["birth_date"] for each in (await desk.passengers(flight)).values()}
        assert born == {"1984-05-17"}

    async def test_codes_of_travel_documents(self, desk: Desk) -> None:
        flight, _ = await sent(desk, "m11-apis-codes.csv")
        seats = await desk.passengers(flight)
        assert [seats[seat]["sex"] for seat in ("3A", "3B")] == ["male", "female"]
        assert [seats[seat]["nationality"] for seat in ("3C", "3E")] == ["IRQ", "DEU"]
        assert seats["3D"]["document_kind"] == "passport"

    async def test_seats(self, desk: Desk) -> None:
        flight, _ = await sent(desk, "m12-seat-zero-padded-lower.csv")
        rows = (await desk.call("GET", f"/v1/flights/{flight}/manifest")).json()["passengers"]
        seats = {each["given_names"]: (each["seat"], each["remarks"]) for each in rows}
        assert seats == {
            "TAHSEEN": ("3A", []),
            "HANAN": ("3B", []),
            "BABY": (None, ["infant"]),
            "LAP CHILD": (None, []),
        }

    async def test_an_infant_on_the_seat_of_a_parent(self, desk: Desk) -> None:
        flight, answer = await sent(desk, "m13-infant-same-seat.csv")
        assert counts(answer)["added"] == 2
        again = await desk.manifest(
            flight,
            (FILES / "m13-infant-same-seat.csv").read_bytes(),
            version=answer.headers["etag"],
        )
        assert counts(again) == NOBODY_CHANGED

    async def test_a_word_for_unknown_is_no_name(self, desk: Desk) -> None:
        flight, answer = await sent(desk, "m14-one-name-in-both.csv")
        assert answer.json()["anonymous"] == 1
        names = {
            seat: (each["family_name"], each["given_names"])
            for seat, each in (await desk.passengers(flight)).items()
        }
        assert names == {
            "4A": ("SUZAN", None),
            "4B": ("SUZAN", None),
            "4C": (None, None),
            "4D": (None, "KARIM"),
        }
        seats = await desk.passengers(flight)
        assert seats["4C"]["document_number"] == "B334"

    async def test_titles_and_names_in_one_field(self, desk: Desk) -> None:
        flight, _ = await sent(desk, "m15-titles-and-slash.csv")
        names = {
            seat: (each["family_name"], each["given_names"])
            for seat, each in (await desk.passengers(flight)).items()
        }
        assert names == {
            "4A": ("QARAGHULI", "TAHSEEN"),
            "4B": ("D'SOUZA", "MARY ANNE"),
            "4C": ("AL-KHALIDI", "OMAR FAROUK"),
            "4D": ("YILMAZ", "İLKNUR"),
        }

    async def test_digits_and_fillers(self, desk: Desk) -> None:
        flight, _ = await sent(desk, "m16-doc-number-arabic-digits.csv")
        assert (await desk.passengers(flight))["5A"]["document_number"] == "A1234567"
        flight, _ = await sent(desk, "m18-mrz-filler-doc.csv")
        seats = await desk.passengers(flight)
        assert seats["5A"]["document_number"] == "A1234567"
        assert seats["5B"]["family_name"] == "AL KHALIDI"

    async def test_a_year_alone_is_taken_with_its_precision(self, desk: Desk) -> None:
        flight, _ = await sent(desk, "m17-year-only-birth.csv")
        seats = await desk.passengers(flight)
        assert {
            seat: (each["birth_date"], each["birth_precision"]) for seat, each in seats.items()
        } == {"5A": ("1984-01-01", "year"), "5B": ("1984-01-01", "year"), "5C": (None, None)}
        met = await desk.post(f"/{seats['5A']['arrival_id']}/check-in")
        assert met.status_code == 200, met.text
        identity = await desk.call(
            "GET", f"/v1/arrivals/{seats['5A']['arrival_id']}/identity", organisation=None
        )
        assert identity.json()["birth"] == {"date": "1984-01-01", "precision": "year"}

    async def test_half_a_document_is_refused_by_row_and_column(self, desk: Desk) -> None:
        assert await refusals(desk, "m20-no-doc-kind.csv") == [
            (2, "document_kind", "half_a_document", "nothing"),
            (3, "document_number", "half_a_document", "nothing"),
        ]

    async def test_one_person_twice_is_refused_by_row_and_column(self, desk: Desk) -> None:
        assert await refusals(desk, "m21-duplicate-people-other-seat.csv") == [
            (3, "document_number", "passenger_twice", None)
        ]

    async def test_codes_of_special_services(self, desk: Desk) -> None:
        flight, _ = await sent(desk, "m22-remarks-codes.csv")
        remarks = {
            seat: set(row["remarks"]) for seat, row in (await desk.passengers(flight)).items()
        }
        assert remarks == {
            "6A": {"wheelchair"},
            "6B": {"medical", "infant"},
            "6C": {"medical", "wheelchair"},
            "6D": set(),
        }

    async def test_an_empty_file_is_none(self, desk: Desk) -> None:
        assert [each[2] for each in await refusals(desk, "m23-empty-file.csv")] == [
            "unreadable_file"
        ]

    async def test_seats_alone(self, desk: Desk) -> None:
        _, answer = await sent(desk, "m25-minimal-columns.csv")
        assert answer.json()["anonymous"] == 2

    async def test_json_without_a_seat(self, desk: Desk) -> None:
        flight = await desk.announce()
        body = json.loads((FILES / "m26-json-null-seat.json").read_text())
        assert (await desk.manifest(flight, body["passengers"])).json()["added"] == 1


class TestNobodyLeft:
    async def test_a_header_alone_is_refused_unless_all_are_off(self, desk: Desk) -> None:
        flight = await desk.announce()
        header = (FILES / "m24-only-header.csv").read_bytes()
        taken = await desk.manifest(flight, [NAMED])
        for nobody in (header, []):
            refused = await desk.manifest(flight, nobody, version=taken.headers["etag"])
            assert refused.json()["errors"][0]["code"] == "nobody_left"
        meant = await desk.call(
            "PUT",
            f"/v1/flights/{flight}/manifest",
            params={"all_off": "true"},
            content=header,
            headers={"If-Match": taken.headers["etag"], "Content-Type": "text/csv"},
        )
        assert counts(meant)["removed"] == 1

    async def test_where_nobody_was_it_says_that_nobody_is_on_it(self, desk: Desk) -> None:
        flight = await desk.announce()
        taken = await desk.manifest(flight, (FILES / "m24-only-header.csv").read_bytes())
        assert taken.json()["passengers"] == 0


class TestLines:
    @pytest.mark.parametrize(
        ("cells", "said"),
        [
            ({"seat": "012c"}, {"seat": "12C"}),
            ({"seat": "12-C"}, {"seat": "12C"}),
            ({"seat": "LAP", "birth_date": "2026-08-01"}, {"seat": None}),
            ({"sex": "X"}, {"sex": "other"}),
            ({"sex": "Female"}, {"sex": "female"}),
            ({"birth_date": "02.03.1984"}, {"birth_date": date(1984, 3, 2)}),
            ({"birth_date": "30819"}, {"birth_date": date(1984, 5, 17)}),
            ({"birth_date": "1984-05"}, {"birth_date": MAY, "birth_precision": "month"}),
            ({"birth_date": "1984", "birth_precision": "Year"}, {"birth_precision": "year"}),
            ({"nationality": "de"}, {"nationality": "DEU"}),
            ({"nationality": "XXA"}, {"nationality": "XXA"}),
            ({"document_kind": "ID"}, {"document_kind": "national_id"}),
            ({"document_number": "A<1234<<<"}, {"document_number": "A 1234"}),
            ({"remarks": "UMNR/MEDA"}, {"remarks": ("unaccompanied_child", "medical")}),
            ({"remarks": "WCHS wchr"}, {"remarks": ("wheelchair",)}),
            ({"given_names": "MR. TAHSEEN"}, {"given_names": "TAHSEEN"}),
            ({"given_names": "DR TAHSEEN PROF"}, {"given_names": "TAHSEEN"}),
            ({"given_names": "MASTER"}, {"given_names": "MASTER"}),
            ({"given_names": "BABY INF"}, {"given_names": "BABY", "remarks": ("infant",)}),
            ({"family_name": "", "given_names": "BABAN/SARA MRS"}, BABAN),
            ({"family_name": "LNU", "given_names": "Unknown"}, dict.fromkeys(BABAN)),
            ({"name_arab": "غير معروف"}, {"name_arab": None}),
            ({"person": "1.0", "external_reference": "R-1"}, {"person": 1}),
            ({"destination": "iq-bg"}, {"destination": "IQ-BG"}),
        ],
    )  # fmt: skip
    def test_what_a_line_says(self, cells: dict[str, str], said: dict[str, Any]) -> None:
        (passenger,) = read(line(**cells))
        assert {name: getattr(passenger, name) for name in said} == said

    @pytest.mark.parametrize(
        ("cells", "column", "found"),
        [
            ({"birth_date": "05/06/1984"}, "birth_date", "a day that can be read in two ways"),
            ({"birth_date": "1984", "birth_precision": "day"}, "birth_date", "a whole number"),
            ({"birth_date": "", "birth_precision": "year"}, "birth_date", "nothing"),
            ({"nationality": "Iraqi"}, "nationality", "a word"),
            ({"nationality": ""}, "nationality", "nothing"),
            ({"remarks": "VGML"}, "remarks", "a word"),
            ({"person": "first", "external_reference": "R-1"}, "person", "a word"),
            ({"person": "", "external_reference": "R-1"}, "person", "nothing"),
            ({"sex": "mann"}, "sex", "a word"),
            ({"family_name": "القرغولي"}, "family_name", "an Arabic word"),
            ({"family_name": "=1+1"}, "family_name", "a formula"),
            ({"seat": "", "family_name": "-", "given_names": "-"}, "seat", "nothing"),
        ],
    )
    async def test_what_is_wrong_is_said_by_row_column_and_kind(
        self, desk: Desk, cells: dict[str, str], column: str, found: str
    ) -> None:
        answer = await desk.manifest(await desk.announce(), table(line(seat="9F"), line(**cells)))
        errors = answer.json()["errors"]
        assert answer.status_code == 422
        assert {(error["row"], error["column"], error["found"]) for error in errors} == {
            (3, column, found)
        }
        assert not set(filter(None, cells.values())) & set(json.dumps(errors).split('"'))

    def test_two_on_a_seat_and_two_with_one_number(self) -> None:
        baby = line(given_names="BABY", birth_date="", document_number="B2", remarks="INF")
        twin = baby | {"given_names": "TWIN", "document_number": "B3"}
        assert len(read(line(), baby)) == 2
        for rows, codes in [
            ((line(), baby, twin), ["seat_taken"]),
            ((line(), line(given_names="OMAR", document_number="B4")), ["seat_taken"]),
            ((line(), line(seat="9F", document_kind="national_id")), ["passenger_twice"]),
        ]:
            with pytest.raises(manifest.Problem) as refused:
                read(*rows)
            assert [error.code for error in refused.value.errors] == codes

    def test_a_child_under_two_is_an_infant_unsaid(self) -> None:
        born = datetime.now(UTC).date() - timedelta(days=300)
        baby = line(given_names="BABY", document_number="B2", birth_date=born.isoformat())
        assert len(read(line(), baby)) == 2

    @pytest.mark.parametrize(
        ("born", "precision", "latest"),
        [
            ("2009-02-01", None, "2009-02-01"),
            ("2009-02-01", "month", "2009-02-28"),
            ("2009-01-01", "year", "2009-12-31"),
            ("2009-07-01", "estimated", "2009-12-31"),
        ],
    )
    def test_a_child_as_long_as_they_may_be_one(
        self, born: str, precision: str | None, latest: str
    ) -> None:
        details = Details.model_validate({"birth_date": born, "birth_precision": precision})
        assert details.born_at_latest == date.fromisoformat(latest)

    def test_a_shifted_row_is_said(self) -> None:
        with pytest.raises(manifest.Problem) as refused:
            manifest.from_table(table(line()) + b"3B,BABAN\r\n")
        assert [(error.row, error.code) for error in refused.value.errors] == [(3, "cells")]


class TestColumns:
    VALUES: dict[str, Any] = NAMED | {
        "external_reference": "R-1",
        "person": 0,
        "family_group": "F01",
        "name_arab": "تحسين",
        "birth_precision": "year",
        "destination": "IQ-BG",
        "remarks": ["medical"],
    }
    """A value for each member of a passenger."""

    def test_each_member_of_a_passenger_is_a_column_and_is_kept(self) -> None:
        members = set(PassengerIn.model_fields)
        assert set(self.VALUES) == members, "a value here for each member"
        assert set(manifest.NAMES) == members, "a column for each member, and no other"
        columns = set(Passenger.model_fields)
        assert members - columns == set(Details.model_fields), "what has no column of the row"
        shown = set(PassengerOut.model_fields)
        assert members - shown == {"external_reference", "person"}, "what only recognises"
        assert {column.pointer for column in manifest.COLUMNS} == {f"/{name}" for name in members}

    @pytest.mark.parametrize("form", ["json", "table"])
    async def test_what_is_said_arrives(self, desk: Desk, form: str) -> None:
        person, values = Person(), self.VALUES | {"external_reference": f"R-{form}"}
        await desk.expect(person)
        await desk.recognise(person, marks=[desk.marks.reference(f"R-{form}", 0).hex()])
        flight = await desk.announce()
        cells = {
            name: " ".join(value) if isinstance(value, list) else str(value)
            for name, value in values.items()
        }
        body: Any = [values] if form == "json" else table(cells)
        taken = await desk.manifest(flight, body)
        assert taken.json()["recognised"] == 1, taken.text
        (passenger,) = (await desk.passengers(flight)).values()
        for name in set(self.VALUES) - {"external_reference", "person"}:
            assert passenger[name] == self.VALUES[name], name
        exported = await desk.call(
            "GET", f"/v1/flights/{flight}/manifest", headers={"Accept": "text/csv"}
        )
        (row,) = csv.DictReader(io.StringIO(exported.text.removeprefix("\ufeff")))
        for name in set(self.VALUES) - {"external_reference", "person"}:
            assert row[name] == cells[name], name

    def test_the_json_body_is_what_the_columns_say(self) -> None:
        schema = manifest.json_schema()["properties"]["passengers"]["items"]["properties"]
        assert set(schema) == set(manifest.NAMES)
        assert ManifestIn.model_validate({"passengers": [self.VALUES]})


class Tables(HTMLParser):
    """The rows of the tables of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"} and self.rows:
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


class TestPutBack:
    PASSENGERS = (
        NAMED
        | {"external_reference": "R-1", "person": 0, "family_group": "F01", "remarks": ["medical"]},
        {
            "seat": "3A",
            "family_name": "QARAGHULI",
            "given_names": "BABY",
            "nationality": "IRQ",
            "remarks": ["infant"],
        },
        {
            "family_name": "BABAN",
            "nationality": "IRQ",
            "birth_date": "1990-01-01",
            "birth_precision": "year",
            "external_reference": "R-2",
            "person": 1,
        },
        {"seat": "9F", "nationality": "SYR"},
        {
            "seat": "9G",
            "nationality": "IRQ",
            "document_kind": "passport",
            "document_number": "-1",
        },
    )

    async def test_our_own_lists_change_nothing(self, desk: Desk) -> None:
        flight = await desk.announce()
        taken = await desk.manifest(flight, list(self.PASSENGERS))
        assert counts(taken)["added"] == 5, taken.text
        before = await desk.call("GET", f"/v1/flights/{flight}/manifest")
        etag = taken.headers["etag"]
        lists = {}
        for form in ("text/csv", "text/html"):
            shown = await desk.call(
                "GET", f"/v1/flights/{flight}/manifest", headers={"Accept": form}
            )
            lists[form] = shown.content
        page = Tables()
        page.feed(lists["text/html"].decode())
        copied = io.StringIO(newline="")
        csv.writer(copied, delimiter="\t").writerows(page.rows)
        for raw in (lists["text/csv"], copied.getvalue().encode("utf-16")):
            again = await desk.manifest(flight, raw, version=etag)
            assert again.status_code == 200, again.text
            assert counts(again) == NOBODY_CHANGED, raw.decode("utf-8", "replace")
            etag = again.headers["etag"]
        after = await desk.call("GET", f"/v1/flights/{flight}/manifest")
        assert after.json()["passengers"] == before.json()["passengers"]
        bodies = [
            {name: each[name] for name in manifest.NAMES if name in each}
            for each in after.json()["passengers"]
        ]
        assert counts(await desk.manifest(flight, bodies, version=etag)) == NOBODY_CHANGED

    async def test_the_reference_is_still_known(self, desk: Desk) -> None:
        flight = await desk.announce()
        taken = await desk.manifest(flight, [NAMED | {"external_reference": "R-9", "person": 0}])
        less = await desk.manifest(
            flight, table(line(given_names="TAHSIN")), version=taken.headers["etag"]
        )
        assert counts(less)["changed"] == 1
        person = Person()
        await desk.expect(person)
        await desk.recognise(person, marks=[desk.marks.reference("R-9", 0).hex()])
        again = await desk.manifest(flight, table(line()), version=less.headers["etag"])
        assert again.json()["recognised"] == 1

    async def test_another_reference_is_another_person(self, desk: Desk) -> None:
        flight = await desk.announce()
        no_seat = {name: value for name, value in NAMED.items() if name != "seat"}
        taken = await desk.manifest(flight, [no_seat | {"external_reference": "R-1", "person": 0}])
        other = no_seat | {"external_reference": "R-2", "person": 0}
        replaced = await desk.manifest(flight, [other], version=taken.headers["etag"])
        assert (counts(replaced)["added"], counts(replaced)["removed"]) == (1, 1)

    async def test_a_document_that_is_told_later_is_the_same_passengers(self, desk: Desk) -> None:
        flight = await desk.announce()
        taken = await desk.manifest(flight, [NAMED])
        more = NAMED | {"external_reference": "R-1", "person": 0, "seat": "7C"}
        again = await desk.manifest(flight, [more], version=taken.headers["etag"])
        assert counts(again) == NOBODY_CHANGED | {"changed": 1}


class TestWorkbooks:
    @pytest.mark.parametrize("media_type", [XLSX, "text/csv"])
    async def test_a_workbook(self, desk: Desk, media_type: str) -> None:
        out = io.BytesIO()
        book = xlsxwriter.Workbook(out, {"default_date_format": "dd.mm.yyyy"})
        sheet = book.add_worksheet("PAX")
        sheet.write(0, 0, "PASSENGER MANIFEST TK808")
        sheet.write_row(2, 0, ["Seat", "Surname", "First name", "Nat.", "Date of birth", "Person"])
        sheet.write_row(3, 0, ["03a", "BABAN", "SARA MRS", "IQ", date(1984, 5, 17)])
        sheet.write_row(4, 0, ["03b", "BABAN", "OMAR MR", "IQ", 1984])
        book.close()
        flight = await desk.announce()
        answer = await desk.call(
            "PUT",
            f"/v1/flights/{flight}/manifest",
            content=out.getvalue(),
            headers={"If-None-Match": "*", "Content-Type": media_type},
        )
        assert answer.status_code == 200, answer.text
        seats = await desk.passengers(flight)
        assert [(each["given_names"], each["birth_date"]) for each in seats.values()] == [
            ("SARA", "1984-05-17"),
            ("OMAR", "1984-01-01"),
        ]

    @pytest.mark.parametrize("form", ["csv", "xlsx"])
    async def test_templates(self, desk: Desk, form: str) -> None:
        got = await desk.call("GET", f"/v1/flights/manifest/template.{form}")
        assert f"manifest.{form}" in got.headers["content-disposition"]
        assert manifest.from_table(got.content) == []
        if form == "csv":
            (header,) = csv.reader(io.StringIO(got.content.decode("utf-8-sig")))
            cells = {"seat": "3A", "nationality": "IRQ"}
            filled = ",".join(cells.get(name, "") for name in header)
            (passenger,) = manifest.from_table(got.content + f"{filled}\r\n".encode())
            assert (passenger.seat, passenger.nationality) == ("3A", "IRQ")


class TestAnnouncedTwice:
    async def test_the_second_is_told_of_the_first(self, desk: Desk) -> None:
        number = {"carrier": "TK", "flight_number": "TK4711", "charter": False}
        first = await desk.announce(**number, port_of_entry="SUL")
        later = (LANDS_AT + timedelta(hours=2)).isoformat()
        body = {"origin": "IST", "port_of_entry": "SUL", "scheduled_at": later} | number
        told = await desk.call("POST", "/v1/flights", json=body)
        assert (told.status_code, told.json()["also_announced"]) == (201, [first])
        elsewhere = await desk.call("POST", "/v1/flights", json=body | {"port_of_entry": "KIK"})
        assert elsewhere.json()["also_announced"] == []
        tomorrow = (LANDS_AT + timedelta(days=1)).isoformat()
        next_day = await desk.call("POST", "/v1/flights", json=body | {"scheduled_at": tomorrow})
        assert next_day.json()["also_announced"] == []
        stranger = await desk.call("POST", "/v1/flights", json=body, organisation="ewec")
        assert stranger.json()["also_announced"] == [], "only what one may know of"

    async def test_so_is_the_second_of_a_charter_and_a_cancelled_one_is_none(
        self, desk: Desk
    ) -> None:
        first = await desk.announce(origin="DUS", port_of_entry="OSM")
        body = {
            "charter": True,
            "origin": "DUS",
            "port_of_entry": "OSM",
            "scheduled_at": LANDS_AT.isoformat(),
        }
        told = await desk.call("POST", "/v1/flights", json=body)
        assert told.json()["also_announced"] == [first]
        await desk.call("POST", f"/v1/flights/{first}/cancelled", json={})
        again = await desk.call("POST", "/v1/flights", json=body)
        assert again.json()["also_announced"] == [told.json()["id"]]


@pytest.mark.parametrize("column", manifest.COLUMNS, ids=lambda column: column.name)
@pytest.mark.parametrize("nonsense", ["\u2603", "x" * 200, "=1+1", "-5.5"])
def test_whatever_is_wrong_is_said_in_the_fields_words(column: Column, nonsense: str) -> None:
    cells = TestColumns.VALUES | {"remarks": "", "person": "0", column.name: nonsense}
    try:
        read({name: str(value) for name, value in cells.items()})
    except manifest.Problem as refused:
        for error in refused.errors:
            assert (error.row, bool(error.found)) == (2, True)
            assert error.column == column.name or nonsense == "-5.5"
            assert not re.search(r"\b(should|Input|String|valid)\b", error.detail), error.detail
            assert nonsense not in error.detail
