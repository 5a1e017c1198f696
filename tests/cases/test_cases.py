"""Cases: moved by arrivals, assigned, closed, reopened; their deadlines follow."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Problem
from contracts import reception
from contracts.codes import ArrivalState, CaseState, NeedsPriority
from participation.access import Role, grant
from services.cases.casework.cases import rules
from services.cases.handlers import UnknownArrival
from services.cases.states.casework import CASE, CaseAction
from tests.cases.house import Accepted, House, alone, arrival, received
from tests.cases.steps import approved


async def state(house: House, accepted: Accepted) -> str:
    return str((await house.get(f"/cases/{accepted.case_id}")).json()["state"])


async def deadlines(house: House, accepted: Accepted) -> dict[str, dict[str, Any]]:
    answer = await house.get("/deadlines", case_id=accepted.case_id)
    assert answer.status_code == 200, answer.text
    return {item["kind"]: item for item in answer.json()["items"]}


class TestArrival:
    async def test_the_first_of_a_family_starts_the_case(self, house: House) -> None:
        accepted = await house.accepted()
        principal, child = accepted.people
        await house.tell(received(accepted, child))
        document = (await house.get(f"/cases/{accepted.case_id}")).json()
        assert document["state"] == "arrived"
        assert document["arrived_on"] == "2026-03-15"
        members = {member["returnee_id"]: member["arrival_state"] for member in document["members"]}
        assert members == {principal: None, child: "met"}
        for person in accepted.people:
            facts = [name for name, _ in await house.published(person)]
            assert facts.count("case.progressed") == 1
            assert facts[-4:] == ["deadline.set"] * 4
        await house.tell(received(accepted, principal, date(2026, 3, 20)))
        assert (await house.types(principal)).count("case.progressed") == 1

    async def test_deadlines_are_the_programmes_and_say_why(self, house: House) -> None:
        accepted = await house.arrived(alone())
        due = await deadlines(house, accepted)
        assert set(due) == {"post_arrival", "first_contact", "plan", "post_return"}
        # 15 March 2026 is a Sunday; fourteen working days of a week without Friday and Saturday
        # later is 2 April.
        assert due["post_arrival"]["due_at"] == "2026-04-02T20:59:59Z"
        assert due["plan"]["due_at"] == "2026-04-15T20:59:59Z"
        assert due["post_return"]["due_at"] == "2027-03-15T20:59:59Z"
        assert due["post_arrival"]["rule"] == {
            "length": 14,
            "unit": "working_days",
            "then": "warn",
            "source": "returningfromgermany.de, EURP: up to 14 working days after arrival",
            "verified": True,
        }
        waiting = await house.jobs_due()
        assert waiting[due["plan"]["id"]] == datetime.fromisoformat(due["plan"]["due_at"])

    async def test_what_is_told_of_a_deadline_has_the_offset_of_the_country(
        self, house: House
    ) -> None:
        accepted = await house.arrived(alone())
        await house.pass_deadline(accepted.case_id, "plan")
        told = {
            name: payload["due_at"]
            for name, payload in await house.published(accepted.people[0])
            if name.startswith("deadline.") and payload["kind"] == "plan"
        }
        assert told.keys() == {"deadline.set", "deadline.missed"}
        assert {due_at[-6:] for due_at in told.values()} == {"+03:00"}

    async def test_a_corrected_day_moves_the_deadlines(self, house: House) -> None:
        accepted = await house.arrived(alone())
        person = accepted.people[0]
        fact = reception.ArrivalConfirmed(
            **arrival(accepted, person),
            arrived_on=date(2026, 3, 10),
            method=reception.ConfirmationMethod.OFFICE_VISIT,
        )
        await house.tell(fact)
        due = await deadlines(house, accepted)
        assert due["plan"]["due_at"] == "2026-04-10T20:59:59Z"
        assert (await house.get(f"/cases/{accepted.case_id}")).json()["arrived_on"] == "2026-03-10"
        set_again = [
            p
            for name, p in await house.published(person)
            if name == "deadline.set" and p["kind"] == "plan"
        ]
        assert [p["due_at"][:10] for p in set_again] == ["2026-04-15", "2026-04-10"]
        await house.tell(fact)
        assert len([1 for name in await house.types(person) if name == "deadline.set"]) == 8

    async def test_an_arrival_that_was_a_mistake_is_taken_back(self, house: House) -> None:
        accepted = await house.arrived(alone())
        person = accepted.people[0]
        await house.tell(
            reception.ArrivalReopened(
                **arrival(accepted, person),
                previous_state=ArrivalState.MET,
                state=ArrivalState.EXPECTED,
            )
        )
        assert await state(house, accepted) == "pre_departure"
        assert {item["state"] for item in (await deadlines(house, accepted)).values()} == {
            "cancelled"
        }
        await house.tell(received(accepted, person))
        assert await state(house, accepted) == "arrived"
        assert {item["state"] for item in (await deadlines(house, accepted)).values()} == {"open"}

    @pytest.mark.parametrize(
        ("fact", "expected"),
        [
            (reception.ArrivalNoShow, "no_show"),
            (reception.ArrivalNotDeparted, "not_departed"),
            (reception.ArrivalDeclined, "declined"),
        ],
    )
    async def test_who_does_not_arrive_is_noted(
        self, house: House, fact: Any, expected: str
    ) -> None:
        accepted = await house.accepted(alone())
        await house.tell(fact(**arrival(accepted, accepted.people[0])))
        document = (await house.get(f"/cases/{accepted.case_id}")).json()
        assert document["state"] == "pre_departure"
        assert document["members"][0]["arrival_state"] == expected

    async def test_who_declines_after_being_met_has_arrived(self, house: House) -> None:
        accepted = await house.arrived(alone())
        await house.tell(reception.ArrivalDeclined(**arrival(accepted, accepted.people[0])))
        document = (await house.get(f"/cases/{accepted.case_id}")).json()
        assert (document["state"], document["arrived_on"]) == ("arrived", "2026-03-15")

    async def test_completion_keeps_the_day(self, house: House) -> None:
        accepted = await house.arrived(alone())
        await house.tell(reception.ArrivalCompleted(**arrival(accepted, accepted.people[0])))
        member = (await house.get(f"/cases/{accepted.case_id}")).json()["members"][0]
        assert (member["arrival_state"], member["arrived_on"]) == ("completed", "2026-03-15")

    async def test_needs_found_at_the_desk_raise_the_urgency_and_never_lower_it(
        self, house: House
    ) -> None:
        accepted = await house.arrived(alone())
        ids = arrival(accepted, accepted.people[0])
        for said, expected in (("urgent", "urgent"), ("routine", "urgent")):
            await house.tell(reception.ArrivalProfiled(**ids, needs_priority=NeedsPriority(said)))
            assert (await house.get(f"/cases/{accepted.case_id}")).json()[
                "needs_priority"
            ] == expected

    async def test_an_arrival_after_withdrawal_is_noted_and_moves_nothing(
        self, house: House
    ) -> None:
        accepted = await house.accepted(alone())
        await house.post(f"/referrals/{accepted.id}/withdraw", {}, who="fedasil")
        await house.tell(received(accepted, accepted.people[0]))
        document = (await house.get(f"/cases/{accepted.case_id}")).json()
        assert (document["state"], document["members"][0]["arrival_state"]) == ("closed", "met")
        assert await deadlines(house, accepted) == {}
        reopened = await house.post(
            f"/cases/{accepted.case_id}/reopen",
            {"reason": "new_information"},
            etag=await house.etag(f"/cases/{accepted.case_id}"),
        )
        assert reopened.json()["state"] == "arrived"
        assert {item["state"] for item in (await deadlines(house, accepted)).values()} == {"open"}

    async def test_somebody_in_no_case_is_a_dead_letter(self, house: House) -> None:
        accepted = await house.accepted(alone())
        stranger = arrival(accepted, accepted.case_id)
        with pytest.raises(UnknownArrival):
            await house.tell(reception.ArrivalNoShow(**stranger))
        with pytest.raises(UnknownArrival):
            await house.tell(reception.ArrivalNoShow(**(stranger | {"case_id": None})))


class TestWork:
    async def test_it_is_assigned_and_found_by_its_focal_point(self, house: House) -> None:
        accepted = await house.accepted(alone())
        answer = await house.post(
            f"/cases/{accepted.case_id}/assign",
            {"focal_point": "u-4711", "office": "erbil"},
            person=None,
        )
        assert answer.status_code == 200, answer.text
        listed = await house.get(
            "/cases", focal_point="u-4711", office="erbil", programme="eurp", governorate="IQ-AR"
        )
        assert [item["id"] for item in listed.json()["items"]] == [accepted.case_id]
        name, payload = (await house.published(accepted.people[0]))[-1]
        assert name == "case.assigned"
        assert "4711" not in str(payload)

    async def test_a_referrer_sees_it_and_does_not_work_on_it(self, house: House) -> None:
        accepted = await house.accepted(alone())
        assert (await house.get(f"/cases/{accepted.case_id}", "fedasil")).status_code == 200
        answer = await house.post(
            f"/cases/{accepted.case_id}/assign", {"focal_point": "x"}, who="fedasil"
        )
        assert answer.status_code == 403
        assert (await house.get(f"/cases/{accepted.case_id}", "other-ngo")).status_code == 404
        strange = await house.post(
            f"/cases/{accepted.case_id}/assign", {"focal_point": "x"}, who="other-ngo"
        )
        assert strange.status_code == 404

    async def test_who_implemented_another_return_of_theirs_does_not_work_on_it(
        self, house: House
    ) -> None:
        accepted = await house.accepted(alone())
        async with house.homeward.database.transaction() as session:
            await grant(session, [UUID(accepted.people[0])], Role.PARTNER, "earlier-ngo")
        path = f"/cases/{accepted.case_id}"
        assert (await house.get(path, "earlier-ngo")).status_code == 200
        for refused in (
            await house.post(f"{path}/assign", {"focal_point": "x"}, who="earlier-ngo"),
            await house.get(f"{path}/visits", "earlier-ngo"),
        ):
            assert refused.status_code == 403

    async def test_it_closes_for_a_reason_and_goes_on_where_it_was(self, house: House) -> None:
        accepted = await house.arrived(alone())
        path = f"/cases/{accepted.case_id}"
        etag = await house.etag(path)
        assert (await house.post(f"{path}/close", {"reason": "lost_contact"})).status_code == 428
        assert (
            await house.post(f"{path}/close", {"reason": "lost_contact"}, etag=etag, person=None)
        ).status_code == 403
        closed = await house.post(
            f"{path}/close", {"reason": "lost_contact", "comment": "No answer"}, etag=etag
        )
        assert (closed.json()["state"], closed.json()["closure_reason"]) == (
            "closed",
            "lost_contact",
        )
        assert closed.json()["closure_comment"] == "No answer"
        for theirs in (
            await house.get(path, "fedasil"),
            await house.get("/cases", "fedasil", state="closed"),
        ):
            assert theirs.status_code == 200
            assert "No answer" not in theirs.text
        published = await house.published(accepted.people[0])
        (payload,) = [payload for name, payload in published if name == "case.closed"]
        assert {name for name, _ in published[-3:]} == {"deadline.cancelled"}
        assert (payload["reason"], payload["state"]) == (
            "lost_contact",
            "closed",
        )
        assert {item["state"] for item in (await deadlines(house, accepted)).values()} == {
            "cancelled"
        }
        again = await house.post(
            f"{path}/close", {"reason": "completed"}, etag=closed.headers["etag"]
        )
        assert (again.status_code, again.json()["allowed"]) == (409, ["reopen"])
        opened = await house.post(
            f"{path}/reopen", {"reason": "in_contact_again"}, etag=closed.headers["etag"]
        )
        assert opened.json()["state"] == "arrived"
        assert opened.json()["closure_reason"] is None
        assert {item["state"] for item in (await deadlines(house, accepted)).values()} == {"open"}
        types = await house.types(accepted.people[0])
        assert set(types[types.index("case.reopened") + 1 :]) == {"deadline.set"}

    async def test_what_is_late_is_listed(self, house: House) -> None:
        today = datetime.now(UTC).date()
        accepted = await house.arrived(alone(), today)
        await house.post(
            f"/cases/{accepted.case_id}/assign", {"focal_point": "late-1", "office": "mosul"}
        )
        assert (await house.get("/cases", overdue="true", focal_point="late-1")).json()[
            "items"
        ] == []
        await house.pass_deadline(
            accepted.case_id, "post_arrival"
        )  # a window that closes is nobody's delay
        assert (await house.get("/cases", overdue="true", focal_point="late-1")).json()[
            "items"
        ] == []
        await house.pass_deadline(accepted.case_id, "plan")
        late = (await house.get("/cases", overdue="true", focal_point="late-1")).json()["items"]
        assert [item["id"] for item in late] == [accepted.case_id]
        name, payload = (await house.published(accepted.people[0]))[-1]
        assert (name, payload["kind"]) == ("deadline.missed", "plan")
        missed = {"assignee": "late-1", "office": "mosul", "state": "missed", "kind": "plan"}
        mine = (await house.get("/deadlines", **missed)).json()["items"]
        assert [(item["kind"], item["assignee"]) for item in mine] == [("plan", "late-1")]
        one = await house.get(f"/deadlines/{mine[0]['id']}")
        await house.post(
            f"/cases/{accepted.case_id}/assign", {"focal_point": "late-1", "office": "duhok"}
        )
        moved = await house.get(f"/deadlines/{mine[0]['id']}")
        assert (moved.json()["office"], moved.headers["etag"] == one.headers["etag"]) == (
            "duhok",
            False,
        )
        assert (await house.get(f"/deadlines/{mine[0]['id']}", "other-ngo")).status_code == 404
        soon = await house.get(
            "/deadlines",
            assignee="late-1",
            due_before=(datetime.now(UTC) + timedelta(days=60)).isoformat(),
        )
        assert "post_arrival" in {item["kind"] for item in soon.json()["items"]}
        plan = await approved(house, accepted)
        assert plan.status_code == 200, plan.text
        assert (await house.get(f"/deadlines/{mine[0]['id']}")).json()["state"] == "met"
        assert (await house.get("/cases", overdue="true", focal_point="late-1")).json()[
            "items"
        ] == []
        assert "post_return" not in {item["kind"] for item in soon.json()["items"]}

    async def test_an_unknown_filter_never_widens(self, house: House) -> None:
        assert (await house.get("/cases", colour="red")).status_code == 400


ACTIONS = st.sampled_from(["assign", "plan", "close", "reopen", "arrive", "mistake", "approve"])


@given(st.lists(ACTIONS, max_size=15))
def test_no_sequence_leads_outside_the_table(actions: list[str]) -> None:
    state, before = CaseState.PRE_DEPARTURE, None
    refusals: list[tuple[str, Problem]] = []
    for action in actions:
        try:
            match action:
                case "arrive":
                    state = rules.on_arrivals(state, [date(2026, 3, 15)])
                case "mistake":
                    state = rules.on_arrivals(state, [])
                case "approve":
                    CASE.check(state, CaseAction.PLAN)
                    state = CaseState.IN_DELIVERY if state is CaseState.ARRIVED else state
                case "reopen":
                    CASE.check(state, CaseAction.REOPEN)
                    assert before is not None
                    state = before
                case _:
                    following = CASE.target(state, CaseAction(action))
                    before = state if following is CaseState.CLOSED else before
                    state = following
        except Problem as problem:
            refusals.append((action, problem))
    assert state in CASE.table
    assert all(problem.kind.status == 409 for _, problem in refusals)
    assert all(action not in problem.extensions["allowed"] for action, problem in refusals)
