"""Write what the platform publishes about itself into `contracts/`, or check that it is what the
code says.

    python -m cli.contracts            write openapi.json, asyncapi.json, labels.json and schemas/
    python -m cli.contracts --check    fail when they differ, or when a published event would break

It is here, and not in `contracts`, because the OpenAPI document is made from the services.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

import contracts
from chassis.app import create_app
from chassis.settings import Settings
from cli.roles import ROLES
from contracts.asyncapi import EVENTS, asyncapi_document, event_schema
from contracts.compatibility import breaking_changes
from contracts.openapi import merge
from gateway.timeline.sentences import LANGUAGES, language
from services.cases.code_lists.lists import SPOKEN

FOLDER = Path(contracts.__file__).parent
SCHEMAS = "schemas"


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document of all roles together; connects to nothing."""
    settings = Settings(
        database_url=SecretStr("postgresql://nobody@localhost/none"),
        encryption_keys=(SecretStr("dev-contracts"),),
        matching_key=SecretStr("dev-contracts"),
    )
    services = {name: role.service() for name, role in ROLES.items()}
    return merge(
        {name: create_app(service, settings).openapi() for name, service in services.items()}
    )


def labels() -> dict[str, dict[str, dict[str, str]]]:
    """The timeline's words for the codes that are listed to everybody, by list, code and
    language.
    """
    return {
        name: {
            code.value: words
            for code in kinds
            if (
                words := {
                    tag: said[code]
                    for tag in LANGUAGES
                    if code in (said := language(tag).words_of(kinds))
                }
            )
        }
        for name, kinds in sorted(SPOKEN.items())
    }


def documents() -> dict[str, dict[str, Any]]:
    """Every document by its path within `contracts/`."""
    schemas = {f"{SCHEMAS}/{model.event_type}.json": event_schema(model) for model in EVENTS}
    made = {
        "openapi.json": openapi_document(),
        "asyncapi.json": asyncapi_document(),
        "labels.json": labels(),
    }
    return made | schemas


def breaks(folder: Path, current: dict[str, dict[str, Any]]) -> list[str]:
    """What would break readers of the event types whose schemas are in a folder."""
    return [
        f"{file.stem}: {change}"
        for file in sorted((folder / SCHEMAS).glob("*.json"))
        for change in breaking_changes(
            json.loads(file.read_text("utf-8")), current.get(f"{SCHEMAS}/{file.name}")
        )
    ]


def drift(folder: Path, current: dict[str, dict[str, Any]]) -> list[str]:
    """Documents in a folder that are not what the code makes."""
    return [
        f"{path}: " + ("is not what the code makes" if (folder / path).exists() else "is missing")
        for path, document in current.items()
        if not (folder / path).exists() or (folder / path).read_text("utf-8") != rendered(document)
    ]


def rendered(document: dict[str, Any]) -> str:
    """A document as it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path, current: dict[str, dict[str, Any]]) -> None:
    """Write every document."""
    (folder / SCHEMAS).mkdir(exist_ok=True)
    for path, document in current.items():
        (folder / path).write_text(rendered(document), "utf-8")


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    """Write or check; see the module.

    Returns:
        0, or 1 when something has drifted or would break. Nothing is written over a break.
    """
    parser = argparse.ArgumentParser(
        prog="python -m cli.contracts", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail on drift or a breaking change"
    )
    check: bool = parser.parse_args(arguments).check
    current = documents()
    broken = breaks(folder, current)
    for line in broken:
        print(f"breaks a published event: {line}", file=sys.stderr)
    if broken:
        print(
            "publish the new meaning as a new version beside it: class ...V2(..., version=2)",
            file=sys.stderr,
        )
        return 1
    if not check:
        write(folder, current)
        return 0
    drifted = drift(folder, current)
    for line in drifted:
        print(f"contracts/{line}; run `make contracts`", file=sys.stderr)
    return int(bool(drifted))


if __name__ == "__main__":
    sys.exit(main())
