"""The job that makes grants of an approved plan: its lines are fetched from cases, and each becomes one grant, once."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select

from chassis import jobs
from chassis.aliases import same_person
from chassis.beneficiaries import is_erased
from chassis.db import Session, now, savepoint
from chassis.errors import INVALID, STATE_CONFLICT, Problem
from chassis.http import ServiceClient
from chassis.jobs import JobKind, Payload
from contracts.codes import GrantKind
from contracts.grants import GrantReason
from services.grants import people
from services.grants.budgets.ledger import BUDGET_EXHAUSTED
from services.grants.grants import service
from services.grants.grants.rules import CEILING_EXCEEDED, UNDECIDED
from services.grants.models import Grant, Participant

FETCH_PLAN = "grants.plan.fetch"
FIRST_AGAIN, LAST_AGAIN = timedelta(seconds=1), timedelta(minutes=5)
REASONS = {
    CEILING_EXCEEDED.slug: GrantReason.CEILING,
    BUDGET_EXHAUSTED.slug: GrantReason.NO_BUDGET,
    STATE_CONFLICT.slug: GrantReason.CASE_CLOSED,
    INVALID.slug: GrantReason.NOT_ELIGIBLE,
}

log = structlog.get_logger("homeward.grants")


async def fetch_later(session: Session, *, case_id: UUID, plan_id: UUID, plan_version: int, preparer: UUID) -> None:
    """Have the lines of an approved plan fetched; of the events about its persons one is enough."""
    payload = {
        "case_id": str(case_id),
        "plan_id": str(plan_id),
        "plan_version": plan_version,
        "preparer": str(preparer),
    }
    await jobs.schedule(session, FETCH_PLAN, payload, key=str(plan_id))


async def _fetch(client: ServiceClient, payload: Payload) -> Any:
    return await client.find("cases", f"/v1/cases/{payload['case_id']}/plan", plan_version=payload["plan_version"])


async def _grant(session: Session, payload: Payload, plan: Any) -> None:
    if plan is None:
        log.info("no plan to grant: cases does not have it any more")
        return
    case_id, plan_id = UUID(payload["case_id"]), UUID(payload["plan_id"])
    found = await session.scalars(select(Participant).where(Participant.case_id == case_id))
    members = {member.returnee_id: member for member in found}
    planned = {UUID(line["beneficiary"]) for line in plan["lines"]}
    gone = {each for each in planned - members.keys() if await is_erased(session, each)}
    lines = {
        UUID(line["id"]): line
        for line in plan["lines"]
        if Decimal(line["budget"]["amount"]) > 0 and UUID(line["beneficiary"]) not in gone
    }
    wanted = {UUID(line["beneficiary"]) for line in lines.values()}
    if gone and not wanted:
        return
    if not wanted <= members.keys() or await service.first_arrival(session, case_id) is None:
        await _ask_again(session, payload)
        return
    household = next(iter(members.values())).household_id
    ids = sorted({one for member in wanted for one in await same_person(session, member)})
    await people.lock(session, ids, [household])
    granted = await session.scalars(
        select(Grant)
        .where(Grant.case_id == case_id, Grant.plan_line_id.is_not(None))
        .order_by(Grant.id)
        .with_for_update()
    )
    there = {grant.plan_line_id: grant for grant in granted}
    preparer = UUID(payload["preparer"])
    for line_id, grant in there.items():
        if line_id not in lines and grant.state in UNDECIDED:
            await service.end(session, people.SYSTEM, grant, (), GrantReason.PLAN_CHANGED)
    covered = await service.lines_in_common(session, lines)
    for line_id, line in lines.items():
        if line_id in covered:
            continue
        amount, currency = Decimal(line["budget"]["amount"]), line["budget"]["currency"]
        before = there.get(line_id)
        if before is None:
            await _request(session, members[UUID(line["beneficiary"])], line, plan_id, preparer)
        elif before.state in UNDECIDED and before.amount != amount:
            await _change(session, before, preparer, amount, currency)


async def _ask_again(session: Session, payload: Payload) -> None:
    """Wait for facts of other subjects and services, which are on their way; the longer, the less often."""
    asked = payload.get("asked", 0)
    wait = min(FIRST_AGAIN * 2 ** min(asked, 10), LAST_AGAIN)
    due_at = (await session.execute(select(now() + wait))).scalar_one()
    again = {**payload, "asked": asked + 1}
    await jobs.schedule(session, FETCH_PLAN, again, due_at=due_at, key=payload["plan_id"])


async def _request(session: Session, who: Participant, line: Any, plan_id: UUID, preparer: UUID) -> None:
    asked = service.Asked(
        participant=who,
        kind=GrantKind(line["kind"]),
        amount=Decimal(line["budget"]["amount"]),
        currency=line["budget"]["currency"],
        requester=preparer,
        caller=people.SYSTEM,
        source="plan",
        housing=line["housing"],
        plan_id=plan_id,
        plan_line_id=UUID(line["id"]),
    )
    try:
        async with savepoint(session):
            await service.request(session, asked)
    except Problem as problem:
        await service.refuse(session, asked, reason_of(problem))


async def _change(session: Session, grant: Grant, requester: UUID, amount: Decimal, currency: str) -> None:
    try:
        async with savepoint(session):
            await service.change(
                session, people.SYSTEM, grant, requester, amount=amount, currency=currency, description=None
            )
    except Problem as problem:
        await session.refresh(grant)
        await service.end(session, people.SYSTEM, grant, (), reason_of(problem))


def reason_of(problem: Problem) -> GrantReason:
    """The coded reason of a refusal."""
    rule = problem.extensions.get("rule")
    if isinstance(rule, dict) and rule.get("code") == "not_arrived":
        return GrantReason.NOT_ARRIVED
    return REASONS.get(problem.kind.slug, GrantReason.NOT_ELIGIBLE)


JOB = JobKind(FETCH_PLAN, _grant, _fetch)
