"""Every day and time of every body says what it tells: a fact, which has come, or a plan."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AwareDatetime, TypeAdapter, ValidationError

import contracts
from chassis.datetimes import EASTERNMOST, TENSE, Past
from services.cases.fields import PastDate

API = json.loads((Path(contracts.__file__).parent / "openapi.json").read_text(encoding="utf-8"))
PLANS = frozenset(
    {
        "available_from",
        "departs_at",
        "departs_on",
        "due_on",
        "ends_at",
        "ends_on",
        "expected_at",
        "expires",
        "from",
        "scheduled_at",
        "starts_at",
        "starts_on",
        "until",
    }
)
"""What is meant to come, or may have: whoever knows more than the body checks it."""
CLAIMED = frozenset({"occurred_at", "sent_at"})
"""By the clock of a device, which may be wrong: taken down as claimed, and flagged by the
service.
"""
ASKED = frozenset(
    {
        ("POST /v1/programmes/{programme_id}/eligibility", "/counselled_on"),
        # When a journey is to arrive, which is told before.
        ("POST /v1/referrals", "/travel/arrives_at"),
        ("POST /v1/referrals/retroactive", "/travel/arrives_at"),
        ("PUT /v1/referrals/{referral_id}", "/travel/arrives_at"),
        ("POST /v1/referrals/{referral_id}/travel", "/legs/*/arrives_at"),
        ("PUT /v1/referrals/{referral_id}/travel/{journey_id}", "/legs/*/arrives_at"),
    }
)


def times_of_bodies() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every field of a body that is a day or a time: operation, where it is, its schema."""
    for path, operations in API["paths"].items():
        for method, operation in operations.items():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                found = _times(content.get("schema", {}), "", frozenset())
                yield from ((f"{method.upper()} {path}", *field) for field in found)


def _times(
    schema: dict[str, Any], at: str, within: frozenset[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    if reference := schema.get("$ref"):
        if reference in within:
            return
        within |= {reference}
        schema = API["components"]["schemas"][reference.rpartition("/")[2]]
    if schema.get("format") in {"date", "date-time"}:
        yield at, schema
    for kind in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(kind, ()):
            yield from _times(each, at, within)
    for name, each in schema.get("properties", {}).items():
        yield from _times(each, f"{at}/{name}", within)
    if "items" in schema:
        yield from _times(schema["items"], f"{at}/*", within)
    if isinstance(others := schema.get("additionalProperties"), dict):
        yield from _times(others, f"{at}/*", within)


def test_every_day_and_time_says_what_it_tells() -> None:
    fields = list(times_of_bodies())
    silent = {
        (operation, at)
        for operation, at, schema in fields
        if TENSE not in schema
        and at.rpartition("/")[2] not in PLANS | CLAIMED
        and (operation, at) not in ASKED
    }
    assert silent == set(), "a fact is of a type with `Past`; a plan is named here"
    facts = [each for each in fields if TENSE in each[2]]
    print(f"{len(fields)} days and times in bodies, {len(facts)} of them facts")
    assert len(facts) >= 40


def test_what_is_named_here_is_there() -> None:
    known = {(operation, at) for operation, at, _ in times_of_bodies()}
    assert known >= ASKED
    assert {at.rpartition("/")[2] for _, at in known} >= PLANS | CLAIMED


def test_a_fact_has_come() -> None:
    day, time = TypeAdapter(PastDate), TypeAdapter(Annotated[AwareDatetime, Past()])
    at = datetime.now(UTC)
    earliest = (at + EASTERNMOST).date()
    assert day.validate_python(earliest.isoformat()) == earliest
    assert time.validate_python(at)
    for kind, value in (
        (day, (earliest + timedelta(days=1)).isoformat()),
        (time, (at + timedelta(hours=1)).isoformat()),
    ):
        with pytest.raises(ValidationError) as refused:
            kind.validate_python(value)
        assert refused.value.errors()[0]["type"] == "in_future"
