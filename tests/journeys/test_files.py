"""`homeward referrals submit` against a running platform: a table as Excel saves it, and
interrupted in the middle.
"""

import asyncio
import csv
import json
import os
import secrets
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.demo import eventually
from tests.platform import ROOT, Platform

DATA = ROOT / "tests" / "cases" / "data"
SENDER = "fedasil"


def rows() -> list[dict[str, str]]:
    """Rows of the sender's example that are right, every referral under a reference of its own."""
    with (DATA / "referrals.csv").open(encoding="utf-8-sig", newline="") as file:
        mine = [row for row in csv.DictReader(file) if row["sender"] == SENDER]
    fresh = {row["external_reference"]: f"FILE-{secrets.token_hex(5)}" for row in mine}
    return [row | {"external_reference": fresh[row["external_reference"]]} for row in mine]


def saved_by_excel(given: list[dict[str, str]], file: Path) -> None:
    """A byte-order mark, semicolons, guarded numbers, empty columns, and letters with their marks
    apart.
    """
    with file.open("w", encoding="utf-8-sig", newline="") as target:
        writer = csv.writer(target, delimiter=";", lineterminator="\r\n")
        writer.writerow([*given[0], "", ""])
        for row in given:
            cells = row | {"person": f'="{row["person"]}"', "escorted": row["escorted"].upper()}
            writer.writerow(
                [unicodedata.normalize("NFD", cell) for cell in cells.values()] + ["", ""]
            )


async def started(platform: Platform, file: Path) -> asyncio.subprocess.Process:
    secret = platform.machine.client_secret(SENDER)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *(
            "-m",
            "cli.main",
            "referrals",
            "submit",
            str(file),
            "--client",
            SENDER,
            "--gateway",
            platform.gateway,
        ),
        cwd=ROOT,
        env=os.environ | {"HOMEWARD_CLIENT_SECRET": secret, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    output, _ = await asyncio.wait_for(process.communicate(), 300)
    return process.returncode, output.decode()


async def batches(platform: Platform) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (
        await platform.client(SENDER).get("/v1/referral-batches", limit=200)
    )["items"]
    return items


def referrals_of(given: list[dict[str, str]]) -> Iterator[list[dict[str, str]]]:
    """The rows of each referral."""
    references = dict.fromkeys(row["external_reference"] for row in given)
    yield from (
        [row for row in given if row["external_reference"] == reference] for reference in references
    )


async def test_a_table_as_excel_saves_it(platform: Platform, tmp_path: Path) -> None:
    before = len(await batches(platform))
    given = [row for group in list(referrals_of(rows()))[:6] for row in group]
    wrong = given[-1]["external_reference"]
    given = [
        row | {"district": "=1+1"} if row["external_reference"] == wrong else row for row in given
    ]
    file = tmp_path / "March.csv"
    saved_by_excel(given, file)
    code, said = await ended(await started(platform, file))
    assert code == 2, said  # one was refused
    assert "5 submitted, 0 were there, 1 refused" in said
    assert "March.csv" in said
    assert "6/6" in said  # the progress bar
    with (tmp_path / "March.results.csv").open(encoding="utf-8-sig", newline="") as results:
        found = list(csv.DictReader(results))
    refused = [each for each in found if each["outcome"] == "refused"]
    assert {each["external_reference"] for each in refused} == {wrong}
    first = next(place for place, row in enumerate(given, 2) if row["external_reference"] == wrong)
    assert (refused[0]["row"], refused[0]["column"], refused[0]["code"]) == (
        str(first),
        "district",
        "formula_injection",
    )
    assert "=1+1" not in said + json.dumps(found)
    assert len({each["referral_id"] for each in found if each["outcome"] == "submitted"}) == 5
    # The same file again is the same batch; put right, only what was refused is new.
    code, said = await ended(await started(platform, file))
    assert (code, len(await batches(platform))) == (2, before + 1)
    saved_by_excel(
        [row | {"district": "Erbil"} if row["district"] == "=1+1" else row for row in given], file
    )
    code, said = await ended(await started(platform, file))
    assert code == 0, said
    assert "1 submitted, 5 were there, 0 refused" in said


async def test_interrupted_it_goes_on_where_it_was(platform: Platform, tmp_path: Path) -> None:
    before = {each["id"] for each in await batches(platform)}
    first = next(referrals_of(rows()))
    given = [
        row | {"external_reference": f"CUT-{secrets.token_hex(6)}"}
        for _ in range(600)
        for row in first[:1]
    ]
    file = tmp_path / "many.csv"
    saved_by_excel(given, file)
    process = await started(platform, file)

    async def arrived() -> Any:
        return [each for each in await batches(platform) if each["id"] not in before] or None

    (batch,) = await eventually(arrived, "the file has arrived")
    process.kill()
    await process.wait()
    assert not (tmp_path / "many.results.csv").exists()
    code, said = await ended(await started(platform, file))
    assert code == 0, said
    assert "600 submitted, 0 were there, 0 refused" in said
    assert [each["id"] for each in await arrived()] == [batch["id"]]
    with (tmp_path / "many.results.csv").open(encoding="utf-8-sig", newline="") as results:
        numbers = [int(each["number"]) for each in csv.DictReader(results)]
    assert numbers == list(range(1, 601))
