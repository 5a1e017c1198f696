"""Nothing but `chassis/machine.py` writes a state: held over the syntax tree of every service."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("services/cases", "services/reception", "services/grants", "services/training", "gateway")
SETS_STATE = re.compile(r"\bset\s+(\w+\.)?state\b", re.IGNORECASE)


def targets_of(node: ast.AST) -> Iterator[ast.expr]:
    """What an assignment assigns, also within a tuple."""
    found = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    for target in found:
        if isinstance(target, ast.Tuple | ast.List):
            yield from target.elts
        elif target is not None:
            yield target


def writes_of_state(tree: ast.AST) -> Iterator[int]:
    """Lines that write a `state`: an assignment, a statement's values, `setattr`, or SQL."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and any(
            isinstance(target, ast.Attribute) and target.attr == "state"
            for target in targets_of(node)
        ):
            yield node.lineno
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            said = {keyword.arg for keyword in node.keywords}
            named = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            if (name == "values" and "state" in said) or (name == "setattr" and "state" in named):
                yield node.lineno
        elif isinstance(node, ast.Constant) and SETS_STATE.search(str(node.value)):
            yield node.lineno


@pytest.mark.parametrize(
    "written",
    [
        "row.state = 'x'",
        "row.name, row.state = 1, 2",
        "previous, row.state = row.state, other",
        "update(Row).values(state=State.DONE)",
        "setattr(row, 'state', 1)",
        "text('UPDATE row SET state = 1')",
    ],
)
def test_each_way_to_write_a_state_is_found(written: str) -> None:
    assert list(writes_of_state(ast.parse(written))) == [1]


@pytest.mark.parametrize(
    "read", ["row.state == 'x'", "Row(state=MACHINE.first)", "app.state.x = 1"]
)
def test_what_only_reads_a_state_or_makes_a_row_is_not(read: str) -> None:
    assert list(writes_of_state(ast.parse(read))) == []


@pytest.mark.parametrize("room", ROOMS)
def test_only_the_machine_writes_a_state(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / room).rglob("*.py"))
        if "migrations" not in path.parts
        for line in writes_of_state(ast.parse(path.read_text()))
    ]
    assert found == [], "give the change a name in the machine's table, and let it move the row"
