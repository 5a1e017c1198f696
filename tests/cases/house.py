"""Cases under test: called over HTTP in process, told what reception tells, and run as its job
runner would.
"""

import copy
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx
from sqlalchemy import select, text

from chassis.app import Homeward, create_app
from chassis.errors import Problem
from chassis.events import EventData
from chassis.jobs import job
from chassis.outbox import outbox
from chassis.settings import Settings
from contracts import reception
from services.cases.app import service
from services.cases.casework.deadlines.job import JOB
from services.cases.handlers import HANDLERS
from tests.events import deliver
from tests.tokens import bearer, settings, trust

EVERYTHING = (
    "referrals:read referrals:submit referrals:batch referrals:decide "
    "returnees:read returnees:identity "
    "returnees:vulnerabilities returnees:write cases:read cases:write "
    "plans:write plans:approve follow-up:read "
    "documents:read documents:write"
)

REFERRAL: dict[str, Any] = {
    "sender": "fedasil",
    "programme": "eurp",
    "return": {
        "kind": "voluntary",
        "legal_status": "asylum_rejected",
        "host_country": "BEL",
        "country_of_return": "IRQ",
    },
    "travel": {
        "state": "planned",
        "carrier": "TK",
        "flight_number": "TK802",
        "departs_on": "2026-03-14",
        "arrives_at": "2026-03-15T01:30:00+03:00",
        "port_of_entry": "EBL",
        "escorted": False,
    },
    "people": [
        {
            "role": "principal",
            "names": [
                {
                    "script": "Latn",
                    "given": "Ismaiel",
                    "father": "Safoean",
                    "grandfather": "",
                    "family": "Al Oebaidi",
                },
                {
                    "script": "Arab",
                    "given": "إسماعيل",
                    "father": "صفوان",
                    "grandfather": "",
                    "family": "العبیدی",
                },
            ],
            "sex": "male",
            "birth": {"date": "1988-07-01", "precision": "year"},
            "nationality": "IRQ",
            "documents": [
                {
                    "kind": "passport",
                    "number": "A 0433111",
                    "issuer": "IRQ",
                    "expires": "2029-01-10",
                }
            ],
            "languages": ["ar", "ckb"],
            "contacts": [
                {
                    "kind": "phone",
                    "value": "+964 780 000 8938",
                    "owner": "self",
                    "safe_hours": "09:00-12:00",
                }
            ],
        },
        {
            "role": "child",
            "names": [
                {
                    "script": "Latn",
                    "given": "Hanaan",
                    "father": "Ismaiel",
                    "grandfather": "",
                    "family": "",
                }
            ],
            "sex": "female",
            "birth": {"date": "2015-11-03", "precision": "day"},
            "nationality": "IRQ",
            "documents": [],
            "languages": [],
            "contacts": [],
        },
    ],
    "destination": {
        "governorate": "IQ-AR",
        "district": "Erbil",
        "address": "Hay 19, near the school",
    },
    "needs": ["onward_transport"],
    "vulnerabilities": [],
    "requested_assistance": ["business", "education"],
    "consents": [
        {
            "purpose": "referral",
            "version": "2026-1",
            "given_on": "2026-01-10",
            "legal_basis": "consent",
        },
        {
            "purpose": "assistance",
            "version": "2026-1",
            "given_on": "2026-01-10",
            "legal_basis": "consent",
        },
    ],
    "notes": "",
}


def today() -> date:
    """The day in the country of return, which is not always that of UTC."""
    return datetime.now(ZoneInfo("Asia/Baghdad")).date()


def referral(**values: Any) -> dict[str, Any]:
    """A family of two, under a reference of its own."""
    return copy.deepcopy(REFERRAL) | {"external_reference": f"FED-{uuid4().hex[:12]}"} | values


def alone(**values: Any) -> dict[str, Any]:
    """The principal applicant only."""
    body = referral(**values)
    body["people"] = body["people"][:1]
    return body


def stepped(after: Callable[[str, str], Any], state: Any, action: str) -> Any:
    """The state after an action; where it is refused, by a 409 that does not offer it, the state as
    it was.
    """
    try:
        return after(state, action)
    except Problem as problem:
        refusal = problem
    assert refusal.kind.status == 409
    assert action not in refusal.extensions["allowed"]
    return state


@dataclass
class Accepted:
    """A referral that was accepted, and what came of it."""

    id: UUID
    case_id: str
    people: list[str]
    household_id: str
    journey_id: str | None


class House:
    """The application, its database and callers."""

    def __init__(self, http: httpx.AsyncClient, homeward: Homeward) -> None:
        self.http = http
        self.homeward = homeward
        self.keys = (f"key-{number}" for number in range(1, 1_000_000))

    def headers(
        self, who: str, person: str | None = None, scopes: str = EVERYTHING
    ) -> dict[str, str]:
        if who == "internal":
            return bearer("homeward", "internal", f"{EVERYTHING} internal", person=person)
        if who == "frontex":
            return bearer(who, "programme_office", scopes, programmes=("eurp",), person=person)
        kind = "referrer" if who in {"fedasil", "bamf", "dtv"} else "partner"
        return bearer(who, kind, scopes, person=person)

    async def get(
        self, path: str, who: str = "iom-iraq", scopes: str = EVERYTHING, **query: Any
    ) -> httpx.Response:
        params = {name: str(value) for name, value in query.items()}
        return await self.http.get(
            f"/v1{path}", params=params, headers=self.headers(who, scopes=scopes)
        )

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        who: str = "iom-iraq",
        person: str | None = "anna",
        key: str | None = None,
        etag: str | None = None,
        new: bool = False,
    ) -> httpx.Response:
        headers = self.headers(who, person)
        if method == "POST":
            headers["Idempotency-Key"] = key or next(self.keys)
        if etag is not None:
            headers["If-Match"] = etag
        if new:
            headers["If-None-Match"] = "*"
        if body is not None:
            body = json.loads(json.dumps(body, default=str))
        return await self.http.request(method, f"/v1{path}", json=body, headers=headers)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return await self.call("POST", path, body, **options)

    async def etag(self, path: str, who: str = "iom-iraq") -> str:
        answer = await self.get(path, who)
        assert answer.status_code == 200, answer.text
        return str(answer.headers["etag"])

    async def upload(
        self,
        content: bytes,
        who: str = "iom-iraq",
        media_type: str = "application/pdf",
        **query: Any,
    ) -> httpx.Response:
        headers = self.headers(who, "anna") | {
            "Idempotency-Key": next(self.keys),
            "Content-Type": media_type,
        }
        params = {name: str(value) for name, value in query.items()}
        return await self.http.post(
            "/v1/documents", params=params, content=content, headers=headers
        )

    async def submit(self, body: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        body = body or referral()
        answer = await self.post("/referrals", body, who=body["sender"], **options)
        assert answer.status_code == 201, answer.text
        result: dict[str, Any] = answer.json()
        return result

    async def accept(self, referral_id: str, body: Any = None, **options: Any) -> httpx.Response:
        """Accept, everybody of whom nothing is said being new: tests refer the same people."""
        who = options.get("who", "iom-iraq")
        seen = await self.get(f"/referrals/{referral_id}", who)
        said = dict(body or {})
        bound = {each["index"]: each for each in said.get("people", [])}
        if seen.status_code == 200:
            new = {i: {"index": i, "returnee_id": None} for i in range(len(seen.json()["people"]))}
            said["people"] = list((new | bound).values())
        etag = seen.headers.get("ETag", "")
        return await self.post(f"/referrals/{referral_id}/accept", said, etag=etag, **options)

    async def accepted(self, body: dict[str, Any] | None = None, who: str = "iom-iraq") -> Accepted:
        submitted = await self.submit(body)
        answer = await self.accept(submitted["id"], who=who)
        assert answer.status_code == 200, answer.text
        document = answer.json()
        case_id = document["people"][0]["case_id"]
        journeys = (await self.get(f"/referrals/{submitted['id']}/travel", who)).json()["items"]
        return Accepted(
            id=UUID(submitted["id"]),
            case_id=case_id,
            people=[person["returnee_id"] for person in document["people"]],
            household_id=(await self.get(f"/cases/{case_id}", who)).json()["household_id"],
            journey_id=journeys[0]["id"] if journeys else None,
        )

    async def arrived(
        self, body: dict[str, Any] | None = None, on: date = date(2026, 3, 15)
    ) -> Accepted:
        accepted = await self.accepted(body)
        for returnee_id in accepted.people:
            await self.tell(received(accepted, returnee_id, on))
        return accepted

    async def tell(self, *told: EventData) -> None:
        """Apply events as the consumer does: each handler in a transaction."""
        await deliver(self.homeward.database, HANDLERS, *told)

    async def published(self, subject: object) -> list[tuple[str, dict[str, Any]]]:
        """What was published about a subject: (short type, payload), oldest first."""
        async with self.homeward.database.transaction() as session:
            rows = await session.execute(
                select(outbox.c.type, outbox.c.payload)
                .where(outbox.c.aggregateid == str(subject))
                .order_by(outbox.c.seq)
            )
            return [
                (row.type.removeprefix("org.homeward.cases.").removesuffix(".v1"), row.payload)
                for row in rows
            ]

    async def types(self, subject: object) -> list[str]:
        return [name for name, _ in await self.published(subject)]

    async def pass_deadline(self, about: object, kind: str) -> None:
        """Let a deadline pass, and do what the job runner does then."""
        async with self.homeward.database.transaction() as session:
            moved = await session.execute(
                text(
                    "UPDATE deadline SET due_at = clock_timestamp() - interval '1 second' "
                    "WHERE kind = :kind AND (referral_id = :about OR case_id = :about) RETURNING id"
                ),
                {"kind": kind, "about": UUID(str(about))},
            )
            deadline_id = moved.scalar_one()
        await self.run_deadline(deadline_id)

    async def run_deadline(self, deadline_id: object) -> None:
        async with self.homeward.database.transaction() as session:
            await JOB.apply(session, {"deadline_id": str(deadline_id)}, None)

    async def jobs_due(self) -> dict[str, datetime]:
        """Deadline jobs that wait, by the deadline's id."""
        async with self.homeward.database.transaction() as session:
            rows = await session.execute(
                select(job.c.key, job.c.due_at).where(job.c.kind == JOB.name)
            )
            return {row.key: row.due_at for row in rows}

    async def count(self, table: str) -> int:
        async with self.homeward.database.transaction() as session:
            return int((await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())

    async def audited(self, action: str, resource_id: object) -> int:
        async with self.homeward.database.transaction() as session:
            found = await session.execute(
                text("SELECT count(*) FROM audit WHERE action = :action AND resource_id = :id"),
                {"action": action, "id": str(resource_id)},
            )
            return int(found.scalar_one())


def arrival(accepted: Accepted, returnee_id: str) -> dict[str, Any]:
    """The ids of a member's arrival, the same each time."""
    return {
        "arrival_id": UUID(int=UUID(returnee_id).int ^ 1),
        "returnee_id": UUID(returnee_id),
        "case_id": UUID(accepted.case_id),
        "referral_id": accepted.id,
        "programme": "eurp",
    }


def received(
    accepted: Accepted, returnee_id: str, on: date = date(2026, 3, 15)
) -> reception.ArrivalReceived:
    return reception.ArrivalReceived(
        **arrival(accepted, returnee_id), port_of_entry="EBL", arrived_on=on
    )


@asynccontextmanager
async def running(database_url: str, **values: Any) -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory() as folder:
        documents = {"documents_url": Path(folder).as_uri()}
        async with _running(settings(database_url, **(documents | values))) as house:
            yield house


@asynccontextmanager
async def _running(given: Settings) -> AsyncIterator[House]:
    app = create_app(service, given)
    trust(app.state.homeward)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://cases") as http,
    ):
        yield House(http, app.state.homeward)
