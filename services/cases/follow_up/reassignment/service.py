"""Facts that were recorded of the wrong person, one at a time: an explicit act, audited, and
published for both.

A merge and its undoing never move a fact: each stays under the id it was recorded with. Where that
turns out to be the wrong one, a person says so for each fact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select, update

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, savepoint
from chassis.errors import CONFLICT, FORBIDDEN, FieldError, Problem, invalid, or_404
from chassis.outbox import publish
from contracts.cases import ReturneeReassigned
from participation import aliases
from services.cases.access.cases import require_worker
from services.cases.access.people import load_visible_ids, lock_returnees, works_with
from services.cases.casework.deadlines import service as deadlines
from services.cases.follow_up.reassignment.schemas import FactKind
from services.cases.models import (
    CaseMember,
    ContactAttempt,
    Flag,
    Returnee,
    Screening,
    ServiceReferral,
    StoredDocument,
    Survey,
    Visit,
)

TABLES: Mapping[FactKind, Any] = {
    FactKind.SCREENING: Screening,
    FactKind.CONTACT_ATTEMPT: ContactAttempt,
    FactKind.VISIT: Visit,
    FactKind.SURVEY: Survey,
    FactKind.SERVICE_REFERRAL: ServiceReferral,
    FactKind.DOCUMENT: StoredDocument,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that was recorded of somebody.

    Attributes:
        kind: What it is.
        id: Its id.
    """

    kind: FactKind
    id: UUID


async def reassign(
    session: Session,
    caller: Caller,
    returnee_id: UUID,
    precondition: Precondition,
    fact: Fact,
    *,
    to: UUID,
    case_id: UUID | None,
) -> tuple[Returnee, UUID | None]:
    """Let a fact be of another person than it was recorded with.

    Args:
        session: The session.
        caller: Who decides; must work with both.
        returnee_id: Of whom it was recorded; exactly this id.
        precondition: What the caller has seen of them, under whatever id they are found now.
        fact: The fact.
        to: Of whom it is; exactly this id.
        case_id: The case of that person that it belongs to; None where it stays in its case.

    Returns:
        The former, under the id that they are found under, and the case that the fact is in.

    Raises:
        Problem: 404, there is no such person or fact of theirs; 403; 409, it is of a plan's line,
            or the other has it already; 412; 422.
    """
    root_id = await aliases.resolve(session, returnee_id)
    people = await lock_returnees(session, [returnee_id, to, root_id])
    is_known = returnee_id in people and await _is_visible(session, caller, returnee_id)
    root = or_404(people.get(root_id) if is_known else None)
    precondition.check(root.version)
    if to == returnee_id or to not in people or not await _is_visible(session, caller, to):
        right = "another returnee known to you"
        raise invalid(FieldError(pointer="/to", code="unknown_returnee", detail=right))
    for person in (returnee_id, to):
        await _require_work(session, caller, person)
    table = TABLES[fact.kind]
    row = or_404(
        await session.scalar(
            select(table)
            .where(table.id == fact.id, table.returnee_id == returnee_id)
            .with_for_update()
        )
    )
    new_case_id = await _check_case(session, caller, fact, row, to, case_id)
    try:
        async with savepoint(session):
            await _move(session, row, to, new_case_id)
    except IntegrityError:
        raise Problem(CONFLICT, "the other person has such a fact of their own already") from None
    for returnee in people.values():
        returnee.changed()
    for person in (returnee_id, to):
        publish(
            session,
            ReturneeReassigned(
                returnee_id=person, fact_id=fact.id, taken_from=returnee_id, moved_to=to
            ),
        )
        details = {
            "kind": fact.kind,
            "fact": str(fact.id),
            "from": str(returnee_id),
            "to": str(to),
        }
        audit.record(session, caller, "reassign", "returnee", person, details)
    await session.flush()
    return root, new_case_id


async def _is_visible(session: Session, caller: Caller, returnee_id: UUID) -> bool:
    ids = await aliases.same_person(session, returnee_id)
    return bool(await load_visible_ids(session, caller, ids))


async def _require_work(session: Session, caller: Caller, returnee_id: UUID) -> None:
    ids = await aliases.same_person(session, returnee_id)
    if not await works_with(session, caller, ids):
        raise Problem(
            FORBIDDEN,
            "the implementing organisation and the programme office decide whose a fact is",
        )


async def _check_case(
    session: Session, caller: Caller, fact: Fact, row: Any, to: UUID, case_id: UUID | None
) -> UUID | None:
    """The case that a fact is to be in.

    Raises:
        Problem: 403; 409, it follows a line of the plan; 422, the other person is not in that case.
    """
    before: UUID | None = row.case_id
    if fact.kind is FactKind.DOCUMENT:
        return before
    if getattr(row, "line_id", None) is not None:
        raise Problem(
            CONFLICT, "the visit follows a line of the plan, and is of whom the line is for"
        )
    after = case_id or before
    for concerned in sorted({concerned for concerned in (before, after) if concerned is not None}):
        await require_worker(session, caller, concerned)
    if await session.get(CaseMember, (after, to)) is None:
        right = "a case that the other person is in"
        raise invalid(FieldError(pointer="/case_id", code="not_in_case", detail=right))
    return after


async def _move(session: Session, row: Any, to: UUID, case_id: UUID | None) -> None:
    row.returnee_id, row.case_id = to, case_id
    row.changed()
    await session.flush()
    if isinstance(row, Screening):
        await session.execute(
            update(Flag).where(col(Flag.screening_id) == row.id).values(returnee_id=to)
        )
    if isinstance(row, Visit) and case_id is not None:
        await deadlines.move_visits(session, [row.id], case_id)
