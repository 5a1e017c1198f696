"""With whom a person is shared: for a purpose, on a ground and for a time."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlmodel import col, select, update

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session, current_time, now
from chassis.errors import CONFLICT, FieldError, Problem, invalid
from chassis.outbox import publish
from contracts.cases import ReturneeShared, ReturneeUnshared
from contracts.codes import ConsentPurpose, LegalBasis, SharedCategory, SharingPurpose
from participation.access import Role, grant, revoke
from services.cases.access.people import require_worker_with
from services.cases.access.restrictions import require_unrestricted
from services.cases.models import AccessRequest, PersonConsent, Share
from services.cases.states.people import ACCESS_REQUEST, AccessRequestAction

LONGEST_SHARE = timedelta(days=731)


async def share(
    session: Session,
    caller: Caller,
    returnee_id: UUID,
    *,
    organisation: str,
    purpose: SharingPurpose,
    legal_basis: LegalBasis,
    categories: Collection[SharedCategory],
    until: datetime,
) -> Share:
    """Let another organisation know of somebody; again with other terms takes the place of what
    was.

    Raises:
        Problem: 404, 403, 422; 409 where it is kept from them.
    """
    returnee, ids = await require_worker_with(session, caller, returnee_id)
    await require_unrestricted(session, ids, organisation)
    at = await current_time(session)
    errors = []
    if not at < until <= at + LONGEST_SHARE:
        right = f"a time ahead, at most {LONGEST_SHARE.days} days"
        errors.append(FieldError(pointer="/until", code="bad_until", detail=right))
    if organisation == caller.organisation:
        right = "another organisation"
        errors.append(FieldError(pointer="/organisation", code="own_organisation", detail=right))
    if legal_basis is LegalBasis.CONSENT and not await _has_consented(session, ids):
        right = "a ground that holds: of consent only while one for sharing is in force"
        errors.append(FieldError(pointer="/legal_basis", code="consent_missing", detail=right))
    if errors:
        raise invalid(*errors)
    # What is shared under another id of theirs would outlast these terms.
    others = [other for other in ids if other != returnee.id]
    await end_shares(session, others, organisation)
    await _end(session, [returnee.id], organisation)
    row = Share(
        returnee_id=returnee.id,
        organisation=organisation,
        purpose=purpose,
        legal_basis=legal_basis,
        categories=sorted(set(categories)),
        until=until,
        shared_by=caller.organisation,
    )
    session.add(row)
    await session.flush()
    await grant(
        session, [returnee.id], Role.SHARED, organisation, until=until, categories=categories
    )
    await _answer_requests(session, ids, organisation)
    publish(
        session,
        ReturneeShared(
            returnee_id=returnee.id,
            organisation=organisation,
            purpose=purpose,
            legal_basis=legal_basis,
            categories=tuple(row.categories),
            until=until.astimezone(UTC),
        ),
    )
    details = {"organisation": organisation, "purpose": purpose, "categories": row.categories}
    audit.record(session, caller, "share", "returnee", returnee.id, details)
    return row


async def _has_consented(session: Session, ids: Sequence[UUID]) -> bool:
    in_force = select(PersonConsent.id).where(
        col(PersonConsent.returnee_id).in_(ids),
        PersonConsent.purpose == ConsentPurpose.SHARING,
        col(PersonConsent.withdrawn_on).is_(None),
    )
    return await session.scalar(in_force.limit(1)) is not None


async def _answer_requests(session: Session, ids: Sequence[UUID], organisation: str) -> None:
    """Note that what an organisation asked to know of somebody is shared with it."""
    await session.execute(
        update(AccessRequest)
        .where(
            col(AccessRequest.returnee_id).in_(ids), col(AccessRequest.organisation) == organisation
        )
        .values(
            **ACCESS_REQUEST.bulk(AccessRequestAction.SHARE),
            version=col(AccessRequest.version) + 1,
            updated_at=now(),
        )
    )


async def unshare(
    session: Session, caller: Caller, returnee_id: UUID, organisation: str
) -> list[Share]:
    """End what was shared with an organisation.

    Raises:
        Problem: 404, 403; 409 where nothing is shared with it.
    """
    returnee, ids = await require_worker_with(session, caller, returnee_id)
    if not await end_shares(session, ids, organisation):
        raise Problem(CONFLICT, "nothing is shared with this organisation")
    details = {"organisation": organisation}
    audit.record(session, caller, "unshare", "returnee", returnee.id, details)
    return await load_shares(session, ids)


async def end_shares(session: Session, ids: Sequence[UUID], organisation: str) -> bool:
    """End and publish what is shared of somebody with an organisation; whether anything was."""
    ended = await _end(session, ids, organisation)
    for returnee_id in ended:
        await revoke(session, returnee_id, Role.SHARED, organisation)
        publish(session, ReturneeUnshared(returnee_id=returnee_id, organisation=organisation))
    return bool(ended)


async def _end(session: Session, ids: Sequence[UUID], organisation: str) -> list[UUID]:
    ended = await session.scalars(
        update(Share)
        .where(
            col(Share.returnee_id).in_(ids),
            col(Share.organisation) == organisation,
            col(Share.ended_at).is_(None),
        )
        .values(ended_at=now(), updated_at=now(), version=col(Share.version) + 1)
        .returning(col(Share.returnee_id))
        .execution_options(synchronize_session=False)
    )
    return sorted(set(ended))


async def end_shares_by_consent(session: Session, ids: Sequence[UUID]) -> None:
    """End what is shared of somebody on the ground of a consent that was withdrawn."""
    for row in await load_shares(session, ids):
        if row.legal_basis is LegalBasis.CONSENT and row.ended_at is None:
            await end_shares(session, ids, row.organisation)


async def load_shares(session: Session, ids: Sequence[UUID]) -> list[Share]:
    """Load with whom somebody is or was shared, oldest first."""
    statement = select(Share).where(col(Share.returnee_id).in_(ids)).order_by(col(Share.id))
    return list(await session.scalars(statement.execution_options(populate_existing=True)))
