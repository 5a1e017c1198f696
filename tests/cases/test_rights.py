"""What a person may ask for: shared for a time, consents, restrictions, holds, who looked, and
erasure.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from contracts.programmes import Rules
from participation.access import Role, grant, revoke
from services.cases.documents.service import REMOVE
from services.cases.intake.referrals.forgetting import forget_expired
from services.cases.models import Base
from services.cases.people.rights.subject_access import HOLDINGS, OF_NOBODY
from tests.cases.house import EVERYTHING, Accepted, House, alone, referral

TERMS = {
    "organisation": "mercy-hands",
    "purpose": "referred_service",
    "legal_basis": "public_task",
    "categories": ["identity", "contacts"],
    "until": (datetime.now(UTC) + timedelta(days=180)).isoformat(),
}

OTHER = "ettc-iraq"


async def closed(
    house: House, body: dict[str, Any] | None = None, who: str = "iom-iraq"
) -> Accepted:
    accepted = await house.accepted(body, who)
    path = f"/cases/{accepted.case_id}"
    done = await house.post(
        f"{path}/close",
        {"reason": "withdrawn", "comment": "they stay"},
        etag=await house.etag(path, who),
        who=who,
    )
    assert done.status_code == 200, done.text
    return accepted


async def implemented_twice(house: House) -> tuple[str, dict[str, Any]]:
    """Somebody who returned with one organisation, then with another, and the latter's referral."""
    person = (await closed(house, alone())).people[0]
    consent = {"organisation": OTHER, "purpose": "continued_assistance"}
    await house.post(f"/returnees/{person}/share", TERMS | consent)
    again = await house.submit(alone(requested_partner=OTHER))
    binding = {"people": [{"index": 0, "returnee_id": person}]}
    answer = await house.accept(again["id"], binding, who=OTHER)
    assert answer.status_code == 200, answer.text
    return person, answer.json()


async def erase(house: House, returnee_id: str, who: str = "frontex") -> Any:
    etag = await house.etag(f"/returnees/{returnee_id}", who)
    headers = house.headers(who, "olga", f"{EVERYTHING} returnees:erase")
    headers |= {"Idempotency-Key": str(uuid4()), "If-Match": etag}
    return await house.http.post(
        f"/v1/returnees/{returnee_id}/erase", json={"reason": "request"}, headers=headers
    )


async def tables_with(house: House, written: str) -> list[str]:
    """The tables in which something is still to be read; answers that are replayed go by themselves
    within a day.
    """
    async with house.homeward.database.transaction() as session:
        tables = await session.scalars(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        )
        found = []
        for table in sorted(set(tables) - {"idempotency"}):
            rows = await session.scalars(text(f'SELECT t::text FROM "{table}" t'))
            found += [table for row in rows if written in row][:1]
        return found


class TestShare:
    async def test_it_shows_what_was_shared_until_it_ends(self, house: House) -> None:
        person = (await house.accepted(alone())).people[0]
        path = f"/returnees/{person}"
        assert (await house.get(path, "mercy-hands")).status_code == 404
        shared = await house.post(f"{path}/share", TERMS)
        assert shared.status_code == 201, shared.text
        seen = (await house.get(path, "mercy-hands")).json()["identity"]
        assert seen["contacts"]
        assert seen["documents"] == []
        told = (await house.published(person))[-1]
        assert told[0] == "returnee.shared"
        assert told[1]["organisation"] == "mercy-hands"
        ended = await house.post(f"{path}/unshare", {"organisation": "mercy-hands"})
        assert ended.status_code == 200, ended.text
        assert ended.json()["items"][0]["ended_at"]
        assert (await house.get(path, "mercy-hands")).status_code == 404
        assert (
            await house.post(f"{path}/unshare", {"organisation": "mercy-hands"})
        ).status_code == 409

    async def test_who_was_told_decides_nothing(self, house: House) -> None:
        accepted = await house.accepted(alone())
        path = f"/returnees/{accepted.people[0]}"
        await house.post(f"{path}/share", TERMS | {"categories": []})
        assert (await house.get(path, "mercy-hands")).json()["identity"] is None
        etag = await house.etag(path, "mercy-hands")
        refused = await house.call("PATCH", path, {"sex": "other"}, who="mercy-hands", etag=etag)
        assert refused.status_code == 403
        again = await house.post(
            f"{path}/share", TERMS | {"organisation": "third"}, who="mercy-hands"
        )
        assert again.status_code == 403
        found = await house.post("/returnees/search", {"q": "Oebaidi"}, who="mercy-hands")
        assert found.json()["items"] == []

    async def test_after_a_merge_it_ends_under_every_id(self, house: House) -> None:
        one, into = [(await house.accepted(alone())).people[0] for _ in range(2)]
        await house.post(f"/returnees/{one}/share", TERMS)
        at = f"/returnees/{one}"
        await house.post(f"{at}/merge", {"into": into}, etag=await house.etag(at))
        sooner = (datetime.now(UTC) + timedelta(days=30)).isoformat()
        assert (await house.post(f"{at}/share", TERMS | {"until": sooner})).status_code == 201
        assert (await house.types(one))[-1] == "returnee.unshared"
        ended = await house.post(f"{at}/unshare", {"organisation": "mercy-hands"})
        assert ended.status_code == 200, ended.text
        for each in (one, into):
            assert (await house.get(f"/returnees/{each}", "mercy-hands")).status_code == 404

    @pytest.mark.parametrize("until", ["2020-01-01T00:00:00Z", "2199-01-01T00:00:00Z"])
    async def test_it_ends_some_day(self, house: House, until: str) -> None:
        person = (await house.accepted(alone())).people[0]
        answer = await house.post(f"/returnees/{person}/share", TERMS | {"until": until})
        assert answer.json()["errors"][0]["code"] == "bad_until"


class TestConsents:
    async def test_what_is_shared_on_their_ground_ends_with_them(self, house: House) -> None:
        person = (await house.accepted(alone())).people[0]
        path = f"/returnees/{person}"
        terms = TERMS | {"legal_basis": "consent"}
        refused = await house.post(f"{path}/share", terms)
        assert refused.json()["errors"][0]["code"] == "consent_missing"
        consent = {
            "purpose": "sharing",
            "version": "2026-2",
            "given_on": "2026-02-02",
            "legal_basis": "consent",
        }
        await house.post(f"{path}/consents", consent)
        assert (await house.post(f"{path}/share", terms)).status_code == 201
        await house.post(f"{path}/share", TERMS | {"organisation": "third"})
        withdrawn = await house.post(f"{path}/consents", consent | {"withdrawn_on": "2026-03-01"})
        assert withdrawn.status_code == 201, withdrawn.text
        assert (await house.get(path, "mercy-hands")).status_code == 404
        assert (await house.get(path, "third")).status_code == 200
        unshared = [
            fact for name, fact in await house.published(person) if name == "returnee.unshared"
        ]
        assert [fact["organisation"] for fact in unshared] == ["mercy-hands"]

    async def test_they_come_with_the_referral_and_are_withdrawn(self, house: House) -> None:
        person = (await house.accepted(alone())).people[0]
        path = f"/returnees/{person}/consents"
        assert {each["purpose"] for each in (await house.get(path)).json()["items"]} == {
            "referral",
            "assistance",
        }
        withdrawn = {
            "purpose": "assistance",
            "version": "2026-1",
            "given_on": "2026-01-10",
            "legal_basis": "consent",
            "withdrawn_on": "2026-02-01",
        }
        answer = await house.post(path, withdrawn)
        assert answer.status_code == 201, answer.text
        assert answer.json()["withdrawn_on"] == "2026-02-01"
        assert (await house.published(person))[-1] == (
            "consent.changed",
            {
                "returnee_id": person,
                "purpose": "assistance",
                "legal_basis": "consent",
                "in_force": False,
            },
        )
        assert (await house.post(path, withdrawn)).status_code == 409
        given = {
            "purpose": "sharing",
            "version": "2026-2",
            "given_on": "2026-02-02",
            "legal_basis": "consent",
        }
        assert (await house.post(path, given)).status_code == 201
        assert (await house.published(person))[-1][1]["in_force"] is True


class TestRestrictions:
    async def test_an_organisation_knows_of_them_no_more_and_again(self, house: House) -> None:
        person = (await house.accepted(alone())).people[0]
        path = f"/returnees/{person}"
        body = {"organisation": "fedasil", "reason": "safety"}
        answer = await house.post(f"{path}/restrictions", body)
        assert answer.status_code == 201, answer.text
        assert (await house.get(path, "fedasil")).status_code == 404
        told = (await house.published(person))[-1]
        assert told == (
            "returnee.restricted",
            {
                "returnee_id": person,
                "organisation": "fedasil",
                "roles": ["referrer"],
                "restricted": True,
            },
        )
        lifted = await house.post(f"{path}/restrictions", body | {"lifted": True})
        assert lifted.json()["lifted_at"]
        assert (await house.get(path, "fedasil")).status_code == 200

    async def test_nor_of_what_was_submitted_about_them(self, house: House) -> None:
        accepted = await house.accepted()
        person, child = accepted.people
        body = {"organisation": "fedasil", "reason": "safety"}
        at = f"/referrals/{accepted.id}"

        async def change(who: str, **more: bool) -> None:
            answer = await house.post(f"/returnees/{who}/restrictions", body | more)
            assert answer.status_code == 201, answer.text

        await change(person)
        assert (await house.get(at, "fedasil")).status_code == 404
        assert (await house.get(f"/returnees/{person}", "fedasil")).status_code == 404
        assert (await house.get(f"/returnees/{child}", "fedasil")).status_code == 200
        assert (await house.get(at)).status_code == 200
        await change(child)
        await change(person, lifted=True)
        assert (await house.get(at, "fedasil")).status_code == 404  # the child is in it too
        await change(child, lifted=True)
        assert (await house.get(at, "fedasil")).status_code == 200
        assert (await house.get(at, "bamf")).status_code == 404

    async def test_under_whatever_id_they_knew_them(self, house: House) -> None:
        one, into = (
            (await house.accepted(alone())).people[0],
            (await house.accepted(alone(sender="bamf"))).people[0],
        )
        at = f"/returnees/{one}"
        await house.post(f"{at}/merge", {"into": into}, etag=await house.etag(at))
        body = {"organisation": "fedasil", "reason": "safety"}
        answer = await house.post(f"/returnees/{into}/restrictions", body)
        assert answer.status_code == 201, answer.text
        for each in (one, into):
            assert (await house.get(f"/returnees/{each}", "fedasil")).status_code == 404
        assert (await house.published(one))[-1][1]["restricted"] is True
        await house.post(f"{at}/restrictions", body | {"lifted": True})
        assert (await house.get(at, "fedasil")).status_code == 200

    async def test_who_implements_cannot_be_locked_out(self, house: House) -> None:
        person = (await house.accepted(alone())).people[0]
        body = {"organisation": "iom-iraq", "reason": "objection"}
        assert (await house.post(f"/returnees/{person}/restrictions", body)).status_code == 409

    async def test_what_stands_is_undone_by_nobody_else(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Rules, "implementers", lambda *_: ("iom-iraq", OTHER))
        person = (await closed(house, alone())).people[0]
        at = f"/returnees/{person}"
        await house.post(f"{at}/share", TERMS | {"organisation": "fedasil"})
        body = {"organisation": "fedasil", "reason": "safety"}
        assert (await house.post(f"{at}/restrictions", body)).status_code == 201
        assert (await house.get(at, "fedasil")).status_code == 404  # nor by what was shared
        assert (
            await house.post(f"{at}/share", TERMS | {"organisation": "fedasil"})
        ).status_code == 409
        again = await house.submit(alone())
        binding = {"people": [{"index": 0, "returnee_id": person}]}
        refused = await house.accept(again["id"], binding)
        assert [each["code"] for each in refused.json()["errors"]] == ["restricted"]
        assert (await house.post(f"{at}/restrictions", body)).status_code == 409
        await house.post(f"{at}/restrictions", body | {"lifted": True})
        assert (await house.accept(again["id"], binding)).status_code == 200
        assert (await house.post(f"{at}/restrictions", body)).status_code == 201
        assert (await house.get(at, "fedasil")).status_code == 404

    async def test_no_case_goes_to_who_is_kept_from_somebody_in_it(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Rules, "implementers", lambda *_: ("iom-iraq", OTHER))
        person, accepted = await implemented_twice(house)
        body = {"organisation": "iom-iraq", "reason": "safety"}
        kept = await house.post(f"/returnees/{person}/restrictions", body, who=OTHER)
        assert kept.status_code == 201, kept.text
        offer = {"to": "iom-iraq", "reason": "moved"}
        case_id = accepted["people"][0]["case_id"]
        refused = await house.post(f"/cases/{case_id}/transfer", offer, who=OTHER)
        assert refused.status_code == 409, refused.text
        done = await house.post(
            f"/cases/{case_id}/close",
            {"reason": "withdrawn"},
            who=OTHER,
            etag=await house.etag(f"/cases/{case_id}", OTHER),
        )
        assert done.status_code == 200, done.text
        (first,) = {*(await house.get(f"/returnees/{person}", "frontex")).json()["case_ids"]} - {
            case_id
        }
        again = await house.post(
            f"/cases/{first}/reopen",
            {"reason": "in_contact_again"},
            who="frontex",
            etag=await house.etag(f"/cases/{first}", "frontex"),
        )
        assert (again.status_code, "restriction" in again.json()["detail"]) == (409, True)

    async def test_a_relative_does_not_lead_to_them(self, house: House) -> None:
        accepted = await house.arrived()
        person, child = accepted.people
        body = {"organisation": "fedasil", "reason": "safety"}
        await house.post(f"/returnees/{person}/restrictions", body)
        assert (await house.get(f"/returnees/{child}", "fedasil")).status_code == 200
        for path in ("", "/plan"):
            assert (
                await house.get(f"/cases/{accepted.case_id}{path}", "fedasil")
            ).status_code == 404
        for path in ("/cases", "/deadlines"):
            listed = (await house.get(path, "fedasil", limit=200)).json()["items"]
            assert accepted.case_id not in {each.get("case_id", each["id"]) for each in listed}

    async def test_a_split_tells_it_again_for_projections(self, house: House) -> None:
        body = referral()
        body["people"].append(body["people"][0] | {"role": "spouse", "documents": []})
        accepted = await house.arrived(body)
        spouse = accepted.people[2]
        kept = {"organisation": "fedasil", "reason": "safety"}
        await house.post(f"/returnees/{spouse}/restrictions", kept)
        at = f"/households/{accepted.household_id}"
        split = {"members": [spouse], "principal": spouse, "reason": "separated"}
        answer = await house.post(f"{at}/split", split, etag=await house.etag(at))
        assert answer.status_code == 200, answer.text
        assert (await house.get(f"/returnees/{spouse}", "fedasil")).status_code == 404
        facts = await house.types(spouse)
        assert facts.index("case.opened", facts.index("returnee.restricted")) < len(facts) - 1
        assert facts[::-1].index("returnee.restricted") < facts[::-1].index("case.opened")

    async def test_merging_does_not_lead_to_them(self, house: House) -> None:
        one, other = [(await house.accepted(alone())).people[0] for _ in range(2)]
        body = {"organisation": "fedasil", "reason": "safety"}
        await house.post(f"/returnees/{other}/restrictions", body)
        for a, b in ((one, other), (other, one)):
            merged = await house.post(
                f"/returnees/{a}/merge", {"into": b}, etag=await house.etag(f"/returnees/{a}")
            )
            assert merged.status_code == 409, merged.text
        await house.post(f"/returnees/{one}/restrictions", body)
        merged = await house.post(
            f"/returnees/{one}/merge", {"into": other}, etag=await house.etag(f"/returnees/{one}")
        )
        assert merged.status_code == 200, merged.text


class TestAccessReport:
    async def test_it_names_organisations_and_what_they_did(self, house: House) -> None:
        person = (await house.accepted(alone())).people[0]
        await house.get(f"/returnees/{person}", "fedasil")
        rows = (await house.get(f"/returnees/{person}/access-report")).json()["items"]
        assert ("fedasil", "read-identity") in {
            (row["organisation"], row["action"]) for row in rows
        }
        assert (await house.get(f"/returnees/{person}/access-report", "fedasil")).status_code == 403

    async def test_opening_a_paper_is_in_it_whatever_it_is_about(self, house: House) -> None:
        accepted = await house.accepted(alone())
        person = accepted.people[0]
        abouts = (
            {"returnee_id": person},
            {"case_id": accepted.case_id},
            {"referral_id": accepted.id},
        )
        papers = [
            (await house.upload(b"%PDF-1.7", kind="consent", **about)).json()["id"]
            for about in abouts
        ]
        for paper in papers:
            await house.get(f"/documents/{paper}/content", "fedasil")
        rows = (await house.get(f"/returnees/{person}/access-report")).json()["items"]
        opened = {
            row["resource_id"]
            for row in rows
            if (row["organisation"], row["action"]) == ("fedasil", "open")
        }
        assert opened == set(papers)


class TestHoldings:
    async def test_everything_is_there_for_our_own_services(self, house: House) -> None:
        accepted = await house.arrived(alone())
        path = f"/holdings/{accepted.people[0]}"
        held = (await house.get(path, "internal", scopes="internal")).json()
        assert held["tables"]["returnee"][0]["names"][0]["family"] == "Al Oebaidi"
        assert held["tables"]["referral"][0]["person"]["names"][0]["family"] == "Al Oebaidi"
        assert "returnee.terms" in held["withheld"]
        assert await house.audited("export", accepted.people[0]) == 1
        rows = (await house.get(f"/returnees/{accepted.people[0]}/access-report")).json()["items"]
        assert ("homeward", "export") in {(row["organisation"], row["action"]) for row in rows}
        assert {
            "case_file",
            "case_member",
            "consent",
            "household_member",
            "referral_person",
        } <= set(held["tables"])
        assert (await house.get(path)).status_code == 403

    async def test_what_may_be_said_of_another_is_shown_to_who_is_alone_in_it(
        self, house: House
    ) -> None:
        told = {
            "notes": "Told in confidence",
            "vulnerabilities": [{"kind": "elderly", "status": "confirmed"}],
        }
        family, single = await house.accepted(referral(**told)), await house.accepted(alone(**told))
        shown = []
        for accepted in (family, single):
            await house.post(f"/referrals/{accepted.id}/messages", {"body": "They need a lift"})
            for about in ({"case_id": accepted.case_id}, {"referral_id": accepted.id}):
                await house.upload(b"%PDF-1.7", kind="consent", **about)
            at = f"/holdings/{accepted.people[0]}"
            shown.append((await house.get(at, "internal", scopes="internal")).json())
        of_whom = {"referral.vulnerabilities", "referral.requested_assistance", "referral.notes"}
        of_one = {"document", "referral_message", *of_whom}
        assert [of_one & set(each["withheld"]) for each in shown] == [of_one, set()]
        assert [len(each["tables"].get("document", [])) for each in shown] == [0, 2]
        assert [len(each["tables"].get("referral_message", [])) for each in shown] == [0, 1]
        assert [each["tables"]["referral"][0].get("notes") for each in shown] == [
            None,
            "Told in confidence",
        ]
        assert all(each["tables"]["journey"] for each in shown)

    async def test_no_table_is_forgotten(self, house: House) -> None:
        async with house.homeward.database.transaction() as session:
            further, _ = await HOLDINGS.more(session, [uuid4()])
        followed = set(HOLDINGS.columns)  # from the rows that name somebody to what belongs to them
        for table in Base.metadata.sorted_tables:
            above = {each.referred_table.name for each in table.foreign_key_constraints}
            if "returnee_id" in table.c or above & followed:
                followed.add(table.name)
        reached = followed | further.keys() | HOLDINGS.withheld | OF_NOBODY
        assert {table.name for table in Base.metadata.sorted_tables} <= reached


class TestEarlierImplementer:
    """Who followed an earlier return still knows of the person; what comes later is not theirs to
    open or decide.
    """

    async def test_it_opens_no_later_paper_and_decides_nothing(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Rules, "implementers", lambda *_: ("iom-iraq", OTHER))
        person, later = await implemented_twice(house)
        at = f"/returnees/{person}"
        about = [{"case_id": later["people"][0]["case_id"]}, {"returnee_id": person}]
        papers = [
            (await house.upload(b"%PDF-1.7", OTHER, kind="medical", **each)).json()["id"]
            for each in about
        ]
        assert (
            await house.upload(b"%PDF-1.7", kind="medical", returnee_id=person)
        ).status_code == 403
        assert (await house.get(at)).status_code == 200
        for paper in papers:
            assert (await house.get(f"/documents/{paper}/content")).status_code == 404
            for who in (OTHER, "frontex"):
                assert (await house.get(f"/documents/{paper}/content", who)).status_code == 200
        hold = {"reason": "litigation", "comment": "x"}
        refused = [
            await house.call("PATCH", at, {"sex": "other"}, etag=await house.etag(at)),
            await house.post(f"{at}/share", TERMS),
            await house.post(f"{at}/legal-holds", hold),
            await house.post(f"{at}/restrictions", {"organisation": "fedasil", "reason": "safety"}),
        ]
        assert [each.status_code for each in refused] == [403] * 4
        assert (await house.post(f"{at}/legal-holds", hold, who=OTHER)).status_code == 201

    async def test_who_was_told_of_one_does_not_merge_it_to_read_it(self, house: House) -> None:
        own, told = [
            (await house.accepted(alone(sender=sender))).people[0] for sender in ("fedasil", "bamf")
        ]
        async with house.homeward.database.transaction() as session:
            await revoke(session, UUID(told), Role.PARTNER, "iom-iraq")
            await grant(session, [UUID(told)], Role.SHARED, "iom-iraq")
        etag = await house.etag(f"/returnees/{own}")
        assert (await house.get(f"/returnees/{told}")).json()["identity"] is None
        assert (
            await house.post(f"/returnees/{own}/merge", {"into": told}, etag=etag)
        ).status_code == 403

    async def test_somebody_known_by_an_alias_is_bound(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Rules, "implementers", lambda *_: ("iom-iraq", OTHER))
        mine = (await closed(house, alone())).people[0]
        theirs = (await closed(house, alone(requested_partner=OTHER), OTHER)).people[0]
        etag = await house.etag(f"/returnees/{mine}", "frontex")
        merged = await house.post(
            f"/returnees/{mine}/merge", {"into": theirs}, who="frontex", etag=etag
        )
        assert merged.status_code == 200, merged.text
        assert (await house.get(f"/returnees/{mine}")).json()["id"] == theirs
        again = await house.submit(alone())
        answer = await house.accept(again["id"], {"people": [{"index": 0, "returnee_id": theirs}]})
        assert answer.status_code == 200, answer.text
        assert answer.json()["people"][0]["returnee_id"] == theirs


class TestBinding:
    """Whoever says that somebody new is a returnee lets others read all of that returnee."""

    async def _closed_and_shared(
        self, house: House, monkeypatch: pytest.MonkeyPatch, **terms: Any
    ) -> str:
        monkeypatch.setattr(Rules, "implementers", lambda *_: ("iom-iraq", OTHER))
        person = (await closed(house, alone())).people[0]
        shared = TERMS | {"organisation": OTHER} | terms
        assert (await house.post(f"/returnees/{person}/share", shared)).status_code == 201
        return person

    async def _bind(self, house: House, person: str, **values: Any) -> Any:
        again = await house.submit(alone(sender="bamf", requested_partner=OTHER, **values))
        body = {"people": [{"index": 0, "returnee_id": person}]}
        return await house.accept(again["id"], body, who=OTHER)

    @pytest.mark.parametrize("categories", [[], ["identity", "contacts"]])
    @pytest.mark.parametrize("purpose", ["referred_service", "audit"])
    async def test_a_share_does_not_become_a_part_that_reads_all(
        self,
        house: House,
        monkeypatch: pytest.MonkeyPatch,
        categories: list[str],
        purpose: str,
    ) -> None:
        person = await self._closed_and_shared(
            house, monkeypatch, categories=categories, purpose=purpose
        )
        before = (await house.get(f"/returnees/{person}", OTHER)).json()
        refused = await self._bind(house, person)
        assert refused.status_code == 422, refused.text
        (error,) = refused.json()["errors"]
        assert (error["pointer"], error["code"]) == ("/people/0/returnee_id", "not_to_bind")
        assert (await house.get(f"/returnees/{person}", OTHER)).json() == before
        assert (await house.get(f"/returnees/{person}/access-report")).status_code == 200

    async def test_who_was_told_so_that_they_go_on_binds_whoever_it_is(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        person = await self._closed_and_shared(house, monkeypatch, purpose="same_person")
        bound = await self._bind(house, person)
        assert bound.status_code == 200, bound.text

    async def test_an_ended_share_is_no_consent(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        person = await self._closed_and_shared(house, monkeypatch, purpose="same_person")
        ended = {"organisation": OTHER}
        assert (await house.post(f"/returnees/{person}/unshare", ended)).is_success
        refused = await self._bind(house, person)
        assert refused.json()["errors"][0]["code"] == "unknown_returnee"

    async def test_a_stranger_is_not_bound_even_by_who_may(self, house: House) -> None:
        person = (await closed(house, alone())).people[0]
        body = alone()
        stranger = body["people"][0] | {
            "names": [{"script": "Latn", "given": "Wilfried", "family": "Ostermann"}],
            "birth": {"date": "1951-02-03", "precision": "day"},
            "sex": "male",
            "documents": [],
            "contacts": [],
        }
        again = await house.submit(body | {"people": [stranger]})
        binding = {"people": [{"index": 0, "returnee_id": person}]}
        refused = await house.accept(again["id"], binding)
        assert [error["code"] for error in refused.json()["errors"]] == ["not_alike"]


class TestStoredAnswers:
    """A request that is sent again gets the first answer: not what its sender may not read now."""

    async def _noted(self, house: House) -> tuple[Accepted, str, dict[str, Any], str]:
        accepted = await house.accepted(alone())
        path = f"/cases/{accepted.case_id}/contact-attempts"
        body = {
            "returnee_id": accepted.people[0],
            "method": "phone",
            "outcome": "reached",
            "occurred_at": datetime.now(UTC).isoformat(),
        }
        key = str(uuid4())
        first = await house.post(path, body, key=key)
        assert first.status_code == 201, first.text
        again = await house.post(path, body, key=key)
        assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")
        return accepted, path, body, key

    async def _lost(self, answer: Any) -> bool:
        return (answer.status_code, answer.json()["type"]) == (409, "/problems/answer-lost")

    async def test_they_are_not_told_again_to_who_takes_no_part_any_more(
        self, house: House
    ) -> None:
        accepted, path, body, key = await self._noted(house)
        async with house.homeward.database.transaction() as session:
            await revoke(session, UUID(accepted.people[0]), Role.PARTNER, "iom-iraq")
        assert await self._lost(await house.post(path, body, key=key))

    async def test_nor_to_who_is_kept_from_somebody(self, house: House) -> None:
        body, key = alone(), str(uuid4())
        first = await house.post("/referrals", body, who="fedasil", key=key)
        assert first.status_code == 201, first.text
        seen = await house.get(f"/referrals/{first.json()['id']}")
        assert (await house.accept(seen.json()["id"], {})).is_success
        person = (await house.get(f"/referrals/{seen.json()['id']}")).json()["people"][0]
        at = f"/returnees/{person['returnee_id']}/restrictions"
        kept = await house.post(at, {"organisation": "fedasil", "reason": "safety"})
        assert kept.status_code == 201, kept.text
        again = await house.post("/referrals", body, who="fedasil", key=key)
        assert await self._lost(again), again.text

    async def test_erasure_reaches_them(self, house: House) -> None:
        body, key = alone(), str(uuid4())
        first = await house.post("/referrals", body, who="fedasil", key=key)
        accepted = await house.accept(first.json()["id"], {})
        (person,) = accepted.json()["people"]
        path = f"/cases/{person['case_id']}"
        done = await house.post(
            f"{path}/close",
            {"reason": "withdrawn", "comment": "they stay"},
            etag=await house.etag(path),
        )
        assert done.status_code == 200, done.text
        assert (await erase(house, person["returnee_id"])).status_code == 200
        assert await self._lost(await house.post("/referrals", body, who="fedasil", key=key))
        about = UUID(person["returnee_id"]), UUID(first.json()["id"])
        async with house.homeward.database.transaction() as session:
            kept = await session.scalar(
                text("SELECT count(*) FROM idempotency WHERE subjects && CAST(:about AS uuid[])"),
                {"about": list(about)},
            )
        assert kept == 0


class TestErase:
    async def test_the_identity_is_gone_and_the_fact_stays(self, house: House) -> None:
        body = referral()
        body["people"][0]["names"][0]["father"] = "Zzorbalin"  # nobody else's
        rejected = await house.submit(body)
        at = f"/referrals/{rejected['id']}"
        no = {"reason": "insufficient_information", "comment": "Whose father is Zzorbalin?"}
        assert (await house.post(f"{at}/reject", no, etag=await house.etag(at))).status_code == 200
        accepted = await closed(house, body | {"supersedes": rejected["id"]})
        person, child = accepted.people
        assert (await erase(house, person, "iom-iraq")).status_code == 403
        answer = await erase(house, person)
        assert answer.status_code == 200, answer.text
        assert (await house.types(person))[-1] == "returnee.erased"
        for who in ("iom-iraq", "fedasil", "frontex", "internal"):
            assert (await house.get(f"/returnees/{person}", who)).status_code == 404
        referral_now = await house.get(f"/referrals/{accepted.id}")
        assert "Ismaiel" not in referral_now.json()["content"]["people"][0]["names"][0]["given"]
        assert len(referral_now.json()["content"]["people"]) == 1
        assert (await house.get(f"/returnees/{child}")).status_code == 200
        assert await tables_with(house, "Zzorbalin") == []

    async def test_with_everybody_gone_nothing_of_the_referral_is_left(self, house: House) -> None:
        body = referral()
        accepted = await closed(house, body)
        for person in accepted.people:
            assert (await erase(house, person)).status_code == 200
        seen = (await house.get(f"/referrals/{accepted.id}", "fedasil")).json()
        assert seen["content"] is None
        assert await tables_with(house, body["external_reference"]) == []

    async def test_the_papers_of_a_case_go_with_the_last_of_its_people(self, house: House) -> None:
        accepted = await closed(house)
        about = {"case_id": accepted.case_id}
        kinds = ("plan_agreement", "delivery", "identity", "invoice")
        papers = [
            (await house.upload(b"%PDF-1.7", kind=kind, **about)).json()["id"] for kind in kinds
        ]

        async def left() -> list[str]:
            async with house.homeward.database.transaction() as session:
                kept = text(
                    "SELECT kind FROM document WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY kind"
                )
                taken_out = text("SELECT count(*) FROM job WHERE kind = :kind AND key = ANY(:ids)")
                rows = list(await session.scalars(kept, {"ids": papers}))
                going = await session.scalar(taken_out, {"kind": REMOVE, "ids": papers})
                assert going == len(papers) - len(rows)
                return rows

        first, last = accepted.people
        assert (await erase(house, first)).json()["scrubbed"]["documents"] == 0
        assert await left() == sorted(kinds)
        assert (await erase(house, last)).json()["scrubbed"]["documents"] == 3
        assert await left() == ["invoice"]  # which the accounts need

    async def test_what_nobody_accepted_is_forgotten_in_time(self, house: House) -> None:
        body = alone(notes="Zzarquon told it")
        submitted = await house.submit(body)
        withdrawn = await house.post(f"/referrals/{submitted['id']}/withdraw", {}, who="fedasil")
        assert withdrawn.status_code == 200, withdrawn.text
        kept = await house.accepted(alone(notes="Zzimbra told it"))
        for months, left in ((11, ["referral"]), (13, [])):
            async with house.homeward.database.transaction() as session:
                aged = text(
                    "UPDATE referral SET updated_at = "
                    "clock_timestamp() - make_interval(months => :months)"
                )
                await session.execute(aged, {"months": months})
            async with house.homeward.database.transaction() as session:
                await forget_expired(session)
            assert await tables_with(house, "Zzarquon") == left
        assert await tables_with(house, "Zzimbra") == ["referral"]
        assert (await house.get(f"/referrals/{submitted['id']}", "fedasil")).json()[
            "content"
        ] is None
        assert (await house.get(f"/referrals/{kept.id}", "fedasil")).json()["content"] is not None

    async def test_a_hold_refuses_it(self, house: House) -> None:
        person = (await closed(house, alone())).people[0]
        path = f"/returnees/{person}/legal-holds"
        held = await house.post(path, {"reason": "litigation", "comment": "a court asked"})
        assert held.status_code == 201, held.text
        assert (await erase(house, person)).status_code == 409
        own = f"{path}/{held.json()['id']}"
        assert (await house.post(f"{own}/release")).status_code == 428
        etag = (await house.get(own)).headers["etag"]
        released = await house.post(f"{own}/release", etag=etag)
        assert released.status_code == 200, released.text
        assert (await erase(house, person)).status_code == 200

    async def test_who_left_the_family_for_good_is_erased_or_comes_again(
        self, house: House
    ) -> None:
        accepted = await house.accepted()
        child = accepted.people[1]
        at = f"/households/{accepted.household_id}"
        gone = {"returnee_id": child, "reason": "re_migrated", "on": "2026-04-01"}
        left = await house.post(f"{at}/leave", gone, etag=await house.etag(at))
        assert left.status_code == 200, left.text
        family = referral()
        back = family | {"people": [family["people"][1] | {"role": "principal"}]}
        again = await house.submit(back)
        answer = await house.accept(again["id"], {"people": [{"index": 0, "returnee_id": child}]})
        assert answer.status_code == 200, answer.text
        path = f"/cases/{answer.json()['people'][0]['case_id']}"
        assert (await erase(house, child)).status_code == 409
        done = await house.post(
            f"{path}/close", {"reason": "withdrawn"}, etag=await house.etag(path)
        )
        assert done.status_code == 200, done.text
        assert (await erase(house, child)).status_code == 200

    async def test_an_open_case_refuses_it(self, house: House) -> None:
        person = (await house.accepted(alone())).people[0]
        assert (await erase(house, person)).status_code == 409
