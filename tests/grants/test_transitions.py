"""Changes of a state with a name, an event and an audit row; and what a kind of help tells."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts import grants as events
from contracts.codes import HelpKind
from services.grants import people
from services.grants.awards.grants.events import event_payloads
from services.grants.models import Grant
from services.grants.payments.payments import outcomes
from services.grants.payments.payments.loading import lock_any_payment
from services.grants.schemas import money
from services.grants.states import GrantState
from tests.grants.arranging import Course, cash_ready, handed
from tests.grants.office import RELEASER, SECOND, Office, Person


async def audited(office: Office, resource: str, resource_id: str) -> list[str]:
    async with office.homeward.database.transaction() as session:
        query = "SELECT action FROM audit WHERE resource = :of AND resource_id = :id ORDER BY at"
        return list(await session.scalars(text(query), {"of": resource, "id": resource_id}))


async def resurrect(office: Office, payment_id: str) -> bool:
    async with office.homeward.database.transaction() as session:
        grant, payment = await lock_any_payment(session, UUID(payment_id))
        return await outcomes.resurrect_failed_payment(session, people.SYSTEM, grant, payment)


async def test_a_failed_payment_that_was_sent_after_all_is_told_audited_and_counted(
    office: Office,
) -> None:
    await office.budget()
    person = await office.here()
    grant = await office.approved(person)
    payment = await office.released(grant, await office.payee(), "450.00")
    path = f"/v1/payments/{payment['id']}"
    failed = await office.done(f"{path}/fail", {"reason": "account_closed"}, by=SECOND)
    refused = await office.post(f"{path}/release", {}, by=RELEASER, version=failed["version"])
    assert (refused.status_code, refused.json()["allowed"]) == (409, []), "nobody can ask for it"
    assert await resurrect(office, payment["id"])
    again = (await office.get(path)).json()
    assert (again["state"], again["reason"]) == ("released", None)
    assert again["version"] == failed["version"] + 1
    assert (await office.published(person))[-1] == "payment.resurrected"
    assert (await audited(office, "payment", payment["id"]))[-2:] == ["fail", "resurrect"]
    await office.proved()


async def test_cash_that_went_back_into_its_float_was_not_sent_after_all(office: Office) -> None:
    await office.budget()
    person = Person()
    await office.tell(person.opened())
    payment, cash = await cash_ready(office, person)
    await office.done(f"/v1/payments/{payment['id']}/fail", {"reason": "not_collected"}, by=SECOND)
    assert not await resurrect(office, payment["id"])
    assert (await office.get(f"/v1/cash-floats/{cash['id']}")).json()["left"]["amount"] == "250.00"
    await office.proved()


async def test_giving_a_grant_up_fails_its_payments_in_their_own_name(office: Office) -> None:
    await office.budget()
    grant = await office.approved(await office.here())
    payment = await office.scheduled(grant, await office.payee())
    await office.done(f"/v1/grants/{grant['id']}/cancel", {"reason": "not_wanted"})
    gone = (await office.get(f"/v1/payments/{payment['id']}")).json()
    assert (gone["state"], gone["reason"]) == ("failed", "cancelled")
    assert (await audited(office, "payment", payment["id"]))[-1] == "fail"


async def test_nothing_handed_over_is_no_receipt(office: Office) -> None:
    await office.budget()
    person = Person()
    await office.tell(person.opened())
    payment, _ = await cash_ready(office, person)
    await office.tell(handed(person, "0.00"))
    assert (await office.get(f"/v1/payments/{payment['id']}")).json()["state"] == "released"
    assert (await office.get("/v1/payments/desk-receipts")).json()["items"] == []


async def test_hours_that_were_told_of_another_case_first_are_paid_once(office: Office) -> None:
    await office.budget()
    person = await office.here()
    again = Person(id=person.id, household_id=person.household_id)
    await office.tell(again.opened(), again.received())
    for somebody in (person, again):
        await office.approved(somebody, "100.00", kind="living_allowance")
    course = Course(person)
    corrected = Course(again)
    corrected.fact["enrolment_id"] = course.fact["enrolment_id"]
    await office.tell(course.recorded(1))
    await office.tell(corrected.recorded(1), at=None)
    items = (await office.get("/v1/payments", returnee_id=person.id)).json()["items"]
    assert [payment["state"] for payment in items] == ["scheduled"]
    await office.proved()


@pytest.mark.parametrize("kind", HelpKind)
def test_every_kind_of_help_can_be_told_or_is_told_as_its_group(kind: HelpKind) -> None:
    grant = Grant(
        id=uuid4(),
        kind=kind,
        returnee_id=uuid4(),
        case_id=uuid4(),
        household_id=None,
        plan_line_id=None,
        programme="iom-iraq-avrr",
        state=GrantState.REQUESTED,
    )
    (payload,) = event_payloads(grant, amount=money(1, "EUR"))
    event = events.GrantRequested(**payload)
    assert event.group is kind.group
    assert (event.kind is None) == kind.group.discloses
