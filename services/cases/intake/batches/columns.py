"""The columns of a table of referrals, a row a person: what each is called, how it is read, and
where in the referral it belongs. A column is declared here and nowhere else.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from chassis.tabular.tables import Column
from chassis.tabular.values import (
    day,
    flag,
    items,
    line,
    lower,
    moment,
    note,
    number,
    of,
    past_day,
    spelling,
    upper,
    words,
)
from contracts.codes import ConsentPurpose, HelpKind, LegalStatus, ReturnKind
from services.cases.codes import Precision, Sex, VulnerabilityKind
from services.cases.intake.referrals.schemas import Need, Role
from services.cases.intake.travel.schemas import BookingState
from services.cases.people.particulars import IdentityDocumentKind, Name, Script

Part = Callable[[str], Any]

NAME_PARTS = {
    "given": "Given name",
    "father": "Father's name",
    "grandfather": "Grandfather's name",
    "family": "Family name",
}
MALE = ("m", "männlich", "homme", "masculin", "man", "mies", "ذكر")
FEMALE = ("f", "w", "weiblich", "femme", "féminin", "vrouw", "nainen", "أنثى", "انثى")
SEXES = dict.fromkeys(MALE, Sex.MALE.value) | dict.fromkeys(FEMALE, Sex.FEMALE.value)
PERSON = "/people/*"
NAME = re.compile(r"/people/\d+/names/\d+")


def _or_none(read: Part) -> Part:
    return lambda text: read(text) or None


def _listed(**parts: Part) -> Callable[[str], list[dict[str, Any]]]:
    """Reads a list of things of several parts; a part that is not there stays away."""

    def read(text: str) -> list[dict[str, Any]]:
        return [
            {name: parts.get(name, line)(part) for name, part in item.items()}
            for item in items(text, parts)
        ]

    return read


def _with_none(read: Callable[[str], list[dict[str, Any]]], name: str) -> Callable[[str], Any]:
    """Reads a list whose last part may be empty or left out."""
    return lambda text: [item | {name: item.get(name) or None} for item in read(text)]


def _flight(text: str) -> str:
    return upper(text).replace(" ", "")


def _names(script: Script, letters: str) -> tuple[Column, ...]:
    return tuple(
        needed(
            f"{part}_{script.value.lower()}",
            f"{PERSON}/names/{script.value}/{part}",
            f"{label} in {letters} letters",
            spelling,
            as_written=True,
        )
        for part, label in NAME_PARTS.items()
    )


needed = partial(Column, needed=True)
COLUMNS = (
    needed("external_reference", "/external_reference", "Your reference", hint="one a referral"),
    needed("sender", "/sender", "Sender", lower, hint="your organisation's short name"),
    needed("programme", "/programme", "Programme", lower),
    needed("return_kind", "/return/kind", "Kind of return", lower, codes=tuple(ReturnKind)),
    needed("legal_status", "/return/legal_status", "Legal status", lower, codes=tuple(LegalStatus)),
    needed("host_country", "/return/host_country", "Host country", upper, hint="as in DEU"),
    needed(
        "country_of_return",
        "/return/country_of_return",
        "Country of return",
        upper,
        hint="as in IRQ",
    ),
    needed("travel_state", "/travel/state", "Booking", lower, codes=tuple(BookingState)),
    needed("travel_carrier", "/travel/carrier", "Airline", _or_none(upper), hint="as in TK"),
    needed(
        "flight_number", "/travel/flight_number", "Flight", _or_none(_flight), hint="as in TK804"
    ),
    needed("departs_on", "/travel/departs_on", "Day of departure", day, hint="YYYY-MM-DD"),
    needed(
        "arrives_at",
        "/travel/arrives_at",
        "Time of arrival",
        _or_none(moment),
        hint="with its zone: YYYY-MM-DDTHH:MM:SS+HH:MM",
    ),
    needed("port_of_entry", "/travel/port_of_entry", "Port of entry", upper, hint="as in BGW"),
    needed("escorted", "/travel/escorted", "Escorted", flag, codes=("true", "false")),
    needed("governorate", "/destination/governorate", "Governorate", upper, hint="as in IQ-BG"),
    needed("district", "/destination/district", "District"),
    needed("address", "/destination/address", "Address"),
    needed("needs", "/needs", "Needs on arrival", words(), codes=tuple(Need), several=True),
    needed(
        "vulnerabilities",
        "/vulnerabilities",
        "Vulnerabilities",
        _listed(kind=lower, status=lower),
        codes=tuple(VulnerabilityKind),
        several=True,
        hint="kind|suspected or confirmed",
    ),
    needed(
        "requested_assistance",
        "/requested_assistance",
        "Assistance asked for",
        words(),
        codes=tuple(HelpKind),
        several=True,
    ),
    needed(
        "consents",
        "/consents",
        "Consents",
        _listed(purpose=lower, version=line, given_on=past_day, legal_basis=lower),
        codes=tuple(ConsentPurpose),
        several=True,
        hint="purpose|version of the form|day|legal basis",
    ),
    needed("notes", "/notes", "Notes", note),
    Column("requested_partner", "/requested_partner", "Partner asked for", _or_none(lower)),
    Column(
        "supersedes",
        "/supersedes",
        "Corrects",
        _or_none(lower),
        hint="after a rejection, the id of the referral that this one corrects",
    ),
    needed("person", "", "Person", hint="0 for the first of the referral, then 1, 2 and so on"),
    needed("role", f"{PERSON}/role", "Role", lower, codes=tuple(Role)),
    *_names(Script.LATN, "Latin"),
    *_names(Script.ARAB, "Arabic"),
    needed("sex", f"{PERSON}/sex", "Sex", of(SEXES), codes=tuple(Sex)),
    needed(
        "birth_date", f"{PERSON}/birth/date", "Day of birth", hint="YYYY-MM-DD, YYYY-MM or YYYY"
    ),
    needed(
        "birth_precision",
        f"{PERSON}/birth/precision",
        "How much of the day of birth is known",
        lower,
        codes=tuple(Precision),
    ),
    needed("nationality", f"{PERSON}/nationality", "Nationality", upper, hint="as in IRQ"),
    needed(
        "documents",
        f"{PERSON}/documents",
        "Documents",
        _with_none(_listed(kind=lower, number=number, issuer=upper, expires=day), "expires"),
        codes=tuple(IdentityDocumentKind),
        several=True,
        hint="kind|number|issuer|day on which it expires",
    ),
    needed(
        "languages", f"{PERSON}/languages", "Languages", words(), several=True, hint="as in ar;ckb"
    ),
    needed(
        "contacts",
        f"{PERSON}/contacts",
        "Contacts",
        _with_none(_listed(kind=lower, value=line, owner=lower, safe_hours=number), "safe_hours"),
        several=True,
        hint="phone|number with its country|self or relative|hours in which it is safe",
    ),
)
BY_NAME = {each.name: each for each in COLUMNS}
OF_A_PERSON = tuple(
    each.name for each in COLUMNS if each.name == "person" or each.pointer.startswith(PERSON)
)
OF_THE_REFERRAL = tuple(each.name for each in COLUMNS if each.name not in OF_A_PERSON)


def _of_any_person(steps: list[str], content: Mapping[str, Any] | None) -> list[str]:
    """The steps to a place of a person as the columns have them: of whichever person, and of a name
    its script instead of its number.
    """
    if steps[2] != "names":
        return [steps[0], "*", *steps[2:]]
    script = value_at(content, "/" + "/".join([*steps[:4], "script"]))
    return [steps[0], "*", "names", str(script or Script.LATN.value), *steps[4:]]


def column_of(pointer: str, content: Mapping[str, Any] | None) -> str | None:
    """The column that a place in a referral was read from; None where there is none of its own.

    Args:
        pointer: The place.
        content: The referral; of its names it says in which script they are.
    """
    steps = pointer.split("/")[1:]
    if steps[:1] == ["people"]:
        if len(steps) < 3:  # noqa: PLR2004 - a person as such
            return None
        steps = _of_any_person(steps, content)
    place = "/" + "/".join(steps)
    beginnings = [each for each in COLUMNS if each.pointer and _within(place, each.pointer)]
    if beginnings:
        return max(beginnings, key=lambda each: len(each.pointer)).name
    return next((each.name for each in COLUMNS if _within(each.pointer, place)), None)


def _within(place: str, beginning: str) -> bool:
    return place == beginning or place.startswith(f"{beginning}/")


def part_of(pointer: str, content: Mapping[str, Any] | None) -> str:
    """Of a name that is in another script than it says, the part that is; else the place itself."""
    name = value_at(content, pointer)
    if NAME.fullmatch(pointer) and isinstance(name, dict):
        for part in NAME_PARTS:
            try:
                Name.model_validate({"script": name["script"], part: name.get(part, "")})
            except ValidationError:
                return f"{pointer}/{part}"
    return pointer


def value_at(content: Any, pointer: str) -> Any:
    """What stands at a place in a referral; None where nothing does."""
    for step in pointer.split("/")[1:]:
        if isinstance(content, list) and step.isdigit() and int(step) < len(content):
            content = content[int(step)]
        elif isinstance(content, Mapping):
            content = content.get(step)
        else:
            return None
    return content
