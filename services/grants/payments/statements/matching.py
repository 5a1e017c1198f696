"""Finding what an entry of a statement is about: the entry itself, where it was sent before; the
payment that it names; and payments that it may be, for a person to choose from.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, func, tuple_
from sqlmodel import col, or_, select

from chassis import audit
from chassis.auth import Caller
from chassis.crypto import Keyring
from chassis.db import Session
from chassis.loading import FRESH
from services.grants.books import ledger
from services.grants.models import Budget, Grant, Payee, Payment, StatementFile, StatementLine
from services.grants.payees.service import details_of
from services.grants.payments.statements.rules import Outcome
from services.grants.statement_files.model import Direction, Entry, account_number
from services.grants.statement_files.references import LENGTH, is_default
from services.grants.states import PaymentState

MOST_CANDIDATES = 5
CANDIDATE_DAYS = timedelta(days=60)
"""How long after its release or confirmation a payment may be what an entry is about."""
Content = tuple[str, str, date, str, Decimal]
Equal = tuple[UUID, str, date, str, Decimal, str]
"""Statement, key and what a line says: lines of which it is the same are counted."""
Fits = Callable[[StatementLine, Entry], bool]
Alike = tuple[Decimal, str, str]
"""Amount, currency and state."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A payment that an entry may be: since which day, and to which account."""

    payment_id: UUID
    since: date
    account: str


@dataclass(frozen=True, slots=True)
class Match:
    """A payment with its grant and budget, all locked."""

    grant: Grant
    payment: Payment
    budget: Budget


class KnownLines:
    """The lines of the accounts of a file, each of which is one entry and no other.

    Args:
        lines: With the account of each.
    """

    def __init__(self, lines: Iterable[tuple[StatementLine, str]]) -> None:
        self._left: dict[Content, list[StatementLine]] = defaultdict(list)
        self._ordinals: dict[Equal, set[int]] = defaultdict(set)
        for line, account in lines:
            content = (account, line.currency, line.booked_on, line.direction, line.amount)
            self._left[content].append(line)
            self._ordinals[_equal(line)].add(line.ordinal)

    def assign(self, entries: Sequence[Entry]) -> list[StatementLine | None]:
        """The line that each entry is; None where it is new.

        Those that say the very same go first: an entry that only may be a line takes it from none
        that is it.
        """
        found: list[StatementLine | None] = [None] * len(entries)
        for fits in (_says_the_same, _may_be_the_same):
            for index, entry in enumerate(entries):
                if found[index] is None:
                    found[index] = self._take(entry, fits)
        return found

    def complete(self, line: StatementLine, entry: Entry) -> None:
        """Add to a line what a fuller form of its entry says: the bank's reference or the statement
        of a notice, a reference of the payer.
        """
        key, reference = line.key or entry.key, line.reference or entry.reference
        if (key, reference) != (line.key, line.reference):
            self._ordinals[_equal(line)].discard(line.ordinal)
            line.key, line.reference = key, reference
            line.ordinal = self._next(_equal(line))

    def ordinal_of(self, statement_id: UUID, entry: Entry) -> int:
        """How many equal lines there are before that of a new entry."""
        content = (entry.booked_on, entry.direction.value, entry.amount, entry.reference)
        return self._next((statement_id, entry.key, *content))

    def _take(self, entry: Entry, fits: Fits) -> StatementLine | None:
        left = self._left[entry.content[:5]]
        for line in left:
            if fits(line, entry):
                left.remove(line)
                return line
        return None

    def _next(self, equal: Equal) -> int:
        used = self._ordinals[equal]
        ordinal = next(number for number in range(len(used) + 1) if number not in used)
        used.add(ordinal)
        return ordinal


def _equal(line: StatementLine) -> Equal:
    content = (line.booked_on, line.direction, line.amount, line.reference)
    return (line.statement_id, line.key, *content)


def _says_the_same(line: StatementLine, entry: Entry) -> bool:
    return (line.key, line.reference) == (entry.key, entry.reference)


def _may_be_the_same(line: StatementLine, entry: Entry) -> bool:
    """Whether a notice and a statement, or a short form and a long one, are of one movement."""
    same_key, same_reference = line.key == entry.key, _agree(line.reference, entry.reference)
    keys_agree = same_key or "" in {line.key, entry.key}
    references_agree = same_reference or "" in {line.reference, entry.reference}
    if not (keys_agree and references_agree):
        return False
    return same_key or same_reference or line.outcome == Outcome.UNKNOWN


def _agree(one: str, other: str) -> bool:
    """Whether references are the same, or one is the other as `:61:` cuts it."""
    short, long = sorted((one, other), key=len)
    return short == long or (len(short) == LENGTH and long.startswith(short))


async def load_known(
    session: Session, organisation: str, entries: Sequence[Entry]
) -> tuple[KnownLines, list[StatementLine]]:
    """The lines that the entries may be, and all of them."""
    if not entries:
        return KnownLines(()), []
    days = [entry.booked_on for entry in entries]
    accounts = sorted({(entry.account, entry.currency) for entry in entries})
    rows = (
        await session.execute(
            select(StatementLine, col(StatementFile.account))
            .join(StatementFile, col(StatementFile.id) == StatementLine.statement_id)
            .where(
                StatementFile.organisation == organisation,
                tuple_(col(StatementFile.account), col(StatementFile.currency)).in_(accounts),
                col(StatementLine.booked_on).between(min(days), max(days)),
            )
            .order_by(col(StatementLine.id))
        )
    ).all()
    pairs = [(line, account) for line, account in rows]
    return KnownLines(pairs), [line for line, _ in pairs]


async def load_matched(session: Session, payment_ids: Collection[UUID]) -> Sequence[StatementLine]:
    """The lines that payments were matched to, on any day."""
    rows = await session.scalars(
        select(StatementLine).where(
            col(StatementLine.payment_id).in_(payment_ids),
            col(StatementLine.outcome).in_((Outcome.MATCHED, Outcome.REVERSED)),
        )
    )
    return rows.all()


class Matches:
    """The payments that the references of a file name.

    Args:
        matches: Locked.
    """

    def __init__(self, matches: Iterable[Match]) -> None:
        self._exact: dict[str, Match] = {}
        self._cut: dict[str, list[Match]] = defaultdict(list)
        for match in matches:
            reference = match.payment.reference
            self._exact[reference] = match
            if len(reference) > LENGTH:
                self._cut[reference[:LENGTH]].append(match)

    @property
    def payment_ids(self) -> list[UUID]:
        """The payments, each once."""
        return [match.payment.id for match in self._exact.values()]

    def of(self, entry: Entry) -> list[Match]:
        """The payment that an entry names: one, none, or several that it may mean."""
        for reference in entry.references:
            if reference in self._exact:
                return [self._exact[reference]]
            cut = self._cut.get(reference, []) if len(reference) == LENGTH else []
            if len(cut) > 1:
                cut = [match for match in cut if _same_amount(match, entry)] or cut
            if cut:
                return cut
        mentioned = [self._exact[text] for text in entry.mentions if text in self._exact]
        sure = [match for match in mentioned if is_default(match.payment.reference)]
        return sure or [match for match in mentioned if _same_amount(match, entry)]


def _same_amount(match: Match, entry: Entry) -> bool:
    payment = match.payment
    return (payment.payout, payment.payout_currency) == (entry.amount, entry.currency)


def _sent_by(organisation: str) -> ColumnElement[bool]:
    """Payments that leave the accounts of an organisation, or that its budgets bear."""
    return or_(Grant.implementer == organisation, Budget.organisation == organisation)


async def lock_named(session: Session, caller: Caller, entries: Sequence[Entry]) -> Matches:
    """The payments that entries name, locked: grants, payments, budgets, each in the order of
    their ids.
    """
    references = {text for entry in entries for text in (*entry.references, *entry.mentions)}
    cut = {text for entry in entries for text in entry.references if len(text) == LENGTH}
    named: ColumnElement[bool] = col(Payment.reference).in_(references)
    if cut:
        named |= (func.length(Payment.reference) > LENGTH) & func.left(
            Payment.reference, LENGTH
        ).in_(cut)
    return Matches(await _lock(session, caller, named)) if references else Matches(())


async def lock_one(session: Session, caller: Caller, payment_id: UUID) -> Match | None:
    """One payment of the caller's organisation, locked as `lock_named` does."""
    matches = await _lock(session, caller, col(Payment.id) == payment_id)
    return matches[0] if matches else None


async def _lock(session: Session, caller: Caller, which: ColumnElement[bool]) -> list[Match]:
    rows = (
        await session.execute(
            select(Payment.grant_id, Payment.id, Payment.budget_id)
            .join(Grant, col(Grant.id) == Payment.grant_id)
            .join(Budget, col(Budget.id) == Payment.budget_id)
            .where(which, _sent_by(caller.organisation))
        )
    ).all()
    for_grants = (
        select(Grant)
        .where(col(Grant.id).in_({row.grant_id for row in rows}))
        .order_by(col(Grant.id))
        .with_for_update()
    )
    grants = {
        grant.id: grant for grant in await session.scalars(for_grants, execution_options=FRESH)
    }
    for_payments = (
        select(Payment)
        .where(col(Payment.id).in_({row.id for row in rows}))
        .order_by(col(Payment.id))
        .with_for_update()
    )
    payments = (await session.scalars(for_payments, execution_options=FRESH)).all()
    budgets = {
        budget_id: await ledger.lock_budget(session, budget_id)
        for budget_id in sorted({row.budget_id for row in rows})
    }
    return [
        Match(grants[payment.grant_id], payment, budgets[payment.budget_id]) for payment in payments
    ]


async def candidates_of(
    session: Session,
    caller: Caller,
    keyring: Keyring,
    entries: Sequence[Entry],
    taken: Collection[UUID],
) -> Mapping[int, list[UUID]]:
    """Payments that entries without a known reference may be: of the same amount, in the days
    after. Those to the account of the other side come first.

    Args:
        session: The session.
        caller: Who imports.
        keyring: Opens the accounts of payees, which are compared and not shown; that is audited.
        entries: Those that name no payment.
        taken: Payments that another entry of the file is.

    Returns:
        Ids by the place of the entry.
    """
    if not entries:
        return {}
    amounts = {(entry.amount, entry.currency) for entry in entries}
    rows = (
        await session.execute(
            select(Payment, Payee)
            .join(Grant, col(Grant.id) == Payment.grant_id)
            .join(Budget, col(Budget.id) == Payment.budget_id)
            .outerjoin(Payee, col(Payee.id) == Payment.payee_id)
            .where(
                tuple_(col(Payment.payout), col(Payment.payout_currency)).in_(amounts),
                col(Payment.state).in_((PaymentState.RELEASED, PaymentState.CONFIRMED)),
                col(Payment.method) != "cash",
                _sent_by(caller.organisation),
            )
            .order_by(col(Payment.id))
        )
    ).all()
    alike: dict[Alike, list[Candidate]] = defaultdict(list)
    told = {(entry.amount, entry.currency) for entry in entries if entry.counterparty}
    accounts: dict[UUID, str] = {}
    for payment, payee in rows:
        if payment.id in taken:
            continue
        compared = (payment.payout, payment.payout_currency) in told
        if payee is not None and compared and payee.id not in accounts:
            accounts[payee.id] = _account_of(keyring, payee)
            audit.record(session, caller, "compare-account", "payee", payee.id)
        since = payment.confirmed_on
        if payment.state == PaymentState.RELEASED and payment.released_at is not None:
            since = payment.released_at.date()
        if since is not None:
            account = accounts.get(payee.id, "") if payee is not None else ""
            of = (payment.payout, payment.payout_currency, payment.state)
            alike[of].append(Candidate(payment.id, since, account))
    return {index: _likeliest(entry, alike) for index, entry in enumerate(entries)}


def _likeliest(entry: Entry, alike: Mapping[Alike, Sequence[Candidate]]) -> list[UUID]:
    """The payments that an entry may be; those to the account of the other side first."""
    debit = entry.direction is Direction.DEBIT
    state = PaymentState.RELEASED if debit else PaymentState.CONFIRMED
    candidates = [
        candidate
        for candidate in alike.get((entry.amount, entry.currency, state), ())
        if candidate.since <= entry.booked_on <= candidate.since + CANDIDATE_DAYS
    ]
    candidates.sort(
        key=lambda candidate: not entry.counterparty or candidate.account != entry.counterparty
    )
    return [candidate.payment_id for candidate in candidates[:MOST_CANDIDATES]]


def _account_of(keyring: Keyring, payee: Payee) -> str:
    details = details_of(keyring, payee.id, payee.sealed)
    return account_number(details.account or "") if details is not None else ""
