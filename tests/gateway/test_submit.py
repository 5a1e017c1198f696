"""`homeward referrals submit`: it says when what it shows is of an earlier sending."""

import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from cli.submit import submit

BATCH = {
    "id": "b",
    "state": "done",
    "total": 0,
    "done": 0,
    "submitted": 0,
    "replayed": 0,
    "refused": 0,
}


class Gateway:
    """Answers as the gateway does to a file whose key it knows."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    async def send(self, _: str, __: str, *, headers: dict[str, str], **___: Any) -> httpx.Response:
        known = headers["Idempotency-Key"] in self.keys
        self.keys.append(headers["Idempotency-Key"])
        said = {"Idempotency-Replayed": "true"} if known else {}
        return httpx.Response(
            202, json=BATCH | {"created_at": "2026-11-21T09:00:00Z"}, headers=said
        )

    async def get(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"items": [], "next": None}


@pytest.mark.parametrize(("again", "told"), [(False, True), (True, False)])
async def test_results_of_an_earlier_sending_are_said_to_be_that(
    tmp_path: Path, again: bool, told: bool
) -> None:
    file = tmp_path / "March.jsonl"
    file.write_text("{}\n")
    gateway, said = Gateway(), io.StringIO()
    for each in (False, again):
        await submit(gateway, file, Console(file=said, width=200), again=each)  # type: ignore[arg-type]
    assert (len(set(gateway.keys)) == 1) is not again
    assert ("taken at 2026-11-21T09:00:00Z" in said.getvalue()) is told
