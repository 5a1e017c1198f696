"""From commit in cases to visible in the gateway's timeline, at a steady rate on a whole platform
of its own.

    python -m benchmarks.latency [--rate 50] [--seconds 30]

Beside it, in the same run, the bare way there and back: one event acknowledged by the broker.
Bounded, 127.0.0.1 only.
"""

import argparse
import asyncio
import statistics
import time
from uuid import UUID, uuid4

import asyncpg
import psutil
from aiokafka import AIOKafkaProducer
from sqlalchemy import text

from chassis.db import Database
from chassis.outbox import publish
from chassis.settings import async_url
from contracts.cases import HouseholdChange, HouseholdChanged
from contracts.codes import Member
from tests.platform import Platform, running_platform

WARM_UP = 50


def percentiles(milliseconds: list[float]) -> str:
    cuts = statistics.quantiles(milliseconds, n=100)
    median, most = statistics.median(milliseconds), max(milliseconds)
    return f"median {median:.1f} ms, p99 {cuts[98]:.1f} ms, most {most:.1f} ms"


async def bare(platform: Platform, events: int) -> list[float]:
    producer = AIOKafkaProducer(bootstrap_servers=platform.bootstrap, acks="all")
    await producer.start()
    times = []
    for _ in range(events):
        begun = time.perf_counter()
        await producer.send_and_wait("benchmark.latency", b"x" * 300, partition=0)
        times.append((time.perf_counter() - begun) * 1000)
    await producer.stop()
    return times


async def measure(platform: Platform, rate: float, seconds: float) -> list[float]:
    cases = Database(async_url(platform.database_url("cases")))
    gateway = await asyncpg.connect(platform.database_url("gateway"))
    committed: dict[UUID, float] = {}
    took: list[float] = []

    async def write() -> None:
        person = uuid4()
        fact = HouseholdChanged(
            returnee_id=person,
            household_id=person,
            change=HouseholdChange.MEMBER_CHANGED,
            member=Member.ADULT,
        )
        async with cases.transaction() as session:
            await session.execute(text("SELECT 1"))
            publish(session, fact)
        committed[person] = time.perf_counter()

    async def watch(total: int) -> None:
        while len(took) < total:
            rows = await gateway.fetch(
                "SELECT subject FROM timeline WHERE subject = ANY($1)", list(committed)
            )
            seen = time.perf_counter()
            took.extend((seen - committed.pop(row["subject"])) * 1000 for row in rows)
            await asyncio.sleep(0.002)

    total = int(rate * seconds) + WARM_UP
    async with asyncio.timeout(seconds + 60):
        watching = asyncio.create_task(watch(total))
        begun, pending = time.perf_counter(), []
        for number in range(total):
            await asyncio.sleep(max(0, begun + number / rate - time.perf_counter()))
            pending.append(asyncio.create_task(write()))
        await asyncio.gather(*pending)
        await watching
    await cases.close()
    await gateway.close()
    return took[WARM_UP:]


def memory(platform: Platform) -> list[tuple[str, float, float]]:
    """Every process with its resident memory in MiB: all of it, and with what is shared counted
    once.
    """
    assert platform.process is not None
    family = [psutil.Process(platform.process.pid)]
    family += family[0].children(recursive=True)
    used = [(process.name(), process.memory_full_info()) for process in family]
    return [(name, info.rss / 2**20, info.pss / 2**20) for name, info in used]


async def main(rate: float, seconds: float) -> None:
    begun = time.perf_counter()
    async with running_platform() as platform:
        print(f"ready after {time.perf_counter() - begun:.1f} s (new data)")
        await asyncio.sleep(5)
        used = memory(platform)
        print(
            f"resident memory at rest: {sum(pss for _, _, pss in used):.0f} MB in {len(used)} "
            f"processes, "
            f"{sum(rss for _, rss, _ in used):.0f} MB with shared pages counted in each"
        )
        for name, rss, pss in sorted(used, key=lambda item: -item[1])[:6]:
            print(f"  {name:12} {pss:6.0f} MB {rss:6.0f} MB")
        alone = await bare(platform, 300)
        took = await measure(platform, rate, seconds)
        print(f"bare: one event acknowledged by the broker: {percentiles(alone)}")
        print(f"commit to timeline at {rate:.0f} events/s, {len(took)} events: {percentiles(took)}")
        print(f"ratio of medians: {statistics.median(took) / statistics.median(alone):.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    asyncio.run(main(given.rate, min(given.seconds, 120)))
