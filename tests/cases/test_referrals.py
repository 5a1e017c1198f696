"""Referrals over HTTP: submitted once, seen by whom they concern, decided by whose turn it is."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.cases.house import House, alone, arrival, received, referral


def codes(answer: Any) -> set[str]:
    return {error["code"] for error in answer.json().get("errors", [])}


class TestSubmit:
    async def test_it_is_stored_and_told_without_the_persons(self, house: House) -> None:
        document = await house.submit(body := referral())
        assert document["state"] == "submitted"
        assert document["decider"] == "partner"
        assert document["content"]["people"][0]["names"] == body["people"][0]["names"]
        [(name, payload), (deadline, due)] = await house.published(document["id"])
        assert name == "referral.submitted"
        assert payload["people"] == 2
        assert deadline == "deadline.set"
        assert due["kind"] == "referral_decision"
        assert "Oebaidi" not in str(payload)
        assert body["external_reference"] not in str(payload)

    async def test_the_same_content_again_is_the_same_referral(self, house: House) -> None:
        body = referral()
        first = await house.submit(body)
        again = await house.post("/referrals", body, who="fedasil")
        assert again.status_code == 200
        assert again.json()["id"] == first["id"]
        assert "idempotency-replayed" not in again.headers
        assert await house.types(first["id"]) == ["referral.submitted", "deadline.set"]

    async def test_other_content_under_the_same_reference_is_refused(self, house: House) -> None:
        body = referral()
        await house.submit(body)
        other = await house.post("/referrals", body | {"notes": "other"}, who="fedasil")
        assert other.status_code == 409
        assert codes(other) == {"duplicate_reference"}
        assert body["external_reference"] not in other.text

    async def test_twins_at_once_are_one_referral(self, house: House) -> None:
        body = referral()
        answers = await asyncio.gather(
            *(house.post("/referrals", body, who="fedasil") for _ in range(6))
        )
        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1

    async def test_an_id_of_ones_own_is_kept_and_not_taken_twice(self, house: House) -> None:
        chosen = str(uuid4())
        assert (await house.submit(referral(id=chosen)))["id"] == chosen
        taken = await house.post("/referrals", referral(id=chosen), who="fedasil")
        assert taken.status_code == 409

    async def test_a_dry_run_stores_nothing_and_names_the_rules(self, house: House) -> None:
        before = await house.count("referral"), await house.count("outbox")
        answer = await house.post("/referrals?dry_run=true", referral(), who="fedasil")
        assert answer.status_code == 200
        document = answer.json()
        assert document["valid"]
        assert document["partners"] == ["iom-iraq"]
        assert all(rule["holds"] and rule["source"] for rule in document["rules"])
        assert (await house.count("referral"), await house.count("outbox")) == before

    async def test_whoever_is_asked_is_told_whoever_was_wished_for(self, house: House) -> None:
        for requested in ("iom-iraq", None):
            sent = await house.submit(referral(requested_partner=requested))
            ((name, payload), _) = await house.published(sent["id"])
            assert (name, payload.get("requested_partner")) == ("referral.submitted", requested)
            assert payload["partners"] == ["iom-iraq"]

    async def test_only_its_sender_sends_it(self, house: House) -> None:
        answer = await house.post("/referrals", referral(), who="bamf")
        assert answer.status_code == 422
        assert codes(answer) == {"sender_not_caller"}

    async def test_problems_say_where_and_never_what(self, house: House) -> None:
        body = referral()
        body["people"][1]["birth"]["date"] = "1900-01-01"
        body["people"][0]["names"][0]["given"] = "=Marker-Zoebaidi"
        answer = await house.post("/referrals", body, who="fedasil")
        assert answer.status_code == 422
        found = {(error["pointer"], error["code"]) for error in answer.json()["errors"]}
        assert ("/people/1/birth/date", "sentinel_birth_date") in found
        assert ("/people/0/names/0/given", "formula_injection") in found
        assert "Zoebaidi" not in answer.text
        assert "1900" not in answer.text

    async def test_unknown_fields_are_refused(self, house: House) -> None:
        answer = await house.post("/referrals", referral(colour="red"), who="fedasil")
        assert answer.status_code == 422
        assert codes(answer) == {"extra_forbidden"}


class TestVisibility:
    @pytest.mark.parametrize(
        ("who", "status"),
        [("fedasil", 200), ("iom-iraq", 200), ("frontex", 200), ("bamf", 404), ("other-ngo", 404)],
    )
    async def test_whom_it_concerns_sees_it(self, house: House, who: str, status: int) -> None:
        document = await house.submit()
        assert (await house.get(f"/referrals/{document['id']}", who)).status_code == status
        listed = (await house.get("/referrals", who, limit=200)).json()["items"]
        assert (document["id"] in {item["id"] for item in listed}) is (status == 200)

    async def test_names_need_a_scope_and_reading_them_is_audited(self, house: House) -> None:
        body = referral(
            vulnerabilities=[{"kind": "medical", "status": "confirmed"}], notes="A note"
        )
        document = await house.submit(body)
        path = f"/referrals/{document['id']}"
        bare = (await house.get(path, scopes="referrals:read")).json()
        assert bare["content"] is None
        assert bare["needs_priority"] == "raised"
        named = (await house.get(path, scopes="referrals:read returnees:identity")).json()
        assert named["content"]["people"]
        assert named["content"]["vulnerabilities"] == []
        assert named["content"]["notes"] == ""
        whole = (await house.get(path)).json()
        assert whole["content"]["vulnerabilities"] == body["vulnerabilities"]
        # The sender read it when it was answered, then the partner twice.
        assert await house.audited("read-identity", document["id"]) == 3
        assert await house.audited("read-vulnerabilities", document["id"]) == 2

    async def test_what_does_harm_if_known_is_for_sender_and_implementer(
        self, house: House
    ) -> None:
        kinds = ("victim_of_trafficking", "elderly")
        body = alone(
            vulnerabilities=[{"kind": kind, "status": "suspected"} for kind in kinds],
            notes="Of traffickers",
        )
        document = await house.submit(body)
        path = f"/referrals/{document['id']}"

        async def shown(who: str) -> tuple[set[str], str]:
            content = (await house.get(path, who)).json()["content"]
            return {each["kind"] for each in content["vulnerabilities"]}, content["notes"]

        everything = (set(kinds), "Of traffickers")
        assert await shown("fedasil") == everything
        assert await shown("iom-iraq") == await shown("frontex") == ({"elderly"}, "")
        assert (await house.accept(document["id"])).status_code == 200
        assert await shown("iom-iraq") == everything
        assert await shown("frontex") == ({"elderly"}, "")

    @pytest.mark.parametrize("ends", ["withdrawn", "rejected", "expired"])
    async def test_who_was_only_asked_knows_of_it_no_more(self, house: House, ends: str) -> None:
        document = await house.submit()
        path = f"/referrals/{document['id']}"
        passport = (
            await house.upload(b"%PDF-1.7", "fedasil", kind="identity", referral_id=document["id"])
        ).json()
        theirs = (
            path,
            f"{path}/duplicates",
            f"{path}/messages",
            f"/documents/{passport['id']}/content",
        )
        assert [(await house.get(each)).status_code for each in theirs] == [200] * 4
        match ends:
            case "withdrawn":
                await house.post(f"{path}/withdraw", {}, who="fedasil")
            case "rejected":
                no = {"reason": "other", "comment": "Not here"}
                await house.post(f"{path}/reject", no, etag=await house.etag(path))
            case _:
                await house.pass_deadline(document["id"], "referral_decision")
                await house.pass_deadline(document["id"], "office_decision")
        assert [(await house.get(each)).status_code for each in theirs] == [404] * 4
        assert (await house.get(path, "fedasil")).json()["state"] == ends
        assert (await house.get(theirs[-1], "fedasil")).status_code == 200

    async def test_it_is_found_by_its_reference_for_its_sender_only(self, house: House) -> None:
        body = referral()
        document = await house.submit(body)
        sought = {"external_reference": body["external_reference"]}
        mine = await house.call("POST", "/referrals/search", sought, who="fedasil")
        assert [item["id"] for item in mine.json()["items"]] == [document["id"]]
        others = await house.call("POST", "/referrals/search", sought, who="bamf")
        assert others.json()["items"] == []

    async def test_pages_follow_one_another(self, house: House) -> None:
        for _ in range(3):
            await house.submit(alone())
        first = await house.get("/referrals", "fedasil", limit=2, state="submitted")
        assert len(first.json()["items"]) == 2
        assert 'rel="next"' in first.headers["link"]
        second = await house.get(
            "/referrals", "fedasil", limit=2, state="submitted", after=first.json()["next"]
        )
        assert not {i["id"] for i in first.json()["items"]} & {
            i["id"] for i in second.json()["items"]
        }


class TestDecide:
    async def test_acceptance_makes_people_a_household_and_a_case(self, house: House) -> None:
        accepted = await house.accepted()
        principal, child = accepted.people
        assert await house.types(principal) == [
            "returnee.registered",
            "referral.accepted",
            "case.opened",
            "household.changed",
            "travel.planned",
        ]
        opened = dict(await house.published(child))["case.opened"]
        assert opened["member"] == "child"
        assert opened["case_id"] == accepted.case_id
        assert opened["implementer"] == "iom-iraq"
        assert opened["referrer"] == "fedasil"
        assert opened["office"] == "frontex"
        household = (await house.get(f"/households/{accepted.household_id}")).json()
        assert [(m["returnee_id"], m["member"]) for m in household["members"]] == [
            (principal, "principal"),
            (child, "child"),
        ]
        planned = dict(await house.published(principal))["travel.planned"]
        assert planned["port_of_entry"] == "EBL"
        assert planned["flight_number"] == "TK802"

    async def test_nobody_decides_what_they_have_not_seen(self, house: House) -> None:
        document = await house.submit()
        path = f"/referrals/{document['id']}/accept"
        assert (await house.post(path, {})).status_code == 428
        assert (await house.post(path, {}, etag='"9"')).status_code == 412
        assert (await house.post(path, {}, etag='"2"', person=None)).status_code == 403
        assert (await house.get(f"/referrals/{document['id']}")).json()["state"] == "submitted"

    async def test_it_is_decided_once(self, house: House) -> None:
        document = await house.submit()
        new = {"people": [{"index": i, "returnee_id": None} for i in range(2)]}
        answers = await asyncio.gather(
            *(
                house.post(f"/referrals/{document['id']}/accept", new, etag='"2"', person=p)
                for p in ("anna", "bert")
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        again = await house.accept(document["id"])
        assert again.status_code == 409
        assert again.json()["state"] == "accepted"
        assert again.json()["allowed"] == ["amend", "travel", "withdraw"]

    @pytest.mark.parametrize("who", ["fedasil", "frontex"])
    async def test_it_is_the_partners_turn(self, house: House, who: str) -> None:
        document = await house.submit()
        answer = await house.accept(document["id"], who=who)
        assert answer.status_code == 403
        assert "the partner that was asked" in answer.json()["detail"]

    async def test_the_implementer_is_one_of_the_programme(self, house: House) -> None:
        document = await house.submit()
        answer = await house.accept(document["id"], {"implementer": "other-ngo"})
        assert answer.status_code == 422
        assert codes(answer) == {"implementer_outside_programme"}

    async def test_a_rejection_has_a_reason_and_may_come_back_corrected(self, house: House) -> None:
        body = referral()
        document = await house.submit(body)
        path = f"/referrals/{document['id']}"
        answer = await house.post(
            f"{path}/reject",
            {"reason": "insufficient_information", "comment": "No passport"},
            etag='"2"',
        )
        assert answer.status_code == 200
        name, payload = (await house.published(document["id"]))[-1]
        assert (name, payload["reason"]) == ("referral.rejected", "insufficient_information")
        assert "passport" not in str(payload)
        corrected = body | {"notes": "Passport applied for", "supersedes": document["id"]}
        second = await house.submit(corrected)
        assert (second["revision"], second["supersedes"]) == (2, document["id"])
        assert (await house.post("/referrals", corrected, who="fedasil")).json()["id"] == second[
            "id"
        ]
        third = await house.post("/referrals", corrected | {"notes": "x"}, who="fedasil")
        assert third.status_code == 409

    async def test_what_was_not_rejected_is_not_superseded(self, house: House) -> None:
        body = referral()
        document = await house.submit(body)
        answer = await house.post(
            "/referrals", body | {"notes": "x", "supersedes": document["id"]}, who="fedasil"
        )
        assert answer.status_code == 409
        assert answer.json()["state"] == "submitted"

    async def test_information_is_asked_for_and_given(self, house: House) -> None:
        body = referral()
        document = await house.submit(body)
        path = f"/referrals/{document['id']}"
        early = await house.call("PUT", path, body, who="fedasil", etag='"2"')
        assert early.status_code == 409
        asked = await house.post(
            f"{path}/request-information", {"question": "Who is the child's mother?"}
        )
        assert asked.json()["state"] == "information_requested"
        body["people"] = body["people"][:1]
        body["travel"]["departs_on"] = "2026-03-13"
        etag = await house.etag(path, "fedasil")
        assert (await house.call("PUT", path, body, who="iom-iraq", etag=etag)).status_code == 403
        given = await house.call("PUT", path, body, who="fedasil", etag=etag)
        assert given.status_code == 200, given.text
        assert given.json()["state"] == "submitted"
        assert [person["departs_on"] for person in given.json()["people"]] == ["2026-03-13"]
        assert await house.types(document["id"]) == [
            "referral.submitted",
            "deadline.set",
            "deadline.cancelled",
            "referral.information_requested",
            "deadline.set",
            "deadline.met",
            "referral.submitted",
            "deadline.set",
        ]
        accepted = await house.accept(document["id"])
        assert len(accepted.json()["people"]) == 1

    async def test_a_known_returnee_returns_again(self, house: House) -> None:
        first = await house.accepted(alone())
        second = await house.submit(alone())
        binding = {"people": [{"index": 0, "returnee_id": first.people[0]}]}
        busy = await house.accept(second["id"], binding)
        assert codes(busy) == {"case_open"}
        etag = await house.etag(f"/cases/{first.case_id}")
        closed = await house.post(
            f"/cases/{first.case_id}/close", {"reason": "re_migrated"}, etag=etag
        )
        assert closed.status_code == 200
        bound = await house.accept(second["id"], binding)
        assert bound.status_code == 200, bound.text
        person = bound.json()["people"][0]
        assert person["returnee_id"] == first.people[0]
        assert person["case_id"] != first.case_id
        assert (await house.types(first.people[0])).count("returnee.registered") == 1
        known = (await house.get(f"/returnees/{first.people[0]}")).json()
        assert known["case_ids"] == [first.case_id, person["case_id"]]
        reason, etag = {"reason": "in_contact_again"}, await house.etag(f"/cases/{first.case_id}")
        assert (
            await house.post(f"/cases/{first.case_id}/reopen", reason, etag=etag)
        ).status_code == 409
        assert (await house.types(first.people[0])).count("case.reopened") == 0
        assert known["household_id"] == first.household_id

    async def test_a_grown_child_has_a_file_of_their_own(self, house: House) -> None:
        body = referral()
        grown = body["people"][1] | {"birth": {"date": "2007-11-03", "precision": "day"}}
        body["people"].append(grown)
        accepted = await house.accepted(body)
        _, child, own = accepted.people
        became = (await house.get(f"/referrals/{accepted.id}")).json()["people"]
        theirs = became[2]["case_id"]
        assert [each["case_id"] for each in became] == [accepted.case_id, accepted.case_id, theirs]
        assert theirs != accepted.case_id
        case = (await house.get(f"/cases/{theirs}")).json()
        assert [member["returnee_id"] for member in case["members"]] == [own]
        assert (case["referral_id"], case["split_from"]) == (str(accepted.id), accepted.case_id)
        assert case["household_id"] == accepted.household_id
        for person, case_id in ((child, accepted.case_id), (own, theirs)):
            facts = [fact for _, fact in await house.published(person) if "case_id" in fact]
            assert {fact["case_id"] for fact in facts} == {case_id}
        await house.post(f"/referrals/{accepted.id}/withdraw", {}, who="fedasil")
        assert (await house.get(f"/cases/{theirs}")).json()["closure_reason"] == "withdrawn"

    async def test_a_returnee_of_others_is_not_known(self, house: House) -> None:
        document = await house.submit(alone())
        answer = await house.accept(
            document["id"], {"people": [{"index": 0, "returnee_id": str(uuid4())}]}
        )
        assert codes(answer) == {"unknown_returnee"}


class TestWithdraw:
    async def test_before_acceptance_it_is_one_fact(self, house: House) -> None:
        document = await house.submit()
        answer = await house.post(
            f"/referrals/{document['id']}/withdraw", {}, who="fedasil", person=None
        )
        assert answer.json()["state"] == "withdrawn"
        assert (await house.types(document["id"]))[-1] == "referral.withdrawn"
        assert document["id"] not in await house.jobs_due()

    async def test_after_acceptance_it_ends_journeys_and_case(self, house: House) -> None:
        accepted = await house.accepted()
        answer = await house.post(f"/referrals/{accepted.id}/withdraw", {}, who="fedasil")
        assert answer.status_code == 200, answer.text
        assert {(p["case_state"], p["closure_reason"]) for p in answer.json()["people"]} == {
            ("closed", "withdrawn")
        }
        for person in accepted.people:
            assert (await house.types(person))[-3:] == [
                "travel.cancelled",
                "referral.withdrawn",
                "case.closed",
            ]

    async def test_of_a_household_that_split_every_case_ends(self, house: House) -> None:
        accepted = await house.accepted()
        child = accepted.people[1]
        at = f"/households/{accepted.household_id}"
        body = {"members": [child], "principal": child, "reason": "separated"}
        assert (await house.post(f"{at}/split", body, etag=await house.etag(at))).status_code == 200
        (theirs,) = (await house.get(f"/returnees/{child}")).json()["case_ids"]
        path = f"/cases/{accepted.case_id}"
        rests = await house.post(
            f"{path}/suspend", {"reason": "hospital"}, etag=await house.etag(path)
        )
        assert rests.status_code == 200, rests.text
        confirmed = await house.post(
            f"/referrals/{accepted.id}/travel/{accepted.journey_id}/confirm", who="fedasil"
        )
        assert confirmed.status_code == 200, confirmed.text
        told = [fact for name, fact in await house.published(child) if name == "travel.confirmed"]
        household = (await house.get(f"/returnees/{child}")).json()["household_id"]
        assert [(fact["case_id"], fact["household_id"]) for fact in told] == [(theirs, household)]
        answer = await house.post(f"/referrals/{accepted.id}/withdraw", {}, who="fedasil")
        assert answer.status_code == 200, answer.text
        assert [each["case_id"] for each in answer.json()["people"]] == [accepted.case_id, theirs]
        assert {each["closure_reason"] for each in answer.json()["people"]} == {"withdrawn"}
        facts = dict(await house.published(child))
        assert facts["referral.withdrawn"]["referral_id"] == str(accepted.id)
        assert facts["case.closed"]["case_id"] == theirs

    async def test_after_departure_it_is_too_late(self, house: House) -> None:
        accepted = await house.accepted()
        path = f"/referrals/{accepted.id}"
        left_at = f"{path}/travel/{accepted.journey_id}/departed"
        ahead = await house.post(left_at, {"departed_on": "2036-03-14"}, who="fedasil")
        assert (ahead.status_code, ahead.json()["errors"][0]["code"]) == (422, "date_ahead")
        left = await house.post(left_at, {"departed_on": "2026-03-14"}, who="fedasil")
        assert left.status_code == 200, left.text
        answer = await house.post(f"{path}/withdraw", {}, who="fedasil")
        assert answer.status_code == 409
        assert answer.json()["state"] == "departed"

    async def test_after_the_arrival_it_is_too_late(self, house: House) -> None:
        accepted = await house.arrived(alone())
        answer = await house.post(f"/referrals/{accepted.id}/withdraw", {}, who="fedasil")
        assert answer.status_code == 409
        assert answer.json()["state"] == "arrived"

    async def test_only_its_sender_withdraws_it(self, house: House) -> None:
        document = await house.submit()
        assert (await house.post(f"/referrals/{document['id']}/withdraw", {})).status_code == 403


class TestSilence:
    async def test_a_partners_silence_goes_to_the_office_before_anything_expires(
        self, house: House
    ) -> None:
        document = await house.submit()
        await house.pass_deadline(document["id"], "referral_decision")
        now = (await house.get(f"/referrals/{document['id']}")).json()
        assert (now["state"], now["decider"]) == ("submitted", "programme_office")
        assert (await house.types(document["id"]))[-3:] == [
            "deadline.missed",
            "referral.escalated",
            "deadline.set",
        ]
        assert (await house.accept(document["id"])).status_code == 403
        decided = await house.accept(document["id"], who="frontex")
        assert decided.status_code == 200, decided.text
        assert decided.json()["implementer"] == "iom-iraq"

    async def test_the_offices_silence_expires_it(self, house: House) -> None:
        document = await house.submit()
        await house.pass_deadline(document["id"], "referral_decision")
        await house.pass_deadline(document["id"], "office_decision")
        assert (await house.get(f"/referrals/{document['id']}", "fedasil")).json()[
            "state"
        ] == "expired"
        assert (await house.types(document["id"]))[-1] == "referral.expired"

    async def test_the_senders_silence_expires_it(self, house: House) -> None:
        document = await house.submit()
        await house.post(
            f"/referrals/{document['id']}/request-information", {"question": "Which flight?"}
        )
        await house.pass_deadline(document["id"], "information")
        assert (await house.get(f"/referrals/{document['id']}", "fedasil")).json()[
            "state"
        ] == "expired"

    async def test_a_job_that_comes_too_early_or_twice_does_nothing(self, house: House) -> None:
        document = await house.submit()
        due = (await house.get("/deadlines", limit=200)).json()["items"]
        [deadline] = [item for item in due if item["referral_id"] == document["id"]]
        await house.run_deadline(deadline["id"])
        assert (await house.get(f"/referrals/{document['id']}")).json()["decider"] == "partner"
        await house.pass_deadline(document["id"], "referral_decision")
        await house.run_deadline(deadline["id"])
        assert (await house.types(document["id"])).count("referral.escalated") == 1

    async def test_a_decision_stops_the_clock(self, house: House) -> None:
        accepted = await house.accepted()
        await house.pass_deadline(accepted.id, "referral_decision")
        assert "deadline.missed" not in await house.types(accepted.id)


class TestTravel:
    async def test_a_family_travels_in_parts(self, house: House) -> None:
        body = referral(travel=None)
        accepted = await house.accepted(body)
        path = f"/referrals/{accepted.id}/travel"
        leg = {
            "carrier": "TK",
            "flight_number": "TK802",
            "destination": "EBL",
            "departs_on": "2026-03-14",
        }
        first = await house.post(
            path, {"persons": [0], "legs": [leg], "state": "planned"}, who="fedasil"
        )
        assert first.status_code == 201, first.text
        again = await house.post(
            path, {"persons": [0, 1], "legs": [leg], "state": "planned"}, who="fedasil"
        )
        assert again.status_code == 409
        second = await house.post(
            path,
            {"persons": [1], "legs": [leg | {"departs_on": "2026-04-01"}], "state": "confirmed"},
            who="fedasil",
        )
        assert second.status_code == 201
        assert (await house.types(accepted.people[0]))[-1] == "travel.planned"
        assert (await house.types(accepted.people[1]))[-1] == "travel.confirmed"

    async def test_it_moves_and_each_move_is_a_revision(self, house: House) -> None:
        accepted = await house.accepted(alone())
        path = f"/referrals/{accepted.id}/travel/{accepted.journey_id}"
        confirmed = await house.post(f"{path}/confirm", who="fedasil")
        assert confirmed.json()["state"] == "confirmed"
        leg = {
            "carrier": "TK",
            "flight_number": "TK804",
            "destination": "BGW",
            "departs_on": "2026-03-20",
        }
        moved = await house.call(
            "PUT", path, {"legs": [leg]}, who="fedasil", etag=confirmed.headers["etag"]
        )
        assert (moved.json()["state"], moved.json()["revision"]) == ("confirmed", 2)
        stale = await house.call(
            "PUT", path, {"legs": [leg]}, who="fedasil", etag=confirmed.headers["etag"]
        )
        assert stale.status_code == 412
        name, payload = (await house.published(accepted.people[0]))[-1]
        assert (name, payload["port_of_entry"], payload["revision"]) == ("travel.changed", "BGW", 2)

    async def test_a_journey_that_did_not_happen_may_be_followed_by_another(
        self, house: House
    ) -> None:
        accepted = await house.accepted(alone())
        path = f"/referrals/{accepted.id}/travel"
        stayed = await house.post(f"{path}/{accepted.journey_id}/not-departed", who="fedasil")
        assert stayed.json()["state"] == "not_departed"
        twice = await house.post(
            f"{path}/{accepted.journey_id}/departed", {"departed_on": "2026-03-14"}, who="fedasil"
        )
        assert (twice.status_code, twice.json()["allowed"]) == (409, [])
        leg = {"destination": "EBL", "departs_on": "2026-05-01"}
        next_one = await house.post(
            path, {"persons": [0], "legs": [leg], "state": "planned"}, who="fedasil"
        )
        assert next_one.status_code == 201
        became = (await house.get(f"/referrals/{accepted.id}", "fedasil")).json()["people"][0]
        assert (became["travel_state"], became["departs_on"]) == ("planned", "2026-05-01")

    async def test_only_the_sender_tells_of_it(self, house: House) -> None:
        accepted = await house.accepted(alone())
        path = f"/referrals/{accepted.id}/travel/{accepted.journey_id}"
        assert (await house.post(f"{path}/confirm")).status_code == 403
        assert (await house.post(f"{path}/confirm", who="bamf")).status_code == 404
        assert (await house.get(f"/referrals/{accepted.id}/travel", "bamf")).status_code == 404


async def test_the_sender_sees_what_became_of_each_person(house: House) -> None:
    accepted = await house.accepted()
    principal, child = accepted.people
    await house.tell(received(accepted, principal))
    from contracts.reception import ArrivalNoShow

    await house.tell(ArrivalNoShow(**arrival(accepted, child)))
    people = (await house.get(f"/referrals/{accepted.id}", "fedasil")).json()["people"]
    assert [(p["arrival_state"], p["arrived_on"], p["case_state"]) for p in people] == [
        ("met", "2026-03-15", "arrived"),
        ("no_show", None, "arrived"),
    ]


async def test_what_became_of_them_is_another_etag(house: House) -> None:
    accepted = await house.accepted(alone())
    path = f"/referrals/{accepted.id}"
    etags = [await house.etag(path)]
    await house.post(f"{path}/travel/{accepted.journey_id}/confirm", who="fedasil")
    etags.append(await house.etag(path))
    await house.tell(received(accepted, accepted.people[0]))
    etags.append(await house.etag(path))
    assert len(set(etags)) == 3


async def test_a_changed_journey_must_be_seen_before_it_is_accepted(house: House) -> None:
    document = await house.submit(alone())
    path = f"/referrals/{document['id']}"
    etag = await house.etag(path)
    [journey] = (await house.get(f"{path}/travel")).json()["items"]
    await house.post(f"{path}/travel/{journey['id']}/cancel", who="fedasil")
    assert (await house.post(f"{path}/accept", {}, etag=etag)).status_code == 412
