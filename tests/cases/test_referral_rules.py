"""What is right in a referral: every valid example, and each defect with the code that it deserves."""

import csv
import json
import unicodedata
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chassis.errors import Problem
from contracts.codes import NeedsPriority
from services.cases.fields import has_control, is_mojibake
from services.cases.intake.referrals import rules
from services.cases.intake.referrals.schemas import ReferralIn
from services.cases.programmes import known_referrers, programmes
from services.cases.states.intake import ReferralState
from tests.cases.house import REFERRAL, referral

TODAY = date(2026, 1, 15)
EXAMPLES = Path(__file__).parents[2] / "examples" / "referrals.jsonl"
INVALID = Path(__file__).parent / "data" / "referrals_invalid.csv"


def codes(body: dict[str, Any]) -> set[str]:
    """Every defect of a referral by its code."""
    try:
        parsed = ReferralIn.model_validate(body)
    except ValidationError as error:
        return {item["type"] for item in error.errors()}
    _, errors = rules.assess(parsed, programmes(), known_referrers(), TODAY)
    return {error.code for error in errors}


def parts(cell: str, names: str) -> list[dict[str, Any]]:
    keys = names.split()
    return [dict(zip(keys, item.split("|"), strict=False)) for item in cell.split(";") if item]


def from_row(row: dict[str, str]) -> dict[str, Any]:
    """A row of the file as the referral that it stands for."""
    travel = None
    if row["travel_state"]:
        travel = {
            "state": row["travel_state"],
            "carrier": row["travel_carrier"] or None,
            "flight_number": row["flight_number"] or None,
            "departs_on": row["departs_on"],
            "arrives_at": row["arrives_at"] or None,
            "port_of_entry": row["port_of_entry"],
            "escorted": {"true": True, "false": False}.get(row["escorted"], row["escorted"]),
        }
    names = [
        {
            "script": script,
            "given": row[f"given_{suffix}"],
            "father": row[f"father_{suffix}"],
            "grandfather": row[f"grandfather_{suffix}"],
            "family": row[f"family_{suffix}"],
        }
        for script, suffix in (("Latn", "latn"), ("Arab", "arab"))
    ]
    contacts = [
        c | {"safe_hours": c.get("safe_hours") or None}
        for c in parts(row["contacts"], "kind value owner safe_hours")
    ]
    documents = [
        d | {"expires": d.get("expires") or None}
        for d in parts(row["documents"], "kind number issuer expires")
    ]
    return {
        "external_reference": row["external_reference"],
        "sender": row["sender"],
        "programme": row["programme"],
        "return": {
            "kind": row["return_kind"],
            "legal_status": row["legal_status"],
            "host_country": row["host_country"],
            "country_of_return": row["country_of_return"],
        },
        "travel": travel,
        "people": [
            {
                "role": row["role"],
                "names": names,
                "sex": row["sex"],
                "birth": {"date": row["birth_date"], "precision": row["birth_precision"]},
                "nationality": row["nationality"],
                "documents": documents,
                "languages": row["languages"].split(";") if row["languages"] else [],
                "contacts": contacts,
            }
        ],
        "destination": {
            "governorate": row["governorate"],
            "district": row["district"],
            "address": row["address"],
        },
        "needs": row["needs"].split(";") if row["needs"] else [],
        "vulnerabilities": parts(row["vulnerabilities"], "kind status"),
        "requested_assistance": row["requested_assistance"].split(";")
        if row["requested_assistance"]
        else [],
        "consents": parts(row["consents"], "purpose version given_on legal_basis"),
        "notes": row["notes"],
    }


def invalid_rows() -> list[Any]:
    with INVALID.open(encoding="utf-8-sig", newline="") as file:
        return [
            pytest.param(row, id=f"{number}-{row['expected_problem']}")
            for number, row in enumerate(csv.DictReader(file))
            # A reference that was used is only wrong beside the one that used it; test_referrals
            # holds that.
            if row["expected_problem"] != "duplicate_reference"
        ]


@pytest.mark.parametrize("row", invalid_rows())
def test_each_defect_gets_its_code(row: dict[str, str]) -> None:
    expected = row.pop("expected_problem")
    found = codes(from_row(row))
    # In the file a row is a person; one who is not the principal would be refused for that too.
    assert found - {"one_principal"} == {expected}


def said(document: dict[str, Any]) -> dict[str, Any]:
    """What a document says, without what it leaves open."""
    return {name: value for name, value in document.items() if value is not None}


@pytest.mark.parametrize("line", EXAMPLES.read_text(encoding="utf-8").splitlines())
def test_every_example_is_right_and_kept_to_the_letter(line: str) -> None:
    body = json.loads(line)
    assert codes(body) == set()
    parsed = ReferralIn.model_validate(body)
    kept = parsed.model_dump(mode="json", by_alias=True)
    for person, sent in zip(kept["people"], body["people"], strict=True):
        assert person["names"] == sent["names"]
        assert [said(document) for document in person["documents"]] == [
            said(document) for document in sent["documents"]
        ]
        assert person["contacts"] == sent["contacts"]
        assert person["birth"] == sent["birth"]


def test_a_family_has_one_principal() -> None:
    body = referral()
    body["people"][1]["role"] = "principal"
    assert codes(body) == {"one_principal"}


def test_a_partner_of_another_programme_is_refused() -> None:
    assert codes(referral(requested_partner="other-ngo")) == {"partner_outside_programme"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, NeedsPriority.ROUTINE),
        ({"needs": ["medical"]}, NeedsPriority.RAISED),
        ({"vulnerabilities": [{"kind": "elderly", "status": "suspected"}]}, NeedsPriority.RAISED),
        (
            {"vulnerabilities": [{"kind": "victim_of_trafficking", "status": "suspected"}]},
            NeedsPriority.URGENT,
        ),
    ],
)
def test_how_urgent(values: dict[str, Any], expected: NeedsPriority) -> None:
    assert rules.needs_priority(ReferralIn.model_validate(referral(**values))) is expected


@pytest.mark.parametrize(("born", "expected"), [("2008-03-15", "child"), ("2008-03-14", "adult")])
def test_a_child_turns_eighteen_on_the_birthday(born: str, expected: str) -> None:
    body = referral()
    body["people"][1]["birth"]["date"] = born
    person = ReferralIn.model_validate(body).people[1]
    assert rules.member_of_household(person, date(2026, 3, 14)) == expected


@given(
    st.lists(
        st.sampled_from(sorted({a for allowed in rules.TRANSITIONS.values() for a in allowed})),
        max_size=12,
    )
)
def test_no_sequence_of_actions_leads_outside_the_table(actions: list[str]) -> None:
    state = ReferralState.SUBMITTED
    refusals: list[tuple[str, Problem]] = []
    for action in actions:
        try:
            state = rules.after(state, action)
        except Problem as problem:
            refusals.append((action, problem))
    assert state in rules.TRANSITIONS
    assert all(problem.kind.status == 409 for _, problem in refusals)
    assert all(action not in problem.extensions["allowed"] for action, problem in refusals)


@given(st.text(alphabet=st.characters(categories=("L", "M", "Zs")), max_size=40))
def test_words_of_any_language_are_not_controls(words: str) -> None:
    assert not has_control(words, lines=False)


@given(
    st.text(
        alphabet=st.characters(min_codepoint=0x600, max_codepoint=0x6FF, categories=("L",)),
        min_size=2,
        max_size=20,
    )
)
def test_broken_arabic_is_noticed_and_whole_arabic_is_not(words: str) -> None:
    assert is_mojibake(words.encode().decode("latin-1"))
    assert not is_mojibake(words)


@pytest.mark.parametrize(
    "name", ["Müller", "Ngũgĩ", "Çelik", "Łukasz", unicodedata.normalize("NFD", "Zoë")]
)
def test_accents_are_not_broken_text(name: str) -> None:
    assert not is_mojibake(name)


def test_the_fixture_is_right() -> None:
    assert codes({"external_reference": "x", **REFERRAL}) == set()
