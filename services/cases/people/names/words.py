"""A name taken apart into the words that tell people apart, as they are written in its parts. Pure.

What stands in a part beside a name is no part of it: a title, a nickname in brackets, a particle
that one office writes and the next leaves out, a word for "unknown". A kunya (Abu Ali, "father of
Ali") names somebody beside their own name or in its place, so it is kept apart: it may agree, and
never contradicts.
"""

# ruff: noqa: SIM905 - names in Arabic letters; a list of words reads best as words

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from chassis.text import folded
from contracts.names import is_address, is_honour, is_missing
from services.cases.people.names.letters import bare
from services.cases.people.names.sounds import is_arabic

BRACKETED = re.compile(r"[(\[{«“„\"](.+?)[)\]}»”“\"]|[/|](.+)$")
KNOWN_AS = re.compile(
    r"\b(?:alias|a\.?k\.?a\.?|known as|called|genannt|dit|dite|المعروف ب|الملقب ب)\s+(.+)$"
)
APART = re.compile(
    r"\b(?:[aeu]l|[ae][lsnrdtz]|a(?:sh|th|dh))[-\s]+(?=\w{3})|(?<=\s)(?:u|ud|ul)[-\s]+(?=d[ie])"
)
SERVANT = re.compile(r"\b(abd\w{0,3}|عبد)[-\s]+(?=\w)")
PARTICLES = frozenset(
    (
        "bin ibn ben bint bent binti ould wuld wld oglu oghlu ogly uulu kyzy kizi qizi gizi "
        "de del la las los dos van von der den ter thi ap بن ابن بنت ولد اوغلو"
    ).split()
)
AFTER = frozenset(
    (
        "din dine deen ddin uddin eddin eddine aldin aldeen allah ullah ollah الدین دین الله اله"
    ).split()
)
"""Second words of one name: Salah al-Din, Noor Ullah."""
PARENT = frozenset("abu abou abo abi um umm oum om abul abul ابو ابا ابی ام".split())
"""Of whom somebody is father or mother, in a kunya."""
NAMES_NOT_KUNYAS = frozenset(
    "bakr bakar baker bekr bakir bekir kulthum kalthoum kulsum kulsoom talib taleb".split()
)
NAMES_NOT_KUNYAS |= frozenset("بکر کلثوم طالب الفضل فضل fazl fazel".split())
ABBREVIATED = {
    "md": "mohammad",
    "mohd": "mohammad",
    "muhd": "mohammad",
    "mhd": "mohammad",
    "moh": "mohammad",
}
PARTS = ("given", "father", "grandfather", "family")


@dataclass(frozen=True, slots=True)
class Spelled:
    """A name as it is spelled in one script: the words of each part.

    Attributes:
        beside: Other names that stood with the given name: nicknames, a kunya.
        register: Whether it is in the script of the civil registers of Arabic-speaking countries.
    """

    given: tuple[str, ...]
    father: tuple[str, ...]
    grandfather: tuple[str, ...]
    family: tuple[str, ...]
    beside: tuple[str, ...]
    register: bool

    @property
    def words(self) -> tuple[str, ...]:
        """Returns all words, in the order of the parts."""
        return self.given + self.father + self.grandfather + self.family

    @property
    def placed(self) -> list[tuple[str, str]]:
        """Returns all words with the parts they stand in."""
        return [(part, word) for part in PARTS for word in getattr(self, part)]


@lru_cache(maxsize=16384)
def spelled(given: str, father: str, grandfather: str, family: str) -> Spelled:
    """Takes a name apart."""
    first, others = _words(given, kunyas=True)
    beside = [*others]
    parts = []
    for text in (father, grandfather, family):
        words, others = _words(text, kunyas=False)
        parts.append(words)
        beside += others
    register = any(is_arabic(word) for words in (first, *parts, beside) for word in words)
    return Spelled(first, parts[0], parts[1], parts[2], tuple(beside), register)


@lru_cache(maxsize=65536)
def _words(text: str, *, kunyas: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not text or is_missing(text):
        return (), ()
    beside: list[str] = []

    def apart(found: re.Match[str]) -> str:
        beside.extend(filter(None, found.groups()))
        return " "

    seen = KNOWN_AS.sub(apart, BRACKETED.sub(apart, folded(text)))
    if not seen.strip():
        seen, beside = " ".join(beside), []
    if is_missing(seen):
        return (), ()
    words = _joined(
        re.findall(r"[^\W\d_]+", SERVANT.sub(r"\1", APART.sub("", bare(seen)))),
        beside,
        kunyas=kunyas,
    )
    nicknames = [
        word
        for each in beside
        if not is_missing(each)
        for word in re.findall(r"[^\W\d_]+", bare(each))
    ]
    return tuple(_telling(words)), tuple(nicknames)


def _joined(words: Sequence[str], beside: list[str], *, kunyas: bool) -> list[str]:
    """Writes as one what is one name: Abu Bakr, Salah al-Din; puts kunyas among what is beside."""
    found: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word in PARENT and left:
            child = left.pop(0)
            if kunyas and child.removeprefix("al") not in NAMES_NOT_KUNYAS:
                beside.append(word + child)
            else:
                found.append(word + child)
        elif word in AFTER and found:
            found[-1] += word
        else:
            found.append(ABBREVIATED.get(word, word))
    return found


def _telling(words: list[str]) -> list[str]:
    """Returns the words without titles, particles and initials, unless there is nothing else."""
    for says_nothing in (is_address, is_missing, PARTICLES.__contains__, _is_initial):
        words = [word for word in words if not says_nothing(word)] or words
    while len(words) > 1 and is_honour(words[0]):
        words = words[1:]
    return words


def _is_initial(word: str) -> bool:
    return len(word) == 1 and (word.isascii() or is_arabic(word))
