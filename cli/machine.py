"""What one machine keeps between runs, in `.homeward/`: data, logs, secrets, and the processes that
run.
"""

import base64
import contextlib
import fcntl
import json
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psutil
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cli.embedded import end_processes
from cli.roles import ROLES

POSTGRES_PORT_VARIABLE, POSTGRES_PORT = "HOMEWARD_POSTGRES_PORT", 54329
KAFKA_PORT_VARIABLE, KAFKA_PORT = "HOMEWARD_KAFKA_PORT", 19092
MATCHING = frozenset({"cases", "reception"})
"""The roles that share the key of the marks by which they find that they mean the same person."""
SECOND = 1.0
FETCH_WAIT_MS = "20"
"""The embedded broker does not end a fetch early when a record arrives: a wait that is short and
costs little.
"""
DEMO_REQUESTS = "12000"
"""Requests a minute of one client on one machine, where a demo plays many people at once."""


class CannotRun(RuntimeError):  # noqa: N818 - it is no error of ours, and people read only its message
    """Why nothing was done, for the person at the terminal."""


class MissingSecret(CannotRun):
    """A secret that an existing platform does not have."""


class Machine:
    """The folder of one installation on one machine.

    Args:
        home: The folder; made when it is not there.
        making: Whether the folder and secrets are made when they are not there.
    """

    def __init__(self, home: Path, *, making: bool = True) -> None:
        self.home = home.absolute()
        self.logs = self.home / "logs"
        self.secrets = Secrets(self.home / "secrets.json", making=making)
        if making:
            # Root's PostgreSQL runs as another account and has to pass through; everything secret
            # in here is 0600 or 0700.
            self.home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)

    @classmethod
    def existing(cls, home: Path) -> Self:
        """A platform that was started before. Nothing is made: neither a folder nor a secret.

        Raises:
            CannotRun: No platform is there.
        """
        machine = cls(home, making=False)
        if not machine.secrets.path.exists():
            raise CannotRun(
                f"No platform is in {machine.home}. Start one with `homeward up`, "
                "or say where it is with --home or HOMEWARD_HOME."
            )
        return machine

    def ports(self) -> dict[str, int]:
        """Every port in use: as the environment says, else as the last `up` was told, else the
        usual one.

        Raises:
            CannotRun: One is not a port, or two are the same.
        """
        noted: dict[str, int] = {}
        with contextlib.suppress(FileNotFoundError):
            noted = json.loads((self.home / "ports.json").read_text())
        return ports(noted)

    def note_ports(self, chosen: Mapping[str, int]) -> None:
        """Remember the ports, so that commands in another terminal need not be told."""
        write_private(self.home / "ports.json", json.dumps(chosen))

    @property
    def postgres_data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home / "postgres"

    def log(self, name: str) -> Path:
        """Log file of a process."""
        return self.logs / f"{name}.log"

    def database_password(self, user: str) -> str:
        """Password of one of the database server's other roles."""
        return self.secrets.get(f"database:{user}", random_word)

    def database_url(self, role: str, *, owner: bool = False) -> str:
        """Address of a role's database: as the role that works with rows, or as the one that owns
        the tables.
        """
        database = ROLES[role].database
        user = ROLES[role].database_owner if owner else database
        password = self.database_password(user)
        return f"postgresql://{user}:{password}@127.0.0.1:{self.ports()[POSTGRES_PORT_VARIABLE]}/{database}"

    def superuser_password(self) -> str:
        """Password of the database server's superuser."""
        return self.secrets.get("database:postgres", random_word)

    def admin_url(self) -> str:
        """Address of the database server as its superuser."""
        return f"postgresql://postgres:{self.superuser_password()}@127.0.0.1:{self.ports()[POSTGRES_PORT_VARIABLE]}/postgres"

    def client_secret(self, client_id: str) -> str:
        """Secret of a registered client of this machine."""
        return self.secrets.get(f"client:{client_id}", random_word)

    def clients(self) -> set[str]:
        """The clients of which this machine knows a secret."""
        return self.secrets.names("client:")

    def signing_key_file(self) -> Path:
        """The gateway's private key for tokens, made once."""
        path = self.home / "signing-key.pem"
        if not path.exists():
            if not self.secrets.making:
                raise MissingSecret(f"{path} is missing. `homeward up` makes it.")
            key = ec.generate_private_key(ec.SECP256R1())
            write_private(
                path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
            )
        return path

    def environment(self, role: str) -> dict[str, str]:
        """The environment of a role's process: ours, with its settings and without the other roles'
        secrets.
        """
        given = self.ports()
        gateway = f"http://127.0.0.1:{given[ROLES['gateway'].port_variable]}"
        settings = {
            "HOMEWARD_HOST": "127.0.0.1",
            "HOMEWARD_REQUESTS_PER_MINUTE": os.environ.get(
                "HOMEWARD_REQUESTS_PER_MINUTE", DEMO_REQUESTS
            ),
            "HOMEWARD_PORT": str(given[ROLES[role].port_variable]),
            "HOMEWARD_DATABASE_URL": self.database_url(role),
            "HOMEWARD_KAFKA_BOOTSTRAP": os.environ.get("HOMEWARD_KAFKA_BOOTSTRAP")
            or f"127.0.0.1:{given[KAFKA_PORT_VARIABLE]}",
            "HOMEWARD_ISSUER": gateway,
            "HOMEWARD_CLIENT_ID": f"service-{role}",
            "HOMEWARD_CLIENT_SECRET": self.client_secret(f"service-{role}"),
            "HOMEWARD_ENCRYPTION_KEYS": json.dumps(
                [self.secrets.get(f"encryption:{role}", random_key)]
            ),
            "HOMEWARD_AUDIT_KEY": self.secrets.get(f"audit:{role}", random_key),
        }
        if "HOMEWARD_KAFKA_BOOTSTRAP" not in os.environ:
            settings["HOMEWARD_KAFKA_FETCH_WAIT_MS"] = os.environ.get(
                "HOMEWARD_KAFKA_FETCH_WAIT_MS", FETCH_WAIT_MS
            )
        if "HOMEWARD_DOCUMENTS_URL" not in os.environ:
            settings["HOMEWARD_DOCUMENTS_URL"] = (self.home / "documents").resolve().as_uri()
        for other in ROLES.values():
            settings[f"HOMEWARD_{other.name.upper()}_URL"] = (
                f"http://127.0.0.1:{given[other.port_variable]}"
            )
        if role in MATCHING:
            settings["HOMEWARD_MATCHING_KEY"] = self.secrets.get("matching", random_key)
        if role == "gateway":
            settings["HOMEWARD_SIGNING_KEY_FILE"] = str(self.signing_key_file())
        return dict(os.environ) | settings

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the only one that runs here; end what an earlier run that was killed has left.

        Raises:
            CannotRun: Another one is running.
        """
        with (self.home / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise CannotRun(
                    f"Homeward is running here already (process "
                    f"{lock.read().strip() or 'unknown'})."
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            end_processes(self.left_over())
            yield
            self.note_processes({})

    def note_processes(self, processes: Mapping[str, int]) -> None:
        """Remember what runs (name to process id), for the run after one that was killed."""
        noted = {}
        for name, pid in processes.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                noted[name] = [pid, psutil.Process(pid).create_time()]
        write_private(self.home / "processes.json", json.dumps(noted))

    def left_over(self) -> list[psutil.Process]:
        """Processes that were noted and are still the same ones."""
        found = []
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            for pid, created in json.loads((self.home / "processes.json").read_text()).values():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process = psutil.Process(pid)
                    if abs(process.create_time() - created) < SECOND:
                        found.append(process)
        return found


class Secrets:
    """Secrets of this machine, each made when it is first asked for and kept in a file that only
    its owner reads.

    Args:
        path: The file.
        making: Whether a secret that is not there is made.
    """

    def __init__(self, path: Path, *, making: bool = True) -> None:
        self.path = path
        self.making = making
        self._known: dict[str, str] = {}

    def get(self, name: str, make: Callable[[], str]) -> str:
        """The secret of that name; `make` makes a new one.

        Raises:
            MissingSecret: It is not there, and none is made.
        """
        if name not in self._known and not self.making:
            self._known = self._read()
            if name not in self._known:
                raise MissingSecret(
                    f"{self.path} has no secret {name!r}. "
                    "`homeward up` makes those that the platform needs."
                )
        if name not in self._known:
            with self.path.with_suffix(".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._known = self._read()
                if name not in self._known:
                    self._known[name] = make()
                    write_private(self.path, json.dumps(self._known, indent=1))
        return self._known[name]

    def names(self, prefix: str) -> set[str]:
        """What is behind a prefix in the names of the secrets that are there."""
        return {name.removeprefix(prefix) for name in self._read() if name.startswith(prefix)}

    def _read(self) -> dict[str, str]:
        return json.loads(self.path.read_text()) if self.path.exists() else {}


def random_word() -> str:
    """A password: 32 random bytes in characters that need no quoting anywhere."""
    return secrets.token_urlsafe(32)


def random_key() -> str:
    """A key: 32 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def write_private(path: Path, text: str) -> None:
    """Replace a file at once by one that only its owner can read."""
    new = path.with_suffix(".new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def ports(otherwise: Mapping[str, int] | None = None) -> dict[str, int]:
    """Every port that one machine uses, by the variable that sets it.

    Args:
        otherwise: Ports instead of the usual ones, where the environment names none.

    Raises:
        CannotRun: One is not a port, or two are the same.
    """
    defaults = {POSTGRES_PORT_VARIABLE: POSTGRES_PORT, KAFKA_PORT_VARIABLE: KAFKA_PORT}
    defaults |= {role.port_variable: role.default_port for role in ROLES.values()}
    defaults |= otherwise or {}
    chosen: dict[str, int] = {}
    for variable, default in defaults.items():
        text = os.environ.get(variable) or str(default)
        if not text.isdecimal() or not 0 < int(text) < 65536:  # noqa: PLR2004 - the highest port is 65535
            raise CannotRun(f"{variable} is not a port number.")
        for other, port in chosen.items():
            if port == int(text):
                raise CannotRun(f"{variable} and {other} are both {port}.")
        chosen[variable] = int(text)
    return chosen


def check_ports(chosen: Mapping[str, int]) -> None:
    """Make sure that every port is free.

    Args:
        chosen: Ports by the variable that sets them.

    Raises:
        CannotRun: Some are not; it names each, what holds it, and the variable that chooses
            another.
    """
    taken = []
    for variable, port in chosen.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                taken.append(
                    f"Port {port} is taken{holder_of(port)}. Free it, or choose another: "
                    f"{variable}={port + 1000} ..."
                )
    if taken:
        raise CannotRun("\n".join(taken))


def holder_of(port: int) -> str:
    """` by <program> (process <id>)` where the system tells us, else nothing."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and getattr(connection.laddr, "port", None) == port
                and connection.pid
            ):
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""
