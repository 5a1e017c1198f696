"""What may happen to a payment. Pure."""

from collections.abc import Collection
from datetime import date
from enum import StrEnum
from uuid import UUID

from chassis.errors import Problem, ProblemType
from chassis.machine import Machine
from contracts.codes import PaymentMethod
from contracts.entitlements import Papers
from services.grants.codes import PayeeKind
from services.grants.payments import separation
from services.grants.payments.separation import Part, Step, Way
from services.grants.states import PaymentState


class Action(StrEnum):
    """What is done to a payment."""

    RELEASE = "release"
    CONFIRM = "confirm"
    FAIL = "fail"
    REVERSE = "reverse"
    RECOVER = "recover"
    RESURRECT = "resurrect"


MACHINE: Machine[PaymentState, Action] = Machine(
    "payment",
    {
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
            Action.RECOVER: frozenset({PaymentState.CONFIRMED, PaymentState.RECOVERED}),
        },
        PaymentState.FAILED: {Action.RESURRECT: PaymentState.RELEASED},
        PaymentState.REVERSED: {},
        PaymentState.RECOVERED: {},
    },
    internal={Action.RESURRECT},
)
"""Money that is to be sent again is another payment. What was said to have failed goes on only
where a bank shows that it was sent after all. A recovery leads to `recovered` when all is back.
"""

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
    "Somebody else than who proposed the account verifies it; while a change waits, nothing is "
    "paid to it.",
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


def missing_papers(needed: Collection[str], on_file: Collection[str]) -> Problem | None:
    """The refusal to pay without the papers, 409 `papers-missing`; None if all are on file."""
    missing = sorted(set(needed) - set(on_file))
    return Problem(PAPERS_MISSING, missing=missing) if missing else None


def goes_to_returnee(method: PaymentMethod, payee_kind: PayeeKind | None) -> bool:
    """Whether money gets into the returnee's own hands or account."""
    return method is PaymentMethod.CASH or payee_kind is PayeeKind.RETURNEE


def papers_needed(
    papers: Papers, method: PaymentMethod, payee_kind: PayeeKind | None, *, reimbursement: bool
) -> list[str]:
    """What must be on file before a payment is released: as it hangs on who is paid for what, the
    method only adds.

    Money for the returnee asks for what cash does, goods and what is given back for goods for what
    a supplier does.
    """
    methods = {method}
    if reimbursement or payee_kind is PayeeKind.SUPPLIER:
        methods.add(PaymentMethod.SUPPLIER)
    elif goes_to_returnee(method, payee_kind):
        methods = {PaymentMethod.CASH}
    return sorted({paper for asking in methods for paper in papers.by_method.get(asking, ())})


def check_due(due_on: date | None, today: date) -> None:
    """Refuse to pay for work that was not done yet.

    Raises:
        Problem: 409 `payment-not-due`.
    """
    if due_on is not None and due_on > today:
        raise Problem(NOT_DUE, due_on=due_on.isoformat())
