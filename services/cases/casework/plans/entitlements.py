"""What the lines of a plan may come to, by the rules that their grants will be judged by.

Nothing is promised to a returnee that the programme does not give: a line over a ceiling is refused
where it is written, submitted and approved. What was granted outside the plan, and what is left of
a budget, only grants knows; it has the last word.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from chassis.errors import FieldError, ProblemType
from contracts.codes import HelpKind, Member, Money
from contracts.entitlements import AlreadyGranted, Assistance
from services.cases.casework.plans.rules import Terms

PLAN_EXCEEDS_PROGRAMME = ProblemType(
    "plan-exceeds-programme",
    409,
    "The programme does not give what the plan says",
    "`errors` names the lines; `rules` says for each which rule stands against it, what is left, "
    "and where the rule is published. Change the lines.",
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the programme does not give what a line says.

    Attributes:
        index: Of the line.
        code: `not_in_package`, `currency`, `package`, `in_kind` or `ceiling`.
        right: What would be right.
        rule: The rule as it is told: package, amount, what is left, source.
    """

    index: int
    code: str
    right: str
    rule: Mapping[str, Any]

    @property
    def error(self) -> FieldError:
        """It, at its place in the plan."""
        member = "kind" if self.code in {"not_in_package", "package", "in_kind"} else "budget"
        return FieldError(
            pointer=f"/lines/{self.index}/{member}", code=self.code, detail=self.right
        )


def refusals(
    allowed: Assistance,
    lines: Sequence[Terms],
    *,
    return_kind: str,
    members: Mapping[UUID, Member],
    delivered: Collection[UUID] = (),
) -> list[Refusal]:
    """What the programme does not give of a plan's lines, each beside those before it.

    Args:
        allowed: What the programme gives.
        lines: The lines, in order.
        return_kind: How the household returned.
        members: The people of the case, and their place in the household.
        delivered: Lines of which grants alone knows what they came to.
    """
    return list(_refusals(allowed, lines, return_kind, members, delivered))


def _refusals(
    allowed: Assistance,
    lines: Sequence[Terms],
    return_kind: str,
    members: Mapping[UUID, Member],
    delivered: Collection[UUID],
) -> Iterator[Refusal]:
    of_person: dict[tuple[str, UUID], Decimal] = defaultdict(Decimal)
    of_household: dict[str, Decimal] = defaultdict(Decimal)
    for index, line in enumerate(lines):
        member = members.get(line.beneficiary)
        if line.id in delivered or line.amount <= 0 or member is None:
            continue
        name = allowed.package_of(line.kind)
        refusal = _of_the_kind(index, line, allowed, name)
        if refusal is not None or name is None:
            if refusal is not None:
                yield refusal
            continue
        already = AlreadyGranted(of_person[name, line.beneficiary], of_household[name])
        refusal = _of_the_amount(index, line, allowed, name, (return_kind, member), already)
        if refusal is not None:
            yield refusal
        of_person[name, line.beneficiary] += line.amount
        of_household[name] += line.amount


def _of_the_kind(index: int, line: Terms, allowed: Assistance, name: str | None) -> Refusal | None:
    if name is None:
        kinds = sorted({kind for package in allowed.packages.values() for kind in package.kinds})
        right = f"a kind that the programme gives: {', '.join(kinds)}"
        return Refusal(index, "not_in_package", right, {"line": index, "code": "not_in_package"})
    if line.currency != allowed.currency:
        right = f"the programme's: {allowed.currency}"
        return Refusal(index, "currency", right, {"line": index, "code": "currency"})
    cash = allowed.packages[name].cash
    if line.kind is HelpKind.CASH and not cash.allows(line.kind):
        right = f"help in kind: {name} gives no cash"
        return Refusal(index, "in_kind", right, _told(index, "in_kind", name, cash))
    return None


def _of_the_amount(
    index: int,
    line: Terms,
    allowed: Assistance,
    name: str,
    who: tuple[str, Member],
    already: AlreadyGranted,
) -> Refusal | None:
    exceeded = allowed.packages[name].exceeded(*who, already, line.amount)
    if exceeded is None:
        return None
    ceiling, left = exceeded.ceiling, exceeded.left
    if left is None:
        right = f"a kind for such a return: {name} is not for them"
        return Refusal(index, "package", right, _told(index, "package", name, ceiling))
    amounts = {
        "per": ceiling.per.value,
        "amount": _written(ceiling.amount, allowed),
        "left": _written(left, allowed),
    }
    right = f"at most {left} {allowed.currency} for the {ceiling.per.value}, of {name}"
    return Refusal(index, "ceiling", right, _told(index, "ceiling", name, ceiling) | amounts)


def _told(index: int, code: str, package: str, rule: Any) -> dict[str, Any]:
    source = {"source": rule.source, "verified": rule.verified}
    return {"line": index, "code": code, "package": package} | source


def _written(amount: Decimal, allowed: Assistance) -> dict[str, Any]:
    return Money(amount=amount, currency=allowed.currency).model_dump(mode="json")
