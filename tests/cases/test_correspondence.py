"""Around a referral: retroactive ones and their clock, amendments, the departure question,
messages.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.cases.house import House, alone, referral


def back_home(**values: Any) -> dict[str, Any]:
    return alone() | {"arrived_on": "2026-03-20"} | values


async def retroactive(house: House, **values: Any) -> dict[str, Any]:
    answer = await house.post("/referrals/retroactive", back_home(**values))
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


class TestRetroactive:
    async def test_the_host_country_decides_and_the_windows_began_on_that_day(
        self, house: House
    ) -> None:
        document = await retroactive(house)
        assert (document["decider"], document["submitter"], document["retroactive"]) == (
            "referrer",
            "iom-iraq",
            True,
        )
        assert (await house.published(document["id"]))[0][1]["retroactive"] is True
        assert (
            await house.accept(document["id"])
        ).status_code == 403  # the partner asks, it does not decide
        answer = await house.accept(document["id"], who="fedasil", person="counsellor")
        assert answer.status_code == 200, answer.text
        person = answer.json()["people"][0]
        assert (person["case_state"], person["arrived_on"], person["travel_state"]) == (
            "arrived",
            "2026-03-20",
            "departed",
        )
        assert answer.json()["implementer"] == "iom-iraq"
        due = (await house.get("/deadlines", case_id=person["case_id"])).json()["items"]
        assert {"post_return", "plan"} <= {deadline["kind"] for deadline in due}

    async def test_seven_days_of_silence_reject_it_and_it_may_come_again(
        self, house: House
    ) -> None:
        body = back_home()
        document = (await house.post("/referrals/retroactive", body)).json()
        await house.pass_deadline(document["id"], "retroactive_decision")
        seen = (await house.get(f"/referrals/{document['id']}")).json()
        assert (seen["state"], seen["rejection_reason"]) == ("rejected", "silence")
        again = await house.post("/referrals/retroactive", body | {"supersedes": document["id"]})
        assert again.status_code == 201, again.text
        assert again.json()["revision"] == 2

    async def test_the_same_again_is_the_same(self, house: House) -> None:
        body = back_home()
        first = await house.post("/referrals/retroactive", body)
        again = await house.post("/referrals/retroactive", body)
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])

    async def test_only_who_would_implement_it_asks_and_not_ahead_of_time(
        self, house: House
    ) -> None:
        assert (
            await house.post("/referrals/retroactive", back_home(), who="other-ngo")
        ).status_code == 403
        ahead = await house.post("/referrals/retroactive", back_home(arrived_on="2099-01-01"))
        assert ahead.json()["errors"][0]["code"] == "bad_arrival"

    async def test_who_submitted_it_completes_and_withdraws_it(self, house: House) -> None:
        body = back_home()
        document = (await house.post("/referrals/retroactive", body)).json()
        path = f"/referrals/{document['id']}"
        asked = await house.post(
            f"{path}/request-information", {"question": "On which flight?"}, who="fedasil"
        )
        assert asked.status_code == 200, asked.text
        del body["arrived_on"]
        theirs = await house.call(
            "PUT", path, body, who="fedasil", etag=await house.etag(path, "fedasil")
        )
        assert theirs.status_code == 403
        given = await house.call("PUT", path, body, etag=await house.etag(path))
        assert (given.status_code, given.json()["state"]) == (200, "submitted")
        assert given.json()["decider"] == "referrer"
        assert (await house.post(f"{path}/withdraw", {}, who="fedasil")).status_code == 403
        withdrawn = await house.post(f"{path}/withdraw", {})
        assert (withdrawn.status_code, withdrawn.json()["state"]) == (200, "withdrawn")


class TestAmend:
    async def test_a_newborn_joins_the_family(self, house: House) -> None:
        accepted = await house.accepted()
        baby = {
            "role": "child",
            "names": [
                {
                    "script": "Latn",
                    "given": "Nour",
                    "father": "Ismaiel",
                    "grandfather": "",
                    "family": "",
                }
            ],
            "sex": "female",
            "birth": {"date": "2026-02-20", "precision": "day"},
            "nationality": "IRQ",
        }
        answer = await house.post(f"/referrals/{accepted.id}/amend", {"add": [baby]}, who="fedasil")
        assert answer.status_code == 200, answer.text
        person = answer.json()["people"][2]
        assert (person["case_id"], person["role"]) == (accepted.case_id, "child")
        told = await house.types(person["returnee_id"])
        assert {
            "returnee.registered",
            "referral.accepted",
            "case.opened",
            "household.changed",
        } <= set(told)
        assert told[-1] == "referral.amended"
        members = (await house.get(f"/households/{accepted.household_id}")).json()["members"]
        assert len(members) == 3

    async def test_a_grown_child_is_followed_in_a_case_of_their_own(self, house: House) -> None:
        accepted = await house.accepted()
        grown = referral()["people"][1] | {"birth": {"date": "1999-02-20", "precision": "day"}}
        answer = await house.post(
            f"/referrals/{accepted.id}/amend", {"add": [grown]}, who="fedasil"
        )
        assert answer.status_code == 200, answer.text
        person = answer.json()["people"][2]
        assert person["case_id"] != accepted.case_id
        case = (await house.get(f"/cases/{person['case_id']}")).json()
        assert (case["split_from"], case["household_id"]) == (
            accepted.case_id,
            accepted.household_id,
        )
        assert [each["returnee_id"] for each in case["members"]] == [person["returnee_id"]]
        accepted_in = dict(await house.published(person["returnee_id"]))["referral.accepted"][
            "case_id"
        ]
        assert accepted_in == person["case_id"]
        many = await house.post(
            f"/referrals/{accepted.id}/amend", {"add": [grown] * 28}, who="fedasil"
        )
        assert (many.status_code, many.json()["errors"][0]["code"]) == (422, "too_many_persons")

    async def test_what_is_corrected_of_a_merged_person_is_what_is_read(self, house: House) -> None:
        accepted, other = await house.accepted(alone()), await house.accepted(alone())
        (returnee_id,) = accepted.people
        etag = await house.etag(f"/returnees/{returnee_id}")
        merged = await house.post(
            f"/returnees/{returnee_id}/merge", {"into": other.people[0]}, etag=etag
        )
        assert merged.status_code == 200, merged.text
        phone = {"kind": "phone", "value": "+964 770 111 2233", "owner": "self", "safe_hours": None}
        body = {"correct": [{"index": 0, "person": {"contacts": [phone]}}]}
        answer = await house.post(f"/referrals/{accepted.id}/amend", body, who="fedasil")
        assert answer.status_code == 200, answer.text
        seen = (await house.get(f"/returnees/{returnee_id}")).json()
        assert seen["identity"]["contacts"][0]["value"] == phone["value"]
        assert (await house.types(other.people[0]))[-1] == "returnee.updated"

    async def test_a_spelling_is_corrected_where_the_person_is_known(self, house: House) -> None:
        accepted = await house.accepted()
        name = {
            "script": "Latn",
            "given": "Ismail",
            "father": "Safwan",
            "grandfather": "",
            "family": "Al Obaidi",
        }
        body = {"correct": [{"index": 0, "person": {"names": [name]}}]}
        answer = await house.post(f"/referrals/{accepted.id}/amend", body, who="fedasil")
        assert answer.status_code == 200, answer.text
        seen = (await house.get(f"/returnees/{accepted.people[0]}")).json()
        assert seen["identity"]["names"] == [name]
        assert (await house.published(accepted.people[0]))[-1][1]["change"] == "corrected"

    async def test_only_its_sender_and_only_once_accepted(self, house: House) -> None:
        accepted = await house.accepted()
        body = {"correct": [{"index": 0, "person": {"sex": "other"}}]}
        assert (await house.post(f"/referrals/{accepted.id}/amend", body)).status_code == 403
        nobody = {"correct": [{"index": 9, "person": {"sex": "other"}}]}
        refused = await house.post(f"/referrals/{accepted.id}/amend", nobody, who="fedasil")
        assert refused.json()["errors"][0]["code"] == "no_such_person"
        submitted = await house.submit()
        early = await house.post(f"/referrals/{submitted['id']}/amend", body, who="fedasil")
        assert early.status_code == 409


class TestDepartureQuery:
    async def test_it_is_asked_when_the_programme_allows(self, house: House) -> None:
        accepted = await house.accepted()
        path = f"/referrals/{accepted.id}/travel"
        confirmed = await house.post(f"{path}/{accepted.journey_id}/confirm", who="fedasil")
        assert confirmed.status_code == 200, confirmed.text
        assert "departure_query" in [
            payload["kind"]
            for name, payload in await house.published(accepted.id)
            if name == "deadline.set"
        ]
        asked = await house.post(f"{path}/query")
        assert asked.status_code == 200, asked.text
        assert asked.json()["items"][0]["queried_at"]
        assert (await house.post(f"{path}/query", who="fedasil")).status_code == 403

    async def test_it_is_not_asked_before(self, house: House) -> None:
        body = alone()
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        arrives_at = (tomorrow + timedelta(hours=6)).isoformat()
        body["travel"] |= {"departs_on": tomorrow.date().isoformat(), "arrives_at": arrives_at}
        accepted = await house.accepted(body)
        assert (await house.post(f"/referrals/{accepted.id}/travel/query")).status_code == 409


class TestMessages:
    async def test_both_sides_write_and_nobody_else_reads(self, house: House) -> None:
        submitted = await house.submit()
        path = f"/referrals/{submitted['id']}/messages"
        assert (await house.post(path, {"body": "Is the wheelchair foldable?"})).status_code == 201
        assert (await house.post(path, {"body": "It is."}, who="fedasil")).status_code == 201
        said = (await house.get(path, "fedasil")).json()["items"]
        assert [(each["organisation"], each["body"]) for each in said] == [
            ("iom-iraq", "Is the wheelchair foldable?"),
            ("fedasil", "It is."),
        ]
        assert (await house.get(path, "dtv")).status_code == 404
        assert "wheelchair" not in str(await house.published(submitted["id"]))
