"""What is found, tried, visited and asked after somebody is back; and who may read it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from contracts.codes import DeadlineKind, NeedsPriority
from services.cases.casework.screening.rules import priority, readers_of
from services.cases.codes import Outcome
from services.cases.follow_up.surveys.instruments import UNANSWERED, instruments
from services.cases.follow_up.surveys.rules import Scores, change, score
from services.cases.follow_up.visits.service import schedule_after
from services.cases.states.follow_up import (
    SERVICE_REFERRAL,
    VISIT,
    ServiceReferralAction,
    ServiceReferralState,
    VisitAction,
    VisitState,
)
from tests.cases.house import Accepted, House, alone, stepped
from tests.cases.steps import NOW, act, approved, deadlines, flag, screening

WITHOUT = "cases:read cases:write follow-up:read"


class TestScreening:
    async def test_only_the_urgency_is_told(self, house: House) -> None:
        accepted = await house.arrived(alone())
        path = f"/cases/{accepted.case_id}/screening"
        answer = await house.post(path, screening(accepted, flag("medical")))
        assert answer.status_code == 201, answer.text
        assert (await house.get(f"/cases/{accepted.case_id}")).json()["needs_priority"] == "raised"
        name, fact = (await house.published(accepted.people[0]))[-1]
        assert name == "screening.recorded"
        assert fact["needs_priority"] == "raised"
        assert "medical" not in str(await house.published(accepted.people[0]))
        lower = await house.post(
            path, screening(accepted, needs_priority="routine", screened_on="2026-03-25")
        )
        assert lower.status_code == 201
        assert (await house.get(f"/cases/{accepted.case_id}")).json()["needs_priority"] == "routine"

    async def test_status_over_time_with_source_and_reason(self, house: House) -> None:
        accepted = await house.arrived(alone())
        path = f"/cases/{accepted.case_id}/screening"
        for status in ("suspected", "confirmed", "resolved"):
            await house.post(path, screening(accepted, flag("pregnant", status)))
        items = (await house.get(path)).json()["items"]
        flags = [each["vulnerabilities"][0] for each in items]
        assert [each["status"] for each in flags] == ["suspected", "confirmed", "resolved"]
        assert {each["reason"] for each in flags} == {"Told at the first meeting"}
        assert await house.audited("read-vulnerabilities", accepted.people[0]) >= 1

    async def test_each_flag_has_its_readers(self, house: House) -> None:
        accepted = await house.arrived(alone())
        path = f"/cases/{accepted.case_id}/screening"
        sent = [
            flag("victim_of_trafficking"),
            flag("elderly"),
            flag("disability", readers=["frontex"]),
        ]
        await house.post(path, screening(accepted, *sent))

        async def read_by(who: str, **options: Any) -> Any:
            (item,) = (await house.get(path, who, **options)).json()["items"]
            return item["vulnerabilities"] and {each["kind"] for each in item["vulnerabilities"]}

        assert await read_by("iom-iraq") == {"victim_of_trafficking", "elderly", "disability"}
        assert await read_by("frontex") == {"elderly", "disability"}
        assert await read_by("iom-iraq", scopes=WITHOUT) is None
        assert (await house.get(path, "fedasil")).status_code == 403
        assert (await house.get(path, "other-ngo")).status_code == 404

    async def test_a_vulnerability_needs_its_scope_and_a_reason(self, house: House) -> None:
        accepted = await house.arrived(alone())
        path = f"/cases/{accepted.case_id}/screening"
        empty = await house.post(path, screening(accepted, flag("elderly", reason=" ")))
        assert empty.json()["errors"][0]["code"] == "comment_missing"
        twice = await house.post(path, screening(accepted, flag("elderly"), flag("elderly")))
        assert twice.json()["errors"][0]["code"] == "kind_twice"
        other = await house.post(path, screening(accepted, returnee_id=str(uuid4())))
        assert other.json()["errors"][0]["code"] == "not_in_case"
        headers = house.headers("iom-iraq", "anna", WITHOUT) | {"Idempotency-Key": next(house.keys)}
        refused = await house.http.post(
            f"/v1{path}", json=screening(accepted, flag("elderly")), headers=headers
        )
        assert refused.status_code == 403

    def test_urgency_is_the_highest_and_falls_only_when_everybody_was_seen(self) -> None:
        one, other = uuid4(), uuid4()
        urgent, raised, routine = (
            NeedsPriority.URGENT,
            NeedsPriority.RAISED,
            NeedsPriority.ROUTINE,
        )
        assert priority(urgent, {one: routine}, [one, other]) is urgent
        assert priority(urgent, {one: routine, other: raised}, [one, other]) is raised
        assert readers_of("victim_of_trafficking", [], "iom-iraq") == ["iom-iraq"]
        assert readers_of("elderly", None, "iom-iraq") == []


class TestContact:
    async def test_somebody_reached_is_the_first_contact(self, house: House) -> None:
        accepted = await house.arrived(alone())
        path = f"/cases/{accepted.case_id}/contact-attempts"
        body = {
            "returnee_id": accepted.people[0],
            "method": "phone",
            "outcome": "no_answer",
            "occurred_at": NOW,
        }
        assert (await house.post(path, body)).status_code == 201
        assert (await deadlines(house, accepted.case_id))["first_contact"]["state"] == "open"
        again = await house.post(path, body | {"outcome": "reached"})
        assert again.status_code == 201, again.text
        assert (await deadlines(house, accepted.case_id))["first_contact"]["state"] == "met"
        facts = [
            fact
            for name, fact in await house.published(accepted.people[0])
            if name == "contact.attempted"
        ]
        assert [fact["reached"] for fact in facts] == [False, True]
        listed = (await house.get(path)).json()["items"]
        assert [each["outcome"] for each in listed] == ["no_answer", "reached"]

    async def test_a_session_taken_down_offline_is_one_however_often_it_is_sent(
        self, house: House
    ) -> None:
        accepted = await house.arrived()
        path = f"/cases/{accepted.case_id}/sessions"
        body = {
            "id": str(uuid4()),
            "phase": "post_arrival",
            "method": "office",
            "topics": ["plan", "rights"],
            "language": "ckb",
            "interpreter": True,
            "attended": accepted.people,
            "occurred_at": NOW,
            "notes": "They want to open a shop.",
        }
        first, again = await house.post(path, body), await house.post(path, body)
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert (await house.post(path, body | {"language": "ar"})).status_code == 409
        for person in accepted.people:
            assert (await house.types(person)).count("session.held") == 1
        ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        late = await house.post(path, body | {"id": str(uuid4()), "occurred_at": ahead})
        assert late.json()["clock_suspect"] is True


class TestVisits:
    async def test_due_after_a_payment_by_the_programmes_rule_and_once(self, house: House) -> None:
        accepted = await house.arrived(alone())
        plan = await approved(house, accepted)
        line_id, payment = UUID(plan.json()["lines"][0]["id"]), uuid4()
        for _ in range(2):
            async with house.homeward.database.transaction() as session:
                cause = DeadlineKind.VISIT_AFTER_PAYMENT
                person = UUID(accepted.people[0])
                await schedule_after(session, line_id, person, cause, payment, date(2026, 5, 1))
        (visit,) = (await house.get(f"/cases/{accepted.case_id}/visits")).json()["items"]
        assert (visit["due_on"], visit["cause"], visit["line_id"]) == (
            "2026-08-01",
            "visit_after_payment",
            str(line_id),
        )
        due = (await deadlines(house, accepted.case_id))["visit_after_payment"]
        assert (due["visit_id"], due["rule"]["length"], due["rule"]["unit"]) == (
            visit["id"],
            3,
            "months",
        )
        assert (await house.types(accepted.people[0])).count("visit.scheduled") == 1
        late = (await house.get(f"/cases/{accepted.case_id}/visits", overdue=True)).json()["items"]
        assert [each["id"] for each in late] == [visit["id"]]

    async def test_tried_until_somebody_is_reached(self, house: House) -> None:
        accepted = await house.arrived(alone())
        path = f"/cases/{accepted.case_id}/visits"
        today = datetime.now(UTC).date() + timedelta(days=1)
        agreed = await house.post(
            path, {"returnee_id": accepted.people[0], "due_on": today.isoformat()}
        )
        assert agreed.status_code == 201, agreed.text
        at = f"{path}/{agreed.json()['id']}"
        vain = {"occurred_at": NOW, "method": "visit", "outcome": "not_there"}
        for number in (1, 2):
            answer = await house.post(f"{at}/record", vain, etag=await house.etag(at))
            assert (answer.json()["state"], len(answer.json()["attempts"])) == ("scheduled", number)
        found = {
            "received": "yes",
            "in_use": "partly",
            "livelihood": "covers_part",
            "satisfaction": 4,
        }
        nothing = await house.post(
            f"{at}/record", vain | {"outcome": "reached"}, etag=await house.etag(at)
        )
        assert nothing.json()["errors"][0]["code"] == "finding"
        body = vain | {"outcome": "reached", "method": "phone", "finding": found}
        answer = await house.post(f"{at}/record", body, etag=await house.etag(at))
        assert answer.status_code == 200, answer.text
        assert (answer.json()["state"], answer.json()["finding"]["satisfaction"]) == ("recorded", 4)
        assert (
            await house.post(f"{at}/record", body, etag=await house.etag(at))
        ).status_code == 409
        assert (await deadlines(house, accepted.case_id))["visit"]["state"] == "met"
        facts = [
            fact
            for name, fact in await house.published(accepted.people[0])
            if name == "visit.recorded"
        ]
        assert [fact["reached"] for fact in facts] == [False, False, True]
        assert (await house.get(at, "fedasil")).status_code == 403

    async def test_it_ends_with_its_case_and_is_scheduled_again_with_it(self, house: House) -> None:
        accepted = await house.arrived(alone())
        at = f"/cases/{accepted.case_id}"
        day = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
        body = {"returnee_id": accepted.people[0], "due_on": day}
        agreed = await house.post(f"{at}/visits", body)
        visit = f"{at}/visits/{agreed.json()['id']}"
        await act(house, accepted, "close", {"reason": "lost_contact"})
        closed = await house.get(visit)
        assert (closed.json()["state"], closed.json()["overdue"]) == ("cancelled", False)
        assert closed.headers["etag"] != agreed.headers["etag"]
        assert (await deadlines(house, accepted.case_id))["visit"]["state"] == "cancelled"
        await act(house, accepted, "reopen", {"reason": "in_contact_again"})
        assert (await house.get(visit)).json()["state"] == "scheduled"
        assert (await deadlines(house, accepted.case_id))["visit"]["state"] == "open"

    async def test_a_visit_that_is_late_is_on_the_list(self, house: House) -> None:
        accepted = await house.arrived(alone())
        day = datetime.now(UTC).date() + timedelta(days=1)
        body = {"returnee_id": accepted.people[0], "due_on": day.isoformat()}
        await house.post(f"/cases/{accepted.case_id}/visits", body)
        await house.pass_deadline(accepted.case_id, "visit")
        late = (await house.get("/deadlines", state="missed", kind="visit")).json()["items"]
        assert accepted.case_id in {each["case_id"] for each in late}
        assert (await house.types(accepted.people[0]))[-1] == "deadline.missed"

    @given(st.lists(st.sampled_from(Outcome), max_size=8))
    def test_no_sequence_of_outcomes_leads_outside_the_table(self, outcomes: list[Outcome]) -> None:
        state = VisitState.SCHEDULED
        for outcome in outcomes:
            action = VisitAction.RECORD if outcome is Outcome.REACHED else VisitAction.TRY
            before, state = state, stepped(VISIT.target, state, action)
            assert state is before or before is VisitState.SCHEDULED
        assert (state is VisitState.RECORDED) is (Outcome.REACHED in outcomes)


class TestServiceReferrals:
    async def test_whether_somebody_got_there_counts(self, house: House) -> None:
        accepted = await house.arrived(alone())
        body = {
            "case_id": accepted.case_id,
            "returnee_id": accepted.people[0],
            "kind": "hospital",
            "provider": "Rizgary Teaching Hospital",
            "purpose": "An examination that the district clinic cannot do",
            "occurred_at": NOW,
        }
        sent = await house.post("/service-referrals", body)
        assert sent.status_code == 201, sent.text
        path = f"/service-referrals/{sent.json()['id']}"
        nobody = await house.post(f"{path}/accept", {}, etag=sent.headers["etag"], person=None)
        assert (nobody.status_code, nobody.json()["type"]) == (403, "/problems/person-required")
        taken = await house.post(f"{path}/accept", {}, etag=sent.headers["etag"])
        assert taken.json()["state"] == "accepted"
        stale = await house.post(f"{path}/receive", {}, etag=sent.headers["etag"])
        assert stale.status_code == 412
        missed = await house.post(
            f"{path}/not-received", {"reason": "too_far"}, etag=taken.headers["etag"]
        )
        assert (missed.json()["state"], missed.json()["reason"]) == ("not_received", "too_far")
        over = await house.post(f"{path}/receive", {}, etag=missed.headers["etag"])
        assert (over.status_code, over.json()["allowed"]) == (409, [])
        facts = [
            (n, f)
            for n, f in await house.published(accepted.people[0])
            if n.startswith("service_referral")
        ]
        assert [name for name, _ in facts] == [
            "service_referral.sent",
            "service_referral.accepted",
            "service_referral.not_received",
        ]
        assert {fact["group"] for _, fact in facts} == {"care"}
        assert "hospital" not in str(facts).lower()
        assert (await house.get(path, "fedasil")).status_code == 404
        assert (await house.get("/service-referrals", "fedasil")).json()["items"] == []
        mine = (
            await house.get("/service-referrals", case_id=accepted.case_id, state="not_received")
        ).json()["items"]
        assert [each["id"] for each in mine] == [sent.json()["id"]]

    async def test_a_document_that_nobody_uploaded_is_refused(self, house: House) -> None:
        accepted = await house.arrived(alone())
        body = {
            "case_id": accepted.case_id,
            "returnee_id": accepted.people[0],
            "kind": "legal_aid",
            "provider": "x",
            "purpose": "y",
            "occurred_at": NOW,
            "consent_document": str(uuid4()),
        }
        answer = await house.post("/service-referrals", body)
        assert answer.json()["errors"][0]["code"] == "unknown_document"

    @given(st.lists(st.sampled_from(ServiceReferralAction), max_size=8))
    def test_what_came_of_it_stays(self, actions: list[ServiceReferralAction]) -> None:
        states = [ServiceReferralState.SENT]
        for action in actions:
            states.append(stepped(SERVICE_REFERRAL.target, states[-1], action))
        assert len(set(states)) <= 3
        assert SERVICE_REFERRAL.final == {
            ServiceReferralState.RECEIVED,
            ServiceReferralState.NOT_RECEIVED,
        }


BEST = {
    question.id: max(
        (
            answer
            for answer, worth in instruments()["reintegration", 1].scales[question.scale].items()
        ),
        key=lambda answer, scale=question.scale: (
            instruments()["reintegration", 1].scales[scale][answer] or 0
        ),
    )
    for question in instruments()["reintegration", 1].questions
}


def survey(accepted: Accepted, answers: dict[str, str], **values: Any) -> dict[str, Any]:
    return {
        "case_id": accepted.case_id,
        "returnee_id": accepted.people[0],
        "instrument": "reintegration",
        "round": "baseline",
        "taken_on": "2026-04-01",
        "method": "office",
        "language": "ckb",
        "answers": answers,
    } | values


class TestSurveys:
    async def test_scores_with_the_version_and_what_changed(self, house: House) -> None:
        accepted = await house.arrived(alone())
        first = await house.post("/surveys", survey(accepted, BEST | {"food": "very_often"}))
        assert first.status_code == 201, first.text
        assert (first.json()["instrument_version"], first.json()["provisional"]) == (1, True)
        assert first.json()["scores"]["dimensions"] == {
            "economic": 0.875,
            "social": 1.0,
            "psychosocial": 1.0,
        }
        assert first.json()["scores"]["composite"] == 0.958
        assert first.json()["change"] is None
        again = await house.post("/surveys", survey(accepted, BEST))
        assert again.status_code == 409
        later = await house.post(
            "/surveys", survey(accepted, BEST, round="endline", taken_on="2026-10-01")
        )
        assert later.json()["change"]["since"] == first.json()["id"]
        assert later.json()["change"]["dimensions"]["economic"] == 0.125
        assert later.json()["answers"] == BEST
        name, fact = (await house.published(accepted.people[0]))[-1]
        assert (name, fact["composite_per_mille"], fact["instrument_version"]) == (
            "survey.scored",
            1000,
            1,
        )
        assert "dimensions" not in fact

    async def test_too_few_answers_are_no_score(self, house: House) -> None:
        accepted = await house.arrived(alone())
        few = {"economic_situation": "satisfied", "food": "does_not_know", "water": "good"}
        answer = await house.post("/surveys", survey(accepted, few))
        assert answer.json()["scores"] == {
            "dimensions": {"economic": None, "social": None, "psychosocial": None},
            "composite": None,
        }
        _, fact = (await house.published(accepted.people[0]))[-1]
        assert "composite_per_mille" not in fact

    async def test_an_answer_that_there_is_not(self, house: House) -> None:
        accepted = await house.arrived(alone())
        for answers, code in (
            ({"food": "seldom"}, "unknown_answer"),
            ({"colour": "blue"}, "unknown_question"),
        ):
            answer = await house.post("/surveys", survey(accepted, answers))
            assert answer.json()["errors"][0]["code"] == code
            assert "blue" not in answer.text
        other = await house.post("/surveys", survey(accepted, {}, instrument="official-rss"))
        assert other.json()["errors"][0]["code"] == "unknown_instrument"

    async def test_satisfaction_is_an_instrument_of_its_own(self, house: House) -> None:
        accepted = await house.arrived(alone())
        answers = dict.fromkeys(
            ("assistance", "counselling", "economic", "social", "community", "expectation"), "4"
        )
        answer = await house.post("/surveys", survey(accepted, answers, instrument="satisfaction"))
        assert answer.json()["scores"]["composite"] == 0.75
        known = (await house.get("/surveys/instruments")).json()["instruments"]
        assert {(each["id"], each["version"]) for each in known} == {
            ("reintegration", 1),
            ("satisfaction", 1),
        }
        assert all(each["provisional"] and not each["verified"] for each in known)
        assert (await house.get(f"/surveys/{answer.json()['id']}", "fedasil")).status_code == 404

    @given(st.data())
    def test_scores_are_between_nothing_and_one_and_null_where_too_little_is_known(
        self, data: st.DataObject
    ) -> None:
        instrument = data.draw(st.sampled_from(list(instruments().values())))
        answers = {}
        for question in instrument.questions:
            answer = data.draw(st.sampled_from([None, *instrument.answers_to(question)]))
            if answer is not None:
                answers[question.id] = answer
        scores = score(instrument, answers)
        for name, value in scores.dimensions.items():
            asked = [q for q in instrument.questions if q.dimension == name]
            known = [q for q in asked if answers.get(q.id, UNANSWERED[0]) not in UNANSWERED]
            assert value is None or 0 <= value <= 1
            assert (value is None) is (len(known) < len(asked) * instrument.least_answered)
        assert (scores.composite is None) is (None in scores.dimensions.values())
        unchanged = change(scores, scores)
        assert set(unchanged.dimensions.values()) | {unchanged.composite} <= {0, None}
        assert change(scores, Scores({}, None)).composite is None
