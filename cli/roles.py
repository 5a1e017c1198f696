"""The one table of the roles that a Homeward process can have."""

import importlib
from dataclasses import dataclass
from typing import Any


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
    def database(self) -> str:
        """Name of its database, and of the role it logs in with."""
        return f"homeward_{self.name}"

    @property
    def database_owner(self) -> str:
        """The role that owns its tables and migrates them."""
        return f"{self.database}_owner"

    def service(self) -> Any:
        """Its `chassis.app.Service`. Imports the service, so only who runs it calls this."""
        return importlib.import_module(f"{self.package}.app").service


ROLES = {
    role.name: role
    for role in (
        Role("cases", "services.cases", 8081),
        Role("reception", "services.reception", 8082),
        Role("grants", "services.grants", 8083),
        Role("training", "services.training", 8084),
        Role("gateway", "gateway", 8080),
    )
}
