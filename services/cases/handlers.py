"""What cases does when another service tells something. Every event has an outcome in every state
of a case.
"""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from chassis.consumer import Handlers
from chassis.db import Session
from chassis.events import Event
from contracts.codes import ArrivalState, CaseState, DeadlineKind
from contracts.grants import (
    GrantApproved,
    GrantCancelled,
    GrantDelivered,
    GrantFact,
    GrantOrdered,
    GrantRejected,
    GrantRequested,
    PaymentConfirmed,
    PaymentRecovered,
    PaymentReversed,
)
from contracts.reception import (
    ArrivalCompleted,
    ArrivalConfirmed,
    ArrivalCorrected,
    ArrivalDeclined,
    ArrivalDiverted,
    ArrivalFact,
    ArrivalNoShow,
    ArrivalNotDeparted,
    ArrivalProfiled,
    ArrivalReceived,
    ArrivalReopened,
)
from contracts.training import (
    CertificateInvalidated,
    CertificateRestored,
    EnrolmentCompleted,
    PlacementStarted,
)
from services.cases.access.cases import lock_case
from services.cases.casework.cases.service import note_arrival
from services.cases.casework.plans.progress import advance_line, undo_line
from services.cases.follow_up.visits.service import call_off, schedule_after
from services.cases.intake import walk_ins
from services.cases.models import CaseFile, CaseMember, Returnee
from services.cases.states.casework import LineStatus

Handler = Callable[[Session, Event[Any]], Awaitable[None]]


class UnknownArrival(LookupError):  # noqa: N818 - it says what arrived, and becomes a dead letter
    """Reception speaks of somebody who is in no case here. No later fact would change that."""


async def load_case_id(session: Session, fact: ArrivalFact) -> UUID | None:
    """Load the case that an arrival belongs to: the one it names, else the open or last one.

    Returns:
        The case; None for somebody whom a desk met without a referral, and who has no case, or none
        yet.

    Raises:
        UnknownArrival: Nobody knows the person.
    """
    if (
        fact.case_id is not None
        and await session.get(CaseMember, (fact.case_id, fact.returnee_id)) is not None
    ):
        return fact.case_id
    case_id: UUID | None = await session.scalar(
        select(col(CaseMember.case_id))
        .join(CaseFile, col(CaseFile.id) == CaseMember.case_id)
        .where(col(CaseMember.returnee_id) == fact.returnee_id)
        .order_by((col(CaseFile.state) == CaseState.CLOSED), col(CaseMember.case_id).desc())
        .limit(1)
    )
    if case_id is None and not await _is_walk_in(session, fact):
        raise UnknownArrival(f"returnee {fact.returnee_id} is in no case")
    return case_id


async def _is_walk_in(session: Session, fact: ArrivalFact) -> bool:
    """Whether the person came without a referral: adopted, or waiting to be."""
    if isinstance(fact, ArrivalReceived) and fact.walk_in:
        return True
    return (
        await session.get(Returnee, fact.returnee_id) is not None
        or await walk_ins.lock_waiting(session, fact.returnee_id) is not None
    )


async def _note_arrival(
    session: Session, fact: ArrivalFact, state: ArrivalState, arrived_on: date | None
) -> None:
    case_id = await load_case_id(session, fact)
    if case_id is None:
        if await session.get(Returnee, fact.returnee_id) is None:
            await walk_ins.adopt_later(session, fact, state, arrived_on)
        return
    noted = await note_arrival(
        session,
        case_id,
        fact.returnee_id,
        arrival_id=fact.arrival_id,
        state=state,
        arrived_on=arrived_on,
    )
    if not noted:
        raise UnknownArrival(f"returnee {fact.returnee_id} is not in case {case_id}")


async def _noted_day(session: Session, fact: ArrivalFact) -> date | None:
    """The day of arrival as it was noted before."""
    case_id = await load_case_id(session, fact)
    if case_id is None:
        pending = await walk_ins.lock_waiting(session, fact.returnee_id)
        return (
            date.fromisoformat(pending["arrived_on"]) if pending and pending["arrived_on"] else None
        )
    day: date | None = await session.scalar(
        select(col(CaseMember.arrived_on)).where(
            col(CaseMember.case_id) == case_id, col(CaseMember.returnee_id) == fact.returnee_id
        )
    )
    return day


async def received(session: Session, event: Event[ArrivalReceived]) -> None:
    """Somebody was met: the first arrival moves the case and starts its windows."""
    await _note_arrival(session, event.data, ArrivalState.MET, event.data.arrived_on)


async def corrected(session: Session, event: Event[ArrivalCorrected]) -> None:
    """The desk corrected the day of arrival; what was done since stays, the deadlines follow."""
    case_id = await load_case_id(session, event.data)
    pending = (
        await walk_ins.lock_waiting(session, event.data.returnee_id) if case_id is None else None
    )
    state = pending["state"] if pending else None
    if case_id is not None:
        state = await session.scalar(
            select(CaseMember.arrival_state).where(
                CaseMember.case_id == case_id, CaseMember.returnee_id == event.data.returnee_id
            )
        )
    await _note_arrival(
        session, event.data, ArrivalState(state or ArrivalState.MET), event.data.arrived_on
    )


async def confirmed(session: Session, event: Event[ArrivalConfirmed]) -> None:
    """The office established the day of arrival; again corrects it, and the deadlines follow."""
    await _note_arrival(session, event.data, ArrivalState.COMPLETED, event.data.arrived_on)


async def completed(session: Session, event: Event[ArrivalCompleted]) -> None:
    """Everything at the port of entry is done."""
    await _note_arrival(
        session, event.data, ArrivalState.COMPLETED, await _noted_day(session, event.data)
    )


async def declined(session: Session, event: Event[ArrivalDeclined]) -> None:
    """Somebody wants no reception assistance; whether they had arrived is as it was noted."""
    await _note_arrival(
        session, event.data, ArrivalState.DECLINED, await _noted_day(session, event.data)
    )


def _absent(state: ArrivalState) -> Handler:
    async def handle(session: Session, event: Event[Any]) -> None:
        await _note_arrival(session, event.data, state, None)

    return handle


async def reopened(session: Session, event: Event[ArrivalReopened]) -> None:
    """An arrival or an absence was a mistake; a day of arrival stays only where somebody is still
    said to be here.
    """
    is_here = event.data.state in ArrivalState.AT_THE_PORT
    await _note_arrival(
        session,
        event.data,
        event.data.state,
        await _noted_day(session, event.data) if is_here else None,
    )


async def profiled(session: Session, event: Event[ArrivalProfiled]) -> None:
    """Needs that were found on arrival raise the urgency of a case; they never lower it."""
    case_id = await load_case_id(session, event.data)
    if case_id is None:
        await walk_ins.note_needs(session, event.data.returnee_id, event.data.needs_priority)
        return
    case = await lock_case(session, case_id)
    if case is None:
        raise UnknownArrival(f"there is no case {case_id}")
    priority = case.needs_priority.or_more_urgent(event.data.needs_priority)
    if priority != case.needs_priority:
        case.needs_priority = priority
        case.changed()


async def line_delivered(
    session: Session,
    event: Event[EnrolmentCompleted] | Event[CertificateRestored] | Event[PlacementStarted],
) -> None:
    """What a line of a plan asked for was delivered: a course completed, or work begun."""
    await _move(session, event, LineStatus.DELIVERED, makes_good=True)


async def line_undone(session: Session, event: Event[CertificateInvalidated]) -> None:
    """A course that counted as completed does not: the line goes back, and with it the case."""
    data = event.data
    if data.plan_line_id is not None:
        at = event.envelope.recorded_at or event.envelope.occurred_at
        await undo_line(session, data.plan_line_id, data.returnee_id, at)


async def _move(
    session: Session, event: Event[Any], status: LineStatus, *, makes_good: bool = False
) -> None:
    data = event.data
    if data.plan_line_id is not None:
        # When it was said: the day on which it happened may lie before what undid it.
        at = event.envelope.recorded_at or event.envelope.occurred_at
        await advance_line(
            session, data.plan_line_id, data.returnee_id, status, at, makes_good=makes_good
        )


def _moves(status: LineStatus) -> Handler:
    """The plan line that a grant fulfils has come so far."""

    async def handle(session: Session, event: Event[GrantFact]) -> None:
        await _move(session, event, status)

    return handle


async def grant_delivered(session: Session, event: Event[GrantDelivered]) -> None:
    """The plan line moves on; once whole, a visit follows where the programme asks for one."""
    data = event.data
    await _move(session, event, LineStatus.DELIVERED if data.complete else LineStatus.IN_DELIVERY)
    if data.complete and data.plan_line_id is not None:
        await schedule_after(
            session,
            data.plan_line_id,
            data.returnee_id,
            DeadlineKind.VISIT_AFTER_DELIVERY,
            data.grant_id,
            data.delivered_on,
        )


async def payment_confirmed(session: Session, event: Event[PaymentConfirmed]) -> None:
    """A visit follows a payment where the programme asks for one."""
    data = event.data
    if data.plan_line_id is not None:
        await schedule_after(
            session,
            data.plan_line_id,
            data.returnee_id,
            DeadlineKind.VISIT_AFTER_PAYMENT,
            data.payment_id,
            data.confirmed_on,
        )


async def payment_undone(
    session: Session, event: Event[PaymentReversed] | Event[PaymentRecovered]
) -> None:
    """What was paid came back: there is nothing to visit for. How far the line has come is the
    grant's to say.
    """
    if isinstance(event.data, PaymentRecovered) and not event.data.complete:
        return
    await call_off(session, event.data.payment_id)


HANDLERS: Handlers = {
    GrantRequested: _moves(LineStatus.REQUESTED),
    GrantApproved: _moves(LineStatus.GRANTED),
    GrantOrdered: _moves(LineStatus.IN_DELIVERY),
    GrantDelivered: grant_delivered,
    GrantCancelled: _moves(LineStatus.CANCELLED),
    GrantRejected: _moves(LineStatus.CANCELLED),
    PaymentConfirmed: payment_confirmed,
    PaymentReversed: payment_undone,
    PaymentRecovered: payment_undone,
    ArrivalReceived: received,
    ArrivalConfirmed: confirmed,
    ArrivalCompleted: completed,
    ArrivalDeclined: declined,
    ArrivalNoShow: _absent(ArrivalState.NO_SHOW),
    ArrivalNotDeparted: _absent(ArrivalState.NOT_DEPARTED),
    ArrivalDiverted: _absent(ArrivalState.DIVERTED),
    ArrivalCorrected: corrected,
    ArrivalReopened: reopened,
    ArrivalProfiled: profiled,
    EnrolmentCompleted: line_delivered,
    CertificateInvalidated: line_undone,
    CertificateRestored: line_delivered,
    PlacementStarted: line_delivered,
}
