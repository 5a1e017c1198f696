"""What may happen to a referral to a service, and what is told of its kind. Pure."""

from collections.abc import Mapping

from chassis.errors import state_conflict
from contracts.codes import AssistanceGroup
from services.cases.follow_up.service_referrals.schemas import ServiceKind, ServiceReferralState

TRANSITIONS: Mapping[ServiceReferralState, Mapping[str, ServiceReferralState]] = {
    ServiceReferralState.SENT: {
        "accept": ServiceReferralState.ACCEPTED,
        "receive": ServiceReferralState.RECEIVED,
        "not-received": ServiceReferralState.NOT_RECEIVED,
    },
    ServiceReferralState.ACCEPTED: {
        "receive": ServiceReferralState.RECEIVED,
        "not-received": ServiceReferralState.NOT_RECEIVED,
    },
    ServiceReferralState.RECEIVED: {},
    ServiceReferralState.NOT_RECEIVED: {},
}
GROUPS: Mapping[ServiceKind, AssistanceGroup] = {
    ServiceKind.HOSPITAL: AssistanceGroup.CARE,
    ServiceKind.PSYCHOSOCIAL: AssistanceGroup.CARE,
    ServiceKind.PROTECTION: AssistanceGroup.CARE,
    ServiceKind.SHELTER: AssistanceGroup.CARE,
    ServiceKind.FAMILY_TRACING: AssistanceGroup.CARE,
    ServiceKind.LEGAL_AID: AssistanceGroup.SOCIAL,
    ServiceKind.CIVIL_DOCUMENTS: AssistanceGroup.SOCIAL,
    ServiceKind.SCHOOL: AssistanceGroup.SOCIAL,
    ServiceKind.HOUSING: AssistanceGroup.SOCIAL,
    ServiceKind.EMPLOYMENT_OFFICE: AssistanceGroup.ECONOMIC,
    ServiceKind.MICROFINANCE: AssistanceGroup.ECONOMIC,
}
"""As coarsely as an event may say it."""


def after(state: str, action: str) -> ServiceReferralState:
    """The state after an action.

    Raises:
        Problem: 409, the state does not allow it.
    """
    allowed = TRANSITIONS[ServiceReferralState(state)]
    if action not in allowed:
        raise state_conflict(state, list(allowed), action)
    return allowed[action]
