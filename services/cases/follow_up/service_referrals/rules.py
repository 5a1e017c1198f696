"""What may happen to a referral to a service, and what is told of its kind. Pure."""

from collections.abc import Mapping

from chassis.errors import state_conflict
from services.cases.follow_up.service_referrals.schemas import ServiceReferralState

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


def after(state: str, action: str) -> ServiceReferralState:
    """The state after an action.

    Raises:
        Problem: 409, the state does not allow it.
    """
    allowed = TRANSITIONS[ServiceReferralState(state)]
    if action not in allowed:
        raise state_conflict(state, list(allowed), action)
    return allowed[action]
