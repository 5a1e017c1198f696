"""Names made comparable: only for search, never shown and never put in the place of what was
written. Pure.
"""

# ruff: noqa: RUF001 - letters that look alike are what this module is about

import re
import unicodedata

from anyascii import anyascii

FOLDED = str.maketrans(
    {
        "ي": "ی",  # Arabic and Kurdish or Persian yeh
        "ى": "ی",
        "ئ": "ی",
        "ك": "ک",
        "ڪ": "ک",
        "ە": "ه",
        "ة": "ه",
        "ھ": "ه",
        "أ": "ا",
        "إ": "ا",
        "آ": "ا",
        "ٱ": "ا",
        "ؤ": "و",
        "ۆ": "و",
        "ێ": "ی",
        "ڕ": "ر",
        "ڵ": "ل",
        "ء": "",
        "\u0640": "",  # tatweel
        "\u200c": "",  # ZWNJ
        "\u200d": "",  # ZWJ
        "\ufeff": "",
    }
)
APOSTROPHES = re.compile(r"['`]")


def plain(text: str) -> str:
    """Text in lower-case ASCII letters, words apart: one form for every script, code point and
    spelling mark.
    """
    folded = unicodedata.normalize("NFKC", text).translate(FOLDED)
    bare = "".join(c for c in unicodedata.normalize("NFD", folded) if not unicodedata.combining(c))
    # A glottal stop is written as an apostrophe or not at all: it parts no words.
    ascii_only = APOSTROPHES.sub("", anyascii(bare).lower())
    return " ".join(re.sub(r"[^a-z]+", " ", ascii_only).split())
