"""What may happen to cash at a desk. Pure."""

from enum import StrEnum

from chassis.machine import Machine
from services.grants.states import FloatState


class Action(StrEnum):
    """What is done to a cash float."""

    RETURN = "return"
    RECONCILE = "reconcile"


MACHINE: Machine[FloatState, Action] = Machine(
    "cash_float",
    {
        FloatState.OPEN: {Action.RETURN: FloatState.RETURNED},
        FloatState.RETURNED: {Action.RECONCILE: FloatState.RECONCILED},
        FloatState.RECONCILED: {},
    },
)
