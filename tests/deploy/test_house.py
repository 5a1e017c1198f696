"""What `benchmarks.house` counts, on a tree that is small enough to count by hand."""

import subprocess
from pathlib import Path

import pytest

from benchmarks import house

WIDE = "WORDS = " + repr("x" * 100)
RULES = f'''"""Rules."""
# A decision is argued here.
{WIDE}


def choose(n):
    """One branch more than ten."""
    {"".join(f"if n == {k}: return {k}{chr(10)}    " for k in range(10))}
    return n


class Table:
    def row(self):  # noqa: D102
        def cell():
            return 1
        return cell
'''
FILES = {
    "services/__init__.py": "",
    "services/shop/__init__.py": "",
    "services/shop/rules.py": RULES,
    "services/shop/till/__init__.py": "from services.shop.stock import shelves\n",
    "services/shop/stock/__init__.py": "",
    "services/shop/stock/shelves.py": "def late():\n    from services.shop import till\n",
    "services/shop/sign.py": "from services.shop import rules\n",
    "services/shop/migrations/__init__.py": WIDE + "\n" + WIDE + "\n",
    "tests/test_shop.py": "x = 1\n\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_it_counts_what_it_says(tree: Path) -> None:
    figures = house.measure(tree)
    assert figures.functions == 4  # choose, row, cell, late
    assert figures.complex_percent == 25
    assert figures.name_length == 4.2  # of 17 characters
    rows = sum(
        bool(line.strip())
        for name, text in FILES.items()
        if name.startswith("services") and "migrations" not in name
        for line in text.splitlines()
    )
    assert figures.wide_percent == round(100 * 1 / rows, 2)
    assert figures.comments_per_100 == round(100 * 2 / rows, 2)
    assert figures.arguing_per_100 == round(100 * 1 / rows, 2)
    assert figures.knots == {"services.shop": [["stock", "till"]]}
    assert figures.lines["tests"] == 2
    assert set(figures.lines) == {"services", "services/shop", "tests"}


def test_knots_are_who_leads_to_one_another_and_nobody_else() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}
    assert house.circles(edges) == [["a", "b", "c"], ["d", "e"]]
    assert house.circles({"a": {"b"}, "b": set()}) == []


def test_what_is_generated_is_not_written_by_hand() -> None:
    written = house.by_hand(
        [
            "contracts/openapi.json",
            "contracts/schemas/a.v1.json",
            "contracts/codes.py",
            "services/cases/people/rules.py",
            "README.md",
        ]
    )
    assert written == {"contracts": 1, "services/cases": 1, "top": 1}


def test_the_generated_files_are_those_that_are_generated() -> None:
    for path in (*house.GENERATED, *house.GENERATED_FOLDERS):
        assert (house.ROOT / path).exists(), f"{path} is gone"
    contracts = house.ROOT / "contracts"
    documents = [path.relative_to(house.ROOT).as_posix() for path in contracts.rglob("*.json")]
    assert not house.by_hand(documents), "a new document: is it generated?"


def test_a_code_is_found_as_a_word_in_any_case(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "services/shop/codes.py").write_text('TILL_OPEN = "till_open"\n')
    (tree / "services/shop/sign.py").write_text('STATE = "till_opened"\n')
    (tree / "README.md").write_text("A till is `till_open`.\n")
    subprocess.run(["git", "init", "--quiet"], cwd=tree, check=True)
    monkeypatch.setattr(house, "ROOT", tree)
    assert house.files_with("till_open", None) == {"services/shop": 1, "top": 1}
    assert house.files_with("till_shut", None) == {}
