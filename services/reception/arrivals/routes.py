"""`/v1/arrivals`: the board, the desk, and the office that confirms afterwards."""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from chassis import audit, beneficiaries
from chassis.concurrency import set_etag
from chassis.crypto import Keyring
from chassis.pagination import Cursor, Limit, Page
from chassis.routing import CallerDep, CaughtUpDep, Router, SessionDep, requires
from contracts.codes import ArrivalState, Money, PortCode
from contracts.scopes import Scope
from services.reception import identities
from services.reception.arrivals import service
from services.reception.arrivals.rules import Action
from services.reception.arrivals.schemas import (
    ArrivalDetail,
    ArrivalOut,
    ArrivalsOut,
    AssistanceIn,
    AssistanceOut,
    BoardEntry,
    CheckIn,
    Claimed,
    ConfirmationOut,
    ConfirmIn,
    Day,
    Destination,
    Evidence,
    FamilyCheckIn,
    Happened,
    ProfileIn,
    ProfileOut,
    TransportIn,
    TransportOut,
)
from services.reception.models import Arrival, Assistance, OnwardTransport
from services.reception.ports import PortsDep

router = Router(prefix="/v1/arrivals", tags=["arrivals"])

UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "Somebody named is not known, or not for you"}}


def _keyring(request: Request) -> Keyring:
    keyring: Keyring = request.app.state.homeward.keyring
    return keyring


KeyringDep = Annotated[Keyring, Depends(_keyring)]


def _audit_reading(session: SessionDep, caller: CallerDep, resource_id: object, of: Sequence[UUID]) -> None:
    if of:
        audit.record(session, caller, "read-identity", "arrivals", resource_id, {"returnees": [str(who) for who in of]})


@router.get("", responses=UNKNOWN)
@requires(Scope.ARRIVALS_READ)
async def read_board(
    request: Request,
    response: Response,
    session: SessionDep,
    caller: CallerDep,
    caught_up: CaughtUpDep,
    ports: PortsDep,
    keyring: KeyringDep,
    port: PortCode | None = None,
    day: Annotated[Day | None, Query(alias="date", description="A day in the time zone of the port.")] = None,
    state: ArrivalState | None = None,
    returnee_id: UUID | None = None,
    updated_since: Claimed | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Page[BoardEntry]:
    """The arrivals board: who is expected, in the order in which they are expected, and who has arrived.

    Names come from the desk's own copies, so they are there while cases is down; reading them is audited.
    """
    rows = await service.board(
        session,
        caller,
        ports=ports,
        port=port,
        day=day,
        state=state,
        returnee_id=returnee_id,
        updated_since=updated_since,
        after=after,
        limit=limit,
    )
    if returnee_id is not None and not rows.items:
        await beneficiaries.require(session, returnee_id, caller, caught_up=caught_up)
    known = await identities.read(session, [arrival.returnee_id for arrival in rows.items], keyring)
    _audit_reading(session, caller, port or "all", sorted(known))
    if rows.next is not None:
        following = urlencode(dict(request.query_params) | {"after": rows.next})
        response.headers["Link"] = f'<?{following}>; rel="next"'
    items = [
        BoardEntry.model_validate(arrival).model_copy(update={"identity": known.get(arrival.returnee_id)})
        for arrival in rows.items
    ]
    return Page(items=items, next=rows.next)


@router.get("/{arrival_id}")
@requires(Scope.ARRIVALS_READ)
async def read_arrival(
    arrival_id: UUID, response: Response, session: SessionDep, caller: CallerDep, keyring: KeyringDep
) -> ArrivalDetail:
    """An arrival with who it is and all that was done; reading it is audited."""
    arrival = await service.get(session, caller, arrival_id)
    profile, assistance, transport = await service.steps(session, arrival_id)
    known = await identities.read(session, [arrival.returnee_id], keyring)
    _audit_reading(session, caller, arrival_id, [arrival.returnee_id])
    set_etag(response, arrival.version)
    return ArrivalDetail.model_validate(arrival).model_copy(
        update={
            "identity": known.get(arrival.returnee_id),
            "profile": ProfileOut.model_validate(profile) if profile else None,
            "assistance": [_assistance_out(row) for row in assistance],
            "onward_transport": [_transport_out(row) for row in transport],
            "confirmation": _confirmation_out(arrival),
        }
    )


@router.post("/check-in", responses=UNKNOWN)
@requires(Scope.ARRIVALS_WRITE)
async def check_in_family(body: FamilyCheckIn, session: SessionDep, caller: CallerDep, ports: PortsDep) -> ArrivalsOut:
    """Check in several persons at once: all of them, or none.

    A 409 names, for each one that stands in the way, its state, since when, and who brought it there.
    """
    arrivals = await service.check_in(
        session, caller, body.arrivals, occurred_at=body.occurred_at, port=body.port_of_entry, ports=ports
    )
    return ArrivalsOut(items=[ArrivalOut.model_validate(arrival) for arrival in arrivals])


@router.post("/{arrival_id}/check-in")
@requires(Scope.ARRIVALS_WRITE)
async def check_in(
    arrival_id: UUID, response: Response, session: SessionDep, caller: CallerDep, ports: PortsDep, body: CheckIn
) -> ArrivalOut:
    """Check in one person. Of two desks one wins; the other is told, with the 409, since when and by whom."""
    arrivals = await service.check_in(
        session, caller, [arrival_id], occurred_at=body.occurred_at, port=body.port_of_entry, ports=ports
    )
    return _out(response, arrivals[0])


@router.post("/{arrival_id}/profile")
@requires(Scope.ARRIVALS_WRITE)
async def profile(
    arrival_id: UUID, body: ProfileIn, response: Response, session: SessionDep, caller: CallerDep
) -> ProfileOut:
    """Take down needs and skills; taken again, they replace what was taken before."""
    arrival, taken = await service.profile(
        session,
        caller,
        arrival_id,
        occurred_at=body.occurred_at,
        household=body.household.model_dump(),
        skills=body.skills,
        reasons_for_return=body.reasons_for_return,
        immediate_needs=body.immediate_needs,
        needs_priority=body.needs_priority,
    )
    set_etag(response, arrival.version)
    return ProfileOut.model_validate(taken)


@router.post("/{arrival_id}/assistance", status_code=201)
@requires(Scope.ARRIVALS_WRITE)
async def assist(
    arrival_id: UUID, body: AssistanceIn, response: Response, session: SessionDep, caller: CallerDep
) -> AssistanceOut:
    """Note something that was given at the desk."""
    arrival, given = await service.assist(
        session,
        caller,
        arrival_id,
        id=body.id,
        occurred_at=body.occurred_at,
        kind=body.kind,
        amount=body.amount,
    )
    set_etag(response, arrival.version)
    return _assistance_out(given)


@router.post("/{arrival_id}/onward-transport", status_code=201)
@requires(Scope.ARRIVALS_WRITE)
async def arrange_transport(
    arrival_id: UUID, body: TransportIn, response: Response, session: SessionDep, caller: CallerDep
) -> TransportOut:
    """Note how somebody travels on from the port of entry."""
    arrival, arranged = await service.arrange_transport(
        session,
        caller,
        arrival_id,
        id=body.id,
        occurred_at=body.occurred_at,
        mode=body.mode,
        governorate=body.destination.governorate,
        district=body.destination.district,
        departs_at=body.departs_at,
        cost=body.cost,
    )
    set_etag(response, arrival.version)
    return _transport_out(arranged)


@router.post("/{arrival_id}/complete")
@requires(Scope.ARRIVALS_WRITE)
async def complete(
    arrival_id: UUID, response: Response, session: SessionDep, caller: CallerDep, body: Happened
) -> ArrivalOut:
    """Everything to be done at the port of entry is done."""
    return _out(response, await service.end(session, caller, arrival_id, Action.COMPLETE, body.occurred_at))


@router.post("/{arrival_id}/no-show")
@requires(Scope.ARRIVALS_WRITE)
async def no_show(
    arrival_id: UUID, response: Response, session: SessionDep, caller: CallerDep, body: Happened
) -> ArrivalOut:
    """The person was not on the flight, or was not found."""
    return _out(response, await service.end(session, caller, arrival_id, Action.NO_SHOW, body.occurred_at))


@router.post("/{arrival_id}/not-departed")
@requires(Scope.ARRIVALS_WRITE)
async def not_departed(
    arrival_id: UUID, response: Response, session: SessionDep, caller: CallerDep, body: Happened
) -> ArrivalOut:
    """The person did not depart, and will not arrive."""
    return _out(response, await service.end(session, caller, arrival_id, Action.NOT_DEPARTED, body.occurred_at))


@router.post("/{arrival_id}/decline")
@requires(Scope.ARRIVALS_WRITE)
async def decline(
    arrival_id: UUID, response: Response, session: SessionDep, caller: CallerDep, body: Happened
) -> ArrivalOut:
    """The person arrived and wants no reception assistance."""
    return _out(response, await service.end(session, caller, arrival_id, Action.DECLINE, body.occurred_at))


@router.post("/{arrival_id}/confirm")
@requires(Scope.ARRIVALS_WRITE)
async def confirm(
    arrival_id: UUID, body: ConfirmIn, response: Response, session: SessionDep, caller: CallerDep
) -> ArrivalOut:
    """The office confirms that somebody arrived who walked past the desk; again corrects it."""
    arrival = await service.confirm(
        session, caller, arrival_id, arrived_on=body.arrived_on, method=body.method, evidence=body.evidence
    )
    return _out(response, arrival)


@router.post("/{arrival_id}/reopen")
@requires(Scope.ARRIVALS_WRITE)
async def reopen(
    arrival_id: UUID, response: Response, session: SessionDep, caller: CallerDep, body: Happened
) -> ArrivalOut:
    """Lead an arrival that had ended back to where it was before, after a mistake; audited."""
    return _out(response, await service.reopen(session, caller, arrival_id, body.occurred_at))


def _out(response: Response, arrival: Arrival) -> ArrivalOut:
    set_etag(response, arrival.version)
    return ArrivalOut.model_validate(arrival)


def _assistance_out(row: Assistance) -> AssistanceOut:
    return AssistanceOut(
        id=row.id,
        arrival_id=row.arrival_id,
        kind=row.kind,
        amount=Money(amount=row.amount, currency=row.currency) if row.amount is not None and row.currency else None,
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
        cost=Money(amount=row.cost, currency=row.currency) if row.cost is not None and row.currency else None,
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
