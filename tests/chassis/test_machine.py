from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID, uuid4

import pytest

from chassis.errors import Problem
from chassis.machine import Machine


class Door(StrEnum):
    OPEN = "open"
    SHUT = "shut"
    LOCKED = "locked"


class Act(StrEnum):
    SHUT = "shut"
    OPEN = "open"
    LOCK = "lock"
    KNOCK = "knock"
    UNLOCK = "unlock"


DOOR = Machine(
    "door",
    {
        Door.OPEN: {Act.SHUT: Door.SHUT, Act.LOCK: Door.LOCKED},
        Door.SHUT: {Act.OPEN: Door.OPEN, Act.LOCK: Door.LOCKED, Act.KNOCK: Door.SHUT},
        Door.LOCKED: {Act.UNLOCK: frozenset({Door.OPEN, Door.SHUT})},
    },
    leaving={Door.OPEN: {"wedge": None}},
)


@dataclass
class Row:
    state: Door
    id: UUID = field(default_factory=uuid4)
    version: int = 1
    wedge: str | None = "stone"
    by: str | None = None

    def changed(self) -> None:
        self.version += 1


def test_a_move_sets_the_state_its_values_and_the_version_and_undoes_what_held():
    row = Row(Door.OPEN)
    assert DOOR.apply(row, Act.SHUT, by="me") is Door.OPEN
    assert (row.state, row.version, row.wedge, row.by) == (Door.SHUT, 2, None, "me")


def test_an_action_that_moves_nothing_undoes_nothing():
    row = Row(Door.SHUT)
    DOOR.apply(row, Act.KNOCK)
    assert (row.state, row.wedge) == (Door.SHUT, "stone")


def test_what_a_state_does_not_allow_is_refused_with_what_it_does():
    row = Row(Door.LOCKED)
    with pytest.raises(Problem) as refused:
        DOOR.apply(row, Act.OPEN)
    assert (refused.value.kind.status, refused.value.extensions["allowed"]) == (409, ["unlock"])
    assert (row.state, row.version) == (Door.LOCKED, 1)


def test_of_several_targets_the_caller_says_which():
    row = Row(Door.LOCKED)
    with pytest.raises(ValueError, match="too many"):
        DOOR.apply(row, Act.UNLOCK)
    with pytest.raises(Problem):
        DOOR.apply(row, Act.UNLOCK, to=Door.LOCKED)
    DOOR.apply(row, Act.UNLOCK, to=Door.SHUT)
    assert row.state is Door.SHUT


def test_a_statement_over_many_rows_takes_its_values_from_the_machine():
    assert DOOR.bulk(Act.LOCK) == {"state": Door.LOCKED, "wedge": None}
    assert DOOR.bulk(Act.LOCK, [Door.SHUT]) == {"state": Door.LOCKED}
    assert DOOR.sources(Act.LOCK) == {Door.OPEN, Door.SHUT}
    with pytest.raises(ValueError, match="leads to"):
        DOOR.bulk(Act.UNLOCK)


def test_every_state_is_in_the_table():
    with pytest.raises(ValueError, match="locked"):
        Machine("door", {Door.OPEN: {Act.SHUT: Door.SHUT}, Door.SHUT: {}})


def test_a_final_state_leads_nowhere():
    ends = Machine(
        "door",
        {Door.OPEN: {Act.LOCK: Door.LOCKED}, Door.SHUT: {Act.KNOCK: Door.SHUT}, Door.LOCKED: {}},
    )
    assert ends.final == {Door.SHUT, Door.LOCKED}
