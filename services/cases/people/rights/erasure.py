"""Erasure: who somebody was is gone here and, by event, everywhere; what happened stays, to be
counted.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult
from sqlmodel import col, delete, select, update

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, now
from chassis.errors import CONFLICT, FORBIDDEN, Problem
from chassis.outbox import publish
from contracts.cases import ReturneeErased
from participation import aliases
from participation.access import Role, participation
from services.cases.documents import service as documents
from services.cases.intake.referrals import forgetting
from services.cases.models import (
    AccessRequest,
    CaseFile,
    CaseMember,
    CaseTransfer,
    ContactAttempt,
    CounsellingSession,
    Deadline,
    Erasure,
    Flag,
    LegalHold,
    Plan,
    PlanLine,
    Referral,
    ReferralPerson,
    Returnee,
    ServiceReferral,
    Share,
    Survey,
    Visit,
)
from services.cases.people.returnees import service as returnees
from services.cases.people.rights import service
from services.cases.people.rights.schemas import EraseIn, ErasureOut
from services.cases.people.search.queries import learn

ERASED = ""


async def erase(
    session: Session, returnee_id: UUID, body: EraseIn, caller: Caller, precondition: Precondition
) -> ErasureOut:
    """Erase somebody under all their ids.

    Raises:
        Problem: 404, 403 for who does not run their programme, 412; 409 under a legal hold or with
            an open case.
    """
    returnee = await returnees.find(session, returnee_id, caller, lock=True)
    precondition.check(returnee.version)
    ids = await aliases.same_person(session, returnee.id)
    if Role.PROGRAMME not in await returnees.roles(session, ids, caller):
        raise Problem(FORBIDDEN, "the programme office decides on an erasure")
    people = list(
        await session.scalars(
            select(Returnee)
            .where(col(Returnee.id).in_(ids))
            .order_by(col(Returnee.id))
            .with_for_update()
        )
    )
    if await service.holds(session, ids, standing=True):
        raise Problem(CONFLICT, "a legal hold stands against it; release that first")
    if await returnees.has_open_case(session, returnee.id):
        raise Problem(CONFLICT, "a case of theirs is open; close that first")
    at = await service.clock(session)
    for person in people:
        person.names, person.documents, person.contacts, person.identifiers = [], [], [], []
        learn(session, person.terms, [])
        person.languages, person.keys, person.terms = [], [], []
        person.birth_date, person.erased_at = None, at
        person.changed()
    await session.flush()
    scrubbed = {"identities": len(people)} | await _scrub(session, ids)
    await session.execute(delete(participation).where(participation.c.subject_id.in_(ids)))
    for each in ids:
        session.add(
            Erasure(
                returnee_id=each,
                erased_at=at,
                reason=body.reason,
                organisation=caller.organisation,
                decided_by=caller.require_person(),
                scrubbed=scrubbed,
            )
        )
        publish(session, ReturneeErased(returnee_id=each))
        audit.record(session, caller, "erase", "returnee", each, {"reason": body.reason})
    await session.flush()
    return ErasureOut(returnee_ids=ids, erased_at=at, reason=body.reason, scrubbed=scrubbed)


async def _scrub(session: Session, ids: Sequence[UUID]) -> dict[str, int]:
    cases = list(
        await session.scalars(
            select(CaseMember.case_id).where(col(CaseMember.returnee_id).in_(ids)).distinct()
        )
    )
    alone = [case_id for case_id in cases if await _nobody_left(session, case_id)]
    referrals = await _scrub_referrals(session, ids)

    async def count(statement: Any) -> int:
        done = await session.execute(statement.execution_options(synchronize_session=False))
        assert isinstance(done, CursorResult)
        return int(done.rowcount)

    plans = select(Plan.id).where(col(Plan.case_id).in_(alone))
    return {
        "referrals": referrals,
        "plan_lines": await count(
            update(PlanLine)
            .where(col(PlanLine.beneficiary).in_(ids) | col(PlanLine.plan_id).in_(plans))
            .values(description=ERASED, feasibility=[])
        ),
        "plans": await count(
            update(Plan)
            .where(col(Plan.case_id).in_(alone))
            .values(return_comment=None, amend_comment=None)
        ),
        "cases": await count(
            update(CaseFile)
            .where(col(CaseFile.id).in_(alone))
            .values(address=ERASED, district=ERASED, closure_comment=None, suspension_comment=None)
        ),
        "transfers": await count(
            update(CaseTransfer)
            .where(col(CaseTransfer.case_id).in_(alone))
            .values(comment=None, answer_comment=None)
        ),
        "deadlines": await count(
            update(Deadline).where(col(Deadline.case_id).in_(alone)).values(decision_comment=None)
        ),
        "sessions": await count(
            update(CounsellingSession)
            .where(col(CounsellingSession.case_id).in_(cases))
            .values(notes=None)
        ),
        "contact_attempts": await count(
            update(ContactAttempt)
            .where(col(ContactAttempt.returnee_id).in_(ids))
            .values(notes=None)
        ),
        "vulnerabilities": await count(delete(Flag).where(col(Flag.returnee_id).in_(ids))),
        "visits": await count(
            update(Visit)
            .where(col(Visit.returnee_id).in_(ids), col(Visit.finding).is_not(None))
            .values(finding={})
        ),
        "surveys": await count(
            update(Survey).where(col(Survey.returnee_id).in_(ids)).values(answers={})
        ),
        "service_referrals": await count(
            update(ServiceReferral)
            .where(col(ServiceReferral.returnee_id).in_(ids))
            .values(provider=ERASED, purpose=ERASED, comment=None)
        ),
        "documents": sum([await documents.forget(session, each) for each in ids])
        + await documents.forget_of_cases(session, alone),
        "shares": await count(
            update(Share)
            .where(col(Share.returnee_id).in_(ids), col(Share.ended_at).is_(None))
            .values(ended_at=now())
        ),
        "access_requests": await count(
            delete(AccessRequest).where(
                col(AccessRequest.returnee_id).in_(ids) | col(AccessRequest.because_of).in_(ids)
            )
        ),
        "legal_holds": await count(
            update(LegalHold).where(col(LegalHold.returnee_id).in_(ids)).values(comment=ERASED)
        ),
    }


async def _nobody_left(session: Session, case_id: UUID) -> bool:
    """Whether every member of a case was erased."""
    left = await session.scalar(
        select(col(CaseMember.returnee_id))
        .join(Returnee, col(Returnee.id) == CaseMember.returnee_id)
        .where(col(CaseMember.case_id) == case_id, col(Returnee.erased_at).is_(None))
        .limit(1)
    )
    return left is None


async def _scrub_referrals(session: Session, ids: Sequence[UUID]) -> int:
    """Take the persons out of what was submitted about them; of the others nothing is lost but what
    was said of all.
    """
    own = (
        select(Referral)
        .where(
            col(Referral.id).in_(
                select(col(ReferralPerson.referral_id)).where(
                    col(ReferralPerson.returnee_id).in_(ids)
                )
            )
        )
        .order_by(col(Referral.id))
        .with_for_update()
    )
    rows, others = list(await session.scalars(own)), 0
    for referral in rows:
        places = await session.scalars(
            select(ReferralPerson.index).where(
                ReferralPerson.referral_id == referral.id, col(ReferralPerson.returnee_id).in_(ids)
            )
        )
        others += await forgetting.scrub_revisions(session, referral)
        await forgetting.scrub(session, referral, set(places))
    return len(rows) + others
