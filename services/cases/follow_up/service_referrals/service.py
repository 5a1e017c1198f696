"""Referrals to services outside the programme: whether somebody got there counts, not that they
were sent.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Select
from sqlmodel import col, select

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import NOT_FOUND, Problem
from chassis.outbox import publish
from contracts.cases import (
    ServiceReferralAccepted,
    ServiceReferralFact,
    ServiceReferralNotReceived,
    ServiceReferralReceived,
    ServiceReferralSent,
)
from contracts.codes import ServiceKind
from services.cases.casework.cases import service as cases
from services.cases.documents.service import check_documents
from services.cases.follow_up.service_referrals import rules
from services.cases.follow_up.service_referrals.schemas import (
    ServiceReferralIn,
    ServiceReferralState,
)
from services.cases.models import CaseFile, CaseMember, ServiceReferral

FACTS: dict[ServiceReferralState, type[ServiceReferralFact]] = {
    ServiceReferralState.SENT: ServiceReferralSent,
    ServiceReferralState.ACCEPTED: ServiceReferralAccepted,
    ServiceReferralState.RECEIVED: ServiceReferralReceived,
    ServiceReferralState.NOT_RECEIVED: ServiceReferralNotReceived,
}


def _tell(session: Session, case: CaseFile, member: CaseMember, row: ServiceReferral) -> None:
    fact = FACTS[ServiceReferralState(row.state)]
    group = ServiceKind(row.kind).group
    publish(session, fact(**cases.ids_of(case, member), service_referral_id=row.id, group=group))


async def send(session: Session, body: ServiceReferralIn, caller: Caller) -> ServiceReferral:
    """Refer somebody to a service.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    case, members = await cases.to_work_on(session, body.case_id, caller)
    cases.check_open(case, "refer to a service")
    member = await cases.load_member(session, members, body.returnee_id, "/returnee_id")
    await check_documents(session, caller, {"/consent_document": body.consent_document})
    row, is_new = await cases.take_down(
        session,
        ServiceReferral(
            id=body.id,
            case_id=body.case_id,
            returnee_id=member.returnee_id,
            state=ServiceReferralState.SENT,
            kind=body.kind,
            provider=body.provider,
            purpose=body.purpose,
            consent_document=body.consent_document,
            organisation=caller.organisation,
            sent_by=caller.person,
            occurred_at=body.occurred_at,
            clock_suspect=await cases.is_ahead(session, body.occurred_at),
        ),
    )
    if is_new:
        _tell(session, case, member, row)
        audit.record(session, caller, "send", "service-referral", row.id)
    return row


def listed(caller: Caller) -> Select[Any]:
    """Those of the cases that the caller works on: what somebody is referred to may say what they
    suffer from.
    """
    return select(ServiceReferral).where(cases.worked_on(ServiceReferral.case_id, caller))


async def find(session: Session, referral_id: UUID, caller: Caller) -> ServiceReferral:
    """One of them.

    Raises:
        Problem: 404.
    """
    row: ServiceReferral | None = await session.scalar(
        listed(caller).where(col(ServiceReferral.id) == referral_id)
    )
    if row is None:
        raise Problem(NOT_FOUND)
    return row


async def move(
    session: Session,
    referral_id: UUID,
    action: str,
    caller: Caller,
    precondition: Precondition,
    *,
    reason: str | None = None,
    comment: str = "",
    document_id: UUID | None = None,
) -> ServiceReferral:
    """Note what came of a referral.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    found = await find(session, referral_id, caller)
    case, members = await cases.to_work_on(session, found.case_id, caller)
    await session.refresh(found, with_for_update=True)
    precondition.check(found.version)
    state = rules.after(found.state, action)
    await check_documents(session, caller, {"/document_id": document_id})
    found.state, found.reason = state, reason
    found.comment = comment or found.comment
    found.document_id = document_id or found.document_id
    found.changed()
    _tell(session, case, await cases.load_member(session, members, found.returnee_id, ""), found)
    audit.record(session, caller, action, "service-referral", found.id)
    await session.flush()
    return found
