"""The programmes as this process was told to read them; they do not change while it runs."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import Settings
from contracts.entitlements import Assistance, Package
from contracts.programmes import Programme, last_day, load_programmes


class _Location(BaseSettings):
    """Where the programmes are: the same setting as `Settings.programmes_path`, also where a
    handler needs it.
    """

    model_config = SettingsConfigDict(env_prefix="HOMEWARD_", extra="ignore")

    programmes_path: Path = Settings.model_fields["programmes_path"].default


@cache
def programmes() -> Mapping[str, Programme]:
    """Every programme by its id."""
    return load_programmes(_Location().programmes_path)


def assistance(programme: str, version: int) -> Assistance:
    """What a programme allows for a return that keeps to one version of its rules.

    Raises:
        KeyError: The programme or the version is not in the data.
    """
    return programmes()[programme].version(version).assistance


def window_ends(
    programme: str, version: int, package: Package, implementer: str, arrived_on: date
) -> date:
    """The last day on which something of a package may be requested, by the week of the country of
    return.

    Args:
        programme: Its id.
        version: Of its rules.
        package: What is requested.
        implementer: Who assists there, by which the country is known.
        arrived_on: The day of arrival, which itself does not count.
    """
    places = list(programmes()[programme].version(version).countries_of_return.values())
    place = next((place for place in places if implementer in place.implementers), places[0])
    return last_day(arrived_on, package.window.length, package.window.unit, place.country)


@cache
def zone_of(programme: str, implementer: str) -> ZoneInfo:
    """The time zone in which a partner's days begin and end: that of the country in which they
    assist.

    Args:
        programme: Its id.
        implementer: Who assists there; the programme's first country where the data does not know
            them.
    """
    versions = programmes()[programme].versions
    places = [place for rules in reversed(versions) for place in rules.countries_of_return.values()]
    return next(
        (place for place in places if implementer in place.implementers), places[0]
    ).country.zone
