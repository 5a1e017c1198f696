"""What any bank's file is read into: statements of one account in one currency, and their entries.

MT940, camt and tables give the same model, so that the same entry is known again whichever way it
comes. Pure; the bank's free text is searched for references and then left behind.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from contracts.currencies import is_exact

MOST_ENTRIES = 5000
KEPT = re.compile(r"(?=.*\d)[A-Z0-9/.:+-]{4,35}")
TOO_LARGE = Decimal(10) ** 15


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


class Direction(StrEnum):
    """Which way money went, seen from the account."""

    DEBIT = "debit"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class Balance:
    """What was in the account at the end of a day; below zero where it was overdrawn."""

    day: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of an account.

    Attributes:
        account: The account, without blanks.
        currency: ISO 4217.
        statement: The number of its statement as the bank writes it: it may be empty, or always 0.
        line: Its place in the statement, from 1.
        booked_on: When the bank booked it.
        value_on: From when it bears interest; None where the file does not say.
        direction: Which way.
        amount: Above zero.
        bank_reference: The bank's own name for it; empty where it has none.
        references: What the payer or the payee called it, surest first: the end-to-end reference,
            a structured one, the one of the owner of the account.
        mentions: What else its texts hold that has the form of a reference.
        counterparty: The account of the other side, without blanks; empty where it is not told.
        equal_before: How many entries of the file before it say the very same.
        page: Of the statement; lines are counted on each.
        opened_at: The opening balance of its statement, by which a statement without a number is
            told from the next one; None where there is none.
    """

    account: str
    currency: str
    statement: str
    line: int
    booked_on: date
    value_on: date | None
    direction: Direction
    amount: Decimal
    bank_reference: str = ""
    references: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    counterparty: str = ""
    equal_before: int = 0
    page: int = 1
    opened_at: Decimal | None = None

    @property
    def reference(self) -> str:
        """The surest reference that is kept; empty where there is none.

        What has no digit may be a name: payments are looked for by it, and it is left behind.
        """
        return next(filter(KEPT.fullmatch, self.references), "")

    @property
    def key(self) -> str:
        """What tells it from entries that say the same: the bank's reference, else its statement.

        A word without a digit (`FEE`, `NONREF`) names a kind and no entry. Empty where nothing
        tells it apart: a notice, or a list without numbers.
        """
        if any(character.isdigit() for character in self.bank_reference):
            return self.bank_reference
        number = statement_number(self.statement)
        if number:
            return f"{number}/{self.page}"
        return "" if self.opened_at is None else f"@{self.opened_at.normalize():f}"

    @property
    def content(self) -> tuple[str, str, date, str, Decimal, str]:
        """What it says, however often and in whichever form it is sent."""
        return (
            self.account,
            self.currency,
            self.booked_on,
            self.direction.value,
            self.amount,
            self.reference,
        )

    @property
    def signed(self) -> Decimal:
        """The amount as it changes the balance."""
        return self.amount if self.direction is Direction.CREDIT else -self.amount


@dataclass(frozen=True, slots=True)
class Statement:
    """What a bank says of one account in one currency.

    Attributes:
        account: The account, without blanks.
        currency: ISO 4217.
        number: As the bank writes it; it may be empty, or always 0.
        opening: None where entries are only notified.
        closing: As `opening`.
        entries: In the order of the file.
        page: Of the statement.
    """

    account: str
    currency: str
    number: str
    opening: Balance | None
    closing: Balance | None
    entries: tuple[Entry, ...] = field(default=())
    page: int = 1


def account_number(text: str, currency: str = "") -> str:
    """An account as it is compared: no blanks, no leading slash, no currency glued to its end."""
    account = re.sub(r"\s", "", text).lstrip("/").upper()
    bare = account.removesuffix(currency) if currency else account
    return bare if bare[-1:].isdigit() else account


def statement_number(text: str) -> str:
    """A number as it is compared; empty for none and for 0, which some banks give for ever."""
    number = re.sub(r"\s", "", text)
    return number.lstrip("0") if number.isdigit() else number


def exact_amount(text: str, currency: str, row: int, *, nothing: bool = False) -> Decimal:
    """An amount that its currency can have, written with a point.

    Args:
        text: Digits with at most one point.
        currency: ISO 4217.
        row: Where it stands.
        nothing: Whether it may be zero, as a balance.

    Raises:
        Unreadable: It is none.
    """
    try:
        amount = Decimal(text.removesuffix("."))
    except InvalidOperation:
        raise Unreadable(row, "amount", "an exact amount") from None
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise Unreadable(row, "currency", "a currency of ISO 4217")
    if not amount.is_finite() or amount < 0 or amount >= TOO_LARGE or (not amount and not nothing):
        raise Unreadable(row, "amount", "an amount above zero")
    if not is_exact(amount, currency):
        raise Unreadable(row, "too_fine", "no more decimals than the currency has")
    return amount


def add_up(row: int, opening: Balance, moved: Decimal, closing: Balance) -> None:
    """Refuse a statement whose entries together do not lead from one balance to the other.

    Raises:
        Unreadable: They do not.
    """
    if opening.amount + moved != closing.amount:
        right = "a closing balance that is the opening one and the entries"
        raise Unreadable(row, "does_not_add_up", right)


def count_equals(statements: Iterable[Statement]) -> list[Statement]:
    """Number the entries of a file that say the very same, so that none of them is lost.

    Raises:
        Unreadable: There are more than `MOST_ENTRIES`.
    """
    seen: Counter[tuple[object, ...]] = Counter()
    counted = []
    for statement in statements:
        entries = []
        for entry in statement.entries:
            same = (*entry.content, entry.key)
            entries.append(replace(entry, equal_before=seen[same]))
            seen[same] += 1
        counted.append(replace(statement, entries=tuple(entries)))
    if seen.total() > MOST_ENTRIES:
        raise Unreadable(1, "too_many", f"at most {MOST_ENTRIES} entries in a file")
    return counted
