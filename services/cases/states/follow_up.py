"""The state machines of follow-up: what may happen to a monitoring visit and to a referral to a
service, and where it leads.
"""

from enum import StrEnum

from chassis.machine import Machine


class VisitState(StrEnum):
    """Whether somebody was seen."""

    SCHEDULED = "scheduled"
    RECORDED = "recorded"
    CANCELLED = "cancelled"
    """What it would have followed up was undone before anybody went, or the case was closed."""


class VisitCancellation(StrEnum):
    """Why a visit is not paid."""

    UNDONE = "undone"
    """What it would have followed up was undone."""
    CASE_CLOSED = "case_closed"
    """It is scheduled again if the case is reopened."""


class VisitAction(StrEnum):
    """What is done with a visit."""

    RECORD = "record"
    """Somebody was reached."""
    TRY = "try"
    """Nobody was reached; it is tried again."""
    CALL_OFF = "call-off"
    """What it would follow up was undone."""
    CLOSE_WITH_CASE = "close-with-case"
    REOPEN_WITH_CASE = "reopen-with-case"


VISIT = Machine(
    "visit",
    {
        VisitState.SCHEDULED: {
            VisitAction.RECORD: VisitState.RECORDED,
            VisitAction.TRY: VisitState.SCHEDULED,
            VisitAction.CALL_OFF: VisitState.CANCELLED,
            VisitAction.CLOSE_WITH_CASE: VisitState.CANCELLED,
        },
        VisitState.RECORDED: {},
        VisitState.CANCELLED: {
            # What is undone while the case is closed is not scheduled again with it.
            VisitAction.CALL_OFF: VisitState.CANCELLED,
            VisitAction.REOPEN_WITH_CASE: VisitState.SCHEDULED,
        },
    },
    leaving={VisitState.CANCELLED: {"cancelled_for": None}},
    internal={
        VisitAction.CALL_OFF,
        VisitAction.CLOSE_WITH_CASE,
        VisitAction.REOPEN_WITH_CASE,
    },
)


class ServiceReferralState(StrEnum):
    """Whether somebody got what they were referred for."""

    SENT = "sent"
    ACCEPTED = "accepted"
    RECEIVED = "received"
    NOT_RECEIVED = "not_received"


class ServiceReferralAction(StrEnum):
    """What comes of a referral: the last segment of its path."""

    ACCEPT = "accept"
    RECEIVE = "receive"
    NOT_RECEIVED = "not-received"


SERVICE_REFERRAL = Machine(
    "service-referral",
    {
        ServiceReferralState.SENT: {
            ServiceReferralAction.ACCEPT: ServiceReferralState.ACCEPTED,
            ServiceReferralAction.RECEIVE: ServiceReferralState.RECEIVED,
            ServiceReferralAction.NOT_RECEIVED: ServiceReferralState.NOT_RECEIVED,
        },
        ServiceReferralState.ACCEPTED: {
            ServiceReferralAction.RECEIVE: ServiceReferralState.RECEIVED,
            ServiceReferralAction.NOT_RECEIVED: ServiceReferralState.NOT_RECEIVED,
        },
        ServiceReferralState.RECEIVED: {},
        ServiceReferralState.NOT_RECEIVED: {},
    },
)
