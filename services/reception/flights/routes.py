"""`/v1/flights`: announced, changed, landed; and who is on them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response

from chassis.concurrency import set_etag
from chassis.errors import FieldError, invalid
from chassis.limits import TABLE_BYTES
from chassis.pagination import Cursor, Limit, Page, link_next
from chassis.routing import (
    Body,
    CallerDep,
    KeyringDep,
    PreconditionDep,
    Router,
    SessionDep,
    requires,
)
from contracts.codes import PortCode, Slug
from contracts.scopes import Scope
from participation.matching_digests import MarksDep
from services.reception.fields import Claimed, Day
from services.reception.flights import manifest, service
from services.reception.flights.schemas import (
    AuthorityFlight,
    AuthorityManifest,
    AuthorityPassenger,
    DivertedIn,
    FlightIn,
    FlightOut,
    FlightPatch,
    LandedIn,
    ManifestOut,
    ManifestTaken,
    PassengerOut,
    Purpose,
    View,
)
from services.reception.models import Flight
from services.reception.ports import PortsDep
from services.reception.printing import Column, Form, FormDep, as_csv, as_page, in_forms
from services.reception.states import FlightState

router = Router(prefix="/v1/flights", tags=["flights"])

CSV = "text/csv"
MANIFEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": manifest.json_schema()},
            CSV: {
                "schema": {
                    "type": "string",
                    "description": "UTF-8, a header with these columns in any order: "
                    + ", ".join(manifest.COLUMNS),
                }
            },
        },
    }
}
TITLES = {
    "seat": "Seat",
    "family_group": "Family",
    "family_name": "Family name",
    "given_names": "Given names",
    "name_arab": "الاسم",
    "sex": "Sex",
    "birth_date": "Born",
    "nationality": "Nat.",
    "document_number": "Document",
    "destination": "To",
    "remarks": "Remarks",
    "state": "State",
}
NARROW = frozenset(TITLES) - {"family_name", "given_names", "name_arab", "remarks"}


def _out(response: Response, flight: Flight) -> FlightOut:
    set_etag(response, flight.version)
    return FlightOut.model_validate(flight)


@router.post("", status_code=201)
@requires(Scope.FLIGHTS_WRITE)
async def announce(
    body: FlightIn, response: Response, session: SessionDep, caller: CallerDep
) -> FlightOut:
    """Announce a flight, a charter, or a crossing of a land border with which returnees arrive."""
    return _out(response, await service.announce(session, caller, body))


MOST_LISTED = 2000
LISTED = (
    Column("scheduled_at", "Lands", narrow=True),
    Column("flight_number", "Flight", narrow=True),
    Column("charter", "Charter", narrow=True),
    Column("origin", "From", narrow=True),
    Column("port_of_entry", "To", narrow=True),
    Column("previous_port", "Was to land at", narrow=True),
    Column("state", "State", narrow=True),
    Column("landed_at", "Landed", narrow=True),
    Column("receiver", "Desk"),
    Column("programme", "Programme"),
    Column("id"),
)


@router.get(
    "", response_model=Page[FlightOut], responses=in_forms("The flights, in the form of Accept.")
)
@requires(Scope.FLIGHTS_READ)
async def read_flights(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    ports: PortsDep,
    form: FormDep,
    port: PortCode | None = None,
    day: Annotated[
        Day | None, Query(alias="date", description="A day in the time zone of the port.")
    ] = None,
    state: FlightState | None = None,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Response | Page[FlightOut]:
    """Flights in the order in which they are to land; also as CSV and as a page to print, up to
    2,000 lines.
    """
    rows = await service.flights(
        session,
        caller,
        ports=ports,
        port=port,
        day=day,
        state=state,
        updated_since=updated_since,
        after=after,
        limit=limit if form is Form.JSON else MOST_LISTED,
    )
    answer = response if form is Form.JSON else _listed(form, rows.items, ports)
    link_next(request, answer, rows.next)
    if form is not Form.JSON:
        return answer
    return Page(items=[FlightOut.model_validate(flight) for flight in rows.items], next=rows.next)


def _listed(form: Form, flights: Sequence[Flight], ports: PortsDep) -> Response:
    lines = [[getattr(flight, column.name) for column in LISTED] for flight in flights]
    if form is Form.CSV:
        return as_csv(LISTED, lines)
    for line, flight in zip(lines, flights, strict=True):
        zone = ports.zone(flight.port_of_entry)
        for place in (0, 7):
            line[place] = (
                line[place].astimezone(zone).strftime("%d %b %Y %H:%M") if line[place] else None
            )
        line[2] = "charter" if flight.charter else None
    about = "Times in the time zone of the port."
    return as_page(
        "Flights",
        about,
        LISTED,
        lines,
        at=datetime.now(UTC),
        ticks=False,
        warning="Times printed in UTC.",
    )


@router.get("/{flight_id}")
@requires(Scope.FLIGHTS_READ)
async def read_flight(
    flight_id: UUID, response: Response, session: SessionDep, caller: CallerDep
) -> FlightOut:
    """A flight."""
    return _out(response, await service.find(session, caller, flight_id))


@router.patch("/{flight_id}")
@requires(Scope.FLIGHTS_WRITE, if_match=True)
async def change(
    flight_id: UUID,
    body: FlightPatch,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
) -> FlightOut:
    """Note a delay or another number; whoever is expected on it is expected then."""
    return _out(response, await service.change(session, caller, flight_id, body, precondition))


@router.post("/{flight_id}/landed")
@requires(Scope.FLIGHTS_WRITE)
async def landed(
    flight_id: UUID, body: LandedIn, response: Response, session: SessionDep, caller: CallerDep
) -> FlightOut:
    """The flight is on the ground."""
    return _out(response, await service.land(session, caller, flight_id, body.landed_at))


@router.post("/{flight_id}/cancelled")
@requires(Scope.FLIGHTS_WRITE)
async def cancelled(
    flight_id: UUID, _: Body, response: Response, session: SessionDep, caller: CallerDep
) -> FlightOut:
    """The flight does not take place; nobody is expected on it, until another journey is told."""
    return _out(response, await service.cancel(session, caller, flight_id))


@router.post("/{flight_id}/diverted")
@requires(Scope.FLIGHTS_WRITE)
async def diverted(
    flight_id: UUID, body: DivertedIn, response: Response, session: SessionDep, caller: CallerDep
) -> FlightOut:
    """The flight goes to another port; whoever is on it is on the board there."""
    return _out(
        response,
        await service.divert(session, caller, flight_id, body.port_of_entry, body.scheduled_at),
    )


@router.put("/{flight_id}/manifest", openapi_extra=MANIFEST_BODY)
@requires(
    Scope.FLIGHTS_WRITE, if_match=True, media_types=("application/json", CSV), max_body=TABLE_BYTES
)
async def put_manifest(
    flight_id: UUID,
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    marks: MarksDep,
    keyring: KeyringDep,
) -> ManifestTaken:
    """Say who is on the flight, as JSON or CSV; sent again, it replaces what was said before.

    The whole file is judged first: a 422 lists every problem, with row numbers, and nothing is
    applied. What was done with somebody stays, also when they are not in the file any more.
    """
    body = await request.body()
    is_csv = request.headers.get("content-type", "").startswith(CSV)
    passengers = manifest.from_csv(body) if is_csv else manifest.from_json(body)
    flight, taken = await service.take_manifest(
        session,
        caller,
        flight_id,
        passengers,
        precondition=precondition,
        marks=marks,
        keyring=keyring,
    )
    set_etag(response, flight.version)
    return taken


@router.get(
    "/{flight_id}/manifest",
    response_model=ManifestOut | AuthorityManifest,
    responses=in_forms("The manifest, in the form that Accept names."),
)
@requires(Scope.FLIGHTS_READ)
async def read_manifest(
    flight_id: UUID,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    keyring: KeyringDep,
    ports: PortsDep,
    form: FormDep,
    view: View = View.DESK,
    recipient: Annotated[
        Slug | None, Query(description="The authority that it is for; with view=authority.")
    ] = None,
    purpose: Annotated[Purpose | None, Query(description="For what; with view=authority.")] = None,
) -> Response | ManifestOut | AuthorityManifest:
    """Who is on the flight: as JSON, as CSV (`Accept: text/csv`) or as a page to print (`Accept:
    text/html`).

    With `view=authority` it is what an authority may be given: what stands in the travel documents,
    nothing of the desk's. Every disclosure is recorded.
    """
    authority = view is View.AUTHORITY
    if authority != (recipient is not None) or authority != (purpose is not None):
        detail = "with view=authority both recipient and purpose, without it neither"
        raise invalid(
            FieldError(pointer="#query/recipient", code="recipient_and_purpose", detail=detail)
        )
    flight, rows = await service.read_manifest(session, caller, flight_id)
    service.record_disclosure(
        session, caller, flight, len(rows), form=form, recipient=recipient, purpose=purpose
    )
    passengers = []
    for passenger, arrival, mine in rows:
        details = service.details_of(passenger, keyring).model_dump(
            exclude={"external_reference", "person"}
        )
        passengers.append(
            PassengerOut(
                id=passenger.id,
                arrival_id=arrival.id if mine else None,
                returnee_id=arrival.returnee_id if mine else None,
                state=arrival.state if mine else None,
                seat=passenger.seat,
                family_group=passenger.family_group,
                nationality=passenger.nationality,
                **details,
            )
        )
    set_etag(response, flight.version)
    if authority:
        reduced = [
            AuthorityPassenger.model_validate(p.model_dump(include=set(_AUTHORITY)))
            for p in passengers
        ]
        if form is Form.JSON:
            return AuthorityManifest(
                flight=AuthorityFlight.model_validate(flight), passengers=reduced
            )
        return _printed(
            form, flight, _AUTHORITY, reduced, ports, given=(str(recipient), Purpose(str(purpose)))
        )
    if form is Form.JSON:
        return ManifestOut(flight=FlightOut.model_validate(flight), passengers=passengers)
    return _printed(form, flight, tuple(PassengerOut.model_fields), passengers, ports)


_AUTHORITY = tuple(AuthorityPassenger.model_fields)


def _printed(
    form: Form,
    flight: Flight,
    names: tuple[str, ...],
    passengers: Any,
    ports: PortsDep,
    given: tuple[str, Purpose] | None = None,
) -> Response:
    if form is Form.PAGE:  # a page reads from the seat on
        names = tuple(name for name in TITLES if name in names)
    columns = [Column(name, TITLES.get(name), name in NARROW) for name in names]
    rows = [[getattr(passenger, name) for name in names] for passenger in passengers]
    if form is Form.CSV:
        return as_csv(columns, rows)
    zone = ports.zone(flight.port_of_entry)
    number = flight.flight_number or ("Charter" if flight.charter else "Flight")
    lands = flight.scheduled_at.astimezone(zone)
    about = (
        f"Lands {lands:%a %d %b %Y %H:%M} local time. "
        f"Version {flight.manifest_version} of the manifest."
    )
    title, at = (
        f"{number} {flight.origin} - {flight.port_of_entry}",
        datetime.now(UTC).astimezone(zone),
    )
    if given is None:
        return as_page(title, about, columns, rows, at=at, ticks=True)
    recipient, purpose = given
    warning = (
        f"For {recipient}, for {purpose.value.replace('_', ' ')} only; to be destroyed afterwards."
    )
    return as_page(title, about, columns, rows, at=at, ticks=False, warning=warning)
