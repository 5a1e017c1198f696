"""Possible duplicates, on every path by which a person enters."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import text
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import FieldError, Problem, ProblemType
from participation import aliases
from services.cases.access.people import load_visible_ids
from services.cases.models import Returnee
from services.cases.people.duplicates.schemas import CandidateOut, EvidenceOut
from services.cases.people.matching import likeness
from services.cases.people.matching.keys import keys_of
from services.cases.people.matching.likeness import Verdict
from services.cases.people.particulars import Person
from services.cases.people.returnees.service import load_readable, person_of

COMPARED = 50
SHOWN = 20
AT_ONCE = 25
WHO = [getattr(Returnee, name) for name in ("id", "sex", "nationality", "birth_date")]
WHO += [getattr(Returnee, name) for name in ("birth_precision", "names", "documents")]
WHO += [getattr(Returnee, name) for name in ("languages", "contacts", "identifiers")]
"""What is compared of somebody: by what they are found is long, and stays where it is."""
CERTAIN = 1000
"""A document's or another system's number counts for more than all words of a name."""
SECOND_RECORD = ProblemType(
    "second-record",
    409,
    "Somebody is likely to be known already",
    "`candidates` says who, for each person by index. Send the decision in `people`: the "
    "returnee_id of who it is, or null for somebody new. `GET /referrals/{id}/duplicates` shows "
    "why they are alike.",
)
SHARING = """(
    SELECT {place} AS place, id
    FROM returnee
    WHERE keys && CAST(:keys_{place} AS text[]) AND erased_at IS NULL
        AND id <> ALL (CAST(:excluding AS uuid[]))
    ORDER BY (SELECT sum(CASE WHEN key ~ '^[di]:' THEN 1000 ELSE 1 END)
              FROM unnest(keys) AS own (key) WHERE key = ANY (CAST(:keys_{place} AS text[]))) DESC,
        id
    LIMIT :most
)"""
"""Who shares keys with somebody; a number counts for more than many parts of a name. One query for
each, put together: only of arrays that are known when it is planned a hash is made.
"""
PLANNED = text(
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), "
    "set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'off', true), "
    "set_config('jit', 'off', true)"
)
"""Whoever wants the best few of some looks cheaply found by reading them in the order of their ids:
not where so few of all are among them.
"""
UNPLANNED = text(
    "SELECT set_config('enable_seqscan', 'on', true), set_config('enable_indexscan', 'on', true), "
    "set_config('plan_cache_mode', 'auto', true)"
)


async def alike(
    session: Session, person: Person, *, excluding: Sequence[UUID] = (), likely: bool = False
) -> list[tuple[Returnee, Verdict]]:
    """Who a person may be, best first, whoever knows of them.

    Args:
        session: The session.
        person: Who is looked for.
        excluding: Ids that are theirs anyway.
        likely: Only those who are more likely than not.
    """
    (matches,) = await alike_all(session, [person], excluding=excluding)
    least = likeness.LIKELY if likely else likeness.POSSIBLE
    matches = [(row, verdict) for row, verdict in matches if verdict.score >= least]
    roots = await aliases.resolve_all(session, [row.id for row, _ in matches])
    best: dict[UUID, tuple[Returnee, Verdict]] = {}
    for row, verdict in matches:
        best.setdefault(roots[row.id], (row, verdict))  # whoever was merged is one candidate
    return list(best.values())[:SHOWN]


async def count_likely(session: Session, groups: Sequence[Sequence[Person]]) -> list[int]:
    """How many people known here the persons of each group are likely to be."""
    people = [person for group in groups for person in group]
    likely: list[int] = []
    for start in range(0, len(people), AT_ONCE):
        found = await alike_all(session, people[start : start + AT_ONCE])
        likely += [sum(verdict.likely for _, verdict in matches[:SHOWN]) for matches in found]
    numbers = iter(likely)
    return [sum(islice(numbers, len(group))) for group in groups]


async def alike_all(
    session: Session, people: Sequence[Person], *, excluding: Sequence[UUID] = ()
) -> list[list[tuple[Returnee, Verdict]]]:
    """Everybody whom some people may possibly be, best first.

    Only those are compared who share most with a person: what their keys leave out hardly counts.
    """
    if not people:
        return []
    profiles = [likeness.profile(person) for person in people]
    shared = await _load_sharing(session, profiles, excluding)
    compared_ids = sorted({other for ids in shared.values() for other in ids})
    rows = await session.execute(select(*WHO).where(col(Returnee.id).in_(compared_ids)))
    known = {row.id: likeness.profile(person_of(row)) for row in rows}
    verdicts: list[list[tuple[UUID, Verdict]]] = []
    for index, profile in enumerate(profiles):
        weighed = [
            (other, likeness.weigh(profile, known[other])) for other in shared.get(index, [])
        ]
        possible = [match for match in weighed if match[1].score >= likeness.POSSIBLE]
        verdicts.append(sorted(possible, key=_best_first))
        await asyncio.sleep(0)  # whatever else this process does goes on in between
    matched_ids = {other for possible in verdicts for other, _ in possible}
    matched = await session.scalars(select(Returnee).where(col(Returnee.id).in_(matched_ids)))
    by_id = {row.id: row for row in matched}
    return [[(by_id[other], verdict) for other, verdict in possible] for possible in verdicts]


async def _load_sharing(
    session: Session, profiles: Sequence[likeness.Profile], excluding: Sequence[UUID]
) -> dict[int, list[UUID]]:
    """Those who share most keys with each of some people, by index."""
    await session.execute(PLANNED)
    statement = " UNION ALL ".join(SHARING.format(place=index) for index in range(len(profiles)))
    given: dict[str, Any] = {"excluding": list(excluding), "most": COMPARED}
    given |= {f"keys_{index}": keys_of(profile) for index, profile in enumerate(profiles)}
    shared: dict[int, list[UUID]] = {}
    for row in await session.execute(text(statement), given):
        shared.setdefault(row.place, []).append(row.id)
    await session.execute(UNPLANNED)
    return shared


def _best_first(match: tuple[UUID, Verdict]) -> tuple[bool, float, UUID]:
    returnee_id, verdict = match
    return not verdict.certain, -verdict.score, returnee_id


async def check_second_records(
    session: Session, caller: Caller, of: UUID, people: Mapping[int, Person]
) -> None:
    """Returns 409 if somebody is likely to be known already: who decides says who they are.

    Args:
        session: The session.
        caller: Who decides. What only others know of somebody is not told, but that they do is.
        of: The referral.
        people: Of whom nothing was said, by their index in it.
    """
    found = await alike_all(session, list(people.values()))
    likely = {index: _likely(matches) for index, matches in zip(people, found, strict=True)}
    if not any(likely.values()):
        return
    ids = {row.id for matches in likely.values() for row, _ in matches}
    known = set(await load_visible_ids(session, caller, ids))
    roots = await aliases.resolve_all(session, known)
    raise Problem(
        SECOND_RECORD,
        "people who may be known already are named as new by listing them",
        errors=[_undecided(index) for index, matches in likely.items() if matches],
        candidates=[
            {"index": index, "candidate_id": str(candidate_id_of(of, row.id))}
            | _as_known(verdict, roots[row.id] if row.id in known else None)
            for index, matches in likely.items()
            for row, verdict in matches
        ],
    )


def _likely(matches: Sequence[tuple[Returnee, Verdict]]) -> list[tuple[Returnee, Verdict]]:
    return [(row, verdict) for row, verdict in matches if verdict.likely][:SHOWN]


def _undecided(index: int) -> FieldError:
    right = "who this is: the returnee_id of a candidate, or null for somebody new"
    return FieldError(pointer="/people", code="likely_known", detail=f"at index {index}: {right}")


def _as_known(verdict: Verdict, returnee_id: UUID | None) -> dict[str, Any]:
    """A candidate as it is told; of one whom the caller does not know less, and less precisely."""
    if returnee_id is None:
        return {"returnee_id": None, "score": round(verdict.score, 1)}
    return {"returnee_id": str(returnee_id), "score": verdict.score}


async def load_candidates(
    session: Session,
    caller: Caller,
    of: UUID,
    person: Person,
    *,
    excluding: Sequence[UUID] = (),
) -> list[CandidateOut]:
    """Who a person may be, as the caller may see it.

    Args:
        session: The session.
        caller: Who asks.
        of: For whom they are candidates: a returnee or a referral, from which a masked one gets its
            id.
        person: Who is looked for.
        excluding: Ids that are theirs anyway.
    """
    matches = await alike(session, person, excluding=excluding)
    roots = await aliases.same_people(session, [row.id for row, _ in matches])
    visible_ids = await load_visible_ids(session, caller, roots)
    visible_roots = {roots[visible_id] for visible_id in visible_ids}
    candidates: list[CandidateOut] = []
    for row, verdict in matches:
        root = roots[row.id]
        if root not in visible_roots:
            candidates.append(_render_masked(of, row, verdict))
            continue
        ids = [own_id for own_id, own_root in roots.items() if own_root == root]
        identity = await load_readable(session, caller, row, ids)
        candidates.append(_render(of, row, verdict, root, identity))
        if identity is not None:
            audit.record(session, caller, "read-identity", "returnee", row.id)
    return candidates


def _render_masked(of: UUID, row: Returnee, verdict: Verdict) -> CandidateOut:
    return CandidateOut(
        id=candidate_id_of(of, row.id),
        returnee_id=None,
        score=round(verdict.score, 1),
        likely=verdict.likely,
        masked=True,
        evidence=[],
        identity=None,
    )


def _render(
    of: UUID, row: Returnee, verdict: Verdict, returnee_id: UUID, identity: Person | None
) -> CandidateOut:
    return CandidateOut(
        id=candidate_id_of(of, row.id),
        returnee_id=returnee_id,
        score=verdict.score,
        likely=verdict.likely,
        masked=False,
        evidence=[
            EvidenceOut(reason=evidence.reason, weight=evidence.weight)
            for evidence in verdict.evidence
        ],
        identity=identity,
    )


def candidate_id_of(of: UUID, candidate: UUID) -> UUID:
    """The id under which a candidate is shown; no returnee's id is told by it."""
    return uuid5(of, str(candidate))


async def load_candidates_of_returnee(
    session: Session, caller: Caller, returnee: Returnee
) -> list[CandidateOut]:
    """Who a returnee may be as well."""
    ids = await aliases.same_person(session, returnee.id)
    return await load_candidates(session, caller, returnee.id, person_of(returnee), excluding=ids)
