"""The programmes as this process was told to read them; they do not change while it runs."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.settings import Settings
from contracts.programmes import Country, Programme, Rules, load_countries, load_programmes


class _Location(BaseSettings):
    """Where the programmes are: the same setting as `Settings.programmes_path`, also where a handler needs it."""

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


def rules_of(programme: str, version: int) -> Rules:
    """The rules that a return keeps to, however long it lasts.

    Raises:
        KeyError: The programme or the version is no longer in the data.
    """
    return programmes()[programme].version(version)
