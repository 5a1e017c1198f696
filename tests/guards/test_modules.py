"""No test module imports from another: what several need has a module that says what it is.

Whoever changes a test changes nothing for another one, and a helper is found where one would look.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
MODULES = sorted(TESTS.rglob("*.py"))


def imported(tree: ast.AST) -> set[str]:
    """The modules that a module imports from."""
    found = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    plain = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    return found | set(plain)


def of_tests(modules: set[str]) -> set[str]:
    """Those of some modules that are tests."""
    return {module for module in modules if module.rpartition(".")[2].startswith("test_")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TESTS)))
def test_no_module_imports_from_a_test(path: Path) -> None:
    assert of_tests(imported(ast.parse(path.read_text("utf-8")))) == set()


def test_an_import_from_a_test_is_noticed() -> None:
    code = "from tests.cases.test_plans import line\nimport tests.grants.test_verify\n"
    assert of_tests(imported(ast.parse(code))) == {
        "tests.cases.test_plans",
        "tests.grants.test_verify",
    }
