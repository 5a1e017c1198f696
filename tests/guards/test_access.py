"""The access matrix: every operation for every kind of caller, from the OpenAPI documents: a new
route is in it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec

from chassis.errors import CATALOGUE
from chassis.telemetry import REQUEST_ID_HEADER
from contracts.openapi import OF_A_PROCESS
from contracts.scopes import Scope
from tests.guards.operations import RAW, STREAM, Ids, Operation, behind_the_door, door, operations
from tests.guards.world import NOT_INTERNAL, SHARED, Kind, World, as_sent, mentions

AT_ONCE = 8
TRIES = 4
PROBLEM = "application/problem+json"
CLOCK = ("received_at", "clock_ahead_seconds")
"""Members of an answer that say when it was made."""
OF_A_REQUEST = {REQUEST_ID_HEADER.lower(), "date", "content-length", "server"}
PLACED = ("place", "accept", "cancel", "keep")
"""What is decided about somebody's place in a course."""
DECIDED_ELSEWHERE = {
    # In this programme the partner that was asked decides; its office only reads.
    ("programme office", f"/v1/referrals/{{referral_id}}/{word}")
    for word in ("accept", "reject", "request-information")
} | {
    # The host-country service decides on retroactive referrals only, and the partner submits no
    # others.
    *(
        ("referrer", f"/v1/referrals/{{referral_id}}/{word}")
        for word in ("accept", "reject", "request-information", "travel/query")
    ),
    *(
        ("partner", f"/v1/referrals/{{referral_id}}{word}")
        for word in (
            "",
            "/withdraw",
            "/amend",
            "/travel",
            "/travel/{journey_id}",
            *(
                f"/travel/{{journey_id}}/{done}"
                for done in ("confirm", "departed", "not-departed", "cancel")
            ),
        )
    ),
    ("programme office", "/v1/referrals/{referral_id}/travel/query"),
    # A referrer decides about the training that it prepares before the departure; the return's is
    # after the arrival.
    *(
        ("referrer", f"/v1/enrolments/{{enrolment_id}}/{word}")
        for word in (
            *PLACED,
            "drop-out",
            "no-show",
            "assess",
            "manual",
            "evaluate",
            "complete",
            "profile",
        )
    ),
    ("referrer", "/v1/referrals/retroactive"),
    ("referrer", "/v1/enrolments"),
    ("referrer", "/v1/cohorts/{cohort_id}/sessions/{number}/attendance"),
    # Whoever gives a course notes what happens in it; who takes part is decided by those who work
    # for the person.
    *(("whoever gives the course", f"/v1/enrolments/{{enrolment_id}}/{word}") for word in PLACED),
}
AMONG_OWN = {"GET /v1/vacancies/{vacancy_id}/matches": "GET /v1/returnees/{returnee_id}"}
"""What is nobody's, such as a vacancy, and is answered with people of the caller's own only: where
each is read.
"""
LOOKED_UP = {"POST /v1/referrals", "POST /v1/courses"}
"""Invalid because of what is not found when it is looked up for the caller, who has been let in."""
OF_WALK_INS = {"GET /v1/arrivals/{arrival_id}/identity"}
"""Has an answer for who came without a referral only, and the return has one; tests/reception holds
the answer.
"""
SEEN_NEVER = '"0"'
"""An ETag that nothing ever had."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: httpx.Headers
    text: str

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]

    def problem(self) -> dict[str, Any]:
        found = json.loads(self.text) if self.media_type == PROBLEM else {}
        assert isinstance(found, dict)
        return found

    def shown(self, asked: Ids) -> Any:
        """All of it that does not differ from one request to the next, nor by the ids that were
        asked for.
        """
        headers = {name: value for name, value in self.headers.items() if name not in OF_A_REQUEST}
        body: Any = (
            {k: v for k, v in self.problem().items() if k != "instance"}
            if self.problem()
            else self.text
        )
        if self.media_type == "application/json" and isinstance(json.loads(self.text), dict):
            body = {k: v for k, v in json.loads(self.text).items() if k not in CLOCK}
        text = json.dumps(body, sort_keys=True, ensure_ascii=False)
        for name, value in asked.items():
            text = text.replace(value, f"<{name}>") if value else text
        return self.status, headers, text


@dataclass
class Matrix:
    """Asks, counts the cells, and collects what is wrong with any."""

    world: World
    http: httpx.AsyncClient
    cells: set[tuple[str, str, str]] = field(default_factory=set)
    requests: int = 0
    findings: list[str] = field(default_factory=list)
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def ask(
        self,
        operation: Operation,
        headers: dict[str, str],
        ids: Ids | None = None,
        *,
        sender: str = "dtv",
        direct: bool = False,
    ) -> Answer:
        """Send the smallest valid request, as often as the answer asks to wait; check that the
        answer is documented.
        """
        known = (
            {name: self.world.id_for(name, operation) for name in operation.names}
            if ids is None
            else ids
        )
        base = (
            self.world.platform.urls[operation.role]
            if direct or is_ours(headers)
            else door(self.world.platform, operation)
        )
        url, content = base + operation.url(known), operation.content_to_send(known, sender)
        if operation.needs["if_match"]:
            headers = headers | {"If-Match": SEEN_NEVER}
        body = operation.body()
        if body is not None and body[0] in RAW:
            headers = headers | {"Content-Type": body[0]}
        async with self.slots:
            for _ in range(TRIES):
                key = (
                    {"Idempotency-Key": str(uuid4())} if operation.needs["idempotency_key"] else {}
                )
                request = self.http.build_request(
                    operation.method,
                    url,
                    headers=headers | key,
                    **sent_as(body, content),
                )
                answer = await self._send(request)
                if answer.status != 503 or "retry-after" not in answer.headers:
                    break
                await asyncio.sleep(float(answer.headers["retry-after"]))
        self._is_documented(operation, answer)
        return answer

    async def _send(self, request: httpx.Request) -> Answer:
        self.requests += 1
        response = await self.http.send(request, stream=True)
        try:
            streams = response.headers.get("content-type", "").startswith(STREAM)
            text = (
                "" if streams else (await response.aread()).decode(errors="replace")
            )  # a certificate is no text
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers, text)

    def _is_documented(self, operation: Operation, answer: Answer) -> None:
        described = operation.content["responses"].get(str(answer.status))
        if described is None or answer.status >= 500:
            self.findings.append(f"{operation.label}: answers {answer.status}: {answer.text[:200]}")
            return
        if answer.media_type not in described.get("content", {}) and answer.text:
            self.findings.append(
                f"{operation.label}: {answer.status} is {answer.media_type}, which is not "
                f"documented"
            )
        if answer.media_type == PROBLEM:
            problem = answer.problem()
            known = CATALOGUE.get(problem["type"].removeprefix("/problems/"))
            if known is None or not known.status == problem["status"] == answer.status:
                self.findings.append(
                    f"{operation.label}: {answer.status} with the undocumented type "
                    f"{problem['type']}"
                )

    async def only_own(self, operation: Operation, kind: Kind, answer: Answer) -> None:
        """Everybody in an answer is somebody whom the caller may read."""
        method, where = AMONG_OWN[operation.label].split(" ", 1)
        headers = self.world.bearer(kind, NOT_INTERNAL)
        for item in json.loads(answer.text)["items"]:
            url = self.world.platform.gateway + where.format_map(item)
            read = await self._send(self.http.build_request(method, url, headers=headers))
            self.expect(
                operation, kind.name, read, read.status == 200, "only people of the caller's own"
            )

    def expect(
        self, operation: Operation, caller: str, answer: Answer, holds: bool, what: str
    ) -> None:
        """Count a cell, and note what does not hold."""
        self.cells.add((operation.role, operation.label, caller))
        if not holds:
            self.findings.append(
                f"{operation.label} for {caller}: {what}, not {answer.status} {answer.text[:300]}"
            )


def sent_as(body: tuple[str, dict[str, Any]] | None, content: Any) -> dict[str, Any]:
    """How httpx is given a body."""
    if body is None:
        return {}
    return (
        {"content": content}
        if body[0] in RAW
        else {"data": content}
        if "form" in body[0]
        else {"json": content}
    )


@pytest_asyncio.fixture
async def matrix(world: World) -> AsyncIterator[Matrix]:
    # A server ends a connection that was idle for 5 s, which is httpx's own time too: on a busy
    # machine the two cross.
    limits = httpx.Limits(max_connections=AT_ONCE, keepalive_expiry=2)
    async with httpx.AsyncClient(timeout=30, limits=limits) as http:
        yield Matrix(world, http)


async def all_of(work: Callable[..., Awaitable[None]], *arguments: tuple[Any, ...]) -> None:
    """Do the same for many, some at once."""
    async with asyncio.TaskGroup() as group:
        for each in arguments:
            group.create_task(work(*each))  # type: ignore[arg-type] # an async function's awaitable is a coroutine


def bad_tokens(world: World, kind: Kind) -> dict[str, dict[str, str]]:
    """Headers that must not let anybody in, and what is wrong with each."""
    held = world.bearer(kind, list(Scope))["Authorization"].removeprefix("Bearer ")
    head, body, signature = held.split(".")
    claims = jwt.decode(held, options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, "none", {"kid": jwt.get_unverified_header(held)["kid"]})
    other_key = ec.generate_private_key(ec.SECP256R1())
    return {
        "no token": {},
        "no bearer": {"Authorization": f"Basic {held}"},
        "garbled token": {"Authorization": f"Bearer {head}.{body}.{signature[::-1]}"},
        "unsigned token": {"Authorization": f"Bearer {unsigned}"},
        "expired token": world.bearer(
            kind, list(Scope), iat=claims["iat"] - 900, exp=claims["iat"] - 300
        ),
        "wrong audience": world.bearer(kind, list(Scope), aud="somebody-else"),
        "wrong key": world.bearer(kind, list(Scope), key=other_key),
        "unknown issuer": world.bearer(kind, list(Scope), iss="http://issuer.invalid"),
        "unknown kind of organisation": world.bearer(kind, list(Scope), org_kind="ministry"),
    }


def is_ours(headers: dict[str, str]) -> bool:
    """Whether a caller is one of our own services, which ask one another and not the gateway."""
    try:
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return False
    return claims.get("org_kind") == "internal" and "internal" in claims.get("scope", "").split()


async def without_a_token(matrix: Matrix) -> None:
    """Nobody gets in on a token that does not hold, at the gateway and at the service behind it."""
    partner = next(kind for kind in matrix.world.kinds if kind.name == "partner")

    async def refused(
        operation: Operation, caller: str, headers: dict[str, str], direct: bool
    ) -> None:
        answer = await matrix.ask(operation, headers, direct=direct)
        if operation.scope is None:
            matrix.expect(operation, caller, answer, "type" not in answer.problem(), "open to all")
            return
        right = answer.status == 401 and answer.problem()["type"] == "/problems/unauthenticated"
        matrix.expect(
            operation, caller, answer, right and "www-authenticate" in answer.headers, "401"
        )

    await all_of(
        refused,
        *(
            (operation, f"{caller}{' (at the service)' if direct else ''}", headers, direct)
            for operation in operations()
            for caller, headers in bad_tokens(matrix.world, partner).items()
            if operation.scope is not None or not headers
            for direct in {
                False,
                door(matrix.world.platform, operation) == matrix.world.platform.gateway,
            }
            if not (direct and operation.role == "gateway")
        ),
    )


async def without_the_scope(matrix: Matrix) -> None:
    """Whoever lacks the scope is told which; `internal` is worth nothing in anybody else's
    hands.
    """
    partner = next(kind for kind in matrix.world.kinds if kind.name == "partner")

    async def refused(operation: Operation, caller: str, scopes: list[str]) -> None:
        answer = await matrix.ask(operation, matrix.world.bearer(partner, scopes))
        right = answer.status == 403 and answer.problem().get("scope") == operation.scope
        matrix.expect(operation, caller, answer, right, f"403 that names {operation.scope}")

    secured = [operation for operation in operations() if operation.scope is not None]
    await all_of(
        refused,
        *(
            (o, "all scopes but the needed one", [s for s in Scope if s != o.scope])
            for o in secured
        ),
        *((o, "no scope", []) for o in secured),
        *(
            (o, "partner with the scope internal", list(Scope))
            for o in secured
            if o.scope == Scope.INTERNAL
        ),
    )


async def without_a_person(matrix: Matrix) -> None:
    """A decision needs a person."""

    async def refused(operation: Operation, kind: Kind) -> None:
        answer = await matrix.ask(operation, matrix.world.bearer(kind, kind.scopes(), person=False))
        right = answer.status == 403 and answer.problem()["type"] == "/problems/person-required"
        matrix.expect(
            operation, f"{kind.name} without a person", answer, right, "403 person-required"
        )

    decisions = [operation for operation in operations() if operation.needs["person"]]
    await all_of(
        refused, *((operation, kind) for operation in decisions for kind in matrix.world.kinds)
    )


async def closed_at_the_gateway(matrix: Matrix) -> None:
    """What only our own services ask of one another is not there for anybody who comes through the
    gateway.
    """
    world = matrix.world

    async def nothing_there(operation: Operation, kind: Kind) -> None:
        known = {name: world.id_for(name, operation) for name in operation.names}
        headers = world.bearer(kind, list(Scope))
        request = matrix.http.build_request(
            operation.method, world.platform.gateway + operation.url(known), headers=headers
        )
        answer = await matrix._send(request)
        right = answer.status == 404 and answer.problem()["type"] == "/problems/not-found"
        matrix.expect(operation, f"{kind.name} at the gateway", answer, right, "404")

    hidden = [o for o in operations() if behind_the_door(o) and not o.path.startswith(OF_A_PROCESS)]
    assert hidden
    await all_of(
        nothing_there, *((operation, kind) for operation in hidden for kind in world.kinds)
    )


async def strangers(matrix: Matrix) -> None:
    """Who does not take part is told nothing: what exists looks exactly like what does not."""

    async def told_nothing(operation: Operation, kind: Kind) -> None:
        world, headers, caller = matrix.world, matrix.world.bearer(kind, NOT_INTERNAL), kind.name
        real = {name: world.id_for(name, operation) for name in operation.names}
        answer = await matrix.ask(operation, headers, real, sender=kind.organisation)
        sent = as_sent(operation.url(real), operation.content_to_send(real, kind.organisation))
        told = mentions(answer.text + str(answer.headers), world.people, sent)
        matrix.expect(
            operation, caller, answer, not told, f"nothing about others' people, but tells {told}"
        )
        if (
            operation.scope is None
            or operation.scope in SHARED
            or operation.scope == Scope.INTERNAL
        ):
            return
        if operation.label in AMONG_OWN and answer.status == 200:
            await matrix.only_own(operation, kind, answer)
            return
        if real:
            random = world.random_ids()
            absent = await matrix.ask(operation, headers, random, sender=kind.organisation)
            same = absent.shown(random) == answer.shown(real)
            matrix.expect(
                operation,
                caller,
                answer,
                same,
                f"the same as where nothing is: {absent.shown(random)}",
            )
        if "{" in operation.path:
            matrix.expect(operation, caller, answer, answer.status == 404, "404")
        *parents, child = [parameter["name"] for parameter in operation.parameters("path")] or [""]
        if parents and kind.own:
            under_own = real | {name: kind.own[name] for name in parents}
            theirs = await matrix.ask(operation, headers, under_own)
            nowhere = under_own | {child: world.random_ids()[child]}
            absent = await matrix.ask(operation, headers, nowhere)
            same = absent.shown(nowhere) == theirs.shown(under_own) and theirs.status in {403, 404}
            matrix.expect(
                operation,
                caller,
                theirs,
                same,
                f"with its own {parents} as if there were no such {child}",
            )

    kinds = matrix.world.kinds
    await all_of(
        told_nothing,
        *((o, kind) for o in operations() for kind in kinds if not kind.takes_part_in(o)),
    )


async def participants(matrix: Matrix) -> None:
    """Who takes part, and has the scope that its kind is given, is not kept out; reads first, then
    what changes.
    """
    seen: set[str] = set()
    understood: set[str] = set()

    async def let_in(operation: Operation, kind: Kind) -> None:
        answer = await matrix.ask(
            operation, matrix.world.bearer(kind, kind.scopes()), sender=kind.organisation
        )
        kept_out = answer.status in {401, 403, 404} and kind.may(operation)
        if operation.label in OF_WALK_INS:
            kept_out = answer.status != 404 and kind.may(
                operation
            )  # found out, and nobody is there to adopt
        decided_elsewhere = (
            kind.name,
            operation.path,
        ) in DECIDED_ELSEWHERE and answer.status == 403
        matrix.expect(operation, kind.name, answer, not kept_out or decided_elsewhere, "let in")
        invalid = answer.status == 422 and answer.problem()["type"] == "/problems/invalid"
        if not invalid or operation.label in LOOKED_UP:
            understood.add(operation.label)
        if mentions(answer.text, matrix.world.people, ""):
            seen.add(operation.label)

    kinds = matrix.world.kinds
    every = operations()
    await all_of(
        let_in,
        *((o, kind) for o in every for kind in kinds if not o.changes and kind.takes_part_in(o)),
    )
    for operation in every:
        if (
            (operation.lists or operation.label in AMONG_OWN)
            and not operation.changes
            and operation.scope not in {None, *SHARED}
            and operation.label not in seen
        ):
            matrix.findings.append(
                f"{operation.label}: nobody saw the return in it, so the strangers' cells prove "
                f"nothing"
            )
    for operation in every:
        for kind in kinds:
            if operation.changes and kind.takes_part_in(operation):
                await let_in(operation, kind)
    for operation in every:
        asked = any(kind.takes_part_in(operation) for kind in kinds)
        if (
            asked
            and operation.body()
            and "{" not in operation.path
            and operation.label not in understood
        ):
            matrix.findings.append(
                f"{operation.label}: its request is valid for nobody, so no cell of it proves "
                f"anything: give it a body "
                "in tests/guards/operations.py"
            )


async def test_cells(matrix: Matrix, record_property: Callable[[str, object], None]) -> None:
    for part in (
        without_a_token,
        without_the_scope,
        without_a_person,
        closed_at_the_gateway,
        strangers,
        participants,
    ):
        await part(matrix)
    callers = {caller for _, _, caller in matrix.cells}
    record_property("cells", len(matrix.cells))
    print(
        f"\naccess matrix: {len(operations())} operations, {len(callers)} kinds of caller and "
        f"token, "
        f"{len(matrix.cells)} cells, {matrix.requests} requests"
    )
    assert not matrix.findings, "\n".join(sorted(set(matrix.findings)))
    assert len(matrix.cells) > 10 * len(operations())
