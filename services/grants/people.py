"""Who may be granted something: persons in cases, the ids that mean one person, and the locks that
ceilings need.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, SQLColumnExpression, func
from sqlmodel import col, or_, select

from chassis.auth import Caller, OrganisationKind
from chassis.db import Session
from chassis.errors import FORBIDDEN, NOT_FOUND, Problem
from chassis.routing import NotKnownYet
from contracts.codes import CaseState, actor_id
from participation import aliases
from participation.access import Role, holds, roles_of, visible
from participation.aliases import same_person
from services.grants import models
from services.grants.models import Participant

SYSTEM = Caller("service-grants", "homeward", OrganisationKind.INTERNAL, frozenset())
"""Who acts where nobody does: a reaction to another service's event."""
SYSTEM_ACTOR = models.SYSTEM_ACTOR
WORKERS = frozenset({Role.PARTNER, Role.PROGRAMME})
WHO_WORKS = "the implementing organisation and the programme office work on grants"


def actor(person: str) -> UUID:
    """The opaque id of `<organisation>:<user id>`, by which persons are compared across services
    and clients.
    """
    organisation, _, user = person.partition(":")
    return actor_id(organisation, user)


def actor_of(caller: Caller) -> UUID:
    """The opaque id of who acts: the caller's person, or else the platform itself."""
    return actor(caller.person) if caller.person else SYSTEM_ACTOR


async def load_participant(
    session: Session, caller: Caller, case_id: UUID, returnee_id: UUID, *, caught_up: bool
) -> Participant:
    """A person in a case, for those who implement it and for the programme office.

    Raises:
        NotKnownYet: The projection may not have heard of the case; the route waits and asks again.
        Problem: 404, or 403 if the caller only referred the person.
    """
    query = select(Participant).where(
        Participant.case_id == case_id,
        Participant.returnee_id == returnee_id,
        visible(col(Participant.returnee_id), caller),
    )
    person: Participant | None = await session.scalar(query)
    if person is None:
        if not caught_up:
            raise NotKnownYet(returnee_id)
        raise Problem(NOT_FOUND)
    await require_worker(session, caller, returnee_id)
    return person


async def require_worker(session: Session, caller: Caller, returnee_id: UUID | None) -> None:
    """Refuse a caller who may only look.

    Raises:
        Problem: 403.
    """
    if returnee_id is None or caller.is_internal:
        return
    if not WORKERS & await roles_of(session, returnee_id, caller):
        raise Problem(FORBIDDEN, WHO_WORKS)


def works_for(returnee_id: SQLColumnExpression[UUID | None], caller: Caller) -> ColumnElement[bool]:
    """Whether the caller may do more than look, in SQL; see `require_worker`."""
    return or_(returnee_id.is_(None), holds(returnee_id, WORKERS, caller))


async def households(
    session: Session, ids: Iterable[UUID], *, also: UUID | None = None
) -> list[UUID]:
    """The households in which somebody has a case that is not closed, under any of their ids, in
    order.

    Args:
        session: The session.
        ids: Every id of the person, or of some people.
        also: One more.
    """
    rows = await session.scalars(
        select(Participant.household_id)
        .where(
            col(Participant.returnee_id).in_(list(ids)), Participant.case_state != CaseState.CLOSED
        )
        .where(col(Participant.household_id).is_not(None))
        .distinct()
    )
    return sorted({household for household in (*rows, also) if household is not None})


async def household(session: Session, household_id: UUID | None) -> list[UUID]:
    """Every id of everybody in a household, also of those who have another one under another id."""
    if household_id is None:
        return []
    members = list(
        await session.scalars(
            select(Participant.returnee_id)
            .where(Participant.household_id == household_id)
            .distinct()
        )
    )
    return sorted({i for member in members for i in await same_person(session, member)})


async def lock(
    session: Session, people: Iterable[UUID], households: Sequence[UUID | None] = ()
) -> None:
    """Let nobody else grant anything to these persons and households until the transaction ends.

    Persons before households, each in the order of their ids, so that two commands never wait for
    one another.
    """
    for kind, ids in (("person", people), ("household", households)):
        for key in sorted({f"{kind}/{i}" for i in ids if i is not None}):
            await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))


async def merge(session: Session, returnee_id: UUID, into: UUID) -> None:
    """Two ids are one person from now on; ceilings see what was granted under either."""
    await lock(session, [returnee_id, into])
    await aliases.merge(session, returnee_id, into)
