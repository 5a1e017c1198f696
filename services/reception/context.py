"""What the desk's work needs beside the database: keys, ports and programmes, as this process was
told of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from chassis.crypto import Keyring
from chassis.settings import Settings
from contracts.programmes import (
    Country,
    HandoverRule,
    Programme,
    Rules,
    load_countries,
    load_programmes,
)
from participation.matching_digests import Marks
from services.reception.ports import Ports, load_ports


@dataclass(frozen=True)
class ReceptionContext:
    """What stays the same while a process runs.

    Attributes:
        keyring: Encrypts and decrypts.
        marks: Makes digests.
        ports: Time zones of ports.
        programmes: By id.
        countries: Of return, by ISO 3166-1 alpha-3.
    """

    keyring: Keyring
    marks: Marks
    ports: Ports
    programmes: Mapping[str, Programme]
    countries: Mapping[str, Country]

    @classmethod
    def of(cls, settings: Settings, keyring: Keyring | None = None) -> "ReceptionContext":
        """As the settings say."""
        programmes, countries = _data(settings.programmes_path)
        return cls(
            keyring or Keyring.from_settings(settings),
            Marks(settings),
            load_ports(settings.programmes_path),
            programmes,
            countries,
        )

    def rules(self, programme: str | None, version: int | None, day: date) -> Rules | None:
        """The rules for a return; None where no programme is known, or it has none for that day.

        Args:
            programme: Its id.
            version: Which version a case keeps to; the one of the day where there is no case.
            day: Of the arrival.
        """
        known = self.programmes.get(programme or "")
        if known is None:
            return None
        return known.version(version) if version is not None else known.version_at(day)

    def country_of(self, port: str) -> str | None:
        """The country of return that a port lies in, ISO 3166-1 alpha-3."""
        return next(
            (code for code, country in self.countries.items() if country.has_port(port)), None
        )

    @property
    def strictest_handover(self) -> HandoverRule:
        """The rule for somebody whose programme is not known: nobody loses protection for want of a
        paper.
        """
        rules = [
            version.reception.handover
            for programme in self.programmes.values()
            for version in programme.versions
        ]
        return HandoverRule(
            reasons=frozenset().union(*(rule.reasons for rule in rules)),
            adult_at=max(rule.adult_at for rule in rules),
            source="the strictest of all programmes",
            verified=all(rule.verified for rule in rules),
        )


@cache
def _data(path: Path) -> tuple[Mapping[str, Programme], Mapping[str, Country]]:
    return load_programmes(path), load_countries(path)


async def _context(request: Request) -> ReceptionContext:
    here = request.app.state.homeward
    return ReceptionContext.of(here.settings, here.keyring)


ReceptionContextDep = Annotated[ReceptionContext, Depends(_context)]
"""Keys, ports and programmes."""
