"""`homeward demo`: leads referrals from the host country to work and the last payment, over HTTP
only, as people do.

It reads before it acts, so it may be interrupted and run again: it goes on where it was.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pycountry
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.client import GatewayClient, Refused
from cli.development import COURSES

WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.15
PREPARED = Decimal(500)
"""A float with less than this in it is not drawn on any more."""
ALLOWANCE = "living_allowance"
PAID_SESSIONS = 3
"""That somebody with an allowance attends."""
PAPER = b"%PDF-1.4\n% A page that stands for the signed one.\n%%EOF\n"

GetClient = Callable[[str, str | None], GatewayClient]
"""`get_client(client id, person)`."""


class Stuck(Exception):  # noqa: N818 - said to the person at the terminal
    """Something that should have followed did not."""


async def eventually(look: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Wait for what follows from an event.

    Raises:
        Stuck: It did not follow within a minute.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found = await look()
        if found:
            return found
        await asyncio.sleep(LOOK_SECONDS)
    raise Stuck(f"not within {WAIT_SECONDS:.0f} s: {what}")


@dataclass
class Return:
    """One referral on its way."""

    content: dict[str, Any]
    referral_id: str = ""
    case_id: str = ""
    returnees: list[str] = field(default_factory=list)

    @property
    def sender(self) -> str:
        """The host-country service."""
        return str(self.content["sender"])

    @property
    def country(self) -> str:
        """Where they return to (ISO 3166-1 alpha-3)."""
        governorate: str = self.content["destination"]["governorate"]
        known: Any = pycountry.countries.get(alpha_2=governorate.partition("-")[0])
        return str(known.alpha_3)


class Walk:
    """The journey, step by step. Each step leaves alone what is done already.

    Args:
        client: Gives the client of an organisation.
        offices: Programme id to the organisation of its office.
        partner: The implementing organisation.
    """

    def __init__(
        self, client: GetClient, offices: Mapping[str, str], partner: str = "iom-iraq"
    ) -> None:
        self.client = client
        self.offices = offices
        self.partner = partner
        self.coordinator = client(partner, "coordinator-1")
        self.focal_point = client(partner, "focal-point-7")
        self.desk = client(partner, "desk-3")
        self.finance = client(partner, "finance-4")
        self.cashier = client(partner, "cashier-8")
        self.courses = COURSES.read_bytes()
        self.providers: dict[str, str] = {}

    async def submit(self, content: dict[str, Any]) -> Return:
        """The host-country service refers a family."""
        answer = await self.client(content["sender"], "counsellor-12").post(
            "/v1/referrals", content
        )
        return Return(content, answer["id"])

    async def fund(self, walk: Return) -> None:
        """The programme's office sets up a budget for the partner, where there is none."""
        programme = walk.content["programme"]
        office = self.client(self.offices[programme], "officer-2")
        for budget in (await office.get("/v1/budgets", programme=programme))["items"]:
            if budget["organisation"] == self.partner:
                return
        period = {"from": "2012-01-01", "until": "2035-12-31"}
        money = {
            "programme": programme,
            "organisation": self.partner,
            "amount": {"amount": "500000.00", "currency": "EUR"},
            "starts_on": period["from"],
            "ends_on": period["until"],
            "sources": [
                {"donor": "amif", "share": "0.75", **period},
                {"donor": "host", "share": "0.25", **period},
            ],
        }
        await office.post("/v1/budgets", money)

    async def accept(self, walk: Return) -> None:
        """The partner's coordinator accepts; a case is opened and each person becomes a
        returnee.
        """
        path = f"/v1/referrals/{walk.referral_id}"
        referral = await self.coordinator.get(path)
        if referral["state"] == "submitted":
            new = [{"index": i, "returnee_id": None} for i in range(len(referral["people"]))]
            await self._decider(walk, referral).decide(
                path, "accept", {"implementer": self.partner, "people": new}
            )
            referral = await self.coordinator.get(path)
        walk.returnees = [person["returnee_id"] for person in referral["people"]]
        walk.case_id = referral["people"][0]["case_id"]

    async def confirm_travel(self, walk: Return) -> None:
        """The host-country service books the journey and says that they have left."""
        sender = self.client(walk.sender, "counsellor-12")
        path = f"/v1/referrals/{walk.referral_id}/travel"
        for journey in (await sender.get(path))["items"]:
            at, state = f"{path}/{journey['id']}", journey["state"]
            if state == "planned":
                state = (await sender.decide(at, "confirm"))["state"]
            if state == "confirmed":
                today = datetime.now(UTC).date().isoformat()
                await sender.decide(
                    at, "departed", {"departed_on": min(journey["departs_on"], today)}
                )

    async def prepare_cash(self, walk: Return) -> None:
        """Before the flight, cash for the desk is approved, and released from a float by a third
        person.
        """
        case = await self.coordinator.get(f"/v1/cases/{walk.case_id}")
        for member in case["members"]:
            for grant in (
                await self._cash(member["returnee_id"]) if member["member"] != "child" else ()
            ):
                if grant["state"] == "requested":
                    await self.coordinator.decide(f"/v1/grants/{grant['id']}", "approve")
                for payment in (await self.finance.get("/v1/payments", grant_id=grant["id"]))[
                    "items"
                ]:
                    if payment["state"] == "scheduled":
                        cash = {"float_id": await self._float(walk)}
                        await self.finance.decide(f"/v1/payments/{payment['id']}", "release", cash)

    async def meet(self, walk: Return) -> None:
        """The desk meets the family at once, takes down what they need, and sees them off."""
        arrivals = [await self._arrival(returnee) for returnee in walk.returnees]
        await self._check_in([each for each in arrivals if each["state"] == "expected"])
        head = (await self._arrival(walk.returnees[0]))["id"]
        if (await self.desk.get(f"/v1/arrivals/{head}"))["profile"] is None:
            await self._look_after(head, walk)
        for returnee in walk.returnees:
            now = await self._arrival(returnee)
            if now["state"] == "met":
                await self._hand_over_cash(now)
                await self.desk.decide(f"/v1/arrivals/{now['id']}", "complete")

    async def _check_in(self, expected: list[dict[str, Any]]) -> None:
        if not expected:
            return
        landed = datetime.fromisoformat(expected[0]["expected_at"])
        long_ago = abs(datetime.now(UTC) - landed) > timedelta(days=2)
        at = {"occurred_at": expected[0]["expected_at"]} if long_ago else {}
        await self.desk.post(
            "/v1/arrivals/check-in", {"arrivals": [each["id"] for each in expected]} | at
        )

    async def _look_after(self, arrival_id: str, walk: Return) -> None:
        path = f"/v1/arrivals/{arrival_id}"
        await self.desk.post(f"{path}/profile", self._profile(walk))
        await self.desk.post(f"{path}/assistance", {"kind": "nutrition"})
        transport = {
            "mode": "bus",
            "destination": {"governorate": walk.content["destination"]["governorate"]},
            "cost": {"amount": "45.00", "currency": "EUR"},
        }
        await self.desk.post(f"{path}/onward-transport", transport)

    async def _hand_over_cash(self, arrival: dict[str, Any]) -> None:
        """Pocket money that was released from the desk's float."""
        payments = await self.desk.get("/v1/payments", returnee_id=arrival["returnee_id"])
        for payment in payments["items"]:
            if payment["state"] == "released" and payment["float_id"] is not None:
                money = {"id": payment["id"], "kind": "pocket_money", "amount": payment["payout"]}
                await self.desk.post(f"/v1/arrivals/{arrival['id']}/assistance", money)

    async def plan(self, walk: Return) -> None:
        """The focal point drafts a plan, the returnee agrees, and another person approves it."""
        path = f"/v1/cases/{walk.case_id}"

        async def arrived() -> Any:
            case = await self.focal_point.get(path)
            return case if case["state"] != "pre_departure" else None

        case = await eventually(arrived, "the case has heard of the arrival")
        if case["focal_point"] is None:
            await self.focal_point.decide(
                path, "assign", {"focal_point": "focal-point-7", "office": "erbil"}
            )
        if case["state"] != "arrived":
            return
        try:
            plan = await self.focal_point.get(f"{path}/plan")
        except Refused as refused:
            if refused.problem != "not-found":
                raise
            plan = await self.focal_point.put_new(f"{path}/plan", {"lines": self._lines(walk)})
        if plan["state"] == "draft":
            agreed = {
                "agreed_on": case["arrived_on"],
                "language": walk.content["people"][0]["languages"][0],
            }
            await self.focal_point.decide(f"{path}/plan", "agree", agreed)
            await self.focal_point.decide(f"{path}/plan", "submit")
        if plan["state"] in {"draft", "submitted"}:
            await self.coordinator.decide(f"{path}/plan", "approve")

    async def support(self, walk: Return) -> None:
        """Each line of the plan is a grant: approved, ordered, delivered, paid by a third person,
        confirmed, closed.
        """
        path = f"/v1/cases/{walk.case_id}"
        lines = {line["id"] for line in (await self.focal_point.get(f"{path}/plan"))["lines"]}

        async def granted() -> Any:
            found = (await self.focal_point.get("/v1/grants", case_id=walk.case_id, limit=200))[
                "items"
            ]
            of_plan = [grant for grant in found if grant["plan_line_id"] in lines]
            return of_plan if len(of_plan) == len(lines) else None

        found = await eventually(granted, "each line of the plan is a grant")
        payee = await self._payee()
        going_on = [
            grant for grant in found if grant["state"] not in {"closed", "rejected", "cancelled"}
        ]
        for grant in going_on:
            if grant["kind"] == ALLOWANCE and grant["state"] == "requested":
                await self.coordinator.decide(f"/v1/grants/{grant['id']}", "approve")
        await asyncio.gather(
            *(self._give(grant, payee) for grant in going_on if grant["kind"] != ALLOWANCE)
        )

    async def _give(self, grant: dict[str, Any], payee: str) -> None:
        path = f"/v1/grants/{grant['id']}"
        state = grant["state"]
        certificate, bill, receipt = await self._upload(
            grant["case_id"], "delivery", "invoice", "payment"
        )
        if state == "requested":
            state = (await self.coordinator.decide(path, "approve"))["state"]
        if state == "approved":
            state = (await self.focal_point.post(f"{path}/order", None))["state"]
        if state == "ordered":
            handed = {
                "delivered_on": datetime.now(UTC).date().isoformat(),
                "certificate": certificate,
            }
            await self.focal_point.post(f"{path}/delivery", handed)
        payments = (await self.finance.get("/v1/payments", grant_id=grant["id"]))["items"]
        for number, part in enumerate(self._parts(grant), start=1):
            payment = next((p for p in payments if p["instalment"] == number), None)
            if payment is None:
                invoice = {
                    "method": "bank",
                    "amount": {"amount": part, "currency": grant["amount"]["currency"]},
                    "payee_id": payee,
                    "instalment": number,
                    "papers": [{"kind": "invoice", "document": bill}],
                }
                payment = await eventually(
                    partial(self._prepare, path, invoice), "the handover is on file"
                )
            await self._pay(payment, receipt)
        await self.focal_point.decide(path, "close")

    async def _pay(self, payment: dict[str, Any], receipt: str) -> None:
        at = f"/v1/payments/{payment['id']}"
        if payment["state"] == "scheduled":
            payment = await eventually(partial(self._release, at), "the papers are on file")
        if payment["state"] == "released":
            received = {"confirmed_on": datetime.now(UTC).date().isoformat(), "receipt": receipt}
            await self.focal_point.post(f"{at}/confirm", received)

    async def _upload(self, case_id: str, *kinds: str) -> list[str]:
        """A paper of each kind, about a case."""
        return [
            (await self.focal_point.upload(PAPER, kind=kind, case_id=case_id))["id"]
            for kind in kinds
        ]

    async def _prepare(self, grant: str, payment: Mapping[str, Any]) -> Any:
        """A payment, once the part before it was received and seen; the rest is in the papers."""
        try:
            return await self.focal_point.post(f"{grant}/payments", payment)
        except Refused as refused:
            if refused.problem not in {"state-conflict", "papers-pending"}:
                raise
            return None

    async def _release(self, payment: str) -> Any:
        """A released payment, once cases has its papers."""
        try:
            return await self.finance.decide(payment, "release", {})
        except Refused as refused:
            if refused.problem != "papers-pending":
                raise
            return None

    def _parts(self, grant: dict[str, Any]) -> list[str]:
        """A business is paid in two parts; see the programmes."""
        whole = Decimal(grant["amount"]["amount"])
        shares = ("0.6", "0.4") if grant["kind"] in {"business", "cooperative"} else ("1",)
        return [format((whole * Decimal(share)).quantize(Decimal("0.01")), "f") for share in shares]

    async def _cash(self, returnee_id: str) -> list[dict[str, Any]]:
        async def prepared() -> Any:
            found = (await self.finance.get("/v1/grants", returnee_id=returnee_id))["items"]
            return [
                grant
                for grant in found
                if grant["package"] == "post_arrival" and grant["plan_line_id"] is None
            ]

        cash: list[dict[str, Any]] = await eventually(prepared, "the cash for the desk is prepared")
        return cash

    async def _float(self, walk: Return) -> str:
        for cash in (await self.cashier.get("/v1/cash-floats", limit=200))["items"]:
            if cash["state"] == "open" and Decimal(cash["left"]["amount"]) >= PREPARED:
                return str(cash["id"])
        port = (walk.content["travel"] or {}).get("port_of_entry") or "BGW"
        opened = {"port_of_entry": port, "amount": {"amount": "10000.00", "currency": "EUR"}}
        return str((await self.cashier.post("/v1/cash-floats", opened))["id"])

    async def _payee(self) -> str:
        for payee in (await self.finance.get("/v1/payees", kind="supplier"))["items"]:
            if payee["state"] == "verified":
                return str(payee["id"])
        details = {"name": "Example Workshop", "account": "IQ00TEST000000000000009"}
        made = await self.finance.post("/v1/payees", {"kind": "supplier", "details": details})
        await self.coordinator.decide(f"/v1/payees/{made['id']}", "verify")
        return str(made["id"])

    async def follow_up(self, walk: Return) -> None:
        """What a partner takes down afterwards: needs, counselling, a visit, a survey, a referral
        to a service.
        """
        case, person = f"/v1/cases/{walk.case_id}", walk.returnees[0]
        if (await self.focal_point.get("/v1/surveys", case_id=walk.case_id))["items"]:
            return
        there = await self.focal_point.get(case)
        arrived_on, language = there["arrived_on"], walk.content["people"][0]["languages"][0]
        at = min(
            datetime.fromisoformat(f"{arrived_on}T10:00:00+03:00"), datetime.now(UTC)
        ).isoformat()
        attended = [
            member["returnee_id"] for member in there["members"]
        ]  # grown children have a case of their own
        consent = await self.focal_point.upload(PAPER, kind="consent", referral_id=walk.referral_id)
        screening = {"returnee_id": person, "phase": "post_arrival", "screened_on": arrived_on}
        await self.focal_point.post(f"{case}/screening", screening | {"needs_priority": "routine"})
        session = {
            "phase": "post_arrival",
            "method": "office",
            "topics": ["plan"],
            "language": language,
        }
        await self.focal_point.post(
            f"{case}/sessions", session | {"attended": attended, "occurred_at": at}
        )
        attempt = {
            "returnee_id": person,
            "method": "phone",
            "outcome": "reached",
            "occurred_at": at,
        }
        await self.focal_point.post(f"{case}/contact-attempts", attempt)
        service = {
            "case_id": walk.case_id,
            "returnee_id": person,
            "kind": "civil_documents",
            "occurred_at": at,
        }
        told = {
            "provider": "Civil status office",
            "purpose": "A new identity card",
            "consent_document": consent["id"],
        }
        sent = await self.focal_point.post("/v1/service-referrals", service | told)
        await self.focal_point.decide(f"/v1/service-referrals/{sent['id']}", "receive")
        in_a_month = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
        visit = await self.focal_point.post(
            f"{case}/visits", {"returnee_id": person, "due_on": in_a_month}
        )
        finding = {"received": "partly", "livelihood": "covers_part", "satisfaction": 4}
        how = {"occurred_at": at, "method": "visit", "outcome": "reached", "finding": finding}
        await self.focal_point.decide(f"{case}/visits/{visit['id']}", "record", how)
        survey = {
            "case_id": walk.case_id,
            "returnee_id": person,
            "instrument": "satisfaction",
            "round": "baseline",
        }
        asked = {"taken_on": arrived_on, "method": "office", "language": language}
        answers = dict.fromkeys(("assistance", "counselling", "social", "community"), "4")
        await self.focal_point.post("/v1/surveys", survey | asked | {"answers": answers})

    async def offer_courses(self) -> None:
        """The partner takes over its list of courses; again it changes nothing."""
        headers = {"Content-Type": "text/csv"}
        await self.coordinator.send(
            "POST", "/v1/courses/import", content=self.courses, headers=headers
        )

    async def train(self, walk: Return) -> None:
        """The head of the family attends the orientation that their programme offers, and gets a
        certificate.

        Who gives the course keeps the sheet, hands out the manual and says that it was completed.
        """
        paid = ALLOWANCE in walk.content["requested_assistance"]
        course = await self._course_for(walk, paid=paid)
        if course is None:
            return
        sessions = PAID_SESSIONS if paid else 1
        path = "/v1/enrolments"
        known = (await self.coordinator.get(path, returnee_id=walk.returnees[0]))["items"]
        enrolment = next((e for e in known if e["course_id"] == course["id"]), None)
        if enrolment is None:
            held = {"course_id": course["id"], "sessions": held_today(sessions)}
            cohort = await self.coordinator.post("/v1/cohorts", held)
            enrolment = await self.enrol(walk, cohort["id"])
        if enrolment["state"] in {"enrolled", "attending"}:
            lecturer = await self.lecturer(enrolment)
            await self.attend(enrolment, sessions)
            today = datetime.now(UTC).date().isoformat()
            await lecturer.post(f"{path}/{enrolment['id']}/manual", {"handed_on": today})
            await lecturer.decide(f"{path}/{enrolment['id']}", "complete")

    async def enrol(self, walk: Return, cohort_id: str, **more: Any) -> Any:
        """Enrol the head of a family, once training has heard what makes the course one for
        them.
        """

        async def enrolled() -> Any:
            wanted = {"returnee_id": walk.returnees[0], "cohort_id": cohort_id} | more
            try:
                return await self.coordinator.post("/v1/enrolments", wanted)
            except Refused as refused:
                if refused.answer is None or "not-eligible" not in refused.answer.text:
                    raise
                return None

        return await eventually(enrolled, "training has heard that they have arrived")

    async def _course_for(self, walk: Return, *, paid: bool) -> dict[str, Any] | None:
        """A course after the arrival in the country: one with an allowance, or an orientation."""
        listed = await self.coordinator.get(
            "/v1/courses", programme=walk.content["programme"], limit=200
        )
        orientation = {"orientation", "job_readiness"}
        for course in listed["items"]:
            here = course["country"] == walk.country and course["phase"] == "post_arrival"
            if here and (course["stipend"] if paid else course["kind"] in orientation):
                return dict(course)
        return None

    async def allow(self, walk: Return) -> None:
        """What attendance has earned is released at once, by a third person, and received."""
        grants = await self.finance.get("/v1/grants", case_id=walk.case_id, kind=ALLOWANCE)
        for grant in grants["items"]:
            if grant["state"] == "approved":
                await self._allow(walk, grant)

    async def _allow(self, walk: Return, grant: dict[str, Any]) -> None:
        payments = await eventually(
            partial(self._earned, grant), "grants has heard of the attendance"
        )
        scheduled = [p for p in payments if p["state"] == "scheduled"]
        if scheduled:
            wanted = [{"payment_id": p["id"], "version": p["version"]} for p in scheduled]
            await self.finance.post(
                "/v1/payments/release", {"payments": wanted, "float_id": await self._float(walk)}
            )
        today = datetime.now(UTC).date().isoformat()
        certificate, receipt = await self._upload(walk.case_id, "delivery", "payment")
        for payment in await self._earned(grant):
            if payment["state"] == "released":
                received = {"confirmed_on": today, "receipt": receipt}
                await self.focal_point.post(f"/v1/payments/{payment['id']}/confirm", received)
        handed = {"delivered_on": today, "certificate": certificate}
        await self.focal_point.post(f"/v1/grants/{grant['id']}/delivery", handed)
        await self.focal_point.decide(f"/v1/grants/{grant['id']}", "close")

    async def _earned(self, grant: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The payments of an allowance, once there is one for each session; none before."""
        payments: list[dict[str, Any]] = (
            await self.finance.get("/v1/payments", grant_id=grant["id"])
        )["items"]
        return payments if len(payments) >= PAID_SESSIONS else []

    async def attend(self, enrolment: Mapping[str, Any], sessions: int) -> None:
        """Somebody was at the first sessions of their cohort; the lecturer keeps the sheet, with
        the roster in hand.
        """
        lecturer = await self.lecturer(enrolment)
        roster = (await lecturer.get(f"/v1/cohorts/{enrolment['cohort_id']}/participants"))["items"]
        if enrolment["id"] not in {participant["id"] for participant in roster}:
            raise Stuck("whoever gives the course does not see the participant")
        for number in range(1, sessions + 1):
            sheet = f"/v1/cohorts/{enrolment['cohort_id']}/sessions/{number}/attendance"
            if not (await lecturer.get(sheet))["entries"]:
                present = {"enrolment_id": enrolment["id"], "status": "present"}
                await lecturer.put_new(sheet, {"entries": [present]})

    async def lecturer(self, enrolment: Mapping[str, Any]) -> GatewayClient:
        """A client of who gives the course that somebody is enrolled in."""
        cohort = await self.coordinator.get(f"/v1/cohorts/{enrolment['cohort_id']}")
        if not self.providers:
            listed = (await self.coordinator.get("/v1/providers", limit=200))["items"]
            self.providers = {provider["id"]: provider["slug"] for provider in listed}
        return self.client(self.providers[cohort["provider_id"]], "lecturer-5")

    async def employ(self, walk: Return) -> None:
        """The head of the family is proposed to an employer, and begins to work."""
        returnee, coordinator = walk.returnees[0], self.coordinator
        place = {"country": walk.country, "governorate": walk.content["destination"]["governorate"]}
        vacancy, employer = (
            str(uuid5(UUID(walk.case_id), what)) for what in ("vacancy", "employer")
        )
        placements = (await coordinator.get("/v1/placements", returnee_id=returnee))["items"]
        if not placements:
            await coordinator.post(
                "/v1/employers", {"id": employer, "name": "Garage by the bridge"} | place
            )
            work = {
                "employer_id": employer,
                "title": "Mechanic",
                "kind": "job",
                "occupation": "7231",
            }
            await coordinator.post("/v1/vacancies", {"id": vacancy} | work | place)
            proposal = {"vacancy_id": vacancy, "returnee_id": returnee}
            placements = [await coordinator.post("/v1/placements", proposal)]
        if placements[0]["state"] == "proposed":
            today = datetime.now(UTC).date().isoformat()
            await coordinator.post(
                f"/v1/placements/{placements[0]['id']}/start", {"started_on": today}
            )

    async def timeline(
        self, reader: GatewayClient, returnee_id: str, knows: str = ".plan.approved."
    ) -> Any:
        """The person's timeline, once it is complete and knows of a kind of fact: of the plan if
        nothing is said.
        """

        async def complete() -> Any:
            page = await reader.get(f"/v1/returnees/{returnee_id}/timeline", limit=200)
            fresh = all(source["complete"] for source in page["freshness"].values())
            known = any(knows in entry["type"] for entry in page["items"])
            return page if fresh and known else None

        return await eventually(complete, "the timeline is complete")

    def _decider(self, walk: Return, referral: dict[str, Any]) -> GatewayClient:
        if referral["decider"] == "programme_office":
            return self.client(self.offices[walk.content["programme"]], "officer-2")
        return self.coordinator

    async def _arrival(self, returnee_id: str) -> Any:
        """Somebody whom the desk expects, once it knows who they are: a family is met by its names,
        and a child goes with an adult only where the desk can see that there is one.
        """

        async def look() -> Any:
            items = (await self.desk.get("/v1/arrivals", returnee_id=returnee_id))["items"]
            return items[0] if items and items[0]["identity"] is not None else None

        return await eventually(look, "the desk expects the person and knows their name")

    def _profile(self, walk: Return) -> dict[str, Any]:
        people = walk.content["people"]
        counts = {
            "women": sum(p["sex"] == "female" and p["role"] != "child" for p in people),
            "men": sum(p["sex"] != "female" and p["role"] != "child" for p in people),
            "girls": sum(p["sex"] == "female" and p["role"] == "child" for p in people),
            "boys": sum(p["sex"] != "female" and p["role"] == "child" for p in people),
        }
        return {
            "household": counts,
            "skills": ["7231"],
            "reasons_for_return": ["family"],
            "immediate_needs": ["accommodation"],
            "needs_priority": "raised" if walk.content["vulnerabilities"] else "routine",
        }

    def _lines(self, walk: Return) -> list[dict[str, Any]]:
        kinds = [kind for kind in walk.content["requested_assistance"] if kind != "cash"] or [
            "business"
        ]
        return [
            {
                "kind": kind,
                "beneficiary": walk.returnees[0],
                **({"housing": "rent"} if kind == "housing" else {}),
                "description": f"{kind.replace('_', ' ').capitalize()}, in kind",
                "budget": {"amount": "300.00", "currency": "EUR"},
                "level": "individual",
            }
            for kind in kinds[:3]
        ]


def held_today(sessions: int) -> list[dict[str, str]]:
    """Sessions of an hour that have just been held, one after another."""
    end = datetime.now(UTC).replace(microsecond=0)
    starts = [end - timedelta(hours=back) for back in range(sessions, 0, -1)]
    return [
        {"starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=1)).isoformat()}
        for start in starts
    ]


def read_referrals(file: Path) -> list[dict[str, Any]]:
    """The referrals of a JSON lines file."""
    return [
        json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()
    ]


def moved_to(day: date, content: dict[str, Any]) -> dict[str, Any]:
    """A referral as it would be with a departure on another day: every date of the journey and the
    consents moves.

    A sender's reference stands for one content, so the day becomes part of it.
    """
    travel = content["travel"]
    by = day - date.fromisoformat(travel["departs_on"])

    def later(text: str) -> str:
        return str(date.fromisoformat(text) + by)

    moved = travel | {"departs_on": later(travel["departs_on"])}
    if travel["arrives_at"]:
        moved["arrives_at"] = (datetime.fromisoformat(travel["arrives_at"]) + by).isoformat()
    return content | {
        "external_reference": f"{content['external_reference']}-{day:%y%m%d}",
        "travel": moved,
        "consents": [
            consent | {"given_on": later(consent["given_on"])} for consent in content["consents"]
        ],
    }


async def demo(
    client: GetClient,
    offices: Mapping[str, str],
    running: Collection[str],
    file: Path,
    console: Console,
) -> None:
    """Lead the referrals of a file through the running platform and print a timeline.

    The examples are of past years, and most of their programmes have ended. Those of a programme
    that still runs are moved to today, so that one family comes home now, with deadlines that are
    still ahead; its timeline is printed.

    Args:
        client: Gives the client of an organisation.
        offices: Programme id to the organisation of its office.
        running: Ids of the programmes that take referrals today.
        file: Referrals, one JSON object a line.
        console: Where to.

    Raises:
        Stuck: Something that should have followed did not.
        Refused: The gateway refused a step.
    """
    walk, begun = Walk(client, offices), time.monotonic()
    today = datetime.now(UTC).date()
    contents = [
        moved_to(today, content)
        if content["programme"] in running and content["travel"]
        else content
        for content in read_referrals(file)
    ]
    await walk.offer_courses()
    with progress(console) as bar:
        returns = [
            await walk.submit(content)
            for content in bar.track(contents, description="Referrals submitted")
        ]
        steps: Sequence[tuple[str, Callable[[Return], Awaitable[None]]]] = (
            ("Budgets set up", walk.fund),
            ("Referrals accepted", walk.accept),
            ("Journeys under way", walk.confirm_travel),
            ("Cash for the desk released", walk.prepare_cash),
            ("Families met at the airport", walk.meet),
            ("Plans approved", walk.plan),
            ("Help given and paid", walk.support),
            ("Cases followed up", walk.follow_up),
            ("Courses completed", walk.train),
            ("Allowances released", walk.allow),
            ("Work begun", walk.employ),
        )
        for title, step in steps:
            for each in bar.track(returns, description=title):
                await step(each)
    largest = max(
        returns, key=lambda each: (each.content["programme"] in running, len(each.returnees))
    )
    page = await walk.timeline(walk.coordinator, largest.returnees[0], knows=".placement.started.")
    people = sum(len(each.returnees) for each in returns)
    console.print(f"{len(returns)} referrals, {people} people, {time.monotonic() - begun:.1f} s\n")
    show_timeline(page, largest.returnees[0], console)


def progress(console: Console) -> Progress:
    """A progress bar that also reads well where there is no terminal."""
    columns = (
        TextColumn("{task.description:28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console)


def show_timeline(page: Any, returnee_id: str, console: Console) -> None:
    """A timeline as a person reads it, oldest first, and how fresh it is."""
    table = Table(
        title=f"Timeline of returnee {returnee_id}",
        title_justify="left",
        show_edge=False,
        pad_edge=False,
    )
    for column in ("When", "Service", "What"):
        table.add_column(column, no_wrap=column != "What")
    for entry in reversed(page["items"]):
        when = datetime.fromisoformat(entry["occurred_at"]).strftime("%d %b %Y %H:%M")
        table.add_row(when, entry["service"], entry["summary"])
    console.print(table)
    console.print()
    for service, fresh in sorted(page["freshness"].items()):
        state = (
            "complete"
            if fresh["complete"]
            else f"not complete: {fresh['applied']} of {fresh['head']}"
        )
        heard = datetime.fromisoformat(fresh["heard_at"]).strftime("%H:%M:%S")
        console.print(
            f"{service}: {state} up to event {fresh['applied']}, last heard at {heard} UTC"
        )
