"""The machine-readable zone of a travel document, and whether its check digits hold (ICAO Doc
9303). Pure.
"""

import re
from dataclasses import dataclass

LINE = re.compile(r"[0-9A-Z<]+")
WEIGHTS = (7, 3, 1)
FILLER = "<"
TD1, TD2, TD3 = (3, 30), (2, 36), (2, 44)
FORMATS = frozenset({TD1, TD2, TD3})
SHORT_NUMBER = 9


def check_digit(text: str) -> str:
    """The check digit of letters, digits and fillers: weights 7, 3, 1, modulo 10; A is 10, a filler
    0 (part 3, 4.9).
    """
    return str(
        sum(WEIGHTS[place % 3] * _value(character) for place, character in enumerate(text)) % 10
    )


def _value(character: str) -> int:
    return 0 if character == FILLER else int(character, 36)


@dataclass(frozen=True, slots=True)
class Zone:
    """What is compared of a zone.

    Attributes:
        number: The document's number, without fillers.
        holds: Whether every check digit does.
        issuer: The state or organisation, as the zone writes it.
        surname: The primary identifier, words apart.
        given: The secondary one; empty where the zone has one name only.
        birth: Year, month and day of two digits each, fillers where they are not known.
        sex: M, F, or a filler.
    """

    number: str
    holds: bool
    issuer: str
    surname: str
    given: str
    birth: str
    sex: str


def read(lines: list[str]) -> Zone | None:
    """Read a zone of two or three lines.

    Returns:
        None if it is none of the formats TD1, TD2 and TD3.
    """
    form = (len(lines), len(lines[0]) if lines else 0)
    if form not in FORMATS or any(
        len(line) != form[1] or not LINE.fullmatch(line) for line in lines
    ):
        return None
    return _card(lines) if form == TD1 else _booklet(lines, optional_checked=form == TD3)


def _names(text: str) -> tuple[str, str]:
    """Surname and given names of a name field."""
    surname, _, given = text.partition(FILLER * 2)
    return surname.replace(FILLER, " ").strip(), given.replace(FILLER, " ").strip()


def _right(text: str, digit: str, *, may_be_empty: bool = False) -> bool:
    if may_be_empty and digit == FILLER:
        return not text.strip(FILLER)
    return digit == check_digit(text)


def _booklet(lines: list[str], *, optional_checked: bool) -> Zone:
    line, (surname, given) = lines[1], _names(lines[0][5:])
    number, birth, expiry = line[:9], line[13:19], line[21:27]
    holds = _right(number, line[9]) and _right(birth, line[19]) and _right(expiry, line[27])
    if optional_checked:
        holds = holds and _right(line[28:42], line[42], may_be_empty=True)
    holds = holds and _right(line[:10] + line[13:20] + line[21:-1], line[-1])
    return Zone(
        number.rstrip(FILLER),
        holds,
        issuer=lines[0][2:5].rstrip(FILLER),
        surname=surname,
        given=given,
        birth=birth,
        sex=line[20],
    )


def _card(lines: list[str]) -> Zone:
    first, second = lines[0], lines[1]
    number, digit = first[5:14], first[14]
    if (
        digit == FILLER
    ):  # a number of more than nine characters goes on, and its check digit comes last
        rest = first[15:].split(FILLER)[0]
        number, digit = number + rest[:-1], rest[-1:]
    holds = (
        _right(number, digit) and _right(second[:6], second[6]) and _right(second[8:14], second[14])
    )
    composite = first[5:] + second[:7] + second[8:15] + second[18:29]
    surname, given = _names(lines[2])
    return Zone(
        number.rstrip(FILLER),
        holds and _right(composite, second[29]),
        issuer=first[2:5].rstrip(FILLER),
        surname=surname,
        given=given,
        birth=second[:6],
        sex=second[7],
    )
