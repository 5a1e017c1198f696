"""What grants publishes: what was granted, ordered, delivered, paid; what discloses health or a
child is a group.
"""

from datetime import date
from enum import StrEnum
from uuid import UUID

from chassis.events import EVERYBODY, IMPLEMENTERS, REGISTRY, EventData
from contracts.codes import (
    AssistanceGroup,
    CurrencyCode,
    Money,
    PaymentMethod,
    PortCode,
    PublishedHelp,
    Slug,
)


class GrantReason(StrEnum):
    """Why a grant was rejected or cancelled."""

    CEILING = "ceiling"
    NO_BUDGET = "no_budget"
    NOT_ELIGIBLE = "not_eligible"
    NOT_FEASIBLE = "not_feasible"
    ALREADY_FUNDED = "already_funded"
    INCOMPLETE = "incomplete"
    NOT_WANTED = "not_wanted"
    NOT_ARRIVED = "not_arrived"
    CASE_CLOSED = "case_closed"
    PLAN_CHANGED = "plan_changed"
    OTHER = "other"


class GrantFact(EventData):
    """What every fact about a grant carries."""

    grant_id: UUID
    returnee_id: UUID
    case_id: UUID
    household_id: UUID | None = None
    programme: Slug
    plan_line_id: UUID | None = None
    """The line of the reintegration plan that it fulfils."""
    group: AssistanceGroup
    kind: PublishedHelp | None = None
    """None where the kind would disclose health or a child's situation."""
    amount: Money


class GrantRequested(
    GrantFact, name="grants.grant.requested", subject="returnee_id", audience=IMPLEMENTERS
):
    """Help was requested for the returnee, and its amount is reserved."""


class GrantQuoted(
    GrantFact, name="grants.grant.quoted", subject="returnee_id", audience=IMPLEMENTERS
):
    """As many quotes as the programme asks for are there."""


class GrantApproved(
    GrantFact, name="grants.grant.approved", subject="returnee_id", audience=EVERYBODY
):
    """As many persons as the programme asks for approved the help."""


class GrantRejected(
    GrantFact, name="grants.grant.rejected", subject="returnee_id", audience=IMPLEMENTERS
):
    """The help was refused, for a coded reason."""

    reason: GrantReason


class GrantOrdered(
    GrantFact, name="grants.grant.ordered", subject="returnee_id", audience=IMPLEMENTERS
):
    """What was approved was ordered."""


class GrantDelivered(
    GrantFact,
    name="grants.grant.delivered",
    subject="returnee_id",
    audience=EVERYBODY,
    happened_on="delivered_on",
):
    """The returnee received what was approved, or a part of it."""

    delivered_on: date
    complete: bool


class GrantAmended(
    GrantFact, name="grants.grant.amended", subject="returnee_id", audience=IMPLEMENTERS
):
    """The amount was changed, and has to be approved again."""


class GrantCancelled(
    GrantFact, name="grants.grant.cancelled", subject="returnee_id", audience=IMPLEMENTERS
):
    """The help will not be given; what was not spent went back."""

    reason: GrantReason


class GrantClosed(
    GrantFact, name="grants.grant.closed", subject="returnee_id", audience=IMPLEMENTERS
):
    """The help is given and paid; what was not spent went back."""

    paid: Money


class PaymentFact(EventData):
    """What every fact about a payment carries."""

    payment_id: UUID
    grant_id: UUID
    returnee_id: UUID
    case_id: UUID
    household_id: UUID | None = None
    programme: Slug
    plan_line_id: UUID | None = None
    group: AssistanceGroup
    kind: PublishedHelp | None = None
    method: PaymentMethod
    amount: Money
    """What the budget bears."""
    payout: Money
    """What is handed over."""


class PaymentScheduled(
    PaymentFact, name="grants.payment.scheduled", subject="returnee_id", audience=IMPLEMENTERS
):
    """A payment was prepared."""

    due_on: date | None = None


class PaymentReleased(
    PaymentFact, name="grants.payment.released", subject="returnee_id", audience=IMPLEMENTERS
):
    """A third person released the payment."""


class PaymentConfirmed(
    PaymentFact,
    name="grants.payment.confirmed",
    subject="returnee_id",
    audience=EVERYBODY,
    happened_on="confirmed_on",
):
    """The payment was received."""

    confirmed_on: date


class PaymentFailed(
    PaymentFact, name="grants.payment.failed", subject="returnee_id", audience=IMPLEMENTERS
):
    """The payment did not reach anybody."""


class PaymentResurrected(
    PaymentFact, name="grants.payment.resurrected", subject="returnee_id", audience=IMPLEMENTERS
):
    """The payment had been said to have failed, and a bank shows that it was sent after all; it
    counts as released again.
    """


class Question(StrEnum):
    """Why a payment that was released is in question."""

    ATTENDANCE_CORRECTED = "attendance_corrected"
    WORK_ENDED = "work_ended"
    """No work, or no longer, in the month that it is for."""
    PAID_AFTER_FAILURE = "paid_after_failure"
    """The bank paid what was said to have failed, and its grant has no room for it any more."""
    PAID_TWICE = "paid_twice"
    """The bank paid it once more."""
    BANK_ENTRY = "bank_entry"
    """An entry of a bank's statement waits for another person to say what it means for it."""


class PaymentQuestioned(
    PaymentFact, name="grants.payment.questioned", subject="returnee_id", audience=IMPLEMENTERS
):
    """What the payment is for was taken back, or the bank paid otherwise; people decide what
    follows.
    """

    why: Question


class PaymentUpheld(
    PaymentFact, name="grants.payment.upheld", subject="returnee_id", audience=IMPLEMENTERS
):
    """The payment was in question, and what it is for holds after all."""


class PaymentReversed(
    PaymentFact, name="grants.payment.reversed", subject="returnee_id", audience=IMPLEMENTERS
):
    """The payment came back."""


class PaymentRecovered(
    PaymentFact, name="grants.payment.recovered", subject="returnee_id", audience=IMPLEMENTERS
):
    """What had been paid was recovered, or a part of it: the amounts are what was recovered now."""

    complete: bool = True
    """Whether all of it has been recovered by now."""


class CooperativeFact(EventData):
    """What every fact about a cooperative carries: told once of each member."""

    cooperative_id: UUID
    returnee_id: UUID
    case_id: UUID
    household_id: UUID | None = None
    programme: Slug
    members: int


class CooperativeProposed(
    CooperativeFact,
    name="grants.cooperative.proposed",
    subject="returnee_id",
    audience=IMPLEMENTERS,
):
    """A cooperative was proposed, with the returnee as a member."""


class CooperativeReason(StrEnum):
    """Why a cooperative was not selected."""

    NOT_FEASIBLE = "not_feasible"
    NOT_ELIGIBLE = "not_eligible"
    INCOMPLETE = "incomplete"
    NO_BUDGET = "no_budget"
    NOT_WANTED = "not_wanted"
    OTHER = "other"


class CooperativeRejected(
    CooperativeFact,
    name="grants.cooperative.rejected",
    subject="returnee_id",
    audience=IMPLEMENTERS,
):
    """The committee did not select the cooperative."""

    reason: CooperativeReason


class CooperativeSelected(
    CooperativeFact, name="grants.cooperative.selected", subject="returnee_id", audience=EVERYBODY
):
    """As many persons as the programme asks for selected the cooperative."""


class CooperativeFormed(
    CooperativeFact,
    name="grants.cooperative.formed",
    subject="returnee_id",
    audience=EVERYBODY,
    happened_on="formed_on",
):
    """The members set the cooperative up."""

    formed_on: date


class CommunityService(StrEnum):
    """What a cooperative does for the community around it."""

    FOOD = "food"
    REPAIR = "repair"
    TRANSPORT = "transport"
    BUILDING = "building"
    ENERGY = "energy"
    WATER = "water"
    WASTE = "waste"
    CARE = "care"
    EDUCATION = "education"
    OTHER = "other"


class CooperativeImpactReported(
    CooperativeFact,
    name="grants.cooperative.impact_reported",
    subject="returnee_id",
    audience=EVERYBODY,
):
    """What the cooperative did in a period: jobs that it created beside its members', and
    services.
    """

    starts_on: date
    ends_on: date
    jobs: int
    services: tuple[CommunityService, ...]
    corrected: bool
    """Whether it takes the place of an earlier report."""


class BudgetLow(EventData, name="grants.budget.low", subject="budget_id", audience=IMPLEMENTERS):
    """Less is available in a budget than its office wants to be told of."""

    budget_id: UUID
    programme: Slug
    currency: CurrencyCode


class CashFloatFact(EventData):
    """What every fact about a cash float carries."""

    float_id: UUID
    organisation: Slug
    port_of_entry: PortCode
    amount: Money


class CashFloatOpened(
    CashFloatFact, name="grants.cash_float.opened", subject="float_id", audience=IMPLEMENTERS
):
    """Cash was put at a desk's disposal."""


class CashFloatDrawn(
    CashFloatFact, name="grants.cash_float.drawn", subject="float_id", audience=IMPLEMENTERS
):
    """Cash was set aside for a released payment."""

    payment_id: UUID


class CashFloatReturned(
    CashFloatFact, name="grants.cash_float.returned", subject="float_id", audience=IMPLEMENTERS
):
    """The cash that was left was handed in."""


class CashFloatReconciled(
    CashFloatFact, name="grants.cash_float.reconciled", subject="float_id", audience=IMPLEMENTERS
):
    """Another person counted what was handed in."""

    agrees: bool
    """Whether it is what the books say."""


class ReturneeScrubbed(
    EventData, name="grants.returnee.scrubbed", subject="returnee_id", audience=IMPLEMENTERS
):
    """After an erasure grants keeps the amounts, and nothing that leads to the returnee."""

    returnee_id: UUID


PUBLISHES = tuple(model for model in REGISTRY.values() if model.service == "grants")
"""Every event type of this module."""
