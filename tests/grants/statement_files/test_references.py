"""References in every usual form, and the platform's own."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.grants.statement_files.references import (
    LENGTH,
    default_reference,
    details_of,
    is_default,
    mentioned,
    sure,
    tidy,
)

REFERENCE = "BM-F5FF6FA354"
OWN = default_reference(UUID("01a22eb1-b4dc-7300-8000-0123456789ab"))


@given(st.uuids())
def test_a_default_reference_fits_16_characters_and_checks(payment_id: UUID) -> None:
    reference = default_reference(payment_id)
    assert len(reference) == LENGTH == 16
    assert is_default(reference)
    assert reference == default_reference(payment_id)
    assert tidy(reference) == reference


def test_one_wrong_sign_or_two_that_changed_places_are_noticed() -> None:
    for place in range(2, LENGTH):
        for sign in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            changed = OWN[:place] + sign + OWN[place + 1 :]
            assert is_default(changed) == (changed == OWN)
    swapped = [OWN[:i] + OWN[i + 1] + OWN[i] + OWN[i + 2 :] for i in range(2, LENGTH - 1)]
    assert not any(is_default(text) for text in swapped if text != OWN)


def test_references_of_many_payments_differ() -> None:
    assert len({default_reference(uuid4()) for _ in range(20_000)}) == 20_000


@pytest.mark.parametrize(
    "text",
    [
        f"177?00UEBERWEISUNG?109301?20EREF+{REFERENCE}?21SVWZ+Course fee?30AAAADEFF",
        f"177?00UEBERWEISUNG?20EREF+{REFERENCE}?21Course fee without a code word",
        "177?00UEBERWEISUNG?20EREF+BM-F5FF?216FA354?22SVWZ+Course fee",
        "177?00UEBERWEISUNG?2\n0EREF+BM-F5FF?216FA\n354?22KREF+X?23SVWZ+Course",
        f"116?20KREF+{REFERENCE}?21SVWZ+Course fee",
        f"177?20SVWZ+EREF: {REFERENCE} Course fee",
        f"/TRTP/SEPA OVERBOEKING/EREF/{REFERENCE}/REMI/USTD//x",
        f"/EREF/{REFERENCE}//CNTP/NL32INGB0000012345/INGBNL2A/NAME///REMI/USTD//x/",
        "/BENM//NAME/X/REMI/Y/EREF/BM-F5F\nF6FA354",
        f"/REMI/STRD/CUR/{REFERENCE}/ISDT/2026-11-30",
        f"020~00X~20EREF+{REFERENCE}~21COURSE",
        f"225^00X^20EREF+{REFERENCE}^21COURSE",
        f"020<00X<20EREF+{REFERENCE}<21COURSE",
        f"020>00X>20EREF+{REFERENCE}>21COURSE",
        f"020+00X+20EREF+{REFERENCE}+21COURSE",
        f"EREF+{REFERENCE} SVWZ+Course".replace(" SVWZ", "SVWZ"),
        f"SEPA TRANSFER\nEnd-to-End-Ref.: {REFERENCE}\nCourse fee",
        f"Kundenreferenz: {REFERENCE}",
        f"Your reference: {REFERENCE} thank you",
        f"BETALINGSKENM.: {REFERENCE}",
    ],
)
def test_references_are_found_where_they_are_expected(text: str) -> None:
    assert REFERENCE in details_of(text).references


@pytest.mark.parametrize(
    "text",
    [
        f"TRANSFER {REFERENCE} COURSE FEE",
        f"177?20SVWZ+Course fee {REFERENCE}?21and more",
        f"/PT/FT/PY/COURSE FEE {REFERENCE}",
        f"(ref {REFERENCE}), thank you",
    ],
)
def test_others_are_only_mentioned(text: str) -> None:
    details = details_of(text)
    assert details.references == ()
    assert REFERENCE in details.mentions


@pytest.mark.parametrize(
    "text",
    [
        f"COURSE FEE {OWN} NOVEMBER",
        f"166?20SVWZ+COURSE {OWN[:5]}?21{OWN[5:]} FEE",
        f"COURSE FEE {OWN[:7]}\n{OWN[7:]} NOVEMBER",
        f"COURSE FEE {OWN[:4]} {OWN[4:8]} {OWN[8:12]} {OWN[12:]}",
        f"course fee {OWN.lower()}",
        f"/REMI/USTD//COURSE {OWN[:9]}-{OWN[9:]}/",
    ],
)
def test_the_platforms_own_is_found_in_any_text(text: str) -> None:
    assert OWN in details_of(text).mentions


def test_what_only_looks_like_it_is_not() -> None:
    wrong = OWN[:-1] + ("0" if OWN[-1] != "0" else "1")
    assert not [m for m in mentioned(f"COURSE {wrong[:8]} {wrong[8:]}") if is_default(m)]


@pytest.mark.parametrize(
    "text", ["NONREF", "NOTPROVIDED", "nonref", " ", "EREF", "KREF+", "-", "//", "Not Provided"]
)
def test_no_reference_is_none(text: str) -> None:
    assert sure(text) == ()


@given(st.text(max_size=400))
def test_any_text_is_looked_through(text: str) -> None:
    details = details_of(text)
    assert len(details.mentions) <= 20
    assert all(len(reference) <= 35 for reference in (*details.references, *details.mentions))
