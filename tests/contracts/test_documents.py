"""The committed documents are what the code makes, and valid to those who define the formats."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from cli import contracts as command
from contracts.asyncapi import EVENTS, asyncapi_document
from contracts.openapi import merge
from contracts.scopes import Scope
from tests.node import fetched

ROOT = Path(__file__).parents[2]
PARSER = "@asyncapi/parser@3.6.3"
PARSE = """
import {Parser} from '@asyncapi/parser';
import {readFileSync} from 'node:fs';
const {document, diagnostics} = await new Parser().parse(readFileSync(process.argv[1], 'utf8'));
console.log(JSON.stringify({
  valid: Boolean(document),
  messages: document ? document.allMessages().all().length : 0,
  diagnostics: diagnostics.map(({code, message, path}) => `${code} ${path.join('/')}: ${message}`),
}));
"""


@pytest.fixture(scope="session")
def openapi() -> dict[str, Any]:
    committed: dict[str, Any] = json.loads((command.FOLDER / "openapi.json").read_text("utf-8"))
    return committed


def test_they_are_what_the_code_makes_and_nothing_published_breaks() -> None:
    # In a process of its own: other tests declare routes' problems that are no part of the
    # platform.
    check = subprocess.run(
        [sys.executable, "-m", "cli.contracts", "--check"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


@pytest.fixture(scope="session")
def parser() -> Path:
    """The folder of the official AsyncAPI parser, fetched once by the ordinary npm client."""
    return fetched(PARSER, "NOT VALIDATED by the official AsyncAPI parser")


def parse(parser: Path, document: dict[str, Any], folder: Path) -> Any:
    file = folder / "asyncapi.json"
    file.write_text(json.dumps(document), "utf-8")
    run = subprocess.run(
        ["node", "--input-type=module", "-e", PARSE, file],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=parser,
    )
    return json.loads(run.stdout)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from references(item)


class TestAsyncApi:
    def test_the_official_parser_accepts_it(self, parser: Path, tmp_path: Path) -> None:
        outcome = parse(parser, asyncapi_document(), tmp_path)
        assert outcome == {
            "valid": True,
            "messages": len(EVENTS) + len({m.service for m in EVENTS}),
            "diagnostics": [],
        }

    def test_the_official_parser_would_say_what_is_wrong(
        self, parser: Path, tmp_path: Path
    ) -> None:
        broken = asyncapi_document()
        broken["operations"]["publish-cases"]["action"] = "shout"
        assert not parse(parser, broken, tmp_path)["valid"]

    def test_every_reference_leads_somewhere(self) -> None:
        document = asyncapi_document()
        for reference in set(references(document)):
            target: Any = document
            for part in reference.removeprefix("#/").split("/"):
                target = target[part]

    def test_every_message_has_audience_subject_and_summary(self) -> None:
        messages = asyncapi_document()["components"]["messages"]
        for model in EVENTS:
            message = messages[model.event_type]
            assert message["x-audience"]
            assert message["x-subject"]
            assert message["summary"].endswith(".")


class TestOpenApi:
    def test_it_is_valid(self, openapi: dict[str, Any]) -> None:
        assert [error.message for error in OpenAPIV31SpecValidator(openapi).iter_errors()] == []

    def test_every_reference_leads_somewhere(self, openapi: dict[str, Any]) -> None:
        for reference in set(references(openapi)):
            assert reference.rpartition("/")[2] in openapi["components"]["schemas"]

    def test_operations_have_ids_of_their_own(self, openapi: dict[str, Any]) -> None:
        ids = [op["operationId"] for path in openapi["paths"].values() for op in path.values()]
        assert len(ids) == len(set(ids))

    def test_every_scope_that_is_asked_for_is_described(self, openapi: dict[str, Any]) -> None:
        operations = [op for path in openapi["paths"].values() for op in path.values()]
        asked = {
            scope
            for op in operations
            for need in op["security"]
            for scopes in need.values()
            for scope in scopes
        }
        assert asked <= set(Scope)
        assert all(scope.description.endswith(".") for scope in Scope)


def document(paths: dict[str, Any], **schemas: Any) -> dict[str, Any]:
    return {"paths": paths, "components": {"schemas": schemas}}


def answering(schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"get": {"responses": {"200": {"description": "", "content": content}}}}


def schema_of(path: dict[str, Any]) -> str:
    reference: str = path["get"]["responses"]["200"]["content"]["application/json"]["schema"][
        "$ref"
    ]
    return reference.rpartition("/")[2]


class TestMerge:
    def test_alike_components_are_one(self) -> None:
        merged = merge(
            {
                "cases": document({"/v1/cases": answering("Error")}, Error={"type": "object"}),
                "gateway": document({"/v1/clients": answering("Error")}, Error={"type": "object"}),
            }
        )
        assert set(merged["components"]["schemas"]) == {"Error"}

    def test_different_components_of_one_name_are_told_apart(self) -> None:
        merged = merge(
            {
                "cases": document(
                    {"/v1/cases": answering("Item")}, Item={"type": "object", "title": "a"}
                ),
                "reception": document(
                    {"/v1/arrivals": answering("Item")}, Item={"type": "object", "title": "b"}
                ),
            }
        )
        assert schema_of(merged["paths"]["/v1/cases"]) == "CasesItem"
        assert schema_of(merged["paths"]["/v1/arrivals"]) == "ReceptionItem"
        assert merged["components"]["schemas"]["ReceptionItem"]["title"] == "b"

    def test_components_that_differ_only_in_what_they_refer_to_are_told_apart(self) -> None:
        def page(of: str) -> dict[str, Any]:
            item = {"$ref": "#/components/schemas/Item"}
            return document(
                {f"/v1/{of}": answering("Page")},
                Page={"type": "object", "properties": {"item": item}},
                Item={"type": "string", "const": of},
            )

        merged = merge({"cases": page("cases"), "reception": page("arrivals")})
        found = merged["components"]["schemas"][schema_of(merged["paths"]["/v1/arrivals"])]
        target = found["properties"]["item"]["$ref"].rpartition("/")[2]
        assert merged["components"]["schemas"][target]["const"] == "arrivals"

    def test_a_path_has_one_owner(self) -> None:
        one = document({"/v1/cases": answering("Item")}, Item={"type": "object"})
        with pytest.raises(ValueError, match=re.escape("/v1/cases is answered by reception")):
            merge({"cases": one, "reception": one})

    def test_what_every_process_has_is_the_gateways_own(self) -> None:
        health = document({"/health/live": answering("Health")}, Health={"type": "object"})
        merged = merge({"cases": health, "gateway": health})
        assert merged["paths"]["/health/live"]["get"]["x-service"] == "gateway"
