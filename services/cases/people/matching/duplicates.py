"""Possible duplicates on every path by which a person enters; merged and unmerged by people, as
aliases.
"""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, lock_in_order
from chassis.errors import (
    CONFLICT,
    FORBIDDEN,
    NOT_FOUND,
    FieldError,
    Problem,
    ProblemType,
    invalid,
    state_conflict,
)
from chassis.outbox import publish
from contracts.cases import ReturneeMerged, ReturneeUnmerged
from participation import aliases
from services.cases.models import AccessRequest, Returnee
from services.cases.people.matching import likeness
from services.cases.people.matching.keys import keys_of
from services.cases.people.matching.likeness import Verdict
from services.cases.people.returnees import service
from services.cases.people.returnees.schemas import (
    AccessRequestIn,
    AccessRequestOut,
    CandidateOut,
    EvidenceOut,
    MergeIn,
    Person,
)
from services.cases.people.rights import restricted

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
        AND id <> ALL (CAST(:besides AS uuid[]))
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
    session: Session, person: Person, *, besides: Sequence[UUID] = (), likely: bool = False
) -> list[tuple[Returnee, Verdict]]:
    """Who a person may be, best first, whoever knows of them.

    Args:
        session: The session.
        person: Who is looked for.
        besides: Ids that are theirs anyway.
        likely: Only those who are more likely than not.
    """
    found = (await alike_all(session, [person], besides=besides))[0]
    least = likeness.LIKELY if likely else likeness.POSSIBLE
    listed = [each for each in found if each[1].score >= least]
    roots = await aliases.resolve_all(session, [row.id for row, _ in listed])
    best: dict[UUID, tuple[Returnee, Verdict]] = {}
    for row, verdict in listed:
        best.setdefault(roots[row.id], (row, verdict))  # whoever was merged is one candidate
    return list(best.values())[:SHOWN]


async def count_likely(session: Session, groups: Sequence[Sequence[Person]]) -> list[int]:
    """How many people known here the persons of each group are likely to be."""
    people = [person for group in groups for person in group]
    likely: list[int] = []
    for start in range(0, len(people), AT_ONCE):
        found = await alike_all(session, people[start : start + AT_ONCE])
        likely += [sum(verdict.likely for _, verdict in each[:SHOWN]) for each in found]
    numbers = iter(likely)
    return [sum(islice(numbers, len(group))) for group in groups]


async def alike_all(
    session: Session, people: Sequence[Person], *, besides: Sequence[UUID] = ()
) -> list[list[tuple[Returnee, Verdict]]]:
    """Everybody whom some people may possibly be, best first.

    Only those are compared who share most with a person: what their keys leave out hardly counts.
    """
    if not people:
        return []
    asked = [likeness.profile(person) for person in people]
    await session.execute(PLANNED)
    statement = " UNION ALL ".join(SHARING.format(place=place) for place in range(len(asked)))
    given: dict[str, Any] = {"besides": list(besides), "most": COMPARED}
    given |= {f"keys_{place}": keys_of(entry) for place, entry in enumerate(asked)}
    shared: dict[int, list[UUID]] = {}
    for row in await session.execute(text(statement), given):
        shared.setdefault(row.place, []).append(row.id)
    await session.execute(UNPLANNED)
    wanted = sorted({each for ids in shared.values() for each in ids})
    rows = await session.execute(select(*WHO).where(col(Returnee.id).in_(wanted)))
    known = {row.id: likeness.profile(service.person_of(row)) for row in rows}
    found: list[list[tuple[UUID, Verdict]]] = []
    for place, entry in enumerate(asked):
        compared = [(each, likeness.weigh(entry, known[each])) for each in shared.get(place, [])]
        listed = [each for each in compared if each[1].score >= likeness.POSSIBLE]
        found.append(sorted(listed, key=lambda each: (-each[1].certain, -each[1].score, each[0])))
        await asyncio.sleep(0)  # whatever else this process does goes on in between
    ids = {each for listed in found for each, _ in listed}
    people_found = {
        row.id: row
        for row in await session.scalars(select(Returnee).where(col(Returnee.id).in_(ids)))
    }
    return [[(people_found[each], verdict) for each, verdict in listed] for listed in found]


async def check_second_records(
    session: Session, of: UUID, people: Mapping[int, Person], caller: Caller
) -> None:
    """Returns 409 if somebody is likely to be known already: who decides says who they are.

    Args:
        session: The session.
        of: The referral.
        people: Of whom nothing was said, by their place in it.
        caller: Who decides. What only others know of somebody is not told, but that they do is.
    """
    found = await alike_all(session, list(people.values()))
    likely = {
        index: [(row, verdict) for row, verdict in each if verdict.likely][:SHOWN]
        for index, each in zip(people, found, strict=True)
    }
    if not any(likely.values()):
        return
    ids = {row.id for each in likely.values() for row, _ in each}
    known = set(await service.known_ids(session, list(ids), caller))
    roots = await aliases.resolve_all(session, known)
    right = "who this is: the returnee_id of a candidate, or null for somebody new"
    raise Problem(
        SECOND_RECORD,
        "people who may be known already are named as new by listing them",
        errors=[
            FieldError(pointer="/people", code="likely_known", detail=f"at index {index}: {right}")
            for index, each in likely.items()
            if each
        ],
        candidates=[
            {
                "index": index,
                "candidate_id": str(_handle(of, row.id)),
                "returnee_id": str(roots[row.id]) if row.id in known else None,
                "score": verdict.score if row.id in known else round(verdict.score, 1),
            }
            for index, each in likely.items()
            for row, verdict in each
        ],
    )


async def candidates(
    session: Session, of: UUID, person: Person, caller: Caller, *, besides: Sequence[UUID] = ()
) -> list[CandidateOut]:
    """The same as the caller may see it.

    Args:
        session: The session.
        of: For whom they are candidates: a returnee or a referral, from which a masked one gets its
            id.
        person: Who is looked for.
        caller: Who asks.
        besides: Ids that are theirs anyway.
    """
    found = await alike(session, person, besides=besides)
    roots = await aliases.same_people(session, [row.id for row, _ in found])
    known = {roots[each] for each in await service.known_ids(session, list(roots), caller)}
    shown: list[CandidateOut] = []
    for row, verdict in found:
        masked = roots[row.id] not in known
        ids = [each for each, root in roots.items() if root == roots[row.id]]
        identity = None if masked else await service.readable(session, row, ids, caller)
        shown.append(
            CandidateOut(
                id=_handle(of, row.id),
                returnee_id=None if masked else roots[row.id],
                score=round(verdict.score, 1) if masked else verdict.score,
                likely=verdict.likely,
                masked=masked,
                evidence=[]
                if masked
                else [
                    EvidenceOut(reason=each.reason, weight=each.weight) for each in verdict.evidence
                ],
                identity=identity,
            )
        )
        if identity is not None:
            audit.record(session, caller, "read-identity", "returnee", row.id)
    return shown


def _handle(of: UUID, candidate: UUID) -> UUID:
    return uuid5(of, str(candidate))


async def of_returnee(session: Session, returnee: Returnee, caller: Caller) -> list[CandidateOut]:
    """Who a returnee may be as well."""
    ids = await aliases.same_person(session, returnee.id)
    return await candidates(session, returnee.id, service.person_of(returnee), caller, besides=ids)


async def request_access(
    session: Session, returnee_id: UUID, candidate_id: UUID, body: AccessRequestIn, caller: Caller
) -> AccessRequestOut:
    """Ask those who know of a masked candidate.

    Raises:
        Problem: 404, there is no such candidate of a returnee whom the caller works with; 409, it
            is not masked.
    """
    returnee = await service.find(session, returnee_id, caller)
    ids = await aliases.same_person(session, returnee.id)
    found = await alike(session, service.person_of(returnee), besides=ids)
    return await ask(session, returnee.id, candidate_id, [row for row, _ in found], body, caller)


async def ask(
    session: Session,
    of: UUID,
    candidate_id: UUID,
    found: Sequence[Returnee],
    body: AccessRequestIn,
    caller: Caller,
) -> AccessRequestOut:
    """Ask those who know of one of the candidates for a returnee or a person of a referral.

    Raises:
        Problem: 404, it is none of them; 409, it is not masked.
    """
    candidate = next((row for row in found if _handle(of, row.id) == candidate_id), None)
    if candidate is None:
        raise Problem(NOT_FOUND)
    if await service.known_ids(session, [candidate.id], caller):
        raise Problem(CONFLICT, "the organisation knows of this candidate already")
    values = {
        "version": 1,
        "returnee_id": candidate.id,
        "because_of": of,
        "state": "requested",
        "organisation": caller.organisation,
        "reason": body.reason,
        "requested_by": caller.person,
    }
    statement = insert(AccessRequest).values(values)
    asked = await session.scalar(
        statement.on_conflict_do_update(
            index_elements=["returnee_id", "organisation", "because_of"],
            set_={"state": "requested", "reason": body.reason},
        ).returning(AccessRequest)
    )
    assert asked is not None
    audit.record(
        session, caller, "request-access", "returnee", candidate.id, {"reason": body.reason}
    )
    return render(asked)


def render(asked: AccessRequest) -> AccessRequestOut:
    """A request as it is answered."""
    return AccessRequestOut(
        id=asked.id,
        state=asked.state,
        organisation=asked.organisation,
        reason=asked.reason,
        created_at=asked.created_at,
        updated_at=asked.updated_at,
    )


async def access_requests(
    session: Session, returnee_id: UUID, caller: Caller
) -> list[AccessRequestOut]:
    """Who asks to know of a returnee, oldest first.

    Raises:
        Problem: 404; 403 for who only referred them or was told of them.
    """
    _, ids = await service.to_work_on(session, returnee_id, caller)
    rows = await session.scalars(
        select(AccessRequest)
        .where(col(AccessRequest.returnee_id).in_(ids))
        .order_by(col(AccessRequest.id))
    )
    return [render(row) for row in rows]


async def merge(
    session: Session, returnee_id: UUID, body: MergeIn, caller: Caller, precondition: Precondition
) -> Returnee:
    """Let a returnee be found under another's id.

    Args:
        session: The session.
        returnee_id: Who is found under the other from now on.
        body: Under whom; their alias means the same.
        caller: Who decides; must work with both.
        precondition: What they have seen of the former.

    Returns:
        The one under whom both are found.

    Raises:
        Problem: 404, 403, 412, 422; 409 where they are one already, or an organisation is kept from
            one of them.
    """
    into = await aliases.resolve(session, body.into)
    rows = await lock_in_order(
        session,
        lambda key: (
            select(Returnee)
            .where(Returnee.id == key, col(Returnee.erased_at).is_(None))
            .with_for_update()
        ),
        [returnee_id, into],
    )
    found: dict[UUID, Returnee] = {row.id: row for row in rows}
    known = await service.known_ids(session, [returnee_id], caller)
    if returnee_id not in found or not known:
        raise Problem(NOT_FOUND)
    one = found[returnee_id]
    precondition.check(one.version)
    ids = await aliases.same_person(session, returnee_id)
    if not await service.works_with(session, ids, caller):
        raise Problem(
            FORBIDDEN, "the implementing organisation and the programme office decide who is who"
        )
    others = await aliases.same_person(session, into)
    if into not in found or not await service.known_ids(session, others, caller):
        right = "another returnee known to you"
        raise invalid(FieldError(pointer="/into", code="unknown_returnee", detail=right))
    if not await service.works_with(
        session, others, caller
    ):  # with the two of them goes all that is known of either
        raise Problem(
            FORBIDDEN,
            "who works with both of them decides that they are one, or the programme office",
        )
    if await aliases.is_alias(session, returnee_id) or into == returnee_id:
        raise state_conflict("merged", ["unmerge"], "merge")
    await restricted.check_merge(session, ids, others)
    await aliases.merge(session, returnee_id, into)
    root = found[into]
    for row in (one, root):
        row.changed()
    publish(session, ReturneeMerged(returnee_id=returnee_id, into=into))
    audit.record(session, caller, "merge", "returnee", returnee_id, {"into": str(into)})
    await session.flush()
    return root


async def unmerge(
    session: Session, returnee_id: UUID, caller: Caller, precondition: Precondition
) -> Returnee:
    """Take a merge back: exactly what it did.

    Returns:
        The returnee, found under their own id again.

    Raises:
        Problem: 404, 403, 412; 409 where the id is not merged.
    """
    root = await aliases.resolve(session, returnee_id)
    rows = await lock_in_order(
        session,
        lambda key: (
            select(Returnee)
            .where(Returnee.id == key, col(Returnee.erased_at).is_(None))
            .with_for_update()
        ),
        [returnee_id, root],
    )
    found: dict[UUID, Returnee] = {row.id: row for row in rows}
    ids = await aliases.same_person(session, returnee_id)
    if (
        returnee_id not in found
        or root not in found
        or not await service.known_ids(session, ids, caller)
    ):
        raise Problem(NOT_FOUND)
    precondition.check(found[root].version)
    if not await service.works_with(session, ids, caller):
        raise Problem(
            FORBIDDEN, "the implementing organisation and the programme office decide who is who"
        )
    separated = await aliases.unmerge(session, returnee_id)
    if separated is None:
        raise state_conflict("not_merged", ["merge"], "unmerge")
    for row in found.values():
        row.changed()
    publish(session, ReturneeUnmerged(returnee_id=returnee_id, separated_from=separated))
    audit.record(session, caller, "unmerge", "returnee", returnee_id, {"from": str(separated)})
    await session.flush()
    return found[returnee_id]
