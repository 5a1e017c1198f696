"""Batches: read at once, taken one after another by a job, which goes on where it was after any interruption."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from chassis import audit, jobs
from chassis.app import field_error
from chassis.auth import Caller, OrganisationKind
from chassis.db import Session, is_outage
from chassis.errors import INVALID, NOT_FOUND, FieldError, Problem, invalid
from chassis.jobs import JobKind, Payload
from services.cases.batches import tabular
from services.cases.batches.schemas import BatchProblem, BatchState, Outcome
from services.cases.models import BatchItem, ReferralBatch
from services.cases.referrals import service as referrals
from services.cases.referrals.schemas import ReferralIn
from services.cases.returnees import duplicates

MOST = 5000
AT_ONCE = 100
STORED_AT_ONCE = 500
CSV = "text/csv"
JSON_LINES = ("application/jsonl", "application/x-ndjson")
MEDIA_TYPES = (*JSON_LINES, CSV)
JOB = "cases.referral-batch"


async def receive(session: Session, raw: bytes, media_type: str, caller: Caller) -> ReferralBatch:
    """Read a file and keep its referrals for the job.

    Raises:
        Problem: 422, it cannot be read, is empty, or has too many referrals.
    """
    read = tabular.table if media_type == CSV else tabular.json_lines
    try:
        entries = list(read(raw))
    except tabular.Unreadable as error:
        raise invalid(FieldError(pointer="", code="unreadable_file", detail=str(error))) from None
    if not 0 < len(entries) <= MOST:
        raise invalid(FieldError(pointer="", code="batch_size", detail=f"1 to {MOST} referrals"))
    batch = ReferralBatch(
        state=BatchState.WAITING,
        organisation=caller.organisation,
        caller=_kept(caller),
        media_type=media_type,
        total=len(entries),
        done=0,
        submitted=0,
        replayed=0,
        refused=0,
    )
    session.add(batch)
    await session.flush()
    for start in range(0, len(entries), STORED_AT_ONCE):
        rows = [
            {
                "batch_id": batch.id,
                "number": number,
                "rows": entry.rows,
                "external_reference": (entry.reference or "")[:64] or None,
                "content": entry.content,
                "outcome": None,
                "problem": _problem("The row cannot be read", entry.errors, entry.rows, media_type)
                if entry.errors
                else None,
            }
            for number, entry in enumerate(entries[start : start + STORED_AT_ONCE], start=start + 1)
        ]
        await session.execute(insert(BatchItem), rows)
    await jobs.schedule(session, JOB, {"batch_id": str(batch.id)}, key=str(batch.id))
    audit.record(session, caller, "submit-batch", "referral-batch", batch.id, {"total": batch.total})
    return batch


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


def _problem(title: str, errors: Sequence[FieldError], rows: Sequence[int], media_type: str) -> dict[str, Any]:
    problems = []
    for error in errors:
        row, column = None, None
        if media_type == CSV:
            steps = error.pointer.split("/")
            if steps[1:2] == ["row"]:
                row, column = int(steps[2]), steps[3]
            else:
                place = int(steps[2]) if steps[1:2] == ["people"] and len(steps) > 2 and steps[2].isdigit() else 0  # noqa: PLR2004 - the person's place
                row, column = rows[min(place, len(rows) - 1)], tabular.column_of(error.pointer)
        problems.append(
            BatchProblem(pointer=error.pointer, column=column, row=row, code=error.code, detail=error.detail)
        )
    return {"title": title, "problems": [each.model_dump(mode="json") for each in problems]}


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
        .where(BatchItem.batch_id == batch_id, BatchItem.outcome.is_(None))
        .order_by(BatchItem.number)
        .limit(AT_ONCE)
    )
    for item in items.all():
        outcome = await _take(session, item, caller, batch.media_type)
        item.outcome, item.content = outcome, None
        batch.submitted += outcome is Outcome.SUBMITTED
        batch.replayed += outcome is Outcome.REPLAYED
        batch.refused += outcome is Outcome.REFUSED
        batch.done += 1
    batch.state = BatchState.RUNNING if batch.done < batch.total else BatchState.DONE
    if batch.state is BatchState.DONE:
        batch.finished_at = await referrals.clock(session)
    batch.changed()
    await session.flush()
    if batch.state is not BatchState.DONE:
        await jobs.schedule(session, JOB, payload, key=str(batch_id))


async def _take(session: Session, item: BatchItem, caller: Caller, media_type: str) -> Outcome:
    """Take one referral; one that cannot be taken leaves nothing behind and holds up nobody."""
    if item.content is None:
        return Outcome.REFUSED
    try:
        body = ReferralIn.model_validate(item.content)
        async with session.begin_nested():
            referral, _, new = await referrals.submit(session, body, caller)
    except ValidationError as error:
        found = [field_error({**each, "loc": ("body", *each["loc"])}) for each in error.errors()]
        item.problem = _problem(INVALID.title, found, item.rows, media_type)
        return Outcome.REFUSED
    except Problem as problem:
        said = problem.errors or [FieldError(pointer="", code=problem.kind.slug, detail=problem.detail or "")]
        item.problem = _problem(problem.kind.title, said, item.rows, media_type)
        return Outcome.REFUSED
    except DBAPIError as error:
        if is_outage(error):
            raise
        # Text that no database keeps; whatever it is, the other referrals go on.
        unfit = FieldError(pointer="", code="not_storable", detail="text that can be stored")
        item.problem = _problem(INVALID.title, [unfit], item.rows, media_type)
        return Outcome.REFUSED
    assert referral is not None
    item.referral_id = referral.id
    if not new:
        return Outcome.REPLAYED
    item.candidates = sum([len(await duplicates.alike(session, person, likely=True)) for person in body.people])
    return Outcome.SUBMITTED


BATCH = JobKind(JOB, run)
