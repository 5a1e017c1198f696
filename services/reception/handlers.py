"""What reception does when cases tells something."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement
from sqlmodel import col, delete, or_, select, update

from chassis.consumer import Handlers
from chassis.db import Session, now
from chassis.events import Event
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import (
    CaseOpened,
    HouseholdChange,
    HouseholdChanged,
    Itinerary,
    JourneyFact,
    ReferralWithdrawn,
    ReturneeErased,
    ReturneeMerged,
    ReturneeUnmerged,
    ReturneeUpdated,
    TravelCancelled,
    TravelChanged,
    TravelConfirmed,
    TravelNotDeparted,
    TravelPlanned,
)
from contracts.codes import ArrivalState
from contracts.reception import (
    ArrivalConfirmed,
    ArrivalExpected,
    ArrivalNotDeparted,
    ArrivalReopened,
    ConfirmationMethod,
    ReturneeScrubbed,
)
from participation import aliases, beneficiaries, identities, projection
from participation.beneficiaries import is_erased
from services.reception.arrival_matching import same_journey, unite_known, when
from services.reception.event_payloads import ids_of
from services.reception.models import (
    Arrival,
    Flight,
    Handover,
    MatchingDigest,
    OnwardTransport,
    Passenger,
    Profile,
)
from services.reception.states import ARRIVAL, ArrivalAction

log = structlog.get_logger("homeward.reception")

RELATED = ("case_id", "referral_id", "household_id", "programme")


async def case_opened(session: Session, event: Event[CaseOpened]) -> None:
    """Know the person and who takes part; relate their arrivals, and fetch who they are."""
    await projection.project(session, event)
    data = event.data
    if await is_erased(session, data.returnee_id):
        return
    await session.execute(
        update(Arrival)
        .where(col(Arrival.returnee_id) == data.returnee_id, col(Arrival.case_id).is_(None))
        .values({name: getattr(data, name) for name in RELATED})
    )
    await identities.fetch_later(session, data.returnee_id)


async def household_changed(session: Session, event: Event[HouseholdChanged]) -> None:
    """Know whom they belong to; who left a household is at hand for nobody in it."""
    data = event.data
    now_in = None if data.change is HouseholdChange.LEFT else data.household_id
    known = beneficiaries.beneficiary
    where = [known.c.returnee_id == data.returnee_id]
    own_arrivals = [col(Arrival.returnee_id) == data.returnee_id]
    if now_in is None:
        where.append(known.c.household_id == data.household_id)
        own_arrivals.append(col(Arrival.household_id) == data.household_id)
    elif data.referral_id is not None:
        own_arrivals.append(col(Arrival.referral_id) == data.referral_id)
    await session.execute(update(known).where(*where).values(household_id=now_in, updated_at=now()))
    await session.execute(update(Arrival).where(*own_arrivals).values(household_id=now_in))


async def returnee_updated(session: Session, event: Event[ReturneeUpdated]) -> None:
    """Fetch who the person is again."""
    if not await is_erased(session, event.data.returnee_id):
        await identities.fetch_later(session, event.data.returnee_id)
    await identities.fetch_again(session, event.data.returnee_id)


async def returnee_erased(session: Session, event: Event[ReturneeErased]) -> None:
    """Keep what was counted, without the person: no identity, no profile, no place they went to."""
    returnee_id = event.data.returnee_id
    await projection.project(session, event)
    await identities.forget(session, returnee_id)
    own_arrivals = select(Arrival.id).where(Arrival.returnee_id == returnee_id)
    await session.execute(delete(Profile).where(col(Profile.arrival_id).in_(own_arrivals)))
    await session.execute(
        delete(MatchingDigest).where(col(MatchingDigest.returnee_id) == returnee_id)
    )
    await session.execute(
        update(Handover).where(col(Handover.arrival_id).in_(own_arrivals)).values(sealed=None)
    )
    await session.execute(
        update(Passenger)
        .where(col(Passenger.arrival_id).in_(own_arrivals))
        .values(sealed=None, reference_digest=None, document_digest=None, family_group=None)
    )
    await session.execute(
        update(OnwardTransport)
        .where(col(OnwardTransport.arrival_id).in_(own_arrivals))
        .values(district=None)
    )
    publish(session, ReturneeScrubbed(returnee_id=returnee_id))


async def returnee_merged(session: Session, event: Event[ReturneeMerged]) -> None:
    """Know two ids as one person; who was met as a walk-in is not expected under the other id any
    more.
    """
    await projection.project(session, event)
    await identities.fetch_again(session, event.data.into)
    at = event.envelope.occurred_at
    for arrival, seen in await _as_walk_ins(session, event.data.into):
        if seen is None or arrival.state not in ARRIVAL.sources(ArrivalAction.RECOGNISE):
            continue
        ARRIVAL.apply(
            arrival,
            ArrivalAction.RECOGNISE,
            **_by_news(at),
            arrived_on=seen.arrived_on,
            confirmation_method=ConfirmationMethod.MET_AS_WALK_IN,
            confirmation_evidence="seen_in_person",
        )
        await session.flush()
        fact = ArrivalConfirmed(
            **ids_of(arrival), arrived_on=seen.arrived_on, method=ConfirmationMethod.MET_AS_WALK_IN
        )
        publish(session, fact, occurred_at=at)


async def returnee_unmerged(session: Session, event: Event[ReturneeUnmerged]) -> None:
    """Know two ids as two people; who was only taken for the walk-in that the other is, is expected
    again.
    """
    await projection.project(session, event)
    data, at = event.data, event.envelope.occurred_at
    await identities.fetch_again(session, data.returnee_id, data.separated_from)
    for returnee_id in (data.returnee_id, data.separated_from):
        for arrival, seen in await _as_walk_ins(session, returnee_id):
            was_taken_for_it = arrival.confirmation_method == ConfirmationMethod.MET_AS_WALK_IN
            if not was_taken_for_it or seen is not None or arrival.met_at is not None:
                continue
            if arrival.state not in ARRIVAL.sources(ArrivalAction.TELL_APART):
                log.info("told apart after its end", arrival=str(arrival.id), state=arrival.state)
                continue
            unconfirmed = dict.fromkeys(
                ("arrived_on", "confirmation_method", "confirmation_evidence")
            )
            before = ARRIVAL.apply(arrival, ArrivalAction.TELL_APART, **_by_news(at), **unconfirmed)
            await session.flush()
            fact = ArrivalReopened(**ids_of(arrival), previous_state=before, state=arrival.state)
            publish(session, fact, occurred_at=at)


async def _as_walk_ins(session: Session, returnee_id: UUID) -> list[tuple[Arrival, Arrival | None]]:
    """The expected arrivals of a person, locked, each with the one at which they were met as a
    walk-in instead.
    """
    ids = await aliases.same_person(session, returnee_id)
    query = (
        select(Arrival)
        .where(col(Arrival.returnee_id).in_(ids))
        .order_by(col(Arrival.id))
        .with_for_update()
    )
    arrivals = list(await session.scalars(query))
    walk_ins = [row for row in arrivals if row.walk_in and row.arrived_on is not None]

    def on_the_journey_of(arrival: Arrival) -> Arrival | None:
        return next(
            (row for row in walk_ins if row.met_at and same_journey(when(arrival), row.met_at)),
            None,
        )

    return [(arrival, on_the_journey_of(arrival)) for arrival in arrivals if not arrival.walk_in]


async def travel_planned(session: Session, event: Event[TravelPlanned]) -> None:
    """Expect the person; their journey may still move."""
    await _expect(session, event, booked=False)


async def travel_changed(session: Session, event: Event[TravelChanged]) -> None:
    """Expect the person at another time or port."""
    await _expect(session, event, booked=None)


async def travel_confirmed(session: Session, event: Event[TravelConfirmed]) -> None:
    """Expect the person: their journey is booked."""
    await _expect(session, event, booked=True)


async def travel_off(session: Session, event: Event[JourneyFact]) -> None:
    """Expect the person no more: the journey does not take place."""
    data = event.data
    await _expect_no_more(
        session,
        event,
        [col(Arrival.returnee_id) == data.returnee_id, col(Arrival.travel_id) == data.travel_id],
    )


async def referral_withdrawn(session: Session, event: Event[ReferralWithdrawn]) -> None:
    """Expect the person no more: they stay. Before acceptance nobody was expected."""
    data = event.data
    if data.returnee_id is not None:
        await _expect_no_more(
            session,
            event,
            [
                col(Arrival.returnee_id) == data.returnee_id,
                col(Arrival.referral_id) == data.referral_id,
            ],
        )


async def _expect(session: Session, event: Event[Any], *, booked: bool | None) -> None:
    """One arrival a person and journey: expected where it is new, moved where the journey moved.

    Cases tells about the person before it tells about their journey; should it ever be the other
    way round, the arrival waits here, seen by nobody, until the case is opened.
    """
    data: Itinerary = event.data
    if await is_erased(session, data.returnee_id):
        return
    arrival = await _arrival_of(session, data)
    journey = {
        "port_of_entry": data.port_of_entry,
        "expected_at": data.arrives_at,
        "departs_on": data.departs_on,
        "carrier": data.carrier,
        "flight_number": data.flight_number,
        "confirmed": booked if booked is not None else bool(arrival and arrival.confirmed),
    }
    at = event.envelope.occurred_at
    if arrival is None:
        arrival = Arrival(
            id=new_id(),
            returnee_id=data.returnee_id,
            travel_id=data.travel_id,
            state=ArrivalState.EXPECTED,
            state_at=at,
            **await _relations(session, data),
            **journey,
        )
        session.add(arrival)
        await session.flush()
        await unite_known(session, returnee_id=data.returnee_id)
    elif arrival.state == ArrivalState.DIVERTED and booked is not None:
        log.info("a journey was booked that goes elsewhere by now", arrival=str(arrival.id))
        return
    elif arrival.state not in ARRIVAL.sources(ArrivalAction.EXPECT):
        log.info("a journey moved after its end", arrival=str(arrival.id), state=arrival.state)
        return
    elif arrival.state == ArrivalState.EXPECTED and all(
        getattr(arrival, name) == journey[name] for name in journey
    ):
        return
    else:
        moved: dict[str, Any] = journey | {"travel_id": data.travel_id}
        if arrival.state != ArrivalState.EXPECTED:
            moved |= _by_news(at)
        ARRIVAL.apply(arrival, ArrivalAction.EXPECT, **moved)
        await session.flush()
    fact = ArrivalExpected(
        **ids_of(arrival),
        port_of_entry=data.port_of_entry,
        expected_at=data.arrives_at,
        confirmed=journey["confirmed"],
    )
    publish(session, fact, occurred_at=at)


async def _arrival_of(session: Session, data: Itinerary) -> Arrival | None:
    """The arrival of a journey; or the one that a manifest made of this person's, if no journey was
    told of it yet.
    """
    query = (
        select(Arrival)
        .where(
            Arrival.returnee_id == data.returnee_id,
            or_(Arrival.travel_id == data.travel_id, col(Arrival.travel_id).is_(None)),
        )
        .order_by(col(Arrival.travel_id).is_(None), col(Arrival.id))
        .with_for_update()
    )
    for arrival in await session.scalars(query):
        if arrival.travel_id is not None:
            return arrival
        flight = (
            await session.get(Flight, arrival.flight_id) if arrival.flight_id is not None else None
        )
        at = flight.scheduled_at if flight is not None else arrival.met_at
        if at is not None and data.arrives_at is not None and same_journey(data.arrives_at, at):
            await session.execute(
                update(Arrival)
                .where(col(Arrival.id) == arrival.id)
                .values(travel_id=data.travel_id)
            )
            return arrival
    return None


async def _relations(session: Session, data: Itinerary) -> dict[str, Any]:
    known = beneficiaries.beneficiary.c
    columns = [getattr(known, name) for name in RELATED]
    row = (
        await session.execute(select(*columns).where(known.returnee_id == data.returnee_id))
    ).one_or_none()
    return {name: getattr(data, name) or getattr(row, name, None) for name in RELATED}


async def _expect_no_more(
    session: Session, event: Event[Any], which: Sequence[ColumnElement[bool]]
) -> None:
    at = event.envelope.occurred_at
    query = select(Arrival).where(*which).order_by(col(Arrival.id)).with_for_update()
    for arrival in await session.scalars(query):
        if arrival.state not in ARRIVAL.sources(ArrivalAction.CALL_OFF):
            log.info("a journey is off after its end", arrival=str(arrival.id), state=arrival.state)
            continue
        ARRIVAL.apply(arrival, ArrivalAction.CALL_OFF, **_by_news(at))
        await session.flush()
        publish(session, ArrivalNotDeparted(**ids_of(arrival)), occurred_at=at)


def _by_news(at: datetime) -> dict[str, Any]:
    """What is noted of a state that nobody at a desk reached: a journey's news did."""
    return {
        "state_at": at,
        "state_recorded_at": now(),
        "state_by": None,
        "state_by_person": None,
        "clock_suspect": False,
    }


HANDLERS: Handlers = {
    **projection.HANDLERS,
    CaseOpened: case_opened,
    HouseholdChanged: household_changed,
    ReturneeUpdated: returnee_updated,
    ReturneeErased: returnee_erased,
    ReturneeMerged: returnee_merged,
    ReturneeUnmerged: returnee_unmerged,
    TravelPlanned: travel_planned,
    TravelChanged: travel_changed,
    TravelConfirmed: travel_confirmed,
    TravelNotDeparted: travel_off,
    TravelCancelled: travel_off,
    ReferralWithdrawn: referral_withdrawn,
}
