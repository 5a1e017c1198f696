"""Files of referrals as people have them: each handed one with what is right, and others of its
kind.
"""

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import xlsxwriter

from chassis.tabular.tables import Column
from chassis.tabular.templates import XLSX, xlsx_template
from services.cases.intake.batches import tabular
from services.cases.intake.batches.columns import BY_NAME, COLUMNS, OF_THE_REFERRAL, column_of
from services.cases.intake.batches.phones import phone
from services.cases.intake.referrals.schemas import ReferralIn
from tests.cases.house import House
from tests.cases.steps import finished, send

FILES = Path(__file__).parent / "data" / "files"
SENDER = "bamf"
JSONL = "application/jsonl"
PLAIN = (FILES / "29-unix-eol-no-final-newline.csv").read_text()
ROW = next(csv.DictReader(io.StringIO(PLAIN)))
TAKEN = {"submitted", "replayed"}

Problem = tuple[int | None, str | None, str, str | None]
NOT_TAKEN: dict[str, dict[str, list[Problem]]] = {
    "07": {"BPX-b55771-7": [(2, "arrives_at", "time_without_zone", "a time")]},
    "16": {
        "BPX-b55771-16d": [
            (5, "contacts", "bad_phone", "a number that was shortened, its last digits lost")
        ],
        # Whose number it is has a place of its own; what stands in brackets would be lost.
        "BPX-b55771-16m": [(14, "contacts", "bad_phone", "letters and digits")],
    },
    "17": {
        "BPX-b55771-17-04": [(6, "given_latn", "text_too_long", "a word")],
        "BPX-b55771-17-13": [(15, "given_latn", "wrong_script", "an Arabic word")],
        **{
            f"BPX-b55771-17-{number}": [(row, "given_latn", "formula_injection", "a formula")]
            for number, row in zip(range(17, 21), range(19, 23), strict=True)
        },
        "BPX-b55771-17-24": [(26, "given_arab", "wrong_script", "a word")],
        "BPX-b55771-17-26": [(28, "given_latn", "wrong_script", "a Cyrillic word")],
    },
    "18": {"": [(4, "role", "no_person", "nothing")]},
    "23": {"BPX-01bdb1-23": [(3, "person", "person_order", "a whole number")]},
    "34": {"BPX-01bdb1-34": [(2, "consents", "consent_missing", "an empty list")]},
    "35": {
        "BPX-01bdb1-35c": [
            (4, "birth_date", "date_format", "nothing"),
            (4, "birth_precision", "unknown_precision", "nothing"),
        ]
    },
    "36": {"BPX-01bdb1-36": [(3, "person", "person_order", "a whole number")]},
    "j06": {
        "BP-01bdb1-0047": [(None, None, "list_type", "nothing")],
        "BP-01bdb1-0048": [(None, None, "string_type", "nothing")],
        "BP-01bdb1-0049": [(None, None, "list_type", "nothing")],
    },
    "j07": {"": [(None, None, "key_twice", None)]},
    "j10": {
        "BP-01bdb1-0053": [(None, None, "not_a_boolean", "a word")],
        "": [(None, None, "string_type", "a number")],
    },
}
NO_FILE = {"33": "workbook", "j01": "several lines", "j02": "brackets", "j05": "comma"}


def row(**cells: str) -> dict[str, str]:
    return ROW | {"external_reference": f"F-{uuid4().hex[:10]}"} | cells


def as_csv(rows: list[dict[str, str]], separator: str = ",") -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(ROW), delimiter=separator, extrasaction="raise")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def family(*cells: dict[str, str]) -> list[dict[str, str]]:
    """A principal and a child for each of the cells after the first."""
    first = row(**cells[0])
    child = {"role": "child", "birth_date": "2015-03-02", "contacts": "", "sex": "female"}
    return [
        first | ({"person": str(place)} | child if place else {}) | each
        for place, each in enumerate(cells)
    ]


def read(rows: list[dict[str, str]]) -> list[tabular.Entry]:
    return list(tabular.table(as_csv(rows)))


def content_of(**cells: str) -> dict[str, Any]:
    (entry,) = read([row(**cells)])
    assert entry.content is not None, entry.errors
    return entry.content


@pytest.mark.parametrize("file", sorted(FILES.iterdir()), ids=lambda file: file.stem)
async def test_each_handed_file_is_answered_rightly(house: House, file: Path) -> None:
    kind = file.name.partition("-")[0]
    answer = await send(
        house, file.read_bytes(), JSONL if file.suffix == ".jsonl" else "text/csv", SENDER
    )
    if kind in NO_FILE:
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (422, "unreadable_file")
        assert NO_FILE[kind] in error["detail"]
        return
    _, results = await finished(house, answer, SENDER)
    refused = {
        each["external_reference"] or "": [
            (problem["row"], problem["column"], problem["code"], problem["found"])
            for problem in each["problems"]
        ]
        for each in results
        if each["outcome"] not in TAKEN
    }
    assert refused == NOT_TAKEN.get(kind, {})
    right = [problem["detail"] for each in results for problem in each["problems"]]
    assert all(right)
    assert not any("Input should" in each for each in right)


class TestWholeOrNotAtAll:
    def test_merged_cells_are_those_above(self) -> None:
        rows = family({}, {}, {})
        above = dict.fromkeys([name for name in OF_THE_REFERRAL if name in ROW], "")
        rows = [rows[0], *(each | above for each in rows[1:])]
        other = row()
        one, two = read([*rows, other])
        assert (one.rows, two.rows) == ([2, 3, 4], [5])
        assert one.content is not None
        assert [person["role"] for person in one.content["people"]] == [
            "principal",
            "child",
            "child",
        ]

    def test_only_some_cells_merged(self) -> None:
        rows = family({}, {"consents": "", "address": "", "needs": ""})
        (entry,) = read(rows)
        assert entry.content is not None
        assert len(entry.content["consents"]) == 2

    def test_a_row_without_a_reference_that_says_more_holds_up_the_referral_before_it(self) -> None:
        rows = family({}, {"external_reference": ""})
        (entry,) = read(rows)
        assert entry.content is None
        assert [(error.row, error.column, error.code) for error in entry.errors] == [
            (3, "external_reference", "missing_reference")
        ]
        assert entry.rows == [2, 3]

    def test_rows_of_a_referral_may_stand_apart_and_in_any_order(self) -> None:
        mine, others = family({}, {}, {}), family({}, {})
        shuffled = [mine[2], others[1], mine[0], others[0], mine[1]]
        entries = {entry.reference: entry for entry in read(shuffled)}
        entry = entries[mine[0]["external_reference"]]
        assert entry.content is not None
        assert entry.rows == [4, 6, 2]
        assert entry.content["people"][0]["role"] == "principal"

    @pytest.mark.parametrize("persons", [["0", "0"], ["1", "2"], ["0", "2"], ["0", "x"], ["", "1"]])
    def test_persons_that_are_not_each_there_once(self, persons: list[str]) -> None:
        (entry,) = read(family(*({"person": each} for each in persons)))
        assert entry.content is None
        assert {(error.column, error.code) for error in entry.errors} == {
            ("person", "person_order")
        }
        assert all(error.row and error.found and error.detail for error in entry.errors)

    def test_disagreement_is_of_what_is_said_not_how(self) -> None:
        rows = family(
            {}, {"address": " House 4,  Street 12\xa0", "sender": "BAMF ", "escorted": "FALSCH"}
        )
        assert read(rows)[0].errors == []
        (entry,) = read(family({}, {"district": "elsewhere"}))
        assert [(error.row, error.column, error.code, error.found) for error in entry.errors] == [
            (3, "district", "rows_disagree", "a word")
        ]

    @pytest.mark.parametrize(
        "line",
        [
            {"external_reference": "Total", "sender": "2"},
            {"sender": "SUMME:"},
            {"external_reference": "Total: 2 referrals", "notes": "4 persons"},
            {"notes": "printed on Monday"},
        ],
    )
    def test_a_line_about_nobody_costs_itself(self, line: dict[str, str]) -> None:
        before, nobody, after = row(), dict.fromkeys(ROW, "") | line, row()
        entries = read([before, nobody, after])
        assert [[error.code for error in entry.errors] for entry in entries] == [
            [],
            ["no_person"],
            [],
        ]

    async def test_the_corrected_file_can_be_sent_again(self, house: House) -> None:
        rows = family({}, {"birth_date": "05/06/2015"})
        _, (refused,) = await finished(house, await send(house, as_csv(rows), who=SENDER), SENDER)
        (problem,) = refused["problems"]
        assert (problem["row"], problem["column"], problem["found"], problem["detail"]) == (
            3,
            "birth_date",
            "a day that can be read in two ways",
            "YYYY-MM-DD",
        )
        rows[1]["birth_date"] = "05.06.2015"
        _, (taken,) = await finished(house, await send(house, as_csv(rows), who=SENDER), SENDER)
        assert taken["outcome"] == "submitted"
        rows[0]["address"] = "Elsewhere"
        rows[1]["address"] = ""
        _, (other,) = await finished(house, await send(house, as_csv(rows), who=SENDER), SENDER)
        assert other["problems"][0]["code"] == "duplicate_reference"

    async def test_after_a_rejection_the_file_says_what_it_corrects(self, house: House) -> None:
        first = row()
        _, (taken,) = await finished(house, await send(house, as_csv([first]), who=SENDER), SENDER)
        referral = taken["referral_id"]
        path = f"/referrals/{referral}"
        reason = {"reason": "insufficient_information", "comment": "No passport"}
        rejected = await house.post(f"{path}/reject", reason, etag=await house.etag(path))
        assert rejected.status_code == 200, rejected.text
        header, line = as_csv([first | {"district": "Rusafa"}]).decode().splitlines()
        raw = f"{header},supersedes\r\n{line},{referral.upper()} \r\n".encode()
        _, (again,) = await finished(house, await send(house, raw, who=SENDER), SENDER)
        assert again["outcome"] == "submitted", again
        stored = (await house.get(f"/referrals/{again['referral_id']}", SENDER)).json()
        assert (stored["supersedes"], stored["revision"]) == (referral, 2)


class TestCells:
    @pytest.mark.parametrize(
        ("column", "text", "pointer", "value"),
        [
            ("escorted", "FALSCH", "/travel/escorted", False),
            ("escorted", "Oui", "/travel/escorted", True),
            ("escorted", "maybe", "/travel/escorted", "maybe"),
            ("host_country", " deu\xa0", "/return/host_country", "DEU"),
            ("legal_status", "Asylum rejected", "/return/legal_status", "asylum_rejected"),
            ("flight_number", "tk 804", "/travel/flight_number", "TK804"),
            ("departs_on", "15.12.2026", "/travel/departs_on", "2026-12-15"),
            ("departs_on", "46371", "/travel/departs_on", "2026-12-15"),
            ("departs_on", "12/11/2026", "/travel/departs_on", "12/11/2026"),
            ("arrives_at", "15.12.2026 21:10Z", "/travel/arrives_at", "2026-12-15T21:10:00+00:00"),
            ("needs", "medical, Onward transport", "/needs", ["medical", "onward_transport"]),
            ("languages", "ar\nckb", "/people/0/languages", ["ar", "ckb"]),
            ("sex", "W", "/people/0/sex", "female"),
            ("notes", "one\r\ntwo", "/notes", "one\ntwo"),
            ("given_latn", "Abu\nBakr", "/people/0/names/0/given", "Abu Bakr"),
            ("birth_date", "1984", "/people/0/birth/date", "1984"),  # the day is said to be known
        ],
    )  # fmt: skip
    def test_what_a_cell_says(self, column: str, text: str, pointer: str, value: object) -> None:
        value_there: Any = content_of(**{column: text})
        for step in pointer.split("/")[1:]:
            value_there = value_there[int(step) if step.isdigit() else step]
        assert value_there == value

    def test_an_empty_cell_is_the_default(self) -> None:
        content = content_of(escorted="", needs="", notes="", travel_carrier="", contacts="")
        assert ReferralIn.model_validate(content).travel.escorted is False  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("day", "precision", "birth"),
        [
            ("1984", "", ("1984-01-01", "year")),
            ("1984-05", "", ("1984-05-01", "month")),
            ("17MAY84", "", ("1984-05-17", "day")),
            ("1984-05-00", "estimated", ("1984-05-01", "estimated")),
            ("1984-05-17", "Year", ("1984-05-17", "year")),
            ("1984-05", "day", ("1984-05", "day")),
        ],
    )
    def test_births(self, day: str, precision: str, birth: tuple[str, str]) -> None:
        person = content_of(birth_date=day, birth_precision=precision)["people"][0]
        assert (person["birth"]["date"], person["birth"]["precision"]) == birth

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("07700000123", "+9647700000123"),
            ("0770 000 0123", "+9647700000123"),
            ("9647700000123", "+9647700000123"),
            ("00964 770 000 0123", "+964 770 000 0123"),
            ("+964 780 000 2838", "+964 780 000 2838"),
            ("tel:+9647700000123", "+9647700000123"),
            ("'+9647700000123", "+9647700000123"),
            ("0176 12345678", "+4917612345678"),
            ("030 901820", "030 901820"),  # a landline in either country
            ("7.70E+09", "7.70E+09"),
            ("see file", "see file"),
            ("", ""),
        ],
    )
    def test_telephone_numbers(self, written: str, read: str) -> None:
        assert phone(written, ("IRQ", "DEU")) == read

    def test_two_numbers_in_one_are_two(self) -> None:
        cell = "phone|0770 000 0123 / +9647800000456|self|"
        contacts = content_of(contacts=cell)["people"][0]["contacts"]
        assert [each["value"] for each in contacts] == ["+9647700000123", "+9647800000456"]
        kept = content_of(contacts="phone|+9647700000123 / see file|self|")["people"][0]["contacts"]
        assert [each["value"] for each in kept] == ["+9647700000123 / see file"]


OTHERS = {
    "external_reference": "R-2",
    "sender": "dtv",
    "programme": "nl-avrr",
    "return_kind": "forced",
    "legal_status": "irregular_stay",
    "host_country": "NLD",
    "country_of_return": "SYR",
    "travel_state": "confirmed",
    "travel_carrier": "PC",
    "flight_number": "TK1",
    "departs_on": "2026-12-14",
    "arrives_at": "2026-12-16 00:10Z",
    "port_of_entry": "EBL",
    "escorted": "yes",
    "governorate": "IQ-NI",
    "role": "sibling",
    "sex": "f",
    "birth_date": "1984-05-18",
    "birth_precision": "year",
    "nationality": "SYR",
    **dict.fromkeys(
        ("district", "address", "needs", "vulnerabilities", "requested_assistance", "consents"),
        "",
    ),
    **dict.fromkeys(("notes", "requested_partner", "supersedes", "documents", "contacts"), ""),
    "languages": "",
    **{f"{part}_{script}": "" for part in tabular.NAME_PARTS for script in ("latn", "arab")},
}
"""Of each column something else than `filled` says; nothing, where that may be."""


class TestColumns:
    def filled(self) -> dict[str, str]:
        """A value for each column that has no other's."""
        values = ROW | {
            "requested_partner": "iom-iraq",
            "supersedes": str(uuid4()),
            "vulnerabilities": "elderly|confirmed",
            "notes": "A note.",
            "grandfather_latn": "Jamil",
            **{f"{part}_arab": "تحسين" for part in tabular.NAME_PARTS},
            "documents": "passport|A1|IRQ|2030-01-01",
        }
        assert set(values) == set(BY_NAME), "a column without a value here"
        return values

    @pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
    def test_what_stands_in_a_column_arrives_in_the_referral(self, column: Column) -> None:
        values = self.filled()
        assert values[column.name], "every column has something to say"
        if column.name == "person":  # it orders, and is not kept
            return

        def arrived(cells: dict[str, str]) -> str:
            content = tabular.referral_of([cells])
            return ReferralIn.model_validate(content).model_dump_json(by_alias=True)

        assert arrived(values) != arrived(values | {column.name: OTHERS[column.name]})
        place = column.pointer.replace("*", "0")
        for script, index in (("Latn", "0"), ("Arab", "1")):
            place = place.replace(script, index)
        assert column_of(place, tabular.referral_of([values])) == column.name

    def test_every_field_of_a_referral_has_a_column(self) -> None:
        """What a table cannot say is listed here, so that a new field is not forgotten."""
        schema = ReferralIn.model_json_schema(by_alias=True)

        def leaves(node: dict[str, Any], at: str) -> list[str]:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
            several = [each for each in node.get("anyOf", ()) if each.get("type") != "null"]
            if several:
                return leaves(several[0], at)
            if "properties" in node:
                return [
                    leaf
                    for name, inner in node["properties"].items()
                    for leaf in leaves(inner, f"{at}/{name}")
                ]
            if at == "/people":
                return leaves(node["items"], f"{at}/*")
            return [at]

        declared = {column.pointer for column in COLUMNS}
        without = {leaf for leaf in leaves(schema, "") if leaf not in declared}
        assert without == {"/id", "/people/*/names", "/people/*/identifiers"}

    def test_problems_are_placed_by_script(self) -> None:
        content = {"people": [{"names": [{"script": "Arab", "given": "x"}]}]}
        assert column_of("/people/0/names/0/family", content) == "family_arab"
        assert column_of("/people/0/names/0", content) == "given_arab"
        assert column_of("/people/0/documents/1/number", content) == "documents"
        assert column_of("/travel", content) == "travel_state"
        assert column_of("/people", content) is None
        assert column_of("", content) is None


class TestWorkbooks:
    def book(self, rows: list[dict[str, object]]) -> bytes:
        out = io.BytesIO()
        book = xlsxwriter.Workbook(out, {"default_date_format": "dd.mm.yyyy"})
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, list(ROW))
        for number, each in enumerate(rows, start=1):
            sheet.write_row(number, 0, list(each.values()))
        book.close()
        return out.getvalue()

    @pytest.mark.parametrize("media_type", [XLSX, "text/csv"])
    async def test_a_workbook_is_read_whatever_it_is_called(
        self, house: House, media_type: str
    ) -> None:
        cells = row() | {
            "departs_on": date(2026, 12, 15),
            "birth_date": date(1984, 5, 17),
            "arrives_at": "2026-12-15 21:10 Asia/Baghdad",
            "person": 0.0,
            "escorted": False,
        }
        answer = await send(house, self.book([cells]), media_type, SENDER)
        _, (result,) = await finished(house, answer, SENDER)
        assert result["outcome"] == "submitted", result
        plain = as_csv([ROW | {"external_reference": str(cells["external_reference"])}])
        _, (same,) = await finished(house, await send(house, plain, who=SENDER), SENDER)
        assert (same["outcome"], same["referral_id"]) == ("replayed", result["referral_id"])

    async def test_a_time_in_a_workbook_has_no_zone(self, house: House) -> None:
        cells = row() | {"arrives_at": datetime.fromisoformat("2026-12-15T21:10")}
        answer = await send(house, self.book([cells]), XLSX, SENDER)
        _, (result,) = await finished(house, answer, SENDER)
        (problem,) = result["problems"]
        assert (problem["row"], problem["column"], problem["code"]) == (
            2,
            "arrives_at",
            "time_without_zone",
        )

    async def test_csv_that_is_called_a_workbook_is_read(self, house: House) -> None:
        answer = await send(house, as_csv([row()], ";"), XLSX, SENDER)
        _, (result,) = await finished(house, answer, SENDER)
        assert result["outcome"] == "submitted"


class TestTemplates:
    @pytest.mark.parametrize("form", ["csv", "xlsx"])
    async def test_a_template_that_is_filled_in_is_taken(self, house: House, form: str) -> None:
        got = await house.get(f"/referral-batches/template.{form}", SENDER)
        assert got.status_code == 200
        assert f"referrals.{form}" in got.headers["content-disposition"]
        empty = await send(house, got.content, "text/csv", SENDER)
        assert empty.json()["errors"][0]["code"] == "batch_size"
        if form == "csv":
            cells = [row().get(column.name, "") for column in COLUMNS]
            line = io.StringIO()
            csv.writer(line).writerow(cells)
            answer = await send(house, got.content + line.getvalue().encode(), who=SENDER)
            _, (result,) = await finished(house, answer, SENDER)
            assert result["outcome"] == "submitted", result
        else:
            assert len(got.content) == pytest.approx(
                len(xlsx_template(COLUMNS, "referrals")), rel=0.1
            )

    async def test_it_needs_a_scope(self, house: House) -> None:
        answer = await house.http.get("/v1/referral-batches/template.csv")
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text.encode().replace(b"Karkh", b"\xca\xe0\xf0\xf5"), "UTF-8"),
        (lambda text: text.replace("sender", "absender", 1).encode(), "sender"),
        (lambda text: ("a;b\r\n" + text.partition("\n")[2]).encode(), "template"),
        (lambda text: text.replace('"House', '"Hou"se', 1).encode(), "quotation"),
        (lambda text: b"%PDF-1.4" + text.encode(), "printed"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_whole_file_is_said_once(
    house: House, spoil: Callable[[str], bytes], said: str
) -> None:
    answer = await send(house, spoil(PLAIN), who=SENDER)
    errors = answer.json()["errors"]
    assert answer.status_code == 422
    assert any(said in error["detail"] for error in errors)
    assert len(errors) <= 2
    assert "Tahseen" not in json.dumps(errors)


@pytest.mark.parametrize("nonsense", ["\u2603", "x" * 5000, "=1+1", "-5.5|||||"])
async def test_whatever_is_wrong_is_said_in_the_fields_words(house: House, nonsense: str) -> None:
    names = [name for name in ROW if name not in {"external_reference", "sender", "person"}]
    rows = [row(**{name: nonsense}) for name in names]
    _, results = await finished(house, await send(house, as_csv(rows), who=SENDER), SENDER)
    assert sum(each["outcome"] == "refused" for each in results) > len(rows) // 2
    for problem in [problem for each in results for problem in each["problems"]]:
        assert problem["row"]
        assert problem["column"], problem
        assert not re.search(r"\b(should|Input|String)\b", problem["detail"]), problem
        assert nonsense not in problem["detail"]
