"""The lists of codes: for everybody, in the words of the timeline, and told when they changed."""

from contracts.codes import ReturnKind
from services.cases.code_lists.lists import SPOKEN, code_lists
from tests.cases.house import House


async def test_anybody_reads_them_and_is_told_that_nothing_changed(house: House) -> None:
    answer = await house.http.get("/v1/code-lists/closure-reasons")
    assert answer.status_code == 200, answer.text
    labels = {each["code"]: each["labels"] for each in answer.json()["codes"]}
    assert labels["lost_contact"]["en"] == "contact was lost"
    assert {"ar", "ckb", "kmr"} <= labels["lost_contact"].keys()
    again = await house.http.get(
        "/v1/code-lists/closure-reasons", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304
    assert (await house.http.get("/v1/code-lists/nothing")).status_code == 404
    every = (await house.http.get("/v1/code-lists")).json()["items"]
    kinds = next(each for each in every if each["id"] == "return-kinds")
    assert [each["code"] for each in kinds["codes"]] == list(ReturnKind)


def test_a_language_speaks_a_list_wholly_or_as_english_does() -> None:
    for name in SPOKEN:
        for each in code_lists()[name].codes:
            assert not each.labels or len(each.labels) == 8, (name, each.code)
