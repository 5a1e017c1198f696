"""Names as airlines and escorts write them into a passenger's line."""

import re

from contracts.names import is_missing

TITLE_WORDS = "mr mrs ms miss mister mstr master dr prof eng sir mme mlle herr frau chd"
TITLES = frozenset(TITLE_WORDS.split())
INFANT = frozenset({"inf", "inft", "infant"})
FILLER = re.compile(r"<+")


def known_part(part: str | None) -> str | None:
    """A part of a name; None for a word that stands for one that nobody knows."""
    return None if part is None or is_missing(part) else part


def parts_of(family: str, given: str) -> tuple[str, str, bool]:
    """Family and given names of a line, and whether it calls the passenger an infant.

    `QARAGHULI/TAHSEEN MR` is both names in one field, with a title; `AL<KHALIDI` has the filler of
    a machine-readable zone for a blank.
    """
    family, given = (" ".join(FILLER.sub(" ", part).split()) for part in (family, given))
    if "/" in family and not given:
        family, _, given = family.partition("/")
    elif "/" in given and not family:
        family, _, given = given.partition("/")
    given, infant = _without_titles(given)
    return family.strip(), given, infant


def _without_titles(given: str) -> tuple[str, bool]:
    words, infant = given.split(), False
    while len(words) > 1:
        last, first = words[-1].strip("().").casefold(), words[0].strip("().").casefold()
        if last in TITLES | INFANT:
            infant |= last in INFANT
            words.pop()
        elif first in TITLES:
            words.pop(0)
        else:
            break
    return " ".join(words), infant
