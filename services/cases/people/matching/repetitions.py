"""One human being, or one document, twice among people who are told of together. Pure.

Stricter than likeness: twins whose names differ by a vowel are two. Who is refused here has the
same name, word by word, and was born the same day.
"""

from collections.abc import Sequence
from itertools import combinations

from services.cases.codes import Sex
from services.cases.people.matching.likeness import Profile, profile
from services.cases.people.names.agreement import Level, agreement
from services.cases.people.names.words import Spelled
from services.cases.people.returnees.schemas import Person


def same_human(one: Profile, other: Profile) -> bool:
    """Whether two entries say the same of a person by name.

    Where only the year of birth is known, two of a family may bear one name.
    """
    if one.born != other.born or one.vague or other.vague:
        return False
    if Sex.UNKNOWN not in {one.sex, other.sex} and one.sex != other.sex:
        return False
    return any(_same_name(a, b) for a in one.names for b in other.names)


def _same_name(one: Spelled, other: Spelled) -> bool:
    if not (_is_named(one) and _is_named(other)):
        return False
    if one.register == other.register and one.words[0].isascii() == other.words[0].isascii():
        return sorted(one.words) == sorted(other.words)
    levels = dict(agreement([one], [other]).parts)
    return levels.get("given") is Level.SAME and set(levels.values()) <= {Level.SAME, Level.ALIKE}


def _is_named(name: Spelled) -> bool:
    """Whether the name is somebody's own: newborn twins may both have none but their family's."""
    whole = sum(map(bool, (name.given, name.father, name.grandfather, name.family))) == 1
    return bool(name.given) or (whole and len(name.words) > 1)


def repeated_people(people: Sequence[Person]) -> list[tuple[int, int]]:
    """Returns the places of entries that are of the same human being, the earlier one first."""
    entries = [profile(person) for person in people]
    return [
        (place, other)
        for (place, a), (other, b) in combinations(enumerate(entries), 2)
        if same_human(a, b)
    ]


def repeated_documents(people: Sequence[Person]) -> list[tuple[int, int]]:
    """Returns where a document stands that stood before: the person, and their document.

    A family book is a whole family's.
    """
    seen: set[tuple[str, str]] = set()
    found = []
    for place, person in enumerate(people):
        for index, document in enumerate(person.documents):
            alone = person.model_copy(update={"documents": [document]})
            if (numbers := profile(alone).documents) & seen:
                found.append((place, index))
            seen |= numbers
    return found
