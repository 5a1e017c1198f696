"""Batches: files as people have them; each referral for itself, with its rows and what is wrong in
them.
"""

import csv
import io
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.cases.intake.batches import tabular
from services.cases.models import BatchItem
from tests.cases.house import House, alone, referral
from tests.cases.steps import finished, send

DATA = Path(__file__).parent / "data"
ROW = next(tabular.table((DATA / "referrals.csv").read_bytes()))


def as_csv(rows: list[dict[str, str]], delimiter: str = ",", encoding: str = "utf-8-sig") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def table_rows() -> list[dict[str, str]]:
    """The rows of a family that fedasil referred."""
    with (DATA / "referrals.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["sender"] == "fedasil"]
    size = {row["external_reference"]: 0 for row in rows}
    for row in rows:
        size[row["external_reference"]] += 1
    family = next(reference for reference, people in size.items() if people == 3)
    fresh = f"FED-{uuid4().hex[:10]}"
    return [
        row | {"external_reference": fresh} for row in rows if row["external_reference"] == family
    ]


class TestReading:
    def test_a_table_and_json_lines_say_the_same(self) -> None:
        table = [entry.content for entry in tabular.table((DATA / "referrals.csv").read_bytes())]
        lines = [json.loads(line) for line in (DATA / "referrals.jsonl").read_text().splitlines()]
        assert len(table) == len(lines) == 240
        for one, other in zip(table, lines, strict=True):
            assert one is not None
            one.pop("requested_partner", None)
            for person in other["people"]:
                person["names"] = [
                    n for n in person["names"] if any(n[p].strip() for p in tabular.NAME_PARTS)
                ]
            assert one == other | {"people": other["people"]}

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_whatever_the_spreadsheet_saves(self, delimiter: str, encoding: str) -> None:
        rows = table_rows()
        expected = next(tabular.table(as_csv(rows)))
        assert list(tabular.table(as_csv(rows, delimiter, encoding))) == [expected]
        assert expected.rows == [2, 3, 4]

    def test_guarded_cells_and_empty_columns_are_read(self) -> None:
        rows = [
            row | {"person": f'="{row["person"]}"', "escorted": row["escorted"].upper()}
            for row in table_rows()
        ]
        raw = as_csv(rows).replace(b"\r\n", b",,\r\n") + b",,,,\r\n"
        entry = next(tabular.table(raw))
        assert entry.errors == []
        assert entry.content is not None
        assert entry.content["travel"] is None or entry.content["travel"]["escorted"] is False

    def test_rows_that_disagree_are_said_by_row_and_column(self) -> None:
        rows = table_rows()
        rows[2]["district"] = "elsewhere"
        entry = next(tabular.table(as_csv(rows)))
        assert [(error.pointer, error.code) for error in entry.errors] == [
            ("/row/4/district", "rows_disagree")
        ]

    def test_normal_forms_do_not_disagree(self) -> None:
        rows = [row | {"district": "Erbîl"} for row in table_rows()]
        rows[1]["district"] = unicodedata.normalize("NFD", rows[1]["district"])
        assert next(tabular.table(as_csv(rows))).errors == []

    @pytest.mark.parametrize("bad", [0, 1, 2])
    @pytest.mark.parametrize(
        "spoil", [lambda row: row + b",more", lambda row: row[: row.index(b",", 12)]]
    )
    def test_a_family_with_a_shifted_row_is_refused_whole(
        self, bad: int, spoil: Callable[[bytes], bytes]
    ) -> None:
        # The sender is no longer readable in the short row, nor the reference in the third way.
        before, family, after = (
            [row | {"sender": "fedasil"} for row in table_rows()] for _ in range(3)
        )
        lines = as_csv(before + family + after).split(b"\r\n")
        lines[4 + bad] = spoil(lines[4 + bad])
        entries = list(tabular.table(b"\r\n".join(lines)))
        taken = [entry.reference for entry in entries if entry.content is not None]
        assert family[0]["external_reference"] not in taken
        assert after[0]["external_reference"] in taken
        assert before[0]["external_reference"] in taken or bad == 0
        shifted = [
            error.pointer
            for entry in entries
            for error in entry.errors
            if error.code == "columns_shifted"
        ]
        assert shifted == [f"/row/{5 + bad}"]

    @pytest.mark.parametrize(
        "raw", [b"", b"\xff\xfe\x00", b"sender\nfedasil", "é".encode("cp1252")]
    )
    def test_what_is_no_table_is_said(self, raw: bytes) -> None:
        with pytest.raises(tabular.Unreadable):
            list(tabular.table(raw))


class TestBatch:
    async def test_the_good_are_not_held_up_by_the_bad(self, house: House) -> None:
        good, bad, again = referral(), referral(programme="nonsense"), referral()
        await house.submit(again)
        lines = [
            json.dumps(good),
            "not json",
            json.dumps(bad),
            json.dumps(again, ensure_ascii=False),
            "",
            "[]",
        ]
        answer = await send(house, "\n".join(lines).encode(), "application/jsonl")
        batch, results = await finished(house, answer)
        assert [result["outcome"] for result in results] == [
            "submitted",
            "refused",
            "refused",
            "replayed",
            "refused",
        ]
        assert [result["rows"] for result in results] == [[1], [2], [3], [4], [6]]
        assert results[2]["problems"][0] | {"detail": ""} == {
            "pointer": "/programme",
            "column": None,
            "row": None,
            "code": "unknown_programme",
            "found": "a word",
            "detail": "",
        }
        assert (batch["submitted"], batch["replayed"], batch["refused"], batch["done"]) == (
            1,
            1,
            3,
            5,
        )
        stored = await house.get(f"/referrals/{results[0]['referral_id']}", "fedasil")
        assert stored.json()["external_reference"] == good["external_reference"]

    async def test_what_no_database_keeps_is_one_bad_line(self, house: House) -> None:
        def noted(value: str) -> str:
            return json.dumps(alone(notes="@")).replace('"@"', value)

        unfit = [
            '"a\\u0000b"',
            '"\\ud800"',
            "NaN",
            "1e999",
            "[" * 100_000 + "]" * 100_000,
            '{"a":' * 900 + "1" + "}" * 900,
        ]
        lines = [*map(noted, unfit), noted('"a \\\\u0000 b"')]
        _, results = await finished(
            house, await send(house, "\n".join(lines).encode(), "application/jsonl")
        )
        assert [each["outcome"] for each in results] == ["refused"] * len(unfit) + ["submitted"]
        codes = [each["problems"][0]["code"] for each in results[: len(unfit)]]
        assert codes[:5] == [*["not_storable"] * 4, "json_invalid"]

    async def test_a_family_of_three_rows_is_one_referral(self, house: House) -> None:
        _, results = await finished(house, await send(house, as_csv(table_rows(), ";")))
        assert results[0]["outcome"] == "submitted", results
        stored = (await house.get(f"/referrals/{results[0]['referral_id']}", "fedasil")).json()
        assert len(stored["people"]) == 3

    async def test_every_invalid_row_gets_the_problem_that_it_deserves(self, house: House) -> None:
        with (DATA / "referrals_invalid.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 60
        expected = [row.pop("expected_problem") for row in rows]
        with (DATA / "referrals.csv").open(encoding="utf-8-sig", newline="") as file:
            originals = list(csv.DictReader(file))
        taken = {
            row["external_reference"]
            for row, code in zip(rows, expected, strict=True)
            if "duplicate" in code
        }
        before = [row for row in originals if row["external_reference"] in taken]
        got = {}
        for who in sorted(
            {row["sender"] for row in rows} & {"bamf", "dtv", "fedasil", "migri", "ofii"}
        ):
            mine = [row for row in before if row["sender"] == who]
            if mine:
                _, first = await finished(house, await send(house, as_csv(mine), who=who), who)
                assert {each["outcome"] for each in first} == {"submitted"}
        for number, (row, code) in enumerate(zip(rows, expected, strict=True)):
            who = (
                row["sender"]
                if row["sender"] in {"bamf", "dtv", "fedasil", "migri", "ofii"}
                else "fedasil"
            )
            _, results = await finished(house, await send(house, as_csv([row]), who=who), who)
            got[number] = (results[0]["outcome"], {each["code"] for each in results[0]["problems"]})
            assert got[number][0] == "refused", (number, code)
            assert code in got[number][1], (number, code, got[number])
            problem = next(each for each in results[0]["problems"] if each["code"] == code)
            assert problem["row"] == 2
            assert problem["detail"]

    async def test_candidates_are_counted_on_this_path_too(self, house: House) -> None:
        known = alone()
        person = known["people"][0]
        person["documents"] = [
            {"kind": "passport", "number": f"A{uuid4().int % 10**8:08}", "issuer": "IRQ"}
        ]
        await house.accepted(known)
        again = known | {"external_reference": f"FED-{uuid4().hex[:12]}"}
        _, results = await finished(
            house, await send(house, json.dumps(again).encode(), "application/jsonl")
        )
        assert results[0]["candidates"] >= 1

    async def test_what_was_sent_is_not_kept(self, house: House) -> None:
        answer = await send(house, json.dumps(alone()).encode(), "application/jsonl")
        batch, _ = await finished(house, answer)
        async with house.homeward.database.transaction() as session:
            item = await session.get(BatchItem, (UUID(batch["id"]), 1))
            assert item is not None
            assert item.content is None

    async def test_a_file_that_is_none_is_refused_at_once(self, house: House) -> None:
        empty = await send(house, b"", "application/jsonl")
        assert empty.status_code == 422
        unreadable = await send(house, b"\xff\xfe\x00")
        assert unreadable.json()["errors"][0]["code"] == "unreadable_file"
        many = await send(house, b"{}\n" * 5001, "application/jsonl")
        assert many.json()["errors"][0]["code"] == "batch_size"
        assert (await send(house, b"x", "application/pdf")).status_code == 415

    async def test_it_is_its_senders_alone(self, house: House) -> None:
        answer = await send(house, json.dumps(alone()).encode(), "application/jsonl")
        path = f"/referral-batches/{answer.json()['id']}"
        assert (await house.get(path, "dtv")).status_code == 404
        assert (await house.get(f"{path}/results", "dtv")).status_code == 404
        assert answer.json()["id"] not in (await house.get("/referral-batches", "dtv")).text
