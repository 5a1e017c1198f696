"""Text as people type it, folded for comparison: every digit, every form of a letter, nothing that
cannot be seen. Pure; what was written is kept as it was written.
"""

import unicodedata

INVISIBLE = dict.fromkeys(
    map(
        ord,
        "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
        "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff\ufe0e\ufe0f",
    )
)
"""Joiners, non-joiners, marks of direction and soft hyphens."""


def western_digits(text: str) -> str:
    """Returns text in which the decimal digits of every script are 0 to 9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def folded(text: str) -> str:
    """Returns text in one form of each letter and digit, without what cannot be seen."""
    if text.isascii():
        return text
    return western_digits(unicodedata.normalize("NFKC", text).translate(INVISIBLE))


def without_marks(text: str) -> str:
    """Returns text without accents, vowel marks and cantillation."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c))
