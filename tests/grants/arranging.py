"""What several tests of grants arrange: a plan, cash at the desk, a course, a cooperative."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from contracts import reception, training
from contracts.codes import AssistanceGroup, Money
from contracts.training import AttendanceStatus
from services.grants.plans import JOB
from tests.grants.office import APPROVER, ARRIVED, RELEASER, SECOND, THIRD, Office, Person


def planned_line(
    person: Person, amount: str = "300.00", kind: str = "business", **more: Any
) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "kind": kind,
        "housing": None,
        "beneficiary": str(person.id),
        "description": "Tools",
        "budget": {"amount": amount, "currency": "EUR"},
    } | more


class Plan:
    def __init__(self, office: Office, person: Person, lines: list[dict[str, Any]]) -> None:
        self.office, self.person, self.lines = office, person, lines
        self.preparer, self.drafter = uuid4(), uuid4()
        self.version = 1

    async def approved(self, version: int | None = None, **more: Any) -> None:
        """Take over a version, the next one where none is named."""
        version, self.version = version or self.version, self.version + 1
        payload = more | {
            "case_id": str(self.person.case_id),
            "plan_id": str(uuid4()),
            "plan_version": version,
            "preparer": str(self.preparer),
        }
        async with self.office.homeward.database.transaction() as session:
            people = [str(self.preparer), str(self.drafter)]
            content = {"lines": self.lines, "preparers": people, "agreed_on": ARRIVED.isoformat()}
            await JOB.apply(session, payload, content)

    async def grants(self) -> dict[str, dict[str, Any]]:
        found = (await self.office.get("/v1/grants", case_id=self.person.case_id)).json()["items"]
        return {grant["plan_line_id"]: grant for grant in found if grant["plan_line_id"]}


async def cash_ready(office: Office, person: Person) -> tuple[Any, Any]:
    """Cash for the desk, approved, and released from a float."""
    await office.tell(person.confirmed(), person.confirmed())
    (grant,) = (await office.get("/v1/grants", returnee_id=person.id)).json()["items"]
    assert (grant["kind"], grant["state"]) == ("cash", "requested")
    await office.done(f"/v1/grants/{grant['id']}/approve", by=APPROVER)
    (payment,) = (await office.get("/v1/payments", grant_id=grant["id"])).json()["items"]
    cash = await office.done(
        "/v1/cash-floats",
        {"port_of_entry": "EBL", "amount": {"amount": "250.00", "currency": "EUR"}},
        by=SECOND,
    )
    payment = await office.done(
        f"/v1/payments/{payment['id']}/release", {"float_id": cash["id"]}, by=RELEASER
    )
    return payment, cash


def handed(person: Person, amount: str) -> reception.AssistanceProvided:
    money = Money(amount=Decimal(amount), currency="EUR")
    return reception.AssistanceProvided(
        **person.ids,
        arrival_id=person.arrival_id,
        assistance_id=uuid4(),
        group="economic",
        kind="pocket_money",
        amount=money,
    )


DAY = date(2026, 11, 9)


PRESENT, ABSENT = AttendanceStatus.PRESENT, AttendanceStatus.ABSENT


class Course:
    """What training tells of one person in one course."""

    def __init__(self, person: Person, line: UUID | None = None, **values: Any) -> None:
        self.person, self.line = person, line
        self.fact = {
            **person.ids,
            "enrolment_id": uuid4(),
            "cohort_id": uuid4(),
            "course_id": uuid4(),
            "group": AssistanceGroup.ECONOMIC,
            "kind": "vocational",
            "phase": "post_arrival",
            "stipend": True,
            "allowance_line_id": line,
        } | values

    def _said(self, number: int, status: AttendanceStatus, day: date) -> dict[str, Any]:
        minutes = 240 if status is PRESENT else 0
        return self.fact | {"session": number, "status": status, "minutes": minutes, "held_on": day}

    def recorded(
        self, number: int, status: AttendanceStatus = PRESENT, day: date | None = None
    ) -> training.AttendanceRecorded:
        return training.AttendanceRecorded(
            **self._said(number, status, day or DAY + timedelta(days=number))
        )

    def corrected(
        self, number: int, status: AttendanceStatus, day: date | None = None
    ) -> training.AttendanceCorrected:
        was = ABSENT if status is PRESENT else PRESENT
        said = self._said(number, status, day or DAY + timedelta(days=number))
        return training.AttendanceCorrected(
            **said,
            previous_status=was,
            previous_minutes=240 if was is PRESENT else 0,
            sufficient=True,
        )


MINUTES = str(uuid4())


def proposal(people: list[Person], each: list[str], **more: Any) -> dict[str, Any]:
    members = [
        {"returnee_id": person.id, "case_id": person.case_id, "share": share}
        for person, share in zip(people, each, strict=True)
    ]
    return {"name": "Bakery of the bridge", "kind": "business", "members": members} | more


async def proposed(
    office: Office, people: list[Person], each: list[str] | None = None, **more: Any
) -> Any:
    body = proposal(people, each or ["0.5", "0.5"], **more)
    return await office.done("/v1/cooperatives", body)


async def selected(
    office: Office, people: list[Person], each: list[str] | None = None, **more: Any
) -> Any:
    there = await proposed(office, people, each, **more)
    for who in (APPROVER, SECOND, THIRD):
        there = await office.done(
            f"/v1/cooperatives/{there['id']}/select", {"minutes": MINUTES}, by=who
        )
    assert there["state"] == "selected"
    return there


async def formed(office: Office, people: list[Person], each: list[str] | None = None) -> Any:
    there = await selected(office, people, each)
    body = {"formed_on": "2026-11-10", "statutes": uuid4()}
    return await office.done(f"/v1/cooperatives/{there['id']}/form", body)


async def two(office: Office, **values: Any) -> list[Person]:
    return [await office.here(**values), await office.here(**values)]
