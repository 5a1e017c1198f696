"""Bank statements as they are read: MT940 and CSV give the same entries. Pure.

Why MT940 is read here and not by a library is in docs/adr/0006.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from contracts.currencies import is_exact

MOST_ENTRIES = 5000
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
BALANCE = re.compile(
    r"(?P<mark>[CD])(?P<day>\d{6})(?P<currency>[A-Z]{3})(?P<amount>\d{1,15},\d{0,3})"
)
ENTRY = re.compile(
    r"(?P<value>\d{6})(?P<booked>\d{4})?(?P<mark>R?[CD])[A-Z]?(?P<amount>\d{1,15},\d{0,3})"
    r"[NFS][A-Z0-9]{3}(?P<reference>[^/\n]{0,35})(//(?P<bank>[^\n]{1,34}))?"
)
END_TO_END = re.compile(r"/EREF/([A-Z0-9-]{4,35})(?=/|$)")
MARKS = {"D": "debit", "RC": "debit", "C": "credit", "RD": "credit"}
"""The reversal of a debit is a credit, and the other way round."""


class Unreadable(ValueError):  # noqa: N818 - it says where a file cannot be read
    """A file is not a statement.

    Attributes:
        row: Line of the file, from 1.
        code: What is wrong.
        right: What would be right.
    """

    def __init__(self, row: int, code: str, right: str) -> None:
        super().__init__(code)
        self.row, self.code, self.right = row, code, right


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a statement; the bank's free text is left behind."""

    account: str
    statement: str
    line: int
    booked_on: date
    direction: str
    amount: Decimal
    currency: str
    bank_reference: str
    reference: str
    page: int = 1
    """Of the statement; lines are counted on each."""

    @property
    def key(self) -> str:
        """The bank's name for the entry within its statement, else its place there."""
        return self.bank_reference or (
            f"page {self.page} line {self.line}" if self.page > 1 else f"line {self.line}"
        )

    @property
    def of(self) -> tuple[str, int, str, str]:
        """The statement that it is of: numbers begin again each year, so the year of the entry is a
        part of it.
        """
        return self.account, self.booked_on.year, self.statement, self.currency

    @property
    def content(self) -> tuple[date, str, Decimal, str]:
        """What it says; the same entry says the same however often it is sent."""
        return self.booked_on, self.direction, self.amount, self.reference


def read_csv(text: str) -> list[Entry]:
    """Read a statement as the bank's portal exports it; with or without a byte order mark.

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
        if row["direction"] not in MARKS.values():
            raise Unreadable(number, "direction", "debit or credit")
        if not row["line"].isdigit() or not row["account"]:
            raise Unreadable(number, "line", "an account, and a line counted from 1")
        entries.append(
            Entry(
                row["account"],
                row["statement"],
                int(row["line"]),
                _day(row["booking_date"], number),
                row["direction"],
                _amount(row["amount"], row["currency"], number),
                row["currency"],
                row["bank_reference"],
                row["reference"],
            )
        )
        if len(entries) > MOST_ENTRIES:
            raise Unreadable(number, "too_many", f"at most {MOST_ENTRIES} entries in a file")
    return entries


def read_mt940(text: str) -> list[Entry]:
    """Read SWIFT MT940: any number of statements, each of which adds up to its closing balance.

    Raises:
        Unreadable: It is not one.
    """
    entries: list[Entry] = []
    statement = _Statement()
    for row, tag, value in _fields(text):
        if tag == "20":
            statement = _Statement()
        elif tag == "25":
            statement.header[tag] = value.strip()
        elif tag == "28C":
            number, _, page = value.strip().partition("/")
            if page and not page.isdigit():
                raise Unreadable(row, "page", "a number, and a page counted from 1")
            statement.header[tag], statement.page = number, int(page or 1)
        elif tag[:2] in {"60", "62"}:
            statement.balance_is(row, tag, value)
        elif tag == "61":
            entries.append(statement.entry(row, value))
        elif tag == "86" and statement.count:
            reference = END_TO_END.search(value.replace("\n", ""))
            entries[-1] = replace(
                entries[-1], reference=reference[1] if reference else entries[-1].reference
            )
        if len(entries) > MOST_ENTRIES:
            raise Unreadable(row, "too_many", f"at most {MOST_ENTRIES} entries in a file")
    return entries


@dataclass
class _Statement:
    """What was read of a statement so far."""

    header: dict[str, str] = field(default_factory=dict)
    balance: Decimal = Decimal(0)
    currency: str = ""
    page: int = 1
    count: int = 0

    def balance_is(self, row: int, tag: str, value: str) -> None:
        """Begin with the opening balance, and compare with the closing one."""
        found = BALANCE.fullmatch(value.strip())
        if found is None:
            raise Unreadable(
                row, "balance", "a balance: C or D, day, currency, amount with a comma"
            )
        amount = _signed(found, row)
        if tag.startswith("60"):
            self.balance, self.currency = amount, found["currency"]
        elif self.balance != amount or found["currency"] != self.currency:
            raise Unreadable(
                row, "does_not_add_up", "a closing balance that is the opening one and the entries"
            )

    def entry(self, row: int, value: str) -> Entry:
        """The next entry."""
        if {"25", "28C"} - self.header.keys() or not self.currency:
            raise Unreadable(
                row, "order", "an account, a number and an opening balance before the entries"
            )
        self.count += 1
        entry = replace(_entry(row, value, self.header, self.currency, self.count), page=self.page)
        self.balance += entry.amount if entry.direction == "credit" else -entry.amount
        return entry


def _fields(text: str) -> Iterator[tuple[int, str, str]]:
    """Row, tag and value; a value goes on over lines that begin with no tag."""
    row, tag, value = 0, "", ""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        found = re.match(r":(\d{2}[A-Z]?):", line)
        if found is None and line.strip() not in {"", "-", "-}"} and not line.startswith("{"):
            if not tag:
                raise Unreadable(number, "no_tag", "lines that begin with a tag such as :61:")
            value += "\n" + line
            continue
        if tag:
            yield row, tag, value
        row, tag, value = (number, found[1], line[found.end() :]) if found else (number, "", "")
    if tag:
        yield row, tag, value


def _entry(row: int, value: str, header: Mapping[str, str], currency: str, line: int) -> Entry:
    found = ENTRY.match(value)
    if found is None:
        raise Unreadable(
            row, "entry", "an entry: dates, mark, amount with a comma, type, reference"
        )
    valued = _short_day(found["value"], row)
    booked = valued
    if found["booked"]:
        years = (valued.year, valued.year + 1, valued.year - 1)
        days = [day for year in years if (day := _day_of(year, found["booked"])) is not None]
        if not days:
            raise Unreadable(row, "date", "a day that there is")
        booked = min(days, key=lambda day: abs((day - valued).days))
    return Entry(
        header["25"],
        header["28C"],
        line,
        booked,
        MARKS[found["mark"]],
        _amount(found["amount"].replace(",", "."), currency, row),
        currency,
        (found["bank"] or "").strip(),
        found["reference"].strip(),
    )


def _day_of(year: int, month_and_day: str) -> date | None:
    try:
        return date(year, int(month_and_day[:2]), int(month_and_day[2:]))
    except ValueError:
        return None


def _short_day(text: str, row: int) -> date:
    try:
        return datetime.strptime(text, "%y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise Unreadable(row, "date", "a day that there is") from None


def _day(text: str, row: int) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unreadable(row, "date", "a day as YYYY-MM-DD") from None


def _signed(found: re.Match[str], row: int) -> Decimal:
    amount = _amount(found["amount"].replace(",", "."), found["currency"], row, nothing=True)
    return amount if found["mark"] == "C" else -amount


def _amount(text: str, currency: str, row: int, *, nothing: bool = False) -> Decimal:
    try:
        amount = Decimal(text.removesuffix("."))
    except InvalidOperation:
        raise Unreadable(row, "amount", "an exact amount") from None
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise Unreadable(row, "currency", "a currency of ISO 4217")
    if (
        not amount.is_finite()
        or amount < 0
        or (not amount and not nothing)
        or amount >= Decimal(10) ** 15
    ):
        raise Unreadable(row, "amount", "an amount above zero")
    if not is_exact(amount, currency):
        raise Unreadable(row, "too_fine", "no more decimals than the currency has")
    return amount
