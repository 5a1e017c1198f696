"""Where a person is looked for: whoever shares none of these keys is not compared. Pure.

One word of a name is shared by thousands. It counts together with the day of birth, whichever
number is the month; two words count with the year, or with day and month where the year is wrong.
In which part of the name a word stands does not matter: offices put them in other parts.
"""

from collections.abc import Iterator
from itertools import combinations

from services.cases.codes import Precision
from services.cases.people.matching.likeness import Profile, profile
from services.cases.people.names.agreement import without_article
from services.cases.people.names.sounds import blocks
from services.cases.people.names.words import Spelled
from services.cases.people.returnees.schemas import Person

DOCUMENT, IDENTIFIER, PHONE = "d:", "i:", "p:"
SURE = f"{DOCUMENT}%"
ESTIMATED_YEARS = 1


def keys(person: Person) -> list[str]:
    """Returns all keys of a person, numbers among them."""
    return keys_of(profile(person))


def keys_of(entry: Profile) -> list[str]:
    """Returns all keys of an entry that was made comparable."""
    found = {DOCUMENT + number for number in entry.misread}
    found |= {f"{IDENTIFIER}{system}:{value}" for system, value in entry.identifiers}
    found |= {PHONE + number for number in entry.phones}
    words = {code for name in entry.names for word in _words(name) for code in _blocks(word)}
    pairs = {pair for name in entry.names for pair in _pairs(name)}
    years = [entry.born.year]
    if entry.precision is Precision.ESTIMATED:
        years += [entry.born.year - ESTIMATED_YEARS, entry.born.year + ESTIMATED_YEARS]
    found |= {f"{pair}:{year}" for pair in pairs for year in years}
    low, high = sorted((entry.born.month, entry.born.day))
    if not entry.vague:
        found |= {f"{word}:{entry.born.year}-{low}-{high}" for word in words}
        found |= {f"{pair}:{low}-{high}" for pair in pairs}
    return sorted(found)


def _words(name: Spelled) -> tuple[str, ...]:
    """The words of a name, and those that two parts may be written as."""
    glued = ("".join(name.given + behind) for behind in (name.father,) if behind and name.given)
    return (*name.words, *name.beside, *glued)


def _blocks(word: str) -> frozenset[str]:
    """The coarse keys of a word, and of what is left where its beginning may be an article."""
    found = [blocks(each) for each in without_article(word)]
    return found[0].union(*found[1:])


def _pairs(name: Spelled) -> Iterator[str]:
    for one, other in combinations(_words(name), 2):
        for left in _blocks(one):
            for right in _blocks(other):
                yield "+".join(sorted((left, right)))
