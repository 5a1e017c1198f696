"""One sentence per fact, in the language asked for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import yaml
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency

from chassis.events import REGISTRY
from contracts.codes import HelpKind

FOLDER = Path(__file__).parent / "summaries"
LANGUAGES = {
    "en": "en_GB",
    "fr": "fr",
    "nl": "nl",
    "de": "de",
    "fi": "fi",
    "ar": "ar",
    "ckb": "ckb",
    "kmr": "ku",
}
"""Language tags and the locales of their dates and amounts."""
DEFAULT = "en"
ALSO = {"ku": "kmr", "ku-latn": "kmr", "ku-arab": "ckb"}

OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True)
class Language:
    """The sentences of one language.

    Attributes:
        tag: Its BCP 47 tag.
        events: Event type, without namespace and version, to sentence. `{member}` stands for a
            member of the payload; what is in brackets is left out where a member in it is absent.
        codes: Codes to words.
        help: Kinds of help to words; some of their codes are also those of courses.
    """

    tag: str
    events: Mapping[str, str]
    codes: Mapping[str, str]
    help: Mapping[str, str]

    def words_of(self, codes: type[StrEnum]) -> Mapping[str, str]:
        """The words for the members of a list of codes."""
        return self.help if issubclass(codes, HelpKind) else self.codes

    def sentence(self, event_type: str, data: Mapping[str, Any]) -> str:
        """What happened. A type without a sentence of its own is said by its name."""
        name = short(event_type)
        template = self.events.get(name)
        if template is None:
            return name
        kinds_of_help = help_members(event_type)
        values = {
            member: self._said(value, self.help if member in kinds_of_help else self.codes)
            for member, value in data.items()
            if value is not None
        }
        whole = OPTIONAL.sub(
            lambda part: part[1] if set(PLACEHOLDER.findall(part[1])) <= values.keys() else "",
            template,
        )
        return PLACEHOLDER.sub(lambda placeholder: values.get(placeholder[1], "…"), whole)

    def _said(self, value: Any, codes: Mapping[str, str]) -> str:
        locale = LANGUAGES[self.tag]
        if isinstance(value, dict) and {"amount", "currency"} <= value.keys():
            return str(format_currency(Decimal(value["amount"]), value["currency"], locale=locale))
        if not isinstance(value, str):
            return str(value)
        try:
            if len(value) == len("2026-01-31"):
                return str(format_date(date.fromisoformat(value), "long", locale=locale))
            moment = datetime.fromisoformat(value)
            return str(
                format_datetime(moment, "d MMMM y HH:mm", tzinfo=moment.tzinfo, locale=locale)
            )
        except ValueError:
            return codes.get(value, value)


def codes_of(annotation: Any) -> type[StrEnum] | None:
    """The list of codes that a member's annotation is made of, if it is."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return annotation
    return next(filter(None, map(codes_of, get_args(annotation))), None)


@lru_cache
def help_members(event_type: str) -> frozenset[str]:
    """The members of an event that are kinds of help."""
    model = REGISTRY.get(event_type)
    members = model.model_fields.items() if model is not None else ()
    return frozenset(
        name for name, field in members if issubclass(codes_of(field.annotation) or str, HelpKind)
    )


def short(event_type: str) -> str:
    """An event type without namespace and version: `cases.referral.accepted`."""
    return event_type.removeprefix("org.homeward.").rpartition(".")[0]


@lru_cache
def language(tag: str) -> Language:
    """A language by its tag."""
    document = yaml.load(
        (FOLDER / f"{tag}.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader
    )
    return Language(tag, document["events"], document["codes"], document["help"])


def preferred(accept_language: str | None) -> Language:
    """The first language of an Accept-Language header (RFC 9110, section 12.5.4) that we speak;
    English otherwise.
    """
    wishes = []
    for index, wish in enumerate((accept_language or "").split(",")):
        tag, _, weight = wish.strip().partition(";")
        quality = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", weight)
        if not weight or quality:
            wishes.append((-float(quality[1]) if quality else -1.0, index, tag.strip().lower()))
    for quality_, _, tag in sorted(wishes):
        for candidate in (
            ALSO.get(tag),
            tag,
            ALSO.get(tag.partition("-")[0]),
            tag.partition("-")[0],
        ):
            if candidate in LANGUAGES and quality_ < 0:
                return language(candidate)
    return language(DEFAULT)
