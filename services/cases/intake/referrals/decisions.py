"""Referrals about which more is asked, and those that are rejected, withdrawn or left unanswered;
for those that are accepted see `acceptance`.
"""

from collections.abc import Mapping
from uuid import UUID

from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session, current_time
from chassis.errors import state_conflict
from chassis.outbox import publish
from contracts.cases import (
    ReferralEscalated,
    ReferralExpired,
    ReferralInformationRequested,
    ReferralRejected,
    ReferralWithdrawn,
)
from contracts.codes import CaseState, ClosureReason, DeadlineKind, RejectionReason
from contracts.programmes import Decider, Silence
from services.cases.access.cases import load_cases_of_referral, load_members
from services.cases.access.referrals import require_decider, require_submitter
from services.cases.casework.cases.closing import close_case
from services.cases.casework.deadlines import service as deadlines
from services.cases.intake.referrals import service
from services.cases.intake.travel import journeys
from services.cases.models import CaseFile, Referral
from services.cases.programmes import programmes
from services.cases.records import event_ids
from services.cases.states.intake import REFERRAL, JourneyState, ReferralAction, ReferralState

ON_SILENCE: Mapping[Silence, ReferralAction] = {
    Silence.ESCALATE: ReferralAction.ESCALATE,
    Silence.EXPIRE: ReferralAction.EXPIRE,
    Silence.REJECT: ReferralAction.REJECT_UNANSWERED,
}
"""What a programme may say happens when nobody answers; anything else happens to no referral."""


async def request_information(
    session: Session, caller: Caller, referral_id: UUID, question: str
) -> Referral:
    """Ask the sender for more; its clock runs now, not the partner's.

    Raises:
        Problem: 404, 403, 409.
    """
    referral = await require_decider(session, caller, referral_id)
    await REFERRAL.move(
        session, caller, referral, ReferralAction.REQUEST_INFORMATION, question=question
    )
    await service.settle_all(session, referral)
    publish(session, ReferralInformationRequested(**service.event_ids_of(referral)))
    await deadlines.set_for_referral(
        session, referral, DeadlineKind.INFORMATION, await current_time(session)
    )
    await session.flush()
    return referral


async def reject(
    session: Session,
    caller: Caller,
    referral_id: UUID,
    precondition: Precondition,
    *,
    reason: RejectionReason,
    comment: str,
) -> Referral:
    """Reject a referral for a coded reason; it may come back corrected.

    Raises:
        Problem: 404, 403, 409, 412, 428.
    """
    referral = await require_decider(session, caller, referral_id)
    precondition.check(await service.load_version(session, referral))
    await REFERRAL.move(
        session,
        caller,
        referral,
        ReferralAction.REJECT,
        details={"reason": reason},
        rejection_reason=reason,
        comment=comment,
        decided_by=caller.require_person(),
        decided_at=await current_time(session),
    )
    await service.settle_all(session, referral, met=service.DECISIONS.values())
    await service.keep_partner(session, referral)
    publish(session, ReferralRejected(**service.event_ids_of(referral), reason=reason))
    await session.flush()
    return referral


async def withdraw(session: Session, caller: Caller, referral_id: UUID, comment: str) -> Referral:
    """Withdraw a referral, also after acceptance until somebody has left: people may change their
    mind.

    Raises:
        Problem: 404, 403, 409.
    """
    referral = await require_submitter(session, caller, referral_id)
    REFERRAL.check(referral.state, ReferralAction.WITHDRAW)
    cases = await load_cases_of_referral(session, referral.id, lock=True)
    await _check_nobody_left(session, referral, cases)
    await REFERRAL.move(
        session, caller, referral, ReferralAction.WITHDRAW, comment=comment or referral.comment
    )
    await service.settle_all(session, referral)
    await journeys.cancel_all(session, referral)
    if not cases:
        await service.keep_partner(session, referral)
        publish(session, ReferralWithdrawn(**service.event_ids_of(referral)))
    for case_id, members in (await load_members(session, cases)).items():
        case = cases[case_id]
        for member in members:
            ids = event_ids(case, member) | service.event_ids_of(referral)
            publish(session, ReferralWithdrawn(**ids))
        if case.state is not CaseState.CLOSED:
            await close_case(session, case, members, ClosureReason.WITHDRAWN)
    await session.flush()
    return referral


async def _check_nobody_left(
    session: Session, referral: Referral, cases: Mapping[UUID, CaseFile]
) -> None:
    """Refuse to withdraw a referral by which somebody has left the host country.

    Raises:
        Problem: 409.
    """
    states = {journey.state for journey in await journeys.load_journeys(session, referral.id)}
    if not referral.retroactive and JourneyState.DEPARTED in states:
        raise state_conflict(JourneyState.DEPARTED, [], ReferralAction.WITHDRAW)
    for case in cases.values():
        rests = case.suspended_from is CaseState.PRE_DEPARTURE and case.arrived_on is None
        if case.state not in {CaseState.PRE_DEPARTURE, CaseState.CLOSED} and not rests:
            raise state_conflict(case.state, [], ReferralAction.WITHDRAW)


async def on_silence(
    session: Session, referral: Referral, kind: DeadlineKind, then: Silence
) -> None:
    """Do what the programme says happens when nobody answered in time; `referral` is locked.

    Args:
        session: The session.
        referral: The referral.
        kind: The deadline that has passed.
        then: What the programme's rule says.
    """
    awaited = {
        ReferralState.INFORMATION_REQUESTED: {DeadlineKind.INFORMATION},
        ReferralState.SUBMITTED: set(service.DECISIONS.values()),
    }
    action = ON_SILENCE.get(then)
    if kind not in awaited.get(referral.state, ()) or action not in REFERRAL.table[referral.state]:
        return
    ids = service.event_ids_of(referral)
    match action:
        case ReferralAction.ESCALATE:
            REFERRAL.apply(referral, action, decider=Decider.PROGRAMME_OFFICE)
            office = programmes()[referral.programme].office
            publish(session, ReferralEscalated(**ids, office=office))
            await service.await_decision(session, referral)
        case ReferralAction.EXPIRE:
            REFERRAL.apply(referral, action)
            await service.keep_partner(session, referral)
            publish(session, ReferralExpired(**ids))
        case _:
            silence = RejectionReason.SILENCE
            REFERRAL.apply(referral, ReferralAction.REJECT_UNANSWERED, rejection_reason=silence)
            await service.keep_partner(session, referral)
            publish(session, ReferralRejected(**ids, reason=silence))
    await session.flush()
