"""After submission: what the persons may be known as already, and what both sides write."""

from collections.abc import Mapping
from uuid import UUID

from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.db import Session
from contracts.codes import SharingPurpose
from services.cases.access.referrals import load_referral
from services.cases.intake.referrals import service
from services.cases.intake.referrals.pending import load_referred_alike
from services.cases.intake.referrals.schemas import PersonCandidates, PersonIn
from services.cases.models import AccessRequest, Referral, ReferralMessage
from services.cases.people.duplicates.access_requests import ask
from services.cases.people.duplicates.service import alike, load_candidates
from services.cases.states.intake import REFERRAL, ReferralState


def _particulars(referral: Referral) -> Mapping[int, PersonIn]:
    return {
        index: PersonIn.model_validate(person)
        for index, person in service.people_of(referral).items()
    }


async def load_person_candidates(
    session: Session, caller: Caller, referral_id: UUID
) -> list[PersonCandidates]:
    """Load who each person of a referral may be: before acceptance among everybody, afterwards
    without themselves.

    Raises:
        Problem: 404.
    """
    referral = await load_referral(session, caller, referral_id)
    rows = await service.load_people(session, referral.id)
    bound = {row.index: row.returnee_id for row in rows}
    people = _particulars(referral)
    is_undecided = referral.state in ReferralState.UNDECIDED
    referred = await load_referred_alike(session, caller, referral, people) if is_undecided else {}
    persons = []
    for index, person in people.items():
        own_id = bound.get(index)
        candidates = await load_candidates(
            session, caller, referral.id, person, excluding=[own_id] if own_id else []
        )
        persons.append(
            PersonCandidates(index=index, candidates=candidates, referred=referred.get(index, []))
        )
    audit.record(session, caller, "read-duplicates", REFERRAL.resource, referral.id)
    return persons


async def request_access(
    session: Session,
    caller: Caller,
    referral_id: UUID,
    candidate_id: UUID,
    reason: SharingPurpose,
) -> AccessRequest:
    """Ask those who know of a masked candidate, before it is decided who the persons are.

    Raises:
        Problem: 404, there is no such candidate; 409, it is not masked.
    """
    referral = await load_referral(session, caller, referral_id)
    candidates = [
        row for person in _particulars(referral).values() for row, _ in await alike(session, person)
    ]
    return await ask(session, caller, referral.id, candidate_id, candidates, reason)


async def load_messages(
    session: Session, caller: Caller, referral_id: UUID
) -> list[ReferralMessage]:
    """Load what was written about a referral, oldest first.

    Raises:
        Problem: 404.
    """
    referral = await load_referral(session, caller, referral_id)
    audit.record(session, caller, "read-messages", REFERRAL.resource, referral.id)
    statement = select(ReferralMessage).where(ReferralMessage.referral_id == referral.id)
    return list(await session.scalars(statement.order_by(col(ReferralMessage.id))))


async def write_message(
    session: Session, caller: Caller, referral_id: UUID, text: str
) -> ReferralMessage:
    """Write to the other side.

    Raises:
        Problem: 404.
    """
    referral = await load_referral(session, caller, referral_id)
    row = ReferralMessage(
        referral_id=referral.id,
        organisation=caller.organisation,
        written_by=caller.person,
        body=text,
    )
    session.add(row)
    await session.flush()
    details = {"message": str(row.id)}
    audit.record(session, caller, "write-message", REFERRAL.resource, referral.id, details)
    return row
