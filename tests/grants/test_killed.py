"""`kill -9` in the middle of a thousand payments; afterwards nothing is paid twice and nothing is
missing.
"""

import asyncio
import random
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.conftest import Databases
from tests.grants.office import Office, running

ROOT = Path(__file__).parents[2]
PAYMENTS, KILLS = 1000, 4


async def scheduled_payments(office: Office) -> list[str]:
    """A thousand payments of one grant, which the database makes at once."""
    await office.budget("100000.00")
    grant = await office.approved(await office.here(), "1000.00")
    payment = await office.scheduled(grant, await office.payee(), "1.00")
    async with office.homeward.database.transaction() as session:
        columns = (
            "version, grant_id, budget_id, returnee_id, method, payee_id, instalment, amount, "
            "currency, payout, payout_currency, rate, state, papers, papers_there, papers_needed, "
            "scheduled_by"
        )
        await session.execute(
            text(
                f"INSERT INTO payment (id, reference, {columns})"
                f" SELECT gen_random_uuid(), 'PAY-' || n, {columns} "
                "FROM payment, generate_series(2, :count) n WHERE id = :one"
            ),
            {"one": payment["id"], "count": PAYMENTS},
        )
        return [
            str(row)
            for row in await session.scalars(text("SELECT id FROM payment ORDER BY random()"))
        ]


async def paid(office: Office) -> int:
    async with office.homeward.database.transaction() as session:
        return (
            await session.execute(text("SELECT count(*) FROM payment WHERE state = 'confirmed'"))
        ).scalar_one()


@pytest.mark.slow
async def test_killed_in_the_middle_of_a_thousand_payments(databases: Databases) -> None:
    database = await databases.new("grants")
    async with running(database.url) as office:
        payments = await scheduled_payments(office)
        chance, kills = random.Random(7), []
        for attempt in range(KILLS + 1):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.grants.payer",
                database.url,
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            assert process.stdin is not None
            process.stdin.write("\n".join(payments).encode())
            process.stdin.close()
            if attempt == KILLS:
                _, said = await process.communicate()
                assert process.returncode == 0, said.decode()[-2000:]
                break
            before, deadline = await paid(office), time.monotonic() + 60
            target = before + chance.randint(30, 120)
            while await paid(office) < target:
                assert process.returncode is None
                assert time.monotonic() < deadline
                await asyncio.sleep(0.02)
            process.kill()
            await process.wait()
            kills.append(await paid(office))
            await office.proved()
        print(f"\nkilled after {kills} of {PAYMENTS} payments")
        assert await paid(office) == PAYMENTS
        async with office.homeward.database.transaction() as session:
            booked = await session.execute(
                text("SELECT count(*), sum(amount) FROM posting WHERE account = 'paid'"),
            )
            assert tuple(booked.one()) == (PAYMENTS, Decimal(PAYMENTS))
            told = await session.scalar(
                text(
                    "SELECT count(*) FROM outbox"
                    " WHERE type = 'org.homeward.grants.payment.confirmed.v1'"
                )
            )
            assert told == PAYMENTS
        await office.proved()
