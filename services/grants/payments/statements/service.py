"""Statements matched to payments, entry by entry: nothing is booked twice, and nothing is lost,
whichever way and however often an entry is sent.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select, true

from chassis import audit
from chassis.auth import Caller
from chassis.crypto import Keyring
from chassis.db import Session, now
from chassis.errors import FOUR_EYES, FieldError, Problem, invalid, state_conflict
from chassis.ids import new_id
from chassis.loading import load_or_404
from contracts.grants import Question
from services.grants import people
from services.grants.books import ledger
from services.grants.models import Grant, Payment, StatementFile, StatementLine
from services.grants.payments.days import first_day, last_day
from services.grants.payments.payments import outcomes
from services.grants.payments.separation import Part, Step, Way, is_barred
from services.grants.payments.statements import matching, rules
from services.grants.payments.statements.matching import Match, Matches
from services.grants.payments.statements.rules import Effect, Outcome, Verdict
from services.grants.programmes.data import zone_of
from services.grants.statement_files.model import Direction, Entry, Statement, statement_number

RETURNED = "returned_by_bank"
log = structlog.get_logger("homeward.grants")

FileKey = tuple[str, str, int, str]
"""Account, currency, year and number: numbers begin again each year."""


class Decision(StrEnum):
    """What a person says of an entry that waits."""

    BOOK = "book"
    DISMISS = "dismiss"


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """Statements of the caller's organisation."""
    return true() if caller.is_internal else col(StatementFile.organisation) == caller.organisation


async def load_statement(session: Session, caller: Caller, statement_id: UUID) -> StatementFile:
    """A statement of the caller's organisation.

    Raises:
        Problem: 404.
    """
    return await load_or_404(
        session,
        select(StatementFile).where(col(StatementFile.id) == statement_id, visible_to(caller)),
    )


async def lines_of(
    session: Session, statement_ids: Sequence[UUID], first: int | None = None
) -> Sequence[StatementLine]:
    """The lines of statements, in order; all of them, or the first of each."""
    query = select(StatementLine).where(col(StatementLine.statement_id).in_(statement_ids))
    if first is not None:
        index = func.row_number().over(
            partition_by=col(StatementLine.statement_id), order_by=col(StatementLine.line)
        )
        numbered = query.with_only_columns(col(StatementLine.id), index.label("index")).subquery()
        query = query.where(
            col(StatementLine.id).in_(select(numbered.c.id).where(numbered.c.index <= first))
        )
    rows = await session.scalars(
        query.order_by(
            col(StatementLine.statement_id), col(StatementLine.line), col(StatementLine.id)
        )
    )
    return rows.all()


async def import_statements(
    session: Session, caller: Caller, keyring: Keyring, statements: Sequence[Statement]
) -> list[StatementFile]:
    """Match the entries of a file and book what they say: all of it, or nothing.

    Raises:
        Problem: 422; 403, without a person.
    """
    person = people.actor(caller.require_person())
    if not statements:
        raise invalid(FieldError(pointer="", code="empty", detail="at least one entry"))
    accounts = [(statement.account, statement.currency) for statement in statements]
    await _lock_accounts(session, caller.organisation, accounts)
    files = await _lock_files(session, caller.organisation, statements)
    entries = [
        (entry, files[_key(statement, entry.booked_on)])
        for statement in statements
        for entry in statement.entries
    ]
    known, lines = await matching.load_known(
        session, caller.organisation, [entry for entry, _ in entries]
    )
    work = []
    assigned = known.assign([entry for entry, _ in entries])
    for (entry, file), line in zip(entries, assigned, strict=True):
        if line is not None:
            known.complete(line, entry)
        if line is None or line.outcome in rules.UNDECIDED:
            work.append(_Work(entry, file, line))
    matches = await matching.lock_named(session, caller, [one.entry for one in work])
    matched = await matching.load_matched(session, matches.payment_ids)
    settled = _Settled([*lines, *matched])
    booking = _Booking(session, caller, person, matches, await _clock(session), settled)
    for one in work:
        await booking.judge(one)
    await _add_candidates(session, caller, keyring, work)
    await _save(session, known, work, person)
    for file in files.values():
        audit.record(session, caller, "import", "statement", file.id)
    return list(files.values())


@dataclass
class _Work:
    """An entry, its statement, its line, where it has one already, and what it turned out to be."""

    entry: Entry
    file: StatementFile
    line: StatementLine | None
    verdict: Verdict = rules.UNJUDGED
    payment_id: UUID | None = None
    candidates: list[UUID] = field(default_factory=list)

    def values(self, person: UUID, ordinal: int) -> dict[str, Any]:
        """The columns of a new line."""
        entry = self.entry
        return {
            "id": new_id(),
            "statement_id": self.file.id,
            "line": entry.line,
            "key": entry.key,
            "ordinal": ordinal,
            "booked_on": entry.booked_on,
            "direction": entry.direction.value,
            "amount": entry.amount,
            "currency": entry.currency,
            "reference": entry.reference,
            "outcome": self.verdict.outcome.value,
            "why": self.verdict.why,
            "payment_id": self.payment_id,
            "candidates": self.candidates,
            "imported_by": person,
        }

    def change(self, line: StatementLine, person: UUID) -> None:
        """Make a line that is there already what the entry now turned out to be."""
        line.outcome, line.why = self.verdict.outcome, self.verdict.why
        line.payment_id, line.imported_by = self.payment_id, person
        line.candidates = self.candidates


async def _save(
    session: Session, known: matching.KnownLines, works: Sequence[_Work], person: UUID
) -> None:
    """Write the lines: those that are new in one statement, as a file may have thousands."""
    for work in works:
        if work.line is not None:
            work.change(work.line, person)
    new = [
        work.values(person, known.ordinal_of(work.file.id, work.entry))
        for work in works
        if work.line is None
    ]
    if new:
        await session.execute(insert(StatementLine.__table__), new)
    for file in {work.file.id: work.file for work in works}.values():
        file.changed()
    await session.flush()


class _Settled:
    """Which payments an entry was matched to already, by direction, and by which entry.

    Args:
        lines: Those of the accounts of a file, in its days.
    """

    def __init__(self, lines: Iterable[StatementLine]) -> None:
        self._keys: dict[tuple[UUID, str], set[str]] = defaultdict(set)
        for line in lines:
            verdict = Verdict(Outcome(line.outcome), line.why)
            self.add(line.payment_id, line.direction, line.key, verdict)

    def add(self, payment_id: UUID | None, direction: str, key: str, verdict: Verdict) -> None:
        """Note what an entry was matched to."""
        matched = verdict.outcome in {Outcome.MATCHED, Outcome.REVERSED}
        if payment_id is not None and matched and verdict.why != rules.SETTLED:
            self._keys[payment_id, direction].add(key)

    def has(self, payment: Payment, direction: Direction) -> bool:
        """Whether the bank said so before."""
        return (payment.id, direction.value) in self._keys

    def differs(self, payment: Payment, entry: Entry) -> bool:
        """Whether the very entry that was matched said something else before."""
        return entry.key in self._keys.get((payment.id, entry.direction.value), ())


@dataclass
class _Booking:
    """What the entries of one file do to payments."""

    session: Session
    caller: Caller
    person: UUID
    matches: Matches
    clock: datetime
    settled: _Settled

    async def judge(self, work: _Work) -> None:
        """Say what an entry is, and do what follows."""
        matches = self.matches.of(work.entry)
        if len(matches) != 1:
            why = rules.SEVERAL_PAYMENTS if matches else rules.NO_PAYMENT
            self._note(work, Verdict(Outcome.UNKNOWN, why), None)
            return
        (match,) = matches
        same_before = self.settled.has(match.payment, work.entry.direction)
        payment = _circumstances(
            match, work.entry, self.clock, self.person, same_before=same_before
        )
        verdict = rules.decide(work.entry, payment)
        if verdict.why == "amount_differs" and self.settled.differs(match.payment, work.entry):
            verdict = Verdict(Outcome.MISMATCHED, "differs_from_before")
        verdict = await _carry_out(self.session, self.caller, match, work.entry, verdict)
        self._note(work, verdict, match.payment.id)

    def _note(self, work: _Work, verdict: Verdict, payment_id: UUID | None) -> None:
        work.verdict, work.payment_id = verdict, payment_id
        self.settled.add(payment_id, work.entry.direction.value, work.entry.key, verdict)


def _circumstances(
    match: Match,
    entry: Entry,
    clock: datetime,
    person: UUID,
    *,
    same_before: bool,
    decided: bool = False,
) -> rules.Circumstances:
    """What is known of a payment when an entry names it.

    Args:
        match: The locked payment.
        entry: The entry.
        clock: The moment.
        person: Who imports it, or decides about it.
        same_before: Whether an entry of the same direction was matched to it already.
        decided: Whether a person decides, who may know better than the period of a source.
    """
    grant, payment = match.grant, match.payment
    zone = zone_of(grant.programme, grant.implementer)
    step = Step.CONFIRM if entry.direction is Direction.DEBIT else Step.REVERSE
    return rules.Circumstances(
        state=payment.state,
        payout=payment.payout,
        currency=payment.payout_currency,
        questioned=payment.questioned,
        recovered=payment.recovered > 0,
        released_on=first_day(payment.released_at, zone) if payment.released_at else None,
        latest=last_day(clock, zone),
        same_before=same_before,
        open=decided or ledger.pays_on(match.budget, entry.booked_on),
        barred=is_barred(step, Way.IMPORT, person, parts_of(grant, payment)),
    )


def parts_of(grant: Grant, payment: Payment) -> Mapping[Part, Collection[UUID | None]]:
    """Who had which part in a payment, as far as a statement has to know."""
    return {
        Part.PREPARED_GRANT: grant.preparers,
        Part.SCHEDULED: (payment.scheduled_by,),
        Part.RELEASED: (payment.released_by,),
    }


async def _carry_out(
    session: Session, caller: Caller, match: Match, entry: Entry, verdict: Verdict
) -> Verdict:
    """Do to a locked payment what an entry means; what it means if that cannot be done."""
    grant, payment = match.grant, match.payment
    if verdict.effect is Effect.RESURRECT:
        if not await outcomes.resurrect_failed_payment(session, caller, grant, payment):
            verdict = rules.not_sent(payment.state)
        else:
            verdict = Verdict(Outcome.MATCHED, effect=Effect.CONFIRM)
    if verdict.effect is Effect.ASK:
        await _ask(session, grant, payment, verdict.question)
    elif verdict.effect is Effect.UPHOLD:
        await outcomes.question(session, grant, payment, None)
    elif verdict.effect is Effect.CONFIRM:
        day = entry.booked_on
        await outcomes.confirm(session, caller, grant, payment, confirmed_on=day, receipt=None)
    elif verdict.effect is Effect.REVERSE:
        await outcomes.reverse(session, caller, grant, payment, RETURNED)
    acted = verdict.effect in {Effect.CONFIRM, Effect.REVERSE}
    if acted and payment.questioned is Question.BANK_ENTRY:
        await outcomes.question(session, grant, payment, None)
    return verdict


async def _ask(session: Session, grant: Grant, payment: Payment, why: Question | None) -> None:
    """Say that people must see it; a graver question than that an entry waits is kept."""
    waits = why is Question.BANK_ENTRY
    if why is None or payment.questioned == why or (waits and payment.questioned is not None):
        return
    if not waits:
        log.warning("a bank paid what it should not have", payment=str(payment.id), why=why.value)
    await outcomes.question(session, grant, payment, why)


async def _add_candidates(
    session: Session, caller: Caller, keyring: Keyring, works: Sequence[_Work]
) -> None:
    """Note of the entries that name no payment which ones they may be."""
    unknown = [work for work in works if work.verdict.outcome is Outcome.UNKNOWN]
    taken = {work.payment_id for work in works if work.payment_id is not None}
    entries = [work.entry for work in unknown]
    by_index = await matching.candidates_of(session, caller, keyring, entries, taken)
    for index, candidates in by_index.items():
        unknown[index].candidates = candidates


async def decide_line(
    session: Session,
    caller: Caller,
    statement_id: UUID,
    line_id: UUID,
    decision: Decision,
    payment_id: UUID | None,
) -> StatementLine:
    """Say what becomes of an entry that waits: it is a payment's, or nothing is to be done.

    A question is answered by another person than who imported it. Whoever has a part in the payment
    that bars them is refused as at an import.

    Raises:
        Problem: 404; 403 `four-eyes`; 409, it does not wait any more, or cannot be booked; 422.
    """
    person = people.actor(caller.require_person())
    file = await load_statement(session, caller, statement_id)
    await _lock_accounts(session, file.organisation, [(file.account, file.currency)])
    line = await load_or_404(
        session,
        select(StatementLine)
        .where(StatementLine.id == line_id, StatementLine.statement_id == file.id)
        .with_for_update(),
    )
    if line.outcome not in rules.UNDECIDED:
        raise state_conflict(line.outcome, [], "decide")
    if line.outcome == Outcome.QUESTION and line.imported_by == person:
        raise Problem(FOUR_EYES, "who imported the entry does not answer its question")
    chosen = line.payment_id or payment_id
    match = await matching.lock_one(session, caller, chosen) if chosen is not None else None
    if decision is Decision.DISMISS:
        verdict = Verdict(Outcome.MISMATCHED, rules.DISMISSED)
        if match is not None and match.payment.questioned is Question.BANK_ENTRY:
            await outcomes.question(session, match.grant, match.payment, None)
    else:
        verdict = await _book(session, caller, person, line, file, match)
    line.outcome, line.why, line.decided_by = verdict.outcome, verdict.why, person
    line.payment_id = match.payment.id if match is not None else None
    file.changed()
    await session.flush()
    audit.record(session, caller, decision.value, "statement-line", line.id)
    return line


async def _book(
    session: Session,
    caller: Caller,
    person: UUID,
    line: StatementLine,
    file: StatementFile,
    match: Match | None,
) -> Verdict:
    if match is None:
        detail = "a payment of the organisation"
        raise invalid(FieldError(pointer="/payment_id", code="unknown_payment", detail=detail))
    entry = Entry(
        account=file.account,
        currency=line.currency,
        statement=file.number,
        line=line.line,
        booked_on=line.booked_on,
        value_on=None,
        direction=Direction(line.direction),
        amount=line.amount,
    )
    settled = _Settled(await matching.load_matched(session, [match.payment.id]))
    before = settled.has(match.payment, entry.direction)
    payment = _circumstances(
        match, entry, await _clock(session), person, same_before=before, decided=True
    )
    verdict = rules.decide(entry, payment)
    if verdict.why == rules.OWN_PAYMENT:
        raise Problem(FOUR_EYES, "who had a part in the payment does not say what became of it")
    if verdict.outcome not in {Outcome.MATCHED, Outcome.REVERSED}:
        raise state_conflict(verdict.why or verdict.outcome, [Decision.DISMISS], Decision.BOOK)
    verdict = await _carry_out(session, caller, match, entry, verdict)
    if verdict.effect is Effect.ASK:
        raise state_conflict(match.payment.state, [Decision.DISMISS], Decision.BOOK)
    return verdict


async def _clock(session: Session) -> datetime:
    clock: datetime = (await session.execute(select(now()))).scalar_one()
    return clock


def _key(statement: Statement, day: date) -> FileKey:
    """By what a statement is known; one that the bank does not number, by its day."""
    number = statement.number
    if not statement_number(number):
        number = (statement.closing.day if statement.closing else day).isoformat()
    return statement.account, statement.currency, day.year, number


def _keys(statements: Sequence[Statement]) -> set[FileKey]:
    keys = set()
    for statement in statements:
        keys |= {_key(statement, entry.booked_on) for entry in statement.entries}
        if not statement.entries and statement.closing is not None:
            keys.add(_key(statement, statement.closing.day))
    return keys


async def _lock_accounts(
    session: Session, organisation: str, accounts: Iterable[tuple[str, str]]
) -> None:
    """Let nobody else import or decide about entries of these accounts and currencies until the
    transaction ends: the same entry may come in another statement.
    """
    for account, currency in sorted(set(accounts)):
        name = f"statement/{organisation}/{account}/{currency}"
        await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


async def _lock_files(
    session: Session, organisation: str, statements: Sequence[Statement]
) -> dict[FileKey, StatementFile]:
    files = {}
    for account, currency, year, number in sorted(_keys(statements)):
        named = {
            "organisation": organisation,
            "account": account,
            "currency": currency,
            "year": year,
            "number": number,
        }
        await session.execute(
            insert(StatementFile).values(id=new_id(), version=1, **named).on_conflict_do_nothing()
        )
        rows = await session.scalars(select(StatementFile).filter_by(**named).with_for_update())
        files[account, currency, year, number] = rows.one()
    return files
