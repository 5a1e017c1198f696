"""`/v1/returnees/{id}/reassign`."""

from uuid import UUID

from fastapi import Response

from chassis.concurrency import set_etag
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from services.cases.follow_up.reassignment import service
from services.cases.follow_up.reassignment.schemas import ReassignedOut, ReassignIn

router = Router(prefix="/v1/returnees", tags=["returnees"])


@router.post("/{returnee_id}/reassign")
@requires(Scope.RETURNEES_WRITE, person=True, if_match=True)
async def reassign(
    returnee_id: UUID,
    body: ReassignIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> ReassignedOut:
    """Let a fact that was recorded of this returnee be another's. Merging and undoing a merge never
    move one.
    """
    fact = service.Fact(body.kind, body.id)
    row, case_id = await service.reassign(
        session, caller, returnee_id, precondition, fact, to=body.to, case_id=body.case_id
    )
    set_etag(response, row.version)
    return ReassignedOut(kind=body.kind, id=body.id, returnee_id=body.to, case_id=case_id)
