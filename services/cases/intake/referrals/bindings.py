"""Who the persons of a referral are said to be, of those who are known already.

Whoever is said to be a returnee joins their record: the sender and the implementer of the referral
read all of it from then on. So it is said only by those who have followed a return of theirs, are
their programme's office, or were told of them for this by those who work with them; and only of
somebody who may be them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, select

from chassis.auth import Caller
from chassis.db import Session, now
from chassis.errors import FieldError
from contracts.codes import SharingPurpose
from participation import aliases
from participation.access import Role
from services.cases.access.people import has_open_case, load_roles, load_visible_ids
from services.cases.access.restrictions import load_kept_away
from services.cases.intake.referrals.schemas import Binding
from services.cases.models import Returnee, Share
from services.cases.people.matching import likeness
from services.cases.people.particulars import Person
from services.cases.people.returnees.service import person_of

Defect = tuple[str, str]
"""A code, and what would be right."""

UNKNOWN: Defect = ("unknown_returnee", "a returnee known to you, or null")
TWICE: Defect = ("returnee_twice", "each returnee once")
CASE_OPEN: Defect = ("case_open", "a returnee whose earlier cases are closed")
NOT_TO_BIND: Defect = (
    "not_to_bind",
    (
        "a returnee whom your organisation has followed, or who was shared with it as the same "
        "person or for continued assistance; or null, and whoever works with them merges the two"
    ),
)
CONSENTED = (SharingPurpose.SAME_PERSON, SharingPurpose.CONTINUED_ASSISTANCE)
"""For what somebody is shared with those who may say that a new person is them."""
NOT_ALIKE: Defect = (
    "not_alike",
    (
        "a returnee of that name, birth date or document, or null; correct the returnee first "
        "where what is recorded of them is wrong"
    ),
)


@dataclass(frozen=True)
class BoundPeople:
    """What is said of a referral's persons, looked up.

    Attributes:
        returnees: Those who are known, locked, by their index in the referral.
        errors: What stands in the way, each at its place in the request.
    """

    returnees: Mapping[int, Returnee]
    errors: Sequence[FieldError]


async def load_bound(
    session: Session,
    caller: Caller,
    people: Sequence[Person],
    bindings: Sequence[Binding],
    taking_part: set[str],
) -> BoundPeople:
    """Look up, lock and check whom the persons of a referral are said to be.

    Args:
        session: The session.
        caller: Who says so.
        people: The persons of the referral.
        bindings: What is said of some of them.
        taking_part: The organisations that would take part in the return.
    """
    said = {
        position: (binding.index, binding.returnee_id)
        for position, binding in enumerate(bindings)
        if binding.returnee_id is not None and binding.index < len(people)
    }
    ids = [returnee_id for _, returnee_id in said.values()]
    roots = await aliases.resolve_all(session, ids)
    known = await _lock_known(session, caller, list(roots.values()))
    returnees: dict[int, Returnee] = {}
    errors: list[FieldError] = []
    for position, (index, returnee_id) in said.items():
        returnee = known.get(roots[returnee_id])
        if returnee is None:
            defect: Defect | None = UNKNOWN
        elif returnee in returnees.values():
            defect = TWICE
        else:
            defect = await _defect(session, caller, people[index], returnee, taking_part)
            returnees[index] = returnee
        if defect is not None:
            code, right = defect
            pointer = f"/people/{position}/returnee_id"
            errors.append(FieldError(pointer=pointer, code=code, detail=right))
    return BoundPeople(returnees, errors)


async def _lock_known(
    session: Session, caller: Caller, roots: Sequence[UUID]
) -> dict[UUID, Returnee]:
    """Lock those of some people whom the caller may know of: whoever knows them by another id of
    theirs may name them, or is named them as a candidate.
    """
    ids = await aliases.same_people(session, roots)
    known_roots = {ids[visible] for visible in await load_visible_ids(session, caller, ids)}
    rows = await session.scalars(
        select(Returnee)
        .where(col(Returnee.id).in_(known_roots), col(Returnee.erased_at).is_(None))
        .order_by(col(Returnee.id))
        .with_for_update(of=Returnee)
    )
    return {returnee.id: returnee for returnee in rows}


async def _defect(
    session: Session, caller: Caller, person: Person, returnee: Returnee, taking_part: set[str]
) -> Defect | None:
    """What stands in the way of a person's being a returnee."""
    ids = await aliases.same_person(session, returnee.id)
    # First, so that nothing else is told of somebody who was only shared with the caller.
    if not await _may_bind(session, caller, ids):
        return NOT_TO_BIND
    if await has_open_case(session, returnee.id):
        return CASE_OPEN
    if kept := taking_part & await load_kept_away(session, [returnee.id]):
        right = (
            "a returnee from whom nobody is kept who would take part; lift the restriction first: "
        )
        return "restricted", right + ", ".join(sorted(kept))
    if not await _may_be(session, person, ids):
        return NOT_ALIKE
    return None


async def _may_bind(session: Session, caller: Caller, ids: Sequence[UUID]) -> bool:
    """Whether the caller may say that a new person is somebody: a part that is only a share, or a
    referrer's or a provider's, does not do.
    """
    if {Role.PARTNER, Role.PROGRAMME} & await load_roles(session, caller, ids):
        return True
    consent = select(Share.id).where(
        col(Share.returnee_id).in_(ids),
        Share.organisation == caller.organisation,
        col(Share.purpose).in_(CONSENTED),
        col(Share.ended_at).is_(None),
        Share.until > now(),
    )
    return bool(await session.scalar(select(consent.exists())))


async def _may_be(session: Session, person: Person, ids: Sequence[UUID]) -> bool:
    """Whether a person is possibly somebody, as they are recorded under any of their ids."""
    rows = await session.scalars(select(Returnee).where(col(Returnee.id).in_(ids)))
    sought = likeness.profile(person)
    return any(
        likeness.weigh(sought, likeness.profile(person_of(row))).score >= likeness.POSSIBLE
        for row in rows
    )
