"""Decisions about arrivals: what may be done in which state, and what a journey's news does to who
is expected.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType

from contracts.codes import ArrivalState, ReturnKind
from contracts.programmes import Entitlement, HandoverReason, HandoverRule


class Action(StrEnum):
    """What is done at the desk, or afterwards by the office. The word is the last segment of its
    path.
    """

    CHECK_IN = "check-in"
    PROFILE = "profile"
    ASSIST = "assistance"
    ARRANGE_TRANSPORT = "onward-transport"
    COMPLETE = "complete"
    NO_SHOW = "no-show"
    NOT_DEPARTED = "not-departed"
    DECLINE = "decline"
    CONFIRM = "confirm"
    REOPEN = "reopen"
    BIND = "bind"
    HANDOVER = "handover"
    HOLD = "hold"
    REDIRECT = "redirect"
    CORRECT = "correct"


EXPECTED, MET, COMPLETED = ArrivalState.EXPECTED, ArrivalState.MET, ArrivalState.COMPLETED

TRANSITIONS: Mapping[ArrivalState, Mapping[Action, ArrivalState]] = MappingProxyType(
    {
        ArrivalState.EXPECTED: {
            Action.CHECK_IN: MET,
            Action.NO_SHOW: ArrivalState.NO_SHOW,
            Action.NOT_DEPARTED: ArrivalState.NOT_DEPARTED,
            Action.DECLINE: ArrivalState.DECLINED,
            Action.CONFIRM: COMPLETED,
            Action.BIND: EXPECTED,
            Action.HOLD: EXPECTED,
            Action.REDIRECT: ArrivalState.DIVERTED,
            Action.HANDOVER: EXPECTED,
        },
        ArrivalState.MET: {
            Action.PROFILE: MET,
            Action.ASSIST: MET,
            Action.ARRANGE_TRANSPORT: MET,
            Action.COMPLETE: COMPLETED,
            Action.DECLINE: ArrivalState.DECLINED,
            Action.HANDOVER: MET,
            Action.HOLD: MET,
            Action.CORRECT: MET,
            Action.REOPEN: EXPECTED,
        },
        ArrivalState.COMPLETED: {
            Action.CONFIRM: COMPLETED,
            Action.CORRECT: COMPLETED,
            Action.REOPEN: EXPECTED,
        },
        ArrivalState.NO_SHOW: {
            Action.CONFIRM: COMPLETED,
            Action.REOPEN: EXPECTED,
            Action.HANDOVER: ArrivalState.NO_SHOW,
        },
        ArrivalState.NOT_DEPARTED: {
            Action.CONFIRM: COMPLETED,
            Action.REOPEN: EXPECTED,
            Action.HANDOVER: ArrivalState.NOT_DEPARTED,
        },
        ArrivalState.DECLINED: {Action.REOPEN: EXPECTED},
        ArrivalState.DIVERTED: {
            Action.CHECK_IN: MET,
            Action.NO_SHOW: ArrivalState.NO_SHOW,
            Action.NOT_DEPARTED: ArrivalState.NOT_DEPARTED,
            Action.DECLINE: ArrivalState.DECLINED,
            Action.CONFIRM: COMPLETED,
            Action.BIND: ArrivalState.DIVERTED,
            Action.REDIRECT: ArrivalState.DIVERTED,
            Action.REOPEN: EXPECTED,
            Action.HANDOVER: ArrivalState.DIVERTED,
        },
    }
)
"""What each state allows, and where it leads. Who walked past the desk is handed over too: the
office writes it down.

Two rows depend on whether the person was met: see `transitions`.
"""


def transitions(
    state: ArrivalState, *, met: bool, held: bool = False, before_end: bool = False
) -> Mapping[Action, ArrivalState]:
    """What may be done now, and where it leads.

    Args:
        state: The state of the arrival.
        met: Whether the person was met at the port of entry. Then reopening leads back to `met`,
            and the office has nothing to confirm; without it, a confirmation is corrected by
            confirming again, and nothing else about a meeting can be. Reopening somebody who is
            `met` undoes the check-in.
        held: Whether the authorities hold the person. Then only what shows that they do not any
            more is possible.
        before_end: Whether the action was done before the arrival ended, and only its news comes
            later.
    """
    allowed = dict(TRANSITIONS[state])
    if met:
        allowed.pop(Action.CONFIRM, None)
        if Action.REOPEN in allowed and state is not MET:
            allowed[Action.REOPEN] = MET
    else:
        allowed.pop(Action.CORRECT, None)
    if before_end and met and state in ENDED_AT_THE_DESK:
        allowed |= dict.fromkeys(STEPS, state)
    if held:
        allowed = {action: target for action, target in allowed.items() if action in ENDS_HOLD}
    return allowed


STEPS = (Action.PROFILE, Action.ASSIST, Action.ARRANGE_TRANSPORT, Action.HANDOVER)
"""What is done at the desk in any order. A tablet's news of it may come after that of the end."""
ENDED_AT_THE_DESK = frozenset({COMPLETED, ArrivalState.DECLINED})
ENDS_HOLD = frozenset(
    {Action.CHECK_IN, Action.COMPLETE, Action.DECLINE, Action.REOPEN, Action.CONFIRM}
)
"""What is done with somebody whom the authorities have let go."""


ON_JOURNEY_SET: Mapping[ArrivalState, ArrivalState] = MappingProxyType(
    dict.fromkeys(
        (EXPECTED, ArrivalState.DIVERTED, ArrivalState.NO_SHOW, ArrivalState.NOT_DEPARTED), EXPECTED
    )
)
"""A journey that is planned, booked or moved makes a person expected, also again; who has arrived
is left alone.
"""

ON_JOURNEY_OFF: Mapping[ArrivalState, ArrivalState] = MappingProxyType(
    dict.fromkeys((EXPECTED, ArrivalState.DIVERTED), ArrivalState.NOT_DEPARTED)
)
"""A journey that does not take place ends what has not begun; what has happened at the port is left
alone.
"""


CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far ahead of the database's clock a claim may be; a convention of the whole API."""


def clock_suspect(claimed: datetime, clock: datetime) -> bool:
    """Whether something is said to have happened in the future: the device's clock is wrong.

    Args:
        claimed: When it happened, by the device.
        clock: The database's clock.
    """
    return claimed > clock + CLOCK_TOLERANCE


def age_on(day: date, born: date) -> int:
    """Full years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def handover_due(
    rule: HandoverRule, *, age: int | None, with_adult: bool, noted: Collection[HandoverReason]
) -> frozenset[HandoverReason]:
    """Why somebody must be handed over to a person or an authority that signs for them.

    Args:
        rule: The programme's.
        age: In full years; None where it is not known.
        with_adult: Whether an adult of their family was met with them.
        noted: What the desk or the manifest says.
    """
    reasons = set(noted)
    if age is not None and age < rule.adult_at and not with_adult:
        reasons.add(HandoverReason.UNACCOMPANIED_CHILD)
    return rule.reasons & reasons


def is_safe(safe_hours: str | None, at: time) -> bool:
    """Whether somebody may be reached at a time of the day.

    Args:
        safe_hours: `HH:MM-HH:MM`, also over midnight; None where any time is.
        at: Where they are.
    """
    if safe_hours is None:
        return True
    begins, ends = (time.fromisoformat(word.strip()) for word in safe_hours.split("-"))
    return begins <= at < ends if begins <= ends else at >= begins or at < ends


def entitled(
    entitlement: Entitlement | None, return_kind: ReturnKind | None, given: int
) -> str | None:
    """Why something is not given: `not_entitled` or `entitlement_used`; None if it may be.

    Args:
        entitlement: The programme's rule for the kind; None where it has none.
        return_kind: How the person returned; None where it is not known, which excludes nothing.
        given: How often it was given before, to the person or the household as the rule counts.
    """
    if entitlement is None:
        return "not_entitled"
    if (
        entitlement.return_kinds is not None
        and return_kind is not None
        and return_kind not in entitlement.return_kinds
    ):
        return "not_entitled"
    if entitlement.at_most is not None and given >= entitlement.at_most:
        return "entitlement_used"
    return None
