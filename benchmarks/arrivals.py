"""The arrivals board with 10,000 arrivals beside an empty one.

    python -m benchmarks.arrivals [arrivals] [requests]

The arrivals are spread over four ports and a year; 430 more, of one charter, land at one of them on
one day.

Reception is called in process on an embedded PostgreSQL of its own. Beside the board, in the same
run, a bare SELECT 1 through the same application's pool. Figures of two runs on one machine
compare; figures of two machines do not.
"""

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from sqlalchemy import text

from cli.embedded import EmbeddedPostgres, free_port
from tests.conftest import Databases
from tests.reception.desk import Desk, running

ARRIVALS, REQUESTS, PAGE, CHARTER = 10_000, 300, 50, 430
DAY = datetime(2026, 3, 15, tzinfo=UTC)

FILL = """
    WITH people AS (
        INSERT INTO arrival (id, returnee_id, travel_id, state, state_at, port_of_entry,
            expected_at, confirmed)
        SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'expected',
            clock_timestamp(),
               (ARRAY['BGW', 'BSR', 'EBL', 'ISU'])[1 + n % 4], $2::timestamptz + (n % 365 - 182) *
                   interval '1 day',
               true
        FROM generate_series(1, $1) AS n RETURNING returnee_id
    )
    INSERT INTO participation (subject_id, role, organisation)
    SELECT returnee_id, 'partner', 'iom-iraq' FROM people
"""
CHARTERED = FILL.replace("(ARRAY['BGW', 'BSR', 'EBL', 'ISU'])[1 + n % 4]", "'ISU'").replace(
    "(n % 365 - 182)", "0"
)


async def times(work: Callable[[], Awaitable[object]], count: int) -> list[float]:
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        await work()
        took.append((time.perf_counter() - begun) * 1000)
    return took[count // 10 :]  # the first ones warm up


def percentiles(milliseconds: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(milliseconds, n=100)
    return cuts[49], cuts[98]


def said(milliseconds: list[float]) -> str:
    p50, p99 = percentiles(milliseconds)
    return f"p50 {p50:6.1f} ms   p99 {p99:6.1f} ms"


async def bare(desk: Desk) -> None:
    async with desk.homeward.database.transaction() as session:
        await session.execute(text("SELECT 1"))


async def board(desk: Desk, organisation: str = "iom-iraq", **query: str) -> int:
    answer = await desk.get("", organisation=organisation, limit=str(PAGE), **query)
    assert answer.status_code == 200, answer.text
    return len(answer.json()["items"])


async def measure(
    desk: Desk, what: str, against: list[float] | None, requests: int, **query: str
) -> list[float]:
    """Ask for one board again and again, and print how long it took."""
    shown = await board(desk, **query)
    found = await times(lambda: board(desk, **query), requests)
    ratio = ""
    if against is not None:
        parts = zip(percentiles(found), percentiles(against), strict=True)
        ratio = "   empty table x " + " / ".join(f"{mine / other:.1f}" for mine, other in parts)
    print(f"{what:38} {said(found)}   {shown:3} shown{ratio}")
    return found


async def main(folder: Path, arrivals: int, requests: int) -> None:
    server = EmbeddedPostgres(
        folder / "data", free_port(), password="benchmark", log=folder / "log", durable=False
    )
    try:
        server.start()
        fresh = await Databases(server.url()).new("reception")
        async with running(fresh.url) as desk:
            day = {"date": "2026-03-15"}
            print(
                f"{'SELECT 1 through the pool':38} "
                f"{said(await times(lambda: bare(desk), requests))}"
            )
            empty = await measure(
                desk, "board of a port and day, empty table", None, requests, port="EBL", **day
            )
            admin = await asyncpg.connect(fresh.admin_url)
            await admin.execute(FILL, arrivals, DAY)
            await admin.execute(CHARTERED, CHARTER, DAY)
            await admin.execute("ANALYZE arrival, participation")
            await admin.close()
            await measure(
                desk, f"the same with {arrivals:,} arrivals", empty, requests, port="EBL", **day
            )
            await measure(
                desk, "the first page of the charter's day", empty, requests, port="ISU", **day
            )
            await measure(desk, "a day at all ports", empty, requests, **day)
            await measure(desk, "a port on all days", empty, requests, port="EBL")
            await measure(
                desk,
                "who sees nobody: a port on all days",
                empty,
                requests,
                port="EBL",
                organisation="ewec",
            )
    finally:
        server.kill()


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    home = Path(tempfile.mkdtemp(prefix="homeward-benchmark-"))
    home.chmod(0o711)  # as root, PostgreSQL runs as another account and must pass through
    try:
        asyncio.run(main(home, *(given + [ARRIVALS, REQUESTS][len(given) :])))
    finally:
        shutil.rmtree(home, ignore_errors=True)
