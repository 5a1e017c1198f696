"""Approvals and payments a second through the API, against the same rows written in bare
transactions.

    python -m benchmarks.payments [payments]

Both run on the same throw-away PostgreSQL, eight at once, one after the other. The bare baseline
writes the rows that an approval and a confirmation write (business, entry, postings, audit, outbox,
stored answer), and checks nothing.
"""

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg

from cli.embedded import EmbeddedPostgres, free_port
from tests.conftest import Databases
from tests.grants.office import APPROVER, RELEASER, Office, running, today

AT_ONCE = 8


async def all_of(work: Callable[[str], Awaitable[None]], items: list[str]) -> float:
    """How many a second."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(item: str) -> None:
        async with slots:
            await work(item)

    begun = time.perf_counter()
    await asyncio.gather(*(one(item) for item in items))
    return len(items) / (time.perf_counter() - begun)


async def through_the_api(office: Office, count: int) -> tuple[float, float, float]:
    await office.budget("1000000.00")
    payee = await office.payee()
    people = [await office.here() for _ in range(count)]
    grants = [(await office.grant(person, "10.00"))["id"] for person in people]

    async def approve(grant: str) -> None:
        answer = await office.post(f"/v1/grants/{grant}/approve", by=APPROVER, version=1)
        assert answer.status_code == 200, answer.text

    approvals = await all_of(approve, grants)
    payments = [
        (await office.scheduled({"id": grant, "amount": {"amount": "10.00"}}, payee))["id"]
        for grant in grants
    ]

    async def release(payment: str) -> None:
        answer = await office.post(f"/v1/payments/{payment}/release", {}, by=RELEASER, version=1)
        assert answer.status_code == 200, answer.text

    releases = await all_of(release, payments)

    async def confirm(payment: str) -> None:
        body = {"confirmed_on": today(), "receipt": uuid4()}
        answer = await office.post(f"/v1/payments/{payment}/confirm", body)
        assert answer.status_code == 200, answer.text

    confirmations = await all_of(confirm, payments)
    await office.proved()
    return approvals, releases, confirmations


async def bare(url: str, count: int) -> float:
    """The same rows, written without any check: a transaction each, as few statements as there are
    tables.
    """
    pool = await asyncpg.create_pool(url, min_size=AT_ONCE, max_size=AT_ONCE)
    budget = await pool.fetchval("SELECT id FROM budget LIMIT 1")
    grants = [row[0] for row in await pool.fetch("SELECT id FROM assistance_grant LIMIT $1", count)]
    answer = secrets.token_bytes(1500)

    async def write(grant: str) -> None:
        entry, key = uuid4(), secrets.token_hex(16)
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO idempotency "
                "(organisation, client_id, key, fingerprint, status, headers, body, expires_at) "
                "VALUES ('x', 'x', $1, $2, 200, '{}', $3, now() + interval '1 day')",
                key,
                answer[:32],
                answer,
            )
            await connection.execute("SELECT 1 FROM budget WHERE id = $1 FOR UPDATE", budget)
            await connection.execute(
                "UPDATE assistance_grant SET version = version + 1, updated_at = now() WHERE id "
                "= $1",
                UUID(grant),
            )
            await connection.execute(
                "INSERT INTO journal_entry (id, budget_id, kind, grant_id) VALUES ($1, $2, "
                "'bare', $3)",
                entry,
                budget,
                UUID(grant),
            )
            await connection.execute(
                "INSERT INTO posting (entry_id, budget_id, account, amount) "
                "VALUES ($1, $2, 'available', -1), ($1, $2, 'paid', 1)",
                entry,
                budget,
            )
            await connection.execute(
                "INSERT INTO audit (client_id, organisation, action, resource, resource_id, "
                "details) "
                "VALUES ('x', 'x', 'approve', 'grant', $1, '{}')",
                grant,
            )
            await connection.execute(
                "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, occurred_at) "
                "VALUES ($1, 'grant', $2, 'x', '{}', now())",
                uuid4(),
                grant,
            )

    try:
        return await all_of(write, [str(grant) for grant in grants])
    finally:
        await pool.close()


async def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    folder = Path(tempfile.mkdtemp(prefix="homeward-benchmark-"))
    folder.chmod(0o711)  # noqa: ASYNC240 - nothing else runs yet
    server = EmbeddedPostgres(
        folder / "data", free_port(), password=secrets.token_hex(), log=folder / "log"
    )
    try:
        server.start()
        database = await Databases(server.url()).new("grants")
        async with running(database.url, log_level="ERROR") as office:
            approvals, releases, confirmations = await through_the_api(office, count)
            baseline = await bare(database.owner_url, count)
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"load {os.getloadavg()[0]:.1f}, {count} of each, {AT_ONCE} at once, fsync on")
    print(f"bare transactions of the same rows  {baseline:8.0f}/s")
    for name, rate in (
        ("approvals", approvals),
        ("releases", releases),
        ("confirmations", confirmations),
    ):
        print(f"{name:34}  {rate:8.0f}/s   1 : {baseline / rate:.1f}")


asyncio.run(main())
