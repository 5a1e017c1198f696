"""Training under test: told what cases tells, asked over HTTP."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import select, text, update

from chassis.app import Homeward, create_app
from chassis.events import EventData
from chassis.outbox import outbox
from contracts import cases
from contracts.codes import CaseState, Member, NeedsPriority, ReturnKind
from contracts.scopes import Scope
from services.training import identities, plans, whereabouts
from services.training.app import service
from services.training.enrolments import choices
from services.training.enrolments.service import LAPSE_JOB
from services.training.handlers import HANDLERS
from services.training.models import Enrolment
from tests.events import handle
from tests.tokens import bearer, settings, trust

SCOPES = " ".join(
    scope
    for scope in Scope
    if scope.partition(":")[0] in {"courses", "training", "vacancies", "placements"}
)
HOUR = timedelta(hours=1)


@dataclass
class Person:
    """Somebody who returns."""

    id: UUID = field(default_factory=uuid4)
    case_id: UUID = field(default_factory=uuid4)
    referral_id: UUID = field(default_factory=uuid4)
    household_id: UUID = field(default_factory=uuid4)
    programme: str = "amif-be-2018"

    @property
    def ids(self) -> dict[str, Any]:
        return {
            "returnee_id": self.id,
            "case_id": self.case_id,
            "referral_id": self.referral_id,
            "household_id": self.household_id,
            "programme": self.programme,
        }

    def opened(self, implementer: str = "iom-iraq") -> cases.CaseOpened:
        return cases.CaseOpened(
            **self.ids,
            programme_version=1,
            return_kind=ReturnKind.VOLUNTARY,
            member=Member.PRINCIPAL,
            referrer="fedasil",
            implementer=implementer,
            office="iom-belgium",
            state=CaseState.PRE_DEPARTURE,
            needs_priority=NeedsPriority.ROUTINE,
        )

    def moved(self, state: CaseState) -> cases.CaseProgressed:
        return cases.CaseProgressed(**self.ids, previous_state=CaseState.PRE_DEPARTURE, state=state)

    def amended(self, plan_version: int) -> cases.PlanAmended:
        return cases.PlanAmended(**self.ids, plan_id=uuid4(), plan_version=plan_version)

    def closed(self) -> cases.CaseClosed:
        return cases.CaseClosed(
            **self.ids, reason="completed", previous_state=CaseState.IN_DELIVERY
        )

    def approved(self, plan_version: int = 1) -> cases.PlanApproved:
        ids = {
            "plan_id": uuid4(),
            "plan_version": plan_version,
            "preparer": uuid4(),
            "approver": uuid4(),
        }
        return cases.PlanApproved(**self.ids, **ids)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def sessions(*starts: timedelta, hours: float = 2) -> list[dict[str, str]]:
    """Sessions that begin so long from now."""
    return [
        {
            "starts_at": (now() + start).isoformat(),
            "ends_at": (now() + start + hours * HOUR).isoformat(),
        }
        for start in starts
    ]


class School:
    """The application, its database and callers."""

    def __init__(self, http: httpx.AsyncClient, homeward: Homeward) -> None:
        self.http = http
        self.homeward = homeward
        self.numbers = count(1)
        self.again = 0
        """How often somebody was told to come again."""

    def headers(
        self, organisation: str = "iom-iraq", person: str | None = "teacher-1"
    ) -> dict[str, str]:
        kinds = {"fedasil": "referrer", "iom-belgium": "programme_office", "homeward": "internal"}
        kind = (
            "training_provider"
            if organisation.startswith("training-")
            else kinds.get(organisation, "partner")
        )
        scopes = SCOPES + (" internal" if kind == "internal" else "")
        return bearer(organisation, kind, scopes, person=person, programmes=("amif-be-2018",))

    async def tell(self, *told: EventData) -> None:
        """Apply events as the consumer does: each handler in a transaction."""
        for data in told:
            async with self.homeward.database.transaction() as session:
                await handle(session, HANDLERS, data)

    async def tell_at_once(self, told: Iterable[EventData]) -> None:
        """Apply many events in one transaction, as the consumer does with a batch."""
        async with self.homeward.database.transaction() as session:
            for data in told:
                await handle(session, HANDLERS, data)

    async def somebody(self, state: CaseState = CaseState.ARRIVED, **values: Any) -> Person:
        person = Person(**values)
        await self.tell(person.opened())
        if state != CaseState.PRE_DEPARTURE:
            await self.tell(person.moved(state))
        return person

    async def get(
        self, path: str, *, organisation: str = "iom-iraq", **query: Any
    ) -> httpx.Response:
        return await self.http.get(
            path, params={k: str(v) for k, v in query.items()}, headers=self.headers(organisation)
        )

    async def post(
        self, path: str, *, organisation: str = "iom-iraq", seen: str | None = None, **body: Any
    ) -> httpx.Response:
        headers = self.headers(organisation) | {"Idempotency-Key": f"key-{next(self.numbers)}"}
        headers |= {"If-Match": seen} if seen else {}
        for attempt in count(
            1
        ):  # as a careful client: too many at once come again later and later, with the same key
            answer = await self.http.post(
                path, json=json.loads(json.dumps(body, default=str)), headers=headers
            )
            if answer.status_code != 503 or "retry-after" not in answer.headers:
                return answer
            self.again += 1
            await asyncio.sleep(float(answer.headers["retry-after"]) * random.uniform(0.5, attempt))
        raise AssertionError

    async def put(
        self, path: str, *, organisation: str = "iom-iraq", seen: str | None = None, **body: Any
    ) -> httpx.Response:
        headers = self.headers(organisation) | (
            {"If-Match": seen} if seen else {"If-None-Match": "*"}
        )
        return await self.http.put(
            path, json=json.loads(json.dumps(body, default=str)), headers=headers
        )

    async def decide(
        self, path: str, word: str, *, organisation: str = "iom-iraq", **body: Any
    ) -> httpx.Response:
        """Act on what was just read."""
        seen = (await self.get(path, organisation=organisation)).headers["etag"]
        return await self.post(f"{path}/{word}", organisation=organisation, seen=seen, **body)

    async def patch(self, path: str, **body: Any) -> httpx.Response:
        seen = (await self.get(path)).headers["etag"]
        headers = self.headers() | {"If-Match": seen}
        return await self.http.patch(
            path, json=json.loads(json.dumps(body, default=str)), headers=headers
        )

    async def course(self, **values: Any) -> dict[str, Any]:
        provider = values.pop("provider", "training-provider-5")
        await self.post("/v1/providers", slug=provider, name=provider, country="IRQ")
        body = {
            "code": f"T{next(self.numbers)}",
            "title": "Barbering and hairdressing",
            "kind": "vocational",
            "phase": "post_arrival",
            "hours": "4",
            "days": 2,
            "country": "IRQ",
            "city": "Baghdad",
            "capacity": 2,
            "provider": provider,
            "languages": ["ar"],
            "isced_f": "1012",
            "isco_08": "5141",
            "programmes": ["amif-be-2018"],
            "stipend": True,
        }
        answer = await self.post("/v1/courses", **(body | values))
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def cohort(self, course: dict[str, Any] | None = None, **values: Any) -> str:
        course = course or await self.course()
        body = {
            "course_id": course["id"],
            "sessions": sessions(timedelta(days=7), timedelta(days=8)),
        }
        answer = await self.post("/v1/cohorts", **(body | values))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def enrol(
        self, cohort_id: str, person: Person | None = None, **values: Any
    ) -> dict[str, Any]:
        person = person or await self.somebody()
        answer = await self.post(
            "/v1/enrolments", returnee_id=person.id, cohort_id=cohort_id, **values
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def enrolment(self, enrolment_id: str) -> dict[str, Any]:
        answer = await self.get(f"/v1/enrolments/{enrolment_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def states(self, cohort_id: str) -> list[tuple[int | None, str]]:
        """Queue number and state of every enrolment, in order of the queue."""
        async with self.homeward.database.transaction() as session:
            query = select(Enrolment.queue, Enrolment.state).where(
                Enrolment.cohort_id == UUID(cohort_id)
            )
            return sorted(
                (tuple(row) for row in await session.execute(query)),
                key=lambda row: (row[0] or 0, row[1]),
            )

    async def published(self, person: Person) -> list[tuple[str, dict[str, Any]]]:
        """What was published about somebody: (short type, payload), oldest first."""
        async with self.homeward.database.transaction() as session:
            rows = await session.execute(
                select(outbox.c.type, outbox.c.payload)
                .where(outbox.c.aggregateid == str(person.id))
                .order_by(outbox.c.seq)
            )
            return [
                (row.type.removeprefix("org.homeward.training.").removesuffix(".v1"), row.payload)
                for row in rows
            ]

    async def sql(self, statement: str, **values: Any) -> Any:
        async with self.homeward.database.transaction() as session:
            result = await session.execute(text(statement), values)
            return result.all() if result.returns_rows else None

    async def let_lapse(self, enrolment_id: str) -> None:
        """Time passes, and the job runs."""
        async with self.homeward.database.transaction() as session:
            past = text("clock_timestamp() - interval '1 second'")
            await session.execute(
                update(Enrolment)
                .where(Enrolment.id == UUID(enrolment_id), Enrolment.state == "offered")
                .values(offered_until=past)
            )
        async with self.homeward.database.transaction() as session:
            await LAPSE_JOB.apply(session, {"enrolment_id": enrolment_id}, None)

    async def approve(
        self,
        person: Person,
        *lines: dict[str, Any],
        plan_version: int = 1,
        languages: tuple[str, ...] = (),
    ) -> None:
        """A plan is approved, and the jobs fetch its lines and look for cohorts."""
        await self.tell(person.approved(plan_version))
        document = {
            "id": str(uuid4()),
            "plan_version": plan_version,
            "lines": list(lines),
            "state": "approved",
        }

        class Cases:
            async def find(self, service: str, path: str, **_: Any) -> dict[str, Any]:
                if path.endswith("/identity"):
                    return {"languages": list(languages), "sex": "male"}
                assert (service, path) == ("cases", f"/v1/cases/{person.case_id}/plan")
                return document

        payload = {"case_id": str(person.case_id), "plan_version": plan_version}
        assert plans.FETCH_JOB.call is not None
        outcome = await plans.FETCH_JOB.call(Cases(), payload)  # type: ignore[arg-type]
        async with self.homeward.database.transaction() as session:
            await plans.FETCH_JOB.apply(session, payload, outcome)
        await self.choose(person)

    async def choose(self, person: Person) -> None:
        """Do the jobs that are waiting: look for a cohort for what is asked for."""
        rows = await self.sql(
            "DELETE FROM job USING enrolment WHERE job.kind = :kind AND key = CAST(enrolment.id "
            "AS text)"
            " AND returnee_id = :person RETURNING payload",
            kind=choices.CHOOSE,
            person=person.id,
        )
        for row in rows:
            async with self.homeward.database.transaction() as session:
                await choices.choose(session, row.payload, None)

    async def settle(self, person: Person, governorate: str) -> None:
        """The job fetches where the people of the case return to."""

        class Cases:
            async def find(self, service: str, path: str, **_: Any) -> dict[str, Any]:
                assert (service, path) == ("cases", f"/v1/cases/{person.case_id}")
                return {"governorate": governorate, "office": "Baghdad"}

        payload = {"case_id": str(person.case_id)}
        assert whereabouts.FETCH_JOB.call is not None
        outcome = await whereabouts.FETCH_JOB.call(Cases(), payload)  # type: ignore[arg-type]
        async with self.homeward.database.transaction() as session:
            await whereabouts.FETCH_JOB.apply(session, payload, outcome)

    async def recognise(self, person: Person) -> None:
        """Do what the job does: fetch who somebody is, and keep it."""
        names = [
            {"script": "Latn", "given": "Ismail", "father": "Safwan", "family": "al-Dulaimi"},
            {
                "script": "Arab",
                "given": "إسماعيل",
                "father": "صفوان",
                "grandfather": "",
                "family": "الدليمي",
            },
        ]

        class Cases:
            async def find(self, *_: Any) -> dict[str, Any]:
                return {"names": names, "sex": "male", "nationality": "IRQ"}

        kind = identities.fetch_job(self.homeward.settings)
        payload = {"returnee_id": str(person.id)}
        assert kind.call is not None
        outcome = await kind.call(Cases(), payload)  # type: ignore[arg-type]
        async with self.homeward.database.transaction() as session:
            await kind.apply(session, payload, outcome)

    async def finished(self, course: dict[str, Any] | None = None) -> tuple[Person, dict[str, Any]]:
        """Somebody who attended everything and completed."""
        cohort = await self.cohort(course, sessions=sessions(-5 * HOUR, -2 * HOUR, hours=1))
        person = await self.somebody()
        enrolment = await self.enrol(cohort, person)
        for number in (1, 2):
            await self.attend(cohort, number, {enrolment["id"]: "present"})
        answer = await self.decide(f"/v1/enrolments/{enrolment['id']}", "complete")
        assert answer.status_code == 200, answer.text
        return person, answer.json()

    async def attend(
        self, cohort_id: str, number: int, statuses: dict[str, str], **values: Any
    ) -> httpx.Response:
        entries = [{"enrolment_id": key, "status": status} for key, status in statuses.items()]
        path = f"/v1/cohorts/{cohort_id}/sessions/{number}/attendance"
        return await self.put(path, entries=entries, **values)


@asynccontextmanager
async def running(database_url: str) -> AsyncIterator[School]:
    app = create_app(service, settings(database_url))
    trust(app.state.homeward)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://school") as http,
    ):
        yield School(http, app.state.homeward)


async def vacancy(school: School, **values: Any) -> str:
    employer = (
        await school.post("/v1/employers", name="Salon", country="IRQ", governorate="IQ-BG")
    ).json()
    body = {
        "employer_id": employer["id"],
        "title": "Barber",
        "kind": "job",
        "occupation": "5141",
        "country": "IRQ",
        "governorate": "IQ-BG",
        "languages": ["ar"],
        "wage": {"amount": "700", "currency": "USD"},
    }
    answer = await school.post("/v1/vacancies", **(body | values))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
