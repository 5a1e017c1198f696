"""A batch of referrals through cases: how many a second, and how much memory it takes.

    python -m benchmarks.batch [--referrals 5000] [--known 0]

In one process on a PostgreSQL of its own: received over HTTP, taken by the job, with a search for
duplicates a person, among as many people as are said to be known. The bare baseline writes as many
rows of the same content in as large transactions.
"""

import argparse
import asyncio
import copy
import json
import random
import resource
import shutil
import tempfile
import time
from pathlib import Path

import asyncpg

from benchmarks.search import load
from cli.embedded import EmbeddedPostgres, free_port
from services.cases.intake.batches.service import AT_ONCE, BATCH_JOB
from tests.cases.house import running
from tests.conftest import Databases

EXAMPLES = Path(__file__).resolve().parents[1] / "tests" / "cases" / "data" / "referrals.jsonl"


def referrals(number: int) -> bytes:
    """Referrals of one sender, of people of their own: dates, documents and phones of the examples
    are varied.
    """
    chance = random.Random(5)
    originals = [json.loads(line) for line in EXAMPLES.read_text(encoding="utf-8").splitlines()]
    originals = [each for each in originals if each["sender"] == "fedasil"]
    lines = []
    for place in range(number):
        referral = copy.deepcopy(originals[place % len(originals)])
        referral["external_reference"] = f"BENCH-{place:06}"
        for person in referral["people"]:
            born = person["birth"]["date"]
            person["birth"]["date"] = (
                f"{int(born[:4]) - chance.randrange(20)}-{chance.randrange(1, 13):02}{born[7:8]}14"
            )
            for document in person["documents"]:
                document["number"] = f"A{chance.randrange(10**8):08}"
            for contact in person["contacts"]:
                contact["value"] = f"+964780{chance.randrange(10**7):07}"
        lines.append(json.dumps(referral, ensure_ascii=False))
    return "\n".join(lines).encode()


def memory() -> float:
    """The most that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def bare(url: str, raw: bytes) -> float:
    """How long it takes to write as many rows of the same content and nothing else."""
    lines = raw.decode().splitlines()
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE bare (number integer PRIMARY KEY, content jsonb)")
    begun = time.perf_counter()
    for start in range(0, len(lines), AT_ONCE):
        rows = list(enumerate(lines[start : start + AT_ONCE], start))
        async with connection.transaction():
            await connection.executemany("INSERT INTO bare VALUES ($1, $2)", rows)
    took = time.perf_counter() - begun
    await connection.close()
    return took


async def run(databases: Databases, number: int, known: int) -> None:
    """Measure and print."""
    fresh = await databases.new("cases")
    if known:
        await load(fresh.admin_url, known)
    raw = referrals(number)
    baseline = await bare(fresh.admin_url, raw)
    async with running(fresh.url) as house:
        before = memory()
        headers = house.headers("fedasil") | {
            "Content-Type": "application/jsonl",
            "Idempotency-Key": "bench",
        }
        begun = time.perf_counter()
        answer = await house.http.post(
            "/v1/referral-batches", content=raw, headers=headers, timeout=60
        )
        assert answer.status_code == 202, answer.text
        received = time.perf_counter() - begun
        path = f"/referral-batches/{answer.json()['id']}"
        begun = time.perf_counter()
        while (batch := (await house.get(path, "fedasil")).json())["state"] != "done":
            async with house.homeward.database.transaction() as session:
                await BATCH_JOB.apply(session, {"batch_id": batch["id"]}, None)
        took = time.perf_counter() - begun
        print(
            f"{number} referrals, {len(raw) / 1e6:.1f} MB: received in {received:.2f} s; "
            f"{batch['submitted']} submitted, {batch['refused']} refused in {took:.1f} s, "
            f"{number / took:.0f}/s; "
            f"memory {before:.0f} MB before, {memory():.0f} MB at most; "
            f"bare rows {number / baseline:.0f}/s, {took / baseline:.0f} times as fast"
        )


def main() -> None:
    """Run it on a PostgreSQL that is thrown away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--referrals", type=int, default=5000)
    parser.add_argument("--known", type=int, default=0)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="homeward-benchmark-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs as another account and must pass through
    server = EmbeddedPostgres(
        folder / "data", free_port(), password="benchmark", log=folder / "log", durable=True
    )
    try:
        server.start()
        asyncio.run(run(Databases(server.url()), given.referrals, given.known))
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
