"""What attendance and work have earned. Pure."""

import calendar
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any, Protocol
from uuid import UUID

from contracts.codes import Paper, PaymentMethod
from contracts.currencies import unit
from contracts.entitlements import Count, LivingAllowance, WageSubsidy, on


@dataclass(frozen=True, slots=True)
class Earned:
    """One payment that is due to somebody.

    Attributes:
        key: What it was earned by; it is paid once.
        amount: In the programme's currency.
        due_on: From when it may be released.
        method: How it is paid.
        papers_needed: What must be on file.
        papers_there: What is on file already.
        line_id: The line of the plan that pays it; None where none is named.
    """

    key: str
    amount: Decimal
    due_on: date
    method: PaymentMethod
    papers_needed: frozenset[Paper]
    papers_there: frozenset[Paper] = frozenset()
    line_id: UUID | None = None


class Session(Protocol):
    """A session that somebody attended, under one of their ids."""

    enrolment_id: Any
    number: Any
    returnee_id: Any
    line_id: Any
    held_on: Any


def allowances(attended: Iterable[Session], rates: tuple[LivingAllowance, ...]) -> list[Earned]:
    """What one person has earned by attending, in the order of the days.

    Args:
        attended: The sessions that count.
        rates: What the programme pays, and when.

    Returns:
        One for each session or each day, as the programme pays. Nothing for a day on which it paid
        nothing.
    """
    earned: dict[str, Earned] = {}
    for session in sorted(attended, key=lambda one: (one.held_on, one.enrolment_id, one.number)):
        rate = on(session.held_on, rates)
        if rate is None:
            continue
        daily = rate.per is Count.DAY
        key = (
            f"{session.returnee_id}/{session.held_on}"
            if daily
            else f"{session.enrolment_id}/{session.number}"
        )
        earned.setdefault(
            str(session.held_on) if daily else key,
            Earned(
                key=key,
                amount=rate.amount,
                due_on=session.held_on,
                method=rate.method,
                papers_needed=rate.papers,
                papers_there=frozenset({Paper.ATTENDANCE}),
                line_id=session.line_id,
            ),
        )
    return list(earned.values())


@dataclass(frozen=True, slots=True)
class Work:
    """A placement that a subsidy is for.

    Attributes:
        placement_id: Which.
        wage: Of a month, in the programme's currency.
        started_on: The first day of work.
        ended_on: The last; None while it goes on.
        months: For how many it was agreed; None: as the programme says.
        checks: Months after the start to whether they still worked there.
    """

    placement_id: UUID
    wage: Decimal
    started_on: date
    ended_on: date | None
    months: int | None
    checks: Mapping[int, bool]


def subsidies(work: Work, rates: tuple[WageSubsidy, ...], currency: str) -> list[Earned]:
    """The instalments of a wage subsidy: one for each whole month of work, due at its end.

    Args:
        work: The placement.
        rates: What the programme pays; the rule of the first day of work holds for all of it.
        currency: The programme's.

    Returns:
        As many as were agreed, and never more than the programme says. A check that found nobody at
        work ends them with the month before it.
    """
    rate = on(work.started_on, rates)
    if rate is None:
        return []
    amount = min((work.wage * rate.share).quantize(unit(currency), ROUND_DOWN), rate.at_most)
    if amount <= 0:
        return []
    return [
        Earned(f"{work.placement_id}/{month}", amount, due_on, rate.method, rate.papers)
        for month, due_on in _months_worked(work, rate)
    ]


def _months_worked(work: Work, rate: WageSubsidy) -> Iterator[tuple[int, date]]:
    """The whole months of work that are paid for, and the day on which each was over."""
    stopped = min((months for months, working in work.checks.items() if not working), default=None)
    for month in range(1, min(work.months or rate.months, rate.months) + 1):
        over_on = months_after(work.started_on, month)
        worked = work.ended_on is None or over_on <= work.ended_on + timedelta(days=1)
        if worked and (stopped is None or month < stopped):
            yield month, over_on


def months_after(start: date, months: int) -> date:
    """The same day so many months later, or the last of that month."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))


def checks_of(stored: Mapping[str, Any]) -> dict[int, bool]:
    """Checks as they are stored, by months."""
    return {int(months): bool(check["working"]) for months, check in stored.items()}
