"""Batches of referrals as they are answered."""

from datetime import datetime
from uuid import UUID

from services.cases.codes import BatchOutcome
from services.cases.fields import Out
from services.cases.states.intake import BatchState


class BatchOut(Out):
    """A batch and its progress."""

    id: UUID
    state: BatchState
    media_type: str
    total: int
    """Referrals in it."""
    done: int
    submitted: int
    replayed: int
    refused: int
    finished_at: datetime | None
    created_at: datetime
    updated_at: datetime


class BatchProblem(Out):
    """One thing that is wrong, where, and what would be right.

    Attributes:
        pointer: In the referral.
        column: In a table, the column.
        row: In a table, the row as the spreadsheet counts it.
        code: What is wrong.
        found: What kind of thing stands there, never the thing.
        detail: What would be right.
    """

    pointer: str
    column: str | None
    row: int | None
    code: str
    found: str | None = None
    detail: str


class ResultOut(Out):
    """What became of one referral of a batch.

    Attributes:
        number: Its place in the file, from 1.
        rows: Its rows or line in the file.
        outcome: Null while it was not its turn.
        candidates: How many people known here its persons may be; look at the referral's
            `duplicates`.
    """

    number: int
    rows: list[int]
    external_reference: str | None
    outcome: BatchOutcome | None
    referral_id: UUID | None
    candidates: int | None
    title: str | None
    problems: list[BatchProblem]
