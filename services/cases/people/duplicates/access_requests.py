"""An organisation asks those who know of somebody to share them, who may be a person of its own."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import CONFLICT, Problem, or_404
from contracts.codes import SharingPurpose
from participation import aliases
from services.cases.access.people import load_returnee, load_visible_ids, require_worker_with
from services.cases.models import AccessRequest, Returnee
from services.cases.people.duplicates.service import alike, candidate_id_of
from services.cases.people.returnees.service import person_of
from services.cases.states.people import ACCESS_REQUEST, AccessRequestAction, AccessRequestState


async def request_access(
    session: Session,
    caller: Caller,
    returnee_id: UUID,
    candidate_id: UUID,
    reason: SharingPurpose,
) -> AccessRequest:
    """Ask those who know of a masked candidate for a returnee.

    Raises:
        Problem: 404, there is no such candidate of a returnee whom the caller works with; 409, it
            is not masked.
    """
    returnee = await load_returnee(session, caller, returnee_id)
    ids = await aliases.same_person(session, returnee.id)
    matches = await alike(session, person_of(returnee), excluding=ids)
    candidates = [row for row, _ in matches]
    return await ask(session, caller, returnee.id, candidate_id, candidates, reason)


async def ask(
    session: Session,
    caller: Caller,
    of: UUID,
    candidate_id: UUID,
    candidates: Sequence[Returnee],
    reason: SharingPurpose,
) -> AccessRequest:
    """Ask those who know of one of the candidates for a returnee or a person of a referral.

    Raises:
        Problem: 404, it is none of them; 409, it is not masked.
    """
    candidate = or_404(
        next((row for row in candidates if candidate_id_of(of, row.id) == candidate_id), None)
    )
    if await load_visible_ids(session, caller, [candidate.id]):
        raise Problem(CONFLICT, "the organisation knows of this candidate already")
    statement = insert(AccessRequest).values(
        {
            "version": 1,
            "returnee_id": candidate.id,
            "because_of": of,
            "state": AccessRequestState.REQUESTED,
            "organisation": caller.organisation,
            "reason": reason,
            "requested_by": caller.person,
        }
    )
    asked: AccessRequest | None = await session.scalar(
        statement.on_conflict_do_update(
            index_elements=["returnee_id", "organisation", "because_of"],
            set_={**ACCESS_REQUEST.bulk(AccessRequestAction.ASK), "reason": reason},
        ).returning(AccessRequest)
    )
    assert asked is not None
    audit.record(session, caller, "request-access", "returnee", candidate.id, {"reason": reason})
    return asked


async def load_access_requests(
    session: Session, caller: Caller, returnee_id: UUID
) -> list[AccessRequest]:
    """Load who asks to know of a returnee, oldest first.

    Raises:
        Problem: 404; 403 if the caller only referred them or was told of them.
    """
    _, ids = await require_worker_with(session, caller, returnee_id)
    rows = await session.scalars(
        select(AccessRequest)
        .where(col(AccessRequest.returnee_id).in_(ids))
        .order_by(col(AccessRequest.id))
    )
    return list(rows)
