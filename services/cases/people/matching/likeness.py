"""Whether two entries may be the same human being: a score with its reasons. A person decides.
Pure.

Each thing that agrees or contradicts adds or takes away evidence (Fellegi and Sunter's weights,
estimated from how often such things agree by chance); what is missing says nothing. No name has a
weight of its own.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import phonenumbers

from services.cases.people.matching.sounds import blocks, is_arabic, similarity
from services.cases.people.returnees.schemas import (
    Contact,
    ContactOwner,
    DocumentKind,
    Person,
    Precision,
    Reason,
    Sex,
)

ALIKE, PERHAPS = 0.84, 0.70
"""From here on a part of a name agrees; from here on it may be a spelling of the same."""
WEIGHT_OF_SCRIPT = 0.8
"""The script of the civil register decides; Latin spellings are somebody's ear."""
ENOUGH = 5.0
STEEPNESS = 1.2
LIKELY = 0.5
POSSIBLE = 0.15
PLACEHOLDER_DAYS = frozenset({(1, 1), (7, 1)})
"""Host countries write 1 January where they know the year only, Iraqi registers 1 July."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason and how much it weighs: above zero for the same person, below against."""

    reason: Reason
    weight: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """How likely two entries are one person.

    Attributes:
        score: From 0 to 1; at least `LIKELY` should be looked at before anything else is done.
        evidence: Why, the weightiest first.
    """

    score: float
    evidence: tuple[Evidence, ...]

    @property
    def likely(self) -> bool:
        """Whether it is more likely than not."""
        return self.score >= LIKELY


def compare(one: Person, other: Person) -> Verdict:
    """Compare two entries."""
    evidence = [*_numbers(one, other), *_names(one, other), *_birth(one, other)]
    if Sex.UNKNOWN not in {one.sex, other.sex} and one.sex != other.sex:
        evidence.append(Evidence(Reason.OTHER_SEX, -5.0))
    if one.nationality != other.nationality:
        evidence.append(Evidence(Reason.OTHER_NATIONALITY, -1.0))
    total = sum(each.weight for each in evidence)
    score = 1 / (1 + math.exp(-max(-20.0, min(20.0, (total - ENOUGH) * STEEPNESS))))
    return Verdict(round(score, 4), tuple(sorted(evidence, key=lambda each: -abs(each.weight))))


def document_key(number: str) -> str:
    """A document's number as it is compared: letters and digits, in capitals."""
    return re.sub(r"[^0-9A-Z]", "", number.upper())


def phone_key(contact: Contact) -> str:
    """A number in E.164."""
    parsed = phonenumbers.parse(contact.value, None)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _documents(person: Person, *, family_book: bool) -> set[str]:
    return {
        key
        for document in person.documents
        if (document.kind is DocumentKind.FAMILY_BOOK) is family_book
        and (key := document_key(document.number))
    }


def _phones(person: Person, owners: Iterable[ContactOwner]) -> set[str]:
    return {phone_key(contact) for contact in person.contacts if contact.owner in set(owners)}


def _identifiers(person: Person) -> set[tuple[str, str]]:
    return {(identifier.system, identifier.value.strip()) for identifier in person.identifiers}


def _numbers(one: Person, other: Person) -> Iterator[Evidence]:
    if _documents(one, family_book=False) & _documents(other, family_book=False):
        yield Evidence(Reason.SAME_DOCUMENT, 8.0)
    if _identifiers(one) & _identifiers(other):
        yield Evidence(Reason.SAME_IDENTIFIER, 7.0)
    if _documents(one, family_book=True) & _documents(other, family_book=True):
        yield Evidence(Reason.SAME_FAMILY_BOOK, 1.0)
    if _phones(one, [ContactOwner.SELF]) & _phones(other, [ContactOwner.SELF]):
        yield Evidence(Reason.SAME_PHONE, 3.0)
    elif _phones(one, ContactOwner) & _phones(other, ContactOwner):
        yield Evidence(Reason.SAME_PHONE_OF_RELATIVE, 1.5)


def _spellings(person: Person, part: str) -> list[str]:
    return [value for name in person.names if (value := getattr(name, part).strip())]


def alike(one: Sequence[str], other: Sequence[str]) -> float | None:
    """How alike a part of two names is; None where one of them lacks it.

    Where both give it in Arabic letters that decides, and Latin spellings only lean on it.
    """
    if not one or not other:
        return None
    best = max(similarity(a, b) for a in one for b in other)
    written = [similarity(a, b) for a in one if is_arabic(a) for b in other if is_arabic(b)]
    if not written:
        return best
    return WEIGHT_OF_SCRIPT * max(written) + (1 - WEIGHT_OF_SCRIPT) * best


def _weighed(
    value: float | None,
    same: Reason,
    other: Reason,
    *,
    agrees: float,
    perhaps: float,
    contradicts: float,
) -> Iterator[Evidence]:
    if value is None:
        return
    if value >= ALIKE:
        yield Evidence(same, agrees)
    elif value >= PERHAPS:
        yield Evidence(same, perhaps)
    else:
        yield Evidence(other, contradicts)


def _names(one: Person, other: Person) -> Iterator[Evidence]:
    parts = {
        part: (_spellings(one, part), _spellings(other, part))
        for part in ("given", "father", "grandfather", "family")
    }
    yield from _weighed(
        alike(*parts["given"]),
        Reason.GIVEN_NAME,
        Reason.OTHER_GIVEN_NAME,
        agrees=3.0,
        perhaps=1.0,
        contradicts=-6.0,
    )
    yield from _weighed(
        alike(*parts["father"]),
        Reason.FATHER,
        Reason.OTHER_FATHER,
        agrees=2.0,
        perhaps=0.5,
        contradicts=-6.0,
    )
    yield from _weighed(
        alike(*parts["grandfather"]),
        Reason.GRANDFATHER,
        Reason.OTHER_GRANDFATHER,
        agrees=1.5,
        perhaps=0.5,
        contradicts=-4.0,
    )
    family = alike(*parts["family"])
    if family is not None and family < PERHAPS and _ancestor(parts):
        yield Evidence(Reason.FAMILY_IS_ANCESTOR, 1.0)
        return
    # Wives are written under their own or their husband's family name.
    married = {one.sex, other.sex} == {Sex.FEMALE}
    yield from _weighed(
        family,
        Reason.FAMILY_NAME,
        Reason.OTHER_FAMILY_NAME,
        agrees=1.5,
        perhaps=0.5,
        contradicts=-1.0 if married else -2.5,
    )


def _ancestor(parts: dict[str, tuple[list[str], list[str]]]) -> bool:
    """Whether the family name of one is the father's or grandfather's name of the other."""
    families, ancestors = parts["family"], (parts["father"], parts["grandfather"])
    return any(
        (found := alike(families[here], ancestor[1 - here])) is not None and found >= ALIKE
        for here in (0, 1)
        for ancestor in ancestors
    )


def _vague(person: Person) -> bool:
    """Whether only the year of a date of birth is to be believed."""
    born = person.birth
    return born.precision in {Precision.YEAR, Precision.ESTIMATED} or (
        born.date.month,
        born.date.day,
    ) in (PLACEHOLDER_DAYS)


def _birth(one: Person, other: Person) -> Iterator[Evidence]:
    a, b = one.birth.date, other.birth.date
    years = abs(a.year - b.year)
    vague = _vague(one) or _vague(other)
    if a == b and not vague:
        yield Evidence(Reason.SAME_BIRTH_DATE, 4.0)
    elif a == b:
        yield Evidence(Reason.SAME_PLACEHOLDER, 1.0)
    elif years == 0 and (a.month, a.day) == (b.day, b.month):
        yield Evidence(Reason.DAY_AND_MONTH_SWAPPED, 2.5)
    elif years == 0 and vague:
        yield Evidence(Reason.SAME_BIRTH_YEAR, 0.8)
    elif years == 0 and (_month_only(one) or _month_only(other)) and a.month == b.month:
        yield Evidence(Reason.SAME_BIRTH_YEAR, 2.0)
    elif Precision.ESTIMATED in {one.birth.precision, other.birth.precision} and years <= 2:  # noqa: PLR2004 - years
        yield Evidence(Reason.NEAR_BIRTH_YEAR, -1.0)
    else:
        yield Evidence(Reason.OTHER_BIRTH_DATE, -4.0 if years == 0 else -6.0)


def _month_only(person: Person) -> bool:
    return person.birth.precision is Precision.MONTH


def keys(person: Person) -> list[str]:
    """Where a person is looked for: whoever shares none of these is not compared.

    A given name alone is shared by thousands. It counts together with the day of birth (whichever
    number is the month), the month of birth, or the year and any other name; two entries that share
    none of that are never `LIKELY` one person, as `compare` weighs it.
    """
    found = {f"d:{number}" for number in _documents(person, family_book=False)}
    found |= {f"p:{number}" for number in _phones(person, ContactOwner)}
    found |= {f"i:{system}:{value}" for system, value in _identifiers(person)}
    born = person.birth.date
    years = [born.year]
    if person.birth.precision is Precision.ESTIMATED:
        years += [born.year - 1, born.year + 1]
    low, high = sorted((born.month, born.day))
    times = [f"{born.year}-{low}-{high}", f"{born.year}-{born.month}"]
    given = {block for spelling in _spellings(person, "given") for block in blocks(spelling)}
    others = {
        block
        for part in ("father", "grandfather", "family")
        for spelling in _spellings(person, part)
        for block in blocks(spelling)
    }
    times += [f"{year}:{other}" for year in years for other in others]
    return sorted(found | {f"n:{block}:{time}" for block in given for time in times})
