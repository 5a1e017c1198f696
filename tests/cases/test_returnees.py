"""People: found in any script and spelling, read only by who may, corrected by who has seen
them.
"""

# ruff: noqa: RUF001 - letters that look alike are what these tests are about

from itertools import combinations
from typing import Any

import pytest

from services.cases.people.names import letters
from services.cases.people.search import lookup
from tests.cases.house import House, alone, referral


def named(*parts: str, script: str = "Latn") -> dict[str, Any]:
    given, father, family = parts
    return {"script": script, "given": given, "father": father, "grandfather": "", "family": family}


SHILAN = {
    "birth": {"date": "1979-11-21", "precision": "day"},
    "documents": [{"kind": "passport", "number": "K-4477018", "issuer": "IRQ", "expires": None}],
    "contacts": [{"kind": "phone", "value": "+964 780 551 9921", "owner": "self"}],
    "identifiers": [{"system": "unhcr", "value": "UNHCR-88-C"}],
}


async def registered(
    house: House, *names: dict[str, Any], reference: str | None = None, **particulars: Any
) -> str:
    body = alone(**({"external_reference": reference} if reference else {}))
    body["people"][0] |= {"names": list(names), "documents": [], "contacts": []} | particulars
    return (await house.accepted(body)).people[0]


class TestSearch:
    @pytest.mark.parametrize(
        "q",
        ["Zozan Akreji", "zozan", "زوزان", "ئاکرەیی", "زوزان ئاكرەیی", "Zôzan  AKREJI", "Akrejî"],
    )
    async def test_a_name_is_found_from_any_script(self, house: House, q: str) -> None:
        person = await registered(
            house,
            named("Zozan", "", "Akreji"),
            named("زوزان", "بەندەوار", "ئاکرەیی", script="Arab"),
        )
        answer = await house.post("/returnees/search", {"q": q})
        assert answer.status_code == 200, answer.text
        assert person in {item["id"] for item in answer.json()["items"]}

    @pytest.mark.parametrize("q", ["Obeidi", "العبيدي", "Al-Oubaidi", "Al Obaydi"])
    async def test_a_name_is_found_from_another_spelling(self, house: House, q: str) -> None:
        person = await registered(house, named("Nabiel", "", "Al  Oebaidi"))
        answer = await house.post("/returnees/search", {"q": q})
        assert person in {item["id"] for item in answer.json()["items"]}

    async def test_somebody_else_is_not_found(self, house: House) -> None:
        person = await registered(house, named("Dilovan", "Heval", "Doskie"))
        answer = await house.post("/returnees/search", {"q": "Mustafa Jaberi"})
        assert person not in {item["id"] for item in answer.json()["items"]}

    async def test_who_is_sought_is_the_first(self, house: House) -> None:
        arabic = named("شیلان", "", "بەرزنجی", script="Arab")
        wanted = await registered(
            house, named("Shilan", "", "Barzinji"), arabic, reference="CC/88 17", **SHILAN
        )
        other = await registered(house, named("Barzan", "", "Parzian"))
        for q, words in {
            "Barzindjie": "another spelling",
            "Barzimji": "a wrong letter",
            "Barzi": "a beginning",
            "شیل": "a beginning in another script",
            "Barz Shilan": "a beginning and a name",
            "Bilan Barzinji": "one of two names",
            "Barzinji 1979": "the year",
            "Barz 1979": "a beginning and the year",
            "شيلان 21.11.1979": "the day",
            "Barzinji ١٩٧٩-١١-٢١": "the day in other digits",
            "Barzinji 21/10/1979": "the year of another day",
            "k 4477018": "a document",
            "4477018": "a document without its letters",
            "0780 551 9921": "a phone",
            "Shilan +964 (780) 551-9921": "a phone and a name",
            "unhcr-88-C": "a number in another system",
            "CC/88 17": "a reference",
        }.items():
            found = (await house.post("/returnees/search", {"q": q})).json()
            assert [item["id"] for item in found["items"]][:1] == [wanted], words
            assert not found["more"]
        assert other in {
            item["id"]
            for item in (await house.post("/returnees/search", {"q": "Barz"})).json()["items"]
        }
        for q in ("Shilan 1980", "4477019", "CC/88 18"):
            found = (await house.post("/returnees/search", {"q": q})).json()
            assert all(item["score"] < 0.6 for item in found["items"]), q

    async def test_a_whole_name_comes_before_a_longer_one(self, house: House) -> None:
        longer, whole = [
            await registered(house, named("Luay", "", family)) for family in ("Tovmasyan", "Tovma")
        ]
        found = (await house.post("/returnees/search", {"q": "Tovma", "limit": 1})).json()
        assert [item["id"] for item in found["items"]] == [whole]
        assert found["more"]
        found = (await house.post("/returnees/search", {"q": "Tovma"})).json()
        assert [item["id"] for item in found["items"]] == [whole, longer]

    async def test_words_are_known_while_somebody_bears_them(self, house: House) -> None:
        async def known() -> int:
            return await house.count("name_word WHERE word = 'pakravan'")

        people = [await registered(house, named("Luay", "", "Pakravan")) for _ in (1, 2)]
        assert await known() == 1
        for person, left in zip(people, (1, 0), strict=True):
            path = f"/returnees/{person}"
            changed = {"names": [named("Luay", "", "Pakravani")]}
            answer = await house.call("PATCH", path, changed, etag=await house.etag(path))
            assert answer.status_code == 200, answer.text
            assert await known() == left

    async def test_it_finds_only_whom_the_organisation_may_know(self, house: House) -> None:
        person = await registered(house, named("Unmistakeable", "", "Qahtani"))
        for who, found in (
            ("iom-iraq", True),
            ("fedasil", True),
            ("other-ngo", False),
            ("bamf", False),
        ):
            answer = await house.post("/returnees/search", {"q": "Unmistakeable"}, who=who)
            assert (person in {item["id"] for item in answer.json()["items"]}) is found

    async def test_it_needs_no_key_and_is_audited(self, house: House) -> None:
        before = await house.audited("search-identity", "-")
        headers = house.headers("iom-iraq")
        answer = await house.http.post("/v1/returnees/search", json={"q": "Zozan"}, headers=headers)
        assert answer.status_code == 200
        assert await house.audited("search-identity", "-") == before + 1


class TestRead:
    async def test_names_are_kept_to_the_letter(self, house: House) -> None:
        names = [
            named("  Al  Oebaidi", "", "Noe\u0308ri"),
            named("ك\u0640ريم", "ه\u200cوشيار", "ئاکرەیی", script="Arab"),
        ]
        person = await registered(house, *names)
        answer = (await house.get(f"/returnees/{person}")).json()
        assert answer["identity"]["names"] == names

    async def test_without_the_scope_there_is_no_identity(self, house: House) -> None:
        person = await registered(house, named("Zozan", "", "Akreji"))
        answer = await house.get(f"/returnees/{person}", scopes="returnees:read")
        assert answer.json()["identity"] is None
        assert "Zozan" not in answer.text
        assert await house.audited("read-identity", person) == 0
        await house.get(f"/returnees/{person}")
        assert await house.audited("read-identity", person) == 1

    @pytest.mark.parametrize("who", ["other-ngo", "bamf"])
    async def test_absent_and_forbidden_look_the_same(self, house: House, who: str) -> None:
        accepted = await house.accepted(alone())
        forbidden = await house.get(f"/returnees/{accepted.people[0]}", who)
        absent = await house.get(f"/returnees/{accepted.case_id}", who)
        for answer in (forbidden, absent):
            assert answer.status_code == 404
            answer.json().pop("instance")
        assert forbidden.json() | {"instance": ""} == absent.json() | {"instance": ""}
        assert (await house.get(f"/households/{accepted.household_id}", who)).status_code == 404

    async def test_the_desk_gets_the_minimum(self, house: House) -> None:
        body = referral()
        accepted = await house.accepted(body)
        answer = await house.get(
            f"/returnees/{accepted.people[0]}/identity", "internal", scopes="internal"
        )
        assert answer.status_code == 200
        assert set(answer.json()) == {
            "id",
            "names",
            "sex",
            "birth",
            "nationality",
            "household_id",
            "languages",
            "contacts",
            "marks",
        }
        assert answer.json()["contacts"] == [
            {"kind": "phone", "owner": "self", "safe_hours": "09:00-12:00"}
        ]
        assert "0433111" not in answer.text
        assert "+964" not in answer.text
        assert body["external_reference"] not in answer.text
        assert len(answer.json()["marks"]) == len(set(answer.json()["marks"])) == 2, (
            "of the document and the reference"
        )
        partner = await house.get(f"/returnees/{accepted.people[0]}/identity")
        assert partner.status_code == 403


class TestCorrect:
    async def test_it_is_told_without_what_it_was(self, house: House) -> None:
        person = await registered(house, named("Zozan", "", "Akreji"))
        path = f"/returnees/{person}"
        etag = await house.etag(path)
        changed = {
            "names": [named("Zozana", "", "Akreyi")],
            "birth": {"date": "1989-07-01", "precision": "day"},
        }
        answer = await house.call("PATCH", path, changed, etag=etag)
        assert answer.status_code == 200, answer.text
        assert answer.headers["etag"] != etag
        name, payload = (await house.published(person))[-1]
        assert name == "returnee.updated"
        assert sorted(payload["changed"]) == ["birth", "names"]
        assert "Zozana" not in str(payload)
        found = await house.post("/returnees/search", {"q": "Zozana Akreyi"})
        assert found.json()["items"][0]["id"] == person

    async def test_nothing_changed_is_nothing_told(self, house: House) -> None:
        person = await registered(house, named("Zozan", "", "Akreji"))
        etag = await house.etag(f"/returnees/{person}")
        answer = await house.call("PATCH", f"/returnees/{person}", {"sex": "male"}, etag=etag)
        assert answer.headers["etag"] == etag
        assert "returnee.updated" not in await house.types(person)

    async def test_two_at_once_and_neither_loses_work(self, house: House) -> None:
        person = await registered(house, named("Zozan", "", "Akreji"))
        path = f"/returnees/{person}"
        etag = await house.etag(path)
        assert (await house.call("PATCH", path, {"sex": "other"}, etag=etag)).status_code == 200
        assert (await house.call("PATCH", path, {"sex": "female"}, etag=etag)).status_code == 412
        assert (await house.call("PATCH", path, {"sex": "female"})).status_code == 428

    async def test_a_sentinel_is_refused_and_null_means_nothing(self, house: House) -> None:
        person = await registered(house, named("Zozan", "", "Akreji"))
        etag = await house.etag(f"/returnees/{person}")
        for body in ({"birth": {"date": "1900-01-01", "precision": "year"}}, {"sex": None}):
            assert (
                await house.call("PATCH", f"/returnees/{person}", body, etag=etag)
            ).status_code == 422

    async def test_who_referred_them_does_not_correct_them(self, house: House) -> None:
        person = await registered(house, named("Zozan", "", "Akreji"))
        etag = await house.etag(f"/returnees/{person}")
        answer = await house.call(
            "PATCH", f"/returnees/{person}", {"sex": "other"}, etag=etag, who="fedasil"
        )
        assert answer.status_code == 403


class TestNames:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("العبيدي", "العبیدی"),
            ("كريم", "کـریم"),
            ("هه\u200cڤال", "ههڤال"),
            ("Noëri", "Noe\u0308ri"),
            ("AL  OEBAIDI", "Al Oebaidi"),
        ],
    )
    def test_spelled_alike(self, one: str, other: str) -> None:
        assert letters.plain(one) == letters.plain(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Oebaidi", "Obeidi"),
            ("Al Oebaidi", "العبيدي"),
            ("Sherzad", "شێرزاد"),
            ("Mohammed", "Muhamad"),
            ("Qasim", "Kasem"),
            ("Abd al-Rahman", "عبدالرحمن"),
        ],
    )
    def test_words_that_sound_alike_resemble_each_other(self, one: str, other: str) -> None:
        (first,), (second,) = lookup.words(one), lookup.words(other)
        assert first.keys & second.keys
        assert first.resembles(second.spelled) > lookup.LETTER_WRONG

    def test_other_names_do_not(self) -> None:
        words = lookup.words("Karim Salim Hamid Rashid Dilovan")
        assert not any(one.keys & other.keys for one, other in combinations(words, 2))
