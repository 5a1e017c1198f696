"""Schemathesis over every operation: whatever is sent, the answer is a documented one, and never a
failure of ours.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import reduce
from itertools import count, cycle, islice, product
from operator import getitem
from typing import Any
from uuid import uuid4

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode
from schemathesis.generation.case import Case
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from chassis.errors import CATALOGUE
from cli.roles import ROLES
from contracts.scopes import Scope
from tests.guards.operations import BODIES, Operation, applications, door, operations
from tests.guards.world import NOT_INTERNAL, World


@schemathesis.serializer("application/jsonl")
def _json_lines(_: Any, value: Any) -> bytes:
    """One line of a batch, whatever it holds."""
    return json.dumps(value).encode()


EXAMPLES = 6
"""Of valid and of invalid requests, for an operation."""
ODD_FOR_EACH = 1
"""Odd values for each part of a body, beside what cannot be stored."""
MOST_PLACES = 60
"""Parts of a body that are replaced, spread over all of it."""
WAIT_SECONDS = 40
CALLERS = ("partner", "referrer", "programme office", "internal")
CONFIG = {
    "generation": {
        "with-security-parameters": False,
        "database": "none",
        "deterministic": True,
        "allow-extra-parameters": True,
    }
}
ODD = [
    None,
    True,
    -1,
    2**63,
    10**400,
    1.5,
    "",
    "a\0b",
    "\ud800",
    "9" * 400,
    "9999-12-31T23:59:59-12:00",
    [],
    [None],
    {"\0": 1},
]
"""What somebody may send where something else belongs."""
UNSTORABLE = ("a\0b", "\ud800")
"""What PostgreSQL has no text for; sent in the place of every text."""
ODD_TEXTS = [
    "\0",
    "x" * 400,
    "9" * 400,
    "2024-03-05T10:00:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
]
"""The same in a URL."""


def is_ours_to_answer(_: Any, response: Response, case: Case) -> None:
    """No failure of ours; what is refused is a documented problem."""
    document = (
        response.json() if "json" in (response.headers.get("content-type") or [""])[0] else {}
    )
    waits = response.status_code == 503 and "retry-after" in response.headers
    assert response.status_code < 500 or waits, f"{response.status_code} {document}"
    if isinstance(document, dict) and "/problems/" in str(document.get("type")):
        kind = CATALOGUE.get(document["type"].removeprefix("/problems/"))
        assert kind is not None, f"the problem {document['type']} is in no catalogue"
        assert kind.status == response.status_code


CHECKS: list[Callable[..., Any]] = [
    is_ours_to_answer,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every part of a JSON value."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [at, *(place for key, part in inner for place in places(part, (*at, key)))]


def part(value: Any, place: tuple[Any, ...]) -> Any:
    """What is at one place of a JSON value."""
    return reduce(getitem, place, value)


def replaced(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """A JSON value with another part at one place."""
    if not place:
        return new
    copy = value.copy()
    copy[place[0]] = replaced(value[place[0]], place[1:], new)
    return copy


class Fuzz:
    """Sends what schemathesis makes up for one operation, and collects what is wrong with the
    answers.

    Args:
        world: Whom it is about.
        operation: The operation.
        described: The same as schemathesis sees it.
    """

    def __init__(
        self, world: World, operation: Operation, described: Any, session: requests.Session
    ) -> None:
        self.world = world
        self.operation = operation
        self.described = described
        self.session = session
        self.base = door(world.platform, operation)
        self.findings: dict[str, str] = {}
        self.number = count()
        self.tokens = [
            world.bearer(kind, list(Scope) if kind.name == "internal" else NOT_INTERNAL)
            for kind in world.kinds
            if kind.name in CALLERS
        ]
        self.ids = {name: world.id_for(name, operation) for name in operation.names}
        self.known = {p["name"]: self.ids[p["name"]] for p in operation.parameters("path")}

    def run(self) -> None:
        """Valid requests for things that exist, the same with one part replaced by something odd,
        invalid ones.
        """
        self._many(self._made_up(GenerationMode.POSITIVE), own_key=True)
        for place in ("query", "path"):
            for parameter, odd in product(self.operation.parameters(place), ODD_TEXTS):
                self._send(self._with_parameter(place, parameter["name"], odd), own_key=True)
        for body in self._spoiled():
            self._send(self._with_body(body), own_key=True)
        with suppress(Unsatisfiable):  # an operation that takes nothing has no invalid request
            self._many(self._made_up(GenerationMode.NEGATIVE), own_key=False)

    def _made_up(self, mode: GenerationMode) -> Any:
        about_known = self.described.as_strategy(
            generation_mode=mode, path_parameters=self.known or None
        )
        return (
            about_known
            if mode is GenerationMode.POSITIVE
            else st.one_of(about_known, self.described.as_strategy(generation_mode=mode))
        )

    def _spoiled(self) -> Iterator[Any]:
        """The smallest and the fullest body, with something odd in the place of every part."""
        if self.operation.body() is None:
            return
        form = "form" in (self.operation.body() or ("", {}))[0]
        odd = cycle(
            value for value in ODD if not form or (isinstance(value, str) and value.isascii())
        )
        for full in {False, self.operation.label not in BODIES}:
            body = self.operation.content_to_send(self.ids, "dtv", full=full)
            every = places(body)[int(form) :]
            for place in every[:: len(every) // MOST_PLACES + 1]:
                always = UNSTORABLE if isinstance(part(body, place), str) and not form else ()
                for value in (*always, *islice(odd, ODD_FOR_EACH)):
                    yield replaced(body, place, value)

    def _with_parameter(self, place: str, name: str, value: str) -> Case:
        media_type = (self.operation.body() or (None,))[0]
        body = (
            {"body": self.operation.content_to_send(self.ids, "dtv"), "media_type": media_type}
            if media_type
            else {}
        )
        path = self.known | ({name: value} if place == "path" else {})
        query = {name: value} if place == "query" else {}
        case: Case = self.described.Case(path_parameters=path, query=query, **body)
        return case

    def _with_body(self, body: Any) -> Case:
        media_type, _ = self.operation.body() or ("", {})
        if isinstance(body, str) and media_type != "application/json":
            body = body.encode(errors="surrogatepass")  # such a text is sent as it is, not as JSON
        case: Case = self.described.Case(
            path_parameters=dict(self.known), body=body, media_type=media_type
        )
        return case

    def _many(self, cases: Any, *, own_key: bool) -> None:
        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases)
        def each(case: Case) -> None:
            self._send(case, own_key=own_key)

        each()

    def _send(self, case: Case, *, own_key: bool) -> None:
        headers = (
            dict(self.tokens[next(self.number) % len(self.tokens)]) if self.operation.scope else {}
        )
        if own_key and self.operation.needs["idempotency_key"]:
            headers["Idempotency-Key"] = str(uuid4())
        if own_key and self.operation.needs["if_match"]:
            headers["If-Match"] = self._seen()
        try:
            response = case.call(
                base_url=self.base, session=self.session, headers=headers, timeout=WAIT_SECONDS
            )
            case.validate_response(response, checks=CHECKS, headers=headers)
        except FailureGroup as failures:
            for failure in failures.exceptions:
                self.findings.setdefault(
                    f"{failure.title}: {str(failure.message)[:200]}", str(failures)[:3000]
                )
        except AssertionError as wrong:
            self.findings.setdefault(str(wrong)[:200], str(wrong))

    def _seen(self) -> str:
        """The ETag of what the operation changes."""
        path = self.operation.url(self.ids)
        read = path if self.operation.method != "POST" else path.rpartition("/")[0]
        return str(
            self.session.get(self.base + read, headers=self.tokens[0]).headers.get("etag", '"0"')
        )


@pytest.mark.parametrize("role", list(ROLES))
def test_whatever_is_sent(world: World, role: str) -> None:
    app = applications()[role]
    schema = schemathesis.openapi.from_dict(
        app.openapi(), config=SchemathesisConfig.from_dict(CONFIG)
    )
    tried = [
        operation for operation in operations() if operation.role == role and not operation.streams
    ]
    found: list[str] = []
    sent = 0
    began = time.monotonic()
    with requests.Session() as session:
        session.trust_env = False  # no proxy is looked for, once a request
        for operation in tried:
            fuzz = Fuzz(world, operation, schema[operation.path][operation.method], session)
            fuzz.run()
            sent += next(fuzz.number)
            found += [
                f"{operation.label}\n  {what}\n{detail}" for what, detail in fuzz.findings.items()
            ]
    took = time.monotonic() - began
    print(f"\nschemathesis: {role}, {len(tried)} operations, {sent} requests in {took:.0f} s")
    assert not found, "\n\n".join(found)
