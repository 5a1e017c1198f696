"""How far the names of two entries agree, part by part and across the parts. Pure.

A name is compared as it was written down first: given name with given name, family name with
family name. Where that does not agree, the words are looked for wherever else an office may have
put them: given and family name exchanged, the whole name in one field, the father's name glued to
the given name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.cases.people.names.sounds import similarity
from services.cases.people.names.words import Spelled

SAME, ALIKE, NEAR, FAINT = 0.93, 0.84, 0.75, 0.60
"""From here on a part of a name agrees: to a vowel, as another ear hears it, perhaps, hardly."""
ARTICLES = ("al", "el")
SHORT = 4
"""Letters of a word that is too short to be an article and a name."""
WEIGHT_OF_REGISTER = 0.8
"""The script of the civil register decides; Latin spellings are somebody's ear."""


class Level(StrEnum):
    """How far a part of two names agrees."""

    SAME = "same"
    ALIKE = "alike"
    NEAR = "near"
    FAINT = "faint"
    PART = "part"
    """One of two given names, one family name of two, a nickname, a kunya."""
    ANCESTOR = "ancestor"
    """The family name of one is the father's or grandfather's name of the other."""
    OTHER = "other"


class Order(StrEnum):
    """Where the words of a name were found that are not where the other entry has them."""

    EXCHANGED = "exchanged"
    """Given and family name, crosswise."""
    TWO = "two_in_order"
    MORE = "more_in_order"
    TWO_MOVED = "two_moved"
    MORE_MOVED = "more_moved"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two names agree: by their parts, or as a whole where their words stand elsewhere.

    A part that either lacks is not among the parts.
    """

    parts: tuple[tuple[str, Level], ...] = ()
    order: Order | None = None


def agreement(one: Sequence[Spelled], other: Sequence[Spelled]) -> Agreement:
    """Compares names, each in every script it is written in."""
    parts = dict(_parts(one, other))
    straight = sum(
        parts.get(part) in {Level.SAME, Level.ALIKE}
        for part in ("given", "father", "grandfather", "family")
    )
    doubted = parts.get("given") not in {Level.SAME, Level.ALIKE}
    if (
        doubted
        and (moved := max((_moved(a, b) for a in one for b in other), default=None, key=_worth))
        is not None
    ):
        order, found = moved
        if found > straight or parts.get("given") in {Level.OTHER, Level.FAINT}:
            return Agreement(order=order)
    return Agreement(tuple(parts.items()))


def _parts(one: Sequence[Spelled], other: Sequence[Spelled]) -> Iterator[tuple[str, Level]]:
    given = _level(one, other, "given")
    if given in {None, Level.OTHER, Level.FAINT} and (
        _beside(one, other) or _glued(one, other) or _glued(other, one)
    ):
        given = Level.PART
    if given is not None:
        yield "given", given
    for part in ("father", "grandfather"):
        if (level := _level(one, other, part)) is not None:
            yield part, level
    family = _level(one, other, "family")
    if family is None and given is Level.PART:
        family = _family_in_one_field(one, other)
    if family in {Level.OTHER, Level.FAINT} and (_ancestor(one, other) or _ancestor(other, one)):
        family = Level.ANCESTOR
    if family is not None:
        yield "family", family


def _level(one: Sequence[Spelled], other: Sequence[Spelled], part: str) -> Level | None:
    """How far a part agrees; None where one of the two lacks it.

    Where both give it in the script of the register that decides, and other spellings lean on it.
    """
    compared = [
        (_alike(left, right), a.register and b.register)
        for a in one
        if (left := getattr(a, part))
        for b in other
        if (right := getattr(b, part))
    ]
    if not compared:
        return None
    best = max(value for (value, _), _ in compared)
    registered = [value for (value, _), both in compared if both]
    value = (
        WEIGHT_OF_REGISTER * max(registered) + (1 - WEIGHT_OF_REGISTER) * best
        if registered
        else best
    )
    if value < ALIKE and any(contained for (_, contained), _ in compared):
        return Level.PART
    return _graded(value)


def _graded(value: float) -> Level:
    if value >= SAME:
        return Level.SAME
    if value >= ALIKE:
        return Level.ALIKE
    if value >= NEAR:
        return Level.NEAR
    return Level.FAINT if value >= FAINT else Level.OTHER


def _alike(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[float, bool]:
    """How alike the words of a part are (0 to 1), and whether one has all words of the other."""
    whole = _whole("".join(one), "".join(other))
    if len(one) == len(other) == 1:
        return whole, False
    few, many = (one, other) if len(one) <= len(other) else (other, one)
    if len(few) == len(many):
        return max(whole, min(_best(few, many), default=0.0)), False
    return whole, min(_best(few, many), default=0.0) >= ALIKE


def _whole(one: str, other: str) -> float:
    whole = similarity(one, other)
    if whole < SAME and (one.startswith(ARTICLES) or other.startswith(ARTICLES)):
        return max(similarity(a, b) for a in without_article(one) for b in without_article(other))
    return whole


def without_article(word: str) -> tuple[str, ...]:
    """A word, and what is left of it where its beginning may be an article: Alani, Ani."""
    return (word, word[2:]) if len(word) > SHORT and word.startswith(ARTICLES) else (word,)


def _best(few: Sequence[str], many: Sequence[str]) -> list[float]:
    """How well each of some words is found among others, each of which is taken once."""
    left, found = list(many), []
    for word in few:
        value, index = max((similarity(word, each), -index) for index, each in enumerate(left))
        found.append(value)
        del left[-index]
    return found


def _beside(one: Sequence[Spelled], other: Sequence[Spelled]) -> bool:
    """Whether a nickname or kunya of one is a given name, nickname or kunya of the other."""
    return any(
        similarity(name, known) >= ALIKE
        for a in one
        for b in other
        for mine, others in ((a.beside, b.given + b.beside), (b.beside, a.given + a.beside))
        for name in mine
        for known in others
    )


def _glued(one: Sequence[Spelled], other: Sequence[Spelled]) -> bool:
    """Whether the given name of one is that of the other, the father's or family name behind it."""
    return any(
        similarity("".join(a.given), "".join((*given, *behind))) >= ALIKE
        for a in one
        if a.given
        for b in other
        for given in {b.given, b.given[:1]}
        for behind in (b.father, b.family)
        if given and behind
    )


def _family_in_one_field(one: Sequence[Spelled], other: Sequence[Spelled]) -> Level | None:
    """How far the family name of one is found where the other has the whole name in one field."""
    found = [
        max(similarity(word, name) for word in whole.given for name in apart.family)
        for a in one
        for b in other
        for whole, apart in ((a, b), (b, a))
        if len(whole.given) == len(whole.words) > len(apart.given) and apart.family
    ]
    return Level.OTHER if found and max(found) < FAINT else None


def _ancestor(one: Sequence[Spelled], other: Sequence[Spelled]) -> bool:
    return any(
        _alike(a.family, ancestor)[0] >= ALIKE
        for a in one
        if a.family
        for b in other
        for ancestor in (b.father, b.grandfather)
        if ancestor
    )


def _moved(one: Spelled, other: Spelled) -> tuple[Order, int] | None:
    """Where all words of the shorter name stand in the longer one, and how many they are."""
    if one.given and one.family and other.given and other.family:
        crosswise = [_alike(one.given, other.family)[0], _alike(one.family, other.given)[0]]
        if min(crosswise) >= NEAR and sum(crosswise) >= 2 * ALIKE:
            return Order.EXCHANGED, max(2, min(len(one.words), len(other.words)))
    return _found_elsewhere(*sorted((one, other), key=lambda name: (len(name.words), name.words)))


def _found_elsewhere(few: Spelled, many: Spelled) -> tuple[Order, int] | None:
    """The same of the words one by one: all of the shorter name, and the longer's given name."""
    words, others = few.placed, many.placed
    if len(words) < 2:  # noqa: PLR2004 - one word proves little
        return None
    left, places, values, moved = dict(enumerate(others)), list[int](), list[float](), False
    for part, word in words:
        value, index = max((similarity(word, each), -index) for index, (_, each) in left.items())
        if value < NEAR:
            return None
        places.append(-index)
        values.append(value)
        moved = moved or left[-index][0] != part
        del left[-index]
    given_too = not many.given or any(others[index][0] == "given" for index in places)
    if not moved or not given_too or sum(values) < ALIKE * len(words):
        return None
    more = len(words) > 2  # noqa: PLR2004 - as above
    if places == sorted(places):
        return (Order.MORE if more else Order.TWO), len(words)
    return (Order.MORE_MOVED if more else Order.TWO_MOVED), len(words)


def _worth(moved: tuple[Order, int] | None) -> tuple[int, bool]:
    return (
        (0, False)
        if moved is None
        else (moved[1], moved[0] not in {Order.TWO_MOVED, Order.MORE_MOVED})
    )
