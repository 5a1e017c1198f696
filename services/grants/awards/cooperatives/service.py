"""Cooperatives: proposed with shares, selected by a committee, formed; and what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select, update

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import CONFLICT, FORBIDDEN, FieldError, Problem, invalid, state_conflict
from chassis.ids import new_id
from chassis.loading import id_taken
from contracts import grants as events
from contracts.codes import CaseState
from contracts.entitlements import Cooperatives
from participation.aliases import resolve_all
from services.grants import people
from services.grants.awards.cooperatives import joint_grants, rules
from services.grants.awards.cooperatives.events import publish_cooperative_event
from services.grants.awards.cooperatives.loading import (
    load_committee,
    load_members,
    lock_cooperative,
)
from services.grants.awards.cooperatives.rules import MACHINE, Action
from services.grants.awards.grants.loading import local_today
from services.grants.codes import ActivityKind, CooperativeKind
from services.grants.models import (
    CommitteeMember,
    Cooperative,
    CooperativeActivity,
    CooperativeMember,
    Participant,
)
from services.grants.programmes.data import assistance
from services.grants.states import CooperativeState


@dataclass(frozen=True, slots=True)
class Founder:
    """Somebody who sets a cooperative up with others."""

    returnee_id: UUID
    case_id: UUID
    share: Decimal


@dataclass(frozen=True, slots=True)
class CooperativeProposal:
    """What several returnees want to set up together.

    Attributes:
        name: Free text; never published.
        description: Likewise.
        kind: What it is for.
        shares: How many there are; the members' add up to them.
        members: Who, each in their case and with their share.
        id: Chosen by the client, or None.
    """

    name: str
    description: str | None
    kind: CooperativeKind
    shares: Decimal
    members: Sequence[Founder]
    id: UUID | None = None


async def propose(
    session: Session, caller: Caller, proposal: CooperativeProposal, *, caught_up: bool
) -> Cooperative:
    """Propose one: its members are of one programme, and one organisation assists them all.

    Raises:
        Problem: 404, 403, 409, 422.
        NotKnownYet: A member may not be known here yet.
    """
    persons = [
        await people.load_participant(
            session, caller, member.case_id, member.returnee_id, caught_up=caught_up
        )
        for member in proposal.members
    ]
    existing = await session.get(Cooperative, proposal.id) if proposal.id is not None else None
    if existing is not None:
        return await _same_proposal(session, existing, proposal)
    allowed = await _check_members(session, persons)
    cooperative = Cooperative(
        id=proposal.id or new_id(),
        programme=persons[0].programme,
        implementer=persons[0].implementer,
        name=proposal.name,
        description=proposal.description,
        kind=proposal.kind,
        state=CooperativeState.PROPOSED,
        shares=proposal.shares,
        proposer=people.actor(caller.require_person()),
        committee_needed=allowed.committee,
    )
    session.add(cooperative)
    try:
        await session.flush()
    except IntegrityError:
        raise id_taken() from None
    session.add_all(
        CooperativeMember(
            cooperative_id=cooperative.id,
            place=place,
            returnee_id=member.returnee_id,
            case_id=member.case_id,
            share=member.share,
        )
        for place, member in enumerate(proposal.members)
    )
    await session.flush()
    await publish_cooperative_event(session, cooperative, events.CooperativeProposed)
    audit.record(session, caller, "propose", MACHINE.resource, cooperative.id)
    return cooperative


async def _same_proposal(
    session: Session, existing: Cooperative, proposal: CooperativeProposal
) -> Cooperative:
    """The cooperative that was proposed before under the same id.

    Raises:
        Problem: 409, it is another one.
    """
    before = [(m.returnee_id, m.case_id) for m in await load_members(session, existing.id)]
    wanted = [(member.returnee_id, member.case_id) for member in proposal.members]
    if before != wanted or (existing.name, existing.kind) != (proposal.name, proposal.kind):
        raise id_taken()
    return existing


async def _check_members(session: Session, persons: Sequence[Participant]) -> Cooperatives:
    """What the programme of the members says of cooperatives; refused where it does not let them
    have one.

    Raises:
        Problem: 403, 409, 422.
    """
    first = persons[0]
    for index, person in enumerate(persons):
        if (person.programme, person.implementer) != (first.programme, first.implementer):
            pointer = f"/members/{index}/case_id"
            detail = "members of one programme whom one organisation assists"
            raise invalid(FieldError(pointer=pointer, code="another_programme", detail=detail))
    allowed = assistance(first.programme, first.programme_version).cooperatives
    if allowed is None:
        raise Problem(FORBIDDEN, "the programme has no cooperatives")
    if any(person.case_state is CaseState.CLOSED for person in persons):
        raise state_conflict(CaseState.CLOSED, [], "propose")
    roots = await resolve_all(session, [person.returnee_id for person in persons])
    if len(set(roots.values())) < len(persons):
        detail = "each person once"
        raise invalid(FieldError(pointer="/members", code="member_twice", detail=detail))
    if len(persons) < allowed.members:
        detail = f"at least {allowed.members}"
        raise invalid(FieldError(pointer="/members", code="too_few", detail=detail))
    return allowed


async def select_proposal(
    session: Session,
    caller: Caller,
    cooperative_id: UUID,
    precondition: Precondition,
    minutes: UUID,
) -> Cooperative:
    """The yes of one person of the committee; with enough of them it is selected.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409 (also where the minutes are others), 412, 428.
    """
    cooperative = await lock_cooperative(session, caller, cooperative_id)
    MACHINE.require(cooperative, Action.SELECT, precondition)
    actor = people.actor(caller.require_person())
    said_yes = await load_committee(session, cooperative.id)
    rules.check_committee(actor, cooperative.proposer, said_yes)
    if cooperative.minutes not in {None, minutes}:
        raise Problem(
            CONFLICT, "the committee has one meeting: the minutes that the first of it named"
        )
    session.add(CommitteeMember(cooperative_id=cooperative.id, actor=actor))
    enough = len(said_yes) + 1 >= cooperative.committee_needed
    await MACHINE.move(
        session,
        caller,
        cooperative,
        Action.SELECT,
        to=CooperativeState.SELECTED if enough else cooperative.state,
        minutes=minutes,
    )
    if enough:
        await publish_cooperative_event(session, cooperative, events.CooperativeSelected)
    return cooperative


async def reject(
    session: Session,
    caller: Caller,
    cooperative_id: UUID,
    precondition: Precondition,
    reason: events.CooperativeReason,
) -> Cooperative:
    """The committee did not select it.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    cooperative = await lock_cooperative(session, caller, cooperative_id)
    MACHINE.require(cooperative, Action.REJECT, precondition)
    rules.check_committee(people.actor(caller.require_person()), cooperative.proposer, ())
    details = {"reason": reason}
    await MACHINE.move(session, caller, cooperative, Action.REJECT, details=details, reason=reason)
    await publish_cooperative_event(session, cooperative, events.CooperativeRejected, reason=reason)
    return cooperative


async def form(
    session: Session,
    caller: Caller,
    cooperative_id: UUID,
    precondition: Precondition,
    *,
    formed_on: date,
    statutes: UUID,
) -> Cooperative:
    """The members set it up.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    cooperative = await lock_cooperative(session, caller, cooperative_id)
    MACHINE.require(cooperative, Action.FORM, precondition)
    await check_has_come(session, cooperative, formed_on, "/formed_on")
    await MACHINE.move(
        session, caller, cooperative, Action.FORM, formed_on=formed_on, statutes=statutes
    )
    await joint_grants.cite_papers(session, cooperative)
    await publish_cooperative_event(
        session, cooperative, events.CooperativeFormed, formed_on=formed_on
    )
    return cooperative


async def check_has_come(
    session: Session, cooperative: Cooperative, day: date, pointer: str
) -> None:
    """Refuse a day that has not begun where the cooperative is.

    Raises:
        Problem: 422.
    """
    if day > await local_today(session, cooperative.programme, cooperative.implementer):
        raise invalid(FieldError(pointer=pointer, code="in_future", detail="a day that has come"))


async def change_shares(
    session: Session,
    caller: Caller,
    cooperative_id: UUID,
    precondition: Precondition,
    *,
    shares: Decimal,
    by_member: dict[UUID, Decimal],
) -> Cooperative:
    """Give the same members other shares; what was granted to each stays as it was granted.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    cooperative = await lock_cooperative(session, caller, cooperative_id)
    MACHINE.require(cooperative, Action.SHARES, precondition)
    members = {member.returnee_id: member for member in await load_members(session, cooperative.id)}
    if members.keys() != by_member.keys():
        detail = "the members that it has"
        raise invalid(FieldError(pointer="/members", code="other_members", detail=detail))
    before = {str(returnee_id): str(member.share) for returnee_id, member in members.items()}
    for returnee_id, share in by_member.items():
        members[returnee_id].share = share
    MACHINE.apply(cooperative, Action.SHARES, shares=shares)
    await session.flush()
    after = {str(returnee_id): str(share) for returnee_id, share in by_member.items()}
    details = {"from": before, "to": after}
    audit.record(session, caller, "change-shares", MACHINE.resource, cooperative.id, details)
    return cooperative


async def cite(
    session: Session,
    caller: Caller,
    cooperative_id: UUID,
    kind: ActivityKind,
    activity_id: UUID,
    held_on: date,
    pointer: str,
) -> Cooperative:
    """Note a training or a visit that was recorded elsewhere; again changes nothing.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    cooperative = await lock_cooperative(session, caller, cooperative_id)
    MACHINE.require(cooperative, Action.CITE)
    await check_has_come(session, cooperative, held_on, pointer)
    known = await session.get(CooperativeActivity, (cooperative.id, kind, activity_id))
    if known is not None and known.held_on == held_on:
        return cooperative
    if known is None:
        session.add(
            CooperativeActivity(
                cooperative_id=cooperative.id, kind=kind, activity_id=activity_id, held_on=held_on
            )
        )
    else:
        known.held_on = held_on
    MACHINE.apply(cooperative, Action.CITE)
    await session.flush()
    audit.record(session, caller, f"cite-{kind}", MACHINE.resource, cooperative.id)
    return cooperative


async def scrub(session: Session, returnee_id: UUID) -> None:
    """Keep the cooperative without the person, and without words that may be about them."""
    memberships = select(CooperativeMember.cooperative_id).where(
        CooperativeMember.returnee_id == returnee_id
    )
    ids = (await session.scalars(memberships)).all()
    if not ids:
        return
    await session.execute(
        update(Cooperative).where(col(Cooperative.id).in_(ids)).values(description=None, name="")
    )
    await session.execute(
        update(CooperativeMember)
        .where(col(CooperativeMember.returnee_id) == returnee_id)
        .values(returnee_id=None, case_id=None)
    )
