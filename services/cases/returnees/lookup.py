"""By what terms people are looked up by name: each word as it is spelled, and as it sounds. Pure.

A term says little about how well a name agrees; it only picks, from a million people, those that are worth a look.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from services.cases.returnees.rules import plain
from services.cases.returnees.sounds import bare, codes

MOST_WORDS = 6
SPELLED, SOUNDING = "=", "~"
# What the article and the servant of God are written apart from belongs to the word that follows.
APART = re.compile(r"\b(?:[aeu]l|[ae][lsnrdtz]|a(?:sh|th|dh))[-\s]+(?=\w)")
SERVANT = re.compile(r"\b(abd\w{0,3}|عبد)[-\s]+(?=\w)")


def words(text: str) -> list[str]:
    """The words of a name, without the articles before them."""
    joined = APART.sub("", SERVANT.sub(r"\1", bare(text)))
    return re.split(r"[-\s]+", joined.strip()) if joined.strip() else []


@lru_cache(maxsize=65536)
def terms_of(word: str) -> tuple[str, ...]:
    """A word as it is spelled in plain letters, and as it may sound."""
    spelled = plain(word).replace(" ", "")
    sounding = codes(word)
    if sounding == {"-"}:  # vowels only, or letters of a script that is read in plain letters
        sounding = codes(spelled)
    return (*((SPELLED + spelled,) if spelled else ()), *(SOUNDING + code for code in sorted(sounding)))


def terms(names: Iterable[tuple[str, ...]]) -> list[str]:
    """Every term by which somebody is found.

    Args:
        names: The parts of each of their names.
    """
    return sorted({term for parts in names for part in parts for term in _terms_of_part(part)})


@lru_cache(maxsize=65536)
def _terms_of_part(part: str) -> frozenset[str]:
    several = words(part)
    found = {term for word in several for term in terms_of(word)}
    return frozenset(found | set(terms_of("".join(several))) if len(several) > 1 else found)


def wanted(q: str) -> list[tuple[str, ...]]:
    """The terms of each word that is looked for, the first being its spelling where it has one."""
    return [found for word in words(q)[:MOST_WORDS] if (found := terms_of(word))]
