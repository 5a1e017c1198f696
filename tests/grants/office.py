"""The office in which money is granted: the application over HTTP, what others tell it, and its
people.
"""

import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, text

from chassis.app import Homeward, create_app
from chassis.db import Session
from chassis.events import EventData
from contracts import cases, reception
from contracts.codes import PROVED_BY, CaseState, Member, NeedsPriority, Paper, ReturnKind
from contracts.entitlements import Window
from services.grants import supporting_documents
from services.grants.app import service
from services.grants.books.verify import verify
from services.grants.handlers import HANDLERS
from services.grants.models import CitedDocument, Delivery, Grant, Payment, Quote
from services.grants.payments.earned.service import SETTLE_JOB
from services.grants.programmes import data as programme_data
from tests.events import deliver
from tests.tokens import bearer, settings, trust

PROGRAMME, PARTNER, OFFICE = "iom-iraq-avrr", "iom-iraq", "iom-avrr"
SCOPES = (
    "programmes:read budgets:read budgets:write grants:read grants:write grants:approve "
    "payments:release payments:write payees:read payees:write floats:read floats:write"
)
ARRIVED = date(2026, 11, 1)
REQUESTER, APPROVER, SECOND, THIRD, RELEASER = (
    "asks-1",
    "approves-2",
    "approves-3",
    "approves-4",
    "releases-5",
)


def with_window(monkeypatch: pytest.MonkeyPatch, **values: Any) -> Window:
    """Let help after the return have another window than the programme's; returns it."""
    programmes = programme_data.programmes()
    programme = programmes[PROGRAMME]
    rules = programme.versions[0]
    package = rules.assistance.packages["post_return"]
    window = package.window.model_copy(update=values)
    packages = {
        **rules.assistance.packages,
        "post_return": package.model_copy(update={"window": window}),
    }
    assistance = rules.assistance.model_copy(update={"packages": packages})
    changed = programme.model_copy(
        update={"versions": (rules.model_copy(update={"assistance": assistance}),)}
    )
    monkeypatch.setattr(programme_data, "programmes", lambda: {**programmes, PROGRAMME: changed})
    return window


class Person:
    """Somebody in a case."""

    def __init__(self, **values: Any) -> None:
        self.id, self.case_id, self.household_id = uuid4(), uuid4(), uuid4()
        self.programme, self.implementer, self.office = PROGRAMME, PARTNER, OFFICE
        self.kind, self.member, self.referrer = ReturnKind.VOLUNTARY, Member.PRINCIPAL, "bamf"
        self.travel_id, self.arrival_id = uuid4(), uuid4()
        for name, value in values.items():
            setattr(self, name, value)

    @property
    def ids(self) -> dict[str, Any]:
        return {
            "returnee_id": self.id,
            "case_id": self.case_id,
            "household_id": self.household_id,
            "programme": self.programme,
        }

    def opened(self) -> cases.CaseOpened:
        return cases.CaseOpened(
            **self.ids,
            programme_version=1,
            return_kind=self.kind,
            member=self.member,
            referrer=self.referrer,
            implementer=self.implementer,
            office=self.office,
            state=CaseState.PRE_DEPARTURE,
            needs_priority=NeedsPriority.ROUTINE,
        )

    def received(self, on: date = ARRIVED) -> reception.ArrivalReceived:
        return reception.ArrivalReceived(
            **self.ids, arrival_id=self.arrival_id, port_of_entry="EBL", arrived_on=on
        )

    def confirmed(self) -> cases.TravelConfirmed:
        return cases.TravelConfirmed(
            **self.ids, travel_id=self.travel_id, revision=1, port_of_entry="EBL"
        )

    def closed(self, reason: str = "completed") -> cases.CaseClosed:
        return cases.CaseClosed(**self.ids, reason=reason, previous_state=CaseState.MONITORING)


def today(days: int = 0) -> str:
    """The day by UTC: the earliest on which what is released now can have been received."""
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def euros(amount: str, currency: str = "EUR") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


async def cited_as(session: Session, document_id: UUID) -> str:
    """The kind of document that is right for what cites it."""
    if await session.scalar(select(Quote.id).where(Quote.document == document_id)) is not None:
        return "quote"
    cites = Payment.papers.contains([{"document": str(document_id)}])
    papers_of = await session.scalar(select(Payment.papers).where(cites).limit(1))
    kinds = [
        Paper(paper["kind"]) for paper in papers_of or () if paper["document"] == str(document_id)
    ]
    if kinds:
        return min(PROVED_BY[kinds[0]])
    handed_over = await session.scalar(
        select(Delivery.id).where(Delivery.certificate == document_id)
    )
    return "contract" if handed_over is None else "delivery"


class Office:
    """Callers of one application, and its database."""

    def __init__(self, http: httpx.AsyncClient, homeward: Homeward) -> None:
        self.http, self.homeward = http, homeward
        self.number = 0
        self.has_documents = True
        """Whether cases has what is cited, and says so at once."""

    def headers(self, person: str | None, organisation: str = PARTNER) -> dict[str, str]:
        if organisation == OFFICE:
            return bearer(
                organisation,
                "programme_office",
                SCOPES,
                person=person,
                programmes=(PROGRAMME, "errin-iraq-2021", "amif-be-2018"),
            )
        kind = "referrer" if organisation == "bamf" else "partner"
        return bearer(organisation, kind, SCOPES, person=person)

    async def get(self, path: str, organisation: str = PARTNER, **query: Any) -> httpx.Response:
        headers = self.headers(None, organisation)
        return await self.http.get(
            path, params={k: str(v) for k, v in query.items()}, headers=headers
        )

    async def post(
        self,
        path: str,
        body: Any = None,
        *,
        by: str | None = REQUESTER,
        organisation: str = PARTNER,
        version: int | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        headers = self.headers(by, organisation) | {"Idempotency-Key": key or str(uuid4())}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        content = None if body is None else json.loads(json.dumps(body, default=str))
        answer = await self.http.post(path, json=content, headers=headers)
        cites = path.rpartition("/")[2] in {"quotes", "delivery", "payments", "papers"}
        if self.has_documents and answer.is_success and cites:
            made = answer.json()
            await self.hear_of_documents(made.get("grant_id", made["id"]))
        return answer

    async def cited(self, grant_id: str) -> set[str]:
        """Documents of a grant that cases is asked for."""
        async with self.homeward.database.transaction() as session:
            query = text(
                "SELECT payload ->> 'document_id' FROM job"
                " WHERE kind = :kind AND payload ->> 'grant_id' = :of"
            )
            return set(
                await session.scalars(query, {"kind": supporting_documents.ASK, "of": grant_id})
            )

    async def hear_of_documents(
        self, grant_id: str, *, known: bool = True, but: Collection[str] = (), **document: Any
    ) -> None:
        """Cases answers what it was asked about documents that a grant cites."""
        async with self.homeward.database.transaction() as session:
            grant = await session.get_one(Grant, UUID(grant_id))
            asked = select(CitedDocument.document_id).where(CitedDocument.grant_id == grant.id)
            waiting = (await session.scalars(asked.where(CitedDocument.state != "found"))).all()
        content = {
            "case_id": str(grant.case_id),
            "returnee_id": None,
            "referral_id": None,
        } | document
        for document_id in [each for each in waiting if str(each) not in but]:
            payload = {"grant_id": str(grant.id), "document_id": str(document_id)}
            async with self.homeward.database.transaction() as session:
                content["kind"] = document.get("kind") or await cited_as(session, document_id)
                await supporting_documents.JOB.apply(session, payload, content if known else None)

    async def done(
        self, path: str, body: Any = None, *, by: str = REQUESTER, **options: Any
    ) -> Any:
        """A step that must succeed; a decision is made on what is there now."""
        if path.rpartition("/")[2] in DECISIONS and "version" not in options:
            options["version"] = await self.version(path.rpartition("/")[0])
        answer = await self.post(path, body, by=by, **options)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def settle(self, grant: Any) -> None:
        """Run the job that schedules what was earned before a grant was approved."""
        async with self.homeward.database.transaction() as session:
            await SETTLE_JOB.apply(session, {"grant_id": str(grant["id"])}, None)

    async def version(self, path: str) -> int:
        answer = await self.get(path)
        assert answer.is_success, answer.text
        return int(answer.headers["etag"].strip('"'))

    async def tell(self, *told: EventData, at: datetime | None = None) -> None:
        """Apply events as the consumer does: each handler in a transaction."""
        await deliver(self.homeward.database, HANDLERS, *told, at=at)

    async def here(self, **values: Any) -> Person:
        """Somebody whose case is open and who has arrived."""
        person = Person(**values)
        await self.tell(person.opened(), person.received())
        return person

    async def budget(self, amount: str = "100000.00", **values: Any) -> str:
        year = datetime.now(UTC).year
        day = {"from": f"{year - 1}-01-01", "until": f"{year + 1}-12-31"}
        body = {
            "programme": PROGRAMME,
            "organisation": PARTNER,
            "amount": euros(amount),
            "starts_on": day["from"],
            "ends_on": day["until"],
            "sources": [
                {"donor": "amif", "share": "0.75", **day},
                {"donor": "fedasil", "share": "0.25", **day},
            ],
        }
        answer = await self.post("/v1/budgets", body | values, by="officer-1", organisation=OFFICE)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def sums(self, budget_id: str) -> dict[str, Decimal]:
        answer = (await self.get(f"/v1/budgets/{budget_id}")).json()
        return {
            n: Decimal(answer[n]["amount"])
            for n in ("available", "reserved", "committed", "paid", "recovered")
        }

    def asked(
        self, person: Person, amount: str = "900.00", kind: str = "vocational_training", **more: Any
    ) -> Any:
        return {
            "case_id": person.case_id,
            "returnee_id": person.id,
            "kind": kind,
            "amount": euros(amount),
        } | more

    async def grant(self, person: Person, amount: str = "900.00", **more: Any) -> Any:
        return await self.done("/v1/grants", self.asked(person, amount, **more))

    async def approved(self, person: Person, amount: str = "900.00", **more: Any) -> Any:
        grant = await self.grant(person, amount, **more)
        for who in (APPROVER, SECOND, THIRD)[: grant["approvers_needed"]]:
            grant = await self.done(f"/v1/grants/{grant['id']}/approve", by=who)
        assert grant["state"] == "approved"
        return grant

    async def payee(self, **values: Any) -> str:
        self.number += 1
        details = {
            "name": f"Example Workshop {self.number}",
            "account": f"IQ00TEST{self.number:015d}",
        }
        made = await self.done("/v1/payees", {"kind": "provider", "details": details} | values)
        await self.done(f"/v1/payees/{made['id']}/verify", by=APPROVER)
        return str(made["id"])

    async def scheduled(
        self, grant: Any, payee: str | None, amount: str | None = None, **more: Any
    ) -> Any:
        body = {
            "method": "bank" if payee else "cash",
            "amount": euros(amount or grant["amount"]["amount"]),
            "payee_id": payee,
            "papers": [{"kind": "invoice" if payee else "identity_seen", "document": uuid4()}],
        }
        return await self.done(f"/v1/grants/{grant['id']}/payments", body | more)

    async def released(
        self, grant: Any, payee: str | None, amount: str | None = None, **more: Any
    ) -> Any:
        payment = await self.scheduled(grant, payee, amount, **more)
        body = {} if payee else {"float_id": await self.cash_float(payment["payout"])}
        return await self.done(f"/v1/payments/{payment['id']}/release", body, by=RELEASER)

    async def cash_float(self, amount: Any) -> str:
        """Cash at the desk, as much as it takes."""
        made = await self.done(
            "/v1/cash-floats", {"port_of_entry": "EBL", "amount": amount}, by=SECOND
        )
        return str(made["id"])

    async def paid(
        self, grant: Any, payee: str | None, amount: str | None = None, **more: Any
    ) -> Any:
        payment = await self.released(grant, payee, amount, **more)
        receipt = {"confirmed_on": today(), "receipt": uuid4()}
        return await self.done(f"/v1/payments/{payment['id']}/confirm", receipt)

    async def proved(self) -> None:
        """The books are right."""
        async with self.homeward.database.transaction() as session:
            proof = await verify(session)
        assert proof.findings == ()

    async def published(self, person: Person) -> list[str]:
        async with self.homeward.database.transaction() as session:
            query = "SELECT type FROM outbox WHERE aggregateid = :who ORDER BY seq"
            rows = await session.scalars(text(query), {"who": str(person.id)})
            return [kind.removeprefix("org.homeward.grants.").removesuffix(".v1") for kind in rows]

    def uuid(self, value: Any) -> UUID:
        return UUID(str(value))


DECISIONS = {
    "approve",
    "reject",
    "amend",
    "close",
    "verify",
    "refuse",
    "release",
    "fail",
    "reverse",
    "recover",
    "reconcile",
    "select",
    "form",
    "grant",
}


@asynccontextmanager
async def running(database_url: str, **values: Any) -> AsyncIterator[Office]:
    app = create_app(service, settings(database_url, **values))
    trust(app.state.homeward)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://grants", timeout=60) as http,
    ):
        yield Office(http, app.state.homeward)
