"""What a device did without a connection: each entry of its log is applied once, in any order."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, delete, select

from chassis.app import field_error
from chassis.auth import Caller
from chassis.db import LOCK_NOT_AVAILABLE, Database, Session, is_conflict, is_outage, now, sqlstate
from chassis.errors import BUSY, CONFLICT, INTERNAL, FieldError, Problem, invalid
from chassis.routing import Body
from services.reception.arrivals import commands
from services.reception.arrivals.batch import ArrivalBatch, StepModel
from services.reception.arrivals.bodies import (
    AssistanceIn,
    BindIn,
    CheckIn,
    HandoverIn,
    Happened,
    ProfileIn,
    RedirectIn,
    TransportIn,
    WalkIn,
)
from services.reception.arrivals.rules import CLOCK_TOLERANCE
from services.reception.arrivals.sync_schemas import (
    MutationIn,
    MutationKind,
    Outcome,
    SyncIn,
    SyncOut,
    SyncResult,
    UnreadableMutation,
)
from services.reception.context import ReceptionContext
from services.reception.fields import Claimed
from services.reception.models import (
    Assistance,
    Handover,
    Mutation,
    OnwardTransport,
)
from services.reception.states import ArrivalAction

INVALID = frozenset({403, 422})

FALLEN = timedelta(days=1)
"""A clock that is so wrong is not slow, and in no other time zone: it ran empty and began anew."""

MOST_SECONDS = 2**31 - 1
"""What the column holds."""

OCCURRED: TypeAdapter[datetime] = TypeAdapter(Claimed)

ROUNDS = 8
"""How often entries are tried that another entry may have made possible. What is left then is told
as a conflict.
"""

BREATH = 50
"""Entries after which other requests of this process have their turn."""

CLAIM = text("""
    INSERT INTO device_mutation
        (organisation, id, device, kind, arrival_id, digest, occurred_at, ahead_seconds)
    SELECT CAST(:organisation AS text), m.id, CAST(:device AS uuid), m.kind, m.arrival_id,
           m.digest, m.occurred_at, CAST(:ahead_seconds AS integer)
    FROM unnest(
        CAST(:id AS uuid[]), CAST(:kind AS text[]), CAST(:arrival_id AS uuid[]),
        CAST(:digest AS bytea[]), CAST(:occurred_at AS timestamptz[])
    ) AS m (id, kind, arrival_id, digest, occurred_at)
    ORDER BY m.id
    ON CONFLICT DO NOTHING
    RETURNING id
""")

log = structlog.get_logger("homeward.reception")

KINDS: Mapping[MutationKind, tuple[type[Body], commands.Apply]] = {
    MutationKind.WALK_IN: (WalkIn, commands.walk_in),
    MutationKind.BIND: (BindIn, commands.bind),
    MutationKind.CHECK_IN: (CheckIn, commands.check_in),
    MutationKind.HOLD: (Happened, commands.hold),
    MutationKind.PROFILE: (ProfileIn, commands.profile),
    MutationKind.ASSISTANCE: (AssistanceIn, commands.assist),
    MutationKind.ONWARD_TRANSPORT: (TransportIn, commands.arrange_transport),
    MutationKind.HANDOVER: (HandoverIn, commands.hand_over),
    MutationKind.REDIRECT: (RedirectIn, commands.redirect),
    MutationKind.COMPLETE: (Happened, commands.end(ArrivalAction.COMPLETE)),
    MutationKind.NO_SHOW: (Happened, commands.end(ArrivalAction.NO_SHOW)),
    MutationKind.NOT_DEPARTED: (Happened, commands.end(ArrivalAction.NOT_DEPARTED)),
    MutationKind.DECLINE: (Happened, commands.end(ArrivalAction.DECLINE)),
    MutationKind.REOPEN: (Happened, commands.reopen),
}
"""What each kind of entry holds, and what is done; in the order in which things of one moment
happen.
"""

RANK = {kind: index for index, kind in enumerate(KINDS)}

STEPS: Mapping[MutationKind, StepModel] = {
    MutationKind.ASSISTANCE: Assistance,
    MutationKind.ONWARD_TRANSPORT: OnwardTransport,
    MutationKind.HANDOVER: Handover,
}
"""Kinds whose entry's id becomes the id of what is recorded."""


@dataclass(frozen=True)
class _Log:
    caller: Caller
    context: ReceptionContext
    device: UUID
    sent_at: datetime
    received_at: datetime

    @property
    def ahead(self) -> timedelta:
        return self.sent_at - self.received_at

    @property
    def ahead_seconds(self) -> int:
        return max(-MOST_SECONDS, min(MOST_SECONDS, round(self.ahead.total_seconds())))

    @property
    def doubtful(self) -> bool:
        return abs(self.ahead) > CLOCK_TOLERANCE

    @property
    def fallen(self) -> bool:
        """Whether the device's clock is no clock any more: it ran empty, and began anew."""
        return abs(self.ahead) > FALLEN

    def corrected(self, claimed: datetime) -> datetime:
        """When something was, by our clock.

        What was noted before the clock fell is told by a clock that was right then: it lies after
        the time at which a clock that is behind sends, or before ours where it is ahead.
        """
        if not self.fallen:
            return claimed
        since = (
            claimed <= self.sent_at + CLOCK_TOLERANCE
            if self.ahead < timedelta(0)
            else claimed > self.received_at + CLOCK_TOLERANCE
        )
        try:
            return claimed - self.ahead if since else claimed
        except OverflowError:
            return claimed


@dataclass(frozen=True)
class _Entry:
    index: int
    mutation: MutationIn
    """At the time that is taken for right."""
    digest: bytes
    claimed_at: datetime


async def synchronise(
    database: Database, caller: Caller, context: ReceptionContext, body: SyncIn
) -> SyncOut:
    """Apply a device's log.

    All of it is one transaction, in which an entry that is refused changes nothing. The entries are
    tried in the order of the device's clock, and again as long as one of them made another
    possible.

    Args:
        database: Where to.
        caller: Whose device.
        context: Keys, ports and programmes.
        body: The log.

    Returns:
        An answer for each entry, in the order in which they were sent.
    """
    async with database.transaction() as session:
        received_at: datetime = (await session.execute(select(now()))).scalar_one()
    device_log = _Log(caller, context, body.device, body.sent_at, received_at)
    answers: dict[int, SyncResult] = {}
    entries = []
    for index, mutation in enumerate(body.mutations):
        try:
            entries.append(_entry(device_log, index, mutation))
        except Problem as problem:
            answers[index] = _refused(mutation, problem)
    first: dict[UUID, _Entry] = {}
    for entry in entries:
        first.setdefault(entry.mutation.id, entry)
    in_time = sorted(
        first.values(), key=lambda e: (e.mutation.occurred_at, RANK[e.mutation.kind], e.index)
    )
    results = await _settle(database, device_log, in_time)
    answers |= {entry.index: _answer(entry, first[entry.mutation.id], results) for entry in entries}
    return SyncOut(
        received_at=received_at,
        clock_ahead_seconds=device_log.ahead_seconds,
        clock_doubtful=device_log.doubtful,
        items=[answers[index] for index in range(len(body.mutations))],
    )


def _entry(device_log: _Log, index: int, mutation: MutationIn | UnreadableMutation) -> _Entry:
    """An entry at the time that is taken for right.

    Raises:
        Problem: 422, it cannot be read.
    """
    if isinstance(mutation, UnreadableMutation):
        raise invalid(*mutation.errors)
    digest, claimed = _digest(device_log.context, mutation), mutation.occurred_at
    corrected = mutation.model_copy(update={"occurred_at": device_log.corrected(claimed)})
    return _Entry(index, corrected, digest, claimed)


def _digest(context: ReceptionContext, mutation: MutationIn) -> bytes:
    return context.marks.of(
        "mutation", json.dumps(mutation.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    )


def _answer(entry: _Entry, first: _Entry, results: Mapping[UUID, SyncResult]) -> SyncResult:
    """The answer for an entry, which may be in the log before."""
    result = results[entry.mutation.id]
    if entry is first:
        return result
    if entry.digest != first.digest:
        return _refused(entry.mutation, Problem(CONFLICT, USED))
    settled = result.outcome in {Outcome.APPLIED, Outcome.ALREADY_APPLIED}
    return result.model_copy(update={"outcome": Outcome.ALREADY_APPLIED}) if settled else result


USED = "the id was used for something else"

UNDOES_ANOTHER = "what this undoes was refused; it would undo what somebody else did"


def _refused(mutation: MutationIn | UnreadableMutation, problem: Problem) -> SyncResult:
    outcome = Outcome.INVALID if problem.kind.status in INVALID else Outcome.CONFLICT
    return SyncResult(
        id=mutation.id, arrival_id=mutation.arrival_id, outcome=outcome, problem=problem.document()
    )


async def _settle(
    database: Database, device_log: _Log, entries: Sequence[_Entry]
) -> dict[UUID, SyncResult]:
    """Apply entries in one transaction; should the database refuse what was decided, each half in
    its own.
    """
    try:
        results: dict[UUID, SyncResult] = await database.run(
            lambda session: _apply(session, device_log, entries)
        )
    except (DBAPIError, Problem) as error:
        if isinstance(error, DBAPIError):
            if is_conflict(error) or sqlstate(error) == LOCK_NOT_AVAILABLE:
                return {
                    entry.mutation.id: _refused(entry.mutation, Problem(BUSY)) for entry in entries
                }
            if is_outage(error):
                raise
        if len(entries) > 1:
            half = len(entries) // 2
            return await _settle(database, device_log, entries[:half]) | await _settle(
                database, device_log, entries[half:]
            )
        mutation = entries[0].mutation
        if isinstance(error, Problem):
            return {mutation.id: _refused(mutation, error)}
        log.exception(
            "the database refused an entry of a log", kind=mutation.kind, sqlstate=sqlstate(error)
        )
        return {mutation.id: _refused(mutation, Problem(INTERNAL))}
    return results


async def _apply(
    session: Session, device_log: _Log, entries: Sequence[_Entry]
) -> dict[UUID, SyncResult]:
    results: dict[UUID, SyncResult] = {}
    claimed = await _claim(session, device_log, entries, results)
    if not claimed:
        return results
    gives = any(entry.mutation.kind is MutationKind.ASSISTANCE for entry in claimed)
    arrivals = {entry.mutation.arrival_id for entry in claimed}
    batch = await ArrivalBatch.on(
        session, device_log.caller, device_log.context, arrivals, households=gives
    )
    batch.clock_doubtful = device_log.doubtful
    if device_log.doubtful and not device_log.fallen:
        batch.ahead = device_log.ahead
    for kind, model in STEPS.items():
        await batch.load_steps(
            model, [entry.mutation.id for entry in claimed if entry.mutation.kind is kind]
        )
    bodies = _bodies(claimed, results)
    waiting = [entry.mutation for entry in claimed if entry.mutation.id in bodies]
    for _ in range(ROUNDS):
        later = await _round(batch, waiting, bodies, results)
        progress, waiting = len(later) < len(waiting), later
        if not waiting or not progress:
            break
    refused = [
        mutation_id
        for mutation_id, result in results.items()
        if result.outcome in {Outcome.CONFLICT, Outcome.INVALID}
    ]
    given_back = {entry.mutation.id for entry in claimed} & set(refused)
    if given_back:
        organisation = col(Mutation.organisation) == device_log.caller.organisation
        await session.execute(
            delete(Mutation).where(organisation, col(Mutation.id).in_(given_back))
        )
    return results


async def _round(
    batch: ArrivalBatch,
    waiting: Sequence[MutationIn],
    bodies: Mapping[UUID, Body],
    results: dict[UUID, SyncResult],
) -> list[MutationIn]:
    """Try entries once, in their order.

    Returns:
        Those that another entry may still make possible.
    """
    later = []
    contested = set()
    for count, mutation in enumerate(waiting, start=1):
        if count % BREATH == 0:
            await asyncio.sleep(0)
        if mutation.kind is MutationKind.REOPEN and mutation.arrival_id in contested:
            result = _refused(mutation, Problem(CONFLICT, UNDOES_ANOTHER))
        else:
            result = await _one(batch, mutation, bodies[mutation.id])
        results[mutation.id] = result
        if result.outcome is Outcome.CONFLICT:
            later.append(mutation)
            contested.add(mutation.arrival_id)
    return later


def _bodies(entries: Sequence[_Entry], results: dict[UUID, SyncResult]) -> dict[UUID, Body]:
    """What the entries say; of those that say nothing sensible, why not, in `results`."""
    bodies = {}
    for mutation in (entry.mutation for entry in entries):
        try:
            bodies[mutation.id] = _body_of(mutation)
        except Problem as problem:
            results[mutation.id] = _refused(mutation, problem)
    return bodies


async def _claim(
    session: Session, device_log: _Log, entries: Sequence[_Entry], results: dict[UUID, SyncResult]
) -> list[_Entry]:
    """Note that these entries are being applied, waiting for whoever applies one of them too.

    Returns:
        Those that are new; for the others the answer is in `results`.
    """
    sent_by = {
        "organisation": device_log.caller.organisation,
        "device": device_log.device,
        "ahead_seconds": device_log.ahead_seconds,
    }
    columns = {
        "id": [entry.mutation.id for entry in entries],
        "kind": [entry.mutation.kind.value for entry in entries],
        "arrival_id": [entry.mutation.arrival_id for entry in entries],
        "digest": [entry.digest for entry in entries],
        "occurred_at": [entry.claimed_at for entry in entries],
    }
    new = set(await session.scalars(CLAIM, sent_by | columns))
    known = [entry for entry in entries if entry.mutation.id not in new]
    if known:
        query = select(Mutation.id, Mutation.digest).where(
            Mutation.organisation == device_log.caller.organisation,
            col(Mutation.id).in_([entry.mutation.id for entry in known]),
        )
        digests = {row.id: row.digest for row in await session.execute(query)}
        for entry in known:
            mutation = entry.mutation
            same = digests.get(mutation.id) == entry.digest
            results[mutation.id] = (
                SyncResult(
                    id=mutation.id, arrival_id=mutation.arrival_id, outcome=Outcome.ALREADY_APPLIED
                )
                if same
                else _refused(mutation, Problem(CONFLICT, USED))
            )
    return [entry for entry in entries if entry.mutation.id in new]


async def _one(batch: ArrivalBatch, mutation: MutationIn, body: Body) -> SyncResult:
    _, apply = KINDS[mutation.kind]
    try:
        done = await apply(batch, mutation.arrival_id, body)
    except Problem as problem:
        return _refused(mutation, problem)
    is_repeated = mutation.kind is MutationKind.WALK_IN and done[1] is False
    outcome = Outcome.ALREADY_APPLIED if is_repeated else Outcome.APPLIED
    return SyncResult(id=mutation.id, arrival_id=mutation.arrival_id, outcome=outcome)


def _body_of(mutation: MutationIn) -> Body:
    """What an entry says.

    Raises:
        Problem: 422, it says nothing sensible, or its time is none of ours. An entry that was
            applied is not asked again: its clock may have been set since.
    """
    try:
        OCCURRED.validate_python(mutation.occurred_at)
    except ValidationError:
        right = "when it was; the device's clock had fallen, and was right again as it sent this"
        raise invalid(FieldError(pointer="/occurred_at", code="clock_fell", detail=right)) from None
    model, _ = KINDS[mutation.kind]
    data = dict(mutation.data)
    if "occurred_at" in model.model_fields:
        data["occurred_at"] = mutation.occurred_at
    if mutation.kind in STEPS:
        data["id"] = mutation.id
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise invalid(
            *(field_error(dict(item, loc=("body", "data", *item["loc"]))) for item in found)
        ) from None
