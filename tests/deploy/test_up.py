"""The platform on one machine as a person starts and stops it: `homeward up` as a process, told by
its output.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from cli.embedded import Child, free_port
from cli.machine import CannotRun, Machine, ports
from cli.roles import ROLES
from cli.up import Supervisor

VARIABLES = [
    "HOMEWARD_POSTGRES_PORT",
    "HOMEWARD_KAFKA_PORT",
    *(role.port_variable for role in ROLES.values()),
]
pytestmark = pytest.mark.slow


class Up:
    """A running `homeward up`."""

    def __init__(self, home: Path, chosen: dict[str, str]) -> None:
        self.home, self.chosen = home, chosen
        self.said: list[str] = []
        self.process = subprocess.Popen(
            self.command("up"),
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    @property
    def env(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("HOMEWARD_")
        }
        return kept | self.chosen

    @property
    def gateway(self) -> str:
        return f"http://127.0.0.1:{self.chosen['HOMEWARD_GATEWAY_PORT']}"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "cli.main", *arguments, "--home", str(self.home)]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.said.append(line.rstrip())

    def wait_for(self, words: str, timeout: float = 150) -> str:
        give_up = time.monotonic() + timeout
        while time.monotonic() < give_up:
            for line in list(self.said):
                if words in line:
                    return line
            assert self.process.poll() is None, self.said
            time.sleep(0.02)
        raise AssertionError(f"{words!r} was not said: {self.said}")

    def children(self) -> dict[str, psutil.Process]:
        found = {}
        for child in psutil.Process(self.process.pid).children():
            line = " ".join(child.cmdline())
            found[
                "postgres"
                if "pginstall" in line
                else "broker"
                if "tansu" in line
                else line.split()[4]
            ] = child
        return found

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        self.process.send_signal(number)
        self.process.wait(30)
        self.reader.join()
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="homeward-up-"))
    folder.chmod(0o711)
    yield folder / "home"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def chosen() -> dict[str, str]:
    return {variable: str(free_port()) for variable in VARIABLES}


@pytest.fixture
def up(home: Path, chosen: dict[str, str]) -> Iterator[Up]:
    running = Up(home, chosen)
    yield running
    if running.process.poll() is None:
        running.stop(signal.SIGKILL)


def gone(processes: list[psutil.Process], timeout: float = 10) -> bool:
    return not psutil.wait_procs(processes, timeout)[1]


def test_ready_then_whatever_dies_comes_back_and_ctrl_c_leaves_nothing(up: Up) -> None:
    up.wait_for("Homeward is ready")
    assert httpx.get(f"{up.gateway}/health/ready").status_code == 200
    token = up.run("token", "bamf")
    assert token.stdout.count(".") == 2, token.stderr
    assert (up.home / "secrets.json").stat().st_mode & 0o077 == 0
    assert (up.home / "signing-key.pem").stat().st_mode & 0o077 == 0

    again = up.run("up")
    assert again.returncode == 1
    assert "running here already" in again.stderr

    assert up.run("migrate").stdout.splitlines() == [f"{role}: up to date" for role in ROLES]
    assert up.run("audit", "verify", "gateway").returncode == 0
    assert up.run("dead-letters", "list", "cases").stdout == "0 dead letters\n"
    nothing = up.run("dead-letters", "replay", "cases", "00000000-0000-0000-0000-000000000000")
    assert nothing.returncode == 1
    assert "no dead letter" in nothing.stderr
    assert up.run("events", "replay", "reception", "cases").returncode == 0
    assert "the roles are" in up.run("migrate", "kitchen").stderr

    before = up.children()
    assert set(before) == {*ROLES, "postgres", "broker"}
    for name, said in (("cases", "cases"), ("broker", "Broker"), ("postgres", "PostgreSQL")):
        before[name].kill()
        up.wait_for(f"{said} ended (SIGKILL)")
        up.wait_for(f"{said} is back")
    after = up.children()
    assert after["cases"].pid != before["cases"].pid
    assert after["reception"].pid == before["reception"].pid
    give_up = time.monotonic() + 15
    while httpx.get(f"{up.gateway}/health/ready").status_code != 200:
        assert time.monotonic() < give_up
        time.sleep(0.1)

    everything = psutil.Process(up.process.pid).children(recursive=True)
    up.stop()
    assert up.process.returncode == 0, up.said
    assert up.said[-1] == "Stopped. Nothing is running any more."
    assert gone(everything, 2), "something is still running"


def test_a_worker_alone_has_health_and_metrics(up: Up) -> None:
    up.wait_for("Homeward is ready")
    port = free_port()
    worker = subprocess.Popen(
        up.command("work", "cases"),
        env=up.env | {"HOMEWARD_PORT": str(port)},
        stdout=subprocess.DEVNULL,
    )
    try:
        give_up = time.monotonic() + 20
        ready = None
        while ready != 200:
            assert time.monotonic() < give_up
            with contextlib.suppress(httpx.TransportError):
                ready = httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code
            time.sleep(0.05)
        assert "homeward_relay_backlog" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert httpx.get(f"http://127.0.0.1:{port}/v1/referrals").status_code == 404
    finally:
        worker.terminate()
        assert worker.wait(15) in (0, -signal.SIGTERM)
    up.stop(signal.SIGTERM)
    assert up.process.returncode == 0


def test_it_starts_on_the_same_data_after_everything_was_killed(
    up: Up, home: Path, chosen: dict[str, str]
) -> None:
    up.wait_for("Homeward is ready")
    everything = psutil.Process(up.process.pid).children(recursive=True)
    up.process.kill()
    for process in everything:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    up.stop(signal.SIGKILL)
    assert gone(everything)
    assert (home / "postgres" / "postmaster.pid").exists()

    again = Up(home, chosen)
    try:
        again.wait_for("Homeward is ready")
        assert again.run("token", "dtv").returncode == 0
        everything = psutil.Process(again.process.pid).children(recursive=True)
        again.process.kill()  # the supervisor alone: the kernel ends its children
        again.stop(signal.SIGKILL)
        assert gone(everything, 15), "children outlived their supervisor"
    finally:
        if again.process.poll() is None:
            again.stop(signal.SIGKILL)


def test_ctrl_c_before_it_is_ready_leaves_nothing(up: Up) -> None:
    up.wait_for("ready after")
    everything = psutil.Process(up.process.pid).children(recursive=True)
    assert everything
    up.stop()
    assert gone(everything, 5)
    assert not any("Homeward is ready" in line for line in up.said)


def test_a_taken_port_is_said_before_anything_starts(
    tmp_path: Path, chosen: dict[str, str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        env = dict(os.environ) | chosen | {"HOMEWARD_CASES_PORT": str(taken)}
        command = [sys.executable, "-m", "cli.main", "up", "--home", str(tmp_path / "home")]
        told = subprocess.run(
            command, env=env, capture_output=True, text=True, check=False, timeout=20
        )
    assert told.returncode == 1
    assert f"Port {taken} is taken" in told.stderr
    assert f"(process {os.getpid()})" in told.stderr
    assert "HOMEWARD_CASES_PORT=" in told.stderr
    assert not (tmp_path / "home" / "postgres").exists()


def test_ports_must_be_ports_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEWARD_CASES_PORT", "many")
    with pytest.raises(CannotRun, match="HOMEWARD_CASES_PORT is not a port number"):
        ports()
    monkeypatch.setenv("HOMEWARD_CASES_PORT", "7000")
    monkeypatch.setenv("HOMEWARD_GATEWAY_PORT", "7000")
    with pytest.raises(
        CannotRun,
        match=r"GATEWAY_PORT and HOMEWARD_CASES_PORT|CASES_PORT and HOMEWARD_GATEWAY_PORT",
    ):
        ports()


class Mayfly(Child):
    """Ends as soon as it started."""

    starts: int = 0

    def spawn(self) -> None:
        self.starts += 1
        self.run([sys.executable, "-S", "-c", "import sys; sys.exit(7)"])

    def is_ready(self) -> bool:
        return False


def test_what_keeps_dying_is_started_less_and_less_often(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(Machine(tmp_path / "home"), said.append)
    mayfly = Mayfly("Mayfly")
    supervisor.spawn(mayfly)
    threading.Timer(3, supervisor.stopping.set).start()
    supervisor.watch()
    supervisor.stop()
    assert said.count("Mayfly ended (status 7); it is started again") == mayfly.starts
    assert 2 <= mayfly.starts <= 5  # after 0, 0.2, 0.6 and 1.4 s, and what looking takes


def test_secrets_are_made_once_and_shared_by_processes(tmp_path: Path) -> None:
    first, second = Machine(tmp_path / "home"), Machine(tmp_path / "home")
    assert first.client_secret("a") == second.client_secret("a")
    assert second.client_secret("b") == first.client_secret("b") != first.client_secret("a")
    assert (
        first.environment("cases")["HOMEWARD_AUDIT_KEY"]
        != first.environment("gateway")["HOMEWARD_AUDIT_KEY"]
    )
    assert "HOMEWARD_SIGNING_KEY_FILE" not in first.environment("cases")
