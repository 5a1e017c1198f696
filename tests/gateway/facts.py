"""Facts as the services publish them, given to the gateway as its consumer gives them."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from chassis import inbox
from chassis.db import Database
from chassis.events import Envelope, EventData, payload_of
from contracts import cases, reception
from gateway.handlers import on_events

START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)


class Sources:
    """The logs of cases and reception, and what of them the gateway has applied."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.logs: dict[str, list[Envelope]] = defaultdict(list)
        self.epochs: dict[str, list[tuple[UUID, int]]] = defaultdict(lambda: [(uuid4(), 0)])
        self.minutes = 0

    def say(self, data: EventData, *, occurred_at: datetime | None = None) -> Envelope:
        """A fact, recorded a minute after the one before."""
        self.minutes += 1
        recorded_at = START + timedelta(minutes=self.minutes)
        log = self.logs[data.service]
        envelope = Envelope(
            id=uuid4(),
            service=data.service,
            type=data.event_type,
            subject=data.subject,
            occurred_at=occurred_at or recorded_at,
            data=payload_of(data),
            position=len(log) + 1,
            epoch=self.epochs[data.service][-1][0],
            recorded_at=recorded_at,
        )
        log.append(envelope)
        return envelope

    async def tell(self, *envelopes: Envelope) -> None:
        """Apply them in one batch, in the consumer's order."""
        async with self.database.transaction() as session:
            for source, log in sorted(self.logs.items()):
                head = len(log)
                now = datetime.now(UTC)
                await inbox.observe_head(session, source, self.epochs[source], head, now)
            new = await inbox.note(session, envelopes)
            if new:
                await on_events(session, new)

    async def tell_all(self) -> None:
        """Apply everything that was said."""
        await self.tell(*(envelope for log in self.logs.values() for envelope in log))


class Person:
    """A returnee of a referral by bamf in eurp, implemented by iom-iraq."""

    def __init__(self, sources: Sources, **ids: Any) -> None:
        self.sources = sources
        self.referral_id = ids.get("referral_id") or uuid4()
        self.case_id = ids.get("case_id") or uuid4()
        self.id = uuid4()

    @property
    def ids(self) -> dict[str, Any]:
        return {
            "returnee_id": self.id,
            "case_id": self.case_id,
            "referral_id": self.referral_id,
            "programme": "eurp",
        }

    def submitted(self, **values: Any) -> Envelope:
        fact = {
            "referral_id": self.referral_id,
            "programme": "eurp",
            "referrer": "bamf",
            "return_kind": "voluntary",
            "people": 1,
            "needs_priority": "routine",
        }
        return self.sources.say(cases.ReferralSubmitted(**(fact | values)))

    def accepted(self) -> Envelope:
        fact = self.ids | {
            "programme_version": 1,
            "return_kind": "voluntary",
            "member": "principal",
            "referrer": "bamf",
            "implementer": "iom-iraq",
            "needs_priority": "routine",
        }
        return self.sources.say(cases.ReferralAccepted(**fact))

    def opened(self) -> Envelope:
        fact = self.ids | {
            "programme_version": 1,
            "return_kind": "voluntary",
            "member": "principal",
            "referrer": "bamf",
            "implementer": "iom-iraq",
            "office": "frontex",
            "state": "pre_departure",
            "needs_priority": "routine",
        }
        return self.sources.say(cases.CaseOpened(**fact))

    def progressed(self, state: str, previous: str = "pre_departure") -> Envelope:
        return self.sources.say(
            cases.CaseProgressed(**self.ids, state=state, previous_state=previous)
        )

    def met(self, *, occurred_at: datetime | None = None) -> Envelope:
        fact = self.ids | {
            "arrival_id": uuid4(),
            "port_of_entry": "EBL",
            "arrived_on": "2026-11-03",
        }
        return self.sources.say(reception.ArrivalReceived(**fact), occurred_at=occurred_at)

    def profiled(self) -> Envelope:
        return self.sources.say(
            reception.ArrivalProfiled(**self.ids, arrival_id=uuid4(), needs_priority="raised")
        )

    def deadline(
        self, kind: str = "plan", due_at: str = "2099-12-01T12:00:00+03:00", **ids: Any
    ) -> Envelope:
        fact = (self.ids | ids) | {"deadline_id": uuid4(), "kind": kind, "due_at": due_at}
        return self.sources.say(cases.DeadlineSet(**fact))

    def erased(self) -> Envelope:
        return self.sources.say(cases.ReturneeErased(returnee_id=self.id))


@asynccontextmanager
async def hearing(sources: Sources) -> AsyncIterator[None]:
    """Heads come, as they do all the time: what is not known then does not exist."""

    async def keep() -> None:
        while True:
            await sources.tell()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(keep())
    yield
    task.cancel()
    await asyncio.wait([task])


async def rows(database: Database, statement: Any) -> list[Any]:
    """Rows of a statement."""
    async with database.transaction() as session:
        return list((await session.execute(statement)).all())
