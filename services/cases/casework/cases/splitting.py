"""The case of a household that is split: who goes is followed in a case of their own."""

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlmodel import col, select, update

from chassis.db import Session
from chassis.ids import new_id
from chassis.outbox import publish
from contracts.cases import CaseProgressed, CaseSuspended, HouseholdChange
from contracts.codes import CaseState, Member
from services.cases.access.cases import load_members
from services.cases.casework.cases.service import follow_plan_lines, publish_opened
from services.cases.casework.deadlines import service as deadlines
from services.cases.models import (
    CaseFile,
    CaseMember,
    ContactAttempt,
    Household,
    Screening,
    ServiceReferral,
    Survey,
    Visit,
)
from services.cases.people.households.service import publish_household_change
from services.cases.people.rights.restriction import publish_restrictions_again
from services.cases.records import event_ids

OF_A_PERSON = (Screening, ContactAttempt, Visit, Survey, ServiceReferral)
"""What is about one person of a case and goes with them when their household splits."""
NOT_COPIED = frozenset(
    {"id", "version", "created_at", "updated_at", "referral_id", "household_id", "split_from"}
)


async def split_case(
    session: Session,
    case: CaseFile,
    household: Household,
    other: Household,
    places: Mapping[UUID, Member],
) -> None:
    """Follow those of a case who go in a case of their own.

    Args:
        session: The session.
        case: The case, locked.
        household: The household that they come from.
        other: The new household.
        places: Who goes, and their place in the new household.
    """
    members = (await load_members(session, [case.id]))[case.id]
    going = [member for member in members if member.returnee_id in places]
    if not going:
        return
    for member in going:
        left = HouseholdChange.LEFT
        publish_household_change(
            session, case, member.returnee_id, household.id, left, member.member
        )
    case.changed()
    if len(going) == sum(member.left_on is None for member in members):
        # Everybody of this case goes: the case goes with them.
        case.household_id = other.id
        for member in going:
            member.member = places[member.returnee_id]
            _publish_joined(session, case, member)
        return
    own = _copy(case, other)
    session.add(own)
    await session.flush()
    moved = await _move_members(session, own, going, places)
    await _take_along(session, case.id, own.id, [member.returnee_id for member in moved])
    for member in moved:
        await _publish_split_off(session, own, member)
    await deadlines.copy(session, case, own, moved)
    await follow_plan_lines(session, own, moved)


def _copy(case: CaseFile, household: Household) -> CaseFile:
    copied = {
        column.key: getattr(case, column.key)
        for column in CaseFile.__table__.columns
        if column.key not in NOT_COPIED
    }
    return CaseFile(id=new_id(), household_id=household.id, split_from=case.id, **copied)


async def _move_members(
    session: Session, own: CaseFile, going: list[CaseMember], places: Mapping[UUID, Member]
) -> list[CaseMember]:
    """Let members be in their own case; what is known of their arrivals goes with them."""
    moved = []
    for member in going:
        moved.append(
            CaseMember(
                case_id=own.id,
                returnee_id=member.returnee_id,
                member=places[member.returnee_id],
                arrival_id=member.arrival_id,
                arrival_state=member.arrival_state,
                arrived_on=member.arrived_on,
            )
        )
        await session.delete(member)
    session.add_all(moved)
    await session.flush()
    return moved


async def _publish_split_off(session: Session, own: CaseFile, member: CaseMember) -> None:
    publish_opened(session, own, member, member.arrived_on)
    ids = event_ids(own, member)
    # A projection begins every case before departure; this one goes on from where the other stands.
    if own.state is CaseState.SUSPENDED:
        publish(
            session,
            CaseSuspended(**ids, previous_state=own.suspended_from, since=own.suspended_on),
        )
    elif own.state is not CaseState.PRE_DEPARTURE:
        publish(
            session,
            CaseProgressed(**ids, previous_state=CaseState.PRE_DEPARTURE, state=own.state),
        )
    _publish_joined(session, own, member)
    await publish_restrictions_again(session, member.returnee_id)


def _publish_joined(session: Session, case: CaseFile, member: CaseMember) -> None:
    joined = HouseholdChange.JOINED
    publish_household_change(
        session, case, member.returnee_id, case.household_id, joined, member.member
    )


async def _take_along(
    session: Session, before: UUID, after: UUID, people: Collection[UUID]
) -> None:
    """Let what is about the people who go be in their own case."""
    visits = select(Visit.id).where(Visit.case_id == before, col(Visit.returnee_id).in_(people))
    await deadlines.move_visits(session, list(await session.scalars(visits)), after)
    for model in OF_A_PERSON:
        case_id, returnee_id = col(model.case_id), col(model.returnee_id)
        await session.execute(
            update(model).where(case_id == before, returnee_id.in_(people)).values(case_id=after)
        )
