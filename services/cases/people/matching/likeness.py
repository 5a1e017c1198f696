"""Whether two entries may be the same human being: a score with its reasons. A person decides.
Pure.

Each thing that agrees or contradicts adds or takes away evidence, by Fellegi and Sunter's weights:
the logarithm of how much oftener it is found in two entries of one person than in two entries that
are compared and are of two. They were learned from judged pairs (`weights.json` says which); what
is missing says nothing. No name has a weight of its own.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from services.cases.codes import Precision, Sex
from services.cases.people.matching.numbers import (
    document_key,
    identifier_key,
    misread_key,
    phone_key,
    says_nothing,
)
from services.cases.people.matching.reasons import Reason
from services.cases.people.names.agreement import Level, agreement
from services.cases.people.names.words import Spelled, spelled
from services.cases.people.particulars import ContactOwner, IdentityDocumentKind, Person

LIKELY = 0.5
POSSIBLE = 0.15
PLACEHOLDER_DAYS = frozenset({(1, 1), (7, 1)})
"""Host countries write 1 January where they know the year only, Iraqi registers 1 July."""
NO_NATIONALITY = frozenset({"XXA", "XXB", "XXC", "XXX"})
GENERATION = 12
"""Years between two births, from which on nobody takes the one for the other by a slip."""
LEARNED = json.loads((Path(__file__).parent / "weights.json").read_text(encoding="utf-8"))
WEIGHTS: dict[str, dict[str, float]] = LEARNED["weights"]
PRIOR: float = LEARNED["prior"]
MOST = 20.0
NAMES_AT_MOST = max(
    sum(max(WEIGHTS[part].values()) for part in ("given", "father", "grandfather", "family")),
    *WEIGHTS["order"].values(),
)
ENOUGH = math.log(POSSIBLE / (1 - POSSIBLE))
"""The least weight of those who are shown."""
KIN = ("father", "grandfather", "family")

REASONS: dict[str, dict[str, Reason]] = {
    "document": {"same": Reason.SAME_DOCUMENT, "misread": Reason.DOCUMENT_MISREAD},
    "identifier": {"same": Reason.SAME_IDENTIFIER},
    "family_book": {"same": Reason.SAME_FAMILY_BOOK},
    "phone": {"own": Reason.SAME_PHONE, "relative": Reason.SAME_PHONE_OF_RELATIVE},
    "given": {Level.OTHER: Reason.OTHER_GIVEN_NAME, Level.FAINT: Reason.OTHER_GIVEN_NAME},
    "father": {Level.OTHER: Reason.OTHER_FATHER, Level.FAINT: Reason.OTHER_FATHER},
    "grandfather": {Level.OTHER: Reason.OTHER_GRANDFATHER, Level.FAINT: Reason.OTHER_GRANDFATHER},
    "family": {
        Level.OTHER: Reason.OTHER_FAMILY_NAME,
        Level.FAINT: Reason.OTHER_FAMILY_NAME,
        "other_of_women": Reason.OTHER_FAMILY_NAME,
        Level.ANCESTOR: Reason.FAMILY_IS_ANCESTOR,
    },
    "order": {},
    "birth": {
        "same": Reason.SAME_BIRTH_DATE,
        "placeholder": Reason.SAME_PLACEHOLDER,
        "swapped": Reason.DAY_AND_MONTH_SWAPPED,
        "slip": Reason.NEAR_BIRTH_DATE,
        "year_off": Reason.NEAR_BIRTH_DATE,
        "month": Reason.SAME_BIRTH_YEAR,
        "year": Reason.SAME_BIRTH_YEAR,
        "near": Reason.NEAR_BIRTH_YEAR,
    },
    "sex": {"other": Reason.OTHER_SEX},
    "nationality": {"other": Reason.OTHER_NATIONALITY},
}
ELSE = {
    "given": Reason.GIVEN_NAME,
    "father": Reason.FATHER,
    "grandfather": Reason.GRANDFATHER,
    "family": Reason.FAMILY_NAME,
    "order": Reason.NAMES_ELSEWHERE,
    "birth": Reason.OTHER_BIRTH_DATE,
}


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
        certain: Whether a document or another system's number says it, whatever the names do.
    """

    score: float
    evidence: tuple[Evidence, ...]
    certain: bool = False

    @property
    def likely(self) -> bool:
        """Whether it is more likely than not."""
        return self.score >= LIKELY


@dataclass(frozen=True, slots=True)
class Profile:
    """What is compared of an entry, made comparable once."""

    names: tuple[Spelled, ...]
    sex: Sex
    born: date
    precision: Precision
    nationality: str
    documents: frozenset[tuple[str, str]]
    """Numbers with their issuers."""
    misread: frozenset[str]
    family_books: frozenset[str]
    own_phones: frozenset[str]
    phones: frozenset[str]
    identifiers: frozenset[tuple[str, str]]

    @property
    def vague(self) -> bool:
        """Whether only the year of the date of birth is to be believed."""
        day = (self.born.month, self.born.day)
        return self.precision in {Precision.YEAR, Precision.ESTIMATED} or day in PLACEHOLDER_DAYS


def profile(person: Person) -> Profile:
    """Makes an entry comparable."""
    numbers = {
        (key, document.issuer, document.kind is IdentityDocumentKind.FAMILY_BOOK)
        for document in person.documents
        if not says_nothing(key := document_key(document.number))
    }
    return Profile(
        names=tuple(spelled(*name.parts) for name in person.names),
        sex=person.sex,
        born=person.birth.date,
        precision=person.birth.precision,
        nationality=person.nationality,
        documents=frozenset((key, issuer) for key, issuer, book in numbers if not book),
        misread=frozenset(misread_key(key) for key, _, book in numbers if not book),
        family_books=frozenset(key for key, _, book in numbers if book),
        own_phones=frozenset(
            phone_key(each.value) for each in person.contacts if each.owner is ContactOwner.SELF
        ),
        phones=frozenset(phone_key(each.value) for each in person.contacts),
        identifiers=frozenset(
            (each.system, key)
            for each in person.identifiers
            if not says_nothing(key := identifier_key(each.value))
        ),
    )


def compare(one: Person, other: Person) -> Verdict:
    """Compares two entries."""
    return weigh(profile(one), profile(other))


def weigh(one: Profile, other: Profile) -> Verdict:
    """Compares two entries that were made comparable."""
    found = dict((*_numbers(one, other), *_particulars(one, other)))
    if PRIOR + sum(weights_of(found, WEIGHTS).values()) + NAMES_AT_MOST >= ENOUGH:
        found |= _names(one, other)  # which takes longest, and is nothing where nothing else agrees
    weighed = weights_of(found, WEIGHTS)
    total = PRIOR + sum(weighed.values())
    score = 1 / (1 + math.exp(-max(-MOST, min(MOST, total))))
    certain = found.get("document") == "same" or found.get("identifier") == "same"
    if certain:
        # A number that is in two entries is a slip, or it is the same person.
        apart = abs(one.born.year - other.born.year) >= GENERATION or found.get("sex") == "other"
        score = max(score, POSSIBLE if apart else LIKELY)
    evidence = [
        Evidence(reason, round(weighed[field], 1))
        for field, level in found.items()
        if (reason := REASONS[field].get(level, ELSE.get(field))) is not None
    ]
    ordered = tuple(sorted(evidence, key=lambda each: (-abs(each.weight), each.reason)))
    return Verdict(round(score, 4), ordered, certain)


def weights_of(
    found: Mapping[str, str], weights: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Returns what each finding weighs.

    Brothers and sisters have father, grandfather and family name in common, and the three say no
    more than one of them: where the given names differ, only the weightiest counts.
    """
    weighed = {field: weights[field].get(level, 0.0) for field, level in found.items()}
    if found.get("given") in {Level.FAINT, Level.OTHER}:
        kin = sorted((weighed[part], part) for part in KIN if weighed.get(part, 0.0) > 0)
        weighed |= {part: 0.0 for _, part in kin[:-1]}
    return weighed


def findings(one: Profile, other: Profile) -> dict[str, str]:
    """Returns how far each thing agrees; what either lacks is not among it."""
    return dict((*_numbers(one, other), *_particulars(one, other), *_names(one, other)))


def _numbers(one: Profile, other: Profile) -> Iterator[tuple[str, str]]:
    if one.documents & other.documents:
        yield "document", "same"
    elif one.misread & other.misread:
        yield "document", "misread"
    if one.identifiers & other.identifiers:
        yield "identifier", "same"
    if one.family_books & other.family_books:
        yield "family_book", "same"
    if one.own_phones & other.own_phones:
        yield "phone", "own"
    elif one.phones & other.phones:
        yield "phone", "relative"


def _names(one: Profile, other: Profile) -> Iterator[tuple[str, str]]:
    found = agreement(one.names, other.names)
    if found.order is not None:
        yield "order", found.order
    for part, level in found.parts:
        # Wives are written under their own or their husband's family name.
        married = part == "family" and level in {Level.OTHER, Level.FAINT}
        of_women = married and {one.sex, other.sex} == {Sex.FEMALE}
        yield part, "other_of_women" if of_women else level


def _particulars(one: Profile, other: Profile) -> Iterator[tuple[str, str]]:
    yield "birth", _birth(one, other)
    if Sex.UNKNOWN not in {one.sex, other.sex}:
        yield "sex", "same" if one.sex == other.sex else "other"
    if not NO_NATIONALITY & {one.nationality, other.nationality}:
        yield "nationality", "same" if one.nationality == other.nationality else "other"


def _birth(one: Profile, other: Profile) -> str:
    a, b = one.born, other.born
    if a == b:
        return "placeholder" if one.vague or other.vague else "same"
    if a.year == b.year:
        return _within_a_year(one, other)
    return _over_years(one, other)


def _within_a_year(one: Profile, other: Profile) -> str:
    a, b = one.born, other.born
    if one.vague or other.vague:
        return "year"
    if (a.month, a.day) == (b.day, b.month):
        return "swapped"
    if Precision.MONTH in {one.precision, other.precision} and a.month == b.month:
        return "month"
    return "slip" if _is_slip(a, b) else "other_day"


def _is_slip(one: date, other: date) -> bool:
    """Whether two days of a year are as one that was mistyped, or is of the next time zone."""
    of_day = one.month == other.month and _slip(one.day, other.day)
    of_month = one.day == other.day and _slip(one.month, other.month)
    return of_day or of_month or abs((one - other).days) == 1


def _over_years(one: Profile, other: Profile) -> str:
    a, b = one.born, other.born
    years = abs(a.year - b.year)
    if (a.month, a.day) == (b.month, b.day) and not one.vague:
        if years == 1:
            return "year_off"
        if _slip(a.year, b.year):
            return "slip_of_year"
    if Precision.ESTIMATED in {one.precision, other.precision} and years <= 2:  # noqa: PLR2004
        return "near"
    if years == 1 and (one.vague or other.vague):
        return "next_year"
    return "other_year"


@lru_cache(maxsize=4096)
def _slip(one: int, other: int) -> bool:
    """Whether two numbers differ by one, or in one digit, or by two that changed places."""
    left, right = f"{one:02}", f"{other:02}"
    if len(left) != len(right):
        return False
    differ = [index for index, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
    exchanged = len(differ) == 2 and sorted(left) == sorted(right)  # noqa: PLR2004 - a pair
    return abs(one - other) == 1 or len(differ) == 1 or exchanged
