"""`homeward simulate flight`: tablets that had no connection while a charter was received, and now
send their logs.
"""

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from rich.console import Console
from rich.table import Table

from cli.client import GatewayClient
from cli.demo import GetClient, Stuck, eventually, progress

PORT = "EBL"
SEATS = "ABCDEF"
ANONYMOUS = 0.15
TWICE_MET = 0.05
"""Share of passengers whom a second tablet checks in too, by itself."""
ROUNDS = 12
READERS = 8
SETTLED = {"applied", "already_applied"}
TOLD = {
    "check-in": "reception.arrival.received",
    "profile": "reception.arrival.profiled",
    "assistance": "reception.assistance.provided",
    "onward-transport": "reception.onward_transport.arranged",
    "complete": "reception.arrival.completed",
}
"""What each kind of entry is published as, once."""

Entry = dict[str, Any]
ReadLog = Callable[[], Awaitable[list[dict[str, Any]]]]
"""Reads reception's own event log."""


@dataclass
class Flight:
    """A flight to be simulated.

    Attributes:
        passengers: How many are on it.
        devices: How many tablets receive them.
        duplicates: Share of entries that a tablet sends a second time.
        shuffle: Whether a tablet sends its log in no order.
        batch: Entries in a request.
        seed: Of the random numbers.
    """

    passengers: int = 430
    devices: int = 10
    duplicates: float = 0.3
    shuffle: bool = True
    batch: int = 100
    seed: int = 1


@dataclass
class Report:
    """What was sent, and what came of it."""

    passengers: int = 0
    entries: int = 0
    sent: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    conflicts_told: int = 0
    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing was lost and nothing is there twice."""
        return not self.lost and not self.double


@dataclass
class _Device:
    number: int
    client: GatewayClient
    log: list[Entry]
    id: UUID = field(default_factory=uuid4)


class Simulation:
    """One flight from its announcement to what is on record afterwards.

    Args:
        client: Gives the client of an organisation.
        read_log: Reads reception's own event log, to count what was published.
        flight: What is simulated.
        partner: The organisation whose desk receives it.
    """

    def __init__(
        self, client: GetClient, read_log: ReadLog, flight: Flight, partner: str = "iom-iraq"
    ) -> None:
        self.client = client
        self.read_log = read_log
        self.flight = flight
        self.partner = partner
        self.random = random.Random(flight.seed)  # noqa: S311 - a simulation
        self.report = Report(passengers=flight.passengers)
        self.landed_at = datetime.now(UTC) - timedelta(hours=2)
        self.expected: dict[str, Counter[str]] = {}
        self.twice: set[str] = set()
        self.flight_id = ""

    async def run(self, console: Console) -> Report:
        """Announce the flight, receive everybody, send the logs, and count.

        Raises:
            Stuck: A log is never taken whole.
            Refused: The gateway refused a request.
        """
        arrivals = await self._announce()
        devices = self._receive(arrivals)
        self.report.entries = sum(len(device.log) for device in devices)
        begun = time.perf_counter()
        with progress(console) as bar:
            task = bar.add_task("Entries taken", total=self.report.entries)
            await asyncio.gather(
                *(self._flush(device, lambda n: bar.advance(task, n)) for device in devices)
            )
        self.report.seconds = time.perf_counter() - begun
        await self._count(arrivals)
        return self.report

    async def _announce(self) -> list[dict[str, Any]]:
        desk = self.client(self.partner, "officer-0")
        announced = await desk.post(
            "/v1/flights",
            {
                "charter": True,
                "origin": "LEJ",
                "port_of_entry": PORT,
                "scheduled_at": self.landed_at.isoformat(),
                "programme": "eurp",
                "return_kind": "forced_charter",
            },
        )
        self.flight_id = str(announced["id"])
        path = f"/v1/flights/{self.flight_id}"
        await desk.put_new(f"{path}/manifest", {"passengers": self._manifest()})
        await desk.post(f"{path}/landed", {"landed_at": self.landed_at.isoformat()})
        return await self._board()

    async def _board(self) -> list[dict[str, Any]]:
        desk = self.client(self.partner, "officer-0")
        found: list[dict[str, Any]] = []
        after = None
        while True:
            page = await desk.get("/v1/arrivals", flight_id=self.flight_id, limit=200, after=after)
            found += page["items"]
            after = page["next"]
            if after is None:
                return found

    def _manifest(self) -> list[dict[str, Any]]:
        passengers: list[dict[str, Any]] = []
        while len(passengers) < self.flight.passengers:
            family = min(
                self.random.choice([1, 1, 1, 1, 2, 3, 4, 6]),
                self.flight.passengers - len(passengers),
            )
            group = f"F{len(passengers)}"
            nameless = family == 1 and self.random.random() < ANONYMOUS * 2
            for member in range(family):
                number = len(passengers)
                passenger: dict[str, Any] = {
                    "seat": f"{number // len(SEATS) + 1}{SEATS[number % len(SEATS)]}",
                    "nationality": "IRQ",
                }
                if not nameless:
                    born = 1980 if member < 2 else 2015  # noqa: PLR2004 - two adults a family
                    passenger |= {
                        "family_name": "SIMULATED",
                        "given_names": "".join(self.random.choices("ABDEHIKLMNORSTZ", k=7)),
                        "sex": self.random.choice(["male", "female"]),
                        "birth_date": f"{born}-07-01",
                        "document_kind": "laissez_passer",
                        "document_number": f"SIM{uuid4().hex[:10].upper()}",
                        **({"family_group": group} if family > 1 else {}),
                    }
                passengers.append(passenger)
        return passengers

    def _receive(self, arrivals: list[dict[str, Any]]) -> list[_Device]:
        """What each tablet notes while it has no connection; a family stays at one of them."""
        devices = [
            _Device(number, self.client(self.partner, f"officer-{number}"), [])
            for number in range(self.flight.devices)
        ]
        at_desk: dict[str, _Device] = {}
        for arrival in arrivals:
            group = arrival["family_group"] or arrival["id"]
            device = at_desk.setdefault(group, self.random.choice(devices))
            log = self._reception(arrival)
            device.log += log
            self.expected[arrival["id"]] = Counter(
                TOLD[entry["kind"]] for entry in log if entry["kind"] in TOLD
            )
            others = [each for each in devices if each is not device]
            if others and self.random.random() < TWICE_MET:
                self._meet_again(arrival, self.random.choice(others), log)
        return devices

    def _meet_again(
        self, arrival: dict[str, Any], other: _Device, log: list[dict[str, Any]]
    ) -> None:
        """Another tablet notes the same meeting."""
        again = self._entry("check-in", arrival, 1)
        other.log.append(again)
        self.twice |= {again["id"]} | {entry["id"] for entry in log if entry["kind"] == "check-in"}

    def _reception(self, arrival: dict[str, Any]) -> list[Entry]:
        log = []
        if arrival["identity"] is None:
            particulars = {
                "names": [{"script": "Latn", "given": "Entered", "family": "Simulated"}],
                "sex": "male",
                "birth": {"date": "1990-07-01", "precision": "estimated"},
                "nationality": "IRQ",
            }
            log.append(self._entry("bind", arrival, 0, {"particulars": particulars}))
        household = {"women": 0, "men": 1, "girls": 0, "boys": 0}
        log += [
            self._entry("check-in", arrival, 1),
            self._entry(
                "profile", arrival, 2, {"household": household, "needs_priority": "routine"}
            ),
            self._entry("assistance", arrival, 3, {"kind": "nutrition"}),
            self._entry(
                "onward-transport",
                arrival,
                4,
                {"mode": "bus", "destination": {"governorate": "IQ-AR"}},
            ),
            self._entry("complete", arrival, 6),
        ]
        return log

    def _entry(
        self,
        kind: str,
        arrival: Mapping[str, Any],
        minute: float,
        data: Mapping[str, Any] | None = None,
    ) -> Entry:
        at = self.landed_at + timedelta(minutes=30 * self.random.random() / 30 + minute)
        return {
            "id": str(uuid4()),
            "kind": kind,
            "arrival_id": arrival["id"],
            "occurred_at": at.isoformat(),
            "data": dict(data or {}),
        }

    async def _flush(self, device: _Device, taken: Callable[[int], object]) -> None:
        waiting = {entry["id"]: entry for entry in device.log}
        problems: dict[str, Any] = {}
        for _ in range(ROUNDS):
            to_send = self._disturbed(list(waiting.values()))
            for start in range(0, len(to_send), self.flight.batch):
                for result in await self._send(device, to_send[start : start + self.flight.batch]):
                    problems[result["id"]] = result["problem"]
                    if self._is_settled(result) and waiting.pop(result["id"], None) is not None:
                        taken(1)
            if not waiting:
                return
        left = Counter(
            f"{entry['kind']}: {problems[entry['id']]['title']}" for entry in waiting.values()
        )
        raise Stuck(f"tablet {device.number} could not settle {dict(left)}")

    def _disturbed(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Entries as a bad connection delivers them: some twice, in any order."""
        entries += self.random.sample(entries, round(len(entries) * self.flight.duplicates))
        if self.flight.shuffle:
            self.random.shuffle(entries)
        return entries

    def _is_settled(self, result: dict[str, Any]) -> bool:
        """Whether an entry need not be sent again; counts how it ended."""
        told = result["outcome"] == "conflict" and result["id"] in self.twice
        self.report.outcomes[result["outcome"]] += 1
        self.report.conflicts_told += told
        return result["outcome"] in SETTLED or (told and bool(result["problem"].get("by")))

    async def _send(self, device: _Device, entries: list[Entry]) -> list[dict[str, Any]]:
        body = {
            "device": str(device.id),
            "sent_at": datetime.now(UTC).isoformat(),
            "mutations": entries,
        }
        self.report.sent += len(entries)
        begun = time.perf_counter()
        answer = await device.client.post("/v1/arrivals/sync", body)
        self.report.milliseconds.append((time.perf_counter() - begun) * 1000)
        items: list[dict[str, Any]] = answer["items"]
        return items

    async def _count(self, arrivals: list[dict[str, Any]]) -> None:
        """Compare the board, the manifest, what is on record and what was published with what the
        tablets noted.
        """
        desk = self.client(self.partner, "officer-0")
        board = Counter(each["id"] for each in await self._board() if each["state"] == "completed")
        manifest = (await desk.get(f"/v1/flights/{self.flight_id}/manifest"))["passengers"]
        met = Counter(each["arrival_id"] for each in manifest if each["state"] == "completed")
        for arrival_id in self.expected.keys() | board.keys() | met.keys():
            on_them = {
                "line on the board": board[arrival_id],
                "line on the manifest": met[arrival_id],
            }
            self._compare(
                arrival_id, on_them, dict.fromkeys(on_them, int(arrival_id in self.expected))
            )
        slots = asyncio.Semaphore(READERS)

        async def read(arrival_id: str) -> None:
            async with slots:
                shown = await desk.get(f"/v1/arrivals/{arrival_id}")
            there = {
                "completed": int(shown["state"] == "completed"),
                "profile": int(shown["profile"] is not None),
                "assistance": len(shown["assistance"]),
                "onward transport": len(shown["onward_transport"]),
            }
            self._compare(arrival_id, there, dict.fromkeys(there, 1))

        await asyncio.gather(*(read(arrival["id"]) for arrival in arrivals))

        async def published() -> Any:
            found: dict[str, Counter[str]] = {arrival_id: Counter() for arrival_id in self.expected}
            for event in await self.read_log():
                arrival_id = event["data"].get("arrival_id")
                kind = event["type"].removeprefix("org.homeward.").removesuffix(".v1")
                if arrival_id in found and kind in TOLD.values():
                    found[arrival_id][kind] += 1
            enough = sum(map(sum, (each.values() for each in found.values())))
            return (
                found
                if enough >= sum(map(sum, (each.values() for each in self.expected.values())))
                else None
            )

        try:
            found = await eventually(published, "every fact is in reception's log")
        except Stuck as stuck:
            self.report.lost.append(str(stuck))
            return
        for arrival_id, wanted in self.expected.items():
            self._compare(arrival_id, found[arrival_id], wanted)

    def _compare(
        self, arrival_id: str, there: Mapping[str, int], wanted: Mapping[str, int]
    ) -> None:
        for what, times in wanted.items():
            if there.get(what, 0) < times:
                self.report.lost.append(f"{what} of arrival {arrival_id}")
            if there.get(what, 0) > times:
                self.report.double.append(f"{what} of arrival {arrival_id}")


async def feed(client: GatewayClient, reception: str) -> list[dict[str, Any]]:
    """Reception's event log, from its feed.

    Args:
        client: One of our own services'.
        reception: Address of reception.
    """
    found: list[dict[str, Any]] = []
    after = 0
    async with httpx.AsyncClient(base_url=reception, timeout=30) as http:
        while True:
            answer = await http.get(
                "/v1/events", params={"after": after}, headers=await client.headers()
            )
            answer.raise_for_status()
            page = answer.json()
            if not page["items"]:
                return found
            found += page["items"]
            after = page["next"]


def show(report: Report, console: Console) -> None:
    """What came of it, as a table."""
    table = Table(show_header=False, show_edge=False, pad_edge=False)
    cuts = (
        statistics.quantiles(report.milliseconds, n=100)
        if len(report.milliseconds) > 1
        else report.milliseconds * 99
    )
    rate = report.sent / report.seconds
    for name, value in (
        ("Passengers", report.passengers),
        ("Entries in the tablets' logs", report.entries),
        ("Sent, with repetitions", report.sent),
        ("Applied", report.outcomes["applied"]),
        ("Known already", report.outcomes["already_applied"]),
        (
            "Conflicts told",
            f"{report.outcomes['conflict']} ({report.conflicts_told} of two tablets at one person)",
        ),
        ("Not valid", report.outcomes["invalid"]),
        ("Requests", f"{len(report.milliseconds)}, p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms"),
        ("Entries a second", f"{rate:.0f} ({report.seconds:.1f} s in all)"),
        ("Lost", len(report.lost)),
        ("Double", len(report.double)),
    ):
        table.add_row(name, str(value))
    console.print(table)
    for finding in (report.lost + report.double)[:20]:
        console.print(f"! {finding}")
