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
from chassis.errors import or_404
from chassis.outbox import publish
from contracts.cases import (
    ServiceReferralAccepted,
    ServiceReferralFact,
    ServiceReferralNotReceived,
    ServiceReferralReceived,
    ServiceReferralSent,
)
from services.cases.casework.access import require_worker, works_on
from services.cases.casework.records import (
    event_ids,
    insert_once,
    is_ahead,
    require_member,
    require_open,
)
from services.cases.codes import NotReceivedReason
from services.cases.documents.service import check_documents
from services.cases.follow_up.service_referrals.schemas import ServiceReferralIn
from services.cases.models import CaseFile, CaseMember, ServiceReferral
from services.cases.states.follow_up import (
    SERVICE_REFERRAL,
    ServiceReferralAction,
    ServiceReferralState,
)

EVENTS: dict[ServiceReferralState, type[ServiceReferralFact]] = {
    ServiceReferralState.SENT: ServiceReferralSent,
    ServiceReferralState.ACCEPTED: ServiceReferralAccepted,
    ServiceReferralState.RECEIVED: ServiceReferralReceived,
    ServiceReferralState.NOT_RECEIVED: ServiceReferralNotReceived,
}


def _publish_state(
    session: Session, case: CaseFile, member: CaseMember, row: ServiceReferral
) -> None:
    event = EVENTS[row.state]
    ids = event_ids(case, member)
    publish(session, event(**ids, service_referral_id=row.id, group=row.kind.group))


async def send(session: Session, caller: Caller, sent: ServiceReferralIn) -> ServiceReferral:
    """Refer somebody to a service.

    Raises:
        Problem: 404, 403, 409, 422.
    """
    case, members = await require_worker(session, caller, sent.case_id)
    require_open(case, "refer to a service")
    member = await require_member(session, members, sent.returnee_id, "/returnee_id")
    await check_documents(session, caller, {"/consent_document": sent.consent_document})
    row, is_new = await insert_once(
        session,
        ServiceReferral(
            id=sent.id,
            case_id=sent.case_id,
            returnee_id=member.returnee_id,
            state=ServiceReferralState.SENT,
            kind=sent.kind,
            provider=sent.provider,
            purpose=sent.purpose,
            consent_document=sent.consent_document,
            organisation=caller.organisation,
            sent_by=caller.person,
            occurred_at=sent.occurred_at,
            clock_suspect=await is_ahead(session, sent.occurred_at),
        ),
    )
    if is_new:
        _publish_state(session, case, member, row)
        audit.record(session, caller, "send", SERVICE_REFERRAL.resource, row.id)
    return row


def select_service_referrals(caller: Caller) -> Select[Any]:
    """Those of the cases that the caller works on: what somebody is referred to may say what they
    suffer from.
    """
    return select(ServiceReferral).where(works_on(caller, ServiceReferral.case_id))


async def load_service_referral(
    session: Session, caller: Caller, referral_id: UUID
) -> ServiceReferral:
    """Load a referral to a service.

    Raises:
        Problem: 404.
    """
    row: ServiceReferral | None = await session.scalar(
        select_service_referrals(caller).where(col(ServiceReferral.id) == referral_id)
    )
    return or_404(row)


async def record_outcome(
    session: Session,
    caller: Caller,
    referral_id: UUID,
    precondition: Precondition,
    action: ServiceReferralAction,
    *,
    reason: NotReceivedReason | None = None,
    comment: str = "",
    document_id: UUID | None = None,
) -> ServiceReferral:
    """Note what came of a referral.

    Raises:
        Problem: 404, 403, 409, 412, 422, 428.
    """
    row = await load_service_referral(session, caller, referral_id)
    case, members = await require_worker(session, caller, row.case_id)
    await session.refresh(row, with_for_update=True)
    precondition.check(row.version)
    SERVICE_REFERRAL.check(row.state, action)
    await check_documents(session, caller, {"/document_id": document_id})
    await SERVICE_REFERRAL.move(
        session,
        caller,
        row,
        action,
        reason=reason,
        comment=comment or row.comment,
        document_id=document_id or row.document_id,
    )
    member = await require_member(session, members, row.returnee_id, "")
    _publish_state(session, case, member, row)
    return row
