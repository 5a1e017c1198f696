"""By what people are looked up: the words of their names, the day they were born, their numbers.
Pure.

A name's word is looked up as it is spelled, by how it begins and by how it sounds. A term says
little about how well a name agrees; it only picks, from a million people, those that are worth a
look.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache

from chassis.text import western_digits
from services.cases.people.matching.numbers import document_key, phone_key
from services.cases.people.names.letters import bare, plain
from services.cases.people.names.sounds import codes, similarity, sounds, without_article
from services.cases.people.particulars import Person

MOST_WORDS, MOST_NUMBERS = 6, 3
SPELLED, SOUNDING, BEGINNING, WITHOUT, BORN, NUMBER = "=", "~", "^", "-", "@", "#"
BEGINNINGS = range(3, 6)
"""Letters of a beginning by which a word is found; of a longer one, the rest is compared."""
PHONE = 8
"""Digits at the end of a phone number that are the same with and without the country's prefix."""
SPELLING, LETTER_WRONG, ROUGHLY = 0.95, 0.55, 0.5
"""Where what was typed is worth 1: what another spelling of a word is worth at most, a word with
another letter at least, and the year of a date.
"""
BEGINS, BEGUN = 0.5, 0.4
"""What a word is worth that begins with what was typed, and how much more the more of it is."""
ARTICLES = ("", "al", "ال")
LONG_NUMBER, DIGITS_ALONE, PHONE_AT_LEAST = 4, 6, 7
# What the article and the servant of God are written apart from belongs to the word that follows.
APART = re.compile(r"\b(?:[aeu]l|[ae][lsnrdtz]|a(?:sh|th|dh))[-\s]+(?=\w)")
SERVANT = re.compile(r"\b(abd\w{0,3}|عبد)[-\s]+(?=\w)")
YEAR = re.compile(r"(?:19|20)\d\d")
NON_JOINER = "\u200c"
SERIES = 2
"""Letters that may stand apart before a number, as in A 0433111."""
DAY = re.compile(r"(?<!\d)(?:(\d{4})-(\d\d?)-(\d\d?)|(\d\d?)[./-](\d\d?)[./-](\d{4}))(?!\d)")


@dataclass(frozen=True)
class Word:
    """A word of a name.

    Attributes:
        spelled: In small letters of its own script, without marks and article.
    """

    spelled: str

    @cached_property
    def sounding(self) -> frozenset[str]:
        """As it may sound."""
        return frozenset(SOUNDING + code for code in codes(self.spelled))

    @property
    def beginnings(self) -> list[str]:
        """By what words are found that begin with it."""
        enough = len(self.spelled) >= BEGINNINGS[0]
        return [BEGINNING + self.spelled[: BEGINNINGS[-1]]] if enough else []

    @cached_property
    def keys(self) -> frozenset[str]:
        """What it has in common with the words that sound the same, and with those that differ by
        one letter.
        """
        if len(self.spelled) < BEGINNINGS[0]:
            return self.sounding
        without = {
            self.spelled[:place] + self.spelled[place + 1 :] for place in range(len(self.spelled))
        }
        return self.sounding | {WITHOUT + each for each in without | {self.spelled}}

    def resembles(self, other: str) -> float:
        """How well it agrees with another that sounds as it does, from 0 to 1."""
        return max(SPELLING * similarity(self.spelled, other), self.begins(other))

    @cached_property
    def _begun(self) -> tuple[str, ...]:
        """What a word begins with that it is the beginning of, with its article or without."""
        if len(self.spelled) < BEGINNINGS[0]:
            return ()
        return tuple(
            self.spelled.removeprefix(article)
            for article in ARTICLES
            if self.spelled.startswith(article)
        )

    def begins(self, other: str) -> float:
        """How well it agrees with another word as its beginning, from 0 to 1."""
        return (
            BEGINS + BEGUN * len(self.spelled) / len(other)
            if other.startswith(self._begun)
            else 0.0
        )


@dataclass(frozen=True, slots=True)
class Number:
    """A number or a date that is looked for.

    Attributes:
        exactly: Its terms.
        roughly: Those of what it may be a better or worse record of.
        written: As it was typed, for a sender's reference.
    """

    exactly: tuple[str, ...]
    roughly: tuple[str, ...]
    written: str = ""


@lru_cache(maxsize=65536)
def word(text: str) -> Word:
    """A word by its letters, in small ones and without marks; in plain letters where nobody knows
    how it sounds.
    """
    own = without_article(text)
    return Word(own if sounds(own) else plain(text).replace(" ", ""))


def _words(text: str, *, servant: str) -> list[str]:
    joined = SERVANT.sub(servant, APART.sub("", bare(text)))
    return [each for each in re.split(r"[^\w]+", joined) if each]


def words(text: str) -> list[Word]:
    """The words of a name, without the articles before them."""
    return [found for each in _words(text, servant=r"\1") if (found := word(each)).spelled]


@lru_cache(maxsize=65536)
def _terms_of(part: str) -> frozenset[str]:
    """The terms of a part of a name: of its words, of how each begins with its article, and of all
    in one.
    """
    apart = part.replace(NON_JOINER, " ")  # one word for one office, two for the next
    written = {*_words(part, servant=r"\1"), *_words(part, servant=r"\g<0>")}
    written |= {*_words(apart, servant=r"\1")}
    written |= {"".join(_words(part, servant=r"\1"))}
    found: set[str] = set()
    for each in written - {""}:
        one = word(each)
        found |= {SPELLED + one.spelled} | one.sounding
        found |= {
            BEGINNING + form[:n]
            for form in (each, one.spelled)
            for n in BEGINNINGS
            if n <= len(form)
        }
    return frozenset(found)


def born(day: date) -> tuple[str, str]:
    """The terms of a date of birth, the rough one last."""
    return f"{BORN}{day}", f"{BORN}{day.year}"


def _forms(number: str) -> set[str]:
    """A document's number, also without its letters where the digits are enough."""
    key, digits = document_key(number), re.sub(r"\D", "", western_digits(number))
    return {key, digits} if len(digits) >= DIGITS_ALONE else {key}


def terms(person: Person) -> list[str]:
    """Every term by which somebody is found."""
    found = {term for name in person.names for part in name.parts for term in _terms_of(part)}
    found |= {NUMBER + form for each in person.documents for form in _forms(each.number)}
    found |= {NUMBER + document_key(each.value) for each in person.identifiers}
    found |= {NUMBER + phone_key(each.value)[-PHONE:] for each in person.contacts}
    return sorted(found.union(born(person.birth.date)) - {NUMBER})


def spelled(found_by: Iterable[str]) -> list[str]:
    """The words among somebody's terms, as they are spelled."""
    return [term[len(SPELLED) :] for term in found_by if term.startswith(SPELLED)]


def spellings(found_by: Iterable[str]) -> list[Word]:
    """The words among somebody's terms."""
    return list(map(Word, spelled(found_by)))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom is looked for."""

    words: tuple[Word, ...]
    numbers: tuple[Number, ...]


def wanted(q: str) -> Wanted:
    """Read what was typed: names, and among them a date or year of birth and numbers."""
    days: list[date] = []
    names: list[str] = []
    run: list[str] = []
    numbers: list[Number] = []

    def day(found: re.Match[str]) -> str:
        parts = found.groups()
        try:
            days.append(date(*(int(part) for part in (parts[:3] if parts[0] else parts[:2:-1]))))
        except ValueError:
            return found[0]
        return " "

    western = western_digits(q)
    for token in [*DAY.sub(day, western).split(), ""]:
        if any(map(str.isdigit, token)):
            run.append(token)
            continue
        numbers += _numbers(run, names)
        run = []
        names.append(token)
    numbers[:0] = [Number((born(each)[0],), born(each)) for each in days]
    return Wanted(
        tuple(dict.fromkeys(words(" ".join(names))))[:MOST_WORDS], tuple(numbers)[:MOST_NUMBERS]
    )


def _numbers(run: list[str], names: list[str]) -> Iterator[Number]:
    """The year and the number that tokens with digits are; letters typed apart before a number are
    taken from names.
    """
    if run and YEAR.fullmatch(run[0]):
        year = (BORN + run[0],)
        yield Number(year, year)
        run = run[1:]
    elif run and names and len(names[-1]) <= SERIES and names[-1].isalpha():
        run = [names.pop(), *run]
    key = document_key("".join(run))
    if len(key) < LONG_NUMBER:
        return
    found = [NUMBER + key]
    if key.isdigit() and len(key) >= PHONE_AT_LEAST:
        found.append(NUMBER + key[-PHONE:])
    yield Number(tuple(found), tuple(found), " ".join(run))
