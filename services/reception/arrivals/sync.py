"""What a device did without a connection: each entry of its log is applied by itself, once, in any order."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from chassis.app import field_error
from chassis.auth import Caller
from chassis.db import LOCK_NOT_AVAILABLE, Database, Session, is_conflict, now, sqlstate
from chassis.errors import BUSY, CONFLICT, Problem, invalid
from chassis.routing import Body
from contracts.scopes import Scope
from services.reception.arrivals import service
from services.reception.arrivals.rules import CLOCK_TOLERANCE, Action
from services.reception.arrivals.schemas import (
    AssistanceIn,
    BindIn,
    CheckIn,
    HandoverIn,
    Happened,
    MutationIn,
    MutationKind,
    Outcome,
    ProfileIn,
    RedirectIn,
    SyncIn,
    SyncOut,
    SyncResult,
    TransportIn,
    WalkIn,
)
from services.reception.house import House
from services.reception.models import Arrival, Assistance, Handover, Mutation, OnwardTransport, Profile

LANES = 6
"""Arrivals that a process works on at once, of all logs together; the entries of one arrival follow one another."""
INVALID = frozenset({403, 422})

Apply = Callable[..., Awaitable[Any]]


async def walk_in(
    session: Session, caller: Caller, house: House, arrival_id: UUID | None, body: WalkIn, *, clock_doubtful: bool
) -> tuple[Arrival, bool]:
    """See `service.walk_in`."""
    return await service.walk_in(
        session,
        caller,
        house,
        id=arrival_id,
        flight_id=body.flight_id,
        port=body.port_of_entry,
        programme=body.programme,
        return_kind=body.return_kind,
        copy=body.particulars.copy_of(),
        identity_doubtful=body.identity_doubtful,
        occurred_at=body.occurred_at,
        clock_doubtful=clock_doubtful,
    )


async def profile(
    session: Session, caller: Caller, house: House, arrival_id: UUID, body: ProfileIn, *, clock_doubtful: bool
) -> tuple[Arrival, Profile]:
    """See `service.profile`."""
    return await service.profile(
        session,
        caller,
        house,
        arrival_id,
        occurred_at=body.occurred_at,
        household=body.household.model_dump(),
        skills=body.skills,
        reasons_for_return=body.reasons_for_return,
        immediate_needs=body.immediate_needs,
        needs_priority=body.needs_priority,
        restricted=body.restricted,
        clock_doubtful=clock_doubtful,
    )


async def assist(
    session: Session, caller: Caller, house: House, arrival_id: UUID, body: AssistanceIn, *, clock_doubtful: bool
) -> tuple[Arrival, Assistance]:
    """See `service.assist`."""
    return await service.assist(
        session,
        caller,
        house,
        arrival_id,
        id=body.id,
        occurred_at=body.occurred_at,
        kind=body.kind,
        amount=body.amount,
        clock_doubtful=clock_doubtful,
    )


async def arrange_transport(
    session: Session, caller: Caller, _: House, arrival_id: UUID, body: TransportIn, *, clock_doubtful: bool
) -> tuple[Arrival, OnwardTransport]:
    """See `service.arrange_transport`."""
    return await service.arrange_transport(
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
        clock_doubtful=clock_doubtful,
    )


async def hand_over(
    session: Session, caller: Caller, house: House, arrival_id: UUID, body: HandoverIn, *, clock_doubtful: bool
) -> tuple[Arrival, Handover]:
    """See `service.hand_over`."""
    return await service.hand_over(
        session,
        caller,
        house,
        arrival_id,
        id=body.id,
        to=body.model_dump(mode="json", exclude={"id", "occurred_at"}),
        occurred_at=body.occurred_at,
        clock_doubtful=clock_doubtful,
    )


async def _check_in(
    session: Session, caller: Caller, house: House, arrival_id: UUID, body: CheckIn, *, clock_doubtful: bool
) -> None:
    await service.check_in(
        session,
        caller,
        house,
        [arrival_id],
        occurred_at=body.occurred_at,
        port=body.port_of_entry,
        identity_doubtful=body.identity_doubtful,
        clock_doubtful=clock_doubtful,
    )


async def _bind(
    session: Session, caller: Caller, house: House, arrival_id: UUID, body: BindIn, *, clock_doubtful: bool
) -> None:
    del clock_doubtful  # a binding has no time of its own
    copy = body.particulars.copy_of() if body.particulars else None
    await service.bind(session, caller, house, arrival_id, returnee_id=body.returnee_id, copy=copy)


async def _hold(
    session: Session, caller: Caller, _: House, arrival_id: UUID, body: Happened, *, clock_doubtful: bool
) -> None:
    caller.require(Scope.ARRIVALS_RESTRICTED)
    await service.hold(session, caller, arrival_id, body.occurred_at, clock_doubtful=clock_doubtful)


async def _redirect(
    session: Session, caller: Caller, _: House, arrival_id: UUID, body: RedirectIn, *, clock_doubtful: bool
) -> None:
    await service.redirect(
        session,
        caller,
        arrival_id,
        port=body.port_of_entry,
        expected_at=body.expected_at,
        occurred_at=body.occurred_at,
        clock_doubtful=clock_doubtful,
    )


async def _reopen(
    session: Session, caller: Caller, _: House, arrival_id: UUID, body: Happened, *, clock_doubtful: bool
) -> None:
    await service.reopen(session, caller, arrival_id, body.occurred_at, clock_doubtful=clock_doubtful)


def _end(action: Action) -> Apply:
    async def apply(
        session: Session, caller: Caller, house: House, arrival_id: UUID, body: Happened, *, clock_doubtful: bool
    ) -> None:
        await service.end(session, caller, house, arrival_id, action, body.occurred_at, clock_doubtful=clock_doubtful)

    return apply


KINDS: Mapping[MutationKind, tuple[type[Body], Apply]] = {
    MutationKind.WALK_IN: (WalkIn, walk_in),
    MutationKind.BIND: (BindIn, _bind),
    MutationKind.CHECK_IN: (CheckIn, _check_in),
    MutationKind.HOLD: (Happened, _hold),
    MutationKind.PROFILE: (ProfileIn, profile),
    MutationKind.ASSISTANCE: (AssistanceIn, assist),
    MutationKind.ONWARD_TRANSPORT: (TransportIn, arrange_transport),
    MutationKind.HANDOVER: (HandoverIn, hand_over),
    MutationKind.REDIRECT: (RedirectIn, _redirect),
    MutationKind.COMPLETE: (Happened, _end(Action.COMPLETE)),
    MutationKind.NO_SHOW: (Happened, _end(Action.NO_SHOW)),
    MutationKind.NOT_DEPARTED: (Happened, _end(Action.NOT_DEPARTED)),
    MutationKind.DECLINE: (Happened, _end(Action.DECLINE)),
    MutationKind.REOPEN: (Happened, _reopen),
}
"""What each kind of entry holds, and what is done; in the order in which things of one moment happen."""
RANK = {kind: place for place, kind in enumerate(KINDS)}
GIVES_ITS_ID = frozenset({MutationKind.ASSISTANCE, MutationKind.ONWARD_TRANSPORT, MutationKind.HANDOVER})
"""Kinds whose entry's id becomes the id of what is recorded."""


@dataclass(frozen=True)
class _Log:
    caller: Caller
    house: House
    device: UUID
    ahead: int
    doubtful: bool


async def synchronise(
    database: Database, lanes: asyncio.Semaphore, caller: Caller, house: House, body: SyncIn
) -> SyncOut:
    """Apply a device's log.

    The entries of one arrival are tried in the order of the device's clock, and again as long as one of them made
    another possible; those of different arrivals do not wait for one another.

    Args:
        database: Each entry is a transaction.
        lanes: How many arrivals this process works on at once, so that other requests find a connection too.
        caller: Whose device.
        house: Keys, ports and programmes.
        body: The log.

    Returns:
        An answer for each entry, in the order in which they were sent.
    """
    async with database.transaction() as session:
        received_at: datetime = (await session.execute(select(now()))).scalar_one()
    ahead = body.sent_at - received_at
    log = _Log(caller, house, body.device, round(ahead.total_seconds()), abs(ahead) > CLOCK_TOLERANCE)
    by_arrival: dict[UUID, list[tuple[int, MutationIn]]] = {}
    for place, mutation in enumerate(body.mutations):
        by_arrival.setdefault(mutation.arrival_id, []).append((place, mutation))
    results: dict[int, SyncResult] = {}

    async def work(entries: Sequence[tuple[int, MutationIn]]) -> None:
        async with lanes:
            results.update(await _of_one_arrival(database, log, entries))

    async with asyncio.TaskGroup() as group:
        for entries in by_arrival.values():
            group.create_task(work(entries))
    return SyncOut(
        received_at=received_at,
        clock_ahead_seconds=log.ahead,
        clock_doubtful=log.doubtful,
        items=[results[place] for place in range(len(body.mutations))],
    )


async def _of_one_arrival(
    database: Database, log: _Log, entries: Sequence[tuple[int, MutationIn]]
) -> dict[int, SyncResult]:
    waiting = sorted(entries, key=lambda entry: (entry[1].occurred_at, RANK[entry[1].kind], entry[0]))
    results: dict[int, SyncResult] = {}
    progress = True
    while waiting and progress:
        progress, later = False, []
        for place, mutation in waiting:
            results[place] = result = await _one(database, log, mutation)
            if result.outcome is Outcome.CONFLICT:
                later.append((place, mutation))
            progress = progress or result.outcome is Outcome.APPLIED
        waiting = later
    return results


async def _one(database: Database, log: _Log, mutation: MutationIn) -> SyncResult:
    try:
        body = _body_of(mutation)
        applied = await database.run(lambda session: _apply(session, log, mutation, body))
    except Problem as problem:
        outcome = Outcome.INVALID if problem.kind.status in INVALID else Outcome.CONFLICT
        return SyncResult(id=mutation.id, arrival_id=mutation.arrival_id, outcome=outcome, problem=problem.document())
    except DBAPIError as error:
        if not is_conflict(error) and sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        return SyncResult(
            id=mutation.id, arrival_id=mutation.arrival_id, outcome=Outcome.CONFLICT, problem=Problem(BUSY).document()
        )
    return SyncResult(
        id=mutation.id, arrival_id=mutation.arrival_id, outcome=Outcome.APPLIED if applied else Outcome.ALREADY_APPLIED
    )


def _body_of(mutation: MutationIn) -> Body:
    model, _ = KINDS[mutation.kind]
    data = dict(mutation.data)
    if "occurred_at" in model.model_fields:
        data["occurred_at"] = mutation.occurred_at
    if mutation.kind in GIVES_ITS_ID:
        data["id"] = mutation.id
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise invalid(*(field_error(dict(item, loc=("body", "data", *item["loc"]))) for item in found)) from None


async def _apply(session: Session, log: _Log, mutation: MutationIn, body: Body) -> bool:
    """Apply an entry in its own transaction; False if it was applied before."""
    sent = json.dumps(mutation.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    row = {
        "organisation": log.caller.organisation,
        "id": mutation.id,
        "device": log.device,
        "kind": mutation.kind,
        "arrival_id": mutation.arrival_id,
        "digest": log.house.marks.of("mutation", sent),
        "occurred_at": mutation.occurred_at,
        "ahead_seconds": log.ahead,
    }
    new = await session.scalar(insert(Mutation).values(row).on_conflict_do_nothing().returning(Mutation.id))
    if new is None:
        there = await session.get_one(Mutation, (log.caller.organisation, mutation.id))
        if there.digest != row["digest"]:
            raise Problem(CONFLICT, "the id was used for something else")
        return False
    _, apply = KINDS[mutation.kind]
    done = await apply(session, log.caller, log.house, mutation.arrival_id, body, clock_doubtful=log.doubtful)
    return not (mutation.kind is MutationKind.WALK_IN and done[1] is False)
