"""Machine-readable zones: the specimens of ICAO Doc 9303, and what a misread character does to
them.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.cases.people import mrz
from services.cases.people.particulars import Document

PASSPORT = [
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
]
CARD = [
    "I<UTOD231458907<<<<<<<<<<<<<<<",
    "7408122F1204159UTO<<<<<<<<<<<6",
    "ERIKSSON<<ANNA<MARIA<<<<<<<<<<",
]
SMALL = ["I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6"]


@pytest.mark.parametrize(
    ("lines", "number"), [(PASSPORT, "L898902C3"), (CARD, "D23145890"), (SMALL, "D23145890")]
)
def test_the_specimens_hold(lines: list[str], number: str) -> None:
    zone = mrz.read(lines)
    assert zone is not None
    assert (zone.number, zone.holds) == (number, True)
    assert (zone.surname, zone.given) == ("ERIKSSON", "ANNA MARIA")
    assert (zone.issuer, zone.birth, zone.sex) == ("UTO", "740812", "F")


@given(
    st.integers(0, 42).filter(lambda place: place not in {10, 11, 12, 20}),
    st.sampled_from("0123456789"),
)
def test_a_misread_digit_shows(place: int, digit: str) -> None:
    line = PASSPORT[1]
    if not line[place].isdigit() or line[place] == digit:
        return
    zone = mrz.read([PASSPORT[0], line[:place] + digit + line[place + 1 :]])
    assert zone is not None
    assert not zone.holds


@pytest.mark.parametrize(
    ("lines", "number", "code"),
    [
        (PASSPORT[:1], "L898902C3", "bad_mrz"),
        ([PASSPORT[0], PASSPORT[1][:-1] + "3"], "L898902C3", "mrz_check_digit"),
        (PASSPORT, "A12345678", "mrz_other_number"),
    ],
)
def test_what_is_wrong_is_said(lines: list[str], number: str, code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Document.model_validate(
            {"kind": "passport", "number": number, "issuer": "IRQ", "mrz": lines}
        )
    assert refused.value.errors()[0]["type"] == code


def test_a_document_may_be_given_with_its_zone() -> None:
    document = Document.model_validate(
        {"kind": "passport", "number": "L898902C3", "issuer": "IRQ", "mrz": PASSPORT}
    )
    assert document.mrz == PASSPORT
