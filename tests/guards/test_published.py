"""Every fact that the catalogue promises is told by its owner: an event that no code publishes
would be waited for in vain by those who read the contract.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

from chassis.events import EventData
from contracts.asyncapi import EVENTS

ROOT = Path(__file__).resolve().parents[2]
SHARED = ("participation", "chassis")
"""What publishes in the name of whichever service it runs in."""


@cache
def used_in(room: str) -> frozenset[str]:
    """The names that the modules of a package use; to import one is not to use it."""
    return frozenset(
        node.id if isinstance(node, ast.Name) else node.attr
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Name | ast.Attribute)
    )


@pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.event_type)
def test_its_owner_publishes_it(model: type[EventData]) -> None:
    rooms = (f"services/{model.service}", *SHARED)
    assert any(model.__name__ in used_in(room) for room in rooms)
