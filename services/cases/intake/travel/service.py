"""Journeys: several to a referral, each with its persons. Before acceptance they are noted,
afterwards also told.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import CONFLICT, FORBIDDEN, NOT_FOUND, FieldError, Problem, invalid
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import (
    Itinerary,
    TravelCancelled,
    TravelChanged,
    TravelConfirmed,
    TravelDeparted,
    TravelNotDeparted,
    TravelPlanned,
)
from contracts.codes import DeadlineKind
from participation.access import Role, roles_of, visible
from services.cases.casework.access import load_cases_of_referral, load_members
from services.cases.casework.deadlines import service as deadlines
from services.cases.intake.referrals import rules as referral_rules
from services.cases.intake.referrals.schemas import Travel
from services.cases.intake.travel import rules
from services.cases.intake.travel.schemas import DepartedIn, JourneyChange, JourneyIn, Leg
from services.cases.models import Journey, JourneyPerson, Referral, ReferralPerson
from services.cases.programmes import rules_of
from services.cases.states.casework import DeadlineState
from services.cases.states.intake import JourneyState

EARLIEST = timezone(timedelta(hours=14))
"""Where a day begins first: they may leave from anywhere."""
TOLD_AS = {JourneyState.PLANNED: TravelPlanned, JourneyState.CONFIRMED: TravelConfirmed}


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


async def of_referral(session: Session, referral_id: UUID) -> list[Journey]:
    """The journeys of a referral, oldest first."""
    return list(
        await session.scalars(
            select(Journey).where(Journey.referral_id == referral_id).order_by(col(Journey.id))
        )
    )


async def persons_of(session: Session, journeys: Collection[Journey]) -> dict[UUID, list[int]]:
    """The persons of journeys, by their places in the referral."""
    found: dict[UUID, list[int]] = {journey.id: [] for journey in journeys}
    rows = await session.scalars(
        select(JourneyPerson)
        .where(col(JourneyPerson.journey_id).in_(found))
        .order_by(col(JourneyPerson.index))
    )
    for row in rows:
        found[row.journey_id].append(row.index)
    return found


async def add(
    session: Session,
    referral: Referral,
    *,
    persons: Iterable[int],
    legs: Iterable[Leg],
    state: JourneyState,
    escorted: bool,
    journey_id: UUID | None = None,
    departed_on: date | None = None,
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
        "legs": [leg.model_dump(mode="json") for leg in legs],
        "escorted": escorted,
        "departed_on": departed_on,
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


async def note_all(session: Session, noted: Iterable[tuple[Referral, Travel, int, bool]]) -> None:
    """Note the journeys of referrals that are new.

    Args:
        session: The session.
        noted: Referral, its journey, how many persons it has, and whether they have left already.
    """
    journeys, persons = [], []
    for referral, travel, people, behind in noted:
        journey_id = new_id()
        journeys.append(
            {
                "id": journey_id,
                "referral_id": referral.id,
                "state": JourneyState.DEPARTED if behind else JourneyState(travel.state),
                "version": 1,
                "revision": 1,
                "legs": [leg_of(travel).model_dump(mode="json")],
                "escorted": travel.escorted,
                "departed_on": travel.departs_on if behind else None,
            }
        )
        persons += [{"journey_id": journey_id, "index": index} for index in range(people)]
    if journeys:
        await session.execute(insert(Journey), journeys)
        await session.execute(insert(JourneyPerson), persons)


async def replace_first(
    session: Session, referral: Referral, travel: Travel | None, people: int
) -> None:
    """Follow a referral that was sent anew: its own journey is the first, as long as it lies ahead."""
    journeys = await of_referral(session, referral.id)
    first = next((journey for journey in journeys if journey.state in rules.AHEAD), None)
    if travel is None:
        if first is not None:
            first.state = JourneyState.CANCELLED
            first.changed()
        return
    if first is None:
        await add(
            session,
            referral,
            persons=range(people),
            legs=[leg_of(travel)],
            state=JourneyState(travel.state),
            escorted=travel.escorted,
        )
        return
    first.legs = [leg_of(travel).model_dump(mode="json")]
    first.state, first.escorted = JourneyState(travel.state), travel.escorted
    first.revision += 1
    first.changed()
    taken = {
        index
        for journey, indices in (await persons_of(session, journeys)).items()
        if journey != first.id
        for index in indices
    }
    for row in await session.scalars(
        select(JourneyPerson).where(JourneyPerson.journey_id == first.id)
    ):
        await session.delete(row)
    await session.flush()
    session.add_all(
        JourneyPerson(journey_id=first.id, index=i) for i in range(people) if i not in taken
    )
    await session.flush()


async def tell(
    session: Session, journey: Journey, referral: Referral, event: type[Any], **more: Any
) -> None:
    """Publish a fact about a journey for each of its persons who is a returnee; nothing before
    acceptance.
    """
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
    people = [row.returnee_id for row in rows if row.returnee_id is not None]
    files = await load_cases_of_referral(session, referral.id) if people else {}
    if not files:
        return
    facts: dict[str, Any] = {
        "referral_id": referral.id,
        "programme": referral.programme,
        "travel_id": journey.id,
    } | more
    if issubclass(event, Itinerary):
        legs = legs_of(journey)
        facts |= {
            "revision": journey.revision,
            "departs_on": legs[0].departs_on,
            "arrives_at": legs[-1].arrives_at,
            "port_of_entry": legs[-1].destination,
            "carrier": legs[-1].carrier,
            "flight_number": legs[-1].flight_number,
        }
    opened = next(iter(files.values()))
    followed_in = {
        member.returnee_id: files[case_id]
        for case_id, members in (await load_members(session, files)).items()
        for member in members
    }
    for returnee_id in people:
        case = followed_in.get(returnee_id, opened)
        publish(
            session,
            event(
                returnee_id=returnee_id, case_id=case.id, household_id=case.household_id, **facts
            ),
        )


async def query(session: Session, referral_id: UUID, caller: Caller) -> list[Journey]:
    """Ask whether persons have left, as soon as the programme allows the question (RIAT: 30 days
    after the date).

    Returns:
        The journeys that were asked about.

    Raises:
        Problem: 404; 403 for who does not implement; 409 where there is nothing to ask about yet.
    """
    referral: Referral | None = await session.scalar(
        select(Referral)
        .where(col(Referral.id) == referral_id, visible(col(Referral.id), caller))
        .with_for_update(of=Referral)
    )
    if referral is None:
        raise Problem(NOT_FOUND)
    if Role.PARTNER not in await roles_of(session, referral_id, caller):
        raise Problem(FORBIDDEN, "the implementing organisation asks")
    referral_rules.after(referral.state, "travel")
    programme = rules_of(referral.programme, referral.programme_version)
    at: datetime = (await session.execute(select(now()))).scalar_one()
    asked = []
    for journey in await of_referral(session, referral_id):
        since = legs_of(journey)[0].departs_on
        may_ask = programme.due(DeadlineKind.DEPARTURE_QUERY, referral.country_of_return, since)
        if journey.state in rules.AHEAD and may_ask is not None and may_ask < at:
            journey.queried_at = at
            journey.changed()
            asked.append(journey)
    if not asked:
        raise Problem(CONFLICT, "no journey ahead is long enough past its date to ask about it")
    audit.record(
        session,
        caller,
        "travel-query",
        "referral",
        referral_id,
        {"journeys": [str(j.id) for j in asked]},
    )
    await session.flush()
    return asked


async def await_departures(session: Session, referral: Referral) -> None:
    """Have it noticed when booked journeys are so long past their date that the partner may ask
    about them.
    """
    booked = [
        j for j in await of_referral(session, referral.id) if j.state == JourneyState.CONFIRMED
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


async def tell_all(session: Session, referral: Referral) -> None:
    """On acceptance: tell the journeys that lie ahead."""
    for journey in await of_referral(session, referral.id):
        told_as = TOLD_AS.get(JourneyState(journey.state))
        if told_as is not None:
            await tell(session, journey, referral, told_as)
    await await_departures(session, referral)


async def cancel_all(session: Session, referral: Referral) -> None:
    """On withdrawal: no journey takes place."""
    for journey in await of_referral(session, referral.id):
        if journey.state in rules.AHEAD:
            journey.state = rules.after(journey.state, "cancel")
            journey.changed()
            await tell(session, journey, referral, TravelCancelled)
    await session.flush()


async def senders_referral(session: Session, referral_id: UUID, caller: Caller) -> Referral:
    """A referral that the caller sent, locked.

    Raises:
        Problem: 404, or 403 for who did not send it.
    """
    statement = select(Referral).where(
        Referral.id == referral_id, visible(col(Referral.id), caller)
    )
    referral: Referral | None = await session.scalar(statement.with_for_update(of=Referral))
    if referral is None:
        raise Problem(NOT_FOUND)
    if Role.REFERRER not in await roles_of(session, referral_id, caller):
        raise Problem(FORBIDDEN, "only its sender does this")
    return referral


async def find(session: Session, referral_id: UUID, journey_id: UUID, caller: Caller) -> Journey:
    """A journey of a referral that the caller may know of.

    Raises:
        Problem: 404.
    """
    journey: Journey | None = await session.scalar(
        select(Journey).where(
            col(Journey.id) == journey_id,
            col(Journey.referral_id) == referral_id,
            visible(col(Journey.referral_id), caller),
        )
    )
    if journey is None:
        raise Problem(NOT_FOUND)
    return journey


async def _to_change(
    session: Session, referral_id: UUID, journey_id: UUID, caller: Caller
) -> tuple[Referral, Journey]:
    referral = await senders_referral(session, referral_id, caller)
    referral_rules.after(referral.state, "travel")
    journey = await session.scalar(
        select(Journey)
        .where(Journey.id == journey_id, Journey.referral_id == referral_id)
        .with_for_update()
    )
    if journey is None:
        raise Problem(NOT_FOUND)
    return referral, journey


async def _awaited(session: Session, referral: Referral) -> None:
    """After acceptance the departure question runs with every change of a journey."""
    await session.flush()
    if referral.implementer is not None:
        await await_departures(session, referral)


async def plan(session: Session, referral_id: UUID, body: JourneyIn, caller: Caller) -> Journey:
    """Add a journey of some persons.

    Raises:
        Problem: 404, 403, 409 where the referral is over, a person has a journey ahead or the id is
            taken, 422.
    """
    referral = await senders_referral(session, referral_id, caller)
    referral_rules.after(referral.state, "travel")
    people = len(referral.content["people"])
    wrong = [
        FieldError(
            pointer=f"/persons/{place}",
            code="no_such_person",
            detail=f"a place from 0 to {people - 1}",
        )
        for place, index in enumerate(body.persons)
        if index >= people
    ]
    if len(set(body.persons)) < len(body.persons):
        wrong.append(FieldError(pointer="/persons", code="person_twice", detail="each person once"))
    if wrong:
        raise invalid(*wrong)
    journeys = await of_referral(session, referral_id)
    busy = [
        j for j in journeys if j.state in {*rules.AHEAD, JourneyState.DEPARTED} and j.id != body.id
    ]
    travelling = {
        index for indices in (await persons_of(session, busy)).values() for index in indices
    }
    if travelling & set(body.persons):
        raise Problem(
            CONFLICT,
            "a person of it has another journey ahead or behind them; cancel or change that one",
        )
    state = JourneyState(body.state)
    journey = await add(
        session,
        referral,
        persons=body.persons,
        legs=body.legs,
        state=state,
        escorted=body.escorted,
        journey_id=body.id,
    )
    if journey is None:
        raise Problem(CONFLICT, "the id is taken")
    await tell(session, journey, referral, TOLD_AS[state])
    await _awaited(session, referral)
    audit.record(
        session, caller, "plan-travel", "referral", referral_id, {"journey_id": str(journey.id)}
    )
    return journey


async def change(
    session: Session,
    referral_id: UUID,
    journey_id: UUID,
    body: JourneyChange,
    caller: Caller,
    precondition: Precondition,
) -> Journey:
    """Another date, flight or port: the next revision.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    referral, journey = await _to_change(session, referral_id, journey_id, caller)
    precondition.check(journey.version)
    journey.state = rules.after(journey.state, "change")
    journey.legs = [leg.model_dump(mode="json") for leg in body.legs]
    journey.escorted = body.escorted
    journey.revision += 1
    journey.changed()
    await tell(session, journey, referral, TravelChanged)
    await _awaited(session, referral)
    audit.record(
        session, caller, "change-travel", "referral", referral_id, {"journey_id": str(journey_id)}
    )
    await session.flush()
    return journey


async def act(
    session: Session,
    referral_id: UUID,
    journey_id: UUID,
    action: str,
    caller: Caller,
    body: DepartedIn | None = None,
) -> Journey:
    """Confirm or cancel a journey, or say whether the persons have left.

    Args:
        session: The session.
        referral_id: The referral.
        journey_id: The journey.
        action: `confirm`, `departed`, `not-departed` or `cancel`.
        caller: Who says so.
        body: For `departed`, on what day.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    referral, journey = await _to_change(session, referral_id, journey_id, caller)
    state = rules.after(journey.state, action)
    if body is not None:
        at: datetime = (await session.execute(select(now()))).scalar_one()
        if body.departed_on > at.astimezone(EARLIEST).date():
            raise invalid(
                FieldError(
                    pointer="/departed_on", code="date_ahead", detail="today or a day before"
                )
            )
        journey.departed_on = body.departed_on
    journey.state = state
    journey.changed()
    match journey.state:
        case JourneyState.CONFIRMED:
            await tell(session, journey, referral, TravelConfirmed)
        case JourneyState.DEPARTED:
            await tell(session, journey, referral, TravelDeparted, departed_on=journey.departed_on)
        case JourneyState.NOT_DEPARTED:
            await tell(session, journey, referral, TravelNotDeparted)
        case _:
            await tell(session, journey, referral, TravelCancelled)
    await _awaited(session, referral)
    audit.record(
        session,
        caller,
        f"travel-{action}",
        "referral",
        referral_id,
        {"journey_id": str(journey_id)},
    )
    await session.flush()
    return journey
