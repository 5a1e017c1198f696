"""What an approved reintegration plan asks of training: its lines are fetched over HTTP by a
job.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy
import structlog
from pydantic import BaseModel, ConfigDict
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select, update

from chassis import jobs
from chassis.db import Session
from chassis.http import ServiceClient
from chassis.jobs import JobKind, Payload
from contracts.training import CancellationReason, QuestionReason
from participation.beneficiaries import beneficiary
from services.training import whereabouts
from services.training.enrolments.choices import choose_later
from services.training.enrolments.rules import WANTED
from services.training.enrolments.service import ask_for, cancel_not_begun, question
from services.training.models import AppliedPlan, Enrolment, PlannedLine
from services.training.states import EnrolmentState

FETCH_PLAN = "training.plan.fetch"

KEPT = frozenset({*WANTED, "wage_subsidy", "living_allowance"})
"""Kinds of line that training knows of; a subsidy is for the placement that uses it, an allowance
for attendance.
"""

log = structlog.get_logger("homeward.training")


class Line(BaseModel):
    """A line of a plan, without its words: an error shows no values."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    id: UUID
    kind: str
    beneficiary: UUID
    provider: str | None = None
    course_id: UUID | None = None
    cohort_id: UUID | None = None


class Plan(BaseModel):
    """A version of a plan."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    id: UUID
    plan_version: int
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A plan, and what the people speak for whom it asks for a course."""

    plan: Plan
    languages: Mapping[UUID, list[str]]


async def fetch_later(session: Session, case_id: UUID, plan_version: int) -> None:
    """Have the lines of an approved plan fetched; once for all members of the case."""
    payload = {"case_id": str(case_id), "plan_version": plan_version}
    await jobs.schedule(session, FETCH_PLAN, payload, key=f"{case_id}:{plan_version}")


async def _call(client: ServiceClient, payload: Payload) -> Fetched | None:
    path = f"/v1/cases/{payload['case_id']}/plan"
    document = await client.find("cases", path, plan_version=payload["plan_version"])
    if document is None:
        log.info("no plan to take over: cases does not have it any more")
        return None
    plan = Plan.model_validate(document)
    people = {line.beneficiary for line in plan.lines if line.kind in WANTED}
    return Fetched(
        plan, {person: await whereabouts.languages_of(client, person) for person in sorted(people)}
    )


async def _apply(session: Session, payload: Payload, fetched: Fetched | None) -> None:
    if fetched is not None:
        await take_over(session, UUID(payload["case_id"]), fetched)


FETCH_JOB = JobKind(FETCH_PLAN, _apply, _call)


async def amended(session: Session, case_id: UUID, returnee_id: UUID, plan_version: int) -> None:
    """A new version of a plan is being written: what the one before asked for goes on until a
    person has looked.
    """
    statement = insert(AppliedPlan).values(case_id=case_id, drafted_version=plan_version)
    newer = statement.on_conflict_do_update(
        index_elements=["case_id"],
        set_={"drafted_version": plan_version},
        where=col(AppliedPlan.drafted_version) < plan_version,
    )
    await session.execute(newer)
    applied = await session.scalar(
        select(AppliedPlan.plan_version).where(AppliedPlan.case_id == case_id)
    )
    if applied is not None and applied >= plan_version:
        return
    which = (
        col(Enrolment.case_id) == case_id,
        col(Enrolment.returnee_id) == returnee_id,
        col(Enrolment.plan_line_id).is_not(None),
        col(Enrolment.review).is_(None),
    )
    await question(session, which, QuestionReason.PLAN_AMENDED)


async def take_over(session: Session, case_id: UUID, fetched: Fetched) -> None:
    """Request what a version of a plan asks for and nothing carries out.

    What it asks for no more is cancelled where nobody had been given a place; the others go on
    until a person has looked. Versions may come in any order: an older one than was applied changes
    nothing.
    """
    plan = fetched.plan
    statement = insert(AppliedPlan).values(case_id=case_id, plan_version=plan.plan_version)
    newer = await session.execute(
        statement.on_conflict_do_update(
            index_elements=["case_id"],
            set_={"plan_version": plan.plan_version},
            where=col(AppliedPlan.plan_version) < plan.plan_version,
        ).returning(col(AppliedPlan.drafted_version))
    )
    drafted = newer.scalar_one_or_none()
    if drafted is None:
        return
    lines = [line for line in plan.lines if line.kind in KEPT]
    people = await _people(session, {line.beneficiary for line in lines})
    for returnee_id, languages in fetched.languages.items():
        if returnee_id in people:
            await whereabouts.keep_languages(session, returnee_id, languages)
    for line in lines:
        values = line.model_dump(exclude={"id", "beneficiary"}) | {
            "returnee_id": line.beneficiary,
            "plan_id": plan.id,
            "active": True,
        }
        added = insert(PlannedLine).values(line_id=line.id, case_id=case_id, **values)
        await session.execute(added.on_conflict_do_update(index_elements=["line_id"], set_=values))
    kept = [line.id for line in lines]
    gone = (col(PlannedLine.case_id) == case_id, col(PlannedLine.line_id).not_in(kept))
    dropped = [col(Enrolment.plan_line_id).in_(select(col(PlannedLine.line_id)).where(*gone))]
    await session.execute(update(PlannedLine).where(*gone).values(active=False))
    only_wished = (EnrolmentState.REQUESTED,)
    await cancel_not_begun(session, dropped, CancellationReason.PLAN_AMENDED, only_wished)
    await question(session, dropped, QuestionReason.LINE_REMOVED)
    carried_out = select(Enrolment).where(
        col(Enrolment.plan_line_id).in_(kept), col(Enrolment.state).not_in(EnrolmentState.OVER)
    )
    found = {
        enrolment.plan_line_id: enrolment
        for enrolment in await session.scalars(carried_out.with_for_update())
    }
    if drafted <= plan.plan_version:
        for enrolment in found.values():
            if enrolment.review is not None:
                enrolment.review = None
                enrolment.changed()
    fresh = [line for line in lines if line.kind in WANTED and line.id not in found]
    requested = [
        await ask_for(session, people[each.beneficiary], each.id, WANTED[each.kind])
        for each in fresh
        if each.beneficiary in people
    ]
    waiting = [each.id for each in found.values() if each.state == EnrolmentState.REQUESTED]
    await choose_later(session, [*requested, *waiting])


async def _people(session: Session, returnee_ids: set[UUID]) -> dict[UUID, Any]:
    query = sqlalchemy.select(beneficiary).where(
        beneficiary.c.returnee_id.in_(returnee_ids),
        beneficiary.c.state.not_in(["erased", "closed"]),
    )
    return {row.returnee_id: row for row in await session.execute(query)}
