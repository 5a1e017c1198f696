"""Codes of countries and languages, as ISO lists them."""

from functools import cache

import pycountry


@cache
def countries() -> frozenset[str]:
    """ISO 3166-1 alpha-3 codes in use."""
    return frozenset(country.alpha_3 for country in pycountry.countries)


@cache
def languages() -> frozenset[str]:
    """ISO 639-1 codes, and ISO 639-3 codes."""
    codes = {language.alpha_3 for language in pycountry.languages}
    return frozenset(
        codes
        | {language.alpha_2 for language in pycountry.languages if hasattr(language, "alpha_2")}
    )
