"""Two returnees are one person, or are not after all: an alias is made or taken back, no fact is
re-keyed.
"""

from uuid import UUID

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import FORBIDDEN, FieldError, Problem, invalid, or_404, state_conflict
from chassis.outbox import publish
from contracts.cases import ReturneeMerged, ReturneeUnmerged
from participation import aliases
from services.cases.access.people import load_visible_ids, lock_returnees, works_with
from services.cases.access.restrictions import require_mergeable
from services.cases.models import Returnee

ONLY_WORKERS = "the implementing organisation and the programme office decide who is who"


async def merge(
    session: Session, caller: Caller, returnee_id: UUID, into: UUID, precondition: Precondition
) -> Returnee:
    """Let a returnee be found under another's id.

    Args:
        session: The session.
        caller: Who decides; must work with both.
        returnee_id: Who is found under the other from now on.
        into: Under whom; their alias means the same.
        precondition: What the caller has seen of the former.

    Returns:
        The one under whom both are found.

    Raises:
        Problem: 404, 403, 412, 422; 409 where they are one already, or an organisation is kept from
            one of them.
    """
    into = await aliases.resolve(session, into)
    rows = await lock_returnees(session, [returnee_id, into])
    visible = await load_visible_ids(session, caller, [returnee_id])
    returnee = or_404(rows.get(returnee_id) if visible else None)
    precondition.check(returnee.version)
    ids = await aliases.same_person(session, returnee_id)
    if not await works_with(session, caller, ids):
        raise Problem(FORBIDDEN, ONLY_WORKERS)
    others = await aliases.same_person(session, into)
    if into not in rows or not await load_visible_ids(session, caller, others):
        right = "another returnee known to you"
        raise invalid(FieldError(pointer="/into", code="unknown_returnee", detail=right))
    # With the two of them goes all that is known of either.
    if not await works_with(session, caller, others):
        raise Problem(
            FORBIDDEN,
            "who works with both of them decides that they are one, or the programme office",
        )
    if await aliases.is_alias(session, returnee_id) or into == returnee_id:
        raise state_conflict("merged", ["unmerge"], "merge")
    await require_mergeable(session, ids, others)
    await aliases.merge(session, returnee_id, into)
    root = rows[into]
    returnee.changed()
    root.changed()
    publish(session, ReturneeMerged(returnee_id=returnee_id, into=into))
    audit.record(session, caller, "merge", "returnee", returnee_id, {"into": str(into)})
    await session.flush()
    return root


async def unmerge(
    session: Session, caller: Caller, returnee_id: UUID, precondition: Precondition
) -> Returnee:
    """Take a merge back: exactly what it did.

    Returns:
        The returnee, found under their own id again.

    Raises:
        Problem: 404, 403, 412; 409 where the id is not merged.
    """
    root_id = await aliases.resolve(session, returnee_id)
    rows = await lock_returnees(session, [returnee_id, root_id])
    ids = await aliases.same_person(session, returnee_id)
    visible = await load_visible_ids(session, caller, ids)
    returnee = or_404(rows.get(returnee_id) if visible else None)
    root = or_404(rows.get(root_id))
    precondition.check(root.version)
    if not await works_with(session, caller, ids):
        raise Problem(FORBIDDEN, ONLY_WORKERS)
    separated = await aliases.unmerge(session, returnee_id)
    if separated is None:
        raise state_conflict("not_merged", ["merge"], "unmerge")
    for row in rows.values():
        row.changed()
    publish(session, ReturneeUnmerged(returnee_id=returnee_id, separated_from=separated))
    audit.record(session, caller, "unmerge", "returnee", returnee_id, {"from": str(separated)})
    await session.flush()
    return returnee
