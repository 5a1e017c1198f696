"""Returnees as they are sent and as they are answered."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from chassis.pagination import Page
from chassis.routing import Body
from services.cases.codes import Sex
from services.cases.fields import (
    Language,
    Nationality,
    Out,
    member_of,
    refuse,
)
from services.cases.people.particulars import (
    Birth,
    Contact,
    ContactKind,
    ContactOwner,
    Document,
    Identifier,
    Name,
    Names,
    Person,
)


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
