"""What is done with a cohort and concerns everybody in it."""

from uuid import UUID

from fastapi import Response

from chassis import audit
from chassis.pagination import Page
from chassis.routing import CallerDep, KeyringDep, PreconditionDep, Router, SessionDep, requires
from contracts.scopes import Scope
from participation import identities
from services.training.courses.routes import render_cohort
from services.training.courses.schemas import CohortChange, CohortDetail
from services.training.enrolments import service
from services.training.enrolments.schemas import Participant
from services.training.identities import Identity

router = Router(prefix="/v1/cohorts", tags=["training"])


@router.patch("/{cohort_id}")
@requires(Scope.COURSES_MANAGE, if_match=True)
async def change_cohort(
    cohort_id: UUID,
    body: CohortChange,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> CohortDetail:
    """Change a cohort: everybody in it is told, and new places are offered to who waits for one."""
    return await render_cohort(
        session, await service.change(session, caller, cohort_id, body, precondition), response
    )


@router.post("/{cohort_id}/cancel")
@requires(Scope.COURSES_MANAGE, if_match=True)
async def cancel_cohort(
    cohort_id: UUID,
    session: SessionDep,
    caller: CallerDep,
    precondition: PreconditionDep,
    response: Response,
) -> CohortDetail:
    """A cohort does not take place: everybody in it is told, and their enrolments are cancelled."""
    return await render_cohort(
        session, await service.cancel_cohort(session, caller, cohort_id, precondition), response
    )


@router.get("/{cohort_id}/participants")
@requires(Scope.TRAINING_READ)
async def read_roster(
    cohort_id: UUID, session: SessionDep, caller: CallerDep, keyring: KeyringDep
) -> Page[Participant]:
    """The roster: who has a place or waits for one, with their names; reading them is audited."""
    rows = await service.roster(session, caller, cohort_id)
    people = [row.returnee_id for row in rows]
    known = await identities.read_shown(session, caller, people, keyring, Identity)
    if known:
        audit.record(
            session,
            caller,
            "read-identity",
            "cohort",
            cohort_id,
            {"returnees": [str(r) for r in sorted(known)]},
        )
    items = [
        Participant.model_validate(row).model_copy(update={"identity": known.get(row.returnee_id)})
        for row in rows
    ]
    return Page(items=items)
