"""Kinds of documents: how long each is kept and who may open it, as
`programmes/documents/kinds.yaml` says.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache

from pydantic import Field

from contracts.codes import DocumentKind
from contracts.programmes import read
from contracts.scopes import Scope
from contracts.sourced import Sourced
from services.cases.programmes import folder

FILE = "documents/kinds.yaml"


class Readers(StrEnum):
    """In what part an organisation may open a document, beside its scopes."""

    EVERYBODY = "everybody"
    """Whoever takes part in the person's return, the referring service too."""
    IMPLEMENTERS = "implementers"
    """The implementing organisation and the programme office."""


class Handling(Sourced):
    """How a kind is handled."""

    keep_months: int = Field(ge=1)
    """After the upload."""
    readers: Readers
    accounts: bool = False
    """Kept when everybody is erased who was in the case that it is about: what was paid can still
    be shown.
    """
    scope: Scope | None = None
    """What opening it needs beside `documents:read`."""


@cache
def handling() -> Mapping[DocumentKind, Handling]:
    """How each kind is handled.

    Raises:
        ValueError: The file does not say it of every kind.
    """
    kinds = {
        DocumentKind(kind): Handling.model_validate(data)
        for kind, data in read(folder() / FILE).items()
    }
    missing = set(DocumentKind) - set(kinds)
    if missing:
        raise ValueError(f"{FILE} says nothing of {', '.join(sorted(missing))}")
    return kinds
