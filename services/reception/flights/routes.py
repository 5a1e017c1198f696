"""`/v1/flights`: announced, changed, landed; and who is on them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response

from chassis.concurrency import set_etag
from chassis.crypto import Keyring
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
from chassis.tabular.encodings import charset_of
from chassis.tabular.templates import CSV, XLSX, csv_template, download, file_in, xlsx_template
from contracts.codes import PortCode, Slug
from contracts.scopes import Scope
from participation.matching_digests import MarksDep
from services.reception.fields import Claimed, Day
from services.reception.flights import manifest, service
from services.reception.flights.passengers import (
    details_of,
    load_manifest,
    record_disclosure,
    take_manifest,
)
from services.reception.flights.schemas import (
    AuthorityFlight,
    AuthorityManifest,
    AuthorityPassenger,
    BirthPrecision,
    DivertedIn,
    FlightAnnounced,
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
from services.reception.models import Arrival, Flight, Passenger
from services.reception.ports import PortsDep
from services.reception.printing import Column, Form, FormDep, as_csv, as_page, in_forms
from services.reception.states import FlightState

router = Router(prefix="/v1/flights", tags=["flights"])

JSON = "application/json"
MANIFEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": manifest.json_schema()},
            CSV: {
                "schema": {
                    "type": "string",
                    "description": "A table as a spreadsheet saves it, with columns of these in "
                    "any order: " + ", ".join(manifest.NAMES),
                }
            },
            XLSX: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
TITLES = {column.name: column.label for column in manifest.COLUMNS} | {"state": "State"}
del TITLES["birth_precision"]  # a page shows as much of the date as is known
NARROW = frozenset(TITLES) - {"family_name", "given_names", "name_arab", "remarks"}


def _out(response: Response, flight: Flight) -> FlightOut:
    set_etag(response, flight.version)
    return FlightOut.model_validate(flight)


@router.post("", status_code=201)
@requires(Scope.FLIGHTS_WRITE)
async def announce(
    body: FlightIn, response: Response, session: SessionDep, caller: CallerDep
) -> FlightAnnounced:
    """Announce a flight, a charter, or a crossing of a land border with which returnees arrive.

    Where it seems to be announced already, by whomever, the answer says under which id.
    """
    plan = service.FlightPlan(**body.model_dump(exclude={"id"}))
    flight = await service.announce(session, caller, plan, flight_id=body.id)
    others = await service.also_announced(session, caller, flight)
    return FlightAnnounced(**_out(response, flight).model_dump(), also_announced=others)


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
    rows = await service.list_flights(
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
    lines = [{column.name: getattr(flight, column.name) for column in LISTED} for flight in flights]
    if form is Form.CSV:
        return as_csv(LISTED, [list(line.values()) for line in lines])
    for line, flight in zip(lines, flights, strict=True):
        zone = ports.zone(flight.port_of_entry)
        for name in ("scheduled_at", "landed_at"):
            at = line[name]
            line[name] = at.astimezone(zone).strftime("%d %b %Y %H:%M") if at else None
        line["charter"] = "charter" if flight.charter else None
    about = "Times in the time zone of the port."
    return as_page(
        "Flights",
        about,
        LISTED,
        [list(line.values()) for line in lines],
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
    return _out(response, await service.load_flight(session, caller, flight_id))


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
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    flight = await service.change(session, caller, flight_id, changes, precondition)
    return _out(response, flight)


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
    Scope.FLIGHTS_WRITE,
    if_match=True,
    media_types=(JSON, CSV, XLSX),
    max_body=TABLE_BYTES,
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
    all_off: Annotated[
        bool,
        Query(description="That nobody is on the flight any more; without it, nobody is refused."),
    ] = False,
) -> ManifestTaken:
    """Say who is on the flight, as JSON or a table; sent again, it replaces what was said before.

    The whole file is judged first: a 422 lists every problem, with row and column, and nothing is
    applied. What was done with somebody stays, also when they are not in the file any more.
    """
    body = await request.body()
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() in {CSV, XLSX}:
        charset = charset_of(content_type)
        passengers = await asyncio.to_thread(manifest.from_table, body, charset)
    else:
        passengers = manifest.from_json(body)
    flight, taken = await take_manifest(
        session,
        caller,
        flight_id,
        passengers,
        precondition=precondition,
        marks=marks,
        keyring=keyring,
        all_off=all_off,
    )
    set_etag(response, flight.version)
    return taken


@router.get("/manifest/template.csv", response_class=Response, responses=file_in(CSV))
@requires(Scope.FLIGHTS_WRITE)
async def download_csv_template() -> Response:
    """The columns of a manifest, to fill in."""
    return download(csv_template(manifest.COLUMNS), CSV, "manifest.csv")


@router.get("/manifest/template.xlsx", response_class=Response, responses=file_in(XLSX))
@requires(Scope.FLIGHTS_WRITE)
async def download_xlsx_template() -> Response:
    """A workbook to fill in: the columns of a manifest, what stands in each, and lists of the codes
    that may.
    """
    return download(xlsx_template(manifest.COLUMNS, "manifest"), XLSX, "manifest.xlsx")


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
    flight, rows = await load_manifest(session, caller, flight_id)
    record_disclosure(
        session, caller, flight, len(rows), form=form, recipient=recipient, purpose=purpose
    )
    passengers = [
        _render_passenger(passenger, arrival if own else None, keyring)
        for passenger, arrival, own in rows
    ]
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


def _cell(passenger: PassengerOut | AuthorityPassenger, name: str, form: Form) -> Any:
    """What a list says of a passenger. A page shows of a birth what is known, as it can be read
    back.
    """
    value = getattr(passenger, name)
    if form is Form.PAGE and name == "birth_date" and value is not None:
        known = {BirthPrecision.YEAR: "%Y", BirthPrecision.MONTH: "%Y-%m"}
        return value.strftime(
            known.get(passenger.birth_precision or BirthPrecision.DAY, "%Y-%m-%d")
        )
    return value


def _render_passenger(
    passenger: Passenger, arrival: Arrival | None, keyring: Keyring
) -> PassengerOut:
    """Render a line of a manifest; of an arrival that is not for the reader nothing is told."""
    details = details_of(passenger, keyring).model_dump(exclude={"external_reference", "person"})
    return PassengerOut(
        id=passenger.id,
        arrival_id=arrival.id if arrival else None,
        returnee_id=arrival.returnee_id if arrival else None,
        state=arrival.state if arrival else None,
        seat=passenger.seat,
        family_group=passenger.family_group,
        nationality=passenger.nationality,
        **details,
    )


def _title(flight: Flight) -> str:
    number = flight.flight_number or ("Charter" if flight.charter else "Flight")
    return f"{number} {flight.origin} - {flight.port_of_entry}"


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
    rows = [[_cell(passenger, name, form) for name in names] for passenger in passengers]
    if form is Form.CSV:
        return as_csv(columns, rows)
    zone = ports.zone(flight.port_of_entry)
    lands = flight.scheduled_at.astimezone(zone)
    about = (
        f"Lands {lands:%a %d %b %Y %H:%M} local time. "
        f"Version {flight.manifest_version} of the manifest."
    )
    title, at = _title(flight), datetime.now(UTC).astimezone(zone)
    if given is None:
        return as_page(title, about, columns, rows, at=at, ticks=True)
    recipient, purpose = given
    warning = (
        f"For {recipient}, for {purpose.value.replace('_', ' ')} only; to be destroyed afterwards."
    )
    return as_page(title, about, columns, rows, at=at, ticks=False, warning=warning)
