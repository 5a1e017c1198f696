"""Telephone numbers as people write them."""

import re
from collections.abc import Sequence
from typing import Any

import phonenumbers
import pycountry

from chassis.tabular.values import cleaned, folded

MOBILE = frozenset(
    {phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}
)


def phone(text: str, countries: Sequence[str]) -> str:
    """A telephone number with its country, where what was written can be one number only.

    Args:
        text: As people write it. One with its country stays as it was written.
        countries: Alpha-3, in which a number without one may be.
    """
    plain = re.sub(r"^tel:", "", cleaned(folded(text)).lstrip("'"), flags=re.IGNORECASE).strip()
    if not re.fullmatch(r"[+\d][\d\s().-]*", plain):
        return text
    if plain.startswith("00"):
        plain = "+" + plain[2:]
    if plain.startswith("+"):
        return plain
    numbers = [_parsed(plain, country) for country in countries]
    with_code = _parsed("+" + plain, None)
    if with_code and with_code.country_code in {_calling_code(country) for country in countries}:
        numbers.append(with_code)
    known = {
        phonenumbers.format_number(each, phonenumbers.PhoneNumberFormat.E164): each
        for each in numbers
        if each
    }
    # What is a mobile number in one country may be a landline in another; people give mobile ones.
    mobile = [form for form, each in known.items() if phonenumbers.number_type(each) in MOBILE]
    candidates = mobile or list(known)
    return candidates[0] if len(candidates) == 1 else text


def _parsed(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(text, country and _region(country))
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_valid_number(parsed) else None


def _region(country: str) -> str | None:
    known = pycountry.countries.get(alpha_3=country)
    return known.alpha_2 if known else None


def _calling_code(country: str) -> int:
    return phonenumbers.country_code_for_region(_region(country) or "")


def contacts(given: list[dict[str, Any]], countries: Sequence[str]) -> list[dict[str, Any]]:
    """Contacts with their numbers read; two numbers in one are two."""
    found = []
    for contact in given:
        written = str(contact.get("value", ""))
        several = [phone(part, countries) for part in written.split("/")]
        if len(several) > 1 and all(each.startswith("+") for each in several):
            found += [contact | {"value": each} for each in several]
        else:
            found.append(contact | {"value": phone(written, countries)})
    return found
