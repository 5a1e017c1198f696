"""ISO 20022 cash management: camt.053 statements, camt.052 reports, camt.054 notices. Pure.

Every version in use says the same under the same local names, so elements are found by these, in
whatever namespace and envelope. Nothing outside the file is fetched, no entity is expanded, and a
file with a document type is refused.
"""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

from lxml import etree

from services.grants.statement_files.model import (
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
from services.grants.statement_files.references import mentioned, sure

STATEMENTS = {"Stmt": True, "Rpt": False, "Ntfctn": False}
"""Of camt.053, .052 and .054, and whether it is booked, with two balances."""
OPENING, CLOSING, INTERIM = ("OPBD", "PRCD"), ("CLBD",), "ITBD"
SIGNS = {"CRDT": Direction.CREDIT, "DBIT": Direction.DEBIT}
AMOUNT = re.compile(r"\d{1,18}(\.\d{1,5})?|\.\d{1,5}")
DAY = re.compile(r"(?P<day>\d{4}-\d{2}-\d{2})(T[0-9:.]+)?(Z|[+-]\d{2}:\d{2})?")
"""The day where the bank is: the one that stands there, whatever its zone."""
NUMBERS = ("ElctrncSeqNb", "LglSeqNb")

Element: TypeAlias = Any
"""Of lxml, which brings no types."""


def read_camt(content: bytes) -> list[Statement]:
    """Read the statements, reports and notices of a message.

    Raises:
        Unreadable: It is not one.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        row = getattr(error, "lineno", None) or 1
        raise Unreadable(row, "xml", "an XML document that is well-formed") from None
    if root.getroottree().docinfo.doctype:
        raise Unreadable(1, "doctype", "a document without a document type")
    found = [
        element
        for element in root.iter(*(f"{{*}}{name}" for name in STATEMENTS))
        if _find(element, "Acct") is not None
    ]
    if not found:
        raise Unreadable(1, "no_statement", "a message camt.053, camt.052 or camt.054")
    return count_equals([_statement(element) for element in found])


def _statement(element: Element) -> Statement:
    booked = STATEMENTS[etree.QName(element).localname]
    opening, closing, currency = _balances(element)
    currency = _text(element, "Acct", "Ccy") or currency or _first_currency(element)
    account = _text(element, "Acct", "Id", "IBAN") or _text(element, "Acct", "Id", "Othr", "Id")
    number, page = _number(element) if booked else ("", 1)
    if not account:
        raise Unreadable(_row(element), "account", "the account of each statement")
    account = account_number(account, currency)
    entries: list[Entry] = []
    for entry in _children(element, "Ntry"):
        if _status(entry) != "BOOK":
            continue  # announced or expected: it may never be booked
        read = _Entry(entry, account, currency, number, page, opening if booked else None)
        entries.extend(read.entries(len(entries)))
    if booked and (opening is None or closing is None):
        raise Unreadable(_row(element), "not_closed", "an opening and a closing booked balance")
    if opening is not None and closing is not None:
        moved = sum((entry.signed for entry in entries), Decimal(0))
        add_up(_row(element), opening, moved, closing)
    return Statement(account, currency, number, opening, closing, tuple(entries), page)


def _number(element: Element) -> tuple[str, int]:
    """The number of a statement and the page; its own id where the bank numbers nothing."""
    number = next((text for name in NUMBERS if (text := _text(element, name))), "")
    page = _text(element, "StmtPgntn", "PgNb")
    return number, int(page) if page.isdigit() else 1


def _balances(element: Element) -> tuple[Balance | None, Balance | None, str]:
    """The booked ones that open and close it; a page in between has interim ones at its ends."""
    opening = closing = None
    currency = ""
    interim: list[Balance] = []
    for balance in _children(element, "Bal"):
        code = _text(balance, "Tp", "CdOrPrtry", "Cd")
        if code not in {*OPENING, *CLOSING, INTERIM}:
            continue
        amount, currency = _amount(balance, nothing=True)
        amount = amount if _direction(balance) is Direction.CREDIT else -amount
        day = _day(balance, "Dt")
        if day is None:
            raise Unreadable(_row(balance), "date", "the day of each balance")
        read = Balance(day, amount)
        if code == INTERIM:
            interim.append(read)
        elif code in CLOSING:
            closing = read
        elif opening is None or code == OPENING[0]:
            opening = read
    if opening is None and interim:
        opening = interim.pop(0)
    if closing is None and interim:
        closing = interim.pop()
    return opening, closing, currency


class _Entry:
    """One `Ntry`: one movement, or as many as it has details that add up to it.

    Args:
        element: The `Ntry`.
        account: Its account.
        currency: Its account's currency.
        number: Of the statement.
        page: Of the statement.
        opening: The opening balance of a booked statement.
    """

    def __init__(
        self,
        element: Element,
        account: str,
        currency: str,
        number: str,
        page: int,
        opening: Balance | None,
    ) -> None:
        self.element = element
        self.account, self.number, self.page = account, number, page
        self.amount, self.currency = _amount(element, nothing=True)
        self.opened_at = opening.amount if opening else None
        if self.currency != currency:
            raise Unreadable(_row(element), "currency", "entries in the currency of the account")
        self.direction = _direction(element)
        self.value_on = _day(element, "ValDt")
        booked_on = _day(element, "BookgDt") or self.value_on
        if booked_on is None:
            raise Unreadable(_row(element), "date", "a booking day of each entry")
        self.booked_on = booked_on
        self.reference = _text(element, "AcctSvcrRef")

    def entries(self, before: int) -> Iterator[Entry]:
        """The movements; an entry of nothing is none."""
        if not self.amount:
            return
        details = [
            transaction
            for group in _children(self.element, "NtryDtls")
            for transaction in _children(group, "TxDtls")
        ]
        parts = self._parts(details)
        if parts is None:
            yield self._entry(before + 1, self.direction, self.amount, details)
            return
        for place, (transaction, amount, direction) in enumerate(parts, start=1):
            yield self._entry(before + place, direction, amount, [transaction])

    def _parts(self, details: list[Element]) -> list[tuple[Element, Decimal, Direction]] | None:
        """The details of a batch with what each moves; None where they do not tell it all.

        Only a batch is taken apart: what one detail says of its amount may be before a charge or
        in another currency, and the entry is what was booked.
        """
        if len(details) <= 1:
            return None
        parts = []
        for transaction in details:
            amount = self._amount_of(transaction)
            if amount is None:
                return None
            parts.append((transaction, amount, _direction(transaction, self.direction)))
        total = sum(
            (amount if way is self.direction else -amount for _, amount, way in parts), Decimal(0)
        )
        return parts if total == self.amount else None

    def _amount_of(self, transaction: Element) -> Decimal | None:
        """What a detail moves: `Amt` of newer versions, `AmtDtls/TxAmt` of older ones."""
        paths = ((), ("AmtDtls", "TxAmt"), ("AmtDtls", "InstdAmt"))
        for path in paths:
            holder = _find(transaction, *path) if path else transaction
            if holder is not None and _find(holder, "Amt") is not None:
                amount, currency = _amount(holder)
                if currency == self.currency:
                    return amount
        return None

    def _entry(
        self, line: int, direction: Direction, amount: Decimal, details: list[Element]
    ) -> Entry:
        only = details[0] if len(details) == 1 else None
        of_bank = (_text(only, "Refs", "AcctSvcrRef") if only is not None else "") or self.reference
        texts = [*_texts(self.element, "AddtlNtryInf")]
        for transaction in details:
            texts += _texts(transaction, "Ustrd") + _texts(transaction, "AddtlTxInf")
        return Entry(
            account=self.account,
            currency=self.currency,
            statement=self.number,
            line=line,
            booked_on=self.booked_on,
            value_on=self.value_on,
            direction=direction,
            amount=amount,
            bank_reference=of_bank[:35],
            references=_references(only) if only is not None else (),
            mentions=mentioned("\n".join(texts)),
            counterparty=_counterparty(only, self.account) if only is not None else "",
            page=self.page,
            opened_at=self.opened_at,
        )


def _references(transaction: Element) -> tuple[str, ...]:
    structured = [
        text
        for strd in transaction.iter("{*}Strd")
        for information in _children(strd, "CdtrRefInf")
        for text in _texts(information, "Ref")
    ]
    return sure(
        _text(transaction, "Refs", "EndToEndId"),
        *structured,
        _text(transaction, "Refs", "InstrId"),
    )


def _counterparty(transaction: Element, account: str) -> str:
    """The account that is not ours; of money that came back, the one to which it had gone."""
    for name in ("CdtrAcct", "DbtrAcct"):
        identification = _find(transaction, "RltdPties", name, "Id")
        if identification is not None:
            other = _text(identification, "IBAN") or _text(identification, "Othr", "Id")
            if other and account_number(other) != account:
                return account_number(other)
    return ""


def _status(entry: Element) -> str:
    """`BOOK`, as text up to version 07 and as a code since; nothing is said of a booked notice."""
    return _text(entry, "Sts", "Cd") or _text(entry, "Sts") or "BOOK"


def _amount(holder: Element, *, nothing: bool = False) -> tuple[Decimal, str]:
    amount = _find(holder, "Amt")
    text = (amount.text or "").strip() if amount is not None else ""
    row = _row(holder)
    if amount is None or not AMOUNT.fullmatch(text):
        raise Unreadable(row, "amount", "an exact amount")
    currency = amount.get("Ccy") or ""
    return exact_amount(text, currency, row, nothing=nothing), currency


def _direction(holder: Element, otherwise: Direction | None = None) -> Direction:
    """`CRDT` or `DBIT`: of a reversal too it says which way the money went."""
    sign = SIGNS.get(_text(holder, "CdtDbtInd")) or otherwise
    if sign is None:
        raise Unreadable(_row(holder), "direction", "CRDT or DBIT")
    return sign


def _day(holder: Element, name: str) -> date | None:
    found = _find(holder, name)
    text = ""
    if found is not None:
        text = _text(found, "Dt") or _text(found, "DtTm") or (found.text or "").strip()
    if not text:
        return None
    written = DAY.fullmatch(text)
    try:
        return date.fromisoformat(written["day"] if written else "")
    except ValueError:
        raise Unreadable(_row(holder), "date", "a day that there is") from None


def _first_currency(element: Element) -> str:
    for entry in _children(element, "Ntry"):
        return _amount(entry, nothing=True)[1]
    return ""


def _children(element: Element, name: str) -> list[Element]:
    return list(element.iterchildren(f"{{*}}{name}"))


def _find(element: Element, *path: str) -> Element | None:
    for name in path:
        element = next(element.iterchildren(f"{{*}}{name}"), None)
        if element is None:
            return None
    return element


def _text(element: Element, *path: str) -> str:
    found = _find(element, *path)
    return (found.text or "").strip() if found is not None else ""


def _texts(element: Element, name: str) -> list[str]:
    found = element.iter(f"{{*}}{name}")
    return [text for child in found if (text := (child.text or "").strip())]


def _row(element: Element) -> int:
    return int(element.sourceline or 1)
