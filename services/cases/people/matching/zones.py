"""Whether the machine-readable zone of a document is of the person whom it stands beside. Pure."""

from collections.abc import Iterator, Sequence
from datetime import date

from chassis.errors import FieldError
from services.cases.codes import Precision, Sex
from services.cases.people.matching.mrz import FILLER, Zone, read
from services.cases.people.names.agreement import FAINT, Level, agreement
from services.cases.people.names.sounds import similarity
from services.cases.people.names.words import Spelled, spelled
from services.cases.people.returnees.schemas import Person

GERMANY = {"D": "DEU"}
"""ICAO Doc 9303, part 3, 5: the one country whose code in a zone has not three letters."""
SEXES = {"M": Sex.MALE, "F": Sex.FEMALE}


def zone_errors(person: Person, at: str) -> list[FieldError]:
    """Returns what the zones of a person's documents say otherwise than what stands beside them.

    Args:
        person: The person, as they are sent.
        at: Where they stand in the body.
    """
    names = [spelled(*name.parts) for name in person.names]
    return [
        FieldError(pointer=f"{at}/documents/{index}/mrz", code=code, detail=right)
        for index, document in enumerate(person.documents)
        if document.mrz is not None and (zone := read(document.mrz)) is not None
        for code, right in _contradictions(zone, document.issuer, person, names)
    ]


def _contradictions(
    zone: Zone, issuer: str, person: Person, names: Sequence[Spelled]
) -> Iterator[tuple[str, str]]:
    if GERMANY.get(zone.issuer, zone.issuer) != issuer:
        yield "mrz_other_issuer", "the zone of a document of this issuer"
    if SEXES.get(zone.sex, person.sex) != person.sex and person.sex in SEXES.values():
        yield "mrz_other_sex", "the zone of this person: its sex is another"
    if not _born(zone.birth, person.birth.date, person.birth.precision):
        yield "mrz_other_birth", "the zone of this person: its date of birth is another"
    if not _named(spelled(zone.given, "", "", zone.surname), names, person.sex):
        yield "mrz_other_name", "the zone of this person: its name is another"


def _born(birth: str, born: date, known: Precision) -> bool:
    """Whether a zone's date may be somebody's; only what both know is compared."""
    digits = {Precision.DAY: 3, Precision.MONTH: 2, Precision.YEAR: 1}.get(known, 0)
    written = [birth[place : place + 2] for place in (0, 2, 4)]
    own = [f"{born.year % 100:02}", f"{born.month:02}", f"{born.day:02}"]
    pairs = list(zip(written, own, strict=True))[:digits]
    return all(FILLER in part or part in ("00", mine) for part, mine in pairs)


def _named(zone: Spelled, names: Sequence[Spelled], sex: Sex) -> bool:
    """Whether a zone may be of somebody of these names.

    States write father and grandfather among the given names or the surname, women under either
    of two family names, and cut what is too long: some words in common are enough, the given name
    among them.
    """
    if not zone.words or not any(name.words for name in names):
        return True
    found = agreement([zone], names)
    levels = dict(found.parts)
    if found.order is not None or Level.OTHER not in levels.values():
        return True
    return any(_shares(zone, name, sex) for name in names)


def _shares(zone: Spelled, name: Spelled, sex: Sex) -> bool:
    given = name.given or name.words
    if not any(similarity(word, other) >= FAINT for word in given for other in zone.words):
        return False
    shared = sum(
        any(similarity(word, other) >= FAINT for other in zone.words) for word in name.words
    )
    enough = 1 if sex is Sex.FEMALE else 2
    return shared >= min(enough, len(name.words), len(zone.words))
