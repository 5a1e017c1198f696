"""Legal holds: somebody's data must be kept, and nothing is erased while one stands."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, current_time
from chassis.errors import CONFLICT, Problem, or_404
from services.cases.access.people import require_worker_with
from services.cases.codes import HoldReason
from services.cases.models import LegalHold


async def place_hold(
    session: Session, caller: Caller, returnee_id: UUID, *, reason: HoldReason, comment: str
) -> LegalHold:
    """Have somebody's data kept.

    Raises:
        Problem: 404, 403.
    """
    returnee, _ = await require_worker_with(session, caller, returnee_id)
    row = LegalHold(
        returnee_id=returnee.id,
        reason=reason,
        comment=comment,
        organisation=caller.organisation,
        placed_by=caller.require_person(),
    )
    session.add(row)
    await session.flush()
    audit.record(session, caller, "hold", "returnee", returnee.id, {"reason": reason})
    return row


async def lock_hold(
    session: Session, caller: Caller, returnee_id: UUID, hold_id: UUID
) -> LegalHold:
    """Lock a hold, for those who work with the person.

    Raises:
        Problem: 404, 403.
    """
    _, ids = await require_worker_with(session, caller, returnee_id)
    return or_404(
        await session.scalar(
            select(LegalHold)
            .where(col(LegalHold.id) == hold_id, col(LegalHold.returnee_id).in_(ids))
            .with_for_update()
        )
    )


async def release(
    session: Session, caller: Caller, returnee_id: UUID, hold_id: UUID, precondition: Precondition
) -> LegalHold:
    """Release a hold.

    Raises:
        Problem: 404, 403, 412, 428; 409 where it is released already.
    """
    row = await lock_hold(session, caller, returnee_id, hold_id)
    precondition.check(row.version)
    if row.released_at is not None:
        raise Problem(CONFLICT, "it was released already")
    row.released_at, row.released_by = await current_time(session), caller.require_person()
    row.changed()
    audit.record(session, caller, "release-hold", "returnee", returnee_id, {"hold": str(hold_id)})
    await session.flush()
    return row


async def load_holds(session: Session, ids: Sequence[UUID]) -> list[LegalHold]:
    """Load the legal holds on somebody, released ones too, oldest first."""
    rows = select(LegalHold).where(col(LegalHold.returnee_id).in_(ids)).order_by(col(LegalHold.id))
    return list(await session.scalars(rows))


async def is_held(session: Session, ids: Sequence[UUID]) -> bool:
    """Whether a legal hold on somebody stands."""
    return any(hold.released_at is None for hold in await load_holds(session, ids))
