"""What a programme allows: dated data of `programmes/*.yaml`, each rule with its source, decided by
pure functions.
"""

import calendar
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from contracts.codes import (
    AssistanceKind,
    ConsentPurpose,
    CountryCode,
    DeadlineKind,
    LegalBasis,
    LegalStatus,
    PortCode,
    ReturnKind,
    Slug,
)
from contracts.entitlements import Assistance
from contracts.sourced import Data, Sourced, Unit

COMMON_FILE = "common.yaml"
COUNTRIES_FILE = "countries.yaml"
DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
END_OF_DAY = time(23, 59, 59)

LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
"""ISO 639-1, or ISO 639-3 where there is no shorter one (`ckb`, `kmr`, `prs`)."""


def _known_time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not a time zone of the IANA database")
    return name


TimeZoneName = Annotated[str, AfterValidator(_known_time_zone)]
"""A name of the IANA time zone database."""


class Country(Data):
    """A country of return: its clock, its week and its ports of entry."""

    alpha_2: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    time_zone: TimeZoneName
    weekend: frozenset[
        Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    ]
    holidays: frozenset[date] = frozenset()
    """Public holidays on which no working day is counted."""
    airports: frozenset[PortCode]
    source: str
    verified: bool

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone in which its days begin and end."""
        return ZoneInfo(self.time_zone)

    def is_working_day(self, day: date) -> bool:
        """Whether offices are open."""
        return DAY_NAMES[day.weekday()] not in self.weekend and day not in self.holidays

    def has_port(self, port: str) -> bool:
        """Whether a port of entry lies in it: one of its airports, or a UN/LOCODE that begins with
        its code.
        """
        return port in self.airports or (
            len(port) == len("IQEBL") and port.startswith(self.alpha_2)
        )


class CountryOfReturn(Sourced):
    """A country that a programme returns people to."""

    country: Country
    implementers: tuple[Slug, ...] = Field(min_length=1)
    """Organisations that may be asked to implement; the first where the sender names none."""


class Referrers(Sourced):
    """Organisations that may refer."""

    values: frozenset[Slug]


class ReturnKinds(Sourced):
    """Accepted kinds of return."""

    values: frozenset[ReturnKind]


class LegalStatuses(Sourced):
    """Accepted statuses of stay in the host country."""

    values: frozenset[LegalStatus]


class HostCountries(Sourced):
    """Countries that people may be referred from; None where the programme names none."""

    values: frozenset[CountryCode] | None


class Consents(Sourced):
    """What must be consented to before a referral, and on what legal bases instead."""

    required: frozenset[ConsentPurpose]
    legal_bases: frozenset[LegalBasis]


class IdentityDocuments(Sourced):
    """What must show who the principal applicant is before a referral."""

    accepted: frozenset[str]
    """Kinds of documents, any of which does."""
    return_kinds: frozenset[ReturnKind]
    """By which kinds of return nobody is referred without one; by the others they may follow."""


class AdultChildren(Sourced):
    """How children who come of age before they return are followed."""

    own_file: bool
    """Whether each has a case of their own, beside the family's."""


class Period(Sourced):
    """The departures that these rules are for."""

    from_: date = Field(alias="from")
    until: date | None
    """The last day; None where no end is known."""

    @model_validator(mode="after")
    def ends_after_it_begins(self) -> Self:
        """Refuse a period that ends before it begins."""
        if self.until is not None and self.until < self.from_:
            raise ValueError("a period ends before it begins")
        return self

    def __contains__(self, day: date) -> bool:
        return self.from_ <= day and (self.until is None or day <= self.until)


class Languages(Sourced):
    """Languages in which the office and its partners work; others need an interpreter."""

    values: frozenset[LanguageCode]


class Decider(StrEnum):
    """Who decides on a referral."""

    PARTNER = "partner"
    PROGRAMME_OFFICE = "programme_office"
    REFERRER = "referrer"
    """Of a retroactive referral: the host-country service whose word is asked."""


class AcceptedBy(Sourced):
    """Who decides on a referral first."""

    who: Decider


class Silence(StrEnum):
    """What happens when a deadline passes."""

    ESCALATE = "escalate"
    """The programme office decides instead."""
    EXPIRE = "expire"
    REJECT = "reject"
    ASK = "ask"
    """The partner may ask the sender."""
    WARN = "warn"


class Deadline(Sourced):
    """How long something may take, and what follows when it takes longer."""

    length: int = Field(ge=1)
    unit: Unit
    then: Silence


class Per(StrEnum):
    """Among whom an entitlement is counted."""

    PERSON = "person"
    HOUSEHOLD = "household"


class Entitlement(Sourced):
    """Who may be given a kind of reception assistance, and how often."""

    return_kinds: frozenset[ReturnKind] | None = None
    """None: by any kind of return."""
    at_most: int | None = Field(default=None, ge=1)
    """How often on one arrival; None: as often as it is needed."""
    per: Per = Per.PERSON


class HandoverReason(StrEnum):
    """Why somebody may not simply walk out of the port. It discloses a child's situation or
    health.
    """

    UNACCOMPANIED_CHILD = "unaccompanied_child"
    MEDICAL_ESCORT = "medical_escort"


class HandoverRule(Sourced):
    """Who is handed over to somebody who signs for it, before their reception is completed."""

    reasons: frozenset[HandoverReason]
    adult_at: int = Field(ge=1)
    """The age, in years, from which nobody is a child."""


class SafeContactRule(Sourced):
    """How those who were met may be contacted afterwards."""

    relatives: Literal["allowed", "with_consent", "never"]
    only_in_safe_hours: bool


class Reception(Data):
    """What a programme says about the port of entry."""

    assistance: Mapping[AssistanceKind, Entitlement]
    """A kind that is not named is not given."""
    handover: HandoverRule
    safe_contact: SafeContactRule


class Training(Sourced):
    """What a programme asks of courses, and for how long it follows those who work."""

    attendance_percent: int = Field(ge=1, le=100)
    """How much of a course must be attended to complete it, where the course itself asks for
    nothing else.
    """
    offer_days: int = Field(ge=1)
    """Days for which a place that became free is kept for the first on the waiting list."""
    retention_months: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1)
    """Months after the start of a placement at which it is checked whether the person still works
    there.
    """
    most_mentees: int = Field(ge=1)
    """Returnees that one graduate may accompany at a time."""


class Rules(Data):
    """What a programme allows for the departures of one period."""

    version: int = Field(ge=1)
    period: Period
    referrers: Referrers
    host_countries: HostCountries
    countries_of_return: Mapping[CountryCode, CountryOfReturn] = Field(min_length=1)
    return_kinds: ReturnKinds
    legal_statuses: LegalStatuses
    consents: Consents
    identity_documents: IdentityDocuments
    adult_children: AdultChildren
    languages: Languages
    training: Training
    accepted_by: AcceptedBy
    deadlines: Mapping[DeadlineKind, Deadline]
    assistance: Assistance
    """What may be granted and paid."""
    reception: Reception

    def implementers(self, country_of_return: str) -> tuple[str, ...]:
        """Organisations that may implement in a country of return; none where it is not of the
        programme.
        """
        place = self.countries_of_return.get(country_of_return)
        return place.implementers if place else ()

    def due(
        self, kind: DeadlineKind, country_of_return: str, start: date | datetime
    ) -> datetime | None:
        """When something is due.

        Args:
            kind: What is due.
            country_of_return: Whose week, holidays and time zone count (ISO 3166-1 alpha-3).
            start: The day, or the moment, from which it is counted. That day itself does not count.

        Returns:
            The last second of the last day there, with its offset; None where the programme sets no
            such deadline.

        Raises:
            KeyError: The country is not one of the programme's.
        """
        deadline = self.deadlines.get(kind)
        if deadline is None:
            return None
        country = self.countries_of_return[country_of_return].country
        first = start.astimezone(country.zone).date() if isinstance(start, datetime) else start
        return datetime.combine(
            last_day(first, deadline.length, deadline.unit, country), END_OF_DAY, country.zone
        )


class Programme(Data):
    """A programme of return and reintegration."""

    id: Slug
    name: str
    office: Slug
    """The organisation that is its programme office."""
    versions: tuple[Rules, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def versions_follow_one_another(self) -> Self:
        """Refuse versions that are not numbered in order, or that overlap."""
        if [rules.version for rules in self.versions] != list(range(1, len(self.versions) + 1)):
            raise ValueError("versions are numbered from 1, oldest first")
        for earlier, later in zip(self.versions, self.versions[1:], strict=False):
            if earlier.period.until is None or earlier.period.until >= later.period.from_:
                raise ValueError(f"versions {earlier.version} and {later.version} overlap")
        return self

    def version_at(self, day: date) -> Rules | None:
        """The rules for a departure on a day; None outside the programme's period."""
        return next((rules for rules in self.versions if day in rules.period), None)

    def version(self, number: int) -> Rules:
        """The rules of a version, which a case keeps to however long it lasts.

        Raises:
            KeyError: There is no such version.
        """
        if not 1 <= number <= len(self.versions):
            raise KeyError(number)
        return self.versions[number - 1]


@dataclass(frozen=True, slots=True)
class Described:
    """What decides whether a return is for a programme: no name, no person."""

    sender: str
    return_kind: ReturnKind
    legal_status: LegalStatus
    host_country: str
    country_of_return: str
    consents: Mapping[ConsentPurpose, LegalBasis]
    counselled_on: date
    """The day of the latest consent; it stands in for the departure while none is planned."""
    departs_on: date | None = None
    port_of_entry: str | None = None
    documents: Collection[str] | None = None
    """Kinds of the principal applicant's documents; None: they are not asked about."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule, applied."""

    rule: str
    """Name of the member of `Described` that it looks at."""
    code: str
    """What is wrong when it does not hold."""
    holds: bool
    right: str
    """What would be right, without repeating what was given."""
    source: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Whether a return is for a programme, with every rule that was used."""

    version: int | None
    """The version of the rules, None outside the programme's period."""
    findings: tuple[Finding, ...]

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """The rules that do not hold."""
        return tuple(finding for finding in self.findings if not finding.holds)

    @property
    def eligible(self) -> bool:
        """Whether every rule holds."""
        return not self.refusals


def rules_for(programme: Programme, departs_on: date | None, counselled_on: date) -> Rules | None:
    """The rules for a return, also while no departure is planned.

    Args:
        programme: The programme.
        departs_on: The planned or confirmed day of departure.
        counselled_on: The day of the latest consent. Without a departure it decides, and before the
            programme's first day it decides for the first version, because a departure can only
            come later.

    Returns:
        The rules, or None outside the programme's period.
    """
    if departs_on is not None:
        return programme.version_at(departs_on)
    return programme.version_at(max(counselled_on, programme.versions[0].period.from_))


def eligibility(programme: Programme, described: Described) -> Eligibility:
    """Decide whether a return is for a programme.

    Args:
        programme: The programme.
        described: The return.

    Returns:
        Every rule with its outcome. Outside the period that is the only one: no other rules are in
        force there.
    """
    rules = rules_for(programme, described.departs_on, described.counselled_on)
    latest = rules or programme.versions[-1]
    findings = [
        Finding(
            "departs_on",
            "outside_programme_period",
            rules is not None,
            "a departure in the period of the programme",
            latest.period.source,
            latest.period.verified,
        )
    ]
    if rules is None:
        return Eligibility(None, tuple(findings))

    def finding(rule: str, code: str, holds: bool, right: str, source: Sourced | Country) -> None:
        findings.append(Finding(rule, code, holds, right, source.source, source.verified))

    hosts, place = rules.host_countries, rules.countries_of_return.get(described.country_of_return)
    finding(
        "sender",
        "sender_outside_programme",
        described.sender in rules.referrers.values,
        "a service that refers to this programme: " + ", ".join(sorted(rules.referrers.values)),
        rules.referrers,
    )
    finding(
        "host_country",
        "host_country_outside_programme",
        hosts.values is None or described.host_country in hosts.values,
        "a host country of the programme: " + ", ".join(sorted(hosts.values or ())),
        hosts,
    )
    finding(
        "country_of_return",
        "country_outside_programme",
        place is not None,
        "a country of return of the programme: " + ", ".join(sorted(rules.countries_of_return)),
        place or next(iter(rules.countries_of_return.values())),
    )
    finding(
        "return_kind",
        "ineligible_return_kind",
        described.return_kind in rules.return_kinds.values,
        "a kind of return that the programme is for: "
        + ", ".join(sorted(rules.return_kinds.values)),
        rules.return_kinds,
    )
    finding(
        "legal_status",
        "ineligible_legal_status",
        described.legal_status in rules.legal_statuses.values,
        "a status of stay that the programme is for: "
        + ", ".join(sorted(rules.legal_statuses.values)),
        rules.legal_statuses,
    )
    finding(
        "consents",
        "consent_missing",
        all(
            described.consents.get(purpose) in rules.consents.legal_bases
            for purpose in rules.consents.required
        ),
        "consent for " + ", ".join(sorted(rules.consents.required)),
        rules.consents,
    )
    asked = rules.identity_documents
    if described.documents is not None and described.return_kind in asked.return_kinds:
        finding(
            "documents",
            "document_missing",
            not asked.accepted.isdisjoint(described.documents),
            "one of the principal applicant's documents: " + ", ".join(sorted(asked.accepted)),
            asked,
        )
    if place is not None and described.port_of_entry is not None:
        finding(
            "port_of_entry",
            "port_outside_country",
            place.country.has_port(described.port_of_entry),
            "a port in the country of return: "
            + ", ".join(sorted(place.country.airports))
            + " or its UN/LOCODE",
            place.country,
        )
    return Eligibility(rules.version, tuple(findings))


def last_day(start: date, length: int, unit: Unit, country: Country) -> date:
    """The last day of a length of time that begins on a day, which itself does not count.

    Args:
        start: The day on which it begins.
        length: How many, at least 1.
        unit: Of what. A month later is the same day of the month, or the last day of a shorter
            month.
        country: Whose working days.
    """
    if unit is Unit.DAYS:
        return start + timedelta(days=length)
    if unit is Unit.MONTHS:
        year, month = divmod(start.year * 12 + start.month - 1 + length, 12)
        return date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))
    day = start
    while length:
        day += timedelta(days=1)
        length -= country.is_working_day(day)
    return day


def load_countries(path: Path) -> dict[str, Country]:
    """Read the countries of return, by ISO 3166-1 alpha-3.

    Args:
        path: The folder of the programmes.

    Raises:
        ValueError: The file does not say what a country of return says.
        FileNotFoundError: There is no `countries.yaml`.
    """
    return {
        code: Country.model_validate(data) for code, data in read(path / COUNTRIES_FILE).items()
    }


def load_programmes(path: Path) -> dict[str, Programme]:
    """Read every programme of a folder.

    Args:
        path: The folder: one file a programme, `countries.yaml` for what they share about
            countries of return, and `common.yaml` for the rules that they have in common.

    Returns:
        The programmes by id.

    Raises:
        ValueError: A file does not say what a programme says, or its name is not the programme's
            id.
        FileNotFoundError: There is no `countries.yaml`, or no `common.yaml`.
    """
    countries, common = load_countries(path), read(path / COMMON_FILE)
    programmes: dict[str, Programme] = {}
    for file in sorted(path.glob("*.yaml")):
        if file.name in {COUNTRIES_FILE, COMMON_FILE}:
            continue
        data = read(file)
        data["versions"] = [inherit(common, rules) for rules in data["versions"]]
        for rules in data["versions"]:
            for code, place in rules["countries_of_return"].items():
                place["country"] = countries[code]
        programme = Programme.model_validate(data)
        if programme.id != file.stem:
            raise ValueError(f"{file.name} holds the programme {programme.id}")
        programmes[programme.id] = programme
    return programmes


def inherit(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The rules that a programme's version has: the common ones, where it does not say otherwise.

    A rule is taken or replaced whole, with its source: half of one and half of another would have
    no source. What stands beside rules (sections, packages) is merged. `null` says that there is no
    such rule.
    """
    rules = {name: rule for name, rule in common.items() if own.get(name, rule) is not None}
    for name, rule in own.items():
        base: Any = common.get(name)
        if rule is None and base is not None:
            continue
        both = isinstance(base, Mapping) and isinstance(rule, Mapping)
        merged = both and "source" not in base and "source" not in rule
        rules[name] = inherit(base, rule) if merged else rule
    return rules


def read(file: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ValueError: It holds something else.
    """
    data = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    if not isinstance(data, dict):
        raise ValueError(f"{file.name} is not a mapping")  # noqa: TRY004 - it is the content that is wrong
    return data
