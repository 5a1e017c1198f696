"""How a case follows what grants tells of its plan: in any order, repeated, for the wrong line, in
part, undone.
"""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from chassis.events import EventData
from contracts import grants
from services.cases.casework.plans import rules
from services.cases.casework.plans.progress import WrongLine
from services.cases.models import PlanLineStatus
from services.cases.states.casework import LineStatus
from tests.cases.house import House, alone, referral
from tests.cases.steps import Granted, _approved, act, deadlines, drafted, in_force, line, path


def course(granted: Granted) -> list[EventData]:
    """What is told of a line from the request to the delivery."""
    steps = [grants.GrantRequested, grants.GrantApproved, grants.GrantOrdered]
    return [*(granted.fact(step) for step in steps), granted.delivered()]


async def test_in_order_and_the_last_line_moves_the_case(house: House) -> None:
    granted = await in_force(house, ("business", "education"))
    seen = []
    for told in course(granted):
        await house.tell(told)
        seen.append((await granted.state())[1][0])
    assert seen == ["requested", "granted", "in_delivery", "delivered"]
    assert await granted.state() == ("in_delivery", ["delivered", "planned"])
    await house.tell(granted.delivered(1, grant_id=uuid4()))
    assert await granted.state() == ("monitoring", ["delivered", "delivered"])


async def test_repeated_is_once(house: House) -> None:
    granted = await in_force(house)
    for told in course(granted):
        await house.tell(told, told)
    await house.tell(*course(granted))
    assert await granted.state() == ("monitoring", ["delivered"])
    types = await house.types(granted.accepted.people[0])
    assert types.count("case.progressed") == 3  # arrived, in delivery, monitoring
    assert types.count("visit.scheduled") == len(await granted.visits())


@pytest.mark.parametrize(
    ("rest", "back"),
    [
        (("suspend", {"reason": "other"}), ("resume", {})),
        (("close", {"reason": "lost_contact"}), ("reopen", {"reason": "in_contact_again"})),
    ],
)
async def test_what_was_delivered_while_the_case_rested_counts_once_it_goes_on(
    house: House, rest: tuple[str, Any], back: tuple[str, Any]
) -> None:
    granted = await in_force(house)
    await act(house, granted.accepted, *rest)
    await house.tell(*course(granted))
    assert (await granted.state())[0] in {"suspended", "closed"}
    await act(house, granted.accepted, *back)
    assert await granted.state() == ("monitoring", ["delivered"])


async def test_a_case_that_was_split_off_follows_the_lines_of_who_is_in_it(house: House) -> None:
    body = referral()
    body["people"][1] |= {"role": "spouse", "birth": {"date": "1990-02-03", "precision": "day"}}
    accepted = await house.arrived(body)
    principal, spouse = accepted.people
    await drafted(house, accepted, line(principal), line(spouse))
    granted = await _approved(house, accepted)
    split = {"members": [spouse], "principal": spouse, "reason": "separated"}
    etag = await house.etag(f"/households/{accepted.household_id}")
    answer = await house.post(f"/households/{accepted.household_id}/split", split, etag=etag)
    assert answer.status_code == 200, answer.text
    theirs = (await house.get(f"/returnees/{spouse}")).json()["case_ids"][-1]
    await house.tell(granted.delivered(1, returnee_id=UUID(spouse)))
    assert (await house.get(f"/cases/{theirs}")).json()["state"] == "monitoring"
    assert (await granted.state())[0] == "in_delivery"


async def test_what_is_granted_after_a_version_was_written_stays_too(house: House) -> None:
    granted = await in_force(house, ("business", "education"))
    amended = await house.post(f"{path(granted.accepted)}/amend", {})
    kept = [{name: each[name] for name in ("id", *line("x"))} for each in amended.json()["lines"]]
    written = await house.call(
        "PUT", path(granted.accepted), {"lines": kept[:1]}, etag=amended.headers["etag"]
    )
    assert written.status_code == 200, written.text
    sent = await house.post(f"{path(granted.accepted)}/submit", person="anna")
    await house.tell(granted.fact(grants.GrantRequested, 1))
    refused = await house.post(
        f"{path(granted.accepted)}/approve", person="bert", etag=sent.headers["etag"]
    )
    assert (refused.status_code, str(granted.lines[1]) in refused.text) == (409, True)
    back = {"reason": "other", "comment": "A grant was asked for"}
    returned = await house.post(
        f"{path(granted.accepted)}/return", back, person="bert", etag=sent.headers["etag"]
    )
    whole = await house.call(
        "PUT", path(granted.accepted), {"lines": kept}, etag=returned.headers["etag"]
    )
    assert whole.status_code == 200, whole.text
    granted = await _approved(house, granted.accepted)
    assert (await granted.state())[1] == ["planned", "requested"]


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (1, 3, 0, 2), (2, 0, 3, 1)])
async def test_in_another_order_it_ends_the_same(house: House, order: tuple[int, ...]) -> None:
    granted = await in_force(house)
    told = course(granted)
    await house.tell(*(told[place] for place in order))
    assert await granted.state() == ("monitoring", ["delivered"])


async def test_a_line_of_nobody_or_of_somebody_else_moves_nothing(house: House) -> None:
    granted, other = await in_force(house), await in_force(house)
    for told in (
        granted.fact(grants.GrantRequested, plan_line_id=uuid4()),
        granted.fact(grants.GrantRequested, plan_line_id=other.lines[0]),
        granted.delivered(plan_line_id=other.lines[0]),
        granted.payment(
            grants.PaymentConfirmed,
            uuid4(),
            plan_line_id=other.lines[0],
            confirmed_on=date(2026, 4, 2),
        ),
    ):
        with pytest.raises(WrongLine):
            await house.tell(told)
    await house.tell(
        granted.fact(grants.GrantRequested, plan_line_id=None), granted.delivered(plan_line_id=None)
    )
    for each in (granted, other):
        assert await each.state() == ("in_delivery", ["planned"])
        assert await each.visits() == []


async def test_a_part_is_not_the_whole(house: House) -> None:
    granted = await in_force(house)
    await house.tell(granted.delivered(complete=False), granted.delivered(complete=False))
    assert await granted.state() == ("in_delivery", ["in_delivery"])
    assert await granted.visits() == []
    await house.tell(granted.delivered())
    assert await granted.state() == ("monitoring", ["delivered"])
    # A part that is told after the whole takes nothing back.
    await house.tell(granted.delivered(complete=False))
    assert await granted.state() == ("monitoring", ["delivered"])


async def test_what_is_refused_or_cancelled_may_be_asked_for_again(house: House) -> None:
    granted = await in_force(house, ("business", "education"))
    await house.tell(
        granted.delivered(1, grant_id=uuid4()),
        granted.fact(grants.GrantRequested),
        granted.fact(grants.GrantRejected, reason="not_feasible"),
    )
    assert await granted.state() == ("monitoring", ["cancelled", "delivered"])
    await house.tell(granted.fact(grants.GrantRequested, grant_id=uuid4()))
    assert await granted.state() == ("in_delivery", ["requested", "delivered"])
    await house.tell(granted.fact(grants.GrantCancelled, reason="not_wanted"))
    assert await granted.state() == ("monitoring", ["cancelled", "delivered"])


async def test_a_payment_that_comes_back_needs_no_visit(house: House) -> None:
    granted = await in_force(house)
    payment, again = uuid4(), uuid4()
    await house.tell(
        granted.payment(grants.PaymentConfirmed, payment, confirmed_on=date(2026, 5, 1))
    )
    (visit,) = await granted.visits()
    assert visit["state"] == "scheduled"
    reversal = granted.payment(grants.PaymentReversed, payment)
    await house.tell(reversal, reversal)
    (visit,) = await granted.visits()
    assert visit["state"] == "cancelled"
    assert (await deadlines(house, granted.accepted.case_id))["visit_after_payment"][
        "state"
    ] == "cancelled"
    assert (await granted.state())[1] == ["planned"]
    at = f"/cases/{granted.accepted.case_id}/visits/{visit['id']}"
    body = {"occurred_at": "2026-05-02T10:00:00+03:00", "method": "visit", "outcome": "not_there"}
    refused = await house.post(f"{at}/record", body, etag=await house.etag(at))
    assert (refused.status_code, refused.json()["allowed"]) == (409, [])
    # Paid again, it is visited again; a reversal of what was never heard of changes nothing.
    await house.tell(
        granted.payment(grants.PaymentConfirmed, again, confirmed_on=date(2026, 6, 1)),
        granted.payment(grants.PaymentRecovered, uuid4()),
    )
    assert sorted(each["state"] for each in await granted.visits()) == ["cancelled", "scheduled"]


async def test_a_payment_that_comes_back_while_its_case_is_closed_needs_no_visit_later(
    house: House,
) -> None:
    granted = await in_force(house)
    payment, kept = uuid4(), uuid4()
    for payment_id in (payment, kept):
        await house.tell(
            granted.payment(grants.PaymentConfirmed, payment_id, confirmed_on=date(2026, 5, 1))
        )
    await act(house, granted.accepted, "close", {"reason": "lost_contact"})
    assert {visit["state"] for visit in await granted.visits()} == {"cancelled"}
    await house.tell(granted.payment(grants.PaymentReversed, payment))
    await act(house, granted.accepted, "reopen", {"reason": "in_contact_again"})
    states = sorted(visit["state"] for visit in await granted.visits())
    assert states == ["cancelled", "scheduled"]


async def test_a_person_known_by_another_id_by_now_is_the_same(house: House) -> None:
    granted = await in_force(house)
    other = await house.arrived(alone())
    person, into = granted.accepted.people[0], other.people[0]
    merged = await house.post(
        f"/returnees/{person}/merge", {"into": into}, etag=await house.etag(f"/returnees/{person}")
    )
    assert merged.status_code == 200, merged.text
    await house.tell(granted.fact(grants.GrantRequested), granted.delivered(returnee_id=UUID(into)))
    assert await granted.state() == ("monitoring", ["delivered"])


async def test_who_left_the_household_is_visited_in_the_case_of_their_own(house: House) -> None:
    granted = await in_force(house, accepted=await house.arrived(), person=1)
    accepted = granted.accepted
    child = accepted.people[1]
    at = f"/households/{accepted.household_id}"
    body = {"members": [child], "principal": child, "reason": "protection"}
    split = await house.post(f"{at}/split", body, etag=await house.etag(at))
    assert split.status_code == 200, split.text
    await house.tell(granted.delivered(returnee_id=UUID(child)))
    assert await granted.state() == ("monitoring", ["delivered"])
    assert await granted.visits() == []
    theirs = (await house.get(f"/returnees/{child}")).json()["case_ids"][-1]
    (visit,) = (await house.get(f"/cases/{theirs}/visits")).json()["items"]
    assert visit["returnee_id"] == child
    assert "visit_after_delivery" in await deadlines(house, theirs)


async def test_who_died_is_not_visited(house: House) -> None:
    granted = await in_force(house, accepted=await house.arrived(), person=1)
    accepted = granted.accepted
    at = f"/households/{accepted.household_id}"
    body = {"returnee_id": accepted.people[1], "on": "2026-04-01", "reason": "deceased"}
    left = await house.post(f"{at}/leave", body, etag=await house.etag(at))
    assert left.status_code == 200, left.text
    await house.tell(granted.delivered(returnee_id=UUID(accepted.people[1])))
    assert await granted.visits() == []


async def test_one_record_of_a_line_whoever_delivers_it(house: House) -> None:
    granted = await in_force(house)
    await house.tell(*course(granted))
    async with house.homeward.database.transaction() as session:
        rows = select(func.count()).where(PlanLineStatus.case_id == UUID(granted.accepted.case_id))
        assert await session.scalar(rows) == 1


@given(st.lists(st.sampled_from(sorted(LineStatus)), max_size=12))
def test_no_sequence_of_facts_leads_outside_the_table_or_back_from_a_delivery(
    told: list[LineStatus],
) -> None:
    status, delivered = LineStatus.PLANNED, False
    for to in told:
        after = rules.next_status(status, to)
        assert after == status or after in rules.LINE_MOVES[status]
        status = after
        delivered = delivered or status is LineStatus.DELIVERED
        assert not delivered or status is LineStatus.DELIVERED
    assert delivered == (LineStatus.DELIVERED in told)
