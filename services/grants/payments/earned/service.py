"""Payments that attendance and work earn: scheduled once each, taken back while nobody released
them, else told.
"""

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from sqlmodel import col, delete, select, update

from chassis import audit, jobs
from chassis.db import Session
from chassis.http import ServiceClient
from chassis.jobs import JobKind, Payload
from chassis.loading import FRESH
from contracts.codes import HelpKind, Money, PaymentMethod
from contracts.grants import Question
from participation.aliases import same_person
from services.grants import people
from services.grants.awards.grants.loading import lock_grants, lock_people
from services.grants.awards.grants.rules import MACHINE
from services.grants.awards.grants.schemas import Unsettled, UnsettledOut
from services.grants.models import Attended, Grant, Participant, Payment, Worked
from services.grants.payments.earned.rules import Earned, Work, allowances, checks_of, subsidies
from services.grants.payments.payments import limits, outcomes
from services.grants.payments.payments.preparation import schedule_by_platform
from services.grants.programmes.data import assistance
from services.grants.schemas import money
from services.grants.states import GIVEN_UP, OPEN, GrantState, PaymentState

NOT_EARNED = "not_earned"
"""Why a payment failed: what it was for was taken back before anybody released it."""
FETCH_WAGE = "grants.wage.fetch"
SETTLE = "grants.earned.settle"
RAISED_HERE = (Question.ATTENDANCE_CORRECTED, Question.WORK_ENDED)
"""Questions that attendance and work raise, and settle."""

log = structlog.get_logger("homeward.grants")


async def settle_allowances(session: Session, returnee_id: UUID, case_id: UUID) -> None:
    """Have exactly what somebody's attendance has earned on its way, within what was granted for
    it.
    """
    person = await session.get(Participant, (case_id, returnee_id))
    if person is None:
        log.info("attendance of nobody here; it counts once they are known", case=str(case_id))
        return
    granted = await _lock_grants_of(
        session, person, Grant.case_id == case_id, Grant.kind == HelpKind.LIVING_ALLOWANCE
    )
    if not granted:
        return
    ids = await same_person(session, returnee_id)
    attended = await session.scalars(
        select(Attended).where(
            col(Attended.returnee_id).in_(ids), Attended.case_id == case_id, Attended.counts
        ),
        execution_options=FRESH,
    )
    rates = assistance(person.programme, person.programme_version).living_allowance
    await _reconcile(
        session, granted, allowances(attended.all(), rates), Question.ATTENDANCE_CORRECTED
    )


async def settle_subsidy(session: Session, worked: Worked) -> None:
    """Have exactly the instalments on their way that a placement earns, within what was granted for
    it.

    No rate is taken from elsewhere for a wage in another currency: those that the books have were
    each chosen by a person for one payment, with a day and a source, and say nothing of the month
    that was worked. The grant says that it is unsettled, and people schedule its payments with the
    rate that they answer for.
    """
    seen = await session.scalar(
        select(Grant).where(
            col(Grant.plan_line_id) == worked.line_id, col(Grant.state).not_in(GIVEN_UP)
        )
    )
    if seen is None or seen.returnee_id is None or worked.started_on is None:
        return
    person = await session.get_one(Participant, (seen.case_id, seen.returnee_id))
    granted = await _lock_grants_of(
        session, person, Grant.id == seen.id, Grant.kind == HelpKind.WAGE_SUBSIDY
    )
    await session.refresh(worked)  # as it is now that nobody else settles it
    if worked.started_on is None:
        return
    prefix = f"{worked.placement_id}/"
    if worked.wage is None or worked.currency != seen.currency:
        why = (
            Unsettled.WAGE_NOT_KNOWN if worked.wage is None else Unsettled.WAGE_IN_ANOTHER_CURRENCY
        )
        _note_unsettled(
            session, granted, [(seen.id, _unsettled(prefix, why, worked.started_on))], prefix
        )
        return
    work = Work(
        placement_id=worked.placement_id,
        wage=worked.wage,
        started_on=worked.started_on,
        ended_on=worked.ended_on,
        months=worked.months,
        checks=checks_of(worked.checks),
    )
    rates = assistance(person.programme, person.programme_version).wage_subsidy
    earned = subsidies(work, rates, seen.currency)
    await _reconcile(session, granted, earned, Question.WORK_ENDED, prefix)


async def fetch_wage(session: Session, placement_id: UUID, vacancy_id: UUID) -> None:
    """Have training asked what a vacancy pays: no event says what somebody earns."""
    payload = {"placement_id": str(placement_id), "vacancy_id": str(vacancy_id)}
    await jobs.schedule(session, FETCH_WAGE, payload, key=str(placement_id))


async def _ask(client: ServiceClient, payload: Payload) -> Any:
    return await client.find("training", f"/v1/vacancies/{payload['vacancy_id']}")


async def _note_wage(session: Session, payload: Payload, vacancy: Any) -> None:
    if vacancy is None:
        log.warning("training has no such vacancy", vacancy=payload["vacancy_id"])
    wage = vacancy["wage"] if vacancy is not None else None
    query = (
        select(Worked).where(Worked.placement_id == UUID(payload["placement_id"])).with_for_update()
    )
    worked = await session.scalar(query, execution_options=FRESH)
    if worked is None:  # erased since
        return
    if wage is not None:
        worked.wage, worked.currency = Decimal(wage["amount"]), wage["currency"]
        await session.flush()
    await settle_subsidy(session, worked)


WAGE_JOB = JobKind(FETCH_WAGE, _note_wage, _ask)
"""What a wage subsidy is a share of."""


async def _lock_grants_of(session: Session, person: Participant, *where: Any) -> Sequence[Grant]:
    """Somebody's grants, locked in order, after the person and their household."""
    await lock_people(session, person.returnee_id)
    ids = await same_person(session, person.returnee_id)
    return await lock_grants(session, *where, col(Grant.returnee_id).in_(ids))


async def _reconcile(
    session: Session,
    granted: Sequence[Grant],
    earned: Sequence[Earned],
    why: Question,
    prefix: str = "",
) -> None:
    """Make payments of locked grants agree with what was earned.

    What is not earned any more is cancelled while it is only scheduled; afterwards it is told, and
    people decide. A payment that people failed, reversed or recovered for reasons of their own is
    not made again.
    """
    by_id = {grant.id: grant for grant in granted}
    rows = await session.scalars(
        select(Payment)
        .where(
            col(Payment.grant_id).in_(by_id),
            col(Payment.session).startswith(prefix, autoescape=True),
        )
        .order_by(col(Payment.id))
        .with_for_update(),
        execution_options=FRESH,
    )
    due = {payment.key for payment in earned}
    covered: dict[str | None, tuple[UUID | None, Decimal]] = {}
    settled = await _paid_by_other_grants(session, due, by_id)
    for payment in rows:
        grant = by_id[payment.grant_id]
        if payment.state in OPEN and payment.session in due:
            covered[payment.session] = grant.id, payment.amount
        elif _is_settled_by_people(payment):
            settled.add(payment.session)
        await _reconcile_payment(session, grant, payment, is_due=payment.session in due, why=why)
    await session.flush()
    for item in earned:
        if item.key not in settled | covered.keys():
            covered[item.key] = await _schedule(session, granted, item)
    missing = [
        (
            grant_id,
            _unsettled(
                item.key, Unsettled.NOTHING_LEFT, item.due_on, money(less, by_id[grant_id].currency)
            ),
        )
        for item in earned
        for grant_id, amount in [covered.get(item.key, (None, item.amount))]
        if grant_id is not None and (less := item.amount - amount) > 0
    ]
    _note_unsettled(session, granted, missing, prefix)


def _is_settled_by_people(payment: Payment) -> bool:
    """Whether people failed, reversed or recovered a payment for reasons of their own."""
    return (
        payment.state not in OPEN
        and payment.reason != NOT_EARNED
        and payment.questioned not in RAISED_HERE
    )


async def _reconcile_payment(
    session: Session, grant: Grant, payment: Payment, *, is_due: bool, why: Question
) -> None:
    """Make one payment agree with whether it was earned."""
    if payment.state not in OPEN:
        return
    if is_due:
        if payment.questioned in RAISED_HERE:
            await outcomes.question(session, grant, payment, None)
    elif payment.state is PaymentState.SCHEDULED:
        await outcomes.fail(session, people.SYSTEM, grant, payment, NOT_EARNED)
    elif payment.questioned is None:
        await outcomes.question(session, grant, payment, why)


async def _paid_by_other_grants(
    session: Session, due: Collection[str], granted: Collection[UUID]
) -> set[str | None]:
    """What of everything that is due other grants pay already: the same hours count once, also
    where they were first told of another case.
    """
    rows = await session.scalars(
        select(Payment.session).where(
            col(Payment.session).in_(due),
            col(Payment.state).in_(OPEN),
            col(Payment.grant_id).not_in(granted),
        )
    )
    return set(rows)


def _unsettled(
    earned_by: str, why: Unsettled, due_on: date, missing: Money | None = None
) -> dict[str, Any]:
    """What a grant says of something earned that it does not pay."""
    return UnsettledOut(earned_by=earned_by, why=why, due_on=due_on, missing=missing).model_dump(
        mode="json"
    )


def _note_unsettled(
    session: Session,
    granted: Sequence[Grant],
    missing: Sequence[tuple[UUID, dict[str, Any]]],
    prefix: str,
) -> None:
    """Have locked grants say what of everything whose key begins so they do not pay."""
    for grant in granted:
        others = [item for item in grant.unsettled if not item["earned_by"].startswith(prefix)]
        unsettled = [*others, *(item for grant_id, item in missing if grant_id == grant.id)]
        if unsettled != grant.unsettled:
            grant.unsettled = unsettled
            grant.changed()
            details = {"count": len(unsettled)}
            audit.record(session, people.SYSTEM, "unsettled", MACHINE.resource, grant.id, details)


async def _schedule(
    session: Session, granted: Sequence[Grant], earned: Earned
) -> tuple[UUID | None, Decimal]:
    """Schedule what was earned from the first grant with something left; its last payment may be a
    part.

    Returns:
        The grant that was to pay it, and how much of it that does; no grant where none was decided
        for it.
    """
    used_up: UUID | None = None
    for grant in granted:
        of_line = earned.line_id is None or grant.plan_line_id in {earned.line_id, None}
        if not of_line or not (grant.state.is_decided or grant.state is GrantState.CLOSED):
            continue
        used_up = grant.id
        if not grant.state.is_decided:
            continue
        amount = min(earned.amount, await _left(session, grant, earned.method))
        if amount > 0:
            await schedule_by_platform(
                session,
                grant,
                method=earned.method,
                amount=amount,
                papers_needed=earned.papers_needed,
                papers_on_file=earned.papers_there,
                due_on=earned.due_on,
                earned_by=earned.key,
            )
            return grant.id, amount
    return used_up, Decimal(0)


async def _left(session: Session, grant: Grant, method: PaymentMethod) -> Decimal:
    left = grant.amount - await limits.used_of_grant(session, grant.id)
    if method is PaymentMethod.CASH:
        cash = assistance(grant.programme, grant.programme_version).packages[grant.package].cash
        if not cash.allows(grant.kind):
            return Decimal(0)
        if cash.cap is not None:
            left = min(left, cash.cap - await limits.given_in_cash(session, grant))
    return left


async def forget(session: Session, returnee_id: UUID) -> None:
    """Keep nothing that leads from a payment to who attended or worked."""
    await session.execute(delete(Attended).where(col(Attended.returnee_id) == returnee_id))
    await session.execute(delete(Worked).where(col(Worked.returnee_id) == returnee_id))
    earned = update(Payment).where(
        col(Payment.returnee_id) == returnee_id, col(Payment.session).is_not(None)
    )
    await session.execute(earned.values(session=None))


async def _settle(session: Session, payload: Payload, _: Any) -> None:
    grant = await session.get(Grant, UUID(payload["grant_id"]))
    if grant is None or grant.returnee_id is None:
        return
    if grant.kind is HelpKind.LIVING_ALLOWANCE:
        await settle_allowances(session, grant.returnee_id, grant.case_id)
        return
    query = (
        select(Worked)
        .where(Worked.line_id == grant.plan_line_id)
        .order_by(col(Worked.placement_id))
    )
    for worked in (await session.scalars(query)).all():
        await settle_subsidy(session, worked)


SETTLE_JOB = JobKind(SETTLE, _settle)
"""What was earned before its grant was approved."""


async def settle_later(session: Session, grant: Grant) -> None:
    """Have what was earned before its grant was approved scheduled; other help is left alone."""
    if grant.kind.is_earned:
        await jobs.schedule(session, SETTLE, {"grant_id": str(grant.id)}, key=str(grant.id))
