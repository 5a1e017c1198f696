"""Payments that attendance and work earn: scheduled once each, taken back while nobody released
them, else told.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from sqlmodel import col, delete, select, update

from chassis import audit, jobs
from chassis.db import Session
from chassis.http import ServiceClient
from chassis.ids import new_id
from chassis.jobs import JobKind, Payload
from contracts import grants as facts
from contracts.codes import HelpKind, Money, PaymentMethod
from contracts.grants import Question
from participation.aliases import same_person
from services.grants import people
from services.grants.awards.earned.models import Attended, Worked
from services.grants.awards.earned.rules import Earned, Work, allowances, checks_of, subsidies
from services.grants.awards.grants import service as grants
from services.grants.awards.grants.rules import DECIDED, GrantState
from services.grants.awards.grants.schemas import Unsettled, UnsettledOut
from services.grants.models import Grant, Participant, Payment
from services.grants.payments.payments import service as payments
from services.grants.payments.payments.rules import PaymentState
from services.grants.programmes.data import assistance
from services.grants.schemas import money
from services.grants.statement_files.references import default_reference

NOT_EARNED = "not_earned"
"""Why a payment failed: what it was for was taken back before anybody released it."""
FETCH_WAGE = "grants.wage.fetch"
OURS = (Question.ATTENDANCE_CORRECTED, Question.WORK_ENDED)
"""Questions that attendance and work raise, and settle."""
GIVEN = DECIDED | {GrantState.CLOSED}

log = structlog.get_logger("homeward.grants")


async def settle_allowances(session: Session, returnee_id: UUID, case_id: UUID) -> None:
    """Have exactly what somebody's attendance has earned on its way, within what was granted for
    it.
    """
    who = await session.get(Participant, (case_id, returnee_id))
    if who is None:
        log.info("attendance of nobody here; it counts once they are known", case=str(case_id))
        return
    granted = await _locked(
        session, who, Grant.case_id == case_id, Grant.kind == HelpKind.LIVING_ALLOWANCE
    )
    if not granted:
        return
    ids = await same_person(session, returnee_id)
    attended = await session.scalars(
        select(Attended).where(
            col(Attended.returnee_id).in_(ids), Attended.case_id == case_id, Attended.counts
        ),
        execution_options={"populate_existing": True},
    )
    rates = assistance(who.programme, who.programme_version).living_allowance
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
            col(Grant.plan_line_id) == worked.line_id, col(Grant.state).not_in(grants.NOT_COUNTED)
        )
    )
    if seen is None or seen.returnee_id is None or worked.started_on is None:
        return
    who = await session.get_one(Participant, (seen.case_id, seen.returnee_id))
    granted = await _locked(session, who, Grant.id == seen.id, Grant.kind == HelpKind.WAGE_SUBSIDY)
    await session.refresh(worked)  # as it is now that nobody else settles it
    if worked.started_on is None:
        return
    prefix = f"{worked.placement_id}/"
    if worked.wage is None or worked.currency != seen.currency:
        why = (
            Unsettled.WAGE_NOT_KNOWN if worked.wage is None else Unsettled.WAGE_IN_ANOTHER_CURRENCY
        )
        _tell_unsettled(
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
    rates = assistance(who.programme, who.programme_version).wage_subsidy
    earned = subsidies(work, rates, seen.currency)
    await _reconcile(session, granted, earned, Question.WORK_ENDED, prefix)


async def fetch_wage(session: Session, placement_id: UUID, vacancy_id: UUID) -> None:
    """Have training asked what a vacancy pays: no event says what somebody earns."""
    payload = {"placement_id": str(placement_id), "vacancy_id": str(vacancy_id)}
    await jobs.schedule(session, FETCH_WAGE, payload, key=str(placement_id))


async def _ask(client: ServiceClient, payload: Payload) -> Any:
    return await client.find("training", f"/v1/vacancies/{payload['vacancy_id']}")


async def _know(session: Session, payload: Payload, vacancy: Any) -> None:
    if vacancy is None:
        log.warning("training has no such vacancy", vacancy=payload["vacancy_id"])
    wage = vacancy["wage"] if vacancy is not None else None
    query = (
        select(Worked).where(Worked.placement_id == UUID(payload["placement_id"])).with_for_update()
    )
    worked = await session.scalar(query, execution_options={"populate_existing": True})
    if worked is None:  # erased since
        return
    if wage is not None:
        worked.wage, worked.currency = Decimal(wage["amount"]), wage["currency"]
        await session.flush()
    await settle_subsidy(session, worked)


WAGE_JOB = JobKind(FETCH_WAGE, _know, _ask)
"""What a wage subsidy is a share of."""


async def _locked(session: Session, who: Participant, *where: Any) -> list[Grant]:
    """Somebody's grants, locked in order, after the person and their household."""
    await grants.lock_people(session, who.returnee_id)
    ids = await same_person(session, who.returnee_id)
    rows = await session.scalars(
        select(Grant)
        .where(*where, col(Grant.returnee_id).in_(ids))
        .order_by(col(Grant.id))
        .with_for_update(),
        execution_options={"populate_existing": True},
    )
    return list(rows)


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
        execution_options={"populate_existing": True},
    )
    due = {each.key for each in earned}
    covered: dict[str | None, tuple[UUID | None, Decimal]] = {}
    settled = set()
    for payment in rows:
        grant, is_due = by_id[payment.grant_id], payment.session in due
        if payment.state not in payments.OPEN:
            if payment.reason != NOT_EARNED and payment.questioned not in OURS:
                settled.add(payment.session)
        elif is_due:
            covered[payment.session] = grant.id, payment.amount
            if payment.questioned in OURS:
                await payments.question(session, grant, payment, None)
        elif payment.state == PaymentState.SCHEDULED:
            await payments.fail(session, people.SYSTEM, grant, payment, NOT_EARNED)
        elif payment.questioned is None:
            await payments.question(session, grant, payment, why)
    await session.flush()
    for each in earned:
        if each.key not in settled | covered.keys():
            covered[each.key] = await _schedule(session, granted, each)
    missing = [
        (
            grant_id,
            _unsettled(
                each.key, Unsettled.NOTHING_LEFT, each.due_on, money(less, by_id[grant_id].currency)
            ),
        )
        for each in earned
        for grant_id, amount in [covered.get(each.key, (None, each.amount))]
        if grant_id is not None and (less := each.amount - amount) > 0
    ]
    _tell_unsettled(session, granted, missing, prefix)


def _unsettled(
    earned_by: str, why: Unsettled, due_on: date, missing: Money | None = None
) -> dict[str, Any]:
    """What a grant says of something earned that it does not pay."""
    return UnsettledOut(earned_by=earned_by, why=why, due_on=due_on, missing=missing).model_dump(
        mode="json"
    )


def _tell_unsettled(
    session: Session,
    granted: Sequence[Grant],
    missing: Sequence[tuple[UUID, dict[str, Any]]],
    prefix: str,
) -> None:
    """Have locked grants say what of everything whose key begins so they do not pay."""
    for grant in granted:
        others = [each for each in grant.unsettled if not each["earned_by"].startswith(prefix)]
        now_missing = [*others, *(each for grant_id, each in missing if grant_id == grant.id)]
        if now_missing != grant.unsettled:
            grant.unsettled = now_missing
            grant.changed()
            audit.record(
                session,
                people.SYSTEM,
                "unsettled",
                grants.RESOURCE,
                grant.id,
                {"count": len(now_missing)},
            )


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
        if not of_line or grant.state not in GIVEN:
            continue
        used_up = grant.id
        left = await _left(session, grant, earned.method) if grant.state in DECIDED else Decimal(0)
        amount = min(earned.amount, left)
        if amount > 0:
            break
    else:
        return used_up, Decimal(0)
    payment_id = new_id()
    payment = Payment(
        id=payment_id,
        grant_id=grant.id,
        budget_id=grant.budget_id,
        returnee_id=grant.returnee_id,
        reference=default_reference(payment_id),
        method=earned.method,
        session=earned.key,
        as_cash=earned.method is PaymentMethod.CASH,
        amount=amount,
        currency=grant.currency,
        payout=amount,
        payout_currency=grant.currency,
        rate=Decimal(1),
        due_on=earned.due_on,
        state=PaymentState.SCHEDULED,
        papers=[],
        papers_there=sorted(earned.papers_there),
        papers_needed=sorted(earned.papers_needed),
        scheduled_by=people.SYSTEM_ACTOR,
    )
    session.add(payment)
    await session.flush()
    grants.publish_payment(session, grant, payment, facts.PaymentScheduled, due_on=earned.due_on)
    audit.record(session, people.SYSTEM, "schedule", payments.RESOURCE, payment.id)
    return grant.id, amount


async def _left(session: Session, grant: Grant, method: PaymentMethod) -> Decimal:
    left = grant.amount - await payments.live(session, grant.id)
    if method is PaymentMethod.CASH:
        cash = assistance(grant.programme, grant.programme_version).packages[grant.package].cash
        if not cash.allows(HelpKind(grant.kind)):
            return Decimal(0)
        if cash.cap is not None:
            left = min(left, cash.cap - await payments.in_cash(session, grant))
    return left


async def forget(session: Session, returnee_id: UUID) -> None:
    """Keep nothing that leads from a payment to who attended or worked."""
    await session.execute(delete(Attended).where(col(Attended.returnee_id) == returnee_id))
    await session.execute(delete(Worked).where(col(Worked.returnee_id) == returnee_id))
    theirs = update(Payment).where(
        col(Payment.returnee_id) == returnee_id, col(Payment.session).is_not(None)
    )
    await session.execute(theirs.values(session=None))


async def _settle(session: Session, payload: Payload, _: Any) -> None:
    grant = await session.get(Grant, UUID(payload["grant_id"]))
    if grant is None or grant.returnee_id is None:
        return
    if grant.kind == HelpKind.LIVING_ALLOWANCE:
        await settle_allowances(session, grant.returnee_id, grant.case_id)
        return
    query = (
        select(Worked)
        .where(Worked.line_id == grant.plan_line_id)
        .order_by(col(Worked.placement_id))
    )
    for worked in (await session.scalars(query)).all():
        await settle_subsidy(session, worked)


SETTLE_JOB = JobKind(grants.SETTLE, _settle)
"""What was earned before its grant was approved."""
