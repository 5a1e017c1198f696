"""The job that makes anew what people are found by when the rules for it have changed."""

from datetime import timedelta
from typing import Any

from sqlmodel import col, select

from chassis import jobs
from chassis.db import Session
from chassis.jobs import JobKind, Payload
from services.cases.models import Returnee
from services.cases.people.returnees.service import FOUND_BY, make_findable

AT_ONCE = 500


async def refresh(session: Session, _: Payload, __: Any) -> None:
    """Take the next people whom older rules described; soon again while there are more."""
    statement = (
        select(Returnee)
        .where(Returnee.found_by < FOUND_BY, col(Returnee.erased_at).is_(None))
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    people = (await session.scalars(statement)).all()
    for person in people:
        make_findable(session, person)
    await session.flush()
    if len(people) == AT_ONCE:
        await jobs.schedule(session, REFRESH.name, {}, key=jobs.PERIODIC)


REFRESH = JobKind("cases.returnees-found-by", refresh, every=timedelta(minutes=5))
