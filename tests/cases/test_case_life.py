"""What happens to a case while it is followed: it rests, goes to another organisation, splits, and
ends.
"""

from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from contracts.codes import CaseState
from contracts.programmes import Rules
from contracts.reception import ArrivalNoShow
from services.cases.casework.plans.progress import advance_line
from services.cases.casework.plans.rules import LINE_MOVES, next_status
from services.cases.people.households.service import come_of_age
from services.cases.states.casework import (
    CASE,
    DEADLINE,
    TRANSFER,
    CaseAction,
    DeadlineState,
    LineStatus,
    TransferAction,
    TransferState,
)
from tests.cases.house import Accepted, House, alone, arrival, received, referral, stepped, today
from tests.cases.steps import act, approved, deadlines, line
from tests.cases.steps import path as plan_path

OTHER = "ettc-iraq"


class TestSuspension:
    async def test_the_clocks_stand_and_run_on_as_much_later(self, house: House) -> None:
        accepted = await house.arrived(alone(), on=today() - timedelta(days=3))
        before = await deadlines(house, accepted.case_id)
        since = today() - timedelta(days=2)
        answer = await act(
            house, accepted, "suspend", {"reason": "hospital", "since": since.isoformat()}
        )
        assert answer.status_code == 200, answer.text
        assert (answer.json()["state"], answer.json()["suspended_on"]) == (
            "suspended",
            since.isoformat(),
        )
        during = await deadlines(house, accepted.case_id)
        assert {item["state"] for item in during.values()} == {"paused"}
        waiting = await house.jobs_due()
        assert not {item["id"] for item in during.values()} & waiting.keys()
        again = await act(house, accepted, "suspend", {"reason": "other"})
        assert again.status_code == 409
        assert "resume" in again.json()["allowed"]
        resumed = await act(house, accepted, "resume", {})
        assert resumed.json()["state"] == "arrived"
        after = await deadlines(house, accepted.case_id)
        for kind, item in after.items():
            moment = datetime.fromisoformat(before[kind]["due_at"]) + timedelta(days=2)
            assert (item["state"], datetime.fromisoformat(item["due_at"])) == ("open", moment)
            assert item["shifted_days"] == 2
        assert after["plan"]["id"] in await house.jobs_due()
        facts = await house.types(accepted.people[0])
        assert facts[-6:] == ["case.suspended", "case.resumed"] + ["deadline.set"] * 4
        assert "hospital" not in str(await house.published(accepted.people[0]))

    async def test_what_was_missed_in_hospital_was_not_missed(self, house: House) -> None:
        accepted = await house.arrived(alone())
        for kind in ("plan", "first_contact"):
            await house.pass_deadline(accepted.case_id, kind)
        async with house.homeward.database.transaction() as session:
            before = text(
                "UPDATE deadline SET due_at = due_at - interval '9 days'"
                " WHERE case_id = :id AND kind = 'plan'"
            )
            await session.execute(before, {"id": UUID(accepted.case_id)})
        since = today() - timedelta(days=4)
        await act(house, accepted, "suspend", {"reason": "hospital", "since": since.isoformat()})
        during = await deadlines(house, accepted.case_id)
        assert (during["first_contact"]["state"], during["plan"]["state"]) == ("paused", "missed")
        await act(house, accepted, "resume", {})
        resumed = (await deadlines(house, accepted.case_id))["first_contact"]
        assert (resumed["state"], resumed["shifted_days"]) == ("open", 4)

    async def test_a_corrected_arrival_keeps_the_time_that_it_stood(self, house: House) -> None:
        accepted = await house.arrived(alone(), on=today() - timedelta(days=5))
        await act(
            house,
            accepted,
            "suspend",
            {"reason": "other", "since": (today() - timedelta(days=4)).isoformat()},
        )
        await house.tell(received(accepted, accepted.people[0], today() - timedelta(days=6)))
        paused = await deadlines(house, accepted.case_id)
        assert {item["state"] for item in paused.values()} == {"paused"}
        await act(house, accepted, "resume", {})
        before = await deadlines(house, accepted.case_id)
        await house.tell(received(accepted, accepted.people[0], today() - timedelta(days=5)))
        after = await deadlines(house, accepted.case_id)
        assert after["first_contact"]["shifted_days"] == 4
        assert after["first_contact"]["due_at"] > before["first_contact"]["due_at"]

    async def test_what_began_while_it_rested_rested_no_longer_than_since_then(
        self, house: House
    ) -> None:
        accepted = await house.accepted(alone())
        await act(
            house,
            accepted,
            "suspend",
            {"reason": "other", "since": (today() - timedelta(days=30)).isoformat()},
        )
        await house.tell(received(accepted, accepted.people[0], today() - timedelta(days=3)))
        visit = {"returnee_id": accepted.people[0], "due_on": today() + timedelta(days=5)}
        assert (await house.post(f"/cases/{accepted.case_id}/visits", visit)).status_code == 201
        resumed = await act(house, accepted, "resume", {})
        assert resumed.json()["state"] == "arrived"
        shifted = {
            kind: each["shifted_days"]
            for kind, each in (await deadlines(house, accepted.case_id)).items()
        }
        assert shifted.pop("visit") == 0
        assert set(shifted.values()) == {3}

    async def test_it_is_resumed_between_then_and_now(self, house: House) -> None:
        accepted = await house.arrived(alone())
        tomorrow = (today() + timedelta(days=2)).isoformat()
        assert (
            await act(house, accepted, "suspend", {"reason": "other", "since": tomorrow})
        ).status_code == 422
        assert (await act(house, accepted, "resume", {})).status_code == 409
        await act(house, accepted, "suspend", {"reason": "detention"})
        assert (await act(house, accepted, "resume", {"on": "2020-01-01"})).status_code == 422
        closed = await act(house, accepted, "close", {"reason": "lost_contact"})
        assert closed.json()["state"] == "closed"
        reopened = await act(house, accepted, "reopen", {"reason": "in_contact_again"})
        assert reopened.json()["state"] == "suspended"
        assert {item["state"] for item in (await deadlines(house, accepted.case_id)).values()} == {
            "paused"
        }
        assert (await act(house, accepted, "resume", {})).json()["state"] == "arrived"


class TestArrivalTakenBack:
    async def test_only_what_began_with_it_ends_and_begins_again(self, house: House) -> None:
        accepted = await house.arrived(alone(), on=today())
        visit = {"returnee_id": accepted.people[0], "due_on": today() + timedelta(days=5)}
        await house.post(f"/cases/{accepted.case_id}/visits", visit)
        await house.pass_deadline(accepted.case_id, "first_contact")
        await house.tell(ArrivalNoShow(**arrival(accepted, accepted.people[0])))
        states = {
            kind: each["state"] for kind, each in (await deadlines(house, accepted.case_id)).items()
        }
        assert states.pop("visit") == "open"
        assert set(states.values()) == {"cancelled"}
        await act(house, accepted, "close", {"reason": "lost_contact"})
        await act(house, accepted, "reopen", {"reason": "in_contact_again"})
        assert (await deadlines(house, accepted.case_id))["plan"]["state"] == "cancelled"
        await house.tell(received(accepted, accepted.people[0], today()))
        assert {each["state"] for each in (await deadlines(house, accepted.case_id)).values()} == {
            "open"
        }


@pytest.fixture
def two_implementers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the programme have a second implementer; those of today have one each."""
    monkeypatch.setattr(Rules, "implementers", lambda *_: ("iom-iraq", OTHER))


@pytest.mark.usefixtures("two_implementers")
class TestTransfer:
    async def test_the_file_goes_over_and_the_old_partner_sees_nothing_more(
        self, house: House
    ) -> None:
        accepted = await house.arrived()
        path = f"/cases/{accepted.case_id}/transfer"
        assert (await house.get(f"/cases/{accepted.case_id}", OTHER)).status_code == 404
        offered = await house.post(path, {"to": OTHER, "reason": "moved"})
        assert offered.status_code == 201, offered.text
        assert (await house.post(path, {"to": OTHER, "reason": "moved"})).status_code == 409
        mine = (await house.get("/cases/transfers", OTHER, state="offered")).json()["items"]
        (offer,) = [each for each in mine if each["case_id"] == accepted.case_id]
        assert offer["members"] == 2
        assert (await house.get(f"/cases/{accepted.case_id}", OTHER)).status_code == 404
        assert (await house.get(path, "other-ngo")).status_code == 404
        etag = await house.etag(path, OTHER)
        own = await house.post(f"{path}/accept", {}, etag=etag)
        assert own.status_code == 403
        taken = await house.post(f"{path}/accept", {"focal_point": "dina"}, who=OTHER, etag=etag)
        assert taken.status_code == 200, taken.text
        case = (await house.get(f"/cases/{accepted.case_id}", OTHER)).json()
        assert (case["implementer"], case["focal_point"]) == (OTHER, "dina")
        for path in (
            f"/cases/{accepted.case_id}",
            f"/returnees/{accepted.people[0]}",
            f"/referrals/{accepted.id}",
            f"/cases/{accepted.case_id}/transfer",
        ):
            assert (await house.get(path)).status_code == 404
        assert (await house.get(f"/cases/{accepted.case_id}", "fedasil")).status_code == 200
        facts = [
            fact
            for name, fact in await house.published(accepted.people[0])
            if name == "case.transferred"
        ]
        (fact,) = facts
        assert (fact["previous_implementer"], fact["implementer"], fact["keeps_part"]) == (
            "iom-iraq",
            OTHER,
            False,
        )

    async def test_it_is_declined_or_withdrawn(self, house: House) -> None:
        accepted = await house.arrived()
        path = f"/cases/{accepted.case_id}/transfer"
        await house.post(path, {"to": OTHER, "reason": "no_capacity"})
        etag = await house.etag(path, OTHER)
        no = await house.post(
            f"{path}/decline", {"comment": "No office there"}, who=OTHER, etag=etag
        )
        assert (no.status_code, no.json()["state"]) == (200, "declined")
        assert (await house.get(path, OTHER)).status_code == 404
        again = await house.post(path, {"to": OTHER, "reason": "no_capacity"})
        assert again.status_code == 201
        back = await house.post(f"{path}/withdraw", {}, etag=again.headers["etag"])
        assert back.json()["state"] == "withdrawn"
        assert (await house.types(accepted.people[0])).count("case.transfer_declined") == 2

    async def test_only_to_who_implements_the_programme_there(self, house: House) -> None:
        accepted = await house.arrived(alone())
        answer = await house.post(
            f"/cases/{accepted.case_id}/transfer", {"to": "other-ngo", "reason": "other"}
        )
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] == "implementer_outside_programme"


async def household_etag(house: House, household_id: str) -> str:
    return await house.etag(f"/households/{household_id}")


class TestHousehold:
    async def test_a_couple_separates(self, house: House) -> None:
        body = referral()
        body["people"].append(
            {
                **body["people"][1],
                "role": "spouse",
                "birth": {"date": "1990-02-03", "precision": "day"},
            }
        )
        accepted = await house.arrived(body)
        principal, child, spouse = accepted.people
        before = await deadlines(house, accepted.case_id)
        path = f"/households/{accepted.household_id}"
        split = {"members": [spouse, child], "principal": spouse, "reason": "separated"}
        etag = await household_etag(house, accepted.household_id)
        answer = await house.post(f"{path}/split", split, etag=etag)
        assert answer.status_code == 200, answer.text
        other = answer.json()
        assert {m["returnee_id"]: m["member"] for m in other["members"]} == {
            spouse: "principal",
            child: "child",
        }
        theirs = (await house.get(f"/returnees/{spouse}")).json()["case_ids"][-1]
        assert theirs != accepted.case_id
        case = (await house.get(f"/cases/{theirs}")).json()
        assert (case["state"], case["split_from"], case["arrived_on"]) == (
            "arrived",
            accepted.case_id,
            "2026-03-15",
        )
        assert {m["returnee_id"] for m in case["members"]} == {spouse, child}
        mine = (await house.get(f"/cases/{accepted.case_id}")).json()
        assert [m["returnee_id"] for m in mine["members"]] == [principal]
        after = await deadlines(house, theirs)
        assert {k: d["due_at"] for k, d in after.items()} == {
            k: d["due_at"] for k, d in before.items()
        }
        facts = await house.types(child)
        assert [name for name in facts if name.startswith(("case.", "household."))][-4:] == [
            "household.changed",
            "case.opened",
            "case.progressed",
            "household.changed",
        ]
        await house.tell(received(accepted, child, date(2026, 3, 16)))
        moved_child = [
            m
            for m in (await house.get(f"/cases/{theirs}")).json()["members"]
            if m["returnee_id"] == child
        ]
        assert moved_child[0]["arrived_on"] == "2026-03-16"
        became = (await house.get(f"/referrals/{accepted.id}")).json()["people"]
        assert [each["case_id"] for each in became] == [accepted.case_id, theirs, theirs]

    async def test_somebody_must_stay_and_somebody_must_head(self, house: House) -> None:
        accepted = await house.arrived()
        principal, child = accepted.people
        path = f"/households/{accepted.household_id}/split"
        for body, code in (
            ({"members": [principal, child], "principal": principal}, "nobody_stays"),
            ({"members": [principal], "principal": principal}, "successor_missing"),
            ({"members": [child], "principal": principal}, "not_going"),
            ({"members": [str(uuid4())], "principal": child}, "not_in_household"),
        ):
            etag = await household_etag(house, accepted.household_id)
            answer = await house.post(path, body | {"reason": "other"}, etag=etag)
            assert answer.status_code == 422, answer.text
            assert code in {error["code"] for error in answer.json()["errors"]}

    async def test_the_head_dies_and_another_follows(self, house: House) -> None:
        accepted = await house.arrived()
        principal, child = accepted.people
        path = f"/households/{accepted.household_id}/leave"
        body = {"returnee_id": principal, "on": "2026-04-01", "reason": "deceased"}
        etag = await household_etag(house, accepted.household_id)
        assert (await house.post(path, body, etag=etag)).status_code == 422
        answer = await house.post(path, body | {"successor": child}, etag=etag)
        assert answer.status_code == 200, answer.text
        now = {m["returnee_id"]: m for m in answer.json()["members"]}
        assert now[child]["member"] == "principal"
        assert now[principal]["until"] is not None
        assert "deceased" not in str(await house.published(principal))
        last = await house.post(path, body | {"returnee_id": child}, etag=answer.headers["etag"])
        assert "last_member" in {error["code"] for error in last.json()["errors"]}

    @pytest.mark.parametrize(
        ("years", "days", "precision", "grown"),
        [
            (18, 0, "day", True),
            (18, -1, "day", False),
            (18, 0, "year", False),
            (20, 0, "year", True),
        ],
    )
    async def test_a_child_comes_of_age(
        self, house: House, years: int, days: int, precision: str, grown: bool
    ) -> None:
        accepted = await house.arrived()
        child = accepted.people[1]
        async with house.homeward.database.transaction() as session:
            await session.execute(
                text(
                    "UPDATE returnee SET birth_precision = :precision, birth_date ="
                    " (clock_timestamp() AT TIME ZONE 'UTC')::date"
                    " - make_interval(years => :years, days => :days) WHERE id = CAST(:id AS uuid)"
                ),
                {"precision": precision, "years": years, "days": days, "id": child},
            )
        async with house.homeward.database.transaction() as session:
            await come_of_age(session)
        case = (await house.get(f"/cases/{accepted.case_id}")).json()
        (member,) = [m for m in case["members"] if m["returnee_id"] == child]
        assert (member["member"] == "adult") is grown
        assert ((await house.types(child))[-1] == "household.changed") is grown


class TestDeadlineDecisions:
    async def test_more_time_is_given_by_another_person(self, house: House) -> None:
        accepted = await house.arrived(alone(), on=today() - timedelta(days=1))
        await house.post(f"/cases/{accepted.case_id}/assign", {"focal_point": "anna"})
        due = (await deadlines(house, accepted.case_id))["first_contact"]
        path = f"/deadlines/{due['id']}"
        until = datetime.fromisoformat(due["due_at"]).date() + timedelta(days=30)
        body = {"until": until.isoformat(), "reason": "vulnerability"}
        etag = await house.etag(path)
        own = await house.post(f"{path}/extend", body, person="anna", etag=etag)
        assert (own.status_code, own.json()["type"]) == (403, "/problems/four-eyes")
        await house.post(f"/cases/{accepted.case_id}/assign", {"focal_point": "dina"})
        etag = await house.etag(path)
        given_away = await house.post(f"{path}/extend", body, person="anna", etag=etag)
        assert (given_away.status_code, given_away.json()["type"]) == (403, "/problems/four-eyes")
        assert (
            await house.post(f"{path}/extend", body, person="bert", etag='"1"')
        ).status_code == 412
        early = body | {"until": "2020-01-01"}
        assert (
            await house.post(f"{path}/extend", early, person="bert", etag=etag)
        ).status_code == 422
        answer = await house.post(f"{path}/extend", body, person="bert", etag=etag)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["shifted_days"], answer.json()["decision_reason"]) == (
            30,
            "vulnerability",
        )
        assert (await house.jobs_due())[due["id"]] == datetime.fromisoformat(
            answer.json()["due_at"]
        )
        name, fact = (await house.published(accepted.people[0]))[-1]
        assert name == "deadline.extended"
        assert datetime.fromisoformat(fact["previous_due_at"]) == datetime.fromisoformat(
            due["due_at"]
        )
        assert answer.json()["decision_reason"] == "vulnerability"
        for seen in (await house.get(path, "fedasil"), await house.get("/deadlines", "fedasil")):
            assert seen.status_code == 200
            assert "vulnerability" not in seen.text
        waived = await house.post(
            f"{path}/waive", {"reason": "other"}, person="bert", etag=answer.headers["etag"]
        )
        assert waived.json()["state"] == "waived"
        assert due["id"] not in await house.jobs_due()
        assert (
            await house.post(
                f"{path}/waive", {"reason": "other"}, person="bert", etag=waived.headers["etag"]
            )
        ).status_code == 409

    async def test_a_missed_one_runs_again(self, house: House) -> None:
        accepted = await house.arrived(alone())
        await house.pass_deadline(accepted.case_id, "plan")
        due = (await deadlines(house, accepted.case_id))["plan"]
        assert due["state"] == "missed"
        until = (today() + timedelta(days=10)).isoformat()
        path = f"/deadlines/{due['id']}"
        body = {"until": until, "reason": "hospital"}
        alone_with_it = await house.post(f"{path}/extend", body, etag=await house.etag(path))
        assert (
            alone_with_it.status_code == 409
        )  # nobody is in charge whom another person would be beside
        await house.post(f"/cases/{accepted.case_id}/assign", {"focal_point": "bert"})
        answer = await house.post(f"{path}/extend", body, etag=await house.etag(path))
        assert answer.json()["state"] == "open"

    async def test_a_calendar_file_names_nobody(self, house: House) -> None:
        accepted = await house.arrived(alone())
        await house.post(
            f"/cases/{accepted.case_id}/assign", {"focal_point": "zoe", "office": "erbil"}
        )
        answer = await house.get("/deadlines.ics", assignee="zoe")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/calendar")
        lines = answer.text.split("\r\n")
        assert lines[0] == "BEGIN:VCALENDAR"
        assert lines.count("BEGIN:VEVENT") == lines.count("END:VEVENT") >= 1
        assert f"DESCRIPTION:case {accepted.case_id}" in lines
        assert "Ismaiel" not in answer.text
        assert (await house.get("/deadlines.ics", "other-ngo")).text.count("BEGIN:VEVENT") == 0


class TestLines:
    async def test_the_last_delivered_line_begins_the_monitoring(self, house: House) -> None:
        accepted = await house.arrived(alone())
        plan = await approved(house, accepted)
        (first,) = plan.json()["lines"]
        await move(house, accepted, first["id"], LineStatus.GRANTED)
        assert (await house.get(f"/cases/{accepted.case_id}")).json()["state"] == "in_delivery"
        await move(house, accepted, first["id"], LineStatus.DELIVERED)
        await move(
            house, accepted, first["id"], LineStatus.REQUESTED
        )  # an older fact of another service
        assert (await house.get(f"/cases/{accepted.case_id}")).json()["state"] == "monitoring"
        shown = (await house.get(plan_path(accepted))).json()["lines"]
        assert [each["status"] for each in shown] == ["delivered"]
        draft = await house.post(f"{plan_path(accepted)}/amend", {}, person="anna")
        more = [line(accepted.people[0], id=first["id"]), line(accepted.people[0], "50.00")]
        await house.call("PUT", plan_path(accepted), {"lines": more}, etag=draft.headers["etag"])
        sent = await house.post(f"{plan_path(accepted)}/submit", person="anna")
        await house.post(f"{plan_path(accepted)}/approve", person="bert", etag=sent.headers["etag"])
        assert (await house.get(f"/cases/{accepted.case_id}")).json()["state"] == "in_delivery"

    async def test_what_was_granted_stays(self, house: House) -> None:
        accepted = await house.arrived(alone())
        plan = await approved(house, accepted)
        (first,) = plan.json()["lines"]
        await move(house, accepted, first["id"], LineStatus.GRANTED)
        draft = await house.post(f"{plan_path(accepted)}/amend", {}, person="anna")
        for lines in (
            [line(accepted.people[0], "50.00")],
            [line(accepted.people[0], "10.00", id=first["id"])],
            [line(accepted.people[0], id=first["id"], kind="education")],
        ):
            answer = await house.call(
                "PUT", plan_path(accepted), {"lines": lines}, etag=draft.headers["etag"]
            )
            assert answer.status_code == 422, answer.text
            assert {error["code"] for error in answer.json()["errors"]} == {"line_granted"}
        raised = [line(accepted.people[0], "1600.00", id=first["id"])]
        answer = await house.call(
            "PUT", plan_path(accepted), {"lines": raised}, etag=draft.headers["etag"]
        )
        assert answer.status_code == 200, answer.text

    async def test_feasibility_is_kept_by_criterion(self, house: House) -> None:
        accepted = await house.arrived(alone())
        grid = [
            {"criterion": "market", "rating": "doubtful", "comment": "Two barbers in the street"}
        ]
        body = {"lines": [line(accepted.people[0], feasibility=grid)]}
        answer = await house.call("PUT", plan_path(accepted), body, new=True)
        assert answer.json()["lines"][0]["feasibility"] == grid
        body = {"lines": [line(accepted.people[0], feasibility=grid * 2)]}
        answer = await house.call("PUT", plan_path(accepted), body, etag=answer.headers["etag"])
        assert answer.json()["errors"][0]["code"] == "criterion_twice"


async def test_it_is_published_of_everybody_how_a_deadline_ends(house: House) -> None:
    accepted = await house.arrived()
    at = f"/cases/{accepted.case_id}"
    attempt = {
        "returnee_id": accepted.people[0],
        "method": "phone",
        "outcome": "reached",
        "occurred_at": "2026-03-16T10:00:00+03:00",
    }
    assert (await house.post(f"{at}/contact-attempts", attempt)).status_code == 201
    await act(house, accepted, "close", {"reason": "lost_contact"})
    await act(house, accepted, "reopen", {"reason": "in_contact_again"})
    for person in accepted.people:
        published = [
            (payload["kind"], name.removeprefix("deadline."))
            for name, payload in await house.published(person)
            if name.startswith("deadline.")
        ]
        assert [name for kind, name in published if kind == "first_contact"] == ["set", "met"]
        assert [name for kind, name in published if kind == "plan"] == ["set", "cancelled", "set"]


async def move(house: House, accepted: Accepted, line_id: str, status: LineStatus) -> None:
    async with house.homeward.database.transaction() as session:
        await advance_line(
            session, UUID(line_id), UUID(accepted.people[0]), status, datetime.now(UTC)
        )


@given(st.lists(st.sampled_from(CaseAction), max_size=25), st.randoms(use_true_random=False))
def test_a_case_is_refused_or_goes_where_its_table_says(
    actions: list[CaseAction], chance: Random
) -> None:
    state = CaseState.ARRIVED
    for action in actions:
        targets = CASE.table[state].get(action)
        after = stepped(CASE.check, state, action)
        assert after == (targets or state)
        state = chance.choice(sorted(targets)) if targets else state
    assert CASE.final == frozenset()


@given(st.lists(st.sampled_from(TransferAction), max_size=8))
def test_an_offer_is_answered_once(actions: list[TransferAction]) -> None:
    states = [TransferState.OFFERED]
    for action in actions:
        states.append(stepped(TRANSFER.target, states[-1], action))
    assert len(set(states)) <= 2


def test_what_is_decided_of_a_deadline_stays_decided() -> None:
    assert DEADLINE.final == {DeadlineState.WAIVED}
    assert DEADLINE.allowed(DeadlineState.OPEN) == ["extend", "waive"]
    assert DEADLINE.allowed(DeadlineState.MET) == []


@given(st.lists(st.sampled_from(LineStatus), max_size=12))
def test_a_delivered_line_stays_delivered_in_whatever_order_facts_come(
    facts: list[LineStatus],
) -> None:
    status = LineStatus.PLANNED
    for fact in facts:
        status = next_status(status, fact)
        assert status in LINE_MOVES
    if LineStatus.DELIVERED in facts and LineStatus.CANCELLED not in facts:
        assert status is LineStatus.DELIVERED
