"""The job that notices that a deadline has passed, and has done what the programme says."""

from typing import Any
from uuid import UUID

from sqlmodel import col, select

from chassis.consequences import Consequences
from chassis.db import Session, current_time
from chassis.jobs import JobKind, Payload
from chassis.outbox import publish
from contracts.cases import DeadlineMissed
from contracts.codes import DeadlineKind
from contracts.programmes import Silence
from services.cases.casework.access import lock_case
from services.cases.casework.deadlines import service
from services.cases.models import CaseMember, Deadline, Referral
from services.cases.states.casework import DEADLINE, DeadlineAction, DeadlineState

ON_SILENCE: Consequences[Session, Referral, DeadlineKind, Silence] = Consequences(
    "nobody did in time what is asked of a referral"
)


async def apply(session: Session, payload: Payload, _: Any) -> None:
    """Note the deadline as missed, if it has passed and is still open; on a referral, silence has
    the consequence that its programme names.
    """
    deadline = await session.get(Deadline, UUID(payload["deadline_id"]))
    if deadline is None:
        return
    if deadline.case_id is not None:
        await _miss_of_case(session, deadline, deadline.case_id)
        return
    referral = await session.scalar(
        select(Referral).where(Referral.id == deadline.referral_id).with_for_update()
    )
    assert referral is not None
    if await _miss(session, deadline):
        ids = service.deadline_ids(deadline, referral)
        publish(session, DeadlineMissed(**ids, referral_id=referral.id))
        await session.flush()
        await ON_SILENCE(session, referral, deadline.kind, Silence(deadline.rule["then"]))


async def _miss_of_case(session: Session, deadline: Deadline, case_id: UUID) -> None:
    case = await lock_case(session, case_id)
    assert case is not None
    if await _miss(session, deadline):
        members = await session.scalars(
            select(CaseMember)
            .where(CaseMember.case_id == case.id)
            .order_by(col(CaseMember.returnee_id))
        )
        service.publish_for_members(session, DeadlineMissed, deadline, case, members)
        await session.flush()


async def _miss(session: Session, deadline: Deadline) -> bool:
    """Note that a deadline has passed; whether there was anything to note."""
    await session.refresh(deadline, with_for_update=True)
    if deadline.state is not DeadlineState.OPEN or deadline.due_at > await current_time(session):
        return False
    DEADLINE.apply(deadline, DeadlineAction.MISS)
    return True


JOB = JobKind(service.JOB, apply)
