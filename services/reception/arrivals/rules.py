"""Decisions about arrivals: what may be done in which state, and what a journey's news does to who
is expected.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta

from contracts.codes import ArrivalState, ReturnKind
from contracts.programmes import Entitlement, HandoverReason, HandoverRule
from services.reception.states import ARRIVAL, ArrivalAction


def transitions(
    state: ArrivalState, *, met: bool, held: bool = False, before_end: bool = False
) -> Mapping[ArrivalAction, ArrivalState]:
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
    reopened = ArrivalState.MET if met and state is not ArrivalState.MET else ArrivalState.EXPECTED
    allowed = {
        action: reopened if action is ArrivalAction.REOPEN else min(ARRIVAL.check(state, action))
        for action in ARRIVAL.allowed(state)
    }
    allowed.pop(ArrivalAction.CONFIRM if met else ArrivalAction.CORRECT, None)
    late = before_end and met and state in ArrivalState.ENDED_AT_THE_DESK
    for step in STEPS:
        if late:
            allowed[step] = state
        elif state in ArrivalState.ENDED_AT_THE_DESK:
            allowed.pop(step, None)
    if held:
        allowed = {action: target for action, target in allowed.items() if action in ENDS_HOLD}
    return allowed


STEPS = (
    ArrivalAction.PROFILE,
    ArrivalAction.ASSIST,
    ArrivalAction.ARRANGE_TRANSPORT,
    ArrivalAction.HANDOVER,
)
"""What is done at the desk in any order. A tablet's news of it may come after that of the end."""
ENDS_HOLD = frozenset(
    {
        ArrivalAction.CHECK_IN,
        ArrivalAction.COMPLETE,
        ArrivalAction.DECLINE,
        ArrivalAction.REOPEN,
        ArrivalAction.CONFIRM,
    }
)
"""What is done with somebody whom the authorities have let go."""

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
