"""What grants does when another service tells something. Every event has an outcome in every state."""

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
from contracts.codes import AssistanceKind, HelpKind
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
from services.grants.awards.closing import wind_up
from services.grants.awards.cooperatives import service as cooperatives
from services.grants.awards.earned import service as earned
from services.grants.awards.earned.handlers import BY_TRAINING
from services.grants.awards.grants import service as grants
from services.grants.awards.grants.rules import DECIDED, UNDECIDED
from services.grants.models import Arrival, DeskReceipt, Grant, Participant, Payment, Visit
from services.grants.payments.days import first_day
from services.grants.payments.payees import service as payees
from services.grants.payments.payments import instalments
from services.grants.payments.payments import service as payments
from services.grants.payments.payments.rules import PaymentState
from services.grants.programmes.data import assistance, programmes, zone_of

log = structlog.get_logger("homeward.grants")


async def case_opened(session: Session, event: Event[CaseOpened]) -> None:
    """Know the person, their place in the household and how they return, in this case of theirs."""
    data = event.data
    await grants.lock_people(session, data.returnee_id)
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
        "state": data.state,
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
    await grants.lock_people(session, data.returnee_id)
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
    await grants.lock_people(session, data.returnee_id)
    await projection.project(session, event)
    await session.execute(
        update(Participant)
        .where(Participant.case_id == data.case_id, Participant.returnee_id == data.returnee_id)
        .values(state=data.state, **values)
    )


async def case_closed(session: Session, event: Event[CaseClosed]) -> None:
    """Give back what was reserved and not spent; money that is on its way is waited for."""
    data = event.data
    await _moved(session, event)
    await cooperatives.pass_on(session, data.returnee_id, data.case_id)
    for grant in await _grants(
        session, Grant.case_id == data.case_id, Grant.returnee_id == data.returnee_id
    ):
        await wind_up(session, grant, GrantReason.CASE_CLOSED)


async def case_transferred(session: Session, event: Event[CaseTransferred]) -> None:
    """Another partner goes on: what is committed goes with the case, and the one before has no part
    in it.
    """
    data = event.data
    await grants.lock_people(session, data.returnee_id)
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
    await cooperatives.pass_on(session, data.returnee_id, data.case_id)
    theirs = (Grant.case_id == data.case_id, Grant.returnee_id == data.returnee_id)
    for grant in await _grants(session, *theirs, col(Grant.state).in_({*UNDECIDED, *DECIDED})):
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
    theirs = (Grant.case_id == data.case_id, Grant.returnee_id == data.returnee_id)
    for grant in await _grants(session, *theirs, col(Grant.state).in_(DECIDED)):
        await instalments.schedule_next(session, grant)


async def household_changed(session: Session, event: Event[HouseholdChanged]) -> None:
    """Know the person's place; ceilings follow."""
    data = event.data
    where = [Participant.returnee_id == data.returnee_id]
    if data.case_id is not None:
        where.append(Participant.case_id == data.case_id)
    values = {"household_id": data.household_id, "member": data.member}
    if data.change is not HouseholdChange.LEFT:
        await session.execute(update(Participant).where(*where).values(values))


async def returnee_erased(session: Session, event: Event[ReturneeErased]) -> None:
    """Give up what was not begun, and keep the amounts without the person."""
    returnee_id = event.data.returnee_id
    await grants.lock_people(session, returnee_id)
    await projection.project(session, event)
    await cooperatives.pass_on(session, returnee_id)
    for grant in await _grants(session, Grant.returnee_id == returnee_id):
        await wind_up(session, grant, GrantReason.OTHER, desk=True)
    await earned.forget(session, returnee_id)
    await cooperatives.scrub(session, returnee_id)
    await grants.scrub(session, returnee_id)
    await payees.scrub(session, returnee_id)
    for table in (Participant, Visit, Arrival):
        await session.execute(delete(table).where(table.returnee_id == returnee_id))
    publish(session, ReturneeScrubbed(returnee_id=returnee_id))


async def arrived(
    session: Session, event: Event[ArrivalReceived | ArrivalConfirmed | ArrivalCorrected]
) -> None:
    """The person is here: the packages after the arrival are open to them, and their windows run
    from that day.
    """
    await arrivals.note(session, event.data, event.data.arrived_on)


async def arrival_reopened(session: Session, event: Event[ArrivalReopened]) -> None:
    """How an arrival ended was a mistake; its day stays where the person is still said to be here."""
    if event.data.state not in arrivals.HERE:
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
    who = await session.get(Participant, (data.case_id, data.returnee_id))
    if who is None:
        log.info("a journey of nobody here", travel=str(data.travel_id))
        return
    allowed = assistance(who.programme, who.programme_version)
    prepared = allowed.prepared_cash(who.return_kind, who.member)
    there = await session.scalar(
        select(Grant.id).where(
            Grant.returnee_id == data.returnee_id, Grant.travel_id == data.travel_id
        )
    )
    if prepared is None or there is not None:
        return
    asked = grants.Asked(
        participant=who,
        kind=HelpKind.CASH,
        amount=prepared.amount,
        currency=allowed.currency,
        requester=people.SYSTEM_ACTOR,
        caller=people.SYSTEM,
        source="travel",
        package=prepared.package,
        travel_id=data.travel_id,
    )
    try:
        async with savepoint(session):
            await grants.request(session, asked)
    except Problem as problem:
        await grants.refuse(session, asked, plans.reason_of(problem))


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
    where = [Grant.returnee_id == data.returnee_id, Grant.source == "travel"]
    if data.travel_id is not None:
        where.append(Grant.travel_id == data.travel_id)
    await _cash_back(session, *where)


async def referral_withdrawn(session: Session, event: Event[ReferralWithdrawn]) -> None:
    """They stay: nothing that was not begun is given."""
    data = event.data
    if data.returnee_id is not None and data.case_id is not None:
        await grants.lock_people(session, data.returnee_id)
        for grant in await _grants(
            session, Grant.returnee_id == data.returnee_id, Grant.case_id == data.case_id
        ):
            await wind_up(session, grant, GrantReason.NOT_WANTED, desk=True)


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
            Grant.source == "travel",
        )
        .where(Payment.state == PaymentState.RELEASED)
        .where(
            Payment.payout >= data.amount.amount, Payment.payout_currency == data.amount.currency
        )
        .order_by(col(Payment.payout), col(Payment.id))
    )
    for payment_id in released.all():
        grant, payment = await payments.lock(session, payment_id)
        zone = zone_of(grant.programme, grant.implementer)
        before = payment.released_at is None or day < first_day(payment.released_at, zone)
        if payment.state == PaymentState.RELEASED and not before:
            receipt = data.assistance_id
            await payments.confirm(
                session,
                people.SYSTEM,
                grant,
                payment,
                confirmed_on=day,
                receipt=receipt,
                received=data.amount,
            )
            return
    log.warning("pocket money that nobody had released", assistance=str(data.assistance_id))
    nobody = await beneficiaries.is_erased(session, data.returnee_id)
    values = {
        "assistance_id": data.assistance_id,
        "returnee_id": None if nobody else data.returnee_id,
        "case_id": None if nobody else data.case_id,
        "amount": data.amount.amount,
        "currency": data.amount.currency,
        "handed_on": day,
    }
    await session.execute(insert(DeskReceipt).values(values).on_conflict_do_nothing())


async def _day_of(
    session: Session, event: Event[Any], case_id: UUID | None, returnee_id: UUID
) -> date:
    """The day of a fact where the person is assisted, who may not be known yet."""
    who = await session.get(Participant, (case_id, returnee_id)) if case_id is not None else None
    programme = who.programme if who is not None else event.data.programme
    at = event.envelope.occurred_at
    if programme not in programmes():
        return at.date()
    return at.astimezone(zone_of(programme, who.implementer if who is not None else "")).date()


async def _grants(session: Session, *where: Any) -> list[Grant]:
    rows = await session.scalars(
        select(Grant).where(*where).order_by(col(Grant.id)).with_for_update(),
        execution_options={"populate_existing": True},
    )
    return list(rows)


async def _cash_back(session: Session, *where: Any) -> None:
    for grant in await _grants(session, *where):
        await wind_up(session, grant, GrantReason.NOT_ARRIVED, desk=True)


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
