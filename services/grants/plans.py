"""The job that makes grants of an approved plan: its lines are fetched from cases, and each becomes
one grant, once.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from chassis import audit, jobs
from chassis.db import Session, now, savepoint
from chassis.errors import INVALID, STATE_CONFLICT, Problem
from chassis.http import ServiceClient
from chassis.jobs import JobKind, Payload
from chassis.loading import FRESH
from contracts.codes import CaseState, HelpKind, Housing
from contracts.grants import GrantReason
from participation import beneficiaries
from services.grants import people
from services.grants.awards.grants.decisions import cancel_locked
from services.grants.awards.grants.eligibility import GrantRequest, first_arrival
from services.grants.awards.grants.loading import lock_people
from services.grants.awards.grants.requesting import (
    change_amount,
    joint_grant_lines,
    refuse_request,
    request_grant,
)
from services.grants.awards.grants.rules import CEILING_EXCEEDED, MACHINE
from services.grants.books.ledger import BUDGET_EXHAUSTED
from services.grants.codes import GrantSource
from services.grants.models import AppliedPlan, Grant, Participant

FETCH_PLAN = "grants.plan.fetch"
FIRST_AGAIN, LAST_AGAIN = timedelta(seconds=1), timedelta(minutes=5)
REASONS = {
    CEILING_EXCEEDED.slug: GrantReason.CEILING,
    BUDGET_EXHAUSTED.slug: GrantReason.NO_BUDGET,
    STATE_CONFLICT.slug: GrantReason.CASE_CLOSED,
    INVALID.slug: GrantReason.NOT_ELIGIBLE,
}

log = structlog.get_logger("homeward.grants")


async def fetch_later(
    session: Session, *, case_id: UUID, plan_id: UUID, plan_version: int, preparer: UUID
) -> None:
    """Have the lines of an approved plan fetched; of the events about its persons one is enough."""
    payload = {
        "case_id": str(case_id),
        "plan_id": str(plan_id),
        "plan_version": plan_version,
        "preparer": str(preparer),
    }
    await jobs.schedule(session, FETCH_PLAN, payload, key=str(plan_id))


async def _fetch(client: ServiceClient, payload: Payload) -> Any:
    return await client.find(
        "cases", f"/v1/cases/{payload['case_id']}/plan", plan_version=payload["plan_version"]
    )


async def _grant(session: Session, payload: Payload, plan: Any) -> None:
    if plan is None:
        log.info("no plan to grant: cases does not have it any more")
        return
    case_id = UUID(payload["case_id"])
    wanted = {UUID(line["beneficiary"]) for line in plan["lines"]}
    await lock_people(session, *wanted)
    rows = await session.scalars(select(Participant).where(Participant.case_id == case_id))
    members = {member.returnee_id: member for member in rows}
    unknown = [
        returnee_id
        for returnee_id in sorted(wanted - members.keys())
        if not await beneficiaries.is_erased(session, returnee_id)
    ]
    closed = all(member.case_state is CaseState.CLOSED for member in members.values())
    if unknown or (not closed and await first_arrival(session, case_id) is None):
        await _ask_again(session, payload)
        return
    lines = {
        UUID(line["id"]): line for line in plan["lines"] if UUID(line["beneficiary"]) in members
    }
    if not await _is_newer(session, case_id, payload["plan_version"], lines):
        return
    await _take_over(session, payload, plan, lines, members)


async def _take_over(
    session: Session,
    payload: Payload,
    plan: Any,
    lines: Mapping[UUID, Any],
    members: Mapping[UUID, Participant],
) -> None:
    """Ask for what a plan says, change what is not decided, and take back what it does not say any
    more.
    """
    granted = await session.scalars(
        select(Grant)
        .where(Grant.case_id == UUID(payload["case_id"]), col(Grant.plan_line_id).is_not(None))
        .order_by(col(Grant.id))
        .with_for_update(),
        execution_options=FRESH,
    )
    current: dict[UUID | None, Grant] = {}
    given_up: dict[UUID | None, Grant] = {}
    for grant in granted:
        (given_up if grant.state.is_given_up else current)[grant.plan_line_id] = grant
    for line_id, grant in current.items():
        if line_id not in lines and grant.state.is_undecided:
            await cancel_locked(session, people.SYSTEM, grant, GrantReason.PLAN_CHANGED)
    covered = await joint_grant_lines(session, lines)
    preparers = [UUID(payload["preparer"]), *(UUID(preparer) for preparer in plan["preparers"])]
    for line_id, line in lines.items():
        amount = Decimal(line["budget"]["amount"])
        if line_id in covered or amount <= 0:
            continue
        existing = current.get(line_id)
        if existing is None:  # never asked for, or refused and in the plan again
            before = given_up[line_id].preparers if line_id in given_up else ()
            await _request(
                session,
                members[UUID(line["beneficiary"])],
                line,
                plan,
                UUID(payload["plan_id"]),
                [*preparers, *before],
            )
        elif existing.state.is_undecided and existing.amount != amount:
            await _change(session, existing, preparers, amount, line["budget"]["currency"])
        elif existing.state.is_decided:
            await _note_difference(session, existing, amount)


async def _ask_again(session: Session, payload: Payload) -> None:
    """Wait for facts of other subjects and services, which are on their way; the longer, the less
    often.
    """
    times = payload.get("asked", 0)
    wait = min(FIRST_AGAIN * 2 ** min(times, 10), LAST_AGAIN)
    due_at = (await session.execute(select(now() + wait))).scalar_one()
    again = {**payload, "asked": times + 1}
    await jobs.schedule(session, FETCH_PLAN, again, due_at=due_at, key=payload["plan_id"])


async def _is_newer(
    session: Session, case_id: UUID, plan_version: int, lines: Mapping[UUID, Any]
) -> bool:
    """Keep what the plan in force asks for; False where this version, or a newer one, was taken
    over already.
    """
    values = {
        "plan_version": plan_version,
        "lines": {
            str(i): {"kind": line["kind"], "beneficiary": line["beneficiary"]}
            for i, line in lines.items()
        },
    }
    statement = insert(AppliedPlan).values(case_id=case_id, **values)
    newer = statement.on_conflict_do_update(
        index_elements=["case_id"], set_=values, where=col(AppliedPlan.plan_version) < plan_version
    )
    return await session.scalar(newer.returning(col(AppliedPlan.case_id))) is not None


async def _request(
    session: Session,
    person: Participant,
    line: Any,
    plan: Any,
    plan_id: UUID,
    preparers: Sequence[UUID],
) -> None:
    request = GrantRequest(
        participant=person,
        kind=HelpKind(line["kind"]),
        amount=Decimal(line["budget"]["amount"]),
        currency=line["budget"]["currency"],
        requester=preparers[0],
        caller=people.SYSTEM,
        source=GrantSource.PLAN,
        housing=Housing(line["housing"]) if line["housing"] else None,
        plan_id=plan_id,
        plan_line_id=UUID(line["id"]),
        asked_on=date.fromisoformat(plan["agreed_on"]) if plan["agreed_on"] else None,
        preparers=tuple(preparers),
    )
    try:
        async with savepoint(session):
            await request_grant(session, request)
    except Problem as problem:
        await refuse_request(session, request, reason_of(problem))


async def _change(
    session: Session, grant: Grant, preparers: Sequence[UUID], amount: Decimal, currency: str
) -> None:
    try:
        async with savepoint(session):
            await change_amount(
                session,
                people.SYSTEM,
                grant,
                preparers[0],
                amount=amount,
                currency=currency,
                description=None,
                preparers=preparers,
            )
    except Problem as problem:
        await session.refresh(grant)
        await cancel_locked(session, people.SYSTEM, grant, reason_of(problem))


async def _note_difference(session: Session, grant: Grant, amount: Decimal) -> None:
    """Say that a plan asks for another amount than was approved; whether the grant follows is for
    people.
    """
    planned = amount if amount != grant.amount else None
    if planned != grant.planned:
        grant.planned = planned
        grant.changed()
        audit.record(session, people.SYSTEM, "plan-differs", MACHINE.resource, grant.id)
        await session.flush()


def reason_of(problem: Problem) -> GrantReason:
    """The coded reason of a refusal."""
    rule = problem.extensions.get("rule")
    if isinstance(rule, dict) and rule.get("code") == "not_arrived":
        return GrantReason.NOT_ARRIVED
    return REASONS.get(problem.kind.slug, GrantReason.NOT_ELIGIBLE)


JOB = JobKind(FETCH_PLAN, _grant, _fetch)
