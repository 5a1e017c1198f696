"""State machines: the table of a resource's states, and the only writer of its `state` column.

A test over the syntax tree refuses any other assignment of a state. What a command needs beside the
move (facts to publish, rows of others) stays with the command; what every move needs is here: the
precondition, the refusal that says what is allowed, the values that come with the new state, the
version and the audit row.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

from chassis import audit
from chassis.auth import Caller
from chassis.concurrency import Precondition
from chassis.db import Session
from chassis.errors import Problem, state_conflict

State = TypeVar("State", bound=StrEnum)
Action = TypeVar("Action", bound=StrEnum)


class Stateful(Protocol[State]):
    """A row that has a state.

    Attributes:
        id: Its key.
        state: Where it stands; only a machine writes it.
        version: Counts its changes.
    """

    id: Any
    state: State
    version: int

    def changed(self) -> None:
        """Count a change."""


class Machine(Generic[State, Action]):
    """What may happen to a resource in each state, and where it leads.

    Args:
        resource: As the audit trail names it.
        table: For each state the actions that it allows, and the state each leads to. Where an
            action leads to one of several, by what is known of the row, it has them all, and `to`
            says which. An action that leads back to its own state is allowed there and moves
            nothing.
        leaving: For a state, the columns that are set when it is left: what holds in it only.
        internal: What only the platform itself does: a refusal does not name it as allowed.

    Raises:
        ValueError: A state is missing in the table.
    """

    def __init__(
        self,
        resource: str,
        table: Mapping[State, Mapping[Action, State | frozenset[State]]],
        *,
        leaving: Mapping[State, Mapping[str, Any]] | None = None,
        internal: Collection[Action] = (),
    ) -> None:
        missing = set(type(next(iter(table)))) - set(table)
        if missing:
            raise ValueError(f"{resource}: the table does not have {sorted(missing)}")
        self.resource = resource
        self.table: Mapping[State, Mapping[Action, frozenset[State]]] = MappingProxyType(
            {
                state: MappingProxyType(
                    {
                        action: target if isinstance(target, frozenset) else frozenset({target})
                        for action, target in actions.items()
                    }
                )
                for state, actions in table.items()
            }
        )
        self._leaving = dict(leaving or {})
        self._internal = frozenset(internal)

    @property
    def final(self) -> frozenset[State]:
        """The states that nothing leads out of."""
        return frozenset(
            state
            for state, actions in self.table.items()
            if not any(targets - {state} for targets in actions.values())
        )

    def allowed(self, state: State) -> list[Action]:
        """What may be asked for in a state, in order."""
        return sorted(self.table[state].keys() - self._internal)

    def sources(self, action: Action) -> frozenset[State]:
        """The states that allow an action."""
        return frozenset(state for state, actions in self.table.items() if action in actions)

    def check(self, state: State, action: Action) -> frozenset[State]:
        """Say where an action may lead from a state.

        Raises:
            Problem: 409 `state-conflict`, with what the state allows.
        """
        targets = self.table[state].get(action)
        if targets is None:
            raise self.conflict(state, action)
        return targets

    def target(self, state: State, action: Action) -> State:
        """The one state that an action leads to.

        Raises:
            Problem: 409 `state-conflict`, with what the state allows.
        """
        (target,) = self.check(state, action)
        return target

    def require(
        self, row: Stateful[State], action: Action, precondition: Precondition | None = None
    ) -> None:
        """Refuse an action as `move` would, before anything else is checked or done for it.

        Raises:
            Problem: 428, 412, 409 `state-conflict`.
        """
        if precondition is not None:
            precondition.check(row.version)
        self.check(row.state, action)

    def conflict(self, state: State, action: Action) -> Problem:
        """The 409 that says that an action is not possible in a state, and what is."""
        return state_conflict(state, self.allowed(state), action)

    def apply(
        self, row: Stateful[State], action: Action, *, to: State | None = None, **values: Any
    ) -> State:
        """Move a locked row: its state, what leaving the old one undoes, its values, its version.

        Args:
            row: The row.
            action: What is done.
            to: Which of several states it leads to.
            **values: Other columns that change with it; they win over what leaving undoes.

        Returns:
            The state before.

        Raises:
            Problem: 409 `state-conflict`.
        """
        before = row.state
        targets = self.check(before, action)
        if to is None:
            (to,) = targets
        elif to not in targets:
            raise self.conflict(before, action)
        row.state = to
        row.changed()
        undone = self._leaving.get(before, {}) if to != before else {}
        for name, value in {**undone, **values}.items():
            setattr(row, name, value)
        return before

    async def move(
        self,
        session: Session,
        caller: Caller,
        row: Stateful[State],
        action: Action,
        *,
        precondition: Precondition | None = None,
        to: State | None = None,
        details: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> State:
        """Move a locked row in somebody's name: as `apply`, with its audit row; flushed, so that
        the caller publishes what is written.

        Args:
            session: The session.
            caller: Who does it.
            row: The locked row.
            action: What is done; the audit trail's action.
            precondition: What the caller says it has seen; None where it need not say.
            to: Which of several states it leads to.
            details: For the audit trail: codes and ids.
            **values: Other columns that change with it.

        Returns:
            The state before.

        Raises:
            Problem: 428, 412, 409 `state-conflict`.
        """
        if precondition is not None:
            precondition.check(row.version)
        before = self.apply(row, action, to=to, **values)
        audit.record(session, caller, action, self.resource, row.id, details)
        await session.flush()
        return before

    def bulk(self, action: Action, states: Collection[str] | None = None) -> dict[str, Any]:
        """The columns that a statement over many rows sets: the state, and what leaving undoes.

        Args:
            action: What is done; it leads to one state from all of them.
            states: Those that the statement is about; all that allow it where nothing is said.

        Raises:
            ValueError: The action leads to several states.
        """
        chosen = self.sources(action)
        if states is not None:
            chosen = frozenset(state for state in self.table if state in states)
        targets = {target for state in chosen for target in self.table[state][action]}
        if len(targets) != 1:
            raise ValueError(f"{self.resource}: {action} leads to {sorted(targets)}")
        (target,) = targets
        undone: dict[str, Any] = {}
        for state in sorted(chosen - targets):
            undone |= self._leaving.get(state, {})
        return {**undone, "state": target}
