"""A unique marker in every personal field; then everything that is not meant to know a person is
searched for it.
"""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import asyncpg
import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer
from anyascii import anyascii

import chassis.app  # loads every chassis table
from chassis.db import metadata as chassis_metadata
from cli.demo import Return, eventually
from cli.roles import ROLES
from services.cases.people.names.letters import plain
from tests.guards.operations import Maker, Operation, operations
from tests.guards.world import NOT_INTERNAL, build
from tests.platform import SERVICES, Platform, example, walk_of

assert chassis.app

ROOT = Path(__file__).resolve().parents[2]
LATIN = [
    "Zqavrin",
    "Qhoxbert",
    "Wuzqilam",
    "Vexqadir",
    "Jyqtorab",
    "Xuqmaliq",
    "Pfaqzeen",
    "Ghiqzoor",
]
ARABIC = ["ظقغثاذ", "ضغظثوق", "ذخغظيث", "ثظغضاق"]
FIELDS = {
    "given": LATIN[0],
    "father": LATIN[1],
    "grandfather": LATIN[2],
    "family": LATIN[3],
    "given_arab": ARABIC[0],
    "father_arab": ARABIC[1],
    "grandfather_arab": ARABIC[2],
    "family_arab": ARABIC[3],
    "document": "QZX7319046",
    "national_id": "198731904655",
    "phone": "+9647800007319",
    "birth": "1987-02-19",
    "district": LATIN[4],
    "address": "Qxstreet 7319",
    "notes": "remember the qzxnote 7319",
    "external_reference": "BAMF-CANARY-QX7319",
    "corrected_name": LATIN[5],
    "plan_description": "a workshop near qzxplace 7319",
    "accept_comment": "spoken with qzxuncle 7319",
    "close_comment": "moved to qzxcousin 7319",
    "search": LATIN[6],
    "error": LATIN[7],
    "walk_in": "Tuqzomir",
    "walk_in_father": "Kyqzandor",
    "walk_in_document": "QZW5550173",
    "handed_to": "Ruqzeldin",
    "handover_relation": "a brother qzxrelation 7319",
    "signature": base64.b64encode(b"signed by qzxsignature 7319").decode(),
    "payee": "Noqzimar Trading",
    "account": "IQ77QZXA000000007319",
    "bank": "Bank of Qzxbank 7319",
    "message": "please call qzxmessage 7319",
    "session": "spoken about qzxsession 7319",
    "attempt": "nobody at qzxattempt 7319",
    "clinic": "clinic qzxclinic 7319",
    "purpose": "an examination qzxpurpose 7319",
    "hold": "asked for qzxhold 7319",
    "passenger": "VUQZANTO",
    "passenger_family": "DIQZARBEK",
    "upload": "qzxupload-7319",
}

CODES = {
    r"^[A-Z]{3}$",
    r"^[A-Z0-9]{2}$",
    r"^[A-Z]{2}-[A-Z0-9]{1,3}$",
    r"^([A-Z]{3}|[A-Z]{2}[A-Z2-9]{3})$",
    r"^[A-Z0-9]{2}[0-9]{1,4}[A-Z]?$",
    r"^[A-Z0-9-]{1,6}$",
    r"^[A-Z0-9-]{4,35}$",
    r"^[A-Za-z0-9-]{1,12}$",
    r"^[A-Za-z0-9._-]+$",
    r"^[A-Za-z0-9._-]{1,64}$",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$",
    r"^[A-Za-z0-9_+/-]{1,40}$",
    r"^[a-z]{2,3}$",
    r"^[a-z0-9]+(-[a-z0-9]+)*$",
    r"^[a-z0-9]+([._-][a-z0-9]+)*$",
    r"^[a-z0-9][a-z0-9-]{0,39}$",
    r"^[a-z_]{1,40}$",
    r"^[0-9]{1,4}$",
    r"^(day|month|year|estimated)$",
    r"^(Latn|Arab)$",
}
"""Patterns that leave room for a code, a slug or an opaque id, and for no word about a person."""
CHECKED = {
    *("amount", "counted", "share", "shares", "hours", "low_at", "rate.value", "value"),
    *("country_of_return", "host_country", "issuer", "nationality", "language", "languages"),
    *(
        "isced_f",
        "isco_08",
        "occupation",
        "occupations",
        "grant_type",
        "scope",
        "client_id",
        "client_secret",
    ),
}
"""Numbers and codes that the service checks in a way that the document does not say."""
ABOUT_NOBODY = {
    "CohortChange.city",
    "CohortChange.venue",
    "CohortIn.city",
    "CohortIn.venue",
    "CooperativeIn.name",
    "CourseIn.city",
    "CourseIn.title",
    "EmployerIn.name",
    "OrganisationIn.name",
    "OrganisationPatch.name",
    "ProviderIn.name",
    "VacancyIn.title",
}
"""Words about courses, work and organisations."""
OWN = {
    "reception.arrival_onward_transport": {"ReceptionDestination.district"},
    "training.enrolment": {"EvaluateIn.comment"},
    "training.cohort": {"CohortIn.lecturers", "CohortChange.lecturers"},
}
"""Words that a service other than cases keeps as its own, by the table in which it does."""


def marker_of(field: str) -> str:
    """A word of its own for a field of a body; of letters, so that it may be a name."""
    number = int.from_bytes(sha256(field.encode()).digest()[:5])
    return "Qxz" + "".join("bcdfghjklmnprstv"[number >> shift & 15] for shift in range(0, 32, 4))


def forms(marker: str) -> Iterator[bytes]:
    """A marker as it might be written somewhere: plain, normalised, escaped, as bytes, in base64 at
    any offset.
    """
    written = {
        marker,
        marker.lower(),
        marker.upper(),
        anyascii(marker),
        anyascii(marker).lower(),
        plain(marker),
    }
    written |= {json.dumps(marker).strip('"')}
    for text in sorted(form for form in written if len(form) >= 5):
        raw = text.encode()
        yield raw
        yield raw.hex().encode()  # as the database shows bytes
        for offset in range(3):
            encoded = base64.b64encode(b"\0" * offset + raw)
            whole = encoded[4 if offset else 0 : len(encoded) - 4]
            if len(whole) >= 6:
                yield whole


def canary() -> dict[str, Any]:
    """A referral with a marker in every personal field."""
    content = example("BAMF-2022-00009")
    person = content["people"][0]
    latin = dict(zip(("given", "father", "grandfather", "family"), LATIN, strict=False))
    arabic = dict(zip(("given", "father", "grandfather", "family"), ARABIC, strict=True))
    person |= {
        "names": [{"script": "Latn"} | latin, {"script": "Arab"} | arabic],
        "birth": {"date": FIELDS["birth"], "precision": "day"},
        "documents": [
            {"kind": "passport", "number": FIELDS["document"], "issuer": "IRQ", "expires": None},
            {
                "kind": "national_id",
                "number": FIELDS["national_id"],
                "issuer": "IRQ",
                "expires": None,
            },
        ],
        "contacts": [
            {"kind": "phone", "value": FIELDS["phone"], "owner": "self", "safe_hours": None}
        ],
    }
    destination = content["destination"] | {
        "district": FIELDS["district"],
        "address": FIELDS["address"],
    }
    return content | {
        "people": [person],
        "destination": destination,
        "notes": FIELDS["notes"],
        "external_reference": FIELDS["external_reference"],
    }


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "contracts" / "openapi.json").read_text())
    return found


def strings(
    whole: dict[str, Any], schema: dict[str, Any], at: str, value: Any = ..., depth: int = 0
) -> Iterator[Any]:
    """Each string of a body that is no id, date or one of some words: its schema, its name and, if
    given, its value.
    """
    while "$ref" in schema:
        at = schema["$ref"].rpartition("/")[2]
        schema = whole["components"]["schemas"][at]
    if depth > 12 or "enum" in schema or "const" in schema:
        return
    for alternative in [
        *schema.get("anyOf", []),
        *schema.get("oneOf", []),
        *schema.get("allOf", []),
    ]:
        yield from strings(whole, alternative, at, value, depth + 1)
    if "items" in schema:
        for item in value if isinstance(value, list) else [...] if value is ... else []:
            yield from strings(whole, schema["items"], at, item, depth + 1)
    for name, inner in schema.get("properties", {}).items():
        if value is ... or (isinstance(value, dict) and name in value):
            owner = at.partition(".")[0]
            yield from strings(
                whole, inner, f"{owner}.{name}", ... if value is ... else value[name], depth + 1
            )
    if schema.get("type") == "string" and schema.get("format") not in {"uuid", "date", "date-time"}:
        yield at, schema, value


def bodies(whole: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and schema of every JSON body."""
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                yield method.upper(), path, content["application/json"]["schema"]


def may_name_somebody(whole: dict[str, Any]) -> set[str]:
    """Every string of a body that may hold a word about a person: `MessageIn.body`."""
    return {
        at
        for method, path, schema in bodies(whole)
        for at, found, _ in strings(whole, schema, f"{method} {path}")
        if found.get("pattern") not in CODES
        and not (found.get("pattern") is None and at.rpartition(".")[2] in CHECKED)
    }


@dataclass
class Sent:
    """What went over the wire.

    Attributes:
        bodies: Method, path and content of every JSON body.
        urls: Every URL, but for those that are wrong on purpose.
        headers: What was answered beside the bodies.
    """

    bodies: list[tuple[str, str, Any]] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)


def filled(
    whole: dict[str, Any], schema: dict[str, Any], at: str, value: Any, fields: set[str]
) -> Any:
    """A body with the marker of each of some fields in its place."""
    while "$ref" in schema:
        at = schema["$ref"].rpartition("/")[2]
        schema = whole["components"]["schemas"][at]
    for alternative in [
        *schema.get("anyOf", []),
        *schema.get("oneOf", []),
        *schema.get("allOf", []),
    ]:
        value = filled(whole, alternative, at, value, fields)
    if isinstance(value, list) and "items" in schema:
        return [filled(whole, schema["items"], at, item, fields) for item in value]
    if isinstance(value, dict):
        owner, known = at.partition(".")[0], schema.get("properties", {})
        return {
            name: filled(whole, known[name], f"{owner}.{name}", inner, fields)
            if name in known
            else inner
            for name, inner in value.items()
        }
    return (
        marker_of(at)
        if isinstance(value, str) and schema.get("type") == "string" and at in fields
        else value
    )


def marked(whole: dict[str, Any], sent: Sent) -> set[str]:
    """The strings in which a marker was sent."""
    found = set()
    for method, path, schema in bodies(whole):
        form = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
        for verb, where, body in sent.bodies:
            if verb == method and form.fullmatch(where):
                words = strings(whole, schema, f"{method} {path}", body)
                found |= {at for at, _, value in words if marker_of(at) == value}
    return found


class Places:
    """Where was searched, and what was found."""

    def __init__(self) -> None:
        self.searched: dict[str, int] = {}
        self.found: list[str] = []
        every = FIELDS | {field: marker_of(field) for field in may_name_somebody(document())}
        self.forms = [(name, form) for name, marker in every.items() for form in forms(marker)]
        self.markers = len(every)

    def search(self, place: str, content: bytes) -> None:
        self.searched[place] = self.searched.get(place, 0) + len(content)
        known = OWN.get(place, set())
        self.found += [
            f"{name} in {place}"
            for name, form in self.forms
            if form in content and name not in known
        ]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sent() -> AsyncIterator[Sent]:
    """What is sent while the journey is made."""
    found = Sent()
    request = httpx.AsyncClient.request

    async def noted(
        self: httpx.AsyncClient, method: str, url: Any, **options: Any
    ) -> httpx.Response:
        if options.get("json") is not None:
            found.bodies.append((method, str(url).partition("?")[0], options["json"]))
        answer = await request(self, method, url, **options)
        if FIELDS["error"] not in unquote(str(answer.request.url)):
            found.urls.append(unquote(str(answer.request.url)))
        found.headers.append(repr(answer.headers))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx.AsyncClient, "request", noted)
        yield found


async def beside(platform: Platform, way: Return) -> None:
    """What else people write down around a case."""
    partner, desk = platform.client("iom-iraq", "guard-1"), platform.client("iom-iraq", "desk-3")
    now, about = (
        datetime.now(UTC).isoformat(),
        {"case_id": way.case_id, "returnee_id": way.returnees[0]},
    )
    particulars = {
        "names": [
            {"script": "Latn", "given": FIELDS["walk_in"], "father": FIELDS["walk_in_father"]}
        ],
        "sex": "female",
        "birth": {"date": "1990-01-01", "precision": "estimated"},
        "nationality": "IRQ",
        "documents": [{"kind": "passport", "number": FIELDS["walk_in_document"], "issuer": "IRQ"}],
    }
    walk_in = {
        "port_of_entry": "EBL",
        "programme": "eurp",
        "return_kind": "forced",
        "particulars": particulars,
    }
    met = await desk.post("/v1/arrivals", walk_in)
    handover = {
        "reason": "medical_escort",
        "receiver": "relative",
        "name": FIELDS["handed_to"],
        "relationship": FIELDS["handover_relation"],
        "signature": FIELDS["signature"],
    }
    await desk.post(f"/v1/arrivals/{met['id']}/handover", handover)
    details = {"name": FIELDS["payee"], "account": FIELDS["account"], "bank": FIELDS["bank"]}
    await partner.post("/v1/payees", {"kind": "supplier", "details": details})
    await partner.post(f"/v1/referrals/{way.referral_id}/messages", {"body": FIELDS["message"]})
    session = {
        "phase": "post_arrival",
        "method": "office",
        "topics": ["plan"],
        "language": "ar",
        "attended": [way.returnees[0]],
        "occurred_at": now,
        "notes": FIELDS["session"],
    }
    await partner.post(f"/v1/cases/{way.case_id}/sessions", session)
    attempt = {
        "returnee_id": way.returnees[0],
        "method": "phone",
        "outcome": "not_there",
        "occurred_at": now,
    }
    await partner.post(
        f"/v1/cases/{way.case_id}/contact-attempts", attempt | {"notes": FIELDS["attempt"]}
    )
    service = {
        "kind": "hospital",
        "provider": FIELDS["clinic"],
        "purpose": FIELDS["purpose"],
        "occurred_at": now,
    }
    await partner.post("/v1/service-referrals", about | service)
    hold = {"reason": "audit", "comment": FIELDS["hold"]}
    await partner.post(f"/v1/returnees/{way.returnees[0]}/legal-holds", hold)
    flight = {"charter": True, "origin": "BRU", "port_of_entry": "EBL", "scheduled_at": now}
    announced = await desk.post("/v1/flights", flight)
    passenger = {"seat": "3A", "nationality": "IRQ", "given_names": FIELDS["passenger"]}
    passengers = [passenger | {"family_name": FIELDS["passenger_family"]}]
    await desk.put_new(f"/v1/flights/{announced['id']}/manifest", {"passengers": passengers})
    pdf = f"%PDF-1.7\n{FIELDS['upload']}\n%%EOF\n".encode()
    await partner.upload(pdf, kind="plan_agreement", referral_id=way.referral_id)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def journey(platform: Platform, sent: Sent) -> list[tuple[str, bytes]]:
    """The journey with its corrections and refusals; what was refused, as it was answered."""
    walk = walk_of(platform)
    lines = walk._lines
    walk._lines = lambda way: [
        line | {"description": FIELDS["plan_description"]} for line in lines(way)
    ]  # type: ignore[method-assign]
    way = await walk.submit(canary())
    path = f"/v1/referrals/{way.referral_id}"
    new = [{"index": index, "returnee_id": None} for index in range(len(canary()["people"]))]
    decision = {"implementer": "iom-iraq", "comment": FIELDS["accept_comment"], "people": new}
    await walk.coordinator.decide(path, "accept", decision)
    for step in (walk.accept, walk.confirm_travel, walk.meet, walk.plan):
        await step(way)
    partner, sender = walk.coordinator, platform.client("bamf", "counsellor-12")

    async def granted() -> Any:
        items = (await partner.get("/v1/grants", case_id=way.case_id))["items"]
        return [grant for grant in items if grant["plan_line_id"]]

    await beside(platform, way)
    grants = await eventually(granted, "the plan's lines are grants")
    assert all(grant["description"] is None for grant in grants), (
        "the words of a plan stay in cases"
    )
    returnee = f"/v1/returnees/{way.returnees[0]}"
    tag = (await partner.send("GET", returnee)).headers["etag"]
    names = [
        {
            "script": "Latn",
            "given": FIELDS["corrected_name"],
            "father": "",
            "grandfather": "",
            "family": "",
        }
    ]
    await partner.send("PATCH", returnee, json={"names": names}, headers={"If-Match": tag})
    await partner.decide(
        f"/v1/cases/{way.case_id}",
        "close",
        {"reason": "withdrawn", "comment": FIELDS["close_comment"]},
    )
    await partner.post("/v1/returnees/search", {"q": FIELDS["search"]})
    await walk.timeline(partner, way.returnees[0])

    wrong = FIELDS["error"]
    everything = canary()
    bad = everything["people"][0] | {
        "sex": wrong,
        "birth": {"date": wrong, "precision": wrong},
        wrong: wrong,
    }
    requests = [
        (sender, "POST", "/v1/referrals", {"json": everything | {"notes": "other content"}}),
        (
            sender,
            "POST",
            "/v1/referrals",
            {"json": everything | {"people": [bad], "destination": wrong, wrong: 1}},
        ),
        (
            sender,
            "POST",
            "/v1/referrals",
            {"content": wrong.encode(), "headers": {"Content-Type": "application/json"}},
        ),
        (sender, "POST", "/v1/referrals", {"json": wrong}),
        (partner, "POST", "/v1/returnees/search", {"json": {"q": {"x": wrong}}}),
        (partner, "GET", f"/v1/returnees/{wrong}", {}),
        (partner, "GET", f"/v1/arrivals?port={wrong}&{wrong}=1", {}),
        (partner, "GET", f"/v1/{wrong}/{wrong}", {}),
        (
            partner,
            "PUT",
            f"/v1/cases/{way.case_id}/plan",
            {"json": {"lines": wrong}, "headers": {"If-Match": wrong}},
        ),
        (
            partner,
            "POST",
            f"/v1/cases/{way.case_id}/close",
            {"json": {}, "headers": {"If-Match": f'"{wrong}"'}},
        ),
        (
            partner,
            "PATCH",
            returnee,
            {"json": {"names": [{wrong: wrong}]}, "headers": {"If-Match": '"0"'}},
        ),
    ]
    answers = []
    for client, method, where, options in requests:
        answer = await client.call(method, where, **options)
        assert 400 <= answer.status_code < 500, f"{method} {where}: {answer.status_code}"
        answers.append(
            (f"answer to a refused {method}", answer.content + repr(answer.headers).encode())
        )
    return answers


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def every_field(platform: Platform, sent: Sent) -> set[str]:
    """Every body that may name somebody, with a marker in each such field; those that were taken by
    a service.
    """
    world, whole = await build(platform), document()
    described = {(method, path): schema for method, path, schema in bodies(whole)}
    fields = may_name_somebody(whole) - ABOUT_NOBODY
    callers = [
        kind for kind in world.kinds if kind.name in {"partner", "programme office", "referrer"}
    ]
    taken: set[str] = set()
    async with httpx.AsyncClient(base_url=platform.gateway, timeout=30) as http:
        for operation in operations():
            schema = described.get((operation.method, operation.path))
            if schema is None or not operation.scope:
                continue
            ids = {name: world.id_for(name, operation) for name in operation.names}
            shape = operation.content["requestBody"]["content"]["application/json"]["schema"]
            every = Maker(operation, ids, full=True).make(shape, "")
            where = f"{operation.method} {operation.path}"
            for kind, least in product(callers, (True, False)):
                small = operation.content_to_send(ids, kind.organisation)
                marked_all = filled(whole, schema, where, over(every, small), fields)
                told = {k: v for k, v in marked_all.items() if k in small or v != every.get(k)}
                content = told if least else marked_all
                here = {
                    at
                    for at, _, value in strings(whole, schema, where, content)
                    if marker_of(at) == value
                }
                if not here:
                    break
                headers = world.bearer(kind, NOT_INTERNAL) | {"Idempotency-Key": str(uuid4())}
                if operation.needs["if_match"]:
                    headers["If-Match"] = await seen(http, operation, ids, headers)
                answer = await http.request(
                    operation.method, operation.url(ids), json=content, headers=headers
                )
                assert answer.status_code < 500 or "retry-after" in answer.headers, answer.text
                if answer.is_success:
                    taken |= here
                    break
    return taken


def over(every: Any, valid: Any) -> Any:
    """A body with all that it may have, with what makes it valid in its place."""
    if isinstance(every, dict) and isinstance(valid, dict):
        return every | {name: over(every.get(name), value) for name, value in valid.items()}
    if isinstance(every, list) and every and isinstance(valid, list):
        return [over(every[0], value) for value in valid] or every
    return valid


async def seen(
    http: httpx.AsyncClient, operation: Operation, ids: Mapping[str, str], headers: dict[str, str]
) -> str:
    """The ETag of what an operation changes."""
    path = operation.url(ids).partition("?")[0]
    read = await http.get(
        path.rpartition("/")[0] if operation.method == "POST" else path, headers=headers
    )
    return read.headers.get("etag", '"1"')


async def topics(platform: Platform) -> bytes:
    consumer = AIOKafkaConsumer(bootstrap_servers=platform.bootstrap)
    await consumer.start()
    content = b""
    try:
        names = [topic for topic in await consumer.topics() if topic.startswith("homeward.")]
        assert len(names) == len(SERVICES)
        consumer.subscribe(names)
        async with asyncio.timeout(30):
            while {partition.topic for partition in consumer.assignment()} != set(names):  # noqa: ASYNC110 - its own task
                await asyncio.sleep(0.05)
        partitions = sorted(consumer.assignment())
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    content += (
                        (record.key or b"") + (record.value or b"") + repr(record.headers).encode()
                    )
    finally:
        await consumer.stop()
    return content


async def tables(platform: Platform, role: str) -> dict[str, bytes]:
    """Every table that is not meant to know a person, as text: all but the owner's own."""
    connection = await asyncpg.connect(platform.database_url(role))
    try:
        names = [
            row["tablename"]
            for row in await connection.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
        ]
        if role == "cases":
            names = [name for name in names if name in chassis_metadata.tables]
        rows = {
            name: await connection.fetch(f'SELECT t::text AS line FROM "{name}" t')
            for name in names
        }
        return {
            name: "\n".join(row["line"] for row in lines).encode() for name, lines in rows.items()
        }
    finally:
        await connection.close()


async def test_no_marker_is_where_it_must_not_be(
    platform: Platform, journey: list[tuple[str, bytes]], every_field: set[str], sent: Sent
) -> None:
    places = Places()
    places.search("URLs", "\n".join(sent.urls).encode())
    places.search("headers of answers", "\n".join(sent.headers).encode())
    for place, content in journey:
        places.search(place, content)
    places.search("Kafka", await topics(platform))
    for role in ROLES:
        for name, content in (await tables(platform, role)).items():
            places.search(f"{role}.{name}", content)
        metrics = await platform.client("bamf").call("GET", f"{platform.urls[role]}/metrics")
        assert b"homeward_" in metrics.content
        places.search(f"metrics of {role}", metrics.content)
    for log in sorted(Path(platform.machine.logs).iterdir()):
        places.search(f"log {log.name}", log.read_bytes())
    places.search("terminal", platform.output.read_bytes())
    assert places.searched["Kafka"] > 5000
    assert places.searched["URLs"] > 2000
    assert places.searched["headers of answers"] > 5000
    assert places.searched["cases.event_log"] > 5000
    assert places.searched["gateway.timeline"] > 2000
    assert places.searched["log cases.log"] > 2000
    assert places.searched["grants.assistance_grant"] > 100
    print(
        f"\n{places.markers} markers in {len(places.forms)} forms, searched in "
        f"{len(places.searched)} places, "
        f"{sum(places.searched.values())} bytes"
    )
    assert sorted(set(places.found)) == []


async def test_every_word_about_a_person_is_sent_with_a_marker(
    journey: list[tuple[str, bytes]], every_field: set[str], sent: Sent
) -> None:
    """A new field of a body is in here by itself."""
    whole = document()
    personal = may_name_somebody(whole) - ABOUT_NOBODY
    print(
        f"\n{len(personal)} fields marked, {len(personal & every_field)} of them in a request "
        f"that was granted"
    )
    assert sorted(personal - marked(whole, sent)) == []


async def test_the_search_would_find_one(
    platform: Platform, journey: list[tuple[str, bytes]]
) -> None:
    """The owner's tables do hold the markers, so a search that finds nothing elsewhere is one that
    works.
    """
    connection = await asyncpg.connect(platform.database_url("cases"))
    rows = await connection.fetch("SELECT t::text AS line FROM referral t")
    await connection.close()
    places = Places()
    places.search("cases.referral", "\n".join(row["line"] for row in rows).encode())
    assert {found.partition(" in ")[0] for found in places.found} >= {
        "given",
        "family_arab",
        "phone",
        "notes",
    }
