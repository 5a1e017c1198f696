"""Who may know of whom, and who decides: some only look, and some only give a course."""

from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import and_, col, or_, select

from chassis.auth import Caller, OrganisationKind
from chassis.db import Session
from chassis.errors import FORBIDDEN, NOT_FOUND, Problem
from contracts.training import Phase
from participation.access import Role, holds, roles_of, visible
from services.training.models import Cohort, CohortSession, Enrolment, Provider
from services.training.states import EnrolmentAction, EnrolmentState

WORKERS = frozenset({Role.PARTNER, Role.PROGRAMME})
ALL_BUT_PROVIDERS = frozenset(Role) - {Role.PROVIDER}
"""Who is told of work and mentors; whoever gives a course knows of the course."""
WHO_WORKS = "the implementing organisation and the programme office decide"


def _given_by(caller: Caller) -> ColumnElement[bool]:
    """Whether the caller gives the cohort in which the person has a place, or had one when it had
    begun.
    """
    theirs = (
        select(Cohort.id)
        .join(Provider, col(Provider.id) == Cohort.provider_id)
        .where(Provider.slug == caller.organisation, Cohort.id == Enrolment.cohort_id)
    )
    was_there = select(CohortSession.cohort_id).where(
        CohortSession.cohort_id == Enrolment.cohort_id,
        col(CohortSession.starts_at) < Enrolment.left_at,
    )
    return and_(
        holds(col(Enrolment.returnee_id), {Role.PROVIDER}, caller),
        theirs.exists(),
        col(Enrolment.state).in_(EnrolmentState.HAS_A_PLACE) | was_there.exists(),
    )


def mine(caller: Caller) -> ColumnElement[bool]:
    """The predicate that every query about enrolments passes through: a training provider sees its
    own cohorts'.
    """
    if caller.kind is OrganisationKind.TRAINING_PROVIDER:
        return _given_by(caller)
    return visible(col(Enrolment.returnee_id), caller)


def decides(caller: Caller, action: EnrolmentAction) -> ColumnElement[bool]:
    """Whether the caller may do something about an enrolment, in SQL.

    A referrer decides about what it prepares before the departure; whoever gives the course notes
    what happens in it.
    """
    before = and_(
        Enrolment.phase == Phase.PRE_DEPARTURE,
        holds(col(Enrolment.returnee_id), WORKERS | {Role.REFERRER}, caller),
    )
    may = or_(holds(col(Enrolment.returnee_id), WORKERS, caller), before)
    return or_(may, _given_by(caller)) if action in EnrolmentAction.BY_PROVIDER else may


async def must_work_for(
    session: Session, returnee_id: UUID, caller: Caller, *, phase: str | None = None
) -> None:
    """Refuse who may only look.

    Args:
        session: The session.
        returnee_id: For whom.
        caller: Who wants to do something for them.
        phase: Of the course that it is about; before the departure the referrer works for them too.

    Raises:
        Problem: 403; 404 for who is not told of it at all.
    """
    if caller.is_internal:
        return
    roles = await roles_of(session, returnee_id, caller)
    if not roles & ALL_BUT_PROVIDERS:
        raise Problem(NOT_FOUND)
    if not roles & (WORKERS | {Role.REFERRER} if phase == Phase.PRE_DEPARTURE else WORKERS):
        raise Problem(FORBIDDEN, WHO_WORKS)
