"""What a programme grants and pays: packages, ceilings, windows, approval bands, papers,
instalments. Dated data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self, TypeVar

from pydantic import Field, StringConstraints, model_validator

from contracts.codes import CurrencyCode, HelpKind, Member, Paper, PaymentMethod, ReturnKind
from contracts.sourced import Data, Sourced, Unit

Amount = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=3)]
PackageName = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
EVERY_KIND = frozenset(ReturnKind)
EVERY_MEMBER = frozenset(Member)


class Per(StrEnum):
    """For whom a ceiling counts."""

    PERSON = "person"
    HOUSEHOLD = "household"


class Ceiling(Sourced):
    """The most that a package may come to."""

    per: Per
    return_kinds: frozenset[ReturnKind] = EVERY_KIND
    members: frozenset[Member] = EVERY_MEMBER
    """For a person: their place in the household."""
    amount: Amount


class Outside(StrEnum):
    """What happens to a request outside the window."""

    REFUSE = "refuse"
    WARN = "warn"
    """It is made, and marked for those who approve it."""


class Window(Sourced):
    """How long after the arrival something may be requested."""

    length: int = Field(ge=1)
    unit: Unit
    then: Outside
    used: bool = False
    """Whether it must be used by then too: handed over, or earned; what was not is paid no more."""


class CashRule(Sourced):
    """Whether a package may be paid in cash, and how much of it for a person."""

    allowed: bool
    kinds: frozenset[HelpKind] | None = None
    """Of what is allowed in cash. None: every kind of the package."""
    cap: Amount | None = None
    """None: up to the package's ceiling."""

    def allows(self, kind: HelpKind) -> bool:
        """Whether a kind of help may be paid in cash."""
        return self.allowed and (self.kinds is None or kind in self.kinds)


class Package(Data):
    """A part of the assistance with its own ceilings."""

    kinds: frozenset[HelpKind] = Field(min_length=1)
    before_arrival: bool = False
    """Whether it may be requested before the person has arrived."""
    window: Window
    ceilings: tuple[Ceiling, ...] = Field(min_length=1)
    cash: CashRule

    def ceiling(self, per: Per, return_kind: str, member: str | None = None) -> Ceiling | None:
        """The ceiling that holds for a person or a household; the first in the data that fits."""
        return next(
            (
                ceiling
                for ceiling in self.ceilings
                if ceiling.per is per
                and return_kind in ceiling.return_kinds
                and (member is None or member in ceiling.members)
            ),
            None,
        )

    def exceeded(
        self, return_kind: str, member: str, already: "AlreadyGranted", amount: Decimal
    ) -> "Exceeded | None":
        """What stands against giving a person an amount of the package; None if nothing does.

        The one rule for what a plan may promise and a grant may give.

        Args:
            return_kind: How the person returned.
            member: Their place in the household.
            already: What counts against the ceilings, in whichever programme or household.
            amount: How much, in the programme's currency.
        """
        for per, counted in ((Per.PERSON, already.person), (Per.HOUSEHOLD, already.household)):
            ceiling = self.ceiling(per, return_kind, member if per is Per.PERSON else None)
            if ceiling is not None:
                left = max(ceiling.amount - counted, Decimal(0))
                if amount > left:
                    return Exceeded(ceiling, left)
            elif per is Per.PERSON:  # the package is not for such a return
                return Exceeded(self.ceilings[0], None)
        return None


@dataclass(frozen=True, slots=True)
class AlreadyGranted:
    """What counts against the ceilings of a package already."""

    person: Decimal
    household: Decimal


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A ceiling that an amount is over.

    Attributes:
        ceiling: The ceiling; of a package that is not for such a return, any of its ceilings.
        left: What is left below it; None where the package is not for such a return.
    """

    ceiling: Ceiling
    left: Decimal | None


class CashOnArrival(Sourced):
    """Cash that is prepared for the desk when the journey is booked."""

    package: PackageName
    amount: Amount
    return_kinds: frozenset[ReturnKind] = EVERY_KIND
    members: frozenset[Member] = EVERY_MEMBER


class Band(Sourced):
    """How many persons approve a grant up to an amount."""

    up_to: Amount | None = None
    """None: any amount."""
    approvers: int = Field(ge=1)


class Quotes(Sourced):
    """From what amount how many quotes are compared."""

    above: Decimal = Field(ge=0)
    count: int = Field(ge=1)
    kinds: frozenset[HelpKind]


class Papers(Sourced):
    """What must be on file before a payment by a method is released."""

    by_method: Mapping[PaymentMethod, frozenset[Paper]]


class Instalments(Sourced):
    """In what parts a grant is paid; each after the first follows a visit."""

    kinds: frozenset[HelpKind]
    shares: tuple[Annotated[Decimal, Field(gt=0, le=1)], ...] = Field(min_length=2)

    @model_validator(mode="after")
    def they_are_the_whole(self) -> Self:
        """Refuse shares that are not the whole together."""
        if sum(self.shares) != 1:
            raise ValueError("the shares of the instalments are one together")
        return self


class Rounding(Sourced):
    """The smallest cash that is in use in a currency."""

    steps: Mapping[CurrencyCode, Amount]


class Lookback(Sourced):
    """For how long what a person was given counts against the same package, in whichever programme
    they were.
    """

    months: int = Field(ge=1)


class Dated(Sourced):
    """A rule that holds for a time."""

    from_: date = Field(alias="from")
    until: date | None = None
    """The last day; None where no end is known."""

    def __contains__(self, day: date) -> bool:
        return self.from_ <= day and (self.until is None or day <= self.until)


class Count(StrEnum):
    """For what an allowance is paid."""

    SESSION = "session"
    DAY = "day"
    """However many sessions were on it."""


class LivingAllowance(Dated):
    """What is paid for having attended a course that gives an allowance."""

    amount: Amount
    per: Count
    method: PaymentMethod
    papers: frozenset[Paper]
    """What must be on file before it is released, the recorded attendance included."""


class WageSubsidy(Dated):
    """What is paid to the employer for each month that somebody worked there."""

    share: Annotated[Decimal, Field(gt=0, le=1)]
    """Of the wage of a month."""
    months: int = Field(ge=1)
    """At most so many, from the start."""
    at_most: Amount
    """For a month."""
    method: PaymentMethod
    papers: frozenset[Paper]
    """What must be on file before it is released."""


class Cooperatives(Sourced):
    """How a cooperative of returnees is selected."""

    members: int = Field(ge=2)
    """At least so many."""
    committee: int = Field(ge=2)
    """So many persons select it."""


D = TypeVar("D", bound=Dated)


def on(day: date, rules: Sequence[D]) -> D | None:
    """The rule that holds on a day; the first in the data."""
    return next((rule for rule in rules if day in rule), None)


class Assistance(Data):
    """What may be granted and paid for the departures of one period."""

    currency: CurrencyCode
    packages: Mapping[PackageName, Package] = Field(min_length=1)
    counted: Lookback
    cash_on_arrival: tuple[CashOnArrival, ...] = ()
    bands: tuple[Band, ...] = Field(min_length=1)
    quotes: Quotes | None = None
    papers: Papers
    instalments: tuple[Instalments, ...] = ()
    cash_rounding: Rounding | None = None
    living_allowance: tuple[LivingAllowance, ...] = ()
    wage_subsidy: tuple[WageSubsidy, ...] = ()
    cooperatives: Cooperatives | None = None
    """None: the programme has none."""

    @model_validator(mode="after")
    def bands_cover_everything(self) -> Self:
        """Refuse bands that do not ascend to any amount, and cash for a package that there is
        not.
        """
        limits = [band.up_to for band in self.bands]
        if limits[-1] is not None or None in limits[:-1]:
            raise ValueError("the last band, and only it, has no upper amount")
        if limits[:-1] != sorted(limit for limit in limits if limit is not None):
            raise ValueError("bands ascend")
        if any(cash.package not in self.packages for cash in self.cash_on_arrival):
            raise ValueError("cash on arrival names a package of the programme")
        return self

    def approvers_needed(self, amount: Decimal) -> int:
        """How many persons approve a grant of an amount in the programme's currency."""
        return next(
            band.approvers for band in self.bands if band.up_to is None or amount <= band.up_to
        )

    def quotes_needed(self, kind: HelpKind, amount: Decimal) -> int:
        """How many quotes a grant needs before it is approved."""
        quotes = self.quotes
        return (
            quotes.count
            if quotes is not None and kind in quotes.kinds and amount > quotes.above
            else 0
        )

    def package_of(self, kind: HelpKind) -> str | None:
        """The package that a kind of help belongs to where none is named: the last one that has
        it.
        """
        return next(
            (
                name
                for name, package in reversed(list(self.packages.items()))
                if kind in package.kinds
            ),
            None,
        )

    def instalments_of(self, kind: HelpKind) -> tuple[Decimal, ...]:
        """In what parts a grant is paid; one whole where the programme says nothing."""
        return next(
            (parts.shares for parts in self.instalments if kind in parts.kinds), (Decimal(1),)
        )

    def cash_step(self, currency: str) -> Decimal | None:
        """The smallest cash in use in a currency."""
        return self.cash_rounding.steps.get(currency) if self.cash_rounding else None

    def prepared_cash(self, return_kind: str, member: str) -> CashOnArrival | None:
        """What is prepared for a person for the desk."""
        return next(
            (
                c
                for c in self.cash_on_arrival
                if return_kind in c.return_kinds and member in c.members
            ),
            None,
        )
