"""Files as people have them: every handed one, and what else spreadsheets and airlines make."""

import csv
import io
import json
import tracemalloc
import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from chassis.tabular import values, workbook
from chassis.tabular.problems import Unreadable, kind_of
from chassis.tabular.records import read_records
from chassis.tabular.tables import Column, letter, read_table
from chassis.tabular.templates import csv_template, xlsx_template

TESTS = Path(__file__).parent.parent
REFERRALS = TESTS / "cases" / "data" / "files"
MANIFESTS = TESTS / "reception" / "data" / "manifests"
HEADINGS = (
    (REFERRALS / "29-unix-eol-no-final-newline.csv").read_text().partition("\n")[0].split(",")
)
COLUMNS = [Column(name, f"/{name}", name, needed=name != "notes") for name in HEADINGS]
SEATS = [
    Column("seat", "/seat", "Seat", needed=True),
    Column("family_name", "/family_name", "Family name"),
    Column("nationality", "/nationality", "Nationality", codes=("IRQ", "SYR"), needed=True),
]
PEOPLE = [["3A", "BABAN", "IRQ"], ["3B", "René", "SYR"], ["3C", "كامران", "IRQ"]]

NOT_PRINTED = ["Cc", "Cf", "Zs", "Zl", "Zp"]
WRITTEN = st.text(st.characters(codec="utf-8", exclude_categories=NOT_PRINTED), min_size=1).filter(
    lambda text: text[0] not in "='" and text == text.strip()
)


def in_digits(text: str, zero: str) -> str:
    """Text with its digits as those of another script."""
    return "".join(chr(ord(zero) + int(each)) if each.isdecimal() else each for each in text)


def cells(raw: bytes, charset: str | None = None, columns: list[Column] = SEATS) -> list[list[str]]:
    return [list(row.cells.values()) for row in read_table(raw, columns, charset=charset).rows()]


def as_text(rows: list[list[str]], separator: str = ",", ends: str = "\r\n") -> str:
    out = io.StringIO(newline="")
    header = [column.name for column in SEATS]
    csv.writer(out, delimiter=separator, lineterminator=ends).writerows([header, *rows])
    return out.getvalue()


def as_workbook(rows: list[list[object]], **formats: str) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"default_date_format": formats.get("day", "dd.mm.yyyy")})
    sheet = book.add_worksheet()
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    book.close()
    return out.getvalue()


class TestHandedFiles:
    @pytest.mark.parametrize(
        ("file", "charset"),
        [
            ("01-excel-de-semicolon-bom.csv", None),
            ("02-excel-unicode-text-utf16-tab.csv", None),
            ("03-utf16le-no-bom.csv", None),
            ("04-windows-1256.csv", None),
            ("04-windows-1256.csv", "windows-1256"),
            ("05-windows-1252.csv", None),
            ("05-windows-1252.csv", "ISO-8859-1"),
            ("06-sep-line.csv", None),
            ("12-trailing-blank-rows-and-columns.csv", None),
            ("20-comma-decimal-semicolon-in-quotes.csv", None),
            ("30-mac-cr-eol.csv", None),
            ("31-quote-all-trailing-delims.csv", None),
            ("34-pipe-delimited.csv", None),
        ],
    )
    def test_whatever_the_form_the_cells_are_the_same(self, file: str, charset: str | None) -> None:
        table = read_table((REFERRALS / file).read_bytes(), COLUMNS, charset=charset)
        first = next(table.rows())
        assert not first.shifted
        assert first.number == 2
        assert (first.cells["sender"], first.cells["given_latn"]) == ("bamf", "Tahseen")
        assert first.cells["given_arab"] == ("تحسين" if file.startswith("04") else "")
        assert first.cells["notes"] in {
            "",
            "Reisefähigkeit bestätigt",
            'Said: "I go; you stay", then left',
        }

    @pytest.mark.parametrize("file", sorted(REFERRALS.glob("*.csv")), ids=lambda file: file.stem)
    def test_every_table_of_referrals_has_its_columns(self, file: Path) -> None:
        if file.name.startswith("33"):  # it says that it is a workbook, and is none
            with pytest.raises(Unreadable, match="workbook"):
                read_table(file.read_bytes(), COLUMNS)
            return
        table = read_table(file.read_bytes(), COLUMNS)
        assert table.names == HEADINGS
        assert list(table.rows())

    @pytest.mark.parametrize("file", sorted(MANIFESTS.glob("*.csv")), ids=lambda file: file.stem)
    def test_every_manifest_has_its_columns(self, file: Path) -> None:
        if file.stat().st_size == 0:
            with pytest.raises(Unreadable, match="seat, nationality"):
                read_table(file.read_bytes(), SEATS)
            return
        headings = (MANIFESTS / "m24-only-header.csv").read_text().strip().split(",")
        more = [Column(name, "", name) for name in headings if name not in {"seat", "nationality"}]
        table = read_table(file.read_bytes(), [SEATS[0], SEATS[2], *more])
        rows = list(table.rows())
        assert not any(row.shifted for row in rows)
        if file.name.startswith("m07"):
            assert rows[0].number == 3
        if file.name.startswith("m09"):
            assert [row.is_total for row in rows] == [False, False, False, True]

    @pytest.mark.parametrize(
        ("file", "right"),
        [
            ("j01-pretty-printed.jsonl", "several lines"),
            ("j02-json-array.jsonl", "brackets"),
            ("j05-trailing-comma-lines.jsonl", "comma"),
        ],
    )
    def test_the_form_of_a_file_is_said_once(self, file: str, right: str) -> None:
        with pytest.raises(Unreadable, match=right) as said:
            list(read_records((REFERRALS / file).read_bytes()))
        assert len(said.value.errors) == 1
        assert said.value.errors[0].row == 1

    @pytest.mark.parametrize(
        "file", ["j03-bom-crlf", "j04-escaped-ascii-arabic", "j08-names-empty-arab-entry"]
    )
    def test_lines_that_were_right_are(self, file: str) -> None:
        records = list(read_records((REFERRALS / f"{file}.jsonl").read_bytes()))
        assert records
        assert all(record.content and record.error is None for record in records)

    def test_a_key_given_twice_is_refused(self) -> None:
        (record,) = read_records((REFERRALS / "j07-duplicate-keys.jsonl").read_bytes())
        assert record.error is not None
        assert (record.content, record.error.code) == (None, "key_twice")
        assert "notes" in record.error.detail
        assert "second" not in record.error.detail


class TestTables:
    @pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("ends", ["\r\n", "\n", "\r"])
    @pytest.mark.parametrize(
        "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "mark and utf-16-be"]
    )
    def test_separators_ends_and_encodings(self, separator: str, ends: str, encoding: str) -> None:
        text = as_text(PEOPLE, separator, ends)
        if encoding == "mark and utf-16-be":
            raw = b"\xfe\xff" + text.encode("utf-16-be")
        else:
            raw = text.encode(encoding)
        assert cells(raw) == PEOPLE
        assert cells(f"sep={separator}{ends}".encode() + text.encode()) == PEOPLE

    def test_codepages_are_told_by_their_letters_or_asked_about(self) -> None:
        western, arabic, both = PEOPLE[:2], [PEOPLE[0], PEOPLE[2]], PEOPLE
        assert cells(as_text(western).encode("cp1252")) == western
        assert cells(as_text(arabic).encode("cp1256")) == arabic
        assert cells(as_text(both).encode("cp1256")) == both, "most accents of French are in both"
        assert cells(as_text(both).encode("cp1256"), "windows-1256") == both
        dashes = [*arabic, ["3D", "\u2013 \u201cBABAN\u201d\xa0\u2026", "IRQ"]]
        assert cells(as_text(dashes).encode("cp1256")) == dashes
        assert cells(as_text(dashes[-1:]).encode("cp1252")) == dashes[-1:]
        unlike = [["3A", "Großmann", "IRQ"], ["3B", "à", "IRQ"], ["3C", "D\u2019Été", "IRQ"]]
        assert cells(as_text(unlike).encode("cp1252")) == unlike
        for words, codepage in [
            ([PEOPLE[2], ["3D", "Gro\u0643mann", "IRQ"]], "cp1256"),
            ([["3A", "Юсуф", "IRQ"]], "cp1251"),
            ([["3A", "Gökçe", "IRQ"], ["3B", "Şahin", "IRQ"]], "cp1254"),
        ]:
            with pytest.raises(Unreadable, match=r"UTF-8.*charset="):
                cells(as_text(words).encode(codepage))
        assert cells(as_text(both).encode(), "windows-1256") == both, "valid UTF-8 is UTF-8"

    def test_a_heading_is_known_however_it_is_written(self) -> None:
        header = "\n\nCharter of\xa0Tuesday,,\n SEAT ,Family\xa0Name,NATIONALITY,,\n"
        raw = header + "3A,BABAN,IRQ,,\n,,,,\n"
        table = read_table(raw.encode(), SEATS)
        (row,) = table.rows()
        assert (row.number, row.shifted, list(row.cells.values())) == (5, False, PEOPLE[0])
        by_label = read_table(b"Seat;Nationality;id\n3A;IRQ;77\n", SEATS, passed_over=["id"])
        assert next(by_label.rows()).cells == {"seat": "3A", "nationality": "IRQ"}

    @pytest.mark.parametrize(
        ("raw", "codes"),
        [
            (b"", ["unreadable_file"]),
            (b"\r\n,,\r\n", ["unreadable_file"]),
            (b"3A,BABAN,IRQ\n3B,BABAN,IRQ\n", ["unreadable_file"]),
            (b"seat,family_name\n3A,BABAN\n", ["column_missing"]),
            (b"seat,seat,nationality,phone\n", ["column_twice", "unknown_column"]),
            (b'seat,nationality\n3A,"IRQ\n', ["quotation_marks"]),
            (b"%PDF-1.7", ["unreadable_file"]),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ["unreadable_file"]),
            (b"\xff\xfe\x00", ["unreadable_file"]),
        ],
    )
    def test_what_is_wrong_with_a_table_is_said_once(self, raw: bytes, codes: list[str]) -> None:
        with pytest.raises(Unreadable) as said:
            list(read_table(raw, SEATS).rows())
        assert [error.code for error in said.value.errors] == codes
        assert all(error.detail for error in said.value.errors)
        assert "BABAN" not in str(said.value.errors)

    @pytest.mark.parametrize(
        ("line", "shifted"),
        [
            ("3A,BABAN,IRQ", False),
            ("3A,BABAN,IRQ,,,", False),
            ("3A,BABAN,IRQ,more", True),
            ("3A,BABAN", True),
        ],
    )
    def test_a_row_that_is_shifted_says_so(self, line: str, shifted: bool) -> None:
        (row,) = read_table(f"seat,family_name,nationality\n{line}\n".encode(), SEATS).rows()
        assert row.shifted is shifted
        under_no_heading = b"seat,,nationality\n3A,beside,IRQ\n"
        assert next(read_table(under_no_heading, SEATS).rows()).shifted

    def test_a_header_that_is_repeated_is_no_row(self) -> None:
        raw = b'"sep=;"\nseat;Family name;nationality\n3A;BABAN;IRQ\nSEAT;family_name;Nationality\n'
        assert cells(raw) == [PEOPLE[0]]

    def test_guards_and_marks_are_no_content(self) -> None:
        raw = 'seat,family_name,nationality\n"=""3A""",\'=BABAN,\u202aIRQ\u202c\xa0\n'
        assert cells(raw.encode()) == [["3A", "=BABAN", "IRQ"]]

    def test_rows_are_counted_as_the_spreadsheet_does(self) -> None:
        raw = b'seat,family_name,nationality\n3A,"BA\nBAN",IRQ\n\n3B,BABAN,IRQ\n'
        assert [row.number for row in read_table(raw, SEATS).rows()] == [2, 4]

    def test_a_column_is_named_as_the_spreadsheet_does(self) -> None:
        assert [letter(place) for place in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]

    @given(st.lists(st.lists(WRITTEN, min_size=3, max_size=3)))
    def test_what_is_written_is_read(self, rows: list[list[str]]) -> None:
        assert cells(as_text(rows, ";").encode("utf-8-sig")) == rows


class TestWorkbooks:
    def test_a_workbook_says_what_its_cells_show(self) -> None:
        rows = [
            ["Charter"],
            ["Seat", "family_name", "nationality"],
            ["3A", 9647700000123.0, date(1984, 5, 17)],
            [True, datetime.fromisoformat("2026-12-15T21:10"), 0.5],
        ]
        assert cells(as_workbook(rows)) == [
            ["3A", "9647700000123", "1984-05-17"],
            ["true", "2026-12-15 21:10:00", "0.5"],
        ]

    def test_the_sheet_with_the_header_is_read(self) -> None:
        out = io.BytesIO()
        book = xlsxwriter.Workbook(out)
        book.add_worksheet("About").write_row(0, 0, ["Passengers of Tuesday"])
        hidden = book.add_worksheet("old")
        hidden.write_row(0, 0, ["seat", "nationality"])
        hidden.hide()
        book.add_worksheet("List").write_row(0, 0, ["seat", "family_name", "nationality"])
        book.get_worksheet_by_name("List").write_row(4, 0, PEOPLE[0])
        book.close()
        (row,) = read_table(out.getvalue(), SEATS).rows()
        assert (row.number, list(row.cells.values())) == (5, PEOPLE[0])

    def bomb(self, sheet: str, shared: str = "", **parts: bytes) -> bytes:
        out = io.BytesIO(as_workbook([["seat", "nationality"], ["3A", "IRQ"]]))
        with zipfile.ZipFile(out) as good:
            content = {name: good.read(name) for name in good.namelist()}
        body = content["xl/worksheets/sheet1.xml"]
        content["xl/worksheets/sheet1.xml"] = body.replace(
            b"</sheetData>", sheet.encode() + b"</sheetData>"
        )
        if shared:
            content["xl/sharedStrings.xml"] = content["xl/sharedStrings.xml"].replace(
                b"</sst>", f"<si><t>{shared}</t></si></sst>".encode()
            )
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bad:
            for name, data in (content | parts).items():
                bad.writestr(name, data)
        return out.getvalue()

    def test_what_would_unfold_without_end_is_refused_before_it_does(self) -> None:
        row = '<row r="{0}"><c r="{1}{0}"><v>1</v></c></row>'
        pointers = "".join(f'<c t="s"><v>{4}</v></c>' for _ in range(200))
        entities = (
            b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY c "&a;&a;&a;">]>'
            b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
            b"<sheetData><row><c><v>&c;</v></c></row></sheetData></worksheet>"
        )
        relations = (
            b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            b'<Relationship Id="rId1" Target="media/1.png" Type="http://schemas.openxmlformats.org/'
            b'officeDocument/2006/relationships/worksheet"/></Relationships>'
        )
        picture = b"junk <worksheet><sheetData>" + row.format(1_048_576, "XFD").encode()
        bombs = {
            "last cell": self.bomb(row.format(1_048_576, "XFD")),
            "wide": self.bomb(row.format(3, "XFD")),
            "without places": self.bomb("<row><c><v>1</v></c></row>" * 61_000),
            "one text a million times": self.bomb(f"<row>{pointers}</row>" * 400, "x" * 32_000),
            "entities": self.bomb("", **{"xl/worksheets/sheet1.xml": entities}),
            "zeroes": self.bomb("", **{"xl/media/image1.png": bytes(workbook.MOST_UNPACKED)}),
            "a sheet that is called a picture": self.bomb(
                "", **{"xl/media/1.png": picture, "xl/_rels/workbook.xml.rels": relations}
            ),
            "truncated": self.bomb("")[:-40],
            "junk": b"PK\x03\x04" + b"junk" * 100,
            "another zip": zip_of({"word/document.xml": b"<a/>"}),
        }
        tracemalloc.start()
        for name, raw in bombs.items():
            tracemalloc.reset_peak()
            with pytest.raises(Unreadable) as said:
                read_table(raw, SEATS)
            too_large = name in {"last cell", "wide", "without places", "zeroes"} or "times" in name
            code = "too_large" if too_large else "unreadable_file"
            assert [error.code for error in said.value.errors] == [code], name
            assert tracemalloc.get_traced_memory()[1] < 32 * 1024 * 1024, name
        tracemalloc.stop()

    def test_the_library_sees_what_was_looked_at_and_nothing_else(self) -> None:
        """Two archives in one, of which readers take one or the other."""
        hidden = self.bomb('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')
        assert cells(hidden + self.bomb("")) == [["3A", "IRQ"]]
        pictures = self.bomb("", **{"xl/media/1.png": b"\x89PNG junk", "docProps/thumb.jpeg": b"x"})
        assert cells(pictures) == [["3A", "IRQ"]]

    def test_a_part_that_holds_more_than_it_says_is_refused(self) -> None:
        raw = bytearray(self.bomb("<row><c><v>1</v></c></row>" * 1000))
        with zipfile.ZipFile(io.BytesIO(raw)) as good:
            size = good.getinfo("xl/worksheets/sheet1.xml").file_size
        raw = raw.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little"))
        with pytest.raises(Unreadable):
            read_table(bytes(raw), SEATS)

    def test_a_large_table_is_read(self) -> None:
        rows = [["seat", "family_name", "nationality"], *([["3A", "BABAN", "IRQ"]] * 5000)]
        assert len(cells(as_workbook(rows))) == 5000
        assert workbook.MOST_ROWS > 50_000


def zip_of(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


class TestDays:
    @pytest.mark.parametrize(
        "text",
        [
            "1984-05-17",
            "1984/05/17",
            "1984.5.17",
            "19840517",
            "17.05.1984",
            "17.5.1984",
            "17. 5. 1984",
            "17/05/1984",
            "05/17/1984",
            "17-05-1984",
            "17MAY84",
            "17-May-1984",
            "17 May 1984",
            "17 mei 1984",
            "17. Mai 1984",
            "17 mai 1984",
            "17.05.84",
            "30819",
            "30819.0",
            "1984-05-17 00:00:00",
            "1984-05-17T00:00:00Z",
            "17.05.1984 00:00",
            *(in_digits("1984-05-17", zero) for zero in "\u0660\u06f0\uff10\u0966"),
            "\u200e17.05.1984\xa0",
        ],
    )
    def test_what_can_mean_one_day_is_read(self, text: str) -> None:
        assert values.past_day(text) == "1984-05-17"

    @pytest.mark.parametrize(
        "text",
        [
            "05/06/1984",
            "5-6-1984",
            "1984-02-30",
            "31.02.1984",
            "17.13.1984",
            "1984",
            "1984-05",
            "17",
            "soon",
            "",
            "1984-05-17 10:00",
            "17/05/84 or so",
            "84-05-17",
            "17 x 1984",
            "999999",
            "30819.5",
            "00.05.1984",
        ],
    )
    def test_what_cannot_stays_as_it_is(self, text: str) -> None:
        assert values.past_day(text) == text

    def test_points_stand_between_day_month_and_year_everywhere(self) -> None:
        assert values.day("03.04.1984") == "1984-04-03"
        assert values.day("05/05/1984") == "1984-05-05"

    def test_two_digits_of_a_year_are_said_of_a_birth_only(self) -> None:
        today = datetime.now(UTC).date()
        yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
        assert values.past_day(f"{yesterday:%d%b%y}") == yesterday.isoformat()
        assert values.past_day(f"{tomorrow:%d%b%y}").startswith("19")
        assert values.day("17MAY84") == "17MAY84"

    @pytest.mark.parametrize(
        ("text", "first", "precision"),
        [
            ("1984", "1984-01-01", "year"),
            ("1984-00-00", "1984-01-01", "year"),
            ("00.00.1984", "1984-01-01", "year"),
            ("1984-05", "1984-05-01", "month"),
            ("05/1984", "1984-05-01", "month"),
            ("1984-05-00", "1984-05-01", "month"),
            ("1984-05-17", "1984-05-17", "day"),
        ],
    )
    def test_how_much_is_known(self, text: str, first: str, precision: str) -> None:
        read = values.partial_day(text)
        assert read is not None
        assert (read.date.isoformat(), read.precision) == (first, precision)

    @given(st.dates(date(1930, 1, 1), date(2026, 1, 1)))
    def test_every_day_comes_back(self, day: date) -> None:
        serial = (day - date(1899, 12, 30)).days
        for text in (
            day.isoformat(),
            f"{day:%d.%m.%Y}",
            f"{day:%d%b%Y}",
            f"{day:%Y%m%d}",
            str(serial),
        ):
            assert values.day(text) == day.isoformat()

    @pytest.mark.parametrize(
        ("text", "read"),
        [
            ("2026-12-15T18:10:00Z", "2026-12-15T18:10:00+00:00"),
            ("2026-12-15 21:10:00+03:00", "2026-12-15T21:10:00+03:00"),
            ("2026-12-15T21:10+0300", "2026-12-15T21:10:00+03:00"),
            ("2026-12-15T21:10:00 Asia/Baghdad", "2026-12-15T21:10:00+03:00"),
            ("15.12.2026 21:10 +03", "2026-12-15T21:10:00+03:00"),
            ("15.12.2026 21:10", "2026-12-15T21:10:00"),
            ("2026-12-15 21:10 Nowhere/City", "2026-12-15T21:10:00"),
            ("2026-12-15 25:10Z", "2026-12-15 25:10Z"),
            ("tomorrow 10:00", "tomorrow 10:00"),
        ],
    )
    def test_moments(self, text: str, read: str) -> None:
        assert values.moment(text) == read


class TestOtherValues:
    @pytest.mark.parametrize(
        ("text", "read"),
        [
            ("FALSCH", False),
            ("FALSE", False),
            ("0", False),
            ("nein", False),
            ("Faux", False),
            ("لا", False),
            ("\u0660", False),
            ("WAHR", True),
            ("oui", True),
            ("Yes", True),
            ("1", True),
            ("نعم", True),
            ("", None),
            ("2", "2"),
            ("perhaps", "perhaps"),
        ],
    )
    def test_yes_and_no(self, text: str, read: object) -> None:
        assert values.flag(text) is read or values.flag(text) == read

    def test_numbers_and_codes(self) -> None:
        assert [values.whole(text) for text in ("0", "1.0", "2,0", "\u0663", "4.5", "x", "")] == [
            0,
            1,
            2,
            3,
            "4.5",
            "x",
            "",
        ]
        assert values.upper(" irq") == "IRQ"
        assert values.lower("Asylum\xa0rejected") == "asylum_rejected"
        assert values.number(in_digits("A123", "\u0660") + "\xa045") == "A123 45"
        assert values.of({"m": "male"})("M") == "male"
        assert values.of({"m": "male"})("Other") == "other"

    @pytest.mark.parametrize(
        "text",
        [
            "medical; onward_transport",
            "medical, onward_transport",
            "Medical\nonward_transport",
            "medical،onward_transport;",
        ],
    )
    def test_lists(self, text: str) -> None:
        assert values.words()(text) == ["medical", "onward_transport"]

    def test_lists_of_several_parts(self) -> None:
        assert values.items("a|1 ;\nb|2|3", ("kind", "number")) == [
            {"kind": "a", "number": "1"},
            {"kind": "b", "number": "2", "one_part_too_many": "3"},
        ]

    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            (None, "nothing"),
            ("", "nothing"),
            (" \xa0", "nothing"),
            (True, "yes or no"),
            (3, "a number"),
            ([], "an empty list"),
            (["x"], "a list of 1"),
            ({}, "an object"),
            ("46371", "a whole number"),
            ("7.70E+09", "a number that was shortened, its last digits lost"),
            ("1.5", "a number with decimals"),
            ("05/06/1984", "a day that can be read in two ways"),
            ("17.05.1984", "a day in another form"),
            ("2026-12-15 21:10", "a time"),
            ("=1+1", "a formula"),
            ("Tahseen", "a word"),
            ("تحسين ودود", "2 Arabic words"),
            ("A12#4", "letters and digits"),
            ("-", "signs, no letters or digits"),
            ("0770 123-4", "digits and signs"),
        ],
    )
    def test_the_kind_of_a_thing_is_said_and_not_the_thing(self, value: object, kind: str) -> None:
        assert kind_of(value) == kind


class TestRecords:
    def test_a_line_that_is_no_record_costs_that_line(self) -> None:
        unfit = [
            '{"a": NaN}',
            '{"a": "\\u0000"}',
            "not json",
            "[]",
            '{"a": 1},',
            '{"a": {"b": 1, "b": 2}}',
        ]
        records = list(read_records("\n".join(['{"a": 1}', *unfit, '{"a": 2}']).encode()))
        assert [record.line for record in records if record.content] == [1, 8]
        assert [record.error.code for record in records if record.error] == [
            "not_storable",
            "not_storable",
            "json_invalid",
            "json_invalid",
            "json_invalid",
            "key_twice",
        ]

    @pytest.mark.parametrize("text", ["[\n{}\n]", "[{}]", "{\n}", "{},\n{},", '{"a":\n1}\n'])
    def test_another_form_is_said_once(self, text: str) -> None:
        with pytest.raises(Unreadable, match="one JSON object on each line"):
            list(read_records(text.encode()))

    def test_a_key_may_be_a_name_and_is_not_said(self) -> None:
        (record,) = read_records('{"Tahseen": 1, "Tahseen": 2}'.encode("utf-16"))
        assert record.error is not None
        assert "Tahseen" not in record.error.detail

    def test_what_is_read_is_what_json_says(self) -> None:
        content = {"a": [1, {"b": "é"}], "c": None}
        (record,) = read_records(json.dumps(content).encode("utf-16-le"))
        assert record.content == content


class TestTemplates:
    def test_what_is_filled_in_is_read_back(self) -> None:
        assert cells(csv_template(SEATS) + b"3A,BABAN,IRQ\r\n") == [PEOPLE[0]]
        raw = xlsx_template(SEATS, "people")
        table = read_table(raw, SEATS)
        assert (table.names, list(table.rows())) == ([column.name for column in SEATS], [])
        book = CalamineWorkbook.from_filelike(io.BytesIO(raw))
        assert book.get_sheet_by_name("codes").to_python() == [["nationality"], ["IRQ"], ["SYR"]]
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        assert '<dataValidation type="list"' in sheet
        assert "<formula1>codes!$A$2:$A$3</formula1>" in sheet
