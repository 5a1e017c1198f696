"""Two entries of one human being as offices make them, and what the second shows of the first."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cases.house import House, alone

CASES = Path(__file__).parent / "data" / "people"
Entry = dict[str, Any]


def case(name: str) -> tuple[Entry, Entry]:
    """The two entries of a case."""
    found = json.loads(next(CASES.glob(f"{name}-*.json")).read_text(encoding="utf-8"))
    return found["first, accepted"], found["second, submitted"]


def referral_of(entry: Entry) -> dict[str, Any]:
    body = alone()
    body["people"] = [entry]
    return body


def renumbered(one: Entry, other: Entry) -> tuple[Entry, Entry]:
    """The two with numbers of their own, so that no other test's person is among the candidates."""
    one, other = deepcopy(one), deepcopy(other)
    shift = uuid4().int
    for entry in (one, other):
        for document in entry["documents"]:
            document["number"] = shifted(document["number"], shift)
        for contact in entry["contacts"]:
            contact["value"] = "+96477" + shifted(contact["value"][6:], shift)
    return one, other


def shifted(number: str, shift: int) -> str:
    """A number with every digit moved on, in its script, and letters as they are."""
    return "".join(
        chr(ord(c) - int(c) + (int(c) + shift // 10**place) % 10) if c.isdecimal() else c
        for place, c in enumerate(number)
    )


async def shown(house: House, one: Entry, other: Entry) -> dict[str, Any] | None:
    """What the second entry's referral shows of the first, if anything."""
    known = (await house.accepted(referral_of(one))).people[0]
    referral = await house.submit(referral_of(other))
    answer = await house.get(f"/referrals/{referral['id']}/duplicates")
    assert answer.status_code == 200, answer.text
    candidates = answer.json()["items"][0]["candidates"]
    return next((each for each in candidates if each["returnee_id"] == known), None)


def named(entry: Entry, **parts: str) -> Entry:
    """The entry under other names, in Latin letters."""
    empty = dict.fromkeys(("given", "father", "grandfather", "family"), "")
    return entry | {"names": [{"script": "Latn"} | empty | parts]}


def born(entry: Entry, day: str, precision: str = "day") -> Entry:
    return entry | {"birth": {"date": day, "precision": precision}}


LISTED = ["d01", "d02", "d03", "d04", "d06", "d08", "d09", "d11", "d12", "d13", "d15"]


@pytest.mark.parametrize("name", LISTED)
async def test_one_human_being_is_likely(house: House, name: str) -> None:
    found = await shown(house, *renumbered(*case(name)))
    assert found is not None
    assert found["likely"]
    assert found["evidence"]


async def test_strangers_of_whom_nothing_is_known_are_not_alike(house: House) -> None:
    assert await shown(house, *case("d05")) is None


@pytest.mark.parametrize("word", ["-", "FNU", "غير معروف", "неизвестно", "N/A", "onbekend"])
async def test_nor_are_they_in_other_words(house: House, word: str) -> None:
    one, other = case("d05")
    if not word.isascii():
        script = "Arab" if "\u0600" <= word[0] <= "\u06ff" else "Cyrl"
        one = one | {"names": [{"script": script, "given": word, "family": word}]}
    else:
        # No name at all is refused, so the day it was is that of somebody with one.
        one = named(one, given="Unknown", family=word)
    assert await shown(house, one, other) is None


def both(change: Callable[[Entry], Entry]) -> Callable[[Entry, Entry], tuple[Entry, Entry]]:
    return lambda one, other: (change(one), change(other))


DAWUD = {"given": "Dawud", "father": "Salim", "family": "Qassar"}
VARIANTS: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("exchanged", DAWUD, {"given": "Qassar", "father": "Salim", "family": "Dawud"}),
    ("exchanged, heard otherwise", DAWUD, {"given": "Kassar", "family": "Daoud"}),
    ("father unknown", DAWUD | {"father": "FNU"}, DAWUD),
    ("father unknown in Turkish", DAWUD | {"father": "bilinmiyor"}, DAWUD),
    ("family name unknown", DAWUD | {"family": "LNU"}, DAWUD),
    ("whole name as family name", DAWUD, {"family": "Dawud Salim Qassar"}),
    ("given name and father in one", DAWUD, {"given": "Dawud Salim", "family": "Qassar"}),
    ("glued", DAWUD, {"given": "Dawudsalim", "family": "Qassar"}),
    ("nickname after a slash", DAWUD, {"given": "Dawud / Dodo", "family": "Qassar"}),
    ("nickname before", DAWUD, {"given": "'Dodo' Dawud", "family": "Qassar"}),
    ("two given names, the other used", DAWUD | {"given": "Isa Dawud"}, DAWUD),
    ("title", DAWUD, DAWUD | {"given": "Dr. Haji Dawud"}),
    ("title behind", DAWUD, DAWUD | {"given": "DAWUD MR"}),
    ("sayyid", DAWUD, DAWUD | {"given": "Sayyid Dawud"}),
    ("kunya alone", DAWUD, DAWUD | {"given": "Abu Nabil"}),
    ("kunya beside", DAWUD, DAWUD | {"given": "Dawud Abu Nabil"}),
    ("double family name", DAWUD | {"family": "Qassar Zangana"}, DAWUD | {"family": "Zangana"}),
    ("by way of Russian", {"given": "Hashim", "family": "Jahangiri"},
     {"given": "Khashim", "family": "Dzhakhangiri"}),
    ("heard in Ukraine", {"given": "Hashim", "family": "Jahangiri"},
     {"given": "Gashym", "family": "Dzhahanhiri"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"), [each[1:] for each in VARIANTS], ids=[each[0] for each in VARIANTS]
)
async def test_habits_of_offices(house: House, one: dict[str, str], other: dict[str, str]) -> None:
    entry = born(case("d03")[0], f"19{uuid4().int % 40 + 60}-03-{uuid4().int % 18 + 10}")
    found = await shown(house, named(entry, **one), named(entry, **other))
    assert found is not None
    assert found["likely"]


SCRIPTS = [
    ("Syrc", "ܐܕܘܪ", "ܒܢܝܡܝܢ", "Adwar", "Benyamin"),
    ("Armn", "Տիգրան", "Սարգսյան", "Tigran", "Sarkissian"),
    ("Geor", "ზურაბ", "ჯანაშია", "Zurab", "Janashia"),
    ("Cyrl", "Хасан", "Джумаев", "Hasan", "Jumayev"),
    ("Grek", "Γεώργιος", "Χατζής", "Georgios", "Hatzis"),
    ("Ethi", "ተስፋይ", "ገብረመድህን", "Tesfay", "Gebremedhin"),
    ("Hebr", "דוד", "שמעוני", "David", "Shimoni"),
    ("Arab", "جوان", "خۆشناو", "Jwan", "Khoshnaw"),
    ("Beng", "মোহাম্মদ", "চৌধুরী", "Mohammad", "Chowdhury"),
    ("Deva", "सुनील", "श्रेष्ठ", "Sunil", "Shrestha"),
]


@pytest.mark.parametrize(("script", "given", "family", "latin", "latin_family"), SCRIPTS)
async def test_scripts_are_compared_with_one_another(
    house: House, script: str, given: str, family: str, latin: str, latin_family: str
) -> None:
    entry = born(case("d06")[0], f"19{uuid4().int % 40 + 60}-05-{uuid4().int % 18 + 10}")
    own = entry | {"names": [{"script": script, "given": given, "family": family}]}
    found = await shown(house, own, named(entry, given=latin, family=latin_family))
    assert found is not None
    assert found["likely"]


async def same_number(house: House, number: str, other_number: str, **values: Any) -> Any:
    one, other = case("d02")
    document = one["documents"][0]
    one = named(one, given="Aras", family="Nuri") | {"documents": [document | {"number": number}]}
    other = named(other, given="Mehmet", family="Yildiz") | {
        "documents": [document | {"number": other_number}]
    }
    return await shown(house, one, born(other, "1971-03-09") | values)


async def test_a_shared_document_is_always_listed(house: House) -> None:
    serial = f"{uuid4().int % 10**7:07}"
    for written in (f"B{serial}", f"b {serial[:3]}-{serial[3:]}", f"B{shifted_script(serial)}"):
        found = await same_number(house, f"B{serial}", written)
        assert found is not None
        assert "same_document" in {each["reason"] for each in found["evidence"]}


def shifted_script(number: str) -> str:
    return "".join("۰۱۲۳۴۵۶۷۸۹"[int(digit)] for digit in number)


async def test_also_of_another_sex_and_generation(house: House) -> None:
    number = f"C{uuid4().int % 10**8:08}"
    found = await same_number(house, number, number, sex="female", nationality="TUR")
    assert found is not None
    assert "same_document" in {each["reason"] for each in found["evidence"]}


async def test_a_letter_for_a_digit_is_found_where_the_names_agree(house: House) -> None:
    one, other = case("d09")
    digits = f"{uuid4().int % 10**4:04}"
    one["documents"][0]["number"], other["documents"][0]["number"] = (
        f"A105{digits}",
        f"AIO5{digits}",
    )
    found = await shown(house, one, other)
    assert found is not None
    assert found["likely"]
    assert "document_number_misread" in {each["reason"] for each in found["evidence"]}


async def test_a_number_of_another_system_is_always_listed(house: House) -> None:
    one, other = case("d02")
    value = f"CASE-{uuid4().int % 10**6:06}"
    one = named(one, given="Aras", family="Nuri") | {"documents": []}
    one |= {"identifiers": [{"system": "aims", "value": value}]}
    other = born(named(other, given="Mehmet", family="Yildiz"), "1971-03-09") | {"documents": []}
    other |= {"identifiers": [{"system": "aims", "value": value.lower().replace("-", " ")}]}
    found = await shown(house, one, other)
    assert found is not None
    assert "same_identifier" in {each["reason"] for each in found["evidence"]}


@pytest.mark.parametrize("number", ["000000", "UNKNOWN", "XXXX"])
async def test_a_number_that_stands_for_none_says_nothing(house: House, number: str) -> None:
    assert await same_number(house, number, number) is None


@pytest.mark.parametrize(
    ("day", "likely"),
    [("1987-09-25", True), ("1985-09-25", True), ("1986-09-26", True), ("1993-02-11", False)],
)
async def test_a_slip_in_the_day_of_birth(house: House, day: str, likely: bool) -> None:
    one, other = renumbered(*case("d11"))
    one, other = one | {"contacts": []}, other | {"contacts": []}
    found = await shown(house, one, born(other, day))
    assert (found is not None and found["likely"]) == likely


class TestSecondRecord:
    async def twice(self, house: House) -> tuple[str, dict[str, Any]]:
        """A returnee, and a referral of the same human being."""
        one, other = renumbered(*case("d02"))
        known = (await house.accepted(referral_of(one))).people[0]
        return known, await house.submit(referral_of(other))

    async def accept(self, house: House, referral_id: str, body: Any, **options: Any) -> Any:
        at = f"/referrals/{referral_id}"
        etag = await house.etag(at, options.get("who", "iom-iraq"))
        return await house.post(f"{at}/accept", body, etag=etag, **options)

    async def test_an_acceptance_names_who_is_known_already(self, house: House) -> None:
        known, again = await self.twice(house)
        refused = await self.accept(house, again["id"], {})
        assert refused.status_code == 409, refused.text
        problem = refused.json()
        assert problem["type"] == "/problems/second-record"
        assert known in {each["returnee_id"] for each in problem["candidates"]}
        assert {each["index"] for each in problem["candidates"]} == {0}
        assert "Rojin" not in refused.text
        assert (await house.get(f"/referrals/{again['id']}")).json()["state"] == "submitted"
        listed = (await house.get(f"/referrals/{again['id']}/duplicates")).json()["items"]
        handles = {each["id"] for each in listed[0]["candidates"]}
        assert {each["candidate_id"] for each in problem["candidates"]} <= handles

    async def test_who_decides_may_say_that_it_is_somebody_new(self, house: House) -> None:
        known, again = await self.twice(house)
        new = {"people": [{"index": 0, "returnee_id": None}]}
        taken = await self.accept(house, again["id"], new)
        assert taken.status_code == 200, taken.text
        assert taken.json()["people"][0]["returnee_id"] != known

    async def test_or_that_it_is_them(self, house: House) -> None:
        one, other = renumbered(*case("d01"))
        known = await house.accepted(referral_of(one))
        at = f"/cases/{known.case_id}"
        closed = await house.post(
            f"{at}/close", {"reason": "lost_contact"}, etag=await house.etag(at)
        )
        assert closed.status_code == 200, closed.text
        again = await house.submit(referral_of(other))
        bound = {"people": [{"index": 0, "returnee_id": known.people[0]}]}
        taken = await self.accept(house, again["id"], bound)
        assert taken.status_code == 200, taken.text
        assert taken.json()["people"][0]["returnee_id"] == known.people[0]

    async def test_nobody_asks_about_strangers(self, house: House) -> None:
        entry = named(case("d03")[0], given=f"Q{uuid4().hex[:6]}a", family="Ghalibi")
        entry = born(entry, f"19{uuid4().int % 50 + 40}-11-{uuid4().int % 18 + 10}")
        name = "".join("bdfgklmnrt"[int(c)] + "a" for c in str(uuid4().int)[:5])
        entry["names"][0]["given"] = name.title()
        again = await house.submit(referral_of(entry))
        assert (await self.accept(house, again["id"], {})).status_code == 200


class TestMerged:
    async def merged(self, house: House) -> tuple[Any, Any, Entry, Entry]:
        one, other = renumbered(*case("d02"))
        other["documents"][0] |= {"number": f"Z{uuid4().int % 10**8:08}"}
        first = await house.accepted(referral_of(one))
        second = await house.accepted(referral_of(other))
        at = f"/returnees/{first.people[0]}"
        answer = await house.post(
            f"{at}/merge", {"into": second.people[0]}, etag=await house.etag(at)
        )
        assert answer.status_code == 200, answer.text
        return first, second, one, other

    async def test_documents_and_spellings_of_both_are_theirs(self, house: House) -> None:
        first, second, one, other = await self.merged(house)
        for key in (first.people[0], second.people[0]):
            identity = (await house.get(f"/returnees/{key}")).json()["identity"]
            numbers = {each["number"] for each in identity["documents"]}
            assert numbers == {e["documents"][0]["number"] for e in (one, other)}
            assert {each["given"] for each in identity["names"]} == {"Dara", "Delal"}

    async def test_they_are_one_candidate(self, house: House) -> None:
        first, second, one, other = await self.merged(house)
        for entry in (one, other):
            again = await house.submit(referral_of(entry))
            answer = await house.get(f"/referrals/{again['id']}/duplicates")
            candidates = answer.json()["items"][0]["candidates"]
            found = [each["returnee_id"] for each in candidates]
            assert found.count(second.people[0]) == 1
            assert first.people[0] not in found
            theirs = next(c for c in candidates if c["returnee_id"] == second.people[0])
            assert len(theirs["identity"]["documents"]) == 2

    async def test_every_id_is_taken_everywhere(self, house: House) -> None:
        first, second, *_ = await self.merged(house)
        # The second record's case knows them by its id, and is told of the first one's.
        at, other_id = f"/cases/{second.case_id}", first.people[0]
        occurred_at = "2026-11-30T10:00:00Z"
        session = {
            "phase": "post_arrival", "method": "phone", "topics": ["rights"], "language": "ar",
            "attended": [other_id], "occurred_at": occurred_at,
        }  # fmt: skip
        attempt = {
            "returnee_id": other_id, "method": "phone", "outcome": "reached",
            "occurred_at": occurred_at,
        }  # fmt: skip
        screening = {
            "returnee_id": other_id, "phase": "post_arrival", "screened_on": "2026-11-30",
            "needs_priority": "routine",
        }  # fmt: skip
        visit = {"returnee_id": other_id, "due_on": "2027-01-10"}
        for path, body in (
            ("sessions", session),
            ("contact-attempts", attempt),
            ("screening", screening),
            ("visits", visit),
        ):
            answer = await house.post(f"{at}/{path}", body)
            codes = [each["code"] for each in answer.json().get("errors", [])]
            assert "not_in_case" not in codes, path
            assert answer.status_code == 201, (path, answer.text)
        line = {
            "kind": "business", "beneficiary": other_id, "description": "a shop",
            "budget": {"amount": "100.00", "currency": "EUR"},
        }  # fmt: skip
        answer = await house.call("PUT", f"{at}/plan", {"lines": [line]}, new=True)
        assert answer.status_code in {200, 201}, answer.text
        assert answer.json()["lines"][0]["beneficiary"] == second.people[0]


class TestFamilies:
    async def family(self, house: House) -> Any:
        body = alone()
        head = body["people"][0]
        day = f"19{uuid4().int % 20 + 60}-04-09"
        body["people"] = [
            born(named(head, given="Amer", family="Qindil"), day) | {"documents": []},
            born(named(head, given="Huda", family="Qindil"), day)
            | {"role": "spouse", "documents": [], "sex": "female"},
            born(named(head, given="Nabil", family="Qindil"), "2016-02-03")
            | {"role": "child", "documents": []},
        ]
        return await house.accepted(body)

    async def test_no_child_follows_where_an_adult_stays(self, house: House) -> None:
        known = await self.family(house)
        at = f"/households/{known.household_id}"
        died = {"returnee_id": known.people[0], "on": "2026-11-30", "reason": "deceased"}
        child, spouse = known.people[2], known.people[1]
        for successor, status in ((child, 422), (spouse, 200)):
            answer = await house.post(
                f"{at}/leave", died | {"successor": successor}, etag=await house.etag(at)
            )
            assert answer.status_code == status, answer.text
            if status == 422:
                assert answer.json()["errors"][0]["code"] == "head_is_a_child"

    async def test_nobody_visits_the_dead(self, house: House) -> None:
        known = await self.family(house)
        visits, at = f"/cases/{known.case_id}/visits", f"/households/{known.household_id}"
        body = {"returnee_id": known.people[1], "due_on": "2027-01-10"}
        planned = await house.post(visits, body)
        assert planned.status_code == 201, planned.text
        died = {"returnee_id": known.people[1], "on": "2026-11-30", "reason": "deceased"}
        answer = await house.post(f"{at}/leave", died, etag=await house.etag(at))
        assert answer.status_code == 200, answer.text
        seen = await house.get(f"{visits}/{planned.json()['id']}")
        assert seen.json()["state"] == "cancelled"
        refused = await house.post(visits, body)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["code"] == "left_household"


class TestUndecided:
    def entries(self) -> tuple[Entry, Entry]:
        """Of one human being, whom no other test refers."""
        year = 1930 + uuid4().int % 70
        name = "".join("bdfgklmnrt"[int(c)] + "a" for c in str(uuid4().int)[:5]).title()
        one, other = renumbered(*case("d02"))
        return (
            named(born(one, f"{year}-03-14"), given=name, family="Rojin"),
            named(born(other, f"{year}-03-14"), given=name, family="Rozhin"),
        )

    async def test_two_undecided_referrals_see_each_other(self, house: House) -> None:
        one, other = self.entries()
        first, second = [await house.submit(referral_of(entry)) for entry in (one, other)]
        for mine, theirs in ((first, second), (second, first)):
            answer = await house.get(f"/referrals/{mine['id']}/duplicates")
            found = answer.json()["items"][0]["referred"]
            assert [(each["referral_id"], each["index"]) for each in found] == [(theirs["id"], 0)]
            assert found[0]["likely"]
            assert "same_document" in {each["reason"] for each in found[0]["evidence"]}

    async def test_of_whom_others_refer_nothing_is_told_but_that_they_do(
        self, house: House
    ) -> None:
        one, other = self.entries()
        theirs = referral_of(other) | {"sender": "dtv"}
        theirs["return"] |= {"host_country": "NLD"}
        mine = await house.submit(referral_of(one))
        others = await house.submit(theirs)
        answer = await house.get(f"/referrals/{mine['id']}/duplicates", "fedasil")
        (found,) = answer.json()["items"][0]["referred"]
        assert (found["referral_id"], found["masked"], found["evidence"]) == (None, True, [])
        assert others["id"] not in answer.text

    async def test_what_was_decided_is_not_among_them(self, house: House) -> None:
        one, other = self.entries()
        first, second = [await house.submit(referral_of(entry)) for entry in (one, other)]
        at = f"/referrals/{first['id']}"
        body = {"reason": "already_referred", "comment": "the same person twice"}
        answer = await house.post(f"{at}/reject", body, etag=await house.etag(at))
        assert answer.status_code == 200, answer.text
        answer = await house.get(f"/referrals/{second['id']}/duplicates")
        assert answer.json()["items"][0]["referred"] == []
