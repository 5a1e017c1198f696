"""Referrals that contradict themselves: days that have not come, one person twice, a zone that is
somebody else's; and children who may be children.
"""

import json
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.cases.people.ages import born_at_latest, may_be_child
from services.cases.people.mrz import check_digit
from services.cases.people.particulars import Birth
from tests.cases.house import House, referral

CASES = Path(__file__).parent / "data" / "people"
TOMORROW = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()


def case(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(next(CASES.glob(f"{name}-*.json")).read_text())
    return body | {"external_reference": f"R-{uuid4().hex[:12]}"}


async def refused(house: House, body: dict[str, Any]) -> set[tuple[str, str]]:
    answer = await house.post("/referrals", body, who=body["sender"])
    assert answer.status_code == 422, answer.text
    return {(each["pointer"], each["code"]) for each in answer.json()["errors"]}


async def taken(house: House, body: dict[str, Any]) -> str:
    answer = await house.post("/referrals", body, who=body["sender"])
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


class TestTime:
    async def test_a_consent_is_not_given_in_the_future(self, house: House) -> None:
        body = case("r01")
        assert await refused(house, body) >= {("/consents/0/given_on", "in_future")}
        for consent in body["consents"]:
            consent["given_on"] = datetime.now(UTC).date().isoformat()
        body["travel"]["departs_on"] = TOMORROW
        body["travel"]["arrives_at"] = f"{TOMORROW}T21:10:00+03:00"
        await taken(house, body)

    @pytest.mark.parametrize("body", [{"birth": {"date": TOMORROW, "precision": "day"}}])
    async def test_nobody_is_born_in_the_future(self, house: House, body: Any) -> None:
        returnee = (await house.accepted()).people[0]
        at = f"/returnees/{returnee}"
        answer = await house.call("PATCH", at, body, etag=await house.etag(at))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] == "birth_in_future"
        amended = case("r04")["people"][1] | body | {"names": [names("Newborn", "Jalil")]}
        known = await house.accepted()
        answer = await house.post(f"/referrals/{known.id}/amend", {"add": [amended]}, who="fedasil")
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["code"] == "birth_in_future"

    async def test_consents_of_a_returnee_and_surveys(self, house: House) -> None:
        accepted = await house.accepted()
        consent = {
            "purpose": "research", "version": "1", "given_on": TOMORROW, "legal_basis": "consent"
        }  # fmt: skip
        answer = await house.post(f"/returnees/{accepted.people[0]}/consents", consent)
        assert answer.status_code == 422
        assert {each["code"] for each in answer.json()["errors"]} >= {"in_future"}


def names(given: str, family: str, script: str = "Latn") -> dict[str, str]:
    return {"script": script, "given": given, "father": "", "grandfather": "", "family": family}


class TestOnePersonOnce:
    async def test_the_same_person(self, house: House) -> None:
        assert await refused(house, case("r02")) == {("/people/1", "person_twice")}

    @pytest.mark.parametrize(
        "name",
        [
            names("SATTAR", "jumaili"),
            names("Mr. Sattar", "Jumaili"),
            names("Jumaili", "Sattar"),
            names("ستار", "الجميلي", "Arab"),
        ],
    )
    async def test_written_otherwise(self, house: House, name: dict[str, str]) -> None:
        body = case("r02")
        body["people"][1]["names"] = [name]
        assert ("/people/1", "person_twice") in await refused(house, body)

    @pytest.mark.parametrize(
        "other",
        [
            {"names": [names("Sattara", "Jumaili")]},
            {"names": [names("Jabbar", "Jumaili")]},
            {"birth": {"date": "1986-06-12", "precision": "day"}},
            {"sex": "female"},
        ],
    )
    async def test_twins_and_namesakes_are_two(self, house: House, other: dict[str, Any]) -> None:
        body = case("r02")
        body["people"][1] |= other
        await taken(house, body)

    async def test_newborn_twins_without_names(self, house: House) -> None:
        body = case("r02")
        born = {"date": "2026-10-01", "precision": "day"}
        twins = [
            deepcopy(body["people"][1]) | {"role": "child", "birth": born, "names": [name]}
            for name in (names("", "Jumaili"), names("-", "Jumaili"))
        ]
        body["people"] = [body["people"][0], *twins]
        await taken(house, body)

    @pytest.mark.parametrize("number", ["B1112223", "b 1112-223", "B١١١٢٢٢٣"])  # noqa: RUF001
    async def test_one_document_is_of_one_person(self, house: House, number: str) -> None:
        body = case("r02")
        body["people"][1]["names"] = [names("Jabbar", "Jumaili")]
        passport = {"kind": "passport", "number": "B1112223", "issuer": "IRQ"}
        body["people"][0]["documents"] = [passport]
        body["people"][1]["documents"] = [passport | {"number": number}]
        found = await refused(house, body)
        assert found == {("/people/1/documents/0/number", "document_twice")}
        body["people"][1]["documents"][0]["issuer"] = "SYR"
        await taken(house, body)

    async def test_a_family_book_is_a_familys(self, house: House) -> None:
        body = case("r02")
        body["people"][1]["names"] = [names("Jabbar", "Jumaili")]
        for person in body["people"]:
            person["documents"] = [{"kind": "family_book", "number": "77123", "issuer": "IRQ"}]
        await taken(house, body)

    async def test_an_amendment_that_is_sent_twice_adds_one(self, house: House) -> None:
        known = await house.accepted()
        newborn = case("r02")["people"][1] | {
            "role": "child",
            "names": [names("Yusuf", "Al Oebaidi")],
            "birth": {"date": "2026-10-01", "precision": "day"},
        }
        at = f"/referrals/{known.id}/amend"
        for _ in range(2):
            answer = await house.post(at, {"add": [newborn]}, who="fedasil")
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["people"]) == len(known.people) + 1
        other = newborn | {"documents": [{"kind": "passport", "number": "A1", "issuer": "IRQ"}]}
        answer = await house.post(at, {"add": [other]}, who="fedasil")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] == "person_twice"
        twin = newborn | {"names": [names("Yunis", "Al Oebaidi")]}
        answer = await house.post(at, {"add": [newborn, twin]}, who="fedasil")
        assert len(answer.json()["people"]) == len(known.people) + 2


class TestChildren:
    async def test_who_may_be_a_child_is_one(self, house: House) -> None:
        body = case("r04") | {"sender": "fedasil"}
        body["return"]["host_country"] = "BEL"
        accepted = await house.accepted(body)
        household = (await house.get(f"/households/{accepted.household_id}")).json()
        member = {each["returnee_id"]: each["member"] for each in household["members"]}
        assert member[accepted.people[1]] == "child"

    @pytest.mark.parametrize(
        ("born", "precision", "latest"),
        [
            ("2009-01-01", "year", "2009-12-31"),
            ("2009-07-01", "estimated", "2009-12-31"),
            ("2009-02-01", "month", "2009-02-28"),
            ("2009-02-01", "day", "2009-02-01"),
        ],
    )
    def test_as_long_as_they_may_be(self, born: str, precision: str, latest: str) -> None:
        birth = Birth.model_validate({"date": born, "precision": precision})
        last = date.fromisoformat(latest)
        assert born_at_latest(birth) == last
        birthday = date(last.year + 18, last.month, last.day)
        assert may_be_child(birth, birthday - timedelta(days=1))
        assert not may_be_child(birth, birthday)

    @pytest.mark.parametrize(
        ("born", "precision", "urgent"),
        [("2012-05-01", "day", True), ("2008-01-01", "year", True), ("2001-05-01", "day", False)],
    )
    async def test_a_child_alone_is_urgent(
        self, house: House, born: str, precision: str, urgent: bool
    ) -> None:
        body = referral()
        body["people"] = body["people"][:1]
        body["people"][0] |= {"birth": {"date": born, "precision": precision}}
        answer = (await house.submit(body))["needs_priority"]
        assert (answer == "urgent") == urgent


def zone(surname: str, given: str, birth: str, sex: str, issuer: str = "IRQ") -> list[str]:
    """The zone of a passport with the number A1234567."""
    first = f"P<{issuer}{surname}<<{given}".ljust(44, "<")
    number, expires, optional = "A1234567<", "300101", "<" * 14
    second = f"{number}{check_digit(number)}{issuer}{birth}{check_digit(birth)}{sex}"
    second += f"{expires}{check_digit(expires)}{optional}<"
    composite = second[:10] + second[13:20] + second[21:43]
    return [first, second + check_digit(composite)]


class TestZone:
    async def test_of_somebody_else(self, house: House) -> None:
        at = "/people/0/documents/0/mrz"
        assert await refused(house, case("r05")) == {
            (at, "mrz_other_issuer"),
            (at, "mrz_other_sex"),
            (at, "mrz_other_birth"),
            (at, "mrz_other_name"),
        }

    def body(self, lines: list[str], **values: Any) -> dict[str, Any]:
        body = case("r05")
        body["people"][0] |= {"names": [names("Ahmed", "Al-Obaidi")]} | values
        body["people"][0]["documents"][0]["mrz"] = lines
        return body

    @pytest.mark.parametrize(
        ("lines", "code"),
        [
            (zone("OBAIDI", "AHMED", "850517", "M"), "mrz_other_birth"),
            (zone("OBAIDI", "AHMED", "840517", "F"), "mrz_other_sex"),
            (zone("OBAIDI", "KAMAL", "840517", "M"), "mrz_other_name"),
            (zone("QASIM", "AHMED", "840517", "M"), "mrz_other_name"),
            (zone("OBAIDI", "AHMED", "840517", "M", "SYR"), "mrz_other_issuer"),
        ],
    )
    async def test_each_thing_is_compared(self, house: House, lines: Any, code: str) -> None:
        assert {code for _, code in await refused(house, self.body(lines))} == {code}

    @pytest.mark.parametrize(
        ("lines", "values"),
        [
            (zone("OBAIDI", "AHMED", "840517", "M"), {}),
            (zone("AL<OBAYDI", "AHMAD<SALMAN", "840517", "M"), {}),
            (zone("SALMAN", "AHMED", "840517", "M"),
             {"names": [names("Ahmed", "Obaidi") | {"father": "Salman"}]}),
            (zone("OBAIDI", "AHMED", "840517", "M"), {"names": [names("أحمد", "العبيدي", "Arab")]}),
            (zone("OBAIDI", "AHMED", "840517", "<"), {}),
            (zone("OBAIDI", "AHMED", "84<<<<", "M"), {}),
            (zone("OBAIDI", "AHMED", "840101", "M"),
             {"birth": {"date": "1984-07-01", "precision": "year"}}),
            (zone("QASIM", "AMINA", "840517", "F"),
             {"names": [names("Amina", "Obaidi")], "sex": "female"}),
        ],
    )  # fmt: skip
    async def test_what_may_be_is_taken(
        self, house: House, lines: Any, values: dict[str, Any]
    ) -> None:
        await taken(house, self.body(lines, **values))

    async def test_a_correction_is_compared_too(self, house: House) -> None:
        returnee = (await house.accepted()).people[0]
        at = f"/returnees/{returnee}"
        passport = {"kind": "passport", "number": "A1234567", "issuer": "IRQ"}
        passport["mrz"] = zone("SMITH", "JANE", "500101", "F")  # type: ignore[assignment]
        body = {"documents": [passport]}
        answer = await house.call("PATCH", at, body, etag=await house.etag(at))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/documents/0/mrz"
