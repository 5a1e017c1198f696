"""Facts that were recorded of the wrong person, one at a time: an explicit act, audited, and told
of both.

A merge and its undoing never move a fact: each stays under the id it was recorded with. Where that
turns out to be the wrong one, a person says so for each fact.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select, update

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, lock_in_order, savepoint
from chassis.errors import CONFLICT, FORBIDDEN, NOT_FOUND, FieldError, Problem, invalid
from chassis.outbox import publish
from chassis.routing import Body
from contracts.cases import ReturneeReassigned
from participation import aliases
from services.cases.casework.access import require_worker
from services.cases.casework.deadlines import service as deadlines
from services.cases.fields import Comment, Out, member_of
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
from services.cases.people.returnees import service


class FactKind(StrEnum):
    """What may have been recorded of the wrong person. A plan line is amended, and a consent given
    anew.
    """

    SCREENING = "screening"
    CONTACT_ATTEMPT = "contact_attempt"
    VISIT = "visit"
    SURVEY = "survey"
    SERVICE_REFERRAL = "service_referral"
    DOCUMENT = "document"


TABLES: Mapping[FactKind, Any] = {
    FactKind.SCREENING: Screening,
    FactKind.CONTACT_ATTEMPT: ContactAttempt,
    FactKind.VISIT: Visit,
    FactKind.SURVEY: Survey,
    FactKind.SERVICE_REFERRAL: ServiceReferral,
    FactKind.DOCUMENT: StoredDocument,
}


class ReassignIn(Body):
    """Which fact, of whom it is, and why it was recorded of somebody else."""

    kind: Annotated[FactKind, member_of("unknown_fact", FactKind)]
    id: UUID
    to: UUID
    """The returnee whose it is; exactly this id, also where it is another's alias."""
    case_id: UUID | None = None
    """The case of that person that it belongs to; where nothing is said it stays in its case."""
    comment: Comment


class ReassignedOut(Out):
    """Of whom a fact is now."""

    kind: FactKind
    id: UUID
    returnee_id: UUID
    case_id: UUID | None


async def reassign(
    session: Session,
    returnee_id: UUID,
    body: ReassignIn,
    caller: Caller,
    precondition: Precondition,
) -> tuple[Returnee, ReassignedOut]:
    """Let a fact be of another person than it was recorded with.

    Args:
        session: The session.
        returnee_id: Of whom it was recorded; exactly this id.
        body: The fact, and of whom it is.
        caller: Who decides; must work with both.
        precondition: What they have seen of the former, under whatever id they are found now.

    Returns:
        The former, under that id, and the fact.

    Raises:
        Problem: 404, there is no such person or fact of theirs; 403; 409, it is of a plan's line,
            or the other has it already; 412; 422.
    """
    root = await aliases.resolve(session, returnee_id)
    rows = await lock_in_order(
        session,
        lambda key: (
            select(Returnee)
            .where(Returnee.id == key, col(Returnee.erased_at).is_(None))
            .with_for_update()
        ),
        [returnee_id, body.to, root],
    )
    found: dict[UUID, Returnee] = {row.id: row for row in rows}
    if (
        returnee_id not in found
        or root not in found
        or not await _known(session, returnee_id, caller)
    ):
        raise Problem(NOT_FOUND)
    precondition.check(found[root].version)
    if body.to == returnee_id or body.to not in found or not await _known(session, body.to, caller):
        raise invalid(
            FieldError(
                pointer="/to", code="unknown_returnee", detail="another returnee known to you"
            )
        )
    for each in (returnee_id, body.to):
        ids = await aliases.same_person(session, each)
        if not await service.works_with(session, ids, caller):
            raise Problem(
                FORBIDDEN,
                "the implementing organisation and the programme office decide whose a fact is",
            )
    table = TABLES[body.kind]
    fact = await session.scalar(
        select(table).where(table.id == body.id, table.returnee_id == returnee_id).with_for_update()
    )
    if fact is None:
        raise Problem(NOT_FOUND)
    case_id = await _place(session, fact, body, caller)
    try:
        async with savepoint(session):
            await _move(session, fact, body.to, case_id)
    except IntegrityError:
        raise Problem(CONFLICT, "the other person has such a fact of their own already") from None
    for row in found.values():
        row.changed()
    for each in (returnee_id, body.to):
        publish(
            session,
            ReturneeReassigned(
                returnee_id=each, fact_id=body.id, taken_from=returnee_id, moved_to=body.to
            ),
        )
        details = {
            "kind": body.kind,
            "fact": str(body.id),
            "from": str(returnee_id),
            "to": str(body.to),
        }
        audit.record(session, caller, "reassign", "returnee", each, details)
    await session.flush()
    return found[root], ReassignedOut(
        kind=body.kind, id=body.id, returnee_id=body.to, case_id=case_id
    )


async def _known(session: Session, returnee_id: UUID, caller: Caller) -> bool:
    return bool(
        await service.known_ids(session, await aliases.same_person(session, returnee_id), caller)
    )


async def _place(session: Session, fact: Any, body: ReassignIn, caller: Caller) -> UUID | None:
    """The case that the fact is to be in.

    Raises:
        Problem: 403; 409, it follows a line of the plan; 422, the other person is not in that case.
    """
    before: UUID | None = fact.case_id
    if body.kind is FactKind.DOCUMENT:
        return before
    if getattr(fact, "line_id", None) is not None:
        raise Problem(
            CONFLICT, "the visit follows a line of the plan, and is of whom the line is for"
        )
    case_id = body.case_id or before
    for each in sorted({each for each in (before, case_id) if each is not None}):
        await require_worker(session, caller, each)
    if await session.get(CaseMember, (case_id, body.to)) is None:
        raise invalid(
            FieldError(
                pointer="/case_id", code="not_in_case", detail="a case that the other person is in"
            )
        )
    return case_id


async def _move(session: Session, fact: Any, to: UUID, case_id: UUID | None) -> None:
    fact.returnee_id, fact.case_id = to, case_id
    fact.changed()
    await session.flush()
    if isinstance(fact, Screening):
        await session.execute(
            update(Flag).where(col(Flag.screening_id) == fact.id).values(returnee_id=to)
        )
    if isinstance(fact, Visit) and case_id is not None:
        await deadlines.move_visits(session, [fact.id], case_id)
