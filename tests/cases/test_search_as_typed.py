"""Search by one word as people type it: over a joiner, with a wrong letter, by its beginning."""

# ruff: noqa: RUF001 - letters and digits that look alike are what these tests are about

from typing import Any

import pytest

from tests.cases.house import House, alone


async def bear(house: House, given: str, family: str, script: str = "Latn") -> str:
    body = alone()
    name = {"script": script, "given": given, "father": "", "grandfather": "", "family": family}
    body["people"][0] |= {"names": [name], "documents": [], "contacts": []}
    return (await house.accepted(body)).people[0]


async def found(house: House, q: str, limit: int = 20) -> list[Any]:
    answer = await house.post("/returnees/search", {"q": q, "limit": limit})
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"]]


@pytest.mark.parametrize("q", ["علی\u200cرضا", "علیرضا", "علی رضا", "رضا شهابیان"])
async def test_a_joiner_parts_words_or_does_not(house: House, q: str) -> None:
    joined = await bear(house, "علی\u200cرضا", "شهابیان", "Arab")
    apart = await bear(house, "علی رضا", "شهابیان", "Arab")
    assert {joined, apart} <= set(await found(house, q))


async def test_digits_of_every_script_find_a_number(house: House) -> None:
    body = alone()
    passport = {"kind": "passport", "number": "K٤٤١٧٢٠٣", "issuer": "IRQ"}
    body["people"][0]["documents"] = [passport]
    person = (await house.accepted(body)).people[0]
    for q in ("K4417203", "K۴۴۱۷۲۰۳", "4417203"):
        assert person in await found(house, q)


async def test_a_wrong_consonant_is_not_lost_among_what_sounds_so(house: House) -> None:
    sought = await bear(house, "Nazanin", "Ghalvashi")
    for _ in range(6):
        await bear(house, "Nazanin", "Galmaschi")
    assert sought in await found(house, "Ghalmashi", limit=6)


async def test_a_beginning_is_not_lost_either(house: House) -> None:
    sought = await bear(house, "Nazanin", "Torkamani")
    for number in range(6):
        await bear(house, "Nazanin", f"T{'aeiu'[number % 4]}rk")
    assert sought in await found(house, "Tork", limit=6)
