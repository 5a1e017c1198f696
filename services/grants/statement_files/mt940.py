"""SWIFT MT940, as banks send it rather than as the standard has it. Pure.

Strict where money depends on it: two balances, what lies between them, amounts, days and the
currency. What stands around the blocks, tags that say nothing about money, and how a type or an
empty line is written is passed over. Why no library reads it is in docs/adr.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from services.grants.statement_files.model import (
    MOST_ENTRIES,
    Balance,
    Direction,
    Entry,
    Statement,
    Unreadable,
    account_number,
    add_up,
    count_equals,
    exact_amount,
)
from services.grants.statement_files.references import Details, details_of, iban_of, sure

TAG = re.compile(r":(\d{2}[A-Z]?|NS):")
OF_A_STATEMENT = ("25", "28", "60", "61", "62")
BALANCE = re.compile(r"(?P<mark>[CD])(?P<day>\d{6})(?P<currency>[A-Z]{3})(?P<amount>\d{1,15},\d*)")
ENTRY = re.compile(
    r"(?P<value>\d{6})(?P<booked>\d{4}|[ ]{4})?[ ]*(?P<mark>R?[CD])[A-Z]?[ ]*"
    r"(?P<amount>\d{1,15},\d*)(?:[NFS][A-Z0-9 ]{3}(?P<typed>.*)|(?P<bare>\D.*|))"
)
MARKS = {
    "D": Direction.DEBIT,
    "RC": Direction.DEBIT,
    "C": Direction.CREDIT,
    "RD": Direction.CREDIT,
}
"""The reversal of a debit is a credit, and the other way round."""
FEBRUARY = 2


@dataclass
class _Movement:
    """What was read of an entry so far."""

    row: int
    line: int
    booked_on: date
    value_on: date | None
    direction: Direction
    amount: Decimal
    reference: str
    bank_reference: str
    supplement: str
    texts: list[str]

    @property
    def signed(self) -> Decimal:
        """The amount as it changes the balance."""
        return self.amount if self.direction is Direction.CREDIT else -self.amount

    def entry(self, statement: "_Block") -> Entry:
        """The entry, once all that belongs to it was read."""
        details = details_of("\n".join(self.texts)) if self.texts else Details()
        beside = details_of(self.supplement) if self.supplement else Details()
        return Entry(
            account=statement.account,
            currency=statement.currency,
            statement=statement.number,
            line=self.line,
            booked_on=self.booked_on,
            value_on=self.value_on,
            direction=self.direction,
            amount=self.amount,
            bank_reference=self.bank_reference,
            references=sure(*details.references, self.reference, *beside.references),
            mentions=(*details.mentions, *beside.mentions),
            counterparty=details.counterparty or iban_of(self.supplement),
            page=statement.page,
            opened_at=statement.opening.amount if statement.opening else None,
        )


@dataclass
class _Block:
    """What was read of a statement so far."""

    row: int
    raw_account: str = ""
    number: str = ""
    page: int = 1
    currency: str = ""
    opening: Balance | None = None
    closing: Balance | None = None
    movements: list[_Movement] = field(default_factory=list)

    @property
    def account(self) -> str:
        """The account as it is compared."""
        return account_number(self.raw_account, self.currency)

    def take(self, row: int, tag: str, value: str) -> None:
        """Read one field of it.

        Raises:
            Unreadable: It contradicts what was read, or cannot be read.
        """
        if tag == "25":
            self.raw_account = value.partition("\n")[0]
        elif tag.startswith("28"):
            self._number_is(value)
        elif tag.startswith("60"):
            self._opens(row, value)
        elif tag.startswith("62"):
            self._closes(row, value)
        elif tag == "61":
            self._moves(row, value)
        elif tag in {"86", "NS"} and self.movements and self.closing is None:
            self.movements[-1].texts.append(value)

    def _number_is(self, value: str) -> None:
        number, _, page = value.strip().partition("/")
        if page and not page.isdigit():
            number, page = value.strip(), ""
        self.number, self.page = number, int(page or 1)

    def _opens(self, row: int, value: str) -> None:
        if self.opening is not None:
            raise Unreadable(row, "order", "one opening balance in a statement")
        self.opening, self.currency = _balance(row, value)

    def _closes(self, row: int, value: str) -> None:
        if self.opening is None or self.closing is not None:
            raise Unreadable(row, "order", "an opening balance, the entries, one closing balance")
        self.closing, currency = _balance(row, value)
        if currency != self.currency:
            raise Unreadable(row, "currency", "both balances in the same currency")
        moved = sum((movement.signed for movement in self.movements), Decimal(0))
        add_up(row, self.opening, moved, self.closing)

    def _moves(self, row: int, value: str) -> None:
        if self.closing is not None:
            raise Unreadable(row, "order", "no entry after the closing balance")
        if self.opening is None or not self.raw_account.strip():
            raise Unreadable(row, "order", "an account and an opening balance before the entries")
        self.movements.append(_movement(row, value, self.currency, len(self.movements) + 1))

    def statement(self, row: int) -> Statement:
        """The statement, once its block ended; an entry of nothing is none.

        Raises:
            Unreadable: It has no closing balance: something is missing.
        """
        if self.closing is None or not self.account:
            raise Unreadable(row, "not_closed", "an account and two balances in each statement")
        return Statement(
            account=self.account,
            currency=self.currency,
            number=self.number,
            opening=self.opening,
            closing=self.closing,
            entries=tuple(movement.entry(self) for movement in self.movements if movement.amount),
            page=self.page,
        )


def read_mt940(text: str) -> list[Statement]:
    """Read any number of statements, each of which adds up to its closing balance.

    Raises:
        Unreadable: It is not one.
    """
    statements, block, movements = [], None, 0
    row = 1
    for row, tag, value in _fields(text):
        if tag in {"20", ""} and block is not None:
            statements.append(block.statement(row))
            block = None
        if tag == "20":
            block = _Block(row)
        elif block is not None:
            block.take(row, tag, value)
            movements += tag == "61"
        elif tag.startswith(OF_A_STATEMENT):
            raise Unreadable(row, "no_tag", "statements that begin with :20:")
        if movements > MOST_ENTRIES:
            raise Unreadable(row, "too_many", f"at most {MOST_ENTRIES} entries in a file")
    if block is not None:
        statements.append(block.statement(row))
    if not statements:
        raise Unreadable(1, "no_tag", "fields that begin with a tag such as :20:")
    return count_equals(statements)


def _fields(text: str) -> Iterator[tuple[int, str, str]]:
    """Row, tag and value of each field; an empty tag where a block ends.

    A value goes on over lines that begin with no tag. A line that begins with a hyphen ends a block
    once its balance was closed; before that only a lone hyphen does, as texts have others.
    """
    row, tag, value, closed = 0, "", "", False
    for number, line in enumerate(_lines(text), start=1):
        found = TAG.match(line)
        ends = line.rstrip() == "-" or line.startswith("-}") or (closed and line.startswith("-"))
        if found is None and not ends:
            value += "\n" + line
            continue
        if tag:
            yield row, tag, value.rstrip()
        if found is None:
            yield number, "", ""
            row, tag, value, closed = number, "", "", False
        else:
            row, tag, value = number, found[1], line[found.end() :]
            closed = tag.startswith("62") or (closed and not tag.startswith("20"))
    if tag:
        yield row, tag, value.rstrip()


def _lines(text: str) -> Iterator[str]:
    """Lines without what only a transport put there: control signs, and the envelope of SWIFT."""
    for line in re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")):
        plain = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", line)
        if plain.startswith("{"):
            _, opened, rest = plain.partition("{4:")
            plain = rest if opened else ""
        yield plain


def _movement(row: int, value: str, currency: str, line: int) -> _Movement:
    first, *texts = value.split("\n")
    found = ENTRY.fullmatch(first.rstrip())
    if found is None:
        right = "an entry: days, mark, amount with a comma, type, reference"
        raise Unreadable(row, "entry", right)
    reference, _, bank_reference = (found["typed"] or found["bare"] or "").partition("//")
    booked_on, value_on = _days(row, found["value"], (found["booked"] or "").strip())
    return _Movement(
        row=row,
        line=line,
        booked_on=booked_on,
        value_on=value_on,
        direction=MARKS[found["mark"]],
        amount=exact_amount(found["amount"].replace(",", "."), currency, row, nothing=True),
        reference=reference.strip(),
        bank_reference=bank_reference.strip()[:35],
        supplement="\n".join(texts).strip(),
        texts=[],
    )


def _balance(row: int, value: str) -> tuple[Balance, str]:
    found = BALANCE.fullmatch(value.strip())
    if found is None:
        right = "a balance: C or D, day, currency, amount with a comma"
        raise Unreadable(row, "balance", right)
    currency = found["currency"]
    amount = exact_amount(found["amount"].replace(",", "."), currency, row, nothing=True)
    day = _short_day(found["day"])
    if day is None:
        raise Unreadable(row, "date", "a day that there is")
    return Balance(day, amount if found["mark"] == "C" else -amount), currency


def _days(row: int, value: str, booked: str) -> tuple[date, date | None]:
    """The booking day, which has no year of its own, and the day of value.

    Interest is reckoned in months of thirty days: the 29th and 30th of February are days of value
    that there are not. They are left out where the booking day is there.
    """
    valued = _short_day(value)
    reckoned = valued is None and int(value[2:4]) == FEBRUARY and value[4:] in {"29", "30"}
    near = _short_day(f"{value[:4]}28") if reckoned and booked else valued
    if near is None:
        raise Unreadable(row, "date", "a day that there is")
    if not booked:
        return near, valued
    years = (near.year, near.year + 1, near.year - 1)
    days = [day for year in years if (day := _day_of(year, booked)) is not None]
    if not days:
        raise Unreadable(row, "date", "a day that there is")
    return min(days, key=lambda day: abs((day - near).days)), valued


def _day_of(year: int, month_and_day: str) -> date | None:
    try:
        return date(year, int(month_and_day[:2]), int(month_and_day[2:]))
    except ValueError:
        return None


def _short_day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None
