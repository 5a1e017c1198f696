"""What a programme lets a person have: within the window of its package, and below its ceilings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, func
from sqlmodel import col, or_, select

from chassis.auth import Caller
from chassis.db import Session, now
from chassis.errors import FieldError, invalid
from contracts.codes import HelpKind, Housing
from contracts.entitlements import AlreadyGranted, Assistance, Outside, Package
from participation.aliases import same_person
from services.grants import people
from services.grants.awards.grants import rules
from services.grants.awards.grants.events import split_by_shares
from services.grants.awards.grants.loading import local_today, participant_of
from services.grants.codes import GrantSource
from services.grants.models import Grant, Participant
from services.grants.programmes.data import assistance, window_ends
from services.grants.states import GIVEN_UP


@dataclass(frozen=True, slots=True)
class GrantShare:
    """One person's part of a joint grant.

    Attributes:
        participant: The person in their case.
        share: A number; the parts are as the shares are to one another.
        amount: What counts against their ceilings.
        plan_line_id: The line of their plan that it fulfils.
    """

    participant: Participant
    share: Decimal
    amount: Decimal
    plan_line_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class GrantRequest:
    """What is requested, for whom, by whom.

    Attributes:
        participant: The person in their case.
        kind: What for.
        amount: How much, in `currency`.
        currency: Must be the programme's.
        requester: Opaque id of the person who requests.
        caller: Who is noted in the audit trail.
        source: What asked for it.
        package: None: the programme's package for the kind.
        budget_id: None: the first of the programme's that has enough.
        id: Chosen by the client, or None.
        description: Free text; never published.
        housing: For housing: what it is for.
        plan_id: The plan that it is of.
        plan_line_id: The line of the plan.
        asked_on: When the person agreed to it with those who asked, which is what a window is
            about; None: today.
        travel_id: The journey that it was prepared for.
        preparers: Who else had a part in its being requested, and therefore does not approve it.
        shares: Of a joint grant, whose part it is; `participant` is then who stands for all.
    """

    participant: Participant
    kind: HelpKind
    amount: Decimal
    currency: str
    requester: UUID
    caller: Caller
    source: GrantSource = GrantSource.HAND
    package: str | None = None
    budget_id: UUID | None = None
    id: UUID | None = None
    description: str | None = None
    housing: Housing | None = None
    plan_id: UUID | None = None
    plan_line_id: UUID | None = None
    asked_on: date | None = None
    travel_id: UUID | None = None
    preparers: tuple[UUID, ...] = ()
    shares: tuple[GrantShare, ...] = ()


@dataclass(frozen=True, slots=True)
class EligibilityResult:
    """What a programme says of a request that it allows.

    Attributes:
        package: The package that it is of.
        outside_window: Whether it comes after the package's window, and the programme only warns.
    """

    package: str
    outside_window: bool


async def check_eligibility(
    session: Session, request: GrantRequest, *, excluding: UUID | None = None
) -> EligibilityResult:
    """Refuse what the programme does not let everybody have whom it is of; persons and households
    are locked.

    Args:
        session: The session.
        request: What is requested.
        excluding: A grant that does not count, as it is changed.

    Raises:
        Problem: 409, with the rule that stands against it; 422.
    """
    if not request.shares:
        return await _check_person(session, request, excluding, {})
    results = []
    for share in request.shares:
        others = {
            other.participant.returnee_id: other.amount
            for other in request.shares
            if other is not share
        }
        own = replace(request, participant=share.participant, amount=share.amount, shares=())
        results.append(await _check_person(session, own, excluding, others))
    return EligibilityResult(results[0].package, any(result.outside_window for result in results))


async def _check_person(
    session: Session,
    request: GrantRequest,
    excluding: UUID | None,
    others: Mapping[UUID, Decimal],
) -> EligibilityResult:
    """Refuse what the programme does not let one person have.

    Args:
        session: The session.
        request: What is requested for them.
        excluding: A grant that does not count, as it is changed.
        others: What others are to have at the same time.

    Raises:
        Problem: 409, with the rule that stands against it; 422.
    """
    person = request.participant
    allowed = assistance(person.programme, person.programme_version)
    name, package = _package_of(request, allowed)
    outside = await _is_outside_window(session, request, name, package)
    already = await _already_granted(
        session, person, name, allowed.counted.months, excluding, others
    )
    rules.check_ceilings(
        name,
        package,
        return_kind=person.return_kind,
        member=person.member,
        granted=already,
        amount=request.amount,
        currency=allowed.currency,
    )
    if request.kind is HelpKind.CASH and not package.cash.allows(request.kind):
        raise rules.refused("in_kind", name, package.cash.source, package.cash.verified)
    return EligibilityResult(name, outside)


def _package_of(request: GrantRequest, allowed: Assistance) -> tuple[str, Package]:
    """The package that a request is of; refused where it has none, or another currency.

    Raises:
        Problem: 422.
    """
    name = request.package or allowed.package_of(request.kind)
    package = allowed.packages.get(name or "")
    if name is None or package is None or request.kind not in package.kinds:
        names = [name for name, has in allowed.packages.items() if request.kind in has.kinds]
        detail = f"packages for this kind: {', '.join(names) or 'none'}"
        raise invalid(FieldError(pointer="/package", code="not_in_package", detail=detail))
    if request.currency != allowed.currency:
        detail = f"the programme's: {allowed.currency}"
        raise invalid(FieldError(pointer="/amount/currency", code="currency", detail=detail))
    return name, package


async def _is_outside_window(
    session: Session, request: GrantRequest, name: str, package: Package
) -> bool:
    """Whether a request comes after the window of its package, where the programme only warns.

    Raises:
        Problem: 409 `programme-rule`, the programme refuses it.
    """
    person = request.participant
    day = request.asked_on or await local_today(session, person.programme, person.implementer)
    arrived_on = await first_arrival(session, person.case_id)
    if arrived_on is None:
        if not package.before_arrival:
            raise rules.refused("not_arrived", name, package.window.source, package.window.verified)
        return False
    outside = day > _window_ends(person, package, arrived_on, day)
    if outside and package.window.then is Outside.REFUSE:
        raise rules.refused("window", name, package.window.source, package.window.verified)
    return outside


async def _already_granted(
    session: Session,
    person: Participant,
    package: str,
    months: int,
    excluding: UUID | None,
    others: Mapping[UUID, Decimal],
) -> AlreadyGranted:
    """What counts against the ceilings of a person and of the fullest of their households."""

    async def of(ids: Sequence[UUID]) -> Decimal:
        granted = await _sum_granted(session, ids, package, months, excluding)
        return granted + sum(
            (amount for returnee_id, amount in others.items() if returnee_id in ids), Decimal(0)
        )

    ids = await same_person(session, person.returnee_id)
    own = household = await of(ids)
    for household_id in await people.households(session, ids, also=person.household_id):
        family = sorted({*ids, *await people.household(session, household_id)})
        household = max(household, await of(family))
    return AlreadyGranted(own, household)


async def _sum_granted(
    session: Session, ids: Sequence[UUID], package: str, months: int, excluding: UUID | None
) -> Decimal:
    """What was granted of a package to people, of joint grants their parts."""
    counts: list[ColumnElement[bool]] = [
        col(Grant.package) == package,
        col(Grant.state).not_in(GIVEN_UP),
        col(Grant.created_at) >= now() - func.make_interval(0, months),
    ]
    if excluding is not None:
        counts.append(col(Grant.id) != excluding)
    alone = select(func.coalesce(func.sum(Grant.counted), 0)).where(
        *counts, col(Grant.returnee_id).in_(ids), func.jsonb_array_length(Grant.parts) == 0
    )
    granted = Decimal((await session.execute(alone)).scalar_one())
    wanted = sorted({str(returnee_id) for returnee_id in ids})
    joint = select(Grant).where(
        *counts,
        or_(*(col(Grant.parts).contains([{"returnee_id": person}]) for person in wanted)),
    )
    for grant in await session.scalars(joint):
        by_part = zip(grant.parts, split_by_shares(grant, grant.counted), strict=True)
        granted += sum(
            (amount for part, amount in by_part if part["returnee_id"] in wanted), Decimal(0)
        )
    return granted


async def first_arrival(session: Session, case_id: UUID) -> date | None:
    """The day on which the first person of a case arrived; None while nobody has."""
    query = select(func.min(Participant.arrived_on)).where(Participant.case_id == case_id)
    day: date | None = await session.scalar(query)
    return day


def _window_ends(person: Participant, package: Package, arrived_on: date, day: date) -> date:
    """The last day of a package's window; while a case rests its clock stands."""
    rests = [tuple(map(date.fromisoformat, rest)) for rest in person.rests]
    if person.suspended_on is not None:
        rests.append((person.suspended_on, day))
    # What rested before the arrival rested before the window began.
    rested = sum(max(0, (until - max(since, arrived_on)).days) for since, until in rests)
    ends = window_ends(
        person.programme, person.programme_version, package, person.implementer, arrived_on
    )
    return ends + timedelta(days=rested)


async def check_used_in_time(session: Session, grant: Grant, used_on: date) -> None:
    """Refuse to pay for what was used too late, where the programme says by when it is to be used.

    Args:
        session: The session.
        grant: The grant.
        used_on: When what is paid for was handed over or earned.

    Raises:
        Problem: 409 `programme-rule`.
    """
    package = assistance(grant.programme, grant.programme_version).packages[grant.package]
    arrived_on = await first_arrival(session, grant.case_id)
    person = await participant_of(session, grant)
    if not package.window.used or arrived_on is None or person is None:
        return
    if used_on > _window_ends(person, package, arrived_on, used_on):
        raise rules.refused("window", grant.package, package.window.source, package.window.verified)
