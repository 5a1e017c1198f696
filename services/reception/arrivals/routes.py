"""`/v1/arrivals`: what is done at the desk, and by the office that confirms afterwards."""

from typing import cast
from uuid import UUID

from fastapi import Request, Response

from chassis.app import Homeward
from chassis.concurrency import set_etag
from chassis.limits import FILE_BYTES
from chassis.routing import CallerDep, CaughtUpDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from services.reception.arrivals import commands, meeting, outcomes, sync
from services.reception.arrivals.answers import (
    ArrivalOut,
    ArrivalsOut,
    AssistanceOut,
    HandoverOut,
    ProfileOut,
    TransportOut,
)
from services.reception.arrivals.batch import ArrivalBatch
from services.reception.arrivals.board_routes import UNKNOWN
from services.reception.arrivals.bodies import (
    ArrivalPatch,
    AssistanceIn,
    BindIn,
    CheckIn,
    ConfirmIn,
    FamilyCheckIn,
    HandoverIn,
    Happened,
    ProfileIn,
    RedirectIn,
    TransportIn,
    WalkIn,
)
from services.reception.arrivals.rendering import (
    render_arrival,
    render_assistance,
    render_handover,
    render_profile,
    render_transport,
)
from services.reception.arrivals.sync_schemas import SyncIn, SyncOut
from services.reception.context import ReceptionContextDep
from services.reception.states import ArrivalAction

router = Router(prefix="/v1/arrivals", tags=["arrivals"])


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
    arrival, _ = await commands.walk_in(batch, body.id, body)
    return render_arrival(response, arrival, caller)


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
    arrival = await meeting.correct(
        await ArrivalBatch.on(session, caller, context, [arrival_id]),
        arrival_id,
        met_at=body.met_at,
        port=body.port_of_entry,
        identity_doubtful=body.identity_doubtful,
        precondition=precondition,
    )
    return render_arrival(response, arrival, caller)


@router.post("/check-in", responses=UNKNOWN)
@requires(Scope.ARRIVALS_WRITE)
async def check_in_family(
    body: FamilyCheckIn, session: SessionDep, caller: CallerDep, context: ReceptionContextDep
) -> ArrivalsOut:
    """Check in several persons at once: all of them, or none.

    A 409 names, for each one that stands in the way, its state, since when, and who brought it
    there.
    """
    arrivals = await meeting.check_in(
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
    batch = await ArrivalBatch.on(session, caller, context, [arrival_id])
    return render_arrival(response, await commands.check_in(batch, arrival_id, body), caller)


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
    batch = await ArrivalBatch.on(session, caller, context, [arrival_id])
    arrival = await commands.bind(batch, arrival_id, body, caught_up=caught_up)
    return render_arrival(response, arrival, caller)


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
    arrival, taken = await commands.profile(batch, arrival_id, body)
    set_etag(response, arrival.version)
    return render_profile(taken, None)


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
    arrival, given = await commands.assist(batch, arrival_id, body)
    set_etag(response, arrival.version)
    return render_assistance(given)


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
    arrival, arranged = await commands.arrange_transport(batch, arrival_id, body)
    set_etag(response, arrival.version)
    return render_transport(arranged)


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
    arrival, handover = await commands.hand_over(batch, arrival_id, body)
    set_etag(response, arrival.version)
    return render_handover(handover, context, why=True, signature=False)


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
    return render_arrival(
        response, await outcomes.hold(batch, arrival_id, body.occurred_at), caller
    )


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
    arrival = await commands.redirect(
        await ArrivalBatch.on(session, caller, context, [arrival_id]), arrival_id, body
    )
    return render_arrival(response, arrival, caller)


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
    arrival = await outcomes.end(batch, arrival_id, ArrivalAction.COMPLETE, body.occurred_at)
    return render_arrival(response, arrival, caller)


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
    arrival = await outcomes.end(batch, arrival_id, ArrivalAction.NO_SHOW, body.occurred_at)
    return render_arrival(response, arrival, caller)


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
    arrival = await outcomes.end(batch, arrival_id, ArrivalAction.NOT_DEPARTED, body.occurred_at)
    return render_arrival(response, arrival, caller)


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
    arrival = await outcomes.end(batch, arrival_id, ArrivalAction.DECLINE, body.occurred_at)
    return render_arrival(response, arrival, caller)


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
    arrival = await outcomes.confirm(
        batch, arrival_id, arrived_on=body.arrived_on, method=body.method, evidence=body.evidence
    )
    return render_arrival(response, arrival, caller)


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
    return render_arrival(
        response, await outcomes.reopen(batch, arrival_id, body.occurred_at), caller
    )
