"""How far somebody is in a course: what they attended, and the certificate that they got."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from chassis.db import Session
from services.training.courses.service import sessions_of
from services.training.models import Attendance, Certificate


async def attended(session: Session, enrolment_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Minutes that count, by enrolment; none where nothing was recorded."""
    query = (
        select(Attendance.enrolment_id, func.sum(Attendance.minutes))
        .where(col(Attendance.enrolment_id).in_(sorted(set(enrolment_ids))))
        .group_by(col(Attendance.enrolment_id))
    )
    return {row[0]: int(row[1]) for row in await session.execute(query)}


async def held(session: Session, cohort_id: UUID) -> int:
    """Minutes of all sessions of a cohort."""
    return sum(
        int((each.ends_at - each.starts_at).total_seconds() // 60)
        for each in await sessions_of(session, cohort_id)
    )


async def certificate_of(session: Session, enrolment_id: UUID) -> Certificate | None:
    """The certificate of an enrolment."""
    certificate: Certificate | None = await session.scalar(
        select(Certificate).where(Certificate.enrolment_id == enrolment_id)
    )
    return certificate
