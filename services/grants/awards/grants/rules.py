"""What may happen to a grant, and what a programme lets a person have. Pure."""

from collections.abc import Collection
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from chassis.errors import FOUR_EYES, Problem, ProblemType
from chassis.machine import Machine
from contracts.codes import HelpKind, Money
from contracts.entitlements import AlreadyGranted, Ceiling, Package
from services.grants.states import GrantState


class Action(StrEnum):
    """What is done to a grant."""

    QUOTE = "quote"
    APPROVE = "approve"
    REJECT = "reject"
    ORDER = "order"
    DELIVER = "deliver"
    PAY = "pay"
    AMEND = "amend"
    CANCEL = "cancel"
    CLOSE = "close"


def _undecided(state: GrantState) -> dict[Action, GrantState | frozenset[GrantState]]:
    return {
        Action.QUOTE: frozenset({state, GrantState.QUOTED}),
        Action.APPROVE: frozenset({state, GrantState.APPROVED}),
        Action.REJECT: GrantState.REJECTED,
        Action.AMEND: GrantState.REQUESTED,
        Action.CANCEL: GrantState.CANCELLED,
    }


MACHINE: Machine[GrantState, Action] = Machine(
    "grant",
    {
        GrantState.REQUESTED: _undecided(GrantState.REQUESTED),
        GrantState.QUOTED: _undecided(GrantState.QUOTED),
        GrantState.APPROVED: {
            Action.ORDER: GrantState.ORDERED,
            Action.DELIVER: frozenset({GrantState.APPROVED, GrantState.DELIVERED}),
            Action.PAY: GrantState.APPROVED,
            Action.AMEND: GrantState.REQUESTED,
            Action.CANCEL: GrantState.CANCELLED,
            Action.CLOSE: GrantState.CLOSED,
        },
        GrantState.ORDERED: {
            Action.DELIVER: frozenset({GrantState.ORDERED, GrantState.DELIVERED}),
            Action.PAY: GrantState.ORDERED,
            Action.CANCEL: GrantState.CANCELLED,
            Action.CLOSE: GrantState.CLOSED,
        },
        GrantState.DELIVERED: {Action.PAY: GrantState.DELIVERED, Action.CLOSE: GrantState.CLOSED},
        GrantState.CLOSED: {},
        GrantState.REJECTED: {},
        GrantState.CANCELLED: {},
    },
)
"""A quote leads to `quoted` when there are as many as needed, an approval to `approved` likewise; a
part that is handed over leads nowhere.
"""

CEILING_EXCEEDED = ProblemType(
    "ceiling-exceeded",
    409,
    "The programme does not allow as much",
    "`rule` says which ceiling, of what amount and where it is published; `left` what can still be "
    "granted. What was granted elsewhere counts, and by whom is not said.",
)
NOT_ALLOWED = ProblemType(
    "programme-rule",
    409,
    "The programme does not allow this",
    "`rule` says which rule of the programme stands against it, and where it is published.",
)
QUOTES_MISSING = ProblemType(
    "quotes-missing",
    409,
    "More quotes are needed",
    "The programme compares as many quotes as `needed` says.",
)
NOT_QUOTED = ProblemType(
    "not-quoted",
    409,
    "No quote says so",
    "Where quotes are compared, one of them is taken: its payee is paid, and no more than was "
    "quoted.",
)


def check_approver(
    approver: UUID, preparers: Collection[UUID], approvers: Collection[UUID]
) -> None:
    """Refuse whoever prepared it, and whoever approved already.

    Raises:
        Problem: 403 `four-eyes`.
    """
    if approver in preparers or approver in approvers:
        raise Problem(FOUR_EYES)


def check_ceilings(
    name: str,
    package: Package,
    *,
    return_kind: str,
    member: str,
    granted: AlreadyGranted,
    amount: Decimal,
    currency: str,
) -> None:
    """Refuse more than a person or a household may have of a package.

    Args:
        name: The package.
        package: Its rules.
        return_kind: How the person returned.
        member: Their place in the household.
        granted: What they have, in whichever programme, household or under whichever id.
        amount: What is requested.
        currency: Of the programme.

    Raises:
        Problem: 409 `ceiling-exceeded`, or `programme-rule` where the package is not for such a
            return.
    """
    exceeded = package.exceeded(return_kind, member, granted, amount)
    if exceeded is None:
        return
    if exceeded.left is None:
        raise refused("package", name, exceeded.ceiling.source, exceeded.ceiling.verified)
    raise Problem(
        CEILING_EXCEEDED,
        "less is left than is requested",
        rule=_rule(name, exceeded.ceiling, currency),
        left=_written(exceeded.left, currency),
    )


def check_cash(
    name: str, package: Package, kind: HelpKind, already: Decimal, amount: Decimal, currency: str
) -> None:
    """Refuse cash where the package, or this kind of help, is in kind, and more of it than the
    sub-ceiling.

    Raises:
        Problem: 409 `programme-rule`, or `ceiling-exceeded`.
    """
    cash = package.cash
    if not cash.allows(kind):
        raise refused("in_kind", name, cash.source, cash.verified)
    if cash.cap is not None and already + amount > cash.cap:
        raise Problem(
            CEILING_EXCEEDED,
            "less is left in cash than is requested",
            rule={
                "package": name,
                "per": "person",
                "cash": True,
                "source": cash.source,
                "verified": cash.verified,
            },
            left=_written(max(cash.cap - already, Decimal(0)), currency),
        )


def refused(code: str, package: str, source: str, verified: bool) -> Problem:
    """A refusal that names the rule and where it is published."""
    return Problem(
        NOT_ALLOWED, rule={"code": code, "package": package, "source": source, "verified": verified}
    )


def _written(amount: Decimal, currency: str) -> dict[str, str]:
    return Money(amount=amount, currency=currency).model_dump(mode="json")


def _rule(package: str, ceiling: Ceiling, currency: str) -> dict[str, object]:
    return {
        "package": package,
        "per": ceiling.per.value,
        "amount": _written(ceiling.amount, currency),
        "source": ceiling.source,
        "verified": ceiling.verified,
    }
