"""What the host country does with a journey, and the partner's question whether somebody left."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta, timezone
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, current_time
from chassis.errors import CONFLICT, FieldError, Problem, invalid, or_404
from contracts.cases import (
    ReturneeFact,
    TravelCancelled,
    TravelChanged,
    TravelConfirmed,
    TravelDeparted,
    TravelNotDeparted,
)
from contracts.codes import DeadlineKind
from participation.access import visible
from services.cases.access.referrals import require_implementer, require_sender
from services.cases.intake.travel import journeys
from services.cases.intake.travel.schemas import Leg
from services.cases.models import Journey, Referral
from services.cases.programmes import rules_of
from services.cases.states.intake import (
    JOURNEY,
    REFERRAL,
    JourneyAction,
    JourneyState,
    ReferralAction,
)

EARLIEST = timezone(timedelta(hours=14))
"""Where a day begins first: they may leave from anywhere."""
EVENTS: Mapping[JourneyAction, type[ReturneeFact]] = {
    JourneyAction.CONFIRM: TravelConfirmed,
    JourneyAction.DEPARTED: TravelDeparted,
    JourneyAction.NOT_DEPARTED: TravelNotDeparted,
    JourneyAction.CANCEL: TravelCancelled,
}


async def load_journey(
    session: Session, caller: Caller, referral_id: UUID, journey_id: UUID
) -> Journey:
    """Load a journey of a referral that the caller may know of.

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
    return or_404(journey)


async def _lock_to_change(
    session: Session, caller: Caller, referral_id: UUID, journey_id: UUID
) -> tuple[Referral, Journey]:
    referral = await require_sender(session, caller, referral_id)
    REFERRAL.check(referral.state, ReferralAction.TRAVEL)
    journey: Journey | None = await session.scalar(
        select(Journey)
        .where(Journey.id == journey_id, Journey.referral_id == referral_id)
        .with_for_update()
    )
    return referral, or_404(journey)


def _audit(session: Session, caller: Caller, action: str, journey: Journey) -> None:
    """Note what was done with a journey under its referral, by which its persons are found."""
    details = {"journey_id": str(journey.id)}
    audit.record(session, caller, action, REFERRAL.resource, journey.referral_id, details)


async def _await_departures(session: Session, referral: Referral) -> None:
    """After acceptance the departure question runs with every change of a journey."""
    await session.flush()
    if referral.implementer is not None:
        await journeys.await_departures(session, referral)


async def query(session: Session, caller: Caller, referral_id: UUID) -> list[Journey]:
    """Ask whether persons have left, as soon as the programme allows the question (RIAT: 30 days
    after the date).

    Returns:
        The journeys that were asked about.

    Raises:
        Problem: 404; 403 if the caller does not implement it; 409 where there is nothing to ask
            about yet.
    """
    referral = await require_implementer(session, caller, referral_id)
    REFERRAL.check(referral.state, ReferralAction.TRAVEL)
    programme = rules_of(referral.programme, referral.programme_version)
    at = await current_time(session)
    asked = []
    for journey in await journeys.load_journeys(session, referral_id):
        since = journeys.legs_of(journey)[0].departs_on
        may_ask = programme.due(DeadlineKind.DEPARTURE_QUERY, referral.country_of_return, since)
        if journey.state in JourneyState.AHEAD and may_ask is not None and may_ask < at:
            journey.queried_at = at
            journey.changed()
            asked.append(journey)
    if not asked:
        raise Problem(CONFLICT, "no journey ahead is long enough past its date to ask about it")
    details = {"journeys": [str(journey.id) for journey in asked]}
    audit.record(session, caller, "travel-query", REFERRAL.resource, referral_id, details)
    await session.flush()
    return asked


async def plan(
    session: Session,
    caller: Caller,
    referral_id: UUID,
    *,
    persons: Sequence[int],
    legs: Sequence[Leg],
    state: JourneyState,
    escorted: bool,
    journey_id: UUID | None,
) -> Journey:
    """Add a journey of some persons.

    Args:
        session: The session.
        caller: Who sent the referral.
        referral_id: The referral.
        persons: Their indices in it.
        legs: The flights or rides.
        state: How sure it is.
        escorted: Whether somebody goes with them.
        journey_id: An id of the client's own choice.

    Raises:
        Problem: 404, 403, 409 where the referral is over, a person has a journey ahead or the id is
            taken, 422.
    """
    referral = await require_sender(session, caller, referral_id)
    REFERRAL.check(referral.state, ReferralAction.TRAVEL)
    _check_persons(referral, persons)
    others = [
        journey
        for journey in await journeys.load_journeys(session, referral_id)
        if journey.state in JourneyState.TAKES_PLACE and journey.id != journey_id
    ]
    travelling = {
        index
        for indices in (await journeys.load_persons(session, others)).values()
        for index in indices
    }
    if travelling & set(persons):
        raise Problem(
            CONFLICT,
            "a person of it has another journey ahead or behind them; cancel or change that one",
        )
    journey = await journeys.add_journey(
        session,
        referral,
        persons=persons,
        legs=legs,
        state=state,
        escorted=escorted,
        journey_id=journey_id,
    )
    if journey is None:
        raise Problem(CONFLICT, "the id is taken")
    await journeys.publish_journey(session, referral, journey, journeys.PUBLISHED_AS[state])
    await _await_departures(session, referral)
    _audit(session, caller, "plan-travel", journey)
    return journey


def _check_persons(referral: Referral, persons: Sequence[int]) -> None:
    people = len(referral.content["people"])
    errors = [
        FieldError(
            pointer=f"/persons/{position}",
            code="no_such_person",
            detail=f"a place from 0 to {people - 1}",
        )
        for position, index in enumerate(persons)
        if index >= people
    ]
    if len(set(persons)) < len(persons):
        errors.append(
            FieldError(pointer="/persons", code="person_twice", detail="each person once")
        )
    if errors:
        raise invalid(*errors)


async def change(
    session: Session,
    caller: Caller,
    referral_id: UUID,
    journey_id: UUID,
    precondition: Precondition,
    *,
    legs: Sequence[Leg],
    escorted: bool,
) -> Journey:
    """Give a journey another date, flight or port: its next revision.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    referral, journey = await _lock_to_change(session, caller, referral_id, journey_id)
    precondition.check(journey.version)
    JOURNEY.apply(
        journey,
        JourneyAction.CHANGE,
        legs=journeys.stored_legs(legs),
        escorted=escorted,
        revision=journey.revision + 1,
    )
    await journeys.publish_journey(session, referral, journey, TravelChanged)
    await _await_departures(session, referral)
    _audit(session, caller, "change-travel", journey)
    await session.flush()
    return journey


async def act(
    session: Session,
    caller: Caller,
    referral_id: UUID,
    journey_id: UUID,
    action: JourneyAction,
    departed_on: date | None = None,
) -> Journey:
    """Confirm or cancel a journey, or say whether the persons have left.

    Args:
        session: The session.
        caller: Who says so.
        referral_id: The referral.
        journey_id: The journey.
        action: One of `EVENTS`.
        departed_on: The day, where they have left.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    referral, journey = await _lock_to_change(session, caller, referral_id, journey_id)
    JOURNEY.check(journey.state, action)
    departure: dict[str, Any] = {}
    if departed_on is not None:
        if departed_on > (await current_time(session)).astimezone(EARLIEST).date():
            right = "today or a day before"
            raise invalid(FieldError(pointer="/departed_on", code="date_ahead", detail=right))
        departure = {"departed_on": departed_on}
    JOURNEY.apply(journey, action, **departure)
    await journeys.publish_journey(session, referral, journey, EVENTS[action], **departure)
    await _await_departures(session, referral)
    _audit(session, caller, f"travel-{action}", journey)
    await session.flush()
    return journey
