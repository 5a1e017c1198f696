"""The state machines of casework: what may happen to a case, the offer of one, a plan and a
deadline, and where it leads.
"""

from enum import StrEnum, nonmember

from chassis.machine import Machine
from contracts.codes import CaseState


class CaseAction(StrEnum):
    """What is done with a case. Where people do it, the word is the last segment of its path."""

    ASSIGN = "assign"
    TRANSFER = "transfer"
    SPLIT = "split"
    PLAN = "plan"
    SUSPEND = "suspend"
    RESUME = "resume"
    CLOSE = "close"
    REOPEN = "reopen"
    PROGRESS = "progress"
    """An arrival, or a line of its plan, moves it on or back."""


_WORKED_ON = {
    CaseState.PRE_DEPARTURE,
    CaseState.ARRIVED,
    CaseState.IN_DELIVERY,
    CaseState.MONITORING,
}


def _while_worked_on(state: CaseState) -> dict[CaseAction, CaseState | frozenset[CaseState]]:
    return {
        CaseAction.ASSIGN: state,
        CaseAction.TRANSFER: state,
        CaseAction.SPLIT: state,
        CaseAction.SUSPEND: CaseState.SUSPENDED,
        CaseAction.CLOSE: CaseState.CLOSED,
    }


CASE = Machine(
    "case",
    {
        CaseState.PRE_DEPARTURE: {
            **_while_worked_on(CaseState.PRE_DEPARTURE),
            CaseAction.PROGRESS: CaseState.ARRIVED,
        },
        CaseState.ARRIVED: {
            **_while_worked_on(CaseState.ARRIVED),
            CaseAction.PLAN: CaseState.ARRIVED,
            # Back where the arrival turns out to have been a mistake.
            CaseAction.PROGRESS: frozenset({CaseState.PRE_DEPARTURE, CaseState.IN_DELIVERY}),
        },
        CaseState.IN_DELIVERY: {
            **_while_worked_on(CaseState.IN_DELIVERY),
            CaseAction.PLAN: CaseState.IN_DELIVERY,
            CaseAction.PROGRESS: CaseState.MONITORING,
        },
        CaseState.MONITORING: {
            **_while_worked_on(CaseState.MONITORING),
            CaseAction.PLAN: CaseState.MONITORING,
            CaseAction.PROGRESS: CaseState.IN_DELIVERY,
        },
        CaseState.SUSPENDED: {
            CaseAction.ASSIGN: CaseState.SUSPENDED,
            CaseAction.TRANSFER: CaseState.SUSPENDED,
            CaseAction.SPLIT: CaseState.SUSPENDED,
            CaseAction.CLOSE: CaseState.CLOSED,
            CaseAction.RESUME: frozenset(_WORKED_ON),
        },
        CaseState.CLOSED: {CaseAction.REOPEN: frozenset({*_WORKED_ON, CaseState.SUSPENDED})},
    },
    leaving={
        CaseState.CLOSED: {"state_before": None, "closure_reason": None, "closure_comment": None}
    },
    internal={CaseAction.PROGRESS},
)
"""A case is resumed and reopened where it was, so that both may lead to several states."""


class TransferState(StrEnum):
    """Where the offer of a case to another organisation stands."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class TransferAction(StrEnum):
    """What is done with an offer."""

    ACCEPT = "accept"
    DECLINE = "decline"
    WITHDRAW = "withdraw"


TRANSFER = Machine(
    "transfer",
    {
        TransferState.OFFERED: {
            TransferAction.ACCEPT: TransferState.ACCEPTED,
            TransferAction.DECLINE: TransferState.DECLINED,
            TransferAction.WITHDRAW: TransferState.WITHDRAWN,
        },
        TransferState.ACCEPTED: {},
        TransferState.DECLINED: {},
        TransferState.WITHDRAWN: {},
    },
)


class PlanState(StrEnum):
    """Where a version of a plan stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    RETURNED = "returned"
    SUPERSEDED = "superseded"


class PlanAction(StrEnum):
    """What is done with a plan."""

    EDIT = "edit"
    AGREE = "agree"
    SUBMIT = "submit"
    APPROVE = "approve"
    RETURN = "return"
    AMEND = "amend"
    SUPERSEDE = "supersede"
    """The next version is approved."""


PLAN = Machine(
    "plan",
    {
        PlanState.DRAFT: {
            PlanAction.EDIT: PlanState.DRAFT,
            PlanAction.AGREE: PlanState.DRAFT,
            PlanAction.SUBMIT: PlanState.SUBMITTED,
        },
        PlanState.SUBMITTED: {
            PlanAction.AGREE: PlanState.SUBMITTED,
            PlanAction.APPROVE: PlanState.APPROVED,
            PlanAction.RETURN: PlanState.RETURNED,
        },
        PlanState.RETURNED: {PlanAction.EDIT: PlanState.DRAFT},
        PlanState.APPROVED: {
            PlanAction.AGREE: PlanState.APPROVED,
            PlanAction.AMEND: PlanState.DRAFT,
            PlanAction.SUPERSEDE: PlanState.SUPERSEDED,
        },
        PlanState.SUPERSEDED: {},
    },
    internal={PlanAction.SUPERSEDE},
)
"""Amending leads to the draft of a new version; the approved one stays in force until that one is
approved.
"""


class LineStatus(StrEnum):
    """How far a line has come."""

    PLANNED = "planned"
    REQUESTED = "requested"
    GRANTED = "granted"
    IN_DELIVERY = "in_delivery"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"

    COMMITTED = nonmember(frozenset({REQUESTED, GRANTED, IN_DELIVERY, DELIVERED}))
    """From a request on a line is no longer the plan's alone."""
    ENDED = nonmember(frozenset({DELIVERED, CANCELLED}))


class DeadlineState(StrEnum):
    """Whether something is still to be done."""

    OPEN = "open"
    PAUSED = "paused"
    """The case is suspended, and the clock stands."""
    MET = "met"
    MISSED = "missed"
    WAIVED = "waived"
    CANCELLED = "cancelled"

    PENDING = nonmember(frozenset({OPEN, PAUSED}))
    """What is still to be done, and nobody is late with."""
    UNDONE = nonmember(frozenset({OPEN, PAUSED, MISSED}))
    LATE_ONCE_DUE = nonmember(frozenset({OPEN, MISSED}))
    """What makes a case overdue once its day has passed; a clock that stands does not."""
    SETTLED = nonmember(frozenset({MET, WAIVED}))
    """What a corrected day of arrival does not open again."""


class DeadlineAction(StrEnum):
    """What is done with a deadline. Only `extend` and `waive` are decided by people."""

    EXTEND = "extend"
    WAIVE = "waive"
    SET = "set"
    """It is begun anew, or counted from another day."""
    MEET = "meet"
    MISS = "miss"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    REOPEN = "reopen"


_BEGUN: frozenset[DeadlineState] = frozenset({DeadlineState.OPEN, DeadlineState.PAUSED})
_SETTLING: dict[DeadlineAction, DeadlineState | frozenset[DeadlineState]] = {
    DeadlineAction.WAIVE: DeadlineState.WAIVED,
    DeadlineAction.MEET: DeadlineState.MET,
    DeadlineAction.CANCEL: DeadlineState.CANCELLED,
    DeadlineAction.SET: _BEGUN,
}

DEADLINE = Machine(
    "deadline",
    {
        DeadlineState.OPEN: {
            **_SETTLING,
            DeadlineAction.EXTEND: DeadlineState.OPEN,
            DeadlineAction.PAUSE: DeadlineState.PAUSED,
            DeadlineAction.MISS: DeadlineState.MISSED,
        },
        DeadlineState.PAUSED: {
            **_SETTLING,
            DeadlineAction.EXTEND: DeadlineState.PAUSED,
            DeadlineAction.RESUME: DeadlineState.OPEN,
        },
        DeadlineState.MISSED: {
            **_SETTLING,
            DeadlineAction.EXTEND: DeadlineState.OPEN,
            # What was missed on a day on which the clock stood was not missed.
            DeadlineAction.PAUSE: DeadlineState.PAUSED,
        },
        # A referral that is sent back a second time is waited for a second time.
        DeadlineState.MET: {DeadlineAction.SET: _BEGUN},
        DeadlineState.WAIVED: {},
        DeadlineState.CANCELLED: {DeadlineAction.SET: _BEGUN, DeadlineAction.REOPEN: _BEGUN},
    },
    internal=frozenset(DeadlineAction) - {DeadlineAction.EXTEND, DeadlineAction.WAIVE},
)
