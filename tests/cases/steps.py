"""Steps that several tests of cases begin with, over HTTP."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import httpx

from chassis.events import EventData
from chassis.jobs import Payload
from contracts import grants
from services.cases.intake.batches.service import BATCH_JOB
from tests.cases.house import (
    Accepted,
    House,
    alone,
)

EUROS = {"amount": "400.00", "currency": "EUR"}


def line(beneficiary: str, amount: str = "400.00", **values: Any) -> dict[str, Any]:
    return {
        "kind": "business",
        "beneficiary": beneficiary,
        "description": "Tools for a barber shop",
        "budget": {"amount": amount, "currency": "EUR"},
    } | values


def path(accepted: Accepted) -> str:
    return f"/cases/{accepted.case_id}/plan"


async def drafted(
    house: House, accepted: Accepted, *lines: dict[str, Any], person: str | None = "anna"
) -> Any:
    body = {"lines": list(lines) or [line(accepted.people[0])]}
    answer = await house.call("PUT", path(accepted), body, new=True, person=person)
    assert answer.status_code == 200, answer.text
    return answer


async def submitted(house: House, accepted: Accepted) -> str:
    await drafted(house, accepted)
    answer = await house.post(f"{path(accepted)}/submit", person="anna")
    assert answer.status_code == 200, answer.text
    return str(answer.headers["etag"])


async def approved(house: House, accepted: Accepted) -> Any:
    etag = await submitted(house, accepted)
    answer = await house.post(f"{path(accepted)}/approve", person="bert", etag=etag)
    assert answer.status_code == 200, answer.text
    return answer


async def act(house: House, accepted: Accepted, action: str, body: Any, **options: Any) -> Any:
    who = options.get("who", "iom-iraq")
    etag = await house.etag(f"/cases/{accepted.case_id}", who)
    return await house.post(f"/cases/{accepted.case_id}/{action}", body, etag=etag, **options)


async def deadlines(house: House, case_id: str) -> dict[str, dict[str, Any]]:
    answer = await house.get("/deadlines", case_id=case_id)
    assert answer.status_code == 200, answer.text
    return {item["kind"]: item for item in answer.json()["items"]}


class Granted:
    """A plan in force, and what grants tells of one of its lines."""

    def __init__(self, house: House, accepted: Accepted, lines: list[UUID]) -> None:
        self.house = house
        self.accepted = accepted
        self.lines = lines
        self.grant_id = uuid4()

    def fact(self, event: type[EventData], line: int = 0, **values: Any) -> EventData:
        common = {
            "grant_id": self.grant_id,
            "returnee_id": UUID(self.accepted.people[0]),
            "case_id": UUID(self.accepted.case_id),
            "programme": "eurp",
            "plan_line_id": self.lines[line],
            "group": "economic",
            "amount": EUROS,
        }
        return event.model_validate(common | values)

    def delivered(self, line: int = 0, *, complete: bool = True, **values: Any) -> EventData:
        return self.fact(
            grants.GrantDelivered, line, delivered_on=date(2026, 4, 20), complete=complete, **values
        )

    def payment(self, event: type[EventData], payment_id: UUID, **values: Any) -> EventData:
        return self.fact(event, payment_id=payment_id, method="bank", payout=EUROS, **values)

    async def state(self) -> tuple[str, list[str]]:
        """The case's state, and how far each line of its plan has come."""
        plan = (await self.house.get(path(self.accepted))).json()
        case = (await self.house.get(f"/cases/{self.accepted.case_id}")).json()
        assert all(
            (each["status"] == "delivered") == (each["delivered_at"] is not None)
            for each in plan["lines"]
        )
        return case["state"], [each["status"] for each in plan["lines"]]

    async def visits(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (
            await self.house.get(f"/cases/{self.accepted.case_id}/visits")
        ).json()["items"]
        return items


async def _approved(house: House, accepted: Accepted) -> Granted:
    etag = (await house.post(f"{path(accepted)}/submit", person="anna")).headers["etag"]
    plan = (await house.post(f"{path(accepted)}/approve", person="bert", etag=etag)).json()
    return Granted(house, accepted, [UUID(each["id"]) for each in plan["lines"]])


async def in_force(
    house: House,
    kinds: tuple[str, ...] = ("business",),
    accepted: Accepted | None = None,
    person: int = 0,
) -> Granted:
    accepted = accepted or await house.arrived(alone())
    await drafted(house, accepted, *(line(accepted.people[person], kind=kind) for kind in kinds))
    return await _approved(house, accepted)


async def send(
    house: House, raw: bytes, media_type: str = "text/csv", who: str = "fedasil", **more: str
) -> httpx.Response:
    headers = (
        house.headers(who) | {"Content-Type": media_type, "Idempotency-Key": str(uuid4())} | more
    )
    return await house.http.post("/v1/referral-batches", content=raw, headers=headers)


async def finished(
    house: House, answer: httpx.Response, who: str = "fedasil"
) -> tuple[dict[str, Any], list[Any]]:
    """Let the job run as often as it schedules itself; the batch and its results."""
    assert answer.status_code == 202, answer.text
    batch_id = answer.json()["id"]
    payload: Payload = {"batch_id": batch_id}
    while True:
        async with house.homeward.database.transaction() as session:
            await BATCH_JOB.apply(session, payload, None)
        batch = (await house.get(f"/referral-batches/{batch_id}", who)).json()
        if batch["state"] == "done":
            break
    results: list[Any] = []
    query: dict[str, Any] = {"limit": 200}
    while True:
        page = (await house.get(f"/referral-batches/{batch_id}/results", who, **query)).json()
        results += page["items"]
        if page["next"] is None:
            return batch, results
        query["after"] = page["next"]


async def merge(house: House, one: str, into: str, **options: Any) -> Any:
    etag = await house.etag(f"/returnees/{one}")
    return await house.post(f"/returnees/{one}/merge", {"into": into}, etag=etag, **options)


async def unmerge(house: House, one: str) -> Any:
    etag = await house.etag(f"/returnees/{one}")
    return await house.post(f"/returnees/{one}/unmerge", etag=etag)


NOW = "2026-04-02T10:00:00+03:00"


def screening(
    accepted: Accepted, *vulnerabilities: dict[str, Any], **values: Any
) -> dict[str, Any]:
    return {
        "returnee_id": accepted.people[0],
        "phase": "post_arrival",
        "screened_on": "2026-03-20",
        "needs_priority": "raised",
        "vulnerabilities": list(vulnerabilities),
    } | values


def flag(kind: str, status: str = "suspected", **values: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "status": status,
        "source": "assessment",
        "reason": "Told at the first meeting",
    } | values
