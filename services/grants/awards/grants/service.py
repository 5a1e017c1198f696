"""Grants: requested within the ceilings, quoted, approved by enough others, ordered, delivered,
closed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Date, Select, func
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlmodel import cast, col, or_, select, true, update

from chassis import audit, jobs
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now, savepoint
from chassis.errors import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    STATE_CONFLICT,
    FieldError,
    Problem,
    invalid,
    state_conflict,
)
from chassis.ids import new_id
from chassis.outbox import publish
from contracts import grants as facts
from contracts.codes import CaseState, HelpKind, Money, Paper, PaymentMethod
from contracts.currencies import split
from contracts.entitlements import Outside, Package
from participation.access import visible
from participation.aliases import same_people, same_person
from services.grants import people, supporting_documents
from services.grants.awards.grants import rules
from services.grants.awards.grants.rules import Action, Granted, GrantState
from services.grants.books import ledger
from services.grants.books.ledger import Account, Cause, Movement
from services.grants.models import (
    AppliedPlan,
    Approval,
    Budget,
    Delivery,
    DeskReceipt,
    Grant,
    Participant,
    Payee,
    Payment,
    Quote,
)
from services.grants.programmes.data import assistance, window_ends, zone_of
from services.grants.schemas import money
from services.grants.statement_files.references import default_reference

RESOURCE = "grant"
NOT_COUNTED = (GrantState.REJECTED, GrantState.CANCELLED)
ON_ITS_WAY = ("scheduled", "released")
EARNED = (HelpKind.LIVING_ALLOWANCE, HelpKind.WAGE_SUBSIDY)
"""Kinds of help that are paid by and by, as attendance and work earn them."""
SETTLE = "grants.earned.settle"
"""The job that schedules what was earned before the grant was approved."""


@dataclass(frozen=True, slots=True)
class Part:
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
class Asked:
    """What is requested, for whom, by whom.

    Attributes:
        participant: The person in their case.
        kind: What for.
        amount: How much, in `currency`.
        currency: Must be the programme's.
        requester: Opaque id of the person who requests.
        caller: Who is noted in the audit trail.
        source: `hand`, `plan` or `travel`.
        package: None: the programme's package for the kind.
        budget_id: None: the first of the programme's that has enough.
        id: Chosen by the client, or None.
        description: Free text; never published.
        housing: For housing: items, rent, materials or temporary.
        plan_id: The plan that it is of.
        plan_line_id: The line of the plan.
        asked_on: When the person agreed to it with those who asked, which is what a window is
            about; None: today.
        travel_id: The journey that it was prepared for.
        preparers: Who else had a part in its being requested, and therefore does not approve it.
        parts: Of a joint grant, whose part it is; `participant` is then who stands for all.
    """

    participant: Participant
    kind: HelpKind
    amount: Decimal
    currency: str
    requester: UUID
    caller: Caller
    source: str = "hand"
    package: str | None = None
    budget_id: UUID | None = None
    id: UUID | None = None
    description: str | None = None
    housing: str | None = None
    plan_id: UUID | None = None
    plan_line_id: UUID | None = None
    asked_on: date | None = None
    travel_id: UUID | None = None
    preparers: tuple[UUID, ...] = ()
    parts: tuple[Part, ...] = ()


def divided(grant: Grant, amount: Decimal) -> list[Decimal]:
    """An amount of a joint grant by its parts."""
    shares = [Decimal(part["share"]) for part in grant.parts]
    return split(amount, [share / sum(shares) for share in shares], grant.currency)


def told_of(grant: Grant, **amounts: Money) -> Iterator[dict[str, Any]]:
    """What a fact about a grant carries, once of each person whom it is of, with their part of each
    amount.

    About somebody who was erased nothing is told any more.
    """
    kind = HelpKind(grant.kind)
    common = {
        "grant_id": grant.id,
        "programme": grant.programme,
        "group": kind.group,
        "kind": kind.published,
    }
    names = ("returnee_id", "case_id", "household_id", "plan_line_id")
    if not grant.parts:
        if grant.returnee_id is not None:
            yield common | {name: getattr(grant, name) for name in names} | amounts
        return
    by_part = {name: divided(grant, whole.amount) for name, whole in amounts.items()}
    for place, part in enumerate(grant.parts):
        if part["returnee_id"] is not None:
            theirs = {
                name: money(by_part[name][place], whole.currency) for name, whole in amounts.items()
            }
            yield common | {name: part[name] for name in names} | theirs


def tell(session: Session, grant: Grant, model: type[facts.GrantFact], **more: Any) -> None:
    """Publish a fact about a grant, of each person whom it is of."""
    amounts = {name: value for name, value in more.items() if isinstance(value, Money)}
    others = {name: value for name, value in more.items() if name not in amounts}
    for ids in told_of(grant, amount=money(grant.amount, grant.currency), **amounts):
        publish(session, model(**ids, **others))


def listed(
    caller: Caller,
    *,
    programme: str | None,
    state: GrantState | None,
    kind: HelpKind | None,
    returnee_ids: Sequence[UUID] | None,
    case_id: UUID | None,
    budget_id: UUID | None,
    unsettled: bool | None,
    updated_since: Any,
) -> Select[Any]:
    """Grants of people in whose return the caller takes part."""
    query: Select[Any] = select(Grant).where(visible_to(caller))
    for column, value in (
        (Grant.programme, programme),
        (Grant.state, state),
        (Grant.kind, kind),
        (Grant.case_id, case_id),
        (Grant.budget_id, budget_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if returnee_ids is not None:
        query = query.where(col(Grant.returnee_id).in_(returnee_ids))
    if unsettled is not None:
        query = query.where((func.jsonb_array_length(Grant.unsettled) > 0) == unsettled)
    if updated_since is not None:
        query = query.where(Grant.updated_at >= updated_since)
    return query


def visible_to(caller: Caller) -> Any:
    """Grants that the caller may know of."""
    return visible(col(Grant.returnee_id), caller)


async def find(session: Session, grant_id: UUID, caller: Caller) -> Grant:
    """A grant that the caller may know of.

    Raises:
        Problem: 404.
    """
    grant: Grant | None = await session.scalar(
        select(Grant).where(Grant.id == grant_id, visible_to(caller))
    )
    if grant is None:
        raise Problem(NOT_FOUND)
    return grant


async def locked(session: Session, grant_id: UUID, caller: Caller) -> Grant:
    """A grant to work on, locked.

    Raises:
        Problem: 404, or 403 for who only referred the person.
    """
    found = await session.execute(
        select(Grant, people.works_for(col(Grant.returnee_id), caller))
        .where(Grant.id == grant_id, visible_to(caller))
        .with_for_update(of=Grant),
        execution_options={"populate_existing": True},
    )
    row = found.one_or_none()
    if row is None:
        raise Problem(NOT_FOUND)
    grant, works = row
    if not works:
        raise Problem(FORBIDDEN, people.WHO_WORKS)
    return grant


async def today(session: Session, programme: str, implementer: str) -> date:
    """The day by the database's clock, where a partner assists: at 02:30 in Baghdad it is not
    yesterday any more.
    """
    there = func.timezone(zone_of(programme, implementer).key, now())
    return (await session.execute(select(cast(there, Date)))).scalar_one()


async def _granted(
    session: Session, ids: Sequence[UUID], package: str, months: int, but: UUID | None
) -> Decimal:
    counts = (
        Grant.package == package,
        col(Grant.state).not_in(NOT_COUNTED),
        Grant.created_at >= now() - func.make_interval(0, months),
        true() if but is None else Grant.id != but,
    )
    alone = select(func.coalesce(func.sum(Grant.counted), 0)).where(
        *counts, col(Grant.returnee_id).in_(ids), func.jsonb_array_length(Grant.parts) == 0
    )
    granted = Decimal((await session.execute(alone)).scalar_one())
    theirs = sorted({str(each) for each in ids})
    joint = select(Grant).where(
        *counts, or_(*(col(Grant.parts).contains([{"returnee_id": each}]) for each in theirs))
    )
    for grant in await session.scalars(joint):
        by_part = zip(grant.parts, divided(grant, grant.counted), strict=True)
        granted += sum(
            (amount for part, amount in by_part if part["returnee_id"] in theirs), Decimal(0)
        )
    return granted


async def first_arrival(session: Session, case_id: UUID) -> date | None:
    """The day on which the first person of a case arrived; None while nobody has."""
    query = select(func.min(Participant.arrived_on)).where(Participant.case_id == case_id)
    day: date | None = await session.scalar(query)
    return day


async def _check_amount(
    session: Session, asked: Asked, *, but: UUID | None = None
) -> tuple[str, Package, bool]:
    """Whether the programme lets everybody have it whom it is of; persons and households are
    locked.

    Returns:
        The package, its rules, and whether it is outside its window.

    Raises:
        Problem: 409, with the rule that stands against it.
    """
    if not asked.parts:
        return await _check_one(session, asked, but, {})
    found = []
    for part in asked.parts:
        beside = {
            each.participant.returnee_id: each.amount for each in asked.parts if each is not part
        }
        theirs = replace(asked, participant=part.participant, amount=part.amount, parts=())
        found.append(await _check_one(session, theirs, but, beside))
    name, package, _ = found[0]
    return name, package, any(outside for _, _, outside in found)


async def _check_one(
    session: Session, asked: Asked, but: UUID | None, beside: Mapping[UUID, Decimal]
) -> tuple[str, Package, bool]:
    """Whether the programme lets one person have it.

    Args:
        session: The session.
        asked: What is requested for them.
        but: A grant that does not count, as it is changed.
        beside: What others are to have at the same time.

    Returns:
        The package, its rules, and whether it is outside its window.

    Raises:
        Problem: 409, with the rule that stands against it.
    """
    who = asked.participant
    allowed = assistance(who.programme, who.programme_version)
    name = asked.package or allowed.package_of(asked.kind)
    package = allowed.packages.get(name or "")
    if name is None or package is None or asked.kind not in package.kinds:
        named = (
            ", ".join(p for p, has in allowed.packages.items() if asked.kind in has.kinds) or "none"
        )
        raise invalid(
            FieldError(
                pointer="/package", code="not_in_package", detail=f"packages for this kind: {named}"
            )
        )
    if asked.currency != allowed.currency:
        raise invalid(
            FieldError(
                pointer="/amount/currency",
                code="currency",
                detail=f"the programme's: {allowed.currency}",
            )
        )
    day = asked.asked_on or await today(session, who.programme, who.implementer)
    outside = False
    arrived_on = await first_arrival(session, who.case_id)
    if arrived_on is None:
        if not package.before_arrival:
            raise rules.refused("not_arrived", name, package.window.source, package.window.verified)
    else:
        outside = day > _window_ends(who, package, arrived_on, day)
        if outside and package.window.then is Outside.REFUSE:
            raise rules.refused("window", name, package.window.source, package.window.verified)
    ids = await same_person(session, who.returnee_id)
    months = allowed.counted.months
    mine = await _granted(session, ids, name, months, but)
    mine += sum(
        (amount for returnee_id, amount in beside.items() if returnee_id in ids), Decimal(0)
    )
    ours = mine
    for household_id in await people.households(session, ids, also=who.household_id):
        family = sorted({*ids, *await people.household(session, household_id)})
        theirs = await _granted(session, family, name, months, but)
        theirs += sum(
            (amount for returnee_id, amount in beside.items() if returnee_id in family), Decimal(0)
        )
        ours = max(ours, theirs)
    rules.check_ceilings(
        name,
        package,
        return_kind=who.return_kind,
        member=who.member,
        granted=Granted(mine, ours),
        amount=asked.amount,
        currency=allowed.currency,
    )
    if asked.kind is HelpKind.CASH and not package.cash.allows(asked.kind):
        raise rules.refused("in_kind", name, package.cash.source, package.cash.verified)
    return name, package, outside


def _window_ends(who: Participant, package: Package, arrived_on: date, day: date) -> date:
    """The last day of a package's window; while a case rests its clock stands."""
    rests = [tuple(map(date.fromisoformat, rest)) for rest in who.rests]
    if who.suspended_on is not None:
        rests.append((who.suspended_on, day))
    # What rested before the arrival rested before the window began.
    rested = sum(max(0, (until - max(since, arrived_on)).days) for since, until in rests)
    ends = window_ends(who.programme, who.programme_version, package, who.implementer, arrived_on)
    return ends + timedelta(days=rested)


async def check_used(session: Session, grant: Grant, used_on: date) -> None:
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
    who = (
        await session.get(Participant, (grant.case_id, grant.returnee_id))
        if grant.returnee_id
        else None
    )
    if not package.window.used or arrived_on is None or who is None:
        return
    if used_on > _window_ends(who, package, arrived_on, used_on):
        raise rules.refused("window", grant.package, package.window.source, package.window.verified)


async def lock_people(session: Session, *returnee_ids: UUID | None) -> None:
    """Lock people under all their ids, and all their households; again where something came
    between.
    """
    locked: tuple[list[UUID], list[UUID]] = [], []
    while True:
        ids = sorted(
            await same_people(session, [each for each in returnee_ids if each is not None])
        )
        again = ids, await people.households(session, ids)
        if again == locked:
            return
        await people.lock(session, *again)
        locked = again


async def lock_all_of(session: Session, grant: Grant) -> None:
    """Lock everybody whom a grant is of, and their households."""
    parts = [UUID(part["returnee_id"]) for part in grant.parts if part["returnee_id"] is not None]
    await lock_people(session, grant.returnee_id, *parts)


async def open_budgets(
    session: Session, programme: str, organisation: str, currency: str
) -> list[Budget]:
    """The budgets that an organisation may grant from today, the one that ends first before the
    others.
    """
    day = await today(session, programme, organisation)
    query = (
        select(Budget)
        .where(Budget.programme == programme, Budget.organisation == organisation)
        .where(Budget.currency == currency, Budget.starts_on <= day, Budget.ends_on >= day)
        .order_by(col(Budget.ends_on), col(Budget.id))
    )
    return [budget for budget in await session.scalars(query) if ledger.pays_on(budget, day)]


async def check_open(
    session: Session, grant: Grant, budget_id: UUID, on: date | None = None
) -> None:
    """Refuse that money is committed, leaves or arrives before or after its budget, or when one of
    its donors does not pay.

    Args:
        session: The session.
        grant: What it is for.
        budget_id: Which bears it.
        on: The day; None for today.

    Raises:
        Problem: 409 `budget-closed`.
    """
    budget = await session.get_one(Budget, budget_id)
    day = on or await today(session, grant.programme, grant.implementer)
    if not ledger.pays_on(budget, day):
        raise Problem(ledger.BUDGET_CLOSED)


async def _budget_for(session: Session, asked: Asked) -> Budget:
    who = asked.participant
    found = await open_budgets(session, who.programme, who.implementer, asked.currency)
    fitting = [budget for budget in found if asked.budget_id in {None, budget.id}]
    if not fitting:
        raise Problem(
            ledger.BUDGET_EXHAUSTED,
            "no budget of the programme is open for this organisation today",
        )
    for budget in fitting[:-1]:
        if await ledger.available(session, budget.id) >= asked.amount:
            with suppress(_Gone):
                async with savepoint(session):  # which gives the lock back where others were faster
                    locked = await ledger.lock(session, budget.id)
                    if await ledger.available(session, budget.id) < asked.amount:
                        raise _Gone
                return locked
    return await ledger.lock(session, fitting[-1].id)


class _Gone(Exception):  # noqa: N818 - it says what became of the money, and is caught where it is raised
    """Others were granted what a budget had left."""


async def request(session: Session, asked: Asked) -> Grant:
    """Request help: within the ceilings and the budget, its amount is reserved.

    Raises:
        Problem: 409 `ceiling-exceeded`, `programme-rule`, `budget-exhausted`, or the id is taken;
            422.
    """
    who = asked.participant
    everybody = [part.participant for part in asked.parts] or [who]
    await lock_people(session, *(each.returnee_id for each in everybody))
    for each in everybody:
        await _as_it_is_now(session, each)
    if any(each.state == CaseState.CLOSED for each in everybody):
        raise state_conflict(CaseState.CLOSED, [], "request")
    if asked.id is not None:
        there = await session.get(Grant, asked.id)
        if there is not None:
            same = (there.case_id, there.returnee_id, there.kind, there.amount) == (
                who.case_id,
                who.returnee_id,
                asked.kind,
                asked.amount,
            )
            if not same:
                raise Problem(CONFLICT, "the id is taken by something else")
            return there
    await _check_line(session, asked)
    name, _, outside = await _check_amount(session, asked)
    budget = await _budget_for(session, asked)
    grant = _new(asked, name, GrantState.REQUESTED, budget.id, None, outside)
    session.add(grant)
    try:
        await session.flush()
    except IntegrityError:
        raise Problem(CONFLICT, "the id is taken by something else") from None
    cause = Cause(asked.requester, grant.id)
    await ledger.move(session, budget, Movement.RESERVE, grant.amount, cause)
    tell(session, grant, facts.GrantRequested)
    audit.record(session, asked.caller, "request", RESOURCE, grant.id)
    return grant


async def _as_it_is_now(session: Session, who: Participant) -> None:
    """See a locked person in a case as they are now.

    Raises:
        Problem: 404, they were erased; 409, another partner took the case over meanwhile.
    """
    partner = who.implementer
    try:
        await session.refresh(who)
    except InvalidRequestError:
        raise Problem(NOT_FOUND) from None
    if who.implementer != partner:
        raise Problem(CONFLICT, "another partner took the case over")


async def _check_line(session: Session, asked: Asked) -> None:
    """Refuse a line that is not of the plan in force, or for which something is granted already.

    Raises:
        Problem: 409, 422.
    """
    if asked.plan_line_id is None:
        return
    if asked.source == "hand":
        plan = await session.get(AppliedPlan, asked.participant.case_id)
        line = plan.lines.get(str(asked.plan_line_id)) if plan is not None else None
        ids = {str(each) for each in await same_person(session, asked.participant.returnee_id)}
        if line is None or line["kind"] != asked.kind or line["beneficiary"] not in ids:
            right = "a line for this person and kind of help of the plan in force"
            raise invalid(FieldError(pointer="/plan_line_id", code="unknown_line", detail=right))
    there = await session.scalar(
        select(col(Grant.id)).where(
            col(Grant.plan_line_id) == asked.plan_line_id, col(Grant.state).not_in(NOT_COUNTED)
        )
    )
    if there is not None or await lines_in_common(session, [asked.plan_line_id]):
        raise Problem(CONFLICT, "the line of the plan has a grant")


async def refuse(session: Session, asked: Asked, reason: facts.GrantReason) -> Grant:
    """Note that something that was planned is not granted; nothing is reserved."""
    allowed = assistance(asked.participant.programme, asked.participant.programme_version)
    name = asked.package or allowed.package_of(asked.kind) or next(iter(allowed.packages))
    grant = _new(asked, name, GrantState.REJECTED, None, reason, False)
    session.add(grant)
    await session.flush()
    tell(session, grant, facts.GrantRejected, reason=reason)
    audit.record(session, asked.caller, "refuse", RESOURCE, grant.id, {"reason": reason})
    return grant


def _new(
    asked: Asked,
    package: str,
    state: GrantState,
    budget_id: UUID | None,
    reason: facts.GrantReason | None,
    outside: bool,
) -> Grant:
    who = asked.participant
    allowed = assistance(who.programme, who.programme_version)
    return Grant(
        id=asked.id or new_id(),
        case_id=who.case_id,
        returnee_id=who.returnee_id,
        household_id=who.household_id,
        programme=who.programme,
        programme_version=who.programme_version,
        implementer=who.implementer,
        package=package,
        kind=asked.kind,
        housing=asked.housing,
        description=asked.description,
        amount=asked.amount,
        counted=asked.amount,
        currency=asked.currency,
        budget_id=budget_id,
        state=state,
        reason=reason,
        requester=asked.requester,
        preparers=sorted({asked.requester, *asked.preparers}),
        source=asked.source,
        plan_id=asked.plan_id,
        plan_line_id=asked.plan_line_id,
        travel_id=asked.travel_id,
        approvers_needed=allowed.approvers_needed(asked.amount),
        quotes_needed=allowed.quotes_needed(asked.kind, asked.amount),
        outside_window=outside,
        parts=[
            {
                "returnee_id": str(part.participant.returnee_id),
                "case_id": str(part.participant.case_id),
                "household_id": str(part.participant.household_id)
                if part.participant.household_id
                else None,
                "plan_line_id": str(part.plan_line_id) if part.plan_line_id else None,
                "share": str(part.share),
            }
            for part in asked.parts
        ],
    )


async def quote(
    session: Session,
    caller: Caller,
    grant_id: UUID,
    *,
    payee_id: UUID,
    amount: Decimal,
    currency: str,
    document: UUID,
) -> Grant:
    """Note an offer; the second of the same payee takes the place of the first.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    grant = await locked(session, grant_id, caller)
    state = rules.after(grant.state, Action.QUOTE)
    if currency != grant.currency:
        raise invalid(
            FieldError(
                pointer="/amount/currency", code="currency", detail=f"the grant's: {grant.currency}"
            )
        )
    there = await session.scalar(
        select(Quote).where(Quote.grant_id == grant.id, Quote.payee_id == payee_id)
    )
    if there is None:
        session.add(Quote(grant_id=grant.id, payee_id=payee_id, amount=amount, document=document))
    else:
        there.amount, there.document = amount, document
    await supporting_documents.cite(session, grant.id, [document])
    await session.flush()
    count = (
        await session.execute(select(func.count()).where(Quote.grant_id == grant.id))
    ).scalar_one()
    grant.changed()
    if count >= grant.quotes_needed and grant.state == GrantState.REQUESTED:
        grant.state = state
        tell(session, grant, facts.GrantQuoted)
    await session.flush()
    audit.record(session, caller, "quote", RESOURCE, grant.id)
    return grant


async def check_quoted(session: Session, grant: Grant, payee_id: UUID, amount: Decimal) -> None:
    """Refuse to pay, where quotes were compared, another than the one whose quote is taken, and
    more than was quoted.

    The first payment takes a quote. A partner that took the case over has none, and its payees gave
    none.

    Args:
        session: The session.
        grant: The locked grant.
        payee_id: Who is to be paid.
        amount: How much more, in the grant's currency.

    Raises:
        Problem: 409 `not-quoted`.
    """
    rows = await session.execute(
        select(col(Quote.payee_id), col(Quote.amount))
        .join(Payee, col(Payee.id) == Quote.payee_id)
        .where(col(Quote.grant_id) == grant.id, col(Payee.organisation) == grant.implementer)
    )
    quoted = {row.payee_id: row.amount for row in rows}
    if not grant.quotes_needed or not quoted:
        return
    paid = await session.execute(
        select(Payment.payee_id, func.sum(Payment.amount))
        .where(Payment.grant_id == grant.id, Payment.live, col(Payment.payee_id).in_(quoted))
        .group_by(col(Payment.payee_id))
    )
    already: dict[UUID | None, Decimal] = {row[0]: row[1] for row in paid}
    taken = already.keys() <= {payee_id}
    if (
        payee_id not in quoted
        or not taken
        or already.get(payee_id, Decimal(0)) + amount > quoted[payee_id]
    ):
        raise Problem(rules.NOT_QUOTED)


def approved_by(grant: Grant) -> Select[Any]:
    """Who said yes to the grant as it is now, in that order; null where nobody did."""
    in_order = func.array_agg(Approval.actor).aggregate_order_by(
        col(Approval.at), col(Approval.actor)
    )
    return select(in_order).where(Approval.grant_id == grant.id, Approval.round == grant.round)


async def approve(
    session: Session, caller: Caller, grant_id: UUID, precondition: Precondition
) -> Grant:
    """One person's yes; with enough of them the money is committed.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409 (also `quotes-missing`), 412, 428.
    """
    grant = await locked(session, grant_id, caller)
    precondition.check(grant.version)
    state = rules.after(grant.state, Action.APPROVE)
    approver = people.actor(caller.require_person())
    given = (await session.execute(approved_by(grant))).scalar_one() or []
    rules.check_approver(approver, grant.preparers, given)
    if (
        grant.quotes_needed
        and await supporting_documents.quotes(session, grant) < grant.quotes_needed
    ):
        raise Problem(rules.QUOTES_MISSING, needed=grant.quotes_needed)
    session.add(Approval(grant_id=grant.id, round=grant.round, actor=approver))
    grant.changed()
    if len(given) + 1 >= grant.approvers_needed:
        grant.state = state
        assert grant.budget_id is not None
        await check_open(session, grant, grant.budget_id)
        budget = await ledger.lock(session, grant.budget_id)
        await ledger.move(session, budget, Movement.COMMIT, grant.amount, Cause(approver, grant.id))
        tell(session, grant, facts.GrantApproved)
        if grant.source == "travel":
            await prepare_cash(session, grant)
        elif grant.kind in EARNED:
            await jobs.schedule(session, SETTLE, {"grant_id": str(grant.id)}, key=str(grant.id))
    await session.flush()
    audit.record(session, caller, "approve", RESOURCE, grant.id)
    return grant


async def prepare_cash(session: Session, grant: Grant) -> None:
    """Schedule the cash of an approved grant for the desk; a third person releases it from a float."""
    allowed = assistance(grant.programme, grant.programme_version)
    payment_id = new_id()
    assert grant.budget_id is not None
    payment = Payment(
        id=payment_id,
        grant_id=grant.id,
        budget_id=grant.budget_id,
        returnee_id=grant.returnee_id,
        reference=default_reference(payment_id),
        method=PaymentMethod.CASH,
        amount=grant.amount,
        currency=grant.currency,
        payout=grant.amount,
        payout_currency=grant.currency,
        rate=Decimal(1),
        as_cash=True,
        state="scheduled",
        papers=[],
        papers_there=[],
        # Who they are is seen at the desk, which hands nothing to somebody who was not met.
        papers_needed=sorted(
            allowed.papers.by_method.get(PaymentMethod.CASH, frozenset()) - {Paper.IDENTITY_SEEN}
        ),
        scheduled_by=people.SYSTEM_ACTOR,
    )
    session.add(payment)
    await session.flush()
    publish_payment(session, grant, payment, facts.PaymentScheduled)


async def give_back(session: Session, grant: Grant, actor: UUID | None) -> None:
    """Make what the grant holds and has not spent available again."""
    if grant.budget_id is None:
        return
    held = await ledger.of_grant(session, grant.id)
    budget = await ledger.lock(session, grant.budget_id)
    cause = Cause(actor, grant.id)
    await ledger.move(session, budget, Movement.RELEASE, held[Account.RESERVED], cause)
    await ledger.move(session, budget, Movement.GIVE_BACK, held[Account.COMMITTED], cause)


async def reject(
    session: Session,
    caller: Caller,
    grant_id: UUID,
    precondition: Precondition,
    reason: facts.GrantReason,
) -> Grant:
    """Refuse what was requested; it is available again.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    grant = await locked(session, grant_id, caller)
    precondition.check(grant.version)
    state = rules.after(grant.state, Action.REJECT)
    approver = people.actor(caller.require_person())
    rules.check_approver(approver, grant.preparers, ())
    grant.state, grant.reason = state, reason
    grant.changed()
    await give_back(session, grant, approver)
    await session.flush()
    tell(session, grant, facts.GrantRejected, reason=reason)
    audit.record(session, caller, "reject", RESOURCE, grant.id, {"reason": reason})
    return grant


async def order(session: Session, caller: Caller, grant_id: UUID) -> Grant:
    """Note that what was approved is ordered.

    Raises:
        Problem: 404, 403, 409.
    """
    grant = await locked(session, grant_id, caller)
    grant.state = rules.after(grant.state, Action.ORDER)
    grant.changed()
    await session.flush()
    tell(session, grant, facts.GrantOrdered)
    audit.record(session, caller, "order", RESOURCE, grant.id)
    return grant


async def deliver(
    session: Session,
    caller: Caller,
    grant_id: UUID,
    *,
    delivered_on: date,
    certificate: UUID,
    complete: bool,
) -> Grant:
    """Note what was handed over, with the certificate that the returnee signed; in parts too.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    grant = await locked(session, grant_id, caller)
    state = rules.after(grant.state, Action.DELIVER)
    if delivered_on > await today(session, grant.programme, grant.implementer):
        raise invalid(
            FieldError(pointer="/delivered_on", code="in_future", detail="a day that has come")
        )
    session.add(
        Delivery(
            grant_id=grant.id, delivered_on=delivered_on, certificate=certificate, complete=complete
        )
    )
    await supporting_documents.cite(session, grant.id, [certificate])
    if complete:
        grant.state, grant.delivered_on = state, delivered_on
    grant.changed()
    await session.flush()
    tell(session, grant, facts.GrantDelivered, delivered_on=delivered_on, complete=complete)
    audit.record(session, caller, "deliver", RESOURCE, grant.id)
    return grant


async def amend(
    session: Session,
    caller: Caller,
    grant_id: UUID,
    precondition: Precondition,
    *,
    amount: Decimal,
    currency: str,
    description: str | None,
) -> Grant:
    """Change the amount before anything was released: it is checked and has to be approved again.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    seen = await find(session, grant_id, caller)
    await lock_all_of(session, seen)
    grant = await locked(session, grant_id, caller)
    precondition.check(grant.version)
    requester = people.actor(caller.require_person())
    await change(
        session, caller, grant, requester, amount=amount, currency=currency, description=description
    )
    return grant


async def change(
    session: Session,
    caller: Caller,
    grant: Grant,
    requester: UUID,
    *,
    amount: Decimal,
    currency: str,
    description: str | None,
    preparers: Iterable[UUID] = (),
) -> None:
    """Give a locked grant of locked people another amount, to be approved again by who had no part
    in any of it.

    Raises:
        Problem: 409, 422.
    """
    state = rules.after(grant.state, Action.AMEND)
    who = (
        await session.get(Participant, (grant.case_id, grant.returnee_id))
        if grant.returnee_id
        else None
    )
    released = await session.scalar(
        select(col(Payment.id))
        .where(
            col(Payment.grant_id) == grant.id,
            or_(col(Payment.released_by).is_not(None), col(Payment.live)),
        )
        .limit(1)
    )
    if who is None or released is not None or grant.budget_id is None:
        raise Problem(
            STATE_CONFLICT,
            "a grant is amended before its first payment",
            state=grant.state,
            allowed=[],
        )
    asked = Asked(
        participant=who,
        kind=HelpKind(grant.kind),
        amount=amount,
        currency=currency,
        requester=requester,
        caller=caller,
        package=grant.package,
        parts=await _parts_of(session, grant, amount),
    )
    await _check_amount(session, asked, but=grant.id)
    await give_back(session, grant, requester)
    budget = await ledger.lock(session, grant.budget_id)
    await ledger.move(session, budget, Movement.RESERVE, amount, Cause(requester, grant.id))
    allowed = assistance(grant.programme, grant.programme_version)
    grant.amount = grant.counted = amount
    grant.description = description if description is not None else grant.description
    grant.requester, grant.state, grant.round = requester, state, grant.round + 1
    grant.preparers = sorted({*grant.preparers, requester, *preparers})
    grant.planned = None
    grant.approvers_needed = allowed.approvers_needed(amount)
    grant.quotes_needed = allowed.quotes_needed(HelpKind(grant.kind), amount)
    grant.changed()
    await session.flush()
    tell(session, grant, facts.GrantAmended)
    audit.record(session, caller, "amend", RESOURCE, grant.id)


async def _parts_of(session: Session, grant: Grant, amount: Decimal) -> tuple[Part, ...]:
    parts = []
    for part, theirs in zip(
        grant.parts, divided(grant, amount) if grant.parts else (), strict=True
    ):
        if part["returnee_id"] is not None:
            who = await session.get(Participant, (UUID(part["case_id"]), UUID(part["returnee_id"])))
            if who is not None:
                parts.append(Part(who, Decimal(part["share"]), theirs))
    return tuple(parts)


async def lines_in_common(session: Session, line_ids: Iterable[UUID]) -> set[UUID]:
    """Those of some lines of plans that a joint grant fulfils."""
    wanted = sorted({str(line_id) for line_id in line_ids})
    if not wanted:
        return set()
    query = select(Grant.parts).where(
        col(Grant.state).not_in(NOT_COUNTED),
        or_(*(col(Grant.parts).contains([{"plan_line_id": each}]) for each in wanted)),
    )
    lines = {part["plan_line_id"] for parts in await session.scalars(query) for part in parts}
    return {UUID(each) for each in wanted if each in lines}


async def payments_on_their_way(session: Session, grant_id: UUID) -> Sequence[Payment]:
    """Payments of a locked grant that are neither received nor off, locked in the order of their
    ids.
    """
    rows = await session.scalars(
        select(Payment)
        .where(Payment.grant_id == grant_id, col(Payment.state).in_(ON_ITS_WAY))
        .order_by(col(Payment.id))
        .with_for_update(),
        execution_options={"populate_existing": True},
    )
    return rows.all()


async def cancel(
    session: Session, caller: Caller, grant_id: UUID, reason: facts.GrantReason
) -> Grant:
    """Give up a grant of which nothing was released; what it held is available again.

    Raises:
        Problem: 404, 403, 409.
    """
    grant = await locked(session, grant_id, caller)
    rules.after(grant.state, Action.CANCEL)
    on_their_way = await payments_on_their_way(session, grant.id)
    paid = await session.scalar(
        select(col(Payment.id)).where(
            col(Payment.grant_id) == grant.id,
            col(Payment.state).in_(("released", "confirmed", "recovered")),
        )
    )
    if paid is not None:
        raise Problem(
            STATE_CONFLICT,
            "something of it was released: close it",
            state=grant.state,
            allowed=["close"],
        )
    await end(session, caller, grant, on_their_way, reason)
    return grant


async def end(
    session: Session,
    caller: Caller,
    grant: Grant,
    on_their_way: Sequence[Payment],
    reason: facts.GrantReason,
) -> None:
    """Cancel a locked grant and its scheduled payments."""
    for payment in on_their_way:
        payment.state, payment.reason = "failed", "cancelled"
        payment.changed()
        publish_payment(session, grant, payment, facts.PaymentFailed)
    actor = people.actor(caller.person) if caller.person else people.SYSTEM_ACTOR
    grant.state, grant.reason = GrantState.CANCELLED, reason
    grant.changed()
    await give_back(session, grant, actor)
    await session.flush()
    tell(session, grant, facts.GrantCancelled, reason=reason)
    audit.record(session, caller, "cancel", RESOURCE, grant.id, {"reason": reason})


async def close(
    session: Session, caller: Caller, grant_id: UUID, precondition: Precondition
) -> Grant:
    """Close a grant with nothing on its way; what was not spent is available again, and its
    ceilings too.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    grant = await locked(session, grant_id, caller)
    precondition.check(grant.version)
    rules.after(grant.state, Action.CLOSE)
    if await payments_on_their_way(session, grant.id):
        raise Problem(STATE_CONFLICT, "a payment is on its way", state=grant.state, allowed=[])
    await finish(session, caller, grant)
    return grant


async def finish(session: Session, caller: Caller, grant: Grant) -> None:
    """Close a locked grant of which no payment is on its way."""
    held = await ledger.of_grant(session, grant.id)
    paid = held[Account.PAID] + held[Account.RECOVERED]
    actor = people.actor(caller.person) if caller.person else people.SYSTEM_ACTOR
    grant.state, grant.counted = GrantState.CLOSED, paid
    grant.changed()
    await give_back(session, grant, actor)
    await session.flush()
    tell(session, grant, facts.GrantClosed, paid=money(paid, grant.currency))
    audit.record(session, caller, "close", RESOURCE, grant.id)


def publish_payment(
    session: Session, grant: Grant, payment: Payment, model: type[facts.PaymentFact], **more: Any
) -> None:
    """Publish a fact about a payment, of each person whom its grant is of; the amounts are its own
    or those given.
    """
    amounts = {
        "amount": more.pop("amount", money(payment.amount, payment.currency)),
        "payout": more.pop("payout", money(payment.payout, payment.payout_currency)),
    }
    for ids in told_of(grant, **amounts):
        publish(session, model(**ids, payment_id=payment.id, method=payment.method, **more))


async def scrub(session: Session, returnee_id: UUID) -> None:
    """Keep the amounts without the person."""
    joint = select(Grant).where(col(Grant.parts).contains([{"returnee_id": str(returnee_id)}]))
    nobody = {"returnee_id": None, "case_id": None, "household_id": None, "plan_line_id": None}
    for grant in await session.scalars(joint.order_by(col(Grant.id)).with_for_update()):
        grant.parts = [
            part | nobody if part["returnee_id"] == str(returnee_id) else part
            for part in grant.parts
        ]
    await session.flush()
    await session.execute(
        update(Grant)
        .where(col(Grant.returnee_id) == returnee_id)
        .values(returnee_id=None, household_id=None, description=None, housing=None, unsettled=[])
    )
    await session.execute(
        update(Payment).where(col(Payment.returnee_id) == returnee_id).values(returnee_id=None)
    )
    handed = update(DeskReceipt).where(col(DeskReceipt.returnee_id) == returnee_id)
    await session.execute(handed.values(returnee_id=None, case_id=None))
