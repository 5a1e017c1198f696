"""The programmes as this process was told to read them; they do not change while it runs."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import Settings
from contracts.programmes import Programme, Rules, load_programmes


class _Location(BaseSettings):
    """Where the programmes are: the same setting as `Settings.programmes_path`, also where a
    handler needs it.
    """

    model_config = SettingsConfigDict(env_prefix="HOMEWARD_", extra="ignore")

    programmes_path: Path = Settings.model_fields["programmes_path"].default


def folder() -> Path:
    """Where programme data is."""
    return _Location().programmes_path


@cache
def programmes() -> Mapping[str, Programme]:
    """Every programme by its id."""
    return load_programmes(folder())


def rules_of(programme: str, version: int) -> Rules:
    """The rules that a referral or a case keeps to, however long it lasts.

    Raises:
        KeyError: The programme or the version is no longer in the data.
    """
    return programmes()[programme].version(version)


def zone_of(programme: str, version: int, country_of_return: str) -> ZoneInfo:
    """The time zone in which the days of a case begin and end."""
    return rules_of(programme, version).countries_of_return[country_of_return].country.zone


@cache
def known_referrers() -> frozenset[str]:
    """The services that may refer to any programme."""
    return frozenset(
        sender
        for programme in programmes().values()
        for rules in programme.versions
        for sender in rules.referrers.values
    )
