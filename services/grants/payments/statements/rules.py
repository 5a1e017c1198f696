"""What an entry of a bank's statement means for the payment that it names. Pure."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from contracts.grants import Question
from services.grants.statement_files.model import Direction, Entry
from services.grants.states import PaymentState

BY_BANK = (Question.PAID_AFTER_FAILURE, Question.PAID_TWICE)
NOT_SENT = (PaymentState.FAILED, PaymentState.REVERSED)
"""Payments of which the bank should have nothing to say any more."""
SETTLED = "is_settled"
NO_PAYMENT = "no_payment"
SEVERAL_PAYMENTS = "several_payments"
OWN_PAYMENT = "own_payment"
"""Who imported it had a part in the payment that bars them; another person decides."""
OUTSIDE_PERIOD = "outside_period"
"""A source of the budget does not pay on that day; a person decides."""
DISMISSED = "dismissed"


class Outcome(StrEnum):
    """What an entry turned out to be."""

    MATCHED = "matched"
    MISMATCHED = "mismatched"
    UNKNOWN = "unknown"
    REVERSED = "reversed"
    QUESTION = "question"
    """It waits for another person."""


UNDECIDED = (Outcome.UNKNOWN, Outcome.QUESTION)
"""What may still become something, by a person or when it is sent again."""


class Effect(StrEnum):
    """What is done to the payment."""

    NONE = "none"
    CONFIRM = "confirm"
    RESURRECT = "resurrect"
    """It was said to have failed; if its place in the grant is still there, it is confirmed."""
    REVERSE = "reverse"
    UPHOLD = "uphold"
    """The question about it is answered."""
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an entry is, and what follows.

    Attributes:
        outcome: What it turned out to be.
        why: A code; None where nothing is to be said.
        effect: What is done to the payment.
        question: What is asked, where that is done.
    """

    outcome: Outcome
    why: str | None = None
    effect: Effect = Effect.NONE
    question: Question | None = None


UNJUDGED = Verdict(Outcome.UNKNOWN, NO_PAYMENT)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of a payment when an entry names it.

    Attributes:
        state: Where it stands.
        payout: What left, or was to.
        currency: Of the payout.
        questioned: Why it is in question already.
        recovered: Whether a part of it was recovered.
        released_on: The earliest day on which a bank can have booked it; None before its release.
        latest: The latest day that has begun somewhere where it matters.
        same_before: Whether an entry of the same direction was matched to it already.
        open: Whether its budget and every source of it pay on the day of the entry.
        barred: Whether whoever imports it had a part that bars them from this step.
    """

    state: PaymentState
    payout: Decimal
    currency: str
    questioned: Question | None
    recovered: bool
    released_on: date | None
    latest: date
    same_before: bool
    open: bool
    barred: bool


def decide(entry: Entry, payment: Circumstances) -> Verdict:
    """What an entry means for the payment that it names.

    Args:
        entry: The entry.
        payment: What is known of it.
    """
    if entry.booked_on > payment.latest:
        return Verdict(Outcome.MISMATCHED, "in_future")
    if payment.released_on is not None and entry.booked_on < payment.released_on:
        return Verdict(Outcome.MISMATCHED, "before_release")
    debit = entry.direction is Direction.DEBIT
    if (payment.payout, payment.currency) != (entry.amount, entry.currency):
        if debit and payment.state in NOT_SENT:
            return _ask(Outcome.MISMATCHED, "amount_differs", Question.PAID_AFTER_FAILURE)
        return Verdict(Outcome.MISMATCHED, "amount_differs")
    return _debit(payment) if debit else _credit(payment)


def _debit(payment: Circumstances) -> Verdict:
    """The bank paid it."""
    if payment.same_before:
        return _ask(Outcome.MISMATCHED, "paid_twice", Question.PAID_TWICE)
    sent_after_all = payment.state == PaymentState.FAILED
    if payment.state == PaymentState.RELEASED or sent_after_all:
        if payment.barred:
            return _ask(Outcome.QUESTION, OWN_PAYMENT, Question.BANK_ENTRY)
        if not payment.open:
            return _ask(Outcome.QUESTION, OUTSIDE_PERIOD, Question.BANK_ENTRY)
        effect = Effect.RESURRECT if sent_after_all else Effect.CONFIRM
        return Verdict(Outcome.MATCHED, effect=effect)
    if payment.state in NOT_SENT:
        return not_sent(payment.state)
    if payment.state == PaymentState.CONFIRMED:
        answered = payment.questioned is Question.BANK_ENTRY
        return Verdict(Outcome.MATCHED, effect=Effect.UPHOLD if answered else Effect.NONE)
    return Verdict(Outcome.MISMATCHED, f"is_{payment.state}")


def not_sent(state: PaymentState) -> Verdict:
    """The bank paid what it should not have, and the books have no room for it: people must see
    it.
    """
    return _ask(Outcome.MISMATCHED, f"is_{state}", Question.PAID_AFTER_FAILURE)


def _credit(payment: Circumstances) -> Verdict:
    """The bank took a payment back: what it should not have paid, or what it should have."""
    if payment.questioned in BY_BANK:
        if payment.barred:
            return Verdict(Outcome.QUESTION, OWN_PAYMENT)
        return Verdict(Outcome.REVERSED, SETTLED, Effect.UPHOLD)
    if payment.same_before:
        return Verdict(Outcome.MISMATCHED, "returned_twice")
    if payment.state != PaymentState.CONFIRMED:
        return Verdict(Outcome.MISMATCHED, f"is_{payment.state}")
    if payment.recovered:
        return Verdict(Outcome.MISMATCHED, "is_recovered")
    if payment.barred:
        return _ask(Outcome.QUESTION, OWN_PAYMENT, Question.BANK_ENTRY)
    return Verdict(Outcome.REVERSED, effect=Effect.REVERSE)


def _ask(outcome: Outcome, why: str, question: Question) -> Verdict:
    return Verdict(outcome, why, Effect.ASK, question)
