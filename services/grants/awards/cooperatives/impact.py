"""What cooperatives did in a period, by reports of which none is ever overwritten."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import CONFLICT, FieldError, Problem, invalid
from chassis.ids import new_id
from chassis.loading import id_taken
from contracts.grants import CommunityService, CooperativeImpactReported
from services.grants.awards.cooperatives.events import publish_cooperative_event
from services.grants.awards.cooperatives.loading import lock_cooperative
from services.grants.awards.cooperatives.rules import MACHINE, Action
from services.grants.awards.cooperatives.service import check_has_come
from services.grants.models import Cooperative, CooperativeImpact


@dataclass(frozen=True, slots=True)
class ImpactReport:
    """What a cooperative did in a period.

    Attributes:
        starts_on: The first day.
        ends_on: The last.
        jobs: That it created, beside its members' own.
        services: For the community around it.
        replaces: The report that this one puts right.
        id: Chosen by the client, or None.
    """

    starts_on: date
    ends_on: date
    jobs: int
    services: Collection[CommunityService]
    replaces: UUID | None = None
    id: UUID | None = None

    @property
    def content(self) -> tuple[date, date, int, list[CommunityService], UUID | None]:
        """What it says, by which the same report is known again."""
        return self.starts_on, self.ends_on, self.jobs, sorted(set(self.services)), self.replaces


async def report_impact(
    session: Session, caller: Caller, cooperative_id: UUID, report: ImpactReport
) -> Cooperative:
    """Report what it did in a period, or put an earlier report right; nothing is overwritten.

    Raises:
        Problem: 404, 403, 409 (also if there is a report of that time), 422.
    """
    cooperative = await lock_cooperative(session, caller, cooperative_id)
    MACHINE.require(cooperative, Action.REPORT)
    known = await session.get(CooperativeImpact, report.id) if report.id is not None else None
    if known is not None:
        before = known.starts_on, known.ends_on, known.jobs, known.services, known.replaces
        if known.cooperative_id != cooperative.id or before != report.content:
            raise id_taken()
        return cooperative
    await check_has_come(session, cooperative, report.ends_on, "/ends_on")
    await _check_period(session, cooperative, report)
    services = sorted(set(report.services))
    session.add(
        CooperativeImpact(
            id=report.id or new_id(),
            cooperative_id=cooperative.id,
            starts_on=report.starts_on,
            ends_on=report.ends_on,
            jobs=report.jobs,
            services=services,
            replaces=report.replaces,
        )
    )
    MACHINE.apply(cooperative, Action.REPORT)
    try:
        await session.flush()
    except IntegrityError:
        raise id_taken() from None
    await publish_cooperative_event(
        session,
        cooperative,
        CooperativeImpactReported,
        starts_on=report.starts_on,
        ends_on=report.ends_on,
        jobs=report.jobs,
        services=tuple(services),
        corrected=report.replaces is not None,
    )
    audit.record(session, caller, "report-impact", MACHINE.resource, cooperative.id)
    return cooperative


async def _check_period(session: Session, cooperative: Cooperative, report: ImpactReport) -> None:
    """Refuse a second report of the same time, and one in the place of none that holds.

    Raises:
        Problem: 409, 422.
    """
    reports = await load_reports(session, cooperative.id)
    replaced = {earlier.replaces for earlier in reports}
    current = {earlier.id: earlier for earlier in reports if earlier.id not in replaced}
    if report.replaces is not None and report.replaces not in current:
        detail = "a report of it that holds"
        raise invalid(FieldError(pointer="/replaces", code="no_such_report", detail=detail))
    for earlier in current.values():
        overlaps = earlier.starts_on <= report.ends_on and report.starts_on <= earlier.ends_on
        if earlier.id != report.replaces and overlaps:
            raise Problem(
                CONFLICT, "a report of that time is there; name it in `replaces` to put it right"
            )


async def load_reports(session: Session, cooperative_id: UUID) -> Sequence[CooperativeImpact]:
    """The reports of a cooperative by period, those that were put right included."""
    query = select(CooperativeImpact).where(CooperativeImpact.cooperative_id == cooperative_id)
    rows = await session.scalars(
        query.order_by(col(CooperativeImpact.starts_on), col(CooperativeImpact.recorded_at))
    )
    return rows.all()
