"""Logs and metrics: what happened, never to whom."""

import json
import logging
from pathlib import Path

import pytest

from chassis.telemetry import configure_logging
from tests.chassis.probe import Probe
from tests.tokens import bearer

HERE = Path(__file__)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]):
    configure_logging("probe")
    yield lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    configure_logging("probe", "ERROR")


async def test_one_line_a_request_with_its_ids_and_without_its_query(probe: Probe, lines) -> None:
    answer = await probe.http.get("/v1/notes?words=Zaynab", headers=bearer(scopes="notes:read"))
    (line,) = [line for line in lines() if line["message"] == "request"]
    assert line["request_id"] == answer.headers["homeward-request-id"]
    assert (line["service"], line["method"], line["route"], line["status"]) == (
        "probe",
        "GET",
        "/v1/notes",
        200,
    )
    assert (line["client_id"], line["organisation"]) == ("iom-iraq-client", "iom-iraq")
    assert "Zaynab" not in json.dumps(line)


async def test_trace_goes_on_from_the_caller(probe: Probe, lines) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    sent = bearer(scopes="notes:read") | {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    await probe.http.get("/v1/notes", headers=sent)
    (line,) = [line for line in lines() if line["message"] == "request"]
    assert line["trace_id"] == trace_id


async def test_exception_is_logged_by_where_it_was_not_by_what_it_said(probe: Probe, lines) -> None:
    sent = bearer(scopes="notes:write") | {"Idempotency-Key": "logged"}
    assert (
        await probe.http.post("/v1/notes", json={"words": "breaks"}, headers=sent)
    ).status_code == 500
    written = lines()
    (failure,) = [line for line in written if line["message"] == "request failed"]
    assert failure["error"] == "builtins.RuntimeError"
    assert any("probe.py" in frame for frame in failure["frames"])
    assert "Zaynab" not in json.dumps(written)


def test_libraries_are_heard_without_their_arguments(lines) -> None:
    logging.getLogger("some.library").warning("could not write %s", "Zaynab")
    logging.getLogger("some.library").warning("Zaynab could not be written")
    written = lines()
    assert [line["text"] for line in written] == ["could not write %s", None]
    assert "Zaynab" not in json.dumps(written)


async def test_metrics_name_routes_not_paths(probe: Probe) -> None:
    await probe.http.get("/v1/notes/Zaynab", headers=bearer(scopes="notes:read"))
    metrics = (await probe.http.get("/metrics")).text
    assert 'route="/v1/notes/{note_id}"' in metrics
    assert "homeward_http_requests_total" in metrics
    assert "Zaynab" not in metrics


async def test_health(probe: Probe) -> None:
    assert (await probe.http.get("/health/live")).json() == {"live": True}
    ready = await probe.http.get("/health/ready")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "checks": {"database": True}})
