"""`/v1/arrivals`: the board, the desk, and the office that confirms afterwards."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlmodel import col, select

from chassis import audit
from chassis.app import Homeward
from chassis.auth import Caller
from chassis.concurrency import set_etag
from chassis.db import Session
from chassis.errors import NOT_FOUND, Problem
from chassis.limits import FILE_BYTES
from chassis.pagination import Cursor, Limit, Page, Rows, link_next
from chassis.routing import CallerDep, CaughtUpDep, PreconditionDep, Router, SessionDep, requires
from chassis.streams import ListenerDep
from contracts.codes import Money, PortCode
from contracts.programmes import HandoverReason
from contracts.scopes import Scope
from participation import beneficiaries
from services.reception import identities
from services.reception.arrivals import service, stream, sync
from services.reception.arrivals.batch import ArrivalBatch, handed_to, restricted_of
from services.reception.arrivals.schemas import (
    AdoptedOut,
    ArrivalDetail,
    ArrivalOut,
    ArrivalPatch,
    ArrivalsOut,
    AssistanceIn,
    AssistanceOut,
    BindIn,
    BoardEntry,
    CheckIn,
    ConfirmationOut,
    ConfirmIn,
    Destination,
    Evidence,
    FamilyCheckIn,
    HandoverIn,
    HandoverOut,
    Happened,
    ProfileIn,
    ProfileOut,
    RedirectIn,
    ShownState,
    SyncIn,
    SyncOut,
    TransportIn,
    TransportOut,
    WalkIn,
)
from services.reception.context import ReceptionContext, ReceptionContextDep
from services.reception.fields import Claimed, Day
from services.reception.flights.passengers import details_of
from services.reception.identities import Identity
from services.reception.models import (
    Arrival,
    Assistance,
    Handover,
    OnwardTransport,
    Passenger,
    Profile,
)
from services.reception.printing import Column, Form, FormDep, as_csv, as_page, in_forms
from services.reception.states import ArrivalAction

router = Router(prefix="/v1/arrivals", tags=["arrivals"])

UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: {"description": "Somebody named is not known, or not for you"}
}


MOST_PRINTED = 2000
PRINTED = [
    Column("expected_at", "Expected", narrow=True),
    Column("met_at", "Met", narrow=True),
    Column("flight_number", "Flight", narrow=True),
    Column("seat", "Seat", narrow=True),
    Column("family_group", "Family", narrow=True),
    Column("name_latin", "Name"),
    Column("name_arabic", "الاسم"),
    Column("sex", "Sex", narrow=True),
    Column("birth", "Born", narrow=True),
    Column("nationality", "Nat.", narrow=True),
    Column("state", "State", narrow=True),
    Column("arrived_on"),
    Column("programme"),
    Column("household_id"),
    Column("walk_in"),
    Column("identity_doubtful"),
    Column("id"),
    Column("returnee_id"),
]


def _audit_reading(
    session: SessionDep, caller: CallerDep, resource_id: object, of: Sequence[UUID]
) -> None:
    if of:
        audit.record(
            session,
            caller,
            "read-identity",
            "arrivals",
            resource_id,
            {"returnees": [str(who) for who in of]},
        )


async def entries(
    session: Session,
    caller: Caller,
    context: ReceptionContext,
    arrivals: Sequence[Arrival],
    where: object,
) -> list[BoardEntry]:
    """Arrivals as the board shows them to somebody; what is read of people is audited."""
    known = await identities.read(
        session,
        [arrival.returnee_id for arrival in arrivals if arrival.returnee_id is not None],
        context.keyring,
    )
    _audit_reading(session, caller, where, sorted(known))
    held = [str(arrival.id) for arrival in arrivals if _shows_held(arrival, caller)]
    if held:
        audit.record(
            session, caller, "read-restricted", service.RESOURCE, where, {"arrivals": held}
        )
    seated = [arrival.id for arrival in arrivals if arrival.flight_id is not None]
    rows = (
        await session.scalars(select(Passenger).where(col(Passenger.arrival_id).in_(seated)))
        if seated
        else ()
    )
    flights = {arrival.id: arrival.flight_id for arrival in arrivals}
    seats = {row.arrival_id: row for row in rows if row.flight_id == flights[row.arrival_id]}
    shown = []
    for arrival in arrivals:
        seat = seats.get(arrival.id)
        identity = known.get(arrival.returnee_id) if arrival.returnee_id is not None else None
        if identity is None and seat is not None and arrival.returnee_id is None:
            identity = _as_the_manifest_says(seat, context)
        more = {
            "identity": identity,
            "state": _shown_state(arrival, caller),
            "seat": seat.seat if seat else None,
            "family_group": seat.family_group if seat else None,
        }
        shown.append(BoardEntry.model_validate(arrival).model_copy(update=more))
    return shown


def _as_the_manifest_says(passenger: Passenger, context: ReceptionContext) -> Identity | None:
    details = details_of(passenger, context.keyring)
    names = []
    if details.given_names or details.family_name:
        names.append(
            {
                "script": "Latn",
                "given": details.given_names or "",
                "family": details.family_name or "",
            }
        )
    if details.name_arab:
        names.append({"script": "Arab", "given": details.name_arab})
    if not names:
        return None
    birth = (
        {
            "date": details.birth_date.isoformat(),
            "precision": details.birth_precision or "day",
        }
        if details.birth_date
        else None
    )
    return Identity.model_validate(
        {"names": names, "sex": details.sex, "birth": birth, "nationality": passenger.nationality}
    )


def _shows_held(arrival: Arrival, caller: Caller) -> bool:
    return arrival.held_at is not None and Scope.ARRIVALS_RESTRICTED in caller.scopes


def _shown_state(arrival: Arrival, caller: Caller) -> ShownState:
    return (
        ShownState.HELD_BY_AUTHORITIES
        if _shows_held(arrival, caller)
        else ShownState(arrival.state.value)
    )


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
        return await service.board(
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
    items = await entries(session, caller, context, rows.items, port or "all")
    if form is not Form.JSON:
        filters = [
            port or "all ports",
            f"{day:%d %b %Y}" if day else "",
            state.value.replace("_", " ") if state else "",
        ]
        about = ", ".join(filter(None, filters))
        printed = _printed(form, items, port, about, context, whole=rows.next is None)
        link_next(request, printed, rows.next)
        return printed
    link_next(request, response, rows.next)
    return Page(items=items, next=rows.next)


def _printed(
    form: Form,
    items: Sequence[BoardEntry],
    port: str | None,
    about: str,
    context: ReceptionContext,
    *,
    whole: bool,
) -> Response:
    lines: list[list[Any]] = [
        [
            item.expected_at,
            item.met_at,
            item.flight_number,
            item.seat,
            item.family_group,
            _name(item.identity, "Latn"),
            _name(item.identity, "Arab"),
            item.identity.sex if item.identity else None,
            item.identity.birth.date if item.identity and item.identity.birth else None,
            item.identity.nationality if item.identity else None,
            item.state,
            item.arrived_on,
            item.programme,
            item.household_id,
            item.walk_in,
            item.identity_doubtful,
            item.id,
            item.returnee_id,
        ]
        for item in items
    ]
    if form is Form.CSV:
        return as_csv(PRINTED, lines)
    zone = context.ports.zone(port or "")
    for line in lines:
        for place, form_of in ((0, "%d %b %H:%M"), (1, "%H:%M")):
            line[place] = line[place].astimezone(zone).strftime(form_of) if line[place] else None
    left = "" if whole else f" Only the first {MOST_PRINTED:,} lines."
    at = datetime.now(UTC).astimezone(zone)
    return as_page(
        "Arrivals", f"{about}. Times in {zone.key}.{left}", PRINTED, lines, at=at, ticks=True
    )


def _name(identity: Identity | None, script: str) -> str:
    names = [name for name in identity.names if name.script == script] if identity else []
    return " ".join(
        part
        for name in names
        for part in (name.given, name.father, name.grandfather, name.family)
        if part
    )


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
        return await entries(session, caller, context, arrivals, watched.port or "all")

    async for event in stream.follow(here.database, listener, caller, watched, start, show):
        yield event


@router.post("", status_code=201, responses=UNKNOWN)
@requires(Scope.ARRIVALS_WRITE)
async def walk_in(
    body: WalkIn,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
) -> ArrivalOut:
    """Meet somebody whom nobody expected. They get a returnee id here, under which their case is
    opened.
    """
    batch = await ArrivalBatch.on(
        session, caller, context, [body.id] if body.id is not None else []
    )
    arrival, _ = await sync.walk_in(batch, body.id, body)
    return _out(response, arrival, caller)


@router.post("/sync")
@requires(Scope.ARRIVALS_WRITE, query=True, max_body=FILE_BYTES)
async def synchronise(
    body: SyncIn, request: Request, caller: CallerDep, context: ReceptionContextDep
) -> SyncOut:
    """Take a device's log of what it did without a connection, in any order and any number of
    times.

    Each entry is applied by itself, once, under its own id; there is an answer for each, and a
    conflict is told, never resolved silently. No Idempotency-Key is needed.
    """
    here = cast("Homeward", request.app.state.homeward)
    return await sync.synchronise(here.database, caller, context, body)


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
    arrival = await service.get(session, caller, arrival_id)
    profile, assistance, transport = await service.steps(session, arrival.id)
    handovers = await service.handovers(session, arrival.id)
    (entry,) = await entries(session, caller, context, [arrival], arrival.id)
    restricted = None
    if Scope.RETURNEES_VULNERABILITIES in caller.scopes and (profile or handovers):
        audit.record(session, caller, "read-vulnerability", service.RESOURCE, arrival.id)
        restricted = sorted(restricted_of(profile, context)) if profile else []
    set_etag(response, arrival.version)
    taken = ProfileOut.model_validate(_profile_of(profile, restricted)) if profile else None
    return ArrivalDetail(
        **entry.model_dump(),
        guidance=await service.guidance(session, caller, context, arrival),
        profile=taken,
        assistance=[_assistance_out(row) for row in assistance],
        onward_transport=[_transport_out(row) for row in transport],
        handovers=[
            _handover_out(
                row, context, why=restricted is not None, signature=restricted is not None
            )
            for row in handovers
        ],
        confirmation=_confirmation_out(arrival),
    )


@router.get("/{arrival_id}/identity")
@requires(Scope.INTERNAL)
async def read_adopted(
    arrival_id: UUID, session: SessionDep, caller: CallerDep, context: ReceptionContextDep
) -> AdoptedOut:
    """Who somebody is whom the desk met without a referral; for our own service that adopts them.

    The gateway does not forward it.
    """
    arrival = await service.get(session, caller, arrival_id)
    copy = None
    if arrival.walk_in and arrival.returnee_id is not None:
        copy = await identities.read_copy(session, arrival.returnee_id, context.keyring)
    if copy is None or arrival.returnee_id is None or arrival.met_by is None:
        raise Problem(NOT_FOUND)
    audit.record(session, caller, "read-identity", service.RESOURCE, arrival.id)
    return AdoptedOut(
        **copy.model_dump(),
        returnee_id=arrival.returnee_id,
        organisation=arrival.met_by,
        programme=arrival.programme,
        return_kind=arrival.return_kind,
        country_of_return=context.country_of(arrival.port_of_entry or ""),
        household_id=arrival.household_id,
        member=await service.member_of(session, context, arrival),
    )


@router.patch("/{arrival_id}")
@requires(Scope.ARRIVALS_WRITE, if_match=True)
async def correct(
    arrival_id: UUID,
    body: ArrivalPatch,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
    precondition: PreconditionDep,
) -> ArrivalOut:
    """Correct where or when somebody was met, or whether they are surely who was expected."""
    arrival = await service.correct(
        await ArrivalBatch.on(session, caller, context, [arrival_id]),
        arrival_id,
        met_at=body.met_at,
        port=body.port_of_entry,
        identity_doubtful=body.identity_doubtful,
        precondition=precondition,
    )
    return _out(response, arrival, caller)


@router.post("/check-in", responses=UNKNOWN)
@requires(Scope.ARRIVALS_WRITE)
async def check_in_family(
    body: FamilyCheckIn, session: SessionDep, caller: CallerDep, context: ReceptionContextDep
) -> ArrivalsOut:
    """Check in several persons at once: all of them, or none.

    A 409 names, for each one that stands in the way, its state, since when, and who brought it
    there.
    """
    arrivals = await service.check_in(
        await ArrivalBatch.on(session, caller, context, body.arrivals),
        body.arrivals,
        occurred_at=body.occurred_at,
        port=body.port_of_entry,
        identity_doubtful=body.identity_doubtful,
    )
    return ArrivalsOut(items=[ArrivalOut.model_validate(arrival) for arrival in arrivals])


@router.post("/{arrival_id}/check-in")
@requires(Scope.ARRIVALS_WRITE)
async def check_in(
    arrival_id: UUID,
    body: CheckIn,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
) -> ArrivalOut:
    """Check in one person. Of two desks one wins; the other is told, with the 409, since when and
    by whom.
    """
    arrivals = await service.check_in(
        await ArrivalBatch.on(session, caller, context, [arrival_id]),
        [arrival_id],
        occurred_at=body.occurred_at,
        port=body.port_of_entry,
        identity_doubtful=body.identity_doubtful,
    )
    return _out(response, arrivals[0], caller)


@router.post("/{arrival_id}/bind")
@requires(Scope.ARRIVALS_WRITE)
async def bind(
    arrival_id: UUID,
    body: BindIn,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
    caught_up: CaughtUpDep,
) -> ArrivalOut:
    """Say who sits on a seat that a manifest gave without saying whose.

    Where the person is expected on this flight by their referral too, the answer is that arrival:
    there is only one.
    """
    arrival = await service.bind(
        await ArrivalBatch.on(session, caller, context, [arrival_id]),
        arrival_id,
        returnee_id=body.returnee_id,
        copy=body.particulars.copy_of() if body.particulars else None,
        caught_up=caught_up,
    )
    return _out(response, arrival, caller)


@router.post("/{arrival_id}/profile")
@requires(Scope.ARRIVALS_WRITE)
async def profile(
    arrival_id: UUID,
    body: ProfileIn,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
) -> ProfileOut:
    """Take down needs and skills; taken again, they replace what was taken before."""
    batch = await ArrivalBatch.on(session, caller, context, [arrival_id])
    arrival, taken = await sync.profile(batch, arrival_id, body)
    set_etag(response, arrival.version)
    return ProfileOut.model_validate(_profile_of(taken, None))


@router.post("/{arrival_id}/assistance", status_code=201)
@requires(Scope.ARRIVALS_WRITE)
async def assist(
    arrival_id: UUID,
    body: AssistanceIn,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
) -> AssistanceOut:
    """Note something that was given at the desk, if the programme gives it."""
    batch = await ArrivalBatch.on(session, caller, context, [arrival_id], households=True)
    arrival, given = await sync.assist(batch, arrival_id, body)
    set_etag(response, arrival.version)
    return _assistance_out(given)


@router.post("/{arrival_id}/onward-transport", status_code=201)
@requires(Scope.ARRIVALS_WRITE)
async def arrange_transport(
    arrival_id: UUID,
    body: TransportIn,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
) -> TransportOut:
    """Note how somebody travels on from the port of entry."""
    batch = await ArrivalBatch.on(session, caller, context, [arrival_id])
    arrival, arranged = await sync.arrange_transport(batch, arrival_id, body)
    set_etag(response, arrival.version)
    return _transport_out(arranged)


@router.post("/{arrival_id}/handover", status_code=201)
@requires(Scope.ARRIVALS_WRITE)
async def hand_over(
    arrival_id: UUID,
    body: HandoverIn,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
) -> HandoverOut:
    """Note to whom a child or a patient was handed over, and who signed. Without it they are not
    completed.
    """
    batch = await ArrivalBatch.on(session, caller, context, [arrival_id])
    arrival, handover = await sync.hand_over(batch, arrival_id, body)
    set_etag(response, arrival.version)
    return _handover_out(handover, context, why=True, signature=False)


@router.post("/{arrival_id}/hold")
@requires(Scope.ARRIVALS_RESTRICTED)
async def hold(
    arrival_id: UUID,
    body: Happened,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
) -> ArrivalOut:
    """The authorities hold the person. Nothing is published, and only few are shown it; checking in
    ends it.
    """
    batch = await ArrivalBatch.on(session, caller, context, [arrival_id])
    return _out(response, await service.hold(batch, arrival_id, body.occurred_at), caller)


@router.post("/{arrival_id}/redirect")
@requires(Scope.ARRIVALS_WRITE)
async def redirect(
    arrival_id: UUID,
    body: RedirectIn,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
) -> ArrivalOut:
    """Expect the person at another port, or later at the same one after a missed connection."""
    arrival = await sync.redirect(
        await ArrivalBatch.on(session, caller, context, [arrival_id]), arrival_id, body
    )
    return _out(response, arrival, caller)


@router.post("/{arrival_id}/complete")
@requires(Scope.ARRIVALS_WRITE)
async def complete(
    arrival_id: UUID,
    body: Happened,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
) -> ArrivalOut:
    """Everything to be done at the port of entry is done."""
    batch = await ArrivalBatch.on(session, caller, context, [arrival_id])
    arrival = await service.end(batch, arrival_id, ArrivalAction.COMPLETE, body.occurred_at)
    return _out(response, arrival, caller)


@router.post("/{arrival_id}/no-show")
@requires(Scope.ARRIVALS_WRITE)
async def no_show(
    arrival_id: UUID,
    body: Happened,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
) -> ArrivalOut:
    """The person was not on the flight, or was not found."""
    batch = await ArrivalBatch.on(session, caller, context, [arrival_id])
    arrival = await service.end(batch, arrival_id, ArrivalAction.NO_SHOW, body.occurred_at)
    return _out(response, arrival, caller)


@router.post("/{arrival_id}/not-departed")
@requires(Scope.ARRIVALS_WRITE)
async def not_departed(
    arrival_id: UUID,
    body: Happened,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
) -> ArrivalOut:
    """The person did not depart, and will not arrive."""
    batch = await ArrivalBatch.on(session, caller, context, [arrival_id])
    arrival = await service.end(batch, arrival_id, ArrivalAction.NOT_DEPARTED, body.occurred_at)
    return _out(response, arrival, caller)


@router.post("/{arrival_id}/decline")
@requires(Scope.ARRIVALS_WRITE)
async def decline(
    arrival_id: UUID,
    body: Happened,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
) -> ArrivalOut:
    """The person arrived and wants no reception assistance."""
    batch = await ArrivalBatch.on(session, caller, context, [arrival_id])
    arrival = await service.end(batch, arrival_id, ArrivalAction.DECLINE, body.occurred_at)
    return _out(response, arrival, caller)


@router.post("/{arrival_id}/confirm")
@requires(Scope.ARRIVALS_WRITE)
async def confirm(
    arrival_id: UUID,
    body: ConfirmIn,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
) -> ArrivalOut:
    """The office confirms that somebody arrived who walked past the desk; again corrects it."""
    batch = await ArrivalBatch.on(session, caller, context, [arrival_id])
    arrival = await service.confirm(
        batch, arrival_id, arrived_on=body.arrived_on, method=body.method, evidence=body.evidence
    )
    return _out(response, arrival, caller)


@router.post("/{arrival_id}/reopen")
@requires(Scope.ARRIVALS_WRITE)
async def reopen(
    arrival_id: UUID,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    context: ReceptionContextDep,
    body: Happened,
) -> ArrivalOut:
    """Lead an arrival that had ended back to where it was before, or undo a check-in, after a
    mistake; audited.
    """
    batch = await ArrivalBatch.on(session, caller, context, [arrival_id])
    return _out(response, await service.reopen(batch, arrival_id, body.occurred_at), caller)


def _out(response: Response, arrival: Arrival, caller: Caller) -> ArrivalOut:
    set_etag(response, arrival.version)
    return ArrivalOut.model_validate(arrival).model_copy(
        update={"state": _shown_state(arrival, caller)}
    )


def _profile_of(profile: Profile, restricted: Sequence[HandoverReason] | None) -> dict[str, Any]:
    values = {
        name: getattr(profile, name) for name in ProfileOut.model_fields if name != "restricted"
    }
    return values | {"restricted": restricted}


def _handover_out(
    row: Handover, context: ReceptionContext, *, why: bool, signature: bool
) -> HandoverOut:
    to = handed_to(row, context) or {}
    return HandoverOut(
        id=row.id,
        arrival_id=row.arrival_id,
        reason=to.get("reason") if why else None,
        **{name: to.get(name) for name in ("receiver", "name", "relationship", "authority")},
        signature=to.get("signature") if signature else None,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        clock_suspect=row.clock_suspect,
        recorded_by=row.recorded_by,
    )


def _assistance_out(row: Assistance) -> AssistanceOut:
    return AssistanceOut(
        id=row.id,
        arrival_id=row.arrival_id,
        kind=row.kind,
        amount=Money(amount=row.amount, currency=row.currency)
        if row.amount is not None and row.currency
        else None,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        clock_suspect=row.clock_suspect,
        recorded_by=row.recorded_by,
    )


def _transport_out(row: OnwardTransport) -> TransportOut:
    return TransportOut(
        id=row.id,
        arrival_id=row.arrival_id,
        mode=row.mode,
        destination=Destination(governorate=row.governorate, district=row.district),
        departs_at=row.departs_at,
        cost=Money(amount=row.cost, currency=row.currency)
        if row.cost is not None and row.currency
        else None,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        clock_suspect=row.clock_suspect,
        recorded_by=row.recorded_by,
    )


def _confirmation_out(arrival: Arrival) -> ConfirmationOut | None:
    if arrival.confirmation_method is None:
        return None
    assert arrival.arrived_on is not None
    assert arrival.confirmation_evidence is not None
    return ConfirmationOut(
        arrived_on=arrival.arrived_on,
        method=arrival.confirmation_method,
        evidence=Evidence(arrival.confirmation_evidence),
    )
