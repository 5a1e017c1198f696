"""Every operation as the applications describe it themselves, and a request for each, made from its
own schema.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from fastapi import FastAPI
from hypothesis import find, settings
from hypothesis import strategies as st

from chassis.app import create_app
from cli.demo import PAPER
from cli.roles import ROLES
from contracts.openapi import OF_A_PROCESS
from contracts.scopes import Scope
from tests.platform import Platform, example
from tests.tokens import settings as app_settings

METHODS = ("get", "post", "put", "patch", "delete")
STREAM = "text/event-stream"
BINARY = "application/octet-stream"
LINES = "application/jsonl"
RAW = {BINARY, LINES}
FAMILY, ANOTHER = "DTV-2014-00005", "BAMF-2022-00009"
"""The return that is asked for, and one of other organisations."""
Ids = Mapping[str, str]
COURSE = {
    "code": "NONE",
    "title": "None",
    "kind": "orientation",
    "phase": "pre_departure",
    "hours": 1,
    "days": 1,
    "country": "IRQ",
    "online": True,
    "capacity": 1,
    "provider": "nobody",
    "languages": ["ar"],
    "isced_f": "1012",
}
MAPPING = {
    "name": "None",
    "columns": {"booked_on": ["Date"], "amount": ["Amount"]},
    "account": "NONE",
    "currency": "EUR",
}
PERIOD = {"from": "2012-01-01", "until": "2035-12-31"}
BODIES: dict[str, Callable[[Ids, str], Any]] = {
    "POST /v1/budgets": lambda *_: {
        "programme": example(FAMILY)["programme"],
        "organisation": "iom-iraq",
        "amount": {"amount": "1.00", "currency": "EUR"},
        "starts_on": PERIOD["from"],
        "ends_on": PERIOD["until"],
        "sources": [{"donor": "amif", "share": "1", **PERIOD}],
    },
    "POST /v1/courses": lambda *_: COURSE,
    "PUT /v1/courses/{course_id}": lambda *_: COURSE,
    "POST /v1/referrals": lambda ids, sender: example(sender=sender, supersedes=ids["supersedes"]),
    "PUT /v1/referrals/{referral_id}": lambda _, sender: example(sender=sender),
    "POST /v1/cases/{case_id}/plan/agree": lambda *_: {"agreed_on": "2024-03-05", "language": "ar"},
    "POST /v1/statement-mappings": lambda *_: MAPPING,
    "PUT /v1/statement-mappings/{mapping_id}": lambda *_: MAPPING,
    "PUT /v1/enrolments/{enrolment_id}/profile": lambda *_: {"country": "IRQ"},
    "PATCH /v1/flights/{flight_id}": lambda *_: {"carrier": "TK"},
    "POST /v1/arrivals/{arrival_id}/bind": lambda ids, _: {"returnee_id": ids["returnee_id"]},
    "POST /v1/arrivals/{arrival_id}/handover": lambda *_: {
        "reason": "unaccompanied_child",
        "receiver": "relative",
        "name": "Nobody",
        "relationship": "aunt",
        "signature": "c2lnbmF0dXJlc2lnbmF0dXJl",
    },
    "POST /v1/arrivals/sync": lambda ids, _: {
        "device": ids["device"],
        "sent_at": "2024-03-05T10:00:00Z",
        "mutations": [
            {
                "id": "01a201ca-0000-7000-8000-000000000001",
                "kind": "check-in",
                "arrival_id": ids["arrival_id"],
                "occurred_at": "2024-03-05T10:00:00Z",
            }
        ],
    },
    "POST /v1/cases/{case_id}/sessions": lambda ids, _: {
        "phase": "post_arrival",
        "method": "office",
        "topics": ["plan"],
        "language": "ar",
        "attended": [ids["attended"]],
        "occurred_at": "2024-03-05T10:00:00Z",
    },
    "POST /v1/cases/{case_id}/visits/{visit_id}/record": lambda *_: {
        "occurred_at": "2024-03-05T10:00:00Z",
        "method": "visit",
        "outcome": "not_there",
    },
    "PUT /v1/cooperatives/{cooperative_id}/shares": lambda ids, _: {
        "members": [
            {"returnee_id": ids["returnee_id"], "share": "0.5"},
            {"returnee_id": "01a201ca-0000-7000-8000-000000000002", "share": "0.5"},
        ]
    },
    "POST /v1/cohorts": lambda ids, _: {
        "course_id": ids["course_id"],
        "sessions": [{"starts_at": "2024-03-05T10:00:00Z", "ends_at": "2024-03-05T12:00:00Z"}],
    },
    "POST /v1/cooperatives": lambda ids, _: {
        "name": "None",
        "kind": "business",
        "members": [
            {"returnee_id": ids["returnee_id"], "case_id": ids["case_id"], "share": "0.5"},
            {"returnee_id": ids["relative"], "case_id": ids["case_id"], "share": "0.5"},
        ],
    },
    "POST /v1/flights": lambda *_: {
        "charter": True,
        "origin": "BRU",
        "port_of_entry": "EBL",
        "scheduled_at": "2024-03-05T10:00:00Z",
    },
    "POST /v1/payees": lambda ids, _: {
        "kind": "returnee",
        "returnee_id": ids["returnee_id"],
        "details": {"name": "Nobody", "account": "IQ98NBIQ850123456789012"},
    },
    "POST /v1/referrals/retroactive": lambda *_: (
        example() | {"travel": None, "arrived_on": "2024-03-05"}
    ),
    "POST /v1/arrivals": lambda ids, _: {
        "port_of_entry": "EBL",
        "flight_id": ids["flight_id"],
        "household_id": ids["household_id"],
        "particulars": {
            "names": [{"script": "Latn", "given": "Nobody"}],
            "sex": "female",
            "birth": {"date": "1990-01-01", "precision": "year"},
            "nationality": "IRQ",
        },
    },
    "POST /v1/returnees/search": lambda *_: {
        "q": example(FAMILY)["people"][0]["names"][0]["given"],
        "limit": 50,
    },
    "POST /oauth/token": lambda *_: {
        "grant_type": "client_credentials",
        "client_id": "nobody",
        "client_secret": "x",
    },
}
"""Where the smallest body that fits the schema is not valid: what makes one from the world's ids
and the sender.
"""

BESIDE = {"POST /v1/cooperatives": {"relative"}}
"""What such a body names beside what its members are called by."""
ABOUT = {"POST /v1/documents": {"referral_id"}}
"""Of what a query may name, the one thing that it names."""
CODES = {
    "country": "IRQ",
    "nationality": "IRQ",
    "language": "ar",
    "instrument": "satisfaction",
    "occupation": "5141",
    "port_of_entry": "EBL",
}
"""What a member holds by its name where any text would fit its schema."""


@cache
def applications() -> dict[str, FastAPI]:
    """The application of every role; connected to nothing."""
    nowhere = app_settings("postgresql://nobody@127.0.0.1/none")
    return {name: create_app(role.service(), nowhere) for name, role in ROLES.items()}


@dataclass(frozen=True, eq=False)
class Operation:
    """One method of one path.

    Attributes:
        role: Who answers it.
        method: Upper case.
        path: As in the document, with its parameters in braces.
        content: The operation object of the document.
        document: The whole document, for references.
    """

    role: str
    method: str
    path: str
    content: dict[str, Any] = field(repr=False)
    document: dict[str, Any] = field(repr=False)

    @property
    def label(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def needs(self) -> dict[str, Any]:
        """Its `x-homeward`: scope, person, if_match, idempotency_key; how much it takes, if not as
        much as any.
        """
        needs: dict[str, Any] = self.content["x-homeward"]
        return needs

    @property
    def scope(self) -> str | None:
        """The scope that it needs; None for a public one."""
        scope: str | None = self.needs["scope"]
        return scope

    @property
    def changes(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET" and not (
            self.method == "POST" and self.scope and not self.needs["idempotency_key"]
        )

    @property
    def lists(self) -> bool:
        """Whether it answers with a list that names nothing in its path."""
        ok = (
            self.content["responses"]
            .get("200", {})
            .get("content", {})
            .get("application/json", {})
            .get("schema", {})
        )
        return "{" not in self.path and "items" in self.resolved(ok).get("properties", {})

    @property
    def streams(self) -> bool:
        """Whether its answer goes on."""
        return STREAM in self.content["responses"].get("200", {}).get("content", {})

    def parameters(self, place: str) -> list[dict[str, Any]]:
        """Its parameters in the `path`, the `query` or a `header`."""
        return [
            p for p in map(self.resolved, self.content.get("parameters", [])) if p["in"] == place
        ]

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """What a reference refers to."""
        while "$ref" in schema:
            found: Any = self.document
            for step in schema["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            schema = found | {key: value for key, value in schema.items() if key != "$ref"}
        return schema

    def body(self) -> tuple[str, dict[str, Any]] | None:
        """Media type and schema of its body; None if it takes none."""
        for media_type, content in self.content.get("requestBody", {}).get("content", {}).items():
            return media_type, content["schema"]
        return None

    @cached_property
    def names(self) -> set[str]:
        """Every parameter and every member of its body that names something by an id, and must be
        in the world.
        """
        named = {p["name"] for p in self.parameters("path")}
        # `id` is chosen by the client for what is new.
        asked = {
            p["name"]
            for p in self.parameters("query")
            if self._is_id(p["schema"]) and p["name"] != "id"
        }
        named |= ABOUT.get(self.label, asked) | BESIDE.get(self.label, set())
        body = self.body()
        return named | (self._ids_within(body[1], set()) if body else set())

    def url(self, ids: Ids) -> str:
        """Its path with real ids, and what its query needs."""
        query = {}
        for parameter in self.parameters("query"):
            name, schema = parameter["name"], self.resolved(parameter["schema"])
            if self._is_id(schema):
                query |= {name: ids[name]} if name in self.names else {}
            elif parameter.get("required"):
                query[name] = str(Maker(self, ids).make(schema, name))
            elif name == "limit":
                query[name] = str(schema["maximum"])
        path = self.path.format_map(
            {p["name"]: quote(ids[p["name"]], safe="") for p in self.parameters("path")}
        )
        return path + (
            "?" + "&".join(f"{name}={quote(value)}" for name, value in query.items())
            if query
            else ""
        )

    def content_to_send(self, ids: Ids, sender: str, *, full: bool = False) -> Any:
        """The smallest valid body, or one with everything that it may have; None if it takes
        none.
        """
        body = self.body()
        if body is None:
            return None
        if body[0] == BINARY:
            return PAPER
        if body[0] == LINES:
            return json.dumps(example(sender=sender)).encode()
        made = BODIES.get(self.label)
        return made(ids, sender) if made else Maker(self, ids, full).make(body[1], "")

    def _is_id(self, schema: dict[str, Any]) -> bool:
        schema = self.resolved(schema)
        return schema.get("format") == "uuid" or any(map(self._is_id, schema.get("anyOf", [])))

    def _ids_within(self, schema: dict[str, Any], seen: set[str], name: str = "") -> set[str]:
        reference = schema.get("$ref")
        if reference in seen:
            return set()
        seen = seen | {reference} if reference else seen
        schema = self.resolved(schema)
        # `id` is chosen by the client for what is new.
        found = {name} if schema.get("format") == "uuid" and name != "id" else set()
        for key, inner in schema.get("properties", {}).items():
            found |= self._ids_within(inner, seen, key)
        for inner in [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]:
            found |= self._ids_within(inner, seen, name)
        return found | (
            self._ids_within(schema["items"], seen, name) if "items" in schema else set()
        )


@dataclass(frozen=True)
class Maker:
    """Makes the smallest value that fits a schema, with real ids where it names something."""

    operation: Operation
    ids: Ids
    full: bool = False

    def make(self, schema: dict[str, Any], name: str) -> Any:
        """A value for a member of that name."""
        schema = self.operation.resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "default" in schema and not self.full:
            return schema["default"]
        if "enum" in schema:
            return schema["enum"][0]
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self.make(next(s for s in schema[key] if s.get("type") != "null"), name)
        make = {"object": self._object, "array": self._array, "string": self._string}.get(
            schema.get("type", "")
        )
        if make is not None:
            return make(schema, name)
        if schema.get("type") in {"integer", "number"}:
            return max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
        return False if schema.get("type") == "boolean" else None

    def _object(self, schema: dict[str, Any], _: str) -> Any:
        members = schema.get("properties", {})
        wanted = set(members) if self.full else set(schema.get("required", []))
        return {name: self.make(inner, name) for name, inner in members.items() if name in wanted}

    def _array(self, schema: dict[str, Any], name: str) -> Any:
        return [
            self.make(schema["items"], name)
            for _ in range(max(schema.get("minItems", 0), int(self.full)))
        ]

    def _string(self, schema: dict[str, Any], name: str) -> str:
        made = {
            "uuid": self.ids.get(name) or str(uuid4()),
            "date": "2024-03-05",
            "date-time": "2024-03-05T10:00:00Z",
        }.get(schema.get("format", ""))
        if made is not None:
            return made
        if name in CODES:
            return CODES[name]
        if "pattern" in schema:
            return fitting(schema["pattern"], schema.get("minLength", 1))
        return "x" * max(schema.get("minLength", 0), 3)


@cache
def fitting(pattern: str, least: int) -> str:
    """A simple text that a pattern allows."""
    return find(
        st.from_regex(pattern, fullmatch=True),
        lambda text: len(text) >= least,
        settings=settings(database=None, derandomize=True),
    )


@cache
def operations() -> list[Operation]:
    """Every operation of every role."""
    return [
        Operation(role, method.upper(), path, content, document)
        for role, document in ((role, app.openapi()) for role, app in applications().items())
        for path, methods in document["paths"].items()
        for method, content in methods.items()
        if method in METHODS
    ]


def behind_the_door(operation: Operation) -> bool:
    """Whether only our own services ask for it, at the service itself."""
    return operation.role != "gateway" and operation.scope == Scope.INTERNAL


def door(platform: Platform, operation: Operation) -> str:
    """Where partners find it: at the gateway, unless it is a process's own."""
    own = operation.role != "gateway" and operation.path.startswith(OF_A_PROCESS)
    return platform.urls[operation.role] if own or behind_the_door(operation) else platform.gateway
