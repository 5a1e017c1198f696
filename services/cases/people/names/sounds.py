"""How alike two names sound, whatever alphabet and host country they were written in. Pure.

A name is read as a row of sounds. A letter that may stand for several sounds (German and French
`ch`, Dutch and Kurdish `j`, Arabic و) keeps all of them, and agrees with another that shares one.
Vowels and half-vowels weigh little: Arabic leaves most of them out, and every Latin spelling
chooses others.
"""

# ruff: noqa: RUF001, SIM905 - letters that look alike are what this module is about

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, product

from services.cases.people.names.letters import HARD_OR_H, bare, romanised

WEAK = frozenset("aeiouywh")
LATIN = {
    "dsch": "ǧž",
    "tsch": "čš",
    "sch": "š",
    "tch": "čš",
    "dsj": "ǧž",
    "tsj": "čš",
    "tj": "čš",
    "sh": "š",
    "sj": "šž",
    "zj": "žǧš",
    "zh": "žǧš",
    "dzh": "ǧž",
    "dj": "ǧž",
    "xh": "ǧ",
    "gj": "ǧ",
    "dz": "ǧz",
    "ch": "šxč",
    "kh": "x",
    "gh": "ġg",
    "th": "ts",
    "dh": "zd",
    "ph": "f",
    "ck": "k",
    "ou": "uw",
    "oe": "u",
    "oo": "u",
    "ee": "i",
    "ie": "i",
    "b": "b",
    "c": "ǧksč",
    "d": "d",
    "f": "fv",
    "g": "gǧž",
    "h": "h",
    "j": "ǧžy",
    "k": "k",
    "l": "l",
    "m": "m",
    "n": "n",
    "p": "pb",
    "q": "kgġ",
    "r": "r",
    "s": "sz",
    "t": "t",
    "v": "vwf",
    "w": "wvu",
    "x": "xk",
    "y": "yi",
    "z": "z",
    HARD_OR_H: "ghġ",
    "a": "a",
    "e": "e",
    "i": "iy",
    "o": "o",
    "u": "u",
}
"""What a Latin spelling may sound like; the longest that fits is read first."""
ARABIC = {
    "ا": "a",
    "ب": "b",
    "پ": "pb",
    "ت": "t",
    "ث": "ts",
    "ج": "ǧžg",
    "چ": "čšǧ",
    "ح": "h",
    "خ": "x",
    "د": "d",
    "ذ": "zd",
    "ر": "r",
    "ز": "z",
    "ژ": "žǧš",
    "س": "s",
    "ش": "š",
    "ص": "s",
    "ض": "dz",
    "ط": "t",
    "ظ": "zd",
    "غ": "ġg",
    "ف": "fv",
    "ڤ": "vwf",
    "ق": "kgġ",
    "ک": "kg",
    "گ": "gk",
    "ل": "l",
    "م": "m",
    "ن": "n",
    "ه": "hae",
    "و": "wvuo",
    "ی": "yiea",
}
HEBREW = {
    "א": "a",
    "ב": "bv",
    "ג": "gǧž",
    "ד": "d",
    "ה": "hae",
    "ו": "wvuo",
    "ז": "zž",
    "ח": "hx",
    "ט": "t",
    "י": "yiea",
    "כ": "kx",
    "ך": "kx",
    "ל": "l",
    "מ": "m",
    "ם": "m",
    "נ": "n",
    "ן": "n",
    "ס": "s",
    "פ": "pf",
    "ף": "pf",
    "צ": "sčz",
    "ץ": "sčz",
    "ק": "kgġ",
    "ר": "r",
    "ש": "šs",
    "ת": "ts",
}
SYRIAC = {
    "ܐ": "a",
    "ܒ": "bv",
    "ܓ": "gǧġ",
    "ܕ": "d",
    "ܗ": "hae",
    "ܘ": "wvuo",
    "ܙ": "z",
    "ܚ": "hx",
    "ܛ": "t",
    "ܝ": "yiea",
    "ܟ": "kx",
    "ܠ": "l",
    "ܡ": "m",
    "ܢ": "n",
    "ܣ": "s",
    "ܦ": "pf",
    "ܨ": "s",
    "ܩ": "kgġ",
    "ܪ": "r",
    "ܫ": "š",
    "ܬ": "t",
}
UNVOWELLED = ARABIC | HEBREW | SYRIAC
"""Scripts that leave most vowels out; what is written for a vowel may be one of several."""
SOUNDS = {read: frozenset(read) for read in (*LATIN.values(), *UNVOWELLED.values())}
SPELLINGS = re.compile("|".join(sorted(LATIN, key=len, reverse=True)))
SUN = "[slrndtz]"
ARTICLE = re.compile(rf"^(?:[aeu]l[-\s]+|[ae]{SUN}[-\s]+|a(?:sh|th|dh)[-\s]+)")
FUSED_ARTICLE = re.compile(r"^al(?=[^aeiou])(?=.{4})")
ARABIC_ARTICLE = re.compile(r"^ال(?=\w{3})")
SERVANT = re.compile(r"^(abd|عبد|عهبد)[aeiouاوی\s-]*(?:[lل]|r(?=[\s-]*r))?[\s-]*(?=\w)")
OPEN, CLOSE, HALF, NEAR, FAR, LETTER, CONSONANT = 0.15, 0.3, 0.3, 0.1, 0.7, 0.6, 1.0
"""What differences cost: an open or close vowel or a half-vowel left out, another vowel near or
far, a written long vowel, a consonant.
"""
NEIGHBOURS = tuple(map(frozenset, ("ae", "eiy", "ouw", "aeh")))

NEARLY = {
    0.25: "sz zs šč čš čǧ".split(),
    0.3: "xh bp pb xk kx ǧg fp".split(),
    0.4: "xġ td kg bv vb žš žz ǧz ǧč pf".split(),
    0.5: "hg wb šx yǧ rġ sš zš ts sč zd".split(),
    0.6: "kč gč ǧd mn".split(),
}
"""What it costs that a consonant is another: less where one language hears the one for the other,
as Russian does g or kh for h, Turkish h for kh, Spanish b for v.
"""
CLOSELY = {pair[::way]: cost for cost, pairs in NEARLY.items() for pair in pairs for way in (1, -1)}

Sounds = tuple[frozenset[str], ...]


def without_article(word: str) -> str:
    """A bare word without the article that is written as one with it."""
    return ARABIC_ARTICLE.sub("", FUSED_ARTICLE.sub("", word))


def is_arabic(part: str) -> bool:
    """Whether a part of a name is in Arabic letters."""
    return any("\u0600" <= character <= "\u06ff" for character in part)


@lru_cache(maxsize=65536)
def sounds(part: str) -> Sounds:
    """A part of a name as the sounds it may stand for; the article is left away, doubled sounds are
    one.
    """
    word = without_article(ARTICLE.sub("", bare(part)))
    word = SERVANT.sub(lambda found: "abd" if found[1] == "abd" else "عبد", word)
    letters = re.sub(r"[\s-]+", "", word)
    if any(c in UNVOWELLED for c in letters):
        read = [UNVOWELLED[c] for c in letters if c in UNVOWELLED]
    else:
        read = [LATIN[found] for found in SPELLINGS.findall(romanised(letters))]
    row: list[frozenset[str]] = []
    for sound in map(SOUNDS.__getitem__, read):
        if not row or row[-1] != sound:
            row.append(sound)
    return tuple(row)


def _drop(sound: frozenset[str], *, written: bool) -> float:
    """What it costs that a sound is missing. `written`: both are in Arabic, which leaves no long
    vowel out.
    """
    if not sound & WEAK:
        return CONSONANT
    if "h" in sound:
        return HALF
    if written:
        return LETTER
    return OPEN if sound & frozenset("ae") else CLOSE


def _swap(one: frozenset[str], other: frozenset[str], *, written: bool) -> float:
    if one & other:
        return 0.0
    weak = bool(one & WEAK and other & WEAK)
    if written:
        return LETTER if weak else CONSONANT
    if not weak:
        return min((CLOSELY.get(a + b, CONSONANT) for a in one for b in other), default=CONSONANT)
    return NEAR if any(one & group and other & group for group in NEIGHBOURS) else FAR


# Hundreds of words are compared in one search: what differences cost is worked out once, and a
# sound is its number.
READ = sorted(set(SOUNDS.values()), key=sorted)
NUMBERED = {sound: number for number, sound in enumerate(READ)}
DROPS = tuple([_drop(sound, written=written) for sound in READ] for written in (False, True))
SWAPS = tuple(
    [[_swap(one, other, written=written) for other in READ] for one in READ]
    for written in (False, True)
)
FIRM = [0.4 if sound & WEAK else 1.0 for sound in READ]


@lru_cache(maxsize=65536)
def _heard(part: str) -> tuple[bytes, float, bool]:
    """The numbers of a part's sounds, how much of it is firm, and whether its script is Arabic."""
    numbers = bytes(NUMBERED[sound] for sound in sounds(part))
    return numbers, sum(FIRM[number] for number in numbers), is_arabic(part)


@lru_cache(maxsize=65536)
def similarity(one: str, other: str) -> float:
    """How alike two parts of a name are, from 0 to 1; they may be in different scripts."""
    (left, firm, arabic), (right, other_firm, other_arabic) = _heard(one), _heard(other)
    if not left or not right:
        return 0.0
    written = arabic and other_arabic
    drops, swaps = DROPS[written], SWAPS[written]
    dropped = [drops[sound] for sound in right]
    above = [0.0, *accumulate(dropped)]
    for sound in left:
        drop, swap, diagonal = drops[sound], swaps[sound], above[0]
        before = diagonal + drop
        row = [before]
        for opposite, missing, up in zip(right, dropped, above[1:], strict=True):
            before += missing
            if (replaced := diagonal + swap[opposite]) < before:
                before = replaced
            if (left_out := up + drop) < before:
                before = left_out
            row.append(before)
            diagonal = up
        above = row
    return max(0.0, 1.0 - above[-1] / max(firm, other_firm))


KINDS = {
    "": "ywhaeioufv",
    "b": "bp",
    "t": "td",
    "s": "szšžčǧ",
    "k": "kgxġ",
    "l": "l",
    "m": "m",
    "n": "n",
    "r": "r",
}
KIND = {sound: kind for kind, sounds in KINDS.items() for sound in sounds}
LIPS = KIND | {"f": "f", "v": "f"}
DOUBTFUL = 2, 4
"""Sounds of a word that may be taken in two ways, for coarse and for finer keys; of the others the
first way is taken.
"""


@lru_cache(maxsize=65536)
def blocks(part: str) -> frozenset[str]:
    """Coarse keys that spellings of one name have in common: where people are looked for before
    they are compared.

    All hissing sounds are one, so are throaty ones, and d and t; lips and vowels are left away. Of
    kh it is left open whether it is heard at all.
    """
    rows = [{KIND[s] for s in sound} | ({""} if "x" in sound else set()) for sound in sounds(part)]
    return frozenset(re.sub(r"(.)\1+", r"\1", c) or "-" for c in _combined(rows, DOUBTFUL[0]))


@lru_cache(maxsize=65536)
def codes(part: str) -> frozenset[str]:
    """Finer keys, for whom is looked for by name: f and v count, and a consonant that comes again
    after a vowel.
    """
    rows = [{LIPS[s] for s in sound} for sound in sounds(part)]
    return frozenset(code or "-" for code in _combined(rows, DOUBTFUL[1]))


def _combined(rows: list[set[str]], doubtful: int) -> Iterator[str]:
    chosen: list[list[str]] = []
    for kinds in rows:
        doubtful -= len(kinds) > 1
        chosen.append(sorted(kinds) if doubtful >= 0 else [min(kinds)])
    return map("".join, product(*chosen))
