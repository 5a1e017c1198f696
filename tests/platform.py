"""The whole platform as its users meet it: `homeward up` in a folder of its own, and clients that
speak HTTP to it.
"""

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
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from chassis.db import Database
from chassis.events import Audience
from chassis.settings import Settings
from cli.client import GatewayClient
from cli.demo import ALLOWANCE, Return, Walk, eventually, moved_to
from cli.embedded import free_port
from cli.kafka import ApacheKafka
from cli.machine import Machine
from cli.roles import ROLES
from contracts.asyncapi import EVENTS
from contracts.programmes import Programme, load_programmes
from services.grants.books.verify import verify

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 240
SERVICES = [name for name in ROLES if name != "gateway"]
PORTS = [
    "HOMEWARD_POSTGRES_PORT",
    "HOMEWARD_KAFKA_PORT",
    *(role.port_variable for role in ROLES.values()),
]


class Platform:
    """A running platform.

    Args:
        home: Its folder.
        environment: Variables beside the ports.
        patience: Seconds for which its clients send again what does not get through.
        kafka: A broker of its own that is not the platform's to start.
    """

    def __init__(
        self,
        home: Path,
        environment: dict[str, str] | None = None,
        *,
        patience: float = 20,
        kafka: ApacheKafka | None = None,
    ) -> None:
        self.home = home
        self.patience = patience
        self.kafka = kafka
        chosen = {variable: str(free_port()) for variable in PORTS}
        if kafka is not None:
            chosen["HOMEWARD_KAFKA_BOOTSTRAP"] = kafka.bootstrap
        else:  # platforms rest while other tests run: they need not ask their brokers so often
            chosen["HOMEWARD_KAFKA_FETCH_WAIT_MS"] = "60"
        self.environment = dict(os.environ) | chosen | (environment or {})
        self.gateway = f"http://127.0.0.1:{chosen['HOMEWARD_GATEWAY_PORT']}"
        self.urls = {
            name: f"http://127.0.0.1:{chosen[role.port_variable]}" for name, role in ROLES.items()
        }
        self.postgres_port = int(chosen["HOMEWARD_POSTGRES_PORT"])
        self.bootstrap = (
            self.environment.get("HOMEWARD_KAFKA_BOOTSTRAP")
            or f"127.0.0.1:{chosen['HOMEWARD_KAFKA_PORT']}"
        )
        self.output = home / "up.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: dict[tuple[str, str | None], GatewayClient] = {}

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
        for client in self._clients.values():
            await client.close()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                await asyncio.to_thread(self.process.wait, 30)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def pid(self, name: str) -> int:
        """Process id of a role, of `PostgreSQL` or of the `Broker`."""
        noted = json.loads((self.home / "home" / "processes.json").read_text())
        return int(noted[name][0])

    def kill(self, name: str) -> None:
        """`kill -9`; the supervisor starts it again."""
        psutil.Process(self.pid(name)).kill()

    async def restart(self, name: str) -> None:
        """`kill -9`, and wait until it is back; the `Broker` has lost everything that it held."""
        if name == "Broker" and self.kafka is not None:
            await asyncio.to_thread(self.kafka.restart_empty)
            return
        before = self.said().count(f"{name} is back")
        self.kill(name)
        async with asyncio.timeout(120):
            while self.said().count(f"{name} is back") == before:  # noqa: ASYNC110 - the supervisor says so
                await asyncio.sleep(0.05)

    @property
    def machine(self) -> Machine:
        """Its folder, with the secrets."""
        return Machine(self.home / "home")

    def database_url(self, role: str) -> str:
        """Address of a role's database, as the role that works with its rows."""
        name = ROLES[role].database
        return f"postgresql://{name}:{self.machine.database_password(name)}@127.0.0.1:{self.postgres_port}/{name}"

    def client(self, client_id: str, person: str | None = None) -> GatewayClient:
        """A client of it."""
        made = self._clients.get((client_id, person))
        if made is None:
            secret = self.machine.client_secret(client_id)
            made = GatewayClient(self.gateway, client_id, secret, person, patience=self.patience)
            self._clients[client_id, person] = made
        return made

    async def log(self, service: str) -> list[dict[str, Any]]:
        """A service's own event log, from its feed."""
        reader, items, after = self.client("service-gateway"), [], 0
        while True:
            answer = await reader.call(
                "GET", self.urls[service] + "/v1/events", params={"after": after}
            )
            assert answer.is_success, answer.text
            page = answer.json()
            items += page["items"]
            if not page["items"]:
                return items
            after = page["next"]

    async def books(self) -> tuple[str, ...]:
        """What does not hold in the books of grants; nothing where they are right."""
        database = Database.from_settings(
            Settings(database_url=self.database_url("grants")), "proof"
        )
        try:
            async with database.transaction() as session:
                return (await verify(session)).findings
        finally:
            await database.close()

    async def fresh_timeline(
        self, reader: GatewayClient, returnee_id: str, *, up_to: dict[str, int] | None = None
    ) -> Any:
        """A timeline once it is complete, up to given positions if there are any."""

        async def complete() -> Any:
            page = await reader.get(f"/v1/returnees/{returnee_id}/timeline", limit=200)
            fresh = page["freshness"]
            reached = all(fresh.get(s, {}).get("applied", 0) >= p for s, p in (up_to or {}).items())
            return (
                page if reached and fresh and all(f["complete"] for f in fresh.values()) else None
            )

        return await eventually(complete, "the timeline is complete")


@asynccontextmanager
async def running_platform(
    environment: dict[str, str] | None = None, *, patience: float = 20
) -> AsyncIterator[Platform]:
    """A platform of its own for one test or module; on Apache Kafka where HOMEWARD_TEST_KAFKA is
    `apache`.
    """
    home = Path(tempfile.mkdtemp(prefix=f"homeward-{secrets.token_hex(2)}-"))
    home.chmod(0o711)
    kafka = None
    if os.environ.get("HOMEWARD_TEST_KAFKA") == "apache":
        kafka = ApacheKafka(home / "kafka", free_port(), log=home / "kafka.log")
    platform = Platform(home, environment, patience=patience, kafka=kafka)
    try:
        if kafka is not None:
            await asyncio.to_thread(kafka.start)
        await platform.start()
        yield platform
    finally:
        await platform.stop()
        if kafka is not None:
            kafka.kill()
        shutil.rmtree(home, ignore_errors=True)


@cache
def programmes() -> dict[str, Programme]:
    """The programmes that the platform carries."""
    return load_programmes(ROOT / "programmes")


def example(reference: str | None = None, **replace: Any) -> dict[str, Any]:
    """A referral of `examples/`, under a reference of its own so that it can be sent again and
    again.

    As in the demo it departs today where its programme still runs, so that its windows are open.
    """
    lines = (ROOT / "examples" / "referrals.jsonl").read_text().splitlines()
    referrals = [json.loads(line) for line in lines]
    found = next(r for r in referrals if reference is None or r["external_reference"] == reference)
    stem = re.sub(r"[^A-Z0-9-]", "", found["external_reference"])
    today = datetime.now(UTC).date()
    if found["travel"] and programmes()[found["programme"]].version_at(today) is not None:
        found = moved_to(today, found)
    return found | {"external_reference": f"{stem}-{secrets.token_hex(4)}"} | replace


def shown_to(audience: Audience, event: dict[str, Any]) -> bool:
    """Whether the contract lets somebody in that capacity see an event."""
    (model,) = [model for model in EVENTS if model.event_type == event["type"]]
    return audience in model.audience


def walk_of(platform: Platform) -> Walk:
    """The steps of the journey, through this platform's gateway."""
    return Walk(
        platform.client, {programme.id: programme.office for programme in programmes().values()}
    )


async def walked(platform: Platform, content: dict[str, Any]) -> Return:
    """A referral that went all the way to the last confirmed payment."""
    walk = walk_of(platform)
    way = await walk.submit(content)
    for step in (
        walk.fund,
        walk.accept,
        walk.confirm_travel,
        walk.prepare_cash,
        walk.meet,
        walk.plan,
        walk.support,
    ):
        await step(way)
    if (
        ALLOWANCE in content["requested_assistance"]
    ):  # what attendance earns is paid when somebody has attended
        await walk.offer_courses()
        for step in (walk.train, walk.allow):
            await step(way)
    return way
