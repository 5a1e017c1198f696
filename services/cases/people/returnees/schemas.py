"""The shape of a person, as it is sent and as it is answered."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

import phonenumbers
from pydantic import AfterValidator, Field, model_validator

from chassis.datetimes import Past
from chassis.pagination import Page
from chassis.routing import Body
from contracts.codes import Member, SharingPurpose
from services.cases.codes import Precision, Sex
from services.cases.fields import (
    Date,
    Language,
    Line,
    NamePart,
    Nationality,
    Out,
    coded,
    member_of,
    refuse,
)
from services.cases.people.matching import mrz
from services.cases.states.people import AccessRequestState

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


class DocumentKind(StrEnum):
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


class Reason(StrEnum):
    """What speaks for or against two entries being one person."""

    SAME_DOCUMENT = "same_document"
    DOCUMENT_MISREAD = "document_number_misread"
    SAME_IDENTIFIER = "same_identifier"
    SAME_PHONE = "same_phone"
    SAME_PHONE_OF_RELATIVE = "same_phone_of_relative"
    SAME_FAMILY_BOOK = "same_family_book"
    GIVEN_NAME = "given_name_alike"
    OTHER_GIVEN_NAME = "other_given_name"
    FATHER = "father_alike"
    OTHER_FATHER = "other_father"
    GRANDFATHER = "grandfather_alike"
    OTHER_GRANDFATHER = "other_grandfather"
    FAMILY_NAME = "family_name_alike"
    FAMILY_IS_ANCESTOR = "family_name_is_an_ancestors"
    OTHER_FAMILY_NAME = "other_family_name"
    NAMES_ELSEWHERE = "names_in_other_parts"
    SAME_BIRTH_DATE = "same_birth_date"
    SAME_PLACEHOLDER = "same_first_of_january_or_july"
    DAY_AND_MONTH_SWAPPED = "day_and_month_swapped"
    NEAR_BIRTH_DATE = "birth_date_near"
    SAME_BIRTH_YEAR = "same_birth_year"
    NEAR_BIRTH_YEAR = "birth_year_estimated_near"
    OTHER_BIRTH_DATE = "other_birth_date"
    OTHER_SEX = "other_sex"
    OTHER_NATIONALITY = "other_nationality"


class Name(Body):
    """A person's name in one script, kept as written; a part that is not known is an empty string."""

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

    kind: Annotated[DocumentKind, member_of("unknown_document_kind", DocumentKind)]
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


class ReturneePatch(Body):
    """What is corrected; a member that is not sent stays as it is."""

    names: Names | None = None
    sex: Annotated[Sex, member_of("unknown_sex", Sex)] | None = None
    birth: Birth | None = None
    nationality: Nationality | None = None
    documents: Annotated[list[Document], Field(max_length=20)] | None = None
    languages: Annotated[list[Language], Field(max_length=20)] | None = None
    contacts: Annotated[list[Contact], Field(max_length=20)] | None = None
    identifiers: Annotated[list[Identifier], Field(max_length=20)] | None = None

    @model_validator(mode="after")
    def no_null(self) -> Self:
        """Refuse null: it would mean nothing."""
        if any(getattr(self, name) is None for name in self.model_fields_set):
            raise refuse("null", "leave out what stays as it is")
        return self


class SearchIn(Body):
    """Whom is looked for: names or how they begin, in any script, with the year or date of birth;
    or a number.

    The number is a document's, a phone's, another system's or a referral's at its sender.
    """

    q: Annotated[str, Field(min_length=2, max_length=200)]
    limit: Annotated[int, Field(ge=1, le=50)] = 20


class ReturneeOut(Out):
    """A returnee. `identity` is null for a client without the scope `returnees:identity`."""

    id: UUID
    merged: list[UUID]
    """Other ids of the same person; a request by one of them is answered with this."""
    household_id: UUID | None
    case_ids: list[UUID]
    identity: Person | None
    created_at: datetime
    updated_at: datetime


class FoundOut(Out):
    """A returnee that was found, and how well they agree with what was typed (0 to 1)."""

    id: UUID
    score: float
    names: list[Name]
    sex: Sex
    birth: Birth
    nationality: str
    household_id: UUID | None
    created_at: datetime
    updated_at: datetime


class FoundPage(Page[FoundOut]):
    """Who was found, best first, in one page.

    Attributes:
        more: Whether more people agree than are shown: another name or the year of birth tells them
            apart.
    """

    more: bool


class EvidenceOut(Out):
    """One reason, and how much it weighs: above zero for the same person, below against."""

    reason: Reason
    weight: float


class CandidateOut(Out):
    """Somebody who may be the same person.

    Attributes:
        id: Of the candidate, for `request-access`; no returnee's id.
        returnee_id: Null where only other organisations know of them.
        score: From 0 to 1; rounded where they are masked.
        likely: Whether it is more likely than not.
        masked: Whether only other organisations know of them.
        evidence: Why; empty where they are masked.
        identity: Null where they are masked.
    """

    id: UUID
    returnee_id: UUID | None
    score: float
    likely: bool
    masked: bool
    evidence: list[EvidenceOut]
    identity: Person | None


class AccessRequestIn(Body):
    """Why an organisation asks."""

    reason: SharingPurpose


class AccessRequestOut(Out):
    """That an organisation asks to know of a returnee."""

    id: UUID
    state: AccessRequestState
    organisation: str
    reason: SharingPurpose
    created_at: datetime
    updated_at: datetime


class MergeIn(Body):
    """With whom they are one person."""

    into: UUID


class SafeContact(Out):
    """When somebody may safely be reached, without the number."""

    kind: ContactKind
    owner: ContactOwner
    safe_hours: str | None


class IdentityOut(Out):
    """The minimum by which a desk recognises somebody, for our own services."""

    id: UUID
    names: list[Name]
    sex: Sex
    birth: Birth
    nationality: str
    household_id: UUID | None
    languages: list[str]
    contacts: list[SafeContact]
    marks: list[str]
    """By which a manifest is found to name the person: keyed digests of documents and references,
    in hexadecimal.
    """


class HouseholdMemberOut(Out):
    """A person's place in a household."""

    returnee_id: UUID
    relationship: str
    member: Member
    since: datetime
    until: datetime | None


class HouseholdOut(Out):
    """A household with its members, past ones too."""

    id: UUID
    members: list[HouseholdMemberOut]
    created_at: datetime
    updated_at: datetime


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
                "kind": DocumentKind(each["kind"]),
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
