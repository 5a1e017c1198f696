"""One request: who, may they, one transaction, once, and only then the answer."""

import ast
import asyncio
import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import InvalidRequestError

import chassis
from chassis.audit import audit
from chassis.db import Database
from chassis.idempotency import idempotency, purge
from chassis.routing import Router
from cli.embedded import free_port
from tests.chassis import probe as probing
from tests.chassis.probe import Probe, note
from tests.tokens import bearer

ROOT = Path(chassis.__file__).parent.parent
READ, WRITE = "notes:read", "notes:write"


def headers(
    scopes: str = f"{READ} {WRITE}",
    *,
    key: str | None = None,
    organisation: str = "iom-iraq",
    **more: str,
):
    return bearer(organisation, scopes=scopes) | {"Idempotency-Key": key or str(uuid4())} | more


BASE = ("chassis/db.py", "chassis/migrations/")
MAY = {
    "rollback": (
        *BASE,
        "gateway/identity/service.py",
    ),  # ends its reading, to wait without a connection
    "dedicated": (
        *BASE,
        "chassis/relay.py",
        "chassis/outbox.py",
    ),  # single statements that commit by themselves
    "connect": (*BASE, "cli/"),  # sets an installation up, and looks into it
}


ENDS = re.compile(r"\s*(begin|commit|end|rollback|start transaction)[\s;]*", re.IGNORECASE)


def ways_to_commit(code: str) -> Iterator[tuple[int, str]]:
    """Where something ends a transaction, or could: line and name."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Attribute(value=of, attr=("commit" | "begin") as way):
                if not ast.unparse(of).endswith(("consumer", "idempotency")):
                    yield node.lineno, way
            case ast.Attribute(value=of, attr="transaction" as way):
                if not ast.unparse(of).endswith("database"):
                    yield node.lineno, way
            case ast.Attribute(attr=("engine" | "rollback" | "dedicated") as way):
                yield node.lineno, way
            case ast.Attribute(value=ast.Name(id="asyncpg"), attr="connect" as way):
                yield node.lineno, way
            case ast.Name(
                id=("AsyncSession" | "async_sessionmaker" | "create_async_engine") as way
            ):
                yield node.lineno, way
            case ast.Call(args=[ast.Constant(value=str(words))]) if ENDS.fullmatch(words):
                yield node.lineno, words


async def count(probe: Probe, words: str) -> int:
    async with probe.homeward.database.transaction() as session:
        return (
            await session.scalar(
                select(func.count()).select_from(note).where(note.c.words == words)
            )
            or 0
        )


async def stored(probe: Probe, key: str):
    async with probe.homeward.database.transaction() as session:
        return (await session.execute(select(idempotency).where(idempotency.c.key == key))).first()


class TestTransaction:
    async def test_what_was_answered_is_committed(self, probe: Probe) -> None:
        answer = await probe.http.post("/v1/notes", json={"words": "kept"}, headers=headers())
        assert answer.status_code == 201
        assert await count(probe, "kept") == 1

    async def test_commit_that_fails_is_a_500_and_nothing_is_kept(self, probe: Probe) -> None:
        answer = await probe.http.post(
            "/v1/notes", json={"words": "fails at commit"}, headers=headers(key="late")
        )
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert await count(probe, "fails at commit") == 0
        assert await stored(probe, "late") is None

    async def test_commit_in_which_the_connection_breaks_is_a_503_and_may_be_tried_again(
        self, probe: Probe, postgres: str
    ) -> None:
        admin = await asyncpg.connect(
            postgres.rsplit("/", 1)[0] + f"/{probe.homeward.database.engine.url.database}"
        )
        await admin.execute(f"SELECT pg_advisory_lock({probing.COMMIT_LOCK})")
        sent = headers(key="broken")
        asked = asyncio.create_task(
            probe.http.post("/v1/notes", json={"words": "waits at commit"}, headers=sent)
        )
        kill = (
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE query ~ '^COMMIT' AND wait_event = $1"
        )
        async with asyncio.timeout(8):
            while not await admin.fetchval(kill, "advisory"):  # noqa: ASYNC110 - it happens in the database
                await asyncio.sleep(0.02)
        answer = await asked
        await admin.close()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert await count(probe, "waits at commit") == 0
        for _ in range(2):
            again = await probe.http.post(
                "/v1/notes", json={"words": "waits at commit"}, headers=sent
            )
            assert again.status_code == 201
        assert await count(probe, "waits at commit") == 1

    @pytest.mark.parametrize("words", ["refused", "refused by answer", "breaks"])
    async def test_refusal_rolls_back(self, probe: Probe, words: str) -> None:
        key = str(uuid4())
        answer = await probe.http.post("/v1/notes", json={"words": words}, headers=headers(key=key))
        assert answer.status_code in {404, 409, 500}
        assert await count(probe, words) == 0
        assert await stored(probe, key) is None
        async with probe.homeward.database.transaction() as session:
            left = await session.scalar(
                select(func.count()).select_from(audit).where(audit.c.action == words)
            )
        assert left == 0

    async def test_closed_session_refuses_writes(self, probe: Probe) -> None:
        async with probe.homeward.database.transaction() as session:
            await session.execute(text("SELECT 1"))
        with pytest.raises(InvalidRequestError):
            await session.execute(text("SELECT 1"))

    async def test_deadlock_is_retried(self, probe: Probe) -> None:
        first, second = [
            (await probe.http.post("/v1/notes", json={"words": "pair"}, headers=headers())).json()[
                "id"
            ]
            for _ in range(2)
        ]
        answers = await asyncio.gather(
            probe.http.post(f"/v1/notes/swap/{first}/{second}", headers=headers()),
            probe.http.post(f"/v1/notes/swap/{second}/{first}", headers=headers()),
        )
        assert [answer.status_code for answer in answers] == [200, 200]
        async with probe.homeward.database.transaction() as session:
            versions = (
                await session.scalars(select(note.c.version).where(note.c.words == "pair"))
            ).all()
        assert versions == [3, 3]

    async def test_a_way_to_the_database_that_swallows_everything_is_given_up(
        self, probe_database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("chassis.db.SILENT_SECONDS", 0.5)
        real, swallows = urlsplit(probe_database.url), False

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while content := await reader.read(65536):
                if not swallows:
                    writer.write(content)
            writer.close()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inside, outside = await asyncio.open_connection(real.hostname, real.port)
            await asyncio.gather(carry(reader, outside), carry(inside, writer))

        async with await asyncio.start_server(accept, "127.0.0.1", 0) as way:
            port = way.sockets[0].getsockname()[1]
            through = urlunsplit(
                real._replace(netloc=real.netloc.replace(f":{real.port}", f":{port}"))
            )
            async with probing.running(through) as probe:
                assert (await probe.http.get("/v1/notes", headers=headers())).status_code == 200
                swallows = True
                async with asyncio.timeout(10):
                    assert (await probe.http.get("/v1/notes", headers=headers())).status_code == 503
                swallows = False
                assert (await probe.http.get("/v1/notes", headers=headers())).status_code == 200

    def test_only_the_database_module_commits(self) -> None:
        guilty = [
            f"{path.relative_to(ROOT)}:{line} {way}"
            for folder in ("chassis", "participation", "services", "gateway", "contracts", "cli")
            for path in (ROOT / folder).rglob("*.py")
            for line, way in ways_to_commit(path.read_text())
            if not str(path.relative_to(ROOT)).startswith(MAY.get(way, BASE))
        ]
        assert guilty == []

    @pytest.mark.parametrize(
        "code",
        [
            "session.commit()",
            "(await session.connection()).commit()",
            "await session.execute(text('  commit;'))",
            "database.engine.begin()",
            "session.begin()",
            "connection.transaction()",
            "AsyncSession(bind)",
            "session.rollback()",
            "self._database.dedicated()",
            "asyncpg.connect(url)",
        ],
    )
    def test_no_way_to_commit_is_overlooked(self, code: str) -> None:
        assert list(ways_to_commit(f"async def f():\n    {code}"))

    def test_route_that_declares_nothing_cannot_be_made(self) -> None:
        async def forgotten() -> None: ...

        with pytest.raises(TypeError, match="declares neither"):
            Router().get("/v1/forgotten")(forgotten)


class TestIdempotency:
    async def test_same_request_replays_the_answer(self, probe: Probe) -> None:
        sent = headers(key="twice")
        first = await probe.http.post("/v1/notes", json={"words": "twice"}, headers=sent)
        again = await probe.http.post("/v1/notes", json={"words": "twice"}, headers=sent)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        assert again.headers["etag"] == first.headers["etag"]
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert await count(probe, "twice") == 1

    async def test_other_body_is_refused(self, probe: Probe) -> None:
        await probe.http.post("/v1/notes", json={"words": "one"}, headers=headers(key="reused"))
        answer = await probe.http.post(
            "/v1/notes", json={"words": "other"}, headers=headers(key="reused")
        )
        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/idempotency-key-reused"
        assert await count(probe, "other") == 0

    async def test_concurrent_twin_waits_and_gets_the_same_answer(self, probe: Probe) -> None:
        sent = headers(key="twins")
        answers = await asyncio.gather(
            *(probe.http.post("/v1/notes", json={"words": "slow"}, headers=sent) for _ in range(5))
        )
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert sum("idempotency-replayed" in answer.headers for answer in answers) == 4
        assert await count(probe, "slow") == 1

    async def test_failed_attempt_can_be_made_again(self, probe: Probe) -> None:
        sent = headers(key="again")
        first = await probe.http.post("/v1/notes", json={"words": "breaks once"}, headers=sent)
        second = await probe.http.post("/v1/notes", json={"words": "breaks once"}, headers=sent)
        assert (first.status_code, second.status_code) == (500, 201)
        assert await count(probe, "breaks once") == 1

    async def test_key_belongs_to_its_organisation_and_client(self, probe: Probe) -> None:
        answers = [
            await probe.http.post(
                "/v1/notes",
                json={"words": "mine"},
                headers=bearer(organisation, scopes=WRITE, client_id=client)
                | {"Idempotency-Key": "shared"},
            )
            for organisation, client in (("bamf", "a"), ("fedasil", "b"), ("fedasil", "c"))
        ]
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == 3

    async def test_key_does_not_open_what_the_scope_forbids(self, probe: Probe) -> None:
        await probe.http.post("/v1/notes", json={"words": "secret"}, headers=headers(key="closed"))
        answer = await probe.http.post(
            "/v1/notes", json={"words": "secret"}, headers=headers(READ, key="closed")
        )
        assert answer.status_code == 403

    async def test_stored_answer_is_encrypted(self, probe: Probe) -> None:
        await probe.http.post(
            "/v1/notes", json={"words": "Zaynab Al-Example"}, headers=headers(key="sealed")
        )
        row = await stored(probe, "sealed")
        assert b"Zaynab" not in row.body
        assert "Zaynab" not in json.dumps(row.headers)

    async def test_answer_under_a_key_that_is_gone_is_said_to_be_lost(
        self, probe: Probe, probe_database
    ) -> None:
        sent = headers(key=str(uuid4()))
        assert (
            await probe.http.post("/v1/notes", json={"words": "once"}, headers=sent)
        ).status_code == 201
        other = SecretStr(base64.b64encode(b"n" * 32).decode())
        async with probing.running(probe_database.url, encryption_keys=(other,)) as without:
            answer = await without.http.post("/v1/notes", json={"words": "once"}, headers=sent)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/answer-lost")
        assert await count(probe, "once") == 1, "it is not done again"

    async def test_stored_answer_expires(self, probe: Probe) -> None:
        sent = headers(key="old")
        await probe.http.post("/v1/notes", json={"words": "old"}, headers=sent)
        async with probe.homeward.database.transaction() as session:
            await session.execute(
                update(idempotency)
                .where(idempotency.c.key == "old")
                .values(expires_at=text("now() - interval '1 s'"))
            )
        again = await probe.http.post("/v1/notes", json={"words": "old"}, headers=sent)
        assert "idempotency-replayed" not in again.headers
        assert await count(probe, "old") == 2
        async with probe.homeward.database.transaction() as session:
            await session.execute(
                update(idempotency)
                .where(idempotency.c.key == "old")
                .values(expires_at=text("now() - interval '1 s'"))
            )
            assert await purge(session) == 1

    @pytest.mark.parametrize("key", [None, "", "with space", "é", "x" * 256])
    async def test_key_is_required(self, probe: Probe, key: str | None) -> None:
        sent = bearer(scopes=WRITE) | ({} if key is None else {"Idempotency-Key": key.encode()})
        answer = await probe.http.post("/v1/notes", json={"words": "keyless"}, headers=sent)
        assert answer.status_code == 400
        assert answer.json()["type"] == "/problems/idempotency-key-required"
        assert await count(probe, "keyless") == 0

    async def test_a_search_needs_no_key(self, probe: Probe) -> None:
        answer = await probe.http.post(
            "/v1/notes/search", json={"words": "kept"}, headers=bearer(scopes=READ)
        )
        assert answer.status_code == 200


class TestPreconditions:
    async def test_edit_needs_what_was_seen(self, probe: Probe) -> None:
        made = await probe.http.post("/v1/notes", json={"words": "draft"}, headers=headers())
        path = f"/v1/notes/{made.json()['id']}"
        seen = (await probe.http.get(path, headers=headers())).headers["etag"]
        without = await probe.http.patch(path, json={"words": "x"}, headers=headers())
        first = await probe.http.patch(
            path, json={"words": "first"}, headers=headers(**{"If-Match": seen})
        )
        second = await probe.http.patch(
            path, json={"words": "second"}, headers=headers(**{"If-Match": seen})
        )
        anything = await probe.http.patch(
            path, json={"words": "third"}, headers=headers(**{"If-Match": "*"})
        )
        assert [a.status_code for a in (without, first, second, anything)] == [428, 200, 412, 412]
        assert (await probe.http.get(path, headers=headers())).json()["words"] == "first"

    async def test_an_if_match_that_is_no_etag_of_ours_is_refused(self, probe: Probe) -> None:
        made = (
            await probe.http.post("/v1/notes", json={"words": "long"}, headers=headers())
        ).json()
        for length, status in ((255, 412), (256, 400), (5000, 400)):
            sent = headers(**{"If-Match": '"' + "1" * (length - 2) + '"'})
            answer = await probe.http.patch(
                f"/v1/notes/{made['id']}", json={"words": "other"}, headers=sent
            )
            assert answer.status_code == status
        assert answer.json()["errors"][0]["pointer"] == "#header/If-Match"
        assert "1111" not in answer.text

    async def test_unchanged_is_304(self, probe: Probe) -> None:
        made = await probe.http.post("/v1/notes", json={"words": "still"}, headers=headers())
        path = f"/v1/notes/{made.json()['id']}"
        tag = made.headers["etag"]
        answer = await probe.http.get(path, headers=headers(**{"If-None-Match": tag}))
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)

    async def test_decision_needs_a_person(self, probe: Probe) -> None:
        made = await probe.http.post("/v1/notes", json={"words": "decide"}, headers=headers())
        path, tag = f"/v1/notes/{made.json()['id']}/approve", made.headers["etag"]
        nobody = await probe.http.post(path, headers=headers(**{"If-Match": tag}))
        claimed = await probe.http.post(
            path, headers=headers(**{"If-Match": tag, "Homeward-Actor": "u-1"})
        )
        allowed = headers(f"{WRITE} act-for-users", **{"If-Match": tag, "Homeward-Actor": "u-1"})
        vouched = await probe.http.post(path, headers=allowed)
        mail = headers(
            f"{WRITE} act-for-users", **{"If-Match": tag, "Homeward-Actor": "zaynab@example.org"}
        )
        named = await probe.http.post(path, headers=mail)
        signed_in = bearer(scopes=WRITE, person="u-2") | {
            "If-Match": tag,
            "Idempotency-Key": str(uuid4()),
        }
        person = await probe.http.post(path, headers=signed_in)
        assert nobody.json()["type"] == "/problems/person-required"
        assert [a.status_code for a in (nobody, claimed, vouched, named, person)] == [
            403,
            403,
            200,
            403,
            200,
        ]
        assert vouched.json() == {"approved_by": "iom-iraq:u-1"}
        assert person.json() == {"approved_by": "iom-iraq:u-2"}
        assert "zaynab" not in named.text


class TestRefusals:
    async def test_unknown_parameter_never_widens_a_result(self, probe: Probe) -> None:
        answer = await probe.http.get("/v1/notes?word=x", headers=headers())
        assert answer.status_code == 400
        assert answer.json()["type"] == "/problems/unknown-parameter"
        assert (
            answer.json()["errors"][0]["detail"] == "known here: after, changed_since, limit, words"
        )

    @pytest.mark.parametrize("since", ["1700000000", "1.7e9", "-5", "0", "20240305", "2024"])
    async def test_a_number_is_no_time(self, probe: Probe, since: str) -> None:
        answer = await probe.http.get(
            "/v1/notes", params={"changed_since": since}, headers=headers()
        )
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == ("#query/changed_since", "not_a_time")
        good = await probe.http.get(
            "/v1/notes", params={"changed_since": "2024-03-05T10:00:00+03:00"}, headers=headers()
        )
        assert good.status_code == 200

    async def test_unknown_field_is_refused_where_it_is(self, probe: Probe) -> None:
        answer = await probe.http.post(
            "/v1/notes", json={"words": "a", "colour": "b"}, headers=headers()
        )
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/colour"
        assert answer.json()["errors"][0]["code"] == "extra_forbidden"

    async def test_problem_never_repeats_what_was_sent(self, probe: Probe) -> None:
        for body in (
            {"words": 7, "Zaynab Al-Example": "x"},
            {"words": {"Zaynab": "Zaynab"}},
            ["Zaynab"],
        ):
            answer = await probe.http.post("/v1/notes", json=body, headers=headers())
            assert answer.status_code == 422
            assert "Zaynab" not in answer.text
        answer = await probe.http.post("/v1/notes", json={"words": "breaks"}, headers=headers())
        assert answer.status_code == 500
        assert "Zaynab" not in answer.text

    async def test_not_json(self, probe: Probe) -> None:
        sent = headers(**{"Content-Type": "application/json"})
        answer = await probe.http.post("/v1/notes", content=b"{nope", headers=sent)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-request")
        sent = headers(**{"Content-Type": "text/plain"})
        answer = await probe.http.post("/v1/notes", content=b"{}", headers=sent)
        assert (answer.status_code, answer.json()["type"]) == (
            415,
            "/problems/unsupported-media-type",
        )

    async def test_problem_names_the_request(self, probe: Probe) -> None:
        sent = headers(**{"Homeward-Request-Id": "0199f7a0-0000-7000-8000-000000000001"})
        answer = await probe.http.get(f"/v1/notes/{uuid4()}", headers=sent)
        assert answer.headers["homeward-request-id"] == "0199f7a0-0000-7000-8000-000000000001"
        assert answer.json()["instance"] == "urn:uuid:0199f7a0-0000-7000-8000-000000000001"
        named = await probe.http.get(
            "/v1/notes/open/door", headers={"Homeward-Request-Id": "Zaynab"}
        )
        assert "Zaynab" not in named.headers["homeward-request-id"]

    async def test_paths_and_methods_that_are_not_there(self, probe: Probe) -> None:
        missing = await probe.http.get("/v1/nothing", headers=headers())
        method = await probe.http.delete("/v1/notes", headers=headers())
        assert (missing.status_code, missing.json()["type"]) == (404, "/problems/not-found")
        assert (method.status_code, method.json()["type"]) == (405, "/problems/method-not-allowed")

    async def test_body_that_is_too_large(self, probe_database) -> None:
        async with probing.running(probe_database.url, max_body_bytes=1000) as small:
            answer = await small.http.post(
                "/v1/notes", json={"words": "x" * 2000}, headers=headers()
            )
            asked_for = 0

            async def unsaid():
                nonlocal asked_for
                for _ in range(10):
                    asked_for += 1
                    yield b"x" * 600

            sent = headers(**{"Content-Type": "application/json"})
            streamed = await small.http.post("/v1/notes", content=unsaid(), headers=sent)
            larger = [
                await small.http.post(
                    "/v1/notes/large", json={"words": "x" * size}, headers=headers()
                )
                for size in (2000, 5000)
            ]
            nobody = await small.http.post("/v1/notes", json={"words": "x" * 2000})
        assert [said.status_code for said in (*larger, nobody)] == [201, 413, 401]
        assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")
        assert (streamed.status_code, streamed.json()["type"]) == (413, "/problems/too-large")
        assert asked_for == 2  # nothing is read on

    async def test_a_database_that_is_away_or_busy_is_said_to_be(
        self, probe_database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        away = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
        async with probing.running(away) as lost:
            answers = [await lost.http.get("/v1/notes", headers=headers())]
        async with probing.running(probe_database.url, database_pool_size=1) as small:
            monkeypatch.setattr(small.homeward.database.engine.pool, "_timeout", 0.1)
            async with (
                small.homeward.database.engine.connect(),
                small.homeward.database.engine.connect(),
            ):
                answers.append(await small.http.get("/v1/notes", headers=headers()))
        for answer in answers:
            assert (answer.status_code, answer.headers.get("retry-after")) == (503, "2")
            assert answer.json()["type"] == "/problems/service-unavailable"

    async def test_a_statement_that_takes_too_long_is_not_blamed_on_others(
        self, probe: Probe, probe_database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with probing.running(probe_database.url) as slow:
            hasty = Database(slow.homeward.settings.sqlalchemy_url, statement_timeout=200)
            monkeypatch.setattr(slow.homeward, "database", hasty)
            answer = await slow.http.post(
                "/v1/notes", json={"words": "slow statement"}, headers=headers()
            )
            await hasty.close()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert answer.json()["type"] == "/problems/took-too-long"
        there = await probe.http.get(
            "/v1/notes", params={"words": "slow statement"}, headers=headers()
        )
        assert there.json()["items"] == []


class TestPages:
    async def test_pages_hold_everything_once(self, probe: Probe) -> None:
        made = [
            (await probe.http.post("/v1/notes", json={"words": "paged"}, headers=headers())).json()[
                "id"
            ]
            for _ in range(7)
        ]
        seen, cursor = [], None
        while True:
            params = {"limit": 3, "words": "paged"} | ({"after": cursor} if cursor else {})
            body = (await probe.http.get("/v1/notes", params=params, headers=headers())).json()
            seen += body["items"]
            cursor = body["next"]
            if cursor is None:
                break
        assert seen == sorted(made)

    @pytest.mark.parametrize("cursor", ["x", "W10", "WyJub3QgYSB1dWlkIl0"])
    async def test_cursor_that_is_none(self, probe: Probe, cursor: str) -> None:
        answer = await probe.http.get("/v1/notes", params={"after": cursor}, headers=headers())
        assert answer.status_code == 400
