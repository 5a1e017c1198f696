"""Who may be the same person: found on every path, masked from who may not know them, merged and
unmerged by people.
"""

import csv
import json
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.duplicates import by_habit, held_out, measure
from participation import aliases
from services.cases.people.matching import likeness
from services.cases.people.names.agreement import ALIKE, NEAR
from services.cases.people.names.sounds import blocks, similarity
from services.cases.people.particulars import Person
from tests.cases.house import House, alone
from tests.cases.steps import merge, unmerge

DATA = Path(__file__).parent / "data"
EXAMPLES = DATA / "referrals.jsonl"


def somebody(family: str = "", **values: Any) -> dict[str, Any]:
    """A referral of one person whom nobody else resembles, but for what is given."""
    body = alone()
    person = body["people"][0]
    name = {
        "script": "Latn",
        "given": "Ghassan",
        "father": "Luay",
        "grandfather": "",
        "family": family,
    }
    person |= {
        "names": [name],
        "documents": [],
        "contacts": [],
        "birth": {"date": "1983-04-17", "precision": "day"},
    }
    person |= values
    return body


def unlike() -> str:
    """A family name of its own."""
    digits = str(uuid4().int)[:9]
    return "".join("bdfgklmnrt"[int(digit)] + "aeiou"[int(digit) % 5] for digit in digits).title()


class TestSounds:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Obeidi", "العبيدي"),
            ("Al-Oebaidi", "Obaydi"),
            ("Chadidja", "Khadija"),
            ("خديجه", "Chadidscha"),
            ("Joesoef", "Youssef"),
            ("Schewan", "Şivan"),
            ("Abd al-Rahman", "Abderrahmane"),
            ("عبدالرحمن", "Abdul Rahman"),
            ("عەبدولڕەحمان", "Abdoelrahman"),
            ("Xebat", "Khabat"),
            ("ژیان", "Zhyan"),
            ("ێوسف", "يوسف"),
        ],
    )
    def test_spellings_of_a_name_agree(self, one: str, other: str) -> None:
        assert similarity(one, other) >= NEAR
        assert blocks(one) & blocks(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Hassan", "Hussein"),
            ("حسن", "حسين"),
            ("Omar", "Amir"),
            ("عمر", "عامر"),
            ("Karim", "Jamal"),
        ],
    )
    def test_names_that_differ_do_not(self, one: str, other: str) -> None:
        assert similarity(one, other) < ALIKE

    @given(st.text(max_size=40), st.text(max_size=40))
    def test_it_is_total_and_symmetric(self, one: str, other: str) -> None:
        assert similarity(one, other) == pytest.approx(similarity(other, one))
        assert 0 <= similarity(one, other) <= 1
        blocks(one)


class TestFigures:
    def test_the_known_pairs(self) -> None:
        figures = measure(EXAMPLES, DATA / "duplicates_truth.csv")
        assert figures.recall >= 0.95
        assert figures.precision >= 0.90
        assert figures.unblocked == 0

    def test_names_that_it_has_not_seen(self) -> None:
        figures = held_out(seed=20261122, people=300)
        assert figures.recall >= 0.98
        assert figures.precision >= 0.95

    def test_habits_of_offices_with_names_that_it_has_not_seen(self) -> None:
        figures, recall = by_habit(seed=20261122, people=1150)
        assert figures.recall >= 0.95
        assert figures.precision >= 0.97
        assert {habit for habit, part in recall.items() if part < 0.8} == set()
        # A number that two entries share says it, whatever else does.
        assert recall["digits of a script"] == recall["letters for digits"] == 1.0

    def test_the_examples_are_those_that_were_judged(self) -> None:
        known = {
            json.loads(line)["external_reference"] for line in EXAMPLES.read_text().splitlines()
        }
        with (DATA / "duplicates_truth.csv").open(newline="") as file:
            assert {row["reference_a"] for row in csv.DictReader(file)} <= known

    def test_comparing_is_symmetric(self) -> None:
        people = [
            Person.model_validate({key: value for key, value in person.items() if key != "role"})
            for line in EXAMPLES.read_text().splitlines()[:12]
            for person in json.loads(line)["people"]
        ]
        for one, other in combinations(people, 2):
            assert likeness.compare(one, other).score == likeness.compare(other, one).score


class TestCandidates:
    async def test_a_referral_shows_who_its_person_may_be_before_it_is_accepted(
        self, house: House
    ) -> None:
        family = unlike()
        known = (await house.accepted(somebody(family))).people[0]
        again = await house.submit(somebody(family))
        answer = await house.get(f"/referrals/{again['id']}/duplicates")
        assert answer.status_code == 200, answer.text
        best = answer.json()["items"][0]["candidates"][0]
        assert best["returnee_id"] == known
        assert best["likely"]
        assert {"given_name_alike", "same_birth_date"} <= {
            each["reason"] for each in best["evidence"]
        }
        body = {"people": [{"index": 0, "returnee_id": known}]}
        closed = await house.accept(again["id"], body)
        assert closed.status_code == 422  # a person decides, and the earlier case is still open
        assert closed.json()["errors"][0]["code"] == "case_open"

    async def test_a_document_finds_whom_no_name_finds(self, house: House) -> None:
        number = f"G{uuid4().int % 10**8:08}"
        document = {"kind": "passport", "number": number, "issuer": "IRQ", "expires": None}
        known = (await house.accepted(somebody(unlike(), documents=[document]))).people[0]
        name = {"script": "Arab", "given": "غسان", "father": "", "grandfather": "", "family": ""}
        other = await house.accepted(
            somebody(names=[name], documents=[document | {"number": f"{number[:3]} {number[3:]}"}])
        )
        answer = await house.get(f"/returnees/{other.people[0]}/duplicates")
        assert known in {each["returnee_id"] for each in answer.json()["items"]}

    async def test_who_only_others_know_is_masked_and_may_be_asked_for(self, house: House) -> None:
        family = unlike()
        known = (await house.accepted(somebody(family))).people[0]
        theirs = somebody(family) | {"sender": "dtv"}
        theirs["return"] |= {"host_country": "NLD"}
        mine = await house.submit(theirs)
        answer = await house.get(f"/referrals/{mine['id']}/duplicates", "dtv")
        masked = answer.json()["items"][0]["candidates"][0]
        assert masked["masked"]
        assert masked["returnee_id"] is None
        assert masked["identity"] is None
        assert masked["evidence"] == []
        assert known not in answer.text
        early = f"/referrals/{mine['id']}/duplicates/{masked['id']}/request-access"
        asked = await house.post(early, {"reason": "same_person"}, who="dtv")
        assert asked.status_code == 202, asked.text
        assert (
            await house.post(early, {"reason": "same_person"})
        ).status_code == 409  # who knows of them anyway
        accepted = (await house.accept(mine["id"])).json()["people"][0]["returnee_id"]
        found = (await house.get(f"/returnees/{accepted}/duplicates", "dtv")).json()["items"][0]
        path = f"/returnees/{accepted}/duplicates/{found['id']}/request-access"
        asked = await house.post(path, {"reason": "same_person"}, who="dtv")
        assert asked.status_code == 202, asked.text
        assert (await house.get(f"/returnees/{known}", "dtv")).status_code == 404
        waiting = (await house.get(f"/returnees/{known}/access-requests")).json()["items"]
        assert [each["organisation"] for each in waiting] == ["dtv"] * 2
        terms = {
            "organisation": "dtv",
            "purpose": "same_person",
            "legal_basis": "public_task",
            "categories": ["identity"],
            "until": (datetime.now(UTC) + timedelta(days=180)).isoformat(),
        }
        shared = await house.post(f"/returnees/{known}/share", terms)
        assert shared.status_code == 201, shared.text
        seen = await house.get(f"/returnees/{known}", "dtv")
        assert seen.json()["identity"]["names"][0]["family"] == family
        assert seen.json()["identity"]["documents"] == []
        waiting = (await house.get(f"/returnees/{known}/access-requests")).json()["items"]
        assert [each["state"] for each in waiting] == ["shared"] * 2


class TestMerge:
    async def test_both_are_found_under_one_id_and_back(self, house: House) -> None:
        one, other = (
            await house.accepted(somebody(unlike())),
            await house.accepted(somebody(unlike())),
        )
        a, b = one.people[0], other.people[0]
        before = {key: (await house.get(f"/returnees/{key}")).json() for key in (a, b)}
        merged = await merge(house, a, b)
        assert merged.status_code == 200, merged.text
        for key in (a, b):
            seen = (await house.get(f"/returnees/{key}")).json()
            assert seen["id"] == b
            assert seen["merged"] == [a]
            assert sorted(seen["case_ids"]) == sorted([one.case_id, other.case_id])
        assert (await house.types(a))[-1] == "returnee.merged"
        # What is recorded meanwhile stays under the id that it was recorded with.
        closing = await house.post(
            f"/cases/{one.case_id}/close",
            {"reason": "lost_contact", "comment": "moved"},
            etag=await house.etag(f"/cases/{one.case_id}"),
        )
        assert closing.status_code == 200, closing.text
        assert "case.closed" in await house.types(a)
        assert "case.closed" not in await house.types(b)
        assert (await unmerge(house, a)).status_code == 200
        after = {key: (await house.get(f"/returnees/{key}")).json() for key in (a, b)}
        for key in (a, b):
            assert after[key] | {"updated_at": ""} == before[key] | {"updated_at": ""}
        assert (await house.types(a))[-1] == "returnee.unmerged"
        assert await house.audited("merge", a) == await house.audited("unmerge", a) == 1

    async def test_a_case_under_either_id_is_the_one_open_case(self, house: House) -> None:
        family = unlike()
        one, other = (
            await house.accepted(somebody(unlike())),
            await house.accepted(somebody(family)),
        )
        assert (await merge(house, one.people[0], other.people[0])).status_code == 200
        at = f"/cases/{other.case_id}"
        await house.post(f"{at}/close", {"reason": "lost_contact"}, etag=await house.etag(at))
        again = (await house.submit(somebody(family)))["id"]
        bound = {"people": [{"index": 0, "returnee_id": other.people[0]}]}
        refused = await house.accept(again, bound)
        assert refused.json()["errors"][0]["code"] == "case_open"
        at = f"/cases/{one.case_id}"
        await house.post(f"{at}/close", {"reason": "lost_contact"}, etag=await house.etag(at))
        assert (await house.accept(again, bound)).status_code == 200

    async def test_it_is_a_persons_decision_about_what_they_have_seen(self, house: House) -> None:
        a, b = [(await house.accepted(somebody(unlike()))).people[0] for _ in range(2)]
        assert (await merge(house, a, b, person=None)).status_code == 403
        stale = await house.post(f"/returnees/{a}/merge", {"into": b}, etag='"99"')
        assert stale.status_code == 412
        assert (await house.post(f"/returnees/{a}/merge", {"into": b})).status_code == 428
        assert (await merge(house, a, b)).status_code == 200
        twice = await merge(house, b, a)
        assert twice.status_code == 409
        assert (await unmerge(house, b)).status_code == 409

    async def test_each_id_keeps_the_marks_by_which_a_desk_knows_it(self, house: House) -> None:
        bodies = [somebody(unlike(), documents=[]), somebody(unlike(), documents=[])]
        a, b = [(await house.accepted(body)).people[0] for body in bodies]

        async def told(returnee_id: str) -> Any:
            return (await house.get(f"/returnees/{returnee_id}/identity", "internal")).json()

        before = [await told(each) for each in (a, b)]
        assert before[0]["marks"] != before[1]["marks"]
        await merge(house, a, b)
        during = [await told(each) for each in (a, b)]
        assert [each["marks"] for each in during] == [each["marks"] for each in before]
        assert during[0]["names"] == before[1]["names"]
        await unmerge(house, a)
        assert [await told(each) for each in (a, b)] == before

    async def test_nobody_is_merged_into_somebody_unknown(self, house: House) -> None:
        a = (await house.accepted(somebody(unlike()))).people[0]
        refused = await merge(house, a, str(uuid4()))
        assert refused.status_code == 422
        assert (await merge(house, a, a)).status_code == 409
        assert (await merge(house, a, a, who="fedasil")).status_code == 403

    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12),
        st.randoms(use_true_random=False),
    )
    async def test_undone_in_any_order_nothing_is_left(
        self, house: House, steps: Any, random: Any
    ) -> None:
        people = [uuid4() for _ in range(5)]
        model: dict[UUID, UUID] = {}

        def root(person: UUID) -> UUID:
            return root(model[person]) if person in model else person

        async with house.homeward.database.transaction() as session:
            for one, other in steps:
                a, b = people[one], root(people[other])
                if a in model or a == b:
                    continue
                await aliases.merge(session, a, b)
                model[a] = b
                assert await aliases.resolve_all(session, people) == {
                    each: root(each) for each in people
                }
                same = await aliases.same_person(session, a)
                assert same == sorted(each for each in people if root(each) == root(a))
            undone = list(model)
            random.shuffle(undone)
            for each in undone:
                assert await aliases.unmerge(session, each) == model.pop(each)
                assert await aliases.resolve_all(session, people) == {p: root(p) for p in people}
            assert await aliases.resolve_all(session, people) == {each: each for each in people}
