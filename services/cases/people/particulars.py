"""Who a person is, as it is written: the particulars that are sent, kept and answered."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Self

import phonenumbers
from pydantic import AfterValidator, Field, model_validator

from chassis.datetimes import Past
from chassis.routing import Body
from services.cases.codes import Precision, Sex
from services.cases.fields import (
    Date,
    Language,
    Line,
    NamePart,
    Nationality,
    coded,
    member_of,
    refuse,
)
from services.cases.people import mrz

SENTINEL_BIRTH_DATE = date(1900, 1, 1)
"""What forms hold where nobody knew (RIAT's charter cases). Never somebody's date of birth here."""


SAFE_HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")


class Script(StrEnum):
    """ISO 15924."""

    LATN = "Latn"
    ARAB = "Arab"
    CYRL = "Cyrl"
    GREK = "Grek"
    SYRC = "Syrc"
    HEBR = "Hebr"
    ARMN = "Armn"
    GEOR = "Geor"
    ETHI = "Ethi"
    BENG = "Beng"
    DEVA = "Deva"


UNICODE_NAMES = {
    Script.LATN: "LATIN",
    Script.ARAB: "ARABIC",
    Script.CYRL: "CYRILLIC",
    Script.GREK: "GREEK",
    Script.SYRC: "SYRIAC",
    Script.HEBR: "HEBREW",
    Script.ARMN: "ARMENIAN",
    Script.GEOR: "GEORGIAN",
    Script.ETHI: "ETHIOPIC",
    Script.BENG: "BENGALI",
    Script.DEVA: "DEVANAGARI",
}


class IdentityDocumentKind(StrEnum):
    """What shows who somebody is."""

    PASSPORT = "passport"
    LAISSEZ_PASSER = "laissez_passer"
    NATIONAL_ID = "national_id"
    FAMILY_BOOK = "family_book"


class ContactKind(StrEnum):
    """How somebody is reached."""

    PHONE = "phone"


class ContactOwner(StrEnum):
    """Whose number it is."""

    SELF = "self"
    RELATIVE = "relative"


class Name(Body):
    """A person's name in one script, as written; a part that is not known is an empty string."""

    script: Annotated[Script, member_of("unknown_script", Script)]
    given: NamePart = ""
    father: NamePart = ""
    grandfather: NamePart = ""
    family: NamePart = ""

    @property
    def parts(self) -> tuple[str, str, str, str]:
        """Given, father's, grandfather's and family name."""
        return self.given, self.father, self.grandfather, self.family

    @model_validator(mode="after")
    def in_its_script(self) -> Self:
        """Refuse letters of another script."""
        for character in "".join(self.parts):
            if character.isalpha() and not unicodedata.name(character, "").startswith(
                (UNICODE_NAMES[self.script], "MODIFIER LETTER")
            ):
                raise refuse("wrong_script", "letters of the script that is named")
        return self


def _some_name(names: list[Name]) -> list[Name]:
    if not any(part.strip() for name in names for part in (name.given, name.family)):
        raise refuse("no_name", "at least one name in one script")
    if len({name.script for name in names}) < len(names):
        raise refuse("script_twice", "one name in each script")
    return names


Names = Annotated[list[Name], Field(max_length=len(Script)), AfterValidator(_some_name)]


def _not_sentinel(day: date) -> date:
    if day == SENTINEL_BIRTH_DATE:
        raise refuse("sentinel_birth_date", "the real date, or a year with precision year")
    return day


class Birth(Body):
    """Date of birth, and how much of it is known."""

    date: Annotated[Date, AfterValidator(_not_sentinel), Past(by_rule=True)]
    precision: Annotated[Precision, member_of("unknown_precision", Precision)]


def _document_number(number: str) -> str:
    plain = number.replace(" ", "").replace("-", "")
    if not plain.isalnum() or len(number) > 40:  # noqa: PLR2004 - longer than any travel document's
        raise refuse("bad_document_number", "letters and digits")
    return number


class Document(Body):
    """A document, its number kept as written."""

    kind: Annotated[IdentityDocumentKind, member_of("unknown_document_kind", IdentityDocumentKind)]
    number: Annotated[str, AfterValidator(_document_number)]
    issuer: Nationality
    expires: Date | None = None
    mrz: Annotated[list[str], Field(max_length=3)] | None = None
    """Its machine-readable zone, line by line; a misread one is refused."""

    @model_validator(mode="after")
    def zone_holds(self) -> Self:
        """Refuse a zone whose check digits do not hold, or that is another document's (ICAO Doc
        9303).
        """
        if self.mrz is None:
            return self
        zone = mrz.read(self.mrz)
        if zone is None:
            raise refuse(
                "bad_mrz", "two lines of 44 or 36 characters, or three of 30, of A-Z, 0-9 and <"
            )
        if not zone.holds:
            raise refuse(
                "mrz_check_digit", "the zone as it is printed; a check digit does not hold"
            )
        if zone.number != re.sub(r"[^0-9A-Z]", "", self.number.upper()):
            raise refuse("mrz_other_number", "the zone of the document with this number")
        return self


def _phone(value: str) -> str:
    try:
        parsed = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        raise refuse("bad_phone", "a number in E.164 form") from None
    if not phonenumbers.is_possible_number(parsed) or not re.fullmatch(r"\s*\+[\d\s().-]+", value):
        raise refuse("bad_phone", "a number in E.164 form")
    return value


def _safe_hours(value: str) -> str:
    if not SAFE_HOURS.fullmatch(value):
        raise refuse("bad_safe_hours", "HH:MM-HH:MM")
    return value


class Contact(Body):
    """How a person is reached, and when that is safe."""

    kind: Annotated[ContactKind, member_of("unknown_contact_kind", ContactKind)]
    value: Annotated[str, Field(max_length=40), AfterValidator(_phone)]
    owner: Annotated[ContactOwner, member_of("unknown_owner", ContactOwner)]
    safe_hours: Annotated[str, AfterValidator(_safe_hours)] | None = None


class Identifier(Body):
    """The person's number in another system."""

    system: Annotated[
        str,
        Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$"),
        coded("bad_identifier", "a system's short name"),
    ]
    value: Line


class Person(Body):
    """Who somebody is."""

    names: Names
    sex: Annotated[Sex, member_of("unknown_sex", Sex)]
    birth: Birth
    nationality: Nationality
    documents: Annotated[list[Document], Field(max_length=20)] = Field(default=[])
    languages: Annotated[list[Language], Field(max_length=20)] = Field(default=[])
    contacts: Annotated[list[Contact], Field(max_length=20)] = Field(default=[])
    identifiers: Annotated[list[Identifier], Field(max_length=20)] = Field(default=[])


def stored(values: list[Any]) -> list[dict[str, Any]]:
    """Models as JSON values for a column."""
    return [value.model_dump(mode="json") for value in values]


def as_written(kept: Mapping[str, Any]) -> Person:
    """Who somebody is, from JSON values as they were taken down: it happened, so nothing of it is
    refused any more.
    """
    names = [
        Name.model_construct(**each | {"script": Script(each["script"])}) for each in kept["names"]
    ]
    documents = [
        Document.model_construct(
            **each
            | {
                "kind": IdentityDocumentKind(each["kind"]),
                "expires": date.fromisoformat(each["expires"]) if each.get("expires") else None,
            }
        )
        for each in kept["documents"]
    ]
    contacts = [
        Contact.model_construct(
            **each | {"kind": ContactKind(each["kind"]), "owner": ContactOwner(each["owner"])}
        )
        for each in kept.get("contacts", [])
    ]
    return Person.model_construct(
        names=names,
        sex=Sex(kept["sex"]),
        birth=Birth.model_construct(
            date=date.fromisoformat(kept["birth"]["date"]),
            precision=Precision(kept["birth"]["precision"]),
        ),
        nationality=kept["nationality"],
        documents=documents,
        languages=list(kept["languages"]),
        contacts=contacts,
        identifiers=[Identifier.model_construct(**each) for each in kept.get("identifiers", [])],
    )
