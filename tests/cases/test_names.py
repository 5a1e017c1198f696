"""Names as people and offices write them: what of a field is a name, and when two names agree."""

# ruff: noqa: RUF001 - letters that look alike are what this is about

import pytest

from chassis.text import folded, western_digits
from contracts.names import is_address, is_missing
from services.cases.people.matching.numbers import document_key, misread_key, says_nothing
from services.cases.people.names.agreement import Order, agreement
from services.cases.people.names.words import spelled


@pytest.mark.parametrize(
    "part",
    [
        "",
        " ",
        "-",
        ".",
        "--",
        "N/A",
        "n.a.",
        "NULL",
        "FNU",
        "LNU",
        "Unknown",
        "UNKNOWN",
        "(unknown)",
        "XXX",
        "غير معروف",
        "غیر معروف",
        "مجهول",
        "نامعلوم",
        "неизвестно",
        "Невідомо",
        "unbekannt",
        "Inconnue",
        "onbekend",
        "desconocido",
        "نەزانراو",
        "nenas",
        "bilinmiyor",
        "անհայտ",
        "უცნობი",
        "לא ידוע",
        "άγνωστος",
        "ያልታወቀ",
        "অজানা",
        "अज्ञात",
        "không rõ",
        "i panjohur",
        "123",
        "?",
    ],
)
def test_a_word_for_unknown_is_no_name(part: str) -> None:
    assert is_missing(part)
    assert spelled(part, part, part, part).words == ()


@pytest.mark.parametrize(
    "part", ["Na", "Nun", "Noor", "Li", "Xu", "Ali", "علي", "نور", "Нина", "Ο Γιώργος"]
)
def test_a_name_is_one(part: str) -> None:
    assert not is_missing(part)


@pytest.mark.parametrize(
    ("part", "given", "beside"),
    [
        ("Dr. Haji Ahmad", ("ahmad",), ()),
        ("HAJI", ("haji",), ()),
        ("Ahmad Mr", ("ahmad",), ()),
        ("Eng. Sayyid Ali Reza", ("ali", "reza"), ()),
        ("المهندس أحمد", ("احمد",), ()),
        ("Abu Ali", (), ("abuali",)),
        ("Hassan Abu Ali", ("hassan",), ("abuali",)),
        ("أم كلثوم", ("امکلثوم",), ()),
        ("Abu Bakr", ("abubakr",), ()),
        ("Ahmad (Hama)", ("ahmad",), ("hama",)),
        ("(Hama)", ("hama",), ()),
        ("Salah al-Din", ("salahdin",), ()),
        ("Abd al-Rahman", ("abdrahman",), ()),
        ("Md. Rahim", ("mohammad", "rahim"), ()),
        ("A. Hassan", ("hassan",), ()),
        ("علی\u200cرضا", ("علیرضا",), ()),
    ],
)
def test_what_stands_beside_a_name(
    part: str, given: tuple[str, ...], beside: tuple[str, ...]
) -> None:
    found = spelled(part, "", "", "")
    assert (found.given, found.beside) == (given, beside)


@pytest.mark.parametrize(
    ("one", "other", "order"),
    [
        (("Dara", "", "", "Rojin"), ("Rojin", "", "", "Dara"), Order.EXCHANGED),
        (("Haydar Abbas Mizhir", "", "", ""), ("Haydar", "Abbas", "", "Mizhir"), Order.MORE),
        (("", "", "", "Mizhir Haydar Abbas"), ("Haydar", "Abbas", "", "Mizhir"), Order.MORE_MOVED),
        (("Haydar", "Abbas", "", "Mizhir"), ("Haydar", "Abbas", "Qasim", "Mizhir"), None),
        (("Orina", "Pavlo", "", "Bondar"), ("Irina", "Pavlo", "Boris", "Bondar"), None),
    ],
)
def test_words_that_stand_elsewhere(
    one: tuple[str, ...], other: tuple[str, ...], order: Order | None
) -> None:
    assert agreement([spelled(*one)], [spelled(*other)]).order == order
    assert agreement([spelled(*other)], [spelled(*one)]).order == order


def test_digits_of_every_script_are_digits() -> None:
    assert western_digits("A٢٢٣ ۴۵৬७") == "A223 4567"
    assert document_key("A٢٢٣٤٥٦٧") == document_key("a 223-4567") == "A2234567"
    assert document_key("АВ1234567") == "AB1234567"
    assert misread_key("AO1I5S") == misread_key("A01155")
    assert says_nothing(document_key("000000"))
    assert says_nothing(document_key("UNKNOWN"))
    assert not says_nothing(document_key("A2234567"))


def test_what_cannot_be_seen_is_not_compared() -> None:
    assert folded("\u200fعلی\u200cرضا\u202c") == "علیرضا"
    assert is_address("Dr.")
