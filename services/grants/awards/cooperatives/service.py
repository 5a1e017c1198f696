"""Cooperatives: proposed with shares, selected by a committee, formed; granted jointly, and what
came of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select, update

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    FieldError,
    Problem,
    invalid,
    state_conflict,
)
from chassis.ids import new_id
from chassis.outbox import publish
from contracts import grants as facts
from contracts.codes import CaseState, HelpKind, Money
from contracts.currencies import split
from contracts.entitlements import Cooperatives
from participation.access import visible
from participation.aliases import resolve_all
from services.grants import people, supporting_documents
from services.grants.awards.cooperatives import rules
from services.grants.awards.cooperatives.models import (
    CommitteeMember,
    Cooperative,
    CooperativeActivity,
    CooperativeImpact,
    CooperativeMember,
)
from services.grants.awards.cooperatives.rules import Action, CooperativeState
from services.grants.awards.cooperatives.schemas import (
    CooperativeDetail,
    CooperativeIn,
    CooperativeOut,
    FormIn,
    ImpactIn,
    ImpactOut,
    JointGrantIn,
    MemberOut,
    SharesIn,
    TrainingOut,
    VisitOut,
)
from services.grants.awards.grants import service as grants
from services.grants.awards.grants.rules import UNDECIDED
from services.grants.models import Grant, Participant
from services.grants.payments.payments.service import FINAL_OF_GRANT
from services.grants.programmes.data import assistance
from services.grants.schemas import money

RESOURCE = "cooperative"
NO_GRANT = ("rejected", "cancelled")


def seen_by(caller: Caller) -> ColumnElement[bool]:
    """Cooperatives with a member in whose return the caller takes part."""
    return exists(
        select(1).where(
            CooperativeMember.cooperative_id == Cooperative.id,
            visible(col(CooperativeMember.returnee_id), caller),
        )
    )


def listed(
    caller: Caller,
    *,
    programme: str | None,
    state: CooperativeState | None,
    returnee_id: UUID | None,
    updated_since: Any,
) -> Select[Any]:
    """Cooperatives of people in whose return the caller takes part."""
    query: Select[Any] = select(Cooperative).where(seen_by(caller))
    if programme is not None:
        query = query.where(col(Cooperative.programme) == programme)
    if state is not None:
        query = query.where(col(Cooperative.state) == state)
    if returnee_id is not None:
        theirs = select(CooperativeMember.cooperative_id).where(
            CooperativeMember.returnee_id == returnee_id,
            visible(col(CooperativeMember.returnee_id), caller),
        )
        query = query.where(col(Cooperative.id).in_(theirs))
    if updated_since is not None:
        query = query.where(Cooperative.updated_at >= updated_since)
    return query


async def find(session: Session, cooperative_id: UUID, caller: Caller) -> Cooperative:
    """A cooperative that the caller may know of.

    Raises:
        Problem: 404.
    """
    there: Cooperative | None = await session.scalar(
        select(Cooperative).where(Cooperative.id == cooperative_id, seen_by(caller))
    )
    if there is None:
        raise Problem(NOT_FOUND)
    return there


async def locked(session: Session, cooperative_id: UUID, caller: Caller) -> Cooperative:
    """A cooperative to work on, locked.

    Raises:
        Problem: 404, or 403 for who does not work for one of its members.
    """
    there: Cooperative | None = await session.scalar(
        select(Cooperative)
        .where(Cooperative.id == cooperative_id, seen_by(caller))
        .with_for_update(of=Cooperative),
        execution_options={"populate_existing": True},
    )
    if there is None:
        raise Problem(NOT_FOUND)
    for member in await members_of(session, there.id):
        await people.must_work_for(session, member.returnee_id, caller)
    return there


async def members_of(session: Session, cooperative_id: UUID) -> Sequence[CooperativeMember]:
    """Everybody in it, in the order in which they were named."""
    query = select(CooperativeMember).where(CooperativeMember.cooperative_id == cooperative_id)
    rows = await session.scalars(
        query.order_by(col(CooperativeMember.place)), execution_options={"populate_existing": True}
    )
    return rows.all()


async def tell(
    session: Session, there: Cooperative, model: type[facts.CooperativeFact], **more: Any
) -> None:
    """Publish a fact about a cooperative, once of each member; of somebody who was erased nothing
    is told.
    """
    members = await members_of(session, there.id)
    for member in members:
        if member.returnee_id is None or member.case_id is None:
            continue
        who = await session.get(Participant, (member.case_id, member.returnee_id))
        fact = model(
            cooperative_id=there.id,
            returnee_id=member.returnee_id,
            case_id=member.case_id,
            household_id=who.household_id if who else None,
            programme=there.programme,
            members=len(members),
            **more,
        )
        publish(session, fact)


async def propose(
    session: Session, caller: Caller, body: CooperativeIn, *, caught_up: bool
) -> Cooperative:
    """Propose one: its members are of one programme, and one organisation assists them all.

    Raises:
        Problem: 404, 403, 409, 422.
        NotKnownYet: A member may not be known here yet.
    """
    who = [
        await people.participant(
            session, member.case_id, member.returnee_id, caller, caught_up=caught_up
        )
        for member in body.members
    ]
    if body.id is not None:
        there = await session.get(Cooperative, body.id)
        if there is not None:
            return await _same(session, there, body)
    first = who[0]
    allowed = _allowed(who)
    if any(each.state == CaseState.CLOSED for each in who):
        raise state_conflict(CaseState.CLOSED, [], "propose")
    roots = await resolve_all(session, [each.returnee_id for each in who])
    if len(set(roots.values())) < len(who):
        raise invalid(
            FieldError(pointer="/members", code="member_twice", detail="each person once")
        )
    if len(who) < allowed.members:
        raise invalid(
            FieldError(pointer="/members", code="too_few", detail=f"at least {allowed.members}")
        )
    made = Cooperative(
        id=body.id or new_id(),
        programme=first.programme,
        implementer=first.implementer,
        name=body.name,
        description=body.description,
        kind=body.kind,
        state=CooperativeState.PROPOSED,
        shares=body.shares,
        proposer=people.actor(caller.require_person()),
        committee_needed=allowed.committee,
    )
    session.add(made)
    try:
        await session.flush()
    except IntegrityError:
        raise Problem(CONFLICT, "the id is taken by something else") from None
    session.add_all(
        CooperativeMember(
            cooperative_id=made.id,
            place=place,
            returnee_id=member.returnee_id,
            case_id=member.case_id,
            share=member.share,
        )
        for place, member in enumerate(body.members)
    )
    await session.flush()
    await tell(session, made, facts.CooperativeProposed)
    audit.record(session, caller, "propose", RESOURCE, made.id)
    return made


async def _same(session: Session, there: Cooperative, body: CooperativeIn) -> Cooperative:
    members = [
        (member.returnee_id, member.case_id) for member in await members_of(session, there.id)
    ]
    wanted = [(member.returnee_id, member.case_id) for member in body.members]
    if members != wanted or (there.name, there.kind) != (body.name, body.kind):
        raise Problem(CONFLICT, "the id is taken by something else")
    return there


def _allowed(who: Sequence[Participant]) -> Cooperatives:
    first = who[0]
    for place, each in enumerate(who):
        if (each.programme, each.implementer) != (first.programme, first.implementer):
            raise invalid(
                FieldError(
                    pointer=f"/members/{place}/case_id",
                    code="another_programme",
                    detail="members of one programme whom one organisation assists",
                )
            )
    allowed = assistance(first.programme, first.programme_version).cooperatives
    if allowed is None:
        raise Problem(FORBIDDEN, "the programme has no cooperatives")
    return allowed


async def select_it(
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
    there = await locked(session, cooperative_id, caller)
    precondition.check(there.version)
    state = rules.after(there.state, Action.SELECT)
    actor = people.actor(caller.require_person())
    said_yes = await committee(session, there.id)
    rules.check_committee(actor, there.proposer, said_yes)
    if there.minutes not in {None, minutes}:
        raise Problem(
            CONFLICT, "the committee has one meeting: the minutes that the first of it named"
        )
    there.minutes = minutes
    session.add(CommitteeMember(cooperative_id=there.id, actor=actor))
    there.changed()
    if len(said_yes) + 1 >= there.committee_needed:
        there.state = state
        await tell(session, there, facts.CooperativeSelected)
    await session.flush()
    audit.record(session, caller, "select", RESOURCE, there.id)
    return there


async def committee(session: Session, cooperative_id: UUID) -> list[UUID]:
    """Who of the committee said yes, in that order."""
    query = select(CommitteeMember.actor).where(CommitteeMember.cooperative_id == cooperative_id)
    return list(
        await session.scalars(query.order_by(col(CommitteeMember.at), col(CommitteeMember.actor)))
    )


async def reject(
    session: Session,
    caller: Caller,
    cooperative_id: UUID,
    precondition: Precondition,
    reason: facts.CooperativeReason,
) -> Cooperative:
    """The committee did not select it.

    Raises:
        Problem: 404, 403 (also `four-eyes`), 409, 412, 428.
    """
    there = await locked(session, cooperative_id, caller)
    precondition.check(there.version)
    state = rules.after(there.state, Action.REJECT)
    rules.check_committee(people.actor(caller.require_person()), there.proposer, ())
    there.state, there.reason = state, reason
    there.changed()
    await session.flush()
    await tell(session, there, facts.CooperativeRejected, reason=reason)
    audit.record(session, caller, "reject", RESOURCE, there.id, {"reason": reason})
    return there


async def form(
    session: Session, caller: Caller, cooperative_id: UUID, precondition: Precondition, body: FormIn
) -> Cooperative:
    """The members set it up.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    there = await locked(session, cooperative_id, caller)
    precondition.check(there.version)
    state = rules.after(there.state, Action.FORM)
    await _has_come(session, there, body.formed_on, "/formed_on")
    there.state, there.formed_on, there.statutes = state, body.formed_on, body.statutes
    there.changed()
    await session.flush()
    await _cite_papers(session, there)
    await tell(session, there, facts.CooperativeFormed, formed_on=body.formed_on)
    audit.record(session, caller, "form", RESOURCE, there.id)
    return there


async def _cite_papers(session: Session, there: Cooperative) -> None:
    """Have cases asked for its minutes and statutes, once there is a grant whose money waits for
    them.
    """
    if there.grant_id is not None:
        await supporting_documents.cite(
            session, there.grant_id, [each for each in (there.minutes, there.statutes) if each]
        )


async def _has_come(session: Session, there: Cooperative, day: date, pointer: str) -> None:
    if day > await grants.today(session, there.programme, there.implementer):
        raise invalid(FieldError(pointer=pointer, code="in_future", detail="a day that has come"))


async def change_shares(
    session: Session,
    caller: Caller,
    cooperative_id: UUID,
    precondition: Precondition,
    body: SharesIn,
) -> Cooperative:
    """Give the same members other shares; what was granted to each stays as it was granted.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    there = await locked(session, cooperative_id, caller)
    precondition.check(there.version)
    rules.after(there.state, Action.SHARES)
    members = {member.returnee_id: member for member in await members_of(session, there.id)}
    if members.keys() != {member.returnee_id for member in body.members}:
        raise invalid(
            FieldError(pointer="/members", code="other_members", detail="the members that it has")
        )
    before = {str(returnee_id): str(member.share) for returnee_id, member in members.items()}
    for each in body.members:
        members[each.returnee_id].share = each.share
    there.shares = body.shares
    there.changed()
    await session.flush()
    after = {str(each.returnee_id): str(each.share) for each in body.members}
    audit.record(
        session, caller, "change-shares", RESOURCE, there.id, {"from": before, "to": after}
    )
    return there


async def request_grant(
    session: Session,
    caller: Caller,
    cooperative_id: UUID,
    precondition: Precondition,
    body: JointGrantIn,
) -> Cooperative:
    """Request one grant for all of them: each one's part, as their share, counts against their own
    ceilings.

    It takes the place of what a member's plan asked for and nobody decided yet.

    Raises:
        Problem: 404, 403, 409 (also `ceiling-exceeded`, `programme-rule`, `budget-exhausted`), 412,
            422, 428.
    """
    there = await locked(session, cooperative_id, caller)
    precondition.check(there.version)
    rules.after(there.state, Action.GRANT)
    if (
        there.grant_id is not None
        and (await session.get_one(Grant, there.grant_id)).state not in NO_GRANT
    ):
        raise Problem(CONFLICT, "it has its grant")
    members = await members_of(session, there.id)
    who = [
        await session.get(Participant, (member.case_id, member.returnee_id))
        if member.returnee_id
        else None
        for member in members
    ]
    if any(each is None for each in who):
        raise Problem(CONFLICT, "a member is not known any more")
    amounts = split(
        body.amount.amount,
        [member.share / there.shares for member in members],
        body.amount.currency,
    )
    lines = await _planned(session, caller, members)
    parts = tuple(
        grants.Part(each, member.share, amount, lines.get(each.returnee_id))
        for each, member, amount in zip(who, members, amounts, strict=True)
        if each is not None
    )
    asked = grants.Asked(
        participant=parts[0].participant,
        kind=HelpKind.COOPERATIVE,
        amount=body.amount.amount,
        currency=body.amount.currency,
        requester=people.actor(caller.require_person()),
        caller=caller,
        budget_id=body.budget_id,
        description=body.description,
        parts=parts,
    )
    there.grant_id = (await grants.request(session, asked)).id
    there.changed()
    await session.flush()
    await _cite_papers(session, there)
    audit.record(session, caller, "request-grant", RESOURCE, there.id)
    return there


async def _planned(
    session: Session, caller: Caller, members: Sequence[CooperativeMember]
) -> dict[UUID, UUID]:
    """The lines of members' plans for a cooperative that nobody decided about; their own grants end
    here.
    """
    everybody = [member.returnee_id for member in members if member.returnee_id is not None]
    cases = [member.case_id for member in members if member.case_id is not None]
    rows = await session.scalars(
        select(Grant)
        .where(
            col(Grant.returnee_id).in_(everybody),
            col(Grant.case_id).in_(cases),
            col(Grant.plan_line_id).is_not(None),
        )
        .where(Grant.kind == HelpKind.COOPERATIVE, col(Grant.state).in_(sorted(UNDECIDED)))
        .order_by(col(Grant.id))
        .with_for_update(),
        execution_options={"populate_existing": True},
    )
    lines: dict[UUID, UUID] = {}
    for grant in rows.all():
        assert grant.returnee_id is not None
        assert grant.plan_line_id is not None
        lines.setdefault(grant.returnee_id, grant.plan_line_id)
        grant.plan_line_id = (
            None  # the joint grant fulfils the line now; that this one ends does not end the line
        )
        await grants.end(session, caller, grant, (), facts.GrantReason.ALREADY_FUNDED)
    return lines


async def cite(
    session: Session,
    caller: Caller,
    cooperative_id: UUID,
    kind: str,
    activity_id: UUID,
    held_on: date,
    pointer: str,
) -> Cooperative:
    """Note a training or a visit that was recorded elsewhere; again changes nothing.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    there = await locked(session, cooperative_id, caller)
    rules.after(there.state, Action.CITE)
    await _has_come(session, there, held_on, pointer)
    known = await session.get(CooperativeActivity, (there.id, kind, activity_id))
    if known is not None and known.held_on == held_on:
        return there
    if known is None:
        session.add(
            CooperativeActivity(
                cooperative_id=there.id, kind=kind, activity_id=activity_id, held_on=held_on
            )
        )
    else:
        known.held_on = held_on
    there.changed()
    await session.flush()
    audit.record(session, caller, f"cite-{kind}", RESOURCE, there.id)
    return there


async def report(
    session: Session, caller: Caller, cooperative_id: UUID, body: ImpactIn
) -> Cooperative:
    """Report what it did in a period, or put an earlier report right; nothing is overwritten.

    Raises:
        Problem: 404, 403, 409 (also where a report of that time is there), 422.
    """
    there = await locked(session, cooperative_id, caller)
    rules.after(there.state, Action.REPORT)
    content = (body.starts_on, body.ends_on, body.jobs, sorted(set(body.services)), body.replaces)
    known = await session.get(CooperativeImpact, body.id) if body.id is not None else None
    if known is not None:
        same = (known.starts_on, known.ends_on, known.jobs, known.services, known.replaces)
        if known.cooperative_id != there.id or same != content:
            raise Problem(CONFLICT, "the id is taken by something else")
        return there
    await _has_come(session, there, body.ends_on, "/ends_on")
    current = {each.id: each for each in await impact(session, there.id) if each.current}
    if body.replaces is not None and body.replaces not in current:
        raise invalid(
            FieldError(
                pointer="/replaces", code="no_such_report", detail="a report of it that holds"
            )
        )
    for each in current.values():
        if (
            each.id != body.replaces
            and each.starts_on <= body.ends_on
            and body.starts_on <= each.ends_on
        ):
            raise Problem(
                CONFLICT, "a report of that time is there; name it in `replaces` to put it right"
            )
    made = CooperativeImpact(
        id=body.id or new_id(),
        cooperative_id=there.id,
        starts_on=body.starts_on,
        ends_on=body.ends_on,
        jobs=body.jobs,
        services=sorted(set(body.services)),
        replaces=body.replaces,
    )
    session.add(made)
    there.changed()
    try:
        await session.flush()
    except IntegrityError:
        raise Problem(CONFLICT, "the id is taken by something else") from None
    await tell(
        session,
        there,
        facts.CooperativeImpactReported,
        starts_on=body.starts_on,
        ends_on=body.ends_on,
        jobs=body.jobs,
        services=tuple(sorted(set(body.services))),
        corrected=body.replaces is not None,
    )
    audit.record(session, caller, "report-impact", RESOURCE, there.id)
    return there


async def impact(session: Session, cooperative_id: UUID) -> list[ImpactOut]:
    """Its reports by period, those that were put right included."""
    query = select(CooperativeImpact).where(CooperativeImpact.cooperative_id == cooperative_id)
    rows = (
        await session.scalars(
            query.order_by(col(CooperativeImpact.starts_on), col(CooperativeImpact.recorded_at))
        )
    ).all()
    replaced = {row.replaces for row in rows}
    return [
        ImpactOut(
            id=row.id,
            starts_on=row.starts_on,
            ends_on=row.ends_on,
            jobs=row.jobs,
            services=row.services,
            replaces=row.replaces,
            current=row.id not in replaced,
            recorded_at=row.recorded_at,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class _Counts:
    members: Mapping[UUID, int]
    jobs: Mapping[UUID, int]


async def _counts(session: Session, ids: Sequence[UUID]) -> _Counts:
    later = select(CooperativeImpact.replaces).where(col(CooperativeImpact.replaces).is_not(None))
    members = (
        select(CooperativeMember.cooperative_id, func.count())
        .where(col(CooperativeMember.cooperative_id).in_(ids))
        .group_by(col(CooperativeMember.cooperative_id))
    )
    jobs = (
        select(CooperativeImpact.cooperative_id, func.sum(CooperativeImpact.jobs))
        .where(
            col(CooperativeImpact.cooperative_id).in_(ids), col(CooperativeImpact.id).not_in(later)
        )
        .group_by(col(CooperativeImpact.cooperative_id))
    )
    return _Counts(
        {row[0]: row[1] for row in await session.execute(members)},
        {row[0]: row[1] for row in await session.execute(jobs)},
    )


async def shown(session: Session, rows: Sequence[Cooperative]) -> list[CooperativeOut]:
    """Cooperatives as a list has them."""
    counts = await _counts(session, [row.id for row in rows])
    names = CooperativeOut.model_fields.keys() - {"member_count", "jobs"}
    return [
        CooperativeOut(
            **{name: getattr(row, name) for name in names},
            member_count=counts.members[row.id],
            jobs=counts.jobs.get(row.id, 0),
        )
        for row in rows
    ]


async def detail(session: Session, there: Cooperative, caller: Caller) -> CooperativeDetail:
    """A cooperative with all that was done, and with the members whom the caller may know of."""
    (out,) = await shown(session, [there])
    parts = await _parts(session, there)
    mine = (
        select(CooperativeMember)
        .where(
            CooperativeMember.cooperative_id == there.id,
            col(CooperativeMember.returnee_id).is_not(None),
        )
        .where(visible(col(CooperativeMember.returnee_id), caller))
        .order_by(col(CooperativeMember.place))
    )
    activities = (
        await session.scalars(
            select(CooperativeActivity)
            .where(CooperativeActivity.cooperative_id == there.id)
            .order_by(col(CooperativeActivity.held_on), col(CooperativeActivity.activity_id))
        )
    ).all()
    return CooperativeDetail(
        **out.model_dump(),
        description=there.description,
        members=[
            MemberOut(
                returnee_id=member.returnee_id,
                case_id=member.case_id,
                share=member.share,
                part=parts.get(member.returnee_id),
            )
            for member in await session.scalars(mine, execution_options={"populate_existing": True})
            if member.returnee_id is not None and member.case_id is not None
        ],
        proposer=there.proposer,
        committee=await committee(session, there.id),
        committee_needed=there.committee_needed,
        minutes=there.minutes,
        statutes=there.statutes,
        papers_missing=await _papers_missing(session, there),
        trainings=[
            TrainingOut(cohort_id=each.activity_id, held_on=each.held_on)
            for each in activities
            if each.kind == "training"
        ],
        visits=[
            VisitOut(visit_id=each.activity_id, visited_on=each.held_on)
            for each in activities
            if each.kind == "visit"
        ],
        impact=await impact(session, there.id),
    )


async def _papers_missing(session: Session, there: Cooperative) -> list[str]:
    if there.grant_id is None:
        return []
    cited, found = await supporting_documents.of_cooperative(session, there.grant_id)
    return sorted(cited - found)


async def _parts(session: Session, there: Cooperative) -> dict[UUID, Money]:
    if there.grant_id is None:
        return {}
    grant = await session.get_one(Grant, there.grant_id)
    return {
        UUID(part["returnee_id"]): money(amount, grant.currency)
        for part, amount in zip(grant.parts, grants.divided(grant, grant.counted), strict=True)
        if part["returnee_id"] is not None
    }


async def pass_on(session: Session, returnee_id: UUID, case_id: UUID | None = None) -> None:
    """Let another member stand for the joint grants of somebody whose case ended or who was erased.

    Args:
        session: The session.
        returnee_id: Who does no more.
        case_id: In this case only.
    """
    query = select(Grant).where(
        Grant.returnee_id == returnee_id,
        func.jsonb_array_length(Grant.parts) > 0,
        col(Grant.state).not_in(FINAL_OF_GRANT),
    )
    if case_id is not None:
        query = query.where(Grant.case_id == case_id)
    rows = await session.scalars(
        query.order_by(col(Grant.id)).with_for_update(),
        execution_options={"populate_existing": True},
    )
    for grant in rows.all():
        cases = [
            UUID(part["case_id"])
            for part in grant.parts
            if part["returnee_id"] not in {None, str(returnee_id)}
        ]
        members = await session.scalars(
            select(Participant)
            .where(col(Participant.case_id).in_(cases), Participant.state != CaseState.CLOSED)
            .where(
                col(Participant.returnee_id).in_(
                    [UUID(p["returnee_id"]) for p in grant.parts if p["returnee_id"]]
                )
            )
            .where(Participant.returnee_id != returnee_id)
            .order_by(col(Participant.returnee_id))
            .limit(1)
        )
        other = members.first()
        if other is None:
            continue
        grant.returnee_id, grant.case_id, grant.household_id = (
            other.returnee_id,
            other.case_id,
            other.household_id,
        )
        grant.changed()
        for payment in await grants.payments_on_their_way(session, grant.id):
            payment.returnee_id = other.returnee_id
            payment.changed()
    await session.flush()


async def scrub(session: Session, returnee_id: UUID) -> None:
    """Keep the cooperative without the person, and without words that may be about them."""
    theirs = select(CooperativeMember.cooperative_id).where(
        CooperativeMember.returnee_id == returnee_id
    )
    ids = list(await session.scalars(theirs))
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
