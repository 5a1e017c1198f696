"""The state machine of what one organisation asks another about a person."""

from enum import StrEnum

from chassis.machine import Machine


class AccessRequestState(StrEnum):
    """Whether it was answered."""

    REQUESTED = "requested"
    SHARED = "shared"


class AccessRequestAction(StrEnum):
    """What is done with it."""

    ASK = "ask"
    """Also again: what was shared may have ended."""
    SHARE = "share"


_ASKED_AND_ANSWERED = {
    AccessRequestAction.ASK: AccessRequestState.REQUESTED,
    AccessRequestAction.SHARE: AccessRequestState.SHARED,
}

ACCESS_REQUEST = Machine("access-request", dict.fromkeys(AccessRequestState, _ASKED_AND_ANSWERED))
