"""What the advisory sources say is put together, and nothing that one of them knows is lost."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_what_one_source_knows_is_not_lost_when_another_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("advisories", ROOT / ".ci" / "advisories.py")
    assert spec is not None
    assert spec.loader is not None
    advisories = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(advisories)

    def package(name: str, *flaws: str) -> dict[str, Any]:
        return {
            "name": name,
            "version": "1",
            "vulns": [{"id": flaw, "fix_versions": []} for flaw in flaws],
        }

    said = {
        "pypi": [package("one", "A-1"), {"name": "two", "skip_reason": "not known"}],
        "osv": [package("one"), package("two", "B-2")],
    }
    monkeypatch.setattr(advisories, "ask", said.get)
    assert advisories.main() == 1
    told = capsys.readouterr().out
    assert "A-1" in told
    assert "B-2" in told
    assert "2 packages checked, 0 not checked, 2 vulnerable" in told
