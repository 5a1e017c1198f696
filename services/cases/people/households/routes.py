"""What happens to `/v1/households`."""

from uuid import UUID

from fastapi import Response

from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from services.cases.people.households import service
from services.cases.people.households.schemas import LeaveIn, SplitIn
from services.cases.people.returnees.routes import household as read
from services.cases.people.returnees.schemas import HouseholdOut

router = Router(prefix="/v1/households", tags=["returnees"])


@router.post("/{household_id}/split")
@requires(Scope.RETURNEES_WRITE, person=True, if_match=True)
async def split(
    household_id: UUID,
    body: SplitIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> HouseholdOut:
    """Make two households of one; who goes is followed in a case of their own. Answers with the new
    household.
    """
    _, other = await service.split(session, household_id, body, caller, precondition)
    return await read(other.id, session, caller, response)


@router.post("/{household_id}/leave")
@requires(Scope.RETURNEES_WRITE, person=True, if_match=True)
async def leave(
    household_id: UUID,
    body: LeaveIn,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> HouseholdOut:
    """Somebody left the household or died; where it was the head, another takes their place."""
    row = await service.leave(session, household_id, body, caller, precondition)
    return await read(row.id, session, caller, response)
