import os
import re
import subprocess
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from chassis.settings import Settings
from cli.embedded import POSTGRES_BIN, EmbeddedPostgres, free_port
from cli.roles import ROLES

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "homeward"}
SETTINGS = {f"HOMEWARD_{name.upper()}" for name in Settings.model_fields}
BOOTSTRAP = {f"HOMEWARD_{role.upper()}_CLIENT_SECRET" for role in ROLES} | {
    "HOMEWARD_OPERATOR_SECRET"
}
SECRET = re.compile(r"PASSWORD|SECRET|KEY|TOKEN")
SAFE = {"HOMEWARD_SIGNING_KEY_FILE"}  # a path
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def filled(text: str) -> str:
    """The text with every variable given, as `docker compose` would read it."""

    def value(match: re.Match[str]) -> str:
        if match["name"] == "ISSUER":
            return "https://homeward.example"
        return (
            "A" * 43 + "="
            if match["name"].endswith(("ENCRYPTION_KEY", "AUDIT_KEY", "MATCHING_KEY"))
            else "given"
        )

    return re.sub(r"\$\{(?P<name>[A-Z_]+)[^}]*\}", value, text)


def test_every_role_is_migrated_served_and_worked() -> None:
    commands = {tuple(service["command"]) for service in OURS.values()}
    expected = {(verb, role) for verb in ("migrate", "serve", "work") for role in ROLES}
    assert commands == expected | {("bootstrap",)}
    assert set(SERVICES["postgres"]["environment"]["ROLES"].split()) == set(ROLES)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name: str) -> None:
    known = SETTINGS | (BOOTSTRAP if name == "bootstrap" else set())
    assert set(OURS[name]["environment"]) <= known


@pytest.mark.parametrize("name", OURS)
def test_settings_accept_what_compose_gives(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith("HOMEWARD_"):
            monkeypatch.delenv(variable)
    for variable, value in OURS[name]["environment"].items():
        monkeypatch.setenv(variable, filled(value))
    settings = Settings()
    assert settings.environment == "production"
    for role in ROLES:
        assert settings.service_url(role) == f"http://{role}:8080"
        assert role in OURS


def test_no_secret_has_a_default() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable) and variable not in SAFE:
                assert re.search(r"\$\{[A-Z_]+:\?", value), f"{variable} of {name}"
            assert not re.search(r"://[^/:@]*:(?!\$\{[A-Z_]+:\?\})[^@/]*@", value), (
                f"password in {variable} of {name}"
            )
            for used in re.findall(r"\$\{([A-Z_]+)(.*?)\}", value):
                assert used[1].startswith(":?"), f"{used[0]} of {name} may be missing"
    assert COMPOSE["secrets"]["signing-key"]["file"].startswith("${SIGNING_KEY_FILE:?")


def test_a_missing_secret_is_noticed_by_the_test_above() -> None:
    assert re.search(r"://[^/:@]*:(?!\$\{[A-Z_]+:\?\})[^@/]*@", "postgresql://a:secret@host/db")
    assert re.search(
        r"://[^/:@]*:(?!\$\{[A-Z_]+:\?\})[^@/]*@", "postgresql://a:${X:-secret}@host/db"
    )


def test_roles_do_not_share_secrets() -> None:
    for variable in (
        "HOMEWARD_DATABASE_URL",
        "HOMEWARD_CLIENT_SECRET",
        "HOMEWARD_ENCRYPTION_KEYS",
        "HOMEWARD_AUDIT_KEY",
    ):
        assert len({OURS[role]["environment"][variable] for role in ROLES}) == len(ROLES), variable
    matching = {role for role in ROLES if "HOMEWARD_MATCHING_KEY" in OURS[role]["environment"]}
    assert (
        matching
        == {role for role in ROLES if "matching_key" in ROLES[role].service().needs}
        != set()
    )
    for name, service in OURS.items():
        owner = "HOMEWARD_MIGRATION_DATABASE_URL" in service["environment"]
        assert owner == name.startswith("migrate-"), (
            f"only migrations know the owner's password: {name}"
        )


def test_nothing_starts_before_what_it_needs() -> None:
    for role in ROLES:
        assert (
            SERVICES[f"migrate-{role}"]["depends_on"]["postgres"]["condition"] == "service_healthy"
        )
        for name in (role, f"{role}-worker"):
            needs = {need: how["condition"] for need, how in SERVICES[name]["depends_on"].items()}
            assert needs[f"migrate-{role}"] == "service_completed_successfully"
        assert SERVICES[f"{role}-worker"]["depends_on"]["kafka"]["condition"] == "service_healthy"
    assert (
        SERVICES["gateway"]["depends_on"]["bootstrap"]["condition"]
        == "service_completed_successfully"
    )
    for service in SERVICES.values():
        for need, how in service.get("depends_on", {}).items():
            job = SERVICES[need].get("healthcheck", {}).get("disable", False)
            assert how["condition"] == (
                "service_completed_successfully" if job else "service_healthy"
            )
            assert job or "healthcheck" in SERVICES[need] or need in OURS


def test_only_the_gateway_is_reachable_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["gateway"]
    assert SERVICES["gateway"]["ports"][0].endswith(":8080")


def test_logs_neither_tell_what_was_in_a_row_nor_fill_the_disk() -> None:
    assert SERVICES["postgres"]["command"] == ["postgres", "-c", "log_error_verbosity=terse"]
    for name, service in SERVICES.items():
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name


def test_our_containers_may_do_little() -> None:
    for name, service in OURS.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name


def test_versions_are_those_of_the_tests() -> None:
    pom = ET.parse(ROOT / "deploy" / "kafka" / "pom.xml")
    version = pom.find(".//{*}dependency[{*}artifactId='kafka_2.13']/{*}version")
    assert version is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version.text}"
    major = subprocess.run(
        [POSTGRES_BIN / "postgres", "-V"], capture_output=True, text=True, check=True
    ).stdout
    assert SERVICES["postgres"]["image"] == f"postgres:{major.split()[-1].split('.')[0]}"


def test_the_image_has_every_package_and_is_not_root() -> None:
    copied = set(re.findall(r"^COPY (\w+) \./\1$", DOCKERFILE, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {
        pattern.rstrip("*")
        for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    assert copied == packages | {"programmes"}
    let_in = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert let_in == copied | {"LICENSE", "pyproject.toml", "deploy/requirements.lock"}
    copy = re.search(r"^COPY ([\w./ ]+) \./$", DOCKERFILE, re.MULTILINE)
    assert copy is not None
    assert set(copy[1].split()) == let_in - copied
    assert re.search(r"^USER (?!0|root)\w+$", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", DOCKERFILE, re.MULTILINE)
    assert "python:3.11" in DOCKERFILE


def locked(path: str) -> dict[str, str]:
    """What a lock pins: each package with its version and hashes. What only some systems need
    differs: a tool needs everywhere what the platform needs on one.
    """
    entries = re.split(r"^(?=\S)", (ROOT / path).read_text(), flags=re.MULTILINE)[1:]
    pinned = {}
    for entry in entries:
        head, *hashes = entry.rstrip().split(" \\\n    ")
        name = re.fullmatch(
            r"([a-z0-9-]+)(\[[a-z,]+\])?==[A-Za-z0-9.]+(?P<marker> ; [\w.' =!<>()]+)?", head
        )
        assert name, head
        assert hashes, f"{head} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), head
        pinned[name[1]] = entry.replace(name["marker"] or "", "")
    assert len(pinned) == len(entries), "a package is pinned twice"
    return pinned


def names(requirements: list[str]) -> set[str]:
    return {
        re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~ ;]", requirement)[0]).lower()
        for requirement in requirements
    }


def test_the_locks_pin_everything_by_hash_and_name_no_address() -> None:
    everything, image = locked("requirements.lock"), locked("deploy/requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed, tools = project["dependencies"], project["optional-dependencies"]["dev"]
    assert not names(needed + tools) - everything.keys(), "run `make lock`"
    assert not names(needed) - image.keys(), "run `make lock`"
    assert not names(tools) & image.keys(), "the image has what is only for development"
    assert image.items() <= everything.items(), "the image would run what no test ran on"


def test_what_is_installed_is_checked_against_the_hashes() -> None:
    installs = [
        line
        for file in ("Makefile", "deploy/Dockerfile")
        for line in (ROOT / file).read_text().splitlines()
        if "pip install" in line and "requirements.lock" in line
    ]
    assert len(installs) == 2
    assert all("--no-deps --require-hashes" in line for line in installs)


async def test_the_init_script_makes_least_privilege_roles(postgres_folder: Path) -> None:
    server = EmbeddedPostgres(
        postgres_folder / "data",
        free_port(),
        password="super",
        log=postgres_folder / "log",
        durable=False,
    )
    server.start()
    try:
        run_init_script(server)
        owner = await asyncpg.connect(
            server.url("homeward_cases", "homeward_cases_owner", "own'er")
        )
        await owner.execute("CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY, word text)")
        await owner.close()
        service = await asyncpg.connect(server.url("homeward_cases", "homeward_cases", "lo$gin"))
        await service.execute("INSERT INTO t (word) VALUES ('x')")
        for forbidden in (
            "DROP TABLE t",
            "CREATE TABLE u (id int)",
            "CREATE TEMP TABLE v (id int)",
            "TRUNCATE t",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await service.execute(forbidden)
        await service.close()
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(server.url("homeward_reception", "homeward_cases", "lo$gin"))
    finally:
        server.kill()


def run_init_script(server: EmbeddedPostgres) -> None:
    given = {"POSTGRES_USER": "postgres", "ROLES": " ".join(ROLES)}
    for role in ROLES:
        given |= {
            f"{role.upper()}_OWNER_PASSWORD": "own'er",
            f"{role.upper()}_DATABASE_PASSWORD": "lo$gin",
        }
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGPASSWORD": "super"}
    path = f"{POSTGRES_BIN}:{os.environ['PATH']}"
    subprocess.run(
        [ROOT / "deploy/postgres/init.sh"], env={"PATH": path} | given | where, check=True
    )
