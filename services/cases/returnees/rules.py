"""Names made comparable: only for search, never shown and never put in the place of what was written. Pure."""

# ruff: noqa: RUF001 - letters that look alike are what this module is about

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

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
DIGRAPHS = (
    ("sch", "s"),
    ("tch", "s"),
    ("sh", "s"),
    ("sj", "s"),
    ("ch", "s"),
    ("kh", "k"),
    ("gh", "g"),
    ("th", "t"),
    ("dh", "d"),
    ("dj", "j"),
    ("dz", "j"),
    ("ph", "f"),
    ("ck", "k"),
)
LETTERS = str.maketrans({"q": "k", "c": "k", "x": "k", "g": "j", "v": "", "w": "", "z": "s", "p": "b", "h": ""})
VOWELS = re.compile(r"[aeiouy]")
APOSTROPHES = re.compile(r"['`]")
ARTICLE = re.compile(r"^(al|el|ul|as|ad|ar|an|at|az)[-\s]+")
ARABIC_ARTICLE = re.compile(r"\bال(?=\w{3})")


def plain(text: str) -> str:
    """Text in lower-case ASCII letters, words apart: one form for every script, code point and spelling mark."""
    folded = unicodedata.normalize("NFKC", text).translate(FOLDED)
    bare = "".join(c for c in unicodedata.normalize("NFD", folded) if not unicodedata.combining(c))
    # A glottal stop is written as an apostrophe or not at all: it parts no words.
    ascii_only = APOSTROPHES.sub("", anyascii(bare).lower())
    return " ".join(re.sub(r"[^a-z]+", " ", ascii_only).split())


def skeleton(text: str) -> str:
    """The consonants of each word, so that Oebaidi, Obeidi and العبيدي meet."""
    words = []
    for word in ARTICLE.sub("", plain(ARABIC_ARTICLE.sub("", text))).split():
        bare = word
        for digraph, letter in DIGRAPHS:
            bare = bare.replace(digraph, letter)
        bare = VOWELS.sub("", bare.removeprefix("al") if len(word) > len("alxx") else bare).translate(LETTERS)
        bare = re.sub(r"(.)\1+", r"\1", bare)
        if bare:
            words.append(bare)
    return " ".join(words)


def search_text(names: Iterable[tuple[str, ...]]) -> str:
    """What a person is ranked by when they are looked for: every part of every name, plainly and as its consonants."""
    words: dict[str, None] = {}
    for parts in names:
        for part in parts:
            words.update(dict.fromkeys(_forms(part)))
    return " ".join(words)


@lru_cache(maxsize=65536)
def _forms(part: str) -> tuple[str, ...]:
    return (*plain(part).split(), *skeleton(part).split())


def queries(q: str) -> tuple[str, str]:
    """What is looked for: as it is spelled, and its consonants."""
    return plain(q), skeleton(q)
