"""The state machines of intake: what may happen to a referral, a journey and a batch, and where it
leads.
"""

from enum import StrEnum, nonmember

from chassis.machine import Machine


class ReferralState(StrEnum):
    """Where a referral stands."""

    SUBMITTED = "submitted"
    INFORMATION_REQUESTED = "information_requested"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"

    UNDECIDED = nonmember(frozenset({SUBMITTED, INFORMATION_REQUESTED}))
    CORRECTABLE = nonmember(frozenset({REJECTED, EXPIRED, WITHDRAWN}))
    """States after which the same reference may come again as a new revision."""


class ReferralAction(StrEnum):
    """What is done with a referral. Where people do it, the word is the last segment of its path."""

    REQUEST_INFORMATION = "request-information"
    COMPLETE = "complete"
    ACCEPT = "accept"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    TRAVEL = "travel"
    """A journey of its persons is added or changes."""
    AMEND = "amend"
    ESCALATE = "escalate"
    """The partner did not answer in time, and the programme office decides."""
    EXPIRE = "expire"
    """Nobody answered in time."""
    REJECT_UNANSWERED = "reject-unanswered"
    """Nobody answered in time, and the programme takes that for a no."""


REFERRAL = Machine(
    "referral",
    {
        ReferralState.SUBMITTED: {
            ReferralAction.REQUEST_INFORMATION: ReferralState.INFORMATION_REQUESTED,
            ReferralAction.ACCEPT: ReferralState.ACCEPTED,
            ReferralAction.REJECT: ReferralState.REJECTED,
            ReferralAction.WITHDRAW: ReferralState.WITHDRAWN,
            ReferralAction.TRAVEL: ReferralState.SUBMITTED,
            ReferralAction.ESCALATE: ReferralState.SUBMITTED,
            ReferralAction.EXPIRE: ReferralState.EXPIRED,
            ReferralAction.REJECT_UNANSWERED: ReferralState.REJECTED,
        },
        ReferralState.INFORMATION_REQUESTED: {
            ReferralAction.COMPLETE: ReferralState.SUBMITTED,
            ReferralAction.ACCEPT: ReferralState.ACCEPTED,
            ReferralAction.REJECT: ReferralState.REJECTED,
            ReferralAction.WITHDRAW: ReferralState.WITHDRAWN,
            ReferralAction.TRAVEL: ReferralState.INFORMATION_REQUESTED,
            # Nobody is asked in the sender's place, so that silence of theirs does not escalate.
            ReferralAction.EXPIRE: ReferralState.EXPIRED,
            ReferralAction.REJECT_UNANSWERED: ReferralState.REJECTED,
        },
        ReferralState.ACCEPTED: {
            ReferralAction.WITHDRAW: ReferralState.WITHDRAWN,
            ReferralAction.TRAVEL: ReferralState.ACCEPTED,
            ReferralAction.AMEND: ReferralState.ACCEPTED,
        },
        ReferralState.REJECTED: {},
        ReferralState.EXPIRED: {},
        ReferralState.WITHDRAWN: {},
    },
    internal={
        ReferralAction.ESCALATE,
        ReferralAction.EXPIRE,
        ReferralAction.REJECT_UNANSWERED,
    },
)


class JourneyState(StrEnum):
    """Where a journey stands."""

    PLANNED = "planned"
    CONFIRMED = "confirmed"
    DEPARTED = "departed"
    NOT_DEPARTED = "not_departed"
    CANCELLED = "cancelled"

    AHEAD = nonmember(frozenset({PLANNED, CONFIRMED}))
    """The person has this journey still before them."""
    TAKES_PLACE = nonmember(frozenset({PLANNED, CONFIRMED, DEPARTED}))
    """The person makes or made it, so that another one would be a second."""


class JourneyAction(StrEnum):
    """What is done with a journey. Where people do it, the word is the last segment of its path."""

    CHANGE = "change"
    CONFIRM = "confirm"
    DEPARTED = "departed"
    NOT_DEPARTED = "not-departed"
    CANCEL = "cancel"
    RESUBMIT = "resubmit"
    """The referral is completed, and says anew how its persons travel."""


_BOOKED_OR_NOT = frozenset({JourneyState.PLANNED, JourneyState.CONFIRMED})

JOURNEY = Machine(
    "journey",
    {
        JourneyState.PLANNED: {
            JourneyAction.CHANGE: JourneyState.PLANNED,
            JourneyAction.CONFIRM: JourneyState.CONFIRMED,
            JourneyAction.DEPARTED: JourneyState.DEPARTED,
            JourneyAction.NOT_DEPARTED: JourneyState.NOT_DEPARTED,
            JourneyAction.CANCEL: JourneyState.CANCELLED,
            JourneyAction.RESUBMIT: _BOOKED_OR_NOT,
        },
        JourneyState.CONFIRMED: {
            JourneyAction.CHANGE: JourneyState.CONFIRMED,
            JourneyAction.DEPARTED: JourneyState.DEPARTED,
            JourneyAction.NOT_DEPARTED: JourneyState.NOT_DEPARTED,
            JourneyAction.CANCEL: JourneyState.CANCELLED,
            JourneyAction.RESUBMIT: _BOOKED_OR_NOT,
        },
        JourneyState.DEPARTED: {},
        JourneyState.NOT_DEPARTED: {},
        JourneyState.CANCELLED: {},
    },
    internal={JourneyAction.RESUBMIT},
)


class BatchState(StrEnum):
    """How far a batch is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


class BatchAction(StrEnum):
    """What the job does with a batch."""

    TAKE = "take"
    """The next referrals of it are taken."""


_TAKEN = {BatchAction.TAKE: frozenset({BatchState.RUNNING, BatchState.DONE})}

BATCH = Machine(
    "referral-batch",
    {BatchState.WAITING: _TAKEN, BatchState.RUNNING: _TAKEN, BatchState.DONE: {}},
)
