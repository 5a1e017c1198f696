"""The whole platform as its users meet it: `homeward up` in a folder of its own, and clients that speak HTTP to it."""

import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil

from cli.embedded import free_port
from cli.machine import Machine
from cli.roles import ROLES

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 60
FRESH_SECONDS = 30
PORTS = ["HOMEWARD_POSTGRES_PORT", "HOMEWARD_KAFKA_PORT", *(role.port_variable for role in ROLES.values())]


class Client:
    """One organisation's client: gets its token, sends idempotency keys, sends again what did not get through.

    Args:
        platform: The platform.
        client_id: Its id.
        person: Opaque id of the person it acts for.
    """

    def __init__(self, platform: "Platform", client_id: str, person: str | None = None) -> None:
        self.platform = platform
        self.client_id = client_id
        self.person = person

    async def headers(self) -> dict[str, str]:
        """Authorization and the person."""
        token = await self.platform.token(self.client_id)
        return {"Authorization": f"Bearer {token}"} | ({"Homeward-Actor": self.person} if self.person else {})

    async def call(self, method: str, path: str, *, base: str | None = None, **options: Any) -> httpx.Response:
        """Send a request once."""
        headers = await self.headers() | options.pop("headers", {})
        if method == "POST":
            headers.setdefault("Idempotency-Key", str(uuid4()))
        return await self.platform.http.request(
            method, (base or self.platform.gateway) + path, headers=headers, **options
        )

    async def get(self, path: str, **params: Any) -> Any:
        """GET a document; fails loudly."""
        return await self._until_through("GET", path, params=params or None)

    async def post(self, path: str, body: Any = None, *, if_match: str | None = None) -> Any:
        """POST with one key for all attempts, as a careful client does on a bad connection."""
        headers = {"Idempotency-Key": str(uuid4())} | ({"If-Match": if_match} if if_match else {})
        return await self._until_through("POST", path, json=body, headers=headers)

    async def put(self, path: str, body: Any, *, if_match: str | None = None) -> Any:
        """PUT what is new, or in the place of what was seen."""
        seen = {"If-Match": if_match} if if_match else {"If-None-Match": "*"}
        return await self._until_through("PUT", path, json=body, headers=seen)

    async def decide(self, path: str, word: str, body: Any = None) -> Any:
        """A person's decision about what was just read."""
        for _ in range(5):
            seen = await self._send("GET", path)
            try:
                return await self.post(
                    f"{path}/{word}", body if body is not None else {}, if_match=seen.headers["etag"]
                )
            except AssertionError as error:
                if "412" not in str(error):
                    raise
        raise AssertionError(f"{path}/{word} was always changed in between")

    async def _until_through(self, method: str, path: str, **options: Any) -> Any:
        return (await self._send(method, path, **options)).json()

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        deadline = time.monotonic() + self.platform.patience
        while True:
            try:
                answer = await self.call(method, path, **options)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code < 500:
                assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:600]}"
                return answer
            said = f"{answer.status_code} {answer.text[:300]}" if answer is not None else "no answer"
            assert time.monotonic() < deadline, f"{method} {path}: still {said}"
            await asyncio.sleep(0.2)


class Platform:
    """A running platform.

    Args:
        home: Its folder.
        environment: Variables beside the ports.
        patience: Seconds for which its clients send again what does not get through.
    """

    def __init__(self, home: Path, environment: dict[str, str] | None = None, *, patience: float = 20) -> None:
        self.home = home
        self.patience = patience
        chosen = {variable: str(free_port()) for variable in PORTS}
        self.environment = dict(os.environ) | chosen | (environment or {})
        self.gateway = f"http://127.0.0.1:{chosen['HOMEWARD_GATEWAY_PORT']}"
        self.urls = {name: f"http://127.0.0.1:{chosen[role.port_variable]}" for name, role in ROLES.items()}
        self.postgres_port = int(chosen["HOMEWARD_POSTGRES_PORT"])
        self.bootstrap = (
            self.environment.get("HOMEWARD_KAFKA_BOOTSTRAP") or f"127.0.0.1:{chosen['HOMEWARD_KAFKA_PORT']}"
        )
        self.http = httpx.AsyncClient(timeout=15)
        self.output = home / "up.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._tokens: dict[str, tuple[str, float]] = {}

    async def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "up", "--home", str(self.home / "home")],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_SECONDS
        while "is ready after" not in self.said():
            assert self.process.poll() is None, f"it ended: {self.said()}"
            assert time.monotonic() < deadline, f"it is not ready: {self.said()}"
            await asyncio.sleep(0.1)

    def said(self) -> str:
        """What it told the terminal."""
        return self.output.read_text()

    async def stop(self) -> None:
        """Ctrl-C."""
        await self.http.aclose()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                await asyncio.to_thread(self.process.wait, 30)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def pid(self, name: str) -> int:
        """Process id of a role, of `postgres` or of the `broker`."""
        noted = json.loads((self.home / "home" / "processes.json").read_text())
        return int(noted[name][0])

    def kill(self, name: str) -> None:
        """`kill -9`; the supervisor starts it again."""
        with_children = [psutil.Process(self.pid(name))]
        for process in with_children:
            process.kill()

    async def token(self, client_id: str) -> str:
        """A token of one of this machine's clients."""
        token, until = self._tokens.get(client_id, ("", 0.0))
        if time.monotonic() < until:
            return token
        secret = self.machine.client_secret(client_id)
        deadline = time.monotonic() + self.patience
        while True:
            try:
                answer = await self.http.post(
                    self.gateway + "/oauth/token", data={"grant_type": "client_credentials"}, auth=(client_id, secret)
                )
                if answer.status_code < 500:
                    break
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, "the gateway gives no token"
            await asyncio.sleep(0.2)
        assert answer.is_success, answer.text
        self._tokens[client_id] = (answer.json()["access_token"], time.monotonic() + 240)
        return self._tokens[client_id][0]

    @property
    def machine(self) -> Machine:
        """Its folder, with the secrets."""
        return Machine(self.home / "home")

    def database_url(self, role: str) -> str:
        """Address of a role's database, as the role that works with its rows."""
        name = ROLES[role].database
        return f"postgresql://{name}:{self.machine.database_password(name)}@127.0.0.1:{self.postgres_port}/{name}"

    def client(self, client_id: str, person: str | None = None) -> Client:
        """A client of it."""
        return Client(self, client_id, person)

    async def log(self, service: str) -> list[dict[str, Any]]:
        """A service's own event log, from its feed."""
        reader, items, after = self.client("service-gateway"), [], 0
        while True:
            answer = await reader.call("GET", "/v1/events", base=self.urls[service], params={"after": after})
            assert answer.is_success, answer.text
            page = answer.json()
            items += page["items"]
            if not page["items"]:
                return items
            after = page["next"]

    async def fresh_timeline(self, reader: Client, returnee_id: str, *, up_to: dict[str, int] | None = None) -> Any:
        """A timeline once it is complete, up to given positions if there are any."""

        async def complete() -> Any:
            page = await reader.get(f"/v1/returnees/{returnee_id}/timeline", limit=200)
            fresh = page["freshness"]
            reached = all(fresh.get(s, {}).get("applied", 0) >= p for s, p in (up_to or {}).items())
            return page if reached and fresh and all(f["complete"] for f in fresh.values()) else None

        return await eventually(complete, "the timeline is complete", seconds=FRESH_SECONDS + self.patience)


async def eventually(look: Callable[[], Awaitable[Any]], what: str, *, seconds: float = 20) -> Any:
    """Wait for something that is true sooner or later."""
    deadline = time.monotonic() + seconds
    while True:
        found = await look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.1)


@asynccontextmanager
async def running_platform(
    environment: dict[str, str] | None = None, *, patience: float = 20
) -> AsyncIterator[Platform]:
    """A platform of its own for one test or module."""
    home = Path(tempfile.mkdtemp(prefix=f"homeward-{secrets.token_hex(2)}-"))
    home.chmod(0o711)
    platform = Platform(home, environment, patience=patience)
    try:
        await platform.start()
        yield platform
    finally:
        await platform.stop()
        shutil.rmtree(home, ignore_errors=True)


def example(reference: str | None = None, **replace: Any) -> dict[str, Any]:
    """A referral of `examples/`, under a reference of its own so that it can be sent again and again."""
    lines = (ROOT / "examples" / "referrals.jsonl").read_text().splitlines()
    referrals = [json.loads(line) for line in lines]
    found = next(r for r in referrals if reference is None or r["external_reference"] == reference)
    stem = re.sub(r"[^A-Z0-9-]", "", found["external_reference"])
    return found | {"external_reference": f"{stem}-{secrets.token_hex(4)}"} | replace
