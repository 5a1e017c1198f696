"""Everything on one machine: start it, say when it is ready, keep it running, stop it and leave
nothing.
"""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cli.embedded import Child, EmbeddedBroker, EmbeddedPostgres, Say, StartError, dies_with_parent
from cli.machine import KAFKA_PORT_VARIABLE, POSTGRES_PORT_VARIABLE, Machine, check_ports, ports
from cli.roles import ROLES

LOOK_EVERY_SECONDS = 0.1
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 10.0
STEADY_SECONDS = 30
"""Who ran this long before it ended is started again at once."""


class RoleProcess(Child):
    """`homeward serve <role> --with-worker`: a service with its relay, consumer and jobs.

    Args:
        role: Its role.
        port: Of its HTTP server.
        env: Its whole environment.
        log: File for its log, JSON lines.
    """

    stop_timeout = 15.0  # it gives open requests ten seconds

    def __init__(self, role: str, port: int, env: Mapping[str, str], log: Path) -> None:
        super().__init__(role, log)
        self.port = port
        self.env = env

    def spawn(self) -> None:
        """Start it without waiting."""
        self.run(
            [sys.executable, "-m", "cli.main", "serve", self.name, "--with-worker"], env=self.env
        )

    def is_ready(self) -> bool:
        """Whether `/health/ready` says so."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@dataclass
class Watched:
    """A child that is started again when it ends."""

    child: Child
    started_at: float
    pause: float = FIRST_PAUSE_SECONDS
    start_at: float | None = None
    """When it is to be started again; None while it runs."""
    returning: bool = False
    """Whether it was started again and has not been ready since."""


class Supervisor:
    """Starts children, keeps them running, and stops them in the reverse order of their starts.

    Args:
        machine: Where what runs is noted.
        say: Tells the person at the terminal.
    """

    def __init__(self, machine: Machine, say: Say = print) -> None:
        self.machine = machine
        self.say = say
        self.stopping = threading.Event()
        self.starting = True
        """While True, being told to stop interrupts whatever is being waited for."""
        self._watched: list[Watched] = []

    def listen(self) -> None:
        """Stop on Ctrl-C, SIGTERM and a closed terminal; on the second one at once."""

        def handle(_: int, __: FrameType | None) -> None:
            if self.stopping.is_set():
                for watched in self._watched:
                    watched.child.send(signal.SIGKILL)
            self.stopping.set()
            if self.starting:
                self.starting = False
                raise KeyboardInterrupt

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, handle)

    def start(self, children: Sequence[Child], timeout: float = 150) -> None:
        """Start children side by side and wait until all are ready.

        Raises:
            StartError: One did not get there.
        """
        for child in children:
            self.spawn(child)
        for child in children:
            child.wait_ready(timeout)

    def spawn(self, child: Child) -> None:
        """Start one without waiting.

        Raises:
            StartError: It cannot be started.
        """
        self._watched.append(Watched(child, time.monotonic()))
        child.spawn()
        self._note()

    def watch(self) -> None:
        """Start again whatever ends, after a pause that grows while it keeps ending, until told to
        stop.
        """
        while not self.stopping.wait(LOOK_EVERY_SECONDS):
            for watched in self._watched:
                self._look_at(watched)

    def stop(self) -> None:
        """Stop everything: roles together, then what they stand on."""
        self.stopping.set()
        children = [watched.child for watched in reversed(self._watched)]
        for child in children:
            if isinstance(child, RoleProcess):
                child.send(child.stop_signal)
        for child in children:
            child.stop()
        self._watched.clear()
        self._note()

    def _look_at(self, watched: Watched) -> None:
        now, child = time.monotonic(), watched.child
        if child.running:
            if watched.returning and child.is_ready():
                self.say(f"{child.name} is back")
                watched.returning = False
            return
        if watched.start_at is None:
            code = child.process.returncode if child.process else None
            if now - watched.started_at > STEADY_SECONDS:
                watched.pause = FIRST_PAUSE_SECONDS
            self.say(f"{child.name} ended ({how_it_ended(code)}); it is started again")
            watched.start_at = now + watched.pause
            watched.pause = min(watched.pause * 2, LONGEST_PAUSE_SECONDS)
        if now < watched.start_at:
            return
        watched.start_at, watched.started_at, watched.returning = None, now, True
        try:
            child.spawn()
        except (StartError, OSError) as error:
            self.say(f"{child.name} could not be started: {error}")
        self._note()

    def _note(self) -> None:
        self.machine.note_processes(
            {
                watched.child.name: watched.child.pid
                for watched in self._watched
                if watched.child.process
            }
        )


def how_it_ended(code: int | None) -> str:
    """A return code in words."""
    if code is None or code >= 0:
        return f"status {code}"
    return signal.Signals(-code).name


def up(machine: Machine, say: Say = print) -> None:
    """Run everything until told to stop.

    Args:
        machine: The folder it lives in.
        say: Tells the person at the terminal.

    Raises:
        CannotRun: It is running already, or a port is taken; nothing was started.
        StartError: Something did not start; everything else was stopped again.
    """
    begun = time.monotonic()
    chosen = ports()
    with machine.hold():
        check_ports(chosen)
        machine.note_ports(chosen)
        supervisor = Supervisor(machine, say)
        supervisor.listen()
        try:
            start_everything(machine, supervisor, chosen)
            supervisor.starting = False
            say(welcome(machine, chosen, time.monotonic() - begun))
            supervisor.watch()
        except KeyboardInterrupt:
            say("Interrupted before everything was ready.")
        finally:
            supervisor.starting = False
            say("Stopping ...")
            supervisor.stop()
    say("Stopped. Nothing is running any more.")


def start_everything(machine: Machine, supervisor: Supervisor, chosen: Mapping[str, int]) -> None:
    """PostgreSQL and the broker; databases and migrations; then every role.

    Raises:
        StartError: Something did not start.
    """
    say, begun = supervisor.say, time.monotonic()
    # It imports every service and waits for PostgreSQL: better now than afterwards.
    prepare = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "prepare", "--home", str(machine.home)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
        preexec_fn=dies_with_parent(signal.SIGKILL),  # noqa: PLW1509 - as in Child.run
    )
    try:
        base: list[Child] = [
            EmbeddedPostgres(
                machine.postgres_data,
                chosen[POSTGRES_PORT_VARIABLE],
                password=machine.superuser_password(),
                log=machine.log("postgres"),
                say=say,
            )
        ]
        if not os.environ.get("HOMEWARD_KAFKA_BOOTSTRAP"):
            base.insert(0, EmbeddedBroker(chosen[KAFKA_PORT_VARIABLE], log=machine.log("broker")))
        supervisor.start(base)
        say(f"PostgreSQL and broker ready after {time.monotonic() - begun:.1f} s")
        output, _ = prepare.communicate()
        if prepare.returncode:
            raise StartError("The databases could not be prepared:\n" + output[-4000:])
    finally:
        if prepare.poll() is None:
            prepare.kill()
            prepare.communicate()
    say(f"Databases migrated after {time.monotonic() - begun:.1f} s")
    supervisor.start(
        [
            RoleProcess(
                name, chosen[role.port_variable], machine.environment(name), machine.log(name)
            )
            for name, role in ROLES.items()
        ]
    )


def welcome(machine: Machine, chosen: Mapping[str, int], seconds: float) -> str:
    """What a person needs to know once everything runs."""
    gateway = f"http://127.0.0.1:{chosen[ROLES['gateway'].port_variable]}"
    command = Path(sys.executable).parent / "homeward"
    here = Path.cwd()
    shown = str(command.relative_to(here) if command.is_relative_to(here) else command)
    options = "" if machine.home == here / ".homeward" else f" --home {machine.home}"
    return f"""
Homeward is ready after {seconds:.1f} s.

  Gateway        {gateway}
  Documentation  {gateway}/docs
  Logs           {machine.logs}

Try it in another terminal:

  curl -H "Authorization: Bearer $({shown} token bamf{options})" {gateway}/v1/referrals

Ctrl-C stops everything."""
