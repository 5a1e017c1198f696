"""What an approved reintegration plan asks of training: its lines are fetched over HTTP by a job."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from chassis import jobs
from chassis.beneficiaries import beneficiary
from chassis.db import Session
from chassis.http import CallFailed, ServiceClient
from chassis.ids import new_id
from chassis.jobs import JobKind, Payload
from chassis.outbox import publish
from contracts import training as facts
from contracts.training import CancellationReason
from services.training.courses.rules import CourseKind
from services.training.enrolments.rules import EnrolmentState
from services.training.enrolments.service import cancel_not_begun, fact_of, person_of
from services.training.models import AppliedPlan, Enrolment, PlannedLine

FETCH_PLAN = "training.plan.fetch"
NOT_FOUND = 404
BY_PLAN = "plan"

WANTED: Mapping[str, CourseKind] = {
    "vocational_training": CourseKind.VOCATIONAL,
    "language_training": CourseKind.LANGUAGE,
    "job_placement": CourseKind.JOB_READINESS,
}
"""Kinds of line that an enrolment is requested for, and the kind of course."""
KEPT = frozenset({*WANTED, "wage_subsidy", "living_allowance"})
"""Kinds of line that training knows of; a subsidy is for the placement that uses it, an allowance for attendance."""

log = structlog.get_logger("homeward.training")


class Line(BaseModel):
    """A line of a plan, without its words: an error shows no values."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    id: UUID
    kind: str
    beneficiary: UUID


class Plan(BaseModel):
    """A version of a plan."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    id: UUID
    plan_version: int
    lines: list[Line]


async def fetch_later(session: Session, case_id: UUID, plan_version: int) -> None:
    """Have the lines of an approved plan fetched; once for all members of the case."""
    payload = {"case_id": str(case_id), "plan_version": plan_version}
    await jobs.schedule(session, FETCH_PLAN, payload, key=f"{case_id}:{plan_version}")


async def _call(client: ServiceClient, payload: Payload) -> Plan | None:
    path = f"/v1/cases/{payload['case_id']}/plan"
    try:
        document = await client.get("cases", path, plan_version=payload["plan_version"])
    except CallFailed as failed:
        if failed.status != NOT_FOUND:
            raise
        log.info("no plan to take over: cases does not have it any more")
        return None
    return Plan.model_validate(document)


async def _apply(session: Session, payload: Payload, plan: Plan | None) -> None:
    if plan is not None:
        await take_over(session, UUID(payload["case_id"]), plan)


FETCH_JOB = JobKind(FETCH_PLAN, _apply, _call)


async def take_over(session: Session, case_id: UUID, plan: Plan) -> None:
    """Request what a version of a plan asks for and an older one did not; cancel what it asks for no more.

    Versions may come in any order: an older one than was applied changes nothing.
    """
    statement = insert(AppliedPlan).values(case_id=case_id, plan_version=plan.plan_version)
    newer = await session.execute(
        statement.on_conflict_do_update(
            index_elements=["case_id"],
            set_={"plan_version": plan.plan_version},
            where=AppliedPlan.plan_version < plan.plan_version,
        ).returning(AppliedPlan.case_id)
    )
    if newer.first() is None:
        return
    lines = [line for line in plan.lines if line.kind in KEPT]
    there = select(PlannedLine.line_id).where(PlannedLine.case_id == case_id, PlannedLine.active)
    before = set(await session.scalars(there))
    people = await _people(session, {line.beneficiary for line in lines})
    for line in lines:
        values = {"kind": line.kind, "returnee_id": line.beneficiary, "plan_id": plan.id, "active": True}
        added = insert(PlannedLine).values(line_id=line.id, case_id=case_id, **values)
        await session.execute(added.on_conflict_do_update(index_elements=["line_id"], set_=values))
        person = people.get(line.beneficiary)
        if line.id not in before and line.kind in WANTED and person is not None:
            await _request(session, person, line)
    kept = [line.id for line in lines]
    gone = (PlannedLine.case_id == case_id, PlannedLine.line_id.not_in(kept))
    await session.execute(update(PlannedLine).where(*gone).values(active=False))
    dropped = select(PlannedLine.line_id).where(*gone)
    await cancel_not_begun(session, [Enrolment.plan_line_id.in_(dropped)], CancellationReason.PLAN_AMENDED)


async def _people(session: Session, returnee_ids: set[UUID]) -> dict[UUID, Any]:
    query = select(beneficiary).where(
        beneficiary.c.returnee_id.in_(returnee_ids), beneficiary.c.state.not_in(["erased", "closed"])
    )
    return {row.returnee_id: row for row in await session.execute(query)}


async def _request(session: Session, person: Any, line: Line) -> None:
    enrolment = Enrolment(
        **person_of(person),
        id=new_id(),
        kind=WANTED[line.kind],
        plan_line_id=line.id,
        state=EnrolmentState.REQUESTED,
        requested_by=BY_PLAN,
    )
    session.add(enrolment)
    await session.flush()
    publish(session, facts.EnrolmentRequested(**fact_of(enrolment)))
