"""People found by name, date of birth and numbers, best first; and the words that names are made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, and_, any_, cast, delete, exists, func, or_, select, text, true
from sqlalchemy.dialects.postgresql import ARRAY, array, insert

from chassis import aliases, audit
from chassis.access import Role, participation, subjects
from chassis.auth import Caller
from chassis.db import Session, before_commit
from contracts.codes import SharedCategory
from services.cases.models import NameWord, Referral, ReferralPerson, Returnee, Share
from services.cases.returnees import lookup
from services.cases.returnees.lookup import Wanted, Word

NEAR = 0.8
"""From here on another spelling is looked up before those that merely sound alike."""
SPELLINGS = 16
ALL_BUT_ONE = 3
"""The stage that is only for when nobody was found."""
LEAST = 0.45
"""How well somebody must agree to be shown."""
RANKED = 200
"""Of how many people that are found in one way the best are shown. Where there are more, the name needs another word
or a year."""
PLANNED = text(
    "SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)"
)
"""To whoever wants some of many, reading all the table looks cheap: not where most of them may not be shown."""
FEW = 5_000
"""Of up to so many people each is looked at, rather than everybody who bears the name."""

Words = dict[str, float]
"""Words of names by how well they agree with one that is looked for."""


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
    """Know the words of somebody's name when others are looked for, and forget those that nobody bears any more.

    They are written just before the commit, in one order.

    Args:
        session: The session.
        before: The terms that were theirs.
        after: The terms that are theirs now.
    """
    words = session.info.setdefault("words", {})
    words.update(dict.fromkeys(lookup.spellings(before), False) | words | dict.fromkeys(lookup.spellings(after), True))
    before_commit(session, "words", _write)


async def _write(session: Session) -> None:
    words: dict[Word, bool] = session.info.pop("words", {})
    rows = [{"word": word.spelled, "keys": sorted(word.keys)} for word, borne in words.items() if borne]
    if rows:
        await session.execute(insert(NameWord).on_conflict_do_nothing(), sorted(rows, key=itemgetter("word")))
    left = [word.spelled for word, borne in words.items() if not borne]
    if left:
        borne = exists(select(Returnee.id).where(Returnee.terms.contains(array([lookup.SPELLED + NameWord.word]))))
        await session.execute(delete(NameWord).where(NameWord.word == any_(_texts(left)), ~borne))


async def search(session: Session, q: str, limit: int, caller: Caller) -> Found:
    """People whom what was typed may mean.

    Each stage of looking them up is wider than the one before it, and taken only while there is room on the page.
    """
    wanted = lookup.wanted(q)
    await session.execute(PLANNED)
    scores = dict.fromkeys(await _referred(session, wanted, caller), 1.0)
    resembling = await _resembling(session, wanted.words)
    mine = await _mine(session, caller)
    more = False
    for stage, ways in enumerate(_stages(wanted, resembling)):
        if len(scores) > limit or (scores and stage == ALL_BUT_ONE):
            break
        for looked_up in ways:
            statement = (
                select(Returnee.id, Returnee.terms)
                .where(looked_up, mine, Returnee.erased_at.is_(None), *_readable(caller))
                .limit(RANKED)
            )
            rows = (await session.execute(statement)).all()
            for row in rows:
                if (score := _score(wanted, resembling, frozenset(row.terms))) >= LEAST:
                    scores.setdefault(row.id, score)
            more = more or len(rows) == RANKED
    best = sorted(scores, key=lambda each: (-scores[each], each))
    people = {row.id: row for row in await session.scalars(select(Returnee).where(Returnee.id.in_(best[:limit])))}
    found = await _under_their_ids(session, [(people[each], scores[each]) for each in best[:limit]])
    audit.record(session, caller, "search-identity", "returnee", "-", {"found": [str(r.id) for r, _ in found]})
    return Found(found, more or len(best) > limit)


async def _referred(session: Session, wanted: Wanted, caller: Caller) -> list[UUID]:
    """Who is in a referral whose sender's reference was typed."""
    written = [number.written for number in wanted.numbers if number.written]
    if not written:
        return []
    referred = (
        select(Returnee.id)
        .join(ReferralPerson, ReferralPerson.returnee_id == Returnee.id)
        .join(Referral, Referral.id == ReferralPerson.referral_id)
        .where(Referral.external_reference.in_(written), Returnee.erased_at.is_(None), *_readable(caller))
        .limit(RANKED)
    )
    return list(await session.scalars(referred))


async def _resembling(session: Session, words: Sequence[Word]) -> list[Words]:
    """The words of names that resemble each word: they sound the same, or differ by one letter."""
    if not words:
        return []
    keys = sorted({key for word in words for key in word.keys})
    rows = await session.execute(select(NameWord.word, NameWord.keys).where(NameWord.keys.overlap(_texts(keys))))
    known = [(Word(row.word), frozenset(row.keys)) for row in rows]
    return [
        {other.spelled: word.resembles(other) for other, shared in known if not word.keys.isdisjoint(shared)}
        | {word.spelled: 1.0}
        for word in words
    ]


async def _mine(session: Session, caller: Caller) -> ColumnElement[bool]:
    """The predicate by which an organisation's few people are found at once; true where it knows of many."""
    if caller.is_internal:
        return true()
    known = subjects(caller).limit(FEW + 1)
    if (await session.scalar(select(func.count()).select_from(known.subquery())) or 0) > FEW:
        return true()
    return Returnee.id == any_(func.array(known.scalar_subquery()))


def _readable(caller: Caller) -> list[ColumnElement[bool]]:
    """The predicates on returnees whom the caller may know of by name: not who was shared with it without that."""
    if caller.is_internal:
        return []
    told = exists(
        select(1).where(
            Share.returnee_id == participation.c.subject_id,
            Share.organisation == caller.organisation,
            Share.ended_at.is_(None),
            Share.categories.contains([SharedCategory.IDENTITY]),
        )
    )
    known = subjects(caller).where(
        participation.c.subject_id == Returnee.id, or_(participation.c.role != Role.SHARED, told)
    )
    # OFFSET: else the planner collects everybody whom the organisation knows of, for each search anew.
    return [exists(known.offset(0))]


def _stages(wanted: Wanted, resembling: Sequence[Words]) -> Iterator[list[ColumnElement[bool]]]:
    """The ways in which people are looked up, stage by stage; each stage is wider than the one before it."""
    exactly = [number.exactly for number in wanted.numbers]
    roughly = [number.roughly for number in wanted.numbers]
    spelled = [[lookup.SPELLED + word.spelled] for word in wanted.words]
    if spelled or exactly:
        yield [_all([*spelled, *exactly])]
    if not spelled:
        return
    near = [_best(words, at_least=NEAR) for words in resembling]
    other = [_best(words, besides=word.sounding) for word, words in zip(wanted.words, resembling, strict=True)]
    wide = [[*sorted(word.sounding), *word.beginnings, *best] for word, best in zip(wanted.words, other, strict=True)]
    every = [*wide, *roughly]
    if len(every) > 1:
        yield [_all([*near, *exactly])]
        yield [_all(every)]
        # A name stays among what is looked for: everybody of a year of birth resembles nobody.
        yield [or_(*(_all(rest) for rest in combinations(every, len(every) - 1) if rest[0] in wide))]
    else:
        # One by one: of a single word there are so many in one way that those of another would not be seen.
        yield [_all([terms]) for terms in (near[0], wanted.words[0].beginnings) if terms]
        yield [_all([terms]) for terms in (other[0], sorted(wanted.words[0].sounding)) if terms]


def _best(words: Words, *, at_least: float = 0.0, besides: frozenset[str] = frozenset()) -> list[str]:
    """The terms of the words that agree best."""
    chosen = [each for each, worth in words.items() if worth >= at_least and not Word(each).sounding & besides]
    return [lookup.SPELLED + each for each in sorted(chosen, key=lambda each: (-words[each], each))[:SPELLINGS]]


def _all(conditions: Sequence[Sequence[str]]) -> ColumnElement[bool]:
    return and_(*(Returnee.terms.overlap(_texts(terms)) for terms in conditions))


def _score(wanted: Wanted, resembling: Sequence[Words], terms: frozenset[str]) -> float:
    """How well somebody agrees with what is looked for, from 0 to 1."""
    own = [word.spelled for word in lookup.spellings(terms)]
    worth = []
    for word, words in zip(wanted.words, resembling, strict=True):
        for each in own:
            if each not in words:
                words[each] = word.begins(each)
        worth.append(max((words[each] for each in own), default=0.0))
    worth += [
        1.0 if terms.intersection(n.exactly) else lookup.ROUGHLY if terms.intersection(n.roughly) else 0.0
        for n in wanted.numbers
    ]
    return sum(worth) / len(worth)


def _texts(values: Sequence[str]) -> ColumnElement[Any]:
    return cast(list(values), ARRAY(Text))


async def _under_their_ids(session: Session, rows: Sequence[tuple[Returnee, float]]) -> list[tuple[Returnee, float]]:
    """Who was merged is shown once, under the id by which they are found."""
    roots = await aliases.resolve_all(session, [returnee.id for returnee, _ in rows])
    moved = {root for returnee_id, root in roots.items() if root != returnee_id}
    people = {}
    if moved:
        people = {each.id: each for each in await session.scalars(select(Returnee).where(Returnee.id.in_(moved)))}
    best: dict[UUID, tuple[Returnee, float]] = {}
    for returnee, score in rows:
        root = roots[returnee.id]
        best.setdefault(root, (people.get(root, returnee), score))
    return list(best.values())
