"""The one grant of all members of a cooperative, each one's part as their share."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import CONFLICT, Problem
from contracts.codes import CaseState, HelpKind, Money
from contracts.currencies import split
from contracts.grants import GrantReason
from services.grants import people, supporting_documents
from services.grants.awards.cooperatives.loading import load_members, lock_cooperative
from services.grants.awards.cooperatives.rules import MACHINE, Action
from services.grants.awards.grants.decisions import cancel_locked
from services.grants.awards.grants.eligibility import GrantRequest, GrantShare
from services.grants.awards.grants.loading import lock_grants, lock_payments_on_their_way
from services.grants.awards.grants.requesting import request_grant
from services.grants.models import Cooperative, CooperativeMember, Grant, Participant
from services.grants.states import OVER, UNDECIDED


async def request_joint_grant(
    session: Session,
    caller: Caller,
    cooperative_id: UUID,
    precondition: Precondition,
    *,
    amount: Money,
    budget_id: UUID | None,
    description: str | None,
) -> Cooperative:
    """Request one grant for all of them: each one's part, as their share, counts against their own
    ceilings.

    It takes the place of what a member's plan asked for and nobody decided yet.

    Raises:
        Problem: 404, 403, 409 (also `ceiling-exceeded`, `programme-rule`, `budget-exhausted`), 412,
            422, 428.
    """
    cooperative = await lock_cooperative(session, caller, cooperative_id)
    MACHINE.require(cooperative, Action.GRANT, precondition)
    if cooperative.grant_id is not None:
        existing = await session.get_one(Grant, cooperative.grant_id)
        if not existing.state.is_given_up:
            raise Problem(CONFLICT, "it has its grant")
    members = await load_members(session, cooperative.id)
    persons = [await _person_of(session, member) for member in members]
    shares = [member.share / cooperative.shares for member in members]
    amounts = split(amount.amount, shares, amount.currency)
    lines = await _take_planned_lines(session, caller, members)
    parts = tuple(
        GrantShare(person, member.share, of_member, lines.get(person.returnee_id))
        for person, member, of_member in zip(persons, members, amounts, strict=True)
    )
    request = GrantRequest(
        participant=parts[0].participant,
        kind=HelpKind.COOPERATIVE,
        amount=amount.amount,
        currency=amount.currency,
        requester=people.actor(caller.require_person()),
        caller=caller,
        budget_id=budget_id,
        description=description,
        shares=parts,
    )
    MACHINE.apply(cooperative, Action.GRANT, grant_id=(await request_grant(session, request)).id)
    await session.flush()
    await cite_papers(session, cooperative)
    audit.record(session, caller, "request-grant", MACHINE.resource, cooperative.id)
    return cooperative


async def _person_of(session: Session, member: CooperativeMember) -> Participant:
    """A member in their case.

    Raises:
        Problem: 409, they were erased.
    """
    person = None
    if member.returnee_id is not None:
        person = await session.get(Participant, (member.case_id, member.returnee_id))
    if person is None:
        raise Problem(CONFLICT, "a member is not known any more")
    return person


async def cite_papers(session: Session, cooperative: Cooperative) -> None:
    """Have cases asked for minutes and statutes, once there is a grant whose money waits for
    them.
    """
    if cooperative.grant_id is not None:
        papers = [paper for paper in (cooperative.minutes, cooperative.statutes) if paper]
        await supporting_documents.cite(session, cooperative.grant_id, papers)


async def _take_planned_lines(
    session: Session, caller: Caller, members: Sequence[CooperativeMember]
) -> dict[UUID, UUID]:
    """The lines of members' plans for a cooperative that nobody decided about; their own grants end
    here.
    """
    everybody = [member.returnee_id for member in members if member.returnee_id is not None]
    cases = [member.case_id for member in members if member.case_id is not None]
    planned = await lock_grants(
        session,
        col(Grant.returnee_id).in_(everybody),
        col(Grant.case_id).in_(cases),
        col(Grant.plan_line_id).is_not(None),
        col(Grant.kind) == HelpKind.COOPERATIVE,
        col(Grant.state).in_(UNDECIDED),
    )
    lines: dict[UUID, UUID] = {}
    for grant in planned:
        assert grant.returnee_id is not None
        assert grant.plan_line_id is not None
        lines.setdefault(grant.returnee_id, grant.plan_line_id)
        # The joint grant fulfils the line now; that this one ends does not end the line.
        grant.plan_line_id = None
        await cancel_locked(session, caller, grant, GrantReason.ALREADY_FUNDED)
    return lines


async def pass_on(session: Session, returnee_id: UUID, case_id: UUID | None = None) -> None:
    """Let another member stand for the joint grants of somebody whose case ended or who was erased.

    Args:
        session: The session.
        returnee_id: Who does no more.
        case_id: In this case only.
    """
    where = [
        col(Grant.returnee_id) == returnee_id,
        func.jsonb_array_length(Grant.parts) > 0,
        col(Grant.state).not_in(OVER),
    ]
    if case_id is not None:
        where.append(col(Grant.case_id) == case_id)
    for grant in await lock_grants(session, *where):
        other = await _other_member(session, grant, returnee_id)
        if other is None:
            continue
        grant.returnee_id = other.returnee_id
        grant.case_id, grant.household_id = other.case_id, other.household_id
        grant.changed()
        for payment in await lock_payments_on_their_way(session, grant.id):
            payment.returnee_id = other.returnee_id
            payment.changed()
    await session.flush()


async def _other_member(session: Session, grant: Grant, returnee_id: UUID) -> Participant | None:
    """A member whom a joint grant is of and whose case is open, other than one."""
    parts = [part for part in grant.parts if part["returnee_id"] not in {None, str(returnee_id)}]
    rows = await session.scalars(
        select(Participant)
        .where(
            col(Participant.case_id).in_([UUID(part["case_id"]) for part in parts]),
            col(Participant.returnee_id).in_([UUID(part["returnee_id"]) for part in parts]),
            col(Participant.case_state) != CaseState.CLOSED,
        )
        .order_by(col(Participant.returnee_id))
        .limit(1)
    )
    return rows.first()
