"""What may happen to a payment. Pure."""

from collections.abc import Collection, Mapping
from datetime import date
from enum import StrEnum
from uuid import UUID

from chassis.errors import Problem, ProblemType, state_conflict
from contracts.codes import PaymentMethod
from contracts.entitlements import Papers
from services.grants.payments import separation
from services.grants.payments.separation import Part, Step, Way


class PaymentState(StrEnum):
    """Where a payment stands."""

    SCHEDULED = "scheduled"
    RELEASED = "released"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    REVERSED = "reversed"
    RECOVERED = "recovered"


class Action(StrEnum):
    """What is done to a payment."""

    RELEASE = "release"
    CONFIRM = "confirm"
    FAIL = "fail"
    REVERSE = "reverse"
    RECOVER = "recover"


TRANSITIONS: Mapping[PaymentState, Mapping[Action, PaymentState]] = {
    PaymentState.SCHEDULED: {
        Action.RELEASE: PaymentState.RELEASED,
        Action.FAIL: PaymentState.FAILED,
    },
    PaymentState.RELEASED: {
        Action.CONFIRM: PaymentState.CONFIRMED,
        Action.FAIL: PaymentState.FAILED,
    },
    PaymentState.CONFIRMED: {
        Action.REVERSE: PaymentState.REVERSED,
        Action.RECOVER: PaymentState.RECOVERED,
    },
    PaymentState.FAILED: {},
    PaymentState.REVERSED: {},
    PaymentState.RECOVERED: {},
}
"""Nothing leads back: money that is to be sent again is another payment."""

PAPERS_MISSING = ProblemType(
    "papers-missing",
    409,
    "Papers are missing",
    "`missing` lists what the programme wants on file before money leaves.",
)
PAYEE_NOT_VERIFIED = ProblemType(
    "payee-not-verified",
    409,
    "The payee's account is not verified",
    "Somebody else than who proposed the account verifies it; while a change waits, nothing is paid to it.",
)
AMOUNT_EXCEEDED = ProblemType(
    "grant-exceeded",
    409,
    "The grant does not have as much left",
    "`left` is what can still be paid of it now.",
)
FLOAT_EMPTY = ProblemType(
    "float-exhausted",
    409,
    "The cash float does not have as much left",
    "`left` is what is in it now.",
)


FLOAT_MISSING = ProblemType(
    "float-missing",
    409,
    "Cash is handed over from a cash float",
    "Name an open float with enough in the currency.",
)
NOT_DUE = ProblemType(
    "payment-not-due",
    409,
    "The payment is not due yet",
    "`due_on` is the day from which what it is for was earned.",
)


def after(state: str, action: Action) -> PaymentState:
    """The state after an action.

    Raises:
        Problem: 409, the state does not allow it.
    """
    allowed = TRANSITIONS[PaymentState(state)]
    if action not in allowed:
        raise state_conflict(state, list(allowed), action)
    return allowed[action]


def check_releaser(
    releaser: UUID, preparers: Collection[UUID], approvers: Collection[UUID], scheduler: UUID
) -> None:
    """Refuse whoever had a part in the payment already: preparers, approvers and releaser are
    different persons.

    Raises:
        Problem: 403 `four-eyes`.
    """
    parts = {
        Part.PREPARED_GRANT: preparers,
        Part.APPROVED_GRANT: approvers,
        Part.SCHEDULED: (scheduler,),
    }
    separation.check(Step.RELEASE, Way.HTTP, releaser, parts)


def check_confirms(person: UUID, releaser: UUID | None) -> None:
    """Refuse that whoever let money go says that it arrived.

    Raises:
        Problem: 403 `four-eyes`.
    """
    detail = "who released the payment does not confirm it"
    separation.check(Step.CONFIRM, Way.HTTP, person, {Part.RELEASED: (releaser,)}, detail)


def check_takes_back(
    person: UUID, preparers: Collection[UUID], scheduler: UUID, releaser: UUID | None
) -> None:
    """Refuse that whoever had money sent says of it that it did not arrive, not whole, or came
    back.

    Raises:
        Problem: 403 `four-eyes`.
    """
    parts = {
        Part.PREPARED_GRANT: preparers,
        Part.SCHEDULED: (scheduler,),
        Part.RELEASED: (releaser,),
    }
    detail = "who had no part in sending the money says that it is back"
    separation.check(Step.REVERSE, Way.HTTP, person, parts, detail)


def check_papers(needed: Collection[str], there: Collection[str]) -> None:
    """Refuse to pay without the papers.

    Raises:
        Problem: 409 `papers-missing`.
    """
    missing = sorted(set(needed) - set(there))
    if missing:
        raise Problem(PAPERS_MISSING, missing=missing)


def to_the_returnee(method: str, payee_kind: str | None) -> bool:
    """Whether money gets into the returnee's own hands or account."""
    return method == PaymentMethod.CASH or payee_kind == "returnee"


def papers_needed(
    papers: Papers, method: str, payee_kind: str | None, *, reimbursement: bool
) -> list[str]:
    """What must be on file before a payment is released: as it hangs on who is paid for what, the
    method only adds.

    Money for the returnee asks for what cash does, goods and what is given back for goods for what
    a supplier does.
    """
    of = {PaymentMethod(method)}
    if reimbursement or payee_kind == "supplier":
        of.add(PaymentMethod.SUPPLIER)
    elif to_the_returnee(method, payee_kind):
        of = {PaymentMethod.CASH}
    return sorted({paper for each in of for paper in papers.by_method.get(each, ())})


def check_due(due_on: date | None, today: date) -> None:
    """Refuse to pay for work that was not done yet.

    Raises:
        Problem: 409 `payment-not-due`.
    """
    if due_on is not None and due_on > today:
        raise Problem(NOT_DUE, due_on=due_on.isoformat())
