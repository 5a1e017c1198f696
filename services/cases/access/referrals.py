"""Who may know of a referral, who sent it and whose turn it is; referrals loaded and locked for
them.
"""

from uuid import UUID

from sqlmodel import col, select

from chassis.auth import Caller
from chassis.db import Session
from chassis.errors import FORBIDDEN, Problem, or_404
from contracts.programmes import Decider
from participation.access import Role, roles_of, visible
from services.cases.models import Referral

TURNS = {
    Decider.PARTNER: (Role.PARTNER, "the partner that was asked"),
    Decider.PROGRAMME_OFFICE: (Role.PROGRAMME, "the programme office"),
    Decider.REFERRER: (Role.REFERRER, "the host-country service"),
}


async def load_referral(session: Session, caller: Caller, referral_id: UUID) -> Referral:
    """Load a referral that the caller may know of.

    Raises:
        Problem: 404.
    """
    referral: Referral | None = await session.scalar(
        select(Referral).where(Referral.id == referral_id, visible(col(Referral.id), caller))
    )
    return or_404(referral)


async def lock_referral(session: Session, caller: Caller, referral_id: UUID) -> Referral:
    """Lock a referral that the caller may know of.

    Raises:
        Problem: 404.
    """
    referral: Referral | None = await session.scalar(
        select(Referral)
        .where(Referral.id == referral_id, visible(col(Referral.id), caller))
        .with_for_update(of=Referral)
    )
    return or_404(referral)


async def require_sender(session: Session, caller: Caller, referral_id: UUID) -> Referral:
    """Lock a referral for the host-country service that it is from.

    Raises:
        Problem: 404; 403 if the caller is another organisation.
    """
    referral = await lock_referral(session, caller, referral_id)
    if Role.REFERRER not in await roles_of(session, referral_id, caller):
        raise Problem(FORBIDDEN, "only its sender does this")
    return referral


async def require_submitter(session: Session, caller: Caller, referral_id: UUID) -> Referral:
    """Lock a referral for who submitted it: the sender, or the partner after the return.

    Raises:
        Problem: 404; 403 if the caller is another organisation.
    """
    referral = await lock_referral(session, caller, referral_id)
    if caller.organisation != referral.submitter:
        raise Problem(FORBIDDEN, "only who submitted it does this")
    return referral


async def require_implementer(session: Session, caller: Caller, referral_id: UUID) -> Referral:
    """Lock a referral for the partner that implements it.

    Raises:
        Problem: 404; 403 if the caller is another organisation.
    """
    referral = await lock_referral(session, caller, referral_id)
    if Role.PARTNER not in await roles_of(session, referral_id, caller):
        raise Problem(FORBIDDEN, "the implementing organisation asks")
    return referral


async def require_decider(session: Session, caller: Caller, referral_id: UUID) -> Referral:
    """Lock a referral for whose turn it is: the partner's, the programme office's, or after the
    return the host-country service's.

    Raises:
        Problem: 404; 403 that names whose turn it is.
    """
    referral = await lock_referral(session, caller, referral_id)
    role, who = TURNS[referral.decider]
    if role not in await roles_of(session, referral_id, caller):
        raise Problem(FORBIDDEN, f"{who} decides on this referral")
    return referral
