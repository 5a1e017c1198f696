"""How long a statement of 5,000 entries takes: to read, and to book through the API.

    python -m benchmarks.statements [entries]

Reading is compared with going through the bare lines or elements of the same bytes. Booking runs
with one payment for every fiftieth entry, on a throw-away PostgreSQL; its bare baseline inserts the
rows of as many lines and checks nothing.
"""

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from lxml import etree

from cli.embedded import EmbeddedPostgres, free_port
from services.grants.statement_files.formats import MediaType, StatementFile, read_file
from services.grants.statement_files.model import MOST_ENTRIES
from services.grants.statement_files.references import default_reference
from tests.conftest import Databases
from tests.grants.bank import COLUMNS, imported, mt940_of, send
from tests.grants.office import Office, running, today
from tests.grants.statement_files.camt_messages import Booking, Detail, balance, message

ONE_PAYMENT_IN = 50
ROUNDS = 5


def references(count: int) -> list[str]:
    return [default_reference(uuid4()) for _ in range(count)]


def as_mt940(named: list[str]) -> bytes:
    entries = (
        f"D1,NTRFNONREF//B{index}\n:86:177?00TRANSFER?20EREF+{name[:9]}?21{name[9:]}?22SVWZ+FEE"
        f"?31DE02100100100006820101?32SOMEBODY"
        for index, name in enumerate(named)
    )
    return mt940_of(*entries, opening="1000000").encode()


def as_camt(named: list[str]) -> bytes:
    bookings = (
        Booking(
            "1.00", bank_reference=f"B{index}", day=today(), details=(Detail(name, text="FEE"),)
        )
        for index, name in enumerate(named)
    )
    closing = format(Decimal("1000000.00") - len(named), ".2f")
    balances = balance("OPBD", "1000000.00") + balance("CLBD", closing)
    return message(*bookings, balances=balances, account="BE1")


def as_csv(named: list[str]) -> bytes:
    rows = [
        f"BE1,1,{index + 1},{today()},debit,1.00,EUR,B{index},{name}"
        for index, name in enumerate(named)
    ]
    return "\n".join([COLUMNS, *rows]).encode()


def fastest(work: Callable[[], Any]) -> float:
    """Milliseconds."""
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return min(took) * 1000


def reading(count: int) -> None:
    named = references(count)
    print(f"{'':8}{'bytes':>12}{'read, ms':>12}{'bare, ms':>12}")
    for name, kind, content, bare in (
        ("MT940", MediaType.MT940, as_mt940(named), lambda text: text.decode().splitlines()),
        ("camt", MediaType.CAMT, as_camt(named), lambda text: list(etree.fromstring(text).iter())),
        ("CSV", MediaType.CSV, as_csv(named), lambda text: text.decode().splitlines()),
    ):
        read = fastest(lambda kind=kind, content=content: read_file(StatementFile(content, kind)))
        base = fastest(lambda bare=bare, content=content: bare(content))
        print(f"{name:8}{len(content):>12,}{read:>12.1f}{base:>12.1f}")


async def booking(office: Office, count: int) -> tuple[float, float]:
    """Seconds of an import, and of the same file once more."""
    await office.budget("1000000.00")
    payee = await office.payee()
    named = references(count)
    for index in range(0, count, ONE_PAYMENT_IN):
        grant = await office.approved(await office.here(), "1.00")
        await office.released(grant, payee, "1.00", reference=named[index])
    content, took = as_mt940(named), []
    for _ in range(2):
        begun = time.perf_counter()
        answer = await send(office, "mt940", content)
        took.append(time.perf_counter() - begun)
        assert answer.status_code == 201, answer.text
        lines = answer.json()["items"][0]["lines"]
        matched = sum(line["outcome"] == "matched" for line in lines)
        assert (len(lines), matched) == (count, len(range(0, count, ONE_PAYMENT_IN)))
    assert len(await imported(office, "csv", COLUMNS + f"\nBE2,1,1,{today()},debit,1,EUR,,X1")) == 1
    return took[0], took[1]


async def bare(url: str, count: int) -> float:
    """Seconds of inserting as many lines, in one statement."""
    connection = await asyncpg.connect(url)
    statement = uuid4()
    await connection.execute(
        "INSERT INTO statement (id, version, organisation, account, year, number, currency) "
        "VALUES ($1, 1, 'bare', 'BARE', 2026, '1', 'EUR')",
        statement,
    )
    rows: list[tuple[UUID, UUID, int, str, str]] = [
        (uuid4(), statement, index, f"B{index}", name)
        for index, name in enumerate(references(count))
    ]
    begun = time.perf_counter()
    await connection.executemany(
        "INSERT INTO statement_line (id, statement_id, line, key, booked_on, direction, amount, "
        "currency, reference, outcome) "
        "VALUES ($1, $2, $3, $4, current_date, 'debit', 1, 'EUR', $5, 'unknown')",
        rows,
    )
    took = time.perf_counter() - begun
    await connection.close()
    return took


async def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else MOST_ENTRIES
    reading(count)
    folder = Path(tempfile.mkdtemp(prefix="homeward-benchmark-"))
    folder.chmod(0o711)  # noqa: ASYNC240 - nothing else runs yet
    server = EmbeddedPostgres(
        folder / "data", free_port(), password=secrets.token_hex(), log=folder / "log"
    )
    try:
        server.start()
        database = await Databases(server.url()).new("grants")
        async with running(database.url, log_level="ERROR") as office:
            first, again = await booking(office, count)
            baseline = await bare(database.owner_url, count)
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"load {os.getloadavg()[0]:.1f}, {count} entries, one payment in {ONE_PAYMENT_IN}")
    print(f"bare rows     {baseline:8.2f} s")
    print(f"imported      {first:8.2f} s   1 : {first / baseline:.1f}")
    print(f"once more     {again:8.2f} s   1 : {again / baseline:.1f}")


asyncio.run(main())
