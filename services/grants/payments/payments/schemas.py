"""Payments as they are sent and answered."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from chassis.routing import Body
from contracts.codes import CurrencyCode, Money, Paper, PaymentMethod
from contracts.grants import Question
from services.grants.schemas import Day, ExactMoney, Out, PastDay
from services.grants.states import PaymentState

Reference = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{4,35}$")]
"""What a bank repeats: within the characters of SEPA and MT940."""
RateSource = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
"""Who published a rate, as a slug: `un-treasury`."""


class FailureReason(StrEnum):
    """Why a payment reached nobody, or came back."""

    ACCOUNT_CLOSED = "account_closed"
    WRONG_DETAILS = "wrong_details"
    NOT_COLLECTED = "not_collected"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"
    RETURNED_BY_BANK = "returned_by_bank"
    FRAUD = "fraud"
    MISTAKE = "mistake"
    OTHER = "other"


class PaperIn(Body):
    """A paper that is on file."""

    kind: Paper
    document: UUID


class Rate(Body):
    """A rate of exchange, of a day and a source."""

    value: Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=8)]
    """Units of the payout currency for one of the budget's."""
    on: PastDay
    source: RateSource


class PaymentIn(Body):
    """What is to be paid."""

    id: UUID | None = None
    reference: Reference | None = None
    method: PaymentMethod
    amount: ExactMoney
    """In the budget's currency; rounding may make it less, never more."""
    payout_currency: CurrencyCode | None = None
    """None: the budget's."""
    rate: Rate | None = None
    payee_id: UUID | None = None
    """None: the returnee, in cash."""
    instalment: Annotated[int, Field(ge=1, le=12)] = 1
    papers: Annotated[tuple[PaperIn, ...], Field(max_length=20)] = ()
    due_on: Day | None = None
    reimbursement: bool = False
    """Whether it gives the returnee back what they laid out for what was granted: not money in
    hand, and it takes the papers that a supplier's payment takes.
    """


class PayeeOfPayment(Body):
    """Who is paid what was earned."""

    payee_id: UUID


class PapersIn(Body):
    """Papers that have come since the payment was prepared."""

    papers: Annotated[tuple[PaperIn, ...], Field(min_length=1, max_length=20)]


class ReleaseIn(Body):
    """From which cash float, for cash."""

    float_id: UUID | None = None


class Seen(Body):
    """A payment and the version that was seen of it."""

    payment_id: UUID
    version: Annotated[int, Field(ge=1)]
    """The number in its ETag."""


class ReleaseManyIn(Body):
    """Several payments at once: all of them, or none."""

    payments: Annotated[list[Seen], Field(min_length=1, max_length=500)]
    float_id: UUID | None = None
    """From which cash float, for the cash among them."""


class ConfirmIn(Body):
    """That the money was received."""

    confirmed_on: PastDay
    receipt: UUID
    """The document."""
    amount: ExactMoney | None = None
    """What was received, in the currency of payout, where it was less than was released; said by
    somebody who had no part in sending it. None: all of it.
    """


class FailIn(Body):
    """Why the money reached nobody, or came back."""

    reason: FailureReason


class RecoverIn(FailIn):
    """What was recovered, and why."""

    amount: ExactMoney | None = None
    """In the currency of payout. None: all that is left."""
    receipt: UUID | None = None
    """The document."""


class PaymentOut(Out):
    """A payment."""

    id: UUID
    state: PaymentState
    version: int
    """As in its ETag; releasing many at once names it."""
    grant_id: UUID
    budget_id: UUID
    returnee_id: UUID | None
    """Null after an erasure."""
    reference: str
    method: PaymentMethod
    payee_id: UUID | None
    float_id: UUID | None
    instalment: int
    amount: Money
    payout: Money
    ordered: Money | None
    """What was to be handed over, where less of it was."""
    recovered: Money
    """What was recovered so far, in the budget's currency."""
    as_cash: bool
    """Whether it counts as cash: it goes into the returnee's own hands or account."""
    reimbursement: bool
    rate: Decimal
    rate_on: date | None
    rate_source: str | None
    due_on: date | None
    papers: list[dict[str, Any]]
    papers_needed: list[str]
    scheduled_by: UUID
    released_by: UUID | None
    released_at: datetime | None
    confirmed_on: date | None
    receipt: UUID | None
    reason: str | None
    session: str | None
    """What it was earned by: a session or a day that was attended, a month of work. Null for any
    other payment.
    """
    questioned: Question | None
    """Why it is in question: what it was earned by was taken back, or the bank paid what it should
    not have.
    """
    created_at: datetime
    updated_at: datetime


class DeskReceiptOut(Out):
    """Pocket money that a desk handed over and that answers to no released cash."""

    id: UUID
    """Of the assistance in reception; the receipt with which a payment is confirmed."""
    returnee_id: UUID | None
    """Null after an erasure."""
    case_id: UUID | None
    amount: Money
    handed_on: date
    recorded_at: datetime


class PaymentsOut(Out):
    """Payments after something was done to all of them."""

    items: list[PaymentOut]
