"""A process that pays until it is killed: releases and confirms scheduled payments, several at
once.

python -m tests.grants.payer DATABASE_URL < payment ids
"""

import asyncio
import sys
from uuid import uuid4

from tests.grants.office import RELEASER, running, today

AT_ONCE = 8


async def pay(url: str, payments: list[str]) -> None:
    async with running(url) as office:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(payment: str) -> None:
            async with slots:
                path = f"/v1/payments/{payment}"
                headers = office.headers(RELEASER) | {
                    "If-Match": '"1"',
                    "Idempotency-Key": f"release-{payment}",
                }
                released = await office.http.post(f"{path}/release", json={}, headers=headers)
                assert released.is_success or released.status_code == 412, released.text
                receipt = {"confirmed_on": today(), "receipt": str(uuid4())}
                answer = await office.post(f"{path}/confirm", receipt)
                assert answer.is_success or answer.status_code == 409, answer.text
                print(payment, flush=True)

        await asyncio.gather(*(one(payment) for payment in payments))


if __name__ == "__main__":
    asyncio.run(pay(sys.argv[1], sys.stdin.read().split()))
