"""What may happen to a payee's account. Pure."""

from enum import StrEnum

from chassis.machine import Machine
from services.grants.states import PayeeState


class Action(StrEnum):
    """What is done to a payee."""

    CHANGE = "change"
    VERIFY = "verify"
    REFUSE = "refuse"
    SCRUB = "scrub"


MACHINE: Machine[PayeeState, Action] = Machine(
    "payee",
    {
        PayeeState.UNVERIFIED: {
            Action.CHANGE: PayeeState.UNVERIFIED,
            Action.VERIFY: PayeeState.VERIFIED,
            Action.REFUSE: PayeeState.UNVERIFIED,
            Action.SCRUB: PayeeState.SCRUBBED,
        },
        PayeeState.VERIFIED: {
            Action.CHANGE: PayeeState.CHANGING,
            Action.SCRUB: PayeeState.SCRUBBED,
        },
        PayeeState.CHANGING: {
            Action.CHANGE: PayeeState.CHANGING,
            Action.VERIFY: PayeeState.VERIFIED,
            Action.REFUSE: PayeeState.VERIFIED,
            Action.SCRUB: PayeeState.SCRUBBED,
        },
        PayeeState.SCRUBBED: {},
    },
    internal={Action.SCRUB},
)
"""While a change waits, nothing is paid to the old account; refused, the old one counts again."""
