"""What is an error about a source's log, and what is only a head that was overtaken."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import structlog

from chassis import inbox

START = datetime(2026, 3, 5, 12, tzinfo=UTC)


def heads(*said: tuple[int, int]) -> list[str]:
    """What is logged after heads of (second, position), where 105 positions are received."""
    inbox._shorter_since.clear()
    with structlog.testing.capture_logs() as logs:
        for second, position in said:
            known = SimpleNamespace(heard_at=START, head=105)
            time = START + timedelta(seconds=second)
            inbox._watch_length("cases", position, time, known)
    return [entry["event"] for entry in logs if entry["log_level"] == "error"]


def test_a_head_that_events_overtook_is_no_error() -> None:
    assert heads((1, 103), (2, 105), (40, 104), (41, 107)) == []


def test_a_log_that_stays_shorter_is() -> None:
    said = heads((1, 90), (15, 90), (30, 90), (45, 90))
    assert said == ["the log of a source became shorter without a new epoch"]
