"""Cooperatives as they are answered."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from chassis.auth import Caller
from chassis.db import Session
from chassis.loading import FRESH
from contracts.codes import Money
from participation.access import visible
from services.grants import supporting_documents
from services.grants.awards.cooperatives.impact import load_reports
from services.grants.awards.cooperatives.loading import load_committee
from services.grants.awards.cooperatives.schemas import (
    CooperativeDetail,
    CooperativeOut,
    ImpactOut,
    MemberOut,
    TrainingOut,
    VisitOut,
)
from services.grants.awards.grants.events import split_by_shares
from services.grants.codes import ActivityKind
from services.grants.models import (
    Cooperative,
    CooperativeActivity,
    CooperativeImpact,
    CooperativeMember,
    Grant,
)
from services.grants.schemas import money


async def render_cooperatives(
    session: Session, rows: Sequence[Cooperative]
) -> list[CooperativeOut]:
    """Cooperatives as a list has them."""
    ids = [row.id for row in rows]
    member_counts, jobs = await _count_members(session, ids), await _count_jobs(session, ids)
    names = CooperativeOut.model_fields.keys() - {"member_count", "jobs"}
    return [
        CooperativeOut(
            **{name: getattr(row, name) for name in names},
            member_count=member_counts[row.id],
            jobs=jobs.get(row.id, 0),
        )
        for row in rows
    ]


async def _count_members(session: Session, ids: Sequence[UUID]) -> dict[UUID, int]:
    rows = await session.execute(
        select(CooperativeMember.cooperative_id, func.count())
        .where(col(CooperativeMember.cooperative_id).in_(ids))
        .group_by(col(CooperativeMember.cooperative_id))
    )
    return {row[0]: row[1] for row in rows}


async def _count_jobs(session: Session, ids: Sequence[UUID]) -> dict[UUID, int]:
    """The jobs that were created, by the reports that hold."""
    replaced = select(CooperativeImpact.replaces).where(
        col(CooperativeImpact.replaces).is_not(None)
    )
    rows = await session.execute(
        select(CooperativeImpact.cooperative_id, func.sum(CooperativeImpact.jobs))
        .where(
            col(CooperativeImpact.cooperative_id).in_(ids),
            col(CooperativeImpact.id).not_in(replaced),
        )
        .group_by(col(CooperativeImpact.cooperative_id))
    )
    return {row[0]: row[1] for row in rows}


async def render_detail(
    session: Session, caller: Caller, cooperative: Cooperative
) -> CooperativeDetail:
    """A cooperative with all that was done, and with the members whom the caller may know of."""
    (out,) = await render_cooperatives(session, [cooperative])
    activities = await _load_activities(session, cooperative)
    return CooperativeDetail(
        **out.model_dump(),
        description=cooperative.description,
        members=await _render_members(session, caller, cooperative),
        proposer=cooperative.proposer,
        committee=list(await load_committee(session, cooperative.id)),
        committee_needed=cooperative.committee_needed,
        minutes=cooperative.minutes,
        statutes=cooperative.statutes,
        papers_missing=await _papers_missing(session, cooperative),
        trainings=[
            TrainingOut(cohort_id=activity.activity_id, held_on=activity.held_on)
            for activity in activities
            if activity.kind is ActivityKind.TRAINING
        ],
        visits=[
            VisitOut(visit_id=activity.activity_id, visited_on=activity.held_on)
            for activity in activities
            if activity.kind is ActivityKind.VISIT
        ],
        impact=await _render_impact(session, cooperative),
    )


async def _render_members(
    session: Session, caller: Caller, cooperative: Cooperative
) -> list[MemberOut]:
    parts = await _parts_by_member(session, cooperative)
    members = await session.scalars(
        select(CooperativeMember)
        .where(
            CooperativeMember.cooperative_id == cooperative.id,
            col(CooperativeMember.returnee_id).is_not(None),
            visible(col(CooperativeMember.returnee_id), caller),
        )
        .order_by(col(CooperativeMember.place)),
        execution_options=FRESH,
    )
    return [
        MemberOut(
            returnee_id=member.returnee_id,
            case_id=member.case_id,
            share=member.share,
            part=parts.get(member.returnee_id),
        )
        for member in members
        if member.returnee_id is not None and member.case_id is not None
    ]


async def _load_activities(
    session: Session, cooperative: Cooperative
) -> Sequence[CooperativeActivity]:
    rows = await session.scalars(
        select(CooperativeActivity)
        .where(CooperativeActivity.cooperative_id == cooperative.id)
        .order_by(col(CooperativeActivity.held_on), col(CooperativeActivity.activity_id))
    )
    return rows.all()


async def _render_impact(session: Session, cooperative: Cooperative) -> list[ImpactOut]:
    reports = await load_reports(session, cooperative.id)
    replaced = {report.replaces for report in reports}
    return [
        ImpactOut(
            id=report.id,
            starts_on=report.starts_on,
            ends_on=report.ends_on,
            jobs=report.jobs,
            services=report.services,
            replaces=report.replaces,
            current=report.id not in replaced,
            recorded_at=report.recorded_at,
        )
        for report in reports
    ]


async def _papers_missing(session: Session, cooperative: Cooperative) -> list[str]:
    if cooperative.grant_id is None:
        return []
    cited, filed = await supporting_documents.of_cooperative(session, cooperative.grant_id)
    return sorted(cited - filed)


async def _parts_by_member(session: Session, cooperative: Cooperative) -> dict[UUID, Money]:
    """What of the joint grant counts against each member's ceilings."""
    if cooperative.grant_id is None:
        return {}
    grant = await session.get_one(Grant, cooperative.grant_id)
    amounts = split_by_shares(grant, grant.counted)
    return {
        UUID(part["returnee_id"]): money(amount, grant.currency)
        for part, amount in zip(grant.parts, amounts, strict=True)
        if part["returnee_id"] is not None
    }
