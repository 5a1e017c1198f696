"""Numbers by which people are known, made comparable: documents, phones, ids of other systems.
Pure.
"""

import re
from functools import lru_cache

import phonenumbers
from anyascii import anyascii

from chassis.text import folded
from contracts.names import is_missing

LOOKS_LIKE = str.maketrans("АВСЕНІКМОРТХУЅЈΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABCEHIKMOPTXYSJABEZHIKMNOPTYX")  # noqa: RUF001
"""Letters of other scripts that are printed in documents as the Latin ones that look the same."""
MISREAD = str.maketrans("OQILSBZ", "0011582")
"""Letters that are read for digits, and digits for letters."""
E164 = re.compile(r"\+[1-9][1-9]{3}[0-9]{4,11}")
"""What is in that form already, so that no trunk prefix can be in it."""
LEAST = 3
"""Characters of a number that says whose it is."""


@lru_cache(maxsize=65536)
def document_key(number: str) -> str:
    """Returns a document's number as it is compared: letters and digits, in capitals."""
    latin = folded(number).upper().translate(LOOKS_LIKE)
    return re.sub(r"[^0-9A-Z]", "", anyascii(latin).upper())


def misread_key(number: str) -> str:
    """Returns what several readings of a document's number have in common: O and 0, I and 1."""
    return document_key(number).translate(MISREAD)


def says_nothing(key: str) -> bool:
    """Whether a number stands for none: zeros, crosses, a word for "unknown"."""
    return len(key) < LEAST or len(set(key)) == 1 or (key.isalpha() and is_missing(key))


@lru_cache(maxsize=65536)
def phone_key(number: str) -> str:
    """Returns a phone number in E.164, whatever digits it is written in."""
    if E164.fullmatch(number):
        return number
    parsed = phonenumbers.parse(folded(number), None)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def identifier_key(value: str) -> str:
    """Returns another system's number as it is compared."""
    return document_key(value) or folded(value).strip()
