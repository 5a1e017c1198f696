"""People found by name, date of birth and numbers, best first; and the words that names are made
of.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import combinations
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, exists, text, union_all
from sqlalchemy.dialects.postgresql import ARRAY, array, insert
from sqlalchemy.orm import defer
from sqlmodel import and_, any_, cast, col, delete, literal, or_, select, true

from chassis import audit
from chassis.auth import Caller, OrganisationKind
from chassis.db import Session, before_commit
from contracts.codes import SharedCategory
from participation import aliases
from participation.access import Role, one_by_one, participation
from services.cases.models import NameWord, Referral, ReferralPerson, Returnee, Share
from services.cases.people.search import lookup
from services.cases.people.search.lookup import Wanted, Word

NEAR = 0.8
"""From here on another spelling is looked up before those that merely sound alike."""
SPELLINGS = 16
ENOUGH = 5
"""So many people who bear several names in some spelling are shown, without those whose names
merely sound so.
"""
TEXTS = ARRAY(Text)
OTHER_WORDS = 12
"""With another letter than was typed: of so many words somebody is shown."""
LEAST = 0.45
"""How well somebody must agree to be shown."""
RANKED = 60
"""Of how many people that are found in one way the best are shown. By one word they hardly differ,
so that a page is enough. Where there are more, the name needs another word or a year.
"""
PLANNED = text(
    "SELECT set_config('enable_seqscan', 'off', true), "
    "set_config('plan_cache_mode', 'force_custom_plan', true), "
    "set_config('work_mem', '32MB', true)"
)
"""To whoever wants some of many, reading all the table looks cheap: not where most of them may not
be shown. The memory is for which rows bear a common name.
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What words of names have in common with one that is looked for.

    Attributes:
        word: The one.
        sounding: Those that sound as it does.
        apart: Those that do not, but differ by a letter.
        worth: How well each word that was compared agrees with it, from 0 to 1.
    """

    word: Word
    sounding: frozenset[str] = frozenset()
    apart: frozenset[str] = frozenset()
    worth: dict[str, float] = field(default_factory=dict)

    def agrees(self, other: str) -> float:
        """How well a word agrees with the one, from 0 to 1."""
        known = self.worth.get(other)
        if known is None:
            known = self.worth[other] = self._compared(other)
        return known

    def _compared(self, other: str) -> float:
        if other == self.word.spelled:
            return 1.0
        if other in self.sounding:
            return self.word.resembles(other)
        return (
            max(self.word.resembles(other), lookup.LETTER_WRONG)
            if other in self.apart
            else self.word.begins(other)
        )

    def best(self, *, apart: bool = False) -> list[str]:
        """The terms of those that agree best."""
        worth = {each: self.agrees(each) for each in (self.apart if apart else self.sounding)}
        chosen = [each for each in worth if apart or worth[each] >= NEAR]
        length = len(self.word.spelled)

        def order(each: str) -> tuple[bool, float, str]:
            """Another letter is likelier than one more or less."""
            return apart and len(each) != length, -worth[each], each

        return [lookup.SPELLED + each for each in sorted(chosen, key=order)[:SPELLINGS]]


@dataclass(frozen=True, slots=True)
class Found:
    """Who was found.

    Attributes:
        people: Each with how well they agree, from 0 to 1; best first.
        more: Whether there are more than these.
    """

    people: list[tuple[Returnee, float]]
    more: bool


def learn(session: Session, before: Sequence[str], after: Sequence[str]) -> None:
    """Know the words of somebody's name when others are looked for, and forget those that nobody
    bears any more.

    They are written just before the commit, in one order.

    Args:
        session: The session.
        before: The terms that were theirs.
        after: The terms that are theirs now.
    """
    words = session.info.setdefault("words", {})
    words.update(
        dict.fromkeys(lookup.spellings(before), False)
        | words
        | dict.fromkeys(lookup.spellings(after), True)
    )
    before_commit(session, "words", _write)


async def _write(session: Session) -> None:
    words: dict[Word, bool] = session.info.pop("words", {})
    rows = [
        {"word": word.spelled, "keys": sorted(word.keys)} for word, borne in words.items() if borne
    ]
    if rows:
        await session.execute(
            insert(NameWord).on_conflict_do_nothing(), sorted(rows, key=itemgetter("word"))
        )
    left = [word.spelled for word, borne in words.items() if not borne]
    if left:
        borne = exists(
            select(Returnee.id).where(
                col(Returnee.terms).contains(array([lookup.SPELLED + col(NameWord.word)]))
            )
        )
        await session.execute(
            delete(NameWord).where(col(NameWord.word) == any_(_texts(left)), ~borne)
        )


async def search(session: Session, q: str, limit: int, caller: Caller) -> Found:
    """People whom what was typed may mean.

    Each stage of looking them up is wider than the one before it, and taken only while there is
    room on the page.
    """
    wanted = lookup.wanted(q)
    await session.execute(PLANNED)
    scores = dict.fromkeys(await _referred(session, wanted, caller), 1.0)
    known = [Known(word) for word in wanted.words]
    shown = and_(_known_to(caller), col(Returnee.erased_at).is_(None), _readable(caller))
    several = len(wanted.words) + len(wanted.numbers) > 1
    ranked = RANKED if several else limit + 1
    more = False
    one_word = bool(wanted.words) and not several
    if one_word:
        scores, more = await _of_one_word(session, wanted, shown, limit)
    for stage in () if one_word else Stage:
        if len(scores) > limit or (scores and stage is Stage.ALL_BUT_ONE):
            break
        if stage is Stage.SOUNDING and several and len(scores) >= ENOUGH:
            more = True
            break
        if stage is Stage.RESEMBLING:
            known = await _known(session, wanted.words)
        for looked_up in _ways(stage, wanted, known):
            statement = select(Returnee.id, Returnee.terms).where(looked_up, shown).limit(ranked)
            rows = (await session.execute(statement)).all()
            for row in rows:
                if (score := _score(wanted, known, frozenset(row.terms))) >= LEAST:
                    scores.setdefault(row.id, score)
            more = more or len(rows) == ranked
    best = sorted(scores, key=lambda each: (-scores[each], each))
    shown_ones = select(Returnee).where(col(Returnee.id).in_(best[:limit]))
    found_by = (
        defer(col(Returnee.terms)),  # type: ignore[arg-type] # an InstrumentedAttribute
        defer(col(Returnee.keys)),  # type: ignore[arg-type] # an InstrumentedAttribute
        defer(col(Returnee.known_to)),  # type: ignore[arg-type] # an InstrumentedAttribute
    )
    people = {row.id: row for row in await session.scalars(shown_ones.options(*found_by))}
    found = await _under_their_ids(session, [(people[each], scores[each]) for each in best[:limit]])
    audit.record(
        session,
        caller,
        "search-identity",
        "returnee",
        "-",
        {"found": [str(r.id) for r, _ in found]},
    )
    return Found(found, more or len(best) > limit)


async def _of_one_word(
    session: Session, wanted: Wanted, shown: ColumnElement[bool], limit: int
) -> tuple[dict[UUID, float], bool]:
    """Who bears a word of which nothing else is known, and whether there are more.

    Of each way in which it may be meant some are shown: as it is typed, in another spelling, as the
    beginning of a longer one, and with another letter, of as many words as there is room for.
    """
    word = wanted.words[0]
    known = await _known(session, wanted.words)

    async def look_up(terms: Sequence[str], most: int, *, each: bool = False) -> dict[UUID, float]:
        if not terms:
            return {}
        groups = [[term] for term in terms] if each else [list(terms)]
        found = [
            select(Returnee.id, Returnee.terms).where(_all([group]), shown).limit(most).subquery()
            for group in groups
        ]
        rows = await session.execute(union_all(*(select(one.c.id, one.c.terms) for one in found)))
        scored = {row.id: _score(wanted, known, frozenset(row.terms)) for row in rows}
        return {key: score for key, score in scored.items() if score >= LEAST}

    as_typed = await look_up([lookup.SPELLED + word.spelled], limit + 1)
    if len(as_typed) > limit:
        return as_typed, True
    spelled = await look_up(known[0].best(), limit + 1)
    begun = await look_up(word.beginnings, limit + 1)
    apart = await look_up(known[0].best(apart=True)[:OTHER_WORDS], 1, each=True)
    ways = [as_typed, spelled, begun, apart]
    if sum(map(len, ways)) <= limit:
        ways.append(await look_up(sorted(word.sounding), limit + 1))
    return _shared_out(ways, limit), any(len(way) > limit for way in ways)


def _shared_out(ways: Sequence[dict[UUID, float]], limit: int) -> dict[UUID, float]:
    """Gives each way its share of a page, best first; the room that one leaves is the others'."""
    chosen = dict(ways[0])
    queues = [
        [each for each in sorted(way, key=lambda each: (-way[each], each)) if each not in chosen]
        for way in ways[1:]
    ]
    while len(chosen) < limit and any(queues):
        for queue, way in zip(queues, ways[1:], strict=True):
            if queue and len(chosen) < limit:
                each = queue.pop(0)
                chosen.setdefault(each, way[each])
    return chosen


async def _referred(session: Session, wanted: Wanted, caller: Caller) -> list[UUID]:
    """Who is in a referral whose sender's reference was typed."""
    written = [number.written for number in wanted.numbers if number.written]
    if not written:
        return []
    referred = (
        select(Returnee.id)
        .join(ReferralPerson, col(ReferralPerson.returnee_id) == Returnee.id)
        .join(Referral, col(Referral.id) == ReferralPerson.referral_id)
        .where(
            col(Referral.external_reference).in_(written),
            col(Returnee.erased_at).is_(None),
            _readable(caller),
        )
        .limit(RANKED)
    )
    return list(await session.scalars(referred))


async def _known(session: Session, words: Sequence[Word]) -> list[Known]:
    """The words of names that resemble each word."""
    asked = [
        select(
            literal(place).label("place"),
            NameWord.word,
            _overlap(NameWord.keys, sorted(word.sounding)).label("sounds"),
        ).where(_overlap(NameWord.keys, sorted(word.keys)))
        for place, word in enumerate(words)
    ]
    found = [(set[str](), set[str]()) for _ in words]
    if asked:
        for row in await session.execute(union_all(*asked)):
            found[row.place][not row.sounds].add(row.word)
    return [
        Known(word, frozenset({word.spelled, *sounding}), frozenset(apart - {word.spelled}))
        for word, (sounding, apart) in zip(words, found, strict=True)
    ]


def _known_to(caller: Caller) -> ColumnElement[bool]:
    """The predicate by which the index finds only people in whom the caller's organisation takes
    part, or did.

    The office of a programme knows of so many that sorting out the others would take longer than
    looking at them.
    """
    if caller.is_internal or caller.kind is OrganisationKind.PROGRAMME_OFFICE:
        return true()
    return col(Returnee.known_to).contains(_texts([caller.organisation]))


def _readable(caller: Caller) -> ColumnElement[bool]:
    """The predicate on returnees whom the caller may know of by name: not who was shared with it
    without that.
    """
    told = exists(
        select(1).where(
            Share.returnee_id == participation.c.subject_id,
            Share.organisation == caller.organisation,
            col(Share.ended_at).is_(None),
            col(Share.categories).contains([SharedCategory.IDENTITY]),
        )
    )
    return one_by_one(col(Returnee.id), caller, or_(participation.c.role != Role.SHARED, told))


class Stage(Enum):
    """The ways in which people are looked up, each wider than the one before it."""

    AS_TYPED = auto()
    RESEMBLING = auto()
    SOUNDING = auto()
    ALL_BUT_ONE = auto()
    """Only for when nobody was found."""


def _ways(stage: Stage, wanted: Wanted, known: Sequence[Known]) -> Iterator[ColumnElement[bool]]:
    """By what people are looked up in a stage."""
    exactly, roughly = (
        [number.exactly for number in wanted.numbers],
        [number.roughly for number in wanted.numbers],
    )
    if stage is Stage.AS_TYPED:
        if wanted.words or wanted.numbers:
            yield _all([*([lookup.SPELLED + word.spelled] for word in wanted.words), *exactly])
    elif not wanted.words:
        return
    elif stage is Stage.RESEMBLING:
        yield _all([*(resembling.best() for resembling in known), *exactly])
    else:
        wide = [
            [*sorted(word.sounding), *word.beginnings, *resembling.best(apart=True)]
            for word, resembling in zip(wanted.words, known, strict=True)
        ]
        every = [*wide, *roughly]
        if stage is Stage.SOUNDING:
            yield _all(every)
        else:
            # A name stays among what is looked for: everybody of a year of birth resembles nobody.
            yield or_(
                *(_all(rest) for rest in combinations(every, len(every) - 1) if rest[0] in wide)
            )


def _all(conditions: Sequence[Sequence[str]]) -> ColumnElement[bool]:
    return and_(*(_overlap(Returnee.terms, terms) for terms in conditions))


def _overlap(array: Any, words: Sequence[str]) -> ColumnElement[bool]:
    """Whether a column has one of some words."""
    overlaps: ColumnElement[bool] = array.overlap(_texts(words))
    return overlaps


def _score(wanted: Wanted, known: Sequence[Known], terms: frozenset[str]) -> float:
    """How well somebody agrees with what is looked for, from 0 to 1."""
    own = lookup.spelled(terms)
    worth = [max(map(resembling.agrees, own), default=0.0) for resembling in known]
    worth += [
        1.0
        if terms.intersection(n.exactly)
        else lookup.ROUGHLY
        if terms.intersection(n.roughly)
        else 0.0
        for n in wanted.numbers
    ]
    return sum(worth) / len(worth)


def _texts(values: Sequence[str]) -> ColumnElement[Any]:
    return cast(list(values), TEXTS)


async def _under_their_ids(
    session: Session, rows: Sequence[tuple[Returnee, float]]
) -> list[tuple[Returnee, float]]:
    """Who was merged is shown once, under the id by which they are found."""
    roots = await aliases.resolve_all(session, [returnee.id for returnee, _ in rows])
    moved = {root for returnee_id, root in roots.items() if root != returnee_id}
    people = {}
    if moved:
        people = {
            each.id: each
            for each in await session.scalars(select(Returnee).where(col(Returnee.id).in_(moved)))
        }
    best: dict[UUID, tuple[Returnee, float]] = {}
    for returnee, score in rows:
        root = roots[returnee.id]
        best.setdefault(root, (people.get(root, returnee), score))
    return list(best.values())
