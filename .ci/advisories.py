"""Hold the pinned dependencies against known vulnerabilities, and say plainly which could not be
held against any.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SOURCES = ("pypi", "osv")


def ask(source: str) -> list[dict[str, Any]] | None:
    """What pip-audit says about each package, from one source; None if the source does not
    answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable,
            "-m",
            "pip_audit",
            "--vulnerability-service",
            source,
            "--requirement",
            "requirements.lock",
        ]
        command += [
            "--no-deps",
            "--disable-pip",
            "--progress-spinner",
            "off",
            "--format",
            "json",
            "--output",
            str(report),
        ]
        subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own arguments
        if not report.exists() or not report.read_text():
            return None
        packages: list[dict[str, Any]] = json.loads(report.read_text())["dependencies"]
        return packages


def main() -> int:
    """Ask each source about what the one before could not answer. Exit status 1: something is
    vulnerable.
    """
    checked: dict[str, dict[str, Any]] = {}
    skipped: set[str] = set()
    for source in SOURCES:
        packages = ask(source)
        if packages is None:
            print(f"advisories: {source} does not answer")
            continue
        for package in packages:
            if "skip_reason" not in package:
                known = checked.setdefault(package["name"], package | {"vulns": []})["vulns"]
                known += [
                    flaw
                    for flaw in package["vulns"]
                    if flaw["id"] not in {each["id"] for each in known}
                ]
        skipped |= {package["name"] for package in packages if "skip_reason" in package}
        skipped -= set(checked)
        if not skipped:
            break
    vulnerable = [package for package in checked.values() if package["vulns"]]
    for package in vulnerable:
        found = ", ".join(
            f"{flaw['id']} (fixed in {' or '.join(flaw['fix_versions']) or 'none'})"
            for flaw in package["vulns"]
        )
        print(f"advisories: {package['name']} {package['version']}: {found}")
    if skipped:
        print(
            f"advisories: NOT CHECKED, because no source knows them here: "
            f"{', '.join(sorted(skipped))}"
        )
    if not checked:
        print(
            "advisories: NOTHING WAS CHECKED. This is no statement that the dependencies are safe."
        )
    print(
        f"advisories: {len(checked)} packages checked, {len(skipped)} not checked, "
        f"{len(vulnerable)} vulnerable"
    )
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
