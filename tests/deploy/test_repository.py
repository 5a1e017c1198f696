"""What people expect of a repository, where it can be held: licence, hooks, hosted workflow, links,
change log, templates.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob(".github/*.md"),
]
LINK = re.compile(r"\]\((?!https?:)(?P<path>[^)#]+)(#[^)]*)?\)")


def read_yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def dry_run(target: str) -> list[str]:
    """The commands of a target, without those that install."""
    told = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "--old-file=.venv/.installed", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.splitlines()


def test_the_license_is_the_one_that_the_package_names() -> None:
    text = (ROOT / "LICENSE").read_text()
    name, version = re.search(r"(Apache) License\s+Version (\d\.\d)", text).groups()  # type: ignore[union-attr]
    assert f"{name}-{version}" == PROJECT["license"]
    assert PROJECT["license-files"] == ["LICENSE"]
    assert "END OF TERMS AND CONDITIONS" in text
    assert "9. Accepting Warranty or Additional Liability" in text


def test_the_hosted_workflow_runs_ci() -> None:
    workflow = read_yaml(".github/workflows/ci.yml")
    assert set(workflow[True]) == {"push", "pull_request"}  # YAML 1.1 reads `on` as true
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    python = re.fullmatch(r"python:(\d+\.\d+)-bookworm", job["container"])
    assert python is not None, "what .ci/run installs comes from Debian"
    assert PROJECT["requires-python"] == f">={python[1]}"
    for step in job["steps"]:
        if "uses" in step:
            assert re.search(r"@[0-9a-f]{40}$", step["uses"]), "a tag can be moved"


def test_the_hooks_are_make_check() -> None:
    hooks = [
        hook for repo in read_yaml(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]
    ]
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in hooks)
    hooked = [line for hook in hooks for line in dry_run(hook["entry"].removeprefix("make "))]
    checked = dry_run("check")
    assert len(checked) >= 7
    assert sorted(hooked) == sorted(checked)
    assert not [hook for hook in hooks if not hook["entry"].startswith("make ")]


def test_pre_commit_accepts_its_configuration() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-config", ".pre-commit-config.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr


def test_editors_break_lines_where_the_formatter_does() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]
    everywhere = (ROOT / ".editorconfig").read_text().split("\n[")[1]
    assert f"max_line_length = {lint['line-length']}\n" in everywhere


def test_the_changelog_is_of_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", text, re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    assert all(date for _, date in headings[1:]), "a release has its day"
    released = [version for version, _ in headings[1:]]
    assert PROJECT["version"] in released or f"what {PROJECT['version']} will be" in text
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    dead = [
        match["path"]
        for match in LINK.finditer(page.read_text())
        if not (page.parent / match["path"]).exists()
    ]
    assert not dead


def test_readers_are_led_to_what_people_expect() -> None:
    for page in ("README.md", "CONTRIBUTING.md"):
        linked = {match["path"] for match in LINK.finditer((ROOT / page).read_text())}
        assert {"LICENSE", "SECURITY.md", "CHANGELOG.md", "docs/versions.md"} <= linked, page


@pytest.mark.parametrize("name", ["fault", "change"])
def test_issue_forms_ask_and_keep_people_out(name: str) -> None:
    form = read_yaml(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert form["name"]
    assert form["description"]
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert len({part["id"] for part in fields}) == len(fields)
    assert any(part.get("validations", {}).get("required") for part in fields)


def test_whoever_reports_a_fault_is_told_what_not_to_write() -> None:
    form = (ROOT / ".github" / "ISSUE_TEMPLATE" / "fault.yml").read_text()
    assert "No data about a real person" in form
    assert "SECURITY.md" in form
