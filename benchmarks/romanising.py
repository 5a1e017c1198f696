"""How host countries write names in Latin letters: what they hear, each with its own letters."""

# ruff: noqa: E501, RUF001 - letters that look alike are what this module is about

import random
import re

from anyascii import anyascii

SOUNDS = {
    "english": {
        "š": "sh",
        "x": "kh",
        "ǧ": "j",
        "ġ": "gh",
        "u": "u",
        "ū": "oo",
        "ī": "ee",
        "q": "q",
        "č": "ch",
        "ž": "zh",
    },
    "german": {
        "š": "sch",
        "x": "ch",
        "ǧ": "dsch",
        "ġ": "gh",
        "u": "u",
        "ū": "u",
        "ī": "i",
        "q": "k",
        "č": "tsch",
        "ž": "sch",
    },
    "french": {
        "š": "ch",
        "x": "kh",
        "ǧ": "dj",
        "ġ": "gh",
        "u": "ou",
        "ū": "ou",
        "ī": "i",
        "q": "k",
        "č": "tch",
        "ž": "j",
    },
    "dutch": {
        "š": "sj",
        "x": "ch",
        "ǧ": "dj",
        "ġ": "gh",
        "u": "oe",
        "ū": "oe",
        "ī": "ie",
        "q": "q",
        "č": "tsj",
        "ž": "zj",
    },
    "russian": {
        "š": "sh",
        "x": "kh",
        "ǧ": "dzh",
        "ġ": "g",
        "u": "u",
        "ū": "u",
        "ī": "i",
        "q": "k",
        "č": "ch",
        "ž": "zh",
    },
}
ARABIC = dict(
    zip(
        "ابتثجحخدذرزسشصضطظعغفقكکلمنهويیىةءأإآؤئپچژگڤټډړږښڅځڼۍېګ",
        [
            "a",
            "b",
            "t",
            "th",
            "ǧ",
            "h",
            "x",
            "d",
            "dh",
            "r",
            "z",
            "s",
            "š",
            "s",
            "d",
            "t",
            "z",
            "",
            "ġ",
            "f",
            "q",
            "k",
            "k",
            "l",
            "m",
            "n",
            "h",
            "ū",
            "ī",
            "ī",
            "a",
            "a",
            "",
            "a",
            "i",
            "a",
            "u",
            "i",
            "p",
            "č",
            "ž",
            "g",
            "v",
            "t",
            "d",
            "r",
            "g",
            "š",
            "ts",
            "dz",
            "n",
            "ī",
            "ē",
            "g",
        ],
        strict=True,
    )
)
LONG = set("aūīē")
CYRILLIC = dict(
    zip(
        "абвгґдеєёжзиіїйклмнопрстуфхцчшщъыьэюяјљњќѓџѕћђ'’",
        [
            "a",
            "b",
            "v",
            "g",
            "g",
            "d",
            "e",
            "ye",
            "yo",
            "ž",
            "z",
            "i",
            "i",
            "yi",
            "y",
            "k",
            "l",
            "m",
            "n",
            "o",
            "p",
            "r",
            "s",
            "t",
            "u",
            "f",
            "x",
            "ts",
            "č",
            "š",
            "š",
            "",
            "y",
            "",
            "e",
            "yu",
            "ya",
            "y",
            "l",
            "n",
            "k",
            "g",
            "ǧ",
            "dz",
            "č",
            "ǧ",
            "",
            "",
        ],
        strict=True,
    )
)


def arabic(name: str, style: str, chance: random.Random) -> str:
    """A name in Arabic letters, with vowels where it writes none."""
    return " ".join(_arabic(word, style, chance) for word in re.split(r"[\s\u200c]+", name) if word)


def _arabic(word: str, style: str, chance: random.Random) -> str:
    bare = word.removeprefix("ال") if len(word) > 4 else word
    plain = "".join(c for c in bare if c in ARABIC)
    heard: list[str] = []
    for index, letter in enumerate(plain):
        sound = ARABIC[letter]
        consonant_next = index + 1 < len(plain) and ARABIC[plain[index + 1]] not in LONG
        if sound in {"ū", "ī"} and (index == 0 or (heard and heard[-1] in LONG)):
            sound = {"ū": "w", "ī": "y"}[sound]
        heard.append(sound)
        if sound and sound not in LONG and consonant_next and index + 1 < len(plain):
            heard.append(chance.choice("aaei"))
    text = "".join(_letters(sound, style) for sound in heard)
    if style == "russian":
        text = re.sub(r"h", lambda _: chance.choice(["kh", "g", "kh"]), text)
    text = _varied(text, chance)
    article = chance.choice(["Al-", "Al ", "El ", "", "al"]) if bare != word else ""
    return article + (text if article == "al" else text.title())


def _letters(sound: str, style: str) -> str:
    return "".join(SOUNDS[style].get(c, {"ē": "e"}.get(c, c)) for c in sound)


def cyrillic(name: str, style: str, chance: random.Random) -> str:
    """A name in Cyrillic letters."""
    heard = "".join(CYRILLIC.get(c, c) for c in name.lower())
    written = _letters(heard, style)
    if chance.random() < 0.4:
        written = written.replace("ya", "ia").replace("yu", "iu")
    return _varied(written, chance).title()


def lettered(name: str, style: str, chance: random.Random) -> str:
    """A name of any other script, or a Latin one with its marks kept or not."""
    latin = anyascii(name)
    if name.isascii() or any("\u00c0" <= c <= "\u024f" or "\u1e00" <= c <= "\u1eff" for c in name):
        if style == "russian":
            return _russian(latin.lower(), chance).title()
        return name if chance.random() < 0.4 else latin
    latin = latin.lower()
    for usual, sound in (
        ("sh", "š"),
        ("kh", "x"),
        ("gh", "ġ"),
        ("ch", "č"),
        ("zh", "ž"),
        ("j", "ǧ"),
    ):
        latin = latin.replace(usual, sound)
    latin = "".join(SOUNDS[style].get(c, c) if c in "šxġčžǧ" else c for c in latin)
    return _varied(re.sub(r"[^a-z]", "", latin), chance).title()


def _russian(latin: str, chance: random.Random) -> str:
    """As it comes out of a Russian document: no h, no j, no w."""
    for usual, there in (
        ("sh", "š"),
        ("ch", "č"),
        ("j", "dzh"),
        ("x", "ks"),
        ("w", "v"),
        ("ph", "f"),
        ("th", "t"),
    ):
        latin = latin.replace(usual, there)
    latin = re.sub("h", lambda _: chance.choice(["kh", "g", "kh"]), latin)
    return (
        latin.replace("š", "sh")
        .replace("č", "ch")
        .replace("q", "k")
        .replace("ee", "i")
        .replace("oo", "u")
    )


def _varied(text: str, chance: random.Random) -> str:
    """With the liberties of an ear: doubled letters, an e for an a, an h more or less."""
    if chance.random() < 0.2 and len(text) > 3:
        index = chance.randrange(1, len(text))
        if text[index - 1] in "lmnrsdt":
            text = text[:index] + text[index - 1] + text[index:]
    if chance.random() < 0.25:
        text = (
            re.sub("a", "e", text, count=1)
            if chance.random() < 0.5
            else re.sub("i", "y", text, count=1)
        )
    if chance.random() < 0.15 and text.endswith(("a", "e")):
        text += "h"
    return text


INTO_CYRILLIC = {
    "dzh": "дж", "sh": "ш", "ch": "ч", "zh": "ж", "kh": "х", "ts": "ц", "ya": "я", "yu": "ю", "ia": "ия",
    "a": "а", "b": "б", "c": "к", "d": "д", "e": "е", "f": "ф", "g": "г", "h": "х", "i": "и", "j": "дж", "k": "к",
    "l": "л", "m": "м", "n": "н", "o": "о", "p": "п", "q": "к", "r": "р", "s": "с", "t": "т", "u": "у", "v": "в",
    "w": "в", "x": "кс", "y": "и", "z": "з",
}  # fmt: skip
INTO = re.compile("|".join(sorted(INTO_CYRILLIC, key=len, reverse=True)))


def in_cyrillic(latin: str) -> str:
    """A name as a Russian document writes it, from how it is heard there."""
    plain = anyascii(latin).lower()
    return re.sub(
        r"[a-z']+",
        lambda word: INTO.sub(lambda c: INTO_CYRILLIC[c[0]], word[0].replace("'", "")),
        plain,
    ).title()
