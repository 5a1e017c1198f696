"""What follow-up says of people is taken out when somebody is erased."""

from sqlmodel import col, update

from chassis.db import Session
from services.cases.models import (
    ContactAttempt,
    CounsellingSession,
    ServiceReferral,
    Survey,
    Visit,
)
from services.cases.people.rights.erasure import ERASED, Erased


async def scrub_follow_up(session: Session, erased: Erased) -> None:
    """Take out what is said of a person who is erased; what was done is still counted."""
    ids = erased.ids
    statements = {
        "sessions": update(CounsellingSession)
        .where(col(CounsellingSession.case_id).in_(erased.case_ids))
        .values(notes=None),
        "contact_attempts": update(ContactAttempt)
        .where(col(ContactAttempt.returnee_id).in_(ids))
        .values(notes=None),
        "visits": update(Visit)
        .where(col(Visit.returnee_id).in_(ids), col(Visit.finding).is_not(None))
        .values(finding={}),
        "surveys": update(Survey).where(col(Survey.returnee_id).in_(ids)).values(answers={}),
        "service_referrals": update(ServiceReferral)
        .where(col(ServiceReferral.returnee_id).in_(ids))
        .values(provider=ERASED, purpose=ERASED, comment=None),
    }
    for kind, statement in statements.items():
        await erased.scrub(session, kind, statement)
