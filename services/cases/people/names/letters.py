"""Names made comparable, letter by letter: only for search, never shown and never put in the place
of what was written. Pure.
"""

# ruff: noqa: RUF001 - letters that look alike are what this module is about

import re
from functools import lru_cache

from anyascii import anyascii

from chassis.text import folded, without_marks

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
    }
)
SPECIAL = str.maketrans(
    {
        "ş": "sh",
        "š": "sh",
        "ç": "c",
        "č": "tch",
        "ž": "zh",
        "ı": "i",
        "ö": "o",
        "ü": "u",
        "ə": "e",
        "đ": "d",
        "ð": "d",
        "ł": "l",
        "ø": "o",
        "æ": "ae",
        "œ": "oe",
        "ß": "ss",
        "þ": "th",
        "ŋ": "n",
        "ɓ": "b",
        "ɗ": "d",
        "ƙ": "k",
        "ɛ": "e",
        "ɔ": "o",
    }
)
"""Latin letters that are no plain letter with a mark, or whose mark changes how they sound."""
HARD_OR_H = "9"
"""The Cyrillic letter for g, and in foreign names for h. No letter of a name is a digit."""
CYRILLIC = str.maketrans(
    {
        "х": "kh",
        "г": HARD_OR_H,
        "ж": "zh",
        "ц": "ts",
        "ч": "tch",
        "ш": "sh",
        "щ": "sh",
        "ю": "yu",
        "я": "ya",
        "є": "ye",
        "ї": "yi",
        "ё": "yo",
        "ы": "y",
        "ъ": "",
        "ь": "",
        "һ": "h",
        "қ": "q",
        "ғ": "gh",
        "ҳ": "h",
        "ҷ": "j",
        "җ": "j",
        "ң": "n",
        "ө": "o",
        "ү": "u",
        "ұ": "u",
        "ә": "e",
        "і": "i",
        "ў": "u",
        "ђ": "dj",
        "ћ": "tch",
        "џ": "dj",
        "љ": "l",
        "њ": "n",
    }
)
GREEK = {"μπ": "b", "ντ": "d", "γκ": "g", "τζ": "tz", "τσ": "ts", "ου": "u", "χ": "kh", "ξ": "ks"}
GREEK_PAIRS = re.compile("|".join(GREEK))
APOSTROPHES = re.compile(r"['`\u2018\u2019\u02bf\u02be\u02bc\u00b4]")


OF_SYLLABLES = re.compile("[\u0900-\u0dff\u0e00-\u109f\u1780-\u17ff]")
"""Scripts of India and its neighbours to the east."""


def bare(part: str) -> str:
    """Text in small letters of its own script, one form of each, without their marks; in Latin
    ones where a script writes syllables.
    """
    if part.isascii():
        return APOSTROPHES.sub("", part.lower()).strip()
    if OF_SYLLABLES.search(part):  # their vowels are marks, and would be taken off as such
        return APOSTROPHES.sub("", anyascii(folded(part)).lower()).strip()
    small = folded(part).lower().translate(SPECIAL)
    # The marks of Arabic letters are folded as letters; those of Latin ones fall away.
    letters = without_marks(small.translate(FOLDED))
    return APOSTROPHES.sub("", letters.translate(FOLDED)).strip()


@lru_cache(maxsize=65536)
def romanised(word: str) -> str:
    """Returns a bare word in Latin letters, as it is heard.

    Whatever has no table of its own is written as `anyascii` does, syllable by syllable where the
    script is one of syllables.
    """
    if word.isascii():
        return word
    heard = GREEK_PAIRS.sub(lambda pair: GREEK[pair[0]], word).translate(CYRILLIC)
    latin = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", anyascii(heard))
    return APOSTROPHES.sub("", latin.lower()).strip()


def plain(text: str) -> str:
    """Text in lower-case ASCII letters, words apart: one form for every script, code point and
    spelling mark.
    """
    marked = folded(text).translate(FOLDED)
    # A glottal stop is written as an apostrophe or not at all: it parts no words.
    ascii_only = APOSTROPHES.sub("", anyascii(without_marks(marked)).lower())
    return " ".join(re.sub(r"[^a-z]+", " ", ascii_only).split())
