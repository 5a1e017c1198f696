"""`/v1/households`."""

from uuid import UUID

from fastapi import Response

from chassis.concurrency import set_etag
from chassis.routing import CallerDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from services.cases.models import Household, HouseholdMember
from services.cases.people.households import memberships, service
from services.cases.people.households.schemas import (
    HouseholdMemberOut,
    HouseholdOut,
    LeaveIn,
    SplitIn,
)

households = Router(prefix="/v1/households", tags=["households"])
router = Router(prefix="/v1/households", tags=["returnees"])


def render(household: Household, members: list[HouseholdMember]) -> HouseholdOut:
    """A household as it is answered."""
    return HouseholdOut(
        id=household.id,
        members=[
            HouseholdMemberOut(
                returnee_id=member.returnee_id,
                relationship=member.relationship,
                member=member.member,
                since=member.since,
                until=member.until,
            )
            for member in members
        ],
        created_at=household.created_at,
        updated_at=household.updated_at,
    )


@households.get("/{household_id}")
@requires(Scope.RETURNEES_READ)
async def household(
    household_id: UUID, session: SessionDep, caller: CallerDep, response: Response
) -> HouseholdOut:
    """A household and those of its members whom the organisation may know of."""
    row, members = await memberships.load_household(session, caller, household_id)
    set_etag(response, row.version)
    return render(row, members)


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
    _, other = await service.split(
        session,
        caller,
        household_id,
        precondition,
        going=body.members,
        principal=body.principal,
        successor=body.successor,
        reason=body.reason,
    )
    return await household(other.id, session, caller, response)


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
    row = await service.leave(
        session,
        caller,
        household_id,
        precondition,
        returnee_id=body.returnee_id,
        on=body.on,
        reason=body.reason,
        successor=body.successor,
    )
    return await household(row.id, session, caller, response)
