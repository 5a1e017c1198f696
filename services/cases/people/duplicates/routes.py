"""Who a returnee may be as well, below `/v1/returnees/{id}`."""

from uuid import UUID

from fastapi import Response

from chassis import audit
from chassis.pagination import Page
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from services.cases.access.people import load_returnee
from services.cases.models import AccessRequest
from services.cases.people.duplicates import access_requests as requests
from services.cases.people.duplicates import merging, service
from services.cases.people.duplicates.schemas import (
    AccessRequestIn,
    AccessRequestOut,
    CandidateOut,
    MergeIn,
)
from services.cases.people.returnees.routes import answer
from services.cases.people.returnees.schemas import ReturneeOut

router = Router(prefix="/v1/returnees", tags=["returnees"])


def render_request(row: AccessRequest) -> AccessRequestOut:
    """A request as it is answered."""
    return AccessRequestOut(
        id=row.id,
        state=row.state,
        organisation=row.organisation,
        reason=row.reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


@router.get("/{returnee_id}/duplicates")
@requires(Scope.RETURNEES_IDENTITY)
async def possible_duplicates(
    returnee_id: UUID, session: SessionDep, caller: CallerDep
) -> Page[CandidateOut]:
    """Who may be the same person, with a score and its reasons; best first, in one page. A person
    decides.

    Somebody whom only other organisations know of is a masked candidate, whose `request-access`
    asks them.
    """
    row = await load_returnee(session, caller, returnee_id)
    candidates = await service.load_candidates_of_returnee(session, caller, row)
    audit.record(
        session, caller, "read-duplicates", "returnee", row.id, {"candidates": len(candidates)}
    )
    return Page(items=candidates)


@router.post("/{returnee_id}/duplicates/{candidate_id}/request-access", status_code=202)
@requires(Scope.RETURNEES_IDENTITY)
async def request_access(
    returnee_id: UUID,
    candidate_id: UUID,
    body: AccessRequestIn,
    session: SessionDep,
    caller: CallerDep,
) -> AccessRequestOut:
    """Ask the organisations that know of a masked candidate to share them; who they are is not
    said.
    """
    row = await requests.request_access(session, caller, returnee_id, candidate_id, body.reason)
    return render_request(row)


@router.get("/{returnee_id}/access-requests")
@requires(Scope.RETURNEES_WRITE)
async def access_requests(
    returnee_id: UUID, session: SessionDep, caller: CallerDep
) -> Page[AccessRequestOut]:
    """Organisations that think that the returnee is a person of theirs, and ask to know; sharing
    answers them.
    """
    rows = await requests.load_access_requests(session, caller, returnee_id)
    return Page(items=[render_request(row) for row in rows])


@router.post("/{returnee_id}/merge")
@requires(Scope.RETURNEES_WRITE, person=True, if_match=True)
async def merge(
    returnee_id: UUID,
    body: MergeIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> ReturneeOut:
    """Say that two returnees are one person. From now on they are found under the other's id; no
    fact is re-keyed.
    """
    row = await merging.merge(session, caller, returnee_id, body.into, precondition)
    return await answer(session, caller, row, response)


@router.post("/{returnee_id}/unmerge")
@requires(Scope.RETURNEES_WRITE, person=True, if_match=True)
async def unmerge(
    returnee_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> ReturneeOut:
    """Undo a merge, with the ETag of the person they are found under now. Each has again what was
    recorded of them.
    """
    row = await merging.unmerge(session, caller, returnee_id, precondition)
    return await answer(session, caller, row, response)
