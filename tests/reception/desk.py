"""Reception under test: told what cases tells, asked over HTTP."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import select

from chassis.app import Homeward, create_app
from chassis.events import EventData
from chassis.outbox import outbox
from contracts import cases
from contracts.codes import CaseState, Member, NeedsPriority, ReturnKind
from participation.matching_digests import Marks
from services.reception import identities
from services.reception.app import service
from services.reception.handlers import HANDLERS
from tests.events import deliver
from tests.tokens import bearer, settings, trust

LANDS_AT = datetime(2026, 3, 14, 22, 30, tzinfo=UTC)
"""Half past one in the morning of the 15th in Erbil."""


@dataclass
class Person:
    """Somebody who returns, and their journey."""

    id: UUID = field(default_factory=uuid4)
    case_id: UUID = field(default_factory=uuid4)
    referral_id: UUID = field(default_factory=uuid4)
    household_id: UUID = field(default_factory=uuid4)
    travel_id: UUID = field(default_factory=uuid4)

    @property
    def ids(self) -> dict[str, Any]:
        return {
            "returnee_id": self.id,
            "case_id": self.case_id,
            "referral_id": self.referral_id,
            "household_id": self.household_id,
            "programme": "eurp",
        }

    def opened(self, implementer: str = "iom-iraq", **values: Any) -> cases.CaseOpened:
        defaults: dict[str, Any] = {
            "programme_version": 1,
            "return_kind": ReturnKind.VOLUNTARY,
            "member": Member.PRINCIPAL,
            "referrer": "bamf",
            "implementer": implementer,
            "office": "frontex",
            "state": CaseState.PRE_DEPARTURE,
            "needs_priority": NeedsPriority.ROUTINE,
        }
        return cases.CaseOpened(**self.ids, **(defaults | values))

    def journey(self, **values: Any) -> dict[str, Any]:
        defaults: dict[str, Any] = {
            "travel_id": self.travel_id,
            "revision": 1,
            "arrives_at": LANDS_AT,
            "port_of_entry": "EBL",
            "carrier": "TK",
            "flight_number": "TK808",
        }
        return self.ids | defaults | values


class Desk:
    """The application, its database and callers."""

    def __init__(self, http: httpx.AsyncClient, app: FastAPI) -> None:
        self.http = http
        self.app = app
        self.homeward: Homeward = app.state.homeward
        self.marks = Marks(self.homeward.settings)
        self.scopes = "arrivals:read arrivals:write flights:read flights:write"
        self.keys = (f"key-{number}" for number in range(1, 1_000_000))

    async def tell(self, *told: EventData, at: datetime | None = None) -> None:
        """Apply events as the consumer does: each handler in a transaction."""
        await deliver(self.homeward.database, HANDLERS, *told, at=at)

    async def expect(
        self, person: Person | None = None, implementer: str = "iom-iraq", **journey: Any
    ) -> UUID:
        """An arrival that is expected."""
        person = person or Person()
        await self.tell(
            person.opened(implementer), cases.TravelConfirmed(**person.journey(**journey))
        )
        return (await self.arrivals_of(person))[0]

    async def arrivals_of(self, person: Person) -> list[UUID]:
        """Their arrivals; none while the person is not known yet."""
        answer = await self.get("", returnee_id=person.id, organisation=None)
        return [UUID(item["id"]) for item in answer.json().get("items", ())]

    def headers(self, organisation: str | None, person: str | None = None) -> dict[str, str]:
        scopes = self.scopes
        if organisation is None:
            return bearer("homeward", "internal", f"{scopes} internal")
        if organisation == "frontex":
            return bearer(organisation, "programme_office", scopes, programmes=("eurp",))
        kind = "referrer" if organisation == "bamf" else "partner"
        return bearer(organisation, kind, scopes, person=person)

    async def get(
        self, path: str, *, organisation: str | None = "iom-iraq", **query: Any
    ) -> httpx.Response:
        return await self.http.get(
            f"/v1/arrivals{path}",
            params={name: str(value) for name, value in query.items()},
            headers=self.headers(organisation),
        )

    async def post(
        self,
        path: str,
        *,
        organisation: str = "iom-iraq",
        person: str | None = None,
        key: str | None = None,
        **body: Any,
    ) -> httpx.Response:
        headers = self.headers(organisation, person) | {"Idempotency-Key": key or next(self.keys)}
        return await self.http.post(
            f"/v1/arrivals{path}", json=json.loads(json.dumps(body, default=str)), headers=headers
        )

    async def call(
        self,
        method: str,
        path: str,
        *,
        organisation: str | None = "iom-iraq",
        scopes: str = "",
        **options: Any,
    ) -> httpx.Response:
        """Any request; `scopes` beside those of every desk."""
        headers = self.headers(organisation)
        if scopes:
            headers = bearer(organisation or "homeward", "partner", f"{self.scopes} {scopes}")
        if method == "POST":
            headers["Idempotency-Key"] = next(self.keys)
        return await self.http.request(
            method, path, headers=headers | options.pop("headers", {}), **options
        )

    async def announce(self, organisation: str = "iom-iraq", **values: Any) -> str:
        """A charter to Erbil."""
        flight = {
            "charter": True,
            "origin": "LEJ",
            "port_of_entry": "EBL",
            "scheduled_at": LANDS_AT.isoformat(),
            "programme": "eurp",
            "return_kind": "forced_charter",
        } | values
        answer = await self.call("POST", "/v1/flights", organisation=organisation, json=flight)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def manifest(
        self,
        flight: str,
        passengers: Any,
        *,
        version: str | None = None,
        organisation: str = "iom-iraq",
    ) -> httpx.Response:
        """Send a manifest: a list as JSON, bytes as CSV."""
        headers = {"If-None-Match": "*"} if version is None else {"If-Match": version}
        path = f"/v1/flights/{flight}/manifest"
        if isinstance(passengers, bytes):
            headers["Content-Type"] = "text/csv"
            return await self.call(
                "PUT", path, content=passengers, headers=headers, organisation=organisation
            )
        body = {"passengers": passengers}
        return await self.call("PUT", path, json=body, headers=headers, organisation=organisation)

    async def passengers(self, flight: str) -> dict[str, dict[str, Any]]:
        """The manifest by seat."""
        answer = await self.call("GET", f"/v1/flights/{flight}/manifest")
        assert answer.status_code == 200, answer.text
        return {passenger["seat"]: passenger for passenger in answer.json()["passengers"]}

    async def published(self, person: Person) -> list[tuple[str, dict[str, Any]]]:
        """What was published about somebody: (short type, payload), oldest first."""
        async with self.homeward.database.transaction() as session:
            rows = await session.execute(
                select(outbox.c.type, outbox.c.payload)
                .where(outbox.c.aggregateid == str(person.id))
                .order_by(outbox.c.seq)
            )
            return [
                (row.type.removeprefix("org.homeward.reception.").removesuffix(".v1"), row.payload)
                for row in rows
            ]

    async def recognise(self, person: Person, **values: Any) -> None:
        """Do what the job does: fetch who somebody is, and keep it."""
        document = {
            "names": [
                {
                    "script": "Arab",
                    "given": "إسماعيل",
                    "father": "صفوان",
                    "grandfather": "",
                    "family": "الدليمي",
                }
            ],
            "sex": "male",
            "birth": {"date": "1988-07-01", "precision": "day"},
            "nationality": "IRQ",
            "languages": ["ar"],
            "contacts": [{"kind": "phone", "value": "+9647800008938"}],
        } | values

        class Cases:
            async def find(self, *_: Any) -> dict[str, Any]:
                return document

        kind = identities.fetch_job(self.homeward.settings)
        payload = {"returnee_id": str(person.id)}
        assert kind.call is not None
        outcome = await kind.call(Cases(), payload)  # type: ignore[arg-type]
        async with self.homeward.database.transaction() as session:
            await kind.apply(session, payload, outcome)


@asynccontextmanager
async def running(database_url: str) -> AsyncIterator[Desk]:
    app = create_app(service, settings(database_url))
    trust(app.state.homeward)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://desk") as http,
    ):
        yield Desk(http, app)
