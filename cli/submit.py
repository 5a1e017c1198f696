"""`homeward referrals submit`: sends a file of referrals and writes the results beside it, a line a
referral.
"""

import asyncio
import csv
import hashlib
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chassis.idempotency import REPLAYED
from chassis.tabular.templates import XLSX
from cli.client import GatewayClient

MEDIA_TYPES = {
    ".jsonl": "application/jsonl",
    ".ndjson": "application/jsonl",
    ".csv": "text/csv",
    ".xlsx": XLSX,
}
LOOK_SECONDS = 0.5
SAID_HERE = 20
OF_A_REFERRAL = ("number", "rows", "external_reference", "outcome", "referral_id", "candidates")
OF_A_PROBLEM = ("row", "column", "code", "found", "detail")


class UnknownFile(ValueError):  # noqa: N818 - it says what it is
    """A file whose name says neither JSON lines nor a table."""


def media_type_of(file: Path) -> str:
    """What a file is, by its name.

    Raises:
        UnknownFile: Neither JSON lines nor a table.
    """
    try:
        return MEDIA_TYPES[file.suffix.lower()]
    except KeyError:
        raise UnknownFile(f"{file.name}: a name that ends in {', '.join(MEDIA_TYPES)}") from None


def results_file(file: Path) -> Path:
    """Where the results of a file go: beside it, in its own form, or as CSV for a workbook."""
    suffix = file.suffix.lower()
    return file.with_name(f"{file.stem}.results{'.csv' if suffix == '.xlsx' else suffix}")


async def submit(
    client: GatewayClient, file: Path, console: Console, *, again: bool = False
) -> bool:
    """Send a file, wait with a progress bar, write the results.

    The same file sent again is the same batch as long as the answer is kept, so that it may be
    interrupted.

    Args:
        client: Of the sender.
        file: JSON lines, CSV or a workbook.
        console: Where to show it.
        again: Have it taken as if it had not been sent before.

    Returns:
        Whether no referral was refused.

    Raises:
        UnknownFile: Neither JSON lines nor CSV.
        Refused: The gateway refused the file as a whole.
    """
    media_type = media_type_of(file)
    raw = await asyncio.to_thread(file.read_bytes)
    key = str(uuid4()) if again else hashlib.sha256(raw).hexdigest()
    headers = {"Content-Type": media_type, "Idempotency-Key": key}
    answer = await client.send("POST", "/v1/referral-batches", content=raw, headers=headers)
    batch = answer.json()
    if REPLAYED in answer.headers and not again:
        console.print(
            f"This file was taken at {batch['created_at']}; these are the results of then. "
            "If something was put right elsewhere since, have it taken once more: --again",
            highlight=False,
        )
    batch = await _wait(client, batch, file.name, console)
    results = await _results(client, batch["id"])
    target = results_file(file)
    write(results, target)
    console.print(
        f"{batch['submitted']} submitted, {batch['replayed']} were there, {batch['refused']} "
        f"refused; "
        f"{sum(1 for each in results if each['candidates'])} may be about people known here: "
        f"{target}"
    )
    _show_problems(results, console)
    return bool(batch["refused"] == 0)


async def _wait(
    client: GatewayClient, batch: dict[str, Any], name: str, console: Console
) -> dict[str, Any]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(name, total=batch["total"], completed=batch["done"])
        while batch["state"] != "done":
            await asyncio.sleep(LOOK_SECONDS)
            batch = await client.get(f"/v1/referral-batches/{batch['id']}")
            progress.update(bar, completed=batch["done"])
    return batch


def _show_problems(results: list[dict[str, Any]], console: Console) -> None:
    problems = [(each, problem) for each in results for problem in each["problems"]]
    for each, problem in problems[:SAID_HERE]:
        row = problem["row"] or each["rows"][0]
        place = problem["column"] or problem["pointer"] or "all of it"
        console.print(
            f"  row {row}, {place}: {problem['found'] or problem['code']}; "
            f"right: {problem['detail']}",
            highlight=False,
        )
    if len(problems) > SAID_HERE:
        console.print(f"  and {len(problems) - SAID_HERE} more there")


async def _results(client: GatewayClient, batch_id: str) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    after = None
    while True:
        page = await client.get(f"/v1/referral-batches/{batch_id}/results", limit=200, after=after)
        results += page["items"]
        after = page["next"]
        if after is None:
            return results


def write(results: list[dict[str, Any]], target: Path) -> None:
    """Write results a line a referral, or in a table a row a problem."""
    if target.suffix != ".csv":
        lines = [json.dumps(each, ensure_ascii=False) for each in results]
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return
    with target.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*OF_A_REFERRAL, *OF_A_PROBLEM])
        for each in results:
            said = each | {"rows": " ".join(map(str, each["rows"]))}
            for problem in each["problems"] or [dict.fromkeys(OF_A_PROBLEM)]:
                writer.writerow(
                    [
                        *(said[name] for name in OF_A_REFERRAL),
                        *(problem[name] for name in OF_A_PROBLEM),
                    ]
                )
