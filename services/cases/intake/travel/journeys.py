"""Journeys: several to a referral, each with its persons. Before acceptance they are noted,
afterwards also published.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from chassis.db import Session
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import (
    Itinerary,
    ReturneeFact,
    TravelCancelled,
    TravelConfirmed,
    TravelPlanned,
)
from contracts.codes import DeadlineKind
from services.cases.access.cases import load_cases_of_referral, load_members
from services.cases.casework.deadlines import service as deadlines
from services.cases.intake.travel.schemas import Leg, Travel
from services.cases.models import CaseFile, Journey, JourneyPerson, Referral, ReferralPerson
from services.cases.programmes import zone_of
from services.cases.states.casework import DeadlineState
from services.cases.states.intake import JOURNEY, JourneyAction, JourneyState

PUBLISHED_AS: Mapping[JourneyState, type[Itinerary]] = {
    JourneyState.PLANNED: TravelPlanned,
    JourneyState.CONFIRMED: TravelConfirmed,
}
"""As what a journey is published when it is first told."""


@dataclass(frozen=True, slots=True)
class FirstJourney:
    """The journey that a new referral says that its persons make, all of them.

    Attributes:
        referral_id: The referral.
        travel: What it says.
        people: How many persons it has.
        has_departed: Whether they have left already.
    """

    referral_id: UUID
    travel: Travel
    people: int
    has_departed: bool


def leg_of(travel: Travel) -> Leg:
    """The journey of a referral's body as one leg."""
    return Leg(
        carrier=travel.carrier,
        flight_number=travel.flight_number,
        destination=travel.port_of_entry,
        departs_on=travel.departs_on,
        arrives_at=travel.arrives_at,
    )


def legs_of(journey: Journey) -> list[Leg]:
    """A journey's legs."""
    return [Leg.model_validate(leg) for leg in journey.legs]


def stored_legs(legs: Iterable[Leg]) -> list[dict[str, Any]]:
    """Legs as they are kept."""
    return [leg.model_dump(mode="json") for leg in legs]


async def load_journeys(session: Session, referral_id: UUID) -> list[Journey]:
    """Load the journeys of a referral, oldest first."""
    return list(
        await session.scalars(
            select(Journey).where(Journey.referral_id == referral_id).order_by(col(Journey.id))
        )
    )


async def load_persons(session: Session, journeys: Collection[Journey]) -> dict[UUID, list[int]]:
    """Load the persons of journeys, by their indices in the referral."""
    persons: dict[UUID, list[int]] = {journey.id: [] for journey in journeys}
    rows = await session.scalars(
        select(JourneyPerson)
        .where(col(JourneyPerson.journey_id).in_(persons))
        .order_by(col(JourneyPerson.index))
    )
    for row in rows:
        persons[row.journey_id].append(row.index)
    return persons


async def add_journey(
    session: Session,
    referral: Referral,
    *,
    persons: Iterable[int],
    legs: Iterable[Leg],
    state: JourneyState,
    escorted: bool,
    journey_id: UUID | None = None,
) -> Journey | None:
    """Note a journey.

    Returns:
        The journey; None if the id is taken.
    """
    row = {
        "id": journey_id or new_id(),
        "referral_id": referral.id,
        "state": state,
        "version": 1,
        "revision": 1,
        "legs": stored_legs(legs),
        "escorted": escorted,
    }
    statement = (
        insert(Journey).values(row).on_conflict_do_nothing(index_elements=["id"]).returning(Journey)
    )
    journey: Journey | None = await session.scalar(statement)
    if journey is not None:
        session.add_all(
            JourneyPerson(journey_id=journey.id, index=index) for index in sorted(persons)
        )
        await session.flush()
    return journey


async def add_for_new_referrals(session: Session, first: Sequence[FirstJourney]) -> None:
    """Note the journeys of referrals that are new."""
    journeys, persons = [], []
    for journey in first:
        journey_id, travel = new_id(), journey.travel
        journeys.append(
            {
                "id": journey_id,
                "referral_id": journey.referral_id,
                "state": JourneyState.DEPARTED
                if journey.has_departed
                else JourneyState(travel.state),
                "version": 1,
                "revision": 1,
                "legs": stored_legs([leg_of(travel)]),
                "escorted": travel.escorted,
                "departed_on": travel.departs_on if journey.has_departed else None,
            }
        )
        persons += [{"journey_id": journey_id, "index": index} for index in range(journey.people)]
    if journeys:
        await session.execute(insert(Journey), journeys)
        await session.execute(insert(JourneyPerson), persons)


async def replace_first(
    session: Session, referral: Referral, travel: Travel | None, people: int
) -> None:
    """Follow a referral that was sent anew: its own journey is the first that lies ahead."""
    journeys = await load_journeys(session, referral.id)
    first = next((journey for journey in journeys if journey.state in JourneyState.AHEAD), None)
    if travel is None:
        if first is not None:
            JOURNEY.apply(first, JourneyAction.CANCEL)
        return
    if first is None:
        await add_journey(
            session,
            referral,
            persons=range(people),
            legs=[leg_of(travel)],
            state=JourneyState(travel.state),
            escorted=travel.escorted,
        )
        return
    JOURNEY.apply(
        first,
        JourneyAction.RESUBMIT,
        to=JourneyState(travel.state),
        legs=stored_legs([leg_of(travel)]),
        escorted=travel.escorted,
        revision=first.revision + 1,
    )
    others = [journey for journey in journeys if journey.id != first.id]
    await _let_travel(session, first, others, people)


async def _let_travel(
    session: Session, journey: Journey, others: Sequence[Journey], people: int
) -> None:
    """Let everybody of a referral travel on a journey who travels on no other."""
    travel_otherwise = {
        index for indices in (await load_persons(session, others)).values() for index in indices
    }
    for row in await session.scalars(
        select(JourneyPerson).where(JourneyPerson.journey_id == journey.id)
    ):
        await session.delete(row)
    await session.flush()
    session.add_all(
        JourneyPerson(journey_id=journey.id, index=index)
        for index in range(people)
        if index not in travel_otherwise
    )
    await session.flush()


async def publish_journey(
    session: Session,
    referral: Referral,
    journey: Journey,
    event: type[ReturneeFact],
    **values: Any,
) -> None:
    """Publish what happened to a journey for each of its persons who is a returnee; nothing before
    acceptance.
    """
    people = await _load_returnee_ids(session, referral, journey)
    cases = await load_cases_of_referral(session, referral.id) if people else {}
    if not cases:
        return
    payload: dict[str, Any] = {
        "referral_id": referral.id,
        "programme": referral.programme,
        "travel_id": journey.id,
    } | values
    if issubclass(event, Itinerary):
        payload |= _itinerary(journey)
    opened = next(iter(cases.values()))
    zone = zone_of(opened.programme, opened.programme_version, opened.country_of_return)
    followed_in = await _cases_by_member(session, cases)
    for returnee_id in people:
        case = followed_in.get(returnee_id, opened)
        ids = {
            "returnee_id": returnee_id,
            "case_id": case.id,
            "household_id": case.household_id,
        }
        publish(session, event.model_validate(ids | payload), zone=zone)


async def _load_returnee_ids(session: Session, referral: Referral, journey: Journey) -> list[UUID]:
    rows = await session.scalars(
        select(ReferralPerson)
        .join(
            JourneyPerson,
            (col(JourneyPerson.index) == ReferralPerson.index)
            & (JourneyPerson.journey_id == journey.id),
        )
        .where(
            ReferralPerson.referral_id == referral.id, col(ReferralPerson.returnee_id).is_not(None)
        )
        .order_by(col(ReferralPerson.index))
    )
    return [row.returnee_id for row in rows if row.returnee_id is not None]


async def _cases_by_member(
    session: Session, cases: Mapping[UUID, CaseFile]
) -> dict[UUID, CaseFile]:
    members = await load_members(session, cases)
    return {
        member.returnee_id: cases[case_id] for case_id, rows in members.items() for member in rows
    }


def _itinerary(journey: Journey) -> dict[str, Any]:
    legs = legs_of(journey)
    return {
        "revision": journey.revision,
        "departs_on": legs[0].departs_on,
        "arrives_at": legs[-1].arrives_at,
        "port_of_entry": legs[-1].destination,
        "carrier": legs[-1].carrier,
        "flight_number": legs[-1].flight_number,
    }


async def await_departures(session: Session, referral: Referral) -> None:
    """Have it noticed when booked journeys are so long past their date that the partner may ask
    about them.
    """
    booked = [
        journey
        for journey in await load_journeys(session, referral.id)
        if journey.state is JourneyState.CONFIRMED
    ]
    if not booked:
        await deadlines.settle(
            session,
            DeadlineState.MET,
            referral_id=referral.id,
            kinds=[DeadlineKind.DEPARTURE_QUERY],
        )
        return
    earliest = min(legs_of(journey)[0].departs_on for journey in booked)
    await deadlines.set_for_referral(session, referral, DeadlineKind.DEPARTURE_QUERY, earliest)


async def publish_all(session: Session, referral: Referral) -> None:
    """Publish the journeys that lie ahead when a referral is accepted."""
    for journey in await load_journeys(session, referral.id):
        event = PUBLISHED_AS.get(journey.state)
        if event is not None:
            await publish_journey(session, referral, journey, event)
    await await_departures(session, referral)


async def cancel_all(session: Session, referral: Referral) -> None:
    """Let no journey take place of a referral that is withdrawn."""
    for journey in await load_journeys(session, referral.id):
        if journey.state in JourneyState.AHEAD:
            JOURNEY.apply(journey, JourneyAction.CANCEL)
            await publish_journey(session, referral, journey, TravelCancelled)
    await session.flush()
