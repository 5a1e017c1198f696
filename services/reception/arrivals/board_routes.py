"""`/v1/arrivals`: the board, the stream of its changes, and one arrival with all that was done."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from chassis import audit
from chassis.app import Homeward
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.errors import NOT_FOUND, Problem
from chassis.pagination import Cursor, Limit, Page, Rows, link_next
from chassis.routing import CallerDep, CaughtUpDep, Router, SessionDep, requires
from chassis.streams import ListenerDep
from contracts.codes import PortCode
from contracts.scopes import Scope
from participation import beneficiaries
from services.reception import identities
from services.reception.arrivals import board, stream
from services.reception.arrivals.answers import (
    AdoptedOut,
    ArrivalDetail,
    BoardEntry,
    ShownState,
)
from services.reception.arrivals.guidance import render_guidance
from services.reception.arrivals.particulars import member_of
from services.reception.arrivals.permitted import RESOURCE
from services.reception.arrivals.printed_board import MOST_PRINTED, render_printed_board
from services.reception.arrivals.rendering import (
    render_assistance,
    render_board_entries,
    render_confirmation,
    render_handover,
    render_profile,
    render_transport,
)
from services.reception.arrivals.sealed import restricted_of
from services.reception.context import ReceptionContextDep
from services.reception.fields import Claimed, Day
from services.reception.models import (
    Arrival,
)
from services.reception.printing import Form, FormDep, in_forms

router = Router(prefix="/v1/arrivals", tags=["arrivals"])

UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: {"description": "Somebody named is not known, or not for you"}
}


@router.get(
    "",
    response_model=Page[BoardEntry],
    responses=UNKNOWN | in_forms("The board, in the form of Accept."),
)
@requires(Scope.ARRIVALS_READ)
async def read_board(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    caught_up: CaughtUpDep,
    context: ReceptionContextDep,
    form: FormDep,
    port: PortCode | None = None,
    day: Annotated[
        Day | None, Query(alias="date", description="A day in the time zone of the port.")
    ] = None,
    state: ShownState | None = None,
    returnee_id: UUID | None = None,
    flight_id: UUID | None = None,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Response | Page[BoardEntry]:
    """The arrivals board: who is expected, in the order in which they are expected, and who has
    arrived.

    Names come from the desk's own copies, so they are there while cases is down; reading them is
    audited. As CSV (`Accept: text/csv`) or as a page to print (`Accept: text/html`) it is the whole
    list, up to 2,000 lines; a `Link` leads to what is left.
    """
    if state is ShownState.HELD_BY_AUTHORITIES:
        caller.require(Scope.ARRIVALS_RESTRICTED)

    async def read(cursor: str | None, most: int) -> Rows[Arrival]:
        return await board.list_arrivals(
            session,
            caller,
            ports=context.ports,
            port=port,
            day=day,
            state=state,
            returnee_id=returnee_id,
            flight_id=flight_id,
            restricted=Scope.ARRIVALS_RESTRICTED in caller.scopes,
            updated_since=updated_since,
            after=cursor,
            limit=most,
        )

    rows = await read(after, limit if form is Form.JSON else MOST_PRINTED)
    if returnee_id is not None and not rows.items:
        await beneficiaries.require(session, returnee_id, caller, caught_up=caught_up)
    items = await render_board_entries(session, caller, context, rows.items, port or "all")
    if form is not Form.JSON:
        filters = [
            port or "all ports",
            f"{day:%d %b %Y}" if day else "",
            state.value.replace("_", " ") if state else "",
        ]
        about = ", ".join(filter(None, filters))
        printed = render_printed_board(form, items, port, about, context, whole=rows.next is None)
        link_next(request, printed, rows.next)
        return printed
    link_next(request, response, rows.next)
    return Page(items=items, next=rows.next)


async def _watched(
    caller: CallerDep,
    context: ReceptionContextDep,
    port: PortCode | None = None,
    day: Annotated[
        Day | None, Query(alias="date", description="A day in the time zone of the port.")
    ] = None,
    state: ShownState | None = None,
) -> stream.Watched:
    restricted = Scope.ARRIVALS_RESTRICTED in caller.scopes
    if state is ShownState.HELD_BY_AUTHORITIES:
        caller.require(Scope.ARRIVALS_RESTRICTED)
    return stream.Watched(
        port=port, day=day, state=state, restricted=restricted, ports=context.ports
    )


async def _from(
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
) -> datetime | None:
    return stream.parse(last_event_id)


@router.get("/stream", response_class=EventSourceResponse)
@requires(Scope.ARRIVALS_READ)
async def stream_board(
    request: Request,
    caller: CallerDep,
    listener: ListenerDep,
    context: ReceptionContextDep,
    watched: Annotated[stream.Watched, Depends(_watched)],
    start: Annotated[datetime | None, Depends(_from)],
) -> AsyncIterator[ServerSentEvent]:
    """The board as it changes, as server-sent events: `arrival` with an entry, `left` with the id
    of one that left it.

    It begins with everybody on the board, unless Last-Event-ID says from where to continue. It ends
    after ten minutes.
    """
    here = cast("Homeward", request.app.state.homeward)

    async def show(session: Session, arrivals: Sequence[Arrival]) -> list[BoardEntry]:
        return await render_board_entries(session, caller, context, arrivals, watched.port or "all")

    async for event in stream.follow(here.database, listener, caller, watched, start, show):
        yield event


@router.get("/{arrival_id}")
@requires(Scope.ARRIVALS_READ)
async def read_arrival(
    arrival_id: UUID,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
) -> ArrivalDetail:
    """An arrival with who it is, all that was done, and what the programme says; reading it is
    audited.
    """
    arrival = await board.load_arrival(session, caller, arrival_id)
    profile, assistance, transport = await board.load_steps(session, arrival.id)
    handovers = await board.load_handovers(session, arrival.id)
    (entry,) = await render_board_entries(session, caller, context, [arrival], arrival.id)
    restricted = None
    if Scope.RETURNEES_VULNERABILITIES in caller.scopes and (profile or handovers):
        audit.record(session, caller, "read-vulnerability", RESOURCE, arrival.id)
        restricted = sorted(restricted_of(profile, context)) if profile else []
    set_etag(response, arrival.version)
    return ArrivalDetail(
        **entry.model_dump(),
        guidance=await render_guidance(session, caller, context, arrival),
        profile=render_profile(profile, restricted) if profile else None,
        assistance=[render_assistance(row) for row in assistance],
        onward_transport=[render_transport(row) for row in transport],
        handovers=[
            render_handover(
                row, context, why=restricted is not None, signature=restricted is not None
            )
            for row in handovers
        ],
        confirmation=render_confirmation(arrival),
    )


@router.get("/{arrival_id}/identity")
@requires(Scope.INTERNAL)
async def read_adopted(
    arrival_id: UUID, session: SessionDep, caller: CallerDep, context: ReceptionContextDep
) -> AdoptedOut:
    """Who somebody is whom the desk met without a referral; for our own service that adopts them.

    The gateway does not forward it.
    """
    arrival = await board.load_arrival(session, caller, arrival_id)
    copy = None
    if arrival.walk_in and arrival.returnee_id is not None:
        copy = await identities.read_copy(session, arrival.returnee_id, context.keyring)
    if copy is None or arrival.returnee_id is None or arrival.met_by is None:
        raise Problem(NOT_FOUND)
    audit.record(session, caller, "read-identity", RESOURCE, arrival.id)
    return AdoptedOut(
        **copy.model_dump(),
        returnee_id=arrival.returnee_id,
        organisation=arrival.met_by,
        programme=arrival.programme,
        return_kind=arrival.return_kind,
        country_of_return=context.country_of(arrival.port_of_entry or ""),
        household_id=arrival.household_id,
        member=await member_of(session, context, arrival),
    )
