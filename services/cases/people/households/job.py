"""Children come of age by themselves."""

from datetime import timedelta
from typing import Any

from chassis.db import Session
from chassis.jobs import JobKind, Payload
from services.cases.people.households import service

EVERY = timedelta(hours=1)


async def apply(session: Session, _: Payload, __: Any) -> None:
    """Let children who have turned 18 be adults."""
    await service.come_of_age(session)


JOB = JobKind("cases.of_age", apply, every=EVERY)
