"""Tables of entries: the platform's own form, and any bank's by a mapping that an office keeps.

A table has no balances; where it has a running one it must agree with the amounts. Cells come as
text, whether they were read from CSV or from a workbook. Pure.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from services.grants.statement_files.model import (
    MOST_ENTRIES,
    Direction,
    Entry,
    Statement,
    Unreadable,
    account_number,
    count_equals,
    exact_amount,
)
from services.grants.statement_files.references import mentioned, sure, tidy

Row = tuple[int, Sequence[str]]
"""Its number in the file, from 1, and its cells."""
COLUMNS = (
    "account",
    "statement",
    "line",
    "booking_date",
    "direction",
    "amount",
    "currency",
    "bank_reference",
    "reference",
)
"""The platform's own form; others beside them are passed over."""
MINUS = "-\u2212\u2013"


class DayFormat(StrEnum):
    """How a bank writes days."""

    ISO = "YYYY-MM-DD"
    COMPACT = "YYYYMMDD"
    DOTS = "DD.MM.YYYY"
    SHORT_DOTS = "DD.MM.YY"
    SLASHES = "DD/MM/YYYY"
    HYPHENS = "DD-MM-YYYY"
    MONTH_FIRST = "MM/DD/YYYY"


PATTERNS: Mapping[DayFormat, str] = {
    DayFormat.ISO: "%Y-%m-%d",
    DayFormat.COMPACT: "%Y%m%d",
    DayFormat.DOTS: "%d.%m.%Y",
    DayFormat.SHORT_DOTS: "%d.%m.%y",
    DayFormat.SLASHES: "%d/%m/%Y",
    DayFormat.HYPHENS: "%d-%m-%Y",
    DayFormat.MONTH_FIRST: "%m/%d/%Y",
}


class Sign(StrEnum):
    """How a bank tells money out from money in."""

    MINUS_IS_DEBIT = "minus_is_debit"
    """One column; what leaves the account is below zero."""
    MINUS_IS_CREDIT = "minus_is_credit"
    TWO_COLUMNS = "two_columns"
    """`debit` and `credit`, of which one is filled."""
    WORD = "word"
    """A column of words, of which `debit_words` mean a debit."""


class Encoding(StrEnum):
    """As which bytes a bank writes letters, where a file does not tell."""

    UTF_8 = "utf-8"
    WESTERN = "windows-1252"
    CENTRAL = "windows-1250"
    ARABIC = "windows-1256"
    CYRILLIC = "windows-1251"
    DOS_CENTRAL = "cp852"


class Column(StrEnum):
    """What a column of a bank's table can hold."""

    BOOKED_ON = "booked_on"
    VALUE_ON = "value_on"
    AMOUNT = "amount"
    DEBIT = "debit"
    CREDIT = "credit"
    DIRECTION = "direction"
    CURRENCY = "currency"
    ACCOUNT = "account"
    STATEMENT = "statement"
    BALANCE = "balance"
    BANK_REFERENCE = "bank_reference"
    REFERENCE = "reference"
    COUNTERPARTY = "counterparty"
    TEXT = "text"


NEEDED: Mapping[Sign, frozenset[Column]] = {
    Sign.MINUS_IS_DEBIT: frozenset({Column.AMOUNT}),
    Sign.MINUS_IS_CREDIT: frozenset({Column.AMOUNT}),
    Sign.TWO_COLUMNS: frozenset({Column.DEBIT, Column.CREDIT}),
    Sign.WORD: frozenset({Column.AMOUNT, Column.DIRECTION}),
}


@dataclass(frozen=True, slots=True)
class TableMapping:
    """How one bank's table is read, as an office keeps it.

    Attributes:
        columns: Names of the header row by what they hold; `TEXT` may be several.
        separator: Between cells of a CSV.
        decimal: The sign between units and their parts.
        day_format: How days are written.
        sign: How a debit is told from a credit.
        debit_words: Where a word tells it, those that mean a debit, in any case.
        account: Where no column holds it.
        currency: Where no column holds it.
        header_row: Which row names the columns, from 1; what is above is passed over.
        encoding: As which bytes letters are written; None for what the file tells.
    """

    columns: Mapping[Column, tuple[str, ...]]
    separator: str = ";"
    decimal: str = ","
    day_format: DayFormat = DayFormat.ISO
    sign: Sign = Sign.MINUS_IS_DEBIT
    debit_words: tuple[str, ...] = ()
    account: str = ""
    currency: str = ""
    header_row: int = 1
    encoding: Encoding | None = None

    def missing(self) -> list[str]:
        """What it does not say and has to: columns, or a constant instead of them."""
        needed = {Column.BOOKED_ON, *NEEDED[self.sign]}
        lacking = [column.value for column in sorted(needed - set(self.columns))]
        if not self.account and Column.ACCOUNT not in self.columns:
            lacking.append("account")
        if not self.currency and Column.CURRENCY not in self.columns:
            lacking.append("currency")
        if self.sign is Sign.WORD and not self.debit_words:
            lacking.append("debit_words")
        return lacking


@dataclass(frozen=True, slots=True)
class Preview:
    """What a mapping makes of a table.

    Attributes:
        entries: Those that can be read.
        problems: Those rows that cannot.
    """

    entries: tuple[Entry, ...] = ()
    problems: tuple[Unreadable, ...] = field(default=())


def read_csv(text: str) -> list[Statement]:
    """Read the platform's own form, with or without a byte order mark.

    Raises:
        Unreadable: It is not one.
    """
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise Unreadable(1, "columns_missing", "the columns " + ", ".join(COLUMNS))
    entries = []
    for number, row in enumerate(rows, start=2):
        if None in row or any(row[name] is None for name in COLUMNS):
            raise Unreadable(number, "cells", "as many cells as columns")
        entries.append(_own_entry(number, row))
        _check_count(number, entries)
    return _statements(entries)


def rows_of(text: str, mapping: TableMapping) -> list[Row]:
    """The rows of a CSV, numbered as an editor shows them.

    Raises:
        Unreadable: A cell that was opened is never closed.
    """
    reader = csv.reader(
        io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=mapping.separator
    )
    try:
        return [(reader.line_num, row) for row in reader]
    except csv.Error:
        raise Unreadable(reader.line_num, "cells", "rows of cells") from None


def read_table(rows: Iterable[Row], mapping: TableMapping) -> list[Statement]:
    """Read a bank's table by a mapping: all of it, or nothing.

    Raises:
        Unreadable: A row cannot be read, or the running balance contradicts the amounts.
    """
    entries: list[Entry] = []
    balances: list[tuple[int, Decimal]] = []
    for number, cells, reader in _read(rows, mapping):
        entries.append(reader.entry(number, cells, len(entries) + 1))
        _check_count(number, entries)
        balance = reader.balance(number, cells)
        if balance is not None:
            balances.append((number, balance))
    accounts = {(entry.account, entry.currency) for entry in entries}
    if len(accounts) == 1 and len(balances) == len(entries):
        _check_running(entries, balances)
    return _statements(entries)


def preview_table(rows: Iterable[Row], mapping: TableMapping, most: int) -> Preview:
    """What a mapping makes of the first rows: the entries, and what is wrong with the others.

    Raises:
        Unreadable: The columns are not there.
    """
    entries: list[Entry] = []
    problems: list[Unreadable] = []
    for number, cells, reader in _read(rows, mapping):
        if len(entries) + len(problems) == most:
            break
        try:
            entries.append(reader.entry(number, cells, len(entries) + 1))
        except Unreadable as problem:
            problems.append(problem)
    return Preview(tuple(entries), tuple(problems))


class _Reader:
    """Reads the rows of one table.

    Args:
        mapping: How.
        header: The names of its columns.
        row: Where they stand.
    """

    def __init__(self, mapping: TableMapping, header: Sequence[str], row: int) -> None:
        self.mapping = mapping
        names = [_bare(name) for name in header]
        wanted = {
            column: [_bare(name) for name in titles] for column, titles in mapping.columns.items()
        }
        absent = [name for titles in wanted.values() for name in titles if name not in names]
        if absent or mapping.missing():
            raise Unreadable(row, "columns_missing", "the columns that the mapping names")
        self.places = {
            column: [names.index(name) for name in titles] for column, titles in wanted.items()
        }
        self.width = max(place for places in self.places.values() for place in places)

    def entry(self, row: int, cells: Sequence[str], line: int) -> Entry:
        """The entry of a row.

        Raises:
            Unreadable: It cannot be read.
        """
        if len(cells) <= self.width:
            raise Unreadable(row, "cells", "as many cells as columns")
        currency = (self.mapping.currency or self.cell(cells, Column.CURRENCY)).upper()
        account = self.mapping.account or self.cell(cells, Column.ACCOUNT)
        if not account:
            raise Unreadable(row, "account", "an account")
        direction, amount = self._movement(row, cells, currency)
        value_on = self.cell(cells, Column.VALUE_ON)
        texts = [cells[place] for place in self.places.get(Column.TEXT, ())]
        return Entry(
            account=account_number(account, currency),
            currency=currency,
            statement=self.cell(cells, Column.STATEMENT),
            line=line,
            booked_on=self._day(self.cell(cells, Column.BOOKED_ON), row),
            value_on=self._day(value_on, row) if value_on else None,
            direction=direction,
            amount=exact_amount(format(amount, "f"), currency, row),
            bank_reference=self.cell(cells, Column.BANK_REFERENCE)[:35],
            references=sure(self.cell(cells, Column.REFERENCE)),
            mentions=mentioned("\n".join(texts)),
            counterparty=account_number(self.cell(cells, Column.COUNTERPARTY)),
        )

    def balance(self, row: int, cells: Sequence[str]) -> Decimal | None:
        """The running balance after a row, where the table has one."""
        text = self.cell(cells, Column.BALANCE)
        return _number(text, self.mapping.decimal, row) if text else None

    def cell(self, cells: Sequence[str], column: Column) -> str:
        """The trimmed text of a column; empty where the table has none."""
        places = self.places.get(column, ())
        return cells[places[0]].strip() if places else ""

    def _movement(self, row: int, cells: Sequence[str], currency: str) -> tuple[Direction, Decimal]:
        mapping = self.mapping
        if mapping.sign is Sign.TWO_COLUMNS:
            return self._of_two(row, cells)
        amount = _number(_without(self.cell(cells, Column.AMOUNT), currency), mapping.decimal, row)
        if mapping.sign is Sign.WORD:
            words = {word.casefold() for word in mapping.debit_words}
            word = self.cell(cells, Column.DIRECTION).casefold()
            if not word:
                raise Unreadable(row, "direction", "a word that says debit or credit")
            debit = word in words
        else:
            debit = (amount < 0) == (mapping.sign is Sign.MINUS_IS_DEBIT)
        return Direction.DEBIT if debit else Direction.CREDIT, abs(amount)

    def _of_two(self, row: int, cells: Sequence[str]) -> tuple[Direction, Decimal]:
        amounts = {}
        for column, direction in (
            (Column.DEBIT, Direction.DEBIT),
            (Column.CREDIT, Direction.CREDIT),
        ):
            text = self.cell(cells, column)
            amount = _number(text, self.mapping.decimal, row) if text else Decimal(0)
            if amount:
                amounts[direction] = abs(amount)
        if len(amounts) != 1:
            raise Unreadable(row, "direction", "an amount as debit or as credit")
        return next(iter(amounts.items()))

    def _day(self, text: str, row: int) -> date:
        pattern = PATTERNS[self.mapping.day_format]
        try:
            return datetime.strptime(_folded(text), pattern).date()  # noqa: DTZ007 - a day
        except ValueError:
            right = f"a day as {self.mapping.day_format.value}"
            raise Unreadable(row, "date", right) from None


def _read(
    rows: Iterable[Row], mapping: TableMapping
) -> Iterable[tuple[int, Sequence[str], _Reader]]:
    """The rows below the header that hold anything, and their reader."""
    reader = None
    for place, (number, cells) in enumerate(rows, start=1):
        if place == mapping.header_row:
            reader = _Reader(mapping, cells, number)
        elif reader is not None and any(cell.strip() for cell in cells):
            yield number, cells, reader
    if reader is None:
        raise Unreadable(mapping.header_row, "columns_missing", "a row that names the columns")


def _own_entry(number: int, row: Mapping[str, str]) -> Entry:
    directions = {direction.value for direction in Direction}
    if row["direction"] not in directions:
        raise Unreadable(number, "direction", "debit or credit")
    if not row["line"].isdigit() or not row["account"].strip():
        raise Unreadable(number, "line", "an account, and a line counted from 1")
    try:
        booked_on = date.fromisoformat(row["booking_date"])
    except ValueError:
        raise Unreadable(number, "date", "a day as YYYY-MM-DD") from None
    reference = tidy(row["reference"])
    return Entry(
        account=account_number(row["account"], row["currency"]),
        currency=row["currency"],
        statement=row["statement"].strip(),
        line=int(row["line"]),
        booked_on=booked_on,
        value_on=None,
        direction=Direction(row["direction"]),
        amount=exact_amount(row["amount"], row["currency"], number),
        bank_reference=row["bank_reference"].strip()[:35],
        references=(reference,) if reference else (),
        mentions=mentioned(row.get("text") or ""),
    )


def _statements(entries: Sequence[Entry]) -> list[Statement]:
    """The entries by account, currency and number, each in the order of the file."""
    grouped: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        grouped.setdefault((entry.account, entry.currency, entry.statement), []).append(entry)
    return count_equals(
        Statement(account, currency, number, None, None, tuple(group))
        for (account, currency, number), group in grouped.items()
    )


def _check_count(number: int, entries: Sequence[Entry]) -> None:
    if len(entries) > MOST_ENTRIES:
        raise Unreadable(number, "too_many", f"at most {MOST_ENTRIES} entries in a file")


def _check_running(entries: Sequence[Entry], balances: Sequence[tuple[int, Decimal]]) -> None:
    """Refuse a table whose running balance does not follow the amounts, oldest or newest first."""
    steps = [
        (number, after - before, one.signed, other.signed)
        for (_, before), (number, after), one, other in zip(
            balances, balances[1:], entries, entries[1:], strict=False
        )
    ]
    rising = next((number for number, step, _, moved in steps if step != moved), None)
    falling = next((number for number, step, moved, _ in steps if step != -moved), None)
    if rising is not None and falling is not None:
        right = "a running balance that follows the amounts"
        raise Unreadable(max(rising, falling), "does_not_add_up", right)


def _number(text: str, decimal: str, row: int) -> Decimal:
    """An amount as people write it; the sign may stand before or behind, or be brackets."""
    plain = re.sub(r"[\s'\u2019\u00a0\u202f\u066c]", "", _folded(text)).replace("\u066b", decimal)
    negative = plain[:1] in MINUS or plain[-1:] in MINUS or plain.startswith("(")
    plain = plain.strip("+()" + MINUS)
    group = "." if decimal == "," else ","
    pattern = rf"(\d+|\d{{1,3}}(\{group}\d{{3}})+)(\{decimal}\d{{1,5}})?"
    if not plain or not re.fullmatch(pattern, plain):
        raise Unreadable(row, "amount", f"an amount with {decimal!r} before its parts")
    amount = Decimal(plain.replace(group, "").replace(decimal, "."))
    return -amount if negative else amount


def _folded(text: str) -> str:
    """A text with its digits as ASCII has them; banks write those of their script."""
    return re.sub(r"\d", lambda digit: str(int(digit[0])), text)


def _without(text: str, currency: str) -> str:
    """An amount without the currency that some banks write beside it."""
    return re.sub(rf"\b{currency}\b", "", text) if currency.isalpha() else text


def _bare(name: str) -> str:
    return re.sub(r"\s+", " ", name.strip().casefold())
