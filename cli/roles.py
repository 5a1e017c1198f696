"""The one table of the roles that a Homeward process can have."""

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Role:
    """A role: a service, or the gateway.

    Args:
        name: What `homeward serve` is given.
        package: Its Python package, which has `app.py` with the object `service`.
        default_port: HTTP port on one machine; `HOMEWARD_<NAME>_PORT` changes it.
    """

    name: str
    package: str
    default_port: int

    @property
    def port_variable(self) -> str:
        """The environment variable that sets its port on one machine."""
        return f"HOMEWARD_{self.name.upper()}_PORT"

    @property
    def port(self) -> int:
        """Its HTTP port on one machine."""
        return int(os.environ.get(self.port_variable, self.default_port))

    @property
    def worker_port_variable(self) -> str:
        """The environment variable of the health and metrics port of `homeward work`."""
        return f"HOMEWARD_{self.name.upper()}_WORKER_PORT"

    @property
    def database(self) -> str:
        """Name of its database, and of the role it logs in with."""
        return f"homeward_{self.name}"

    @property
    def migrations(self) -> Path:
        """Its Alembic scripts."""
        return ROOT.joinpath(*self.package.split("."), "migrations")

    def service(self) -> Any:
        """Its `chassis.app.Service`. Imports the service, so only who runs it calls this."""
        return importlib.import_module(f"{self.package}.app").service


ROLES = {
    role.name: role
    for role in (
        Role("cases", "services.cases", 8081),
        Role("reception", "services.reception", 8082),
        Role("gateway", "gateway", 8080),
    )
}
