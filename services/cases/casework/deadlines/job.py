"""The job that notices that a deadline has passed, and does what the programme says."""

from typing import Any
from uuid import UUID

from chassis.db import Session
from chassis.jobs import JobKind, Payload
from contracts.programmes import Silence
from services.cases.casework.deadlines import service
from services.cases.intake.referrals.service import on_silence


async def apply(session: Session, payload: Payload, _: Any) -> None:
    """Note the deadline as missed; on a referral, silence has the consequence that its programme
    names.
    """
    missed = await service.miss(session, UUID(payload["deadline_id"]))
    if missed is None:
        return
    referral, deadline = missed
    if referral is not None:
        await on_silence(session, referral, deadline.kind, Silence(deadline.rule["then"]))


JOB = JobKind(service.JOB, apply)
