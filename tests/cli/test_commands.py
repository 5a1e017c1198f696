"""What commands do where no platform is, or one that is not running: they say so, and make
nothing. Every command of `homeward` is tried, also one that is new.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import typer
from typer.testing import CliRunner, Result

from cli.embedded import free_port
from cli.machine import Machine
from cli.main import app
from cli.roles import ROLES

MAY_MAKE = {
    ("up",): "it is what makes a platform",
    ("kafka",): "its data goes into the folder, which a platform need not have made",
    ("migration",): "it writes a revision into the sources, with a PostgreSQL of its own",
}
PATIENCE_SECONDS = 60
ROOT = Path(__file__).resolve().parents[2]
WORDS = {
    str: "cases",  # a role, an organisation, a reason
    UUID: "01a2300a-f6c4-75ff-85ac-bad9940cfe39",
    int: "1",
    Path: str(ROOT / "examples" / "referrals.jsonl"),
}


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from leaves(child, (*path, name))
    else:
        yield path, command


COMMANDS = dict(leaves(typer.main.get_command(app)))
TRIED = [path for path in COMMANDS if path not in MAY_MAKE]


def arguments(path: tuple[str, ...]) -> list[str]:
    """A call of a command with all that it cannot do without."""
    made = list(path)
    for parameter in COMMANDS[path].params:
        if parameter.required:
            word = WORDS[parameter.type_descriptor.annotation]
            made += [word] if parameter.param_type_name == "argument" else [parameter.opts[0], word]
    return made


def content(folder: Path) -> dict[str, bytes | None]:
    return {
        str(file.relative_to(folder)): file.read_bytes() if file.is_file() else None
        for file in folder.rglob("*")
    }


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, without a word of a platform in the environment; who does not come back is
    ended.
    """
    for variable in [name for name in os.environ if name.startswith("HOMEWARD_")]:
        monkeypatch.delenv(variable)
    for role in ROLES:
        monkeypatch.setenv(f"HOMEWARD_{role.upper()}_CLIENT_SECRET", "given")
    monkeypatch.setenv("HOMEWARD_OPERATOR_SECRET", "given")
    monkeypatch.chdir(tmp_path)

    def give_up(*_: object) -> None:
        raise TimeoutError("it does not come back")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE_SECONDS)
    yield tmp_path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_exceptions_are_commands() -> None:
    assert MAY_MAKE.keys() <= COMMANDS.keys()
    assert len(TRIED) >= 15


@pytest.mark.parametrize("path", TRIED, ids=" ".join)
def test_where_no_platform_is_nothing_is_made(path: tuple[str, ...], elsewhere: Path) -> None:
    told = call(*arguments(path))
    assert told.exit_code == 1, told.output
    assert f"No platform is in {elsewhere / '.homeward'}." in told.stderr
    assert told.stdout == ""
    assert content(elsewhere) == {}

    told = call(*arguments(path), "--home", "there")
    assert told.exit_code == 1, told.output
    assert f"No platform is in {elsewhere / 'there'}." in told.stderr
    assert content(elsewhere) == {}


@pytest.fixture
def stopped(elsewhere: Path) -> Path:
    """The folder of a platform that ran and does not run now."""
    home = elsewhere / "home"
    machine = Machine(home)
    for role in ROLES:
        machine.environment(role)
        machine.database_url(role, owner=True)
    for client in ("bamf", "iom-iraq", "operator"):
        machine.client_secret(client)
    ports = {
        variable: free_port() for variable in ("HOMEWARD_POSTGRES_PORT", "HOMEWARD_KAFKA_PORT")
    }
    machine.note_ports(ports | {role.port_variable: free_port() for role in ROLES.values()})
    return home


DATABASE = [path for path in TRIED if path[0] in {"events", "dead-letters", "audit", "ledger"}]


@pytest.mark.parametrize(
    "path", [*DATABASE, ("migrate",), ("timeline", "rebuild"), ("bootstrap",)], ids=" ".join
)
def test_where_it_does_not_run_that_is_said(path: tuple[str, ...], stopped: Path) -> None:
    before = content(stopped)
    told = call(*arguments(path), "--home", str(stopped))
    assert told.exit_code == 1, told.output
    assert "Is the platform running?" in told.stderr, (told.output, told.exception)
    assert content(stopped) == before


@pytest.mark.parametrize("asked", [(), ("nobody",)])
def test_who_may_have_a_token_is_said(asked: tuple[str, ...], stopped: Path) -> None:
    before = content(stopped)
    told = call("token", *asked, "--home", str(stopped))
    assert told.exit_code == 1
    assert told.stdout == ""
    assert "  referrer: bamf\n  partner: iom-iraq\n" in told.stderr
    assert "operator" in told.stderr
    assert content(stopped) == before, "asking for a stranger's token made a secret"


def test_a_known_organisation_is_told_that_the_gateway_does_not_run(stopped: Path) -> None:
    told = call("token", "bamf", "--home", str(stopped))
    assert told.exit_code == 1
    assert "The gateway is not running" in told.stderr


def test_a_secret_that_is_missing_is_not_made(stopped: Path) -> None:
    (stopped / "secrets.json").write_text("{}")
    told = call("audit", "verify", "cases", "--home", str(stopped))
    assert told.exit_code == 1
    assert "`homeward up` makes those that the platform needs" in told.stderr
    assert (stopped / "secrets.json").read_text() == "{}"
