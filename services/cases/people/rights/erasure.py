"""Erasure: who somebody was is gone here and, by event, everywhere; what happened stays, to be
counted.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult
from sqlmodel import col, delete, select, update

from chassis import audit, idempotency
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.consequences import Consequences
from chassis.db import Session, current_time, now
from chassis.errors import CONFLICT, FORBIDDEN, Problem
from chassis.outbox import publish
from contracts.cases import ReturneeErased
from participation import aliases
from participation.access import Role, participation
from services.cases.access.people import has_open_case, load_roles, lock_returnee
from services.cases.codes import ErasureReason
from services.cases.documents import service as documents
from services.cases.models import (
    AccessRequest,
    CaseMember,
    Erasure,
    LegalHold,
    Returnee,
    Share,
)
from services.cases.people.rights.holds import is_held
from services.cases.people.rights.schemas import ErasureOut
from services.cases.people.search.queries import learn

ERASED = ""
"""What stands where a text was that may not be absent."""


@dataclass(frozen=True, slots=True)
class Erased:
    """Somebody who is erased, and how much of what was said of them is gone.

    Attributes:
        ids: Every id of theirs.
        case_ids: The cases they are in.
        emptied_case_ids: Those of them of which everybody was erased.
        scrubbed: How many entries of what kind; who scrubs some adds them.
    """

    ids: Sequence[UUID]
    case_ids: Sequence[UUID]
    emptied_case_ids: Sequence[UUID]
    scrubbed: Counter[str] = field(default_factory=Counter)

    async def scrub(self, session: Session, kind: str, statement: Any) -> None:
        """Execute an UPDATE or DELETE, and count its rows."""
        done = await session.execute(statement.execution_options(synchronize_session=False))
        assert isinstance(done, CursorResult)
        self.scrubbed[kind] += done.rowcount


ON_ERASURE: Consequences[Session, Erased] = Consequences("a person is erased")
"""Every package above that says something of people takes it out of its tables."""


async def erase(
    session: Session,
    caller: Caller,
    returnee_id: UUID,
    reason: ErasureReason,
    precondition: Precondition,
) -> ErasureOut:
    """Erase somebody under all their ids.

    Raises:
        Problem: 404, 412; 403 if the caller does not run their programme; 409 under a legal hold or
            with an open case.
    """
    returnee = await lock_returnee(session, caller, returnee_id)
    precondition.check(returnee.version)
    ids = await aliases.same_person(session, returnee.id)
    if Role.PROGRAMME not in await load_roles(session, caller, ids):
        raise Problem(FORBIDDEN, "the programme office decides on an erasure")
    people = list(
        await session.scalars(
            select(Returnee)
            .where(col(Returnee.id).in_(ids))
            .order_by(col(Returnee.id))
            .with_for_update()
        )
    )
    if await is_held(session, ids):
        raise Problem(CONFLICT, "a legal hold stands against it; release that first")
    if await has_open_case(session, returnee.id):
        raise Problem(CONFLICT, "a case of theirs is open; close that first")
    at = await current_time(session)
    for person in people:
        person.names, person.documents, person.contacts, person.identifiers = [], [], [], []
        learn(session, person.terms, [])
        person.languages, person.keys, person.terms = [], [], []
        person.birth_date, person.erased_at = None, at
        person.changed()
    await session.flush()
    erased = await _erased(session, ids)
    erased.scrubbed["identities"] += len(people)
    await _scrub_rights(session, erased)
    await ON_ERASURE(session, erased)
    await session.execute(delete(participation).where(participation.c.subject_id.in_(ids)))
    await idempotency.erase(session, ids)
    scrubbed = dict(erased.scrubbed)
    for own_id in ids:
        session.add(
            Erasure(
                returnee_id=own_id,
                erased_at=at,
                reason=reason,
                organisation=caller.organisation,
                decided_by=caller.require_person(),
                scrubbed=scrubbed,
            )
        )
        publish(session, ReturneeErased(returnee_id=own_id))
        audit.record(session, caller, "erase", "returnee", own_id, {"reason": reason})
    await session.flush()
    return ErasureOut(returnee_ids=ids, erased_at=at, reason=reason, scrubbed=scrubbed)


async def _erased(session: Session, ids: Sequence[UUID]) -> Erased:
    case_ids = list(
        await session.scalars(
            select(CaseMember.case_id).where(col(CaseMember.returnee_id).in_(ids)).distinct()
        )
    )
    still_somebody = set(
        await session.scalars(
            select(CaseMember.case_id)
            .join(Returnee, col(Returnee.id) == CaseMember.returnee_id)
            .where(col(CaseMember.case_id).in_(case_ids), col(Returnee.erased_at).is_(None))
        )
    )
    emptied = [case_id for case_id in case_ids if case_id not in still_somebody]
    return Erased(ids=ids, case_ids=case_ids, emptied_case_ids=emptied)


async def _scrub_rights(session: Session, erased: Erased) -> None:
    """Take out what is kept of the person here and in the documents about them."""
    await erased.scrub(
        session,
        "shares",
        update(Share)
        .where(col(Share.returnee_id).in_(erased.ids), col(Share.ended_at).is_(None))
        .values(ended_at=now()),
    )
    await erased.scrub(
        session,
        "access_requests",
        delete(AccessRequest).where(
            col(AccessRequest.returnee_id).in_(erased.ids)
            | col(AccessRequest.because_of).in_(erased.ids)
        ),
    )
    await erased.scrub(
        session,
        "legal_holds",
        update(LegalHold).where(col(LegalHold.returnee_id).in_(erased.ids)).values(comment=ERASED),
    )
    for returnee_id in erased.ids:
        erased.scrubbed["documents"] += await documents.forget(session, returnee_id)
    erased.scrubbed["documents"] += await documents.forget_of_cases(
        session, erased.emptied_case_ids
    )
