"""What tests take from npm: fetched once by the ordinary npm client into `.homeward/node`."""

import shutil
import subprocess
from pathlib import Path

import pytest

NODE = Path(__file__).parents[1] / ".homeward" / "node"


def fetched(package: str, missing: str) -> Path:
    """The folder from which a node module can import a package.

    Args:
        package: Name and version, such as `name@1.2.3`.
        missing: What is said to be untested where the package cannot be had; the test is skipped
            with it.
    """
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip(f"{missing}: node and npm are not installed")
    name, version = package.rsplit("@", 1)
    folder = NODE / f"{name.strip('@').replace('/', '-')}-{version}"
    if not (folder / "node_modules" / name / "package.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--no-save"]
        installed = subprocess.run(
            ["npm", "install", *options, "--prefix", folder, package],
            check=False,
            capture_output=True,
            timeout=240,
        )
        if installed.returncode:
            pytest.skip(f"{missing}: npm could not fetch {package}")
    return folder
