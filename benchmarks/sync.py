"""A tablet's log of 1,000 entries, beside the same rows written bare.

    python -m benchmarks.sync [--entries 1000] [--logs 5] [--profile]

Reception is called in process on an embedded PostgreSQL of its own; each log is of passengers of a
charter whom no referral names, so that each of them also gets an id. Afterwards the rows that came
of a log are read, deleted, and written again in one transaction by executemany. Figures of two runs
on one machine compare.
"""

import argparse
import asyncio
import cProfile
import pstats
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from cli.embedded import EmbeddedPostgres, free_port
from tests.conftest import Databases
from tests.reception.desk import Desk, running

LANDED = datetime(2026, 3, 15, tzinfo=UTC)
STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("check-in", {}),
    (
        "profile",
        {"household": {"women": 0, "men": 1, "girls": 0, "boys": 0}, "needs_priority": "routine"},
    ),
    ("assistance", {"kind": "nutrition"}),
    ("complete", {}),
)
WRITTEN = (
    "device_mutation",
    "arrival_profile",
    "arrival_assistance",
    "identity_copy",
    "returnee_mark",
    "participation",
    "audit",
    "outbox",
)
"""What a log leaves behind, beside the arrivals themselves."""


async def log_for(desk: Desk, entries: int) -> list[dict[str, Any]]:
    """A log of whole receptions, of so many entries."""
    flight = await desk.announce(programme=None, return_kind=None)
    passengers = [
        {
            "seat": f"{n}A",
            "nationality": "IRQ",
            "given_names": "SIMULATED",
            "birth_date": "1980-07-01",
            "document_kind": "passport",
            "document_number": uuid4().hex[:12].upper(),
        }
        for n in range(entries // len(STEPS))
    ]
    assert (await desk.manifest(flight, passengers)).status_code == 200
    return [
        {
            "id": str(uuid4()),
            "kind": kind,
            "arrival_id": passenger["arrival_id"],
            "occurred_at": (LANDED + timedelta(minutes=minute)).isoformat(),
            "data": data,
        }
        for passenger in (await desk.passengers(flight)).values()
        for minute, (kind, data) in enumerate(STEPS)
    ]


async def send(desk: Desk, log: list[dict[str, Any]], outcome: str) -> float:
    """Send a log; milliseconds."""
    body = {"device": str(uuid4()), "sent_at": datetime.now(UTC).isoformat(), "mutations": log}
    begun = time.perf_counter()
    answer = await desk.call("POST", "/v1/arrivals/sync", json=body)
    took = (time.perf_counter() - begun) * 1000
    assert {item["outcome"] for item in answer.json()["items"]} == {outcome}, answer.text[:400]
    return took


async def empty(admin: asyncpg.Connection) -> None:
    """Forget what was written before, the audit trail too."""
    async with admin.transaction():
        await admin.execute("SET LOCAL session_replication_role = replica")
        await admin.execute("TRUNCATE " + ", ".join(WRITTEN))


async def bare(admin: asyncpg.Connection) -> tuple[float, int]:
    """Write the rows of a log again; milliseconds, and how many."""
    columns_of = """
        SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND table_schema =
            'public'
        AND is_identity = 'NO' AND is_generated = 'NEVER' ORDER BY ordinal_position
    """
    found = {}
    for table in WRITTEN:
        columns = [row["column_name"] for row in await admin.fetch(columns_of, table)]
        rows = await admin.fetch(f"SELECT {', '.join(columns)} FROM {table}")
        found[table] = (columns, [tuple(row) for row in rows])
    arrivals = [
        tuple(row) for row in await admin.fetch("SELECT id, met_at, arrived_on FROM arrival")
    ]
    await empty(admin)
    begun = time.perf_counter()
    async with admin.transaction():
        for table, (columns, rows) in found.items():
            marks = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
            await admin.executemany(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows
            )
        change = (
            "UPDATE arrival SET met_at = $2, arrived_on = $3, version = version + 1 WHERE id = $1"
        )
        await admin.executemany(change, arrivals)
    took = (time.perf_counter() - begun) * 1000
    return took, sum(len(rows) for _, rows in found.values()) + len(arrivals)


async def main(folder: Path, entries: int, logs: int, *, profile: bool) -> None:
    """Measure and print."""
    server = EmbeddedPostgres(
        folder / "data", free_port(), password="benchmark", log=folder / "log", durable=False
    )
    try:
        server.start()
        fresh = await Databases(server.url()).new("reception")
        async with running(fresh.url) as desk:
            admin = await asyncpg.connect(fresh.admin_url)
            taken, again, written, rows = [], [], [], 0
            for number in range(logs + 1):
                log = await log_for(desk, entries)
                profiler = cProfile.Profile() if profile and number == logs else None
                if profiler:
                    profiler.enable()
                took = await send(desk, log, "applied")
                if profiler:
                    profiler.disable()
                    pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)
                repeated = await send(desk, log, "already_applied")
                alone, rows = await bare(admin)
                if number:  # the first one warms up
                    taken.append(took)
                    again.append(repeated)
                    written.append(alone)
                await empty(admin)
                await admin.execute("TRUNCATE arrival CASCADE")
            await admin.close()
        per = 1000 / entries
        print(
            f"{rows} rows for {entries} entries; milliseconds per 1,000 entries, median of "
            f"{logs} logs"
        )
        print(f"applied                 {statistics.median(taken) * per:7.0f}")
        print(f"sent again              {statistics.median(again) * per:7.0f}")
        print(f"the same rows, bare     {statistics.median(written) * per:7.0f}")
        print(
            f"applied : bare          {statistics.median(taken) / statistics.median(written):7.1f}"
        )
    finally:
        server.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=1000)
    parser.add_argument("--logs", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="homeward-benchmark-"))
    home.chmod(0o711)  # as root, PostgreSQL runs as another account and must pass through
    try:
        asyncio.run(main(home, given.entries, given.logs, profile=given.profile))
    finally:
        shutil.rmtree(home, ignore_errors=True)
