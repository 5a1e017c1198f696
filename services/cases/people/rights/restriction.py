"""Organisations that took part in somebody's return, and may know of them no more."""

from collections.abc import Mapping, Sequence
from itertools import product
from uuid import UUID

from sqlalchemy import select as sql_select
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session, current_time
from chassis.errors import CONFLICT, Problem
from chassis.outbox import publish
from contracts.cases import ReturneeRestricted
from contracts.codes import CaseState
from participation.access import Role, grant, participation, revoke
from services.cases.access.people import require_worker_with
from services.cases.codes import RestrictionReason
from services.cases.models import CaseFile, CaseMember, Referral, ReferralPerson, Restriction
from services.cases.people.rights.sharing import end_shares


async def restrict(
    session: Session,
    caller: Caller,
    returnee_id: UUID,
    organisation: str,
    reason: RestrictionReason,
) -> Restriction:
    """Let an organisation that took part know of somebody no more, under each id by which it knew
    them.

    What was shared with it ends as well, and is not shared again when the restriction is lifted.

    Returns:
        The last of the restrictions, one for each such id.

    Raises:
        Problem: 404, 403; 409 where it does not take part, implements an open case, or is
            restricted already.
    """
    returnee, ids = await require_worker_with(session, caller, returnee_id)
    standing = await _lock_standing(session, ids, organisation)
    if await _implements(session, ids, organisation):
        raise Problem(
            CONFLICT, "this organisation implements an open case; transfer or close that first"
        )
    roles = await _load_roles_by_id(session, ids, organisation)
    if not roles and standing:
        raise Problem(CONFLICT, "this organisation is restricted already")
    if not roles:
        raise Problem(
            CONFLICT,
            "this organisation takes no part in the return; what is shared with it is unshared",
        )
    await end_shares(session, ids, organisation)
    await _revoke(session, ids, organisation, roles)
    rows = _restricted(standing, organisation, reason, roles)
    session.add_all(rows)
    await session.flush()
    for row in rows:
        publish_restriction(session, row)
    details = {"organisation": organisation}
    audit.record(session, caller, "restrict", "returnee", returnee.id, details)
    return rows[-1]


async def _lock_standing(
    session: Session, ids: Sequence[UUID], organisation: str
) -> list[Restriction]:
    rows = await session.scalars(
        select(Restriction)
        .where(
            col(Restriction.returnee_id).in_(ids),
            Restriction.organisation == organisation,
            col(Restriction.lifted_at).is_(None),
        )
        .order_by(col(Restriction.id))
        .with_for_update()
    )
    return list(rows)


async def _implements(session: Session, ids: Sequence[UUID], organisation: str) -> bool:
    open_case = await session.scalar(
        select(CaseFile.id)
        .join(CaseMember, col(CaseMember.case_id) == CaseFile.id)
        .where(
            col(CaseMember.returnee_id).in_(ids),
            col(CaseFile.implementer) == organisation,
            col(CaseFile.state) != CaseState.CLOSED,
        )
        .limit(1)
    )
    return open_case is not None


async def _load_roles_by_id(
    session: Session, ids: Sequence[UUID], organisation: str
) -> dict[UUID, list[Role]]:
    """In what capacities an organisation takes part, but for what is shared with it and for an
    office, whose programme it is.
    """
    rows = await session.execute(
        sql_select(participation.c.subject_id, participation.c.role)
        .where(
            participation.c.subject_id.in_(ids),
            participation.c.organisation == organisation,
            participation.c.role.not_in([Role.PROGRAMME, Role.SHARED]),
        )
        .order_by(participation.c.subject_id, participation.c.role)
    )
    roles: dict[UUID, list[Role]] = {}
    for returnee_id, role in rows:
        roles.setdefault(returnee_id, []).append(Role(role))
    return roles


async def _revoke(
    session: Session,
    ids: Sequence[UUID],
    organisation: str,
    roles: Mapping[UUID, Sequence[Role]],
) -> None:
    # What was submitted about them names them too, and whoever else is in it.
    referrals = await session.scalars(
        select(ReferralPerson.referral_id)
        .where(col(ReferralPerson.returnee_id).in_(ids))
        .distinct()
    )
    about = sorted(referrals)
    for returnee_id, roles_of_id in roles.items():
        for role, subject in product(roles_of_id, [returnee_id, *about]):
            await revoke(session, subject, role, organisation)


def _restricted(
    standing: Sequence[Restriction],
    organisation: str,
    reason: RestrictionReason,
    roles: Mapping[UUID, Sequence[Role]],
) -> list[Restriction]:
    """A restriction for each id: the one that stands, with the roles added, or a new one."""
    existing = {row.returnee_id: row for row in standing}
    rows = []
    for returnee_id, roles_of_id in roles.items():
        row = existing.get(returnee_id)
        if row is None:
            row = Restriction(
                returnee_id=returnee_id,
                organisation=organisation,
                reason=reason,
                roles=list(roles_of_id),
            )
        else:
            row.roles = sorted({*row.roles, *roles_of_id})
            row.changed()
        rows.append(row)
    return rows


async def lift(
    session: Session, caller: Caller, returnee_id: UUID, organisation: str
) -> Restriction:
    """Let an organisation know of somebody again, in the capacities in which it took part.

    Returns:
        The last of the restrictions that are lifted.

    Raises:
        Problem: 404, 403; 409 where it is not restricted.
    """
    returnee, ids = await require_worker_with(session, caller, returnee_id)
    standing = await _lock_standing(session, ids, organisation)
    if not standing:
        raise Problem(CONFLICT, "this organisation is not restricted")
    for row in standing:
        for role in row.roles:
            await grant(session, [row.returnee_id], Role(role), row.organisation)
        row.lifted_at = await current_time(session)
        row.changed()
    await session.flush()
    for row in standing:
        await _give_back_referrals(session, ids, row)
        publish_restriction(session, row)
    details = {"organisation": organisation}
    audit.record(session, caller, "lift-restriction", "returnee", returnee.id, details)
    await session.flush()
    return standing[-1]


async def _give_back_referrals(session: Session, ids: Sequence[UUID], lifted: Restriction) -> None:
    """Let an organisation know again of the referrals it took part in, of whose persons none is
    kept from it still.
    """
    still_kept = select(ReferralPerson.referral_id).join(
        Restriction,
        (col(Restriction.returnee_id) == ReferralPerson.returnee_id)
        & (Restriction.organisation == lifted.organisation)
        & col(Restriction.lifted_at).is_(None),
    )
    about = select(ReferralPerson.referral_id).where(col(ReferralPerson.returnee_id).in_(ids))
    columns = {Role.REFERRER: Referral.sender, Role.PARTNER: Referral.implementer}
    for role in sorted(columns.keys() & set(lifted.roles)):
        rows = select(Referral.id).where(
            col(Referral.id).in_(about),
            col(Referral.id).not_in(still_kept),
            columns[role] == lifted.organisation,
        )
        await grant(session, sorted(await session.scalars(rows)), role, lifted.organisation)


async def load_restrictions(session: Session, ids: Sequence[UUID]) -> list[Restriction]:
    """Load who may know of somebody no more, oldest first."""
    rows = (
        select(Restriction)
        .where(col(Restriction.returnee_id).in_(ids))
        .order_by(col(Restriction.id))
    )
    return list(await session.scalars(rows))


def publish_restriction(session: Session, row: Restriction) -> None:
    """Publish that an organisation is kept from somebody, or is no more."""
    publish(
        session,
        ReturneeRestricted(
            returnee_id=row.returnee_id,
            organisation=row.organisation,
            roles=tuple(row.roles),
            restricted=row.lifted_at is None,
        ),
    )


async def publish_restrictions_again(session: Session, returnee_id: UUID) -> None:
    """Publish who is kept from somebody, after an event from which projections take that those take
    part.
    """
    rows = select(Restriction).where(
        Restriction.returnee_id == returnee_id, col(Restriction.lifted_at).is_(None)
    )
    for row in await session.scalars(rows.order_by(col(Restriction.id))):
        publish_restriction(session, row)
