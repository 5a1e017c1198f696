"""camt.053, .052 and .054 in all versions in use: what is read, and what is refused."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from services.grants.statement_files.camt import read_camt
from services.grants.statement_files.model import Direction, Entry, Unreadable
from services.grants.statement_files.mt940 import read_mt940
from tests.grants.statement_files.camt_messages import Booking, Detail, balance, message

SCHEMAS = Path(__file__).parent / "schemas"
VERSIONS = {"053": (2, 3, 4, 6, 8, 10, 13, 14), "052": (2, 6, 8), "054": (2, 4, 8)}
ONE = Booking(
    "40.00", bank_reference="B1", details=(Detail("DIA-CAMT-01", account="BE68539007547034"),)
)
BALANCES = balance("OPBD", "1000.00", day="2026-11-29") + balance("CLBD", "960.00")


def statement(*bookings: Booking, **options: object) -> bytes:
    return message(*bookings, **({"balances": BALANCES} | options))  # type: ignore[arg-type]


def entries_of(content: bytes) -> list[Entry]:
    return [entry for read in read_camt(content) for entry in read.entries]


def code_of(content: bytes) -> str:
    with pytest.raises(Unreadable) as refused:
        read_camt(content)
    assert refused.value.row >= 1
    return refused.value.code


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.xsd")), ids=lambda path: path.stem)
def test_what_the_tests_read_is_what_iso_publishes(path: Path) -> None:
    schema = etree.XMLSchema(etree.parse(path))
    version = int(path.stem.rpartition(".")[2])
    batch = Booking(
        "40.00",
        details=(
            Detail("PART-1", "15.00", structured="RF18539007547034"),
            Detail("PART-2", "25.00"),
        ),
    )
    for booking in (ONE, batch):
        schema.assertValid(etree.fromstring(statement(booking, version=version)))


@pytest.mark.parametrize(
    ("kind", "version"), [(kind, version) for kind, each in VERSIONS.items() for version in each]
)
def test_every_version_says_the_same(kind: str, version: int) -> None:
    (entry,) = entries_of(statement(ONE, kind=kind, version=version))
    assert (entry.account, entry.currency) == ("DE02100100100006820101", "EUR")
    assert (entry.booked_on, entry.direction) == (date(2026, 11, 30), Direction.DEBIT)
    assert (entry.amount, entry.bank_reference) == (Decimal("40.00"), "B1")
    assert (entry.reference, entry.counterparty) == ("DIA-CAMT-01", "BE68539007547034")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"', b""),
        (b"camt.053.001.08", b"camt.053.001.99"),
        (b'<?xml version="1.0" encoding="UTF-8"?>\n', b""),
        (b"<Document", b"<!-- by our bank --><Document"),
    ],
)
def test_namespaces_and_versions_to_come_are_no_hindrance(old: bytes, new: bytes) -> None:
    content = statement(ONE)
    assert old in content
    assert entries_of(content.replace(old, new))[0].reference == "DIA-CAMT-01"


def test_prefixes_and_envelopes_are_passed_through() -> None:
    content = statement(ONE).partition(b"\n")[2]
    root = etree.fromstring(content)
    wrapped = b"<Envelope><AppHdr><Fr/></AppHdr>" + content + b"</Envelope>"
    prefixed = content.replace(b"xmlns=", b"xmlns:c=")
    for name in {etree.QName(element).localname.encode() for element in root.iter()}:
        for end in (b">", b" "):
            prefixed = prefixed.replace(b"<" + name + end, b"<c:" + name + end)
        prefixed = prefixed.replace(b"</" + name + b">", b"</c:" + name + b">")
    for variant in (wrapped, prefixed):
        assert entries_of(variant) == entries_of(content)
    latin = content.decode().replace("S1", "M\u00fc")
    latin = '<?xml version="1.0" encoding="ISO-8859-1"?>' + latin
    assert entries_of(latin.encode("latin-1")) == entries_of(content)


def test_the_details_of_a_batch_are_entries_of_their_own() -> None:
    details = (Detail("PART-1", "15.00"), Detail("PART-2", "15.00"), Detail("PART-3", "10.00"))
    for version in (2, 8):
        batch = Booking("40.00", bank_reference="BATCH1", details=details)
        entries = entries_of(statement(batch, version=version))
        assert [entry.reference for entry in entries] == ["PART-1", "PART-2", "PART-3"]
        assert [entry.amount for entry in entries] == [Decimal(15), Decimal(15), Decimal(10)]
        assert {entry.bank_reference for entry in entries} == {"BATCH1"}
        assert [entry.line for entry in entries] == [1, 2, 3]


def test_a_batch_whose_details_do_not_tell_it_all_is_one_entry() -> None:
    short = (Detail("PART-1", "15.00"), Detail("PART-2", "15.00"))
    for details in (short, ()):
        (entry,) = entries_of(statement(Booking("40.00", details=details)))
        assert (entry.amount, entry.references) == (Decimal(40), ())


def test_structured_and_texts_are_looked_through() -> None:
    structured = Detail(structured="RF18539007547034", text="Course fee DIA-TEXT-01")
    (entry,) = entries_of(statement(Booking("40.00", details=(structured,))))
    assert entry.references == ("RF18539007547034",)
    assert "DIA-TEXT-01" in entry.mentions


def test_what_is_only_announced_moves_nothing() -> None:
    pending = [Booking("5.00", status=status) for status in ("PDNG", "INFO", "FUTR")]
    for version in (2, 8):
        assert len(entries_of(statement(ONE, *pending, version=version))) == 1


def test_money_that_came_back_is_a_credit_of_the_account_it_had_gone_to() -> None:
    back = Booking(
        "40.00", "CRDT", reversal=True, details=(Detail("DIA-1", account="BE68539007547034"),)
    )
    up = balance("OPBD", "1000.00") + balance("CLBD", "1040.00")
    (entry,) = entries_of(statement(back, balances=up))
    assert (entry.direction, entry.counterparty) == (Direction.CREDIT, "BE68539007547034")


def test_pages_have_interim_balances_at_their_ends() -> None:
    first = balance("OPBD", "1000.00") + balance("ITBD", "960.00")
    last = balance("ITBD", "960.00") + balance("CLBD", "920.00")
    for balances in (first, last):
        assert len(entries_of(statement(ONE, balances=balances))) == 1
    assert code_of(statement(ONE, balances=first.replace("960.00", "961.00"))) == "does_not_add_up"


def test_overdrawn_accounts_add_up() -> None:
    below = balance("PRCD", "-10.00") + balance("CLBD", "-50.00")
    assert len(entries_of(statement(ONE, balances=below))) == 1


def test_reports_and_notices_need_no_balances_but_statements_two() -> None:
    for kind in ("052", "054"):
        assert len(entries_of(message(ONE, kind=kind))) == 1
    for balances in (
        "",
        balance("OPBD", "1000.00"),
        balance("CLBD", "960.00"),
        balance("CLAV", "1.00"),
    ):
        assert code_of(statement(ONE, balances=balances)) == "not_closed"
    wrong = BALANCES.replace("960.00", "960.01")
    assert code_of(statement(ONE, kind="052", balances=wrong)) == "does_not_add_up"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b">40.00<", b">40.01<", "does_not_add_up"),
        (b">40.00<", b">40.001<", "too_fine"),
        (b">40.00<", b">40,00<", "amount"),
        (b">40.00<", b">4e1<", "amount"),
        (b">40.00<", b">-40.00<", "amount"),
        (b">40.00<", b"><", "amount"),
        (b'<Ntry><Amt Ccy="EUR">', b'<Ntry><Amt Ccy="USD">', "currency"),
        (b'<Ntry><Amt Ccy="EUR">', b"<Ntry><Amt>", "currency"),
        (b"<CdtDbtInd>DBIT</CdtDbtInd><Sts>", b"<Sts>", "direction"),
        (b"<BookgDt><Dt>2026-11-30<", b"<BookgDt><Dt>2026-11-31<", "date"),
        (b"<BookgDt><Dt>2026-11-30<", b"<BookgDt><Dt>30.11.2026<", "date"),
        (b"<IBAN>DE02100100100006820101</IBAN>", b"", "account"),
        (b"</Document>", b"", "xml"),
        (b"</Stmt>", b"", "xml"),
    ],
)
def test_strict_stays_what_money_depends_on(old: bytes, new: bytes, code: str) -> None:
    content = statement(ONE)
    assert old in content
    assert code_of(content.replace(old, new)) == code


@pytest.mark.parametrize(
    "day",
    [
        b"<DtTm>2026-11-30T23:59:59+03:00</DtTm>",
        b"<Dt>2026-11-30Z</Dt>",
        b"<Dt>2026-11-30+01:00</Dt>",
    ],
)
def test_a_booking_day_is_the_one_that_stands_there(day: bytes) -> None:
    content = statement(ONE).replace(b"<BookgDt><Dt>2026-11-30</Dt>", b"<BookgDt>" + day, 1)
    assert entries_of(content)[0].booked_on == date(2026, 11, 30)


BOMB = b"""<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;">]><Document>&c;</Document>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<Document>&x;</Document>"""
DTD = b"""<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/x.dtd"><Document/>"""


@pytest.mark.parametrize("content", [BOMB, OUTSIDE, DTD], ids=["bomb", "outside", "dtd"])
def test_nothing_is_expanded_and_nothing_fetched(content: bytes) -> None:
    assert code_of(content) == "doctype"


@pytest.mark.parametrize(
    "content", [b"", b"   ", b"<a/>", b"{}", b"<Document><CstmrCdtTrfInitn/></Document>"]
)
def test_what_is_no_statement_is_refused(content: bytes) -> None:
    assert code_of(content) in {"xml", "no_statement"}


def test_it_is_the_same_entry_as_in_mt940() -> None:
    of_mt940 = read_mt940(
        ":20:S\n:25:DE02100100100006820101EUR\n:28C:229/1\n:60F:C261129EUR1000,00\n"
        ":61:2611301130D40,00NTRFNONREF//B1\n:86:/EREF/DIA-CAMT-01/\n:62F:C261130EUR960,00\n"
    )[0].entries[0]
    of_camt = entries_of(statement(ONE))[0]
    assert (of_camt.content, of_camt.key) == (of_mt940.content, of_mt940.key)
