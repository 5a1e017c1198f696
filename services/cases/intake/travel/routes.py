"""`/v1/referrals/{id}/travel`."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import Request, Response
from sqlmodel import col, select

from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.pagination import Cursor, Limit, Page, link_next, page
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from services.cases.access.referrals import load_referral
from services.cases.intake.travel import service
from services.cases.intake.travel.journeys import legs_of, load_persons
from services.cases.intake.travel.schemas import DepartedIn, JourneyChange, JourneyIn, JourneyOut
from services.cases.models import Journey
from services.cases.states.intake import JourneyAction, JourneyState

router = Router(prefix="/v1/referrals/{referral_id}/travel", tags=["travel"])


def render(journey: Journey, persons: Sequence[int]) -> JourneyOut:
    """A journey as it is answered."""
    legs = legs_of(journey)
    return JourneyOut(
        id=journey.id,
        referral_id=journey.referral_id,
        state=journey.state,
        revision=journey.revision,
        persons=list(persons),
        legs=legs,
        escorted=journey.escorted,
        departs_on=legs[0].departs_on,
        arrives_at=legs[-1].arrives_at,
        port_of_entry=legs[-1].destination,
        departed_on=journey.departed_on,
        queried_at=journey.queried_at,
        created_at=journey.created_at,
        updated_at=journey.updated_at,
    )


async def answer(session: Session, journey: Journey, response: Response) -> JourneyOut:
    """A journey with its ETag."""
    set_etag(response, journey.version)
    return render(journey, (await load_persons(session, [journey]))[journey.id])


@router.get("")
@requires(Scope.REFERRALS_READ)
async def journeys(
    referral_id: UUID,
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[JourneyOut]:
    """The journeys of a referral, oldest first."""
    await load_referral(session, caller, referral_id)
    statement = select(Journey).where(Journey.referral_id == referral_id)
    rows = await page(
        session, statement, keys=[col(Journey.id)], parsers=[UUID], after=after, limit=limit
    )
    persons = await load_persons(session, rows.items)
    link_next(request, response, rows.next)
    return Page(
        items=[render(journey, persons[journey.id]) for journey in rows.items], next=rows.next
    )


@router.get("/{journey_id}")
@requires(Scope.REFERRALS_READ)
async def journey(
    referral_id: UUID, journey_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> JourneyOut:
    """One journey."""
    row = await service.load_journey(session, caller, referral_id, journey_id)
    return await answer(session, row, response)


@router.post("", status_code=201)
@requires(Scope.REFERRALS_SUBMIT)
async def plan(
    referral_id: UUID, body: JourneyIn, session: SessionDep, caller: CallerDep, response: Response
) -> JourneyOut:
    """Add a journey of some persons: families travel in parts, and try again."""
    row = await service.plan(
        session,
        caller,
        referral_id,
        persons=body.persons,
        legs=body.legs,
        state=JourneyState(body.state),
        escorted=body.escorted,
        journey_id=body.id,
    )
    return await answer(session, row, response)


@router.post("/query")
@requires(Scope.REFERRALS_DECIDE)
async def query(referral_id: UUID, session: SessionDep, caller: CallerDep) -> Page[JourneyOut]:
    """Ask the sender whether persons whose departure date has long passed have left; answers with
    those journeys.
    """
    asked = await service.query(session, caller, referral_id)
    persons = await load_persons(session, asked)
    return Page(items=[render(journey, persons[journey.id]) for journey in asked])


@router.put("/{journey_id}")
@requires(Scope.REFERRALS_SUBMIT, if_match=True)
async def change(
    referral_id: UUID,
    journey_id: UUID,
    body: JourneyChange,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> JourneyOut:
    """Another date, flight or port: the journey's next revision."""
    row = await service.change(
        session,
        caller,
        referral_id,
        journey_id,
        precondition,
        legs=body.legs,
        escorted=body.escorted,
    )
    return await answer(session, row, response)


@router.post("/{journey_id}/confirm")
@requires(Scope.REFERRALS_SUBMIT)
async def confirm(
    referral_id: UUID, journey_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> JourneyOut:
    """The journey is booked."""
    row = await service.act(session, caller, referral_id, journey_id, JourneyAction.CONFIRM)
    return await answer(session, row, response)


@router.post("/{journey_id}/departed")
@requires(Scope.REFERRALS_SUBMIT)
async def departed(
    referral_id: UUID,
    journey_id: UUID,
    body: DepartedIn,
    session: SessionDep,
    caller: CallerDep,
    response: Response,
) -> JourneyOut:
    """The persons have left the host country."""
    row = await service.act(
        session, caller, referral_id, journey_id, JourneyAction.DEPARTED, body.departed_on
    )
    return await answer(session, row, response)


@router.post("/{journey_id}/not-departed")
@requires(Scope.REFERRALS_SUBMIT)
async def not_departed(
    referral_id: UUID, journey_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> JourneyOut:
    """The persons did not leave as planned; another journey may follow."""
    row = await service.act(session, caller, referral_id, journey_id, JourneyAction.NOT_DEPARTED)
    return await answer(session, row, response)


@router.post("/{journey_id}/cancel")
@requires(Scope.REFERRALS_SUBMIT)
async def cancel(
    referral_id: UUID, journey_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> JourneyOut:
    """The journey does not take place."""
    row = await service.act(session, caller, referral_id, journey_id, JourneyAction.CANCEL)
    return await answer(session, row, response)
