"""Programmes, and the question whether a described return is for one."""

from typing import Any

from pydantic import BaseModel

from chassis.routing import Body
from contracts.codes import (
    ConsentPurpose,
    CountryCode,
    LegalBasis,
    LegalStatus,
    PortCode,
    ReturnKind,
    Slug,
)
from contracts.programmes import Programme
from services.grants.schemas import Day


class ProgrammeOut(BaseModel):
    """A programme with every version of its rules; each rule has its source."""

    id: str
    name: str
    office: str
    versions: list[dict[str, Any]]

    @classmethod
    def of(cls, programme: Programme) -> "ProgrammeOut":
        """As JSON."""
        return cls.model_validate(programme.model_dump(mode="json", by_alias=True))


class ConsentIn(Body):
    """What somebody consented to."""

    purpose: ConsentPurpose
    legal_basis: LegalBasis


class DescribedIn(Body):
    """A return, without who returns."""

    sender: Slug
    return_kind: ReturnKind
    legal_status: LegalStatus
    host_country: CountryCode
    country_of_return: CountryCode
    consents: tuple[ConsentIn, ...] = ()
    counselled_on: Day
    departs_on: Day | None = None
    port_of_entry: PortCode | None = None


class FindingOut(BaseModel):
    """One rule, applied."""

    rule: str
    code: str
    holds: bool
    right: str
    source: str
    verified: bool


class EligibilityOut(BaseModel):
    """Whether a return is for a programme, with the rules used."""

    programme: str
    version: int | None
    eligible: bool
    findings: list[FindingOut]
