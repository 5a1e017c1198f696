"""Batches: read at once, taken one after another by a job, which goes on where it was after any
interruption.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from chassis import audit, jobs
from chassis.app import field_error
from chassis.auth import Caller, OrganisationKind
from chassis.db import Session, is_outage, savepoint
from chassis.errors import INVALID, NOT_FOUND, FieldError, Problem, invalid
from chassis.jobs import JobKind, Payload
from chassis.tabular.problems import Unreadable, kind_of
from chassis.tabular.tables import what_is_right
from chassis.tabular.templates import CSV, XLSX
from services.cases.codes import BatchOutcome
from services.cases.intake.batches import tabular
from services.cases.intake.batches.columns import BY_NAME, column_of, part_of, value_at
from services.cases.intake.batches.schemas import BatchProblem
from services.cases.intake.referrals import service as referrals
from services.cases.intake.referrals.schemas import ReferralIn
from services.cases.models import BatchItem, Referral, ReferralBatch
from services.cases.people.matching import duplicates
from services.cases.states.intake import BatchState

MOST = 5000
AT_ONCE = 250
"""So few that one run ends long before its lease does."""
STORED_AT_ONCE = 500
JSON_LINES = ("application/jsonl", "application/x-ndjson")
MEDIA_TYPES = (*JSON_LINES, CSV, XLSX)
JOB = "cases.referral-batch"


def batched(entries: Iterable[tabular.Entry], most: int) -> Iterator[list[tabular.Entry]]:
    """Entries in lists, so that a file is never held whole as objects."""
    rest = iter(entries)
    while several := list(islice(rest, most)):
        yield several


async def receive(
    session: Session, raw: bytes, media_type: str, charset: str | None, caller: Caller
) -> ReferralBatch:
    """Read a file and keep its referrals for the job.

    Raises:
        Problem: 422, it cannot be read, is empty, or has too many referrals.
    """
    read = tabular.json_lines if media_type in JSON_LINES else tabular.table
    batch = ReferralBatch(
        state=BatchState.WAITING,
        organisation=caller.organisation,
        caller=_kept(caller),
        media_type=media_type,
        total=0,
        done=0,
        submitted=0,
        replayed=0,
        refused=0,
    )
    session.add(batch)
    await session.flush()
    try:
        # A workbook is unfolded meanwhile, which takes seconds where it is large.
        found = await asyncio.to_thread(read, raw, charset)
        for entries in batched(found, STORED_AT_ONCE):
            first = batch.total + 1
            batch.total += len(entries)
            if batch.total > MOST:
                break
            rows = [
                _waiting(batch, number, entry) for number, entry in enumerate(entries, start=first)
            ]
            await session.execute(insert(BatchItem), rows)
    except Unreadable as error:
        raise invalid(*error.errors) from None
    if not 0 < batch.total <= MOST:
        raise invalid(FieldError(pointer="", code="batch_size", detail=f"1 to {MOST} referrals"))
    await session.flush()
    await jobs.schedule(session, JOB, {"batch_id": str(batch.id)}, key=str(batch.id))
    audit.record(
        session, caller, "submit-batch", "referral-batch", batch.id, {"total": batch.total}
    )
    return batch


def _waiting(batch: ReferralBatch, number: int, entry: tabular.Entry) -> dict[str, Any]:
    unreadable = _problem("The row cannot be read", entry.errors, entry, batch.media_type)
    return {
        "batch_id": batch.id,
        "number": number,
        "rows": entry.rows,
        "external_reference": (entry.reference or "")[:64] or None,
        "content": entry.content,
        "problem": unreadable if entry.errors else None,
    }


def _kept(caller: Caller) -> dict[str, Any]:
    return asdict(caller) | {"scopes": sorted(caller.scopes), "kind": str(caller.kind)}


def _caller(kept: dict[str, Any]) -> Caller:
    return Caller(
        **kept
        | {
            "scopes": frozenset(kept["scopes"]),
            "programmes": tuple(kept["programmes"]),
            "kind": OrganisationKind(kept["kind"]),
        }
    )


def _problem(
    title: str, errors: Sequence[FieldError], of: BatchItem | tabular.Entry, media_type: str
) -> dict[str, Any]:
    """What is wrong with a referral, by row, column and kind of what stands there."""
    problems = []
    for error in errors:
        row, column, found = error.row, error.column, error.found
        pointer = part_of(error.pointer, of.content)
        if found is None and pointer:
            value = value_at(of.content, pointer)
            found = None if isinstance(value, dict) else kind_of(value)
        if row is None and media_type not in JSON_LINES:
            row = of.rows[min(_person(pointer), len(of.rows) - 1)]
            column = column_of(pointer, of.content)
        problems.append(
            BatchProblem(
                pointer=pointer,
                column=column,
                row=row,
                code=error.code,
                found=found,
                detail=what_is_right(error.code, error.detail, BY_NAME.get(column or "")),
            )
        )
    return {"title": title, "problems": [each.model_dump(mode="json") for each in problems]}


def _person(pointer: str) -> int:
    """Which person of the referral a place is about; the first where it is about none."""
    _, *steps = pointer.split("/")
    of_people = steps[:1] == ["people"] and steps[1:2] and steps[1].isdigit()
    return int(steps[1]) if of_people else 0


async def find(session: Session, batch_id: UUID, caller: Caller) -> ReferralBatch:
    """A batch of the caller's organisation.

    Raises:
        Problem: 404.
    """
    batch = await session.get(ReferralBatch, batch_id)
    if batch is None or batch.organisation != caller.organisation:
        raise Problem(NOT_FOUND)
    return batch


async def run(session: Session, payload: Payload, _: Any) -> None:
    """Take the next referrals of a batch; the job is scheduled again until none is left."""
    batch_id = UUID(payload["batch_id"])
    batch = await session.get(ReferralBatch, batch_id, with_for_update=True)
    if batch is None:
        return
    caller = _caller(batch.caller)
    items = await session.scalars(
        select(BatchItem)
        .where(BatchItem.batch_id == batch_id, col(BatchItem.outcome).is_(None))
        .order_by(col(BatchItem.number))
        .limit(AT_ONCE)
    )
    for item, outcome in await _take_all(session, items.all(), caller, batch.media_type):
        item.outcome, item.content = outcome, None
        batch.submitted += outcome is BatchOutcome.SUBMITTED
        batch.replayed += outcome is BatchOutcome.REPLAYED
        batch.refused += outcome is BatchOutcome.REFUSED
        batch.done += 1
    batch.state = BatchState.RUNNING if batch.done < batch.total else BatchState.DONE
    if batch.state is BatchState.DONE:
        batch.finished_at = await referrals.clock(session)
    batch.changed()
    await session.flush()
    if batch.state is not BatchState.DONE:
        await jobs.schedule(session, JOB, payload, key=str(batch_id))


async def _take_all(
    session: Session, items: Sequence[BatchItem], caller: Caller, media_type: str
) -> list[tuple[BatchItem, BatchOutcome]]:
    """Take referrals together as far as that goes; whatever one is, the others are taken."""
    read = [(item, _read(item, media_type)) for item in items]
    taken: dict[int, BatchOutcome] = {}
    together: dict[str, tuple[BatchItem, ReferralIn]] = {}
    alone: list[tuple[BatchItem, ReferralIn]] = []
    for item, body in read:
        if body is None:
            taken[item.number] = BatchOutcome.REFUSED
        elif body.external_reference in together:
            alone.append((item, body))  # what it repeats or corrects comes before it
        else:
            together[body.external_reference] = (item, body)
    new: list[tuple[BatchItem, ReferralIn]] = []
    for (item, body), answer in zip(
        together.values(),
        await _together(session, [body for _, body in together.values()], caller),
        strict=True,
    ):
        if answer is None:
            alone.append((item, body))
        elif isinstance(answer, Problem):
            taken[item.number] = _refused(item, answer, media_type)
        else:
            referral, is_new = answer
            item.referral_id, taken[item.number] = (
                referral.id,
                BatchOutcome.SUBMITTED if is_new else BatchOutcome.REPLAYED,
            )
            new += [(item, body)] if is_new else []
    for item, body in sorted(alone, key=lambda each: each[0].number):
        taken[item.number] = await _take(session, item, body, caller, media_type)
        new += [(item, body)] if taken[item.number] is BatchOutcome.SUBMITTED else []
    alike = await duplicates.count_likely(session, [body.people for _, body in new])
    for (item, _), number in zip(new, alike, strict=True):
        item.candidates = number
    return [(item, taken[item.number]) for item in items]


def _read(item: BatchItem, media_type: str) -> ReferralIn | None:
    """What was sent, if it can be read; else why not is noted."""
    if item.content is None:
        return None
    try:
        return ReferralIn.model_validate(item.content)
    except ValidationError as error:
        found = [field_error({**each, "loc": ("body", *each["loc"])}) for each in error.errors()]
        item.problem = _problem(INVALID.title, found, item, media_type)
        return None


async def _together(
    session: Session, bodies: Sequence[ReferralIn], caller: Caller
) -> list[tuple[Referral, bool] | Problem | None]:
    """Take referrals in few statements; each alone where the database refuses one of them."""
    try:
        async with savepoint(session):
            return await referrals.submit_together(session, bodies, caller)
    except DBAPIError as error:
        if is_outage(error):
            raise
        return [None] * len(bodies)


async def _take(
    session: Session, item: BatchItem, body: ReferralIn, caller: Caller, media_type: str
) -> BatchOutcome:
    """Take one referral; one that cannot be taken leaves nothing behind and holds up nobody."""
    try:
        async with savepoint(session):
            referral, _, new = await referrals.submit(session, body, caller)
    except Problem as problem:
        return _refused(item, problem, media_type)
    except DBAPIError as error:
        if is_outage(error):
            raise
        # Text that no database keeps; whatever it is, the other referrals go on.
        unfit = FieldError(pointer="", code="not_storable", detail="text that can be stored")
        item.problem = _problem(INVALID.title, [unfit], item, media_type)
        return BatchOutcome.REFUSED
    assert referral is not None
    item.referral_id = referral.id
    return BatchOutcome.SUBMITTED if new else BatchOutcome.REPLAYED


def _refused(item: BatchItem, problem: Problem, media_type: str) -> BatchOutcome:
    said = problem.errors or [
        FieldError(pointer="", code=problem.kind.slug, detail=problem.detail or "")
    ]
    item.problem = _problem(problem.kind.title, said, item, media_type)
    return BatchOutcome.REFUSED


BATCH = JobKind(JOB, run)
