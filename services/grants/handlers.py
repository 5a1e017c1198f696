"""What grants does when another service tells something: an outcome in every state."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlmodel import cast, col, delete, select, update

from chassis.consumer import Handlers
from chassis.db import Session, savepoint
from chassis.errors import Problem
from chassis.events import Event
from chassis.outbox import publish
from contracts.cases import (
    CaseClosed,
    CaseFact,
    CaseOpened,
    CaseProgressed,
    CaseReopened,
    CaseResumed,
    CaseSuspended,
    CaseTransferred,
    HouseholdChange,
    HouseholdChanged,
    PlanApproved,
    ReferralWithdrawn,
    ReturneeErased,
    ReturneeMerged,
    TravelCancelled,
    TravelConfirmed,
    TravelNotDeparted,
    VisitRecorded,
)
from contracts.codes import ArrivalState, AssistanceKind, HelpKind, Money
from contracts.grants import GrantReason, ReturneeScrubbed
from contracts.reception import (
    ArrivalConfirmed,
    ArrivalCorrected,
    ArrivalDeclined,
    ArrivalDiverted,
    ArrivalNoShow,
    ArrivalNotDeparted,
    ArrivalReceived,
    ArrivalReopened,
    AssistanceProvided,
)
from participation import beneficiaries, projection
from participation.aliases import same_person
from services.grants import arrivals, people, plans, transfers
from services.grants.awards.cooperatives import joint_grants
from services.grants.awards.cooperatives import service as cooperatives
from services.grants.awards.grants import decisions
from services.grants.awards.grants.eligibility import GrantRequest
from services.grants.awards.grants.loading import lock_grants, lock_people
from services.grants.awards.grants.requesting import refuse_request, request_grant
from services.grants.closing import close_or_cancel
from services.grants.codes import GrantSource
from services.grants.models import Arrival, DeskReceipt, Grant, Participant, Payment, Visit
from services.grants.payees import service as payees
from services.grants.payments.days import first_day
from services.grants.payments.earned import service as earned
from services.grants.payments.earned.handlers import BY_TRAINING
from services.grants.payments.payments import instalments, outcomes
from services.grants.payments.payments.loading import lock_any_payment
from services.grants.programmes.data import assistance, programmes, zone_of
from services.grants.states import DECIDED, UNDECIDED, PaymentState

log = structlog.get_logger("homeward.grants")


async def case_opened(session: Session, event: Event[CaseOpened]) -> None:
    """Know the person, their place in the household and how they return, in this case of theirs."""
    data = event.data
    await lock_people(session, data.returnee_id)
    await projection.project(session, event)
    if await beneficiaries.is_erased(session, data.returnee_id):
        return
    values = {
        "case_id": data.case_id,
        "returnee_id": data.returnee_id,
        "household_id": data.household_id,
        "programme": data.programme,
        "programme_version": data.programme_version,
        "return_kind": data.return_kind,
        "member": data.member,
        "implementer": data.implementer,
        "case_state": data.state,
    }
    await session.execute(
        insert(Participant)
        .values(values | {"rests": []})
        .on_conflict_do_update(index_elements=["case_id", "returnee_id"], set_=values)
    )
    await arrivals.before_the_case(session, data.case_id, data.returnee_id, data.arrived_on)


async def case_moved(session: Session, event: Event[CaseFact]) -> None:
    """Know where the case stands."""
    await _moved(session, event)


async def case_suspended(session: Session, event: Event[CaseSuspended]) -> None:
    """The case rests: its windows do not run."""
    since = event.data.since or event.envelope.occurred_at.date()
    await _moved(session, event, suspended_on=since)


async def case_resumed(session: Session, event: Event[CaseResumed]) -> None:
    """The case goes on, and its windows are as much longer as it rested."""
    data = event.data
    await lock_people(session, data.returnee_id)
    rested = timedelta(days=data.rested_days)
    since = await session.scalar(
        select(col(Participant.suspended_on)).where(
            col(Participant.case_id) == data.case_id,
            col(Participant.returnee_id) == data.returnee_id,
        )
    )
    since = since or event.envelope.occurred_at.date() - rested
    rest = [[since.isoformat(), (since + rested).isoformat()]]
    await _moved(session, event, suspended_on=None, rests=Participant.rests + cast(rest, JSONB))


async def _moved(session: Session, event: Event[Any], **values: Any) -> None:
    data = event.data
    await lock_people(session, data.returnee_id)
    await projection.project(session, event)
    await session.execute(
        update(Participant)
        .where(Participant.case_id == data.case_id, Participant.returnee_id == data.returnee_id)
        .values(case_state=data.state, **values)
    )


async def case_closed(session: Session, event: Event[CaseClosed]) -> None:
    """Give back what was reserved and not spent; money that is on its way is waited for."""
    data = event.data
    await _moved(session, event)
    await joint_grants.pass_on(session, data.returnee_id, data.case_id)
    for grant in await lock_grants(
        session, Grant.case_id == data.case_id, Grant.returnee_id == data.returnee_id
    ):
        await close_or_cancel(session, grant, GrantReason.CASE_CLOSED)


async def case_transferred(session: Session, event: Event[CaseTransferred]) -> None:
    """Another partner goes on: what is committed goes with the case, and the one before has no part
    in it.
    """
    data = event.data
    await lock_people(session, data.returnee_id)
    await projection.project(session, event)
    moved = await session.scalar(
        update(Participant)
        .where(
            col(Participant.case_id) == data.case_id,
            col(Participant.returnee_id) == data.returnee_id,
        )
        .where(col(Participant.implementer) != data.implementer)
        .values(implementer=data.implementer)
        .returning(col(Participant.case_id))
    )
    if moved is None:
        return
    await joint_grants.pass_on(session, data.returnee_id, data.case_id)
    own = (Grant.case_id == data.case_id, Grant.returnee_id == data.returnee_id)
    for grant in await lock_grants(session, *own, col(Grant.state).in_((*UNDECIDED, *DECIDED))):
        await transfers.hand_over(session, grant, data.implementer)


async def visit_recorded(session: Session, event: Event[VisitRecorded]) -> None:
    """Somebody saw the person: the next instalments of what they were given are prepared."""
    data = event.data
    if not data.reached or await beneficiaries.is_erased(session, data.returnee_id):
        return
    day = await _day_of(session, event, data.case_id, data.returnee_id)
    values = {
        "id": data.visit_id,
        "case_id": data.case_id,
        "returnee_id": data.returnee_id,
        "visited_on": day,
    }
    await session.execute(insert(Visit).values(values).on_conflict_do_nothing())
    own = (Grant.case_id == data.case_id, Grant.returnee_id == data.returnee_id)
    for grant in await lock_grants(session, *own, col(Grant.state).in_(DECIDED)):
        await instalments.schedule_next(session, grant)


async def household_changed(session: Session, event: Event[HouseholdChanged]) -> None:
    """Know the person's place; ceilings follow."""
    data = event.data
    where = [col(Participant.returnee_id) == data.returnee_id]
    if data.case_id is not None:
        where.append(col(Participant.case_id) == data.case_id)
    values = {"household_id": data.household_id, "member": data.member}
    if data.change is not HouseholdChange.LEFT:
        await session.execute(update(Participant).where(*where).values(values))


async def returnee_erased(session: Session, event: Event[ReturneeErased]) -> None:
    """Give up what was not begun, and keep the amounts without the person."""
    returnee_id = event.data.returnee_id
    await lock_people(session, returnee_id)
    await projection.project(session, event)
    await joint_grants.pass_on(session, returnee_id)
    for grant in await lock_grants(session, Grant.returnee_id == returnee_id):
        await close_or_cancel(session, grant, GrantReason.OTHER, desk=True)
    await earned.forget(session, returnee_id)
    await cooperatives.scrub(session, returnee_id)
    await decisions.scrub(session, returnee_id)
    await outcomes.scrub(session, returnee_id)
    await payees.scrub(session, returnee_id)
    for table in (Participant, Visit, Arrival):
        await session.execute(delete(table).where(col(table.returnee_id) == returnee_id))
    publish(session, ReturneeScrubbed(returnee_id=returnee_id))


async def arrived(
    session: Session, event: Event[ArrivalReceived | ArrivalConfirmed | ArrivalCorrected]
) -> None:
    """The person is here: the packages after the arrival are open to them, and their windows run
    from that day.
    """
    await arrivals.note(session, event.data, event.data.arrived_on)


async def arrival_reopened(session: Session, event: Event[ArrivalReopened]) -> None:
    """How an arrival ended was a mistake; its day stays where the person is still here."""
    if event.data.state not in ArrivalState.AT_THE_PORT:
        await arrivals.note(session, event.data, None)


async def elsewhere(session: Session, event: Event[ArrivalDiverted]) -> None:
    """The person arrives at another port: they are not here yet."""
    await arrivals.note(session, event.data, None)


async def travel_confirmed(session: Session, event: Event[TravelConfirmed]) -> None:
    """Request the cash that the programme prepares for the desk; people approve and release it
    before the flight.
    """
    data = event.data
    if data.case_id is None or await beneficiaries.is_erased(session, data.returnee_id):
        return
    person = await session.get(Participant, (data.case_id, data.returnee_id))
    if person is None:
        log.info("a journey of nobody here", travel=str(data.travel_id))
        return
    allowed = assistance(person.programme, person.programme_version)
    prepared = allowed.prepared_cash(person.return_kind, person.member)
    existing = await session.scalar(
        select(Grant.id).where(
            Grant.returnee_id == data.returnee_id, Grant.travel_id == data.travel_id
        )
    )
    if prepared is None or existing is not None:
        return
    request = GrantRequest(
        participant=person,
        kind=HelpKind.CASH,
        amount=prepared.amount,
        currency=allowed.currency,
        requester=people.SYSTEM_ACTOR,
        caller=people.SYSTEM,
        source=GrantSource.TRAVEL,
        package=prepared.package,
        travel_id=data.travel_id,
    )
    try:
        async with savepoint(session):
            await request_grant(session, request)
    except Problem as problem:
        await refuse_request(session, request, plans.reason_of(problem))


async def journey_off(session: Session, event: Event[TravelCancelled | TravelNotDeparted]) -> None:
    """The prepared cash is not needed: it goes back to the float and to the budget."""
    data = event.data
    await _cash_back(
        session, Grant.returnee_id == data.returnee_id, Grant.travel_id == data.travel_id
    )


async def not_arrived(session: Session, event: Event[ArrivalNoShow | ArrivalNotDeparted]) -> None:
    """The person is not here, whatever was said before, and nobody came to the desk."""
    await arrivals.note(session, event.data, None)
    await not_at_the_desk(session, event)


async def not_at_the_desk(session: Session, event: Event[Any]) -> None:
    """Nobody came to the desk for the prepared cash."""
    data = event.data
    where = [Grant.returnee_id == data.returnee_id, Grant.source == GrantSource.TRAVEL]
    if data.travel_id is not None:
        where.append(Grant.travel_id == data.travel_id)
    await _cash_back(session, *where)


async def referral_withdrawn(session: Session, event: Event[ReferralWithdrawn]) -> None:
    """They stay: nothing that was not begun is given."""
    data = event.data
    if data.returnee_id is not None and data.case_id is not None:
        await lock_people(session, data.returnee_id)
        for grant in await lock_grants(
            session, Grant.returnee_id == data.returnee_id, Grant.case_id == data.case_id
        ):
            await close_or_cancel(session, grant, GrantReason.NOT_WANTED, desk=True)


async def plan_approved(session: Session, event: Event[PlanApproved]) -> None:
    """Fetch the lines and make grants of them; the plan's preparer is the requester."""
    data = event.data
    if not await beneficiaries.is_erased(session, data.returnee_id):
        await plans.fetch_later(
            session,
            case_id=data.case_id,
            plan_id=data.plan_id,
            plan_version=data.plan_version,
            preparer=data.preparer,
        )


async def assisted(session: Session, event: Event[AssistanceProvided]) -> None:
    """Pocket money was handed over: that is the receipt of the cash that was released for it, or of
    the most of it.

    What answers to no released cash is kept, and listed until somebody confirms a payment with it.
    """
    data = event.data
    if data.kind is not AssistanceKind.POCKET_MONEY or data.amount is None:
        return
    if not data.amount.amount:  # nothing was handed over, which is no receipt
        return
    known = select(Payment.id).where(Payment.receipt == data.assistance_id).limit(1)
    if (
        await session.scalar(known) is not None
        or await session.get(DeskReceipt, data.assistance_id) is not None
    ):
        return
    day = await _day_of(session, event, data.case_id, data.returnee_id)
    released = await session.scalars(
        select(Payment.id)
        .join(Grant, col(Grant.id) == Payment.grant_id)
        .where(
            col(Payment.returnee_id).in_(await same_person(session, data.returnee_id)),
            Grant.source == GrantSource.TRAVEL,
        )
        .where(Payment.state == PaymentState.RELEASED)
        .where(
            Payment.payout >= data.amount.amount, Payment.payout_currency == data.amount.currency
        )
        .order_by(col(Payment.payout), col(Payment.id))
    )
    for payment_id in released.all():
        if await _received_at_desk(session, payment_id, data.assistance_id, data.amount, day):
            return
    log.warning("pocket money that nobody had released", assistance=str(data.assistance_id))
    erased = await beneficiaries.is_erased(session, data.returnee_id)
    values = {
        "assistance_id": data.assistance_id,
        "returnee_id": None if erased else data.returnee_id,
        "case_id": None if erased else data.case_id,
        "amount": data.amount.amount,
        "currency": data.amount.currency,
        "handed_on": day,
    }
    await session.execute(insert(DeskReceipt).values(values).on_conflict_do_nothing())


async def _received_at_desk(
    session: Session, payment_id: UUID, receipt: UUID, amount: Money, day: date
) -> bool:
    """Confirm released cash with what a desk handed over; False where it cannot be the receipt of
    it: it was handed over before the release, or is less than the budget can bear.
    """
    grant, payment = await lock_any_payment(session, payment_id)
    zone = zone_of(grant.programme, grant.implementer)
    before = payment.released_at is None or day < first_day(payment.released_at, zone)
    if payment.state is not PaymentState.RELEASED or before:
        return False
    try:
        async with savepoint(session):
            await outcomes.confirm(
                session,
                people.SYSTEM,
                grant,
                payment,
                confirmed_on=day,
                receipt=receipt,
                received=amount,
            )
    except Problem as problem:
        log.warning("pocket money is no receipt", payment=str(payment_id), why=problem.kind.slug)
        return False
    return True


async def _day_of(
    session: Session, event: Event[Any], case_id: UUID | None, returnee_id: UUID
) -> date:
    """The day of a fact where the person is assisted, who may not be known yet."""
    person = await session.get(Participant, (case_id, returnee_id)) if case_id is not None else None
    programme = person.programme if person is not None else event.data.programme
    at = event.envelope.occurred_at
    if programme not in programmes():
        return at.date()
    implementer = person.implementer if person is not None else ""
    return at.astimezone(zone_of(programme, implementer)).date()


async def _cash_back(session: Session, *where: Any) -> None:
    for grant in await lock_grants(session, *where):
        await close_or_cancel(session, grant, GrantReason.NOT_ARRIVED, desk=True)


async def merged(session: Session, event: Event[ReturneeMerged]) -> None:
    """Two ids are one person: ceilings see what was granted under either."""
    await people.merge(session, event.data.returnee_id, event.data.into)


HANDLERS: Handlers = {
    **BY_TRAINING,
    **projection.HANDLERS,
    ReturneeMerged: merged,
    CaseTransferred: case_transferred,
    CaseOpened: case_opened,
    CaseProgressed: case_moved,
    CaseReopened: case_moved,
    CaseSuspended: case_suspended,
    CaseResumed: case_resumed,
    CaseClosed: case_closed,
    HouseholdChanged: household_changed,
    ReturneeErased: returnee_erased,
    ReferralWithdrawn: referral_withdrawn,
    TravelConfirmed: travel_confirmed,
    TravelCancelled: journey_off,
    TravelNotDeparted: journey_off,
    PlanApproved: plan_approved,
    VisitRecorded: visit_recorded,
    ArrivalReceived: arrived,
    ArrivalConfirmed: arrived,
    ArrivalCorrected: arrived,
    ArrivalReopened: arrival_reopened,
    ArrivalDiverted: elsewhere,
    ArrivalNoShow: not_arrived,
    ArrivalNotDeparted: not_arrived,
    ArrivalDeclined: not_at_the_desk,
    AssistanceProvided: assisted,
}
