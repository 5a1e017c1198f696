"""In which time zone a port of entry lies: a person who lands at 23:30 UTC in Erbil has arrived on
the next day.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from sqlalchemy import ColumnElement, SQLColumnExpression, case, func, literal

from contracts.programmes import load_countries

ELSEWHERE = "UTC"
"""The time zone of a port that no programme's data names."""


@dataclass(frozen=True)
class Ports:
    """Time zones of ports of entry.

    Attributes:
        airports: By IATA code.
        countries: By ISO 3166-1 alpha-2, with which a UN/LOCODE begins.
    """

    airports: Mapping[str, str]
    countries: Mapping[str, str]

    def zone(self, port: str) -> ZoneInfo:
        """The time zone of a port."""
        known = self.airports.get(port) or (
            self.countries.get(port[:2]) if len(port) > len("BGW") else None
        )
        return ZoneInfo(known or ELSEWHERE)

    def zone_in_sql(self, port: SQLColumnExpression[Any]) -> ColumnElement[Any]:
        """The time zone's name of the port in a column."""
        by_country = case(self.countries, value=func.left(port, 2), else_=ELSEWHERE)
        by_airport = case(self.airports, value=port, else_=ELSEWHERE)
        return case((func.length(port) > literal(len("BGW")), by_country), else_=by_airport)


@cache
def load_ports(programmes_path: Path) -> Ports:
    """The ports in the programmes' countries of return, read once."""
    countries = load_countries(programmes_path).values()
    return Ports(
        airports={
            airport: country.time_zone
            for country in countries
            for airport in sorted(country.airports)
        },
        countries={country.alpha_2: country.time_zone for country in countries},
    )


async def _ports(request: Request) -> Ports:
    return load_ports(request.app.state.homeward.settings.programmes_path)


PortsDep = Annotated[Ports, Depends(_ports)]
"""The time zones of ports."""
