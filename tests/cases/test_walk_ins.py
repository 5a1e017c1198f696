"""Whom a desk met without a referral: adopted as it took them down, whatever that was."""

from uuid import uuid4

from contracts.codes import NeedsPriority
from contracts.reception import ArrivalCorrected, ArrivalProfiled, ArrivalReceived
from services.cases.intake import walk_ins
from tests.cases.house import House

AS_TAKEN_DOWN = {
    "names": [
        {
            "script": "Latn",
            "given": "ZÃ¤ynab",
            "father": "",
            "grandfather": "",
            "family": "=Wardaxil",
        }
    ],
    "sex": "female",
    "birth": {"date": "1990-01-01", "precision": "estimated"},
    "nationality": "IRQ",
    "languages": ["ger", "alb"],
    "documents": [{"kind": "passport", "number": "- -", "issuer": "IRQ"}],
    "organisation": "iom-iraq",
    "programme": "eurp",
    "return_kind": None,
    "country_of_return": "IRQ",
    "household_id": None,
    "member": "principal",
}


async def test_nothing_of_them_is_refused_any_more(house: House) -> None:
    met = [uuid4(), uuid4()]
    for each in met:
        payload = {
            "returnee_id": str(each),
            "arrival_id": str(uuid4()),
            "state": "met",
            "arrived_on": "2026-03-15",
        }
        async with house.homeward.database.transaction() as session:
            await walk_ins.apply(session, payload, AS_TAKEN_DOWN)
    seen = await house.get(f"/returnees/{met[0]}")
    assert seen.json()["identity"]["names"] == AS_TAKEN_DOWN["names"]
    found = await house.post("/returnees/search", {"q": "Wardaxil"})
    assert found.status_code == 200, found.text
    assert {each["id"] for each in found.json()["items"]} == {str(each) for each in met}
    (other,) = (await house.get(f"/returnees/{met[0]}/duplicates")).json()["items"]
    assert "same_document" not in {each["reason"] for each in other["evidence"]}
    # Without a kind of return no case is opened; their programme's office may know of them all the
    # same.
    assert (await house.get(f"/returnees/{met[0]}", "frontex")).json()["case_ids"] == []


async def test_needs_that_were_found_before_the_case_was_opened_are_its_needs(house: House) -> None:
    returnee_id = uuid4()
    fact = {
        "returnee_id": returnee_id,
        "arrival_id": uuid4(),
        "port_of_entry": "EBL",
        "programme": "eurp",
    }
    await house.tell(
        ArrivalReceived(**fact, arrived_on="2026-03-15", walk_in=True),
        ArrivalProfiled(**{**fact, "needs_priority": NeedsPriority.URGENT}),
        ArrivalCorrected(**fact, arrived_on="2026-03-16"),
    )
    async with house.homeward.database.transaction() as session:
        payload = await walk_ins.lock_waiting(session, returnee_id)
        assert payload is not None
        await walk_ins.apply(session, payload, AS_TAKEN_DOWN | {"return_kind": "forced"})
    (case_id,) = (await house.get(f"/returnees/{returnee_id}")).json()["case_ids"]
    case = (await house.get(f"/cases/{case_id}")).json()
    assert (case["needs_priority"], case["arrived_on"]) == ("urgent", "2026-03-16")
