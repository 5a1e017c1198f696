"""MT940 as banks send it: each handed file, the dialects of docs/statements.md, what is refused."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from services.grants.statement_files.formats import MediaType, StatementFile, read_file, text_of
from services.grants.statement_files.model import Direction, Entry, Statement, Unreadable
from services.grants.statement_files.mt940 import read_mt940

HERE = Path(__file__).parent
CASES = HERE / "cases"
READ = {
    "00-control-right.sta": ("BM-31435DE873",),
    "01-field-28-not-28C.sta": ("BM-7290DC8DF2",),
    "02-abn-header.sta": ("BM-7290DC8DF2",),
    "03-ing-header.sta": ("BM-7290DC8DF2",),
    "05-soh.sta": ("BM-7290DC8DF2",),
    "06-rabo-940-line.sta": ("BM-7290DC8DF2",),
    "07-blank-line-in-86.sta": ("BM-7290DC8DF2",),
    "09-unknown-tag-NS.sta": ("BM-7290DC8DF2",),
    "10-type-with-blanks.sta": ("BM-7290DC8DF2",),
    "11-entry-of-nothing.sta": ("BM-7290DC8DF2",),
    "13-latin1.sta": ("BM-7290DC8DF2",),
    "14-day-without-movement.sta": (),
    "15-german-EREF-plus.sta": ("BM-F5FF6FA354",),
    "16-slash-EREF.sta": ("BM-10A0033B36",),
    "19a-number-0-monday.sta": ("BM-6F1E348753",),
    "19b-number-0-tuesday.sta": ("BM-7D8C03EB5D",),
    "21-two-equal-entries-one-bank-ref.sta": ("", ""),
    "22-long-ref-cut-to-16.sta": ("BM-A32C9DD4C5",),
    "32-default-reference-in-61.sta": ("HW01A22EB1B4DC73",),
    "34a-eur.sta": ("BM-EU2-333EE0",),
    "34b-iqd-of-the-same-account.sta": ("BM-IQ2-333EE0",),
}
REFUSED = {"17-truncated-no-62F.sta": "not_closed", "18-entries-after-62F.sta": "order"}
DIALECTS = sorted((HERE / "dialects").glob("*.sta"))


def read(path: Path) -> list[Statement]:
    return read_file(StatementFile(path.read_bytes(), MediaType.MT940))


def entries_of(text: str) -> list[Entry]:
    return [entry for statement in read_mt940(text) for entry in statement.entries]


def code_of(text: str) -> str:
    with pytest.raises(Unreadable) as refused:
        read_mt940(text)
    assert refused.value.row >= 1
    assert refused.value.right
    return refused.value.code


def test_every_handed_file_is_looked_at() -> None:
    assert {path.name for path in CASES.glob("*.sta")} == set(READ) | set(REFUSED)


@pytest.mark.parametrize(("name", "references"), READ.items())
def test_what_banks_send_is_read(name: str, references: tuple[str, ...]) -> None:
    statements = read(CASES / name)
    entries = [entry for statement in statements for entry in statement.entries]
    assert tuple(entry.reference for entry in entries) == references
    for statement in statements:
        assert statement.opening is not None
        assert statement.closing is not None
        moved = sum((entry.signed for entry in statement.entries), Decimal(0))
        assert statement.opening.amount + moved == statement.closing.amount


@pytest.mark.parametrize(("name", "code"), REFUSED.items())
def test_what_is_cut_off_or_goes_on_is_refused(name: str, code: str) -> None:
    assert code_of(text_of((CASES / name).read_bytes())) == code


PLAIN = (
    ":20:S\n:25:DE00TEST1\n:28C:7/1\n:60F:C261129EUR100,00\n"
    ":61:2611301130D10,00NTRFREF-1234//B1\n:86:text\n:62F:C261130EUR90,00\n"
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (":28C:7/1\n", ":28:7\n"),
        (":28C:7/1\n", ":28C:007/2026/BPL\n"),
        (":28C:7/1\n", ""),
        (":20:S", "\ufeff:20:S"),
        (":20:S", "{1:F01X}{2:I940X}{4:\n:20:S"),
        (":20:S", "{1:F01X}{2:I940X}{4::20:S"),
        (":20:S", "Dear customer\n\n:940:\n:20:S"),
        (":60F:", ":NS:22Somebody\n23Account\n:60F:"),
        (":60F:", ":13D:2611301200+0100\n:34F:EURD0,00\n:60F:"),
        (":60F:", ":60M:"),
        (":62F:", ":62M:"),
        ("D10,00N", "D10,N"),
        ("D10,00N", "D000010,00N"),
        ("D10,00N", "DR10,00N"),
        ("2611301130D", "261130D"),
        ("2611301130D", "261130    D"),
        ("NTRFREF-1234//B1", "N192REF-1234//B1"),
        ("NTRFREF-1234//B1", "NT  REF-1234//B1"),
        ("NTRFREF-1234//B1", "S   REF-1234//B1\nsupplementary"),
        (":86:text", ":86:text\n\n   \nand more"),
        (":86:text", ":86:text\n-20 per cent discount\n -"),
        (
            ":62F:C261130EUR90,00\n",
            ":62F:C261130EUR90,00\n:64:C261130EUR90,00\n:86:of the account\n",
        ),
        (":62F:C261130EUR90,00\n", ":62F:C261130EUR90,00\n-}{5:{CHK:1}}\x03\n"),
        (":62F:C261130EUR90,00\n", ":62F:C261130EUR90,00\n-XXX\n"),
        (":62F:C261130EUR90,00\n", ":61:2611301130C0,00NMSCNONREF\n:62F:C261130EUR90,00"),
        ("\n", "\r\n"),
    ],
)
def test_variants_say_the_same(old: str, new: str) -> None:
    assert old in PLAIN
    (entry,) = entries_of(PLAIN.replace(old, new))
    assert (entry.direction, entry.amount) == (Direction.DEBIT, Decimal("10.00"))
    assert (entry.booked_on, entry.account) == (date(2026, 11, 30), "DE00TEST1")
    assert (entry.reference, entry.bank_reference) == ("REF-1234", "B1")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("D10,00N", "D10,01N", "does_not_add_up"),
        ("D10,00N", "C10,00N", "does_not_add_up"),
        ("D10,00N", "D10,001N", "too_fine"),
        ("D10,00N", "D10.00N", "entry"),
        ("D10,00N", "D10N", "entry"),
        ("D10,00N", "X10,00N", "entry"),
        ("EUR90,00", "USD90,00", "currency"),
        ("EUR90,00", "90,00", "balance"),
        ("EUR100,00", "EUR100.00", "balance"),
        ("C261129EUR100,00", "C261329EUR100,00", "date"),
        ("2611301130D", "2611311130D", "date"),
        ("2611301130D", "2611301132D", "date"),
        (":62F:C261130EUR90,00\n", "", "not_closed"),
        (":62F:C261130EUR90,00\n", "-\n:62F:C261130EUR90,00\n", "not_closed"),
        (":62F:C261130EUR90,00\n", ":62F:C261130EUR90,00\n:62F:C261130EUR90,00\n", "order"),
        (":60F:C261129EUR100,00\n", "", "order"),
        (":60F:C261129EUR100,00\n", ":60F:C261129EUR100,00\n" * 2, "order"),
        (":25:DE00TEST1\n", "", "order"),
        (":20:S\n", "", "no_tag"),
        (PLAIN, "Dear customer,\nno statement this month\n", "no_tag"),
        (PLAIN, PLAIN.replace(":62F:C261130EUR90,00\n", "") + PLAIN, "not_closed"),
    ],
)
def test_strict_stays_what_money_depends_on(old: str, new: str, code: str) -> None:
    assert old in PLAIN
    assert code_of(PLAIN.replace(old, new)) == code


def test_a_file_cut_anywhere_is_refused_or_says_less_only_beside_money() -> None:
    whole = entries_of(PLAIN)
    for length in range(len(PLAIN)):
        try:
            cut = entries_of(PLAIN[:length])
        except Unreadable:
            continue
        assert [entry.content for entry in cut] == [entry.content for entry in whole]


def test_days_of_interest_that_there_are_not_are_left_out() -> None:
    february = PLAIN.replace("2611301130D", "2602300227D")
    (entry,) = entries_of(february)
    assert (entry.booked_on, entry.value_on) == (date(2026, 2, 27), None)
    assert code_of(PLAIN.replace("2611301130D", "260230D")) == "date"


def test_a_booking_day_has_the_year_nearest_to_its_value() -> None:
    assert entries_of(PLAIN.replace("2611301130D", "2601021231D"))[0].booked_on.year == 2025
    assert entries_of(PLAIN.replace("2611301130D", "2512310102D"))[0].booked_on.year == 2026


def test_reversals_go_the_other_way() -> None:
    back = PLAIN.replace("D10,00N", "RD10,00N").replace("EUR90,00", "EUR110,00")
    assert entries_of(back)[0].direction is Direction.CREDIT
    of_credit = PLAIN.replace("D10,00N", "RCR10,00N")
    assert entries_of(of_credit)[0].direction is Direction.DEBIT


def test_equal_entries_are_counted_and_pages_told_apart() -> None:
    first, second = (
        entry for entry in entries_of((CASES / "21-two-equal-entries-one-bank-ref.sta").read_text())
    )
    assert first.content == second.content
    assert first.key == second.key
    assert (first.equal_before, second.equal_before) == (0, 1)
    pages = entries_of(PLAIN.replace("//B1", "") + PLAIN.replace("//B1", "").replace("7/1", "7/2"))
    assert [entry.key for entry in pages] == ["7/1", "7/2"]
    assert [entry.equal_before for entry in pages] == [0, 0]


def test_statements_that_are_all_numbered_0_are_told_apart_by_their_balance() -> None:
    monday = PLAIN.replace("7/1", "0").replace("//B1", "")
    evening = monday.replace("EUR100,00", "EUR90,00").replace("EUR90,00\n:62", "EUR90,00\n:62")
    evening = evening.replace(":62F:C261130EUR90,00", ":62F:C261130EUR80,00")
    assert [entry.key for entry in entries_of(monday)] == ["@100"]
    assert [entry.key for entry in entries_of(evening)] == ["@90"]


def test_one_account_in_two_currencies_is_two() -> None:
    entries = [
        entry
        for name in ("34a-eur.sta", "34b-iqd-of-the-same-account.sta")
        for statement in read(CASES / name)
        for entry in statement.entries
    ]
    assert len({entry.account for entry in entries}) == 1
    assert [entry.currency for entry in entries] == ["EUR", "IQD"]


@pytest.mark.parametrize("path", DIALECTS, ids=lambda path: path.stem)
def test_dialects(path: Path) -> None:
    """Each dialect has one entry of a payment, whose reference begins with DIA."""
    entries = [entry for statement in read(path) for entry in statement.entries]
    found = {
        reference
        for entry in entries
        for reference in (*entry.references, *entry.mentions)
        if reference.startswith("DIA-")
    }
    assert any(reference.endswith("-01") for reference in found), found
    assert {entry.booked_on for entry in entries} == {date(2026, 11, 30)}
    assert Decimal(40) in {
        entry.amount if entry.amount < 100 else entry.amount / 10 for entry in entries
    } or (Decimal(4000) in {entry.amount for entry in entries})


@pytest.mark.parametrize(
    ("name", "counterparty"),
    [
        ("abn-amro", "NL44RABO0123456789"),
        ("ing", "NL32INGB0000012345"),
        ("rabobank", "NL70ABNA0987654321"),
        ("sparkasse", "DE02100100100006820101"),
        ("bnp-paribas", "PL27114020040000300201355387"),
        ("millennium", "27114020040000300201355387"),
        ("nordea-poland", "27114020040000300201355387"),
        ("asn", "NL20INGB9999999999"),
    ],
)
def test_the_other_account_is_found(name: str, counterparty: str) -> None:
    statements = read(HERE / "dialects" / f"{name}.sta")
    assert counterparty in {entry.counterparty for s in statements for entry in s.entries}


def test_an_account_that_stands_for_a_reference_is_none() -> None:
    entries = [entry for s in read(HERE / "dialects" / "asn.sta") for entry in s.entries]
    assert all(entry.reference == "" for entry in entries)


def test_what_may_be_a_name_is_looked_for_and_not_kept() -> None:
    (entry,) = entries_of(PLAIN.replace("REF-1234", "SOMEBODYS NAME"))
    assert (entry.references, entry.reference) == (("SOMEBODYSNAME",), "")


def test_accounts_are_compared_without_what_banks_glue_to_them() -> None:
    accounts = {path.stem: read(path)[0].account for path in DIALECTS}
    assert accounts["ing"] == "NL69INGB0123456789"
    assert accounts["rabobank"] == "NL71RABO0123456789"
    assert accounts["bnp-paribas"] == "PL07160011980002002256301011"


def test_a_file_that_is_no_text_says_so() -> None:
    with pytest.raises(Unreadable) as refused:
        text_of(b"PK\x03\x04\0\0")
    assert refused.value.code == "text"
    assert text_of(PLAIN.encode("utf-16")) == PLAIN
    assert (
        len(entries_of(text_of(PLAIN.replace("text", "M\u00fcller \u0161").encode("cp1252")))) == 1
    )
