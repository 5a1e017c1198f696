"""Tables: the platform's own form, and those of banks by a mapping."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from services.grants.statement_files.delimited import (
    Column,
    DayFormat,
    Encoding,
    Sign,
    TableMapping,
    preview_table,
    read_csv,
    read_table,
    rows_of,
)
from services.grants.statement_files.formats import MediaType, StatementFile, read_file
from services.grants.statement_files.model import Direction, Entry, Unreadable

SPARKASSE = """\
"Auftragskonto";"Buchungstag";"Valutadatum";"Text";"End-to-End";"IBAN";"Betrag";"Waehrung"
"DE02100100100006820101";"30.11.26";"30.11.26";"Fee";"DIA-CSV-01";"BE68539007547034";"-1.040,50";"EUR"
"DE02100100100006820101";"30.11.26";"30.11.26";"Returned";"NOTPROVIDED";"";"12,00";"EUR"
"""
OF_SPARKASSE = TableMapping(
    columns={
        Column.ACCOUNT: ("Auftragskonto",),
        Column.BOOKED_ON: ("Buchungstag",),
        Column.VALUE_ON: ("Valutadatum",),
        Column.TEXT: ("Text",),
        Column.REFERENCE: ("End-to-End",),
        Column.COUNTERPARTY: ("IBAN",),
        Column.AMOUNT: ("Betrag",),
        Column.CURRENCY: ("Waehrung",),
    },
    day_format=DayFormat.SHORT_DOTS,
)
BALANCED = """Account 0012345 of Example Office
Date,Particulars,Ref,Withdrawals,Deposits,Balance
05/11/2026,OPENING TRANSFER,X1,,"1,000.00","1,000.00"
06/11/2026,COURSE DIA-CSV-02,X2,40.25,,959.75
07/11/2026,CHARGES,X3,0.75,,959.00
"""
OF_BALANCED = TableMapping(
    columns={
        Column.BOOKED_ON: ("Date",),
        Column.TEXT: ("Particulars",),
        Column.BANK_REFERENCE: ("Ref",),
        Column.DEBIT: ("Withdrawals",),
        Column.CREDIT: ("Deposits",),
        Column.BALANCE: ("Balance",),
    },
    separator=",",
    decimal=".",
    day_format=DayFormat.SLASHES,
    sign=Sign.TWO_COLUMNS,
    account="0012345",
    currency="GHS",
    header_row=2,
)


def entries_of(text: str, mapping: TableMapping) -> list[Entry]:
    return [e for s in read_table(rows_of(text, mapping), mapping) for e in s.entries]


def code_of(text: str, mapping: TableMapping) -> str:
    with pytest.raises(Unreadable) as refused:
        entries_of(text, mapping)
    return refused.value.code


def mapping_of(
    sign: Sign = Sign.MINUS_IS_DEBIT, decimal: str = ",", day_format: DayFormat = DayFormat.ISO
) -> TableMapping:
    columns = {Column.BOOKED_ON: ("day",), Column.AMOUNT: ("amount",), Column.DIRECTION: ("way",)}
    return TableMapping(
        columns=columns,
        decimal=decimal,
        day_format=day_format,
        sign=sign,
        debit_words=("D", "Soll", "دائن") if sign is Sign.WORD else (),
        account="A1",
        currency="EUR",
    )


def table(amount: str, day: str = "2026-11-30", way: str = "") -> str:
    return f'day;way;amount\n{day};{way};"{amount}"\n'


def test_a_banks_table_is_read_by_its_mapping() -> None:
    first, second = entries_of(SPARKASSE, OF_SPARKASSE)
    assert (first.direction, first.amount) == (Direction.DEBIT, Decimal("1040.50"))
    assert (first.reference, first.counterparty) == ("DIA-CSV-01", "BE68539007547034")
    assert (first.booked_on, first.value_on) == (date(2026, 11, 30), date(2026, 11, 30))
    assert (second.direction, second.reference) == (Direction.CREDIT, "")


def test_two_columns_and_a_running_balance() -> None:
    entries = entries_of(BALANCED, OF_BALANCED)
    assert [(e.direction.value, e.amount) for e in entries] == [
        ("credit", Decimal("1000.00")),
        ("debit", Decimal("40.25")),
        ("debit", Decimal("0.75")),
    ]
    assert "DIA-CSV-02" in entries[1].mentions
    header, *rows = BALANCED.splitlines()[1:]
    newest_first = "\n".join([BALANCED.splitlines()[0], header, *reversed(rows)])
    assert {e.content for e in entries_of(newest_first, OF_BALANCED)} == {
        e.content for e in entries
    }
    assert code_of(BALANCED.replace("40.25", "40.26"), OF_BALANCED) == "does_not_add_up"


@pytest.mark.parametrize(
    ("amount", "decimal", "expected"),
    [
        ("-40,00", ",", "-40.00"),
        ("40,00-", ",", "-40.00"),
        ("\u221240,00", ",", "-40.00"),
        ("(40.00)", ".", "-40.00"),
        ("+1.234.567,89", ",", "1234567.89"),
        ("1,234,567.89", ".", "1234567.89"),
        ("1 234,5", ",", "1234.5"),
        ("1\u00a0234,50", ",", "1234.50"),
        ("1'234.50", ".", "1234.50"),
        ("1234", ",", "1234"),
        ("EUR 12,50", ",", "12.50"),
        ("12,50 EUR", ",", "12.50"),
        ("\u0661\u0662\u066b\u0665\u0660", ",", "12.50"),
    ],
)
def test_amounts_as_people_write_them(amount: str, decimal: str, expected: str) -> None:
    (entry,) = entries_of(table(amount), mapping_of(decimal=decimal))
    assert entry.signed == Decimal(expected)


@pytest.mark.parametrize(
    ("amount", "decimal", "code"),
    [
        ("12.50", ",", "amount"),
        ("1,50", ".", "amount"),
        ("1.23.456,00", ",", "amount"),
        ("12,505", ",", "too_fine"),
        ("0,00", ",", "amount"),
        ("", ",", "amount"),
        ("12,50,00", ",", "amount"),
        ("NaN", ",", "amount"),
        ("1e3", ",", "amount"),
        ("12,50 USD", ",", "amount"),
    ],
)
def test_amounts_that_may_mean_something_else_are_refused(
    amount: str, decimal: str, code: str
) -> None:
    assert code_of(table(amount), mapping_of(decimal=decimal)) == code


@pytest.mark.parametrize(
    ("day_format", "day"),
    [
        (DayFormat.ISO, "2026-11-30"),
        (DayFormat.COMPACT, "20261130"),
        (DayFormat.DOTS, "30.11.2026"),
        (DayFormat.SHORT_DOTS, "30.11.26"),
        (DayFormat.SLASHES, "30/11/2026"),
        (DayFormat.HYPHENS, "30-11-2026"),
        (DayFormat.MONTH_FIRST, "11/30/2026"),
        (DayFormat.SLASHES, "\u0663\u0660/\u0661\u0661/\u0662\u0660\u0662\u0666"),
    ],
)
def test_days_are_read_in_the_form_that_was_saved_and_in_no_other(
    day_format: DayFormat, day: str
) -> None:
    (entry,) = entries_of(table("-1,00", day), mapping_of(day_format=day_format))
    assert entry.booked_on == date(2026, 11, 30)
    other = DayFormat.DOTS if day_format is not DayFormat.DOTS else DayFormat.ISO
    assert code_of(table("-1,00", day), mapping_of(day_format=other)) == "date"


def test_signs() -> None:
    reverse = mapping_of(Sign.MINUS_IS_CREDIT)
    assert entries_of(table("-1,00"), reverse)[0].direction is Direction.CREDIT
    words = mapping_of(Sign.WORD)
    assert entries_of(table("1,00", way="soll"), words)[0].direction is Direction.DEBIT
    assert entries_of(table("1,00", way="Haben"), words)[0].direction is Direction.CREDIT
    assert code_of(table("1,00"), words) == "direction"


def test_what_a_mapping_lacks_it_says() -> None:
    assert mapping_of().missing() == []
    assert TableMapping(columns={}).missing() == ["amount", "booked_on", "account", "currency"]
    assert "debit_words" in TableMapping(columns={}, sign=Sign.WORD).missing()
    assert code_of("a;b\n1;2\n", mapping_of()) == "columns_missing"
    assert code_of("", mapping_of()) == "columns_missing"


def test_a_preview_shows_what_can_be_read_and_what_not() -> None:
    text = SPARKASSE + SPARKASSE.splitlines()[1].replace("30.11.26", "2026-11-30") + "\n"
    preview = preview_table(rows_of(text, OF_SPARKASSE), OF_SPARKASSE, most=20)
    assert len(preview.entries) == 2
    assert [(problem.row, problem.code) for problem in preview.problems] == [(4, "date")]
    assert len(preview_table(rows_of(text, OF_SPARKASSE), OF_SPARKASSE, most=1).entries) == 1


def test_letters_of_any_bank() -> None:
    titles = {
        Column.BOOKED_ON: ("\u062a\u0627\u0631\u064a\u062e",),
        Column.AMOUNT: ("\u0645\u0628\u0644\u063a",),
    }
    text = "\u062a\u0627\u0631\u064a\u062e;\u0645\u0628\u0644\u063a\n2026-11-30;-1,00\n"
    for encoding in (Encoding.ARABIC, Encoding.UTF_8, None):
        mapping = replace(mapping_of(), columns=titles, encoding=encoding)
        content = text.encode(encoding or "utf-8")
        (statement,) = read_file(StatementFile(content, MediaType.CSV, mapping))
        assert len(statement.entries) == 1
    wrong = replace(mapping_of(), columns=titles, encoding=Encoding.UTF_8)
    with pytest.raises(Unreadable) as refused:
        read_file(StatementFile(text.encode("windows-1256"), MediaType.CSV, wrong))
    assert refused.value.code == "encoding"


OWN = (
    "account,statement,line,booking_date,direction,amount,currency,bank_reference,reference\n"
    "BE1,0005,1,2026-11-30,debit,40.00,EUR,,DIA-OWN-01\n"
)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("40.00", "40.001", "too_fine"),
        ("debit", "sideways", "direction"),
        ("2026-11-30", "30.11.2026", "date"),
        ("40.00", "NaN", "amount"),
        ("bank_reference", "reference_of_bank", "columns_missing"),
        ("BE1", "", "line"),
        (",DIA-OWN-01", "", "cells"),
        (",DIA-OWN-01", ",DIA-OWN-01,more", "cells"),
        ("EUR", "EURO", "currency"),
    ],
)
def test_the_own_form_is_strict(old: str, new: str, code: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_csv(OWN.replace(old, new))
    assert refused.value.code == code


def test_the_own_form_is_read_with_or_without_a_mark() -> None:
    for text in (OWN, "\ufeff" + OWN, OWN.replace("\n", "\r\n")):
        (statement,) = read_csv(text)
        assert (statement.number, statement.entries[0].key) == ("0005", "5/1")
        assert statement.entries[0].reference == "DIA-OWN-01"
