import ast
import inspect
import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from chassis.events import REGISTRY, Audience, EventData, payload_of
from contracts.asyncapi import EVENTS, event_schema

ROOT = Path(__file__).parents[2]

FORBIDDEN_WORDS = {
    *(
        "name",
        "names",
        "given",
        "family",
        "father",
        "grandfather",
        "surname",
        "alias",
        "gender",
        "sex",
        "birth",
        "born",
    ),
    *(
        "dob",
        "age",
        "nationality",
        "religion",
        "ethnicity",
        "document",
        "documents",
        "passport",
        "identifier",
        "phone",
    ),
    *(
        "email",
        "contact",
        "contacts",
        "address",
        "street",
        "district",
        "location",
        "latitude",
        "longitude",
        "photo",
    ),
    *(
        "note",
        "notes",
        "comment",
        "comments",
        "text",
        "message",
        "description",
        "remark",
        "remarks",
        "title",
        "label",
    ),
    *(
        "reference",
        "external",
        "vulnerability",
        "vulnerabilities",
        "diagnosis",
        "health",
        "medical",
        "disability",
    ),
    *("pregnant", "medication", "iban", "account", "seat"),
}
"""No member of an event may have one of these words in its name."""

DISCLOSING_CODES = {
    *(
        "medical",
        "mental_health",
        "disability",
        "elderly",
        "pregnant",
        "single_parent",
        "survivor_of_violence",
    ),
    *(
        "unaccompanied_child",
        "victim_of_trafficking",
        "family_tracing",
        "psychosocial",
        "wheelchair",
    ),
    *(
        "held_by_authorities",
        "irregular_stay",
        "asylum_rejected",
        "asylum_withdrawn",
        "return_decision",
    ),
}
"""No code of an event may be one of these."""

CODE_LIKE = {
    r"^[a-z0-9]+(-[a-z0-9]+)*$",
    r"^([A-Z]{3}|[A-Z]{2}[A-Z2-9]{3})$",
    r"^[A-Z0-9]{2}$",
    r"^[A-Z0-9]{2}[0-9]{1,4}[A-Z]?$",
    r"^[A-Z]{3}$",
    r"^[0-9]{4}$",
    r"^[0-9]{1,15}(\.[0-9]{1,3})?$",
}
"""Patterns in which no sentence and no name of a person with a capital, a blank or another script
can be written.
"""

FORMATS = {"uuid", "date", "date-time"}


def members(
    schema: dict[str, Any], root: dict[str, Any], path: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every member of a payload, also of members and of lists, with its schema."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    yield path, schema
    for name, member in schema.get("properties", {}).items():
        yield from members(member, root, f"{path}.{name}")
    if "items" in schema:
        yield from members(schema["items"], root, f"{path}[]")


def every_member() -> Iterator[tuple[type[EventData], str, dict[str, Any]]]:
    for model in EVENTS:
        schema = event_schema(model)
        for path, member in members(schema, schema):
            yield model, path, member


class TestPersonalData:
    def test_no_member_is_called_what_identifies_or_harms_a_person(self) -> None:
        found = {
            (model.event_type, path)
            for model, path, _ in every_member()
            if FORBIDDEN_WORDS & set(re.split(r"[^a-z]+", path))
        }
        assert not found

    def test_no_code_discloses_health_a_childs_situation_or_a_status_of_stay(self) -> None:
        found = {
            (model.event_type, path, code)
            for model, path, member in every_member()
            for code in member.get("enum", ())
            if code in DISCLOSING_CODES
        }
        assert not found

    def test_no_member_can_hold_free_text(self) -> None:
        found = [
            (model.event_type, path)
            for model, path, member in every_member()
            if not ({"object", "array", "integer", "boolean"} & {member.get("type")})
            and not ("enum" in member or "const" in member)
            and member.get("format") not in FORMATS
            and member.get("pattern") not in CODE_LIKE
        ]
        assert not found

    def test_numbers_are_whole_and_amounts_are_strings(self) -> None:
        assert not [path for _, path, member in every_member() if member.get("type") == "number"]

    @pytest.mark.parametrize("word", ["Salim", "سلیم", "a b", "O'Neil", "12/03, twijfelde", "a\nb"])
    def test_code_like_patterns_refuse_what_people_write(self, word: str) -> None:
        assert not [pattern for pattern in CODE_LIKE if re.search(pattern, word)]


@pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.event_type)
class TestEveryEvent:
    def test_says_what_it_means_in_a_sentence(self, model: type[EventData]) -> None:
        text = vars(model).get("__doc__") or ""
        assert text.strip().endswith(".")
        assert event_schema(model)["description"] == inspect.cleandoc(text)

    def test_has_an_audience_and_a_subject_that_is_an_id(self, model: type[EventData]) -> None:
        assert model.audience
        assert set(model.audience) <= set(Audience)
        properties = event_schema(model)["properties"]
        assert all(properties[name]["format"] == "uuid" for name in model.subject_fields)

    def test_is_about_the_returnee_where_one_is_known(self, model: type[EventData]) -> None:
        if "returnee_id" in model.model_fields:
            assert model.subject_fields[0] == "returnee_id"

    def test_is_named_as_a_fact_of_its_service(self, model: type[EventData]) -> None:
        assert re.fullmatch(
            r"org\.homeward\.(cases|reception|grants|training)\.[a-z_]+\.[a-z_]+\.v[0-9]+",
            model.event_type,
        )
        assert model.__module__ == f"contracts.{model.service}"


@cache
def used_in(service: str) -> frozenset[str]:
    """What the code of a service names, beside importing it."""
    trees = [
        ast.parse(file.read_text("utf-8")) for file in (ROOT / "services" / service).rglob("*.py")
    ]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return frozenset(
        {node.id for node in nodes if isinstance(node, ast.Name)}
        | {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    )


@pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.event_type)
def test_somebody_publishes_it(model: type[EventData]) -> None:
    assert model.__name__ in used_in(model.service)


def test_nothing_is_declared_that_is_not_published() -> None:
    declared = {
        name for name, model in REGISTRY.items() if model.__module__.startswith("contracts.")
    }
    assert declared == {model.event_type for model in EVENTS}


def test_schemas_are_what_payloads_are(facts: list[EventData]) -> None:
    for fact in facts:
        schema = event_schema(type(fact))
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        assert not list(validator.iter_errors(payload_of(fact)))
        assert not validator.is_valid({})


def test_a_withdrawal_is_about_the_person_once_there_is_one(facts: list[EventData]) -> None:
    withdrawn = next(fact for fact in facts if fact.event_type.endswith("referral.withdrawn.v1"))
    assert withdrawn.subject == payload_of(withdrawn)["returnee_id"]
    before = type(withdrawn).model_validate(payload_of(withdrawn) | {"returnee_id": None})
    assert before.subject == payload_of(withdrawn)["referral_id"]


OF_WHAT_IS_TO_COME = frozenset({"departs_on", "due_on", "starts_on", "ends_on", "since"})
"""Days that are planned, or from which on something is so: not the day of the fact."""
TOLD_WHEN_IT_HAPPENED = frozenset(
    {
        "reception.arrival.received",
        "reception.arrival.corrected",
        "cases.case.opened",
        "training.attendance.recorded",
        "training.attendance.corrected",
    }
)
"""Facts with a day whose moment is claimed by who tells them, or that are about something else."""


@pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.event_type)
def test_a_fact_of_which_the_day_is_known_stands_on_that_day(model: type[EventData]) -> None:
    days = {
        name
        for name, field in model.model_fields.items()
        if field.annotation in {date, date | None} and name not in OF_WHAT_IS_TO_COME
    }
    short = model.event_type.removeprefix("org.homeward.").rpartition(".")[0]
    if short in TOLD_WHEN_IT_HAPPENED:
        assert days, "it has no day any more: take it out of the list"
        return
    expected = {"ended_on"} if "ended_on" in days else days
    assert {model.happened_on} - {None} == expected
