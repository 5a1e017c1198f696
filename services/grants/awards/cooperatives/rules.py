"""What may happen to a cooperative. Pure."""

from collections.abc import Collection
from enum import StrEnum
from uuid import UUID

from chassis.errors import FOUR_EYES, Problem
from chassis.machine import Machine
from services.grants.states import CooperativeState


class Action(StrEnum):
    """What is done to a cooperative."""

    SELECT = "select"
    REJECT = "reject"
    FORM = "form"
    SHARES = "shares"
    GRANT = "grant"
    CITE = "cite"
    REPORT = "impact"


MACHINE: Machine[CooperativeState, Action] = Machine(
    "cooperative",
    {
        CooperativeState.PROPOSED: {
            Action.SELECT: frozenset({CooperativeState.PROPOSED, CooperativeState.SELECTED}),
            Action.REJECT: CooperativeState.REJECTED,
            Action.SHARES: CooperativeState.PROPOSED,
            Action.CITE: CooperativeState.PROPOSED,
        },
        CooperativeState.SELECTED: {
            Action.FORM: CooperativeState.FORMED,
            Action.SHARES: CooperativeState.SELECTED,
            Action.GRANT: CooperativeState.SELECTED,
            Action.CITE: CooperativeState.SELECTED,
        },
        CooperativeState.FORMED: {
            Action.SHARES: CooperativeState.FORMED,
            Action.GRANT: CooperativeState.FORMED,
            Action.CITE: CooperativeState.FORMED,
            Action.REPORT: CooperativeState.FORMED,
        },
        CooperativeState.REJECTED: {},
    },
)
"""A yes leads to `selected` when there are as many as the programme asks for."""


def check_committee(actor: UUID, proposer: UUID, said_yes: Collection[UUID]) -> None:
    """Refuse who proposed it, and whoever of the committee has said yes already.

    Raises:
        Problem: 403 `four-eyes`.
    """
    if actor == proposer or actor in said_yes:
        raise Problem(FOUR_EYES)
