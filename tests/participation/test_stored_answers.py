"""Stored answers tell nobody what they may not read any more, in every service."""

from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select

from chassis.idempotency import idempotency
from cli.roles import ROLES
from contracts import cases
from participation import projection
from participation.access import takes_part_in
from tests.chassis.probe import Probe
from tests.events import event_of


@pytest.mark.parametrize("role", [name for name in ROLES if name != "gateway"])
def test_every_service_that_tells_of_people_asks_again_who_takes_part(role: str) -> None:
    assert ROLES[role].service().takes_part_in is takes_part_in


async def test_an_erasure_reaches_them_wherever_it_is_heard(probe: Probe) -> None:
    person, other = uuid4(), uuid4()
    database = probe.homeward.database
    row = {
        "organisation": "iom-iraq",
        "client_id": "desk",
        "fingerprint": b"x",
        "status": 201,
        "headers": {"etag": '"1"'},
        "body": b"sealed",
        "expires_at": func.now(),
    }
    async with database.transaction() as session:
        for key, subjects in (("both", [person, other]), ("other", [other])):
            await session.execute(
                insert(idempotency).values(row | {"key": key, "subjects": subjects})
            )
    erased = event_of(cases.ReturneeErased(returnee_id=person), position=1)
    async with database.transaction() as session:
        await projection.project(session, erased)
        kept = select(idempotency.c.key, idempotency.c.body).where(
            idempotency.c.key.in_(["both", "other"])
        )
        found = {row.key: row.body for row in await session.execute(kept)}
    assert found == {"both": None, "other": b"sealed"}
