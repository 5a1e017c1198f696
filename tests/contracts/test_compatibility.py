"""Each kind of change to a published event, made to a copy of a real schema."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import contracts as command
from contracts.asyncapi import event_schema
from contracts.cases import CaseOpened, PlanApproved, ReturneeUpdated
from contracts.compatibility import breaking_changes
from contracts.reception import AssistanceProvided

Schema = dict[str, Any]
PUBLISHED: dict[str, Schema] = {
    model.__name__: event_schema(model)
    for model in (CaseOpened, PlanApproved, ReturneeUpdated, AssistanceProvided)
}


def edit(change: Callable[[Schema], Any]) -> Callable[[Schema], Schema]:
    def apply(schema: Schema) -> Schema:
        edited = copy.deepcopy(schema)
        change(edited)
        return edited

    return apply


def put(place: str, value: Any) -> Callable[[Schema], Schema]:
    """Set one place of a schema, `...` to remove it."""

    def change(schema: Schema) -> None:
        *path, last = place.split("/")
        target: Any = schema
        for part in path:
            target = target[part]
        if value is ...:
            del target[last]
        else:
            target[last] = value

    return edit(change)


def require(name: str, sort: Schema) -> Callable[[Schema], Schema]:
    def change(schema: Schema) -> None:
        schema["properties"][name] = sort
        schema["required"].append(name)

    return edit(change)


BREAKS = {
    "a member is gone": (
        "CaseOpened",
        put("properties/implementer", ...),
        "payload.implementer: is gone",
    ),
    "an optional member is gone": (
        "CaseOpened",
        put("properties/referrer", ...),
        "payload.referrer: is gone",
    ),
    "a new required member": (
        "CaseOpened",
        require("severity", {"type": "integer"}),
        "payload.severity: is required",
    ),
    "an optional one is required": (
        "CaseOpened",
        edit(lambda schema: schema["required"].append("referrer")),
        "payload.referrer: is required",
    ),
    "a required one is optional": (
        "CaseOpened",
        edit(lambda schema: schema["required"].remove("state")),
        "payload.state: is no longer always there",
    ),
    "another type": (
        "PlanApproved",
        put("properties/plan_version/type", "string"),
        "payload.plan_version: type has changed",
    ),
    "another format": (
        "PlanApproved",
        put("properties/plan_id/format", ...),
        "payload.plan_id: format has changed",
    ),
    "a narrower pattern": (
        "CaseOpened",
        put("properties/implementer/pattern", "^[a-z]+$"),
        "payload.implementer: pattern has changed",
    ),
    "a narrower range": (
        "PlanApproved",
        put("properties/plan_version/minimum", 2),
        "payload.plan_version: minimum",
    ),
    "a code is gone": (
        "CaseOpened",
        put("$defs/CaseState/enum", ["arrived"]),
        "payload.state: codes are gone",
    ),
    "codes become free": (
        "CaseOpened",
        put("$defs/CaseState/enum", ...),
        "payload.state: enum has changed",
    ),
    "a code in a list is gone": (
        "ReturneeUpdated",
        put("$defs/ReturneeField/enum", ["names"]),
        "payload.changed[]: codes are gone",
    ),
    "a list is one value": (
        "ReturneeUpdated",
        put("properties/changed", {"type": "string"}),
        "payload.changed: items have changed",
    ),
    "a member of a member is gone": (
        "AssistanceProvided",
        put("$defs/Money/properties/currency", ...),
        "payload.amount.currency: is gone",
    ),
    "another subject": ("CaseOpened", put("x-subject", ["case_id"]), "the subject has changed"),
    "a wider audience": (
        "ReturneeUpdated",
        put("x-audience", ["referrer", "partner", "programme"]),
        "it would be shown to more: referrer",
    ),
}

ALLOWED = {
    "a new optional member": ("CaseOpened", put("properties/severity", {"type": "integer"})),
    "a new code": (
        "CaseOpened",
        edit(lambda schema: schema["$defs"]["CaseState"]["enum"].append("archived")),
    ),
    "better words": ("CaseOpened", put("description", "Otherwise said.")),
    "a narrower audience": ("CaseOpened", put("x-audience", ["programme"])),
    "a definition under another name": (
        "CaseOpened",
        edit(
            lambda schema: (
                schema["$defs"].update(State=schema["$defs"].pop("CaseState")),
                schema["properties"].update(state={"$ref": "#/$defs/State"}),
            )
        ),
    ),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_breaks(kind: str) -> None:
    name, change, expected = BREAKS[kind]
    found = breaking_changes(PUBLISHED[name], change(PUBLISHED[name]))
    assert any(line.startswith(expected) for line in found), found


def test_a_type_that_is_gone_breaks() -> None:
    assert breaking_changes(PUBLISHED["CaseOpened"], None) == ["the type is gone"]


@pytest.mark.parametrize("kind", ALLOWED)
def test_allowed(kind: str) -> None:
    name, change = ALLOWED[kind]
    assert not breaking_changes(PUBLISHED[name], change(PUBLISHED[name]))


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the code makes, the OpenAPI document left empty: it is not what these
    tests are about.
    """
    monkeypatch.setattr(command, "openapi_document", dict)
    command.write(tmp_path, command.documents())
    return tmp_path


def change_file(folder: Path, change: Callable[[Schema], Schema]) -> Path:
    """As if a type had been published otherwise than it now is."""
    file = folder / "schemas" / f"{CaseOpened.event_type}.json"
    file.write_text(command.rendered(change(json.loads(file.read_text("utf-8")))), "utf-8")
    return file


class TestCommand:
    def test_passes_on_what_it_wrote(self, published: Path) -> None:
        assert command.main(["--check"], published) == 0

    def test_fails_on_drift_and_writing_mends_it(
        self, published: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        change_file(published, put("description", "Otherwise said."))
        assert command.main(["--check"], published) == 1
        assert "is not what the code makes" in capsys.readouterr().err
        assert command.main([], published) == 0
        assert command.main(["--check"], published) == 0

    def test_fails_on_a_missing_document(
        self, published: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (published / "asyncapi.json").unlink()
        assert command.main(["--check"], published) == 1
        assert "asyncapi.json: is missing" in capsys.readouterr().err

    def test_never_writes_over_a_break(
        self, published: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = change_file(published, put("properties/severity", {"type": "integer"}))
        before = file.read_text("utf-8")
        assert command.main([], published) == 1
        assert command.main(["--check"], published) == 1
        assert "payload.severity: is gone" in capsys.readouterr().err
        assert file.read_text("utf-8") == before

    def test_a_type_cannot_go(self, published: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = published / "schemas" / "org.homeward.cases.case.mislaid.v1.json"
        file.write_text(json.dumps(PUBLISHED["CaseOpened"]), "utf-8")
        assert command.main([], published) == 1
        assert file.exists()
        assert "case.mislaid.v1: the type is gone" in capsys.readouterr().err
