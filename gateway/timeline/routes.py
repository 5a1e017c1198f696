"""A returnee's timeline, the same as it goes on, and where they stand."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from chassis.app import Homeward
from chassis.inbox import freshness
from chassis.pagination import Cursor, Limit, Since, link_next
from chassis.routing import CallerDep, CaughtUpDep, Router, SessionDep, requires
from chassis.streams import ListenerDep
from contracts.scopes import Scope
from gateway import positions
from gateway.timeline import service
from gateway.timeline.schemas import Entry as EntryOut
from gateway.timeline.schemas import (
    EventType,
    Order,
    ServiceName,
    Summary,
    TimelinePage,
    freshness_of,
)
from gateway.timeline.sentences import preferred
from gateway.timeline.service import Filters, Reader
from gateway.timeline.stream import follow
from participation import beneficiaries

router = Router(prefix="/v1/returnees", tags=["timeline"])

AcceptLanguage = Annotated[
    str | None,
    Header(description="Language of the summaries: en fr nl de fi ar ckb kmr.", max_length=400),
]


@router.get("/{returnee_id}/timeline", summary="Read a returnee's timeline")
@requires(Scope.TIMELINE_READ)
async def read_timeline(
    returnee_id: UUID,
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    caught_up: CaughtUpDep,
    accept_language: AcceptLanguage = None,
    after: Cursor = None,
    happened_from: Annotated[
        Since | None, Query(alias="from", description="Happened then or later.")
    ] = None,
    happened_to: Annotated[Since | None, Query(alias="to", description="Happened before.")] = None,
    as_of: Annotated[Since | None, Query(description="As it was known then.")] = None,
    service_name: Annotated[
        list[ServiceName] | None, Query(alias="service", description="Of these services.")
    ] = None,
    event_type: Annotated[
        list[EventType] | None, Query(alias="type", description="Of these event types.")
    ] = None,
    order: Annotated[Order, Query(description="desc: the newest first.")] = Order.DESC,
    limit: Limit = 50,
) -> TimelinePage:
    """What happened, from every service, by when it happened; and how fresh this is."""
    await beneficiaries.require(session, returnee_id, caller, caught_up=caught_up)
    who = await service.reader(session, returnee_id, caller)
    fresh = await freshness(session)
    filters = Filters(happened_from, happened_to, as_of, service_name or (), event_type or ())
    rows = await service.read(
        session, who, filters, after=after, limit=limit, descending=order is Order.DESC
    )
    language = preferred(accept_language)
    response.headers["Content-Language"] = language.tag
    response.headers["Vary"] = "Accept-Language"
    link_next(request, response, rows.next)
    return TimelinePage(
        items=[EntryOut.of(row, language) for row in rows.items],
        next=rows.next,
        live=positions.encode(positions.applied(fresh)),
        freshness=freshness_of(fresh),
    )


@dataclass(frozen=True)
class Listening:
    """What is listened to, and from where."""

    who: Reader
    start: dict[str, int]


async def listening(
    returnee_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    caught_up: CaughtUpDep,
    after: Annotated[
        str | None,
        Query(description="`live` of a timeline; from now on if absent.", max_length=400),
    ] = None,
    last_event_id: Annotated[
        str | None, Header(description="Id of the last event received.", max_length=400)
    ] = None,
) -> Listening:
    """Check everything before the stream begins: afterwards nothing can be refused."""
    await beneficiaries.require(session, returnee_id, caller, caught_up=caught_up)
    if last_event_id:
        start = positions.decode(last_event_id, "#header/last-event-id")
    elif after is not None:
        start = positions.decode(after, "#query/after")
    else:
        start = positions.applied(await freshness(session))
    return Listening(await service.reader(session, returnee_id, caller), start)


@router.get(
    "/{returnee_id}/timeline/stream",
    response_class=EventSourceResponse,
    summary="Follow a returnee's timeline",
)
@requires(Scope.TIMELINE_READ)
async def stream_timeline(
    request: Request,
    heard: Annotated[Listening, Depends(listening)],
    listener: ListenerDep,
    accept_language: AcceptLanguage = None,
) -> AsyncIterator[ServerSentEvent]:
    """Entries as they come, as server-sent events. It ends after ten minutes; continue with
    Last-Event-ID.
    """
    here = cast("Homeward", request.app.state.homeward)
    language = preferred(accept_language)
    async for event in follow(here.database, listener, heard.who, heard.start, language):
        yield event


@router.get("/{returnee_id}/summary", summary="Where a returnee stands")
@requires(Scope.TIMELINE_READ)
async def read_summary(
    returnee_id: UUID, session: SessionDep, caller: CallerDep, caught_up: CaughtUpDep
) -> Summary:
    """Where a returnee stands with each service, from what the services have published."""
    person = await beneficiaries.require(session, returnee_id, caller, caught_up=caught_up)
    who = await service.reader(session, returnee_id, caller)
    fresh = await freshness(session)
    return Summary(
        id=returnee_id,
        state=person.state,
        programme=person.programme,
        programme_version=person.programme_version,
        return_kind=person.return_kind,
        referrer=person.referrer,
        implementer=person.implementer,
        **await service.standing(session, who, person.case_id),
        freshness=freshness_of(fresh),
    )
