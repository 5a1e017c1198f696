"""The programmes as this process was told to read them; they do not change while it runs."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import Settings
from contracts.codes import CountryCode
from contracts.programmes import Country, Programme, Rules, load_countries, load_programmes, read
from contracts.sourced import Sourced
from services.training.weighing import Weighing

MATCHING_FILE, CITIES_FILE = Path("training", "matching.yaml"), Path("training", "cities.yaml")


class _Cities(Sourced):
    """Where cities are: country (ISO 3166-1 alpha-3), name, ISO 3166-2."""

    cities: Mapping[CountryCode, Mapping[str, str]]


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


@cache
def countries() -> Mapping[str, Country]:
    """Every country of return by its ISO 3166-1 alpha-3 code."""
    return load_countries(_Location().programmes_path)


@cache
def _weighings() -> tuple[Weighing, ...]:
    """Every version of how a fit is weighed, the oldest first.

    Raises:
        ValueError: The file does not say what a weighing says, or its versions are not in order.
    """
    versions = read(_Location().programmes_path / MATCHING_FILE)["versions"]
    found = tuple(Weighing.model_validate(each) for each in versions)
    if [each.version for each in found] != list(range(1, len(found) + 1)) or any(
        later.from_ <= earlier.from_ for earlier, later in pairwise(found)
    ):
        raise ValueError(f"the versions of {MATCHING_FILE} are not in order")
    return found


@cache
def _cities() -> Mapping[str, Mapping[str, str]]:
    return _Cities.model_validate(read(_Location().programmes_path / CITIES_FILE)).cities


def governorate_of(country: str, city: str | None) -> str | None:
    """In which part of its country a city is (ISO 3166-2); None where that is not known.

    Args:
        country: ISO 3166-1 alpha-3.
        city: Its name as courses give it; None where there is none.
    """
    return _cities().get(country, {}).get(city or "")


def weighing(day: date) -> Weighing:
    """How a fit of a person and a vacancy is weighed on a day; before the first version, by that
    one.
    """
    begun = [each for each in _weighings() if each.from_ <= day]
    return begun[-1] if begun else _weighings()[0]


def rules_of(programme: str, version: int) -> Rules:
    """The rules that a return keeps to, however long it lasts.

    Raises:
        KeyError: The programme or the version is no longer in the data.
    """
    return programmes()[programme].version(version)
